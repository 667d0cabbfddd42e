//! A child process that does not outlive the one that started it.

use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use tokio::time::sleep;

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
        command
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

    /// Waits for a line of the log that `wanted` makes something of; an error has the whole log.
    pub(crate) async fn wait_for<T>(
        &mut self,
        wanted: impl Fn(&str) -> Option<T>,
    ) -> Result<T, String> {
        let deadline = Instant::now() + Duration::from_secs(60);
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
        // An error says that it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}
