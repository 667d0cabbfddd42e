//! What a transform gives, checked.

use serde_json::Value;

use super::fault;
use crate::strict_json;
use crate::transformer::TransformerError;

/// What begins the urls of FHIR's own types.
const FHIR_TYPES: &str = "http://hl7.org/fhir/StructureDefinition/";

/// The result: a JSON object of the map's target, if that is known. A logical model's has no
/// `resourceType`.
pub(super) fn read(
    map_url: &str,
    text: &[u8],
    target: Option<&str>,
) -> Result<Value, TransformerError> {
    let mut result = strict_json::parse(text).map_err(|error| {
        let reason = format!("its result is not what it should be: {error}");
        fault::engine(map_url, reason)
    })?;
    let Some(object) = result.as_object_mut() else {
        return Err(fault::engine(map_url, "its result is no JSON object"));
    };
    let resource_type = object.get("resourceType").and_then(Value::as_str);
    // A url may name a version; profiles of own make the type that they constrain.
    let target = target.map(|url| url.split('|').next().unwrap_or(url));
    match (target, resource_type) {
        (_, Some("OperationOutcome")) => Err(fault::engine(
            map_url,
            "it gave an OperationOutcome for a result; see Matchbox's log",
        )),
        (Some(url), found) => match url.strip_prefix(FHIR_TYPES) {
            Some(expected) if found != Some(expected) => {
                let reason = format!("its result is not the {expected} that the map makes");
                Err(fault::engine(map_url, reason))
            }
            Some(_) => Ok(result),
            None => {
                if found == url.rsplit('/').next() {
                    object.shift_remove("resourceType");
                }
                Ok(result)
            }
        },
        (None, _) => Ok(result),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use rstest::rstest;
    use serde_json::json;

    use super::*;

    const BUNDLE: &str = "http://hl7.org/fhir/StructureDefinition/Bundle";
    const MODEL: &str = "http://smart.who.int/ddcc/StructureDefinition/DDCCCoreDataSetVS";

    #[rstest]
    #[case::resource(r#"{"resourceType":"Bundle","type":"batch"}"#, Some(BUNDLE), json!({"resourceType": "Bundle", "type": "batch"}))]
    #[case::of_a_version(r#"{"resourceType":"Bundle"}"#, Some("http://hl7.org/fhir/StructureDefinition/Bundle|4.0.1"), json!({"resourceType": "Bundle"}))]
    #[case::model(r#"{"resourceType":"DDCCCoreDataSetVS","name":"x"}"#, Some(MODEL), json!({"name": "x"}))]
    #[case::model_without_its_name(r#"{"name":"x"}"#, Some(MODEL), json!({"name": "x"}))]
    #[case::profile(r#"{"resourceType":"Bundle"}"#, Some("http://x/StructureDefinition/own"), json!({"resourceType": "Bundle"}))]
    #[case::unknown(r#"{"resourceType":"Basic"}"#, None, json!({"resourceType": "Basic"}))]
    fn what_is_expected_is_taken(
        #[case] text: &str,
        #[case] target: Option<&str>,
        #[case] expected: Value,
    ) {
        assert_eq!(read("m", text.as_bytes(), target).unwrap(), expected);
    }

    #[rstest]
    #[case::no_json("<html>down</html>")]
    #[case::cut(r#"{"resourceType":"Bundle""#)]
    #[case::twice(r#"{"resourceType":"Bundle","type":"a","type":"b"}"#)]
    #[case::list("[]")]
    #[case::empty("")]
    #[case::other(r#"{"resourceType":"Patient"}"#)]
    #[case::outcome(r#"{"resourceType":"OperationOutcome"}"#)]
    #[case::untyped(r#"{"type":"batch"}"#)]
    fn nothing_else_is(#[case] text: &str) {
        let error = read("m", text.as_bytes(), Some(BUNDLE)).unwrap_err();
        assert!(matches!(error, TransformerError::Engine { .. }), "{error}");
    }
}
