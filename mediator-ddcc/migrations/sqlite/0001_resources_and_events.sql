-- FHIR resources in their current version.
CREATE TABLE resource (
    resource_type TEXT NOT NULL,
    id TEXT NOT NULL,
    version BIGINT NOT NULL,
    last_updated TEXT NOT NULL,
    -- JSON without meta.versionId and meta.lastUpdated; null when the resource is deleted.
    content TEXT,
    PRIMARY KEY (resource_type, id)
);

-- What resources are searched by: tokens (system and value) and references (value only).
CREATE TABLE search_index (
    resource_type TEXT NOT NULL,
    id TEXT NOT NULL,
    parameter TEXT NOT NULL,
    system TEXT NOT NULL,
    value TEXT NOT NULL
);
CREATE INDEX search_index_by_value ON search_index (resource_type, parameter, value);
CREATE INDEX search_index_by_resource ON search_index (resource_type, id);

-- Accepted health events.
CREATE TABLE event (
    id TEXT NOT NULL PRIMARY KEY,
    -- SHA-256 of the event's identity: the identity itself may be personal data.
    key_hash TEXT NOT NULL UNIQUE,
    content_hash TEXT NOT NULL,
    -- The QuestionnaireResponse; null once issued, since the repository has it then.
    request TEXT,
    accepted_at TEXT NOT NULL,
    -- Null until issued.
    document_id TEXT
);
CREATE INDEX event_unfinished ON event (accepted_at) WHERE document_id IS NULL;
