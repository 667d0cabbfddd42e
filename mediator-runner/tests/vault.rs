//! `mediator-runner` with its keys in a real Vault, run as its operator runs it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::fs;
use std::process::{Command, Output};

use real_servers::vault::RealVault;
use serde_json::{Value, json};
use tempfile::TempDir;

/// A machine that issues with the key of a Vault.
struct Machine {
    folder: TempDir,
}

impl Machine {
    fn new(vault: &RealVault, secret_id: &str, role_id: &str) -> Self {
        let folder = TempDir::new().unwrap();
        fs::write(folder.path().join("secret-id"), secret_id).unwrap();
        let certificate_authority = vault.certificate_authority();
        let configuration = format!(
            "[issuer]
             country = 'CH'
             [signing.vault]
             url = '{}'
             ca_file = '{}'
             role_id = '{role_id}'
             secret_id_file = 'secret-id'
             start_wait_seconds = 0
             [signing.vault.pki]
             role = 'document-signer'",
            vault.url(),
            certificate_authority.display()
        );
        fs::write(folder.path().join("mediator.toml"), configuration).unwrap();
        Self { folder }
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mediator-runner"));
        for (name, _) in std::env::vars() {
            if name.starts_with("MEDIATOR_") {
                command.env_remove(name);
            }
        }
        command
            .args(arguments)
            .env("MEDIATOR_CONFIG", "mediator.toml")
            .current_dir(self.folder.path())
            .output()
            .unwrap()
    }

    /// What a command prints that succeeds.
    #[track_caller]
    fn done(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Issues the example as an event of its own, into `out-` and its name.
    fn issue(&self, event: &str) -> Output {
        let example = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../examples/requests/vaccination.json"
        );
        let mut response: Value = serde_json::from_slice(&fs::read(example).unwrap()).unwrap();
        response["identifier"]["value"] = json!(event);
        let file = self.folder.path().join(format!("{event}.json"));
        fs::write(&file, response.to_string()).unwrap();
        let (file, out) = (format!("{event}.json"), format!("out-{event}"));
        self.run(&["issue", &file, "--out", &out])
    }

    /// Files of the certificates that sign and signed, named by key id.
    fn certificates(&self) -> Vec<String> {
        let folder = self
            .folder
            .path()
            .join("mediator-data/signing-certificates");
        let mut names: Vec<String> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

async fn prepared() -> Option<(RealVault, Machine)> {
    let vault = RealVault::start_persistent().await?;
    vault.enable_transit("transit").await;
    vault
        .create_key("transit", "document-signer", "ecdsa-p256")
        .await;
    vault.enable_pki("pki", "CH").await;
    // As docs/operate.md has it.
    let policy = json!({ "path": {
        "transit/sign/document-signer": { "capabilities": ["update"] },
        "transit/keys/document-signer": { "capabilities": ["read"] },
        "transit/keys/document-signer/rotate": { "capabilities": ["update"] },
        "pki/sign/document-signer": { "capabilities": ["update"] },
        "sys/config/auditing/request-headers/X-Correlation-ID": { "capabilities": ["read", "sudo"] },
    } });
    vault.write_policy("mediator", policy).await;
    let role = vault
        .enable_approle("approle", "mediator", "1h", "24h")
        .await;
    let machine = Machine::new(&vault, &role.secret_id, &role.role_id);
    Some((vault, machine))
}

fn codes(machine: &Machine, event: &str) -> Vec<String> {
    let folder = machine.folder.path().join(format!("out-{event}"));
    let mut codes = Vec::new();
    let mut folders = vec![folder];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|found| found == "png") {
                codes.push(path.display().to_string());
            }
        }
    }
    codes
}

#[tokio::test(flavor = "multi_thread")]
async fn issues_rotates_and_verifies_what_both_keys_signed() {
    let Some((_vault, machine)) = prepared().await else {
        return;
    };
    let output = machine.issue("one");
    assert!(output.status.success(), "{output:?}");
    assert_eq!(
        machine.certificates().len(),
        1,
        "the first start has it issued"
    );
    let development = machine.folder.path().join("mediator-data/development-pki");
    assert!(!development.exists());

    let doctor = machine.done(&["doctor"]);
    assert!(
        doctor.contains("version 1.18.0, unsealed, logged on"),
        "{doctor}"
    );
    assert!(
        doctor.contains("transit/keys/document-signer:v1"),
        "{doctor}"
    );
    assert!(!doctor.contains("failed"), "{doctor}");

    machine.done(&["keys", "rotate"]);
    let list = machine.done(&["keys", "list"]);
    assert!(list.contains("document-signer:v1"), "{list}");
    assert!(list.contains("document-signer:v2"), "{list}");
    assert_eq!(machine.certificates().len(), 2);
    let output = machine.issue("two");
    assert!(output.status.success(), "{output:?}");

    for event in ["one", "two"] {
        let codes = codes(&machine, event);
        assert!(!codes.is_empty());
        for code in codes {
            machine.done(&["verify", &code]);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sealed_vault_is_told_and_what_was_accepted_is_issued_later() {
    let Some((vault, machine)) = prepared().await else {
        return;
    };
    assert!(machine.issue("before").status.success());
    vault.seal().await;
    let output = machine.issue("while-sealed");
    assert!(!output.status.success());
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(text.contains("vault operator unseal"), "{text}");
    let doctor = machine.run(&["doctor"]);
    assert!(!doctor.status.success());
    let text = String::from_utf8_lossy(&doctor.stdout).into_owned();
    assert!(text.contains("unseal"), "{text}");
    vault.unseal().await;
    let output = machine.issue("while-sealed");
    assert!(output.status.success(), "{output:?}");
}
