//! What a test needs inside of Vault.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::{RealVault, TokenIssuer};

/// What a program logs on with by the method `approle`.
#[derive(Debug, Clone)]
pub struct AppRole {
    /// The name of the role, as a user's name.
    pub role_id: String,
    /// Its password.
    pub secret_id: String,
}

impl RealVault {
    /// Enables the engine `transit` at `mount`.
    ///
    /// # Panics
    ///
    /// When Vault refuses, as below.
    pub async fn enable_transit(&self, mount: &str) {
        self.done(
            "POST",
            &format!("sys/mounts/{mount}"),
            json!({ "type": "transit" }),
        )
        .await;
    }

    /// Makes a key of transit: `ecdsa-p256`, `rsa-2048` and so on.
    pub async fn create_key(&self, mount: &str, name: &str, kind: &str) {
        let path = format!("{mount}/keys/{name}");
        self.done("POST", &path, json!({ "type": kind })).await;
    }

    /// Enables the engine `pki` at `mount`, with a country signing authority of `country` and a
    /// role `document-signer` that issues document signing certificates for one year. Returns the
    /// authority's certificate in PEM.
    pub async fn enable_pki(&self, mount: &str, country: &str) -> String {
        self.done(
            "POST",
            &format!("sys/mounts/{mount}"),
            json!({ "type": "pki", "config": { "max_lease_ttl": "87600h" } }),
        )
        .await;
        let root = self
            .done(
                "POST",
                &format!("{mount}/root/generate/internal"),
                json!({
                    "common_name": "Country signing authority for tests",
                    "country": country,
                    "key_type": "ec",
                    "key_bits": 256,
                    "ttl": "87600h",
                    "max_path_length": 0,
                }),
            )
            .await;
        self.done(
            "POST",
            &format!("{mount}/roles/document-signer"),
            json!({
                "country": country,
                "organization": "Ministry of Health for tests",
                "allow_any_name": true,
                "enforce_hostnames": false,
                "server_flag": false,
                "client_flag": false,
                "key_type": "any",
                "key_usage": ["DigitalSignature"],
                "ext_key_usage_oids": ["1.3.6.1.4.1.1847.2021.1.1", "1.3.6.1.4.1.1847.2021.1.2"],
                "ttl": "8760h",
                "max_ttl": "8760h",
            }),
        )
        .await;
        root["data"]["certificate"].as_str().unwrap().to_owned()
    }

    /// Writes a policy, as JSON: `{"path": {"transit/sign/*": {"capabilities": ["update"]}}}`.
    pub async fn write_policy(&self, name: &str, policy: Value) {
        self.done(
            "PUT",
            &format!("sys/policies/acl/{name}"),
            json!({ "policy": policy.to_string() }),
        )
        .await;
    }

    /// Makes a token of these policies that ends after `ttl`, such as `2s`, unless it is renewed.
    pub async fn create_token(&self, policies: &[&str], ttl: &str) -> String {
        let body = json!({ "policies": policies, "ttl": ttl });
        let answer = self.done("POST", "auth/token/create", body).await;
        answer["auth"]["client_token"].as_str().unwrap().to_owned()
    }

    /// Revokes a token and what was made of it.
    pub async fn revoke(&self, token: &str) {
        self.done("POST", "auth/token/revoke", json!({ "token": token }))
            .await;
    }

    /// Enables the method `approle` at `mount`, with a role `mediator` of the policy; its tokens
    /// end after `ttl` and cannot be renewed past `maximum_ttl`.
    pub async fn enable_approle(
        &self,
        mount: &str,
        policy: &str,
        ttl: &str,
        maximum_ttl: &str,
    ) -> AppRole {
        self.enable_auth(mount, "approle").await;
        let role = format!("auth/{mount}/role/mediator");
        let settings =
            json!({ "token_policies": policy, "token_ttl": ttl, "token_max_ttl": maximum_ttl });
        self.done("POST", &role, settings).await;
        let role_id = self.api("GET", &format!("{role}/role-id"), None).await.body;
        let secret_id = self
            .done("POST", &format!("{role}/secret-id"), json!({}))
            .await;
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        AppRole {
            role_id: text(&role_id["data"]["role_id"]),
            secret_id: text(&secret_id["data"]["secret_id"]),
        }
    }

    /// Enables the method `jwt` at `mount`, with a role `mediator` of the policy for the tokens of
    /// the returned issuer. The method `kubernetes` is asked in the same way.
    pub async fn enable_jwt(&self, mount: &str, policy: &str, ttl: &str) -> TokenIssuer {
        self.enable_auth(mount, "jwt").await;
        let issuer = TokenIssuer::new();
        self.done(
            "POST",
            &format!("auth/{mount}/config"),
            json!({ "jwt_validation_pubkeys": [issuer.public_key_pem()] }),
        )
        .await;
        self.done(
            "POST",
            &format!("auth/{mount}/role/mediator"),
            json!({
                "role_type": "jwt",
                "user_claim": "sub",
                "bound_audiences": [TokenIssuer::AUDIENCE],
                "token_policies": [policy],
                "token_ttl": ttl,
            }),
        )
        .await;
        issuer
    }

    async fn enable_auth(&self, mount: &str, method: &str) {
        let path = format!("sys/auth/{mount}");
        self.done("POST", &path, json!({ "type": method })).await;
    }

    /// Lets Vault log each request and answer to a file, a JSON object in a line, with these
    /// request headers in plain text.
    pub async fn enable_audit(&self, headers: &[&str]) -> PathBuf {
        let file = self.folder().join("audit.log");
        for header in headers {
            self.done(
                "POST",
                &format!("sys/config/auditing/request-headers/{header}"),
                json!({ "hmac": false }),
            )
            .await;
        }
        self.done(
            "PUT",
            "sys/audit/file",
            json!({ "type": "file", "options": { "file_path": file } }),
        )
        .await;
        file
    }
}
