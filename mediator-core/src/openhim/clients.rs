use std::fmt;

use http::Method;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::authentication::hex_sha512;
use super::transactions::check_id;
use super::{Call, OpenHim, OpenHimError};
use crate::mediator_config::Secret;

/// A system that may send requests to core's channels.
///
/// ```
/// use mediator_core::openhim::Client;
///
/// let client = Client::new("hospital-1", "Hospital 1")
///     .role("hospital")
///     .password(&"correct horse".to_owned().into());
/// assert!(client.has_password(&"correct horse".to_owned().into()));
/// ```
#[derive(Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct Client {
    /// Core's identifier, once it has one.
    #[serde(rename = "_id", skip_serializing)]
    pub id: Option<String>,
    /// The name that it authenticates with; unique, and not the name of a role.
    #[serde(rename = "clientID")]
    pub client_id: String,
    /// What people call it.
    pub name: String,
    /// What it may do: the `allow` of channels.
    pub roles: Vec<String>,
    /// The name in its TLS certificate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_domain: Option<String>,
    /// SHA-1 fingerprint of its TLS certificate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cert_fingerprint: Option<String>,
    /// A token of its own (8.x); core tells only whether it is set.
    #[serde(rename = "customTokenID", skip_serializing_if = "Option::is_none")]
    pub custom_token: Option<Secret>,
    /// For people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub organization: Option<String>,
    /// For people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    /// For people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub software_name: Option<String>,
    /// For people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// For people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contact_person: Option<String>,
    /// For people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contact_person_email: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    password_algorithm: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    password_salt: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    password_hash: Option<Secret>,
    /// What else core says of it; not sent back.
    #[serde(flatten, skip_serializing)]
    pub other: Map<String, Value>,
}

impl Client {
    /// A client without roles and password.
    #[must_use]
    pub fn new(client_id: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            client_id: client_id.into(),
            name: name.into(),
            ..Self::default()
        }
    }

    /// Lets it use the channels that allow this role.
    #[must_use]
    pub fn role(mut self, role: impl Into<String>) -> Self {
        self.roles.push(role.into());
        self
    }

    /// Sets its password. Core gets a salted SHA-512 of it; a password itself it would ignore.
    #[must_use]
    pub fn password(self, password: &SecretString) -> Self {
        let salt = uuid::Uuid::new_v4().simple().to_string();
        let hash = hash(password, &salt);
        Self {
            password_algorithm: Some("sha512".to_owned()),
            password_hash: Some(Secret::from(hash.as_str())),
            password_salt: Some(salt),
            ..self
        }
    }

    /// Whether this is its password. False when another library hashed it in another way.
    #[must_use]
    pub fn has_password(&self, password: &SecretString) -> bool {
        match (
            self.password_algorithm.as_deref(),
            &self.password_salt,
            &self.password_hash,
        ) {
            (Some("sha512"), Some(salt), Some(known)) => hash(password, salt) == known.expose(),
            _ => false,
        }
    }
}

/// Password first: the other way round than core does it for users.
fn hash(password: &SecretString, salt: &str) -> String {
    hex_sha512(&[password.expose_secret(), salt])
}

/// Without what belongs to its password.
impl fmt::Debug for Client {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Client")
            .field("id", &self.id)
            .field("client_id", &self.client_id)
            .field("name", &self.name)
            .field("roles", &self.roles)
            .finish_non_exhaustive()
    }
}

/// Core's clients; see [`OpenHim::clients`].
///
/// Needs the permissions `client-view-all` and `client-manage-all` (4.x: the group `admin`).
#[derive(Debug, Clone, Copy)]
pub struct Clients<'a>(&'a OpenHim);

impl OpenHim {
    /// The systems that may send requests to core's channels.
    ///
    /// ```no_run
    /// # use mediator_core::openhim::{Client, OpenHim, OpenHimError};
    /// # async fn example(openhim: OpenHim) -> Result<(), OpenHimError> {
    /// let client = Client::new("hospital-1", "Hospital 1").role("hospital");
    /// openhim.clients().create(&client).await?;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn clients(&self) -> Clients<'_> {
        Clients(self)
    }
}

impl Clients<'_> {
    /// The clients that the user may see.
    ///
    /// # Errors
    /// As any call.
    pub async fn list(&self) -> Result<Vec<Client>, OpenHimError> {
        self.0.json(&Call::get("list clients", &["clients"])).await
    }

    /// The client that authenticates with this name, if there is one that the user may see.
    ///
    /// # Errors
    /// As any call.
    pub async fn find(&self, client_id: &str) -> Result<Option<Client>, OpenHimError> {
        let clients = self.list().await?;
        Ok(clients
            .into_iter()
            .find(|client| client.client_id == client_id))
    }

    /// The client with this identifier of core's.
    ///
    /// # Errors
    /// [`OpenHimError::NotFound`]; and as any call.
    pub async fn read(&self, id: &str) -> Result<Client, OpenHimError> {
        const OPERATION: &str = "read the client";
        check_id(OPERATION, id)?;
        let path = ["clients", id];
        self.0.json(&Call::get(OPERATION, &path)).await
    }

    /// Creates a client.
    ///
    /// # Errors
    /// [`OpenHimError::Refused`] when the name is taken by a client or a role; and as any call.
    pub async fn create(&self, client: &Client) -> Result<Client, OpenHimError> {
        const OPERATION: &str = "create the client";
        let call = Call::new(Method::POST, OPERATION, &["clients"]).json(client)?;
        self.0.send(&call).await?;
        // Core does not tell the identifier.
        self.find(&client.client_id)
            .await?
            .ok_or(OpenHimError::NotFound {
                operation: OPERATION,
            })
    }

    /// Changes a client. What is not there stays as it is, its password too.
    ///
    /// # Errors
    /// [`OpenHimError::NotFound`]; [`OpenHimError::Refused`] when a role has its name; and as any
    /// call.
    pub async fn update(&self, id: &str, client: &Client) -> Result<(), OpenHimError> {
        // Core says that it has updated one that there is not.
        self.read(id).await?;
        let path = ["clients", id];
        let call = Call::new(Method::PUT, "update the client", &path).json(client)?;
        self.0.send(&call.repeatable()).await?;
        Ok(())
    }

    /// Removes a client.
    ///
    /// # Errors
    /// [`OpenHimError::NotFound`]; and as any call.
    pub async fn delete(&self, id: &str) -> Result<(), OpenHimError> {
        // Core says that it has removed one that there is not.
        self.read(id).await?;
        let path = ["clients", id];
        let call = Call::new(Method::DELETE, "delete the client", &path);
        self.0.send(&call.repeatable()).await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> SecretString {
        text.to_owned().into()
    }

    #[test]
    fn a_password_is_sent_as_core_checks_it() {
        let client = Client::new("c", "C").password(&secret("abc"));
        let sent = serde_json::to_value(&client).unwrap();
        let salt = sent["passwordSalt"].as_str().unwrap();
        assert_eq!(sent["passwordAlgorithm"], "sha512");
        assert_eq!(sent["passwordHash"], hex_sha512(&["abc", salt]));
        assert_eq!(sent["roles"], serde_json::json!([]));
        assert!(!sent.to_string().contains("\"abc\""));

        assert!(client.has_password(&secret("abc")));
        assert!(!client.has_password(&secret("abcd")));
        assert!(!Client::new("c", "C").has_password(&secret("")));
    }

    #[test]
    fn two_clients_with_one_password_do_not_look_alike() {
        let sent = || {
            let client = Client::new("c", "C").password(&secret("abc"));
            serde_json::to_value(client).unwrap()["passwordHash"].clone()
        };
        assert_ne!(sent(), sent());
    }

    #[test]
    fn nothing_of_a_password_is_printed() {
        let client = Client::new("c", "C").password(&secret("abc"));
        let hash = client.password_hash.clone().unwrap();
        assert!(!format!("{client:?}").contains(hash.expose()));
    }
}
