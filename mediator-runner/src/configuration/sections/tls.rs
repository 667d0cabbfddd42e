use std::path::PathBuf;

use serde::Serialize;

use super::super::reader::Section;
use super::value;

/// TLS of the HTTP server; without files it speaks plain HTTP.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Tls {
    /// PEM, the server's certificate first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) certificate_file: Option<PathBuf>,
    /// PEM.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) key_file: Option<PathBuf>,
    pub(crate) client_certificates: ClientCertificates,
    /// PEM: who issues the clients' certificates.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) client_ca_file: Option<PathBuf>,
}

/// Whether clients show certificates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ClientCertificates {
    None,
    Optional,
    Required,
}

impl Tls {
    pub(super) fn read(section: &mut Section<'_>) -> Self {
        let has_certificate = section.is_set("certificate_file");
        let has_client_ca = section.is_set("client_ca_file");
        let certificate_file = section.file("certificate_file");
        let key_file = section.file("key_file");
        match (&certificate_file, &key_file) {
            (Some(certificate), None) => {
                let text = "needs server.tls.key_file, the certificate's key, beside it";
                section.mistake("certificate_file", &certificate.place, text);
            }
            (None, Some(key)) => {
                let text = "needs server.tls.certificate_file, the key's certificate, beside it";
                section.mistake("key_file", &key.place, text);
            }
            _ => {}
        }
        let kinds = [
            ("none", ClientCertificates::None),
            ("optional", ClientCertificates::Optional),
            ("required", ClientCertificates::Required),
        ];
        let client_certificates = section.one_of("client_certificates", &kinds);
        let client_ca_file = section.file("client_ca_file");
        let asks = client_certificates
            .as_ref()
            .filter(|kind| kind.value != ClientCertificates::None);
        if let Some(kind) = asks {
            if !has_client_ca {
                let text = "needs server.tls.client_ca_file, who issues those certificates";
                section.mistake("client_certificates", &kind.place, text);
            }
            if !has_certificate {
                let text =
                    "needs server.tls.certificate_file: clients show certificates over TLS only";
                section.mistake("client_certificates", &kind.place, text);
            }
        } else if let Some(file) = &client_ca_file {
            let text = "needs server.tls.client_certificates to be \"optional\" or \"required\"";
            section.mistake("client_ca_file", &file.place, text);
        }
        Self {
            certificate_file: value(certificate_file),
            key_file: value(key_file),
            client_certificates: value(client_certificates).unwrap_or(ClientCertificates::None),
            client_ca_file: value(client_ca_file),
        }
    }
}
