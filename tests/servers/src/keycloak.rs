//! A real Keycloak 26.0.7 with the realm of `deploy/keycloak/ddcc-realm.json`.
//!
//! ```no_run
//! # async fn test() {
//! let Some(keycloak) = real_servers::keycloak::RealKeycloak::start().await else {
//!     return; // not installed, which it has said on standard error
//! };
//! let token = keycloak.client_token("health-event-source").await;
//! # let _ = token;
//! # }
//! ```
//!
//! A start takes about ten seconds on an idle machine, and 400 MB.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::Mutex;

use crate::free_port::free_port;
use crate::installation::Installation;
use crate::process::Process;

/// A running Keycloak with a database of its own. Dropping it ends it.
#[derive(Debug)]
pub struct RealKeycloak {
    installation: Installation,
    folder: TempDir,
    port: u16,
    /// None while it is killed.
    running: Mutex<Option<Process>>,
    http: reqwest::Client,
}

impl RealKeycloak {
    /// The realm that is imported.
    pub const REALM: &str = "ddcc";
    /// The client that tokens are for, and whose roles are the permissions.
    pub const AUDIENCE: &str = "ddcc-mediator";
    /// Who may do everything, in the realm `master`.
    pub const USERNAME: &str = "administrator";
    /// The password of [`Self::USERNAME`]; `tests/servers/keycloak/install` sets it.
    pub const PASSWORD: &str = "keycloak-password";
    /// The password of every [user](Self::create_user).
    pub const USER_PASSWORD: &str = "correct horse battery staple";

    /// Starts a Keycloak with the realm just imported and waits until it answers. None, with a word
    /// on standard error, when none is installed.
    ///
    /// # Panics
    ///
    /// When it is installed but does not start; the message has its log.
    pub async fn start() -> Option<Self> {
        let installation = Installation::find("keycloak")?;
        let folder = tempfile::tempdir().unwrap();
        prepare(&installation, folder.path());
        let mut attempts = 0;
        let (process, port) = loop {
            let port = free_port();
            match start(&installation, folder.path(), port).await {
                Ok(process) => break (process, port),
                // Another process was faster to take the port.
                Err(log) if log.contains("already in use") && attempts < 5 => attempts += 1,
                Err(log) => panic!("Keycloak does not start:\n{log}"),
            }
        };
        Some(Self {
            installation,
            folder,
            port,
            running: Mutex::new(Some(process)),
            http: reqwest::Client::builder()
                .timeout(Duration::from_secs(60))
                // A connection ends with the runtime of the test that opened it, and tests share this.
                .pool_max_idle_per_host(0)
                .build()
                .unwrap(),
        })
    }

    fn base(&self) -> String {
        base(self.port)
    }

    /// The realm as tokens name it in `iss`; the discovery document is
    /// `<this>/.well-known/openid-configuration`.
    pub fn issuer(&self) -> String {
        format!("{}/realms/{}", self.base(), Self::REALM)
    }

    /// Where clients get tokens.
    pub fn token_url(&self) -> String {
        format!("{}/protocol/openid-connect/token", self.issuer())
    }

    /// Where the realm's public keys are.
    pub fn jwks_url(&self) -> String {
        format!("{}/protocol/openid-connect/certs", self.issuer())
    }

    /// Kills it without warning; its database stays. Does nothing when it is killed already.
    pub async fn kill(&self) {
        *self.running.lock().await = None;
    }

    /// Starts a killed one again, at the same address and with the same database, and waits until it
    /// answers. Kills it first if it runs.
    ///
    /// # Panics
    ///
    /// When it does not start; the message has its log.
    pub async fn restart(&self) {
        let mut running = self.running.lock().await;
        *running = None;
        for attempt in 0.. {
            match start(&self.installation, self.folder.path(), self.port).await {
                Ok(process) => {
                    *running = Some(process);
                    return;
                }
                // Another process has taken the port meanwhile, perhaps not for long.
                Err(log) if log.contains("already in use") && attempt < 5 => {
                    tokio::time::sleep(Duration::from_secs(2)).await;
                }
                Err(log) => panic!("Keycloak does not start again:\n{log}"),
            }
        }
    }

    /// Lets it answer nobody, without ending it, until [`Self::resume`].
    pub async fn pause(&self) {
        if let Some(process) = &*self.running.lock().await {
            process.pause();
        }
    }

    /// Lets a paused one go on.
    pub async fn resume(&self) {
        if let Some(process) = &*self.running.lock().await {
            process.resume();
        }
    }

    /// What it has logged since its last start, for the message of a failed test.
    pub async fn log(&self) -> String {
        let running = self.running.lock().await;
        running.as_ref().map(Process::log).unwrap_or_default()
    }

    /// The secret of a client that has one, such as [`Self::AUDIENCE`] or `health-event-source`.
    ///
    /// # Panics
    ///
    /// When there is no such client.
    pub async fn client_secret(&self, client: &str) -> String {
        let id = self.client_id(client).await;
        let answer = self
            .admin(Method::GET, &format!("/clients/{id}/client-secret"), None)
            .await;
        answer["value"].as_str().unwrap().to_owned()
    }

    /// An access token that the client gets for itself, with its secret.
    ///
    /// # Panics
    ///
    /// When Keycloak gives none.
    pub async fn client_token(&self, client: &str) -> String {
        let secret = self.client_secret(client).await;
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", client),
            ("client_secret", &secret),
        ];
        let answer = self.token(&self.token_url(), &form).await;
        answer["access_token"].as_str().unwrap().to_owned()
    }

    /// Makes a client that gets tokens for itself with its secret, as `health-event-source` does,
    /// with these roles of [`Self::AUDIENCE`]. With `is_for_mediator` its tokens name
    /// [`Self::AUDIENCE`] as their audience even without roles.
    ///
    /// # Panics
    ///
    /// When Keycloak refuses.
    pub async fn create_client(&self, client: &str, roles: &[&str], is_for_mediator: bool) {
        let mut representation = json!({
            "clientId": client,
            "publicClient": false,
            "standardFlowEnabled": false,
            "serviceAccountsEnabled": true,
        });
        if is_for_mediator {
            representation["protocolMappers"] = json!([audience_mapper()]);
        }
        self.admin(Method::POST, "/clients", Some(representation))
            .await;
        let id = self.client_id(client).await;
        let path = format!("/clients/{id}/service-account-user");
        let account = self.admin(Method::GET, &path, None).await;
        let account = account["id"].as_str().unwrap().to_owned();
        self.give_roles(&account, roles).await;
    }

    /// Sets how long a client's access tokens are valid.
    ///
    /// # Panics
    ///
    /// When Keycloak refuses.
    pub async fn set_token_lifetime(&self, client: &str, lifetime: Duration) {
        let id = self.client_id(client).await;
        let path = format!("/clients/{id}");
        let mut representation = self.admin(Method::GET, &path, None).await;
        representation["attributes"]["access.token.lifespan"] =
            lifetime.as_secs().to_string().into();
        self.admin(Method::PUT, &path, Some(representation)).await;
    }

    /// Makes a user, who has [`Self::USER_PASSWORD`] and these roles of the realm, such as
    /// `certificate-issuer`.
    ///
    /// # Panics
    ///
    /// When Keycloak refuses.
    pub async fn create_user(&self, username: &str, realm_roles: &[&str]) {
        let representation = json!({
            "username": username,
            "email": format!("{username}@health.example"),
            "emailVerified": true,
            "firstName": "Test",
            "lastName": "User",
            "enabled": true,
            "credentials": [{
                "type": "password", "value": Self::USER_PASSWORD, "temporary": false,
            }],
        });
        self.admin(Method::POST, "/users", Some(representation))
            .await;
        let path = format!("/users?exact=true&username={username}");
        let found = self.admin(Method::GET, &path, None).await;
        let id = found[0]["id"].as_str().unwrap();
        let mut roles = Vec::new();
        for role in realm_roles {
            roles.push(
                self.admin(Method::GET, &format!("/roles/{role}"), None)
                    .await,
            );
        }
        let path = format!("/users/{id}/role-mappings/realm");
        self.admin(Method::POST, &path, Some(roles.into())).await;
    }

    /// What Keycloak answers a user who gives the password to a program: `access_token`, `id_token`
    /// and `refresh_token`. The realm allows that to no program, so one is made here that may.
    ///
    /// # Panics
    ///
    /// When Keycloak gives none.
    pub async fn user_tokens(&self, username: &str) -> Value {
        const CLIENT: &str = "for-tests-with-passwords";
        let representation = json!({
            "clientId": CLIENT,
            "publicClient": true,
            "standardFlowEnabled": false,
            "directAccessGrantsEnabled": true,
            "protocolMappers": [audience_mapper()],
        });
        let made = self
            .admin_answer(Method::POST, "/clients", Some(representation))
            .await;
        assert!(
            made.0.is_success() || made.0 == StatusCode::CONFLICT,
            "{made:?}"
        );
        let form = [
            ("grant_type", "password"),
            ("scope", "openid"),
            ("client_id", CLIENT),
            ("username", username),
            ("password", Self::USER_PASSWORD),
        ];
        self.token(&self.token_url(), &form).await
    }

    /// Gives the realm a new signing key for `algorithm` (`RS256`, `PS256`, `ES256` …), which signs
    /// from now on; earlier keys verify on. Returns what [`Self::remove_key`] takes.
    ///
    /// # Panics
    ///
    /// When Keycloak refuses.
    pub async fn rotate_keys(&self, algorithm: &str) -> String {
        let keys = self.key_providers().await;
        let highest = keys
            .iter()
            .filter_map(|key| key["config"]["priority"][0].as_str()?.parse::<u64>().ok());
        let priority = highest.max().unwrap_or(100) + 1;
        let mut config = json!({
            "priority": [priority.to_string()],
            "enabled": ["true"],
            "active": ["true"],
        });
        let kind = if algorithm.starts_with('E') {
            let curve = algorithm.replace("ES", "P-");
            config["ecdsaEllipticCurveKey"] = json!([curve]);
            "ecdsa-generated"
        } else {
            config["algorithm"] = json!([algorithm]);
            config["keySize"] = json!(["2048"]);
            "rsa-generated"
        };
        let name = format!("{algorithm}-{priority}");
        let component = json!({
            "name": name,
            "providerId": kind,
            "providerType": "org.keycloak.keys.KeyProvider",
            "config": config,
        });
        self.admin(Method::POST, "/components", Some(component))
            .await;
        let realm = json!({ "defaultSignatureAlgorithm": algorithm });
        self.admin(Method::PUT, "", Some(realm)).await;
        name
    }

    /// Takes a signing key out of the realm: what it has signed is no longer good. The first one of
    /// a realm is called `rsa-generated`.
    ///
    /// # Panics
    ///
    /// When there is none of this name.
    pub async fn remove_key(&self, name: &str) {
        let keys = self.key_providers().await;
        let key = keys.iter().find(|key| key["name"] == name);
        let id = key.unwrap()["id"].as_str().unwrap().to_owned();
        self.admin(Method::DELETE, &format!("/components/{id}"), None)
            .await;
    }

    async fn key_providers(&self) -> Vec<Value> {
        let path = "/components?type=org.keycloak.keys.KeyProvider";
        let found = self.admin(Method::GET, path, None).await;
        found.as_array().unwrap().clone()
    }

    /// Ends every session: what is refreshed then is refused. Access tokens are good until they
    /// end.
    ///
    /// # Panics
    ///
    /// When Keycloak refuses.
    pub async fn end_sessions(&self) {
        self.admin(Method::POST, "/logout-all", Some(json!({})))
            .await;
    }

    /// Calls the administrators' API, for a path behind `/admin/realms/ddcc`.
    ///
    /// # Panics
    ///
    /// When the answer is no success.
    pub async fn admin(&self, method: Method, path: &str, body: Option<Value>) -> Value {
        let (status, answer) = self.admin_answer(method.clone(), path, body).await;
        assert!(status.is_success(), "{method} {path}: {status} {answer}");
        answer
    }

    async fn admin_answer(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> (StatusCode, Value) {
        let form = [
            ("grant_type", "password"),
            ("client_id", "admin-cli"),
            ("username", Self::USERNAME),
            ("password", Self::PASSWORD),
        ];
        let master = format!(
            "{}/realms/master/protocol/openid-connect/token",
            self.base()
        );
        // It ends after a minute, so each call has its own.
        let token = self.token(&master, &form).await;
        let url = format!("{}/admin/realms/{}{path}", self.base(), Self::REALM);
        let mut request = self
            .http
            .request(method, url)
            .bearer_auth(token["access_token"].as_str().unwrap());
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().await.unwrap();
        let status = response.status();
        let text = response.text().await.unwrap();
        (
            status,
            serde_json::from_str(&text).unwrap_or(Value::String(text)),
        )
    }

    async fn token(&self, url: &str, form: &[(&str, &str)]) -> Value {
        let body = reqwest::Url::parse_with_params("form:", form).unwrap();
        let response = self
            .http
            .post(url)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(body.query().unwrap().to_owned())
            .send()
            .await
            .unwrap();
        let status = response.status();
        let answer: Value = response.json().await.unwrap();
        assert!(status.is_success(), "{url}: {status} {answer}");
        answer
    }

    async fn client_id(&self, client: &str) -> String {
        let path = format!("/clients?clientId={client}");
        let found = self.admin(Method::GET, &path, None).await;
        let id = found[0]["id"].as_str();
        id.unwrap_or_else(|| panic!("there is no client {client}"))
            .to_owned()
    }

    async fn give_roles(&self, user: &str, roles: &[&str]) {
        let mediator = self.client_id(Self::AUDIENCE).await;
        let mut representations = Vec::new();
        for role in roles {
            let path = format!("/clients/{mediator}/roles/{role}");
            representations.push(self.admin(Method::GET, &path, None).await);
        }
        let path = format!("/users/{user}/role-mappings/clients/{mediator}");
        self.admin(Method::POST, &path, Some(representations.into()))
            .await;
    }
}

/// What a token claims, unchecked.
///
/// # Panics
///
/// When it is no JWT.
pub fn claims(token: &str) -> Value {
    let payload = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}

fn base(port: u16) -> String {
    format!("http://127.0.0.1:{port}")
}

fn audience_mapper() -> Value {
    json!({
        "name": "for the mediator",
        "protocol": "openid-connect",
        "protocolMapper": "oidc-audience-mapper",
        "config": {
            "included.client.audience": RealKeycloak::AUDIENCE,
            "access.token.claim": "true",
            "id.token.claim": "false",
        },
    })
}

/// A home of its own: with the installation's programs, and a copy of its database.
fn prepare(installation: &Installation, home: &Path) {
    for shared in ["lib", "providers", "themes", "conf"] {
        std::os::unix::fs::symlink(installation.path(shared), home.join(shared)).unwrap();
    }
    let database = home.join("data/h2");
    std::fs::create_dir_all(&database).unwrap();
    std::fs::copy(
        installation.path("data/h2/keycloakdb.mv.db"),
        database.join("keycloakdb.mv.db"),
    )
    .unwrap();
    let import = home.join("data/import");
    std::fs::create_dir_all(&import).unwrap();
    std::fs::copy(realm_file(), import.join("ddcc-realm.json")).unwrap();
}

fn realm_file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/keycloak/ddcc-realm.json")
}

async fn start(installation: &Installation, home: &Path, port: u16) -> Result<Process, String> {
    let mut command = Command::new("java");
    command
        .args(["-Xmx400m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"])
        .arg(format!("-Dkc.home.dir={}", home.display()))
        .arg("-Djava.util.logging.manager=org.jboss.logmanager.LogManager")
        .arg("-cp")
        .arg(installation.path("lib/quarkus-run.jar"))
        .arg("io.quarkus.bootstrap.runner.QuarkusEntryPoint")
        .args(["start", "--optimized", "--import-realm", "--cache=local"])
        // Written at once, or the last half second is lost when it is killed.
        .arg("--db-url-properties=;NON_KEYWORDS=VALUE;WRITE_DELAY=0")
        .args(["--http-enabled=true", "--http-host=127.0.0.1"])
        .arg(format!("--http-port={port}"))
        .arg(format!("--hostname={}", base(port)));
    let mut process = Process::start_guarded(&command, &home.join("keycloak.log"));
    process
        .wait_for(|line| line.contains(" started in ").then_some(()))
        .await?;
    Ok(process)
}
