//! What core takes, and what it takes and then never does.
//!
//! Works on JSON and not on the types, so that one run finds every mistake.

mod channels;
mod configuration;
mod document;
mod element;
mod routes;

pub(super) use channels::check_channel;
pub(super) use configuration::check_configuration;
pub(super) use document::{check_document, parse_version};
