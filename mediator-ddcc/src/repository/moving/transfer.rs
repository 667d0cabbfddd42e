//! Storing resources of one repository in another, which may have some of them already.

use serde_json::{Value, json};

use super::super::sqlite::{Key, UnmovedResource};
use super::super::{FhirRepository, RepositoryError};
use crate::document::{folder, holder};

/// How often it is looked what there is already, and tried again.
const ATTEMPTS: u32 = 5;

/// Why resources that belong together were not moved.
#[derive(Debug, thiserror::Error)]
pub(super) enum TransferError {
    /// The same HCID was given to two people.
    #[error(
        "the FHIR server has another person under the same HCID ({0}): issue the certificates of one of them again under another HCID"
    )]
    AnotherPerson(Key),
    /// The same id, and other content.
    #[error("the FHIR server has {0} with other content; what is right has to be decided there")]
    OtherContent(Key),
    /// One of them was not moved before.
    #[error("it belongs to {0}, which is not moved")]
    Left(Key),
    /// It did not take them.
    #[error(transparent)]
    Repository(#[from] RepositoryError),
}

/// Stores resources with their ids in one transaction. What is there already stays as it is, but
/// for Lists, which get the entries that they lack.
pub(super) async fn transfer(
    server: &dyn FhirRepository,
    resources: &[UnmovedResource],
) -> Result<(), TransferError> {
    let mut entries: Vec<Value> = resources.iter().map(creation).collect();
    let mut attempt = 1;
    while !entries.is_empty() {
        let mut transaction = json!({"resourceType": "Bundle", "type": "transaction"});
        transaction["entry"] = entries.into();
        match server.transaction(transaction).await {
            Ok(_) => return Ok(()),
            Err(RepositoryError::VersionConflict { .. }) if attempt < ATTEMPTS => {
                entries = missing(server, resources).await?;
                attempt += 1;
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// What the server lacks of these.
async fn missing(
    server: &dyn FhirRepository,
    resources: &[UnmovedResource],
) -> Result<Vec<Value>, TransferError> {
    let mut entries = Vec::new();
    for unmoved in resources {
        let key = &unmoved.key;
        match server.read(&key.resource_type, &key.id).await? {
            None => entries.push(creation(unmoved)),
            Some(existing) => entries.extend(addition(unmoved, existing)?),
        }
    }
    Ok(entries)
}

/// The entry for a resource that must not be there yet.
fn creation(unmoved: &UnmovedResource) -> Value {
    entry(&unmoved.key, unmoved.resource.clone(), "ifNoneMatch", "*")
}

/// The entry for a resource that is there.
fn addition(unmoved: &UnmovedResource, existing: Value) -> Result<Option<Value>, TransferError> {
    let key = &unmoved.key;
    let ours = &unmoved.resource;
    match key.resource_type.as_str() {
        "Patient" if !holder::are_same(&existing, ours) => {
            Err(TransferError::AnotherPerson(key.clone()))
        }
        "Bundle" if existing != *ours => Err(TransferError::OtherContent(key.clone())),
        "List" if folder::patient(&existing) != folder::patient(ours) => {
            Err(TransferError::AnotherPerson(key.clone()))
        }
        "List" => {
            let version = existing.pointer("/meta/versionId").and_then(Value::as_str);
            let condition = format!("W/\"{}\"", version.unwrap_or_default());
            let merged = folder::merged(existing, ours);
            Ok(merged.map(|list| entry(key, list, "ifMatch", &condition)))
        }
        _ => Ok(None),
    }
}

fn entry(key: &Key, resource: Value, condition: &str, value: &str) -> Value {
    let mut entry = json!({"request": {"method": "PUT", "url": key.to_string()}});
    entry["request"][condition] = json!(value);
    entry["resource"] = resource;
    entry
}
