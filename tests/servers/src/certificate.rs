//! Certificates of servers, from an authority that is made with them.

use std::path::Path;

use rcgen::{
    BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SubjectPublicKeyInfo,
};

/// Makes a certificate authority (`ca.pem` in `folder`), a certificate of it for `localhost` and
/// 127.0.0.1 (`certificate.pem`, `key.pem`), and one for a client (`client.pem`, `client-key.pem`).
pub(crate) fn write(folder: &Path) {
    let authority_key = KeyPair::generate().unwrap();
    let mut authority = CertificateParams::new([]).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority
        .distinguished_name
        .push(rcgen::DnType::CommonName, "Servers for tests");
    let authority_certificate = authority.self_signed(&authority_key).unwrap();

    let key = KeyPair::generate().unwrap();
    let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
    let mut server = CertificateParams::new(names).unwrap();
    // OpenHIM core reads the certificate with openssl's command line and wants every part of a name there.
    for (part, text) in [
        (rcgen::DnType::CommonName, "localhost"),
        (rcgen::DnType::OrganizationName, "Servers for tests"),
        (rcgen::DnType::CountryName, "XX"),
    ] {
        server.distinguished_name.push(part, text);
    }
    let authority = Issuer::new(authority, authority_key);
    let certificate = server.signed_by(&key, &authority).unwrap();

    let client_key = KeyPair::generate().unwrap();
    let mut client = CertificateParams::new(["mediator.example.org".to_owned()]).unwrap();
    client.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let client = client.signed_by(&client_key, &authority).unwrap();

    let write = |name, text: String| std::fs::write(folder.join(name), text).unwrap();
    write("ca.pem", authority_certificate.pem());
    write("certificate.pem", certificate.pem());
    write("key.pem", key.serialize_pem());
    write("client.pem", client.pem());
    write("client-key.pem", client_key.serialize_pem());
}

/// A certificate in DER that says that this public key (DER) signs documents, of an authority that
/// signs nothing else.
pub(crate) fn of_document_signer(public_key: &[u8]) -> Vec<u8> {
    let named = |name: &str| {
        let mut parameters = CertificateParams::new([]).unwrap();
        let names = &mut parameters.distinguished_name;
        names.push(rcgen::DnType::CountryName, "XX");
        names.push(rcgen::DnType::CommonName, name);
        parameters
    };
    let mut authority = named("Country signing authority for tests");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let mut signer = named("Document signer for tests");
    signer.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    let year = std::time::Duration::from_secs(365 * 24 * 60 * 60);
    let now = std::time::SystemTime::now();
    signer.not_before = now.into();
    signer.not_after = (now + year).into();
    let key = SubjectPublicKeyInfo::from_der(public_key).unwrap();
    let authority = Issuer::new(authority, KeyPair::generate().unwrap());
    signer.signed_by(&key, &authority).unwrap().der().to_vec()
}
