//! A country signing authority and a document signer for trying out, made on first use.
//!
//! The keys lie in files on the machine that issues. That is what a development key is; a health
//! authority signs with a key in Vault or an HSM, under a certificate of its own authority.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use chrono::{DateTime, Datelike as _, Duration, Utc};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256,
};
use uuid::Uuid;

use super::key_file::{KeyFileError, KeyFileSigner};
use super::{
    CertificateAuthority, CertificateError, CertificateRequest, SigningCertificate, SigningError,
};

const AUTHORITY: &str = "country-signing-ca.pem";
const AUTHORITY_KEY: &str = "country-signing-ca-key.pem";
const SIGNERS: &str = "document-signers";
const SIGNER: &str = "document-signer.pem";
const SIGNER_KEY: &str = "document-signer-key.pem";

/// Certificates start here, so that events of the past can be tried out as well.
const FIRST_YEAR: i32 = 2020;
const SIGNER_YEARS: i32 = 2;
const AUTHORITY_YEARS: i32 = 10;
/// A new document signer is made when the newest has less than this left.
const RENEWAL: Duration = Duration::days(30);

/// HCERT key usages: test results, vaccinations.
const KEY_USAGES: [[u64; 10]; 2] = [
    [1, 3, 6, 1, 4, 1, 1847, 2021, 1, 1],
    [1, 3, 6, 1, 4, 1, 1847, 2021, 1, 2],
];

/// The development authority and its document signers.
#[derive(Debug)]
pub struct DevelopmentPki {
    /// Signs with the newest document signer.
    pub signer: KeyFileSigner,
    /// The country signing authority's certificate.
    pub country_authority: SigningCertificate,
    /// Every document signer there ever was, the newest first: older certificates verify too.
    pub document_signers: Vec<SigningCertificate>,
    /// Their private keys' files, in the same order.
    pub key_files: Vec<PathBuf>,
    /// Whether it was made just now.
    pub created: bool,
}

/// Why there is no development signer.
#[derive(Debug, thiserror::Error)]
pub enum DevelopmentPkiError {
    /// A file or folder that cannot be read or made.
    #[error("cannot use {path} for the development keys: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The files are there and unusable: someone changed them.
    #[error(
        "the development keys in {path} are unusable ({reason}); remove that folder to have new ones made, and old certificates will not verify any more"
    )]
    Broken {
        /// The folder.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The certificate could not be made.
    #[error(
        "a development certificate cannot be made: {0}; check issuer.country in the configuration"
    )]
    NotMade(#[from] rcgen::Error),
}

impl DevelopmentPki {
    /// Opens the keys in `folder`, or makes them on first use: P-256, files of mode 0600 in a
    /// folder of mode 0700. `country` is the ISO 3166-1 alpha-2 code that the certificates state.
    /// A document signer that is about to end gets a successor. Processes that start at the same
    /// time end with the same keys.
    ///
    /// # Errors
    /// [`DevelopmentPkiError`]; nothing half-made is left then.
    pub fn open_or_create(
        folder: &Path,
        country: &str,
        now: DateTime<Utc>,
    ) -> Result<Self, DevelopmentPkiError> {
        let created = !folder.exists() && create(folder, country, now)?;
        let broken = |reason: String| DevelopmentPkiError::Broken {
            path: folder.to_owned(),
            reason,
        };
        let country_authority = read_certificate(&folder.join(AUTHORITY))
            .map_err(|reason| broken(format!("{AUTHORITY}: {reason}")))?;
        let mut signers = signers(folder)?;
        let newest_end = |signers: &[(u32, SigningCertificate)]| {
            signers
                .first()
                .map(|(_, certificate)| certificate.not_after())
        };
        if newest_end(&signers).is_none_or(|end| end < now + RENEWAL) {
            renew(folder, country, now, signers.first().map_or(0, |(n, _)| *n))?;
            signers = self::signers(folder)?;
        }
        let (number, _) = signers
            .first()
            .ok_or_else(|| broken("there is no document signer".to_owned()))?;
        let newest = folder.join(SIGNERS).join(number.to_string());
        let signer = KeyFileSigner::read(&newest.join(SIGNER_KEY), &newest.join(SIGNER))
            .map_err(|error: KeyFileError| broken(error.to_string()))?;
        Ok(Self {
            signer,
            country_authority,
            key_files: signers
                .iter()
                .map(|(number, _)| folder.join(SIGNERS).join(number.to_string()))
                .map(|folder| folder.join(SIGNER_KEY))
                .collect(),
            document_signers: signers
                .into_iter()
                .map(|(_, certificate)| certificate)
                .collect(),
            created,
        })
    }
}

/// The development country signing authority as one that issues at once.
#[derive(Debug, Clone)]
pub struct DevelopmentAuthority {
    folder: PathBuf,
    country: String,
}

impl DevelopmentAuthority {
    /// The authority of the keys in `folder`, which [`DevelopmentPki::open_or_create`] made.
    #[must_use]
    pub fn new(folder: impl Into<PathBuf>, country: impl Into<String>) -> Self {
        Self {
            folder: folder.into(),
            country: country.into(),
        }
    }

    fn certificate(
        &self,
        request: &CertificateRequest,
    ) -> Result<Vec<SigningCertificate>, DevelopmentPkiError> {
        let authority = issuer(&self.folder)?;
        let key = request.public_key();
        let params = signer_params(&self.country, Utc::now(), &key.fingerprint());
        let issued = params.signed_by(key, &authority)?;
        let broken = |reason: String| DevelopmentPkiError::Broken {
            path: self.folder.clone(),
            reason,
        };
        let certificate = SigningCertificate::from_der(issued.der().to_vec())
            .map_err(|error| broken(error.to_string()))?;
        let authority = read_certificate(&self.folder.join(AUTHORITY)).map_err(broken)?;
        Ok(vec![certificate, authority])
    }
}

#[async_trait]
impl CertificateAuthority for DevelopmentAuthority {
    fn name(&self) -> String {
        "the development country signing authority".to_owned()
    }

    async fn issue(
        &self,
        request: &CertificateRequest,
    ) -> Result<Vec<SigningCertificate>, SigningError> {
        self.certificate(request)
            .map_err(|error| SigningError::Refused(error.to_string()))
    }
}

/// The document signers in `folder`, the newest first, whose certificates a verifier trusts by
/// default; nothing is made or changed. `None` when there is no such folder.
///
/// # Errors
/// [`DevelopmentPkiError`].
pub fn document_signers(
    folder: &Path,
) -> Result<Option<Vec<SigningCertificate>>, DevelopmentPkiError> {
    if !folder.exists() {
        return Ok(None);
    }
    let signers = signers(folder)?;
    Ok(Some(
        signers
            .into_iter()
            .map(|(_, certificate)| certificate)
            .collect(),
    ))
}

/// Makes everything in a folder beside and moves it into place; false when another process was
/// faster.
fn create(folder: &Path, country: &str, now: DateTime<Utc>) -> Result<bool, DevelopmentPkiError> {
    if let Some(parent) = folder.parent() {
        fs::create_dir_all(parent).map_err(file_error(parent))?;
    }
    let draft = Draft::new(folder)?;
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let authority = CertifiedIssuer::self_signed(authority_params(country, now), key)?;
    draft.write(AUTHORITY, &authority.pem())?;
    draft.write(AUTHORITY_KEY, &authority.key().serialize_pem())?;
    let signers = draft.path.join(SIGNERS);
    make_private_folder(&signers)?;
    write_signer(&signers.join("1"), country, now, 1, &authority)?;
    draft.publish(folder)
}

fn renew(
    folder: &Path,
    country: &str,
    now: DateTime<Utc>,
    newest: u32,
) -> Result<(), DevelopmentPkiError> {
    let authority = issuer(folder)?;
    let number = newest + 1;
    let target = folder.join(SIGNERS).join(number.to_string());
    let draft = Draft::new(&target)?;
    fill_signer(&draft, country, now, number, &authority)?;
    draft.publish(&target)?;
    Ok(())
}

fn issuer(folder: &Path) -> Result<Issuer<'static, KeyPair>, DevelopmentPkiError> {
    let read = |name: &str| {
        let path = folder.join(name);
        fs::read_to_string(&path).map_err(file_error(&path))
    };
    let key = KeyPair::from_pem(&read(AUTHORITY_KEY)?)?;
    Ok(Issuer::from_ca_cert_pem(&read(AUTHORITY)?, key)?)
}

fn write_signer(
    folder: &Path,
    country: &str,
    now: DateTime<Utc>,
    number: u32,
    authority: &Issuer<'_, KeyPair>,
) -> Result<(), DevelopmentPkiError> {
    let draft = Draft::new(folder)?;
    fill_signer(&draft, country, now, number, authority)?;
    draft.publish(folder)?;
    Ok(())
}

fn fill_signer(
    draft: &Draft,
    country: &str,
    now: DateTime<Utc>,
    number: u32,
    authority: &Issuer<'_, KeyPair>,
) -> Result<(), DevelopmentPkiError> {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let certificate =
        signer_params(country, now, &number.to_string()).signed_by(&key, authority)?;
    draft.write(SIGNER_KEY, &key.serialize_pem())?;
    draft.write(SIGNER, &certificate.pem())
}

fn authority_params(country: &str, now: DateTime<Utc>) -> CertificateParams {
    let mut params = params(
        country,
        "Development country signing authority",
        now,
        AUTHORITY_YEARS,
    );
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

fn signer_params(country: &str, now: DateTime<Utc>, number: &str) -> CertificateParams {
    let name = format!("Development document signer {number}");
    let mut params = params(country, &name, now, SIGNER_YEARS);
    params.is_ca = IsCa::ExplicitNoCa;
    params.use_authority_key_identifier_extension = true;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = KEY_USAGES
        .iter()
        .map(|oid| ExtendedKeyUsagePurpose::Other(oid.to_vec()))
        .collect();
    params
}

fn params(country: &str, name: &str, now: DateTime<Utc>, years: i32) -> CertificateParams {
    let mut params = CertificateParams::default();
    let subject = &mut params.distinguished_name;
    subject.push(DnType::CountryName, country);
    subject.push(DnType::OrganizationName, "For trying out only");
    subject.push(DnType::CommonName, name);
    params.not_before = rcgen::date_time_ymd(FIRST_YEAR, 1, 1);
    params.not_after = rcgen::date_time_ymd(
        now.year() + years,
        u8::try_from(now.month()).unwrap_or(1),
        1,
    );
    params
}

/// The document signers by number, the newest first.
fn signers(folder: &Path) -> Result<Vec<(u32, SigningCertificate)>, DevelopmentPkiError> {
    let folder = folder.join(SIGNERS);
    let mut signers = Vec::new();
    for entry in fs::read_dir(&folder).map_err(file_error(&folder))? {
        let entry = entry.map_err(file_error(&folder))?;
        let Some(number) = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse().ok())
        else {
            continue;
        };
        let path = entry.path().join(SIGNER);
        let certificate =
            read_certificate(&path).map_err(|reason| DevelopmentPkiError::Broken {
                path: folder.clone(),
                reason: format!("{number}/{SIGNER}: {reason}"),
            })?;
        signers.push((number, certificate));
    }
    signers.sort_by_key(|(number, _)| std::cmp::Reverse(*number));
    Ok(signers)
}

fn read_certificate(path: &Path) -> Result<SigningCertificate, String> {
    let bytes = fs::read(path).map_err(|error| error.to_string())?;
    SigningCertificate::read_all(&bytes)
        .map_err(|error| error.to_string())?
        .into_iter()
        .next()
        .ok_or_else(|| CertificateError::Empty.to_string())
}

fn file_error(path: &Path) -> impl FnOnce(io::Error) -> DevelopmentPkiError {
    let path = path.to_owned();
    move |source| DevelopmentPkiError::File { path, source }
}

/// A private folder that is filled beside its final place, and removed unless published.
struct Draft {
    path: PathBuf,
}

impl Draft {
    fn new(target: &Path) -> Result<Self, DevelopmentPkiError> {
        let path = target.with_file_name(format!(".new-{}", Uuid::new_v4()));
        make_private_folder(&path)?;
        Ok(Self { path })
    }

    fn write(&self, name: &str, text: &str) -> Result<(), DevelopmentPkiError> {
        let path = self.path.join(name);
        let mut options = fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(&path).map_err(file_error(&path))?;
        file.write_all(text.as_bytes())
            .and_then(|()| file.sync_all())
            .map_err(file_error(&path))
    }

    fn publish(self, target: &Path) -> Result<bool, DevelopmentPkiError> {
        match fs::rename(&self.path, target) {
            Ok(()) => Ok(true),
            // A folder with files in it is not replaced: another process was faster.
            Err(_) if target.is_dir() => Ok(false),
            Err(source) => Err(file_error(target)(source)),
        }
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // After a successful rename there is nothing left to remove.
        let _ = fs::remove_dir_all(&self.path);
    }
}

fn make_private_folder(path: &Path) -> Result<(), DevelopmentPkiError> {
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).map_err(file_error(path))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::os::unix::fs::PermissionsExt as _;

    use tempfile::TempDir;

    use super::*;
    use crate::signing::Signer as _;

    fn now() -> DateTime<Utc> {
        "2026-06-15T12:00:00Z".parse().unwrap()
    }

    fn open(folder: &TempDir, now: DateTime<Utc>) -> DevelopmentPki {
        DevelopmentPki::open_or_create(&folder.path().join("data/pki"), "XX", now).unwrap()
    }

    #[test]
    fn the_certificates_are_what_verifiers_ask_for() {
        let folder = TempDir::new().unwrap();
        let pki = open(&folder, now());
        let signer = &pki.signer.identity().certificate;
        assert!(signer.is_issued_by(&pki.country_authority));
        assert_eq!(signer.country(), Some("XX"));
        assert_eq!(
            signer.extended_key_usages(),
            ["1.3.6.1.4.1.1847.2021.1.1", "1.3.6.1.4.1.1847.2021.1.2"]
        );
        assert!(signer.not_before() < now() && now() < signer.not_after());
        assert!(signer.not_after() < pki.country_authority.not_after());
        assert!(signer.subject().contains("Development"));
        let (_, parsed) = x509_parser::parse_x509_certificate(signer.der()).unwrap();
        let usage = parsed.key_usage().unwrap().unwrap().value;
        assert!(usage.digital_signature() && !usage.key_cert_sign());
        let (_, parsed) = x509_parser::parse_x509_certificate(pki.country_authority.der()).unwrap();
        let usage = parsed.key_usage().unwrap().unwrap().value;
        assert!(usage.key_cert_sign() && !usage.digital_signature());
        assert!(parsed.is_ca());
    }

    #[test]
    fn is_made_once() {
        let folder = TempDir::new().unwrap();
        let first = open(&folder, now());
        let second = open(&folder, now());
        assert!(first.created && !second.created);
        assert_eq!(first.document_signers, second.document_signers);
    }

    #[test]
    fn processes_that_start_together_share_one() {
        let folder = TempDir::new().unwrap();
        let made: Vec<DevelopmentPki> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8)
                .map(|_| scope.spawn(|| open(&folder, now())))
                .collect();
            threads
                .into_iter()
                .map(|thread| thread.join().unwrap())
                .collect()
        });
        assert_eq!(made.iter().filter(|pki| pki.created).count(), 1);
        for pki in &made {
            assert_eq!(pki.document_signers, made[0].document_signers);
        }
        let left = fs::read_dir(folder.path().join("data")).unwrap().count();
        assert_eq!(left, 1, "no draft is left");
    }

    #[test]
    fn keys_are_private() {
        let folder = TempDir::new().unwrap();
        open(&folder, now());
        let mode = |path: &str| {
            let path = folder.path().join("data/pki").join(path);
            fs::metadata(path).unwrap().permissions().mode() & 0o777
        };
        assert_eq!(mode(""), 0o700);
        assert_eq!(mode(AUTHORITY_KEY), 0o600);
        assert_eq!(mode("document-signers/1/document-signer-key.pem"), 0o600);
    }

    #[test]
    fn a_document_signer_that_ends_gets_a_successor() {
        let folder = TempDir::new().unwrap();
        let before = open(&folder, now());
        let later = before.signer.identity().certificate.not_after() - Duration::days(29);
        let after = open(&folder, later);
        assert_eq!(after.document_signers.len(), 2);
        assert_eq!(after.document_signers[1], before.document_signers[0]);
        let newest = &after.signer.identity().certificate;
        assert_eq!(newest, &after.document_signers[0]);
        assert!(newest.is_issued_by(&after.country_authority));
        assert!(newest.not_after() > later + Duration::days(365));
    }

    #[test]
    fn says_that_files_were_tampered_with() {
        let folder = TempDir::new().unwrap();
        open(&folder, now());
        fs::write(folder.path().join("data/pki").join(AUTHORITY), "junk").unwrap();
        let error = DevelopmentPki::open_or_create(&folder.path().join("data/pki"), "XX", now())
            .unwrap_err();
        assert!(error.to_string().contains("remove that folder"), "{error}");
    }
}
