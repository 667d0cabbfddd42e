//! A real HashiCorp Vault 1.18.0.
//!
//! ```no_run
//! # async fn test() {
//! let Some(vault) = real_servers::vault::RealVault::start().await else {
//!     return; // not installed, which it has said on standard error
//! };
//! vault.enable_transit("transit").await;
//! vault.create_key("transit", "document-signer", "ecdsa-p256").await;
//! # }
//! ```
//!
//! A start takes about two seconds and 100 MB. OpenBao speaks the same API.

mod api;
mod prepare;
mod real_vault;
mod tokens;

pub use api::Answer;
pub use prepare::AppRole;
pub use real_vault::RealVault;
pub use tokens::TokenIssuer;
