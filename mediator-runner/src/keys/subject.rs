use mediator_ddcc::signing::{StoredKey, Subject};

use crate::configuration::Configuration;

/// Whom the certificate is to name; what is not given is taken from the configuration.
#[derive(Debug, clap::Args)]
pub(super) struct SubjectArguments {
    /// Country of the subject (C) instead of issuer.country
    #[arg(long, value_name = "CODE")]
    country: Option<String>,

    /// Organization of the subject (O) instead of issuer.name
    #[arg(long, value_name = "NAME")]
    organization: Option<String>,

    /// Name of the subject (CN) instead of one made of the key's fingerprint
    #[arg(long, value_name = "NAME")]
    common_name: Option<String>,
}

impl SubjectArguments {
    pub(super) fn subject(
        &self,
        configuration: &Configuration,
        key: Option<&StoredKey>,
    ) -> Subject {
        let issuer = &configuration.issuer;
        let or =
            |given: &Option<String>, other: &str| given.clone().unwrap_or_else(|| other.to_owned());
        let name = match key {
            Some(key) => format!("Document signer {}", key.public_key.fingerprint()),
            None => "Document signer".to_owned(),
        };
        Subject {
            country: or(&self.country, &issuer.country),
            organization: or(&self.organization, &issuer.name),
            common_name: or(&self.common_name, &name),
        }
    }
}
