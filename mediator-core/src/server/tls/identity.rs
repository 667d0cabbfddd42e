use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ::aws_lc_rs::digest;
use chrono::{DateTime, Utc};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{RootCertStore, ServerConfig};
use rustls_pki_types::pem::{self, PemObject as _};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::mistake::{TlsError, TlsMistake};
use super::settings::{ClientCertificates, TlsSettings, TlsVersion};

/// The contents of all files that settings name, whatever they are worth.
pub(super) struct Files {
    certificate_chain: Contents,
    private_key: Contents,
    certificate_authority: Option<Contents>,
}

type Contents = Result<Vec<u8>, TlsMistake>;

/// What new connections are served with.
#[derive(Clone)]
pub(super) struct Identity {
    pub(super) config: Arc<ServerConfig>,
    /// When the server's certificate ends.
    pub(super) ends: DateTime<Utc>,
}

impl Files {
    pub(super) fn read(settings: &TlsSettings) -> Self {
        Self {
            certificate_chain: contents(&settings.certificate_chain),
            private_key: contents(&settings.private_key),
            certificate_authority: settings
                .client_certificates
                .certificate_authority()
                .map(|path| contents(path)),
        }
    }

    /// Tells contents from others without keeping the key.
    pub(super) fn digest(&self) -> Vec<u8> {
        let mut context = digest::Context::new(&digest::SHA256);
        let mut add = |bytes: &[u8]| {
            context.update(&bytes.len().to_be_bytes());
            context.update(bytes);
        };
        let files = [&self.certificate_chain, &self.private_key];
        for contents in files.into_iter().chain(&self.certificate_authority) {
            match contents {
                Ok(contents) => add(contents),
                Err(mistake) => add(mistake.to_string().as_bytes()),
            }
        }
        context.finish().as_ref().to_vec()
    }

    /// # Errors
    /// Every mistake in the files.
    pub(super) fn identity(self, settings: &TlsSettings) -> Result<Identity, TlsError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let mut mistakes = Vec::new();
        let chain = self
            .certificate_chain
            .and_then(|contents| certificates(&settings.certificate_chain, &contents))
            .map_err(|mistake| mistakes.push(mistake))
            .ok();
        let key = self
            .private_key
            .and_then(|contents| private_key(&settings.private_key, &contents))
            .map_err(|mistake| mistakes.push(mistake))
            .ok();
        let ends = chain.as_ref().and_then(|chain| {
            check_validity(&settings.certificate_chain, chain)
                .map_err(|mistake| mistakes.push(mistake))
                .ok()
        });
        let pair = chain.zip(key).and_then(|(chain, key)| {
            certified_key(settings, chain, key, &provider)
                .map_err(|mistake| mistakes.push(mistake))
                .ok()
        });
        let authorities = self.certificate_authority.map(|contents| {
            let path = settings.client_certificates.certificate_authority();
            authorities(path.map_or(Path::new(""), PathBuf::as_path), contents)
                .map_err(|mistake| mistakes.push(mistake))
                .ok()
        });
        match (pair, ends) {
            (Some(pair), Some(ends)) if mistakes.is_empty() => {
                let config = config(settings, pair, authorities.flatten(), provider)
                    .map_err(|mistake| TlsError(vec![mistake]))?;
                Ok(Identity {
                    config: Arc::new(config),
                    ends,
                })
            }
            _ => Err(TlsError(mistakes)),
        }
    }
}

fn contents(path: &Path) -> Contents {
    let contents = fs::read(path).map_err(|source| TlsMistake::Unreadable {
        path: path.to_owned(),
        source,
    })?;
    if contents.trim_ascii().is_empty() {
        return Err(TlsMistake::Empty {
            path: path.to_owned(),
        });
    }
    Ok(contents)
}

fn certificates(path: &Path, contents: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsMistake> {
    let mut certificates = Vec::new();
    for certificate in CertificateDer::pem_slice_iter(contents) {
        let position = certificates.len() + 1;
        let damaged = |reason: String| TlsMistake::DamagedCertificate {
            path: path.to_owned(),
            position,
            reason,
        };
        let certificate = certificate.map_err(|error| damaged(plain(&error)))?;
        X509Certificate::from_der(&certificate).map_err(|error| damaged(error.to_string()))?;
        certificates.push(certificate);
    }
    if certificates.is_empty() {
        return Err(TlsMistake::NoCertificate {
            path: path.to_owned(),
        });
    }
    Ok(certificates)
}

fn private_key(path: &Path, contents: &[u8]) -> Result<PrivateKeyDer<'static>, TlsMistake> {
    let path = path.to_owned();
    // PKCS #8 says it in its label, the older forms in a header.
    let encrypted = ["ENCRYPTED PRIVATE KEY-----", "Proc-Type: 4,ENCRYPTED"];
    if encrypted.iter().any(|text| contains(contents, text)) {
        return Err(TlsMistake::EncryptedPrivateKey { path });
    }
    PrivateKeyDer::from_pem_slice(contents).map_err(|error| match error {
        pem::Error::NoItemsFound => TlsMistake::NoPrivateKey { path },
        error => TlsMistake::UnusablePrivateKey {
            path,
            reason: plain(&error),
        },
    })
}

fn contains(contents: &[u8], text: &str) -> bool {
    contents
        .windows(text.len())
        .any(|window| window == text.as_bytes())
}

/// Without pieces of the file, which may hold a key.
fn plain(error: &pem::Error) -> String {
    match error {
        pem::Error::MissingSectionEnd { .. } => "its -----END line is missing",
        pem::Error::IllegalSectionStart { .. } => "its -----BEGIN line is wrong",
        pem::Error::Base64Decode(_) => "its text is no base64",
        _ => "it is no PEM",
    }
    .to_owned()
}

/// Tells when the first certificate ends.
fn check_validity(
    path: &Path,
    chain: &[CertificateDer<'static>],
) -> Result<DateTime<Utc>, TlsMistake> {
    let damaged = |reason: String| TlsMistake::DamagedCertificate {
        path: path.to_owned(),
        position: 1,
        reason,
    };
    let first = chain.first().map_or(&[][..], AsRef::as_ref);
    let (_, certificate) =
        X509Certificate::from_der(first).map_err(|error| damaged(error.to_string()))?;
    let validity = certificate.validity();
    let time = |time: x509_parser::time::ASN1Time| {
        DateTime::from_timestamp(time.timestamp(), 0)
            .ok_or_else(|| damaged("its validity is out of range".to_owned()))
    };
    let (begins, ended) = (time(validity.not_before)?, time(validity.not_after)?);
    let (now, path) = (Utc::now(), path.to_owned());
    if ended < now {
        return Err(TlsMistake::Expired { path, ended });
    }
    if begins > now {
        return Err(TlsMistake::NotYetValid { path, begins });
    }
    Ok(ended)
}

fn certified_key(
    settings: &TlsSettings,
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    provider: &CryptoProvider,
) -> Result<CertifiedKey, TlsMistake> {
    CertifiedKey::from_der(chain, key, provider).map_err(|error| match error {
        rustls::Error::InconsistentKeys(_) => TlsMistake::KeyDoesNotMatch {
            private_key: settings.private_key.clone(),
            certificate_chain: settings.certificate_chain.clone(),
        },
        rustls::Error::InvalidCertificate(reason) => TlsMistake::DamagedCertificate {
            path: settings.certificate_chain.clone(),
            position: 1,
            reason: reason.to_string(),
        },
        error => TlsMistake::UnusablePrivateKey {
            path: settings.private_key.clone(),
            reason: error.to_string(),
        },
    })
}

fn authorities(path: &Path, contents: Contents) -> Result<RootCertStore, TlsMistake> {
    let mut authorities = RootCertStore::empty();
    for (index, certificate) in certificates(path, &contents?)?.into_iter().enumerate() {
        let unusable = |reason: String| TlsMistake::UnusableAuthority {
            path: path.to_owned(),
            position: index + 1,
            reason,
        };
        let is_authority =
            X509Certificate::from_der(&certificate).is_ok_and(|(_, parsed)| parsed.is_ca());
        if !is_authority {
            return Err(unusable("its basic constraints do not say CA".to_owned()));
        }
        authorities
            .add(certificate)
            .map_err(|error| unusable(error.to_string()))?;
    }
    Ok(authorities)
}

fn config(
    settings: &TlsSettings,
    pair: CertifiedKey,
    authorities: Option<RootCertStore>,
    provider: Arc<CryptoProvider>,
) -> Result<ServerConfig, TlsMistake> {
    let versions: &[_] = match settings.minimum_version {
        TlsVersion::Tls12 => &[&rustls::version::TLS13, &rustls::version::TLS12],
        TlsVersion::Tls13 => &[&rustls::version::TLS13],
    };
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(versions)
        .map_err(|error| TlsMistake::Refused(error.to_string()))?;
    let asks_clients = authorities.is_some();
    let builder = match authorities {
        None => builder.with_no_client_auth(),
        Some(authorities) => {
            let verifier =
                WebPkiClientVerifier::builder_with_provider(Arc::new(authorities), provider);
            let verifier = match settings.client_certificates {
                ClientCertificates::Optional { .. } => verifier.allow_unauthenticated(),
                _ => verifier,
            };
            let verifier = verifier
                .build()
                .map_err(|error| TlsMistake::Refused(error.to_string()))?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let mut config = builder.with_cert_resolver(Arc::new(SingleCertAndKey::from(pair)));
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    if asks_clients {
        // A resumed session is not verified again, though its client's certificate may have ended.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
    }
    Ok(config)
}
