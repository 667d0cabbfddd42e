use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use aws_lc_rs::digest;
use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use axum::response::Response;
use http::request::Parts;
use std::convert::Infallible;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::super::refusal::{Refusal, Refusals};
use super::distinguished_name;

/// Extractor: the certificate that the client of this connection has shown, and whose key it has.
/// One of the authorities in [`ClientCertificates`](super::ClientCertificates) issued it, and it
/// was valid when the connection began. Whether its subject may do what it asks is the handler's
/// to decide.
///
/// Without one the answer is [`Refusal::NoClientCertificate`]; `Option<ClientCertificate>` is for
/// handlers that go on all the same.
///
/// ```
/// # use mediator_core::server::ClientCertificate;
/// async fn handler(client: ClientCertificate) -> String {
///     format!("hello {}", client.subject())
/// }
/// ```
///
/// Only its fingerprint is in the Debug form: a subject may be a person.
#[derive(Clone, PartialEq, Eq)]
pub struct ClientCertificate(Arc<Parsed>);

#[derive(PartialEq, Eq)]
struct Parsed {
    subject: String,
    issuer: String,
    alternative_names: Vec<SubjectAlternativeName>,
    serial_number: String,
    fingerprint: String,
    der: Vec<u8>,
}

/// One of the names in a certificate's `subjectAltName` (RFC 5280, 4.2.1.6).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SubjectAlternativeName {
    /// `dNSName`, maybe with a wildcard.
    DnsName(String),
    /// `rfc822Name`.
    EmailAddress(String),
    /// `uniformResourceIdentifier`, such as a SPIFFE id.
    Uri(String),
    /// `iPAddress`.
    IpAddress(IpAddr),
    /// `directoryName`, as RFC 4514 writes it.
    DirectoryName(String),
}

impl ClientCertificate {
    pub(crate) fn parse(der: &[u8]) -> Result<Self, String> {
        let (_, certificate) = X509Certificate::from_der(der)
            .map_err(|error| format!("the client's certificate cannot be read: {error}"))?;
        let alternative_names = certificate
            .subject_alternative_name()
            .map_err(|error| format!("the client's names cannot be read: {error}"))?
            .map(|extension| {
                let names = extension.value.general_names.iter();
                names.filter_map(alternative_name).collect()
            })
            .unwrap_or_default();
        Ok(Self(Arc::new(Parsed {
            subject: distinguished_name::text(certificate.subject()),
            issuer: distinguished_name::text(certificate.issuer()),
            alternative_names,
            serial_number: hex(certificate.raw_serial()),
            fingerprint: hex(digest::digest(&digest::SHA256, der).as_ref()),
            der: der.to_vec(),
        })))
    }

    /// The subject's distinguished name as RFC 4514 writes it, most specific part first:
    /// `CN=lab-17,O=Ministry of Health,C=XX`. May be empty.
    #[must_use]
    pub fn subject(&self) -> &str {
        &self.0.subject
    }

    /// Who issued it, written like the subject.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.0.issuer
    }

    /// The subject's other names, of the kinds that there is a form for here.
    #[must_use]
    pub fn alternative_names(&self) -> &[SubjectAlternativeName] {
        &self.0.alternative_names
    }

    /// The serial number, in lower-case hexadecimal digits as it is encoded. Unique per issuer.
    #[must_use]
    pub fn serial_number(&self) -> &str {
        &self.0.serial_number
    }

    /// SHA-256 of the whole certificate, 64 lower-case hexadecimal digits.
    #[must_use]
    pub fn fingerprint(&self) -> &str {
        &self.0.fingerprint
    }

    /// The certificate itself, DER.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.0.der
    }
}

fn alternative_name(name: &GeneralName<'_>) -> Option<SubjectAlternativeName> {
    Some(match name {
        GeneralName::DNSName(name) => SubjectAlternativeName::DnsName((*name).to_owned()),
        GeneralName::RFC822Name(address) => {
            SubjectAlternativeName::EmailAddress((*address).to_owned())
        }
        GeneralName::URI(uri) => SubjectAlternativeName::Uri((*uri).to_owned()),
        GeneralName::IPAddress(octets) => {
            let address = <[u8; 4]>::try_from(*octets)
                .map(IpAddr::from)
                .or_else(|_| <[u8; 16]>::try_from(*octets).map(IpAddr::from));
            SubjectAlternativeName::IpAddress(address.ok()?)
        }
        GeneralName::DirectoryName(name) => {
            SubjectAlternativeName::DirectoryName(distinguished_name::text(name))
        }
        _ => return None,
    })
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl fmt::Debug for ClientCertificate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("ClientCertificate")
            .field("fingerprint", &self.0.fingerprint)
            .finish_non_exhaustive()
    }
}

impl<S: Send + Sync> FromRequestParts<S> for ClientCertificate {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Response> {
        parts.extensions.get::<Self>().cloned().ok_or_else(|| {
            parts
                .extensions
                .get::<Refusals>()
                .cloned()
                .unwrap_or_default()
                .answer(&Refusal::NoClientCertificate)
        })
    }
}

impl<S: Send + Sync> OptionalFromRequestParts<S> for ClientCertificate {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Option<Self>, Infallible> {
        Ok(parts.extensions.get::<Self>().cloned())
    }
}
