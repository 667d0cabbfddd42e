//! StructureMap resources: the JSON form of a map, from its text and back.
//!
//! ```
//! use fhir_mapping::structure_map::{self, FhirVersion};
//!
//! let text = r#"
//! /// url = 'http://example.org/StructureMap/name'
//! /// name = 'Name'
//!
//! uses "http://hl7.org/fhir/StructureDefinition/Patient" alias Patient as source
//! uses "http://hl7.org/fhir/StructureDefinition/Patient" alias Patient as target
//!
//! group Name(source a : Patient, target b : Patient) {
//!   a.name -> b.name; // as it is
//! }
//! "#;
//! let resource = structure_map::to_json(text, FhirVersion::R4)?;
//! assert_eq!(resource["group"][0]["rule"][0]["documentation"], "as it is");
//!
//! let written = structure_map::from_json(&resource)?;
//! assert!(written.text.contains("  a.name -> b.name; // as it is\n"));
//! assert_eq!(structure_map::to_json(&written.text, FhirVersion::R4)?, resource);
//! # Ok::<(), fhir_mapping::MapError>(())
//! ```
//!
//! # What is where
//! As HL7's Java engine has it: the comments before a group are its `documentation`, the one at the
//! end of a `uses` or of a rule is that element's, and those after `map "…" = "…"` are the
//! description. Comments before and within a rule are its documentation, too; Java drops them.
//! Others are not part of the resource.
//!
//! A rule without a name gets one as in Java: its source's element and type. `a.b -> c.d` has the
//! variable `vvv` and the transform `create`.
//!
//! `/// path = value` sets any other element of the resource's header; a number in the path is an
//! index of a list: `/// contact.0.telecom.0.value = '…'`.
//!
//! # What R4 has no element for
//! - `let` is in the extension that stands for R5's `const`, and parameters of a group that are no
//!   variable, or of a transform that are dates, are in those for R5's `parameter.value[x]`. A date
//!   alone (`= @2020-01-01`) is an expression.
//! - An expression where only a value may stand (`default (…)`, a parameter in parentheses) is in
//!   the extension `cqf-expression`, in R5 too.

mod extension;
mod from_json;
mod to_json;

pub use from_json::{MapText, from_json};
pub use to_json::to_json;

/// Which form of the StructureMap resource is written. Both are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FhirVersion {
    /// FHIR R4 and R4B.
    #[default]
    R4,
    /// FHIR R5.
    R5,
}

/// The variable that stands for both sides of `a.b -> c.d`.
const IMPLIED_VARIABLE: &str = "vvv";

/// The name of a rule that has none: its source's element and type.
fn implied_name(element: &str, type_name: Option<&str>) -> String {
    let mut name = element.to_owned();
    let mut letters = type_name.unwrap_or_default().chars();
    name.extend(letters.next().into_iter().flat_map(char::to_uppercase));
    name.extend(letters);
    name
}

/// The id of a map that has none: what of its name an id may have.
fn implied_id(name: &str) -> String {
    name.chars()
        .filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.'))
        .take(64)
        .collect()
}
