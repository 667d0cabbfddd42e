//! HTTPS, with certificates that are made here.

mod client_certificates;
mod connections;
mod files;
mod reload;

use std::path::PathBuf;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use axum::routing::get;
use mediator_core::server::{
    ClientCertificate, ClientCertificates, Server, ServerSettings, TlsSettings,
};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
};
use tempfile::TempDir;

use super::{Running, start};

/// Someone who issues certificates.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

/// A certificate and its key, PEM.
struct Pair {
    certificate: String,
    key: String,
}

impl Authority {
    fn new() -> Self {
        let mut parameters = CertificateParams::default();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let name = &mut parameters.distinguished_name;
        name.push(DnType::CommonName, "authority of the tests");
        let key = KeyPair::generate().unwrap();
        let pem = parameters.self_signed(&key).unwrap().pem();
        Self {
            issuer: Issuer::new(parameters, key),
            pem,
        }
    }

    fn issue(&self, parameters: CertificateParams) -> Pair {
        let key = KeyPair::generate().unwrap();
        Pair {
            certificate: parameters.signed_by(&key, &self.issuer).unwrap().pem(),
            key: key.serialize_pem(),
        }
    }

    fn server(&self) -> Pair {
        self.issue(server_parameters())
    }

    fn client(&self) -> Pair {
        self.issue(client_parameters())
    }
}

fn server_parameters() -> CertificateParams {
    let mut parameters = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
    parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    parameters
}

fn client_parameters() -> CertificateParams {
    let mut parameters = CertificateParams::new(["lab-17.example.org".to_owned()]).unwrap();
    parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    parameters.serial_number = Some(vec![0x0a, 0x1b, 0x2c].into());
    let mut name = rcgen::DistinguishedName::new();
    name.push(DnType::CountryName, "XX");
    name.push(DnType::OrganizationName, "Ministry of Health, Laboratories");
    name.push(DnType::CommonName, "lab-17");
    parameters.distinguished_name = name;
    parameters
}

/// The files of a server.
struct Folder(TempDir);

impl Folder {
    fn new(pair: &Pair) -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        folder.write(pair);
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, pair: &Pair) {
        std::fs::write(self.path("tls.crt"), &pair.certificate).unwrap();
        std::fs::write(self.path("tls.key"), &pair.key).unwrap();
    }

    fn settings(&self) -> TlsSettings {
        TlsSettings {
            reload_interval: Duration::from_millis(20),
            ..TlsSettings::new(self.path("tls.crt"), self.path("tls.key"))
        }
    }

    fn authority(&self, authority: &Authority) -> PathBuf {
        let path = self.path("ca.crt");
        std::fs::write(&path, &authority.pem).unwrap();
        path
    }

    fn optional(&self, authority: &Authority) -> ClientCertificates {
        ClientCertificates::Optional {
            certificate_authority: self.authority(authority),
        }
    }

    fn required(&self, authority: &Authority) -> ClientCertificates {
        ClientCertificates::Required {
            certificate_authority: self.authority(authority),
        }
    }
}

fn application() -> Router {
    Router::new()
        .route("/", get(|| async { "hello" }))
        .route(
            "/address",
            get(
                |ConnectInfo(address): ConnectInfo<std::net::SocketAddr>| async move {
                    address.to_string()
                },
            ),
        )
        .route(
            "/subject",
            get(|client: ClientCertificate| async move { client.subject().to_owned() }),
        )
        .route(
            "/maybe",
            get(|client: Option<ClientCertificate>| async move {
                client.map_or_else(|| "nobody".to_owned(), |client| client.subject().to_owned())
            }),
        )
}

async fn serve(settings: TlsSettings) -> Running {
    let server = Server::new(ServerSettings::default()).tls(settings);
    start(server, application()).await
}

fn client(authority: &Authority, identity: Option<&Pair>) -> reqwest::Client {
    let trusted = reqwest::Certificate::from_pem(authority.pem.as_bytes()).unwrap();
    let mut builder = reqwest::Client::builder().tls_certs_only([trusted]);
    if let Some(Pair { certificate, key }) = identity {
        let pem = format!("{certificate}{key}");
        builder = builder.identity(reqwest::Identity::from_pem(pem.as_bytes()).unwrap());
    }
    builder.build().unwrap()
}

fn https(server: &Running, path: &str) -> String {
    format!("https://{}{path}", server.address)
}

/// The answer's text to a request on a connection of its own, if there is an answer.
async fn ask(
    server: &Running,
    authority: &Authority,
    identity: Option<&Pair>,
    path: &str,
) -> Result<(u16, String), reqwest::Error> {
    let url = https(server, path);
    let response = client(authority, identity).get(url).send().await?;
    Ok((response.status().as_u16(), response.text().await?))
}

async fn says_hello(server: &Running, authority: &Authority) {
    let answer = ask(server, authority, None, "/").await.unwrap();
    assert_eq!(answer, (200, "hello".to_owned()));
}
