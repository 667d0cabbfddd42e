use std::sync::Arc;
use std::time::Duration;

use mediator_core::heartbeat::Heartbeat;
use mediator_core::mediator_config::MediatorConfig;
use mediator_core::openhim::{OpenHim, Trust};
use mediator_core::pushed_configuration::PushedConfiguration;
use mediator_core::registration::{register, register_until_done};
use serde_json::{Value, json};

use super::{OpenHimDouble, URN, Version, config, document, log};

/// How many lines have all of these.
fn lines(words: &[&str]) -> usize {
    log::written()
        .lines()
        .filter(|line| words.iter().all(|word| line.contains(word)))
        .count()
}

#[tokio::test]
async fn missed_heartbeats_are_told_when_it_changes() {
    log::capture();
    let core = OpenHimDouble::start(Version::V8).await;
    let heartbeat = Heartbeat::new(core.client(), Arc::new(config("1.0.0")));
    heartbeat.heartbeat_once().await.unwrap();
    heartbeat.heartbeat_once().await.unwrap();
    assert_eq!(lines(&["INFO", "OpenHIM takes heartbeats"]), 1);
    let killed = core.kill().await;
    for _ in 0..3 {
        heartbeat.heartbeat_once().await.unwrap_err();
    }
    assert_eq!(lines(&["takes no heartbeat"]), 1, "{}", log::written());
    assert_eq!(
        lines(&["WARN", "takes no heartbeat", "cannot be reached"]),
        1
    );
    let core = killed.start_again().await;
    heartbeat.heartbeat_once().await.unwrap();
    assert_eq!(lines(&["INFO", "takes heartbeats again", "missed=3"]), 1);
    drop(core);
}

#[tokio::test]
async fn a_wrong_password_is_an_error_and_not_in_the_log() {
    log::capture();
    let core = OpenHimDouble::start(Version::V8).await;
    let openhim = core.client_of("root@openhim.org", "not-the-password");
    let config = config("1.0.0");
    let registering = register_until_done(&openhim, &config);
    // The second attempt comes within two seconds.
    let waited = tokio::time::timeout(Duration::from_secs(5), registering).await;
    assert!(waited.is_err());
    let seen = core.seen();
    let attempts = seen
        .iter()
        .filter(|seen| seen.path.starts_with("/mediators"));
    assert!(attempts.count() >= 2);
    assert_eq!(lines(&["ERROR", "NOT registered", "password"]), 1);
    assert!(!log::written().contains("not-the-password"));
}

#[tokio::test]
async fn trust_in_any_certificate_is_told_for_each_client() {
    log::capture();
    let core = OpenHimDouble::start(Version::V8).await;
    let mut settings = core.settings();
    settings.api_url = "https://openhim.example:8080".parse().unwrap();
    let _trusting_the_system = OpenHim::new(&settings).unwrap();
    assert_eq!(lines(&["ANY certificate"]), 0);
    settings.trust = Trust::AnyCertificate;
    let client = OpenHim::new(&settings).unwrap();
    let _clone = client.clone();
    assert_eq!(lines(&["WARN", "ANY certificate", "openhim.example"]), 1);
    let _another = OpenHim::new(&settings).unwrap();
    assert_eq!(lines(&["WARN", "ANY certificate"]), 2);
}

#[tokio::test]
async fn a_password_without_encryption_is_told() {
    log::capture();
    let core = OpenHimDouble::start(Version::V8).await;
    let _client = core.client();
    assert_eq!(lines(&["WARN", "without encryption"]), 1);
}

#[tokio::test]
async fn what_became_of_a_registration_is_told() {
    log::capture();
    let core = OpenHimDouble::start(Version::V8).await;
    let openhim = core.client();
    for version in ["1.0.0", "1.0.0", "1.1.0"] {
        register(&openhim, &config(version)).await.unwrap();
    }
    let mut changed: Value = document("1.1.0");
    changed["endpoints"][0]["host"] = "elsewhere.example".into();
    let changed = MediatorConfig::from_json(&changed.to_string()).unwrap();
    register(&openhim, &changed).await.unwrap();
    for words in [
        ["INFO", "for the first time"],
        ["INFO", "unchanged"],
        ["INFO", "updated from 1.0.0 to 1.1.0"],
        ["WARN", "although endpoints.0.host differs: raise it"],
    ] {
        assert_eq!(lines(&words), 1, "{words:?}");
    }
}

#[tokio::test]
async fn a_wrong_configuration_is_told_once_without_its_values() {
    log::capture();
    let core = OpenHimDouble::start(Version::V8).await;
    let config = config("1.0.0");
    register(&core.client(), &config).await.unwrap();
    let settings = PushedConfiguration::<super::configuration::Settings>::new(&config).unwrap();
    let heartbeat = Heartbeat::new(core.client(), Arc::new(config)).configuration(&settings);
    core.set_config_in_console(URN, json!({"retries": 3, "secret": {"is": "hunter3"}}));
    for _ in 0..3 {
        heartbeat.heartbeat_once().await.unwrap();
    }
    assert_eq!(lines(&["ERROR", "secret", "stays in use"]), 1);
    for secret in ["hunter2", "hunter3", "openhim-password"] {
        assert!(!log::written().contains(secret), "{secret}");
    }
}
