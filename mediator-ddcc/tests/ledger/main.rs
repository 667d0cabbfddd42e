//! Every ledger does the same: nothing lost, nothing twice.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod behaviour;
mod faults;
mod moving;
mod refusals;
mod room;
mod schema;
mod store;
