//! What a mediator in Rust needs and its author should not have to write.
//!
//! [`server`] serves any [`axum::Router`] with limits, health checks, metrics, an access log
//! without personal data, and a shutdown that finishes what is running.

pub mod default_channels;
pub mod envelope;
pub mod heartbeat;
pub mod jobs;
pub mod mediator;
pub mod mediator_config;
pub mod openhim;
pub mod pushed_configuration;
pub mod registration;
pub mod server;
pub mod telemetry;
pub mod transaction;
