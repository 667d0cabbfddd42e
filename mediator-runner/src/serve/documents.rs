//! Documents, their references and their folders: stored and read.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use chrono::Utc;
use http::header::LOCATION;
use http::{HeaderValue, StatusCode};
use mediator_core::authentication::Caller;
use mediator_core::server::InFlight;
use mediator_ddcc::audit_event::{Interaction, Requester, document_stored};
use mediator_ddcc::document::signature::{self, SignatureError};
use mediator_ddcc::operation_outcome::{Issue, IssueType, OperationOutcome};
use mediator_ddcc::repository::RepositoryError;
use mediator_ddcc::signing::SigningCertificate;
use serde_json::{Value, json};
use uuid::Uuid;

use super::application::Application;
use super::disclosure_audit::Reader;
use super::fhir::{
    Answer, Failure, FhirJson, ResourceId, SearchParameters, not_found, off_the_async_threads,
    resource,
};

/// `Bundle.type`, FHIR R4.
const BUNDLE_TYPES: [&str; 9] = [
    "document",
    "message",
    "transaction",
    "transaction-response",
    "batch",
    "batch-response",
    "history",
    "searchset",
    "collection",
];

/// `Identifier.system` of values that are URIs themselves.
const URI: &str = "urn:ietf:rfc:3986";

/// Ids of documents whose identifier is no UUID are made within this.
const DOCUMENTS: Uuid = Uuid::from_u128(0x51b7_5e6c_6f0b_4c39_9a36_2f0a_6d1e_8c44);

/// `POST [base]/Bundle` stores a document: 201 with `Location`, or 200 when it is there already;
/// 400 when it breaks FHIR, 422 when it is another kind of Bundle or unsigned, 409 when another
/// document has its identifier.
///
/// A signature in the name of a key of this service must be that key's. Whose other signature it
/// has is for verifiers to judge: a repository does not decide whom they trust.
pub(super) async fn create(
    State(application): State<Application>,
    caller: Option<Caller>,
    in_flight: InFlight,
    FhirJson(bundle): FhirJson,
) -> Answer {
    let certificates = application.generation().ports().signer.certificates();
    let (id, bundle) = off_the_async_threads(move || {
        let id = examine(&bundle, &certificates)?;
        Ok::<_, Failure>((id, bundle))
    })
    .await??;
    let stored = in_flight.finish(async move {
        let requester = caller.and_then(|caller| application.requesters.of(&caller));
        let status = store(&application, id, bundle, requester.as_ref()).await?;
        Ok::<_, Failure>((status, application.generation().location_of(id)))
    });
    let (status, location) = stored.await?;
    let mut answer = Response::default();
    *answer.status_mut() = status;
    if let Ok(location) = HeaderValue::try_from(location) {
        answer.headers_mut().insert(LOCATION, location);
    }
    Ok(answer)
}

async fn store(
    application: &Application,
    id: Uuid,
    bundle: Value,
    requester: Option<&Requester>,
) -> Result<StatusCode, Failure> {
    let generation = application.generation();
    let repository = Arc::clone(&generation.ports().repository);
    let audit_id = Uuid::new_v4();
    let issuer = &generation.settings().issuer.name;
    let document = format!("Bundle/{id}");
    let audit = document_stored(audit_id, Utc::now(), issuer, requester, &document);
    let transaction = json!({
        "resourceType": "Bundle",
        "type": "transaction",
        "entry": [{
            "resource": &bundle,
            "request": {"method": "PUT", "url": document, "ifNoneMatch": "*"},
        }, {
            "resource": audit,
            "request": {"method": "PUT", "url": format!("AuditEvent/{audit_id}")},
        }],
    });
    match repository.transaction(transaction).await {
        Ok(_) => return Ok(StatusCode::CREATED),
        Err(RepositoryError::VersionConflict { .. }) => {}
        Err(error) => return Err(Failure(error.into())),
    }
    let existing = repository
        .read("Bundle", &id.to_string())
        .await
        .map_err(|error| Failure(error.into()))?;
    if existing.is_some_and(|existing| without_metadata(existing) == without_metadata(bundle)) {
        return Ok(StatusCode::OK);
    }
    Err(Failure::new(
        StatusCode::CONFLICT,
        Issue::error(
            IssueType::Conflict,
            "Bundle.identifier",
            "another document with this identifier is stored",
        ),
    ))
}

/// The document without what a server may change.
fn without_metadata(mut bundle: Value) -> Value {
    if let Some(bundle) = bundle.as_object_mut() {
        bundle.remove("id");
        bundle.remove("meta");
    }
    bundle
}

/// The id for a document that may be stored: it follows from the identifier, which a document has
/// wherever it is copied to.
fn examine(bundle: &Value, certificates: &[SigningCertificate]) -> Result<Uuid, Failure> {
    let mut issues = Vec::new();
    let mut broken = |code, element: &str, text: &str| {
        issues.push(Issue::error(code, element, text));
    };
    let text = |pointer: &str| bundle.pointer(pointer).and_then(Value::as_str);
    if text("/resourceType") != Some("Bundle") {
        broken(IssueType::Structure, "resourceType", "this is no Bundle");
    }
    match text("/type") {
        Some(known) if BUNDLE_TYPES.contains(&known) => {}
        Some(_) => broken(IssueType::Value, "Bundle.type", "FHIR has no such type"),
        None => broken(IssueType::Required, "Bundle.type", "a Bundle has a type"),
    }
    let is_document = text("/type") == Some("document");
    let (system, value) = (text("/identifier/system"), text("/identifier/value"));
    if is_document {
        // Invariants bdl-9, bdl-10 and bdl-11 of FHIR itself.
        if system.is_none() || value.is_none_or(|value| value.trim().is_empty()) {
            let rule = "a document has an identifier with a system and a value";
            broken(IssueType::Required, "Bundle.identifier", rule);
        }
        if text("/timestamp").is_none() {
            let rule = "a document has a timestamp";
            broken(IssueType::Required, "Bundle.timestamp", rule);
        }
        if text("/entry/0/resource/resourceType") != Some("Composition") {
            let rule = "a document's first resource is a Composition";
            broken(IssueType::Invariant, "Bundle.entry[0].resource", rule);
        }
    }
    if !issues.is_empty() {
        return Err(Failure(OperationOutcome {
            status: 400,
            issues,
        }));
    }
    let refuse = |code, element: &str, text: String| {
        Err(Failure::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            Issue::error(code, element, text),
        ))
    };
    if !is_document {
        let text = "only documents are stored here".to_owned();
        return refuse(IssueType::Value, "Bundle.type", text);
    }
    if let Err(error) = check_signature(bundle, certificates) {
        return refuse(IssueType::Invariant, "Bundle.signature", error.to_string());
    }
    let (system, value) = (system.unwrap_or_default(), value.unwrap_or_default());
    let own = value
        .strip_prefix("urn:uuid:")
        .filter(|_| system == URI)
        .and_then(|id| id.parse().ok());
    Ok(own.unwrap_or_else(|| Uuid::new_v5(&DOCUMENTS, format!("{system}|{value}").as_bytes())))
}

fn check_signature(
    bundle: &Value,
    certificates: &[SigningCertificate],
) -> Result<(), SignatureError> {
    match signature::verify(bundle, certificates) {
        Ok(_)
        | Err(
            SignatureError::UnknownKey { .. }
            | SignatureError::Unreadable(_)
            | SignatureError::Algorithm,
        ) => Ok(()),
        // Signatures of others may be made otherwise.
        Err(SignatureError::Contradiction(_))
            if signature::signing_certificate(bundle)
                .is_none_or(|certificate| !certificates.contains(&certificate)) =>
        {
            Ok(())
        }
        Err(error) => Err(error),
    }
}

/// `GET [base]/Bundle/{id}`: Retrieve Health Certificate (ITI-68).
pub(super) async fn read_bundle(
    State(application): State<Application>,
    reader: Reader,
    ResourceId(id): ResourceId,
) -> Answer {
    let how = Interaction::RetrieveDocument;
    read(&application, &reader, how, "Bundle", &id).await
}

/// `GET [base]/Composition/{id}/$document`: an unsigned document of what is stored now. What was
/// certified is the signed one.
pub(super) async fn document_of_composition(
    State(application): State<Application>,
    reader: Reader,
    ResourceId(id): ResourceId,
) -> Answer {
    let repository = Arc::clone(&application.generation().ports().repository);
    let document = repository
        .document(&id)
        .await
        .map_err(|error| Failure(error.into()))?
        .ok_or_else(not_found)?;
    let composition = vec![format!("Composition/{id}")];
    reader
        .was_given(Interaction::Operation("document"), composition, Vec::new())
        .await;
    Ok(resource(StatusCode::OK, &document))
}

/// `GET [base]/DocumentReference/{id}`.
pub(super) async fn read_document_reference(
    State(application): State<Application>,
    reader: Reader,
    ResourceId(id): ResourceId,
) -> Answer {
    read(
        &application,
        &reader,
        Interaction::Read,
        "DocumentReference",
        &id,
    )
    .await
}

/// `GET [base]/List/{id}`.
pub(super) async fn read_list(
    State(application): State<Application>,
    reader: Reader,
    ResourceId(id): ResourceId,
) -> Answer {
    read(&application, &reader, Interaction::Read, "List", &id).await
}

async fn read(
    application: &Application,
    reader: &Reader,
    interaction: Interaction,
    resource_type: &str,
    id: &str,
) -> Answer {
    let repository = Arc::clone(&application.generation().ports().repository);
    let found = repository
        .read(resource_type, id)
        .await
        .map_err(|error| Failure(error.into()))?
        .ok_or_else(not_found)?;
    let given = vec![format!("{resource_type}/{id}")];
    reader.was_given(interaction, given, Vec::new()).await;
    Ok(resource(StatusCode::OK, &found))
}

/// `GET [base]/List?code=folder&identifier=…`: Retrieve Health Folder (ITI-66).
pub(super) async fn search_folders(
    State(application): State<Application>,
    reader: Reader,
    SearchParameters(parameters): SearchParameters,
) -> Answer {
    let how = Interaction::FindDocumentLists;
    search(&application, &reader, how, "List", &parameters).await
}

/// `GET [base]/DocumentReference?…`: Retrieve Health Certificate Reference (ITI-67).
pub(super) async fn search_references(
    State(application): State<Application>,
    reader: Reader,
    SearchParameters(parameters): SearchParameters,
) -> Answer {
    let how = Interaction::FindDocumentReferences;
    search(&application, &reader, how, "DocumentReference", &parameters).await
}

/// Whether each value of a search parameter is one, and not a system with any value (`system|`).
fn is_specific(values: &str) -> bool {
    values
        .split(',')
        .all(|value| !value.is_empty() && !value.ends_with('|'))
}

/// A search names whose certificates it is for: nobody reads everyone's.
async fn search(
    application: &Application,
    reader: &Reader,
    interaction: Interaction,
    resource_type: &str,
    parameters: &[(String, String)],
) -> Answer {
    let parameters: Vec<(&str, &str)> = parameters
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .filter(|(name, _)| *name != "_format")
        .collect();
    let names_someone = |name: &str| {
        matches!(
            name,
            "_id" | "identifier" | "patient" | "subject" | "item" | "related"
        ) || name.ends_with(".identifier")
            || name.ends_with(":identifier")
    };
    if !parameters
        .iter()
        .any(|(name, value)| names_someone(name) && is_specific(value))
    {
        return Err(Failure::new(
            StatusCode::BAD_REQUEST,
            Issue::general(
                IssueType::Required,
                "name whose certificates are searched for: identifier or patient.identifier",
            ),
        ));
    }
    let found = application
        .generation()
        .ports()
        .repository
        .search(resource_type, &parameters)
        .await
        .map_err(|error| Failure(error.into()))?;
    let id = |found: &Value| found["id"].as_str().unwrap_or_default().to_owned();
    let given = found.iter().map(id);
    let given = given.map(|id| format!("{resource_type}/{id}")).collect();
    let names = parameters.iter().map(|(name, _)| (*name).to_owned());
    reader.was_given(interaction, given, names.collect()).await;
    let generation = application.generation();
    let base = &generation.settings().public_base_url;
    let entries: Vec<Value> = found
        .into_iter()
        .map(|found| {
            let id = id(&found);
            json!({
                "fullUrl": format!("{base}/{resource_type}/{id}"),
                "resource": found,
                "search": {"mode": "match"},
            })
        })
        .collect();
    let mut bundle = json!({
        "resourceType": "Bundle",
        "type": "searchset",
        "total": entries.len(),
    });
    // FHIR has no empty arrays.
    if !entries.is_empty() {
        bundle["entry"] = entries.into();
    }
    Ok(resource(StatusCode::OK, &bundle))
}
