//! A double of the part of core's API that completes transactions.

use std::sync::Arc;
use std::sync::Mutex;

use async_trait::async_trait;
use mediator_core::transaction::{StoreError, TransactionId, TransactionStore};
use serde_json::{Value, json};

use super::ID;

/// One transaction, as core's database holds it.
#[derive(Clone)]
pub(crate) struct CoreApi(Arc<Mutex<State>>);

struct State {
    transaction: Value,
    /// Errors that the next requests get.
    failures: Vec<StoreError>,
    updates: usize,
}

impl CoreApi {
    /// Core has not got the mediator's answer yet.
    pub(crate) fn waiting() -> Self {
        let transaction = json!({
            "status": "Pending Async",
            "request": {"timestamp": "2026-03-01T10:00:00.000Z"},
            "orchestrations": []
        });
        Self(Arc::new(Mutex::new(State {
            transaction,
            failures: Vec::new(),
            updates: 0,
        })))
    }

    /// As core does with an answer that has arrived, over what is there.
    pub(crate) fn store_answer(&self, status: &str) {
        let mut state = self.0.lock().unwrap();
        let transaction = &mut state.transaction;
        transaction["status"] = json!(status);
        transaction["response"] = json!({"status": 202, "body": "", "headers": {}});
        transaction["orchestrations"] = json!([{
            "name": "the route",
            "request": {"timestamp": "2026-03-01T10:00:00.000Z"}
        }]);
    }

    pub(crate) fn fail_next(&self, failures: Vec<StoreError>) {
        self.0.lock().unwrap().failures = failures;
    }

    pub(crate) fn transaction_now(&self) -> Value {
        self.0.lock().unwrap().transaction.clone()
    }

    pub(crate) fn updates(&self) -> usize {
        self.0.lock().unwrap().updates
    }

    /// Until core shows this status.
    pub(crate) async fn until(&self, status: &str) -> Value {
        for _ in 0..500 {
            let transaction = self.transaction_now();
            if transaction["status"] == status {
                return transaction;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        panic!("never {status}: {}", self.transaction_now());
    }
}

#[async_trait]
impl TransactionStore for CoreApi {
    async fn transaction(&self, id: &TransactionId) -> Result<Value, StoreError> {
        assert_eq!(id.as_str(), ID);
        let mut state = self.0.lock().unwrap();
        match state.failures.pop() {
            Some(failure) => Err(failure),
            None => Ok(state.transaction.clone()),
        }
    }

    async fn update_transaction(
        &self,
        id: &TransactionId,
        update: &Value,
    ) -> Result<(), StoreError> {
        assert_eq!(id.as_str(), ID);
        let mut state = self.0.lock().unwrap();
        state.updates += 1;
        for (name, value) in update.as_object().unwrap() {
            match name.split_once('.') {
                _ if name == "$push" => {
                    let added = value["orchestrations"]["$each"].as_array().unwrap().clone();
                    let calls = state.transaction["orchestrations"].as_array_mut().unwrap();
                    calls.extend(added);
                }
                Some((map, key)) => state.transaction[map][key] = value.clone(),
                None => state.transaction[name] = value.clone(),
            }
        }
        Ok(())
    }
}
