//! FHIR Mapping Language.
