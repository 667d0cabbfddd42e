use mediator_core::back_end::BackEndError;

use crate::signing::SigningError;

/// Why Vault did not do what it was asked for. No variant holds a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VaultError {
    /// No answer.
    #[error(transparent)]
    BackEnd(#[from] BackEndError),
    /// It is running and cannot read its storage.
    #[error(
        "Vault is sealed: have it unsealed (`vault operator unseal`); what waits for it goes on then"
    )]
    Sealed,
    /// The token is good, and not for this.
    #[error(
        "Vault does not allow this mediator to use {path}: add `path \"{path}\" {{ capabilities = [\"{capability}\"] }}` to its policy"
    )]
    Denied {
        /// What was asked for.
        path: String,
        /// What is missing in the policy.
        capability: &'static str,
    },
    /// No token.
    #[error("cannot log on to Vault by {method}: {reason}")]
    Login {
        /// How it was tried.
        method: &'static str,
        /// What is wrong, and what to do.
        reason: String,
    },
    /// Nothing is there.
    #[error(
        "Vault has nothing at {path}: check the mount and the name in signing.vault, or make it ({make})"
    )]
    Missing {
        /// What was asked for.
        path: String,
        /// The command that makes it.
        make: String,
    },
    /// A key that health certificates are not signed with.
    #[error(
        "the key {path} in Vault is of the type {kind}; health certificates are signed with ecdsa-p256 (ES256), or rsa-2048, rsa-3072 or rsa-4096 (PS256): name another key"
    )]
    KeyType {
        /// The key.
        path: String,
        /// Its type.
        kind: String,
    },
    /// A version of the key that is not there, or not allowed to sign.
    #[error(
        "Vault does not sign with version {version} of the key {path} ({reason}): allow it (`vault write {path}/config min_encryption_version=0`), or let a certificate for a newer version sign (`mediator-runner keys rotate`)"
    )]
    VersionDisabled {
        /// The key.
        path: String,
        /// Which version.
        version: u32,
        /// What Vault said.
        reason: String,
    },
    /// What came back is no signature of that key.
    #[error(
        "Vault answered with something else than a signature of version {version} of the key {path}: {reason}; nothing was signed"
    )]
    NotASignature {
        /// The key.
        path: String,
        /// Which version.
        version: u32,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A certificate that cannot be used.
    #[error("the certificate that Vault issued at {path} is of no use: {reason}")]
    Certificate {
        /// What was asked for.
        path: String,
        /// What is wrong with it, and what to do.
        reason: String,
    },
    /// Any other refusal.
    #[error("Vault refused {path} ({status}): {reason}")]
    Refused {
        /// What was asked for.
        path: String,
        /// HTTP status.
        status: u16,
        /// What Vault said.
        reason: String,
    },
    /// The answer is not what it should be.
    #[error(
        "Vault's answer to {path} has no {expected}: is signing.vault.url the address of Vault (or OpenBao), and not of something in front of it?"
    )]
    NotUnderstood {
        /// What was asked for.
        path: String,
        /// What is missing.
        expected: &'static str,
    },
    /// More is waiting for signatures than is allowed to.
    #[error("{waiting} signatures are waiting for Vault already: it is too slow for this load")]
    Busy {
        /// How many.
        waiting: usize,
    },
    /// Waited long enough.
    #[error("Vault gave no signature within {seconds} s: is it overloaded?")]
    TooSlow {
        /// How long.
        seconds: u64,
    },
}

impl VaultError {
    /// Whether it may pass without anybody changing anything for this mediator.
    fn is_transient(&self) -> bool {
        match self {
            Self::BackEnd(error) => error.is_transient(),
            Self::Refused { status, .. } => *status >= 500 || *status == 429,
            Self::Sealed | Self::Busy { .. } | Self::TooSlow { .. } => true,
            _ => false,
        }
    }
}

impl From<VaultError> for SigningError {
    fn from(error: VaultError) -> Self {
        if error.is_transient() {
            Self::Unavailable(error.to_string())
        } else {
            Self::Refused(error.to_string())
        }
    }
}
