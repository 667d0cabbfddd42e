use axum::Router;
use axum::routing::get;
use http::header::{HeaderName, IF_MATCH};
use http::{HeaderValue, StatusCode};
use mediator_core::back_end::{Authentication, BackEnd, BackEndSettings};
use mediator_core::envelope::{Envelope, TransactionStatus};
use mediator_core::server::{Server, ServerSettings};
use mediator_core::transaction::{TransactionLayer, TransactionSettings};

use super::{Double, nowhere, serve, settings, status};

/// What OpenHIM is told of a request that makes these calls.
async fn envelope_of(back_end: BackEnd) -> Envelope {
    let routes = Router::new().route(
        "/",
        get(move || async move {
            let answer = back_end
                .put("Store the certificate", "Patient/1")
                .query(&[("identifier", "person")])
                .header(IF_MATCH, HeaderValue::from_static("W/\"1\""))
                .header(
                    HeaderName::from_static("if-none-exist"),
                    HeaderValue::from_static("identifier=person"),
                )
                .json(&"person")
                .send()
                .await;
            match answer {
                Ok(answer) => answer.status,
                Err(_) => StatusCode::BAD_GATEWAY,
            }
        }),
    );
    let settings = TransactionSettings::new("urn:mediator:test");
    let routes = routes.layer(TransactionLayer::new(settings));
    let url = serve(Server::new(ServerSettings::default()), routes).await;
    let request = reqwest::Client::new().get(url);
    let request = request.header("X-OpenHIM-TransactionID", "65f1c0a2b3d4e5f601234567");
    request.send().await.unwrap().json().await.unwrap()
}

#[tokio::test]
async fn a_call_is_one_orchestration_without_persons_and_secrets() {
    let double = Double::start(|_, before| match before {
        0 => status(503),
        _ => super::json(&serde_json::json!("person")),
    })
    .await;
    let back_end = BackEnd::new(&BackEndSettings {
        authentication: Authentication::Basic {
            username: "u".to_owned(),
            password: "s3cret".into(),
        },
        ..double.settings()
    });
    let envelope = envelope_of(back_end.unwrap()).await;
    assert_eq!(envelope.status(), TransactionStatus::Successful);
    let [call] = envelope.recorded_orchestrations() else {
        panic!("one call: {:?}", envelope.recorded_orchestrations())
    };
    assert_eq!(call.name(), "Store the certificate");
    assert_eq!(call.recorded_group(), Some("FHIR server"));
    assert_eq!(call.recorded_response().unwrap().status(), 200);
    let request = call.request();
    assert_eq!(request.recorded_path(), Some("/fhir/Patient/1"));
    assert!(
        request
            .recorded_querystring()
            .unwrap()
            .starts_with("identifier=")
    );
    let if_match = request.recorded_headers().get("if-match");
    assert_eq!(if_match.as_deref(), Some("W/\"1\""));
    let text = serde_json::to_string(call).unwrap();
    for secret in ["person", "s3cret", "Basic", "dTpzM2NyZXQ"] {
        assert!(!text.contains(secret), "{text}");
    }
    let seen = double.seen();
    assert_eq!(seen.len(), 2);
    for seen in seen {
        assert_eq!(
            seen.headers["x-openhim-transactionid"],
            "65f1c0a2b3d4e5f601234567"
        );
        assert!(seen.headers.contains_key("traceparent"));
        assert_eq!(seen.authorization.as_deref(), Some("Basic dTpzM2NyZXQ="));
    }
}

#[tokio::test]
async fn a_call_without_answer_is_a_failed_one() {
    let back_end = BackEnd::new(&settings(nowhere())).unwrap();
    let envelope = envelope_of(back_end).await;
    let [call] = envelope.recorded_orchestrations() else {
        panic!("one call")
    };
    assert!(call.failed());
    let message = call.recorded_error().unwrap().message();
    assert!(message.contains("cannot be reached"), "{message}");
    assert_eq!(envelope.status(), TransactionStatus::Failed);
}
