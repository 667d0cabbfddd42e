//! Group commit: the one connection that writes, on a thread of its own.

use std::fs::File;
use std::io;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::DatabaseError;
use super::checkpoint::{COLLECTED, Checkpoints};

/// Jobs that wait; more have to wait for a place in the queue.
const QUEUE: usize = 1024;
/// Jobs that are committed together at most.
const GROUP: usize = 128;
/// How long jobs that may wait do so for others.
const PATIENCE: Duration = Duration::from_millis(100);

struct Job {
    run: Box<dyn JobRun>,
    /// Whether nobody waits for it.
    may_wait: bool,
    /// Given back when the job is answered.
    _place: OwnedSemaphorePermit,
}

trait JobRun: Send {
    /// Runs inside the open transaction, and tells whether it succeeded. What an earlier run did
    /// was rolled back.
    fn run(&mut self, connection: &Connection) -> bool;
    /// Tells whoever waits the result of the last run, or the error that the commit ended in.
    fn answer(self: Box<Self>, failure: Option<DatabaseError>);
}

/// Clones share the connection; with the last one the thread ends, when everything is written.
#[derive(Clone)]
pub(super) struct Writer {
    queue: Sender<Job>,
    places: Arc<Semaphore>,
    _thread: Arc<Thread>,
}

/// Ends with the queue, which is dropped before it.
struct Thread(Mutex<Option<JoinHandle<()>>>);

impl Drop for Thread {
    fn drop(&mut self) {
        let thread = self.0.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(thread) = thread.take() {
            // It panics for no job of ours.
            let _ = thread.join();
        }
    }
}

impl Writer {
    /// `moving` is another connection to the same database, for what has nothing to do with jobs,
    /// and `file` the file of both.
    pub(super) fn start(
        connection: Connection,
        moving: Connection,
        file: Arc<File>,
    ) -> io::Result<Self> {
        let (queue, jobs) = channel();
        let checkpoints = Checkpoints::of(&connection, moving, file, COLLECTED)?;
        let thread = std::thread::Builder::new()
            .name("database".to_owned())
            .spawn(move || run(connection, checkpoints, &jobs))?;
        Ok(Self {
            queue,
            places: Arc::new(Semaphore::new(QUEUE)),
            _thread: Arc::new(Thread(Mutex::new(Some(thread)))),
        })
    }

    pub(super) async fn write<T, E, F>(&self, job: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<DatabaseError> + Send + 'static,
        F: Fn(&Connection) -> Result<T, E> + Send + 'static,
    {
        let (sender, receiver) = oneshot::channel();
        // Whoever asked may have gone away; what was written stays.
        self.send(job, false, move |result| drop(sender.send(result)))
            .await?;
        receiver
            .await
            .unwrap_or_else(|_| Err(DatabaseError::Closed.into()))
    }

    pub(super) async fn write_later<F, D>(&self, job: F, done: D) -> Result<(), DatabaseError>
    where
        F: Fn(&Connection) -> Result<(), DatabaseError> + Send + 'static,
        D: FnOnce(Result<(), DatabaseError>) + Send + 'static,
    {
        self.send(job, true, done).await
    }

    async fn send<T, E, F, D>(&self, job: F, may_wait: bool, done: D) -> Result<(), DatabaseError>
    where
        T: Send + 'static,
        E: From<DatabaseError> + Send + 'static,
        F: Fn(&Connection) -> Result<T, E> + Send + 'static,
        D: FnOnce(Result<T, E>) + Send + 'static,
    {
        let run = Box::new(Waiting {
            job,
            result: None,
            done,
        });
        let places = Arc::clone(&self.places);
        let place = places.acquire_owned().await;
        let job = Job {
            run,
            may_wait,
            _place: place.map_err(|_| DatabaseError::Closed)?,
        };
        self.queue.send(job).map_err(|_| DatabaseError::Closed)
    }
}

struct Waiting<F, T, E, D> {
    job: F,
    result: Option<Result<T, E>>,
    done: D,
}

impl<F, T, E, D> JobRun for Waiting<F, T, E, D>
where
    T: Send,
    E: From<DatabaseError> + Send,
    F: Fn(&Connection) -> Result<T, E> + Send,
    D: FnOnce(Result<T, E>) + Send,
{
    fn run(&mut self, connection: &Connection) -> bool {
        self.result.insert((self.job)(connection)).is_ok()
    }

    fn answer(self: Box<Self>, failure: Option<DatabaseError>) {
        let Self { result, done, .. } = *self;
        done(match (result, failure) {
            // A job's own error tells more than what became of the transaction.
            (Some(Err(error)), _) => Err(error),
            (_, Some(failure)) => Err(failure.into()),
            (Some(result), None) => result,
            (None, None) => Err(DatabaseError::Closed.into()),
        });
    }
}

fn run(connection: Connection, mut checkpoints: Checkpoints, jobs: &Receiver<Job>) {
    let mut group = Vec::with_capacity(GROUP);
    while let Ok(job) = jobs.recv() {
        group.push(job);
        collect(&mut group, jobs);
        let failure = match together(&connection, &mut group) {
            Ok(true) => None,
            // One alone has its own error.
            Ok(false) if group.len() == 1 => None,
            Ok(false) => one_by_one(&connection, &mut group).err(),
            Err(failure) => Some(failure),
        };
        for job in group.drain(..) {
            job.run.answer(failure.clone());
        }
        checkpoints.after_commit(&connection);
    }
    // The log is taken away by the last connection.
    drop(checkpoints);
    if let Err((_, error)) = connection.close() {
        tracing::warn!(%error, "the database was not closed in order; it recovers at the next start");
    }
}

/// Adds what waits; and what comes while all may wait, up to one that may not.
fn collect(group: &mut Vec<Job>, jobs: &Receiver<Job>) {
    let end = Instant::now() + PATIENCE;
    while group.len() < GROUP {
        let job = if group.iter().all(|job| job.may_wait) {
            jobs.recv_timeout(end.saturating_duration_since(Instant::now()))
                .ok()
        } else {
            jobs.try_recv().ok()
        };
        match job {
            Some(job) => group.push(job),
            None => break,
        }
    }
}

/// Commits the jobs in one transaction; none of them when one fails (`false`). Savepoints would
/// tell them apart, but SQLite then copies every page before it is changed, which takes as long as
/// the rest; and jobs seldom fail.
fn together(connection: &Connection, group: &mut [Job]) -> Result<bool, DatabaseError> {
    execute(connection, "BEGIN IMMEDIATE")?;
    for job in group {
        if !job.run.run(connection) {
            // An error such as a full disk may have ended the transaction already.
            let _ = execute(connection, "ROLLBACK");
            return Ok(false);
        }
    }
    commit(connection)?;
    Ok(true)
}

/// Commits the jobs that succeed; each that fails is undone by itself.
fn one_by_one(connection: &Connection, group: &mut [Job]) -> Result<(), DatabaseError> {
    execute(connection, "BEGIN IMMEDIATE")?;
    for job in group {
        if let Err(failure) = in_savepoint(connection, job) {
            let _ = execute(connection, "ROLLBACK");
            return Err(failure);
        }
    }
    commit(connection)
}

fn in_savepoint(connection: &Connection, job: &mut Job) -> Result<(), DatabaseError> {
    execute(connection, "SAVEPOINT job")?;
    if !job.run.run(connection) && execute(connection, "ROLLBACK TO job").is_err() {
        // The whole transaction is gone.
        return Err(DatabaseError::Failed(
            "another write ended the transaction; try again".to_owned(),
        ));
    }
    execute(connection, "RELEASE job")
}

fn commit(connection: &Connection) -> Result<(), DatabaseError> {
    let committed = execute(connection, "COMMIT");
    if committed.is_err() {
        let _ = execute(connection, "ROLLBACK");
    }
    committed
}

fn execute(connection: &Connection, sql: &str) -> Result<(), DatabaseError> {
    connection.prepare_cached(sql)?.execute([])?;
    Ok(())
}
