//! Where `tests/openhim-core/install` put OpenHIM core.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

const VARIABLE: &str = "OPENHIM_CORE_FOR_TESTS";

/// The folder that holds OpenHIM core and its database.
#[derive(Debug, Clone)]
pub(crate) struct Installation(PathBuf);

impl Installation {
    /// The installation that the environment names. Without one, says so on standard error, past
    /// the test harness, which shows what it captures for failed tests only.
    pub(crate) fn find() -> Option<Self> {
        let missing = match std::env::var_os(VARIABLE) {
            None => format!("{VARIABLE} is not set"),
            Some(folder) => {
                let folder = PathBuf::from(folder);
                if folder.join("installed.sha256").is_file() {
                    return Some(Self(folder));
                }
                format!("{VARIABLE}: nothing is installed in {}", folder.display())
            }
        };
        let test = std::thread::current().name().unwrap_or("test").to_owned();
        let _ = writeln!(
            std::io::stderr(),
            "skipped {test}, which needs a real OpenHIM core: {missing} (tests/openhim-core/install)"
        );
        None
    }

    /// The command that runs OpenHIM core with the configuration file `configuration`.
    pub(crate) fn core(&self, configuration: &Path) -> Command {
        let mut command = Command::new("node");
        let end_with_parent = concat!(env!("CARGO_MANIFEST_DIR"), "/end-with-parent.js");
        command
            .args(["--no-warnings", "--require", end_with_parent])
            // As in the versions of Node that this core was made for: it sometimes looks for a
            // response's time before that is stored, and does not expect to die of it.
            .arg("--unhandled-rejections=warn")
            .arg(self.0.join("node_modules/openhim-core/lib/server.js"))
            .arg(format!("--conf={}", configuration.display()));
        only_what_programs_need(&mut command);
        command
    }

    /// The command that runs the database.
    pub(crate) fn database(&self) -> Command {
        let classes = self.0.join("database");
        let mut command = Command::new("java");
        command
            .args(["-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"])
            .arg("-Dorg.slf4j.simpleLogger.defaultLogLevel=warn")
            .arg("-cp")
            .arg(format!("{0}:{0}/*", classes.display()))
            .arg("Database");
        only_what_programs_need(&mut command);
        command
    }
}

/// OpenHIM core takes every environment variable for a setting.
fn only_what_programs_need(command: &mut Command) {
    command.env_clear();
    for name in ["PATH", "HOME", "TMPDIR", "JAVA_HOME"] {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
}
