//! Private keys in files: some that are named, and those of a folder, where new ones are made.

use std::collections::HashMap;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_RSA_SHA256, RsaKeySize};
use tokio::task::spawn_blocking;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::key_file::{Key, KeyFileError, sign_with};
use super::{Algorithm, KeyStore, PublicKey, SigningError, StoredKey};

/// A [`KeyStore`] of PKCS#8 PEM files that only their owner may read. Keys stay in the memory of
/// the cryptography library once they are read.
#[derive(Debug, Clone)]
pub struct KeyFolder {
    /// Files outside the folder.
    files: Vec<PathBuf>,
    folder: PathBuf,
    held: Arc<Mutex<HashMap<PublicKey, Arc<Key>>>>,
}

impl KeyFolder {
    /// The keys in these files and in `folder`, where files without a private key are passed over;
    /// it is made with the first new key.
    #[must_use]
    pub fn new(files: Vec<PathBuf>, folder: impl Into<PathBuf>) -> Self {
        Self {
            files,
            folder: folder.into(),
            held: Arc::default(),
        }
    }

    fn read(&self) -> Result<Vec<StoredKey>, KeyFileError> {
        let mut found = Vec::new();
        for path in &self.files {
            found.push((path.clone(), Key::read(path)?));
        }
        for path in self.in_folder()? {
            match Key::read(&path) {
                Ok(key) => found.push((path, key)),
                Err(KeyFileError::NoKey(_)) => {}
                Err(error) => return Err(error),
            }
        }
        let mut held = HashMap::new();
        let mut keys = Vec::new();
        for (path, key) in found {
            let public_key = key.public_key();
            if held.insert(public_key.clone(), Arc::new(key)).is_none() {
                keys.push(StoredKey {
                    created_at: modified(&path),
                    name: path.display().to_string(),
                    public_key,
                    warning: None,
                });
            }
        }
        keys.sort_by_key(|key| key.created_at);
        *self.held.lock().unwrap_or_else(PoisonError::into_inner) = held;
        Ok(keys)
    }

    fn in_folder(&self) -> Result<Vec<PathBuf>, KeyFileError> {
        let unreadable = |source| KeyFileError::Unreadable {
            path: self.folder.clone(),
            source,
        };
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(unreadable(error)),
        };
        let mut paths = Vec::new();
        for entry in entries {
            let path = entry.map_err(unreadable)?.path();
            let is_hidden = path
                .file_name()
                .is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
            if !is_hidden && path.extension().is_some_and(|found| found == "pem") {
                paths.push(path);
            }
        }
        // The same order everywhere.
        paths.sort();
        Ok(paths)
    }

    fn make(&self, algorithm: Algorithm) -> Result<StoredKey, SigningError> {
        let not_made = |error: &dyn std::fmt::Display| {
            SigningError::Unavailable(format!("no key can be made: {error}"))
        };
        let pair = match algorithm {
            Algorithm::Es256 => KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256),
            Algorithm::Ps256 => KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_3072),
        };
        let pem = Zeroizing::new(pair.map_err(|error| not_made(&error))?.serialize_pem());
        let key = Key::from_pem(pem.as_bytes()).ok_or_else(|| not_made(&"it cannot be read"))?;
        let public_key = key.public_key();
        let name = format!("document-signer-{}.pem", public_key.fingerprint());
        let path = self.folder.join(name);
        write_private(&self.folder, &path, pem.as_bytes()).map_err(|error| {
            SigningError::Unavailable(format!("cannot write {}: {error}", path.display()))
        })?;
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.insert(public_key.clone(), Arc::new(key));
        Ok(StoredKey {
            name: path.display().to_string(),
            public_key,
            created_at: modified(&path),
            warning: None,
        })
    }
}

#[async_trait]
impl KeyStore for KeyFolder {
    fn name(&self) -> String {
        format!("the key files in {}", self.folder.display())
    }

    async fn keys(&self) -> Result<Vec<StoredKey>, SigningError> {
        let store = self.clone();
        spawn_blocking(move || store.read())
            .await
            .map_err(|error| SigningError::Unavailable(error.to_string()))?
            .map_err(|error| SigningError::Refused(error.to_string()))
    }

    async fn sign(&self, key: &StoredKey, message: &[u8]) -> Result<Vec<u8>, SigningError> {
        let held = {
            let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
            held.get(&key.public_key).cloned()
        };
        sign_with(&held.ok_or(SigningError::UnknownKey)?, message).await
    }

    async fn generate(&self, algorithm: Algorithm) -> Result<StoredKey, SigningError> {
        let store = self.clone();
        spawn_blocking(move || store.make(algorithm))
            .await
            .map_err(|error| SigningError::Unavailable(error.to_string()))?
    }
}

fn modified(path: &Path) -> Option<DateTime<Utc>> {
    let modified = fs::metadata(path).ok()?.modified().ok()?;
    Some(modified.into())
}

/// Writes a file as a whole, which only its owner may read.
fn write_private(folder: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)?;
    let draft = folder.join(format!(".new-{}", Uuid::new_v4()));
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let written = options.open(&draft).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&draft, path)?;
        fs::File::open(folder)?.sync_all()
    });
    if written.is_err() {
        let _ = fs::remove_file(&draft);
    }
    written
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::os::unix::fs::PermissionsExt as _;

    use tempfile::TempDir;

    use super::*;

    #[tokio::test]
    async fn new_keys_are_private_and_read_by_others_that_open_the_folder() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("data/keys");
        let keys = KeyFolder::new(Vec::new(), &path);
        assert_eq!(keys.keys().await.unwrap(), []);
        for algorithm in [Algorithm::Es256, Algorithm::Ps256] {
            let made = keys.generate(algorithm).await.unwrap();
            let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
            assert_eq!(mode(Path::new(&made.name)), 0o600);
            assert_eq!(mode(&path), 0o700);
            let other = KeyFolder::new(Vec::new(), &path);
            assert!(other.keys().await.unwrap().contains(&made));
            let signature = other.sign(&made, b"message").await.unwrap();
            assert!(made.public_key.verify(b"message", &signature));
        }
    }

    #[tokio::test]
    async fn other_files_are_passed_over_and_bad_keys_told() {
        let folder = TempDir::new().unwrap();
        let keys = KeyFolder::new(Vec::new(), folder.path());
        let made = keys.generate(Algorithm::Es256).await.unwrap();
        fs::write(
            folder.path().join("certificate.pem"),
            "-----BEGIN CERTIFICATE-----",
        )
        .unwrap();
        fs::write(folder.path().join("notes.txt"), "junk").unwrap();
        assert_eq!(keys.keys().await.unwrap(), std::slice::from_ref(&made));
        // The same key, once named and once in the folder, is one.
        let named = KeyFolder::new(vec![PathBuf::from(&made.name)], folder.path());
        assert_eq!(named.keys().await.unwrap().len(), 1);
        let bad = folder.path().join("bad.pem");
        fs::write(&bad, "-----BEGIN EC PRIVATE KEY-----\n").unwrap();
        fs::set_permissions(&bad, fs::Permissions::from_mode(0o600)).unwrap();
        let refused = keys.keys().await.unwrap_err().to_string();
        assert!(refused.contains("bad.pem"), "{refused}");
        fs::remove_file(&bad).unwrap();
        fs::set_permissions(&made.name, fs::Permissions::from_mode(0o644)).unwrap();
        let refused = keys.keys().await.unwrap_err().to_string();
        assert!(refused.contains("chmod 600"), "{refused}");
    }
}
