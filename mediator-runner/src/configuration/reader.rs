//! Takes typed settings out of a [`Source`] and collects every mistake on the way.

use std::cell::RefCell;
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::path::PathBuf;

use super::mistake::{ConfigurationError, Mistake, Place};
use super::secret::Secret;
use super::source::{Content, Source, resolve};

/// What reading has found so far.
#[derive(Debug, Default)]
pub(super) struct Reader {
    mistakes: RefCell<Vec<Mistake>>,
    /// Full names of all settings and sections, to suggest from.
    known: RefCell<Vec<String>>,
    unknown: RefCell<Vec<(String, Place)>>,
}

impl Reader {
    /// The settings that are in no section.
    pub(super) fn root(&self, source: Source) -> Section<'_> {
        Section {
            reader: self,
            name: String::new(),
            source,
        }
    }

    /// Full names of all settings and sections.
    #[cfg(test)]
    pub(super) fn known(&self) -> Vec<String> {
        self.known.borrow().clone()
    }

    fn mistake(&self, place: &Place, text: String) {
        self.mistakes.borrow_mut().push(Mistake {
            place: place.clone(),
            text,
        });
    }

    /// # Errors
    /// Every mistake there was, if there was one.
    pub(super) fn finish(self) -> Result<(), ConfigurationError> {
        let mut mistakes = self.mistakes.into_inner();
        let known = self.known.into_inner();
        for (name, place) in self.unknown.into_inner() {
            let in_variable = matches!(place, Place::Variable(_));
            let spell = |name: &str| {
                if in_variable {
                    format!("MEDIATOR_{}", name.to_ascii_uppercase().replace('.', "__"))
                } else {
                    name.to_owned()
                }
            };
            let hint = suggestion(&name, &known)
                .map(|known| format!("; did you mean {}?", spell(known)))
                .unwrap_or_default();
            let text = format!("there is no setting {}{hint}", spell(&name));
            mistakes.push(Mistake { place, text });
        }
        if mistakes.is_empty() {
            return Ok(());
        }
        mistakes.sort();
        Err(ConfigurationError::Mistakes(mistakes))
    }
}

/// The setting that was probably meant: spelled alike, or of the same name in another section.
fn suggestion<'a>(name: &str, known: &'a [String]) -> Option<&'a String> {
    let key = |name: &str| name.rsplit('.').next().unwrap_or_default().to_owned();
    let distance = |known: &String| {
        let whole = strsim::damerau_levenshtein(name, known);
        let in_another_section = strsim::damerau_levenshtein(&key(name), &key(known)) + 1;
        whole.min(in_another_section)
    };
    known
        .iter()
        .map(|known| (distance(known), known))
        .filter(|(distance, known)| *distance <= 1 + key(known).len() / 4)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, known)| known)
}

/// A section of the configuration that is being read.
pub(super) struct Section<'a> {
    reader: &'a Reader,
    name: String,
    source: Source,
}

/// A setting that is made, with its place.
#[derive(Debug, Clone)]
pub(super) struct Set<T> {
    pub(super) value: T,
    pub(super) place: Place,
}

impl<'a> Section<'a> {
    /// The section's own name, as it is written.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The name of one of its settings with that of the section.
    pub(super) fn full_name(&self, key: &str) -> String {
        if self.name.is_empty() {
            key.to_owned()
        } else {
            format!("{}.{key}", self.name)
        }
    }

    fn take(&mut self, key: &str) -> Option<Source> {
        self.reader.known.borrow_mut().push(self.full_name(key));
        self.source.children.remove(key)
    }

    /// Whether the setting is made, rightly or not; to be asked before it is read.
    pub(super) fn is_set(&self, key: &str) -> bool {
        self.source.children.contains_key(key)
    }

    /// The section of that name; an empty one when it is not there.
    pub(super) fn section(&mut self, key: &'static str) -> Section<'a> {
        let source = self.take(key).unwrap_or_default();
        let name = self.full_name(key);
        if let (Some(_), Some(place)) = (&source.content, &source.place) {
            self.reader.mistake(
                place,
                format!("{name} is a section of settings, not a setting"),
            );
        }
        Section {
            reader: self.reader,
            name,
            source,
        }
    }

    /// A setting that `parse` reads; `parse` says what it expects instead, as in
    /// "must be {…}".
    pub(super) fn setting<T>(
        &mut self,
        key: &'static str,
        parse: impl FnOnce(&Content, &Place) -> Result<T, String>,
    ) -> Option<Set<T>> {
        let source = self.take(key)?;
        let name = self.full_name(key);
        let (Some(place), Some(content)) = (source.place, source.content) else {
            let place = source.children.into_values().find_map(|child| child.place);
            if let Some(place) = place {
                self.reader.mistake(
                    &place,
                    format!("{name} is a setting, not a section of settings"),
                );
            }
            return None;
        };
        match parse(&content, &place) {
            Ok(value) => Some(Set { value, place }),
            Err(expected) => {
                self.reader
                    .mistake(&place, format!("{name} must be {expected}"));
                None
            }
        }
    }

    /// A text; an empty one is a mistake.
    pub(super) fn text(&mut self, key: &'static str) -> Option<Set<String>> {
        self.setting(key, |content, _| text(content))
    }

    /// A text that is not shown, whatever else is said about it.
    pub(super) fn secret(&mut self, key: &'static str) -> Option<Set<Secret>> {
        let not_a_text = || "a text that is not empty".to_owned();
        self.setting(key, |content, _| {
            let text = text(content).map_err(|_| not_a_text())?;
            Ok(Secret::from(text))
        })
    }

    /// A text that `parse` reads or refuses with what it must be.
    pub(super) fn parsed<T>(
        &mut self,
        key: &'static str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<Set<T>> {
        self.setting(key, |content, _| parse(&text(content)?))
    }

    /// One of these words.
    pub(super) fn one_of<T: Copy>(
        &mut self,
        key: &'static str,
        words: &[(&str, T)],
    ) -> Option<Set<T>> {
        self.parsed(key, |text| {
            words
                .iter()
                .find(|(word, _)| *word == text)
                .map(|(_, value)| *value)
                .ok_or_else(|| {
                    let words: Vec<_> = words.iter().map(|(word, _)| format!("{word:?}")).collect();
                    format!("{}, not {text:?}", words.join(" or "))
                })
        })
    }

    /// A whole number in this range.
    pub(super) fn integer<T>(
        &mut self,
        key: &'static str,
        range: RangeInclusive<T>,
    ) -> Option<Set<T>>
    where
        T: TryFrom<i64> + PartialOrd + Display,
    {
        let integer = |content: &Content| match content {
            Content::Toml(toml::Value::Integer(integer)) => Some(*integer),
            Content::Toml(_) => None,
            Content::Text(text) => text.trim().parse().ok(),
        };
        self.setting(key, |content, _| {
            integer(content)
                .and_then(|integer| T::try_from(integer).ok())
                .filter(|integer| range.contains(integer))
                .ok_or_else(|| {
                    format!(
                        "a whole number from {} to {}, not {}",
                        range.start(),
                        range.end(),
                        shown(content)
                    )
                })
        })
    }

    /// `true` or `false`.
    pub(super) fn boolean(&mut self, key: &'static str) -> Option<Set<bool>> {
        self.setting(key, |content, _| {
            match content {
                Content::Toml(toml::Value::Boolean(boolean)) => Some(*boolean),
                Content::Toml(_) => None,
                Content::Text(text) => text.trim().parse().ok(),
            }
            .ok_or_else(|| format!("true or false, not {}", shown(content)))
        })
    }

    /// Words in any order, each once, at least one; in a variable, separated by commas.
    pub(super) fn words<T: PartialEq>(
        &mut self,
        key: &'static str,
        parse: impl Fn(&str) -> Option<T>,
        expected: &str,
    ) -> Option<Set<Vec<T>>> {
        self.setting(key, |content, _| {
            let expected = || format!("a list of {expected}, each once");
            let words: Vec<String> = match content {
                Content::Toml(toml::Value::Array(items)) => items
                    .iter()
                    .map(|item| item.as_str().map(ToOwned::to_owned))
                    .collect::<Option<_>>()
                    .ok_or_else(expected)?,
                Content::Toml(_) => return Err(format!("{}, not {}", expected(), shown(content))),
                Content::Text(text) => text.split(',').map(|word| word.trim().to_owned()).collect(),
            };
            let mut values = Vec::new();
            for word in words {
                let value = parse(&word).ok_or_else(|| format!("{}, not {word:?}", expected()))?;
                if values.contains(&value) {
                    return Err(format!("{}; {word:?} is there twice", expected()));
                }
                values.push(value);
            }
            if values.is_empty() {
                return Err(format!("{}, at least one", expected()));
            }
            Ok(values)
        })
    }

    /// A path, which need not exist.
    pub(super) fn path(&mut self, key: &'static str) -> Option<Set<PathBuf>> {
        self.setting(key, |content, place| Ok(resolve(place, &text(content)?)))
    }

    /// A file that can be opened.
    pub(super) fn file(&mut self, key: &'static str) -> Option<Set<PathBuf>> {
        self.existing(key, "a readable file", |path| {
            std::fs::File::open(path)?
                .metadata()
                .map(|metadata| metadata.is_file())
        })
    }

    /// A folder that can be listed.
    pub(super) fn folder(&mut self, key: &'static str) -> Option<Set<PathBuf>> {
        self.existing(key, "a readable folder", |path| {
            std::fs::read_dir(path).map(|_| true)
        })
    }

    fn existing(
        &mut self,
        key: &'static str,
        what: &str,
        check: impl FnOnce(&std::path::Path) -> std::io::Result<bool>,
    ) -> Option<Set<PathBuf>> {
        self.setting(key, |content, place| {
            let path = resolve(place, &text(content)?);
            match check(&path) {
                Ok(true) => Ok(path),
                Ok(false) => Err(format!("{what}; {} is not one", path.display())),
                Err(error) => Err(format!("{what}; {}: {error}", path.display())),
            }
        })
    }

    /// Reports `second`, if `first` says the same in another way.
    pub(super) fn keep_one<T, U>(
        &self,
        (first, first_set): (&str, &Option<Set<T>>),
        (second, second_set): (&str, &Option<Set<U>>),
    ) {
        if let (Some(_), Some(set)) = (first_set, second_set) {
            let first = self.full_name(first);
            let text = format!("is set beside {first}; keep one of the two");
            self.mistake(second, &set.place, text);
        }
    }

    /// Reports something about a setting that was read.
    pub(super) fn mistake(&self, key: &str, place: &Place, text: impl Display) {
        self.reader
            .mistake(place, format!("{} {text}", self.full_name(key)));
    }
}

/// What was not asked for is unknown.
impl Drop for Section<'_> {
    fn drop(&mut self) {
        for (key, source) in std::mem::take(&mut self.source.children) {
            let name = self.full_name(&key);
            self.unknown(name, source);
        }
    }
}

impl Section<'_> {
    fn unknown(&self, name: String, source: Source) {
        if let Some(place) = source.place {
            self.reader.unknown.borrow_mut().push((name, place));
        } else {
            for (key, child) in source.children {
                self.unknown(format!("{name}.{key}"), child);
            }
        }
    }
}

fn text(content: &Content) -> Result<String, String> {
    match content {
        Content::Toml(toml::Value::String(text)) | Content::Text(text) => {
            if text.trim().is_empty() {
                Err("a text that is not empty".to_owned())
            } else {
                Ok(text.clone())
            }
        }
        Content::Toml(_) => Err(format!("a text in quotes, not {}", shown(content))),
    }
}

/// A value in a mistake. A text is not repeated: it may be a secret in the wrong place.
fn shown(content: &Content) -> String {
    match content {
        Content::Toml(toml::Value::Integer(integer)) => integer.to_string(),
        Content::Toml(toml::Value::Boolean(boolean)) => boolean.to_string(),
        Content::Toml(toml::Value::String(_)) => "a text".to_owned(),
        Content::Toml(toml::Value::Array(_)) => "a list".to_owned(),
        Content::Toml(toml::Value::Table(_)) => "a table".to_owned(),
        Content::Toml(toml::Value::Float(_)) => "that number".to_owned(),
        Content::Toml(toml::Value::Datetime(_)) => "a time".to_owned(),
        Content::Text(_) => "what the variable holds".to_owned(),
    }
}
