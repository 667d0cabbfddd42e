//! The store of document signing certificates: a folder of PEM files, one for each certificate.
//!
//! A file is named by the certificate's key id and has its issuers behind it. Above the
//! certificate a line tells from when on it signs; without that line it only verifies:
//!
//! ```text
//! Signs from: 2026-11-24T20:00:00Z
//! -----BEGIN CERTIFICATE-----
//! ```
//!
//! Of the certificates that sign, the one with the latest time that is past is the current one.
//! Each file is replaced as a whole, so that processes may share the folder without a lock.

use std::cmp::Ordering;
use std::collections::HashSet;
use std::fs;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use chrono::{DateTime, SecondsFormat, Utc};
use uuid::Uuid;

use super::{CertificateError, SigningCertificate};

const SIGNS_FROM: &str = "Signs from:";
const EXTENSION: &str = "pem";
/// A certificate and its issuers are a few kilobytes.
const MAXIMUM_FILE: u64 = 1024 * 1024;
/// A certificate a week for twenty years.
const MAXIMUM_CERTIFICATES: usize = 1024;

/// A folder of document signing certificates, those of the past too: what they signed verifies on.
#[derive(Debug, Clone)]
pub struct CertificateStore {
    folder: PathBuf,
}

/// A certificate in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredCertificate {
    /// The document signing certificate.
    pub certificate: SigningCertificate,
    /// Its issuers, nearest first.
    pub issuers: Vec<SigningCertificate>,
    /// From when on new health certificates are signed under it; `None` when it only verifies.
    pub signs_from: Option<DateTime<Utc>>,
}

/// Why the store cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CertificateStoreError {
    /// A file or the folder that cannot be read or written.
    #[error("cannot use {path} of the document signing certificates: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// A file that is no certificate.
    #[error("{path} is no document signing certificate ({source}); mend it or take it away")]
    Certificate {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        source: CertificateError,
    },
    /// A line above a certificate that tells no time.
    #[error("{0}: the line \"Signs from:\" needs a time of RFC 3339, such as 2026-11-24T20:00:00Z")]
    Time(PathBuf),
    /// More files than a store ever has.
    #[error(
        "{0} holds more than 1024 files: this is not a folder of document signing certificates"
    )]
    TooMany(PathBuf),
    /// Asked to change a certificate that is not there.
    #[error("there is no certificate with the key id {0} in the store")]
    Missing(String),
}

impl CertificateStore {
    /// The store in `folder`, which is made when the first certificate is put there.
    #[must_use]
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
        }
    }

    /// Where it is.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Every certificate, those first that only verify, then by when they sign: the last one is
    /// the newest. Blocks for as long as the files take.
    ///
    /// # Errors
    /// [`CertificateStoreError`] for the first file that is wrong; a folder that is not there is
    /// an empty store.
    pub fn read(&self) -> Result<Vec<StoredCertificate>, CertificateStoreError> {
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(source) => return Err(file_error(&self.folder)(source)),
        };
        let mut stored = Vec::new();
        for entry in entries {
            let path = entry.map_err(file_error(&self.folder))?.path();
            let is_hidden = path
                .file_name()
                .is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
            if is_hidden || path.extension().is_none_or(|found| found != EXTENSION) {
                continue;
            }
            if stored.len() == MAXIMUM_CERTIFICATES {
                return Err(CertificateStoreError::TooMany(self.folder.clone()));
            }
            stored.push(read_file(&path)?);
        }
        stored.sort_by(StoredCertificate::in_time);
        // One certificate in two files, of which an operator has named one, counts once.
        let mut seen = HashSet::new();
        stored.reverse();
        stored.retain(|stored| seen.insert(stored.certificate.der().to_vec()));
        stored.reverse();
        Ok(stored)
    }

    /// Puts a certificate there unless it is there: whether it was new. One that is there stays
    /// as it is.
    ///
    /// # Errors
    /// [`CertificateStoreError`]; the store is as before then.
    pub fn add(&self, stored: &StoredCertificate) -> Result<bool, CertificateStoreError> {
        let is_there = self
            .read()?
            .iter()
            .any(|there| there.certificate == stored.certificate);
        if is_there {
            return Ok(false);
        }
        let draft = Draft::write(&self.folder, stored)?;
        let target = self.path_of(&stored.certificate);
        // A link does not replace: what another process put there meanwhile stays.
        match fs::hard_link(&draft.path, &target) {
            Ok(()) => {
                self.sync()?;
                Ok(true)
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Err(source) => Err(file_error(&target)(source)),
        }
    }

    /// Puts a certificate there, in the place of what the store has of it.
    ///
    /// # Errors
    /// [`CertificateStoreError`]; the store is as before then.
    pub fn put(&self, stored: &StoredCertificate) -> Result<(), CertificateStoreError> {
        // An operator may have given the file another name.
        let target = self
            .find(&stored.certificate)?
            .unwrap_or_else(|| self.path_of(&stored.certificate));
        let draft = Draft::write(&self.folder, stored)?;
        fs::rename(&draft.path, &target).map_err(file_error(&target))?;
        self.sync()
    }

    /// Sets from when on the certificate with this HCERT key id (base64) signs.
    ///
    /// # Errors
    /// [`CertificateStoreError`]; the store is as before then.
    pub fn sign_from(
        &self,
        kid_base64: &str,
        from: DateTime<Utc>,
    ) -> Result<StoredCertificate, CertificateStoreError> {
        let mut stored = self
            .read()?
            .into_iter()
            .find(|stored| stored.certificate.kid_base64() == kid_base64)
            .ok_or_else(|| CertificateStoreError::Missing(kid_base64.to_owned()))?;
        stored.signs_from = Some(from);
        self.put(&stored)?;
        Ok(stored)
    }

    fn find(
        &self,
        certificate: &SigningCertificate,
    ) -> Result<Option<PathBuf>, CertificateStoreError> {
        let path = self.path_of(certificate);
        if path.exists() {
            return Ok(Some(path));
        }
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(file_error(&self.folder)(source)),
        };
        for entry in entries {
            let path = entry.map_err(file_error(&self.folder))?.path();
            let is_pem = path.extension().is_some_and(|found| found == EXTENSION);
            if is_pem
                && let Ok(stored) = read_file(&path)
                && stored.certificate == *certificate
            {
                return Ok(Some(path));
            }
        }
        Ok(None)
    }

    fn path_of(&self, certificate: &SigningCertificate) -> PathBuf {
        let kid: String = certificate
            .kid()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        self.folder.join(format!("{kid}.{EXTENSION}"))
    }

    /// A new name survives a power cut once the folder is on the disk.
    fn sync(&self) -> Result<(), CertificateStoreError> {
        fs::File::open(&self.folder)
            .and_then(|folder| folder.sync_all())
            .map_err(file_error(&self.folder))
    }
}

impl StoredCertificate {
    fn in_time(&self, other: &Self) -> Ordering {
        let key = |stored: &Self| {
            (
                stored.signs_from,
                stored.certificate.not_before(),
                stored.certificate.kid(),
            )
        };
        key(self).cmp(&key(other))
    }

    fn to_text(&self) -> String {
        let subject = self.certificate.subject().replace(char::is_control, " ");
        let mut text = format!("Subject: {subject}\n");
        if let Some(from) = self.signs_from {
            let from = from.to_rfc3339_opts(SecondsFormat::AutoSi, true);
            text.push_str(&format!("{SIGNS_FROM} {from}\n"));
        }
        text.push_str(&self.certificate.to_pem());
        for issuer in &self.issuers {
            text.push_str(&issuer.to_pem());
        }
        text
    }
}

fn read_file(path: &Path) -> Result<StoredCertificate, CertificateStoreError> {
    let refused = |source| CertificateStoreError::Certificate {
        path: path.to_owned(),
        source,
    };
    let mut bytes = Vec::new();
    fs::File::open(path)
        .and_then(|file| file.take(MAXIMUM_FILE).read_to_end(&mut bytes))
        .map_err(file_error(path))?;
    let mut certificates = SigningCertificate::read_all(&bytes)
        .map_err(refused)?
        .into_iter();
    let certificate = certificates
        .next()
        .ok_or_else(|| refused(CertificateError::Empty))?;
    Ok(StoredCertificate {
        certificate,
        issuers: certificates.collect(),
        signs_from: signs_from(&bytes)
            .map_err(|()| CertificateStoreError::Time(path.to_owned()))?,
    })
}

/// The time in the lines above the certificate.
fn signs_from(bytes: &[u8]) -> Result<Option<DateTime<Utc>>, ()> {
    let Some(time) = bytes
        .split(|byte| *byte == b'\n')
        .map_while(|line| str::from_utf8(line).ok())
        .take_while(|line| !line.starts_with("-----BEGIN "))
        .find_map(|line| line.strip_prefix(SIGNS_FROM))
    else {
        return Ok(None);
    };
    DateTime::parse_from_rfc3339(time.trim())
        .map(|time| Some(time.to_utc()))
        .map_err(|_| ())
}

/// A file beside its final place, removed when it goes out of scope.
struct Draft {
    path: PathBuf,
}

impl Draft {
    fn write(folder: &Path, stored: &StoredCertificate) -> Result<Self, CertificateStoreError> {
        fs::create_dir_all(folder).map_err(file_error(folder))?;
        let draft = Self {
            path: folder.join(format!(".new-{}", Uuid::new_v4())),
        };
        let path = &draft.path;
        let mut file = fs::File::create_new(path).map_err(file_error(path))?;
        file.write_all(stored.to_text().as_bytes())
            .and_then(|()| file.sync_all())
            .map_err(file_error(path))?;
        Ok(draft)
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // After a rename there is nothing left to remove.
        let _ = fs::remove_file(&self.path);
    }
}

fn file_error(path: &Path) -> impl FnOnce(io::Error) -> CertificateStoreError {
    let path = path.to_owned();
    move |source| CertificateStoreError::File { path, source }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use rcgen::{CertificateParams, KeyPair};
    use tempfile::TempDir;

    use super::*;

    fn certificate() -> SigningCertificate {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::default().self_signed(&key).unwrap();
        SigningCertificate::from_der(certificate.der().to_vec()).unwrap()
    }

    fn stored(signs_from: Option<&str>) -> StoredCertificate {
        StoredCertificate {
            certificate: certificate(),
            issuers: vec![certificate()],
            signs_from: signs_from.map(|time| time.parse().unwrap()),
        }
    }

    #[test]
    fn what_is_put_is_read_in_the_order_of_signing() {
        let folder = TempDir::new().unwrap();
        let store = CertificateStore::new(folder.path().join("data/certificates"));
        assert_eq!(store.read().unwrap(), []);
        let new = stored(Some("2026-11-24T20:00:00.123456789Z"));
        let old = stored(Some("2025-01-01T00:00:00Z"));
        let never = stored(None);
        for stored in [&new, &never, &old] {
            assert!(store.add(stored).unwrap());
        }
        assert_eq!(store.read().unwrap(), [never.clone(), old.clone(), new]);
        let again = store
            .sign_from(&old.certificate.kid_base64(), Utc::now())
            .unwrap();
        assert_eq!(store.read().unwrap().last(), Some(&again));
        let drafts = fs::read_dir(store.folder()).unwrap().count();
        assert_eq!(drafts, 3, "no draft is left");
    }

    #[test]
    fn adding_changes_nothing_that_is_there() {
        let folder = TempDir::new().unwrap();
        let store = CertificateStore::new(folder.path());
        let first = stored(Some("2025-01-01T00:00:00Z"));
        assert!(store.add(&first).unwrap());
        let second = StoredCertificate {
            signs_from: None,
            ..first.clone()
        };
        assert!(!store.add(&second).unwrap());
        assert_eq!(store.read().unwrap(), [first]);
    }

    #[test]
    fn files_of_operators_are_read_too() {
        let folder = TempDir::new().unwrap();
        let store = CertificateStore::new(folder.path());
        let old = certificate();
        let named = folder.path().join("the one of last year.pem");
        fs::write(&named, old.to_pem()).unwrap();
        fs::write(folder.path().join("README.txt"), "not a certificate").unwrap();
        let read = store.read().unwrap();
        assert_eq!(read.len(), 1);
        assert_eq!((read[0].signs_from, &read[0].certificate), (None, &old));
        store.sign_from(&old.kid_base64(), Utc::now()).unwrap();
        assert!(store.read().unwrap()[0].signs_from.is_some());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    #[test]
    fn says_which_file_is_wrong() {
        let folder = TempDir::new().unwrap();
        let store = CertificateStore::new(folder.path());
        let path = folder.path().join("a.pem");
        fs::write(&path, "junk").unwrap();
        let error = store.read().unwrap_err();
        assert!(matches!(&error, CertificateStoreError::Certificate { .. }));
        assert!(error.to_string().contains("a.pem"), "{error}");
        let text = format!("Signs from: tomorrow\n{}", certificate().to_pem());
        fs::write(&path, text).unwrap();
        let error = store.read().unwrap_err();
        assert!(matches!(error, CertificateStoreError::Time(_)), "{error}");
        let error = CertificateStore::new(folder.path().join("empty"))
            .sign_from("AAAAAAAAAAA=", Utc::now())
            .unwrap_err();
        assert!(matches!(error, CertificateStoreError::Missing(_)));
    }

    #[test]
    fn a_subject_cannot_set_the_time() {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        let name = "x\nSigns from: 2030-01-01T00:00:00Z";
        params
            .distinguished_name
            .push(rcgen::DnType::CommonName, name);
        let der = params.self_signed(&key).unwrap().der().to_vec();
        let folder = TempDir::new().unwrap();
        let store = CertificateStore::new(folder.path());
        let certificate = SigningCertificate::from_der(der).unwrap();
        let hostile = StoredCertificate {
            certificate,
            issuers: Vec::new(),
            signs_from: None,
        };
        store.add(&hostile).unwrap();
        assert_eq!(store.read().unwrap(), [hostile]);
    }

    #[test]
    fn readers_see_whole_files_while_writers_replace_them() {
        let folder = TempDir::new().unwrap();
        let store = CertificateStore::new(folder.path());
        let certificates = [stored(None), stored(None)];
        for stored in &certificates {
            store.add(stored).unwrap();
        }
        let done = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            for stored in &certificates {
                let (store, done) = (&store, &done);
                scope.spawn(move || {
                    for _ in 0..50 {
                        let kid = stored.certificate.kid_base64();
                        store.sign_from(&kid, Utc::now()).unwrap();
                    }
                    done.store(true, std::sync::atomic::Ordering::Relaxed);
                });
            }
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                assert_eq!(store.read().unwrap().len(), 2);
            }
        });
    }
}
