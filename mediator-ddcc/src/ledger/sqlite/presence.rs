//! Which processes work on the database.
//!
//! Each has a file beside it that it holds locked: the system gives the lock up with the process,
//! however that ends.

use std::ffi::OsString;
use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use uuid::Uuid;

#[derive(Debug)]
pub(super) struct Presence {
    database: PathBuf,
    id: Uuid,
    _lock: File,
}

impl Presence {
    /// A worker of its own, as long as this value lives; what dead ones left is removed.
    ///
    /// # Errors
    /// The file cannot be made or locked.
    pub(super) fn begin(database: &Path) -> io::Result<Self> {
        remove_dead(database)?;
        let id = Uuid::new_v4();
        // Locked before it has its name: nobody sees it without the lock.
        let mut unnamed = database.as_os_str().to_owned();
        unnamed.push(format!("-new-worker-{id}"));
        let lock = File::create(&unnamed)?;
        lock.lock()?;
        std::fs::rename(unnamed, file(database, &id.to_string()))?;
        Ok(Self {
            database: database.to_owned(),
            id,
            _lock: lock,
        })
    }

    pub(super) fn id(&self) -> Uuid {
        self.id
    }

    /// Whether an event of this worker, or of none, is there for the taking.
    pub(super) fn is_free(&self, worker: Option<String>) -> bool {
        worker.is_none_or(|worker| {
            worker == self.id.to_string() || is_dead(&file(&self.database, &worker))
        })
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(file(&self.database, &self.id.to_string()));
    }
}

fn prefix(database: &Path) -> OsString {
    let mut prefix = database.file_name().unwrap_or_default().to_owned();
    prefix.push("-worker-");
    prefix
}

fn file(database: &Path, worker: &str) -> PathBuf {
    let mut name = prefix(database);
    name.push(worker);
    database.with_file_name(name)
}

/// What cannot be found out counts as alive: nobody takes its events then.
fn is_dead(file: &Path) -> bool {
    match File::open(file) {
        Ok(file) => match file.try_lock_shared() {
            Ok(()) => true,
            Err(TryLockError::WouldBlock | TryLockError::Error(_)) => false,
        },
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    }
}

fn remove_dead(database: &Path) -> io::Result<()> {
    let folder = database
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let prefix = prefix(database);
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let is_worker = entry
            .file_name()
            .as_encoded_bytes()
            .starts_with(prefix.as_encoded_bytes());
        if is_worker && is_dead(&entry.path()) {
            let _ = std::fs::remove_file(entry.path());
        }
    }
    Ok(())
}
