//! Every setting with its default. `examples/config/embedded.toml` explains them to operators.

mod access;
mod back_end;
mod jobs;
mod ledger;
mod map_server;
mod openhim;
mod signing;
mod telemetry;
mod tls;
mod transformer;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use mediator_ddcc::card::CardSize;
use mediator_ddcc::codes::{CodeForm, IssuerSettings};
use mediator_ddcc::terminology;
use serde::{Serialize, Serializer};
use tracing_subscriber::EnvFilter;

use super::reader::{Section, Set};

pub(crate) use access::{Access, OpenHimAccess, Permissions, Tokens};
pub(crate) use back_end::{BackEnd, BackEndSetupError};
pub(crate) use jobs::Jobs;
pub(crate) use ledger::Ledger;
pub(crate) use map_server::MapServer;
pub(crate) use openhim::{OpenHim, OpenHimAuthentication};
pub(crate) use signing::Signing;
pub(crate) use telemetry::Telemetry;
pub(crate) use tls::{ClientCertificates, Tls};
pub(crate) use transformer::Transformer;

/// The effective configuration.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Configuration {
    /// Where the database and the development keys are.
    pub(crate) data_directory: PathBuf,
    pub(crate) issuer: Issuer,
    pub(crate) signing: Signing,
    pub(crate) codes: Codes,
    pub(crate) card: Card,
    pub(crate) maps: Folder,
    pub(crate) transformer: Transformer,
    pub(crate) map_server: MapServer,
    pub(crate) questionnaires: Folder,
    pub(crate) verification: Verification,
    pub(crate) ledger: Ledger,
    /// The FHIR server that keeps what is issued; without its `url`, the database does.
    pub(crate) repository: BackEnd,
    pub(crate) server: Server,
    pub(crate) access: Access,
    pub(crate) openhim: OpenHim,
    pub(crate) jobs: Jobs,
    pub(crate) log: Log,
    pub(crate) telemetry: Telemetry,
}

/// Who issues.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Issuer {
    pub(crate) name: String,
    /// ISO 3166-1 alpha-2.
    pub(crate) country: String,
    /// ISO 3166-1 alpha-3, or an ICAO code.
    pub(crate) country_alpha3: String,
    /// https URL without a slash at its end.
    pub(crate) smart_health_card_issuer: String,
    pub(crate) default_validity_days: u32,
    pub(crate) issue_expired: bool,
}

/// Which codes a certificate carries.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Codes {
    #[serde(serialize_with = "form_names")]
    pub(crate) forms: Vec<CodeForm>,
}

/// The printed card.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Card {
    pub(crate) enabled: bool,
    #[serde(serialize_with = "size_name")]
    pub(crate) size: CardSize,
    /// Templates that replace the built-in ones of the same name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) folder: Option<PathBuf>,
}

/// A folder of files beside the built-in ones.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Folder {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) folder: Option<PathBuf>,
}

/// Whose codes `serve` verifies beside its own.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Verification {
    /// Certificates: PEM, DER or base64.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) certificate_file: Option<PathBuf>,
    /// JSON from key id to certificate, or a DID document.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) trust_list_file: Option<PathBuf>,
}

/// The HTTP server.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Server {
    pub(crate) listen: SocketAddr,
    /// URL of the FHIR endpoint as clients see it, without a slash at its end. Where it is not
    /// set, the address listened on is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) public_base_url: Option<String>,
    pub(crate) maximum_body_bytes: usize,
    pub(crate) maximum_batch_entries: usize,
    pub(crate) request_timeout_seconds: u64,
    pub(crate) maximum_concurrent_requests: usize,
    pub(crate) shutdown_grace_seconds: u64,
    /// Where health and metrics are answered instead of `listen`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) operation_listen: Option<SocketAddr>,
    pub(crate) tls: Tls,
}

/// The program's own log, on standard error.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Log {
    pub(crate) format: LogFormat,
    /// Directives of `tracing_subscriber::EnvFilter`, such as `info,access=off`.
    pub(crate) filter: String,
}

/// Form of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    Text,
    Json,
}

impl Configuration {
    pub(super) fn read(root: &mut Section<'_>) -> Self {
        let server = Server::read(&mut root.section("server"));
        Self {
            data_directory: value(root.path("data_directory"))
                .unwrap_or_else(|| PathBuf::from("mediator-data")),
            issuer: Issuer::read(&mut root.section("issuer"), &server),
            signing: Signing::read(&mut root.section("signing")),
            codes: Codes::read(&mut root.section("codes")),
            card: Card::read(&mut root.section("card")),
            maps: Folder::read(&mut root.section("maps")),
            transformer: Transformer::read(root.section("transformer")),
            map_server: MapServer::read(&mut root.section("map_server")),
            questionnaires: Folder::read(&mut root.section("questionnaires")),
            verification: Verification::read(&mut root.section("verification")),
            ledger: Ledger::read(&mut root.section("ledger")),
            repository: BackEnd::read(&mut root.section("repository"), 20),
            server,
            access: Access::read(&mut root.section("access")),
            openhim: OpenHim::read(&mut root.section("openhim")),
            jobs: Jobs::read(&mut root.section("jobs")),
            log: Log::read(&mut root.section("log")),
            telemetry: Telemetry::read(&mut root.section("telemetry")),
        }
    }

    /// What the codes state about the issuer.
    pub(crate) fn issuer_settings(&self) -> IssuerSettings {
        let issuer = &self.issuer;
        IssuerSettings {
            name: issuer.name.clone(),
            country: issuer.country.clone(),
            country_alpha3: issuer.country_alpha3.clone(),
            smart_health_card_issuer: issuer.smart_health_card_issuer.clone(),
            default_validity_days: issuer.default_validity_days,
            issue_expired: issuer.issue_expired,
        }
    }
}

impl Issuer {
    fn read(section: &mut Section<'_>, server: &Server) -> Self {
        let country = section.parsed("country", |text| {
            is_upper_case(text, 2)
                .then(|| text.to_owned())
                .ok_or_else(|| "two capital letters of ISO 3166-1, such as \"CH\"".to_owned())
        });
        let alpha3 = section.parsed("country_alpha3", |text| {
            is_upper_case(text, 3)
                .then(|| text.to_owned())
                .ok_or_else(|| "three capital letters of ISO 3166-1, such as \"CHE\"".to_owned())
        });
        let (country, country_alpha3) = match (country, alpha3) {
            // User-assigned, and ICAO's Utopia: no country can be mistaken for these.
            (None, None) => ("XX".to_owned(), "UTO".to_owned()),
            (Some(country), None) => match terminology::country_by_alpha2(&country.value) {
                Some(known) => (country.value, known.alpha3.to_owned()),
                None => {
                    section.mistake(
                        "country",
                        &country.place,
                        "is no country of ISO 3166-1; set issuer.country_alpha3 too if it is meant",
                    );
                    (country.value, String::new())
                }
            },
            (None, Some(alpha3)) => {
                section.mistake(
                    "country_alpha3",
                    &alpha3.place,
                    "needs issuer.country, its two letters, beside it",
                );
                (String::new(), alpha3.value)
            }
            (Some(country), Some(alpha3)) => {
                let known = terminology::country_by_alpha2(&country.value);
                if let Some(known) = known.filter(|known| known.alpha3 != alpha3.value) {
                    let text = format!("is not {}, as issuer.country says", known.name);
                    section.mistake("country_alpha3", &alpha3.place, text);
                }
                (country.value, alpha3.value)
            }
        };
        Self {
            name: value(section.text("name"))
                .unwrap_or_else(|| "Health authority for trying out".to_owned()),
            country,
            country_alpha3,
            smart_health_card_issuer: value(
                section.parsed("smart_health_card_issuer", |text| url(text, &["https"])),
            )
            .unwrap_or_else(|| match &server.public_base_url {
                Some(base) if base.starts_with("https:") => format!("{base}/shc_issuer"),
                _ => "https://health-authority.example/ddcc/shc_issuer".to_owned(),
            }),
            default_validity_days: value(section.integer("default_validity_days", 1..=36_500))
                .unwrap_or(365),
            issue_expired: value(section.boolean("issue_expired")).unwrap_or(true),
        }
    }
}

impl Codes {
    fn read(section: &mut Section<'_>) -> Self {
        let names: Vec<_> = CodeForm::ALL
            .iter()
            .map(|form| format!("{:?}", form.as_str()))
            .collect();
        let forms = section.words("forms", |word| word.parse().ok(), &names.join(", "));
        Self {
            forms: value(forms).unwrap_or_else(|| CodeForm::ALL.to_vec()),
        }
    }
}

impl Card {
    fn read(section: &mut Section<'_>) -> Self {
        let sizes = CardSize::ALL.map(|size| (size.as_str(), size));
        Self {
            enabled: value(section.boolean("enabled")).unwrap_or(true),
            size: value(section.one_of("size", &sizes)).unwrap_or(CardSize::A4),
            folder: value(section.folder("folder")),
        }
    }
}

impl Folder {
    fn read(section: &mut Section<'_>) -> Self {
        Self {
            folder: value(section.folder("folder")),
        }
    }
}

impl Verification {
    fn read(section: &mut Section<'_>) -> Self {
        Self {
            certificate_file: value(section.file("certificate_file")),
            trust_list_file: value(section.file("trust_list_file")),
        }
    }
}

impl Server {
    fn read(section: &mut Section<'_>) -> Self {
        let address = |text: &str| {
            text.parse()
                .map_err(|_| "an IP address and a port, such as \"127.0.0.1:4321\"".to_owned())
        };
        Self {
            listen: value(section.parsed("listen", address))
                .unwrap_or_else(|| SocketAddr::from((Ipv4Addr::LOCALHOST, 4321))),
            public_base_url: value(
                section.parsed("public_base_url", |text| url(text, &["http", "https"])),
            ),
            maximum_body_bytes: value(
                section.integer("maximum_body_bytes", 1024..=256 * 1024 * 1024),
            )
            .unwrap_or(8 * 1024 * 1024),
            maximum_batch_entries: value(section.integer("maximum_batch_entries", 1..=100_000))
                .unwrap_or(1000),
            request_timeout_seconds: value(section.integer("request_timeout_seconds", 1..=3600))
                .unwrap_or(30),
            maximum_concurrent_requests: value(
                section.integer("maximum_concurrent_requests", 1..=100_000),
            )
            .unwrap_or(256),
            shutdown_grace_seconds: value(section.integer("shutdown_grace_seconds", 0..=3600))
                .unwrap_or(20),
            operation_listen: value(section.parsed("operation_listen", address)),
            tls: Tls::read(&mut section.section("tls")),
        }
    }
}

impl Log {
    fn read(section: &mut Section<'_>) -> Self {
        let formats = [("text", LogFormat::Text), ("json", LogFormat::Json)];
        let filter = |text: &str| {
            EnvFilter::try_new(text)
                .map(|_| text.to_owned())
                .map_err(|error| format!("levels such as \"info,access=off\" ({error})"))
        };
        Self {
            format: value(section.one_of("format", &formats)).unwrap_or(LogFormat::Text),
            filter: value(section.parsed("filter", filter)).unwrap_or_else(|| "info".to_owned()),
        }
    }
}

fn value<T>(set: Option<Set<T>>) -> Option<T> {
    set.map(|set| set.value)
}

fn is_upper_case(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|byte| byte.is_ascii_uppercase())
}

/// A URL that others can be put behind: no slash at its end, no query, no fragment, no password.
fn url(text: &str, schemes: &[&str]) -> Result<String, String> {
    let expected = || {
        format!(
            "an {} URL without a slash at its end, a query or a user, such as \"https://health.example.org/ddcc\"",
            schemes.join(" or ")
        )
    };
    let uri: http::Uri = text.parse().map_err(|_| expected())?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~%:[]".contains(&byte);
    let is_good = uri
        .scheme_str()
        .is_some_and(|scheme| schemes.contains(&scheme))
        && uri.host().is_some_and(|host| !host.is_empty())
        && text.bytes().all(plain)
        && !text.ends_with('/');
    is_good.then(|| text.to_owned()).ok_or_else(expected)
}

fn size_name<S: Serializer>(size: &CardSize, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(size.as_str())
}

fn form_names<S: Serializer>(forms: &[CodeForm], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(forms.iter().map(|form| form.as_str()))
}
