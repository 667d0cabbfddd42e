use serde_json::{Map, Value};

use crate::mediator_config::MediatorConfig;
use crate::openhim::{OpenHimError, RegisteredMediator};

/// The parts of a registration that only the mediator's author changes. `config` is the operators'.
const COMPARED: [&str; 4] = [
    "description",
    "endpoints",
    "defaultChannelConfig",
    "configDefs",
];

/// Fields that every version of core keeps. A field that is not here and that core does not have
/// is one that core's version drops.
const KEPT: [&str; 40] = [
    "allow",
    "array",
    "authType",
    "autoRetryEnabled",
    "autoRetryMaxAttempts",
    "autoRetryPeriodMinutes",
    "configDefs",
    "defaultChannelConfig",
    "description",
    "displayName",
    "endpoints",
    "forwardAuthHeader",
    "host",
    "matchContentJson",
    "matchContentRegex",
    "matchContentTypes",
    "matchContentValue",
    "matchContentXpath",
    "maxBodyAgeDays",
    "methods",
    "name",
    "param",
    "password",
    "path",
    "pathTransform",
    "pollingSchedule",
    "port",
    "primary",
    "priority",
    "requestBody",
    "responseBody",
    "routes",
    "secured",
    "status",
    "timeout",
    "type",
    "urlPattern",
    "username",
    "values",
    "whitelist",
];

/// The place of the first field of ours that core has otherwise.
pub(super) fn first_difference(
    ours: &MediatorConfig,
    theirs: &RegisteredMediator,
) -> Result<Option<String>, OpenHimError> {
    if ours.name() != theirs.name {
        return Ok(Some("name".to_owned()));
    }
    let Ok(Value::Object(ours)) = serde_json::to_value(ours) else {
        return Err(OpenHimError::Settings(
            "the mediator's registration is no JSON object".to_owned(),
        ));
    };
    let compared = ours
        .into_iter()
        .filter(|(field, _)| COMPARED.contains(&field.as_str()))
        .collect();
    Ok(in_object(&compared, &theirs.rest))
}

fn in_object(ours: &Map<String, Value>, theirs: &Map<String, Value>) -> Option<String> {
    ours.iter().find_map(|(field, ours)| {
        let difference = match theirs.get(field) {
            Some(theirs) => in_value(ours, theirs),
            None => (!is_nothing(ours) && KEPT.contains(&field.as_str())).then(String::new),
        };
        difference.map(|place| under(field, &place))
    })
}

fn in_value(ours: &Value, theirs: &Value) -> Option<String> {
    match (ours, theirs) {
        (Value::Object(ours), Value::Object(theirs)) => in_object(ours, theirs),
        (Value::Array(ours), Value::Array(theirs)) if ours.len() == theirs.len() => ours
            .iter()
            .zip(theirs)
            .enumerate()
            .find_map(|(index, (ours, theirs))| {
                in_value(ours, theirs).map(|place| under(&index.to_string(), &place))
            }),
        _ => (!same(ours, theirs)).then(String::new),
    }
}

fn under(field: &str, place: &str) -> String {
    if place.is_empty() {
        field.to_owned()
    } else {
        format!("{field}.{place}")
    }
}

/// Core casts: a port may come back as a number that was sent as a string.
fn same(ours: &Value, theirs: &Value) -> bool {
    let text = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(
            number
                .as_f64()
                .map_or(number.to_string(), |n| n.to_string()),
        ),
        Value::Bool(_) => Some(value.to_string()),
        _ => None,
    };
    ours == theirs
        || (is_nothing(ours) && is_nothing(theirs))
        || text(ours).is_some_and(|ours| Some(ours) == text(theirs))
}

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn document() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<u16>().prop_map(Value::from),
            "[a-z0-9]{0,4}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 4, |inner| {
            let field = proptest::sample::select(&KEPT[..]).prop_map(ToString::to_string);
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                proptest::collection::vec((field, inner), 0..4)
                    .prop_map(|fields| Value::Object(fields.into_iter().collect())),
            ]
        })
    }

    /// What core makes of a document: identifiers, defaults, casts, empty lists.
    fn stored(value: &Value) -> Value {
        match value {
            Value::Object(fields) => {
                let mut stored: Map<String, Value> = fields
                    .iter()
                    .filter(|(_, value)| !value.is_null())
                    .map(|(field, value)| (field.clone(), stored(value)))
                    .collect();
                stored.insert("_id".to_owned(), json!("5f0000000000000000000001"));
                stored.insert("rewriteUrls".to_owned(), json!(false));
                stored.into()
            }
            Value::Array(items) => items.iter().map(stored).collect(),
            Value::Number(number) => number.to_string().into(),
            other => other.clone(),
        }
    }

    /// With the first text in it changed, if there is one.
    fn changed(value: &Value) -> Option<Value> {
        match value {
            Value::String(text) => Some(format!("{text}!").into()),
            Value::Array(items) => items.iter().enumerate().find_map(|(index, item)| {
                let mut items = items.clone();
                items[index] = changed(item)?;
                Some(items.into())
            }),
            Value::Object(fields) => fields.iter().find_map(|(field, value)| {
                let mut fields = fields.clone();
                fields.insert(field.clone(), changed(value)?);
                Some(fields.into())
            }),
            _ => None,
        }
    }

    proptest! {
        #[test]
        fn what_core_makes_of_a_document_is_no_difference(document in document()) {
            prop_assert_eq!(in_value(&document, &stored(&document)), None);
        }

        #[test]
        fn a_changed_text_is_one(document in document()) {
            if let Some(changed) = changed(&document) {
                prop_assert!(in_value(&changed, &stored(&document)).is_some());
            }
        }
    }

    #[test]
    fn a_field_that_core_drops_is_no_difference_and_one_that_it_keeps_is() {
        let theirs = json!({"name": "a"});
        assert_eq!(
            in_value(&json!({"name": "a", "x-team": "b"}), &theirs),
            None
        );
        assert_eq!(
            in_value(&json!({"name": "a", "path": "/b"}), &theirs),
            Some("path".to_owned())
        );
        assert_eq!(in_value(&json!({"name": "a", "path": null}), &theirs), None);
    }
}
