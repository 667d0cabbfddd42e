//! What a mediator in Rust needs and its author should not have to write.
//!
//! [`server`] serves any [`axum::Router`] with limits, health checks, metrics, an access log
//! without personal data, and a shutdown that finishes what is running.

pub mod server;
