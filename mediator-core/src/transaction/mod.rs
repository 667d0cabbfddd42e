//! A request as one step of what OpenHIM knows as a transaction.
//!
//! [`TransactionLayer`] goes around a router; its handlers may take a [`Transaction`], and whatever
//! they return becomes the envelope that OpenHIM core unpacks. Without OpenHIM, the same routes
//! answer plainly ([`EnvelopeMode`]).
//!
//! # How an outcome becomes a status
//!
//! | The handler | Recorded calls | Status in OpenHIM | The client gets | Core retries |
//! | --- | --- | --- | --- | --- |
//! | answers below 400 | all well | `Successful` | the answer | no |
//! | answers below 400 | one failed | `Completed with error(s)` | the answer | no |
//! | answers 4xx, or [`HandlerError`] of 4xx | all well | `Completed` | the answer | only if worth a retry |
//! | answers 4xx, or [`HandlerError`] of 4xx | one failed | `Completed with error(s)` | the answer | only if worth a retry |
//! | answers 5xx, or [`HandlerError`] of 5xx | any | `Failed` | the answer | only if worth a retry |
//! | panics | any | `Failed` | 500 | no |
//! | [accepts](Transaction::accept) | any | `Pending Async`, then as above | 202 | only if worth a retry |
//! | does not answer in time | any | `Failed` | 504 | no |
//! | waits for a body that does not arrive in time | any | as other 4xx | 408 | no |
//!
//! A call has failed when there was no answer (unreachable, too slow, broken off, too long) or one
//! of 500 and more, and when it was recorded with an error. A back end's 4xx is no failure by
//! itself: not to find a patient can be what was to be found out.
//!
//! An answer that is no text (UTF-8), such as a PDF, or too long for an envelope
//! ([`maximum_envelope_body_bytes`](TransactionSettings::maximum_envelope_body_bytes)) passes
//! through core as it is. Its calls and properties, and the status from the table, follow with
//! `PUT /transactions/:id` if the layer [has a way](TransactionLayer::completed_through); without
//! one, core makes `Successful` of 2xx, `Failed` of 5xx, and `Completed` of others.
//!
//! Core itself retries when it cannot reach the mediator or waits longer than its channel's
//! timeout: give channels a longer one than
//! [`request_timeout`](crate::server::ServerSettings::request_timeout).

mod accept;
mod answer;
mod call;
mod current;
mod delivery;
mod handler_error;
mod identity;
mod layer;
pub(crate) mod openhim_headers;
mod recorded_body;
mod recorded_call;
mod recording;
mod recording_client;
mod redaction;
mod settings;
mod trace_context;

pub use accept::Accepted;
pub use call::{Call, CallError, CallResponse};
pub use current::Transaction;
pub use delivery::{StoreError, TransactionStore};
pub use handler_error::HandlerError;
pub use identity::TransactionId;
pub use layer::{TransactionLayer, TransactionService};
pub use recording_client::RecordingClient;
pub use redaction::Redaction;
pub use settings::{EnvelopeMode, TransactionSettings};
pub use trace_context::TraceContext;

pub(crate) use recorded_call::{Content, RecordedCall};
pub(crate) use recording_client::exchange;
