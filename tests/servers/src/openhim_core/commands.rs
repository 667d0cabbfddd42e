//! The commands that run OpenHIM core and its database.

use std::path::Path;
use std::process::Command;

use crate::installation::Installation;

/// The command that runs OpenHIM core with the configuration file `configuration`.
pub(super) fn core(installation: &Installation, configuration: &Path) -> Command {
    let mut command = Command::new("node");
    let end_with_parent = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/openhim-core/end-with-parent.js"
    );
    command
        .args(["--no-warnings", "--require", end_with_parent])
        // As in the versions of Node that this core was made for: it sometimes looks for a
        // response's time before that is stored, and does not expect to die of it.
        .arg("--unhandled-rejections=warn")
        .arg(installation.path("node_modules/openhim-core/lib/server.js"))
        .arg(format!("--conf={}", configuration.display()));
    only_what_programs_need(&mut command);
    command
}

/// The command that runs the database.
pub(super) fn database(installation: &Installation) -> Command {
    let classes = installation.path("database");
    let mut command = Command::new("java");
    command
        // It keeps every transaction with its bodies, a hundred kilobytes each.
        .args(["-Xmx2g", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"])
        .arg("-Dorg.slf4j.simpleLogger.defaultLogLevel=warn")
        // It answers with documents that another thread may change meanwhile, and closes the
        // connection when one does; core's driver never answers what was asked on it.
        .arg("-Dio.netty.eventLoopThreads=1")
        .arg("-cp")
        .arg(format!("{0}:{0}/*", classes.display()))
        .arg("Database");
    only_what_programs_need(&mut command);
    command
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
