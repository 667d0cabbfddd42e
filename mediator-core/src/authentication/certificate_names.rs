use crate::server::{ClientCertificate, SubjectAlternativeName};

/// What a certificate can be called in [`Grants`](super::Grants): its subject as RFC 4514 writes it
/// (`CN=lab-17,O=Ministry of Health,C=XX`), `dns:…`, `uri:…`, `email:…` and `ip:…` of its
/// alternative names, and `sha256:…` of the whole certificate.
#[must_use]
pub fn certificate_names(certificate: &ClientCertificate) -> Vec<String> {
    let alternative = certificate
        .alternative_names()
        .iter()
        .filter_map(|name| match name {
            SubjectAlternativeName::DnsName(name) => Some(format!("dns:{name}")),
            SubjectAlternativeName::Uri(uri) => Some(format!("uri:{uri}")),
            SubjectAlternativeName::EmailAddress(address) => Some(format!("email:{address}")),
            SubjectAlternativeName::IpAddress(address) => Some(format!("ip:{address}")),
            _ => None,
        });
    let fingerprint = format!("sha256:{}", certificate.fingerprint());
    let subject = Some(certificate.subject().to_owned()).filter(|subject| !subject.is_empty());
    alternative.chain([fingerprint]).chain(subject).collect()
}
