//! The settings as they are made, file and environment in one tree, each with its place.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::mistake::{ConfigurationError, Mistake, Place};

/// Prefix of environment variables that are settings.
const PREFIX: &str = "MEDIATOR_";
/// Names the configuration file; see [`super::ConfigurationArguments`].
const FILE_VARIABLE: &str = "MEDIATOR_CONFIG";
/// Between the levels of a setting's name in a variable.
const LEVEL: &str = "__";

/// What a setting is set to.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Content {
    /// In the file: typed.
    Toml(toml::Value),
    /// In the environment: always a text.
    Text(String),
}

/// A setting, or a section of settings.
#[derive(Debug, Default)]
pub(super) struct Source {
    /// Where it is set; a section that only variables make has no place of its own.
    pub(super) place: Option<Place>,
    /// What it is set to, unless it is only a section.
    pub(super) content: Option<Content>,
    /// The settings under it.
    pub(super) children: BTreeMap<String, Source>,
}

impl Source {
    /// Reads a TOML file.
    ///
    /// # Errors
    /// Unreadable, or every mistake in its syntax.
    pub(super) fn add_file(&mut self, path: &Path) -> Result<(), ConfigurationError> {
        let text =
            std::fs::read_to_string(path).map_err(|source| ConfigurationError::Unreadable {
                path: path.to_owned(),
                source,
            })?;
        let (table, errors) = DeTable::parse_recoverable(&text);
        let file = File { path, text: &text };
        if errors.is_empty() {
            file.add_table(self, table.get_ref());
            return Ok(());
        }
        let mut mistakes: Vec<_> = errors
            .iter()
            .map(|error| Mistake {
                place: file.place(error.span().map_or(0, |span| span.start)),
                text: format!("this is not TOML: {}", error.message()),
            })
            .collect();
        mistakes.sort();
        mistakes.dedup();
        Err(ConfigurationError::Mistakes(mistakes))
    }

    /// Lays the settings in the environment over those that are there.
    pub(super) fn add_environment(
        &mut self,
        environment: impl IntoIterator<Item = (String, String)>,
    ) {
        for (name, value) in environment {
            let Some(setting) = name.strip_prefix(PREFIX) else {
                continue;
            };
            if name == FILE_VARIABLE || is_of_kubernetes(setting) {
                continue;
            }
            let mut node = &mut *self;
            for part in setting.to_ascii_lowercase().split(LEVEL) {
                node = node.children.entry(part.to_owned()).or_default();
            }
            node.place = Some(Place::Variable(name));
            node.content = Some(Content::Text(value));
        }
    }
}

/// Kubernetes gives every container variables about every service: `MEDIATOR_SERVICE_HOST`,
/// `MEDIATOR_PORT_4321_TCP_ADDR` and so on for one that is called `mediator` or `mediator-…`.
fn is_of_kubernetes(setting: &str) -> bool {
    if setting.contains(LEVEL) {
        return false;
    }
    let parts: Vec<_> = setting.split('_').collect();
    let has = |name: &str| parts.contains(&name);
    parts.last() == Some(&"PORT")
        || (has("SERVICE") && (has("HOST") || has("PORT")))
        || (has("PORT") && (has("TCP") || has("UDP") || has("SCTP")))
}

struct File<'a> {
    path: &'a Path,
    text: &'a str,
}

impl File<'_> {
    fn add_table(&self, node: &mut Source, table: &DeTable<'_>) {
        for (key, value) in table {
            let child = node.children.entry(key.get_ref().to_string()).or_default();
            child.place = Some(self.place(key.span().start));
            match value.get_ref() {
                DeValue::Table(table) => self.add_table(child, table),
                other => child.content = Some(Content::Toml(plain(other))),
            }
        }
    }

    fn place(&self, offset: usize) -> Place {
        let before = self.text.get(..offset).unwrap_or(self.text);
        let line_start = before.rfind('\n').map_or(0, |end| end + 1);
        Place::File {
            path: self.path.to_owned(),
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
        }
    }
}

/// The value without its places.
fn plain(value: &DeValue<'_>) -> toml::Value {
    match value {
        DeValue::String(text) => toml::Value::String(text.to_string()),
        DeValue::Integer(integer) => i64::from_str_radix(integer.as_str(), integer.radix())
            .map_or_else(
                // Out of range; as a float it is at least a number that no setting accepts.
                |_| toml::Value::Float(f64::INFINITY),
                toml::Value::Integer,
            ),
        DeValue::Float(float) => {
            toml::Value::Float(float.as_str().parse().unwrap_or(f64::INFINITY))
        }
        DeValue::Boolean(boolean) => toml::Value::Boolean(*boolean),
        DeValue::Datetime(datetime) => toml::Value::Datetime(*datetime),
        DeValue::Array(array) => toml::Value::Array(
            array
                .iter()
                .map(|item| plain(Spanned::get_ref(item)))
                .collect(),
        ),
        DeValue::Table(table) => toml::Value::Table(
            table
                .iter()
                .map(|(key, value)| (key.get_ref().to_string(), plain(value.get_ref())))
                .collect(),
        ),
    }
}

/// A relative path in a file is relative to that file; in the environment, to the working
/// directory.
pub(super) fn resolve(place: &Place, path: &str) -> PathBuf {
    match place {
        Place::File { path: file, .. } => file
            .parent()
            .map_or_else(|| PathBuf::from(path), |folder| folder.join(path)),
        Place::Variable(_) => PathBuf::from(path),
    }
}
