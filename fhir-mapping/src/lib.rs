//! FHIR Mapping Language.

mod concept_map;
mod definitions;
mod engine;
mod error;
mod fhirpath;
mod item;
mod language;
mod library;
mod output;
mod program;

pub use error::{MapError, TransformError};
pub use library::{CompiledMaps, MapLibrary};
