use std::time::Duration;

use reqwest::{Client, ClientBuilder, redirect};

use super::{OpenHimError, OpenHimSettings, Trust};
use crate::back_end::authorities;

/// The HTTP client of these settings.
pub(super) fn http_client(settings: &OpenHimSettings) -> Result<Client, OpenHimError> {
    let builder = Client::builder()
        .connect_timeout(settings.connect_timeout)
        .timeout(settings.timeout)
        // Node closes an idle connection after five seconds; one that closes just when a request
        // is sent would be a failure.
        .pool_idle_timeout(Duration::from_secs(4))
        // Core never redirects, and a redirect would carry the user's token elsewhere.
        .redirect(redirect::Policy::none())
        .user_agent(concat!("mediator-core/", env!("CARGO_PKG_VERSION")));
    let builder = match settings.api_url.scheme() {
        "http" => without_tls(builder, settings),
        _ => with_trust(builder, settings)?,
    };
    builder.build().map_err(|error| {
        let reason =
            std::error::Error::source(&error).map_or(error.to_string(), ToString::to_string);
        OpenHimError::Settings(reason)
    })
}

/// Needs no authorities at all, so that it also works in a container that has none.
fn without_tls(builder: ClientBuilder, settings: &OpenHimSettings) -> ClientBuilder {
    tracing::warn!(
        api_url = %settings.api_url,
        "the password for OpenHIM's API is sent without encryption, because its address is http:"
    );
    builder.tls_certs_only([])
}

fn with_trust(
    builder: ClientBuilder,
    settings: &OpenHimSettings,
) -> Result<ClientBuilder, OpenHimError> {
    Ok(match &settings.trust {
        Trust::System => builder,
        Trust::CertificateAuthority(path) => {
            let authorities = authorities(path).map_err(|reason| {
                let path = path.clone();
                OpenHimError::CertificateAuthority { path, reason }
            })?;
            builder.tls_certs_only(authorities)
        }
        Trust::AnyCertificate => {
            tracing::warn!(
                api_url = %settings.api_url,
                "ANY certificate is trusted for OpenHIM's API: whoever is in between can read the \
                 password; use a CA file in production"
            );
            builder.tls_danger_accept_invalid_certs(true)
        }
    })
}
