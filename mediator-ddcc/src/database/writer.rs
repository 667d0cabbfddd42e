//! Group commit: the one connection that writes.

use futures::future::BoxFuture;
use sqlx::sqlite::SqliteConnection;
use sqlx::{Connection as _, Executor as _};
use tokio::sync::{mpsc, oneshot};

use super::DatabaseError;

/// Jobs that wait; more have to wait for a place in the queue.
const QUEUE: usize = 1024;
/// Jobs that are committed together at most.
const GROUP: usize = 128;

type Job = Box<dyn JobRun>;

trait JobRun: Send {
    /// Runs inside the open transaction, and tells whether it succeeded. What an earlier run did
    /// was rolled back.
    fn run<'c>(&'c mut self, connection: &'c mut SqliteConnection) -> BoxFuture<'c, bool>;
    /// Tells whoever waits the result of the last run, or the error that the commit ended in.
    fn answer(self: Box<Self>, failure: Option<DatabaseError>);
}

#[derive(Clone)]
pub(super) struct Writer {
    queue: mpsc::Sender<Job>,
}

impl Writer {
    pub(super) fn start(connection: SqliteConnection) -> Self {
        let (queue, jobs) = mpsc::channel(QUEUE);
        tokio::spawn(run(connection, jobs));
        Self { queue }
    }

    pub(super) async fn write<T, E, F>(&self, job: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<DatabaseError> + Send + 'static,
        F: for<'c> Fn(&'c mut SqliteConnection) -> BoxFuture<'c, Result<T, E>> + Send + 'static,
    {
        let (sender, receiver) = oneshot::channel();
        let waiting = Waiting {
            job,
            result: None,
            sender,
        };
        if self.queue.send(Box::new(waiting)).await.is_err() {
            return Err(DatabaseError::Closed.into());
        }
        receiver
            .await
            .unwrap_or_else(|_| Err(DatabaseError::Closed.into()))
    }
}

struct Waiting<F, T, E> {
    job: F,
    result: Option<Result<T, E>>,
    sender: oneshot::Sender<Result<T, E>>,
}

impl<F, T, E> JobRun for Waiting<F, T, E>
where
    T: Send + 'static,
    E: From<DatabaseError> + Send + 'static,
    F: for<'c> Fn(&'c mut SqliteConnection) -> BoxFuture<'c, Result<T, E>> + Send + 'static,
{
    fn run<'c>(&'c mut self, connection: &'c mut SqliteConnection) -> BoxFuture<'c, bool> {
        let running = (self.job)(connection);
        Box::pin(async move {
            let result = running.await;
            let succeeded = result.is_ok();
            self.result = Some(result);
            succeeded
        })
    }

    fn answer(self: Box<Self>, failure: Option<DatabaseError>) {
        let Self { result, sender, .. } = *self;
        let answer = match (result, failure) {
            // A job's own error tells more than what became of the transaction.
            (Some(Err(error)), _) => Err(error),
            (_, Some(failure)) => Err(failure.into()),
            (Some(result), None) => result,
            (None, None) => Err(DatabaseError::Closed.into()),
        };
        // Whoever asked may have gone away; what was written stays.
        let _ = sender.send(answer);
    }
}

async fn run(mut connection: SqliteConnection, mut jobs: mpsc::Receiver<Job>) {
    let mut group = Vec::with_capacity(GROUP);
    while jobs.recv_many(&mut group, GROUP).await > 0 {
        let failure = match together(&mut connection, &mut group).await {
            Ok(true) => None,
            // One alone has its own error.
            Ok(false) if group.len() == 1 => None,
            Ok(false) => one_by_one(&mut connection, &mut group).await.err(),
            Err(failure) => Some(failure),
        };
        for job in group.drain(..) {
            job.answer(failure.clone());
        }
    }
    if let Err(error) = connection.close().await {
        tracing::warn!(%error, "the database was not closed in order; it recovers at the next start");
    }
}

/// Commits the jobs in one transaction; none of them when one fails (`false`). Savepoints would
/// tell them apart, but SQLite then copies every page before it is changed, which takes as long as
/// the rest; and jobs seldom fail.
async fn together(
    connection: &mut SqliteConnection,
    group: &mut [Job],
) -> Result<bool, DatabaseError> {
    connection.execute("BEGIN IMMEDIATE").await?;
    for job in group {
        if !job.run(connection).await {
            // An error such as a full disk may have ended the transaction already.
            let _ = connection.execute("ROLLBACK").await;
            return Ok(false);
        }
    }
    commit(connection).await?;
    Ok(true)
}

/// Commits the jobs that succeed; each that fails is undone by itself.
async fn one_by_one(
    connection: &mut SqliteConnection,
    group: &mut [Job],
) -> Result<(), DatabaseError> {
    connection.execute("BEGIN IMMEDIATE").await?;
    for job in group {
        if let Err(failure) = in_savepoint(connection, job).await {
            let _ = connection.execute("ROLLBACK").await;
            return Err(failure);
        }
    }
    commit(connection).await
}

async fn in_savepoint(
    connection: &mut SqliteConnection,
    job: &mut Job,
) -> Result<(), DatabaseError> {
    connection.execute("SAVEPOINT job").await?;
    if !job.run(connection).await && connection.execute("ROLLBACK TO job").await.is_err() {
        // The whole transaction is gone.
        return Err(DatabaseError::Failed(
            "another write ended the transaction; try again".to_owned(),
        ));
    }
    connection.execute("RELEASE job").await?;
    Ok(())
}

async fn commit(connection: &mut SqliteConnection) -> Result<(), DatabaseError> {
    let committed = connection.execute("COMMIT").await;
    if let Err(error) = committed {
        let _ = connection.execute("ROLLBACK").await;
        return Err(error.into());
    }
    Ok(())
}
