//! Every envelope that a mediator can produce, against the rules of core.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

mod core;
mod envelopes;
mod refusals;
