use std::path::PathBuf;

use mediator_ddcc::signing::vault::{VaultLogin, VaultSecret};
use serde::Serialize;

use super::super::super::mistake::Place;
use super::super::super::reader::{Section, Set};
use super::super::super::secret::Secret;
use super::super::back_end::Connection;
use super::super::{url, value};

/// A key of Vault that signs; without `url` there is none.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Vault {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) namespace: Option<String>,
    /// Where the engine transit is mounted.
    pub(crate) mount: String,
    /// Name of the key.
    pub(crate) key: String,
    #[serde(flatten)]
    pub(crate) login: Login,
    /// How many signatures may wait.
    pub(crate) maximum_waiting: usize,
    /// The longest wait for one, all attempts together.
    pub(crate) wait_seconds: u64,
    /// How long `serve` waits for Vault before it gives up starting.
    pub(crate) start_wait_seconds: u64,
    #[serde(flatten)]
    pub(crate) connection: Connection,
    pub(crate) pki: Pki,
}

/// Who asks. One of `token…`, `role_id`, `kubernetes_role` and `jwt_role` tells how.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Login {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) token: Option<Secret>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) token_file: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) role_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) secret_id: Option<Secret>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) secret_id_file: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) kubernetes_role: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) kubernetes_token_file: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) jwt_role: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) jwt: Option<Secret>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) jwt_file: Option<PathBuf>,
    /// Where the method is mounted, if not at its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) login_mount: Option<String>,
}

/// Vault's engine pki as the country signing authority; without `role` it is none.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Pki {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) role: Option<String>,
    pub(crate) mount: String,
    /// Everything as in the request, not as in the role.
    pub(crate) sign_verbatim: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ttl: Option<String>,
    pub(crate) renew_before_days: u32,
}

impl Vault {
    /// `other`: a setting that says that the keys are elsewhere.
    pub(super) fn read(section: &mut Section<'_>, other: Option<&str>) -> Self {
        let has_url = section.is_set("url");
        let url = section.parsed("url", |text| url(text, &["http", "https"]));
        if let (Some(url), Some(other)) = (&url, other) {
            let text = format!("is set beside {other}; keep one of the two");
            section.mistake("url", &url.place, text);
        }
        let uses_tls = url
            .as_ref()
            .is_none_or(|url| url.value.starts_with("https:"));
        let login = Login::read(section, has_url, url.as_ref().map(|url| &url.place));
        let pki = Pki::read(&mut section.section("pki"), has_url);
        Self {
            url: value(url),
            namespace: value(section.text("namespace")),
            mount: value(section.parsed("mount", path_name)).unwrap_or_else(|| "transit".into()),
            key: value(section.parsed("key", name)).unwrap_or_else(|| "document-signer".into()),
            login,
            maximum_waiting: value(section.integer("maximum_waiting", 1..=100_000)).unwrap_or(1024),
            wait_seconds: value(section.integer("wait_seconds", 1..=600)).unwrap_or(10),
            start_wait_seconds: value(section.integer("start_wait_seconds", 0..=86_400))
                .unwrap_or(60),
            connection: Connection::read(section, 5, uses_tls),
            pki,
        }
    }
}

impl Login {
    fn read(section: &mut Section<'_>, has_url: bool, url: Option<&Place>) -> Self {
        let token = section.secret("token");
        let token_file = section.path("token_file");
        let role_id = section.text("role_id");
        let secret_id = section.secret("secret_id");
        let secret_id_file = section.path("secret_id_file");
        let kubernetes_role = section.text("kubernetes_role");
        let kubernetes_token_file = section.path("kubernetes_token_file");
        let jwt_role = section.text("jwt_role");
        let jwt = section.secret("jwt");
        let jwt_file = section.path("jwt_file");
        let login_mount = section.parsed("login_mount", path_name);

        check_ways(
            section,
            has_url,
            url,
            &[
                ("token", place(&token)),
                ("token_file", place(&token_file)),
                ("role_id", place(&role_id)),
                ("kubernetes_role", place(&kubernetes_role)),
                ("jwt_role", place(&jwt_role)),
            ],
        );
        check_secret(
            section,
            [
                ("role_id", place(&role_id)),
                ("secret_id", place(&secret_id)),
                ("secret_id_file", place(&secret_id_file)),
            ],
        );
        check_secret(
            section,
            [
                ("jwt_role", place(&jwt_role)),
                ("jwt", place(&jwt)),
                ("jwt_file", place(&jwt_file)),
            ],
        );
        Self {
            token: value(token),
            token_file: value(token_file),
            role_id: value(role_id),
            secret_id: value(secret_id),
            secret_id_file: value(secret_id_file),
            kubernetes_role: value(kubernetes_role),
            kubernetes_token_file: value(kubernetes_token_file),
            jwt_role: value(jwt_role),
            jwt: value(jwt),
            jwt_file: value(jwt_file),
            login_mount: value(login_mount),
        }
    }

    /// For the client; nothing where no way is configured.
    pub(crate) fn settings(&self) -> Option<VaultLogin> {
        let mount = |default: &str| {
            let configured = self.login_mount.clone();
            configured.unwrap_or_else(|| default.to_owned())
        };
        if let Some(token) = secret(&self.token, &self.token_file) {
            return Some(VaultLogin::Token(token));
        }
        if let Some(role_id) = &self.role_id {
            return Some(VaultLogin::AppRole {
                mount: mount("approle"),
                role_id: role_id.clone(),
                secret_id: secret(&self.secret_id, &self.secret_id_file)?,
            });
        }
        if let Some(role) = &self.kubernetes_role {
            let file = self.kubernetes_token_file.clone();
            return Some(VaultLogin::Kubernetes {
                mount: mount("kubernetes"),
                role: role.clone(),
                token_file: file.unwrap_or_else(|| VaultLogin::SERVICE_ACCOUNT_TOKEN.into()),
            });
        }
        Some(VaultLogin::Jwt {
            mount: mount("jwt"),
            role: self.jwt_role.clone()?,
            token: secret(&self.jwt, &self.jwt_file)?,
        })
    }
}

impl Pki {
    fn read(section: &mut Section<'_>, has_url: bool) -> Self {
        let role = section.parsed("role", name);
        if let (Some(role), false) = (&role, has_url) {
            section.mistake(
                "role",
                &role.place,
                "is of no use without signing.vault.url",
            );
        }
        Self {
            role: value(role),
            mount: value(section.parsed("mount", path_name)).unwrap_or_else(|| "pki".into()),
            sign_verbatim: value(section.boolean("sign_verbatim")).unwrap_or(false),
            ttl: value(section.parsed("ttl", duration)),
            renew_before_days: value(section.integer("renew_before_days", 1..=3650)).unwrap_or(30),
        }
    }
}

/// One way to log on, where there is a Vault.
fn check_ways(
    section: &Section<'_>,
    has_url: bool,
    url: Option<&Place>,
    ways: &[(&'static str, Option<&Place>)],
) {
    let mut given = ways
        .iter()
        .filter_map(|(key, place)| Some((*key, (*place)?)));
    let Some((first, place)) = given.next() else {
        if let Some(url) = url {
            let text =
                "needs a way to log on beside it: token_file, role_id, kubernetes_role or jwt_role";
            section.mistake("url", url, text);
        }
        return;
    };
    if !has_url {
        section.mistake(first, place, "is of no use without signing.vault.url");
    }
    for (another, place) in given {
        let first = section.full_name(first);
        let text = format!("is another way to log on than {first}; keep one of them");
        section.mistake(another, place, text);
    }
}

/// A role with its secret, or with the file of it.
fn check_secret(section: &Section<'_>, given: [(&'static str, Option<&Place>); 3]) {
    let [
        (role, role_place),
        (secret, secret_place),
        (file, file_place),
    ] = given;
    if let (Some(_), Some(place)) = (secret_place, file_place) {
        let text = format!(
            "is set beside {}; keep one of the two",
            section.full_name(secret)
        );
        section.mistake(file, place, text);
    }
    match (
        role_place,
        secret_place
            .map(|place| (secret, place))
            .or(file_place.map(|place| (file, place))),
    ) {
        (Some(place), None) => {
            let text = format!("needs {} beside it", section.full_name(file));
            section.mistake(role, place, text);
        }
        (None, Some((key, place))) => {
            let text = format!("needs {} beside it", section.full_name(role));
            section.mistake(key, place, text);
        }
        _ => {}
    }
}

fn place<T>(set: &Option<Set<T>>) -> Option<&Place> {
    set.as_ref().map(|set| &set.place)
}

fn secret(value: &Option<Secret>, file: &Option<PathBuf>) -> Option<VaultSecret> {
    match (value, file) {
        (Some(secret), _) => Some(VaultSecret::Value(secret.expose().into())),
        (None, Some(file)) => Some(VaultSecret::File(file.clone())),
        (None, None) => None,
    }
}

fn name(text: &str) -> Result<String, String> {
    if text.contains('/') {
        return Err("a name in Vault: letters, digits, `-`, `_` and `.`".to_owned());
    }
    path_name(text)
}

fn path_name(text: &str) -> Result<String, String> {
    let is_good = |part: &str| {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        !part.trim_matches('.').is_empty() && part.bytes().all(is_plain)
    };
    if text.split('/').all(is_good) {
        Ok(text.to_owned())
    } else {
        Err(
            "a path in Vault without a slash at its ends: letters, digits, `-`, `_`, `.` and `/`"
                .to_owned(),
        )
    }
}

fn duration(text: &str) -> Result<String, String> {
    let number = text.trim_end_matches(['s', 'm', 'h', 'd']);
    let has_unit = text.len() == number.len() + 1;
    if has_unit && number.parse::<u32>().is_ok_and(|number| number > 0) {
        Ok(text.to_owned())
    } else {
        Err("a time of Vault, such as \"8760h\"".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::super::super::mistake::ConfigurationError;
    use super::super::super::super::reader::Reader;
    use super::super::super::super::source::Source;
    use super::*;

    fn read(text: &str) -> Result<Vault, Vec<String>> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("mediator.toml");
        std::fs::write(&file, format!("[signing.vault]\n{text}")).unwrap();
        let mut source = Source::default();
        source.add_file(&file).unwrap();
        let reader = Reader::default();
        let vault = {
            let mut root = reader.root(source);
            Vault::read(&mut root.section("signing").section("vault"), None)
        };
        match reader.finish() {
            Ok(()) => Ok(vault),
            Err(ConfigurationError::Mistakes(mistakes)) => {
                Err(mistakes.into_iter().map(|mistake| mistake.text).collect())
            }
            Err(error) => panic!("{error}"),
        }
    }

    #[test]
    fn without_url_there_is_none() {
        let vault = read("").unwrap();
        assert_eq!(vault.url, None);
        assert!(vault.login.settings().is_none());
    }

    #[test]
    fn each_way_to_log_on_is_read() {
        for (text, expected) in [
            ("token = 'hunter2'", "Token(Value([redacted]))"),
            ("token_file = '/t'", "Token(File(\"/t\"))"),
            (
                "role_id = 'r'\nsecret_id_file = '/s'",
                "AppRole { mount: \"approle\", role_id: \"r\", secret_id: File(\"/s\") }",
            ),
            (
                "kubernetes_role = 'r'\nlogin_mount = 'clusters/one'",
                "Kubernetes { mount: \"clusters/one\", role: \"r\", token_file: \"/var/run/secrets/kubernetes.io/serviceaccount/token\" }",
            ),
            (
                "jwt_role = 'r'\njwt = 'hunter2'",
                "Jwt { mount: \"jwt\", role: \"r\", token: Value([redacted]) }",
            ),
        ] {
            let vault = read(&format!("url = 'https://vault:8200'\n{text}")).unwrap();
            assert_eq!(format!("{:?}", vault.login.settings().unwrap()), expected);
            let shown = toml::to_string(&vault).unwrap();
            assert!(!shown.contains("hunter2"), "{shown}");
        }
    }

    #[test]
    fn all_mistakes_are_told() {
        let mistakes = |text: &str| read(text).unwrap_err();
        assert_eq!(
            mistakes("url = 'https://vault'"),
            [
                "signing.vault.url needs a way to log on beside it: token_file, role_id, kubernetes_role or jwt_role"
            ]
        );
        assert_eq!(
            mistakes("url = 'https://vault'\ntoken_file = '/t'\nrole_id = 'r'"),
            [
                "signing.vault.role_id is another way to log on than signing.vault.token_file; keep one of them",
                "signing.vault.role_id needs signing.vault.secret_id_file beside it",
            ]
        );
        assert_eq!(
            mistakes(
                "token_file = '/t'\nsecret_id = 's'\nkey = 'a/b'\n[signing.vault.pki]\nrole = 'dsc'\nttl = 'year'"
            ),
            [
                "signing.vault.token_file is of no use without signing.vault.url",
                "signing.vault.secret_id needs signing.vault.role_id beside it",
                "signing.vault.key must be a name in Vault: letters, digits, `-`, `_` and `.`",
                "signing.vault.pki.role is of no use without signing.vault.url",
                "signing.vault.pki.ttl must be a time of Vault, such as \"8760h\"",
            ]
        );
        assert_eq!(
            mistakes("url = 'http://vault'\njwt_role = 'r'\njwt = 'a'\njwt_file = '/j'\nca_file = '/none'").len(),
            2
        );
        assert!(Path::new(VaultLogin::SERVICE_ACCOUNT_TOKEN).is_absolute());
    }
}
