use std::io;
use std::path::PathBuf;
use std::time::Duration;

use mediator_core::back_end::{
    self, Authentication, BackEndSettings, BackEndSettingsError, ClientCertificate, Token, Trust,
};
use secrecy::SecretString;
use serde::Serialize;

use super::super::mistake::Place;
use super::super::reader::{Section, Set};
use super::super::secret::Secret;
use super::{url, value};

/// What every back end over HTTP has, for the sections of such: read with
/// [`read`](Self::read), and flattened into theirs. Without `url` there is none.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct BackEnd {
    /// For messages.
    #[serde(skip)]
    section: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) username: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) password: Option<Secret>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) password_file: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) token: Option<Secret>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) token_file: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) client_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) client_secret: Option<Secret>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) client_secret_file: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) token_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) scope: Option<String>,
    #[serde(flatten)]
    pub(crate) connection: Connection,
}

/// How a back end is connected to, whoever says who calls.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Connection {
    /// PEM: who issued the server's certificate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ca_file: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) client_certificate_file: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) client_key_file: Option<PathBuf>,
    pub(crate) timeout_seconds: u64,
    pub(crate) connect_timeout_seconds: u64,
    pub(crate) attempts: u32,
}

/// Why there is no client of a configured back end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BackEndSetupError {
    /// A secret cannot be read.
    #[error("{section}.{key}: {path}: {source}")]
    Secret {
        /// Section of the configuration.
        section: String,
        /// Setting.
        key: &'static str,
        /// Which file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// An address cannot be one.
    #[error("{section}.{key}: {source}")]
    Address {
        /// Section of the configuration.
        section: String,
        /// Setting.
        key: &'static str,
        /// What is wrong with it.
        source: url::ParseError,
    },
    /// The settings make no client.
    #[error("{section}: {source}")]
    Settings {
        /// Section of the configuration.
        section: String,
        /// What is wrong with them.
        source: BackEndSettingsError,
    },
}

impl BackEnd {
    /// All settings of a back end. A section with others of its own reads those beside.
    pub(super) fn read(section: &mut Section<'_>, default_timeout_seconds: u64) -> Self {
        let is_set = Present::of(section);
        let url = section.parsed("url", |text| url(text, &["http", "https"]));
        let username = section.text("username");
        let password = section.secret("password");
        let password_file = section.file("password_file");
        let token = section.secret("token");
        let token_file = section.file("token_file");
        let client_id = section.text("client_id");
        let client_secret = section.secret("client_secret");
        let client_secret_file = section.file("client_secret_file");
        let token_url = section.parsed("token_url", |text| super::url(text, &["http", "https"]));
        let scope = section.text("scope");
        let given: Vec<(&'static str, &Place)> = [
            ("username", place(&username)),
            ("password", place(&password)),
            ("password_file", place(&password_file)),
            ("token", place(&token)),
            ("token_file", place(&token_file)),
            ("client_id", place(&client_id)),
            ("client_secret", place(&client_secret)),
            ("client_secret_file", place(&client_secret_file)),
            ("token_url", place(&token_url)),
            ("scope", place(&scope)),
        ]
        .into_iter()
        .filter_map(|(key, place)| Some((key, place?)))
        .collect();
        is_set.check(section, &given);
        let is_plain = |url: &Option<Set<String>>| {
            url.as_ref()
                .is_none_or(|url| url.value.starts_with("http:"))
        };
        let uses_tls = !is_plain(&url) || !is_plain(&token_url);
        let connection = Connection::read(
            section,
            default_timeout_seconds,
            url.as_ref().is_none_or(|_| uses_tls),
        );
        Self {
            section: section.name().to_owned(),
            url: value(url),
            username: value(username),
            password: value(password),
            password_file: value(password_file),
            token: value(token),
            token_file: value(token_file),
            client_id: value(client_id),
            client_secret: value(client_secret),
            client_secret_file: value(client_secret_file),
            token_url: value(token_url),
            scope: value(scope),
            connection,
        }
    }

    /// How to reach it; nothing when it is not configured. Files of secrets are read.
    ///
    /// # Errors
    /// [`BackEndSetupError`] when a file cannot be read.
    pub(crate) fn settings(
        &self,
        name: &str,
    ) -> Result<Option<BackEndSettings>, BackEndSetupError> {
        let Some(url) = &self.url else {
            return Ok(None);
        };
        let mut settings = BackEndSettings::new(name, self.address("url", url)?);
        settings.authentication = self.authentication()?;
        self.connection.apply(&mut settings);
        Ok(Some(settings))
    }

    /// A client of it; nothing when it is not configured. Nothing is sent yet.
    ///
    /// # Errors
    /// [`BackEndSetupError`] when a file cannot be used.
    pub(crate) fn client(
        &self,
        name: &str,
    ) -> Result<Option<back_end::BackEnd>, BackEndSetupError> {
        let settings = self.settings(name)?;
        let client = settings.as_ref().map(back_end::BackEnd::new).transpose();
        client.map_err(|source| BackEndSetupError::Settings {
            section: self.section.clone(),
            source,
        })
    }

    fn authentication(&self) -> Result<Authentication, BackEndSetupError> {
        if let Some(username) = &self.username {
            let password = self.secret("password_file", &self.password, &self.password_file)?;
            return Ok(Authentication::Basic {
                username: username.clone(),
                password,
            });
        }
        if let Some(token) = &self.token {
            let token = Token::Value(token.expose().into());
            return Ok(Authentication::Bearer(token));
        }
        if let Some(path) = &self.token_file {
            return Ok(Authentication::Bearer(Token::File(path.clone())));
        }
        if let (Some(client_id), Some(token_url)) = (&self.client_id, &self.token_url) {
            let (secret, file) = (&self.client_secret, &self.client_secret_file);
            return Ok(Authentication::ClientCredentials {
                token_url: self.address("token_url", token_url)?,
                client_id: client_id.clone(),
                client_secret: self.secret("client_secret_file", secret, file)?,
                scope: self.scope.clone(),
            });
        }
        Ok(Authentication::None)
    }

    fn secret(
        &self,
        key: &'static str,
        secret: &Option<Secret>,
        file: &Option<PathBuf>,
    ) -> Result<SecretString, BackEndSetupError> {
        match (secret, file) {
            (Some(secret), _) => Ok(secret.expose().into()),
            (None, Some(path)) => match std::fs::read_to_string(path) {
                Ok(text) => Ok(text.trim_end_matches(['\r', '\n']).into()),
                Err(source) => Err(BackEndSetupError::Secret {
                    section: self.section.clone(),
                    key,
                    path: path.clone(),
                    source,
                }),
            },
            // Reading the configuration has refused it.
            (None, None) => Ok(String::new().into()),
        }
    }

    fn address(&self, key: &'static str, text: &str) -> Result<url::Url, BackEndSetupError> {
        text.parse().map_err(|source| BackEndSetupError::Address {
            section: self.section.clone(),
            key,
            source,
        })
    }
}

impl Connection {
    /// For sections whose authentication is their own; `uses_tls` is false when their address is
    /// plain HTTP.
    pub(super) fn read(
        section: &mut Section<'_>,
        default_timeout_seconds: u64,
        uses_tls: bool,
    ) -> Self {
        let has_key = section.is_set("client_key_file");
        let has_certificate = section.is_set("client_certificate_file");
        let ca_file = section.file("ca_file");
        let certificate = section.file("client_certificate_file");
        let key = section.file("client_key_file");
        if let (Some(certificate), false) = (&certificate, has_key) {
            let other = section.full_name("client_key_file");
            let text = format!("needs {other}, the certificate's key, beside it");
            section.mistake("client_certificate_file", &certificate.place, text);
        }
        if let (Some(key), false) = (&key, has_certificate) {
            let other = section.full_name("client_certificate_file");
            let text = format!("needs {other}, the key's certificate, beside it");
            section.mistake("client_key_file", &key.place, text);
        }
        for (name, file) in [
            ("ca_file", &ca_file),
            ("client_certificate_file", &certificate),
        ] {
            if let (Some(file), false) = (file, uses_tls) {
                let url = section.full_name("url");
                let text = format!("is of no use: {url} does not begin with https:");
                section.mistake(name, &file.place, text);
            }
        }
        Self {
            ca_file: value(ca_file),
            client_certificate_file: value(certificate),
            client_key_file: value(key),
            timeout_seconds: value(section.integer("timeout_seconds", 1..=600))
                .unwrap_or(default_timeout_seconds),
            connect_timeout_seconds: value(section.integer("connect_timeout_seconds", 1..=60))
                .unwrap_or(3),
            attempts: value(section.integer("attempts", 1..=10)).unwrap_or(3),
        }
    }

    /// Changes what is configured here, and nothing of who calls.
    pub(crate) fn apply(&self, settings: &mut BackEndSettings) {
        settings.connect_timeout = Duration::from_secs(self.connect_timeout_seconds);
        settings.timeout = Duration::from_secs(self.timeout_seconds);
        settings.attempts = self.attempts;
        settings.trust = match &self.ca_file {
            Some(path) => Trust::CertificateAuthority(path.clone()),
            None => Trust::System,
        };
        settings.client_certificate = match (&self.client_certificate_file, &self.client_key_file) {
            (Some(certificate), Some(key)) => Some(ClientCertificate {
                certificate_file: certificate.clone(),
                key_file: key.clone(),
            }),
            _ => None,
        };
    }
}

fn place<T>(set: &Option<Set<T>>) -> Option<&Place> {
    set.as_ref().map(|set| &set.place)
}

/// Ways to say who calls, with their settings; the first has to be there.
const KINDS: [&[&str]; 3] = [
    &["username", "password", "password_file"],
    &["token", "token_file"],
    &[
        "client_id",
        "client_secret",
        "client_secret_file",
        "token_url",
        "scope",
    ],
];

/// Settings of which one is needed when the first is made: with a description of it.
const NEEDED: [(&str, &[&str], &str); 7] = [
    (
        "username",
        &["password_file", "password"],
        "the user's password",
    ),
    ("password", &["username"], "whose password it is"),
    ("password_file", &["username"], "whose password it is"),
    (
        "client_id",
        &["client_secret_file", "client_secret"],
        "the client's secret",
    ),
    ("client_id", &["token_url"], "where tokens are issued"),
    (
        "token_url",
        &["client_id"],
        "the client that gets tokens there",
    ),
    ("scope", &["client_id"], "the client that asks for it"),
];

/// Pairs that say the same.
const SAME: [(&str, &str); 3] = [
    ("password", "password_file"),
    ("token", "token_file"),
    ("client_secret", "client_secret_file"),
];

/// Which settings are made, rightly or not.
struct Present {
    keys: Vec<&'static str>,
}

impl Present {
    fn of(section: &Section<'_>) -> Self {
        let keys = KINDS.iter().copied().flatten().copied().chain(["url"]);
        Self {
            keys: keys.filter(|key| section.is_set(key)).collect(),
        }
    }

    fn has(&self, key: &str) -> bool {
        self.keys.contains(&key)
    }

    /// `given` are those that could be read, with their places.
    fn check(&self, section: &Section<'_>, given: &[(&'static str, &Place)]) {
        let mistake = |key: &str, text: String| {
            if let Some((_, place)) = given.iter().find(|(given, _)| *given == key) {
                section.mistake(key, place, text);
            }
        };
        if !self.has("url")
            && let Some((key, _)) = given.first()
        {
            let text = format!("is of no use without {}", section.full_name("url"));
            mistake(key, text);
        }
        for (first, second) in SAME {
            if self.has(first) {
                let other = section.full_name(first);
                mistake(
                    second,
                    format!("is set beside {other}; keep one of the two"),
                );
            }
        }
        for (key, needed, what) in NEEDED {
            if needed.iter().any(|needed| self.has(needed)) {
                continue;
            }
            let names: Vec<String> = needed.iter().map(|key| section.full_name(key)).collect();
            mistake(
                key,
                format!("needs {}, {what}, beside it", names.join(" or ")),
            );
        }
        let first_of = |kind: &&[&'static str]| kind.iter().find(|key| self.has(key)).copied();
        let mut kinds = KINDS.iter().filter_map(first_of);
        let Some(first) = kinds.next() else { return };
        for another in kinds {
            let other = section.full_name(first);
            let text = format!("is another way to say who calls than {other}; keep one of them");
            mistake(another, text);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::super::mistake::ConfigurationError;
    use super::super::super::reader::Reader;
    use super::super::super::source::Source;
    use super::*;

    fn read(folder: &Path, text: &str) -> Result<BackEnd, Vec<String>> {
        let file = folder.join("mediator.toml");
        std::fs::write(&file, format!("[fhir]\n{text}")).unwrap();
        let mut source = Source::default();
        source.add_file(&file).unwrap();
        let reader = Reader::default();
        let back_end = {
            let mut root = reader.root(source);
            BackEnd::read(&mut root.section("fhir"), 10)
        };
        match reader.finish() {
            Ok(()) => Ok(back_end),
            Err(ConfigurationError::Mistakes(mistakes)) => {
                Err(mistakes.into_iter().map(|mistake| mistake.text).collect())
            }
            Err(error) => panic!("{error}"),
        }
    }

    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("secret"), "s3cret\n").unwrap();
        folder
    }

    #[test]
    fn without_url_there_is_no_back_end() {
        let folder = folder();
        let back_end = read(folder.path(), "timeout_seconds = 5").unwrap();
        assert!(back_end.client("FHIR server").unwrap().is_none());
        let shown = toml::to_string(&back_end).unwrap();
        assert_eq!(read(folder.path(), &shown).unwrap(), back_end);
    }

    #[test]
    fn each_way_of_authentication_is_read() {
        let folder = folder();
        for (text, expected) in [
            ("", "None"),
            ("username = 'u'\npassword_file = 'secret'", "Basic"),
            ("token_file = 'secret'", "Bearer(File"),
            ("token = 's3cret'", "Bearer(Value"),
            (
                "client_id = 'c'\nclient_secret_file = 'secret'\ntoken_url = 'http://k/token'\nscope = 'a b'",
                "ClientCredentials",
            ),
        ] {
            let text = format!("url = 'https://h/fhir'\nattempts = 2\n{text}");
            let back_end = read(folder.path(), &text).unwrap();
            let settings = back_end.settings("FHIR server").unwrap().unwrap();
            assert_eq!((settings.attempts, settings.timeout.as_secs()), (2, 10));
            let shown = format!("{:?}", settings.authentication);
            assert!(shown.starts_with(expected), "{shown}");
            assert!(!shown.contains("s3cret"), "{shown}");
            assert!(!toml::to_string(&back_end).unwrap().contains("s3cret"));
        }
    }

    #[test]
    fn secrets_of_files_are_without_the_line_break() {
        use secrecy::ExposeSecret as _;
        let folder = folder();
        let text = "url = 'https://h'\nusername = 'u'\npassword_file = 'secret'";
        let settings = read(folder.path(), text).unwrap().settings("x").unwrap();
        let Some(Authentication::Basic { password, .. }) =
            settings.map(|settings| settings.authentication)
        else {
            panic!("basic")
        };
        assert_eq!(password.expose_secret(), "s3cret");
    }

    #[test]
    fn all_mistakes_are_told() {
        let folder = folder();
        let mistakes = |text: &str| read(folder.path(), text).unwrap_err();
        assert_eq!(
            mistakes(
                "url = 'https://h'\nusername = 'u'\ntoken_file = 'secret'\nscope = 'x'\nclient_key_file = 'secret'"
            ),
            [
                "fhir.username needs fhir.password_file or fhir.password, the user's password, beside it",
                "fhir.token_file is another way to say who calls than fhir.username; keep one of them",
                "fhir.scope is another way to say who calls than fhir.username; keep one of them",
                "fhir.scope needs fhir.client_id, the client that asks for it, beside it",
                "fhir.client_key_file needs fhir.client_certificate_file, the key's certificate, beside it",
            ]
        );
        assert_eq!(
            mistakes("token = 'a'\ntoken_file = 'secret'"),
            [
                "fhir.token is of no use without fhir.url",
                "fhir.token_file is set beside fhir.token; keep one of the two",
            ]
        );
        assert_eq!(
            mistakes("url = 'http://h'\nca_file = 'secret'\nattempts = 0"),
            [
                "fhir.ca_file is of no use: fhir.url does not begin with https:",
                "fhir.attempts must be a whole number from 1 to 10, not 0",
            ]
        );
        let told = mistakes("url = 'https://user:s3cret@h'");
        assert!(told.len() == 1 && !told[0].contains("s3cret"), "{told:?}");
    }
}
