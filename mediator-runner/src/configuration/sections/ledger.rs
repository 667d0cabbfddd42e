use std::path::PathBuf;

use mediator_ddcc::ledger::postgresql::is_local;
use serde::{Serialize, Serializer};
use url::Url;

use super::super::reader::Section;
use super::super::secret::Secret;
use super::value;

/// PostgreSQL database of accepted events; without `url`, they are in the data directory.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Ledger {
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "text")]
    pub(crate) url: Option<Url>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) password: Option<Secret>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) password_file: Option<PathBuf>,
    /// Whether the server has to show a certificate for its host; as `url` suggests where it is
    /// not set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tls: Option<bool>,
    /// PEM: who issued that certificate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ca_file: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) client_certificate_file: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) client_key_file: Option<PathBuf>,
    pub(crate) maximum_connections: u32,
    pub(crate) connect_timeout_seconds: u64,
    pub(crate) timeout_seconds: u64,
}

impl Ledger {
    pub(super) fn read(section: &mut Section<'_>) -> Self {
        let has_url = section.is_set("url");
        let has_certificate = section.is_set("client_certificate_file");
        let has_key = section.is_set("client_key_file");
        let address = section.parsed("url", database_url);
        let password = section.secret("password");
        let password_file = section.file("password_file");
        section.keep_one(("password", &password), ("password_file", &password_file));
        if let (Some(file), false) = (&password_file, has_url) {
            let text = "is of no use without ledger.url";
            section.mistake("password_file", &file.place, text);
        }
        let tls = section.boolean("tls");
        let ca_file = section.file("ca_file");
        let certificate = section.file("client_certificate_file");
        let key = section.file("client_key_file");
        if let (Some(certificate), false) = (&certificate, has_key) {
            let text = "needs ledger.client_key_file, the certificate's key, beside it";
            section.mistake("client_certificate_file", &certificate.place, text);
        }
        if let (Some(key), false) = (&key, has_certificate) {
            let text = "needs ledger.client_certificate_file, the key's certificate, beside it";
            section.mistake("client_key_file", &key.place, text);
        }
        let is_plain = match (&tls, &address) {
            (Some(tls), _) => !tls.value,
            (None, Some(address)) => is_local(&address.value),
            (None, None) => false,
        };
        for (name, file) in [
            ("ca_file", &ca_file),
            ("client_certificate_file", &certificate),
        ] {
            if let (Some(file), true) = (file, is_plain) {
                let text = "is of no use: set ledger.tls to true beside it";
                section.mistake(name, &file.place, text);
            }
        }
        Self {
            url: value(address),
            password: value(password),
            password_file: value(password_file),
            tls: value(tls),
            ca_file: value(ca_file),
            client_certificate_file: value(certificate),
            client_key_file: value(key),
            maximum_connections: value(section.integer("maximum_connections", 1..=1000))
                .unwrap_or(10),
            connect_timeout_seconds: value(section.integer("connect_timeout_seconds", 1..=60))
                .unwrap_or(5),
            timeout_seconds: value(section.integer("timeout_seconds", 1..=600)).unwrap_or(10),
        }
    }
}

/// What follows a question mark in such URLs of others has settings of its own here.
fn database_url(text: &str) -> Result<Url, String> {
    const EXPECTED: &str = "a database such as \"postgres://ledger@database.example.org:5432/ledger\", without a password";
    let url = Url::parse(text).map_err(|_| EXPECTED.to_owned())?;
    let is_good = matches!(url.scheme(), "postgres" | "postgresql")
        && url.host_str().is_some_and(|host| !host.is_empty())
        && !url.username().is_empty()
        && url.password().is_none()
        && url.path().len() > 1
        && url.query().is_none()
        && url.fragment().is_none();
    is_good.then_some(url).ok_or_else(|| EXPECTED.to_owned())
}

fn text<S: Serializer>(url: &Option<Url>, serializer: S) -> Result<S::Ok, S::Error> {
    url.as_ref().map(Url::as_str).serialize(serializer)
}
