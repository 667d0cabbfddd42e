use secrecy::SecretString;
use url::Url;

use super::settings::{OpenHimSettings, Trust};

/// What is wrong with the environment. Names variables, not values.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("correct the environment: {}", .mistakes.join("; "))]
pub struct EnvironmentError {
    /// Everything that is wrong.
    pub mistakes: Vec<String>,
}

impl OpenHimSettings {
    /// Settings from environment variables, as containers have them:
    ///
    /// | variable | meaning |
    /// |---|---|
    /// | `OPENHIM_API_URL` | where core's API is, such as `https://openhim-core:8080` |
    /// | `OPENHIM_USERNAME` | the user's e-mail address |
    /// | `OPENHIM_PASSWORD` | the user's password |
    /// | `OPENHIM_CA_FILE` | if core's certificate is from an authority of your own: its PEM file |
    /// | `OPENHIM_TRUST_SELF_SIGNED` | `true`: any certificate will do, for tests |
    ///
    /// ```no_run
    /// use mediator_core::openhim::{OpenHim, OpenHimSettings};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let openhim = OpenHim::new(&OpenHimSettings::from_environment()?)?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`EnvironmentError`] with every variable that is missing or wrong.
    pub fn from_environment() -> Result<Self, EnvironmentError> {
        Self::from_variables(|name| std::env::var(name).ok())
    }

    fn from_variables(variable: impl Fn(&str) -> Option<String>) -> Result<Self, EnvironmentError> {
        let variable = |name: &str| variable(name).filter(|value| !value.is_empty());
        let mut mistakes = Vec::new();
        let mut required = |name: &str| {
            let value = variable(name);
            if value.is_none() {
                mistakes.push(format!("{name} is not set"));
            }
            value.unwrap_or_default()
        };
        let api_url = required("OPENHIM_API_URL");
        let username = required("OPENHIM_USERNAME");
        let password = SecretString::from(required("OPENHIM_PASSWORD"));
        let parsed = Url::parse(&api_url).ok();
        if parsed.is_none() && !api_url.is_empty() {
            mistakes.push("OPENHIM_API_URL is no URL, such as https://openhim-core:8080".into());
        }
        let authority = variable("OPENHIM_CA_FILE");
        let trust = match (variable("OPENHIM_TRUST_SELF_SIGNED").as_deref(), authority) {
            (None | Some("false"), None) => Trust::System,
            (None | Some("false"), Some(file)) => Trust::CertificateAuthority(file.into()),
            (Some("true"), None) => Trust::AnyCertificate,
            (Some("true"), Some(_)) => {
                mistakes.push(
                    "OPENHIM_TRUST_SELF_SIGNED makes OPENHIM_CA_FILE useless; unset one".into(),
                );
                Trust::System
            }
            (Some(_), _) => {
                mistakes.push("OPENHIM_TRUST_SELF_SIGNED must be true or false".into());
                Trust::System
            }
        };
        match parsed {
            Some(api_url) if mistakes.is_empty() => Ok(Self {
                trust,
                ..Self::new(api_url, username, password)
            }),
            _ => Err(EnvironmentError { mistakes }),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use rstest::rstest;
    use secrecy::ExposeSecret as _;

    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<OpenHimSettings, EnvironmentError> {
        OpenHimSettings::from_variables(|name| {
            let mut found = variables.iter().filter(|(known, _)| *known == name);
            found.next().map(|(_, value)| (*value).to_owned())
        })
    }

    const COMPLETE: [(&str, &str); 3] = [
        ("OPENHIM_API_URL", "https://openhim-core:8080"),
        ("OPENHIM_USERNAME", "mediator@example.org"),
        ("OPENHIM_PASSWORD", "secret"),
    ];

    #[test]
    fn what_is_not_set_has_its_default() {
        let settings = read(&COMPLETE).unwrap();
        assert_eq!(settings.api_url.as_str(), "https://openhim-core:8080/");
        assert_eq!(settings.username, "mediator@example.org");
        assert_eq!(settings.password.expose_secret(), "secret");
        assert_eq!(settings.trust, Trust::System);
    }

    #[rstest]
    #[case("OPENHIM_CA_FILE", "ca.pem", Trust::CertificateAuthority("ca.pem".into()))]
    #[case("OPENHIM_TRUST_SELF_SIGNED", "true", Trust::AnyCertificate)]
    #[case("OPENHIM_TRUST_SELF_SIGNED", "false", Trust::System)]
    fn says_whom_to_trust(#[case] name: &str, #[case] value: &str, #[case] trust: Trust) {
        let variables = [COMPLETE.as_slice(), &[(name, value)]].concat();
        assert_eq!(read(&variables).unwrap().trust, trust);
    }

    #[rstest]
    #[case(&[], 3)]
    #[case(&[("OPENHIM_API_URL", "openhim")], 3)]
    #[case(&[("OPENHIM_TRUST_SELF_SIGNED", "yes")], 4)]
    #[case(&[("OPENHIM_TRUST_SELF_SIGNED", "true"), ("OPENHIM_CA_FILE", "ca.pem")], 4)]
    #[case(&[("OPENHIM_PASSWORD", "")], 3)]
    fn tells_every_mistake(#[case] variables: &[(&str, &str)], #[case] expected: usize) {
        let error = read(variables).unwrap_err();
        assert_eq!(error.mistakes.len(), expected, "{error}");
    }
}
