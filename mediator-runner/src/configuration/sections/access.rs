use std::path::PathBuf;

use mediator_core::authentication::TokenAlgorithm;
use serde::{Serialize, Serializer};

use super::super::reader::Section;
use super::super::secret::Secret;
use super::{url, value};

/// Who may do what. Without any of the three ways to show who one is, everyone may do everything.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Access {
    /// Lifts what `serve` asks for outside of loopback.
    pub(crate) everyone_may_issue: bool,
    /// Whether verifying takes no permission.
    pub(crate) everyone_may_verify: bool,
    /// Bad credentials from one address after which others are not looked at; 0 for no limit.
    pub(crate) failed_attempts_per_minute: u32,
    pub(crate) tokens: Tokens,
    pub(crate) client_certificates: Permissions,
    pub(crate) openhim: OpenHimAccess,
}

/// Bearer tokens of an OpenID Connect provider; without `issuer` none are taken.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Tokens {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) issuer: Option<String>,
    pub(crate) audience: String,
    /// Whose roles count.
    pub(crate) roles_of: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) jwks_url: Option<String>,
    /// PEM.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ca_file: Option<PathBuf>,
    pub(crate) allow_plain_http: bool,
    /// The only clients whose tokens are taken; empty: all of them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) clients: Vec<String>,
    #[serde(serialize_with = "algorithm_names")]
    pub(crate) algorithms: Vec<TokenAlgorithm>,
    pub(crate) leeway_seconds: u64,
    pub(crate) refresh_keys_seconds: u64,
    pub(crate) keep_keys_hours: u64,
    #[serde(flatten)]
    pub(crate) permissions: Permissions,
}

/// OpenHIM core as somebody who is believed; without certificates and user it is not.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct OpenHimAccess {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) certificates: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) username: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) password: Option<Secret>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) password_file: Option<PathBuf>,
    #[serde(flatten)]
    pub(crate) permissions: Permissions,
}

/// Who has each permission, by name.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(crate) struct Permissions {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) issue: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) revoke: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) read: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) verify: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) administer: Vec<String>,
}

impl Access {
    pub(super) fn read(section: &mut Section<'_>) -> Self {
        let everyone_may_issue = section.boolean("everyone_may_issue");
        let access = Self {
            everyone_may_issue: everyone_may_issue
                .as_ref()
                .is_some_and(|allowed| allowed.value),
            failed_attempts_per_minute: value(
                section.integer("failed_attempts_per_minute", 0..=100_000),
            )
            .unwrap_or(60),
            everyone_may_verify: value(section.boolean("everyone_may_verify")).unwrap_or(true),
            tokens: Tokens::read(&mut section.section("tokens")),
            client_certificates: Permissions::read(
                &mut section.section("client_certificates"),
                &Permissions::default(),
            ),
            openhim: OpenHimAccess::read(&mut section.section("openhim")),
        };
        if let Some(allowed) = everyone_may_issue.filter(|allowed| allowed.value)
            && access.is_restricted()
        {
            let text = "contradicts the ways to show who one is that are set under access; keep one of the two";
            section.mistake("everyone_may_issue", &allowed.place, text);
        }
        access
    }

    /// Whether permissions are asked for at all.
    pub(crate) fn is_restricted(&self) -> bool {
        self.tokens.issuer.is_some()
            || self.client_certificates != Permissions::default()
            || self.openhim.is_set()
    }
}

impl Tokens {
    fn read(section: &mut Section<'_>) -> Self {
        let audience = value(section.text("audience"));
        let audience = audience.unwrap_or_else(|| "ddcc-mediator".to_owned());
        let names: Vec<_> = TokenAlgorithm::ALL
            .iter()
            .map(|algorithm| format!("{:?}", algorithm.as_str()))
            .collect();
        let algorithm = |word: &str| {
            let mut all = TokenAlgorithm::ALL.into_iter();
            all.find(|algorithm| algorithm.as_str() == word)
        };
        let own_name = |name: &str| vec![name.to_owned()];
        Self {
            issuer: value(section.parsed("issuer", issuer)),
            roles_of: value(section.text("roles_of")).unwrap_or_else(|| audience.clone()),
            audience,
            jwks_url: value(section.parsed("jwks_url", |text| url(text, &["http", "https"]))),
            ca_file: value(section.file("ca_file")),
            allow_plain_http: value(section.boolean("allow_plain_http")).unwrap_or(false),
            clients: names_of(section, "clients").unwrap_or_default(),
            algorithms: value(section.words("algorithms", algorithm, &names.join(", ")))
                .unwrap_or_else(|| TokenAlgorithm::ALL.to_vec()),
            leeway_seconds: value(section.integer("leeway_seconds", 0..=300)).unwrap_or(30),
            refresh_keys_seconds: value(section.integer("refresh_keys_seconds", 10..=86_400))
                .unwrap_or(300),
            keep_keys_hours: value(section.integer("keep_keys_hours", 1..=720)).unwrap_or(24),
            permissions: Permissions::read(
                section,
                &Permissions {
                    issue: own_name("issue"),
                    revoke: own_name("revoke"),
                    read: own_name("read"),
                    verify: own_name("verify"),
                    administer: own_name("administer"),
                },
            ),
        }
    }
}

impl OpenHimAccess {
    fn read(section: &mut Section<'_>) -> Self {
        let username = section.text("username");
        let has_password = section.is_set("password") || section.is_set("password_file");
        let password = section.secret("password");
        let password_file = section.file("password_file");
        section.keep_one(("password", &password), ("password_file", &password_file));
        if let Some(username) = &username
            && !has_password
        {
            let text = "needs access.openhim.password_file (or access.openhim.password) beside it";
            section.mistake("username", &username.place, text);
        }
        let given = [
            password.as_ref().map(|set| ("password", &set.place)),
            password_file
                .as_ref()
                .map(|set| ("password_file", &set.place)),
        ];
        if username.is_none()
            && let Some((key, place)) = given.into_iter().flatten().next()
        {
            let text = "needs access.openhim.username beside it";
            section.mistake(key, place, text);
        }
        let anyone = || vec!["*".to_owned()];
        Self {
            certificates: names_of(section, "certificates").unwrap_or_default(),
            username: value(username),
            password: value(password),
            password_file: value(password_file),
            permissions: Permissions::read(
                section,
                &Permissions {
                    issue: anyone(),
                    read: anyone(),
                    verify: anyone(),
                    ..Permissions::default()
                },
            ),
        }
    }

    /// Whether core can show that it is core.
    pub(crate) fn is_set(&self) -> bool {
        !self.certificates.is_empty() || self.username.is_some()
    }
}

impl Permissions {
    fn read(section: &mut Section<'_>, defaults: &Self) -> Self {
        let mut names = |key: &'static str, default: &Vec<String>| {
            names_of(section, key).unwrap_or_else(|| default.clone())
        };
        Self {
            issue: names("issue", &defaults.issue),
            revoke: names("revoke", &defaults.revoke),
            read: names("read", &defaults.read),
            verify: names("verify", &defaults.verify),
            administer: names("administer", &defaults.administer),
        }
    }
}

fn names_of(section: &mut Section<'_>, key: &'static str) -> Option<Vec<String>> {
    let name = |word: &str| (!word.is_empty()).then(|| word.to_owned());
    value(section.words(key, name, "names"))
}

/// As it stands in tokens: some issuers end with a slash.
fn issuer(text: &str) -> Result<String, String> {
    let without_slash = text.strip_suffix('/').unwrap_or(text);
    url(without_slash, &["http", "https"]).map_err(|_| {
        "an http or https URL, exactly as in the tokens' iss, such as \"https://login.example.org/realms/ddcc\"".to_owned()
    })?;
    Ok(text.to_owned())
}

fn algorithm_names<S: Serializer>(
    algorithms: &[TokenAlgorithm],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(algorithms.iter().map(|algorithm| algorithm.as_str()))
}
