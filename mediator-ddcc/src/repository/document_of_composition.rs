//! A document made of a stored Composition (FHIR R4 3.3.1), where the repository has no
//! `$document` of its own.

use std::collections::{BTreeMap, HashMap};

use chrono::{SecondsFormat, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{FhirRepository, RepositoryError};

/// Resources in a document at most.
const MOST_RESOURCES: usize = 500;

/// `Identifier.system` of values that are URIs themselves.
const URI: &str = "urn:ietf:rfc:3986";

/// UUIDs of resources whose id is none are made within this.
const RESOURCES: Uuid = Uuid::from_u128(0x2a4b_6f0e_9c1d_4e57_8b3a_6d5e_0f9c_1b72);

/// The Composition, and every resource that it refers to directly or by way of another one, as an
/// unsigned document; `None` when there is no such Composition.
///
/// # Errors
/// [`RepositoryError::Refused`] when a resource that it refers to is not there.
pub(crate) async fn assemble<R: FhirRepository + ?Sized>(
    repository: &R,
    composition_id: &str,
) -> Result<Option<Value>, RepositoryError> {
    let Some(composition) = repository.read("Composition", composition_id).await? else {
        return Ok(None);
    };
    let mut resources = vec![(format!("Composition/{composition_id}"), composition)];
    let mut urls = HashMap::new();
    let mut done = 0;
    while let Some((place, resource)) = resources.get(done) {
        urls.insert(place.clone(), full_url(place));
        let mut wanted = BTreeMap::new();
        references(resource, &mut wanted);
        done += 1;
        for (wanted, (resource_type, id)) in wanted {
            if resources.iter().any(|(place, _)| *place == wanted) {
                continue;
            }
            if resources.len() >= MOST_RESOURCES {
                return Err(RepositoryError::Refused(format!(
                    "Composition/{composition_id} refers to more than {MOST_RESOURCES} resources"
                )));
            }
            let Some(found) = repository.read(&resource_type, &id).await? else {
                return Err(RepositoryError::Refused(format!(
                    "Composition/{composition_id} has no document: {wanted} is not there"
                )));
            };
            resources.push((wanted, found));
        }
    }
    let entries: Vec<Value> = resources
        .into_iter()
        .map(|(place, mut resource)| {
            resolve(&mut resource, &urls);
            let mut entry = json!({"fullUrl": full_url(&place)});
            entry["resource"] = resource;
            entry
        })
        .collect();
    let mut document = json!({
        "resourceType": "Bundle",
        "identifier": {"system": URI, "value": format!("urn:uuid:{}", Uuid::new_v4())},
        "type": "document",
        "timestamp": Utc::now().to_rfc3339_opts(SecondsFormat::Secs, true),
    });
    document["entry"] = entries.into();
    Ok(Some(document))
}

fn full_url(place: &str) -> String {
    let id = place.split_once('/').and_then(|(_, id)| id.parse().ok());
    let id: Uuid = id.unwrap_or_else(|| Uuid::new_v5(&RESOURCES, place.as_bytes()));
    format!("urn:uuid:{id}")
}

/// `Type/id` of every literal relative reference. Documents and lists of certificates are about
/// the resource, and no part of it.
fn references(value: &Value, found: &mut BTreeMap<String, (String, String)>) {
    match value {
        Value::Object(object) => {
            if let Some((resource_type, id)) = object
                .get("reference")
                .and_then(Value::as_str)
                .and_then(target)
            {
                found.insert(
                    format!("{resource_type}/{id}"),
                    (resource_type.to_owned(), id.to_owned()),
                );
            }
            object.values().for_each(|value| references(value, found));
        }
        Value::Array(values) => values.iter().for_each(|value| references(value, found)),
        _ => {}
    }
}

/// Type and id of a reference within the repository.
fn target(reference: &str) -> Option<(&str, &str)> {
    let reference = reference
        .split_once("/_history/")
        .map_or(reference, |(current, _)| current);
    let (resource_type, id) = reference.split_once('/')?;
    let is_local = resource_type.starts_with(|first: char| first.is_ascii_uppercase())
        && !id.is_empty()
        && !id.contains('/');
    is_local.then_some((resource_type, id))
}

fn resolve(value: &mut Value, urls: &HashMap<String, String>) {
    match value {
        Value::Object(object) => {
            for (name, value) in object {
                match value {
                    Value::String(text) if name == "reference" => {
                        let url = target(text).and_then(|(resource_type, id)| {
                            urls.get(&format!("{resource_type}/{id}"))
                        });
                        if let Some(url) = url {
                            text.clone_from(url);
                        }
                    }
                    _ => resolve(value, urls),
                }
            }
        }
        Value::Array(values) => values.iter_mut().for_each(|value| resolve(value, urls)),
        _ => {}
    }
}
