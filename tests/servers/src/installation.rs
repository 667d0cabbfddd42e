//! Where `tests/servers/install` put the servers.

use std::io::Write;
use std::path::{Path, PathBuf};

const VARIABLE: &str = "SERVERS_FOR_TESTS";

/// The folder that holds what one server needs.
#[derive(Debug, Clone)]
pub(crate) struct Installation(PathBuf);

impl Installation {
    /// The installation of the server `name` that the environment names. Without one, says so on
    /// standard error, past the test harness, which shows what it captures for failed tests only.
    pub(crate) fn find(name: &str) -> Option<Self> {
        let missing = match std::env::var_os(VARIABLE) {
            None => format!("{VARIABLE} is not set"),
            Some(folder) => {
                let folder = Path::new(&folder).join(name);
                if folder.join("installed.sha256").is_file() {
                    return Some(Self(folder));
                }
                format!("{VARIABLE}: nothing is installed in {}", folder.display())
            }
        };
        say_skipped(&format!(
            "a real {name}: {missing} (tests/servers/install DIR {name})"
        ));
        None
    }

    /// A file or folder of the installation.
    pub(crate) fn path(&self, of: &str) -> PathBuf {
        self.0.join(of)
    }
}

/// Says on standard error that the running test is skipped, and what it would need.
pub(crate) fn say_skipped(needed: &str) {
    let test = std::thread::current().name().unwrap_or("test").to_owned();
    let _ = writeln!(std::io::stderr(), "skipped {test}, which needs {needed}");
}
