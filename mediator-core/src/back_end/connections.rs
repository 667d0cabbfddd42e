use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use reqwest::{Client, Identity, redirect};
use tokio::time::Instant;

use super::{BackEndSettings, BackEndSettingsError, ClientCertificate, Trust, authorities};

/// How often it is looked whether files of certificates have changed.
const LOOK_AGAIN: Duration = Duration::from_secs(10);

/// The connections to a back end, and to the server that issues tokens for it. Made again when a
/// certificate has been renewed in its file.
pub(super) struct Connections {
    settings: BackEndSettings,
    files: Vec<PathBuf>,
    state: Mutex<State>,
}

struct State {
    client: Client,
    versions: Vec<Version>,
    looked_at: Instant,
}

/// What changes when a file does.
type Version = Option<(SystemTime, u64)>;

impl Connections {
    pub(super) fn new(settings: &BackEndSettings) -> Result<Self, BackEndSettingsError> {
        let mut files = Vec::new();
        if let Trust::CertificateAuthority(path) = &settings.trust {
            files.push(path.clone());
        }
        if let Some(pair) = &settings.client_certificate {
            files.extend([pair.certificate_file.clone(), pair.key_file.clone()]);
        }
        // Before the files are read: a change in between is then found later.
        let versions = versions(&files);
        Ok(Self {
            state: Mutex::new(State {
                client: client(settings)?,
                versions,
                looked_at: Instant::now(),
            }),
            settings: settings.clone(),
            files,
        })
    }

    pub(super) async fn client(&self) -> Client {
        self.client_after(LOOK_AGAIN).await
    }

    async fn client_after(&self, look_again: Duration) -> Client {
        {
            let mut state = self.lock();
            if self.files.is_empty() || state.looked_at.elapsed() < look_again {
                return state.client.clone();
            }
            // Others go on with the old client meanwhile.
            state.looked_at = Instant::now();
        }
        let (files, settings) = (self.files.clone(), self.settings.clone());
        let known = self.lock().versions.clone();
        let look = tokio::task::spawn_blocking(move || {
            let found = versions(&files);
            (found != known).then(|| (found, client(&settings)))
        });
        let mut state = match look.await {
            Ok(Some((versions, Ok(client)))) => {
                tracing::info!(
                    back_end = self.settings.name,
                    "files of certificates have changed, and are used from now on"
                );
                let mut state = self.lock();
                state.client = client;
                state.versions = versions;
                state
            }
            // Half written, perhaps: it is looked at again.
            Ok(Some((_, Err(error)))) => {
                tracing::warn!(%error, "changed files of certificates are not used yet");
                self.lock()
            }
            Ok(None) | Err(_) => self.lock(),
        };
        state.looked_at = Instant::now();
        state.client.clone()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn versions(files: &[PathBuf]) -> Vec<Version> {
    let version = |path: &PathBuf| {
        let metadata = std::fs::metadata(path).ok()?;
        Some((metadata.modified().ok()?, metadata.len()))
    };
    files.iter().map(version).collect()
}

fn client(settings: &BackEndSettings) -> Result<Client, BackEndSettingsError> {
    let builder = Client::builder()
        .connect_timeout(settings.connect_timeout)
        // Some servers close an idle connection after five seconds; one that closes just when a
        // request is sent would be a failure.
        .pool_idle_timeout(Duration::from_secs(4))
        .tcp_nodelay(true)
        // A redirect would carry what is sent elsewhere.
        .redirect(redirect::Policy::none())
        .user_agent(concat!("mediator-core/", env!("CARGO_PKG_VERSION")));
    let builder = match &settings.trust {
        // Needs no authorities at all, so that it also works in a container that has none.
        _ if settings.is_plain() => builder.tls_certs_only([]),
        Trust::System => builder,
        Trust::CertificateAuthority(path) => {
            let authorities =
                authorities(path).map_err(|reason| BackEndSettingsError::CertificateAuthority {
                    back_end: settings.name.clone(),
                    path: path.clone(),
                    reason,
                })?;
            builder.tls_certs_only(authorities)
        }
    };
    let builder = match &settings.client_certificate {
        Some(files) => builder.identity(identity(settings, files)?),
        None => builder,
    };
    builder.build().map_err(|error| {
        let reason =
            std::error::Error::source(&error).map_or(error.to_string(), ToString::to_string);
        match &settings.client_certificate {
            // What reqwest found wrong late: the key is not the certificate's.
            Some(files) if error.is_builder() => BackEndSettingsError::ClientCertificate {
                back_end: settings.name.clone(),
                path: files.certificate_file.clone(),
                reason,
            },
            _ => settings.mistake(reason),
        }
    })
}

fn identity(
    settings: &BackEndSettings,
    files: &ClientCertificate,
) -> Result<Identity, BackEndSettingsError> {
    let fault = |path: &Path, reason: String| BackEndSettingsError::ClientCertificate {
        back_end: settings.name.clone(),
        path: path.to_owned(),
        reason,
    };
    let read = |path: &Path| std::fs::read(path).map_err(|error| fault(path, error.to_string()));
    let mut pem = read(&files.certificate_file)?;
    pem.push(b'\n');
    pem.extend(read(&files.key_file)?);
    // The error says no more, and could quote the key.
    Identity::from_pem(&pem).map_err(|_| {
        let reason = format!(
            "together with {} it is no PEM with a certificate and its key",
            files.key_file.display()
        );
        fault(&files.certificate_file, reason)
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use rcgen::{CertificateParams, KeyPair};

    use super::*;

    fn write(path: &Path, name: &str) {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new([name.to_owned()]).unwrap();
        let pem = certificate.self_signed(&key).unwrap().pem();
        std::fs::write(path, format!("{pem}{}", key.serialize_pem())).unwrap();
    }

    #[tokio::test]
    async fn renewed_certificates_are_used_and_broken_ones_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("client.pem");
        write(&file, "first");
        let url = "https://127.0.0.1:1".parse().unwrap();
        let connections = Connections::new(&BackEndSettings {
            client_certificate: Some(ClientCertificate {
                certificate_file: file.clone(),
                key_file: file.clone(),
            }),
            ..BackEndSettings::new("test", url)
        })
        .unwrap();
        let used = || connections.lock().versions.clone();
        let first = used();
        std::fs::write(&file, "half of a certificate").unwrap();
        connections.client_after(Duration::ZERO).await;
        assert_eq!(used(), first);
        write(&file, "second, with a longer name");
        connections.client().await;
        assert_eq!(used(), first, "it is too early to look again");
        connections.client_after(Duration::ZERO).await;
        assert_ne!(used(), first);
    }
}
