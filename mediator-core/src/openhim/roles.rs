use std::collections::BTreeMap;

use http::Method;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{Call, OpenHim, OpenHimError};

/// In core 8.x: what users in this group may do with core's API. In 4.x: a name that channels
/// allow and clients have, which exists as long as one of them does.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Role {
    /// Unique, and no client's id.
    pub name: String,
    /// By permission, such as `mediator-manage-all`; 8.x only.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub permissions: BTreeMap<String, Permission>,
    /// The channels that allow it; 4.x only.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub channels: Vec<RoleChannel>,
    /// The clients that have it; 4.x only.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub clients: Vec<RoleClient>,
}

/// How far a permission goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Permission {
    /// For everything, or not at all.
    All(bool),
    /// For these: identifiers of channels or clients, urns of mediators. Permissions whose name
    /// ends in `-specified`.
    Specified(Vec<String>),
}

/// A channel that allows a role.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RoleChannel {
    /// The channel's name.
    pub name: String,
}

/// A client that has a role.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RoleClient {
    /// The name that the client authenticates with.
    #[serde(rename = "clientID")]
    pub client_id: String,
}

impl Role {
    /// A role that may do nothing.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            ..Self::default()
        }
    }

    /// Allows something, such as `mediator-manage-all`, which is all that a mediator needs (8.x).
    #[must_use]
    pub fn permission(mut self, permission: impl Into<String>) -> Self {
        self.permissions
            .insert(permission.into(), Permission::All(true));
        self
    }

    /// Allows something for some things only, such as `channel-view-specified` (8.x).
    #[must_use]
    pub fn permission_for<T: Into<String>>(
        mut self,
        permission: impl Into<String>,
        things: impl IntoIterator<Item = T>,
    ) -> Self {
        let things = things.into_iter().map(Into::into).collect();
        self.permissions
            .insert(permission.into(), Permission::Specified(things));
        self
    }

    /// Adds a channel that allows it (4.x).
    #[must_use]
    pub fn channel(mut self, name: impl Into<String>) -> Self {
        self.channels.push(RoleChannel { name: name.into() });
        self
    }

    /// Adds a client that has it (4.x).
    #[must_use]
    pub fn client(mut self, client_id: impl Into<String>) -> Self {
        self.clients.push(RoleClient {
            client_id: client_id.into(),
        });
        self
    }

    /// Whether it may do everything that the permission stands for.
    #[must_use]
    pub fn may(&self, permission: &str) -> bool {
        self.permissions.get(permission) == Some(&Permission::All(true))
    }
}

/// Core's roles; see [`OpenHim::roles`].
///
/// Needs the permissions `user-role-view` and `user-role-manage` (4.x: the group `admin`).
#[derive(Debug, Clone, Copy)]
pub struct Roles<'a>(&'a OpenHim);

impl OpenHim {
    /// Core's roles.
    ///
    /// ```no_run
    /// # use mediator_core::openhim::{OpenHim, OpenHimError, Role};
    /// # async fn example(openhim: OpenHim) -> Result<(), OpenHimError> {
    /// let role = Role::new("mediator").permission("mediator-manage-all");
    /// openhim.roles().create(&role).await?;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn roles(&self) -> Roles<'_> {
        Roles(self)
    }
}

impl Roles<'_> {
    /// All roles.
    ///
    /// # Errors
    /// As any call.
    pub async fn list(&self) -> Result<Vec<Role>, OpenHimError> {
        self.0.json(&Call::get("list roles", &["roles"])).await
    }

    /// The role of this name.
    ///
    /// # Errors
    /// [`OpenHimError::NotFound`]; and as any call.
    pub async fn read(&self, name: &str) -> Result<Role, OpenHimError> {
        let path = ["roles", name];
        self.0.json(&Call::get("read the role", &path)).await
    }

    /// Creates a role, and gives it as core took it: a permission that core does not know is
    /// dropped, and so is all but the channels and clients in 4.x. A dropped permission is logged.
    ///
    /// # Errors
    /// [`OpenHimError::Refused`] when the name is taken by a role or a client, and in 4.x without
    /// any channel or client; and as any call.
    pub async fn create(&self, role: &Role) -> Result<Role, OpenHimError> {
        let call = Call::new(Method::POST, "create the role", &["roles"]).json(role)?;
        self.0.send(&call).await?;
        self.taken(&role.name, role).await
    }

    /// Changes the role of this name, and gives it as core took it; see [`create`](Self::create).
    /// It is renamed when `role` has another name.
    ///
    /// # Errors
    /// [`OpenHimError::NotFound`]; [`OpenHimError::Refused`] when the new name is taken; and as any
    /// call.
    pub async fn update(&self, name: &str, role: &Role) -> Result<Role, OpenHimError> {
        let mut body = json!({});
        // In 4.x a role cannot be renamed to what it is.
        if role.name != name {
            body["name"] = json!(role.name);
        }
        if !role.permissions.is_empty() {
            body["permissions"] = json!(role.permissions);
        }
        if !role.channels.is_empty() || !role.clients.is_empty() {
            body["channels"] = json!(role.channels);
            body["clients"] = json!(role.clients);
        }
        let path = ["roles", name];
        let call = Call::new(Method::PUT, "update the role", &path).json(&body)?;
        self.0.send(&call).await?;
        self.taken(&role.name, role).await
    }

    /// Removes a role; in 4.x from all channels and clients.
    ///
    /// # Errors
    /// [`OpenHimError::NotFound`]; and as any call.
    pub async fn delete(&self, name: &str) -> Result<(), OpenHimError> {
        let path = ["roles", name];
        let call = Call::new(Method::DELETE, "delete the role", &path);
        self.0.send(&call).await?;
        Ok(())
    }

    async fn taken(&self, name: &str, sent: &Role) -> Result<Role, OpenHimError> {
        let taken = self.read(name).await?;
        for permission in sent.permissions.keys() {
            if !taken.permissions.contains_key(permission) {
                tracing::warn!(
                    role = name,
                    permission,
                    "OpenHIM core does not know this permission and dropped it"
                );
            }
        }
        Ok(taken)
    }
}
