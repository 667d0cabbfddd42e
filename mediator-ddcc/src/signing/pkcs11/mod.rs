//! Keys in a PKCS#11 token: a hardware security module, a smart card, SoftHSM.
//!
//! The module (a shared library of the token's maker) is loaded into this process. Its calls block,
//! so they are made outside the async threads, as many at a time as there are sessions, and waited
//! for a bounded time.

mod connection;
mod error;
mod module;
mod objects;

use std::collections::HashMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use aws_lc_rs::digest::{SHA256, digest};
use cryptoki::mechanism::rsa::{PkcsMgfType, PkcsPssParams};
use cryptoki::mechanism::{Mechanism, MechanismType};
use cryptoki::object::ObjectHandle;
use secrecy::SecretString;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, timeout_at};

use super::{Algorithm, KeyStore, PublicKey, SigningCertificate, SigningError, StoredKey};
use connection::{Connections, Lease};
use error::Failure;
use objects::KeyName;

/// Where the keys are.
#[derive(Debug, Clone)]
pub struct Pkcs11Settings {
    /// The token's shared library, such as `/usr/lib/softhsm/libsofthsm2.so`.
    pub module: PathBuf,
    /// Which token.
    pub token: TokenChoice,
    /// The user's PIN.
    pub pin: Pin,
    /// `CKA_LABEL` of the keys to sign with, and of new ones; `None` for every key of the token.
    pub key_label: Option<String>,
    /// `CKA_ID` of the only key to sign with.
    pub key_id: Option<Vec<u8>>,
    /// Signatures that are made at the same time, each in a session of its own.
    pub sessions: usize,
    /// How long a call is waited for.
    pub timeout: Duration,
}

/// Which of the tokens that a module knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenChoice {
    /// The only one there is.
    Only,
    /// The one with this label.
    Label(String),
    /// The one in the slot with this number.
    Slot(u64),
}

/// Where the PIN comes from. It never is printed.
#[derive(Debug, Clone)]
pub enum Pin {
    /// There is none, or it is typed at the token.
    None,
    /// This.
    Text(SecretString),
    /// What the file holds, without the line end; read again when there is a new connection.
    File(PathBuf),
}

/// A [`KeyStore`] of a token's keys: P-256 and RSA private keys that may sign.
///
/// A wrong PIN is not tried again, since tokens lock themselves: not before it is another one. Nor
/// is the last try that a token grants. When sessions, handles or the token are gone, a call is
/// repeated once with a new connection, for which the module is initialized again where need be.
#[derive(Clone)]
pub struct Pkcs11Token {
    inner: Arc<Inner>,
}

struct Inner {
    settings: Pkcs11Settings,
    connections: Connections,
    permits: Arc<Semaphore>,
    /// What to look for on the token, of keys that were found there.
    names: Mutex<HashMap<PublicKey, KeyName>>,
}

impl Pkcs11Token {
    /// Loads the module; the token is looked for when it is needed.
    ///
    /// # Errors
    /// [`SigningError::Refused`] when the module cannot be loaded. Blocks for as long as that
    /// takes.
    pub fn open(settings: Pkcs11Settings) -> Result<Self, SigningError> {
        let module = module::load(&settings.module).map_err(SigningError::from)?;
        Ok(Self {
            inner: Arc::new(Inner {
                connections: Connections::new(module, settings.token.clone(), settings.pin.clone()),
                permits: Arc::new(Semaphore::new(settings.sessions.max(1))),
                names: Mutex::default(),
                settings,
            }),
        })
    }

    /// Does work in a session, in its turn.
    async fn in_session<T: Send + 'static>(
        &self,
        work: impl Fn(&Inner, &mut Lease) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, SigningError> {
        let inner = Arc::clone(&self.inner);
        let deadline = Instant::now() + inner.settings.timeout;
        let late = |_| {
            SigningError::Unavailable(format!(
                "the token did not answer within {} seconds",
                inner.settings.timeout.as_secs()
            ))
        };
        let permit = timeout_at(deadline, Arc::clone(&inner.permits).acquire_owned())
            .await
            .map_err(late)?
            .map_err(|error| SigningError::Unavailable(error.to_string()))?;
        let working = Arc::clone(&inner);
        let done = spawn_blocking(move || {
            // Held as long as the call lasts, also when nobody waits for it any more: a module
            // that hangs holds so many threads and no more.
            let _permit = permit;
            working.connections.with(|lease| work(&working, lease))
        });
        timeout_at(deadline, done)
            .await
            .map_err(late)?
            .map_err(|error| SigningError::Unavailable(error.to_string()))?
            .map_err(SigningError::from)
    }
}

impl Inner {
    fn list(&self, lease: &Lease) -> Result<Vec<StoredKey>, Failure> {
        let settings = &self.settings;
        let label = settings.key_label.as_deref();
        let found = objects::keys(&lease.session, label, settings.key_id.as_deref())?;
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        *names = found
            .iter()
            .map(|(name, key)| (key.public_key.clone(), name.clone()))
            .collect();
        Ok(found.into_iter().map(|(_, key)| key).collect())
    }

    fn handle(&self, lease: &Lease, key: &PublicKey) -> Result<ObjectHandle, Failure> {
        if let Some(handle) = lease.handle(key) {
            return Ok(handle);
        }
        let name = |inner: &Self| {
            let names = inner.names.lock().unwrap_or_else(PoisonError::into_inner);
            names.get(key).cloned()
        };
        let mut known = name(self);
        if known.is_none() {
            self.list(lease)?;
            known = name(self);
        }
        let found = match known {
            Some(known) => objects::private_key(&lease.session, &known)?,
            None => None,
        };
        let handle = found.ok_or(Failure::NoKey)?;
        lease.remember(key, handle);
        Ok(handle)
    }
}

#[async_trait]
impl KeyStore for Pkcs11Token {
    fn name(&self) -> String {
        match &self.inner.settings.token {
            TokenChoice::Only => "the PKCS#11 token".to_owned(),
            TokenChoice::Label(label) => format!("the PKCS#11 token {label:?}"),
            TokenChoice::Slot(number) => format!("the PKCS#11 token in slot {number}"),
        }
    }

    async fn keys(&self) -> Result<Vec<StoredKey>, SigningError> {
        self.in_session(|inner, lease| inner.list(lease)).await
    }

    async fn sign(&self, key: &StoredKey, message: &[u8]) -> Result<Vec<u8>, SigningError> {
        let public_key = key.public_key.clone();
        let message = message.to_vec();
        self.in_session(move |inner, lease| {
            let handle = inner.handle(lease, &public_key)?;
            let hash = digest(&SHA256, &message);
            let session = &lease.session;
            let signature = match public_key.algorithm() {
                // `r || s`, as JOSE and COSE have it (PKCS#11 6.3.12).
                Algorithm::Es256 => session.sign(&Mechanism::Ecdsa, handle, hash.as_ref()),
                Algorithm::Ps256 if lease.has(MechanismType::RSA_PKCS_PSS) => {
                    session.sign(&Mechanism::RsaPkcsPss(pss()), handle, hash.as_ref())
                }
                Algorithm::Ps256 => {
                    session.sign(&Mechanism::Sha256RsaPkcsPss(pss()), handle, &message)
                }
            };
            Ok(signature?)
        })
        .await
    }

    async fn generate(&self, algorithm: Algorithm) -> Result<StoredKey, SigningError> {
        if self.inner.settings.key_id.is_some() {
            return Err(SigningError::Refused(
                "signing.pkcs11.key_id names one key, so that a new one would not be used; name keys by key_label instead".to_owned(),
            ));
        }
        self.in_session(move |inner, lease| {
            let session = lease.writable()?;
            let label = inner.settings.key_label.as_deref();
            let id = objects::generate(&session, algorithm, label)?;
            let listed = inner.list(lease)?;
            let names = inner.names.lock().unwrap_or_else(PoisonError::into_inner);
            listed
                .into_iter()
                .find(|key| names.get(&key.public_key).is_some_and(|name| name.id == id))
                .ok_or(Failure::NoKey)
        })
        .await
    }

    async fn certificates(&self) -> Result<Vec<SigningCertificate>, SigningError> {
        self.in_session(|_, lease| objects::certificates(&lease.session))
            .await
    }
}

impl fmt::Debug for Pkcs11Token {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Pkcs11Token")
            .field("settings", &self.inner.settings)
            .finish_non_exhaustive()
    }
}

/// RSASSA-PSS as PS256 has it (RFC 7518 3.5).
fn pss() -> PkcsPssParams {
    PkcsPssParams {
        hash_alg: MechanismType::SHA256,
        mgf: PkcsMgfType::MGF1_SHA256,
        s_len: 32.into(),
    }
}
