use std::fmt;

use http::Method;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::authentication::hex_sha512;
use super::{Call, OpenHim, OpenHimError};

/// First version of core that keeps users' passwords by itself.
const HASHES_PASSWORDS_ITSELF: u64 = 8;

/// Somebody, or something, that may use core's console and API.
#[derive(Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct User {
    /// First name.
    pub firstname: String,
    /// Family name.
    pub surname: String,
    /// Identifies the user; core keeps it in small letters.
    pub email: String,
    /// Names of [`Role`](super::Role)s (8.x), or groups (4.x: `admin` may do everything).
    pub groups: Vec<String>,
    /// Who checks the password (8.x): `local`, `token` or `openid`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// Telephone number for alerts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub msisdn: Option<String>,
    /// Whether core sends a report every day.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub daily_report: Option<bool>,
    /// Whether core sends a report every week.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weekly_report: Option<bool>,
    /// The console's settings.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settings: Option<Value>,
    /// Whether a password has to be set first; only core sets this.
    #[serde(skip_serializing)]
    pub locked: Option<bool>,
    /// What else core says of it, secrets among it; not sent back.
    #[serde(flatten, skip_serializing)]
    pub other: Map<String, Value>,
}

impl User {
    /// A user who may do nothing.
    #[must_use]
    pub fn new(
        email: impl Into<String>,
        firstname: impl Into<String>,
        surname: impl Into<String>,
    ) -> Self {
        Self {
            email: email.into(),
            firstname: firstname.into(),
            surname: surname.into(),
            ..Self::default()
        }
    }

    /// Gives the user what this role may do.
    #[must_use]
    pub fn group(mut self, role: impl Into<String>) -> Self {
        self.groups.push(role.into());
        self
    }
}

/// Without what belongs to the password.
impl fmt::Debug for User {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("User")
            .field("email", &self.email)
            .field("groups", &self.groups)
            .field("provider", &self.provider)
            .field("locked", &self.locked)
            .finish_non_exhaustive()
    }
}

/// Core's users; see [`OpenHim::users`].
///
/// Needs the permissions `user-view` and `user-manage` (4.x: the group `admin`).
#[derive(Debug, Clone, Copy)]
pub struct Users<'a>(&'a OpenHim);

impl OpenHim {
    /// Those who may use core's console and API.
    ///
    /// ```no_run
    /// # use mediator_core::openhim::{OpenHim, OpenHimError, User};
    /// # async fn example(openhim: OpenHim) -> Result<(), OpenHimError> {
    /// let user = User::new("mediator@example.org", "Patients", "Mediator").group("mediator");
    /// openhim.users().create(&user, &"correct horse".to_owned().into()).await?;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn users(&self) -> Users<'_> {
        Users(self)
    }
}

impl Users<'_> {
    /// All users.
    ///
    /// # Errors
    /// As any call.
    pub async fn list(&self) -> Result<Vec<User>, OpenHimError> {
        self.0.json(&Call::get("list users", &["users"])).await
    }

    /// The user with this address.
    ///
    /// # Errors
    /// [`OpenHimError::NotFound`]; and as any call.
    pub async fn read(&self, email: &str) -> Result<User, OpenHimError> {
        let path = ["users", email];
        self.0.json(&Call::get("read the user", &path)).await
    }

    /// Creates a user who can log in with this password. Core also sends a message with a link to
    /// set another one, if it is set up for that.
    ///
    /// The user is there, and locked, when only setting the password fails: then
    /// [`set_password`](Self::set_password) again.
    ///
    /// # Errors
    /// [`OpenHimError::CoreFailed`] when the address is taken; and as any call.
    pub async fn create(&self, user: &User, password: &SecretString) -> Result<(), OpenHimError> {
        let call = Call::new(Method::POST, "create the user", &["users"]).json(user)?;
        self.0.send(&call).await?;
        self.set_password(&user.email, password).await
    }

    /// Sets a user's password, and unlocks the user.
    ///
    /// # Errors
    /// [`OpenHimError::NotFound`]; and as any call.
    pub async fn set_password(
        &self,
        email: &str,
        password: &SecretString,
    ) -> Result<(), OpenHimError> {
        // 4.x says that it has updated one that there is not.
        let user = self.read(email).await?;
        let version = self.0.about().await?.version;
        // 8.x keeps passwords that tokens are made from up to date when it knows the address.
        let mut body = json!({ "email": user.email });
        if version.major >= HASHES_PASSWORDS_ITSELF {
            body["password"] = password.expose_secret().into();
            body["provider"] = "local".into();
        } else {
            let salt = uuid::Uuid::new_v4().simple().to_string();
            // Salt first: the other way round than core does it for clients.
            body["passwordHash"] = hex_sha512(&[&salt, password.expose_secret()]).into();
            body["passwordSalt"] = salt.into();
            body["passwordAlgorithm"] = "sha512".into();
        }
        self.put("set the user's password", email, &body).await
    }

    /// Changes a user. What is not there stays as it is, the password too.
    ///
    /// # Errors
    /// [`OpenHimError::NotFound`]; and as any call.
    pub async fn update(&self, email: &str, user: &User) -> Result<(), OpenHimError> {
        // 4.x says that it has updated one that there is not.
        let known = self.read(email).await?;
        let mut body = json!(user);
        // 8.x makes everyone local of whom it is not said.
        if user.provider.is_none()
            && let Some(provider) = known.provider
        {
            body["provider"] = provider.into();
        }
        self.put("update the user", email, &body).await
    }

    /// Removes a user. Core keeps `root@openhim.org`.
    ///
    /// # Errors
    /// [`OpenHimError::NotFound`]; [`OpenHimError::NotAllowed`] for root; and as any call.
    pub async fn delete(&self, email: &str) -> Result<(), OpenHimError> {
        // Core says that it has removed one that there is not.
        self.read(email).await?;
        let path = ["users", email];
        let call = Call::new(Method::DELETE, "delete the user", &path);
        self.0.send(&call.repeatable()).await?;
        Ok(())
    }

    async fn put(
        &self,
        operation: &'static str,
        email: &str,
        body: &Value,
    ) -> Result<(), OpenHimError> {
        let path = ["users", email];
        let call = Call::new(Method::PUT, operation, &path).json(body)?;
        self.0.send(&call.repeatable()).await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_core_says_beside_a_user_is_neither_printed_nor_sent_back() {
        let user: User = serde_json::from_value(json!({
            "_id": "5", "email": "a@example.org", "token": "secret link", "locked": true,
            "passwordHash": "secret hash", "firstname": "A", "surname": "B", "groups": [],
        }))
        .unwrap();
        assert_eq!(user.locked, Some(true));
        assert_eq!(user.other["token"], "secret link");
        assert!(!format!("{user:?}").contains("secret"));
        assert_eq!(
            json!(user),
            json!({"email": "a@example.org", "firstname": "A", "surname": "B", "groups": []})
        );
    }
}
