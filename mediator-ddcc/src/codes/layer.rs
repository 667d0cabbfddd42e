//! The layers of a code, and why one of them cannot be opened.

use std::fmt;

/// A layer that a decoder opens, from the outside in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Layer {
    /// What the text begins with (HCERT, SMART Health Card).
    Prefix,
    /// Base 45 (HCERT, RFC 9285).
    Base45,
    /// Compression (HCERT, RFC 1950).
    Zlib,
    /// Signed structure (HCERT, RFC 9052).
    Cose,
    /// Claims (HCERT, RFC 8392).
    Cwt,
    /// Pairs of digits (SMART Health Card).
    Numeric,
    /// Compact signed structure (SMART Health Card, RFC 7515).
    Jws,
    /// Compression (SMART Health Card, RFC 1951).
    Deflate,
    /// Claims (SMART Health Card).
    Claims,
    /// JSON (VDS-NC).
    Json,
    /// Signed structure (VDS-NC).
    Seal,
}

impl Layer {
    /// Name in what the verification of a code answers.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Prefix => "prefix",
            Self::Base45 => "base45",
            Self::Zlib => "zlib",
            Self::Cose => "cose",
            Self::Cwt => "cwt",
            Self::Numeric => "numeric",
            Self::Jws => "jws",
            Self::Deflate => "deflate",
            Self::Claims => "claims",
            Self::Json => "json",
            Self::Seal => "seal",
        }
    }
}

impl fmt::Display for Layer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// Why a text is not one of its form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{layer}: {reason}")]
pub struct DecodeError {
    /// The layer that cannot be opened; those outside it could be.
    pub layer: Layer,
    /// Why, for people; never quotes the text, which may hold personal data.
    pub reason: &'static str,
}

impl DecodeError {
    pub(crate) fn new(layer: Layer, reason: &'static str) -> Self {
        Self { layer, reason }
    }
}
