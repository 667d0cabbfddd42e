//! A mediator that core does not let in, or cannot be sure to talk to.

use std::time::Duration;

use axum::Router;
use axum::routing::get;
use mediator_core::mediator_config::{Endpoint, MediatorConfig};
use mediator_core::openhim::{OpenHim, OpenHimError, OpenHimSettings, Trust};
use mediator_core::registration::register;
use real_servers::openhim_core::RealOpenHimCore;

use super::core;
use super::running::{Running, openhim, settings, urn};

fn config(name: &str) -> MediatorConfig {
    MediatorConfig::builder(urn(name), "1.0.0", name)
        .endpoint(Endpoint::http(name, "127.0.0.1", 1000))
        .build()
        .unwrap()
}

#[tokio::test]
async fn a_mediator_with_a_wrong_password_is_not_registered_and_serves() {
    let Some(core) = core().await else {
        return;
    };
    let refused = register(&openhim(core, "wrong"), &config("stranger")).await;
    assert_eq!(refused, Err(OpenHimError::WrongCredentials));

    let router = Router::new().route("/stranger", get(async || "at your service"));
    let mediator = Running::with_routes("stranger", openhim(core, "wrong"), router).await;
    let url = format!("http://127.0.0.1:{}/stranger", mediator.port);
    let answer = reqwest::get(url).await.unwrap().text().await.unwrap();
    assert_eq!(answer, "at your service");
    tokio::time::sleep(Duration::from_millis(500)).await;
    let known = core
        .api("GET", &format!("/mediators/{}", urn("stranger")), None)
        .await;
    assert_eq!(known.status, 404);
    mediator.stop().await;
}

#[tokio::test]
async fn a_certificate_of_nobody_whom_the_system_trusts_is_refused() {
    let Some(core) = core().await else {
        return;
    };
    let client = |trust| {
        let settings = OpenHimSettings {
            trust,
            ..settings(core, RealOpenHimCore::PASSWORD)
        };
        OpenHim::new(&settings).unwrap()
    };
    let refused = client(Trust::System).heartbeat().await.unwrap_err();
    assert!(
        matches!(refused, OpenHimError::CertificateNotTrusted { .. }),
        "{refused}"
    );
    let authority = Trust::CertificateAuthority(core.certificate_authority());
    client(authority).about().await.unwrap();
    client(Trust::AnyCertificate).about().await.unwrap();
}

#[tokio::test]
async fn a_user_who_may_not_is_told_what_is_missing() {
    let Some(core) = core().await else {
        return;
    };
    core.create_user("nobody@example.org", "secret", "nobodies")
        .await;
    let settings = OpenHimSettings {
        username: "nobody@example.org".to_owned(),
        ..settings(core, "secret")
    };
    let openhim = OpenHim::new(&settings).unwrap();
    let refused = register(&openhim, &config("nobodys")).await.unwrap_err();
    assert!(
        matches!(refused, OpenHimError::NotAllowed { .. }),
        "{refused}"
    );
    assert!(refused.to_string().contains("admin"), "{refused}");
}
