-- Accepted health events; the same table is in the embedded database.
CREATE TABLE event (
    id UUID NOT NULL PRIMARY KEY,
    -- SHA-256 of the event's identity: the identity itself may be personal data.
    key_hash TEXT NOT NULL UNIQUE,
    content_hash TEXT NOT NULL,
    -- The QuestionnaireResponse; null once issued, since the repository has it then. Text, and not
    -- JSONB: numbers stay as they were written.
    request TEXT,
    accepted_at TIMESTAMPTZ NOT NULL,
    -- Null until issued.
    document_id TEXT,
    -- The process that issues the event; null when none does.
    worker UUID
);
CREATE INDEX event_unfinished ON event (accepted_at, id) WHERE document_id IS NULL;

-- Processes that work on events. What one has begun is another's when its time is over.
CREATE TABLE worker (
    id UUID NOT NULL PRIMARY KEY,
    alive_until TIMESTAMPTZ NOT NULL
);
