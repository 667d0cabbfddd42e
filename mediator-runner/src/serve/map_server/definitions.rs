//! Maps, models and ConceptMaps: create, update, read, search and delete.

use std::marker::PhantomData;

use axum::Router;
use axum::extract::{FromRequest, Request, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, LOCATION};
use http::{HeaderValue, StatusCode};
use mediator_core::server::RequestBody;
use mediator_ddcc::operation_outcome::{Issue, IssueType, OperationOutcome};
use mediator_ddcc::transformer::{Definition, DefinitionType, Stored, Upload, UploadError};
use serde_json::{Value, json};

use super::super::fhir::{
    Answer, Failure, FhirJson, JSON_NAMES, ResourceId, SearchParameters, Wanted, not_acceptable,
    not_found, off_the_async_threads, resource, unsupported_media_type,
};
use super::super::media_type::{self, Offer};
use super::transform::issues;
use super::{BASE, MapServer};

/// Media type of the FHIR Mapping Language.
const MAPPING_LANGUAGE: &str = "text/fhir-mapping";

/// Definitions on one page of a search.
const PAGE: usize = 50;

/// The type of definition that a route is about.
pub(super) trait Kind: Send + Sync + 'static {
    const TYPE: DefinitionType;
}

pub(super) struct StructureMaps;
pub(super) struct StructureDefinitions;
pub(super) struct ConceptMaps;

impl Kind for StructureMaps {
    const TYPE: DefinitionType = DefinitionType::StructureMap;
}

impl Kind for StructureDefinitions {
    const TYPE: DefinitionType = DefinitionType::StructureDefinition;
}

impl Kind for ConceptMaps {
    const TYPE: DefinitionType = DefinitionType::ConceptMap;
}

pub(super) fn router<K: Kind>() -> Router<MapServer> {
    let path = format!("/{}", K::TYPE.as_str());
    Router::new()
        .route(&path, get(search::<K>).post(create::<K>))
        .route(
            &format!("{path}/{{id}}"),
            get(read::<K>).put(update::<K>).delete(delete::<K>),
        )
}

/// What is uploaded: JSON, or a map in its language.
pub(super) struct Uploaded<K>(Upload, PhantomData<K>);

impl<S: Send + Sync, K: Kind> FromRequest<S> for Uploaded<K> {
    type Rejection = Response;

    async fn from_request(request: Request, state: &S) -> Result<Self, Response> {
        let headers = request.headers();
        let is_map = K::TYPE == DefinitionType::StructureMap;
        let is_language = is_map
            && headers.contains_key(CONTENT_TYPE)
            && media_type::is_one_of(headers, &[MAPPING_LANGUAGE]);
        let upload = if is_language {
            let RequestBody(body) = RequestBody::from_request(request, state).await?;
            let text = String::from_utf8(body.into()).map_err(|_| {
                let text = "send the map in UTF-8";
                let issue = Issue::general(IssueType::Structure, text);
                Failure::new(StatusCode::BAD_REQUEST, issue).into_response()
            })?;
            Upload::Language(text)
        } else if media_type::is_one_of(headers, JSON_NAMES) {
            let FhirJson(resource) = FhirJson::from_request(request, state).await?;
            Upload::Resource(resource)
        } else if is_map {
            return Err(unsupported_media_type(
                "send text/fhir-mapping or application/fhir+json",
            ));
        } else {
            return Err(unsupported_media_type("send application/fhir+json"));
        };
        Ok(Self(upload, PhantomData))
    }
}

async fn create<K: Kind>(
    State(server): State<MapServer>,
    Uploaded(upload, _): Uploaded<K>,
) -> Answer {
    put(&server, K::TYPE, None, upload).await
}

async fn update<K: Kind>(
    State(server): State<MapServer>,
    ResourceId(id): ResourceId,
    Uploaded(upload, _): Uploaded<K>,
) -> Answer {
    put(&server, K::TYPE, Some(id), upload).await
}

async fn put(
    server: &MapServer,
    definition_type: DefinitionType,
    id: Option<String>,
    upload: Upload,
) -> Answer {
    // A long map takes a while to be read.
    let definitions = server.definitions.clone();
    let runtime = tokio::runtime::Handle::current();
    let stored = off_the_async_threads(move || {
        runtime.block_on(definitions.put(definition_type, id.as_deref(), upload))
    });
    let (definition, stored) = stored.await?.map_err(refused)?;
    let status = match stored {
        Stored::Created => StatusCode::CREATED,
        Stored::Updated => StatusCode::OK,
    };
    let mut response = resource(status, &definition.resource());
    let location = format!("{BASE}/{}/{}", definition_type.as_str(), definition.id);
    if let Ok(location) = HeaderValue::try_from(location) {
        response.headers_mut().insert(LOCATION, location);
    }
    Ok(response)
}

fn refused(error: UploadError) -> Failure {
    let (status, code) = match &error {
        UploadError::Unusable(_) => (StatusCode::UNPROCESSABLE_ENTITY, IssueType::Value),
        UploadError::IdTaken { .. } => (StatusCode::CONFLICT, IssueType::Conflict),
        UploadError::Full => (StatusCode::PAYLOAD_TOO_LARGE, IssueType::TooLong),
        UploadError::Database(_) => (StatusCode::SERVICE_UNAVAILABLE, IssueType::Transient),
    };
    issues(status, code, &error.to_string())
}

#[derive(Debug, Clone, Copy)]
enum Form {
    Json,
    Language,
}

async fn read<K: Kind>(
    State(server): State<MapServer>,
    wanted: Wanted,
    ResourceId(id): ResourceId,
) -> Answer {
    let definition = server.definitions.read(K::TYPE, &id);
    let definition = definition.ok_or_else(not_found)?;
    let forms = [
        Offer {
            names: JSON_NAMES,
            value: Form::Json,
        },
        Offer {
            names: &[MAPPING_LANGUAGE],
            value: Form::Language,
        },
    ];
    Ok(match (wanted.choose(&forms), definition.text()) {
        (Some(Form::Json), _) => resource(StatusCode::OK, &definition.resource()),
        (Some(Form::Language), Some(text)) => (
            StatusCode::OK,
            [
                (CONTENT_TYPE, "text/fhir-mapping;charset=utf-8"),
                (CACHE_CONTROL, "no-store"),
            ],
            text.to_owned(),
        )
            .into_response(),
        _ => not_acceptable("answers are application/fhir+json; of maps text/fhir-mapping, too"),
    })
}

async fn delete<K: Kind>(State(server): State<MapServer>, ResourceId(id): ResourceId) -> Answer {
    let deleted = server.definitions.delete(K::TYPE, &id).await;
    let deleted = deleted.map_err(|error| refused(UploadError::Database(error)))?;
    if !deleted && server.definitions.read(K::TYPE, &id).is_some() {
        return Err(Failure::new(
            StatusCode::CONFLICT,
            Issue::general(
                IssueType::Conflict,
                "this is of the configuration: take it out of maps.folder, or upload another one with its url",
            ),
        ));
    }
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn search<K: Kind>(
    State(server): State<MapServer>,
    wanted: Wanted,
    SearchParameters(parameters): SearchParameters,
) -> Answer {
    let json = [Offer {
        names: JSON_NAMES,
        value: (),
    }];
    if wanted.choose(&json).is_none() {
        return Ok(not_acceptable("answers are application/fhir+json"));
    }
    let (mut url, mut id, mut offset) = (None, None, 0_usize);
    for (name, value) in &parameters {
        match name.as_str() {
            "url" => url = Some(value.as_str()),
            "_id" => id = Some(value.as_str()),
            "_offset" => {
                offset = value
                    .parse()
                    .map_err(|_| unsupported("_offset is a number"))?;
            }
            "_format" => {}
            other => {
                let text =
                    format!("the search parameter {other} is not supported; url and _id are");
                return Err(unsupported(&text));
            }
        }
    }
    let mut found = server.definitions.search(K::TYPE, url);
    found.retain(|definition| id.is_none_or(|id| definition.id == id));
    found.sort_by(|one, other| one.url.cmp(&other.url));
    let mut links = Vec::new();
    if found.len() > offset.saturating_add(PAGE) {
        let next = format!("{BASE}/{}?_offset={}", K::TYPE.as_str(), offset + PAGE);
        links.push(json!({"relation": "next", "url": next}));
    }
    let entries: Vec<Value> = found.iter().skip(offset).take(PAGE).map(entry).collect();
    let bundle = json!({
        "resourceType": "Bundle",
        "type": "searchset",
        "total": found.len(),
        "link": links,
        "entry": entries,
    });
    Ok(resource(StatusCode::OK, &without_empty_lists(bundle)))
}

fn entry(definition: &Definition) -> Value {
    let resource_type = definition.definition_type.as_str();
    json!({
        "fullUrl": format!("{BASE}/{resource_type}/{}", definition.id),
        "resource": definition.resource(),
        "search": {"mode": "match"},
    })
}

/// FHIR has no empty lists.
fn without_empty_lists(mut bundle: Value) -> Value {
    if let Some(object) = bundle.as_object_mut() {
        object.retain(|_, value| value.as_array().is_none_or(|list| !list.is_empty()));
    }
    bundle
}

fn unsupported(text: &str) -> Failure {
    let issue = Issue::general(IssueType::NotSupported, text);
    Failure(OperationOutcome::new(
        StatusCode::BAD_REQUEST.as_u16(),
        issue,
    ))
}
