//! Registering a document: the transaction of MHD's Provide Document Bundle (ITI-65), which also
//! stores the document and its resources.

use std::fmt;

use serde_json::{Value, json};
use uuid::Uuid;

use super::content::resource_type;
use super::{SignedDocument, URI, derived, folder, urn};
use crate::core_data_set::CoreDataSet;
use crate::resource::{entries, remove_version, text};

const PATIENT: &str = "Patient";
const SUBMISSION_SET: &str = "http://smart.who.int/ddcc/StructureDefinition/DDCCSubmissionSet";
const DOCUMENT_REFERENCE: &str =
    "http://smart.who.int/ddcc/StructureDefinition/DDCCDocumentReference";
const PROVIDE_BUNDLE: [&str; 2] = [
    "http://smart.who.int/ddcc/StructureDefinition/DDCCProvideDocumentBundle",
    "https://profiles.ihe.net/ITI/MHD/StructureDefinition/IHE.MHD.Minimal.ProvideBundle",
];
const SOURCE_ID: &str = "https://profiles.ihe.net/ITI/MHD/StructureDefinition/ihe-sourceId";

/// Ids of sources are made within this.
const SOURCES: Uuid = Uuid::from_u128(0x0d53_9a0c_7d0a_4a38_8f4e_5a1f_22b9_c7d4);

/// Why a document cannot be registered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RegistrationError {
    /// The folder is not one that a document can be added to.
    #[error("the folder List/{id} of this HCID cannot take a further document: {reason}")]
    Folder {
        /// Id of the List.
        id: String,
        /// What it lacks.
        reason: &'static str,
    },
}

/// Id of the DocumentReference to a document, which is what its folder refers to.
#[must_use]
pub fn document_reference_id(document_id: Uuid) -> Uuid {
    derived(document_id, "DocumentReference")
}

/// What stores a document with each of its resources and the request, and registers it:
/// DocumentReference, submission set and folder.
///
/// A repository executes [`Registration::into_transaction`], or, where it keeps documents whole,
/// stores what that transaction would.
pub struct Registration<'a> {
    document: &'a SignedDocument,
    /// `fullUrl` of the Patient in the document.
    patient_url: String,
    /// Reference to the Patient in the repository.
    patient: String,
    /// Entries with what is not as it is in the document.
    entries: Vec<Value>,
}

// A registration is about a person, so it is not printed.
impl fmt::Debug for Registration<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Registration")
            .field("document", self.document)
            .finish_non_exhaustive()
    }
}

/// Prepares the registration of a document.
///
/// `folder` is the HCID's folder as the repository returned it, with its `meta.versionId`; `None`
/// when there is none. When the repository answers with a version conflict, someone else has
/// changed or created the folder: read it, check its holder and build again. Registering again
/// leaves everything as it is but for versions.
///
/// The Patient is stored with the folder's first document, under an id that follows from the HCID;
/// everything stored later refers to it.
///
/// # Errors
/// [`RegistrationError::Folder`] when `folder` names no version or no Patient.
pub fn provide_document_bundle<'a>(
    document: &'a SignedDocument,
    core_data_set: &CoreDataSet,
    questionnaire_response: Value,
    folder: Option<&Value>,
) -> Result<Registration<'a>, RegistrationError> {
    let hcid = &core_data_set.certificate.hcid;
    let folder_id = folder::id(hcid);
    let (folder, patient_id, condition) = match folder {
        None => {
            let patient_id = folder::new_patient(folder_id).to_string();
            let new = folder::new(hcid, &patient_id);
            (new, patient_id, ("ifNoneMatch", "*".to_owned()))
        }
        Some(existing) => {
            let unusable = |reason| RegistrationError::Folder {
                id: text(existing, "/id").to_owned(),
                reason,
            };
            let version = text(existing, "/meta/versionId");
            if version.is_empty() || text(existing, "/id").is_empty() {
                return Err(unusable("it was read without id or meta.versionId"));
            }
            let patient_id = folder::patient(existing)
                .ok_or_else(|| unusable("its subject is not a Patient"))?
                .to_owned();
            let condition = ("ifMatch", format!("W/\"{version}\""));
            (existing.clone(), patient_id, condition)
        }
    };
    let is_new = condition.0 == "ifNoneMatch";
    let bundle = document.bundle();
    let parts = Parts::of(bundle, &patient_id);
    let issued_at = bundle.get("timestamp").cloned().unwrap_or_default();
    let folder = folder::with_document(folder, document.id(), &issued_at);

    let mut entries = vec![
        put(submission_set(document, core_data_set, &parts, &folder)),
        put(document_reference(document, core_data_set, &parts)),
    ];
    let mut folder = put(folder);
    folder["request"][condition.0] = json!(condition.1);
    entries.push(folder);
    let patient = parts
        .resources(bundle)
        .find(|resource| resource_type(resource) == PATIENT);
    if let Some(patient) = patient.filter(|_| is_new) {
        let mut patient = patient.clone();
        parts.refer_to_patient(&mut patient);
        patient["id"] = json!(patient_id);
        entries.push(put(patient));
    }
    entries.push(put(parts.request(document.id(), questionnaire_response)));
    let Parts {
        patient_url,
        patient,
        ..
    } = parts;
    Ok(Registration {
        document,
        patient_url: patient_url.to_owned(),
        patient,
        entries,
    })
}

impl<'a> Registration<'a> {
    /// Adds a resource that is to be stored under its own id.
    pub fn add(&mut self, resource: Value) {
        self.entries.push(put(resource));
    }

    /// Adds a resource that replaces the version of it that was read.
    pub fn replace(&mut self, mut resource: Value) {
        let version = text(&resource, "/meta/versionId").to_owned();
        remove_version(&mut resource);
        let mut entry = put(resource);
        entry["request"]["ifMatch"] = json!(format!("W/\"{version}\""));
        self.entries.push(entry);
    }

    /// The transaction of MHD's Provide Document Bundle.
    #[must_use]
    pub fn into_transaction(self) -> Value {
        let bundle = self.document.bundle();
        let parts = Parts {
            composition: &Value::Null,
            patient_url: &self.patient_url,
            patient: self.patient,
        };
        let mut entries = self.entries;
        for resource in parts.resources(bundle) {
            if resource_type(resource) != PATIENT {
                let mut resource = resource.clone();
                parts.refer_to_patient(&mut resource);
                entries.push(put(resource));
            }
        }
        entries.push(entry(
            &urn(self.document.id()),
            bundle.clone(),
            &format!("Bundle/{}", self.document.id()),
        ));
        let mut transaction = json!({
            "resourceType": "Bundle",
            "meta": {"profile": PROVIDE_BUNDLE},
            "type": "transaction",
        });
        transaction["entry"] = entries.into();
        transaction
    }

    /// The same apart: the document, where what refers to its Patient refers to in the repository,
    /// and the transaction's other entries. The document's resources but for the Patient are to be
    /// stored under their own ids.
    pub(crate) fn into_parts(self) -> (&'a SignedDocument, MovedPatient, Vec<Value>) {
        let moved = MovedPatient {
            full_url: self.patient_url,
            location: self.patient,
        };
        (self.document, moved, self.entries)
    }
}

/// The Patient of a document, which is another resource in the repository.
pub(crate) struct MovedPatient {
    /// `fullUrl` in the document.
    pub(crate) full_url: String,
    /// `Patient/id` in the repository.
    pub(crate) location: String,
}

/// What of the document its registration refers to.
struct Parts<'a> {
    composition: &'a Value,
    /// `fullUrl` of the Patient in the document.
    patient_url: &'a str,
    /// Reference to the Patient in the repository.
    patient: String,
}

impl<'a> Parts<'a> {
    fn of(bundle: &'a Value, patient_id: &str) -> Self {
        let composition = bundle.pointer("/entry/0/resource").unwrap_or(&Value::Null);
        let patient_url = entries(bundle)
            .find(|entry| text(entry, "/resource/resourceType") == PATIENT)
            .map_or("", |entry| text(entry, "/fullUrl"));
        Self {
            composition,
            patient_url,
            patient: format!("Patient/{patient_id}"),
        }
    }

    fn resources(&self, bundle: &'a Value) -> impl Iterator<Item = &'a Value> {
        entries(bundle).filter_map(|entry| entry.get("resource"))
    }

    /// Where the document refers to its own Patient, the repository refers to the folder's.
    fn refer_to_patient(&self, value: &mut Value) {
        match value {
            Value::Object(object) => {
                for (name, value) in object {
                    match value {
                        Value::String(text) if name == "reference" && text == self.patient_url => {
                            text.clone_from(&self.patient);
                        }
                        _ => self.refer_to_patient(value),
                    }
                }
            }
            Value::Array(values) => {
                for value in values {
                    self.refer_to_patient(value);
                }
            }
            _ => {}
        }
    }

    /// The QuestionnaireResponse under an id of ours: submitters' own ids may collide.
    fn request(&self, document_id: Uuid, mut questionnaire_response: Value) -> Value {
        if let Some(object) = questionnaire_response.as_object_mut() {
            object.insert("id".to_owned(), json!(request_id(document_id)));
            object.insert("subject".to_owned(), json!({"reference": self.patient}));
        }
        questionnaire_response
    }

    fn issuer(&self) -> Value {
        self.composition
            .get("custodian")
            .cloned()
            .unwrap_or_default()
    }
}

fn request_id(document_id: Uuid) -> Uuid {
    derived(document_id, "QuestionnaireResponse")
}

/// MHD's submission set: that this document came in now, and into which folder.
fn submission_set(
    document: &SignedDocument,
    core_data_set: &CoreDataSet,
    parts: &Parts<'_>,
    folder: &Value,
) -> Value {
    let id = derived(document.id(), "List");
    let issuer = core_data_set.certificate.issuer.identifier.as_ref();
    let source = issuer.map_or("", |issuer| issuer.value.as_str());
    json!({
        "resourceType": "List",
        "id": id,
        "meta": {"profile": [SUBMISSION_SET]},
        "extension": [{
            "url": SOURCE_ID,
            "valueIdentifier": {"system": URI, "value": oid(derived(SOURCES, source))},
        }],
        "identifier": [
            {"use": "usual", "system": URI, "value": oid(id)},
            {"use": "official", "system": URI, "value": urn(id)},
        ],
        "status": "current",
        "mode": "working",
        "title": "DDCC submission",
        "code": {"coding": [{"system": folder::LIST_TYPES, "code": "submissionset"}]},
        "subject": {"reference": parts.patient},
        "date": document.bundle().get("timestamp"),
        "entry": [
            {"item": {"reference": format!("DocumentReference/{}", document_reference_id(document.id()))}},
            {"item": {"reference": format!("List/{}", text(folder, "/id"))}},
        ],
    })
}

/// MHD's reference to the document.
fn document_reference(
    document: &SignedDocument,
    core_data_set: &CoreDataSet,
    parts: &Parts<'_>,
) -> Value {
    let bundle = document.bundle();
    let id = document_reference_id(document.id());
    let issued_at = bundle.get("timestamp");
    let mut subject = json!({"reference": parts.patient});
    if let Some(identifier) = &core_data_set.identifier {
        subject["identifier"] = json!(identifier);
    }
    let mut related = vec![json!({
        "reference": format!("QuestionnaireResponse/{}", request_id(document.id()))
    })];
    let codes = parts
        .resources(bundle)
        .filter(|resource| resource_type(resource) == "DocumentReference");
    related.extend(
        codes.map(|code| json!({"reference": format!("DocumentReference/{}", text(code, "/id"))})),
    );
    let mut resource = json!({
        "resourceType": "DocumentReference",
        "id": id,
        "meta": {"profile": [DOCUMENT_REFERENCE]},
        "masterIdentifier": {"use": "usual", "system": URI, "value": urn(document.id())},
        "identifier": [{"use": "official", "system": URI, "value": urn(id)}],
        "status": "current",
        "type": parts.composition.get("type"),
        "subject": subject,
        "date": issued_at,
        "author": [parts.issuer()],
        "custodian": parts.issuer(),
        "content": [{"attachment": {
            "contentType": "application/fhir+json",
            "url": format!("Bundle/{}", document.id()),
            "title": parts.composition.get("title"),
            "creation": issued_at,
        }}],
        "context": {"related": related},
    });
    if let Some(category) = parts.composition.get("category") {
        resource["category"] = category.clone();
    }
    if let Some(period) = parts.composition.pointer("/event/0/period") {
        resource["context"]["period"] = period.clone();
    }
    resource
}

/// An entry that stores the resource under its own id.
fn put(resource: Value) -> Value {
    let id = text(&resource, "/id").to_owned();
    let url = format!("{}/{id}", resource_type(&resource));
    entry(&format!("urn:uuid:{id}"), resource, &url)
}

/// The resource is moved: `json!` copies what it is given.
fn entry(full_url: &str, resource: Value, url: &str) -> Value {
    let mut entry = json!({"fullUrl": full_url});
    entry["resource"] = resource;
    entry["request"] = json!({"method": "PUT", "url": url});
    entry
}

/// A UUID as an OID (ITU-T X.667), which is what MHD asks for.
fn oid(id: Uuid) -> String {
    format!("urn:oid:2.25.{}", id.as_u128())
}

#[cfg(test)]
mod tests;
