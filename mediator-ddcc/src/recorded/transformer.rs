use async_trait::async_trait;
use http::StatusCode;
use serde_json::Value;
use uuid::Uuid;

use super::{Call, Recorded};
use crate::transformer::{Transformer, TransformerError};

#[async_trait]
impl<P: Transformer> Transformer for Recorded<P> {
    async fn transform(
        &self,
        map_url: &str,
        input: &Value,
        seed: Uuid,
    ) -> Result<Value, TransformerError> {
        let call = Call {
            port: "transformer",
            name: "Transform",
            group: "Mapping",
            method: "POST",
            path: "/StructureMap/$transform".to_owned(),
            query: Some(format!("source={map_url}")),
        };
        call.record(
            &self.told,
            self.part.transform(map_url, input, seed),
            |error| {
                let is_the_inputs = matches!(error, TransformerError::Failed { .. });
                is_the_inputs.then_some(StatusCode::UNPROCESSABLE_ENTITY)
            },
        )
        .await
    }
}
