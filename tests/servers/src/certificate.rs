//! Certificates of TLS servers.

use std::path::Path;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

/// Makes a certificate authority (`ca.pem` in `folder`) and a certificate of it for `localhost` and
/// 127.0.0.1 (`certificate.pem`, `key.pem`), which name `organization`.
pub(crate) fn write(folder: &Path, organization: &str) {
    let authority_key = KeyPair::generate().unwrap();
    let mut authority = CertificateParams::new([]).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority
        .distinguished_name
        .push(rcgen::DnType::CommonName, organization);
    let authority_certificate = authority.self_signed(&authority_key).unwrap();

    let key = KeyPair::generate().unwrap();
    let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
    let mut server = CertificateParams::new(names).unwrap();
    // OpenHIM core reads it with openssl's command line and wants every part of a name there.
    for (part, text) in [
        (rcgen::DnType::CommonName, "localhost"),
        (rcgen::DnType::OrganizationName, organization),
        (rcgen::DnType::CountryName, "XX"),
    ] {
        server.distinguished_name.push(part, text);
    }
    let certificate = server
        .signed_by(&key, &Issuer::new(authority, authority_key))
        .unwrap();

    let write = |name, text: String| std::fs::write(folder.join(name), text).unwrap();
    write("ca.pem", authority_certificate.pem());
    write("certificate.pem", certificate.pem());
    write("key.pem", key.serialize_pem());
}
