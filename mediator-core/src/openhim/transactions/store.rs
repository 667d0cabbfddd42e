use async_trait::async_trait;
use serde_json::Value;

use super::{OpenHim, OpenHimError, Representation};
use crate::transaction::{StoreError, TransactionId, TransactionStore};

/// For [`TransactionLayer::completed_through`](crate::transaction::TransactionLayer::completed_through).
#[async_trait]
impl TransactionStore for OpenHim {
    async fn transaction(&self, id: &TransactionId) -> Result<Value, StoreError> {
        self.read_transaction(id.as_str(), Representation::WithoutBodies)
            .await
            .map_err(store_error)
    }

    async fn update_transaction(
        &self,
        id: &TransactionId,
        update: &Value,
    ) -> Result<(), StoreError> {
        self.put_transaction(id.as_str(), update, false)
            .await
            .map_err(store_error)
    }
}

fn store_error(error: OpenHimError) -> StoreError {
    if error.is_transient() {
        StoreError::transient(error.to_string())
    } else {
        StoreError::lasting(error.to_string())
    }
}
