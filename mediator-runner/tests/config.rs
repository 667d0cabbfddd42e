//! `mediator-runner config`, as operators use it.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

fn runner(arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mediator-runner"));
    command.args(arguments);
    for (name, _) in std::env::vars() {
        if name.starts_with("MEDIATOR_") {
            command.env_remove(name);
        }
    }
    command.envs(variables.iter().copied()).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn check_lists_mistakes_and_ends_with_2() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("mediator.toml");
    fs::write(
        &file,
        "[server]\nlisen = '127.0.0.1:1'\n[card]\nenabled = 3\n",
    )
    .unwrap();
    let path = file.to_str().unwrap();
    for (arguments, variables) in [
        (vec!["config", "check", "--config", path], vec![]),
        (vec!["config", "check"], vec![("MEDIATOR_CONFIG", path)]),
        (vec!["config", "show", "--config", path], vec![]),
    ] {
        let output = runner(&arguments, &variables);
        assert_eq!(output.status.code(), Some(2));
        assert!(output.stdout.is_empty());
        assert_eq!(
            text(&output.stderr),
            format!(
                "{path}:2:1: there is no setting server.lisen; did you mean server.listen?\n\
                 {path}:4:1: card.enabled must be true or false, not 3\n"
            )
        );
    }
}

#[test]
fn check_looks_into_the_files_of_keys() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("key.pem");
    fs::write(&file, "no key").unwrap();
    let path = file.to_str().unwrap();
    let variables = [
        ("MEDIATOR_SIGNING__KEY_FILE", path),
        ("MEDIATOR_SIGNING__CERTIFICATE_FILE", path),
    ];
    let output = runner(&["config", "check"], &variables);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).starts_with("signing: "), "{output:?}");
    for (variable, setting) in [
        (
            "MEDIATOR_VERIFICATION__CERTIFICATE_FILE",
            "verification.certificate_file: ",
        ),
        (
            "MEDIATOR_VERIFICATION__TRUST_LIST_FILE",
            "verification.trust_list_file: ",
        ),
    ] {
        let output = runner(&["config", "check"], &[(variable, path)]);
        assert_eq!(output.status.code(), Some(2));
        assert!(text(&output.stderr).starts_with(setting), "{output:?}");
    }
}

#[test]
fn check_says_that_all_is_well() {
    let output = runner(&["config", "check"], &[]);
    assert!(output.status.success());
    assert!(text(&output.stdout).contains("no mistakes"));
    let example = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../examples/config/embedded.toml"
    );
    let output = runner(&["config", "check", "--config", example], &[]);
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn check_says_what_it_does_not_look_at() {
    let output = runner(&["config", "check"], &[]);
    assert!(!text(&output.stdout).contains("not asked"));
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, "1234").unwrap();
        path.display().to_string()
    };
    let (module, pin) = (file("module.so"), file("pin"));
    let variables = [
        ("MEDIATOR_SIGNING__PKCS11__MODULE", module.as_str()),
        ("MEDIATOR_SIGNING__PKCS11__TOKEN_LABEL", "ddcc"),
        ("MEDIATOR_SIGNING__PKCS11__PIN_FILE", &pin),
        ("MEDIATOR_REPOSITORY__URL", "http://127.0.0.1:9/fhir"),
    ];
    let output = runner(&["config", "check"], &variables);
    assert!(output.status.success(), "{output:?}");
    let told = text(&output.stdout);
    for part in ["the token is not opened", "repository", "doctor"] {
        assert!(told.contains(part), "{part}: {told}");
    }
}

#[test]
fn show_prints_what_applies() {
    let variables = [("MEDIATOR_ISSUER__COUNTRY", "CH")];
    let output = runner(&["config", "show"], &variables);
    assert!(output.status.success());
    let shown: toml::Table = text(&output.stdout).parse().unwrap();
    assert_eq!(shown["issuer"]["country_alpha3"].as_str(), Some("CHE"));
    let output = runner(&["config", "show", "--json"], &variables);
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json, serde_json::to_value(shown).unwrap());
}

#[test]
fn help_has_examples() {
    for command in ["check", "show"] {
        let output = runner(&["config", command, "--help"], &[]);
        assert!(text(&output.stdout).contains("Examples:"), "{command}");
        assert!(
            text(&output.stdout).contains("MEDIATOR_CONFIG"),
            "{command}"
        );
    }
    assert_eq!(runner(&["config", "chek"], &[]).status.code(), Some(2));
    assert!(Path::new(env!("CARGO_BIN_EXE_mediator-runner")).exists());
}

#[test]
fn check_reads_the_operators_files_and_makes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    write("maps/broken.map", "map \"x\" = \n");
    write("card/a4.svg", "<svg>{{</svg>");
    write(
        "questionnaires/nothing.json",
        "{\"resourceType\": \"Patient\"}",
    );
    write(
        "mediator.toml",
        "[maps]\nfolder = \"maps\"\n[card]\nfolder = \"card\"\n[questionnaires]\nfolder = \"questionnaires\"\n",
    );
    let check = || {
        let output = Command::new(env!("CARGO_BIN_EXE_mediator-runner"))
            .args(["config", "check", "--config", "mediator.toml"])
            .current_dir(folder.path())
            .output()
            .unwrap();
        (
            output.status.code(),
            String::from_utf8(output.stderr).unwrap(),
        )
    };
    let (status, mistakes) = check();
    assert_eq!(status, Some(2));
    for (file, what) in [
        ("broken.map", "line 2"),
        ("a4.svg", "template"),
        ("nothing.json", "not a Questionnaire"),
    ] {
        let told = mistakes
            .lines()
            .any(|line| line.contains(file) && line.contains(what));
        assert!(told, "{file}: {mistakes}");
    }
    // A questionnaire without its map.
    fs::remove_file(folder.path().join("maps/broken.map")).unwrap();
    fs::remove_file(folder.path().join("card/a4.svg")).unwrap();
    fs::copy(
        concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../examples/own-questionnaire/questionnaires/carnet-de-vacunacion.json"
        ),
        folder.path().join("questionnaires/nothing.json"),
    )
    .unwrap();
    let (status, mistakes) = check();
    assert_eq!(status, Some(2));
    assert!(
        mistakes.contains("CarnetDeVacunacion, which there is not"),
        "{mistakes}"
    );
    assert!(!folder.path().join("mediator-data").exists());
}

#[test]
fn checks_what_only_serve_needs() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        std::fs::write(folder.path().join(name), text).unwrap();
    };
    file("empty.pem", "");
    file("mediator.json", r#"{"urn": "ddcc", "version": "1"}"#);
    file(
        "mediator.toml",
        "[server.tls]\ncertificate_file = 'empty.pem'\nkey_file = 'empty.pem'\n\
         [openhim]\nmediator_config = 'mediator.json'\n\
         [jobs]\nfinish_interrupted = 'now and then'\ntime_zone = 'Mars/Olympus'\n",
    );
    let output = Command::new(env!("CARGO_BIN_EXE_mediator-runner"))
        .args(["config", "check", "--config"])
        .arg(folder.path().join("mediator.toml"))
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    let mistakes = String::from_utf8(output.stderr).unwrap();
    for expected in [
        "openhim.mediator_config:",
        "jobs: ",
        "Mars/Olympus",
        "server.tls: ",
        "empty.pem",
    ] {
        assert!(mistakes.contains(expected), "{expected} in:\n{mistakes}");
    }
}
