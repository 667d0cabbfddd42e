//! The Keycloak of the tests starts with the realm of `deploy/keycloak`, whose tokens say what the
//! mediator needs, and keeps its keys over a kill.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::time::Duration;

use real_servers::keycloak::{RealKeycloak, claims};
use serde_json::{Value, json};
use tokio::sync::OnceCell;

static KEYCLOAK: OnceCell<Option<RealKeycloak>> = OnceCell::const_new();

async fn keycloak() -> Option<&'static RealKeycloak> {
    KEYCLOAK.get_or_init(RealKeycloak::start).await.as_ref()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_system_gets_a_token_for_the_mediator_with_its_permissions() {
    let Some(keycloak) = keycloak().await else {
        return;
    };
    let token = claims(&keycloak.client_token("health-event-source").await);
    assert_eq!(token["iss"], keycloak.issuer());
    assert_eq!(token["aud"], "ddcc-mediator");
    assert_eq!(token["azp"], "health-event-source");
    assert_eq!(token["typ"], "Bearer");
    assert_eq!(sorted_roles(&token), ["issue", "read"]);
    let lifetime = token["exp"].as_u64().unwrap() - token["iat"].as_u64().unwrap();
    assert_eq!(lifetime, 300);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_persons_realm_role_brings_the_permissions_of_the_mediator() {
    let Some(keycloak) = keycloak().await else {
        return;
    };
    keycloak.create_user("nurse", &["certificate-issuer"]).await;
    let tokens = keycloak.user_tokens("nurse").await;
    let token = claims(tokens["access_token"].as_str().unwrap());
    assert_eq!(sorted_roles(&token), ["issue", "read", "verify"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_mediators_own_token_is_for_the_repository_and_not_for_the_mediator() {
    let Some(keycloak) = keycloak().await else {
        return;
    };
    let token = claims(&keycloak.client_token(RealKeycloak::AUDIENCE).await);
    assert_eq!(token["aud"], "fhir-repository");
    assert_eq!(token["resource_access"], Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_system_that_is_made_later_needs_nothing_but_roles() {
    let Some(keycloak) = keycloak().await else {
        return;
    };
    keycloak.create_client("portal", &["verify"], false).await;
    keycloak
        .set_token_lifetime("portal", Duration::from_secs(60))
        .await;
    let token = claims(&keycloak.client_token("portal").await);
    assert_eq!(sorted_roles(&token), ["verify"]);
    // By the mapper "audience resolve" of the scope "roles", which every realm has.
    assert!(
        [json!("ddcc-mediator"), json!(["ddcc-mediator", "account"])].contains(&token["aud"]),
        "{token}"
    );
    let lifetime = token["exp"].as_u64().unwrap() - token["iat"].as_u64().unwrap();
    assert_eq!(lifetime, 60);
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_rotated_and_survive_a_kill() {
    let Some(keycloak) = RealKeycloak::start().await else {
        return;
    };
    let before = keys(&keycloak).await;
    keycloak.rotate_keys("ES256").await;
    let after = keys(&keycloak).await;
    assert!(before.iter().all(|key| after.contains(key)));
    assert_eq!(after.len(), before.len() + 1);

    keycloak.kill().await;
    assert!(reqwest::get(keycloak.jwks_url()).await.is_err());
    keycloak.restart().await;
    assert_eq!(keys(&keycloak).await, after);

    keycloak.remove_key("rsa-generated").await;
    assert_eq!(keys(&keycloak).await.len(), before.len());
    keycloak.end_sessions().await;
}

fn sorted_roles(token: &Value) -> Vec<String> {
    let roles = &token["resource_access"]["ddcc-mediator"]["roles"];
    let roles = roles.as_array().unwrap_or_else(|| panic!("{token}"));
    let mut roles: Vec<String> = roles
        .iter()
        .map(|role| role.as_str().unwrap().to_owned())
        .collect();
    roles.sort();
    roles
}

async fn keys(keycloak: &RealKeycloak) -> Vec<String> {
    let answer = reqwest::get(keycloak.jwks_url()).await.unwrap();
    let answer: Value = answer.json().await.unwrap();
    let keys = answer["keys"].as_array().unwrap();
    let mut ids: Vec<String> = keys
        .iter()
        .map(|key| key["kid"].as_str().unwrap().to_owned())
        .collect();
    ids.sort();
    ids
}
