//! What operators do with keys and their certificates: list, request, import, rotate.

use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use tokio::task::spawn_blocking;

use super::rotating_signer::PROBE;
use super::{
    Algorithm, CertificateRequest, CertificateStore, CertificateStoreError, KeyStore,
    SigningCertificate, SigningError, StoredCertificate, StoredKey, Subject,
};

/// Issues document signing certificates at once, where a country signing authority can be asked
/// over the network; one that is offline gets the request by hand.
#[async_trait]
pub trait CertificateAuthority: Send + Sync {
    /// What and where it is, for people.
    fn name(&self) -> String;

    /// The certificate for a request, its issuers behind it.
    ///
    /// # Errors
    /// [`SigningError`] when it cannot be asked or refuses.
    async fn issue(
        &self,
        request: &CertificateRequest,
    ) -> Result<Vec<SigningCertificate>, SigningError>;
}

/// The keys of one key store, their certificates, and maybe who issues those.
#[derive(Clone)]
pub struct KeyManagement {
    /// Holds the private keys.
    pub keys: Arc<dyn KeyStore>,
    /// Holds the certificates, and tells which signs.
    pub certificates: CertificateStore,
    /// Issues certificates at once; `None` when requests are carried to an authority.
    pub authority: Option<Arc<dyn CertificateAuthority>>,
}

/// A key, a certificate, or both where they belong together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedKey {
    /// What it is for.
    pub key_use: KeyUse,
    /// The key; `None` when it is not held here (any more).
    pub key: Option<StoredKey>,
    /// One of the key's certificates.
    pub certificate: Option<StoredCertificate>,
}

/// What a key and its certificate are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyUse {
    /// New health certificates are signed with it.
    Signs,
    /// They will be from that time on.
    SignsFrom(DateTime<Utc>),
    /// They were; what it signed verifies on.
    Signed,
    /// It has a certificate, and was not told to sign.
    Ready,
    /// A certificate without a key here: it verifies.
    Verifies,
    /// It has no certificate yet.
    NeedsCertificate,
    /// It should sign now, and its key is not held here.
    KeyMissing,
}

/// What a rotation did.
#[derive(Debug, Clone)]
pub struct Rotation {
    /// The new key.
    pub key: StoredKey,
    /// The request for its certificate.
    pub request: CertificateRequest,
    /// The certificate that signs now or from its time on; `None` when the request is to be
    /// carried to an authority.
    pub certificate: Option<StoredCertificate>,
}

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
pub enum KeyManagementError {
    /// The certificates.
    #[error(transparent)]
    Store(#[from] CertificateStoreError),
    /// The keys, or the authority.
    #[error("{name}: {source}")]
    Signing {
        /// Which key store or authority.
        name: String,
        /// What is wrong.
        source: SigningError,
    },
    /// A certificate of another key store.
    #[error(
        "none of these certificates belongs to a key in {0}: import what was issued for a request of `mediator-runner keys csr` or `keys rotate`, and with the same configuration"
    )]
    ForeignCertificate(String),
    /// Certificates that do not follow from each other.
    #[error(
        "{subject} is none of the issuers of the document signing certificate; import the certificate and its own issuers"
    )]
    NotAnIssuer {
        /// Distinguished name of the stray certificate.
        subject: String,
    },
    /// A certificate of the past.
    #[error("the certificate has ended at {0}; have a new one issued")]
    Ended(DateTime<Utc>),
    /// No such key.
    #[error("{store} holds no key {key:?}: `mediator-runner keys list` shows what there is")]
    NoSuchKey {
        /// Which key store.
        store: String,
        /// What was asked for.
        key: String,
    },
    /// The work was not done to its end.
    #[error("the program gave up: {0}")]
    GaveUp(String),
}

impl KeyManagement {
    /// Keys without a certificate first, then certificates in the order in which they sign: the
    /// last ones are the newest.
    ///
    /// # Errors
    /// [`KeyManagementError`] when a store cannot be read.
    pub async fn list(&self, now: DateTime<Utc>) -> Result<Vec<ListedKey>, KeyManagementError> {
        let held = self.held().await?;
        let stored = self.stored(|store| store.read()).await?;
        let due = |stored: &StoredCertificate| stored.signs_from.is_some_and(|from| from <= now);
        let newest_due = stored.iter().rposition(due);
        let of = |stored: &StoredCertificate| {
            held.iter()
                .find(|key| Some(&key.public_key) == stored.certificate.public_key())
                .cloned()
        };
        let certified = stored.iter().enumerate().map(|(place, stored)| {
            let key = of(stored);
            let key_use = match (stored.signs_from, &key) {
                (Some(_), Some(_)) if Some(place) == newest_due => KeyUse::Signs,
                (Some(_), None) if Some(place) == newest_due => KeyUse::KeyMissing,
                (Some(from), _) if from > now => KeyUse::SignsFrom(from),
                (Some(_), _) => KeyUse::Signed,
                (None, Some(_)) => KeyUse::Ready,
                (None, None) => KeyUse::Verifies,
            };
            ListedKey {
                key_use,
                key,
                certificate: Some(stored.clone()),
            }
        });
        let is_certified = |key: &&StoredKey| {
            stored
                .iter()
                .any(|stored| stored.certificate.public_key() == Some(&key.public_key))
        };
        let without = held.iter().filter(|key| !is_certified(key));
        Ok(without
            .map(|key| ListedKey {
                key_use: KeyUse::NeedsCertificate,
                key: Some(key.clone()),
                certificate: None,
            })
            .chain(certified)
            .collect())
    }

    /// The key with this name or public key's fingerprint, or that a certificate with this HCERT
    /// key id (base64) belongs to.
    ///
    /// # Errors
    /// [`KeyManagementError::NoSuchKey`], or when a store cannot be read.
    pub async fn find(&self, wanted: &str) -> Result<StoredKey, KeyManagementError> {
        let listed = self.list(Utc::now()).await?;
        let is_wanted = |listed: &&ListedKey| {
            let by_key = listed
                .key
                .as_ref()
                .is_some_and(|key| key.name == wanted || key.public_key.fingerprint() == wanted);
            let by_certificate = listed
                .certificate
                .as_ref()
                .is_some_and(|stored| stored.certificate.kid_base64() == wanted);
            by_key || by_certificate
        };
        listed
            .iter()
            .find(is_wanted)
            .and_then(|listed| listed.key.clone())
            .ok_or_else(|| KeyManagementError::NoSuchKey {
                store: self.keys.name(),
                key: wanted.to_owned(),
            })
    }

    /// A request for a certificate of this key.
    ///
    /// # Errors
    /// [`KeyManagementError::Signing`].
    pub async fn request(
        &self,
        key: &StoredKey,
        subject: &Subject,
    ) -> Result<CertificateRequest, KeyManagementError> {
        CertificateRequest::new(self.keys.as_ref(), key, subject)
            .await
            .map_err(|source| self.keys_failed(source))
    }

    /// Stores a document signing certificate whose key is held here, with its issuers, in any
    /// order. New health certificates are signed under it from `from` on, but not before it is
    /// valid. Before anything is stored, its key signs a probe.
    ///
    /// # Errors
    /// [`KeyManagementError`]; the store is as before then.
    pub async fn import(
        &self,
        certificates: Vec<SigningCertificate>,
        from: DateTime<Utc>,
    ) -> Result<StoredCertificate, KeyManagementError> {
        let held = self.held().await?;
        let (certificate, key) = certificates
            .iter()
            .find_map(|certificate| {
                let key = held
                    .iter()
                    .find(|key| Some(&key.public_key) == certificate.public_key())?;
                Some((certificate.clone(), key))
            })
            .ok_or_else(|| KeyManagementError::ForeignCertificate(self.keys.name()))?;
        if certificate.not_after() < Utc::now() {
            return Err(KeyManagementError::Ended(certificate.not_after()));
        }
        self.prove(key).await?;
        let issuers = chain(&certificate, certificates)?;
        let stored = StoredCertificate {
            signs_from: Some(from.max(certificate.not_before())),
            certificate,
            issuers,
        };
        let put = stored.clone();
        self.stored(move |store| store.put(&put)).await?;
        Ok(stored)
    }

    /// Signs under another certificate of the store from `from` on, but not before it is valid.
    /// Its key is held here and signs a probe first.
    ///
    /// # Errors
    /// [`KeyManagementError`]; the store is as before then.
    pub async fn switch_to(
        &self,
        kid_base64: &str,
        from: DateTime<Utc>,
    ) -> Result<StoredCertificate, KeyManagementError> {
        let stored = self.stored(|store| store.read()).await?;
        let stored = stored
            .into_iter()
            .find(|stored| stored.certificate.kid_base64() == kid_base64)
            .ok_or_else(|| CertificateStoreError::Missing(kid_base64.to_owned()))?;
        let certificates = [vec![stored.certificate], stored.issuers].concat();
        self.import(certificates, from).await
    }

    /// A new key, a request for it and, where an authority can be asked, its certificate, under
    /// which new health certificates are signed from `from` on.
    ///
    /// # Errors
    /// [`KeyManagementError`]. A key that was made stays: `list` shows it.
    pub async fn rotate(
        &self,
        algorithm: Algorithm,
        subject: &Subject,
        from: DateTime<Utc>,
    ) -> Result<Rotation, KeyManagementError> {
        let generated = self.keys.generate(algorithm).await;
        let key = generated.map_err(|source| self.keys_failed(source))?;
        let request = self.request(&key, subject).await?;
        let certificate = match &self.authority {
            Some(authority) => {
                let issued = authority.issue(&request).await;
                let issued = issued.map_err(|source| KeyManagementError::Signing {
                    name: authority.name(),
                    source,
                })?;
                Some(self.import(issued, from).await?)
            }
            None => None,
        };
        Ok(Rotation {
            key,
            request,
            certificate,
        })
    }

    /// Takes certificates that lie beside their keys, as on a token, into the certificate store.
    /// Where none signs yet, the one that began last signs from now on.
    ///
    /// # Errors
    /// [`KeyManagementError`].
    pub async fn adopt(&self, now: DateTime<Utc>) -> Result<(), KeyManagementError> {
        let beside = self.keys.certificates().await;
        let beside = beside.map_err(|source| self.keys_failed(source))?;
        if beside.is_empty() {
            return Ok(());
        }
        let held = self.held().await?;
        let is_held = |certificate: &SigningCertificate| {
            held.iter()
                .any(|key| Some(&key.public_key) == certificate.public_key())
        };
        let stored = self.stored(|store| store.read()).await?;
        let signs = |stored: &StoredCertificate| stored.signs_from.is_some();
        let first = beside
            .iter()
            .filter(|certificate| is_held(certificate) && certificate.is_valid_at(now))
            .max_by_key(|certificate| certificate.not_before())
            .filter(|_| !stored.iter().any(signs))
            .cloned();
        if let Some(first) = &first {
            let issuers = issuers_of(first, beside.clone());
            let certificates = [vec![first.clone()], issuers].concat();
            self.import(certificates, now).await?;
        }
        for certificate in beside.iter().filter(|certificate| is_held(certificate)) {
            let stored = StoredCertificate {
                issuers: issuers_of(certificate, beside.clone()),
                certificate: certificate.clone(),
                signs_from: None,
            };
            self.stored(move |store| store.add(&stored)).await?;
        }
        Ok(())
    }

    async fn held(&self) -> Result<Vec<StoredKey>, KeyManagementError> {
        let held = self.keys.keys().await;
        held.map_err(|source| self.keys_failed(source))
    }

    async fn prove(&self, key: &StoredKey) -> Result<(), KeyManagementError> {
        let signed = self.keys.sign(key, PROBE).await;
        let signature = signed.map_err(|source| self.keys_failed(source))?;
        if key.public_key.verify(PROBE, &signature) {
            Ok(())
        } else {
            Err(self.keys_failed(SigningError::NotASignature))
        }
    }

    fn keys_failed(&self, source: SigningError) -> KeyManagementError {
        KeyManagementError::Signing {
            name: self.keys.name(),
            source,
        }
    }

    async fn stored<T: Send + 'static>(
        &self,
        work: impl FnOnce(&CertificateStore) -> Result<T, CertificateStoreError> + Send + 'static,
    ) -> Result<T, KeyManagementError> {
        let store = self.certificates.clone();
        match spawn_blocking(move || work(&store)).await {
            Ok(done) => Ok(done?),
            Err(error) => Err(KeyManagementError::GaveUp(error.to_string())),
        }
    }
}

/// The issuers of a certificate, nearest first, and nothing else.
fn chain(
    certificate: &SigningCertificate,
    others: Vec<SigningCertificate>,
) -> Result<Vec<SigningCertificate>, KeyManagementError> {
    let issuers = issuers_of(certificate, others.clone());
    let is_stray = |other: &&SigningCertificate| *other != certificate && !issuers.contains(other);
    match others.iter().find(is_stray) {
        Some(stray) => Err(KeyManagementError::NotAnIssuer {
            subject: stray.subject().to_owned(),
        }),
        None => Ok(issuers),
    }
}

/// The issuers of a certificate among others, nearest first.
fn issuers_of(
    certificate: &SigningCertificate,
    mut others: Vec<SigningCertificate>,
) -> Vec<SigningCertificate> {
    others.retain(|other| other != certificate);
    let mut issuers: Vec<SigningCertificate> = Vec::new();
    while let Some(place) = others.iter().position(|other| {
        let last = issuers.last().unwrap_or(certificate);
        last.is_issued_by(other)
    }) {
        issuers.push(others.swap_remove(place));
    }
    issuers
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
    use tempfile::TempDir;

    use super::*;
    use crate::signing::KeyFolder;

    struct Offline {
        _folder: TempDir,
        management: KeyManagement,
        key: StoredKey,
    }

    impl Offline {
        async fn new() -> Self {
            let folder = TempDir::new().unwrap();
            let keys = KeyFolder::new(Vec::new(), folder.path().join("keys"));
            let key = keys.generate(Algorithm::Es256).await.unwrap();
            let management = KeyManagement {
                keys: Arc::new(keys),
                certificates: CertificateStore::new(folder.path().join("certificates")),
                authority: None,
            };
            Self {
                _folder: folder,
                management,
                key,
            }
        }
    }

    fn params(name: &str) -> CertificateParams {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params
    }

    fn read(certificate: &rcgen::Certificate) -> SigningCertificate {
        SigningCertificate::from_der(certificate.der().to_vec()).unwrap()
    }

    /// A certificate of the key, its issuer and the root above, mixed up.
    fn issued(key: &PublicKeyOf, not_after: i32) -> Vec<SigningCertificate> {
        let (root_key, middle_key) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
        let (root, middle) = (params("root"), params("middle"));
        let root_certificate = root.self_signed(&root_key).unwrap();
        let root_issuer = Issuer::from_params(&root, &root_key);
        let middle_certificate = middle.signed_by(&middle_key, &root_issuer).unwrap();
        let mut leaf = params("signer");
        leaf.is_ca = IsCa::NoCa;
        leaf.not_after = rcgen::date_time_ymd(not_after, 1, 1);
        let issuer = Issuer::from_params(&middle, &middle_key);
        let leaf = leaf.signed_by(key, &issuer).unwrap();
        vec![
            read(&root_certificate),
            read(&leaf),
            read(&middle_certificate),
        ]
    }

    type PublicKeyOf = super::super::PublicKey;

    #[tokio::test]
    async fn import_finds_the_key_and_orders_the_chain() {
        let offline = Offline::new().await;
        let certificates = issued(&offline.key.public_key, 2099);
        let now = Utc::now();
        let management = &offline.management;
        let imported = management.import(certificates.clone(), now).await.unwrap();
        assert_eq!(imported.certificate, certificates[1]);
        assert_eq!(
            imported.issuers,
            [certificates[2].clone(), certificates[0].clone()]
        );
        assert_eq!(imported.signs_from, Some(now));
        let listed = management.list(Utc::now()).await.unwrap();
        assert_eq!(listed.len(), 1);
        assert_eq!(listed[0].key_use, KeyUse::Signs);
    }

    #[tokio::test]
    async fn import_refuses_what_would_not_work() {
        let offline = Offline::new().await;
        let management = &offline.management;
        let import = |certificates| management.import(certificates, Utc::now());
        let foreign = KeyPair::generate().unwrap();
        let foreign = params("x").self_signed(&foreign).unwrap();
        let refused = import(vec![read(&foreign)]).await;
        assert!(matches!(
            refused,
            Err(KeyManagementError::ForeignCertificate(_))
        ));
        let refused = import(issued(&offline.key.public_key, 2020)).await;
        assert!(matches!(refused, Err(KeyManagementError::Ended(_))));
        let mut stray = issued(&offline.key.public_key, 2099);
        stray.push(read(&foreign));
        let refused = import(stray).await;
        assert!(matches!(
            refused,
            Err(KeyManagementError::NotAnIssuer { .. })
        ));
        assert_eq!(management.certificates.read().unwrap(), []);
    }

    #[tokio::test]
    async fn without_an_authority_a_rotation_ends_with_the_request() {
        let offline = Offline::new().await;
        let subject = Subject {
            country: "CH".to_owned(),
            organization: "Ministry".to_owned(),
            common_name: "Signer".to_owned(),
        };
        let rotation = offline
            .management
            .rotate(Algorithm::Es256, &subject, Utc::now())
            .await
            .unwrap();
        assert!(rotation.certificate.is_none());
        assert_eq!(rotation.request.public_key(), &rotation.key.public_key);
        let listed = offline.management.list(Utc::now()).await.unwrap();
        assert_eq!(listed.len(), 2);
        assert!(
            listed
                .iter()
                .all(|listed| listed.key_use == KeyUse::NeedsCertificate)
        );
    }
}
