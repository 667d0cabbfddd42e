use std::fmt;
use std::io;
use std::path::PathBuf;

/// Everything that is wrong with what [`TlsSettings`](super::TlsSettings) name.
#[derive(Debug)]
pub struct TlsError(pub Vec<TlsMistake>);

/// One thing that keeps a server from speaking TLS.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsMistake {
    /// The file is not there, or not for us.
    #[error("{} cannot be read: {source}", .path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// Nothing but white space.
    #[error("{} is empty", .path.display())]
    Empty {
        /// Which file.
        path: PathBuf,
    },
    /// A certificate is looked for, and the file has something else.
    #[error("{} has no certificate; it must have one in PEM, -----BEGIN CERTIFICATE-----", .path.display())]
    NoCertificate {
        /// Which file.
        path: PathBuf,
    },
    /// A certificate's text is damaged.
    #[error("certificate {position} in {} cannot be read: {reason}", .path.display())]
    DamagedCertificate {
        /// Which file.
        path: PathBuf,
        /// Which certificate in it, counted from 1.
        position: usize,
        /// What is wrong.
        reason: String,
    },
    /// A key is looked for, and the file has something else.
    #[error("{} has no private key; it must have one in PEM, -----BEGIN PRIVATE KEY-----", .path.display())]
    NoPrivateKey {
        /// Which file.
        path: PathBuf,
    },
    /// The key needs a password, and nobody is there to type it.
    #[error(
        "the private key in {} is encrypted; decrypt it (openssl pkey -in FILE -out FILE) and let the file's permissions protect it",
        .path.display()
    )]
    EncryptedPrivateKey {
        /// Which file.
        path: PathBuf,
    },
    /// The key is damaged or of an unusual kind.
    #[error(
        "the private key in {} cannot be used: {reason}; RSA from 2048 bits, ECDSA with P-256, P-384 or P-521, and Ed25519 can",
        .path.display()
    )]
    UnusablePrivateKey {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// Key and certificate are of two pairs.
    #[error(
        "the private key in {} does not belong to the first certificate in {}; the server's own certificate must come first, its issuers behind it",
        .private_key.display(), .certificate_chain.display()
    )]
    KeyDoesNotMatch {
        /// The key's file.
        private_key: PathBuf,
        /// The certificate's file.
        certificate_chain: PathBuf,
    },
    /// The server's certificate has ended.
    #[error("the certificate in {} ended on {ended}; renew it", .path.display())]
    Expired {
        /// Which file.
        path: PathBuf,
        /// When.
        ended: chrono::DateTime<chrono::Utc>,
    },
    /// The server's certificate has not begun.
    #[error("the certificate in {} is valid from {begins} only; is this machine's clock right?", .path.display())]
    NotYetValid {
        /// Which file.
        path: PathBuf,
        /// When.
        begins: chrono::DateTime<chrono::Utc>,
    },
    /// An authority's certificate cannot be trusted by.
    #[error("certificate {position} in {} cannot be an authority for client certificates: {reason}", .path.display())]
    UnusableAuthority {
        /// Which file.
        path: PathBuf,
        /// Which certificate in it, counted from 1.
        position: usize,
        /// What is wrong.
        reason: String,
    },
    /// The cryptographic library refuses the combination.
    #[error("TLS cannot be set up: {0}")]
    Refused(String),
}

impl fmt::Display for TlsError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("TLS cannot be spoken")?;
        for mistake in &self.0 {
            write!(formatter, "; {mistake}")?;
        }
        Ok(())
    }
}

impl std::error::Error for TlsError {}
