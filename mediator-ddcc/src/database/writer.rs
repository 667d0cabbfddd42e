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
    /// Runs inside the open transaction.
    fn run(self: Box<Self>, connection: &mut SqliteConnection) -> BoxFuture<'_, Done>;
    /// Answers without having run.
    fn refuse(self: Box<Self>, failure: DatabaseError);
}

/// A job that has run inside the open transaction.
struct Done {
    succeeded: bool,
    /// Answers whoever waits, with the error that the commit ended in.
    answer: Box<dyn FnOnce(Option<DatabaseError>) + Send>,
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
        F: for<'c> FnOnce(&'c mut SqliteConnection) -> BoxFuture<'c, Result<T, E>> + Send + 'static,
    {
        let (sender, receiver) = oneshot::channel();
        let waiting = Waiting { job, sender };
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
    sender: oneshot::Sender<Result<T, E>>,
}

impl<F, T, E> JobRun for Waiting<F, T, E>
where
    T: Send + 'static,
    E: From<DatabaseError> + Send + 'static,
    F: for<'c> FnOnce(&'c mut SqliteConnection) -> BoxFuture<'c, Result<T, E>> + Send + 'static,
{
    fn run(self: Box<Self>, connection: &mut SqliteConnection) -> BoxFuture<'_, Done> {
        Box::pin(async move {
            let Self { job, sender } = *self;
            let result = job(connection).await;
            Done {
                succeeded: result.is_ok(),
                answer: Box::new(move |failure| {
                    let result = match (result, failure) {
                        (Ok(_), Some(failure)) => Err(failure.into()),
                        (result, _) => result,
                    };
                    // Whoever asked may have gone away; what was written stays.
                    let _ = sender.send(result);
                }),
            }
        })
    }

    fn refuse(self: Box<Self>, failure: DatabaseError) {
        let _ = self.sender.send(Err(failure.into()));
    }
}

async fn run(mut connection: SqliteConnection, mut jobs: mpsc::Receiver<Job>) {
    let mut group = Vec::with_capacity(GROUP);
    while jobs.recv_many(&mut group, GROUP).await > 0 {
        let mut done = Vec::with_capacity(group.len());
        let mut failure = begin(&mut connection).await.err();
        for job in group.drain(..) {
            match &failure {
                Some(failure) => job.refuse(failure.clone()),
                None => match savepoint(&mut connection, job).await {
                    Ok(one) => done.push(one),
                    Err(error) => failure = Some(error),
                },
            }
        }
        if failure.is_none() {
            failure = connection
                .execute("COMMIT")
                .await
                .err()
                .map(DatabaseError::from);
        }
        if failure.is_some() {
            // An error such as a full disk may have ended the transaction already.
            let _ = connection.execute("ROLLBACK").await;
        }
        for one in done {
            (one.answer)(failure.clone());
        }
    }
    if let Err(error) = connection.close().await {
        tracing::warn!(%error, "the database was not closed in order; it recovers at the next start");
    }
}

async fn begin(connection: &mut SqliteConnection) -> Result<(), DatabaseError> {
    connection.execute("BEGIN IMMEDIATE").await?;
    Ok(())
}

async fn savepoint(connection: &mut SqliteConnection, job: Job) -> Result<Done, DatabaseError> {
    connection.execute("SAVEPOINT job").await?;
    let done = job.run(&mut *connection).await;
    if !done.succeeded && connection.execute("ROLLBACK TO job").await.is_err() {
        // The whole transaction is gone: tell this one its own error, the others that one.
        (done.answer)(None);
        return Err(DatabaseError::Failed(
            "another write ended the transaction; try again".to_owned(),
        ));
    }
    connection.execute("RELEASE job").await?;
    Ok(done)
}
