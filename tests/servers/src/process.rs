//! A child process that does not outlive the one that started it.

use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use tokio::time::sleep;

/// What the slowest server takes on a busy machine.
const START_TIME: Duration = Duration::from_secs(300);

/// Runs a command in the background and kills it, and whatever it has started, when standard input
/// closes.
const GUARD: &str = r#"
exec 3<&0
"$@" </dev/null &
child=$!
(cat <&3 >/dev/null; kill -KILL 0) &
wait "$child"
"#;

/// A running process, which ends when its standard input closes: at the latest with this process.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    input: Option<ChildStdin>,
    log: PathBuf,
}

impl Process {
    /// Starts `command`, with what it writes in the file `log`.
    pub(crate) fn start(mut command: Command, log: &Path) -> Self {
        let output = std::fs::File::create(log).unwrap();
        // In a group of its own, so that its children can be killed with it.
        command
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(output.try_clone().unwrap())
            .stderr(output);
        let mut child = command
            .spawn()
            .unwrap_or_else(|error| panic!("{:?} does not start: {error}", command.get_program()));
        let input = child.stdin.take();
        Self {
            child,
            input,
            log: log.to_owned(),
        }
    }

    /// Starts a `command` that does not look at its standard input, so that it ends all the same.
    pub(crate) fn start_guarded(command: &Command, log: &Path) -> Self {
        let mut guarded = Command::new("bash");
        guarded
            .args(["-c", GUARD, "guard"])
            .arg(command.get_program());
        guarded.args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => guarded.env(name, value),
                None => guarded.env_remove(name),
            };
        }
        if let Some(folder) = command.get_current_dir() {
            guarded.current_dir(folder);
        }
        Self::start(guarded, log)
    }

    /// Stops the process and its children without ending them, as a machine does that is too busy
    /// to answer; [`Self::resume`] lets them go on.
    pub(crate) fn pause(&self) {
        self.signal("STOP");
    }

    /// Lets a paused process go on.
    pub(crate) fn resume(&self) {
        self.signal("CONT");
    }

    /// An error says that the process has ended already.
    fn signal(&self, name: &str) {
        let group = format!("-{}", self.child.id());
        let _ = Command::new("kill")
            .args(["-s", name, "--", &group])
            .output();
    }

    /// Waits for a line of the log that `wanted` makes something of; an error has the whole log.
    pub(crate) async fn wait_for<T>(
        &mut self,
        wanted: impl Fn(&str) -> Option<T>,
    ) -> Result<T, String> {
        let deadline = Instant::now() + START_TIME;
        loop {
            let exited = self.child.try_wait().unwrap();
            if let Some(found) = self.log().lines().find_map(&wanted) {
                return Ok(found);
            }
            if exited.is_some() || Instant::now() > deadline {
                return Err(self.log());
            }
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// What the process has written so far.
    pub(crate) fn log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.log).unwrap()).into_owned()
    }

    /// Kills the process without warning, and its children.
    pub(crate) fn kill(&mut self) {
        drop(self.input.take());
        self.signal("KILL");
        let _ = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}
