use async_trait::async_trait;
use http::StatusCode;
use serde_json::Value;

use super::{Call, Recorded, Told};
use crate::document::registration::Registration;
use crate::repository::{FhirRepository, RepositoryError, document_of_composition};

const GROUP: &str = "FHIR repository";

#[async_trait]
impl<P: FhirRepository> FhirRepository for Recorded<P> {
    async fn transaction(&self, bundle: Value) -> Result<Value, RepositoryError> {
        let executed = self.part.transaction(bundle);
        store_and_register()
            .record(&self.told, executed, refused)
            .await
    }

    async fn provide_document_bundle(
        &self,
        registration: Registration<'_>,
    ) -> Result<(), RepositoryError> {
        let provided = self.part.provide_document_bundle(registration);
        store_and_register()
            .record(&self.told, provided, refused)
            .await
    }

    async fn read(&self, resource_type: &str, id: &str) -> Result<Option<Value>, RepositoryError> {
        let call = Call {
            port: "repository",
            name: "Read",
            group: GROUP,
            method: "GET",
            path: format!("/{resource_type}/{id}"),
            query: None,
        };
        call.record(&self.told, self.part.read(resource_type, id), refused)
            .await
    }

    async fn search(
        &self,
        resource_type: &str,
        parameters: &[(&str, &str)],
    ) -> Result<Vec<Value>, RepositoryError> {
        let names: Vec<String> = parameters
            .iter()
            .map(|(name, _)| format!("{name}=…"))
            .collect();
        let call = Call {
            port: "repository",
            name: "Search",
            group: GROUP,
            method: "GET",
            path: format!("/{resource_type}"),
            query: Some(names.join("&")),
        };
        call.record(
            &self.told,
            self.part.search(resource_type, parameters),
            refused,
        )
        .await
    }

    async fn document(&self, composition_id: &str) -> Result<Option<Value>, RepositoryError> {
        if self.told != Told::ByThePart {
            // Of reads that are told of one by one.
            return document_of_composition::assemble(self, composition_id).await;
        }
        let call = Call {
            port: "repository",
            name: "Document",
            group: GROUP,
            method: "GET",
            path: format!("/Composition/{composition_id}/$document"),
            query: None,
        };
        let assembled = self.part.document(composition_id);
        call.record(&self.told, assembled, refused).await
    }
}

fn store_and_register() -> Call {
    Call {
        port: "repository",
        name: "Store and register",
        group: GROUP,
        method: "POST",
        path: "/".to_owned(),
        query: None,
    }
}

fn refused(error: &RepositoryError) -> Option<StatusCode> {
    match error {
        RepositoryError::VersionConflict { .. } => Some(StatusCode::PRECONDITION_FAILED),
        RepositoryError::UnsupportedParameter { .. } => Some(StatusCode::BAD_REQUEST),
        RepositoryError::Refused(_)
        | RepositoryError::NotPermitted(_)
        | RepositoryError::Unreadable(_)
        | RepositoryError::Unavailable(_) => None,
    }
}
