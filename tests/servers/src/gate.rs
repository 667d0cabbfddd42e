//! Stands in front of a real server and lets in, by TLS, who shows what it demands: a certificate,
//! a token of a real Keycloak, or both. As strict as a gateway of a ministry is.
//!
//! ```no_run
//! # use real_servers::gate::{Demands, Gate};
//! # async fn test(server: std::net::SocketAddr) {
//! let demands = Demands { client_certificate: true, ..Demands::default() };
//! let gate = Gate::start(server, demands).await;
//! let (certificate, key) = gate.client_certificate();
//! # let _ = (certificate, key);
//! # }
//! ```

mod passage;
mod token;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;

use crate::certificate;
pub use token::Tokens;

/// What is demanded of whoever wants in.
#[derive(Debug, Clone, Default)]
pub struct Demands {
    /// A certificate of [`Gate::client_certificate`].
    pub client_certificate: bool,
    /// A bearer token.
    pub tokens: Option<Tokens>,
}

/// A running gate. Belongs to the test that starts it, and ends with it.
#[derive(Debug)]
pub struct Gate {
    folder: TempDir,
    address: SocketAddr,
    seen: Arc<Seen>,
    running: JoinHandle<()>,
}

/// What has happened at a gate.
#[derive(Debug, Default)]
struct Seen {
    /// Requests that were let in.
    let_in: Mutex<usize>,
    /// Why others were not.
    refused: Mutex<Vec<String>>,
    /// Tokens issued before, in seconds since 1970, are not taken any more.
    tokens_since: Mutex<u64>,
}

impl Gate {
    /// In front of an HTTP/1.1 server.
    pub async fn start(server: SocketAddr, demands: Demands) -> Self {
        let folder = tempfile::tempdir().unwrap();
        certificate::write(folder.path());
        let acceptor = acceptor(&folder, demands.client_certificate);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Seen::default());
        let running = tokio::spawn(run(
            listener,
            acceptor,
            server,
            demands.tokens,
            Arc::clone(&seen),
        ));
        Self {
            folder,
            address,
            seen,
            running,
        }
    }

    /// The address of what is behind it under this path.
    pub fn url(&self, path: &str) -> String {
        format!("https://127.0.0.1:{}{path}", self.address.port())
    }

    /// The PEM file of the authority that the gate's own certificate is from.
    pub fn certificate_authority(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// PEM files of a certificate that the gate lets in, and of its key.
    pub fn client_certificate(&self) -> (PathBuf, PathBuf) {
        let path = |name: &str| self.folder.path().join(name);
        (path("client.pem"), path("client-key.pem"))
    }

    /// How many requests were let in.
    pub fn let_in(&self) -> usize {
        *self.seen.let_in.lock().unwrap()
    }

    /// Why the others were not, in order.
    pub fn refused(&self) -> Vec<String> {
        self.seen.refused.lock().unwrap().clone()
    }

    /// Takes no token any more that was issued up to this second, as when sessions are revoked.
    pub fn revoke_tokens(&self) {
        *self.seen.tokens_since.lock().unwrap() = token::now() + 1;
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.running.abort();
    }
}

fn acceptor(folder: &TempDir, demands_certificate: bool) -> TlsAcceptor {
    let read = |name: &str| {
        let certificates = CertificateDer::pem_file_iter(folder.path().join(name)).unwrap();
        certificates.map(Result::unwrap).collect::<Vec<_>>()
    };
    let key = PrivateKeyDer::from_pem_file(folder.path().join("key.pem")).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = rustls::ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap();
    let builder = if demands_certificate {
        let mut authorities = RootCertStore::empty();
        authorities.add_parsable_certificates(read("ca.pem"));
        let verifier =
            WebPkiClientVerifier::builder_with_provider(Arc::new(authorities), provider).build();
        builder.with_client_cert_verifier(verifier.unwrap())
    } else {
        builder.with_no_client_auth()
    };
    let config = builder.with_single_cert(read("certificate.pem"), key);
    TlsAcceptor::from(Arc::new(config.unwrap()))
}

async fn run(
    listener: TcpListener,
    acceptor: TlsAcceptor,
    server: SocketAddr,
    tokens: Option<Tokens>,
    seen: Arc<Seen>,
) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            Ok((client, _)) = listener.accept() => {
                let (acceptor, tokens) = (acceptor.clone(), tokens.clone());
                let seen = Arc::clone(&seen);
                connections.spawn(async move {
                    match acceptor.accept(client).await {
                        Ok(client) => passage::serve(client, server, tokens.as_ref(), &seen).await,
                        // A client that has opened one connection more than it needs.
                        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {}
                        Err(error) => seen.refused.lock().unwrap().push(error.to_string()),
                    }
                });
            }
            Some(_) = connections.join_next() => {}
        }
    }
}
