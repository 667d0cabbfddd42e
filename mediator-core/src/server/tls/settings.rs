use std::path::PathBuf;
use std::time::Duration;

/// How a server speaks TLS. All files are PEM, and are read again when their contents change and on
/// SIGHUP: new connections get what is new, open ones live on; files with a mistake leave
/// everything as it was, and the log says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsSettings {
    /// The server's certificate, and behind it those of its issuers up to the root.
    pub certificate_chain: PathBuf,
    /// The certificate's key (PKCS #8, PKCS #1 or SEC 1), not encrypted.
    pub private_key: PathBuf,
    /// Whether clients show certificates.
    pub client_certificates: ClientCertificates,
    /// The oldest version that is spoken.
    pub minimum_version: TlsVersion,
    /// How long a client may take for its handshake.
    pub handshake_timeout: Duration,
    /// How often the files are looked at.
    pub reload_interval: Duration,
    /// The log warns, daily, when the server's certificate is valid for no longer than this.
    pub expiry_warning: Duration,
}

/// Whether clients show certificates, and whose. See
/// [`ClientCertificate`](super::ClientCertificate) for how a handler gets them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum ClientCertificates {
    /// They are not asked.
    #[default]
    None,
    /// They are asked; who shows none is served too, who shows one of somebody else is not.
    Optional {
        /// Certificates of those who issue to clients.
        certificate_authority: PathBuf,
    },
    /// Who shows none is not served.
    Required {
        /// Certificates of those who issue to clients.
        certificate_authority: PathBuf,
    },
}

/// A version of TLS.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum TlsVersion {
    /// RFC 5246.
    #[default]
    Tls12,
    /// RFC 8446.
    Tls13,
}

impl TlsSettings {
    /// These files, no client certificates, TLS 1.2 or newer, 10 s for a handshake, a look at the
    /// files every 10 s, a warning 14 days ahead.
    #[must_use]
    pub fn new(certificate_chain: impl Into<PathBuf>, private_key: impl Into<PathBuf>) -> Self {
        Self {
            certificate_chain: certificate_chain.into(),
            private_key: private_key.into(),
            client_certificates: ClientCertificates::None,
            minimum_version: TlsVersion::default(),
            handshake_timeout: Duration::from_secs(10),
            reload_interval: Duration::from_secs(10),
            expiry_warning: Duration::from_secs(14 * 24 * 60 * 60),
        }
    }
}

impl ClientCertificates {
    pub(super) fn certificate_authority(&self) -> Option<&PathBuf> {
        match self {
            Self::None => None,
            Self::Optional {
                certificate_authority,
            }
            | Self::Required {
                certificate_authority,
            } => Some(certificate_authority),
        }
    }
}
