//! Extensions for what a version of the resource has no element for.

use serde_json::{Value, json};

/// An expression that gives the value: <http://hl7.org/fhir/StructureDefinition/cqf-expression>.
pub(super) const EXPRESSION: &str = "http://hl7.org/fhir/StructureDefinition/cqf-expression";

/// R5's `StructureMap.const` in R4.
pub(super) const CONSTANT: &str =
    "http://hl7.org/fhir/5.0/StructureDefinition/extension-StructureMap.const";

/// R5's `dependent.parameter.value[x]` in R4, on the item of `dependent.variable`.
pub(super) const PARAMETER: &str = "http://hl7.org/fhir/5.0/StructureDefinition/extension-StructureMap.group.rule.dependent.parameter.value";

/// R5's `target.parameter.value[x]` in R4, for the types that R4 does not have there.
pub(super) const TARGET_PARAMETER: &str = "http://hl7.org/fhir/5.0/StructureDefinition/extension-StructureMap.group.rule.target.parameter.value";

/// R4's `source.defaultValue[x]` in R5, where it is a string.
pub(super) const DEFAULT_VALUE: &str = "http://hl7.org/fhir/4.0/StructureDefinition/extension-StructureMap.group.rule.source.defaultValue";

/// R4's `equivalence` in R5, whose relationships are fewer.
pub(super) const EQUIVALENCE: &str = "http://hl7.org/fhir/4.0/StructureDefinition/extension-ConceptMap.group.element.target.equivalence";

/// An element with one extension. `element` is its value's: `valueString` and the like.
pub(super) fn extended(url: &str, element: &str, value: Value) -> Value {
    json!({"extension": [{"url": url, element: value}]})
}

/// An element that a FHIRPath expression gives.
pub(super) fn expression(text: &str) -> Value {
    let value = json!({"language": "text/fhirpath", "expression": text});
    extended(EXPRESSION, "valueExpression", value)
}

/// The extension with this url.
pub(super) fn find<'v>(element: Option<&'v Value>, url: &str) -> Option<&'v Value> {
    let extensions = element?.get("extension")?.as_array()?;
    let mut extensions = extensions.iter();
    extensions.find(|one| one.get("url").and_then(Value::as_str) == Some(url))
}

/// The expression that gives an element's value.
pub(super) fn find_expression(element: Option<&Value>) -> Option<&str> {
    find(element, EXPRESSION)?
        .get("valueExpression")?
        .get("expression")?
        .as_str()
}
