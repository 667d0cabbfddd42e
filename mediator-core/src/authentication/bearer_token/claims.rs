use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Error as _, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// What a token says, as far as it counts here. A claim that is there twice makes it unreadable (RFC
/// 7519, section 4): parsers differ in which of the two they take.
#[derive(Deserialize)]
pub(super) struct Claims {
    pub(super) iss: String,
    pub(super) sub: Option<String>,
    /// OpenID Connect Core, section 2: the client that it was given to.
    pub(super) azp: Option<String>,
    /// The same in RFC 9068.
    pub(super) client_id: Option<String>,
    /// Keycloak's own: `Bearer`, `ID`, `Refresh` …
    pub(super) typ: Option<String>,
    #[serde(default)]
    pub(super) scope: String,
    #[serde(default)]
    pub(super) realm_access: Roles,
    #[serde(default)]
    pub(super) resource_access: ClientRoles,
    pub(super) cnf: Option<Confirmation>,
    /// Checked by the library; here so that they are not there twice.
    #[serde(rename = "aud")]
    _aud: IgnoredAny,
    #[serde(rename = "exp")]
    _exp: IgnoredAny,
    #[serde(rename = "nbf", default)]
    _nbf: IgnoredAny,
    #[serde(rename = "iat", default)]
    _iat: IgnoredAny,
}

#[derive(Default, Deserialize)]
pub(super) struct Roles {
    #[serde(default)]
    pub(super) roles: Vec<String>,
}

/// By client.
#[derive(Default)]
pub(super) struct ClientRoles(pub(super) BTreeMap<String, Roles>);

/// To whom the token is bound (RFC 7800).
#[derive(Deserialize)]
pub(super) struct Confirmation {
    /// RFC 8705: SHA-256 of the client's certificate, base64url.
    #[serde(rename = "x5t#S256")]
    pub(super) certificate: Option<String>,
    /// RFC 9449.
    pub(super) jkt: Option<IgnoredAny>,
}

impl<'de> Deserialize<'de> for ClientRoles {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct EachOnce;

        impl<'de> Visitor<'de> for EachOnce {
            type Value = ClientRoles;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("roles by client")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<ClientRoles, A::Error> {
                let mut clients = BTreeMap::new();
                while let Some((client, roles)) = map.next_entry::<String, Roles>()? {
                    if clients.insert(client, roles).is_some() {
                        return Err(A::Error::custom("a client is there twice"));
                    }
                }
                Ok(ClientRoles(clients))
            }
        }

        deserializer.deserialize_map(EachOnce)
    }
}
