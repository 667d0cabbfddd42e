//! The FHIR API: which path does what.

use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn;
use axum::routing::{get, post};
use http::Uri;
use mediator_core::authentication::Caller;
use mediator_ddcc::generation_service::GenerationService;
use tokio::sync::watch;

use super::access::Requesters;
use super::disclosure_audit::DisclosureAudit;
use super::trust::Trusted;
use super::{documents, fhir, generate, jwks, metadata, qr_code, submit, verify};

/// Path of the FHIR endpoint.
const BASE: &str = "/ddcc";

/// Where the mediator that this one replaces had its JWKS.
const LEGACY_HEALTH_CARD_ISSUER: &str = "/ddcc/shc_issuer";

/// What the handlers work with.
#[derive(Clone)]
pub(super) struct Application {
    /// With the settings that apply now.
    pub(super) generation: watch::Receiver<GenerationService>,
    /// Whose signatures `$verify` trusts.
    pub(super) trusted: Arc<Trusted>,
    /// What audits say about callers.
    pub(super) requesters: Requesters,
    /// Where it is noted what callers read.
    pub(super) disclosures: DisclosureAudit,
    /// Events that one request submits at most.
    pub(super) maximum_batch_entries: usize,
}

impl Application {
    /// The service, with the settings that apply now.
    pub(super) fn generation(&self) -> GenerationService {
        self.generation.borrow().clone()
    }

    /// The service for what a caller asks for.
    pub(super) fn generation_for(&self, caller: Option<&Caller>) -> GenerationService {
        let requester = caller.and_then(|caller| self.requesters.of(caller));
        self.generation().on_behalf_of(requester)
    }
}

pub(super) fn router(application: Application) -> Router {
    let generation = application.generation();
    let issuer_path = generation
        .settings()
        .issuer
        .smart_health_card_issuer
        .parse::<Uri>()
        .map(|uri| uri.path().trim_end_matches('/').to_owned())
        .unwrap_or_default();
    let mut keys = Router::new().route(&jwks::path(LEGACY_HEALTH_CARD_ISSUER), jwks::route());
    if issuer_path != LEGACY_HEALTH_CARD_ISSUER {
        keys = keys.route(&jwks::path(&issuer_path), jwks::route());
    }
    let generate = || post(generate::generate_health_certificate);
    let submit = || post(submit::submit_health_event);
    let resources = Router::new()
        .route("/submitHealthEvent", submit())
        .route("/generateHealthCertificate", generate())
        .route(
            "/QuestionnaireResponse/$generateHealthCertificate",
            generate(),
        )
        .route("/Bundle", post(documents::create))
        .route("/Bundle/{id}", get(documents::read_bundle))
        .route(
            "/Composition/{id}/$document",
            get(documents::document_of_composition),
        )
        .route("/DocumentReference", get(documents::search_references))
        .route(
            "/DocumentReference/{id}",
            get(documents::read_document_reference),
        )
        .route("/List", get(documents::search_folders))
        .route("/List/{id}", get(documents::read_list))
        .route("/$verify", post(verify::verify_codes))
        .route("/metadata", get(metadata::capability_statement));
    Router::new()
        .route(BASE, submit())
        .route(&format!("{BASE}/"), submit())
        .nest(BASE, resources)
        .layer(from_fn(fhir::answers_json))
        .route(
            &format!("{BASE}/DocumentReference/{{id}}/$getQRCode"),
            get(qr_code::get_qr_code),
        )
        .merge(keys)
        .with_state(application)
}
