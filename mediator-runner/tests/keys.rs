//! `mediator-runner keys`, with a country signing authority that is offline: OpenSSL in a folder
//! of its own.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use real_servers::softhsm::{CONFIGURATION, SoftHsm};
use serde_json::Value;
use tempfile::TempDir;

const PIN: &str = "1234";

/// A machine that issues, and the authority elsewhere.
struct Machine {
    folder: TempDir,
    variables: Vec<(String, String)>,
}

impl Machine {
    fn new(variables: &[(&str, &str)]) -> Self {
        let folder = TempDir::new().unwrap();
        let authority = folder.path().join("authority");
        fs::create_dir(&authority).unwrap();
        openssl(
            &authority,
            &[
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:P-256",
                "-nodes",
                "-keyout",
                "ca.key",
                "-out",
                "ca.pem",
                "-days",
                "3650",
                "-subj",
                "/C=CH/CN=Country signing authority",
            ],
        );
        let variables = variables.iter().map(|(name, value)| {
            let name = format!("MEDIATOR_{name}");
            (name, (*value).to_owned())
        });
        Self {
            folder,
            variables: variables.collect(),
        }
    }

    /// With keys in files of the data directory.
    fn with_key_folder() -> Self {
        Self::new(&[("SIGNING__KEYS_FOLDER", "mediator-data/signing-keys")])
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
            .envs(self.variables.iter().cloned())
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

    /// What a command says that ends with this exit code.
    #[track_caller]
    fn refused(&self, code: i32, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert_eq!(
            output.status.code(),
            Some(code),
            "{arguments:?}: {output:?}"
        );
        String::from_utf8(output.stderr).unwrap()
    }

    /// Carries a request to the authority, and the certificate back.
    fn certify(&self, request: &str, days: &str) {
        let authority = self.folder.path().join("authority");
        fs::copy(self.folder.path().join(request), authority.join("in.csr")).unwrap();
        openssl(
            &authority,
            &[
                "x509",
                "-req",
                "-in",
                "in.csr",
                "-CA",
                "ca.pem",
                "-CAkey",
                "ca.key",
                "-CAcreateserial",
                "-days",
                days,
                "-copy_extensions",
                "copy",
                "-out",
                "out.pem",
            ],
        );
        fs::copy(
            authority.join("out.pem"),
            self.folder.path().join("certificate.pem"),
        )
        .unwrap();
    }

    fn list(&self) -> Vec<Value> {
        let output = self.run(&["keys", "list", "--json"]);
        let listed: Value = serde_json::from_slice(&output.stdout).unwrap();
        listed["keys"].as_array().unwrap().clone()
    }

    fn uses(&self) -> Vec<String> {
        let uses = self.list();
        uses.iter()
            .map(|key| key["use"].as_str().unwrap().to_owned())
            .collect()
    }

    fn signing(&self) -> Value {
        let listed = self.list();
        let signing = listed.iter().find(|key| key["use"] == "signs");
        signing.unwrap().clone()
    }

    /// Issues a certificate in the folder `out`, which verifies by the key id that signs now.
    fn issue(&self, out: &str) {
        let request = Path::new(env!("CARGO_MANIFEST_DIR"));
        let request = request.join("../examples/requests/vaccination.json");
        self.done(&["issue", request.to_str().unwrap(), "--out", out]);
    }

    fn verify(&self, out: &str) {
        let code = format!("{out}/CH-7QK2-M4TD/1/who.txt");
        self.done(&["verify", &code]);
    }
}

fn openssl(folder: &Path, arguments: &[&str]) {
    let output = Command::new("openssl")
        .args(arguments)
        .current_dir(folder)
        .output()
        .unwrap();
    assert!(output.status.success(), "{arguments:?}: {output:?}");
}

#[test]
fn with_an_authority_that_is_offline() {
    let machine = Machine::with_key_folder();
    assert_eq!(machine.uses(), Vec::<String>::new());
    machine.refused(1, &["keys", "list"]);

    // Nothing is issued without a certificate, and it is said what to do.
    let text = machine.done(&["keys", "rotate", "--out", "request.csr"]);
    assert!(text.contains("keys import"), "{text}");
    assert_eq!(machine.uses(), ["needs certificate"]);
    let request = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/requests");
    let request = request.join("vaccination.json");
    let text = machine.refused(2, &["issue", request.to_str().unwrap()]);
    assert!(text.contains("keys import"), "{text}");

    machine.certify("request.csr", "700");
    let text = machine.done(&["keys", "import", "certificate.pem", "authority/ca.pem"]);
    assert!(text.contains("from now on"), "{text}");
    let first = machine.signing();
    assert_eq!(first["algorithm"], "ES256");
    assert_eq!(first["issuers"].as_array().unwrap().len(), 1);
    let subject = first["subject"].as_str().unwrap();
    assert!(
        subject.contains("O=Health authority for trying out"),
        "{subject}"
    );
    machine.issue("first");
    machine.verify("first");

    // The next one is known to verifiers before it signs.
    let text = machine.done(&["keys", "rotate", "--algorithm", "PS256", "--json"]);
    let made: Value = serde_json::from_str(&text).unwrap();
    fs::write(
        machine.folder.path().join("second.csr"),
        made["request"].as_str().unwrap(),
    )
    .unwrap();
    machine.certify("second.csr", "700");
    let text = machine.done(&["keys", "import", "certificate.pem", "--from", "2090-01-01"]);
    assert!(text.contains("from 2090-01-01"), "{text}");
    assert_eq!(machine.uses(), ["signs", "signs from"]);
    assert_eq!(machine.signing(), first);
    let second = machine.list()[1].clone();
    machine.done(&["keys", "rotate", "--to", second["kid"].as_str().unwrap()]);
    assert_eq!(machine.uses(), ["signed", "signs"]);
    assert_eq!(machine.signing()["kid"], second["kid"]);
    assert_eq!(machine.signing()["algorithm"], "PS256");
    machine.verify("first");

    // And back, since something was wrong with it.
    machine.done(&["keys", "rotate", "--to", first["kid"].as_str().unwrap()]);
    assert_eq!(machine.signing()["kid"], first["kid"]);
    let table = machine.done(&["keys", "list"]);
    assert!(table.starts_with("USE"), "{table}");
    assert!(table.contains(first["kid"].as_str().unwrap()), "{table}");
}

#[test]
fn a_new_certificate_for_the_key_that_signs() {
    let machine = Machine::with_key_folder();
    machine.done(&["keys", "rotate", "--out", "request.csr"]);
    machine.certify("request.csr", "10");
    machine.done(&["keys", "import", "certificate.pem"]);
    let before = machine.signing();
    let request = machine.done(&["keys", "csr", "--common-name", "Renewed"]);
    fs::write(machine.folder.path().join("renewal.csr"), request).unwrap();
    machine.certify("renewal.csr", "700");
    machine.done(&["keys", "import", "certificate.pem"]);
    let after = machine.signing();
    assert_eq!(before["fingerprint"], after["fingerprint"]);
    assert_ne!(before["kid"], after["kid"]);
    assert!(after["subject"].as_str().unwrap().contains("CN=Renewed"));
}

#[test]
fn a_configured_pair_signs_once_it_is_configured() {
    let machine = Machine::with_key_folder();
    machine.done(&["keys", "rotate", "--out", "request.csr"]);
    machine.certify("request.csr", "700");
    machine.done(&["keys", "import", "certificate.pem"]);
    let imported = machine.signing();
    // As an operator makes it who does not use `keys`.
    let folder = machine.folder.path();
    openssl(
        folder,
        &[
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-keyout",
            "own.key",
            "-out",
            "own.pem",
            "-days",
            "365",
            "-subj",
            "/C=CH/CN=Own",
        ],
    );
    let mut configured = Machine {
        folder: machine.folder,
        variables: machine.variables,
    };
    for (name, file) in [("KEY_FILE", "own.key"), ("CERTIFICATE_FILE", "own.pem")] {
        let name = format!("MEDIATOR_SIGNING__{name}");
        configured.variables.push((name, file.to_owned()));
    }
    let own = configured.signing();
    assert!(own["subject"].as_str().unwrap().contains("CN=Own"));
    configured.issue("own");
    configured.verify("own");
    // What `keys` says after that stays, also when the program starts again.
    configured.done(&["keys", "rotate", "--to", imported["kid"].as_str().unwrap()]);
    configured.issue("again");
    assert_eq!(configured.signing()["kid"], imported["kid"]);
    configured.verify("own");
}

#[test]
fn mistakes_are_told_and_change_nothing() {
    let machine = Machine::with_key_folder();
    machine.done(&["keys", "rotate", "--out", "request.csr"]);
    let text = machine.refused(1, &["keys", "import", "authority/ca.pem"]);
    assert!(text.contains("keys csr"), "{text}");
    machine.refused(2, &["keys", "import", "missing.pem"]);
    machine.refused(2, &["keys", "import", "request.csr"]);
    machine.refused(1, &["keys", "csr", "unknown"]);
    machine.refused(1, &["keys", "rotate", "--to", "AAAAAAAAAAA="]);
    machine.refused(2, &["keys", "rotate", "--algorithm", "ES512"]);
    machine.refused(2, &["keys", "import", "certificate.pem", "--from", "soon"]);
    machine.certify("request.csr", "1");
    assert_eq!(machine.uses(), ["needs certificate"]);
}

#[test]
fn with_keys_in_a_token() {
    let Some(hsm) = SoftHsm::create() else {
        return;
    };
    let module = hsm.module().to_str().unwrap();
    let mut machine = Machine::new(&[
        ("SIGNING__PKCS11__MODULE", module),
        ("SIGNING__PKCS11__TOKEN_LABEL", "ddcc"),
        ("SIGNING__PKCS11__PIN_FILE", "pin"),
        ("SIGNING__PKCS11__KEY_LABEL", "document-signer"),
    ]);
    let configuration = hsm.configuration().to_str().unwrap().to_owned();
    machine
        .variables
        .push((CONFIGURATION.to_owned(), configuration));
    let pin = machine.folder.path().join("pin");
    fs::write(&pin, PIN).unwrap();

    let text = machine.refused(1, &["serve"]);
    assert!(text.contains("no token with the label"), "{text}");
    hsm.create_token("ddcc", PIN);
    let text = machine.refused(1, &["serve"]);
    assert!(text.contains("keys rotate"), "{text}");
    fs::write(&pin, "wrong").unwrap();
    let text = machine.refused(1, &["serve"]);
    assert!(text.contains("the PIN is wrong"), "{text}");
    fs::write(&pin, PIN).unwrap();

    for (round, uses) in [vec!["signs"], vec!["signed", "signs"]].iter().enumerate() {
        machine.done(&["keys", "rotate", "--out", "request.csr"]);
        machine.certify("request.csr", "700");
        machine.done(&["keys", "import", "certificate.pem", "authority/ca.pem"]);
        assert_eq!(&machine.uses(), uses);
        let out = format!("round-{round}");
        machine.issue(&out);
        machine.verify(&out);
    }
    let signing = machine.signing();
    assert_eq!(signing["warning"], Value::Null);
    let name = signing["key"].as_str().unwrap();
    assert!(name.starts_with("document-signer:"), "{name}");

    // What signed goes away: the certificate of the past verifies on, the other key signs on.
    hsm.initialize_again("ddcc", PIN);
    assert_eq!(machine.uses(), ["signed", "key missing"]);
    machine.verify("round-0");
    let request = Path::new(env!("CARGO_MANIFEST_DIR"));
    let request = request.join("../examples/requests/test-result.json");
    let text = machine.refused(2, &["issue", request.to_str().unwrap()]);
    assert!(text.contains("holds no key"), "{text}");
}
