use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use async_trait::async_trait;
use aws_lc_rs::digest::{SHA256, digest};
use chrono::DateTime;
use http::StatusCode;
use mediator_core::envelope::{
    ErrorDetails, Orchestration, RecordedRequest, RecordedResponse, Timestamp,
};
use mediator_core::transaction::Transaction;
use serde_json::{Value, json};

use super::client::check_name;
use super::connection::Request;
use super::correlation::correlation_id;
use super::signing_queue::{SigningQueue, TransitKey, Wanted};
use super::{VaultClient, VaultError, VaultSettings, VaultSettingsError};
use crate::signing::{Algorithm, KeyStore, PublicKey, SigningError, StoredKey};

/// A key of Vault's engine `transit`. Each of its versions is a key of its own here: a health
/// certificate is signed with the version that its document signing certificate is for, whatever
/// versions there are meanwhile.
///
/// It signs in Vault and never asks for a private key.
#[derive(Debug)]
pub struct VaultTransit {
    key: TransitKey,
    name: String,
    queue: SigningQueue,
    versions: RwLock<Arc<Versions>>,
}

/// What Vault tells of a key.
#[derive(Debug, Default)]
struct Versions {
    /// By version, those that may sign.
    keys: BTreeMap<u32, StoredKey>,
}

impl VaultTransit {
    /// The key that the settings name, of the Vault that they name; nothing is sent yet. To be
    /// called in the runtime that signs.
    ///
    /// # Errors
    /// [`VaultSettingsError`].
    pub fn new(settings: &VaultSettings) -> Result<Self, VaultSettingsError> {
        let client = VaultClient::new(
            &settings.back_end,
            settings.namespace.as_deref(),
            settings.login.clone(),
        )?;
        Self::of_client(client, settings)
    }

    /// The same, with a client that others share.
    ///
    /// # Errors
    /// [`VaultSettingsError::Name`].
    pub fn of_client(
        client: VaultClient,
        settings: &VaultSettings,
    ) -> Result<Self, VaultSettingsError> {
        let (mount, name) = (&settings.mount, &settings.key);
        check_name(mount)?;
        check_name(name)?;
        let key = TransitKey {
            client,
            path: format!("{mount}/keys/{name}"),
            sign_path: format!("{mount}/sign/{name}"),
        };
        Ok(Self {
            name: format!(
                "the key {} of Vault at {}",
                key.path,
                key.client.back_end().base_url()
            ),
            queue: SigningQueue::start(key.clone(), settings.maximum_waiting, settings.wait),
            key,
            versions: RwLock::default(),
        })
    }

    /// Vault, logged on to as for signing.
    #[must_use]
    pub fn client(&self) -> &VaultClient {
        &self.key.client
    }

    /// The versions that may sign now.
    async fn read(&self) -> Result<Arc<Versions>, VaultError> {
        let path = &self.key.path;
        let request = Request::get("Look up the key", path);
        let answer = self.key.client.answer(&request, "read").await?;
        if answer.status == StatusCode::NOT_FOUND {
            return Err(self.missing());
        }
        let body = answer.success(path)?;
        let versions = Arc::new(self.versions_of(&body["data"])?);
        self.remember(&versions);
        Ok(versions)
    }

    fn versions_of(&self, data: &Value) -> Result<Versions, VaultError> {
        let path = &self.key.path;
        let not_understood = |expected| VaultError::NotUnderstood {
            path: path.clone(),
            expected,
        };
        let kind = data["type"].as_str().ok_or(not_understood("type"))?;
        if !matches!(kind, "ecdsa-p256" | "rsa-2048" | "rsa-3072" | "rsa-4096") {
            return Err(VaultError::KeyType {
                path: path.clone(),
                kind: kind.to_owned(),
            });
        }
        let is_true = |name: &str| data[name].as_bool().unwrap_or_default();
        let warning = (is_true("exportable") || is_true("allow_plaintext_backup")).then(|| {
            format!(
                "the private key can be read out of Vault ({}), and that cannot be undone: rotate to a key that was made without `exportable` and `allow_plaintext_backup`",
                if is_true("exportable") { "exportable" } else { "allow_plaintext_backup" }
            )
        });
        let smallest = data["min_encryption_version"].as_u64().unwrap_or_default();
        let keys = data["keys"].as_object().ok_or(not_understood("keys"))?;
        let mut versions = Versions::default();
        for (version, facts) in keys {
            let version: u32 = version.parse().map_err(|_| not_understood("version"))?;
            if u64::from(version) < smallest {
                continue;
            }
            let pem = facts["public_key"].as_str().unwrap_or_default();
            let public_key =
                PublicKey::from_pem(pem.as_bytes()).ok_or(not_understood("public key"))?;
            let created_at = facts["creation_time"]
                .as_str()
                .and_then(|time| DateTime::parse_from_rfc3339(time).ok())
                .map(|time| time.to_utc());
            versions.keys.insert(
                version,
                StoredKey {
                    name: format!("{path}:v{version}"),
                    public_key,
                    created_at,
                    warning: warning.clone(),
                },
            );
        }
        Ok(versions)
    }

    fn remember(&self, versions: &Arc<Versions>) {
        let known = self.versions.write();
        *known.unwrap_or_else(PoisonError::into_inner) = Arc::clone(versions);
    }

    fn forget(&self) {
        self.remember(&Arc::default());
    }

    /// The version of a key that was told before.
    async fn version_of(&self, public_key: &PublicKey) -> Result<u32, SigningError> {
        let find = |versions: &Versions| {
            let mut found = versions.keys.iter();
            let found = found.find(|(_, key)| key.public_key == *public_key);
            found.map(|(version, _)| *version)
        };
        let known = {
            let known = self.versions.read();
            Arc::clone(&known.unwrap_or_else(PoisonError::into_inner))
        };
        if let Some(version) = find(&known) {
            return Ok(version);
        }
        let known = self.read().await?;
        find(&known).ok_or(SigningError::UnknownKey)
    }

    fn missing(&self) -> VaultError {
        let path = &self.key.path;
        VaultError::Missing {
            make: format!("`vault write -f {path} type=ecdsa-p256`"),
            path: path.clone(),
        }
    }

    async fn make(&self, algorithm: Algorithm) -> Result<StoredKey, VaultError> {
        let path = &self.key.path;
        match self.read().await {
            Ok(versions) => {
                let known = versions.keys.values().next();
                if known.is_some_and(|key| key.public_key.algorithm() != algorithm) {
                    return Err(VaultError::KeyType {
                        path: path.clone(),
                        kind: format!("for another algorithm than {algorithm}"),
                    });
                }
                let rotate = format!("{path}/rotate");
                let request = Request::post("Make a new version of the key", rotate, json!({}));
                self.key.client.call(&request, "update").await?;
            }
            Err(VaultError::Missing { .. }) => {
                let kind = match algorithm {
                    Algorithm::Es256 => "ecdsa-p256",
                    Algorithm::Ps256 => "rsa-3072",
                };
                let body = json!({ "type": kind, "exportable": false });
                let mut request = Request::post("Make the key", path, body);
                // A key that is there already stays as it is.
                request.safe_to_repeat = true;
                self.key.client.call(&request, "create").await?;
            }
            Err(error) => return Err(error),
        }
        let versions = self.read().await?;
        let newest = versions.keys.values().next_back();
        newest.cloned().ok_or_else(|| self.missing())
    }

    /// Signs and has it shown in the transaction of OpenHIM that it is signed for. Signatures of
    /// several transactions are asked for in one call, so the call cannot be recorded as it is.
    async fn recorded(&self, wanted: Wanted) -> Result<Vec<u8>, VaultError> {
        let Some(transaction) = Transaction::current().filter(Transaction::is_recorded) else {
            return self.queue.sign(wanted).await;
        };
        let url = self.key.client.back_end().base_url();
        let request = RecordedRequest::new(Timestamp::now())
            .url(url)
            .method("POST")
            .path(format!("/v1/{}", self.key.sign_path));
        let signed = self.queue.sign(wanted).await;
        let orchestration =
            Orchestration::new("Sign", request).group(self.key.client.back_end().name());
        transaction.record(match &signed {
            Ok(_) => {
                orchestration.response(RecordedResponse::new(StatusCode::OK, Timestamp::now()))
            }
            Err(error) => orchestration.error(ErrorDetails::of(error)),
        });
        signed
    }
}

#[async_trait]
impl KeyStore for VaultTransit {
    fn name(&self) -> String {
        self.name.clone()
    }

    async fn keys(&self) -> Result<Vec<StoredKey>, SigningError> {
        Ok(self.read().await?.keys.values().cloned().collect())
    }

    async fn sign(&self, key: &StoredKey, message: &[u8]) -> Result<Vec<u8>, SigningError> {
        let version = self.version_of(&key.public_key).await?;
        let mut hash = [0; 32];
        hash.copy_from_slice(digest(&SHA256, message).as_ref());
        let wanted = Wanted {
            version,
            algorithm: key.public_key.algorithm(),
            hash,
            correlation_id: correlation_id(),
        };
        let signature = self.recorded(wanted).await?;
        if !key.public_key.verify(message, &signature) {
            // The key was made anew, perhaps.
            self.forget();
            return Err(VaultError::NotASignature {
                path: self.key.path.clone(),
                version,
                reason: "its public key does not verify it",
            }
            .into());
        }
        Ok(signature)
    }

    async fn generate(&self, algorithm: Algorithm) -> Result<StoredKey, SigningError> {
        Ok(self.make(algorithm).await?)
    }
}
