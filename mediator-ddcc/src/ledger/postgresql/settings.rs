use std::path::PathBuf;
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use sqlx::ConnectOptions as _;
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use url::{Host, Url};

use crate::ledger::LedgerError;

/// Where the database is, and how it is used.
#[derive(Debug, Clone)]
pub struct PostgreSqlSettings {
    /// `postgres://role@host:port/database`; for a socket, `postgres://role@%2Frun%2Fpostgresql/…`
    /// names its folder.
    pub url: Url,
    /// Of the role.
    pub password: Option<SecretString>,
    /// Whether the server has to show a certificate for its host.
    pub tls: bool,
    /// PEM: who issued that, beside the public authorities.
    pub certificate_authority: Option<PathBuf>,
    /// PEM files, certificate and key, for servers that ask for them.
    pub client_certificate: Option<(PathBuf, PathBuf)>,
    /// Connections at the same time.
    pub maximum_connections: u32,
    /// How long to wait for a connection.
    pub connect_timeout: Duration,
    /// How long a statement may take.
    pub timeout: Duration,
    /// How long a process that gives no sign of life keeps the events that it has begun.
    pub lease: Duration,
}

impl PostgreSqlSettings {
    /// The defaults: TLS but on the loopback, ten connections.
    #[must_use]
    pub fn new(url: Url) -> Self {
        Self {
            tls: !is_local(&url),
            url,
            password: None,
            certificate_authority: None,
            client_certificate: None,
            maximum_connections: 10,
            connect_timeout: Duration::from_secs(5),
            timeout: Duration::from_secs(10),
            lease: Duration::from_secs(15),
        }
    }

    pub(super) fn connect_options(&self) -> Result<PgConnectOptions, LedgerError> {
        // The error repeats a part of the URL, which the operator has written.
        let mut options = PgConnectOptions::from_url(&self.url)
            .map_err(|error| LedgerError::Failed(error.to_string()))?
            .application_name("mediator-runner")
            .ssl_mode(if self.tls {
                PgSslMode::VerifyFull
            } else {
                PgSslMode::Disable
            })
            .disable_statement_logging();
        if let Some(password) = &self.password {
            options = options.password(password.expose_secret());
        }
        if let Some(file) = &self.certificate_authority {
            options = options.ssl_root_cert(file);
        }
        if let Some((certificate, key)) = &self.client_certificate {
            options = options.ssl_client_cert(certificate).ssl_client_key(key);
        }
        Ok(options)
    }
}

/// Whether the server is on this machine: nobody listens between here and there.
#[must_use]
pub fn is_local(url: &Url) -> bool {
    // Of this scheme the host is text, also where it is an address.
    let Some(host) = url.host_str() else {
        return true;
    };
    match Host::parse(host) {
        Ok(Host::Ipv4(address)) => address.is_loopback(),
        Ok(Host::Ipv6(address)) => address.is_loopback(),
        Ok(Host::Domain(name)) => name == "localhost",
        // A folder's path.
        Err(_) => host.starts_with("%2F") || host.starts_with("%2f"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("postgres://ledger@127.0.0.1:5432/ledger", true)]
    #[case("postgres://ledger@[::1]/ledger", true)]
    #[case("postgres://ledger@localhost/ledger", true)]
    #[case("postgres://ledger@%2Frun%2Fpostgresql/ledger", true)]
    #[case("postgres://ledger@10.0.0.7/ledger", false)]
    #[case("postgres://ledger@database.example/ledger", false)]
    fn tls_is_left_out_on_this_machine_only(#[case] url: &str, #[case] local: bool) {
        let settings = PostgreSqlSettings::new(url.parse().unwrap());
        assert_eq!(settings.tls, !local);
        let mode = settings.connect_options().unwrap().get_ssl_mode();
        assert_eq!(matches!(mode, PgSslMode::VerifyFull), !local);
    }

    #[test]
    fn the_password_is_not_shown() {
        let url = "postgres://ledger@localhost/ledger".parse().unwrap();
        let settings = PostgreSqlSettings {
            password: Some("hunter2".into()),
            ..PostgreSqlSettings::new(url)
        };
        assert!(!format!("{settings:?}").contains("hunter2"));
    }
}
