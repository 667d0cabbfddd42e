mod pkcs11;
mod vault;

use std::path::PathBuf;

use serde::Serialize;

use super::super::reader::Section;
use super::value;

pub(crate) use pkcs11::Pkcs11;
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
    pub(crate) pkcs11: Pkcs11,
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
        let pkcs11 = Pkcs11::read(&mut section.section("pkcs11"));
        let vault = Vault::read(
            &mut section.section("vault"),
            pkcs11.module.as_ref().map(|_| "signing.pkcs11.module"),
        );
        let keys_folder = section.path("keys_folder");
        for (name, place) in [
            ("key_file", key_file.as_ref().map(|set| &set.place)),
            ("keys_folder", keys_folder.as_ref().map(|set| &set.place)),
        ] {
            for (other, is_set) in [
                ("signing.pkcs11.module", pkcs11.module.is_some()),
                ("signing.vault.url", vault.url.is_some()),
            ] {
                if let Some(place) = place.filter(|_| is_set) {
                    let text = format!("is set beside {other}; keep one of the two");
                    section.mistake(name, place, &text);
                }
            }
        }
        Self {
            key_file: value(key_file),
            certificate_file: value(certificate_file),
            keys_folder: value(keys_folder),
            certificates_folder: value(section.path("certificates_folder")),
            pkcs11,
            vault,
        }
    }
}
