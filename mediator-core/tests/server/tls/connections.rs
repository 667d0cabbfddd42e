//! Handshakes that work, fail or hang.

use std::time::{Duration, Instant};

use mediator_core::server::TlsVersion;
use reqwest::Version;

use super::super::read_to_end;
use super::{Authority, Folder, ask, client, https, says_hello, serve};

#[tokio::test]
async fn clients_choose_between_http_1_and_2() {
    let authority = Authority::new();
    let folder = Folder::new(&authority.server());
    let server = serve(folder.settings()).await;
    let trusted = reqwest::Certificate::from_pem(authority.pem.as_bytes()).unwrap();
    let builder = || reqwest::Client::builder().tls_certs_only([trusted.clone()]);
    for (builder, version) in [
        (builder(), Version::HTTP_2),
        (builder().http1_only(), Version::HTTP_11),
    ] {
        let client = builder.build().unwrap();
        let answer = client.get(https(&server, "/")).send().await.unwrap();
        assert_eq!(answer.version(), version);
        assert_eq!(answer.text().await.unwrap(), "hello");
    }
}

#[tokio::test]
async fn old_versions_of_tls_only_where_they_are_allowed() {
    let authority = Authority::new();
    let folder = Folder::new(&authority.server());
    let trusted = reqwest::Certificate::from_pem(authority.pem.as_bytes()).unwrap();
    let old = reqwest::Client::builder()
        .tls_certs_only([trusted])
        .tls_version_max(reqwest::tls::Version::TLS_1_2)
        .build()
        .unwrap();
    for (minimum_version, is_served) in [(TlsVersion::Tls12, true), (TlsVersion::Tls13, false)] {
        let mut settings = folder.settings();
        settings.minimum_version = minimum_version;
        let server = serve(settings).await;
        let answer = old.get(https(&server, "/")).send().await;
        assert_eq!(answer.is_ok(), is_served, "{minimum_version:?}");
        says_hello(&server, &authority).await;
    }
}

#[tokio::test]
async fn the_address_of_the_client_is_known() {
    let authority = Authority::new();
    let folder = Folder::new(&authority.server());
    let server = serve(folder.settings()).await;
    let answer = ask(&server, &authority, None, "/address").await.unwrap();
    assert!(answer.1.starts_with("127.0.0.1:"), "{answer:?}");
}

#[tokio::test]
async fn plain_http_is_told_so() {
    let authority = Authority::new();
    let folder = Folder::new(&authority.server());
    let server = serve(folder.settings()).await;
    let answer = server.post("/", vec![b'x'; 1_000_000]).await;
    assert_eq!(answer.status, 400);
    assert_eq!(answer.text(), "this port speaks HTTPS, not plain HTTP");
    says_hello(&server, &authority).await;
    // Neither HTTP nor TLS.
    let mut stream = server.raw("\0\0\0\0\0\0\0\0\0\0").await;
    let answer = read_to_end(&mut stream).await;
    assert!(!answer.contains("HTTP"), "{answer}");
    says_hello(&server, &authority).await;
}

#[tokio::test]
async fn a_client_that_trusts_another_authority_hangs_up() {
    let authority = Authority::new();
    let folder = Folder::new(&authority.server());
    let server = serve(folder.settings()).await;
    let another = client(&Authority::new(), None);
    let error = another.get(https(&server, "/")).send().await.unwrap_err();
    assert!(error.is_connect(), "{error:?}");
    says_hello(&server, &authority).await;
}

#[tokio::test]
async fn a_hanging_handshake_is_given_up_and_nobody_waits_for_it() {
    let authority = Authority::new();
    let folder = Folder::new(&authority.server());
    let mut settings = folder.settings();
    settings.handshake_timeout = Duration::from_secs(1);
    let server = serve(settings).await;
    // Nothing, and the head of a record that does not come.
    for sent in ["", "\x16\x03\x01\x02\x00\x01"] {
        let start = Instant::now();
        let mut stream = server.raw(sent).await;
        says_hello(&server, &authority).await;
        assert!(start.elapsed() < Duration::from_millis(900));
        read_to_end(&mut stream).await;
        assert!(start.elapsed() >= Duration::from_millis(900), "{sent:?}");
        assert!(start.elapsed() < Duration::from_secs(4), "{sent:?}");
    }
    let answer = ask(&server, &authority, None, "/metrics").await.unwrap();
    for result in ["succeeded", "timed out"] {
        let line = format!(r#"tls_handshakes_total{{result="{result}"}}"#);
        assert!(answer.1.contains(&line), "{line} is not in\n{}", answer.1);
    }
}

#[tokio::test]
async fn a_shutdown_does_not_wait_for_handshakes() {
    let authority = Authority::new();
    let folder = Folder::new(&authority.server());
    let mut settings = folder.settings();
    settings.handshake_timeout = Duration::from_secs(60);
    let server = serve(settings).await;
    let _hanging = server.raw("\x16\x03\x01").await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    let start = Instant::now();
    server.stop().await;
    assert!(start.elapsed() < Duration::from_secs(5));
}
