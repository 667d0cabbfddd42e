//! `/fhir`: what Matchbox offers, for clients that only used it to run maps.

mod capability;
mod definitions;
mod parameters;
mod transform;

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};
use mediator_ddcc::transformer::UploadedDefinitions;
use tokio::sync::Semaphore;

use definitions::{ConceptMaps, StructureDefinitions, StructureMaps};

/// Path of this FHIR endpoint, which is Matchbox's.
const BASE: &str = "/fhir";

/// What the handlers work with.
#[derive(Clone)]
pub(super) struct MapServer {
    definitions: Arc<UploadedDefinitions>,
    /// Transforms at the same time: one for each processor.
    places: Arc<Semaphore>,
}

impl MapServer {
    pub(super) fn new(definitions: UploadedDefinitions) -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            definitions: Arc::new(definitions),
            places: Arc::new(Semaphore::new(processors)),
        }
    }
}

pub(super) fn router(server: MapServer) -> Router {
    let resources = Router::new()
        .route("/metadata", get(capability::capability_statement))
        .route("/StructureMap/$transform", post(transform::transform))
        .merge(definitions::router::<StructureMaps>())
        .merge(definitions::router::<StructureDefinitions>())
        .merge(definitions::router::<ConceptMaps>());
    Router::new().nest(BASE, resources).with_state(server)
}
