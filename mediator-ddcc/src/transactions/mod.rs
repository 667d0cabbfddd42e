//! The transactions of the DDCC implementation guide, a file each.

mod batch_response;
mod generate_health_certificate;
mod submit_health_event;

pub use batch_response::BatchResponse;
pub use generate_health_certificate::{AcceptableEvent, HealthCertificate};
