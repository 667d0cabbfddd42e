//! The embedded database: one SQLite file, read by several connections and written by one.
//!
//! Writers wait for the disk, not for each other: what arrives while one transaction is being
//! synced goes into the next one together.

mod checkpoint;
mod readers;
mod writer;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags};
use sqlx::migrate::MigrateError;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions as _, Connection as _};

use self::readers::Readers;
use self::writer::Writer;
use crate::migrations;

/// Kibibytes of pages that a connection keeps in memory.
const CACHE: i64 = 2_048;
/// Statements that a connection keeps prepared.
const STATEMENTS: usize = 64;
/// How long to wait for another process that writes, and for a free connection.
const WAIT: Duration = Duration::from_secs(10);

/// A handle to the database; clones share it.
#[derive(Clone)]
pub struct Database {
    path: Arc<Path>,
    readers: Readers,
    writer: Writer,
    /// Closed after the connections: with any handle of a file a process loses its locks on it.
    _file: Arc<File>,
}

/// Why the database did not do as asked.
#[derive(Debug, Clone, thiserror::Error)]
pub enum DatabaseError {
    /// The file or its folder cannot be made or opened.
    #[error(
        "cannot open the database {path}: {reason}; check that the folder is writable, and that the file is a database of this program"
    )]
    NotOpened {
        /// Which file.
        path: PathBuf,
        /// What went wrong.
        reason: String,
    },
    /// A newer version of this program wrote it.
    #[error("the database {path} was written by a newer version of this program; run that version")]
    Newer {
        /// Which file.
        path: PathBuf,
    },
    /// The disk is full.
    #[error("the disk is full")]
    Full,
    /// Another process keeps it locked.
    #[error("the database is locked by another process")]
    Locked,
    /// Anything else that SQLite reports.
    #[error("the database failed: {0}")]
    Failed(String),
    /// It was closed.
    #[error("the database is closed")]
    Closed,
}

impl From<rusqlite::Error> for DatabaseError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::Full,
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Locked,
            _ => Self::Failed(error.to_string()),
        }
    }
}

impl Database {
    /// Opens the database file, or makes it: mode 0600, in a folder of mode 0700 when that is
    /// made, too. What a write acknowledges survives a power cut (`synchronous = FULL`).
    ///
    /// # Errors
    /// [`DatabaseError::NotOpened`] or [`DatabaseError::Newer`].
    pub async fn open(path: &Path) -> Result<Self, DatabaseError> {
        let not_opened = |reason: String| DatabaseError::NotOpened {
            path: path.to_owned(),
            reason,
        };
        let file = prepare_file(path).map_err(|error| not_opened(error.to_string()))?;
        let file = Arc::new(file);
        let options = SqliteConnectOptions::new()
            .filename(path)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(WAIT)
            .foreign_keys(true)
            .disable_statement_logging();
        let mut migrating = options
            .connect()
            .await
            .map_err(|error| not_opened(error.to_string()))?;
        migrate(&mut migrating, path).await?;
        let [writing, moving] = connect_to_write(path)
            .and_then(|writing| Ok([writing, connect_to_write(path)?]))
            .map_err(|error| not_opened(error.to_string()))?;
        // Not the last connection, whose end would take the log away.
        let closed = migrating.close().await;
        closed.map_err(|error| not_opened(error.to_string()))?;
        let path: Arc<Path> = Arc::from(path);
        Ok(Self {
            readers: Readers::new(Arc::clone(&path)),
            writer: Writer::start(writing, moving, Arc::clone(&file))
                .map_err(|error| not_opened(error.to_string()))?,
            path,
            _file: file,
        })
    }

    /// Where the database file is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads what takes some ten microseconds, on this thread: to hand it to another one would
    /// take longer.
    ///
    /// # Errors
    /// Those of `job`, or a [`DatabaseError`] when there is no connection.
    pub async fn read_little<T, E: From<DatabaseError>>(
        &self,
        job: impl FnOnce(&Connection) -> Result<T, E>,
    ) -> Result<T, E> {
        let reader = self.readers.get().await?;
        reader.read(job)
    }

    /// Reads on a thread that may block.
    ///
    /// # Errors
    /// Those of `job`, or a [`DatabaseError`] when there is no connection.
    pub async fn read<T, E, F>(&self, job: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<DatabaseError> + Send + 'static,
        F: FnOnce(&Connection) -> Result<T, E> + Send + 'static,
    {
        let reader = self.readers.get().await?;
        tokio::task::spawn_blocking(move || reader.read(job))
            .await
            .unwrap_or_else(|_| Err(DatabaseError::Closed.into()))
    }

    /// Runs `job` on the one writing connection and returns when what it wrote is on the disk.
    /// When it fails, nothing of it is. It may run twice: when another job in the same transaction
    /// fails, what it did is rolled back and done again.
    ///
    /// # Errors
    /// Those of `job`, or a [`DatabaseError`] when it could not be committed.
    pub async fn write<T, E, F>(&self, job: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<DatabaseError> + Send + 'static,
        F: Fn(&Connection) -> Result<T, E> + Send + 'static,
    {
        self.writer.write(job).await
    }

    /// Runs `job` as [`Database::write`] does, and with the next write at the latest before it;
    /// where there is none, in some milliseconds. Does not wait for the disk: for what can be found
    /// out again after a crash.
    ///
    /// # Errors
    /// [`DatabaseError::Closed`]. What the job ends in is told to `done`.
    pub async fn write_later<F, D>(&self, job: F, done: D) -> Result<(), DatabaseError>
    where
        F: Fn(&Connection) -> Result<(), DatabaseError> + Send + 'static,
        D: FnOnce(Result<(), DatabaseError>) + Send + 'static,
    {
        self.writer.write_later(job, done).await
    }
}

pub(crate) fn connect(path: &Path, mode: OpenFlags) -> Result<Connection, rusqlite::Error> {
    let connection = Connection::open_with_flags(path, mode | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(WAIT)?;
    connection.pragma_update(None, "cache_size", -CACHE)?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    Ok(connection)
}

fn connect_to_write(path: &Path) -> Result<Connection, rusqlite::Error> {
    let connection = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    Ok(connection)
}

async fn migrate(connection: &mut SqliteConnection, path: &Path) -> Result<(), DatabaseError> {
    match migrations::SQLITE.run(connection).await {
        Ok(()) => Ok(()),
        Err(MigrateError::VersionMissing(_) | MigrateError::VersionTooNew(..)) => {
            Err(DatabaseError::Newer {
                path: path.to_owned(),
            })
        }
        Err(error) => Err(DatabaseError::NotOpened {
            path: path.to_owned(),
            reason: error.to_string(),
        }),
    }
}

fn prepare_file(path: &Path) -> std::io::Result<File> {
    if let Some(folder) = path.parent()
        && !folder.as_os_str().is_empty()
    {
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(folder)?;
    }
    let mut options = fs::OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::os::unix::fs::PermissionsExt as _;

    use tempfile::TempDir;

    use super::*;

    fn path(folder: &TempDir) -> PathBuf {
        folder.path().join("data/ddcc.sqlite")
    }

    fn insert_into(connection: &Connection, id: &str) -> Result<(), rusqlite::Error> {
        let sql =
            "INSERT INTO event (id, key_hash, content_hash, accepted_at) VALUES (?1, ?1, '', '')";
        connection.execute(sql, [id]).map(drop)
    }

    async fn insert(database: &Database, id: &str) -> Result<(), DatabaseError> {
        let id = id.to_owned();
        database
            .write(move |connection| Ok(insert_into(connection, &id)?))
            .await
    }

    async fn count(database: &Database) -> i64 {
        let count = |connection: &Connection| -> Result<i64, DatabaseError> {
            Ok(connection.query_one("SELECT count(*) FROM event", [], |row| row.get(0))?)
        };
        database.read(count).await.unwrap()
    }

    #[tokio::test]
    async fn one_failure_spoils_nothing_of_the_others() {
        let folder = TempDir::new().unwrap();
        let database = Database::open(&path(&folder)).await.unwrap();
        let ids: Vec<String> = (0..100).map(|n| (n % 50).to_string()).collect();
        let results = futures::future::join_all(ids.iter().map(|id| insert(&database, id))).await;
        let failed = results.iter().filter(|result| result.is_err()).count();
        assert_eq!(failed, 50, "the key is unique");
        assert_eq!(count(&database).await, 50);
    }

    /// What was stored by the first version of the schema is found and read by this one.
    #[tokio::test]
    async fn databases_of_earlier_versions_are_taken_over() {
        use crate::ledger::Ledger as _;
        use crate::repository::FhirRepository as _;
        let folder = TempDir::new().unwrap();
        let path = path(&folder);
        prepare_file(&path).unwrap();
        let options = SqliteConnectOptions::new().filename(&path);
        let mut connection = options.connect().await.unwrap();
        let first = migrations::SQLITE.iter().take(1).cloned().collect();
        let first = sqlx::migrate::Migrator::with_migrations(first);
        first.run(&mut connection).await.unwrap();
        sqlx::raw_sql(
            r#"INSERT INTO resource VALUES ('List', 'l', 3, '2026-01-01T00:00:00Z',
                '{"resourceType":"List","id":"l","status":"current","identifier":[
                    {"system":"urn:x","value":"1"}, {"value":"urn:uuid:u"}, {"value":"A 1/2"}],
                    "subject":{"reference":"Patient/p"}}');
               INSERT INTO search_index VALUES ('List', 'l', 'identifier', 'urn:x', '1');
               INSERT INTO search_index VALUES ('List', 'l', 'identifier', '', 'urn:uuid:u');
               INSERT INTO search_index VALUES ('List', 'l', 'identifier', '', 'A 1/2');
               INSERT INTO search_index VALUES ('List', 'l', 'patient', '', 'Patient/p');
               INSERT INTO search_index VALUES ('List', 'l', 'status', '', 'current');
               INSERT INTO event (id, key_hash, content_hash, request, accepted_at)
                VALUES ('0d539a0c-7d0a-4a38-8f4e-5a1f22b9c7d4', 'k', 'h', '{"n":1}', '2026-01-01T00:00:00Z');"#,
        )
        .execute(&mut connection)
        .await
        .unwrap();
        connection.close().await.unwrap();
        let database = Database::open(&path).await.unwrap();
        let ledger = crate::ledger::sqlite::SqliteLedger::new(database.clone());
        let unfinished = ledger.unfinished(2).await.unwrap();
        assert_eq!(unfinished.len(), 1);
        assert_eq!(unfinished[0].request, r#"{"n":1}"#);
        let repository = crate::repository::sqlite::SqliteRepository::new(database);
        for parameter in [
            ("identifier", "urn:x|1"),
            ("identifier", "urn:uuid:u"),
            ("identifier", "A 1/2"),
            ("patient", "p"),
        ] {
            let parameters = [parameter, ("status", "current")];
            let found = repository.search("List", &parameters).await.unwrap();
            assert_eq!(found.len(), 1, "{parameter:?}");
            assert_eq!(found[0]["meta"]["versionId"], "3");
        }
    }

    #[tokio::test]
    async fn what_was_acknowledged_is_there_after_a_crash() {
        let folder = TempDir::new().unwrap();
        let database = Database::open(&path(&folder)).await.unwrap();
        insert(&database, "a").await.unwrap();
        // Nothing is closed in order here.
        std::mem::forget(database);
        let again = Database::open(&path(&folder)).await.unwrap();
        assert_eq!(count(&again).await, 1);
    }

    /// In the order in which they were asked for, and soon even when nothing else is written.
    #[tokio::test]
    async fn what_is_written_later_is_written() {
        let folder = TempDir::new().unwrap();
        let database = Database::open(&path(&folder)).await.unwrap();
        let later = async |id: &'static str| {
            let (sender, done) = tokio::sync::oneshot::channel();
            let job = move |connection: &Connection| Ok(insert_into(connection, id)?);
            let tell = move |result| drop(sender.send(result));
            database.write_later(job, tell).await.unwrap();
            (done,)
        };
        let (first,) = later("a").await;
        assert!(insert(&database, "a").await.is_err(), "it was there before");
        first.await.unwrap().unwrap();
        let (second,) = later("b").await;
        second.await.unwrap().unwrap();
        let (again,) = later("b").await;
        assert!(again.await.unwrap().is_err());
        assert_eq!(count(&database).await, 2);
    }

    #[tokio::test]
    async fn what_is_written_later_is_there_after_an_end_in_order() {
        let folder = TempDir::new().unwrap();
        let database = Database::open(&path(&folder)).await.unwrap();
        let job = |connection: &Connection| Ok(insert_into(connection, "a")?);
        database.write_later(job, drop).await.unwrap();
        drop(database);
        let again = Database::open(&path(&folder)).await.unwrap();
        assert_eq!(count(&again).await, 1);
    }

    #[tokio::test]
    async fn the_file_is_private() {
        let folder = TempDir::new().unwrap();
        let _database = Database::open(&path(&folder)).await.unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&path(&folder)), 0o600);
        assert_eq!(mode(&folder.path().join("data")), 0o700);
    }

    #[tokio::test]
    async fn says_why_a_file_cannot_be_used() {
        let folder = TempDir::new().unwrap();
        let file = folder.path().join("file");
        fs::write(
            &file,
            "this is not a database, but long enough to be read as one",
        )
        .unwrap();
        let error = Database::open(&file).await.err().unwrap();
        assert!(matches!(error, DatabaseError::NotOpened { .. }), "{error}");
        let error = Database::open(&file.join("below")).await.err().unwrap();
        assert!(matches!(error, DatabaseError::NotOpened { .. }), "{error}");
    }

    #[tokio::test]
    async fn refuses_a_newer_schema() {
        let folder = TempDir::new().unwrap();
        let database = Database::open(&path(&folder)).await.unwrap();
        database
            .write::<(), DatabaseError, _>(|connection| {
                connection.execute("INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) VALUES (9999, 'later', 1, x'00', 0)", [])?;
                Ok(())
            })
            .await
            .unwrap();
        let error = Database::open(&path(&folder)).await.err().unwrap();
        assert!(matches!(error, DatabaseError::Newer { .. }), "{error}");
    }

    #[tokio::test]
    async fn a_full_disk_is_an_error_and_nothing_half_written() {
        let folder = TempDir::new().unwrap();
        let database = Database::open(&path(&folder)).await.unwrap();
        let pages = |count: u32| {
            let database = database.clone();
            async move {
                database
                    .write::<(), DatabaseError, _>(move |connection| {
                        connection.pragma_update(None, "max_page_count", count)?;
                        Ok(())
                    })
                    .await
                    .unwrap();
            }
        };
        pages(1).await;
        let long = "x".repeat(200_000);
        let error = insert(&database, &long).await.unwrap_err();
        assert!(matches!(error, DatabaseError::Full), "{error}");
        pages(1_000_000).await;
        assert_eq!(count(&database).await, 0);
        insert(&database, "a").await.unwrap();
        assert_eq!(count(&database).await, 1);
    }
}
