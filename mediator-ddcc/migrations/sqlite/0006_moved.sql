-- What was moved to a FHIR server, each resource with the version that is there: what was changed
-- here since then is to be moved again.
CREATE TABLE moved (
    resource_type TEXT NOT NULL,
    id TEXT NOT NULL,
    version BIGINT NOT NULL,
    PRIMARY KEY (id, resource_type)
) WITHOUT ROWID;
