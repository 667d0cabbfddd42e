use std::path::{Path, PathBuf};

use super::mistake::ConfigurationError;
use mediator_ddcc::card::CardSize;

use super::sections::{Configuration, LogFormat};

const EXAMPLE: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../examples/config/embedded.toml"
);

fn environment<const N: usize>(variables: [(&str, &str); N]) -> Vec<(String, String)> {
    variables
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
}

fn load<const N: usize>(
    text: &str,
    variables: [(&str, &str); N],
) -> Result<Configuration, ConfigurationError> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("mediator.toml");
    std::fs::write(&file, text).unwrap();
    Configuration::load(Some(&file), environment(variables))
}

/// The mistakes, `mediator.toml` without its folder.
fn mistakes<const N: usize>(text: &str, variables: [(&str, &str); N]) -> Vec<String> {
    match load(text, variables) {
        Err(ConfigurationError::Mistakes(mistakes)) => mistakes
            .iter()
            .map(|mistake| {
                let line = mistake.to_string();
                match line.split_once("mediator.toml") {
                    Some((_, rest)) => format!("mediator.toml{rest}"),
                    None => line,
                }
            })
            .collect(),
        other => panic!("mistakes expected: {other:?}"),
    }
}

fn defaults() -> Configuration {
    Configuration::load(None, []).unwrap()
}

#[test]
fn everything_has_a_default() {
    let configuration = defaults();
    assert_eq!(configuration.data_directory, Path::new("mediator-data"));
    assert_eq!(configuration.server.listen.to_string(), "127.0.0.1:4321");
    assert_eq!(configuration.codes.forms.len(), 4);
    let issuer = configuration.issuer_settings();
    assert_eq!((&*issuer.country, &*issuer.country_alpha3), ("XX", "UTO"));
}

#[test]
fn the_example_states_the_defaults_and_every_setting() {
    let example = Configuration::load(Some(Path::new(EXAMPLE)), []).unwrap();
    assert_eq!(example, defaults());

    // With every setting uncommented there are no unknown ones, and those of files and folders
    // are found missing.
    let text: String = std::fs::read_to_string(EXAMPLE)
        .unwrap()
        .lines()
        .map(|line| match line.strip_prefix("# ") {
            Some(setting) if setting.contains(" = ") => format!("{setting}\n"),
            _ => format!("{line}\n"),
        })
        .collect();
    let found = mistakes(&text, []);
    assert_eq!(found.len(), 16, "{found:#?}");
    assert!(found.iter().all(|line| line.contains("No such file")));
    let settings = text.lines().filter(|line| line.contains(" = ")).count();
    let known = toml::Value::try_from(defaults()).unwrap();
    // Nineteen paths have no default, nor have three addresses for others, OpenHIM's and Vault's, the
    // user of the one, and what is particular to the other: namespace, login_mount, role, ttl.
    assert_eq!(settings, leaves(&known) + 29);
}

fn leaves(value: &toml::Value) -> usize {
    match value {
        toml::Value::Table(table) => table.values().map(leaves).sum(),
        _ => 1,
    }
}

#[test]
fn what_is_shown_can_be_read_again() {
    let configuration = load(
        "[issuer]\ncountry = 'CH'\n[server]\npublic_base_url = 'https://health.example.org/ddcc'\n[card]\nsize = 'wallet'",
        [("MEDIATOR_DATA_DIRECTORY", "/var/lib/mediator")],
    )
    .unwrap();
    assert_eq!(configuration.issuer.country_alpha3, "CHE");
    assert_eq!(
        configuration.issuer.smart_health_card_issuer,
        "https://health.example.org/ddcc/shc_issuer"
    );
    let shown = toml::to_string(&configuration).unwrap();
    assert_eq!(load(&shown, []).unwrap(), configuration);
}

#[test]
fn the_environment_overrides_the_file() {
    let configuration = load(
        "[server]\nlisten = '127.0.0.1:1'\nmaximum_body_bytes = 5000\n[log]\nformat = 'text'",
        [
            ("MEDIATOR_SERVER__LISTEN", "127.0.0.1:2"),
            ("MEDIATOR_CODES__FORMS", "shc, who"),
            ("MEDIATOR_CARD__ENABLED", "false"),
            ("MEDIATOR_LOG__FORMAT", "json"),
            ("MEDIATOR_ISSUER__DEFAULT_VALIDITY_DAYS", "7"),
            ("OTHER_SERVER__LISTEN", "x"),
        ],
    )
    .unwrap();
    assert_eq!(configuration.server.listen.to_string(), "127.0.0.1:2");
    assert_eq!(configuration.server.maximum_body_bytes, 5000);
    let forms: Vec<_> = configuration
        .codes
        .forms
        .iter()
        .map(|form| form.as_str())
        .collect();
    assert_eq!(forms, ["shc", "who"]);
    assert!(!configuration.card.enabled);
    assert_eq!(configuration.log.format, LogFormat::Json);
    assert_eq!(configuration.issuer.default_validity_days, 7);
    assert_eq!(configuration.card.size, CardSize::A4);
}

#[test]
fn every_mistake_is_told_with_its_place() {
    let text = r#"
data_directroy = "x"
listen = "127.0.0.1:80"

[issuer]
country = "ch"
default_validity_days = 0
smart_health_card_issuer = "http://health.example.org"

[server]
listen = "localhost"
  maximum_body_bytes = "many"
public_base_url = "https://health.example.org/ddcc/"

[codes]
forms = ["who", "who"]

[card]
size = "A4"

[colour]
red = 1
"#;
    let found = mistakes(
        text,
        [
            ("MEDIATOR_SERVER__LISTN", "127.0.0.1:1"),
            ("MEDIATOR_LOG__FILTER", "info,==,x=loud"),
            ("MEDIATOR_CARD", "none"),
            ("MEDIATOR_ISSUER__ISSUE_EXPIRED", "perhaps"),
        ],
    );
    let expected = [
        "mediator.toml:2:1: there is no setting data_directroy; did you mean data_directory?",
        "mediator.toml:3:1: there is no setting listen; did you mean server.listen?",
        "mediator.toml:6:1: issuer.country must be two capital letters of ISO 3166-1",
        "mediator.toml:7:1: issuer.default_validity_days must be a whole number from 1 to 36500, not 0",
        "mediator.toml:8:1: issuer.smart_health_card_issuer must be an https URL",
        "mediator.toml:11:1: server.listen must be an IP address and a port",
        "mediator.toml:12:3: server.maximum_body_bytes must be a whole number from 1024 to 268435456, not a text",
        "mediator.toml:13:1: server.public_base_url must be an http or https URL without a slash",
        "mediator.toml:16:1: codes.forms must be a list of \"who\", \"dcc\", \"shc\", \"icao\", each once; \"who\" is there twice",
        "mediator.toml:19:1: card.size must be \"a4\" or \"wallet\", not \"A4\"",
        "mediator.toml:21:2: there is no setting colour",
        "environment variable MEDIATOR_CARD: card is a section of settings, not a setting",
        "environment variable MEDIATOR_ISSUER__ISSUE_EXPIRED: issuer.issue_expired must be true or false, not what the variable holds",
        "environment variable MEDIATOR_LOG__FILTER: log.filter must be levels",
        "environment variable MEDIATOR_SERVER__LISTN: there is no setting MEDIATOR_SERVER__LISTN; did you mean MEDIATOR_SERVER__LISTEN?",
    ];
    assert_eq!(found.len(), expected.len(), "{found:#?}");
    for (found, expected) in found.iter().zip(expected) {
        assert!(found.starts_with(expected), "{found}\nis not\n{expected}");
    }
}

#[test]
fn settings_that_belong_together() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("key.pem");
    std::fs::write(&file, "").unwrap();
    let key = file.to_str().unwrap();
    let one = |text: String, expected: &str| {
        let found = mistakes(&text, []);
        assert_eq!(found.len(), 1, "{found:#?}");
        assert!(found[0].contains(expected), "{found:#?}");
    };
    one(
        format!("[signing]\nkey_file = '{key}'"),
        "signing.key_file needs signing.certificate_file",
    );
    one(
        format!("[signing]\ncertificate_file = '{key}'"),
        "signing.certificate_file needs signing.key_file",
    );
    one(
        "[issuer]\ncountry = 'QQ'".to_owned(),
        "issuer.country is no country of ISO 3166-1",
    );
    one(
        "[issuer]\ncountry_alpha3 = 'CHE'".to_owned(),
        "issuer.country_alpha3 needs issuer.country",
    );
    one(
        "[issuer]\ncountry = 'CH'\ncountry_alpha3 = 'FRA'".to_owned(),
        "issuer.country_alpha3 is not Switzerland",
    );
    let utopia = load("[issuer]\ncountry = 'QQ'\ncountry_alpha3 = 'UTO'", []).unwrap();
    assert_eq!(utopia.issuer.country_alpha3, "UTO");
}

#[test]
fn all_mistakes_of_syntax() {
    let found = mistakes("a = \n[server\nb = 'x'\nc = 1 2\n", []);
    assert!(found.len() >= 2, "{found:#?}");
    assert!(found[0].starts_with("mediator.toml:1:"), "{found:#?}");
    assert!(found[1].starts_with("mediator.toml:2:"), "{found:#?}");
}

#[test]
fn sections_and_settings_are_not_confused() {
    let found = mistakes("log = 'debug'\n[server.listen]\nport = 1", []);
    assert_eq!(
        found,
        [
            "mediator.toml:1:1: log is a section of settings, not a setting",
            "mediator.toml:3:1: server.listen is a setting, not a section of settings",
        ]
    );
    let found = mistakes("", [("MEDIATOR_SERVER__LISTEN__PORT", "1")]);
    assert!(
        found[0].contains("server.listen is a setting"),
        "{found:#?}"
    );
}

#[test]
fn integers_of_every_spelling_and_none_out_of_range() {
    for (text, expected) in [("0x1000", 4096), ("1_000_000", 1_000_000), ("+2000", 2000)] {
        let text = format!("[server]\nmaximum_body_bytes = {text}");
        assert_eq!(load(&text, []).unwrap().server.maximum_body_bytes, expected);
    }
    for text in ["99999999999999999999", "-1", "2000.0", "268435457"] {
        let text = format!("[server]\nmaximum_body_bytes = {text}");
        assert_eq!(mistakes(&text, []).len(), 1, "{text}");
    }
}

#[test]
fn variables_that_kubernetes_sets_are_not_settings() {
    let configuration = load(
        "",
        [
            ("MEDIATOR_CONFIG", "x.toml"),
            ("MEDIATOR_SERVICE_HOST", "10.0.0.1"),
            ("MEDIATOR_SERVICE_PORT", "4321"),
            ("MEDIATOR_SERVICE_PORT_HTTP", "4321"),
            ("MEDIATOR_PORT", "tcp://10.0.0.1:4321"),
            ("MEDIATOR_PORT_4321_TCP", "tcp://10.0.0.1:4321"),
            ("MEDIATOR_PORT_4321_TCP_ADDR", "10.0.0.1"),
            ("MEDIATOR_RUNNER_SERVICE_HOST", "10.0.0.1"),
        ],
    )
    .unwrap();
    assert_eq!(configuration, defaults());
}

#[test]
fn paths_in_a_file_are_relative_to_it() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("maps")).unwrap();
    let file = folder.path().join("mediator.toml");
    std::fs::write(&file, "data_directory = 'data'\n[maps]\nfolder = 'maps'").unwrap();
    let configuration = Configuration::load(Some(&file), []).unwrap();
    assert_eq!(configuration.data_directory, folder.path().join("data"));
    assert_eq!(configuration.maps.folder, Some(folder.path().join("maps")));
    let variables = environment([("MEDIATOR_DATA_DIRECTORY", "elsewhere")]);
    let configuration = Configuration::load(Some(&file), variables).unwrap();
    assert_eq!(configuration.data_directory, PathBuf::from("elsewhere"));
}

#[test]
fn a_file_that_is_not_there() {
    let error = Configuration::load(Some(Path::new("/nowhere/mediator.toml")), []).unwrap_err();
    assert!(
        error.to_string().contains("/nowhere/mediator.toml"),
        "{error}"
    );
}

#[test]
fn openhim_needs_a_user_and_one_password() {
    let alone = mistakes("[openhim]\napi_url = 'https://localhost:8080'", []);
    assert_eq!(alone.len(), 2, "{alone:#?}");
    assert!(alone[0].contains("openhim.api_url needs openhim.password_file"));
    assert!(alone[1].contains("openhim.api_url needs openhim.username"));
    let text = "[openhim]\napi_url = 'https://localhost:8080'\nusername = 'mediator'\npassword_file = 'mediator.toml'\nca_file = 'mediator.toml'\ntrust_self_signed = true\nheartbeat_seconds = 61";
    let twice = mistakes(text, [("MEDIATOR_OPENHIM__PASSWORD", "hunter2")]);
    assert_eq!(twice.len(), 3, "{twice:#?}");
    assert!(twice[0].contains("password_file is set beside openhim.password"));
    assert!(twice[1].contains("trust_self_signed makes openhim.ca_file useless"));
    assert!(twice[2].contains("heartbeat_seconds must be a whole number from 1 to 60"));
    assert!(!format!("{twice:?}").contains("hunter2"));
}

#[test]
fn a_secret_is_not_repeated() {
    let wrong = mistakes("[openhim]\npassword = 12345678", []);
    assert_eq!(wrong.len(), 1);
    assert!(!wrong[0].contains("12345678"), "{wrong:?}");
    let configuration = load("", [("MEDIATOR_OPENHIM__PASSWORD", "hunter2")]).unwrap();
    let shown = toml::to_string(&configuration).unwrap();
    assert!(!shown.contains("hunter2") && shown.contains("<secret>"));
}

#[test]
fn tls_needs_what_belongs_together() {
    let found = mistakes(
        "[server.tls]\nkey_file = 'mediator.toml'\nclient_certificates = 'required'",
        [],
    );
    assert_eq!(found.len(), 3, "{found:#?}");
    assert!(found[0].contains("key_file needs server.tls.certificate_file"));
    assert!(found[1].contains("client_certificates needs server.tls.certificate_file"));
    assert!(found[2].contains("client_certificates needs server.tls.client_ca_file"));
    let found = mistakes("[server.tls]\nclient_ca_file = 'mediator.toml'", []);
    assert!(
        found[0].contains("needs server.tls.client_certificates"),
        "{found:?}"
    );
}
