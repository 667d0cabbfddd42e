//! The FHIR repository as a server of its own, over FHIR's REST API (FHIR R4 3.1.0): HAPI FHIR or
//! any other.

mod answer;
mod capability;
mod cause;
mod document;
mod search;
mod transaction;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use http::HeaderValue;
use http::header::{ACCEPT, HeaderName};
use mediator_core::back_end::{BackEnd, BackEndCall};
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use super::{FhirRepository, RepositoryError};

pub use capability::{Missing, ServerCapabilities};

/// Media type of FHIR in JSON.
const FHIR_JSON: &str = "application/fhir+json";

const PREFER: HeaderName = HeaderName::from_static("prefer");

/// How often a transaction is sent that the server rolls back, and the first wait; it doubles.
const ATTEMPTS: u32 = 4;
const FIRST_WAIT: Duration = Duration::from_millis(100);

/// Keeps FHIR resources in a FHIR R4 server. Clones share everything.
///
/// A document is kept as a `Binary` of the same id, whose bytes no server changes, and not as a
/// `Bundle`: servers rewrite what they parse, and its signature would not verify any more.
/// References to it are translated both ways, so that the port's `Bundle/id` is the server's
/// `Binary/id`. A `Bundle` that somebody else stored is read all the same.
#[derive(Debug, Clone)]
pub struct RestRepository {
    server: BackEnd,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    /// Once the server was found to have what is needed.
    capabilities: OnceCell<ServerCapabilities>,
    /// Whether the server refuses `If-Match` for a resource that is not there yet.
    is_strict: AtomicBool,
}

impl RestRepository {
    /// A repository in this server, whose base URL is that of its FHIR API. Nothing is sent yet.
    #[must_use]
    pub fn new(server: BackEnd) -> Self {
        Self {
            server,
            shared: Arc::default(),
        }
    }

    /// Asks the server what it can do (`GET [base]/metadata`) and compares that with what is
    /// needed. Before the first transaction this is done once, and the transaction refused when
    /// something is missing.
    ///
    /// # Errors
    /// [`RepositoryError`] when the server does not tell; [`RepositoryError::Refused`] when it
    /// lacks something, with all that it lacks.
    pub async fn check(&self) -> Result<&ServerCapabilities, RepositoryError> {
        self.shared
            .capabilities
            .get_or_try_init(|| async {
                let capabilities = self.capabilities().await?;
                match capabilities.missing() {
                    [] => Ok(capabilities),
                    missing => Err(RepositoryError::Refused(capability::summary(missing))),
                }
            })
            .await
    }

    /// What the server says that it can do, with what it lacks.
    ///
    /// # Errors
    /// [`RepositoryError`] when it does not tell.
    pub async fn capabilities(&self) -> Result<ServerCapabilities, RepositoryError> {
        let call = self.get("Read the capabilities", "metadata");
        let answer = call.send().await?;
        if !answer.status.is_success() {
            return Err(answer::failure(&answer, &[]));
        }
        Ok(ServerCapabilities::of(&answer::resource(
            &answer,
            "CapabilityStatement",
        )?))
    }

    /// A `GET` of JSON. Some proxies drop `Accept`, hence `_format`.
    fn get(&self, name: &'static str, path: &str) -> BackEndCall {
        accept(self.server.get(name, path)).query(&[("_format", "json")])
    }

    async fn read_resource(
        &self,
        resource_type: &str,
        id: &str,
    ) -> Result<Option<Value>, RepositoryError> {
        let call = self.get("Read", &format!("{resource_type}/{id}"));
        let answer = call.send().await?;
        if answer::is_absent(&answer) {
            return Ok(None);
        }
        if !answer.status.is_success() {
            return Err(answer::failure(&answer, &[]));
        }
        let mut resource = answer::resource(&answer, resource_type)?;
        self.adopt(&mut resource);
        add_version(&mut resource, answer.header("etag"));
        Ok(Some(resource))
    }

    /// Sends a transaction until it is not rolled back any more: of two that meet, HAPI FHIR answers
    /// one with 500. One that was executed all the same ends in a conflict when it is repeated.
    async fn send_transaction(&self, bundle: &Value) -> Result<Sent, RepositoryError> {
        let mut attempt = 1;
        loop {
            match self.send_once(bundle).await? {
                Sent::RolledBack(error) if attempt >= ATTEMPTS => return Err(error),
                Sent::RolledBack(_) => {
                    let jitter = uuid::Uuid::new_v4().as_u128() % 100;
                    let jitter = Duration::from_millis(u64::try_from(jitter).unwrap_or(0));
                    tokio::time::sleep(FIRST_WAIT * (1 << (attempt - 1)) + jitter).await;
                    attempt += 1;
                }
                sent => return Ok(sent),
            }
        }
    }

    async fn send_once(&self, bundle: &Value) -> Result<Sent, RepositoryError> {
        let body = bundle.to_string();
        let mut call = accept(self.server.post("Store and register", ""))
            .header(PREFER, HeaderValue::from_static("return=minimal"))
            .body(body, FHIR_JSON);
        let is_safe_to_repeat = transaction::is_safe_to_repeat(bundle);
        if is_safe_to_repeat {
            call = call.safe_to_repeat();
        }
        let answer = call.send().await?;
        match answer.status.as_u16() {
            200..=299 => transaction::check_response(bundle, answer::resource(&answer, "Bundle")?)
                .map(Sent::Done),
            412 if transaction::creates(bundle) => Ok(Sent::PreconditionFailed),
            409 | 412 if transaction::has_conditions(bundle) => Err(transaction::conflict(bundle)),
            500 if is_safe_to_repeat => Ok(Sent::RolledBack(answer::failure(
                &answer,
                &cause::texts(bundle),
            ))),
            _ => Err(answer::failure(&answer, &cause::texts(bundle))),
        }
    }

    /// Whether one of the resources that the transaction creates is there already.
    async fn is_there(&self, bundle: &Value) -> Result<bool, RepositoryError> {
        for (resource_type, id) in transaction::created(bundle) {
            if self.read_resource(resource_type, id).await?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// References as this repository gives them: relative, and documents as Bundles.
    fn adopt(&self, resource: &mut Value) {
        let base = self.server.base_url().as_str().trim_end_matches('/');
        document::adopt(resource, &format!("{base}/"));
    }
}

/// What became of a transaction.
enum Sent {
    Done(Value),
    /// 412, and the transaction creates something.
    PreconditionFailed,
    /// 500, and it may be sent again.
    RolledBack(RepositoryError),
}

#[async_trait]
impl FhirRepository for RestRepository {
    async fn transaction(&self, bundle: Value) -> Result<Value, RepositoryError> {
        self.check().await?;
        let transaction = transaction::Transaction::read(bundle)?;
        let creation = if self.shared.is_strict.load(Ordering::Relaxed) {
            transaction::Creation::IfNoneMatch
        } else {
            transaction::Creation::IfMatch
        };
        let bundle = transaction.bundle(creation);
        match self.send_transaction(&bundle).await? {
            Sent::Done(response) => return Ok(transaction.response(response)),
            Sent::RolledBack(error) => return Err(error),
            Sent::PreconditionFailed => {}
        }
        if creation == transaction::Creation::IfNoneMatch || self.is_there(&bundle).await? {
            return Err(transaction::conflict(&bundle));
        }
        // Nothing is there, so it is the condition itself that the server refuses.
        let bundle = transaction.bundle(transaction::Creation::IfNoneMatch);
        match self.send_transaction(&bundle).await? {
            Sent::Done(response) => {
                self.shared.is_strict.store(true, Ordering::Relaxed);
                Ok(transaction.response(response))
            }
            Sent::RolledBack(error) => Err(error),
            Sent::PreconditionFailed => Err(transaction::conflict(&bundle)),
        }
    }

    async fn read(&self, resource_type: &str, id: &str) -> Result<Option<Value>, RepositoryError> {
        if !is_type(resource_type) || !is_id(id) {
            return Ok(None);
        }
        if resource_type == "Bundle"
            && let Some(document) = self.read_document(id).await?
        {
            return Ok(Some(document));
        }
        self.read_resource(resource_type, id).await
    }

    async fn search(
        &self,
        resource_type: &str,
        parameters: &[(&str, &str)],
    ) -> Result<Vec<Value>, RepositoryError> {
        self.search_all(resource_type, parameters).await
    }

    async fn document(&self, composition_id: &str) -> Result<Option<Value>, RepositoryError> {
        if is_id(composition_id)
            && self.check().await?.has_document_operation()
            && let Some(document) = self.generate_document(composition_id).await?
        {
            return Ok(Some(document));
        }
        super::document_of_composition::assemble(self, composition_id).await
    }
}

fn accept(call: BackEndCall) -> BackEndCall {
    call.header(ACCEPT, HeaderValue::from_static(FHIR_JSON))
}

/// The version that the server tells in the ETag, for servers that tell it only there.
fn add_version(resource: &mut Value, etag: Option<&str>) {
    let version = etag.and_then(|etag| {
        let etag = etag.strip_prefix("W/").unwrap_or(etag);
        etag.strip_prefix('"')?.strip_suffix('"')
    });
    let (Some(version), Some(object)) = (version, resource.as_object_mut()) else {
        return;
    };
    let meta = object.entry("meta").or_insert_with(|| json!({}));
    if let Some(meta) = meta.as_object_mut() {
        meta.entry("versionId").or_insert_with(|| json!(version));
    }
}

fn is_type(text: &str) -> bool {
    text.len() <= 64
        && text.starts_with(|first: char| first.is_ascii_uppercase())
        && text.bytes().all(|byte| byte.is_ascii_alphabetic())
}

/// FHIR `id`: 1 to 64 letters, digits, `-` and `.`; but nothing that is a place in a path.
fn is_id(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && !matches!(text, "." | "..")
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.')
}

#[cfg(test)]
mod tests;
