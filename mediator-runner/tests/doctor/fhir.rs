//! FHIR servers: one that the tests make up, and HAPI FHIR.

use axum::Router;
use axum::routing::get;
use http::{HeaderMap, StatusCode, header};
use real_servers::hapi_fhir::RealHapiFhir;
use serde_json::json;
use tokio::net::TcpListener;

use super::Found;

/// A FHIR server of little use, whose clock is an hour slow: its base URL.
async fn server(status: StatusCode) -> String {
    let statement = json!({
        "resourceType": "CapabilityStatement",
        "fhirVersion": "4.0.1",
        "format": ["json"],
        "software": {"name": "Small FHIR server", "version": "1"},
        "rest": [{"mode": "server"}],
    });
    let metadata = move || async move {
        let time = chrono::Utc::now() - chrono::TimeDelta::hours(1);
        let mut headers = HeaderMap::new();
        let date = time.format("%a, %d %b %Y %H:%M:%S GMT").to_string();
        headers.insert(header::DATE, date.parse().unwrap());
        (status, headers, axum::Json(statement))
    };
    let routes = Router::new().route("/fhir/metadata", get(metadata));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(axum::serve(listener, routes).into_future());
    format!("http://{address}/fhir")
}

#[tokio::test]
async fn what_a_server_lacks_and_its_clock_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let url = server(StatusCode::OK).await;
    let found = Found::by(folder.path(), &format!("[repository]\nurl = '{url}'")).await;
    let (result, details, _) = found.told("FHIR repository");
    assert_eq!((found.code, result), (1, "failed"));
    assert!(details.contains("lacks"), "{details}");
    let (result, details, advice) = found.told("FHIR repository: clock");
    assert_eq!(result, "failed");
    assert!(details.contains("behind ours"), "{details}");
    assert!(advice.contains("NTP"), "{advice}");
}

#[tokio::test]
async fn a_server_that_does_not_let_us_in_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let url = server(StatusCode::UNAUTHORIZED).await;
    std::fs::write(folder.path().join("password"), "secret word").unwrap();
    let configuration =
        format!("[repository]\nurl = '{url}'\nusername = 'mediator'\npassword_file = 'password'");
    let found = Found::by(folder.path(), &configuration).await;
    let (result, details, advice) = found.told("FHIR repository");
    assert_eq!((found.code, result), (1, "failed"));
    assert!(details.contains("401"), "{details}");
    assert!(advice.contains("check the user name"), "{advice}");
    assert!(!found.json.to_string().contains("secret word"));
}

#[tokio::test]
async fn hapi_fhir_can_do_what_is_needed() {
    let Some(server) = RealHapiFhir::start().await else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let configuration = format!("[repository]\nurl = '{}'", server.base_url());
    let found = Found::by(folder.path(), &configuration).await;
    let (result, details, _) = found.told("FHIR repository");
    assert_eq!(result, "ok", "{}", found.json);
    assert!(details.contains("HAPI FHIR"), "{details}");
    assert_eq!(found.told("FHIR repository: clock").0, "ok");
    assert_eq!(found.code, 0);
}

#[tokio::test]
async fn matchbox_is_told_by_its_capabilities() {
    let folder = tempfile::tempdir().unwrap();
    let url = server(StatusCode::OK).await;
    let found = Found::by(folder.path(), &format!("[transformer]\nurl = '{url}'")).await;
    let (result, details, _) = found.told("Matchbox");
    assert_eq!(result, "ok", "{}", found.json);
    assert!(
        details.contains("Small FHIR server 1, FHIR 4.0.1"),
        "{details}"
    );

    let url = server(StatusCode::BAD_GATEWAY).await;
    let found = Found::by(folder.path(), &format!("[transformer]\nurl = '{url}'")).await;
    let (result, details, advice) = found.told("Matchbox");
    assert_eq!((found.code, result), (1, "failed"));
    assert!(details.contains("502"), "{details}");
    assert!(advice.contains("transformer.url"), "{advice}");
}
