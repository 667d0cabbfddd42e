use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use url::Url;
use x509_parser::prelude::{FromDer as _, X509Certificate};

/// Whose certificate it is, and from when until when it is good; whether it is trusted is another
/// question.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CertificateValidity {
    /// Distinguished name (RFC 4514).
    pub subject: String,
    /// When it begins.
    pub begins_at: DateTime<Utc>,
    /// When it ends.
    pub ends_at: DateTime<Utc>,
}

/// Why a certificate cannot be looked at.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CertificateValidityError {
    /// The file is of no use.
    #[error("{path} has no certificate ({reason}): name a readable PEM file with a CERTIFICATE")]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The server shows none.
    #[error("{address} shows no certificate ({reason}): is it running, and does it speak TLS?")]
    Server {
        /// Host and port.
        address: String,
        /// Why not.
        reason: String,
    },
}

impl CertificateValidity {
    /// Of the first certificate in a PEM file.
    ///
    /// # Errors
    /// [`CertificateValidityError::File`].
    pub fn of_file(path: &Path) -> Result<Self, CertificateValidityError> {
        let unusable = |reason: String| CertificateValidityError::File {
            path: path.to_owned(),
            reason,
        };
        let pem = std::fs::read(path).map_err(|error| unusable(error.to_string()))?;
        let certificate = CertificateDer::from_pem_slice(&pem)
            .map_err(|_| unusable("it is not PEM".to_owned()))?;
        Self::of(&certificate).map_err(unusable)
    }

    /// Of the certificate that the server of an `https:` URL shows, also when it is not trusted.
    /// The handshake is broken off: nothing is sent.
    ///
    /// # Errors
    /// [`CertificateValidityError::Server`], also when that takes longer than `limit`.
    pub async fn of_server(url: &Url, limit: Duration) -> Result<Self, CertificateValidityError> {
        let host = url.host_str().unwrap_or_default();
        let port = url.port_or_known_default().unwrap_or(443);
        let unseen = |reason: String| CertificateValidityError::Server {
            address: format!("{host}:{port}"),
            reason,
        };
        // IPv6 addresses are in brackets in URLs only.
        let name = host
            .trim_start_matches('[')
            .trim_end_matches(']')
            .to_owned();
        let shown = async {
            let stream = TcpStream::connect((&*name, port)).await;
            let stream = stream.map_err(|error| error.to_string())?;
            let server = ServerName::try_from(name.clone()).map_err(|error| error.to_string())?;
            let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
            let onlooker = Arc::new(Onlooker {
                provider: Arc::clone(&provider),
                seen: Mutex::new(None),
            });
            let config = ClientConfig::builder_with_provider(provider)
                .with_safe_default_protocol_versions()
                .map_err(|error| error.to_string())?
                .dangerous()
                .with_custom_certificate_verifier(Arc::clone(&onlooker) as _)
                .with_no_client_auth();
            let connector = TlsConnector::from(Arc::new(config));
            let broken_off = connector.connect(server, stream).await;
            let seen = onlooker.seen.lock().unwrap_or_else(PoisonError::into_inner);
            match (&*seen, broken_off) {
                (Some(certificate), _) => Self::of(certificate),
                (None, Err(error)) => Err(error.to_string()),
                (None, Ok(_)) => Err("it was not asked for".to_owned()),
            }
        };
        match timeout(limit, shown).await {
            Ok(shown) => shown.map_err(unseen),
            Err(_) => Err(unseen("no answer in time".to_owned())),
        }
    }

    fn of(certificate: &CertificateDer<'_>) -> Result<Self, String> {
        let (_, certificate) =
            X509Certificate::from_der(certificate).map_err(|error| error.to_string())?;
        let time = |time: x509_parser::time::ASN1Time| {
            DateTime::from_timestamp(time.timestamp(), 0)
                .ok_or_else(|| "its validity is out of range".to_owned())
        };
        let validity = certificate.validity();
        Ok(Self {
            subject: certificate.subject().to_string(),
            begins_at: time(validity.not_before)?,
            ends_at: time(validity.not_after)?,
        })
    }
}

/// Remembers the certificate, and accepts none.
struct Onlooker {
    provider: Arc<CryptoProvider>,
    seen: Mutex<Option<CertificateDer<'static>>>,
}

impl fmt::Debug for Onlooker {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Onlooker")
    }
}

impl ServerCertVerifier for Onlooker {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        *seen = Some(end_entity.clone().into_owned());
        Err(refusal())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(refusal())
    }

    fn verify_tls13_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(refusal())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

fn refusal() -> rustls::Error {
    rustls::Error::General("the certificate was only looked at".to_owned())
}
