use std::time::Duration;

use mediator_core::authentication::BearerTokens;
use mediator_core::back_end::{BackEndSettings, Trust};
use url::Url;

use super::check::Check;
use super::finding::Finding;
use super::http_back_end::examine;
use crate::configuration::Configuration;
use crate::serve;

const NAME: &str = "issuer of tokens";

/// Whether the keys that tokens are checked with can be had; nothing when no tokens are taken.
pub(super) fn check(configuration: &Configuration, limit: Duration) -> Option<Check> {
    let tokens = &configuration.access.tokens;
    let issuer = tokens.issuer.clone()?;
    let trust = match &tokens.ca_file {
        Some(path) => Trust::CertificateAuthority(path.clone()),
        None => Trust::System,
    };
    match serve::bearer_tokens(tokens) {
        Ok(bearer_tokens) => Some(Check::new(NAME, look(bearer_tokens?, issuer, trust, limit))),
        Err(error) => Some(Check::impossible(NAME, &error)),
    }
}

async fn look(tokens: BearerTokens, issuer: String, trust: Trust, limit: Duration) -> Vec<Finding> {
    let keys = async {
        match tokens.fetch_keys().await {
            Ok(()) => Finding::ok(NAME, format!("{issuer} tells its keys")),
            Err(error) => Finding::error(NAME, &error),
        }
    };
    let (keys, others) = tokio::join!(keys, others(&issuer, trust, limit));
    std::iter::once(keys).chain(others).collect()
}

/// What the answer and the connection say beside: the clock, the certificate.
async fn others(issuer: &str, trust: Trust, limit: Duration) -> Vec<Finding> {
    let Ok(url) = issuer.parse::<Url>() else {
        return Vec::new();
    };
    let settings = BackEndSettings {
        trust,
        ..BackEndSettings::new(NAME, url)
    };
    match examine(settings, ".well-known/openid-configuration", limit).await {
        Ok(examined) => examined.findings,
        // Getting the keys has told why.
        Err(_) => Vec::new(),
    }
}
