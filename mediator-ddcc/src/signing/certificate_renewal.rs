//! New document signing certificates before the old ones end, where an authority issues them at
//! once.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::{KeyManagement, KeyManagementError, KeyUse, ListedKey, StoredCertificate, Subject};

/// How often it is looked whether a certificate is due.
const LOOK_EVERY: Duration = Duration::from_secs(3600);

/// Has the certificate that signs followed by one of the same key, in time. For another key there
/// is [`KeyManagement::rotate`].
#[derive(Clone)]
pub struct CertificateRenewal {
    /// The keys, their certificates and who issues those.
    pub management: KeyManagement,
    /// Whom certificates are issued to.
    pub subject: Subject,
    /// How long before the end of a certificate its successor is issued; of a short one, at a third
    /// of its time.
    pub before: TimeDelta,
}

impl CertificateRenewal {
    /// Has a certificate issued if the one that signs is about to end, or if there is a key and
    /// none signs yet. It signs at once. Without an authority nothing is done.
    ///
    /// # Errors
    /// [`KeyManagementError`]; everything is as before then.
    pub async fn when_due(
        &self,
        now: DateTime<Utc>,
    ) -> Result<Option<StoredCertificate>, KeyManagementError> {
        let Some(authority) = &self.management.authority else {
            return Ok(None);
        };
        let listed = self.management.list(now).await?;
        let signs = |listed: &&ListedKey| {
            let stored = listed.certificate.as_ref();
            stored.is_some_and(|stored| stored.signs_from.is_some())
        };
        let key = match listed.iter().rev().find(signs) {
            Some(newest) if self.is_due(newest, now) => newest.key.as_ref(),
            Some(_) => None,
            // The first certificate, for the newest key.
            None => listed
                .iter()
                .filter(|listed| listed.key_use == KeyUse::NeedsCertificate)
                .filter_map(|listed| listed.key.as_ref())
                .next_back(),
        };
        let Some(key) = key else {
            return Ok(None);
        };
        let request = self.management.request(key, &self.subject).await?;
        let issued = authority.issue(&request).await;
        let issued = issued.map_err(|source| KeyManagementError::Signing {
            name: authority.name(),
            source,
        })?;
        let stored = self.management.import(issued, now).await?;
        tracing::info!(
            kid = stored.certificate.kid_base64(),
            key = key.name,
            ends = %stored.certificate.not_after(),
            "a new document signing certificate: it signs from now on"
        );
        Ok(Some(stored))
    }

    fn is_due(&self, listed: &ListedKey, now: DateTime<Utc>) -> bool {
        listed.certificate.as_ref().is_some_and(|stored| {
            let certificate = &stored.certificate;
            let time = certificate.not_after() - certificate.not_before();
            certificate.not_after() < now + self.before.min(time / 3)
        })
    }

    /// Looks from time to time, in a task that ends with the runtime. What fails is in the log, and
    /// tried again.
    pub fn follow(self: Arc<Self>) {
        tokio::spawn(async move {
            loop {
                // Replicas that began together do not look together: the first one renews.
                let [random, ..] = *Uuid::new_v4().as_bytes();
                let spread = 0.75 + f64::from(random) / 512.0;
                tokio::time::sleep(LOOK_EVERY.mul_f64(spread)).await;
                if let Err(error) = self.when_due(Utc::now()).await {
                    tracing::error!(
                        "the document signing certificate is about to end, and there is no new one yet: {error}"
                    );
                }
            }
        });
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use tempfile::TempDir;

    use super::*;
    use crate::signing::development_pki::{DevelopmentAuthority, DevelopmentPki};
    use crate::signing::{Algorithm, CertificateStore, KeyFolder};

    fn renewal(folder: &TempDir) -> CertificateRenewal {
        let pki = folder.path().join("pki");
        DevelopmentPki::open_or_create(&pki, "CH", Utc::now()).unwrap();
        CertificateRenewal {
            management: KeyManagement {
                keys: Arc::new(KeyFolder::new(Vec::new(), folder.path().join("keys"))),
                certificates: CertificateStore::new(folder.path().join("certificates")),
                authority: Some(Arc::new(DevelopmentAuthority::new(pki, "CH"))),
            },
            subject: Subject {
                country: "CH".to_owned(),
                organization: "Ministry of Health".to_owned(),
                common_name: "Document signer".to_owned(),
            },
            before: TimeDelta::days(30),
        }
    }

    #[tokio::test]
    async fn renews_in_time_and_once_with_the_same_key() {
        let folder = TempDir::new().unwrap();
        let renewal = renewal(&folder);
        let now = Utc::now();
        assert_eq!(renewal.when_due(now).await.unwrap(), None, "no key");
        let keys = &renewal.management.keys;
        let key = keys.generate(Algorithm::Es256).await.unwrap();
        let first = renewal.when_due(now).await.unwrap().unwrap();
        assert_eq!(first.certificate.public_key(), Some(&key.public_key));
        assert_eq!(renewal.when_due(now).await.unwrap(), None);

        let early = first.certificate.not_after() - TimeDelta::days(31);
        assert_eq!(renewal.when_due(early).await.unwrap(), None);
        let late = first.certificate.not_after() - TimeDelta::days(29);
        let second = renewal.when_due(late).await.unwrap().unwrap();
        assert_ne!(second.certificate, first.certificate);
        assert_eq!(second.certificate.public_key(), Some(&key.public_key));
        let stored = renewal.management.certificates.read().unwrap();
        assert_eq!(stored.len(), 2);
    }

    #[tokio::test]
    async fn without_an_authority_nothing_is_done() {
        let folder = TempDir::new().unwrap();
        let mut renewal = renewal(&folder);
        renewal.management.authority = None;
        let keys = &renewal.management.keys;
        keys.generate(Algorithm::Es256).await.unwrap();
        assert_eq!(renewal.when_due(Utc::now()).await.unwrap(), None);
    }
}
