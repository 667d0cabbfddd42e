//! Who is asking.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::routing::get;
use mediator_core::server::{
    ClientCertificate, ClientCertificates, Server, ServerSettings, SubjectAlternativeName,
    TlsVersion,
};

use super::super::start;
use super::{Authority, Folder, Pair, ask, client_parameters, serve, server_parameters};

const SUBJECT: &str = r"CN=lab-17,O=Ministry of Health\, Laboratories,C=XX";

#[tokio::test]
async fn they_are_not_asked_unless_wanted() {
    let authority = Authority::new();
    let folder = Folder::new(&authority.server());
    let server = serve(folder.settings()).await;
    let shown = authority.client();
    let answer = ask(&server, &authority, Some(&shown), "/maybe").await;
    assert_eq!(answer.unwrap(), (200, "nobody".to_owned()));
}

#[tokio::test]
async fn optional_ones() {
    let (authority, clients) = (Authority::new(), Authority::new());
    let folder = Folder::new(&authority.server());
    let mut settings = folder.settings();
    settings.client_certificates = folder.optional(&clients);
    let server = serve(settings).await;

    let shown = clients.client();
    for path in ["/subject", "/maybe"] {
        let answer = ask(&server, &authority, Some(&shown), path).await;
        assert_eq!(answer.unwrap(), (200, SUBJECT.to_owned()), "{path}");
    }
    let answer = ask(&server, &authority, None, "/maybe").await;
    assert_eq!(answer.unwrap(), (200, "nobody".to_owned()));
    let (status, text) = ask(&server, &authority, None, "/subject").await.unwrap();
    assert_eq!(status, 403);
    assert!(text.contains("client certificate"), "{text}");
    for bad in bad(&authority, &clients) {
        assert!(ask(&server, &authority, Some(&bad), "/").await.is_err());
    }
}

#[tokio::test]
async fn required_ones() {
    let (authority, clients) = (Authority::new(), Authority::new());
    let folder = Folder::new(&authority.server());
    for minimum_version in [TlsVersion::Tls12, TlsVersion::Tls13] {
        let mut settings = folder.settings();
        settings.client_certificates = folder.required(&clients);
        settings.minimum_version = minimum_version;
        let server = serve(settings).await;
        assert!(ask(&server, &authority, None, "/").await.is_err());
        for bad in bad(&authority, &clients) {
            assert!(ask(&server, &authority, Some(&bad), "/").await.is_err());
        }
        let shown = clients.client();
        let answer = ask(&server, &authority, Some(&shown), "/subject").await;
        assert_eq!(answer.unwrap(), (200, SUBJECT.to_owned()));
    }
}

/// Certificates of another authority, one that has ended, one that has not begun, and a server's.
fn bad(other: &Authority, clients: &Authority) -> [Pair; 4] {
    let mut ended = client_parameters();
    ended.not_after = rcgen::date_time_ymd(2024, 1, 1);
    let mut not_begun = client_parameters();
    not_begun.not_before = rcgen::date_time_ymd(4000, 1, 1);
    [
        other.client(),
        clients.issue(ended),
        clients.issue(not_begun),
        clients.issue(server_parameters()),
    ]
}

#[tokio::test]
async fn handlers_see_all_of_it() {
    let authority = Authority::new();
    let folder = Folder::new(&authority.server());
    let mut settings = folder.settings();
    settings.client_certificates = folder.required(&authority);
    let seen = Arc::new(Mutex::new(None));
    let keep = Arc::clone(&seen);
    let application = Router::new().route(
        "/",
        get(|client: ClientCertificate| async move {
            *keep.lock().unwrap() = Some(client);
        }),
    );
    let server = Server::new(ServerSettings::default()).tls(settings);
    let server = start(server, application).await;
    let mut parameters = client_parameters();
    parameters.subject_alt_names.extend([
        rcgen::SanType::URI("spiffe://example.org/lab/17".try_into().unwrap()),
        rcgen::SanType::Rfc822Name("lab-17@example.org".try_into().unwrap()),
        rcgen::SanType::IpAddress("192.0.2.17".parse().unwrap()),
        rcgen::SanType::IpAddress("2001:db8::17".parse().unwrap()),
    ]);
    let shown = authority.issue(parameters);
    ask(&server, &authority, Some(&shown), "/").await.unwrap();

    let client = seen.lock().unwrap().take().unwrap();
    assert_eq!(client.subject(), SUBJECT);
    assert_eq!(client.issuer(), "CN=authority of the tests");
    assert_eq!(client.serial_number(), "0a1b2c");
    assert_eq!(
        client.alternative_names(),
        [
            SubjectAlternativeName::DnsName("lab-17.example.org".to_owned()),
            SubjectAlternativeName::Uri("spiffe://example.org/lab/17".to_owned()),
            SubjectAlternativeName::EmailAddress("lab-17@example.org".to_owned()),
            SubjectAlternativeName::IpAddress("192.0.2.17".parse().unwrap()),
            SubjectAlternativeName::IpAddress("2001:db8::17".parse().unwrap()),
        ]
    );
    use rustls_pki_types::pem::PemObject as _;
    let der = rustls_pki_types::CertificateDer::from_pem_slice(shown.certificate.as_bytes());
    assert_eq!(client.der(), der.unwrap().as_ref());
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, client.der());
    let digest: String = digest.as_ref().iter().map(|b| format!("{b:02x}")).collect();
    assert_eq!(client.fingerprint(), digest);
    let debug = format!("{client:?}");
    assert!(debug.contains(&digest) && !debug.contains("lab"), "{debug}");
}

#[tokio::test]
async fn plain_http_has_none() {
    let server = start(Server::new(ServerSettings::default()), super::application()).await;
    assert_eq!(server.get("/maybe").await.text(), "nobody");
    assert_eq!(server.get("/subject").await.status, 403);
    assert!(
        server
            .get("/address")
            .await
            .text()
            .starts_with("127.0.0.1:")
    );
    assert_eq!(ClientCertificates::default(), ClientCertificates::None);
}
