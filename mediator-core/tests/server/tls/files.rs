//! What is wrong with the files when a server starts.

use std::path::{Path, PathBuf};

use mediator_core::server::{
    ClientCertificates, Server, ServerError, ServerSettings, TlsError, TlsMistake, TlsSettings,
    listen,
};
use rcgen::KeyPair;

use super::{Authority, Folder, server_parameters};

fn mistakes(settings: &TlsSettings) -> Vec<TlsMistake> {
    let TlsError(mistakes) = settings.check().unwrap_err();
    mistakes
}

/// The one mistake that there is with these contents.
fn mistake(name: &str, contents: impl AsRef<[u8]>) -> TlsMistake {
    let authority = Authority::new();
    let folder = Folder::new(&authority.server());
    let mut settings = folder.settings();
    settings.client_certificates = folder.required(&authority);
    settings.check().unwrap();
    std::fs::write(folder.path(name), contents).unwrap();
    let mut mistakes = mistakes(&settings);
    assert_eq!(mistakes.len(), 1, "{mistakes:?}");
    let mistake = mistakes.remove(0);
    assert!(mistake.to_string().contains(name), "{mistake}");
    mistake
}

#[test]
fn certificates() {
    let authority = Authority::new();
    let name = "tls.crt";
    assert!(matches!(mistake(name, " \n"), TlsMistake::Empty { .. }));
    let key = KeyPair::generate().unwrap().serialize_pem();
    assert!(matches!(
        mistake(name, key),
        TlsMistake::NoCertificate { .. }
    ));
    assert!(matches!(
        mistake(name, [0x30, 0x82]),
        TlsMistake::NoCertificate { .. }
    ));
    let good = authority.server().certificate;
    for (bad, position) in [
        (good.replace("-----END", "----END"), 1),
        (
            format!("{good}-----BEGIN CERTIFICATE-----\n(\n-----END CERTIFICATE-----\n"),
            2,
        ),
        (
            format!("{good}-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n"),
            2,
        ),
    ] {
        let found = mistake(name, &bad);
        assert!(
            matches!(found, TlsMistake::DamagedCertificate { position: at, .. } if at == position),
            "{found:?} for {bad}"
        );
    }
    assert!(matches!(
        mistake(name, good),
        TlsMistake::KeyDoesNotMatch { .. }
    ));
}

#[test]
fn private_keys() {
    let authority = Authority::new();
    let name = "tls.key";
    assert!(matches!(mistake(name, ""), TlsMistake::Empty { .. }));
    let certificate = authority.server().certificate;
    assert!(matches!(
        mistake(name, certificate),
        TlsMistake::NoPrivateKey { .. }
    ));
    for encrypted in [
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMAA=\n-----END ENCRYPTED PRIVATE KEY-----\n",
        "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\nMAA=\n-----END RSA PRIVATE KEY-----\n",
    ] {
        let found = mistake(name, encrypted);
        assert!(
            matches!(found, TlsMistake::EncryptedPrivateKey { .. }),
            "{found:?}"
        );
    }
    let secret = "c2VjcmV0";
    for damaged in [
        format!("-----BEGIN PRIVATE KEY-----\n{secret}\n-----END PRIVATE KEY-----\n"),
        format!("-----BEGIN PRIVATE KEY-----\n{secret}(\n-----END PRIVATE KEY-----\n"),
        format!("-----BEGIN PRIVATE KEY-----\n{secret}"),
    ] {
        let found = mistake(name, &damaged);
        assert!(
            matches!(found, TlsMistake::UnusablePrivateKey { .. }),
            "{found:?}"
        );
        assert!(!format!("{found:?}{found}").contains(secret), "{found:?}");
    }
    let other = KeyPair::generate().unwrap().serialize_pem();
    assert!(matches!(
        mistake(name, other),
        TlsMistake::KeyDoesNotMatch { .. }
    ));
}

#[test]
fn authorities_of_clients() {
    let authority = Authority::new();
    let name = "ca.crt";
    assert!(matches!(mistake(name, ""), TlsMistake::Empty { .. }));
    let no_authority = format!("{}{}", authority.pem, authority.client().certificate);
    let found = mistake(name, no_authority);
    assert!(
        matches!(found, TlsMistake::UnusableAuthority { position: 2, .. }),
        "{found:?}"
    );
}

#[test]
fn times() {
    let authority = Authority::new();
    let (mut ended, mut not_begun) = (server_parameters(), server_parameters());
    ended.not_after = rcgen::date_time_ymd(2024, 1, 2);
    not_begun.not_before = rcgen::date_time_ymd(4000, 1, 2);
    let folder = Folder::new(&authority.issue(ended));
    let found = mistakes(&folder.settings());
    assert!(
        matches!(found[..], [TlsMistake::Expired { .. }]),
        "{found:?}"
    );
    assert!(
        found[0].to_string().contains("ended on 2024-01-02"),
        "{}",
        found[0]
    );
    folder.write(&authority.issue(not_begun));
    let found = mistakes(&folder.settings());
    assert!(
        matches!(found[..], [TlsMistake::NotYetValid { .. }]),
        "{found:?}"
    );
}

#[tokio::test]
async fn a_server_says_all_of_them_and_does_not_start() {
    let settings = TlsSettings {
        client_certificates: ClientCertificates::Required {
            certificate_authority: PathBuf::from("no-ca.crt"),
        },
        ..TlsSettings::new("no-tls.crt", Path::new("no-tls.key"))
    };
    let listener = listen("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let error = Server::new(ServerSettings::default())
        .tls(settings)
        .serve(super::application(), listener, std::future::pending())
        .await
        .unwrap_err();
    assert!(matches!(error, ServerError::Tls(_)));
    let text = error.to_string();
    for name in ["no-ca.crt", "no-tls.crt", "no-tls.key"] {
        assert!(text.contains(&format!("{name} cannot be read")), "{text}");
    }
}
