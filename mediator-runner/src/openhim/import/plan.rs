//! What has to be done so that OpenHIM is as the files say.

use mediator_core::mediator_config::{ChannelDefinition, ChannelStatus, MediatorConfig};
use mediator_core::openhim::{Channel, Client, OpenHim, OpenHimError, OpenHimSettings, Role, User};
use mediator_core::registration::{self, Registered};
use secrecy::SecretString;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::difference::differing_members;
use super::files::{Folder, Item, Kind};
use crate::openhim::CommandError;
use crate::openhim::connection::Connection;

/// The first version of core whose roles have permissions.
const ROLES_WITH_PERMISSIONS: u64 = 8;

/// One thing, and what is to be done about it.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) kind: &'static str,
    pub(super) name: String,
    pub(super) action: Action,
    pub(super) change: Change,
}

/// What happens to a thing, for people and scripts.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Action {
    Create,
    /// With what differs.
    Update(Vec<String>),
    Unchanged,
    /// With the reason.
    Skip(String),
}

/// What is sent to core.
#[derive(Debug)]
pub(super) enum Change {
    Nothing,
    CreateRole(Role),
    UpdateRole(Role),
    CreateChannel(Box<ChannelDefinition>),
    UpdateChannel {
        id: String,
        definition: Box<ChannelDefinition>,
    },
    CreateClient(Box<Client>),
    UpdateClient {
        id: String,
        client: Box<Client>,
    },
    CreateUser {
        user: Box<User>,
        password: SecretString,
    },
    UpdateUser {
        user: Box<User>,
        password: Option<SecretString>,
    },
    Register(Box<MediatorConfig>),
}

impl Action {
    pub(super) fn as_str(&self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update(_) => "update",
            Self::Unchanged => "unchanged",
            Self::Skip(_) => "skip",
        }
    }

    /// What differs, or why it is skipped.
    pub(super) fn details(&self) -> String {
        match self {
            Self::Create | Self::Unchanged => String::new(),
            Self::Update(members) => members.join(", "),
            Self::Skip(reason) => reason.clone(),
        }
    }

    pub(super) fn is_change(&self) -> bool {
        matches!(self, Self::Create | Self::Update(_))
    }
}

/// Compares what the folder asks for with what core has.
///
/// # Errors
/// Core cannot be asked, or a new client's or user's password is not set.
pub(super) async fn plan(
    connection: &Connection,
    folder: Folder,
) -> Result<Vec<Step>, CommandError> {
    let openhim = &connection.openhim;
    let core = Core::read(openhim, &folder.items).await?;
    let mut steps = Vec::with_capacity(folder.items.len() + 1);
    let mut mistakes = Vec::new();
    for item in folder.items {
        let (kind, name) = (item.kind.as_str(), item.key.clone());
        let planned = match item.kind {
            Kind::Role => core.role(&item),
            Kind::Channel => core.channel(&item),
            Kind::Client => core.client(&item),
            Kind::User => core.user(&item, &connection.settings).await?,
        };
        match planned {
            Ok((action, change)) => steps.push(Step {
                kind,
                name,
                action,
                change,
            }),
            Err(mistake) => mistakes.push(format!("{kind} {name}: {mistake}")),
        }
    }
    if !mistakes.is_empty() {
        return Err(CommandError::Usage(mistakes.join("\n")));
    }
    if let Some(mediator) = folder.mediator {
        steps.push(registration(openhim, mediator).await?);
    }
    Ok(steps)
}

async fn registration(openhim: &OpenHim, mediator: MediatorConfig) -> Result<Step, CommandError> {
    let action = match registration::foresee(openhim, &mediator).await? {
        Registered::New => Action::Create,
        Registered::Updated { from, to } => Action::Update(vec![format!("version {from} to {to}")]),
        Registered::Unchanged => Action::Unchanged,
        ignored @ Registered::IgnoredBecauseNotHigher { .. } => Action::Skip(ignored.to_string()),
    };
    Ok(Step {
        kind: "mediator",
        name: mediator.urn().to_owned(),
        change: if action.is_change() {
            Change::Register(Box::new(mediator))
        } else {
            Change::Nothing
        },
        action,
    })
}

/// What core has, as far as the files mention its kind.
struct Core {
    major_version: u64,
    roles: Vec<Role>,
    channels: Vec<Channel>,
    clients: Vec<Client>,
    users: Vec<User>,
}

type Planned = Result<(Action, Change), String>;

impl Core {
    async fn read(openhim: &OpenHim, items: &[Item]) -> Result<Self, OpenHimError> {
        let mentions = |kind| items.iter().any(|item| item.kind == kind);
        let mut core = Self {
            major_version: openhim.about().await?.version.major,
            roles: Vec::new(),
            channels: Vec::new(),
            clients: Vec::new(),
            users: Vec::new(),
        };
        if mentions(Kind::Role) {
            core.roles = openhim.roles().list().await?;
        }
        if mentions(Kind::Channel) {
            core.channels = openhim.channels().list().await?;
        }
        if mentions(Kind::Client) {
            core.clients = openhim.clients().list().await?;
        }
        if mentions(Kind::User) {
            core.users = openhim.users().list().await?;
        }
        Ok(core)
    }

    fn role(&self, item: &Item) -> Planned {
        let permissions = item.document.get("permissions");
        if permissions.is_some() && self.major_version < ROLES_WITH_PERMISSIONS {
            let reason = format!(
                "OpenHIM {} has no permissions: only members of the group admin may do this",
                self.major_version
            );
            return Ok((Action::Skip(reason), Change::Nothing));
        }
        let Some(existing) = self.roles.iter().find(|role| role.name == item.key) else {
            return Ok((Action::Create, Change::CreateRole(typed(&item.document)?)));
        };
        let existing = members(existing)?;
        let mut wanted = item.document.clone();
        // A role must not be able to do more than the file says.
        if let (Some(Value::Object(wanted)), Some(Value::Object(existing))) =
            (wanted.get_mut("permissions"), existing.get("permissions"))
        {
            for (name, value) in existing {
                let nothing = if value.is_array() {
                    json!([])
                } else {
                    json!(false)
                };
                wanted.entry(name.as_str()).or_insert(nothing);
            }
        }
        let differing = differing_members(&wanted, &existing);
        if differing.is_empty() {
            return Ok((Action::Unchanged, Change::Nothing));
        }
        Ok((
            Action::Update(differing),
            Change::UpdateRole(typed(&wanted)?),
        ))
    }

    fn channel(&self, item: &Item) -> Planned {
        let existing = self
            .channels
            .iter()
            .find(|channel| channel.definition.name == item.key);
        let Some(existing) = existing else {
            let definition = Box::new(typed(&item.document)?);
            return Ok((Action::Create, Change::CreateChannel(definition)));
        };
        let mut wanted = item.document.clone();
        // A deleted channel keeps its name, so it is the one that has to come back.
        if existing.definition.status == Some(ChannelStatus::Deleted) {
            wanted.entry("status").or_insert_with(|| "enabled".into());
        }
        let existing_members = members(&existing.definition)?;
        let differing = differing_members(&wanted, &existing_members);
        if differing.is_empty() {
            return Ok((Action::Unchanged, Change::Nothing));
        }
        let change = Change::UpdateChannel {
            id: existing.id.clone(),
            definition: Box::new(typed(&over(existing_members, wanted))?),
        };
        Ok((Action::Update(differing), change))
    }

    fn client(&self, item: &Item) -> Planned {
        let password = item.password.as_ref();
        let value = password.and_then(|password| password.value.as_ref());
        let with_password = |client: Client| match value {
            Some(value) => client.password(value),
            None => client,
        };
        let existing = self
            .clients
            .iter()
            .find(|client| client.client_id == item.key);
        let Some(existing) = existing else {
            if let (Some(password), None) = (password, value) {
                return Err(format!("set {} to its password", password.variable));
            }
            let client = Box::new(with_password(typed(&item.document)?));
            return Ok((Action::Create, Change::CreateClient(client)));
        };
        let existing_members = members(existing)?;
        let mut differing = differing_members(&item.document, &existing_members);
        let mut client: Client = typed(&over(existing_members, item.document.clone()))?;
        if value.is_some_and(|value| !existing.has_password(value)) {
            differing.push("password".to_owned());
            client = with_password(client);
        }
        match &existing.id {
            Some(id) if !differing.is_empty() => {
                let change = Change::UpdateClient {
                    id: id.clone(),
                    client: Box::new(client),
                };
                Ok((Action::Update(differing), change))
            }
            _ => Ok((Action::Unchanged, Change::Nothing)),
        }
    }

    async fn user(&self, item: &Item, settings: &OpenHimSettings) -> Result<Planned, OpenHimError> {
        let password = item.password.as_ref();
        let value = password.and_then(|password| password.value.clone());
        let existing = self
            .users
            .iter()
            .find(|user| user.email.eq_ignore_ascii_case(&item.key));
        let new_password = match (existing, &value) {
            (Some(user), Some(value)) if !can_log_in(settings, &user.email, value).await? => {
                Some(value.clone())
            }
            _ => None,
        };
        let planned = || -> Planned {
            let Some(existing) = existing else {
                return match (password, value) {
                    (_, Some(password)) => {
                        let user = Box::new(typed(&item.document)?);
                        Ok((Action::Create, Change::CreateUser { user, password }))
                    }
                    (Some(password), None) => {
                        Err(format!("set {} to the user's password", password.variable))
                    }
                    (None, None) => Err(
                        "is new and has no passwordEnvironmentVariable to take a password from"
                            .to_owned(),
                    ),
                };
            };
            let existing_members = members(existing)?;
            let mut wanted = item.document.clone();
            // Core keeps it in small letters.
            wanted.insert("email".to_owned(), existing.email.clone().into());
            let mut differing = differing_members(&wanted, &existing_members);
            if new_password.is_some() {
                differing.push("password".to_owned());
            }
            if differing.is_empty() {
                return Ok((Action::Unchanged, Change::Nothing));
            }
            let change = Change::UpdateUser {
                user: Box::new(typed(&over(existing_members, wanted))?),
                password: new_password,
            };
            Ok((Action::Update(differing), change))
        };
        Ok(planned())
    }
}

/// Core tells no user's password, but lets those in who have the right one.
async fn can_log_in(
    settings: &OpenHimSettings,
    email: &str,
    password: &SecretString,
) -> Result<bool, OpenHimError> {
    let settings = OpenHimSettings {
        username: email.to_owned(),
        password: password.clone(),
        ..settings.clone()
    };
    match OpenHim::new(&settings)?.about().await {
        Ok(_) | Err(OpenHimError::NotAllowed { .. }) => Ok(true),
        Err(OpenHimError::WrongCredentials) => Ok(false),
        Err(error) => Err(error),
    }
}

/// `existing` with the members of `wanted` in place of its own.
fn over(mut existing: Map<String, Value>, wanted: Map<String, Value>) -> Map<String, Value> {
    existing.extend(wanted);
    existing
}

fn members(thing: &impl Serialize) -> Result<Map<String, Value>, String> {
    match serde_json::to_value(thing) {
        Ok(Value::Object(members)) => Ok(members),
        Ok(_) => Err("is no JSON object in OpenHIM".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

fn typed<T: DeserializeOwned>(document: &Map<String, Value>) -> Result<T, String> {
    serde_json::from_value(Value::Object(document.clone())).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(kind: Kind, document: Value) -> Item {
        let Value::Object(document) = document else {
            unreachable!("a document is an object");
        };
        Item {
            kind,
            key: document[kind.key()].as_str().unwrap().to_owned(),
            document,
            password: None,
        }
    }

    fn core(major_version: u64) -> Core {
        Core {
            major_version,
            roles: Vec::new(),
            channels: Vec::new(),
            clients: Vec::new(),
            users: Vec::new(),
        }
    }

    fn auditor() -> Item {
        let permissions = json!({ "audit-trail-view": true });
        item(
            Kind::Role,
            json!({ "name": "auditor", "permissions": permissions }),
        )
    }

    #[test]
    fn a_role_with_permissions_needs_a_core_that_knows_them() {
        let (action, _) = core(8).role(&auditor()).unwrap();
        assert_eq!(action, Action::Create);
        let (action, change) = core(4).role(&auditor()).unwrap();
        assert!(matches!(action, Action::Skip(_)), "{action:?}");
        assert!(matches!(change, Change::Nothing), "{change:?}");
    }

    #[test]
    fn a_role_may_not_do_more_than_the_file_says() {
        let mut core = core(8);
        core.roles = vec![Role::new("auditor").permission("audit-trail-view")];
        assert_eq!(core.role(&auditor()).unwrap().0, Action::Unchanged);
        core.roles = vec![
            Role::new("auditor")
                .permission("audit-trail-view")
                .permission("user-manage")
                .permission_for("channel-view-specified", ["5f00"]),
        ];
        let (action, change) = core.role(&auditor()).unwrap();
        assert_eq!(action, Action::Update(vec!["permissions".to_owned()]));
        let Change::UpdateRole(role) = change else {
            unreachable!("{change:?}");
        };
        assert!(role.may("audit-trail-view"));
        assert!(!role.may("user-manage"));
        let written = serde_json::to_value(&role).unwrap();
        assert_eq!(written["permissions"]["user-manage"], false);
        assert_eq!(written["permissions"]["channel-view-specified"], json!([]));
    }

    #[test]
    fn a_deleted_channel_comes_back_under_its_name() {
        let channel = json!({
            "name": "Patients", "urlPattern": "^/patients$", "methods": ["GET"],
            "routes": [{"name": "r", "host": "h", "port": 80, "primary": true}],
        });
        let mut known = channel.clone();
        known["_id"] = "5f00".into();
        known["status"] = "deleted".into();
        let mut core = core(8);
        core.channels = vec![serde_json::from_value(known).unwrap()];
        let (action, change) = core.channel(&item(Kind::Channel, channel)).unwrap();
        assert_eq!(action, Action::Update(vec!["status".to_owned()]));
        let Change::UpdateChannel { id, definition } = change else {
            unreachable!("{change:?}");
        };
        assert_eq!(id, "5f00");
        assert_eq!(definition.status, Some(ChannelStatus::Enabled));
    }
}
