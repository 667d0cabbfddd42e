//! The configurations in `examples/config` are ones that this program takes.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, KeyPair};

/// Writes whatever the examples have in `/etc/mediator`.
fn write_files(folder: &Path) {
    let write = |name: &str, text: &str| std::fs::write(folder.join(name), text).unwrap();
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = authority
        .self_signed(&KeyPair::generate().unwrap())
        .unwrap();
    for name in ["ca.crt", "openhim-ca.crt"] {
        write(name, &authority.pem());
    }
    for (certificate, key) in [
        ("tls.crt", "tls.key"),
        ("document-signer.pem", "document-signer-key.pem"),
    ] {
        let mut parameters = CertificateParams::new(["mediator".to_owned()]).unwrap();
        let name = &mut parameters.distinguished_name;
        name.push(DnType::CountryName, "XX");
        let pair = KeyPair::generate().unwrap();
        write(certificate, &parameters.self_signed(&pair).unwrap().pem());
        write(key, &pair.serialize_pem());
        let only_mine = Permissions::from_mode(0o600);
        std::fs::set_permissions(folder.join(key), only_mine).unwrap();
    }
    for name in [
        "client-secret",
        "ledger-password",
        "openhim-password",
        "openhim-route-password",
        "token-pin",
    ] {
        write(name, "a secret that is long enough for everyone");
    }
    write("libsofthsm2.so", "");
}

/// What `config check` says about the example with these files in the place of others.
fn check(example: &str, folder: &Path) -> (Option<i32>, String) {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/config");
    let text = std::fs::read_to_string(Path::new(path).join(example)).unwrap();
    let here = folder.display().to_string();
    let text = ["/etc/mediator", "/var/lib/mediator", "/usr/lib/softhsm"]
        .iter()
        .fold(text, |text, elsewhere| text.replace(elsewhere, &here));
    let file = folder.join(example);
    std::fs::write(&file, text).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_mediator-runner"));
    command.args(["config", "check", "--config"]).arg(&file);
    for (name, _) in std::env::vars() {
        if name.starts_with("MEDIATOR_") {
            command.env_remove(name);
        }
    }
    let output = command.output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    (output.status.code(), told)
}

#[test]
fn the_examples_have_no_mistakes() {
    let folder = tempfile::tempdir().unwrap();
    write_files(folder.path());
    for example in ["embedded.toml", "openhim.toml", "production.toml"] {
        let (code, told) = check(example, folder.path());
        assert_eq!((code, &*told), (Some(0), ""), "{example}");
    }
}

#[test]
fn the_examples_name_the_files_that_they_need() {
    let folder = tempfile::tempdir().unwrap();
    for example in ["openhim.toml", "production.toml"] {
        let (code, told) = check(example, folder.path());
        assert_eq!(code, Some(2), "{example}");
        assert!(told.contains("No such file"), "{told}");
    }
}
