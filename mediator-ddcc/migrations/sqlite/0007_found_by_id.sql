-- References, and UUIDs as URNs, are found by the id, which begins with the time: what refers to ids
-- of one time is on one page, not on one for each kind of reference.
CREATE TABLE search_index_by_id (
    resource_type TEXT NOT NULL,
    parameter TEXT NOT NULL,
    -- Of `Type/id` and `urn:uuid:id` the id, else the whole value.
    key TEXT NOT NULL,
    id TEXT NOT NULL,
    PRIMARY KEY (key, parameter, resource_type, id)
) WITHOUT ROWID;
INSERT OR IGNORE INTO search_index_by_id (resource_type, parameter, key, id)
    SELECT resource_type, parameter,
        CASE
            WHEN value GLOB 'urn:uuid:?*' THEN substr(value, 10)
            WHEN value GLOB '[A-Z]*/?*' AND value NOT GLOB '*[^A-Za-z]*/*' AND value NOT GLOB '*/*/*'
                THEN substr(value, instr(value, '/') + 1)
            ELSE value
        END AS key,
        id
    FROM search_index ORDER BY key, parameter, resource_type, id;
DROP TABLE search_index;
ALTER TABLE search_index_by_id RENAME TO search_index;
