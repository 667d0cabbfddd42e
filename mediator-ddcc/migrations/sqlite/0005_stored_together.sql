-- Ids and references of one document begin with the same time: what is stored together goes to the
-- same few pages.
CREATE TABLE resource_together (
    resource_type TEXT NOT NULL,
    id TEXT NOT NULL,
    version BIGINT NOT NULL,
    last_updated TEXT NOT NULL,
    -- Number of its content; null when the resource is deleted.
    content BIGINT,
    -- Whether the content is that of a document which holds the resource.
    is_held BOOLEAN NOT NULL,
    PRIMARY KEY (id, resource_type)
) WITHOUT ROWID;
INSERT INTO resource_together (resource_type, id, version, last_updated, content, is_held)
    SELECT resource_type, id, version, last_updated, content, is_held FROM resource
    ORDER BY id, resource_type;
DROP TABLE resource;
ALTER TABLE resource_together RENAME TO resource;

CREATE TABLE search_index_together (
    resource_type TEXT NOT NULL,
    parameter TEXT NOT NULL,
    value TEXT NOT NULL,
    system TEXT NOT NULL,
    id TEXT NOT NULL,
    PRIMARY KEY (value, parameter, resource_type, system, id)
) WITHOUT ROWID;
INSERT INTO search_index_together (resource_type, parameter, value, system, id)
    SELECT resource_type, parameter, value, system, id FROM search_index
    ORDER BY value, parameter, resource_type, system, id;
DROP TABLE search_index;
ALTER TABLE search_index_together RENAME TO search_index;
