//! SMART Health Cards (specification 1.4.0): a compact JWS of a deflated payload, in a QR code as
//! digits.

pub mod decode;
pub mod encode;

/// What every SMART Health Card text begins with.
pub const PREFIX: &str = "shc:/";
/// Characters of the longest JWS that fits one QR code (version 22); splitting is deprecated.
pub const MAXIMUM_JWS: usize = 1195;
/// What is subtracted from a JWS character to make its two digits.
pub const DIGITS_OFFSET: u8 = 45;
