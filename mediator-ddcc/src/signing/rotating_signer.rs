//! Signs with the keys of a [`KeyStore`] under the certificates of a [`CertificateStore`], and
//! changes from one to the next while it serves.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use tokio::task::spawn_blocking;

use super::{
    CertificateStore, CertificateStoreError, KeyStore, Signer, SignerIdentity, SigningCertificate,
    SigningError, StoredCertificate, StoredKey,
};

/// How often the certificate store is looked at: a rotation by another process is seen by then.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// What is signed to see that key and certificate are a pair.
pub(super) const PROBE: &[u8] = b"key and certificate belong together";

/// The [`Signer`] that serves: which key signs is told by the certificate store, read again from
/// time to time, and changes without a restart.
///
/// It changes to a certificate when that is due, its key is held and has signed a probe. Until then
/// it stays with the one before, and says so in the log. It never goes back by itself: a key
/// that is gone is an error, since the ones before may have been given up for a reason.
pub struct RotatingSigner {
    keys: Arc<dyn KeyStore>,
    store: CertificateStore,
    known: RwLock<Arc<Known>>,
}

/// What was found at the last look.
struct Known {
    /// The store as it was read.
    stored: Vec<StoredCertificate>,
    /// What signed at that time.
    current: Usable,
    /// Those that sign, signed or will sign, in the order in which they do.
    usable: Vec<Usable>,
    /// All of the store, the newest first.
    certificates: Arc<[SigningCertificate]>,
    /// Why some certificate that should sign does not.
    trouble: Option<String>,
}

#[derive(Clone)]
struct Usable {
    from: DateTime<Utc>,
    identity: Arc<SignerIdentity>,
    key: StoredKey,
}

/// Why there is no signer.
#[derive(Debug, thiserror::Error)]
pub enum SignerError {
    /// The certificates cannot be read.
    #[error(transparent)]
    Store(#[from] CertificateStoreError),
    /// The keys cannot be used.
    #[error("{store}: {source}")]
    Keys {
        /// Which key store.
        store: String,
        /// What is wrong.
        source: SigningError,
    },
    /// No certificate is due.
    #[error(
        "no certificate is there to sign with: run `mediator-runner keys rotate` for a key and a request, have the request signed by the country signing authority, then `mediator-runner keys import` what it gives"
    )]
    NoCertificate,
    /// The certificate that is to sign cannot be used.
    #[error("{0}")]
    NotUsable(String),
}

impl RotatingSigner {
    /// Opens the stores. The certificate that is to sign now must be usable.
    ///
    /// # Errors
    /// [`SignerError`].
    pub async fn open(
        keys: Arc<dyn KeyStore>,
        store: CertificateStore,
    ) -> Result<Arc<Self>, SignerError> {
        let stored = read(&store).await?;
        let now = Utc::now();
        let due = newest_due(&stored, now).ok_or(SignerError::NoCertificate)?;
        let due = stored[due].certificate.clone();
        let (usable, trouble) = usable(keys.as_ref(), &stored, &[], now).await?;
        let current = usable
            .iter()
            .find(|usable| usable.identity.certificate == due)
            .cloned()
            .ok_or_else(|| SignerError::NotUsable(trouble.clone().unwrap_or_default()))?;
        let known = Known {
            certificates: newest_first(&stored, &current),
            stored,
            current,
            usable,
            trouble,
        };
        Ok(Arc::new(Self {
            keys,
            store,
            known: RwLock::new(Arc::new(known)),
        }))
    }

    /// Looks at the stores from time to time, in a task that ends with the signer.
    pub fn follow(self: &Arc<Self>) {
        let signer = Arc::downgrade(self);
        tokio::spawn(async move {
            let mut told = None;
            loop {
                tokio::time::sleep(LOOK_EVERY).await;
                let Some(signer) = signer.upgrade() else {
                    return;
                };
                let trouble = match signer.look_again().await {
                    Ok(trouble) => trouble,
                    Err(error) => Some(error.to_string()),
                };
                if let Some(trouble) = trouble.as_ref().filter(|_| told != trouble) {
                    tracing::error!(
                        "the signing key is not changed, the one before signs on: {trouble}"
                    );
                }
                told = trouble;
            }
        });
    }

    /// Looks at the stores now, and tells what keeps a certificate from being used.
    ///
    /// # Errors
    /// [`SignerError`] when a store cannot be read; everything stays as it is then.
    pub async fn look_again(&self) -> Result<Option<String>, SignerError> {
        let stored = read(&self.store).await?;
        let before = self.known();
        let now = Utc::now();
        let old = before.current(now);
        if stored == before.stored && before.trouble.is_none() {
            if old.identity.certificate != before.current.identity.certificate {
                tell_change(&before.current, old);
                self.replace(Known {
                    stored,
                    current: old.clone(),
                    usable: before.usable.clone(),
                    certificates: Arc::clone(&before.certificates),
                    trouble: None,
                });
            }
            return Ok(None);
        }
        let (mut usable, trouble) =
            usable(self.keys.as_ref(), &stored, &before.usable, now).await?;
        let is_there = |usable: &Usable| usable.identity.certificate == old.identity.certificate;
        if !usable.iter().any(is_there) {
            // Taken out of the store while it signs: it does until another one is due.
            let place = usable.partition_point(|usable| usable.from <= old.from);
            usable.insert(place, old.clone());
        }
        let mut known = Known {
            certificates: newest_first(&stored, old),
            stored,
            current: old.clone(),
            usable,
            trouble,
        };
        let new = known.current(now).clone();
        if new.identity.certificate != before.current.identity.certificate {
            tell_change(&before.current, &new);
        }
        known.current = new;
        let trouble = known.trouble.clone();
        self.replace(known);
        Ok(trouble)
    }

    fn known(&self) -> Arc<Known> {
        Arc::clone(&self.known.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn replace(&self, known: Known) {
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(known);
    }
}

impl Known {
    /// What signs now: the newest that is due.
    fn current(&self, now: DateTime<Utc>) -> &Usable {
        self.due(now).next().unwrap_or(&self.current)
    }

    /// What may sign now, the newest first.
    fn due(&self, now: DateTime<Utc>) -> impl Iterator<Item = &Usable> {
        self.usable
            .iter()
            .rev()
            .filter(move |usable| usable.from <= now)
    }
}

#[async_trait]
impl Signer for RotatingSigner {
    fn identity(&self) -> Arc<SignerIdentity> {
        Arc::clone(&self.known().current(Utc::now()).identity)
    }

    fn identity_at(&self, issued_at: DateTime<Utc>) -> Arc<SignerIdentity> {
        let known = self.known();
        let now = Utc::now();
        let was_valid = |usable: &&Usable| usable.identity.certificate.is_valid_at(issued_at);
        let usable = known.due(now).find(was_valid);
        Arc::clone(&usable.unwrap_or_else(|| known.current(now)).identity)
    }

    fn certificates(&self) -> Arc<[SigningCertificate]> {
        Arc::clone(&self.known().certificates)
    }

    async fn sign(
        &self,
        identity: &SignerIdentity,
        message: &[u8],
    ) -> Result<Vec<u8>, SigningError> {
        let known = self.known();
        let usable = known
            .usable
            .iter()
            .find(|usable| usable.identity.certificate == identity.certificate)
            .ok_or(SigningError::UnknownKey)?;
        self.keys.sign(&usable.key, message).await
    }
}

impl fmt::Debug for RotatingSigner {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("RotatingSigner")
            .field("keys", &self.keys.name())
            .field("store", &self.store)
            .finish_non_exhaustive()
    }
}

fn tell_change(before: &Usable, now: &Usable) {
    tracing::info!(
        kid = now.identity.kid_base64(),
        key = now.key.name,
        ends = %now.identity.certificate.not_after(),
        before = before.identity.kid_base64(),
        "certificates are signed with another key from now on"
    );
}

async fn read(store: &CertificateStore) -> Result<Vec<StoredCertificate>, SignerError> {
    let store = store.clone();
    match spawn_blocking(move || store.read()).await {
        Ok(stored) => Ok(stored?),
        Err(error) => Err(SignerError::NotUsable(error.to_string())),
    }
}

/// Place of the certificate that is to sign now.
fn newest_due(stored: &[StoredCertificate], now: DateTime<Utc>) -> Option<usize> {
    stored
        .iter()
        .rposition(|stored| stored.signs_from.is_some_and(|from| from <= now))
}

/// The certificates that sign at some time and whose keys are held, and what keeps one from being
/// so that should sign now or later. What was usable `before` stays so.
async fn usable(
    keys: &dyn KeyStore,
    stored: &[StoredCertificate],
    before: &[Usable],
    now: DateTime<Utc>,
) -> Result<(Vec<Usable>, Option<String>), SignerError> {
    let held = keys.keys().await.map_err(|source| SignerError::Keys {
        store: keys.name(),
        source,
    })?;
    let newest_due = newest_due(stored, now).unwrap_or(0);
    let mut usable = Vec::new();
    let mut trouble = None;
    for (place, stored) in stored.iter().enumerate() {
        let Some(from) = stored.signs_from else {
            continue;
        };
        let certificate = &stored.certificate;
        let known = before
            .iter()
            .find(|usable| usable.identity.certificate == *certificate);
        let key = match known {
            Some(known) => Ok(known.key.clone()),
            None => held_key(keys, &held, certificate, place >= newest_due).await,
        };
        match key {
            Ok(key) => usable.push(Usable {
                from,
                identity: Arc::new(SignerIdentity {
                    algorithm: key.public_key.algorithm(),
                    certificate: certificate.clone(),
                    issuers: stored.issuers.clone(),
                }),
                key,
            }),
            // Keys of the past may be gone: their certificates verify on.
            Err(_) if place < newest_due => {}
            Err(reason) => trouble = Some(reason),
        }
    }
    Ok((usable, trouble))
}

/// The key of a certificate, which has signed a probe where that is wanted.
async fn held_key(
    keys: &dyn KeyStore,
    held: &[StoredKey],
    certificate: &SigningCertificate,
    is_tried: bool,
) -> Result<StoredKey, String> {
    let store = keys.name();
    let kid = certificate.kid_base64();
    let public_key = certificate.public_key();
    let key = held
        .iter()
        .find(|key| Some(&key.public_key) == public_key)
        .ok_or_else(|| {
            format!(
                "{store} holds no key for the certificate {kid} ({}); put the key there, or sign with another one: `mediator-runner keys rotate --to KID`",
                certificate.subject()
            )
        })?;
    if is_tried {
        let signature = keys
            .sign(key, PROBE)
            .await
            .map_err(|error| format!("{store}: the key of the certificate {kid}: {error}"))?;
        if !key.public_key.verify(PROBE, &signature) {
            let error = SigningError::NotASignature;
            return Err(format!(
                "{store}: the key of the certificate {kid}: {error}"
            ));
        }
    }
    Ok(key.clone())
}

/// Every certificate, also the current one where it was taken out of the store.
fn newest_first(stored: &[StoredCertificate], current: &Usable) -> Arc<[SigningCertificate]> {
    let current = &current.identity.certificate;
    let is_there = stored.iter().any(|stored| stored.certificate == *current);
    let taken_out = (!is_there).then(|| current.clone());
    taken_out
        .into_iter()
        .chain(stored.iter().rev().map(|stored| stored.certificate.clone()))
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use chrono::TimeDelta;
    use tempfile::TempDir;

    use super::*;
    use crate::signing::development_pki::{DevelopmentAuthority, DevelopmentPki};
    use crate::signing::{Algorithm, KeyFolder, KeyManagement, KeyUse, Rotation, Subject};

    struct Service {
        folder: TempDir,
        management: KeyManagement,
    }

    impl Service {
        /// A key store with an authority that issues at once, and no keys.
        fn new() -> Self {
            let folder = TempDir::new().unwrap();
            let pki = folder.path().join("pki");
            DevelopmentPki::open_or_create(&pki, "CH", Utc::now()).unwrap();
            let management = KeyManagement {
                keys: Arc::new(KeyFolder::new(Vec::new(), folder.path().join("keys"))),
                certificates: CertificateStore::new(folder.path().join("certificates")),
                authority: Some(Arc::new(DevelopmentAuthority::new(pki, "CH"))),
            };
            Self { folder, management }
        }

        async fn rotate(&self, from: DateTime<Utc>) -> Rotation {
            let subject = Subject {
                country: "CH".to_owned(),
                organization: "Ministry of Health".to_owned(),
                common_name: "Document signer".to_owned(),
            };
            let rotated = self.management.rotate(Algorithm::Es256, &subject, from);
            rotated.await.unwrap()
        }

        async fn open(&self) -> Result<Arc<RotatingSigner>, SignerError> {
            // As another process does, which has seen nothing yet.
            let keys = KeyFolder::new(Vec::new(), self.folder.path().join("keys"));
            RotatingSigner::open(Arc::new(keys), self.management.certificates.clone()).await
        }

        fn remove_key(&self, rotation: &Rotation) {
            std::fs::remove_file(&rotation.key.name).unwrap();
        }
    }

    fn certificate(rotation: &Rotation) -> &SigningCertificate {
        &rotation.certificate.as_ref().unwrap().certificate
    }

    async fn signs(signer: &RotatingSigner, identity: &SignerIdentity) -> bool {
        let signature = signer.sign(identity, b"message").await.unwrap();
        identity
            .certificate
            .verify(identity.algorithm, b"message", &signature)
    }

    #[tokio::test]
    async fn a_rotation_is_seen_by_a_signer_that_is_open() {
        let service = Service::new();
        let first = service.rotate(Utc::now()).await;
        let signer = service.open().await.unwrap();
        let before = signer.identity();
        assert_eq!(&before.certificate, certificate(&first));
        assert_eq!(before.issuers.len(), 1);

        let second = service.rotate(Utc::now()).await;
        assert_eq!(signer.identity(), before);
        assert_eq!(signer.look_again().await.unwrap(), None);
        let after = signer.identity();
        assert_eq!(&after.certificate, certificate(&second));
        assert_eq!(
            *signer.certificates(),
            [certificate(&second).clone(), certificate(&first).clone()]
        );
        // What began before the rotation ends with the key that it began with.
        assert!(signs(&signer, &before).await);
        assert!(signs(&signer, &after).await);
    }

    #[tokio::test]
    async fn it_follows_by_itself() {
        let service = Service::new();
        service.rotate(Utc::now()).await;
        let signer = service.open().await.unwrap();
        signer.follow();
        let second = service.rotate(Utc::now()).await;
        while &signer.identity().certificate != certificate(&second) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    #[tokio::test]
    async fn a_certificate_signs_from_its_time_on() {
        let service = Service::new();
        let first = service.rotate(Utc::now()).await;
        let signer = service.open().await.unwrap();
        let soon = Utc::now() + TimeDelta::milliseconds(1500);
        let second = service.rotate(soon).await;
        signer.look_again().await.unwrap();
        assert_eq!(signer.certificates().len(), 2, "verifiers know it before");
        if Utc::now() < soon {
            assert_eq!(&signer.identity().certificate, certificate(&first));
        }
        while Utc::now() <= soon {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert_eq!(&signer.identity().certificate, certificate(&second));
    }

    #[tokio::test]
    async fn it_waits_for_a_key_and_never_goes_back() {
        let service = Service::new();
        let first = service.rotate(Utc::now()).await;
        let signer = service.open().await.unwrap();
        let second = service.rotate(Utc::now()).await;
        // The key of the new certificate has not come to this machine.
        let (here, elsewhere) = (&second.key.name, service.folder.path().join("elsewhere"));
        std::fs::rename(here, &elsewhere).unwrap();
        let trouble = signer.look_again().await.unwrap().unwrap();
        assert!(
            trouble.contains(&certificate(&second).kid_base64()),
            "{trouble}"
        );
        assert_eq!(&signer.identity().certificate, certificate(&first));
        assert!(signs(&signer, &signer.identity()).await);
        let refused = service.open().await.unwrap_err();
        assert!(matches!(refused, SignerError::NotUsable(_)), "{refused}");

        std::fs::rename(&elsewhere, here).unwrap();
        assert_eq!(signer.look_again().await.unwrap(), None);
        assert_eq!(&signer.identity().certificate, certificate(&second));

        // Gone again: an error, and not a signature with the key before.
        service.remove_key(&second);
        let third = service.rotate(Utc::now() + TimeDelta::days(1)).await;
        signer.look_again().await.unwrap();
        let identity = signer.identity();
        assert_eq!(&identity.certificate, certificate(&second));
        let refused = signer.sign(&identity, b"message").await;
        assert!(matches!(refused, Err(SigningError::UnknownKey)));
        service
            .management
            .switch_to(&certificate(&third).kid_base64(), Utc::now())
            .await
            .unwrap();
        signer.look_again().await.unwrap();
        assert_eq!(&signer.identity().certificate, certificate(&third));
    }

    #[tokio::test]
    async fn a_certificate_that_is_taken_away_while_it_signs_signs_on() {
        let service = Service::new();
        service.rotate(Utc::now()).await;
        service.rotate(Utc::now()).await;
        let signer = service.open().await.unwrap();
        let identity = signer.identity();
        std::fs::remove_dir_all(service.management.certificates.folder()).unwrap();
        signer.look_again().await.unwrap();
        assert_eq!(signer.identity(), identity);
        assert!(signs(&signer, &identity).await);
        assert_eq!(*signer.certificates(), [identity.certificate.clone()]);
    }

    #[tokio::test]
    async fn an_event_of_before_is_signed_under_a_certificate_of_its_time() {
        let service = Service::new();
        let old = service.rotate(Utc::now()).await;
        // A real authority's certificates begin when they are issued.
        let key = service
            .management
            .keys
            .generate(Algorithm::Es256)
            .await
            .unwrap();
        let now = Utc::now();
        let authority = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::default();
        params.not_before = rcgen::date_time_ymd(2026, 11, 1);
        params.not_after = rcgen::date_time_ymd(2099, 1, 1);
        let issuer = rcgen::Issuer::from_params(&params, &authority);
        let der = params.signed_by(&key.public_key, &issuer).unwrap();
        let new = SigningCertificate::from_der(der.der().to_vec()).unwrap();
        let begins = new.not_before();
        service
            .management
            .import(vec![new.clone()], now)
            .await
            .unwrap();
        let signer = service.open().await.unwrap();
        let at = |time| signer.identity_at(time).certificate.clone();
        assert_eq!(at(now.max(begins)), new);
        assert_eq!(&at(begins - TimeDelta::days(1)), certificate(&old));
        // Without one of that time, the current one: it is told then what is wrong.
        assert_eq!(
            at(begins - TimeDelta::days(40_000)),
            signer.identity().certificate
        );
    }

    #[tokio::test]
    async fn without_a_certificate_it_says_what_to_do() {
        let service = Service::new();
        let refused = service.open().await.unwrap_err();
        assert!(refused.to_string().contains("keys rotate"), "{refused}");
        service.rotate(Utc::now() + TimeDelta::days(1)).await;
        assert!(matches!(
            service.open().await,
            Err(SignerError::NoCertificate)
        ));
    }

    #[tokio::test]
    async fn the_list_tells_what_each_key_is_for() {
        let service = Service::new();
        let gone = service.rotate(Utc::now()).await;
        let signed = service.rotate(Utc::now()).await;
        let signs = service.rotate(Utc::now()).await;
        let later = Utc::now() + TimeDelta::days(1);
        service.rotate(later).await;
        service.remove_key(&gone);
        let management = &service.management;
        let needs = management.keys.generate(Algorithm::Ps256).await.unwrap();
        let listed = management.list(Utc::now()).await.unwrap();
        let uses: Vec<KeyUse> = listed.iter().map(|listed| listed.key_use).collect();
        let expected = [
            KeyUse::NeedsCertificate,
            KeyUse::Signed,
            KeyUse::Signed,
            KeyUse::Signs,
            KeyUse::SignsFrom(later),
        ];
        assert_eq!(uses, expected);
        assert_eq!(listed[0].key, Some(needs));
        assert_eq!(listed[1].key, None);
        assert_eq!(listed[2].key.as_ref(), Some(&signed.key));
        service.remove_key(&signs);
        let listed = management.list(Utc::now()).await.unwrap();
        assert_eq!(listed[3].key_use, KeyUse::KeyMissing);
        let kid = certificate(&signed).kid_base64();
        assert_eq!(management.find(&kid).await.unwrap(), signed.key);
        assert!(management.find("nothing").await.is_err());
    }
}
