use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderValue, Method};
use mediator_core::back_end::{
    Authentication, BackEnd, BackEndError, BackEndSettings, BackEndSettingsError, Token,
};
use serde_json::{Value, json};

use super::{Double, settings, status};

#[tokio::test]
async fn a_call_arrives_as_it_was_put_together() {
    let double = Double::start(|_, _| super::json(&json!({"resourceType": "Patient"}))).await;
    let answer = double
        .back_end()
        .post("Search", "Patient/_search?_format=json")
        .query(&[("identifier", "urn:x|1 2")])
        .header(ACCEPT, HeaderValue::from_static("application/fhir+json"))
        .json(&json!({"a": 1}))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status, 200);
    assert_eq!(answer.json::<Value>().unwrap()["resourceType"], "Patient");
    let [seen] = &double.seen()[..] else { panic!() };
    assert_eq!(seen.method, "POST");
    assert_eq!(
        seen.target,
        "/fhir/Patient/_search?_format=json&identifier=urn%3Ax%7C1+2"
    );
    assert_eq!(seen.headers[ACCEPT], "application/fhir+json");
    assert_eq!(seen.headers[CONTENT_TYPE], "application/json");
    assert_eq!(seen.body, r#"{"a":1}"#);
    assert_eq!(seen.authorization, None);
}

#[tokio::test]
async fn a_body_has_its_media_type_and_any_method_works() {
    let double = Double::of_statuses(&[201]).await;
    let call = double
        .back_end()
        .request("Patch", Method::PATCH, "Patient/1");
    let answer = call.body("[]", "application/json-patch+json").send().await;
    assert_eq!(answer.unwrap().text().unwrap(), "answer");
    let [seen] = &double.seen()[..] else { panic!() };
    assert_eq!(seen.headers[CONTENT_TYPE], "application/json-patch+json");
}

#[tokio::test]
async fn any_status_but_401_is_an_answer() {
    for code in [204, 302, 404, 409, 422, 500] {
        let double = Double::start(move |_, _| status(code)).await;
        let answer = double.back_end().get("Read", "Patient/1").send().await;
        assert_eq!(answer.unwrap().status, code);
        assert_eq!(double.seen().len(), 1, "{code}");
    }
}

#[tokio::test]
async fn an_answer_that_is_too_long_is_not_read() {
    let double = Double::start(|_, _| super::json(&json!("x".repeat(2000)))).await;
    let back_end = BackEnd::new(&BackEndSettings {
        maximum_response_bytes: 1000,
        ..double.settings()
    });
    let error = back_end.unwrap().get("Read", "Patient/1").send().await;
    assert!(matches!(
        error.unwrap_err(),
        BackEndError::AnswerTooLarge { maximum: 1000, .. }
    ));
    assert_eq!(double.seen().len(), 1, "asking again makes it no shorter");
}

#[tokio::test]
async fn what_is_not_the_expected_json_is_told_without_its_content() {
    let double = Double::start(|_, _| super::json(&json!({"name": {"family": "Secret"}}))).await;
    #[derive(Debug, serde::Deserialize)]
    struct Named {
        #[serde(rename = "name")]
        _name: String,
    }
    let answer = double.back_end().get("Read", "x").send().await.unwrap();
    let error = answer.json::<Named>().unwrap_err().to_string();
    assert!(
        error.contains("FHIR server") && error.contains("at name"),
        "{error}"
    );
    assert!(!error.contains("Secret") && !format!("{answer:?}").contains("Secret"));
}

#[tokio::test]
async fn nothing_is_sent_elsewhere() {
    let double = Double::of_statuses(&[200]).await;
    let error = double.back_end().get("Read", "http://elsewhere.example/x");
    assert!(matches!(
        error.send().await.unwrap_err(),
        BackEndError::Request { .. }
    ));
    assert!(double.seen().is_empty());
}

#[test]
fn settings_that_make_no_sense_are_refused() {
    let url = |text: &str| text.parse::<url::Url>().unwrap();
    let colon = Authentication::Basic {
        username: "a:b".to_owned(),
        password: "p".into(),
    };
    for settings in [
        settings(url("ftp://h/fhir")),
        settings(url("https://user:s3cret@h/fhir")),
        BackEndSettings {
            authentication: colon,
            ..settings(url("https://h/fhir"))
        },
    ] {
        let error = BackEnd::new(&settings).unwrap_err();
        assert!(matches!(error, BackEndSettingsError::Settings { .. }));
        assert!(!error.to_string().contains("s3cret"), "{error}");
    }
}

#[test]
fn secrets_are_not_printed() {
    let url: url::Url = "https://h/fhir".parse().unwrap();
    for authentication in [
        Authentication::Basic {
            username: "u".to_owned(),
            password: "s3cret".into(),
        },
        Authentication::Bearer(Token::Value("s3cret".into())),
        Authentication::ClientCredentials {
            token_url: url.clone(),
            client_id: "c".to_owned(),
            client_secret: "s3cret".into(),
            scope: None,
        },
    ] {
        let settings = BackEndSettings {
            authentication,
            ..settings(url.clone())
        };
        let back_end = BackEnd::new(&settings).unwrap();
        for shown in [
            format!("{settings:?}"),
            format!("{back_end:?}"),
            format!("{:?}", back_end.get("Read", "x")),
        ] {
            assert!(!shown.contains("s3cret"), "{shown}");
        }
    }
}
