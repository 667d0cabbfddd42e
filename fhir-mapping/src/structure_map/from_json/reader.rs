//! Elements of a resource by name; those that nobody asks for are told.

use serde_json::{Map, Value};

use crate::language::map_parser;
use crate::language::spacing::{one_line, quoted};
use crate::structure_map::to_json::is_word;

/// A backbone element while it is read.
pub(super) struct Object<'v, 'l> {
    path: String,
    whole: &'v Value,
    members: &'v Map<String, Value>,
    known: Vec<String>,
    left_out: &'l mut Vec<String>,
}

impl<'v, 'l> Object<'v, 'l> {
    pub(super) fn new(
        value: &'v Value,
        path: String,
        left_out: &'l mut Vec<String>,
    ) -> Result<Self, String> {
        let Value::Object(members) = value else {
            return Err(format!("{path} is no object"));
        };
        Ok(Self {
            path,
            whole: value,
            members,
            known: Vec::new(),
            left_out,
        })
    }

    pub(super) fn value(&self) -> &'v Value {
        self.whole
    }

    /// Notes the elements that were not asked for.
    pub(super) fn finish(self) {
        let unknown = self.members.keys().filter(|name| {
            // An `id` of an element is for references within the resource, and the text has none.
            !self.known.contains(name)
        });
        let paths: Vec<String> = unknown.map(|name| join(&self.path, name)).collect();
        self.left_out.extend(paths);
    }

    pub(super) fn place(&self, name: &str) -> String {
        join(&self.path, name)
    }

    pub(super) fn get(&mut self, name: &str) -> Option<&'v Value> {
        self.known.push(name.to_owned());
        self.members.get(name)
    }

    pub(super) fn members(&self) -> &'v Map<String, Value> {
        self.members
    }

    pub(super) fn text(&mut self, name: &str) -> Result<Option<&'v str>, String> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(format!("{} is no string", self.place(name))),
        }
    }

    pub(super) fn required(&mut self, name: &str) -> Result<&'v str, String> {
        let text = self.text(name)?;
        text.ok_or_else(|| format!("{} is missing", self.place(name)))
    }

    pub(super) fn name(&mut self, name: &str) -> Result<String, String> {
        self.required(name).map(identifier)
    }

    pub(super) fn optional_name(&mut self, name: &str) -> Result<Option<String>, String> {
        Ok(self.text(name)?.map(identifier))
    }

    /// FHIRPath on one line.
    pub(super) fn expression(&mut self, name: &str) -> Result<Option<String>, String> {
        let text = self.text(name)?;
        let checked = text.map(|text| expression(text, &self.place(name)));
        checked.transpose()
    }

    /// The objects of a list, with their paths.
    pub(super) fn objects(&mut self, name: &str) -> Result<Vec<(String, &'v Value)>, String> {
        let place = self.place(name);
        let items = self.items(name)?.iter().enumerate();
        Ok(items
            .map(|(index, item)| (format!("{place}[{index}]"), item))
            .collect())
    }

    pub(super) fn texts(&mut self, name: &str) -> Result<Vec<&'v str>, String> {
        let place = self.place(name);
        let items = self.items(name)?.iter();
        let texts = items.map(|item| {
            let text = item.as_str();
            text.ok_or_else(|| format!("an item of {place} is no string"))
        });
        texts.collect()
    }

    pub(super) fn items(&mut self, name: &str) -> Result<&'v [Value], String> {
        match self.get(name) {
            None => Ok(&[]),
            Some(Value::Array(items)) => Ok(items),
            Some(_) => Err(format!("{} is no list", self.place(name))),
        }
    }
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}.{name}")
    }
}

/// A name, in backticks where it needs them.
pub(super) fn identifier(name: &str) -> String {
    if is_word(name) && !matches!(name, "true" | "false") {
        name.to_owned()
    } else {
        quoted(name, '`')
    }
}

/// One of the codes.
pub(super) fn code<'t>(text: &'t str, codes: &[&str]) -> Result<&'t str, String> {
    if codes.contains(&text) {
        Ok(text)
    } else {
        Err(format!("{text} is none of {}", codes.join(", ")))
    }
}

/// FHIRPath on one line.
pub(super) fn expression(text: &str, place: &str) -> Result<String, String> {
    map_parser::expression(text).map_err(|error| format!("{place} is no FHIRPath: {error}"))?;
    Ok(one_line(text))
}
