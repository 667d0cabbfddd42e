//! A core that shows a certificate, as OpenHIM 8 does and the one that can be had here cannot, and
//! forwards the token of its client.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::Stdio;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use real_servers::together::Servers;
use serde_json::{Value, json};

use super::{PATH, REQUEST, Runner, orchestrations, runner};

/// The certificate of core, with its key; those of the server are in files of this folder.
fn certificates(folder: &Path) -> (reqwest::Certificate, reqwest::Identity) {
    let key = KeyPair::generate().unwrap();
    let mut authority = CertificateParams::new([]).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let pem = authority.self_signed(&key).unwrap().pem();
    let authority = Issuer::new(authority, key);
    let certify = |name: &str| {
        let key = KeyPair::generate().unwrap();
        let parameters = CertificateParams::new([name.to_owned()]).unwrap();
        let certificate = parameters.signed_by(&key, &authority).unwrap();
        (certificate.pem(), key.serialize_pem())
    };
    let (certificate, key) = certify("127.0.0.1");
    for (name, text) in [
        ("ca.pem", &pem),
        ("tls.pem", &certificate),
        ("tls-key.pem", &key),
    ] {
        fs::write(folder.join(name), text).unwrap();
    }
    let (certificate, key) = certify("core.example.org");
    (
        reqwest::Certificate::from_pem(pem.as_bytes()).unwrap(),
        reqwest::Identity::from_pem(format!("{certificate}\n{key}").as_bytes()).unwrap(),
    )
}

pub(crate) async fn is_told_with_a_token_too(servers: &Servers, data: &Path) {
    let folder = tempfile::tempdir().unwrap();
    let (authority, core) = certificates(folder.path());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let path = |name: &str| folder.path().join(name);
    let child = runner(servers, data, &["serve"])
        .env("MEDIATOR_SERVER__LISTEN", address.to_string())
        .env("MEDIATOR_SERVER__TLS__CERTIFICATE_FILE", path("tls.pem"))
        .env("MEDIATOR_SERVER__TLS__KEY_FILE", path("tls-key.pem"))
        .env("MEDIATOR_SERVER__TLS__CLIENT_CA_FILE", path("ca.pem"))
        .env("MEDIATOR_SERVER__TLS__CLIENT_CERTIFICATES", "optional")
        .env(
            "MEDIATOR_ACCESS__OPENHIM__CERTIFICATES",
            "dns:core.example.org",
        )
        .stderr(Stdio::inherit())
        .spawn();
    let _serving = Runner(child.unwrap());
    let keycloak = servers.keycloak.as_ref().unwrap();
    let token = keycloak.client_token("health-event-source").await;
    let url = format!("https://{address}{PATH}");
    let mut event: Value = serde_json::from_str(REQUEST).unwrap();
    event["identifier"]["value"] = json!("by a core with a certificate");
    let send = async |identity: Option<&reqwest::Identity>, token: &str| {
        let mut builder = reqwest::Client::builder().tls_certs_only([authority.clone()]);
        if let Some(identity) = identity {
            builder = builder.identity(identity.clone());
        }
        let client = builder.build().unwrap();
        for _ in 0..240 {
            let request = client
                .post(&url)
                .header("x-openhim-transactionid", "5f3a1c2b9d8e7f6a5b4c3d2e")
                .bearer_auth(token)
                .header("content-type", "application/fhir+json")
                .body(event.to_string());
            if let Ok(answer) = request.send().await
                && answer.status() != 503
            {
                let status = answer.status().as_u16();
                let text = answer.text().await.unwrap();
                return (status, serde_json::from_str::<Value>(&text).unwrap());
            }
            // It is starting.
            tokio::time::sleep(std::time::Duration::from_millis(500)).await;
        }
        panic!("no answer of {url}");
    };
    let (status, envelope) = send(Some(&core), &token).await;
    assert_eq!(status, 200, "{envelope:#}");
    assert_eq!(envelope["status"], "Successful", "{envelope:#}");
    orchestrations::check(&envelope["orchestrations"], servers);
    let document = envelope["response"]["body"].as_str().unwrap();
    let document: Value = serde_json::from_str(document).unwrap();
    assert_eq!(document["type"], "document");
    // Whoever shows no certificate of core gets the document, and nothing about the back ends.
    let (status, plain) = send(None, &token).await;
    assert_eq!((status, &plain), (200, &document));
    // And core alone is not enough where its client's token is not good.
    let (status, outcome) = send(Some(&core), "rubbish").await;
    assert_eq!(status, 401, "{outcome:#}");
}
