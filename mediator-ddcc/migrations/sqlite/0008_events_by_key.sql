-- An event that is issued leaves little of its row behind. In the order of acceptance that was a page
-- for each event, since nothing is inserted there any more; in the order of hashes others use the room.
CREATE TABLE event_by_key (
    id TEXT NOT NULL UNIQUE,
    -- SHA-256 of the event's identity: the identity itself may be personal data.
    key_hash TEXT NOT NULL PRIMARY KEY,
    content_hash TEXT NOT NULL,
    accepted_at TEXT NOT NULL,
    -- Null until issued.
    document_id TEXT,
    -- The process that issues the event; null when none does.
    worker TEXT,
    -- The QuestionnaireResponse; null once issued, since the repository has it then.
    request TEXT
) WITHOUT ROWID;
INSERT INTO event_by_key (id, key_hash, content_hash, accepted_at, document_id, worker, request)
    SELECT id, key_hash, content_hash, accepted_at, document_id, worker, request
    FROM event ORDER BY key_hash;
DROP TABLE event;
ALTER TABLE event_by_key RENAME TO event;
CREATE INDEX event_unfinished ON event (accepted_at) WHERE document_id IS NULL;
