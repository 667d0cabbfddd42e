//! FHIR JSON in and out, and OperationOutcomes for everything that goes wrong.

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures::stream;
use http::header::{
    ACCEPT, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER,
};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, StatusCode};
use mediator_core::server::{Refusal, RequestBody};
use mediator_ddcc::json_text::json_text;
use mediator_ddcc::operation_outcome::{Issue, IssueType, OperationOutcome};
use mediator_ddcc::strict_json;
use serde_json::Value;

use super::media_type::{self, Offer};

/// Media type of FHIR in JSON.
pub(super) const FHIR_JSON: &str = "application/fhir+json";

/// Names under which FHIR in JSON is asked for; the last is of FHIR before R4.
pub(super) const JSON_NAMES: &[&str] = &[
    FHIR_JSON,
    "application/json",
    "json",
    "application/json+fhir",
];

/// A longer body is parsed outside the async threads.
const LONG: usize = 128 * 1024;

/// What a handler of this API returns.
pub(super) type Answer = Result<Response, Failure>;

/// An outcome on its way to the client.
#[derive(Debug)]
pub(super) struct Failure(pub(super) OperationOutcome);

impl From<OperationOutcome> for Failure {
    fn from(outcome: OperationOutcome) -> Self {
        Self(outcome)
    }
}

impl Failure {
    pub(super) fn new(status: StatusCode, issue: Issue) -> Self {
        Self(OperationOutcome::new(status.as_u16(), issue))
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let Self(outcome) = self;
        let status =
            StatusCode::from_u16(outcome.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        if status.is_server_error() {
            tracing::error!(status = outcome.status, "{}", outcome.summary());
        }
        let mut response = resource(status, &outcome.to_resource());
        if status == StatusCode::SERVICE_UNAVAILABLE {
            response
                .headers_mut()
                .insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

/// What the server refuses by itself, as an OperationOutcome.
pub(super) fn refused(refusal: &Refusal) -> Response {
    let code = match refusal {
        Refusal::NotFound => IssueType::NotFound,
        Refusal::MethodNotAllowed => IssueType::NotSupported,
        Refusal::NoClientCertificate => IssueType::Forbidden,
        Refusal::BodyIncomplete => IssueType::Structure,
        Refusal::BodyTooSlow { .. } | Refusal::TimedOut { .. } => IssueType::Timeout,
        Refusal::BodyTooLarge { .. } => IssueType::TooLong,
        Refusal::Overloaded { .. } => IssueType::Throttled,
        _ => IssueType::Exception,
    };
    let issue = Issue::general(code, refusal.to_string());
    let outcome = OperationOutcome::new(refusal.status().as_u16(), issue);
    resource(refusal.status(), &outcome.to_resource())
}

/// A resource as an answer. Most are about a person, so none is kept by caches.
pub(super) fn resource(status: StatusCode, resource: &Value) -> Response {
    json(status, FHIR_JSON, resource)
}

/// The text of a resource as an answer, likewise.
pub(super) fn resource_text(status: StatusCode, text: Arc<str>) -> Response {
    answer(status, FHIR_JSON, Bytes::from_owner(TextBytes(text)))
}

/// The text of a resource in pieces as an answer, likewise.
pub(super) fn resource_pieces(status: StatusCode, pieces: Vec<Arc<str>>) -> Response {
    let length: usize = pieces.iter().map(|piece| piece.len()).sum();
    let pieces = pieces
        .into_iter()
        .map(|piece| Bytes::from_owner(TextBytes(piece)));
    let body = Body::from_stream(stream::iter(pieces.map(Ok::<_, Infallible>)));
    let mut response = answer(status, FHIR_JSON, body);
    response.headers_mut().insert(CONTENT_LENGTH, length.into());
    response
}

/// JSON of this media type as an answer.
pub(super) fn json(status: StatusCode, media_type: &'static str, value: &Value) -> Response {
    answer(status, media_type, json_text(value))
}

fn answer(status: StatusCode, media_type: &'static str, body: impl IntoResponse) -> Response {
    let headers = [(CONTENT_TYPE, media_type), (CACHE_CONTROL, "no-store")];
    (status, headers, body).into_response()
}

/// A text that is shared, not copied.
struct TextBytes(Arc<str>);

impl AsRef<[u8]> for TextBytes {
    fn as_ref(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

/// A JSON body.
#[derive(Debug)]
pub(super) struct FhirJson(pub(super) Value);

impl<S: Send + Sync> FromRequest<S> for FhirJson {
    type Rejection = Response;

    async fn from_request(request: Request, state: &S) -> Result<Self, Response> {
        if !media_type::is_one_of(request.headers(), JSON_NAMES) {
            return Err(unsupported_media_type("send application/fhir+json"));
        }
        let encoding = request.headers().get(CONTENT_ENCODING);
        if encoding.is_some_and(|encoding| encoding != "identity") {
            return Err(unsupported_media_type("send the body uncompressed"));
        }
        let RequestBody(body) = RequestBody::from_request(request, state).await?;
        parse(body)
            .await
            .map(Self)
            .map_err(IntoResponse::into_response)
    }
}

/// Parses JSON, a property twice and endless nesting refused.
pub(super) async fn parse(body: axum::body::Bytes) -> Result<Value, Failure> {
    let parsed = if body.len() > LONG {
        off_the_async_threads(move || strict_json::parse(&body)).await?
    } else {
        strict_json::parse(&body)
    };
    parsed.map_err(|error| {
        Failure::new(
            StatusCode::BAD_REQUEST,
            Issue::general(IssueType::Structure, error.to_string()),
        )
    })
}

/// Runs work for the processor where it stops no other request.
pub(super) async fn off_the_async_threads<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Failure> {
    tokio::task::spawn_blocking(work).await.map_err(|_| {
        Failure::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            Issue::general(
                IssueType::Exception,
                "the request failed for a reason that is not yours; the server's log says more",
            ),
        )
    })
}

pub(super) fn unsupported_media_type(text: &str) -> Response {
    Failure::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        Issue::general(IssueType::NotSupported, text),
    )
    .into_response()
}

/// 406 unless the client takes JSON.
pub(super) async fn answers_json(request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let wanted = match Wanted::from_request_parts(&mut parts, &()).await {
        Ok(wanted) => wanted,
        Err(failure) => return failure.into_response(),
    };
    let json = [Offer {
        names: JSON_NAMES,
        value: (),
    }];
    if wanted.choose(&json).is_none() {
        return not_acceptable("answers are application/fhir+json");
    }
    next.run(Request::from_parts(parts, body)).await
}

pub(super) fn not_acceptable(text: &str) -> Response {
    Failure::new(
        StatusCode::NOT_ACCEPTABLE,
        Issue::general(IssueType::NotSupported, text),
    )
    .into_response()
}

/// The media type that the client asks for: `_format`, else `Accept`.
#[derive(Debug)]
pub(super) struct Wanted {
    format: Option<String>,
    headers: HeaderMap,
}

impl Wanted {
    pub(super) fn choose<T: Copy>(&self, offers: &[Offer<T>]) -> Option<T> {
        match &self.format {
            Some(format) => media_type::choose(format, offers),
            None => {
                let ranges: Vec<_> = self
                    .headers
                    .get_all(ACCEPT)
                    .iter()
                    .filter_map(|value| value.to_str().ok())
                    .collect();
                if ranges.is_empty() {
                    return offers.first().map(|offer| offer.value);
                }
                media_type::choose(&ranges.join(","), offers)
            }
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Wanted {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        let SearchParameters(parameters) =
            SearchParameters::from_request_parts(parts, state).await?;
        let format = parameters
            .into_iter()
            .find(|(name, _)| name == "_format")
            // A plus in a query string is a space.
            .map(|(_, value)| value.replace(' ', "+"));
        let mut headers = HeaderMap::new();
        for value in parts.headers.get_all(ACCEPT) {
            headers.append(ACCEPT, value.clone());
        }
        Ok(Self { format, headers })
    }
}

/// The query string, decoded, in its order.
#[derive(Debug)]
pub(super) struct SearchParameters(pub(super) Vec<(String, String)>);

impl<S: Send + Sync> FromRequestParts<S> for SearchParameters {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        match Query::<Vec<(String, String)>>::from_request_parts(parts, state).await {
            Ok(Query(parameters)) => Ok(Self(parameters)),
            Err(_) => Err(Failure::new(
                StatusCode::BAD_REQUEST,
                Issue::general(IssueType::Structure, "the query string is not readable"),
            )),
        }
    }
}

/// The id in a path. What cannot be one is not found.
#[derive(Debug)]
pub(super) struct ResourceId(pub(super) String);

impl<S: Send + Sync> FromRequestParts<S> for ResourceId {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        match Path::<String>::from_request_parts(parts, state).await {
            Ok(Path(id)) if is_id(&id) => Ok(Self(id)),
            _ => Err(not_found()),
        }
    }
}

/// FHIR `id`.
fn is_id(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.')
}

pub(super) fn not_found() -> Failure {
    Failure::new(
        StatusCode::NOT_FOUND,
        Issue::general(IssueType::NotFound, "there is no resource with this id"),
    )
}
