//! Parts of FHIR resources, as JSON.

use serde_json::Value;

/// The entries of a Bundle.
pub(crate) fn entries(bundle: &Value) -> impl Iterator<Item = &Value> {
    bundle
        .get("entry")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
}

/// The text at a JSON pointer; empty where there is none.
pub(crate) fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_default()
}

/// The text of this property, when it has one.
pub(crate) fn property<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    value.get(name)?.as_str()
}

/// Takes away what a repository adds to what is read; FHIR has no empty `meta`.
pub(crate) fn remove_version(resource: &mut Value) {
    let Some(object) = resource.as_object_mut() else {
        return;
    };
    if let Some(meta) = object.get_mut("meta").and_then(Value::as_object_mut) {
        meta.remove("versionId");
        meta.remove("lastUpdated");
        if meta.is_empty() {
            object.remove("meta");
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_else_is_in_meta_stays() {
        let mut resource = json!({
            "meta": { "versionId": "3", "lastUpdated": "2026-11-30T08:00:00Z", "profile": ["a"] },
        });
        remove_version(&mut resource);
        assert_eq!(resource, json!({ "meta": { "profile": ["a"] } }));
        let mut resource = json!({ "meta": { "versionId": "3" } });
        remove_version(&mut resource);
        assert_eq!(resource, json!({}));
    }
}
