//! The resources of a document, taken from the StructureMap's transaction.

use std::collections::{HashMap, HashSet};

use serde_json::{Value, json};
use uuid::Uuid;

use super::{DocumentError, URI, folder, urn};
use crate::core_data_set::Identifier;

/// Resources of the transaction that a document does not hold: the request is registered beside
/// it, and its codes are known only now.
const NOT_IN_DOCUMENT: [&str; 2] = ["QuestionnaireResponse", "DocumentReference"];

/// A document's entries while they are put together.
pub(super) struct Content {
    /// The Composition first; each with its `fullUrl`.
    entries: Vec<(String, Value)>,
    patient: String,
    issuer: String,
}

impl Content {
    /// Takes the transaction apart. Each resource gets the id of its `fullUrl`, and every literal
    /// reference is to a `fullUrl`.
    pub(super) fn of(mut transaction: Value) -> Result<Self, DocumentError> {
        let incomplete = |text| Err(DocumentError::Transaction(text));
        let Some(Value::Array(values)) = transaction.get_mut("entry").map(Value::take) else {
            return incomplete("it has no entry");
        };
        let mut entries = Vec::with_capacity(values.len() + 8);
        for mut value in values {
            let full_url = value.get("fullUrl").and_then(Value::as_str);
            let id = full_url
                .and_then(|url| url.strip_prefix("urn:uuid:"))
                .or_else(|| value.pointer("/resource/id")?.as_str())
                .and_then(|id| id.parse::<Uuid>().ok());
            let Some(resource) = value.get_mut("resource").map(Value::take) else {
                return incomplete("an entry has no resource");
            };
            if NOT_IN_DOCUMENT.contains(&resource_type(&resource)) {
                continue;
            }
            let Some(id) = id else {
                return incomplete("a fullUrl is not a UUID (urn:uuid:)");
            };
            entries.push(entry(id, resource));
        }
        let ids: HashSet<&String> = entries.iter().map(|(url, _)| url).collect();
        if ids.len() < entries.len() {
            return incomplete("two resources have the same id");
        }
        let is_one = |wanted: &str| {
            let mut found = entries
                .iter()
                .filter(|(_, resource)| resource_type(resource) == wanted);
            found
                .next()
                .filter(|_| found.next().is_none())
                .map(|(url, _)| url.clone())
        };
        if is_one("Composition").is_none() {
            return incomplete("it has not one Composition");
        }
        let Some(patient) = is_one("Patient") else {
            return incomplete("it has not one Patient");
        };
        entries.sort_by_key(|(_, resource)| resource_type(resource) != "Composition");
        resolve(&mut entries)?;
        let Some(issuer) = issuer(&entries) else {
            return incomplete("neither attester, custodian nor author is an Organization in it");
        };
        Ok(Self {
            entries,
            patient,
            issuer,
        })
    }

    pub(super) fn composition(&self) -> &Value {
        self.entries.first().map_or(&Value::Null, |(_, it)| it)
    }

    pub(super) fn composition_url(&self) -> &str {
        self.entries.first().map_or("", |(url, _)| url)
    }

    /// `fullUrl` of the Patient.
    pub(super) fn patient(&self) -> &str {
        &self.patient
    }

    /// `fullUrl` of the Organization that issues.
    pub(super) fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The certificate's validity.
    pub(super) fn period(&self) -> Option<&Value> {
        self.composition().pointer("/event/0/period")
    }

    /// States what only the issuing of a document decides.
    pub(super) fn complete_composition(
        &mut self,
        hcid: &Identifier,
        document_urn: &str,
        issued_at: &str,
    ) {
        let custodian = json!({"reference": self.issuer});
        let Some(object) = self
            .entries
            .first_mut()
            .and_then(|(_, composition)| composition.as_object_mut())
        else {
            return;
        };
        object.insert("date".to_owned(), json!(issued_at));
        object.entry("status").or_insert_with(|| json!("final"));
        object.entry("custodian").or_insert(custodian);
        let identifier = object
            .entry("identifier")
            .or_insert_with(|| json!({"system": URI, "value": document_urn}));
        // The guide's map identifies the Composition by the HCID, its profile asks for a system.
        if identifier.get("system").is_none() && identifier.get("value") == Some(&json!(hcid.value))
        {
            identifier["system"] = json!(folder::system(hcid));
        }
    }

    /// Adds the codes' resources. Their DocumentReferences become entries of the Composition's
    /// one section: the guide's profile closes the Composition to further sections.
    pub(super) fn add_codes(&mut self, codes: Vec<(Uuid, Value)>) -> Result<(), DocumentError> {
        let section = self
            .entries
            .first_mut()
            .and_then(|(_, composition)| composition.pointer_mut("/section/0"))
            .and_then(Value::as_object_mut)
            .ok_or(DocumentError::Transaction("its Composition has no section"))?;
        let references = section.entry("entry").or_insert_with(|| json!([]));
        let references = references
            .as_array_mut()
            .ok_or(DocumentError::Transaction("section.entry is not an array"))?;
        for (id, resource) in &codes {
            if resource_type(resource) == "DocumentReference" {
                references.push(json!({"reference": urn(*id)}));
            }
        }
        if references.is_empty() {
            section.remove("entry");
        }
        for (id, resource) in codes {
            self.add(id, resource);
        }
        Ok(())
    }

    pub(super) fn add(&mut self, id: Uuid, resource: Value) {
        self.entries.push(entry(id, resource));
    }

    pub(super) fn into_entries(self) -> Vec<Value> {
        self.entries
            .into_iter()
            .map(|(url, resource)| {
                let mut entry = json!({"fullUrl": url});
                entry["resource"] = resource;
                entry
            })
            .collect()
    }
}

pub(super) fn resource_type(resource: &Value) -> &str {
    resource
        .get("resourceType")
        .and_then(Value::as_str)
        .unwrap_or_default()
}

fn entry(id: Uuid, mut resource: Value) -> (String, Value) {
    if let Some(object) = resource.as_object_mut() {
        object.insert("id".to_owned(), json!(id));
    }
    (urn(id), resource)
}

/// The Organization that the Composition says to have issued it.
fn issuer(entries: &[(String, Value)]) -> Option<String> {
    let (_, composition) = entries.first()?;
    let is_organization = |reference: &str| {
        entries
            .iter()
            .any(|(url, resource)| url == reference && resource_type(resource) == "Organization")
    };
    [
        "/attester/0/party/reference",
        "/custodian/reference",
        "/author/0/reference",
    ]
    .iter()
    .filter_map(|pointer| composition.pointer(pointer)?.as_str())
    .find(|reference| is_organization(reference))
    .map(str::to_owned)
}

/// Makes references within the Bundle ones to a `fullUrl`, since `Type/id` does not resolve beside
/// `urn:uuid:` (FHIR R4 Bundle 2.36.4.1).
fn resolve(entries: &mut [(String, Value)]) -> Result<(), DocumentError> {
    let mut urls = HashMap::new();
    for (url, resource) in entries.iter() {
        if let Some(id) = url.strip_prefix("urn:uuid:") {
            urls.insert(format!("{}/{id}", resource_type(resource)), url.clone());
        }
        urls.insert(url.clone(), url.clone());
    }
    for (_, resource) in entries {
        if !resolve_in(resource, &urls) {
            return Err(DocumentError::DanglingReference {
                resource_type: resource_type(resource).to_owned(),
            });
        }
    }
    Ok(())
}

fn resolve_in(value: &mut Value, urls: &HashMap<String, String>) -> bool {
    match value {
        Value::Object(object) => object.iter_mut().all(|(name, value)| match value {
            Value::String(text) if name == "reference" => match urls.get(text.as_str()) {
                Some(url) => {
                    text.clone_from(url);
                    true
                }
                None => ["#", "http://", "https://"]
                    .iter()
                    .any(|prefix| text.starts_with(prefix)),
            },
            _ => resolve_in(value, urls),
        }),
        Value::Array(values) => values.iter_mut().all(|value| resolve_in(value, urls)),
        _ => true,
    }
}
