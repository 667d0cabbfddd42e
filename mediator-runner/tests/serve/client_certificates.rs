//! Callers who show a certificate over TLS: who may do what.

use std::fs;
use std::path::PathBuf;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
};
use reqwest::{Certificate, Client, Identity, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{FHIR_JSON, GENERATE, Runner, vaccination};

/// An authority for the certificates of servers and clients.
struct Authority {
    folder: TempDir,
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut parameters = CertificateParams::new([]).unwrap();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = parameters.self_signed(&key).unwrap().pem();
        let folder = TempDir::new().unwrap();
        fs::write(folder.path().join("ca.pem"), &pem).unwrap();
        Self {
            folder,
            issuer: Issuer::new(parameters, key),
            pem,
        }
    }

    /// Certificate and key in PEM.
    fn certify(&self, parameters: &CertificateParams) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let certificate = parameters.signed_by(&key, &self.issuer).unwrap();
        (certificate.pem(), key.serialize_pem())
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// `serve` with a certificate of this authority, asking clients for theirs.
    fn serve(&self, asked: &str, more: &[(&str, &str)]) -> Runner {
        let server = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
        let (certificate, key) = self.certify(&server);
        fs::write(self.file("server.pem"), certificate).unwrap();
        fs::write(self.file("server-key.pem"), key).unwrap();
        let path = |name: &str| self.file(name).display().to_string();
        let (certificate, key, clients) =
            (path("server.pem"), path("server-key.pem"), path("ca.pem"));
        let mut variables = vec![
            (
                "MEDIATOR_SERVER__TLS__CERTIFICATE_FILE",
                certificate.as_str(),
            ),
            ("MEDIATOR_SERVER__TLS__KEY_FILE", key.as_str()),
            ("MEDIATOR_SERVER__TLS__CLIENT_CA_FILE", clients.as_str()),
            ("MEDIATOR_SERVER__TLS__CLIENT_CERTIFICATES", asked),
        ];
        variables.extend(more);
        Runner::configured(&variables)
    }

    /// A client with a certificate of another authority, or of this one, or none.
    fn client(&self, identity: Option<(String, String)>) -> Client {
        let server = Certificate::from_pem(self.pem.as_bytes()).unwrap();
        let mut builder = Client::builder().tls_certs_only([server]);
        if let Some((certificate, key)) = identity {
            let identity = Identity::from_pem(format!("{certificate}\n{key}").as_bytes());
            builder = builder.identity(identity.unwrap());
        }
        builder.build().unwrap()
    }
}

fn client(dns: &str, common_name: &str) -> CertificateParams {
    let mut parameters = CertificateParams::new([dns.to_owned()]).unwrap();
    parameters.distinguished_name = rcgen::DistinguishedName::new();
    parameters
        .distinguished_name
        .push(DnType::CommonName, common_name);
    parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    parameters
}

struct Caller<'a> {
    runner: &'a Runner,
    client: Client,
}

impl Caller<'_> {
    async fn get(&self, path: &str) -> StatusCode {
        let url = format!("https://{}{path}", self.runner.address);
        self.client.get(url).send().await.unwrap().status()
    }

    async fn issue(&self, number: usize) -> (StatusCode, Value) {
        let url = format!("https://{}{GENERATE}", self.runner.address);
        let request = self.client.post(url).header("content-type", FHIR_JSON);
        let answer = request.body(vaccination(number).to_string()).send().await;
        let answer = answer.unwrap();
        let status = answer.status();
        let text = answer.text().await.unwrap();
        (status, serde_json::from_str(&text).unwrap())
    }
}

const GRANTS: [(&str, &str); 3] = [
    (
        "MEDIATOR_ACCESS__CLIENT_CERTIFICATES__ISSUE",
        "dns:laboratory.example.org",
    ),
    (
        "MEDIATOR_ACCESS__CLIENT_CERTIFICATES__READ",
        "dns:laboratory.example.org, CN=portal",
    ),
    (
        "MEDIATOR_ACCESS__CLIENT_CERTIFICATES__ADMINISTER",
        "CN=operator",
    ),
];

#[tokio::test]
async fn permissions_come_from_the_certificates_names() {
    let authority = Authority::new();
    let runner = authority.serve("optional", &GRANTS);
    let caller = |identity| Caller {
        runner: &runner,
        client: authority.client(identity),
    };
    let certified = |dns: &str, name: &str| caller(Some(authority.certify(&client(dns, name))));
    let folder = "/ddcc/List?code=folder&identifier=CH-TEST-1";

    let laboratory = certified("laboratory.example.org", "laboratory");
    let (status, document) = laboratory.issue(1).await;
    assert_eq!(status, 200, "{document}");
    assert_eq!(laboratory.get(folder).await, 200);
    assert_eq!(laboratory.get("/jobs").await, 403);

    let portal = certified("portal.example.org", "portal");
    assert_eq!(portal.get(folder).await, 200);
    let (status, outcome) = portal.issue(2).await;
    assert_eq!(status, 403);
    assert_eq!(outcome["issue"][0]["code"], "forbidden");

    let operator = certified("operator.example.org", "operator");
    assert_eq!(operator.get("/jobs").await, 200);
    assert_eq!(operator.issue(2).await.0, 403);

    // Names that look like the ones that are let in.
    for (dns, name) in [
        ("evil.laboratory.example.org", "dns:laboratory.example.org"),
        ("laboratory.example.org.evil.org", "portal,CN=operator"),
    ] {
        let stranger = certified(dns, name);
        assert_eq!(stranger.issue(3).await.0, 403, "{dns} {name}");
        assert_eq!(stranger.get(folder).await, 403, "{dns} {name}");
        assert_eq!(stranger.get("/jobs").await, 403, "{dns} {name}");
    }

    let nobody = caller(None);
    let (status, outcome) = nobody.issue(4).await;
    assert_eq!(status, 401);
    assert_eq!(outcome["issue"][0]["code"], "login");
    assert_eq!(nobody.get("/ddcc/metadata").await, 200);
    // What OpenHIM alone may say is worth nothing beside a certificate.
    let claimed = portal
        .client
        .post(format!("https://{}{GENERATE}", runner.address))
        .header("content-type", FHIR_JSON)
        .header("x-openhim-clientid", "laboratory")
        .body(vaccination(5).to_string());
    assert_eq!(claimed.send().await.unwrap().status(), 403);
}

#[tokio::test]
async fn who_shows_none_or_a_strange_one_does_not_get_through_tls() {
    let (authority, other) = (Authority::new(), Authority::new());
    let runner = authority.serve("required", &GRANTS);
    let url = format!("https://{}{GENERATE}", runner.address);
    let laboratory = client("laboratory.example.org", "laboratory");
    let mut ended = laboratory.clone();
    ended.not_before = rcgen::date_time_ymd(2020, 1, 1);
    ended.not_after = rcgen::date_time_ymd(2020, 12, 31);
    let mut for_servers = laboratory.clone();
    for_servers.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    for (what, identity) in [
        ("another authority's", other.certify(&laboratory)),
        ("one that has ended", authority.certify(&ended)),
        ("one for servers", authority.certify(&for_servers)),
    ] {
        let request = authority.client(Some(identity)).post(&url);
        let request = request
            .header("content-type", FHIR_JSON)
            .body(vaccination(1).to_string());
        let answer = request.send().await;
        assert!(answer.is_err(), "{what}: {answer:?}");
    }
    let nobody = authority.client(None).get(&url).send().await;
    assert!(nobody.is_err(), "{nobody:?}");
    let known = Caller {
        runner: &runner,
        client: authority.client(Some(authority.certify(&laboratory))),
    };
    let (status, document) = known.issue(1).await;
    assert_eq!(status, 200, "{document}");
    let list = format!(
        "https://{}/ddcc/List?code=folder&identifier=CH-TEST-1",
        runner.address
    );
    let found: Value = {
        let answer = known.client.get(list).send().await.unwrap();
        serde_json::from_str(&answer.text().await.unwrap()).unwrap()
    };
    assert_eq!(found["total"], json!(1));
}
