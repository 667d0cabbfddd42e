//! What the files of a folder ask for.

use std::fmt;
use std::path::{Path, PathBuf};

use mediator_core::mediator_config::{ChannelDefinition, MediatorConfig, MediatorConfigError};
use mediator_core::openhim::{Client, Role, User};
use secrecy::SecretString;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// The member that names the environment variable with a client's or user's password.
const VARIABLE: &str = "passwordEnvironmentVariable";

/// What a file may contain many of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Role,
    Channel,
    Client,
    User,
}

impl Kind {
    /// In the order in which they are applied.
    pub(super) const ALL: [Self; 4] = [Self::Role, Self::Channel, Self::Client, Self::User];

    /// The word for one of them.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Role => "role",
            Self::Channel => "channel",
            Self::Client => "client",
            Self::User => "user",
        }
    }

    /// The member that tells one from another.
    pub(super) fn key(self) -> &'static str {
        match self {
            Self::Role | Self::Channel => "name",
            Self::Client => "clientID",
            Self::User => "email",
        }
    }

    fn file_name(self) -> &'static str {
        match self {
            Self::Role => "roles.json",
            Self::Channel => "channels.json",
            Self::Client => "clients.json",
            Self::User => "users.json",
        }
    }

    fn in_cores_form(self, document: &Map<String, Value>) -> Result<Map<String, Value>, String> {
        match self {
            Self::Role => in_form_of::<Role>(document),
            Self::Channel => {
                let channel: ChannelDefinition =
                    serde_json::from_value(Value::Object(document.clone()))
                        .map_err(|error| error.to_string())?;
                channel.check().map_err(|mistakes| {
                    let mistakes = mistakes.iter().map(ToString::to_string);
                    mistakes.collect::<Vec<_>>().join("; ")
                })?;
                in_form_of::<ChannelDefinition>(document)
            }
            Self::Client => in_form_of::<Client>(document),
            Self::User => in_form_of::<User>(document),
        }
    }

    fn has_password(self) -> bool {
        matches!(self, Self::Client | Self::User)
    }
}

/// One role, channel, client or user.
#[derive(Debug, Clone)]
pub(super) struct Item {
    pub(super) kind: Kind,
    pub(super) key: String,
    /// As core's API takes it, without a password.
    pub(super) document: Map<String, Value>,
    pub(super) password: Option<Password>,
}

/// Where a password comes from.
#[derive(Debug, Clone)]
pub(super) struct Password {
    pub(super) variable: String,
    /// None while the variable is not set.
    pub(super) value: Option<SecretString>,
}

/// Everything that a folder asks for.
#[derive(Debug)]
pub(super) struct Folder {
    pub(super) mediator: Option<MediatorConfig>,
    pub(super) items: Vec<Item>,
}

/// Why a folder cannot be used: every mistake, one a line.
#[derive(Debug)]
pub(super) struct FolderError(Vec<String>);

impl fmt::Display for FolderError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0.join("\n"))
    }
}

impl Folder {
    /// Reads the files of the folder that are there. `environment` gives the value of a variable;
    /// `locate` makes the registration's routes lead to where the mediator is.
    ///
    /// # Errors
    /// [`FolderError`] with every mistake.
    pub(super) fn read(
        folder: &Path,
        environment: impl Fn(&str) -> Option<String>,
        locate: impl FnOnce(MediatorConfig) -> Result<MediatorConfig, MediatorConfigError>,
    ) -> Result<Self, FolderError> {
        let mut reader = Reader {
            folder: folder.to_owned(),
            mistakes: Vec::new(),
        };
        let mediator = reader.mediator(locate);
        let mut items: Vec<Item> = Vec::new();
        for kind in Kind::ALL {
            if kind == Kind::Channel {
                items.extend(mediator.iter().flat_map(proposed_channels));
            }
            for item in reader.items(kind, &environment) {
                if items
                    .iter()
                    .any(|other| other.kind == kind && other.key == item.key)
                {
                    let what = format!("there is another {} {}", kind.as_str(), item.key);
                    reader.mistake(kind.file_name(), &what);
                } else {
                    items.push(item);
                }
            }
        }
        if mediator.is_none() && items.is_empty() && reader.mistakes.is_empty() {
            let names = Kind::ALL.map(Kind::file_name).join(", ");
            reader.mistakes.push(format!(
                "{}: has nothing to import: no mediator.json, {names}",
                folder.display()
            ));
        }
        if reader.mistakes.is_empty() {
            Ok(Self { mediator, items })
        } else {
            Err(FolderError(reader.mistakes))
        }
    }
}

/// The channels that a mediator's registration proposes.
fn proposed_channels(mediator: &MediatorConfig) -> impl Iterator<Item = Item> {
    let channels = mediator.default_channels().iter();
    channels.filter_map(|channel| match serde_json::to_value(channel) {
        Ok(Value::Object(document)) => Some(Item {
            kind: Kind::Channel,
            key: channel.name.clone(),
            document,
            password: None,
        }),
        _ => None,
    })
}

struct Reader {
    folder: PathBuf,
    mistakes: Vec<String>,
}

impl Reader {
    fn mistake(&mut self, file: &str, what: &str) {
        let path = self.folder.join(file);
        self.mistakes.push(format!("{}: {what}", path.display()));
    }

    fn mediator(
        &mut self,
        locate: impl FnOnce(MediatorConfig) -> Result<MediatorConfig, MediatorConfigError>,
    ) -> Option<MediatorConfig> {
        let path = self.folder.join("mediator.json");
        if !path.exists() {
            return None;
        }
        match MediatorConfig::from_file(&path).and_then(locate) {
            Ok(mediator) => Some(mediator),
            Err(MediatorConfigError::Mistakes(mistakes)) => {
                let mistakes = mistakes.iter().map(ToString::to_string);
                self.mistakes.extend(mistakes);
                None
            }
            Err(error) => {
                self.mistakes.push(error.to_string());
                None
            }
        }
    }

    fn items(&mut self, kind: Kind, environment: &impl Fn(&str) -> Option<String>) -> Vec<Item> {
        let file = kind.file_name();
        let path = self.folder.join(file);
        if !path.exists() {
            return Vec::new();
        }
        let read = std::fs::read_to_string(&path)
            .map_err(|error| format!("cannot be read: {error}"))
            .and_then(|text| {
                serde_json::from_str::<Vec<Map<String, Value>>>(&text)
                    .map_err(|error| format!("must be a JSON array of {}s: {error}", kind.as_str()))
            });
        match read {
            Ok(documents) => documents
                .into_iter()
                .enumerate()
                .filter_map(|(index, document)| {
                    item(kind, document, environment)
                        .map_err(|what| self.mistake(file, &format!("[{index}] {what}")))
                        .ok()
                })
                .collect(),
            Err(what) => {
                self.mistake(file, &what);
                Vec::new()
            }
        }
    }
}

fn item(
    kind: Kind,
    mut document: Map<String, Value>,
    environment: &impl Fn(&str) -> Option<String>,
) -> Result<Item, String> {
    let key = match document.get(kind.key()) {
        Some(Value::String(key)) if !key.is_empty() => key.clone(),
        _ => return Err(format!("has no {}", kind.key())),
    };
    let secret = [
        "password",
        "passwordHash",
        "passwordSalt",
        "passwordAlgorithm",
    ]
    .into_iter()
    .find(|name| document.contains_key(*name));
    if let (true, Some(name)) = (kind.has_password(), secret) {
        return Err(format!(
            "({key}) has {name}, and a password does not belong into a file: name the environment \
             variable that has it, as {VARIABLE}"
        ));
    }
    let password = match document.remove(VARIABLE) {
        None => None,
        Some(Value::String(variable)) if kind.has_password() && !variable.is_empty() => {
            let value = environment(&variable).filter(|value| !value.is_empty());
            Some(Password {
                value: value.map(SecretString::from),
                variable,
            })
        }
        Some(_) if kind.has_password() => {
            return Err(format!("({key}) {VARIABLE} must be a variable's name"));
        }
        Some(_) => return Err(format!("({key}) a {} has no password", kind.as_str())),
    };
    Ok(Item {
        document: kind
            .in_cores_form(&document)
            .map_err(|what| format!("({key}) {what}"))?,
        kind,
        key,
        password,
    })
}

/// The members of `document` as `T` writes them, so that they can be compared with what core has.
///
/// # Errors
/// A member has a wrong type, or `T` does not know it, which means that core does not either.
fn in_form_of<T: DeserializeOwned + Serialize>(
    document: &Map<String, Value>,
) -> Result<Map<String, Value>, String> {
    let typed: T = serde_json::from_value(Value::Object(document.clone()))
        .map_err(|error| error.to_string())?;
    let written = serde_json::to_value(typed).map_err(|error| error.to_string())?;
    let mut members = Map::new();
    for (name, value) in document {
        let is_empty = match value {
            Value::Null => true,
            Value::Array(elements) => elements.is_empty(),
            Value::Object(elements) => elements.is_empty(),
            _ => false,
        };
        match written.get(name) {
            Some(written) => members.insert(name.clone(), written.clone()),
            // Left out when written, and so known.
            None if is_empty => members.insert(name.clone(), value.clone()),
            None => return Err(format!("has {name}, which OpenHIM does not know")),
        };
    }
    Ok(members)
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        folder
    }

    fn environment(name: &str) -> Option<String> {
        (name == "HOSPITAL_PASSWORD").then(|| "hunter2".to_owned())
    }

    fn mistakes(files: &[(&str, &str)]) -> String {
        let folder = folder(files);
        let error = Folder::read(folder.path(), environment, Ok).unwrap_err();
        let path = folder.path().display().to_string();
        error
            .to_string()
            .replace(&format!("{path}/"), "")
            .replace(&path, "DIR")
    }

    #[test]
    fn the_folder_of_this_project_has_no_mistakes() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../openhim-config");
        let folder = Folder::read(Path::new(path), |_| None, Ok).unwrap();
        assert_eq!(folder.mediator.unwrap().urn(), "urn:mediator:ddcc");
        for kind in Kind::ALL {
            assert!(
                folder.items.iter().any(|item| item.kind == kind),
                "{kind:?}"
            );
        }
    }

    #[test]
    fn passwords_come_from_the_environment() {
        let folder = folder(&[(
            "clients.json",
            r#"[{"clientID": "hospital", "passwordEnvironmentVariable": "HOSPITAL_PASSWORD"},
                {"clientID": "other", "passwordEnvironmentVariable": "OTHER_PASSWORD"},
                {"clientID": "with a certificate"}]"#,
        )]);
        let items = Folder::read(folder.path(), environment, Ok).unwrap().items;
        let passwords: Vec<_> = items.iter().map(|item| item.password.as_ref()).collect();
        let hospital = passwords[0].unwrap().value.as_ref().unwrap();
        assert_eq!(hospital.expose_secret(), "hunter2");
        assert!(passwords[1].unwrap().value.is_none());
        assert!(passwords[2].is_none());
        assert!(!items[0].document.contains_key(VARIABLE));
        assert!(!format!("{items:?}").contains("hunter2"));
    }

    #[test]
    fn every_mistake_is_listed_with_its_place() {
        assert_eq!(
            mistakes(&[
                ("roles.json", r#"{"name": "a"}"#),
                (
                    "clients.json",
                    r#"[{"name": "a"}, {"clientID": "b", "password": "hunter2"}]"#
                ),
                ("users.json", r#"[{"email": "a@b"}, {"email": "a@b"}]"#),
            ])
            .lines()
            .collect::<Vec<_>>(),
            [
                "roles.json: must be a JSON array of roles: invalid type: map, expected a sequence \
                 at line 1 column 0",
                "clients.json: [0] has no clientID",
                "clients.json: [1] (b) has password, and a password does not belong into a file: \
                 name the environment variable that has it, as passwordEnvironmentVariable",
                "users.json: there is another user a@b",
            ]
        );
    }

    #[test]
    fn a_channel_that_the_mediator_proposes_is_not_in_channels_json_too() {
        let mediator = std::fs::read_to_string(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../openhim-config/mediator.json"
        ))
        .unwrap();
        let mistakes = mistakes(&[
            ("mediator.json", &mediator),
            (
                "channels.json",
                r#"[{"name": "DDCC Verify", "urlPattern": "^/verify$", "methods": ["POST"],
                    "routes": [{"name": "r", "host": "h", "port": 80, "primary": true}]}]"#,
            ),
        ]);
        assert_eq!(
            mistakes,
            "channels.json: there is another channel DDCC Verify"
        );
    }

    #[test]
    fn an_empty_folder_is_a_mistake() {
        assert!(mistakes(&[]).starts_with("DIR: has nothing to import"));
    }
}
