//! SoftHSM2: a PKCS#11 module whose tokens are files (Debian packages `softhsm2`, and `opensc` for
//! its tool).
//!
//! The module finds its tokens by the environment variable `SOFTHSM2_CONF` of its process, which a
//! test cannot change for itself. So [`in_child`] runs a test again in a process of its own:
//!
//! ```no_run
//! # use real_servers::softhsm;
//! // In a `#[test]`:
//! softhsm::in_child(|hsm| {
//!     hsm.create_token("signing", "1234");
//! });
//! ```

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

use crate::certificate;
use crate::installation::say_skipped;

/// Names the module's configuration.
pub const CONFIGURATION: &str = "SOFTHSM2_CONF";

const MODULES: [&str; 3] = [
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so",
];

/// PIN of the security officer of every token.
const SECURITY_OFFICER: &str = "security officer";

/// A place for tokens, empty at first and removed at the end.
#[derive(Debug)]
pub struct SoftHsm {
    configuration: PathBuf,
    module: PathBuf,
    _folder: Option<TempDir>,
}

/// Runs this part of the running test in a process of its own, where the module's tokens are in a
/// new, empty place. Without SoftHSM says that the test is skipped.
pub fn in_child<F: FnOnce(&SoftHsm)>(test: F) {
    if let Some(configuration) = std::env::var_os(CONFIGURATION) {
        let module = module().expect("the parent has found it");
        return test(&SoftHsm {
            configuration: PathBuf::from(configuration),
            module,
            _folder: None,
        });
    }
    let Some(hsm) = SoftHsm::create() else {
        return;
    };
    // `crate::module::test::{{closure}}`, of which the harness knows `module::test`.
    let name = std::any::type_name::<F>().replace("::{{closure}}", "");
    let name = name
        .split_once("::")
        .map_or(name.as_str(), |(_, name)| name);
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture", "--include-ignored"])
        .env(CONFIGURATION, hsm.configuration())
        .output()
        .unwrap();
    let text = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(output.status.success(), "in the child: {text}");
    assert!(text.contains("1 passed"), "no test {name}: {text}");
    for line in text.lines().filter(|line| line.starts_with("figure:")) {
        let _ = writeln!(std::io::stderr(), "{line}");
    }
}

impl SoftHsm {
    /// An empty place for tokens; `None`, and says so, where SoftHSM or OpenSC is not installed.
    #[must_use]
    pub fn create() -> Option<Self> {
        let missing = |program: &str| Command::new(program).arg("--version").output().is_err();
        let Some(module) = module().filter(|_| !missing("softhsm2-util")) else {
            say_skipped("SoftHSM2 (Debian package softhsm2)");
            return None;
        };
        if missing("pkcs11-tool") {
            say_skipped("pkcs11-tool (Debian package opensc)");
            return None;
        }
        let folder = TempDir::new().unwrap();
        let tokens = folder.path().join("tokens");
        std::fs::create_dir(&tokens).unwrap();
        let configuration = folder.path().join("softhsm2.conf");
        let text = format!(
            "directories.tokendir = {}\nobjectstore.backend = file\nlog.level = ERROR\n",
            tokens.display()
        );
        std::fs::write(&configuration, text).unwrap();
        Some(Self {
            configuration,
            module,
            _folder: Some(folder),
        })
    }

    /// What [`CONFIGURATION`] is in processes that use these tokens.
    #[must_use]
    pub fn configuration(&self) -> &Path {
        &self.configuration
    }

    /// The PKCS#11 module.
    #[must_use]
    pub fn module(&self) -> &Path {
        &self.module
    }

    /// Makes a token with this label and user PIN, in a free slot.
    pub fn create_token(&self, label: &str, pin: &str) {
        self.util(&[
            "--init-token",
            "--free",
            "--label",
            label,
            "--so-pin",
            SECURITY_OFFICER,
            "--pin",
            pin,
        ]);
    }

    /// Makes a token with a P-256 key `document-signer` that signs documents, and beside it its
    /// certificate, of an authority that is made for it and good for a year.
    pub fn create_document_signer(&self, label: &str, pin: &str) {
        const IDENTITY: [&str; 4] = ["--label", "document-signer", "--id", "01"];
        self.create_token(label, pin);
        let tool = |arguments: &[&str]| self.tool(label, pin, &[arguments, &IDENTITY].concat());
        tool(&["--keypairgen", "--key-type", "EC:prime256v1"]);
        let folder = TempDir::new().unwrap();
        let path = |name: &str| folder.path().join(name).display().to_string();
        let (key, certificate) = (path("key.der"), path("certificate.der"));
        tool(&["--read-object", "--type", "pubkey", "--output-file", &key]);
        let key = std::fs::read(key).unwrap();
        std::fs::write(&certificate, certificate::of_document_signer(&key)).unwrap();
        tool(&["--write-object", &certificate, "--type", "cert"]);
    }

    /// Makes the token anew under the same label and PIN: whatever was on it is gone.
    pub fn initialize_again(&self, label: &str, pin: &str) {
        self.util(&[
            "--init-token",
            "--token",
            label,
            "--label",
            label,
            "--so-pin",
            SECURITY_OFFICER,
            "--pin",
            pin,
            "--force",
        ]);
    }

    /// Takes the token away.
    pub fn delete_token(&self, label: &str) {
        self.util(&["--delete-token", "--token", label]);
    }

    /// Runs OpenSC's tool on a token, logged in.
    pub fn tool(&self, label: &str, pin: &str, arguments: &[&str]) -> Output {
        let mut command = Command::new("pkcs11-tool");
        command
            .arg("--module")
            .arg(&self.module)
            .args(["--token-label", label, "--login", "--pin", pin])
            .args(arguments);
        self.run(command)
    }

    fn util(&self, arguments: &[&str]) {
        let mut command = Command::new("softhsm2-util");
        command.arg("--module").arg(&self.module).args(arguments);
        self.run(command);
    }

    fn run(&self, mut command: Command) -> Output {
        let output = command
            .env(CONFIGURATION, &self.configuration)
            .output()
            .unwrap();
        assert!(output.status.success(), "{command:?}: {output:?}");
        output
    }
}

fn module() -> Option<PathBuf> {
    MODULES
        .iter()
        .map(PathBuf::from)
        .find(|path| path.is_file())
}
