use std::path::Path;
use std::sync::Arc;

use mediator_core::back_end::{
    BackEnd, BackEndError, BackEndSettings, BackEndSettingsError, CertificateValidity,
    CertificateValidityError, ClientCertificate, Trust,
};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::RootCertStore;
use rustls::server::WebPkiClientVerifier;
use rustls_pki_types::PrivateKeyDer;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::settings;

/// An authority with its files: `ca.pem`, `client.pem`, `client-key.pem`.
struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: TempDir,
}

impl Authority {
    fn new() -> Self {
        let mut parameters = CertificateParams::new(Vec::new()).unwrap();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let issuer = CertifiedIssuer::self_signed(parameters, key).unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("ca.pem"), issuer.pem()).unwrap();
        let authority = Self { issuer, folder };
        let (certificate, key) = authority.issue("client");
        std::fs::write(authority.path("client.pem"), certificate.pem()).unwrap();
        std::fs::write(authority.path("client-key.pem"), key.serialize_pem()).unwrap();
        authority
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    fn trust(&self) -> Trust {
        Trust::CertificateAuthority(self.path("ca.pem"))
    }

    fn client_certificate(&self) -> ClientCertificate {
        ClientCertificate {
            certificate_file: self.path("client.pem"),
            key_file: self.path("client-key.pem"),
        }
    }

    fn issue(&self, name: &str) -> (rcgen::Certificate, KeyPair) {
        let key = KeyPair::generate().unwrap();
        let parameters = CertificateParams::new([name.to_owned()]).unwrap();
        (parameters.signed_by(&key, &self.issuer).unwrap(), key)
    }

    /// A server that answers 200 to whoever has a certificate of `clients`.
    async fn serve(&self, name: &str, clients: Option<&Authority>) -> url::Url {
        let (certificate, key) = self.issue(name);
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = rustls::ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .unwrap();
        let builder = match clients {
            None => builder.with_no_client_auth(),
            Some(clients) => {
                let mut roots = RootCertStore::empty();
                roots.add(clients.issuer.der().clone()).unwrap();
                let verifier =
                    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
                builder.with_client_cert_verifier(verifier.build().unwrap())
            }
        };
        let config = builder
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
            )
            .unwrap();
        let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let Ok(mut stream) = acceptor.accept(stream).await else {
                    continue;
                };
                let _ = stream.read(&mut [0; 4096]).await;
                let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
                let _ = stream.write_all(answer).await;
                let _ = stream.shutdown().await;
            }
        });
        format!("https://{address}/fhir").parse().unwrap()
    }
}

async fn ask(
    url: &url::Url,
    trust: Trust,
    client_certificate: Option<ClientCertificate>,
) -> Result<(), BackEndError> {
    let settings = BackEndSettings {
        trust,
        client_certificate,
        attempts: 1,
        ..settings(url.clone())
    };
    let call = BackEnd::new(&settings).unwrap().get("Read", "Patient/1");
    call.send().await.map(drop)
}

#[tokio::test]
async fn only_the_authority_in_the_file_is_trusted() {
    let authority = Authority::new();
    let url = authority.serve("127.0.0.1", None).await;
    ask(&url, authority.trust(), None).await.unwrap();
    let other_name = authority.serve("fhir.example", None).await;
    let another = Authority::new();
    for (url, trust) in [
        (&url, Trust::System),
        (&url, another.trust()),
        (&other_name, authority.trust()),
    ] {
        let error = ask(url, trust, None).await.unwrap_err();
        assert!(matches!(error, BackEndError::Tls { .. }), "{error:?}");
        assert!(!error.is_transient());
    }
}

#[tokio::test]
async fn a_client_certificate_is_shown() {
    let authority = Authority::new();
    let clients = Authority::new();
    let url = authority.serve("127.0.0.1", Some(&clients)).await;
    let trust = authority.trust();
    ask(&url, trust.clone(), Some(clients.client_certificate()))
        .await
        .unwrap();
    for certificate in [None, Some(authority.client_certificate())] {
        let error = ask(&url, trust.clone(), certificate).await.unwrap_err();
        assert!(matches!(error, BackEndError::Tls { .. }), "{error:?}");
    }
}

#[test]
fn files_of_no_use_are_told_at_once() {
    let authority = Authority::new();
    let url: url::Url = "https://127.0.0.1:1/fhir".parse().unwrap();
    let empty = authority.path("empty.pem");
    std::fs::write(&empty, "").unwrap();
    for path in [&*empty, Path::new("/nowhere/ca.pem")] {
        let error = BackEnd::new(&BackEndSettings {
            trust: Trust::CertificateAuthority(path.to_owned()),
            ..settings(url.clone())
        })
        .unwrap_err();
        assert!(matches!(
            error,
            BackEndSettingsError::CertificateAuthority { .. }
        ));
        assert!(error.to_string().contains(&path.display().to_string()));
    }
    let other = Authority::new();
    let of_two = ClientCertificate {
        key_file: other.path("client-key.pem"),
        ..authority.client_certificate()
    };
    let missing = ClientCertificate {
        key_file: "/nowhere/key.pem".into(),
        ..authority.client_certificate()
    };
    let no_key = ClientCertificate {
        key_file: authority.path("ca.pem"),
        ..authority.client_certificate()
    };
    for certificate in [of_two, missing, no_key] {
        let error = BackEnd::new(&BackEndSettings {
            trust: authority.trust(),
            client_certificate: Some(certificate),
            ..settings(url.clone())
        })
        .unwrap_err();
        assert!(
            matches!(error, BackEndSettingsError::ClientCertificate { .. }),
            "{error:?}"
        );
    }
}

#[tokio::test]
async fn a_certificate_is_looked_at_whoever_issued_it() {
    let authority = Authority::new();
    let clients = Authority::new();
    let limit = std::time::Duration::from_secs(60);
    for clients in [None, Some(&clients)] {
        let url = authority.serve("fhir.example", clients).await;
        let seen = CertificateValidity::of_server(&url, limit).await.unwrap();
        let file = CertificateValidity::of_file(&authority.path("client.pem")).unwrap();
        assert_eq!(seen.ends_at, file.ends_at);
        assert_eq!(seen.subject, "CN=rcgen self signed cert");
    }
    let plain = super::serve(
        mediator_core::server::Server::new(mediator_core::server::ServerSettings::default()),
        axum::Router::new(),
    );
    for url in [plain.await.parse().unwrap(), super::nowhere()] {
        let error = CertificateValidity::of_server(&url, limit)
            .await
            .unwrap_err();
        assert!(matches!(error, CertificateValidityError::Server { .. }));
    }
    let error = CertificateValidity::of_file(&authority.path("client-key.pem")).unwrap_err();
    assert!(matches!(error, CertificateValidityError::File { .. }));
}
