//! The example mediators, as programs: asked as OpenHIM asks, and behind a real core where one is
//! installed.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

mod asynchronous;
mod hello;
mod orchestrating;
mod scheduled;
mod support;
