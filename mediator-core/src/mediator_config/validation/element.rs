use std::cell::RefCell;
use std::collections::HashSet;
use std::ops::RangeInclusive;

use serde_json::{Map, Value};

use crate::mediator_config::lenient::{read_port, whole_number};
use crate::mediator_config::mistake::{Mistake, Place};

/// What validation has found so far.
#[derive(Debug, Default)]
pub(super) struct Findings(RefCell<Vec<Mistake>>);

impl Findings {
    pub(super) fn into_result(self) -> Result<(), Vec<Mistake>> {
        let mistakes = self.0.into_inner();
        if mistakes.is_empty() {
            Ok(())
        } else {
            Err(mistakes)
        }
    }
}

/// A value of the document and its place.
#[derive(Debug, Clone)]
pub(super) struct Element<'a> {
    findings: &'a Findings,
    path: String,
    pub(super) value: &'a Value,
}

impl<'a> Element<'a> {
    pub(super) fn root(findings: &'a Findings, value: &'a Value) -> Self {
        Self {
            findings,
            path: String::new(),
            value,
        }
    }

    pub(super) fn mistake(&self, text: impl Into<String>) {
        report(self.findings, &self.path, text);
    }

    /// Its members, if it is an object; a mistake otherwise.
    pub(super) fn object(&self) -> Option<Object<'a>> {
        match self.value {
            Value::Object(members) => Some(Object {
                findings: self.findings,
                path: self.path.clone(),
                members,
            }),
            other => {
                self.mistake(format!("must be an object, {}", instead_of(other)));
                None
            }
        }
    }

    /// Its items, if it is an array; a mistake otherwise.
    pub(super) fn items(&self) -> Option<Vec<Element<'a>>> {
        match self.value {
            Value::Array(items) => Some(
                items
                    .iter()
                    .enumerate()
                    .map(|(index, value)| Element {
                        findings: self.findings,
                        path: format!("{}[{index}]", self.path),
                        value,
                    })
                    .collect(),
            ),
            other => {
                self.mistake(format!("must be an array, {}", instead_of(other)));
                None
            }
        }
    }

    /// Its text, if it is one; a mistake otherwise.
    pub(super) fn text(&self) -> Option<&'a str> {
        let text = self.value.as_str();
        if text.is_none() {
            self.mistake(format!("must be a string, {}", instead_of(self.value)));
        }
        text
    }

    /// Its text, if it is one of these; a mistake otherwise.
    pub(super) fn one_of(&self, names: &[&'static str]) -> Option<&'static str> {
        let found = self
            .value
            .as_str()
            .and_then(|text| names.iter().find(|name| **name == text).copied());
        if found.is_none() {
            self.mistake(format!("must be one of {}", names.join(", ")));
        }
        found
    }

    /// An identifier of MongoDB's.
    pub(super) fn identifier(&self) {
        if let Some(text) = self.text()
            && !(text.len() == 24 && text.bytes().all(|byte| byte.is_ascii_hexdigit()))
        {
            self.mistake("must be an identifier of core's: 24 hexadecimal digits");
        }
    }

    pub(super) fn boolean(&self) -> Option<bool> {
        let boolean = self.value.as_bool();
        if boolean.is_none() {
            self.mistake(format!("must be true or false, {}", instead_of(self.value)));
        }
        boolean
    }
}

/// An object of the document and its place.
#[derive(Debug, Clone)]
pub(super) struct Object<'a> {
    findings: &'a Findings,
    path: String,
    members: &'a Map<String, Value>,
}

impl<'a> Object<'a> {
    /// A member; one that is null is not there.
    pub(super) fn get(&self, name: &str) -> Option<Element<'a>> {
        self.members
            .get(name)
            .filter(|value| !value.is_null())
            .map(|value| self.element(name, value))
    }

    /// All members, also those that are null.
    pub(super) fn all(&self) -> impl Iterator<Item = (&'a str, Element<'a>)> {
        self.members
            .iter()
            .map(|(name, value)| (name.as_str(), self.element(name, value)))
    }

    fn element(&self, name: &str, value: &'a Value) -> Element<'a> {
        Element {
            findings: self.findings,
            path: member_path(&self.path, name),
            value,
        }
    }

    /// Reports a mistake at a member, whether it is there or not.
    pub(super) fn mistake(&self, name: &str, text: impl Into<String>) {
        report(self.findings, &member_path(&self.path, name), text);
    }

    /// A text that has to be there and not to be empty.
    pub(super) fn required_text(&self, name: &str, advice: &str) -> Option<&'a str> {
        let Some(element) = self.get(name) else {
            self.mistake(name, format!("is missing: {advice}"));
            return None;
        };
        let text = element.text()?;
        if text.trim().is_empty() {
            element.mistake(format!("is empty: {advice}"));
            return None;
        }
        Some(text)
    }

    pub(super) fn texts(&self, names: &[&str]) {
        for element in names.iter().filter_map(|name| self.get(name)) {
            element.text();
        }
    }

    pub(super) fn booleans(&self, names: &[&str]) {
        for element in names.iter().filter_map(|name| self.get(name)) {
            element.boolean();
        }
    }

    /// Members that are lists of texts, none of them empty.
    pub(super) fn lists_of_texts(&self, names: &[&str]) {
        for element in names.iter().filter_map(|name| self.get(name)) {
            for item in element.items().unwrap_or_default() {
                if item.text().is_some_and(|text| text.trim().is_empty()) {
                    item.mistake("is empty: write something or remove it");
                }
            }
        }
    }

    /// Whether a flag is set; one that is not there is not.
    pub(super) fn is_set(&self, name: &str) -> bool {
        self.get(name).and_then(|element| element.value.as_bool()) == Some(true)
    }

    /// The items of a member that is a list.
    pub(super) fn items(&self, name: &str) -> Vec<Element<'a>> {
        self.get(name)
            .and_then(|element| element.items())
            .unwrap_or_default()
    }

    /// Members that core gets as they are, and refuses when they are null.
    pub(super) fn not_null(&self, names: &[&str]) {
        for name in names {
            if self.members.get(*name).is_some_and(Value::is_null) {
                self.mistake(name, "is null, which core refuses: remove it");
            }
        }
    }

    /// Whether a list is not there or empty.
    pub(super) fn is_without_items(&self, name: &str) -> bool {
        self.get(name)
            .is_none_or(|element| element.value.as_array().is_some_and(Vec::is_empty))
    }

    /// Whether a text is there and not empty.
    pub(super) fn is_filled(&self, name: &str) -> bool {
        self.get(name)
            .is_some_and(|element| element.value.as_str().is_some_and(|text| !text.is_empty()))
    }

    pub(super) fn one_of(&self, name: &str, names: &[&'static str]) -> Option<&'static str> {
        self.get(name)?.one_of(names)
    }

    pub(super) fn number(&self, name: &str, range: RangeInclusive<u64>) {
        if let Some(element) = self.get(name)
            && !whole_number(element.value).is_some_and(|number| range.contains(&number))
        {
            element.mistake(format!(
                "must be a whole number from {} to {}",
                range.start(),
                range.end()
            ));
        }
    }

    /// Identifiers of other things in core's database.
    pub(super) fn identifiers(&self, names: &[&str]) {
        for element in names.iter().filter_map(|name| self.get(name)) {
            element.identifier();
        }
    }

    /// Moments in time.
    pub(super) fn time(&self, name: &str) {
        if let Some(element) = self.get(name)
            && let Some(text) = element.text()
            && chrono::DateTime::parse_from_rfc3339(text).is_err()
        {
            element.mistake("must be a time, for example 2026-01-01T00:00:00Z");
        }
    }

    pub(super) fn port(&self, name: &str) {
        if let Some(element) = self.get(name)
            && read_port(element.value).is_none()
        {
            element.mistake("must be a port: a number from 1 to 65535");
        }
    }

    pub(super) fn regular_expression(&self, name: &str) {
        if let Some(element) = self.get(name)
            && let Some(pattern) = element.text()
            && let Err(error) = regress::Regex::new(pattern)
        {
            element.mistake(format!(
                "is no JavaScript regular expression, and core fails on every request when it \
                 meets it: {error}"
            ));
        }
    }
}

/// Reports those whose name another before it has.
pub(super) fn report_repeated_names(elements: &[Element<'_>], name: &str, among: &str) {
    let mut known = HashSet::new();
    for element in elements {
        if let Some(object) = element.value.as_object()
            && let Some(text) = object.get(name).and_then(Value::as_str)
            && !known.insert(text)
        {
            report(
                element.findings,
                &member_path(&element.path, name),
                format!("is there twice: give every one of {among} its own"),
            );
        }
    }
}

fn report(findings: &Findings, path: &str, text: impl Into<String>) {
    findings
        .0
        .borrow_mut()
        .push(Mistake::new(Place::Element(path.to_owned()), text));
}

fn member_path(path: &str, name: &str) -> String {
    let is_plain = name.starts_with(|first: char| first.is_alphabetic() || first == '_')
        && name
            .chars()
            .all(|character| character.is_alphanumeric() || matches!(character, '_' | '-' | '$'));
    match (path, is_plain) {
        ("", true) => name.to_owned(),
        (_, true) => format!("{path}.{name}"),
        (_, false) => format!("{path}[{name:?}]"),
    }
}

/// Names what is there by its type, never by its value.
pub(super) fn instead_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "and is null",
        Value::Bool(_) => "and is a boolean",
        Value::Number(_) => "and is a number",
        Value::String(_) => "and is a string",
        Value::Array(_) => "and is an array",
        Value::Object(_) => "and is an object",
    }
}
