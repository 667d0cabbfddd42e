use std::path::PathBuf;

use serde::Serialize;

use super::super::reader::Section;
use super::super::secret::Secret;
use super::{url, value};

/// The OpenHIM core that this mediator is registered with; without `api_url` there is none.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct OpenHim {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) api_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) username: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) password: Option<Secret>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) password_file: Option<PathBuf>,
    pub(crate) authentication: OpenHimAuthentication,
    /// PEM: who issued the certificate of core's API.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ca_file: Option<PathBuf>,
    pub(crate) trust_self_signed: bool,
    /// Registration that replaces the built-in one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) mediator_config: Option<PathBuf>,
    /// Host and port at which core reaches this mediator.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) mediator_address: Option<String>,
    pub(crate) heartbeat_seconds: u64,
}

/// How the mediator shows core's API who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum OpenHimAuthentication {
    /// What core takes: basic, else token.
    Automatic,
    Basic,
    Token,
}

impl OpenHim {
    pub(super) fn read(section: &mut Section<'_>) -> Self {
        let api_url = section.parsed("api_url", |text| url(text, &["http", "https"]));
        let has_username = section.is_set("username");
        let has_password = section.is_set("password") || section.is_set("password_file");
        let username = section.text("username");
        let password = section.secret("password");
        let password_file = section.file("password_file");
        section.keep_one(("password", &password), ("password_file", &password_file));
        if let Some(api_url) = &api_url {
            if !has_username {
                let text = "needs openhim.username, a user of OpenHIM's API, beside it";
                section.mistake("api_url", &api_url.place, text);
            }
            if !has_password {
                let text = "needs openhim.password_file (or openhim.password), the user's password, beside it";
                section.mistake("api_url", &api_url.place, text);
            }
        }
        let kinds = [
            ("automatic", OpenHimAuthentication::Automatic),
            ("basic", OpenHimAuthentication::Basic),
            ("token", OpenHimAuthentication::Token),
        ];
        let ca_file = section.file("ca_file");
        let trust_self_signed = section.boolean("trust_self_signed");
        if let (Some(_), Some(trust)) = (
            &ca_file,
            trust_self_signed.as_ref().filter(|trust| trust.value),
        ) {
            let text = "makes openhim.ca_file useless; keep one of the two";
            section.mistake("trust_self_signed", &trust.place, text);
        }
        Self {
            api_url: value(api_url),
            username: value(username),
            password: value(password),
            password_file: value(password_file),
            authentication: value(section.one_of("authentication", &kinds))
                .unwrap_or(OpenHimAuthentication::Automatic),
            ca_file: value(ca_file),
            trust_self_signed: value(trust_self_signed).unwrap_or(false),
            mediator_config: value(section.file("mediator_config")),
            mediator_address: value(section.parsed("mediator_address", host_and_port)),
            heartbeat_seconds: value(section.integer("heartbeat_seconds", 1..=60)).unwrap_or(10),
        }
    }
}

fn host_and_port(text: &str) -> Result<String, String> {
    let is_good = text.rsplit_once(':').is_some_and(|(host, port)| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
        let is_host = host.bytes().all(plain) || (host.starts_with('[') && host.ends_with(']'));
        !host.is_empty() && is_host && port.parse::<u16>().is_ok_and(|port| port > 0)
    });
    is_good
        .then(|| text.to_owned())
        .ok_or_else(|| "a host and a port, such as \"ddcc-mediator:4321\"".to_owned())
}
