//! ICAO Visible Digital Seals for non-constrained environments (VDS-NC), "Visible Digital Seals
//! for Travel-Related Public Health Proofs": signed JSON.

pub mod decode;
pub mod encode;

/// `hdr.t` of a proof of vaccination.
pub const VACCINATION: &str = "icao.vacc";
/// `hdr.t` of a proof of testing.
pub const TEST: &str = "icao.test";
/// `hdr.v`.
pub const VERSION: u64 = 1;
