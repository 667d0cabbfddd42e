-- Maps, models and ConceptMaps that clients have uploaded.
CREATE TABLE definition (
    resource_type TEXT NOT NULL,
    id TEXT NOT NULL,
    -- Canonical url, without a version.
    url TEXT NOT NULL,
    version BIGINT NOT NULL,
    last_updated TEXT NOT NULL,
    -- JSON; of a map that was uploaded in the FHIR Mapping Language, the text.
    content TEXT NOT NULL,
    is_language BOOLEAN NOT NULL,
    PRIMARY KEY (resource_type, id),
    UNIQUE (resource_type, url)
);
