use std::path::PathBuf;
use std::time::Duration;

use mediator_ddcc::signing::pkcs11::{Pin, Pkcs11Settings, TokenChoice};
use secrecy::SecretString;
use serde::Serialize;

use super::super::super::reader::Section;
use super::super::super::secret::Secret;
use super::super::value;

/// Keys in a PKCS#11 token; without `module` there is none.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Pkcs11 {
    /// The token's shared library.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) module: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) token_label: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) slot: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) pin: Option<Secret>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) pin_file: Option<PathBuf>,
    /// `CKA_LABEL`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) key_label: Option<String>,
    /// `CKA_ID`, hexadecimal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) key_id: Option<String>,
    pub(crate) sessions: usize,
    pub(crate) timeout_seconds: u64,
}

impl Pkcs11 {
    pub(super) fn read(section: &mut Section<'_>) -> Self {
        let has_module = section.is_set("module");
        let module = section.file("module");
        let token_label = section.text("token_label");
        let slot = section.integer("slot", 0..=u32::MAX);
        let pin = section.secret("pin");
        let pin_file = section.file("pin_file");
        let key_label = section.text("key_label");
        let key_id = section.parsed("key_id", |text| {
            bytes(text)
                .map(|_| text.to_owned())
                .ok_or_else(|| "hexadecimal digits, two for each byte, such as \"0a1f\"".to_owned())
        });
        section.keep_one(("token_label", &token_label), ("slot", &slot));
        section.keep_one(("pin", &pin), ("pin_file", &pin_file));
        if !has_module {
            let places = [
                ("token_label", token_label.as_ref().map(|set| &set.place)),
                ("slot", slot.as_ref().map(|set| &set.place)),
                ("pin", pin.as_ref().map(|set| &set.place)),
                ("pin_file", pin_file.as_ref().map(|set| &set.place)),
                ("key_label", key_label.as_ref().map(|set| &set.place)),
                ("key_id", key_id.as_ref().map(|set| &set.place)),
            ];
            for (name, place) in places {
                if let Some(place) = place {
                    let text = "needs signing.pkcs11.module, the token's library, beside it";
                    section.mistake(name, place, text);
                }
            }
        }
        Self {
            module: value(module),
            token_label: value(token_label),
            slot: value(slot),
            pin: value(pin),
            pin_file: value(pin_file),
            key_label: value(key_label),
            key_id: value(key_id),
            sessions: value(section.integer("sessions", 1..=256)).unwrap_or(8),
            timeout_seconds: value(section.integer("timeout_seconds", 1..=600)).unwrap_or(10),
        }
    }

    /// What opens the token; `None` when none is configured.
    pub(crate) fn settings(&self) -> Option<Pkcs11Settings> {
        Some(Pkcs11Settings {
            module: self.module.clone()?,
            token: match (&self.token_label, self.slot) {
                (Some(label), _) => TokenChoice::Label(label.clone()),
                (None, Some(slot)) => TokenChoice::Slot(slot.into()),
                (None, None) => TokenChoice::Only,
            },
            pin: match (&self.pin, &self.pin_file) {
                (Some(pin), _) => Pin::Text(SecretString::from(pin.expose())),
                (None, Some(file)) => Pin::File(file.clone()),
                (None, None) => Pin::None,
            },
            key_label: self.key_label.clone(),
            key_id: self.key_id.as_deref().and_then(bytes),
            sessions: self.sessions,
            timeout: Duration::from_secs(self.timeout_seconds),
        })
    }
}

/// The bytes of hexadecimal digits, at least one.
fn bytes(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes();
    if digits.is_empty()
        || !digits.len().is_multiple_of(2)
        || !digits.iter().all(u8::is_ascii_hexdigit)
    {
        return None;
    }
    digits
        .chunks(2)
        .map(|pair| u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok())
        .collect()
}
