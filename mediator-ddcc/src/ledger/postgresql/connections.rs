use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use backon::{ExponentialBuilder, Retryable as _};
use futures::future::BoxFuture;
use sqlx::pool::PoolConnectionMetadata;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions};
use sqlx::{Connection as _, Executor as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::error::{is_connection_lost, is_repeatable, ledger_error};
use super::settings::PostgreSqlSettings;
use crate::ledger::LedgerError;

/// A connection that nobody used for longer than this is tried before it is used.
const TRUSTED_FOR: Duration = Duration::from_secs(5);
/// Beyond what the server gives a statement: then the connection is given up.
const GRACE: Duration = Duration::from_secs(2);
/// How often a statement is repeated that another connection may carry out.
const REPEATS: usize = 4;

/// Connections to the server, a bounded number of them.
pub(super) struct Connections {
    pool: PgPool,
    options: PgConnectOptions,
    statement_timeout: Duration,
    connect_timeout: Duration,
    /// When a connection broke: the others made before are likely to have broken, too.
    broken_at: Arc<Mutex<Option<Instant>>>,
}

impl Connections {
    /// Connects to nothing yet.
    pub(super) fn new(settings: &PostgreSqlSettings) -> Result<Self, LedgerError> {
        let options = settings.connect_options()?;
        let broken_at = Arc::new(Mutex::new(None));
        let broken = Arc::clone(&broken_at);
        // Not sent when the connection is made: a pooler in front of the server would refuse that.
        let set: Arc<str> = format!(
            "SET statement_timeout = {0}; SET idle_in_transaction_session_timeout = {0}",
            settings.timeout.as_millis()
        )
        .into();
        let pool = PgPoolOptions::new()
            .max_connections(settings.maximum_connections)
            .acquire_timeout(settings.connect_timeout)
            .after_connect(move |connection, _| {
                let set = Arc::clone(&set);
                Box::pin(async move {
                    connection
                        .execute(sqlx::raw_sql(sqlx::AssertSqlSafe(set.to_string())))
                        .await
                        .map(drop)
                })
            })
            // Asking each time would double the time that a statement takes.
            .test_before_acquire(false)
            .before_acquire(move |connection, metadata| {
                let is_doubtful = is_doubtful(&metadata, &broken);
                Box::pin(async move {
                    if is_doubtful {
                        connection.ping().await?;
                    }
                    Ok(true)
                })
            })
            .connect_lazy_with(options.clone());
        Ok(Self {
            pool,
            options,
            statement_timeout: settings.timeout,
            connect_timeout: settings.connect_timeout,
            broken_at,
        })
    }

    /// Runs statements that may be run again: `work` is, when another connection may carry out
    /// what this one did not, and so may find what it did before.
    pub(super) async fn run<T, F>(&self, work: F) -> Result<T, LedgerError>
    where
        F: for<'c> Fn(&'c mut PgConnection) -> BoxFuture<'c, Result<T, sqlx::Error>> + Sync,
    {
        self.run_for(self.statement_timeout + GRACE, work).await
    }

    /// The same, for as long as `limit`.
    pub(super) async fn run_for<T, F>(&self, limit: Duration, work: F) -> Result<T, LedgerError>
    where
        F: for<'c> Fn(&'c mut PgConnection) -> BoxFuture<'c, Result<T, sqlx::Error>> + Sync,
    {
        let backoff = ExponentialBuilder::default()
            .with_jitter()
            .with_min_delay(Duration::from_millis(20))
            .with_max_times(REPEATS);
        let result = (|| self.attempt(limit, &work))
            .retry(backoff)
            .when(|failure| matches!(failure, Failure::Reported(error) if is_repeatable(error)))
            .await;
        match result {
            Ok(value) => Ok(value),
            Err(Failure::Reported(sqlx::Error::PoolTimedOut)) => {
                Err(self.why_no_connection().await)
            }
            Err(Failure::Reported(error)) => Err(ledger_error(&error)),
            Err(Failure::NoAnswer) => Err(LedgerError::TimedOut),
        }
    }

    async fn attempt<T, F>(&self, limit: Duration, work: &F) -> Result<T, Failure>
    where
        F: for<'c> Fn(&'c mut PgConnection) -> BoxFuture<'c, Result<T, sqlx::Error>> + Sync,
    {
        let mut connection = self.pool.acquire().await.map_err(Failure::Reported)?;
        let failure = match timeout(limit, work(&mut connection)).await {
            Ok(Ok(value)) => return Ok(value),
            Ok(Err(error)) => Failure::Reported(error),
            Err(_) => Failure::NoAnswer,
        };
        let is_broken = match &failure {
            Failure::Reported(error) => is_connection_lost(error),
            Failure::NoAnswer => true,
        };
        if is_broken {
            connection.close_on_drop();
            *self
                .broken_at
                .lock()
                .unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        }
        Err(failure)
    }

    /// The pool tells only that there was none in time.
    async fn why_no_connection(&self) -> LedgerError {
        if self.options.get_socket().is_some() {
            return LedgerError::TimedOut;
        }
        let address = (self.options.get_host(), self.options.get_port());
        match timeout(self.connect_timeout, TcpStream::connect(address)).await {
            Ok(Ok(_)) => LedgerError::TimedOut,
            Ok(Err(error)) => LedgerError::Unreachable(error.to_string()),
            Err(_) => LedgerError::Unreachable("no answer in time".to_owned()),
        }
    }
}

enum Failure {
    Reported(sqlx::Error),
    NoAnswer,
}

fn is_doubtful(metadata: &PoolConnectionMetadata, broken_at: &Mutex<Option<Instant>>) -> bool {
    let broken_at = *broken_at.lock().unwrap_or_else(PoisonError::into_inner);
    let was_there = broken_at.is_some_and(|broken_at| broken_at.elapsed() < metadata.age);
    was_there || metadata.idle_for > TRUSTED_FOR
}
