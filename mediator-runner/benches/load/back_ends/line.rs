use real_servers::softhsm::{CONFIGURATION, SoftHsm};
use real_servers::together::Servers;

use super::super::clients::PATH;
use super::super::server::{Server, Settings};

/// What a certificate is measured with.
pub(super) struct Line {
    pub(super) name: &'static str,
    /// Names of [`Servers`]. Parts without one are embedded.
    pub(super) servers: &'static [&'static str],
    signs_with_token: bool,
}

pub(super) const LINES: [Line; 9] = [
    with("embedded", &[]),
    with("vault", &["vault"]),
    Line {
        signs_with_token: true,
        ..with("pkcs11", &[])
    },
    with("hapi-fhir", &["hapi-fhir"]),
    with("matchbox", &["matchbox"]),
    with("postgresql", &["postgresql"]),
    with("keycloak", &["keycloak"]),
    with("openhim", &["openhim"]),
    with("all", &Servers::NAMES),
];

const fn with(name: &'static str, servers: &'static [&'static str]) -> Line {
    Line {
        name,
        servers,
        signs_with_token: false,
    }
}

/// The servers of a line.
pub(super) struct Running {
    servers: Servers,
    settings: Settings,
    _token: Option<SoftHsm>,
}

impl Running {
    /// None where something is not installed, which it has said.
    pub(super) async fn start(line: &Line) -> Option<Self> {
        let servers = Servers::start(|name| line.servers.contains(&name)).await;
        if !line.servers.iter().all(|name| servers.has(name)) {
            return None;
        }
        let owned = |(name, value): (&str, String)| (name.to_owned(), value);
        let mut settings: Settings = servers.settings().into_iter().map(owned).collect();
        let token = if line.signs_with_token {
            const PIN: &str = "1234";
            let hsm = SoftHsm::create()?;
            hsm.create_document_signer("signing", PIN);
            let path = |path: &std::path::Path| path.display().to_string();
            settings.extend(
                [
                    (CONFIGURATION, path(hsm.configuration())),
                    ("MEDIATOR_SIGNING__PKCS11__MODULE", path(hsm.module())),
                    (
                        "MEDIATOR_SIGNING__PKCS11__TOKEN_LABEL",
                        "signing".to_owned(),
                    ),
                    ("MEDIATOR_SIGNING__PKCS11__PIN", PIN.to_owned()),
                    (
                        "MEDIATOR_SIGNING__PKCS11__KEY_LABEL",
                        "document-signer".to_owned(),
                    ),
                ]
                .map(owned),
            );
            Some(hsm)
        } else {
            None
        };
        Some(Self {
            servers,
            settings,
            _token: token,
        })
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Where clients send their requests: to OpenHIM, where there is one, else to the mediator.
    pub(super) async fn lead_to(&self, server: &Server) -> String {
        let Some(core) = &self.servers.openhim else {
            return format!("http://{}", server.address);
        };
        let (_, port) = server.address.rsplit_once(':').unwrap();
        let prefix = format!("/{port}");
        let mediator = (port.parse().unwrap(), PATH);
        let requested = format!("{prefix}{PATH}");
        core.create_channel_to(mediator, &requested, |_| ()).await;
        format!("{}{prefix}", core.router_url())
    }

    /// What clients show to be let in.
    pub(super) async fn token(&self) -> Option<String> {
        let keycloak = self.servers.keycloak.as_ref()?;
        Some(keycloak.client_token("health-event-source").await)
    }
}
