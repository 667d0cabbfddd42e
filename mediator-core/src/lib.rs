//! What a mediator in Rust needs and its author should not have to write.
//!
//! [`Mediator`] joins all of it: an [`axum::Router`] becomes a mediator that OpenHIM core knows,
//! that records what it calls and answers with the right status, and that goes on when core does
//! not. `docs/write-a-mediator.md` is the guide.
//!
//! | module | holds |
//! |---|---|
//! | [`mediator`] | a mediator put together |
//! | [`mediator_config`] | what it tells OpenHIM about itself: `mediatorConfig.json` |
//! | [`registration`], [`heartbeat`], [`default_channels`] | that OpenHIM knows it, and goes on knowing it |
//! | [`pushed_configuration`] | settings made in OpenHIM's console |
//! | [`authentication`] | who is asking: bearer tokens, client certificates, OpenHIM; and what they may |
//! | [`transaction`] | a request as a transaction: what is called is recorded, the outcome has a status |
//! | [`envelope`] | the answer that core unpacks |
//! | [`jobs`] | work on a schedule |
//! | [`server`] | limits, TLS, health, metrics, and a shutdown that finishes what is running |
//! | [`back_end`] | a client for any other system over HTTP |
//! | [`openhim`] | a client of core's API |
//! | [`telemetry`] | export of traces (feature `opentelemetry`) |

pub mod authentication;
pub mod back_end;
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

pub use mediator::Mediator;
