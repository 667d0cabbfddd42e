//! Moving what the log holds into the database file, on a thread of its own: nobody who commits
//! meanwhile waits for it.

use std::cell::Cell;
use std::fs::File;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::thread::JoinHandle;

use rusqlite::Connection;

/// Pages of the log (4 KiB each) to collect before they are moved: a page that changes often is
/// moved once for all changes.
pub(super) const COLLECTED: u32 = 12_000;
/// Pages that were logged while others were moved, and are few enough to be waited for.
const FEW: u32 = 500;
/// How often what was logged during a move is moved before it is waited for, however much it is.
const ROUNDS: usize = 4;

thread_local! {
    /// Pages in the log after the last commit of this thread.
    static LOGGED: Cell<u32> = const { Cell::new(0) };
}

/// Of one connection that writes, on its thread. The thread that moves ends with it.
pub(super) struct Checkpoints {
    collected: u32,
    /// So many pages in the log are to be moved.
    due: u32,
    is_moving: bool,
    /// Pages in the log after the last commit.
    logged: Arc<AtomicU32>,
    requests: Option<Sender<()>>,
    moved: Receiver<()>,
    thread: Option<JoinHandle<()>>,
}

impl Checkpoints {
    /// Instead of SQLite's own, which happen within a commit; when so many pages are `collected`.
    /// `moving` is another connection to the same database, and `file` the file of both.
    pub(super) fn of(
        writing: &Connection,
        moving: Connection,
        file: Arc<File>,
        collected: u32,
    ) -> io::Result<Self> {
        writing.wal_hook(Some(|_, pages| {
            LOGGED.set(pages.unsigned_abs());
            Ok(())
        }));
        let (requests, asked) = channel();
        let (tell, moved) = channel();
        let mover = Mover {
            connection: moving,
            file,
            logged: Arc::default(),
        };
        let logged = Arc::clone(&mover.logged);
        let thread = std::thread::Builder::new()
            .name("checkpoint".to_owned())
            .spawn(move || {
                for () in asked {
                    mover.move_pages();
                    if tell.send(()).is_err() {
                        break;
                    }
                }
            })?;
        Ok(Self {
            collected,
            due: collected,
            is_moving: false,
            logged,
            requests: Some(requests),
            moved,
            thread: Some(thread),
        })
    }

    /// To be called after each commit. The log begins anew only when all of it is moved, so that
    /// the last few pages are moved here, before anything else is committed.
    pub(super) fn after_commit(&mut self, writing: &Connection) {
        let logged = LOGGED.get();
        self.logged.store(logged, Ordering::Relaxed);
        if !self.is_moving {
            if logged >= self.due {
                let asked = self.requests.as_ref().map(|requests| requests.send(()));
                self.is_moving = matches!(asked, Some(Ok(())));
            }
        } else if self.moved.try_recv() != Err(TryRecvError::Empty) {
            self.is_moving = false;
            // A reader, or a full disk, can keep pages in the log: not to be tried after each commit.
            self.due = if checkpoint(writing) {
                self.collected
            } else {
                logged.saturating_add(self.collected)
            };
        }
    }
}

impl Drop for Checkpoints {
    fn drop(&mut self) {
        self.requests = None;
        if let Some(thread) = self.thread.take() {
            // It panics for no page of ours.
            let _ = thread.join();
        }
    }
}

/// What the thread works with.
struct Mover {
    connection: Connection,
    file: Arc<File>,
    logged: Arc<AtomicU32>,
}

impl Mover {
    fn move_pages(&self) {
        for _ in 0..ROUNDS {
            let before = self.logged.load(Ordering::Relaxed);
            checkpoint(&self.connection);
            // SQLite syncs the file only once all of the log is moved, while everybody would wait.
            // What fails here fails there again.
            let _ = self.file.sync_data();
            if self.logged.load(Ordering::Relaxed) < before.saturating_add(FEW) {
                break;
            }
        }
    }
}

/// Moves what can be moved while others read and write; whether that is everything.
fn checkpoint(connection: &Connection) -> bool {
    let counts = connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| {
        Ok((row.get::<_, i64>(1)?, row.get::<_, i64>(2)?))
    });
    match counts {
        Ok((logged, moved)) => logged == moved,
        Err(error) => {
            tracing::warn!(%error, "the database's log cannot be moved into the database file; it grows until that is possible");
            false
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::path::{Path, PathBuf};
    use std::time::Duration;

    use tempfile::TempDir;

    use super::*;

    const MANY: u32 = 40;

    struct Fixture {
        checkpoints: Checkpoints,
        writing: Connection,
        path: PathBuf,
        _folder: TempDir,
    }

    impl Fixture {
        fn new() -> Self {
            let folder = TempDir::new().unwrap();
            let path = folder.path().join("test.sqlite");
            let file = Arc::new(File::create(&path).unwrap());
            let writing = connect(&path);
            let mode: String = writing
                .pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0))
                .unwrap();
            assert_eq!(mode, "wal");
            writing.execute_batch("CREATE TABLE page (bytes)").unwrap();
            Self {
                checkpoints: Checkpoints::of(&writing, connect(&path), file, MANY).unwrap(),
                writing,
                path,
                _folder: folder,
            }
        }

        /// Commits a page and waits for what it sets going.
        fn commit(&mut self) {
            let insert = "INSERT INTO page VALUES (zeroblob(4000))";
            self.writing.execute(insert, []).unwrap();
            self.checkpoints.after_commit(&self.writing);
            while self.checkpoints.is_moving {
                std::thread::sleep(Duration::from_millis(1));
                self.checkpoints.after_commit(&self.writing);
            }
        }

        /// Pages that the log ever had at the same time.
        fn pages_of_log(&self) -> u32 {
            let log = self.path.with_extension("sqlite-wal");
            (log.metadata().unwrap().len() / 4096) as u32
        }
    }

    fn connect(path: &Path) -> Connection {
        Connection::open(path).unwrap()
    }

    fn count(connection: &Connection) -> u32 {
        let count = connection.query_row("SELECT count(*) FROM page", [], |row| row.get(0));
        count.unwrap()
    }

    #[test]
    fn the_log_begins_anew_when_its_pages_are_moved() {
        let mut fixture = Fixture::new();
        for _ in 0..10 * MANY {
            fixture.commit();
        }
        let pages = fixture.pages_of_log();
        assert!((MANY..MANY + 10).contains(&pages), "{pages}");
        assert_eq!(count(&connect(&fixture.path)), 10 * MANY);
        let Fixture {
            checkpoints,
            writing,
            path,
            _folder,
        } = fixture;
        drop(checkpoints);
        writing.close().unwrap();
        assert!(!path.with_extension("sqlite-wal").exists());
        assert_eq!(count(&connect(&path)), 10 * MANY);
    }

    #[test]
    fn what_is_being_read_stays_in_the_log_until_it_is_read() {
        let mut fixture = Fixture::new();
        fixture.commit();
        let reading = connect(&fixture.path);
        reading.execute_batch("BEGIN").unwrap();
        let before = count(&reading);
        for _ in 0..5 * MANY {
            fixture.commit();
        }
        assert_eq!(count(&reading), before);
        let pages = fixture.pages_of_log();
        assert!(pages >= 5 * MANY, "{pages}");
        // Tried now and then, and not after each commit.
        assert!(fixture.checkpoints.due > 3 * MANY);
        reading.execute_batch("COMMIT").unwrap();
        for _ in 0..3 * MANY {
            fixture.commit();
        }
        assert_eq!(fixture.checkpoints.due, MANY);
        assert!(LOGGED.get() < 3 * MANY, "{}", LOGGED.get());
        assert_eq!(count(&reading), before + 8 * MANY);
    }
}
