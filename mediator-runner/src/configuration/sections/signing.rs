mod vault;

use std::path::PathBuf;

use serde::Serialize;

use super::super::reader::Section;
use super::value;

pub(crate) use vault::Vault;

/// What signs; without a key of one's own, keys for trying out are made in the data directory.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Signing {
    /// PKCS#8 PEM.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) key_file: Option<PathBuf>,
    /// PEM: its certificate, issuers behind it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) certificate_file: Option<PathBuf>,
    /// More keys, and where new ones are made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) keys_folder: Option<PathBuf>,
    /// The certificates of every kind of key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) certificates_folder: Option<PathBuf>,
    /// In the place of key files.
    pub(crate) vault: Vault,
}

impl Signing {
    pub(super) fn read(section: &mut Section<'_>) -> Self {
        let key_file = section.file("key_file");
        let certificate_file = section.file("certificate_file");
        match (&key_file, &certificate_file) {
            (Some(key), None) => {
                let text = "needs signing.certificate_file, the key's certificate, beside it";
                section.mistake("key_file", &key.place, text);
            }
            (None, Some(certificate)) => {
                let text = "needs signing.key_file, the certificate's key, beside it";
                section.mistake("certificate_file", &certificate.place, text);
            }
            _ => {}
        }
        let vault = Vault::read(&mut section.section("vault"));
        if let (Some(key), Some(_)) = (&key_file, &vault.url) {
            let text = "is another key than signing.vault; keep one of them";
            section.mistake("key_file", &key.place, text);
        }
        Self {
            key_file: value(key_file),
            certificate_file: value(certificate_file),
            keys_folder: value(section.path("keys_folder")),
            certificates_folder: value(section.path("certificates_folder")),
            vault,
        }
    }
}
