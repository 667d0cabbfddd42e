//! Keys in Vault (HashiCorp Vault, OpenBao): signatures by the engine `transit`, document signing
//! certificates by the engine `pki`.
//!
//! [`VaultTransit`] is a [`KeyStore`](super::KeyStore), [`VaultPki`] a
//! [`CertificateAuthority`](super::CertificateAuthority); both share a [`VaultClient`], which keeps
//! its login up. Signatures that are wanted at the same time are asked for in one call.

mod client;
mod connection;
mod correlation;
mod error;
mod health;
mod pki;
mod session;
mod settings;
mod signature_request;
mod signing_queue;
mod token;
mod transit;

pub use client::{VaultClient, VaultSettingsError};
pub use error::VaultError;
pub use health::VaultHealth;
pub use pki::{VaultPki, VaultPkiSettings};
pub use settings::{VaultLogin, VaultSecret, VaultSettings};
pub use transit::VaultTransit;
