use mediator_core::transaction::Transaction;
use uuid::Uuid;

/// What a signature is made for, in Vault's audit log: the transaction of OpenHIM, else the trace of
/// the request, else an id of its own.
pub(super) fn correlation_id() -> String {
    match Transaction::current() {
        Some(transaction) => match transaction.id() {
            Some(id) => id.as_str().to_owned(),
            None => transaction.trace().trace_id(),
        },
        None => Uuid::new_v4().to_string(),
    }
}
