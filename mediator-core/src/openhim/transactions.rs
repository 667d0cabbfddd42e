mod search;
mod store;
mod stored;
mod update;

use http::Method;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Call, OpenHim, OpenHimError};

pub use search::{Representation, TransactionSearch};
pub use stored::{
    StoredError, StoredOrchestration, StoredRequest, StoredResponse, StoredRoute, StoredTransaction,
};
pub use update::TransactionUpdate;

const READ: &str = "read a transaction";
const UPDATE: &str = "update a transaction";

impl OpenHim {
    /// The transaction with this id, with bodies, if there is one and the user may see it.
    ///
    /// # Errors
    /// [`OpenHimError::NotAllowed`]; and as any call.
    pub async fn transaction(&self, id: &str) -> Result<Option<StoredTransaction>, OpenHimError> {
        match self.read_transaction(id, Representation::Full).await {
            Ok(transaction) => Ok(Some(transaction)),
            Err(OpenHimError::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// One page of the transactions that match, the newest first.
    ///
    /// # Errors
    /// [`OpenHimError::AnswerTooLong`] when there is too much on a page; and as any call.
    pub async fn search_transactions(
        &self,
        search: &TransactionSearch,
    ) -> Result<Vec<StoredTransaction>, OpenHimError> {
        let mut call = Call::get("search transactions", &["transactions"]);
        for (name, value) in search.parameters() {
            call = call.query(name, value);
        }
        self.json(&call).await
    }

    /// Changes a transaction. Core still writes to it itself until its status is no longer
    /// `Processing`, over what is there: wait for that.
    ///
    /// An update with orchestrations adds them, and is sent again only when core has certainly
    /// not seen it. Read the transaction before sending it again yourself.
    ///
    /// # Errors
    /// [`OpenHimError::NotFound`]; [`OpenHimError::NotAllowed`] without the permission
    /// `channel-manage-all`; and as any call.
    pub async fn update_transaction(
        &self,
        id: &str,
        update: &TransactionUpdate,
    ) -> Result<(), OpenHimError> {
        self.put_transaction(id, update, update.is_repeatable())
            .await
    }

    async fn read_transaction<T: DeserializeOwned>(
        &self,
        id: &str,
        representation: Representation,
    ) -> Result<T, OpenHimError> {
        check_id(READ, id)?;
        let path = ["transactions", id];
        let call = Call::get(READ, &path).query("filterRepresentation", representation.name());
        self.json(&call).await
    }

    async fn put_transaction(
        &self,
        id: &str,
        update: &impl Serialize,
        is_repeatable: bool,
    ) -> Result<(), OpenHimError> {
        check_id(UPDATE, id)?;
        let path = ["transactions", id];
        let mut call = Call::new(Method::PUT, UPDATE, &path).json(update)?;
        if is_repeatable {
            call = call.repeatable();
        }
        match self.send(&call).await {
            Ok(_) => Ok(()),
            // How core says that there is no such transaction.
            Err(OpenHimError::CoreFailed { text, .. })
                if text.contains("TypeError") && text.contains("of null") =>
            {
                Err(OpenHimError::NotFound { operation: UPDATE })
            }
            Err(error) => Err(error),
        }
    }
}

/// Core fails with 500, as if it were its own fault, when an id is none of MongoDB's.
pub(super) fn check_id(operation: &'static str, id: &str) -> Result<(), OpenHimError> {
    if id.len() == 24 && id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        Ok(())
    } else {
        Err(OpenHimError::NotFound { operation })
    }
}
