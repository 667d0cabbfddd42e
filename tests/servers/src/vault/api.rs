//! Vault's API as tests prepare and inspect it, written apart from the client that is tested.

use std::time::Duration;

use reqwest::Method;
use serde_json::Value;

use super::RealVault;

/// What Vault answered.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The body: parsed, or null when there is none.
    pub body: Value,
}

impl RealVault {
    /// Calls Vault's API as the user who may do everything, for example
    /// `api("POST", "sys/mounts/transit", Some(json!({ "type": "transit" })))`.
    ///
    /// # Panics
    ///
    /// When Vault cannot be reached.
    pub async fn api(&self, method: &str, path: &str, body: Option<Value>) -> Answer {
        self.api_as(&self.root_token(), method, path, body).await
    }

    /// Calls Vault's API with another token.
    ///
    /// # Panics
    ///
    /// When Vault cannot be reached.
    pub async fn api_as(
        &self,
        token: &str,
        method: &str,
        path: &str,
        body: Option<Value>,
    ) -> Answer {
        match call(&self.url(), token, method, path, body).await {
            Ok(answer) => answer,
            Err(error) => panic!(
                "{method} {path}: {error:?}; Vault's log:\n{}",
                self.log().await
            ),
        }
    }

    /// Calls Vault's API and expects it to do what was asked for.
    ///
    /// # Panics
    ///
    /// When it refuses.
    pub async fn done(&self, method: &str, path: &str, body: Value) -> Value {
        let answer = self.api(method, path, Some(body)).await;
        assert!(
            (200..300).contains(&answer.status),
            "{method} {path}: {} {}",
            answer.status,
            answer.body
        );
        answer.body
    }
}

/// One call, to the Vault at `url`.
pub(super) async fn call(
    url: &str,
    token: &str,
    method: &str,
    path: &str,
    body: Option<Value>,
) -> Result<Answer, reqwest::Error> {
    let client = reqwest::Client::builder()
        .tls_danger_accept_invalid_certs(true)
        .timeout(Duration::from_secs(30))
        .build()
        .unwrap();
    let method: Method = method.parse().unwrap();
    let mut request = client
        .request(method, format!("{url}/v1/{path}"))
        .header("X-Vault-Token", token);
    if let Some(body) = body {
        request = request.json(&body);
    }
    let response = request.send().await?;
    let status = response.status().as_u16();
    let text = response.text().await?;
    let body = serde_json::from_str(&text).unwrap_or(Value::Null);
    Ok(Answer { status, body })
}
