-- A resource that a stored document holds is not stored again, and the index has only what tells
-- few resources from the rest. Texts are apart from the keys, so that keys are found fast.
CREATE TABLE content (
    number INTEGER PRIMARY KEY,
    -- JSON without meta.versionId and meta.lastUpdated.
    text TEXT NOT NULL,
    -- Of a document: JSON object of each fullUrl in it that leads to another resource here than to
    -- the one of its type and id, and where to.
    moved TEXT
);
CREATE TABLE resource_once (
    resource_type TEXT NOT NULL,
    id TEXT NOT NULL,
    version BIGINT NOT NULL,
    last_updated TEXT NOT NULL,
    -- Number of its content; null when the resource is deleted.
    content BIGINT,
    -- Whether the content is that of a document which holds the resource.
    is_held BOOLEAN NOT NULL,
    PRIMARY KEY (resource_type, id)
) WITHOUT ROWID;
INSERT INTO content (number, text) SELECT rowid, content FROM resource WHERE content IS NOT NULL;
INSERT INTO resource_once (resource_type, id, version, last_updated, content, is_held)
    SELECT resource_type, id, version, last_updated, iif(content IS NULL, NULL, rowid), FALSE
    FROM resource;
DROP TABLE resource;
ALTER TABLE resource_once RENAME TO resource;

CREATE TABLE search_index_once (
    resource_type TEXT NOT NULL,
    parameter TEXT NOT NULL,
    value TEXT NOT NULL,
    system TEXT NOT NULL,
    id TEXT NOT NULL,
    PRIMARY KEY (resource_type, parameter, value, system, id)
) WITHOUT ROWID;
INSERT OR IGNORE INTO search_index_once
    SELECT resource_type, parameter, value, system, id FROM search_index
    WHERE parameter NOT IN ('code', 'status', 'type')
      AND NOT (parameter = 'identifier' AND value = 'urn:uuid:' || id);
DROP TABLE search_index;
ALTER TABLE search_index_once RENAME TO search_index;
