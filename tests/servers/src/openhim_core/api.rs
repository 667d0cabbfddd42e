//! Core's API as tests prepare and inspect it, written apart from the client that is tested.

use std::time::Duration;

use aws_lc_rs::digest;
use reqwest::Method;
use serde_json::{Value, json};

use super::RealOpenHimCore;

/// What core's API answered.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The body: parsed, or a string when it is not JSON.
    pub body: Value,
}

impl RealOpenHimCore {
    /// Calls core's API as [`Self::USERNAME`], for example
    /// `api("PUT", "/mediators/urn:mediator:x/config", Some(json!({ "limit": 5 })))`.
    ///
    /// # Panics
    ///
    /// When core cannot be reached.
    pub async fn api(&self, method: &str, path: &str, body: Option<Value>) -> Answer {
        match self.call(method, path, body).await {
            Ok(answer) => answer,
            Err(error) => {
                let log = self.log().await;
                panic!("{method} {path}: {error:?}; core's log:\n{log}")
            }
        }
    }

    async fn call(
        &self,
        method: &str,
        path: &str,
        body: Option<Value>,
    ) -> Result<Answer, reqwest::Error> {
        let client = reqwest::Client::builder()
            .tls_danger_accept_invalid_certs(true)
            .timeout(Duration::from_secs(20))
            .build()
            .unwrap();
        let authenticate = format!("{}/authenticate/{}", self.api_url(), Self::USERNAME);
        let given: Value = client.get(authenticate).send().await?.json().await?;
        let user_salt = given["salt"].as_str().unwrap();
        let time = given["ts"].as_str().unwrap();
        let salt = uuid::Uuid::new_v4().to_string();
        let password_hash = sha512(&format!("{user_salt}{}", Self::PASSWORD));
        let token = sha512(&format!("{password_hash}{salt}{time}"));

        let method: Method = method.parse().unwrap();
        let mut request = client
            .request(method, format!("{}{path}", self.api_url()))
            .header("auth-username", Self::USERNAME)
            .header("auth-ts", time)
            .header("auth-salt", salt)
            .header("auth-token", token);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().await?;
        let status = response.status().as_u16();
        let text = response.text().await?;
        let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
        Ok(Answer { status, body })
    }

    /// Calls core's API with a body and expects it to say that something was created.
    async fn create(&self, path: &str, body: Value) {
        let answer = self.api("POST", path, Some(body)).await;
        assert_eq!(answer.status, 201, "POST {path}: {}", answer.body);
    }

    /// Makes a client of the router, who authenticates with HTTP Basic.
    ///
    /// # Panics
    ///
    /// When core refuses.
    pub async fn create_client(&self, id: &str, password: &str, roles: &[&str]) {
        let salt = uuid::Uuid::new_v4().to_string();
        let client = json!({
            "clientID": id,
            "clientDomain": format!("{id}.example"),
            "name": id,
            "roles": roles,
            "passwordAlgorithm": "sha512",
            "passwordSalt": salt,
            "passwordHash": sha512(&format!("{password}{salt}")),
        });
        self.create("/clients", client).await;
    }

    /// Makes a user of the API in `group`: `admin`, or the name of a role.
    ///
    /// # Panics
    ///
    /// When core refuses.
    pub async fn create_user(&self, email: &str, password: &str, group: &str) {
        let salt = uuid::Uuid::new_v4().to_string();
        let user = json!({
            "firstname": "Test",
            "surname": "User",
            "email": email,
            "groups": [group],
            "passwordAlgorithm": "sha512",
            "passwordSalt": salt,
            "passwordHash": sha512(&format!("{salt}{password}")),
        });
        self.create("/users", user).await;
    }

    /// Makes an open channel that routes `GET`, `POST` and `PUT` of `/name…` to a port of 127.0.0.1.
    ///
    /// # Panics
    ///
    /// When core refuses.
    pub async fn create_channel(&self, name: &str, port: u16) {
        let channel = json!({
            "name": name,
            "urlPattern": format!("^/{name}(/.*)?$"),
            "methods": ["GET", "POST", "PUT"],
            "type": "http",
            "authType": "public",
            "allow": [],
            "routes": [{
                "name": name,
                "host": "127.0.0.1",
                "port": port,
                "type": "http",
                "primary": true,
                "status": "enabled",
            }],
        });
        self.create("/channels", channel).await;
    }

    /// Makes an open channel that leads `POST` of the path `requested` to `path` of a port of
    /// 127.0.0.1, with the client's token. Before it is made, `change` may make another one of it.
    ///
    /// # Panics
    ///
    /// When core refuses.
    pub async fn create_channel_to(
        &self,
        (port, path): (u16, &str),
        requested: &str,
        change: impl FnOnce(&mut Value),
    ) {
        let mut channel = json!({
            "name": requested,
            "urlPattern": format!("^{}$", requested.replace('$', "\\$")),
            "methods": ["POST"],
            "type": "http",
            "authType": "public",
            "priority": 1,
            "routes": [{
                "name": "mediator",
                "host": "127.0.0.1",
                "port": port,
                "path": path,
                "type": "http",
                "primary": true,
                "forwardAuthHeader": true,
            }],
        });
        change(&mut channel);
        self.create("/channels", channel).await;
    }

    /// The whole transactions that match `filters`, for example `{"status": "Failed"}`, the newest
    /// first.
    ///
    /// # Panics
    ///
    /// When core refuses.
    pub async fn transactions(&self, filters: &Value) -> Vec<Value> {
        let filters = filters.to_string();
        let query = [
            ("filters", filters.as_str()),
            ("filterRepresentation", "full"),
            ("filterLimit", "100"),
            ("filterPage", "0"),
        ];
        let url = reqwest::Url::parse_with_params("path:/transactions", query).unwrap();
        let path = url.as_str().trim_start_matches("path:");
        let answer = self.api("GET", path, None).await;
        match answer.body {
            Value::Array(transactions) if answer.status == 200 => transactions,
            body => panic!("GET /transactions: {} {body}", answer.status),
        }
    }

    /// The whole transaction `id` (as core tells it in `X-OpenHIM-TransactionID`), once `wanted` is
    /// true of it: core writes to its database after it has answered its client.
    ///
    /// # Panics
    ///
    /// When it is not true within ten seconds.
    pub async fn transaction_when(&self, id: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let mut last = Value::Null;
        for _ in 0..100 {
            last = self
                .api("GET", &format!("/transactions/{id}"), None)
                .await
                .body;
            if wanted(&last) {
                return last;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("transaction {id} did not become what is expected: {last:#}");
    }
}

fn sha512(text: &str) -> String {
    let hash = digest::digest(&digest::SHA512, text.as_bytes());
    hash.as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
