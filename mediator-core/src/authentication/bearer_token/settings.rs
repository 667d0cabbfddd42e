use std::time::Duration;

use url::{Host, Url};

use crate::back_end::Trust;

/// Whose tokens are taken, and which.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BearerTokenSettings {
    /// Who issues them, exactly as in their `iss`: `https://login.example.org/realms/health`.
    pub issuer: String,
    /// What their `aud` must have among its values.
    pub audience: String,
    /// The client whose roles in `resource_access` count. Of other clients' roles nothing is known
    /// here.
    pub roles_of: String,
    /// The only clients (`azp`) that tokens are taken from; empty: whoever the issuer gives tokens
    /// for the audience to.
    pub authorized_parties: Vec<String>,
    /// Where the issuer's public keys are (RFC 7517). Without it, where the issuer's discovery
    /// document says.
    pub jwks_url: Option<Url>,
    /// Whose certificates those addresses may have.
    pub trust: Trust,
    /// Lets keys come over plain HTTP from other machines: whoever is in between can then make
    /// tokens.
    pub allow_plain_http: bool,
    /// How they may be signed.
    pub algorithms: Vec<TokenAlgorithm>,
    /// How far the issuer's clock may be from ours.
    pub leeway: Duration,
    /// A longer token is refused unread.
    pub maximum_token_bytes: usize,
    /// Keys are asked for again when they are older than this: so long does it take until a key
    /// that the issuer takes back is no longer good.
    pub keys_refresh: Duration,
    /// Keys are good for so long when the issuer cannot be reached.
    pub keys_kept: Duration,
    /// How long after one attempt to get keys the next begins at the earliest. Tokens of keys that
    /// nobody knows cause no more requests than this.
    pub keys_pause: Duration,
    /// How long one attempt waits for each document at most; it asks up to three times.
    pub keys_timeout: Duration,
}

impl BearerTokenSettings {
    /// Tokens of this issuer for this audience, which is also the client whose roles count.
    ///
    /// RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384 and EdDSA, 30 s for clocks, tokens up
    /// to 16 KiB; keys are refreshed after 5 minutes and kept for a day, with 10 s between attempts
    /// that take 5 s at most.
    #[must_use]
    pub fn new(issuer: impl Into<String>, audience: impl Into<String>) -> Self {
        let audience = audience.into();
        Self {
            issuer: issuer.into(),
            roles_of: audience.clone(),
            audience,
            authorized_parties: Vec::new(),
            jwks_url: None,
            trust: Trust::System,
            allow_plain_http: false,
            algorithms: TokenAlgorithm::ALL.to_vec(),
            leeway: Duration::from_secs(30),
            maximum_token_bytes: 16 * 1024,
            keys_refresh: Duration::from_secs(5 * 60),
            keys_kept: Duration::from_secs(24 * 60 * 60),
            keys_pause: Duration::from_secs(10),
            keys_timeout: Duration::from_secs(5),
        }
    }

    /// Whether nobody in between can change what comes from there, as far as the settings want that.
    pub(super) fn is_trusted(&self, url: &Url) -> bool {
        let is_loopback = match url.host() {
            Some(Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        };
        match url.scheme() {
            "https" => true,
            "http" => is_loopback || self.allow_plain_http,
            _ => false,
        }
    }
}

/// How a token is signed: with a key pair. What is made with a shared secret (`HS256`), and `none`,
/// cannot be expressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[allow(
    missing_docs,
    reason = "RFC 7518, section 3.1, and RFC 8037 say what they are"
)]
pub enum TokenAlgorithm {
    Rs256,
    Rs384,
    Rs512,
    Ps256,
    Ps384,
    Ps512,
    Es256,
    Es384,
    EdDsa,
}

impl TokenAlgorithm {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Rs256,
        Self::Rs384,
        Self::Rs512,
        Self::Ps256,
        Self::Ps384,
        Self::Ps512,
        Self::Es256,
        Self::Es384,
        Self::EdDsa,
    ];

    /// As in the `alg` of a header.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Rs384 => "RS384",
            Self::Rs512 => "RS512",
            Self::Ps256 => "PS256",
            Self::Ps384 => "PS384",
            Self::Ps512 => "PS512",
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::EdDsa => "EdDSA",
        }
    }

    pub(super) fn of(algorithm: jsonwebtoken::Algorithm) -> Option<Self> {
        use jsonwebtoken::Algorithm;
        Some(match algorithm {
            Algorithm::RS256 => Self::Rs256,
            Algorithm::RS384 => Self::Rs384,
            Algorithm::RS512 => Self::Rs512,
            Algorithm::PS256 => Self::Ps256,
            Algorithm::PS384 => Self::Ps384,
            Algorithm::PS512 => Self::Ps512,
            Algorithm::ES256 => Self::Es256,
            Algorithm::ES384 => Self::Es384,
            Algorithm::EdDSA => Self::EdDsa,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn keys_come_from_where_nobody_can_change_them() {
        let mut settings = BearerTokenSettings::new("https://login.example/realms/x", "mediator");
        for (url, expected) in [
            ("https://login.example/certs", true),
            ("http://127.0.0.1:8080/certs", true),
            ("http://[::1]:8080/certs", true),
            ("http://localhost/certs", true),
            ("http://login.example/certs", false),
            ("http://127.0.0.1.example/certs", false),
            ("file:///etc/certs", false),
        ] {
            assert_eq!(
                settings.is_trusted(&url.parse().unwrap()),
                expected,
                "{url}"
            );
        }
        settings.allow_plain_http = true;
        assert!(settings.is_trusted(&"http://login.example/certs".parse().unwrap()));
        assert!(!settings.is_trusted(&"file:///etc/certs".parse().unwrap()));
    }
}
