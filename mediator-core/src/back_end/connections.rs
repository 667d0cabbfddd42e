use std::path::Path;
use std::time::Duration;

use reqwest::{Client, Identity, redirect};

use super::{BackEndSettings, BackEndSettingsError, ClientCertificate, Trust, authorities};

/// The connections to a back end, and to the server that issues tokens for it.
#[derive(Debug)]
pub(super) struct Connections {
    client: Client,
}

impl Connections {
    pub(super) fn new(settings: &BackEndSettings) -> Result<Self, BackEndSettingsError> {
        let client = client(settings)?;
        Ok(Self { client })
    }

    pub(super) fn client(&self) -> Client {
        self.client.clone()
    }
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
