//! Resources that a stored document holds. They are stored once, in the document, though the
//! repository has each of them under its own id, too: there, what the document refers to by
//! `fullUrl` is referred to by `Type/id`.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::reference;
use crate::resource::property;

/// A document with the place of each of its entries in the repository.
pub(super) struct Holder<'a> {
    resources: HashMap<&'a str, &'a Value>,
    locations: HashMap<String, String>,
}

impl<'a> Holder<'a> {
    /// `moved` are the entries that are at another place than their type and id say.
    pub(super) fn of(document: &'a Value, moved: &Map<String, Value>) -> Self {
        Self {
            resources: entries(document).collect(),
            locations: locations(document, moved),
        }
    }

    /// The resource as the repository has it; `None` when the document does not hold it.
    pub(super) fn resource(&self, resource_type: &str, id: &str) -> Option<Value> {
        let mut resource = self.held(resource_type, id)?.clone();
        reference::resolve(&mut resource, &self.locations);
        Some(resource)
    }

    /// Whether [`Holder::resource`] is this resource.
    pub(super) fn holds(&self, resource_type: &str, id: &str, resource: &Value) -> bool {
        self.held(resource_type, id)
            .is_some_and(|held| is_same(held, resource, false, &self.locations))
    }

    fn held(&self, resource_type: &str, id: &str) -> Option<&'a Value> {
        let held = self.resources.get(format!("urn:uuid:{id}").as_str())?;
        (property(held, "resourceType") == Some(resource_type)).then_some(*held)
    }
}

/// The places of a document's entries in the repository.
pub(super) fn locations(document: &Value, moved: &Map<String, Value>) -> HashMap<String, String> {
    entries(document)
        .filter_map(|(full_url, resource)| {
            let place = match moved.get(full_url).and_then(Value::as_str) {
                Some(place) => place.to_owned(),
                None => default_location(full_url, resource)?,
            };
            Some((full_url.to_owned(), place))
        })
        .collect()
}

/// The resources that a document may hold for the repository, with type and id of each.
pub(super) fn resources(document: &Value) -> impl Iterator<Item = (&str, &str, &Value)> {
    entries(document).filter_map(|(full_url, resource)| {
        let id = full_url.strip_prefix("urn:uuid:")?;
        Some((property(resource, "resourceType")?, id, resource))
    })
}

/// Finds where the entries of a document are in the repository, from resources of the repository
/// that are in the document, too: those that are not where their type and id say.
pub(super) fn moved<'a>(
    document: &'a Value,
    stored: impl Iterator<Item = (&'a str, &'a Value)>,
) -> Map<String, Value> {
    let resources: HashMap<&str, &Value> = entries(document).collect();
    let mut seen = HashMap::new();
    for (id, resource) in stored {
        if let Some(held) = resources.get(format!("urn:uuid:{id}").as_str()) {
            collect(held, resource, false, &resources, &mut seen);
        }
    }
    seen.into_iter()
        .filter(|(full_url, place)| {
            let default = resources
                .get(full_url)
                .and_then(|resource| default_location(full_url, resource));
            default.as_deref() != Some(*place)
        })
        .map(|(full_url, place)| (full_url.to_owned(), Value::from(place)))
        .collect()
}

fn entries(document: &Value) -> impl Iterator<Item = (&str, &Value)> {
    let entries = document.get("entry").and_then(Value::as_array);
    entries
        .into_iter()
        .flatten()
        .filter_map(|entry| Some((property(entry, "fullUrl")?, entry.get("resource")?)))
}

fn default_location(full_url: &str, resource: &Value) -> Option<String> {
    let id = full_url.strip_prefix("urn:uuid:")?;
    Some(format!("{}/{id}", property(resource, "resourceType")?))
}

/// Notes the first place that each `fullUrl` in `held` became in `stored`.
fn collect<'a>(
    held: &'a Value,
    stored: &'a Value,
    is_reference: bool,
    resources: &HashMap<&'a str, &'a Value>,
    seen: &mut HashMap<&'a str, &'a str>,
) {
    match (held, stored) {
        (Value::String(held), Value::String(stored))
            if is_reference && resources.contains_key(held.as_str()) =>
        {
            seen.entry(held).or_insert(stored);
        }
        (Value::Object(held), Value::Object(stored)) => {
            for (name, held) in held {
                if let Some(stored) = stored.get(name) {
                    collect(held, stored, reference::is_name(name), resources, seen);
                }
            }
        }
        (Value::Array(held), Value::Array(stored)) => {
            for (held, stored) in held.iter().zip(stored) {
                collect(held, stored, false, resources, seen);
            }
        }
        _ => {}
    }
}

/// Whether `stored` is `held` with its references resolved.
fn is_same(
    held: &Value,
    stored: &Value,
    is_reference: bool,
    locations: &HashMap<String, String>,
) -> bool {
    match (held, stored) {
        (Value::String(held), Value::String(stored)) if is_reference => {
            locations.get(held.as_str()).unwrap_or(held) == stored
        }
        (Value::Object(held), Value::Object(stored)) => {
            held.len() == stored.len()
                && held.iter().all(|(name, held)| {
                    stored.get(name).is_some_and(|stored| {
                        is_same(held, stored, reference::is_name(name), locations)
                    })
                })
        }
        (Value::Array(held), Value::Array(stored)) => {
            held.len() == stored.len()
                && held
                    .iter()
                    .zip(stored)
                    .all(|(held, stored)| is_same(held, stored, false, locations))
        }
        _ => held == stored,
    }
}
