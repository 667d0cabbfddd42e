//! FHIR Mapping Language: parses maps, compiles them once, and runs them on JSON in microseconds.
//!
//! ```
//! use fhir_mapping::MapLibrary;
//! use serde_json::json;
//! use uuid::Uuid;
//!
//! let mut library = MapLibrary::new();
//! library.add_map(
//!     r#"
//!     /// url = 'http://example.org/StructureMap/name'
//!     uses "http://hl7.org/fhir/StructureDefinition/QuestionnaireResponse" alias Answers as source
//!     uses "http://hl7.org/fhir/StructureDefinition/Patient" alias Patient as target
//!
//!     group Name(source answers : Answers, target patient : Patient) {
//!       answers.item as item where linkId = 'name' -> patient.name as name then {
//!         item.answer as answer -> name.text = (%answer.value);
//!       } "name";
//!     }
//!     "#,
//! )?;
//! let maps = library.compile()?;
//! let answers = json!({
//!     "resourceType": "QuestionnaireResponse",
//!     "item": [{"linkId": "name", "answer": [{"valueString": "Aroha Ngata"}]}],
//! });
//! let patient = maps.transform("http://example.org/StructureMap/name", &answers, Uuid::nil())?;
//! assert_eq!(
//!     patient,
//!     json!({"resourceType": "Patient", "name": [{"text": "Aroha Ngata"}]})
//! );
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # The language
//! Where the specification leaves a choice, this engine does what HL7's Java engine does.
//!
//! **Maps**: the grammar of R4, R4B and R5, and what HL7's Java parser takes besides, with a
//! warning; the README lists each construct and the test for it. [`format()`] lays a map out;
//! [`structure_map`] writes it as a StructureMap resource, and back.
//! A group that extends another one gives it its inputs by their names, else by their places.
//! Default groups of the map come before imported ones.
//!
//! **Sources**: a variable or a path from one; type, cardinality, `default`, list modes, variable,
//! `where`, `check`. `log` is compiled and not run: it would hold what people answered. Several
//! sources run the rule for every combination of their items.
//!
//! **Targets**: an element, or a variable alone; `share` and `single`. The list modes `first`, `last`
//! and `collate` change nothing.
//!
//! **Transforms**: a constant, a variable, an expression in parentheses, `create`, `copy`,
//! `evaluate`, `truncate`, `append`, `escape`, `cast` (to primitives), `uuid`, `reference`,
//! `pointer`, `translate`, `c`, `cc`, `id`, `cp`, `qty`. `dateOp` and every other transform are
//! refused when the map is compiled.
//!
//! **FHIRPath**: all of it but a few functions, which are refused by name when the map is compiled: see
//! [`fhirpath`], which can be used by itself.
//!
//! **Types**: those of FHIR R4, and StructureDefinitions that are added: logical models,
//! profiles, types of other versions of FHIR. Writing to an element that a type does not have is
//! a mistake, if the type is certain when the map is compiled; else the transform fails.
//! Reading one gives nothing, with a warning. Ids and extensions of primitives (`_birthDate`) are read and written; copying a
//! primitive copies its value alone. A source without a type is read as its JSON stands there.
//!
//! **Mistakes**: [`MapLibrary::check`] tells all of them at once, by their places, with what may
//! have been meant, and what is likely to be one: variables, imports, constants and groups that are
//! never used, types that cannot be there, a second value for what has one.
//! [`MapLibrary::compile_strictly`] refuses maps with a mistake; [`MapLibrary::compile`] takes them,
//! and a transform fails that reaches it, as with HL7's engine. Nothing that this runs is refused, as
//! far as we know.
//!
//! Where an element's type is another primitive than the value's, the value is converted as FHIR
//! writes it (`"2"` to `2`); a value of another complex type is an error. An element that would be
//! empty is left out.
//!
//! # Safety
//! Maps and input need not be trusted: [`Limits`] bound what a transform may do.

mod concept_map;
mod definitions;
mod engine;
mod error;
pub mod fhirpath;
mod format;
mod item;
mod language;
mod library;
mod outline;
mod output;
mod program;
mod seeded_uuid;
pub mod structure_map;
pub mod terminology;

pub use engine::TransformOptions;
pub use engine::limits::Limits;
pub use engine::trace::{GroupCall, Trace, TraceEntry, TraceEvent};
pub use error::{CompileError, Findings, MapError, SyntaxError, TransformError, Warning};
pub use format::format;
pub use library::{CompiledMaps, MapLibrary};
pub use outline::MapOutline;
pub use seeded_uuid::{seeded_uuid, with_beginning_of};

/// Runs the examples of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
