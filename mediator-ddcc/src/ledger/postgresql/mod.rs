//! The ledger in a PostgreSQL database, which several processes share.
//!
//! Whoever accepts an event works on it; its row names the worker. A worker shows that it lives by
//! renewing a lease, a row of its own, so that events cost no write more. When the lease is over,
//! or a worker gives an event back, any other may claim it. The clock is the server's.

mod connections;
mod error;
mod settings;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{AssertSqlSafe, Row as _};
use tokio::sync::Mutex;
use uuid::Uuid;

use self::connections::Connections;
pub use self::settings::{PostgreSqlSettings, is_local};
use super::sqlite::SqliteLedger;
use super::stored_event::StoredEvent;
use super::{Event, EventKey, EventState, Ledger, LedgerError, key_hash, now};
use crate::event_identity::new_event_id;
use crate::migrations;

/// What is tested is newer than the first that has everything that is used.
const LEAST_VERSION: i32 = 13;
/// How long the tables may take to be made, or to be waited for while another process makes them.
const MIGRATION_TIME: Duration = Duration::from_secs(120);
/// Renewals of a lease before it is over.
const RENEWALS: u32 = 3;

/// Whether nobody else works on the event: `$1` is this worker.
const IS_FREE: &str = "document_id IS NULL AND (worker IS NULL OR worker = $1 OR NOT EXISTS \
     (SELECT FROM worker w WHERE w.id = event.worker AND w.alive_until > now()))";
const COLUMNS: &str = "event.id, event.content_hash, event.request, event.accepted_at, event.document_id, event.worker";

/// Keeps events in PostgreSQL. Clones share everything.
///
/// Nothing is connected to before the first use, which makes the tables; a server that is down
/// then, or later, is found again.
#[derive(Clone)]
pub struct PostgreSqlLedger(Arc<Inner>);

struct Inner {
    connections: Connections,
    worker: Uuid,
    lease: Duration,
    predecessor: Option<SqliteLedger>,
    is_prepared: AtomicBool,
    preparing: Mutex<Option<FailedPreparation>>,
}

/// What a server tells about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostgreSqlServer {
    /// Its version, for people.
    pub version: String,
    /// Its clock.
    pub time: DateTime<Utc>,
    /// Whether what it acknowledges is on its disk.
    pub is_durable: bool,
}

struct FailedPreparation {
    at: Instant,
    error: LedgerError,
}

impl PostgreSqlLedger {
    /// A ledger in this database, and this process as a worker on it.
    ///
    /// # Errors
    /// [`LedgerError::Failed`] when the settings cannot be.
    pub fn new(settings: &PostgreSqlSettings) -> Result<Self, LedgerError> {
        Self::build(settings, None)
    }

    /// The same, which takes over what `predecessor` holds, before anything else is done with it:
    /// what was accepted there is finished here, and what was issued there stays issued.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn in_place_of(
        predecessor: SqliteLedger,
        settings: &PostgreSqlSettings,
    ) -> Result<Self, LedgerError> {
        Self::build(settings, Some(predecessor))
    }

    fn build(
        settings: &PostgreSqlSettings,
        predecessor: Option<SqliteLedger>,
    ) -> Result<Self, LedgerError> {
        Ok(Self(Arc::new(Inner {
            connections: Connections::new(settings)?,
            worker: Uuid::new_v4(),
            lease: settings.lease,
            predecessor,
            is_prepared: AtomicBool::new(false),
            preparing: Mutex::new(None),
        })))
    }

    /// Connects, makes the tables where they are not there, and takes over what the predecessor
    /// holds; does nothing when that is done. Every method begins with it.
    ///
    /// # Errors
    /// What keeps the ledger from being used.
    pub async fn prepare(&self) -> Result<(), LedgerError> {
        let inner = &self.0;
        if inner.is_prepared.load(Ordering::Acquire) {
            return Ok(());
        }
        let asked_at = Instant::now();
        let mut failed = inner.preparing.lock().await;
        if inner.is_prepared.load(Ordering::Acquire) {
            return Ok(());
        }
        // Whoever waited for an attempt does not make one more, which would let the next wait.
        if let Some(failed) = failed.as_ref().filter(|failed| failed.at > asked_at) {
            return Err(failed.error.clone());
        }
        if let Err(error) = inner.prepare().await {
            *failed = Some(FailedPreparation {
                at: Instant::now(),
                error: error.clone(),
            });
            return Err(error);
        }
        tokio::spawn(stay_alive(Arc::downgrade(inner), inner.lease / RENEWALS));
        inner.is_prepared.store(true, Ordering::Release);
        Ok(())
    }

    /// Connects and asks the server what it is; makes nothing.
    ///
    /// # Errors
    /// What keeps the server from being used.
    pub async fn server(&self) -> Result<PostgreSqlServer, LedgerError> {
        self.0.server().await
    }

    async fn connections(&self) -> Result<&Connections, LedgerError> {
        self.prepare().await?;
        Ok(&self.0.connections)
    }
}

#[async_trait]
impl Ledger for PostgreSqlLedger {
    async fn accept(
        &self,
        key: &EventKey,
        content_hash: &str,
        request: &str,
    ) -> Result<(Event, bool), LedgerError> {
        let connections = self.connections().await?;
        let worker = self.0.worker;
        let new = Event {
            id: new_event_id(),
            key: key.clone(),
            content_hash: content_hash.to_owned(),
            request: request.to_owned(),
            accepted_at: now(),
            state: EventState::Accepted,
        };
        let row = Arc::new(StoredEvent {
            id: new.id,
            key_hash: key_hash(key),
            content_hash: content_hash.to_owned(),
            request: Some(request.to_owned()),
            accepted_at: new.accepted_at,
            document_id: None,
        });
        let known = connections
            .run(|connection| Box::pin(insert_or_claim(connection, Arc::clone(&row), worker)))
            .await?;
        match known {
            None => Ok((new, true)),
            Some(row) => {
                let known = read_event(&row, new.key, worker)?;
                // An insertion whose acknowledgement was lost, and that was repeated.
                let is_new = known.id == new.id;
                Ok((known, is_new))
            }
        }
    }

    async fn issued(&self, id: Uuid, document_id: &str) -> Result<(), LedgerError> {
        self.connections()
            .await?
            .run(|connection| {
                let query = sqlx::query(
                    "UPDATE event SET document_id = $2, request = NULL, worker = NULL WHERE id = $1",
                )
                .bind(id)
                .bind(document_id.to_owned());
                Box::pin(async move { query.execute(connection).await.map(drop) })
            })
            .await
    }

    async fn refused(&self, id: Uuid) -> Result<(), LedgerError> {
        self.connections()
            .await?
            .run(|connection| {
                let query =
                    sqlx::query("DELETE FROM event WHERE id = $1 AND document_id IS NULL").bind(id);
                Box::pin(async move { query.execute(connection).await.map(drop) })
            })
            .await
    }

    async fn released(&self, id: Uuid) -> Result<(), LedgerError> {
        let worker = self.0.worker;
        self.connections()
            .await?
            .run(|connection| {
                let query = sqlx::query(
                    "UPDATE event SET worker = NULL \
                     WHERE id = $1 AND worker = $2 AND document_id IS NULL",
                )
                .bind(id)
                .bind(worker);
                Box::pin(async move { query.execute(connection).await.map(drop) })
            })
            .await
    }

    async fn claim(&self, after: Option<&Event>, limit: u32) -> Result<Vec<Event>, LedgerError> {
        let worker = self.0.worker;
        let after = after.map_or((DateTime::UNIX_EPOCH, Uuid::nil()), |event| {
            (event.accepted_at, event.id)
        });
        let rows = self
            .connections()
            .await?
            .run(|connection| {
                let query = sqlx::query(AssertSqlSafe(format!(
                    "WITH free AS MATERIALIZED (SELECT id FROM event WHERE {IS_FREE} \
                        AND (accepted_at, id) > ($2, $3) \
                        ORDER BY accepted_at, id LIMIT $4 FOR UPDATE SKIP LOCKED) \
                     UPDATE event SET worker = $1 FROM free WHERE event.id = free.id \
                     RETURNING {COLUMNS}"
                )))
                .bind(worker)
                .bind(after.0)
                .bind(after.1)
                .bind(i64::from(limit));
                Box::pin(query.fetch_all(connection))
            })
            .await?;
        let mut events = read_events(&rows, worker)?;
        events.sort_by_key(|event| (event.accepted_at, event.id));
        Ok(events)
    }

    async fn unfinished(&self, limit: u32) -> Result<Vec<Event>, LedgerError> {
        let rows = self
            .connections()
            .await?
            .run(|connection| {
                let query = sqlx::query(AssertSqlSafe(format!(
                    "SELECT {COLUMNS} FROM event WHERE document_id IS NULL \
                     ORDER BY accepted_at, id LIMIT $1"
                )))
                .bind(i64::from(limit));
                Box::pin(query.fetch_all(connection))
            })
            .await?;
        read_events(&rows, self.0.worker)
    }
}

/// Inserts the event, or returns the one that is there, which is this worker's from now on when
/// it has the same content and nobody works on it.
async fn insert_or_claim(
    connection: &mut PgConnection,
    new: Arc<StoredEvent>,
    worker: Uuid,
) -> Result<Option<PgRow>, sqlx::Error> {
    loop {
        let inserted = sqlx::query(
            "INSERT INTO event (id, key_hash, content_hash, request, accepted_at, worker) \
             VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (key_hash) DO NOTHING",
        )
        .bind(new.id)
        .bind(&new.key_hash)
        .bind(&new.content_hash)
        .bind(&new.request)
        .bind(new.accepted_at)
        .bind(worker)
        .execute(&mut *connection)
        .await?;
        if inserted.rows_affected() == 1 {
            return Ok(None);
        }
        let claimed = sqlx::query(AssertSqlSafe(format!(
            "UPDATE event SET worker = $1 WHERE key_hash = $2 AND content_hash = $3 AND {IS_FREE} \
             RETURNING {COLUMNS}"
        )))
        .bind(worker)
        .bind(&new.key_hash)
        .bind(&new.content_hash)
        .fetch_optional(&mut *connection)
        .await?;
        if claimed.is_some() {
            return Ok(claimed);
        }
        let known = sqlx::query(AssertSqlSafe(format!(
            "SELECT {COLUMNS} FROM event WHERE key_hash = $1"
        )))
        .bind(&new.key_hash)
        .fetch_optional(&mut *connection)
        .await?;
        if known.is_some() {
            return Ok(known);
        }
        // It was refused in between, and is forgotten.
    }
}

impl Inner {
    async fn server(&self) -> Result<PostgreSqlServer, LedgerError> {
        let (number, server) = self
            .connections
            .run(|connection| Box::pin(ask_server(connection)))
            .await?;
        if number / 10_000 < LEAST_VERSION {
            return Err(LedgerError::TooOld {
                version: server.version,
                least: LEAST_VERSION,
            });
        }
        Ok(server)
    }

    async fn prepare(&self) -> Result<(), LedgerError> {
        let connections = &self.connections;
        if !self.server().await?.is_durable {
            tracing::warn!(
                "the ledger's database acknowledges what is not on its disk yet (fsync or synchronous_commit is off): a power cut loses accepted events"
            );
        }
        connections
            .run_for(MIGRATION_TIME, |connection| {
                Box::pin(async move {
                    // Another process may be making them.
                    let wait = format!("SET statement_timeout = {}", MIGRATION_TIME.as_millis());
                    sqlx::raw_sql(AssertSqlSafe(wait))
                        .execute(&mut *connection)
                        .await?;
                    let made = migrations::POSTGRESQL
                        .run_direct(None, connection, false)
                        .await;
                    sqlx::raw_sql("RESET statement_timeout")
                        .execute(connection)
                        .await?;
                    made.map_err(|error| sqlx::Error::Migrate(Box::new(error)))
                })
            })
            .await?;
        self.renew().await?;
        connections
            .run(|connection| {
                Box::pin(async move {
                    sqlx::query("DELETE FROM worker WHERE alive_until < now() - interval '1 hour'")
                        .execute(connection)
                        .await
                        .map(drop)
                })
            })
            .await?;
        self.take_over().await
    }

    async fn renew(&self) -> Result<(), LedgerError> {
        let (worker, lease) = (self.worker, self.lease.as_secs_f64());
        self.connections
            .run(|connection| {
                let query = sqlx::query(
                    "INSERT INTO worker (id, alive_until) \
                     VALUES ($1, now() + make_interval(secs => $2)) \
                     ON CONFLICT (id) DO UPDATE SET alive_until = EXCLUDED.alive_until",
                )
                .bind(worker)
                .bind(lease);
                Box::pin(async move { query.execute(connection).await.map(drop) })
            })
            .await
    }

    /// A batch is deleted there when it is here for good.
    async fn take_over(&self) -> Result<(), LedgerError> {
        const AT_ONCE: u32 = 1000;
        let Some(predecessor) = &self.predecessor else {
            return Ok(());
        };
        let mut moved = 0;
        loop {
            let events = Arc::new(predecessor.stored(AT_ONCE).await?);
            if events.is_empty() {
                break;
            }
            self.connections
                .run(|connection| Box::pin(insert_all(connection, Arc::clone(&events))))
                .await?;
            moved += events.len();
            let ids = events.iter().map(|event| event.id).collect();
            predecessor.forget(ids).await?;
        }
        if moved > 0 {
            tracing::info!(
                moved,
                "moved the events of the embedded ledger to PostgreSQL"
            );
        }
        Ok(())
    }
}

/// What the server is, and the number of its version.
async fn ask_server(connection: &mut PgConnection) -> Result<(i32, PostgreSqlServer), sqlx::Error> {
    let row = sqlx::query(
        "SELECT current_setting('server_version_num')::int AS number, \
            current_setting('server_version') AS version, clock_timestamp() AS time, \
            current_setting('fsync') = 'on' \
                AND current_setting('synchronous_commit') <> 'off' AS is_durable",
    )
    .fetch_one(connection)
    .await?;
    let server = PostgreSqlServer {
        version: row.try_get("version")?,
        time: row.try_get("time")?,
        is_durable: row.try_get("is_durable")?,
    };
    Ok((row.try_get("number")?, server))
}

/// Inserts the events that are not there.
async fn insert_all(
    connection: &mut PgConnection,
    events: Arc<Vec<StoredEvent>>,
) -> Result<(), sqlx::Error> {
    fn column<T>(events: &[StoredEvent], of: impl Fn(&StoredEvent) -> T) -> Vec<T> {
        events.iter().map(of).collect()
    }
    sqlx::query(
        "INSERT INTO event (id, key_hash, content_hash, request, accepted_at, document_id) \
         SELECT * FROM UNNEST($1::uuid[], $2::text[], $3::text[], $4::text[], \
            $5::timestamptz[], $6::text[]) \
         ON CONFLICT DO NOTHING",
    )
    .bind(column(&events, |event| event.id))
    .bind(column(&events, |event| event.key_hash.clone()))
    .bind(column(&events, |event| event.content_hash.clone()))
    .bind(column(&events, |event| event.request.clone()))
    .bind(column(&events, |event| event.accepted_at))
    .bind(column(&events, |event| event.document_id.clone()))
    .execute(connection)
    .await
    .map(drop)
}

/// Renews the lease until the ledger is dropped.
async fn stay_alive(ledger: Weak<Inner>, period: Duration) {
    let mut is_renewed = true;
    loop {
        tokio::time::sleep(period).await;
        let Some(ledger) = ledger.upgrade() else {
            return;
        };
        match ledger.renew().await {
            Ok(()) => {
                if !is_renewed {
                    tracing::info!("the ledger's database is there again");
                }
                is_renewed = true;
            }
            Err(error) => {
                if is_renewed {
                    tracing::error!("{error}");
                }
                is_renewed = false;
            }
        }
    }
}

fn read_events(rows: &[PgRow], worker: Uuid) -> Result<Vec<Event>, LedgerError> {
    rows.iter()
        // The key itself is not kept; it is made of the request again when needed.
        .map(|row| read_event(row, EventKey(String::new()), worker))
        .collect()
}

fn read_event(row: &PgRow, key: EventKey, worker: Uuid) -> Result<Event, LedgerError> {
    let broken = |what: &str| LedgerError::Failed(format!("an event's {what} is unreadable"));
    let read = |column: &'static str| move |_| broken(column);
    let request: Option<String> = row.try_get("request").map_err(read("request"))?;
    let document_id: Option<String> = row.try_get("document_id").map_err(read("document_id"))?;
    let working: Option<Uuid> = row.try_get("worker").map_err(read("worker"))?;
    let accepted_at: DateTime<Utc> = row.try_get("accepted_at").map_err(read("accepted_at"))?;
    Ok(Event {
        id: row.try_get("id").map_err(read("id"))?,
        key,
        content_hash: row.try_get("content_hash").map_err(read("content_hash"))?,
        request: request.unwrap_or_default(),
        accepted_at,
        state: match document_id {
            Some(document_id) => EventState::Issued { document_id },
            None if working.is_some_and(|working| working != worker) => EventState::InWorkElsewhere,
            None => EventState::Accepted,
        },
    })
}
