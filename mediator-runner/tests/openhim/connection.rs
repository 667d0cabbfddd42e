//! What a command says when it cannot do its work.

use real_servers::openhim_core::RealOpenHimCore;

use super::{at, core, runner};

const USER: [(&str, &str); 2] = [
    ("OPENHIM_USERNAME", RealOpenHimCore::USERNAME),
    ("OPENHIM_PASSWORD", RealOpenHimCore::PASSWORD),
];

#[test]
fn a_command_that_does_not_know_which_core_or_user_ends_with_2() {
    let outcome = runner(&["status"], &USER);
    assert_eq!(outcome.code, 2);
    assert!(outcome.errors.contains("--api-url"), "{}", outcome.errors);
    let outcome = runner(&["status", "--api-url", "https://127.0.0.1:1"], &[]);
    assert_eq!(outcome.code, 2);
    assert!(
        outcome.errors.contains("OPENHIM_USERNAME"),
        "{}",
        outcome.errors
    );
    let outcome = runner(&["status", "--api-url", "https://127.0.0.1:1"], &USER[..1]);
    assert_eq!(outcome.code, 2);
    assert!(
        outcome.errors.contains("OPENHIM_PASSWORD"),
        "{}",
        outcome.errors
    );
}

#[test]
fn a_core_that_is_not_there_is_told() {
    // Nobody listens on port 1.
    for command in ["register", "status", "channels"] {
        let outcome = runner(&[command, "--api-url", "https://127.0.0.1:1"], &USER);
        assert_eq!(outcome.code, 1, "{command}");
        assert!(outcome.output.is_empty());
        assert!(
            outcome.errors.contains("https://127.0.0.1:1"),
            "{}",
            outcome.errors
        );
    }
}

#[tokio::test]
async fn a_wrong_certificate_is_refused_unless_any_is_trusted() {
    let Some(core) = core().await else {
        return;
    };
    let url = core.api_url();
    let outcome = runner(&["status", "--api-url", &url], &USER);
    assert_eq!(outcome.code, 1);
    assert!(outcome.errors.contains("certificate"), "{}", outcome.errors);
    assert!(!outcome.errors.contains(RealOpenHimCore::PASSWORD));

    let outcome = runner(&["status", "--api-url", &url, "--trust-self-signed"], &USER);
    assert!(
        outcome.output.contains(RealOpenHimCore::VERSION),
        "{}",
        outcome.output
    );
    assert!(
        outcome
            .errors
            .starts_with("warning: any certificate is trusted")
    );
}

#[tokio::test]
async fn a_wrong_password_is_told_and_not_shown() {
    let Some(core) = core().await else {
        return;
    };
    let outcome = at(core, &["status"], &[("OPENHIM_PASSWORD", "hunter2")]);
    assert_eq!(outcome.code, 1);
    assert!(outcome.errors.contains("password"), "{}", outcome.errors);
    assert!(!outcome.errors.contains("hunter2"));
}

#[tokio::test]
async fn the_configuration_has_the_connection_too() {
    let Some(core) = core().await else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let path = |name| folder.path().join(name).display().to_string();
    std::fs::write(path("password"), format!("{}\n", RealOpenHimCore::PASSWORD)).unwrap();
    let configuration = format!(
        "[openhim]\napi_url = '{}'\nusername = '{}'\npassword_file = '{}'\nca_file = '{}'\n",
        core.api_url(),
        RealOpenHimCore::USERNAME,
        path("password"),
        core.certificate_authority().display(),
    );
    std::fs::write(path("mediator.toml"), configuration).unwrap();
    let outcome = runner(
        &["status", "--config", &path("mediator.toml"), "--json"],
        &[],
    );
    let status = &outcome.json()[0];
    assert_eq!(status["core"]["version"], RealOpenHimCore::VERSION);
}
