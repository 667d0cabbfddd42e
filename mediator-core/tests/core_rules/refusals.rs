//! The double does refuse what core tolerates badly.

use rstest::rstest;
use serde_json::{Value, json};

use super::core::{Punishment, VERSIONS, Version, receive};

fn good() -> Value {
    json!({
        "x-mediator-urn": "urn:mediator:x",
        "status": "Successful",
        "response": {
            "status": 200,
            "headers": {"content-type": "text/plain", "set-cookie": ["a=1"]},
            "body": "hello",
            "timestamp": "2026-03-01T10:00:01.000Z"
        },
        "orchestrations": [{
            "name": "Look up",
            "request": {
                "headers": {"accept": "text/plain"},
                "body": "",
                "timestamp": "2026-03-01T10:00:00.000Z"
            },
            "response": {"status": 200, "body": "x", "timestamp": "2026-03-01T10:00:00.500Z"},
            "error": {"message": "late"}
        }],
        "properties": {"a": "1"},
        "error": {"message": "again"}
    })
}

fn punishments(version: Version, envelope: &Value) -> Vec<Punishment> {
    receive(version, envelope.to_string().as_bytes())
        .err()
        .unwrap_or_default()
}

#[test]
fn a_good_envelope_is_taken() {
    for version in VERSIONS {
        assert_eq!(punishments(version, &good()), [], "{version:?}");
    }
}

#[derive(Debug)]
enum Kind {
    ServerError,
    Crash,
    Lost,
    Changed,
}

#[rstest]
#[case::no_response("/response", Value::Null, Kind::ServerError)]
#[case::status_of_text("/response/status", json!("many"), Kind::ServerError)]
#[case::status_out_of_range("/response/status", json!(42), Kind::ServerError)]
#[case::informational_status("/response/status", json!(100), Kind::ServerError)]
#[case::no_body("/response/body", Value::Null, Kind::Changed)]
#[case::body_of_json("/response/body", json!({"a": 1}), Kind::Changed)]
#[case::body_of_a_status_without("/response/status", json!(204), Kind::Changed)]
#[case::cookie_of_text("/response/headers/set-cookie", json!("a=1"), Kind::Changed)]
#[case::header_of_a_number("/response/headers/content-type", json!(1), Kind::Changed)]
#[case::header_with_a_line("/response/headers/content-type", json!("a\nb"), Kind::ServerError)]
#[case::header_beyond_latin("/response/headers/content-type", json!("\u{4e2d}"), Kind::ServerError)]
#[case::headers_of_text("/response/headers", json!("a"), Kind::ServerError)]
#[case::no_time("/response/timestamp", json!("soon"), Kind::Lost)]
#[case::orchestrations_of_text("/orchestrations", json!("a"), Kind::ServerError)]
#[case::no_name("/orchestrations/0/name", Value::Null, Kind::Lost)]
#[case::empty_name("/orchestrations/0/name", json!(""), Kind::Lost)]
#[case::no_request("/orchestrations/0/request", Value::Null, Kind::Crash)]
#[case::no_request_time("/orchestrations/0/request/timestamp", Value::Null, Kind::Lost)]
#[case::far_request_time("/orchestrations/0/request/timestamp", json!("+262142-01-01T00:00:00Z"), Kind::Lost)]
#[case::request_body("/orchestrations/0/request/body", json!({"a": 1}), Kind::ServerError)]
#[case::response_body("/orchestrations/0/response/body", json!([1]), Kind::ServerError)]
#[case::response_status("/orchestrations/0/response/status", json!("ok"), Kind::Lost)]
#[case::error_of_text("/orchestrations/0/error", json!("late"), Kind::Lost)]
#[case::error_message("/orchestrations/0/error/message", json!({}), Kind::Lost)]
#[case::header_name("/orchestrations/0/request/headers", json!({"a.b": "1"}), Kind::Lost)]
#[case::property_name("/properties", json!({"$a": "1"}), Kind::Lost)]
#[case::properties_of_text("/properties", json!("a"), Kind::Lost)]
#[case::escaped_header_name("/response/headers", json!({"a\u{ff0e}b": "1"}), Kind::ServerError)]
fn a_bad_envelope_is_punished(#[case] pointer: &str, #[case] value: Value, #[case] kind: Kind) {
    let mut envelope = good();
    *envelope.pointer_mut(pointer).unwrap() = value;
    for version in VERSIONS {
        let punishments = punishments(version, &envelope);
        let is_of_kind = |punishment: &Punishment| {
            matches!(
                (punishment, &kind),
                (Punishment::InternalServerError(_), Kind::ServerError)
                    | (Punishment::Crash(_), Kind::Crash)
                    | (Punishment::NothingStored(_), Kind::Lost)
                    | (Punishment::AnswerChanged(_), Kind::Changed)
            )
        };
        assert!(
            punishments.iter().any(is_of_kind),
            "{version:?} {kind:?} {punishments:?}"
        );
    }
}

#[test]
fn a_status_of_ones_own_is_stored_by_one_and_loses_everything_with_the_other() {
    let mut envelope = good();
    envelope["status"] = json!("Pending Async");
    assert_eq!(punishments(Version::V8, &envelope), []);
    assert!(matches!(
        punishments(Version::V4, &envelope)[..],
        [Punishment::NothingStored(_)]
    ));
    envelope["status"] = json!("Done");
    assert!(matches!(
        punishments(Version::V8, &envelope)[..],
        [Punishment::UnknownStatus(_)]
    ));
    assert!(matches!(
        punishments(Version::V4, &envelope)[..],
        [Punishment::NothingStored(_)]
    ));
}

#[test]
fn what_is_no_json_is_a_server_error() {
    for version in VERSIONS {
        let refused = receive(version, b"{").unwrap_err();
        assert!(matches!(refused[..], [Punishment::InternalServerError(_)]));
    }
}
