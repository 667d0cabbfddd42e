//! The ledger in the embedded database.

mod presence;

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use chrono::{DateTime, SecondsFormat, Utc};
use rusqlite::{Connection, Row, params};
use serde_json::Value;
use uuid::Uuid;

use self::presence::Presence;
use super::stored_event::StoredEvent;
use super::{Event, EventKey, EventState, Ledger, LedgerError, key_hash, now};
use crate::database::{Database, DatabaseError};
use crate::event_identity::new_event_id;

/// Keeps events in a [`Database`]. The request of an issued event is dropped: the repository has
/// it, and personal data is kept in one place only.
///
/// Processes on one database see from the lock of a file beside it whether the other that has an
/// event in work is still there.
#[derive(Clone)]
pub struct SqliteLedger {
    database: Database,
    /// Of this process, from the first event on.
    presence: Arc<Mutex<Option<Arc<Presence>>>>,
}

impl SqliteLedger {
    /// A ledger in this database.
    #[must_use]
    pub fn new(database: Database) -> Self {
        Self {
            database,
            presence: Arc::default(),
        }
    }

    fn presence(&self) -> Result<Arc<Presence>, LedgerError> {
        let mut presence = self.presence.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(presence) = presence.as_ref() {
            return Ok(Arc::clone(presence));
        }
        let begun = Presence::begin(self.database.path()).map_err(|error| {
            LedgerError::Unavailable(format!("no file can be made beside its database: {error}"))
        })?;
        Ok(Arc::clone(presence.insert(Arc::new(begun))))
    }

    /// Events in whatever state, to be moved.
    pub(super) async fn stored(&self, limit: u32) -> Result<Vec<StoredEvent>, LedgerError> {
        let rows = self.rows(move |connection| {
            let sql = format!("SELECT {COLUMNS} FROM event LIMIT ?");
            EventRow::all(connection, &sql, [limit])
        });
        rows.await?
            .into_iter()
            .map(|row| {
                let (key_hash, document_id) = (row.key_hash.clone(), row.document_id.clone());
                let request = row.request.clone();
                let event = row.into_event(EventKey(String::new()), None)?;
                Ok(StoredEvent {
                    id: event.id,
                    key_hash,
                    content_hash: event.content_hash,
                    request,
                    accepted_at: event.accepted_at,
                    document_id,
                })
            })
            .collect()
    }

    /// Deletes events that were moved.
    pub(super) async fn forget(&self, ids: Vec<Uuid>) -> Result<(), LedgerError> {
        self.database
            .write(move |connection| {
                let mut delete = connection
                    .prepare_cached("DELETE FROM event WHERE id = ?")
                    .map_err(DatabaseError::from)?;
                for id in &ids {
                    delete
                        .execute([id.to_string()])
                        .map_err(DatabaseError::from)?;
                }
                Ok(())
            })
            .await
    }

    /// Reads after everything that was written before.
    async fn rows(
        &self,
        read: impl Fn(&Connection) -> Result<Vec<EventRow>, rusqlite::Error> + Send + 'static,
    ) -> Result<Vec<EventRow>, LedgerError> {
        self.database
            .write(move |connection| Ok(read(connection).map_err(DatabaseError::from)?))
            .await
    }

    /// Runs one statement about the event.
    async fn change(
        &self,
        id: Uuid,
        statement: &'static str,
        value: Option<String>,
    ) -> Result<(), LedgerError> {
        let job = change(id, statement, value);
        Ok(self.database.write(job).await?)
    }
}

/// One statement about an event.
fn change(
    id: Uuid,
    statement: &'static str,
    value: Option<String>,
) -> impl Fn(&Connection) -> Result<(), DatabaseError> + Send + 'static {
    let id = id.to_string();
    move |connection| {
        let mut statement = connection.prepare_cached(statement)?;
        statement.execute(params![id, value])?;
        Ok(())
    }
}

const COLUMNS: &str = "id, key_hash, content_hash, request, accepted_at, document_id, worker";

#[async_trait]
impl Ledger for SqliteLedger {
    async fn accept(
        &self,
        key: &EventKey,
        content_hash: &str,
        request: &str,
    ) -> Result<(Event, bool), LedgerError> {
        let presence = self.presence()?;
        let worker = presence.id();
        let new = Event {
            id: new_event_id(),
            key: key.clone(),
            content_hash: content_hash.to_owned(),
            request: request.to_owned(),
            accepted_at: now(),
            state: EventState::Accepted,
        };
        let row = NewRow {
            id: new.id.to_string(),
            key_hash: key_hash(key),
            content_hash: content_hash.to_owned(),
            request: request.to_owned(),
            accepted_at: to_text(new.accepted_at),
        };
        let known = self
            .database
            .write(move |connection| insert_or_claim(connection, &row, &presence))
            .await?;
        match known {
            None => Ok((new, true)),
            Some((row, is_free)) => {
                let mut known = row.into_event(new.key, Some(worker))?;
                if is_free && known.state == EventState::InWorkElsewhere {
                    known.state = EventState::Accepted;
                }
                Ok((known, false))
            }
        }
    }

    async fn issued(&self, id: Uuid, document_id: &str) -> Result<(), LedgerError> {
        let statement =
            "UPDATE event SET document_id = ?2, request = NULL, worker = NULL WHERE id = ?1";
        // The document is stored already: after a crash it is found, and this done again.
        let job = change(id, statement, Some(document_id.to_owned()));
        let done = move |result: Result<(), DatabaseError>| {
            if let Err(error) = result {
                tracing::warn!(event = %id, "an issued event is issued again at the next start: {error}");
            }
        };
        Ok(self.database.write_later(job, done).await?)
    }

    async fn refused(&self, id: Uuid) -> Result<(), LedgerError> {
        let statement = "DELETE FROM event WHERE id = ?1 AND document_id IS NULL AND ?2 IS NULL";
        self.change(id, statement, None).await
    }

    async fn released(&self, id: Uuid) -> Result<(), LedgerError> {
        let worker = self.presence()?.id().to_string();
        let statement = "UPDATE event SET worker = NULL WHERE id = ?1 AND worker = ?2";
        self.change(id, statement, Some(worker)).await
    }

    async fn claim(&self, after: Option<&Event>, limit: u32) -> Result<Vec<Event>, LedgerError> {
        let presence = self.presence()?;
        let worker = presence.id();
        let after = after.map(|event| (to_text(event.accepted_at), event.id.to_string()));
        let after = after.unwrap_or_default();
        let rows = self.rows(move |connection| claim(connection, &after, limit, &presence));
        rows.await?
            .into_iter()
            .map(|row| row.into_event(EventKey(String::new()), Some(worker)))
            .collect()
    }

    async fn unfinished(&self, limit: u32) -> Result<Vec<Event>, LedgerError> {
        let worker = self.presence()?.id();
        let rows = self.rows(move |connection| {
            let sql = format!(
                "SELECT {COLUMNS} FROM event WHERE document_id IS NULL ORDER BY accepted_at, id LIMIT ?"
            );
            EventRow::all(connection, &sql, [limit])
        });
        rows.await?
            .into_iter()
            // The key itself is not kept; it is made of the request again when needed.
            .map(|row| row.into_event(EventKey(String::new()), Some(worker)))
            .collect()
    }
}

/// An event that is accepted unless it is known.
struct NewRow {
    id: String,
    key_hash: String,
    content_hash: String,
    request: String,
    accepted_at: String,
}

/// Inserts the event, or returns the one that is there, and whether nobody else works on it: then
/// it is this process's from now on, when it has the same content.
fn insert_or_claim(
    connection: &Connection,
    new: &NewRow,
    presence: &Presence,
) -> Result<Option<(EventRow, bool)>, LedgerError> {
    insert_or_find(connection, new, presence).map_err(|error| DatabaseError::from(error).into())
}

fn insert_or_find(
    connection: &Connection,
    new: &NewRow,
    presence: &Presence,
) -> Result<Option<(EventRow, bool)>, rusqlite::Error> {
    let worker = presence.id().to_string();
    let mut insert = connection.prepare_cached(
        "INSERT INTO event (id, key_hash, content_hash, request, accepted_at, worker) \
         VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (key_hash) DO NOTHING",
    )?;
    let inserted = insert.execute(params![
        new.id,
        new.key_hash,
        new.content_hash,
        new.request,
        new.accepted_at,
        worker
    ])?;
    if inserted == 1 {
        return Ok(None);
    }
    let sql = format!("SELECT {COLUMNS} FROM event WHERE key_hash = ?");
    let row = connection.query_one(&sql, [&new.key_hash], EventRow::of)?;
    let is_free = presence.is_free(row.worker.clone());
    if is_free {
        connection.execute(
            "UPDATE event SET worker = ? \
             WHERE key_hash = ? AND content_hash = ? AND document_id IS NULL",
            [&worker, &new.key_hash, &new.content_hash],
        )?;
    }
    Ok(Some((row, is_free)))
}

/// Nobody else writes meanwhile: this is the one writing transaction.
fn claim(
    connection: &Connection,
    (accepted_at, id): &(String, String),
    limit: u32,
    presence: &Presence,
) -> Result<Vec<EventRow>, rusqlite::Error> {
    let workers: Vec<Option<String>> = connection
        .prepare("SELECT DISTINCT worker FROM event WHERE document_id IS NULL")?
        .query_map([], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    let alive: Vec<String> = workers
        .into_iter()
        .flatten()
        .filter(|worker| !presence.is_free(Some(worker.clone())))
        .collect();
    let alive = Value::from(alive).to_string();
    let sql = format!(
        "UPDATE event SET worker = ?1 WHERE id IN (SELECT id FROM event \
            WHERE document_id IS NULL AND (accepted_at, id) > (?2, ?3) \
                AND coalesce(worker, '') NOT IN (SELECT value FROM json_each(?4)) \
            ORDER BY accepted_at, id LIMIT ?5) \
         RETURNING {COLUMNS}"
    );
    let worker = presence.id().to_string();
    let values = params![worker, accepted_at, id, alive, limit];
    let mut claimed = EventRow::all(connection, &sql, values)?;
    claimed.sort_by(|one, other| (&one.accepted_at, &one.id).cmp(&(&other.accepted_at, &other.id)));
    Ok(claimed)
}

impl From<DatabaseError> for LedgerError {
    fn from(error: DatabaseError) -> Self {
        Self::Unavailable(error.to_string())
    }
}

fn broken(what: &str) -> LedgerError {
    LedgerError::Unavailable(format!("an event's {what} is unreadable"))
}

/// A row of [`COLUMNS`].
struct EventRow {
    id: String,
    key_hash: String,
    content_hash: String,
    request: Option<String>,
    accepted_at: String,
    document_id: Option<String>,
    worker: Option<String>,
}

impl EventRow {
    fn of(row: &Row<'_>) -> Result<Self, rusqlite::Error> {
        Ok(Self {
            id: row.get(0)?,
            key_hash: row.get(1)?,
            content_hash: row.get(2)?,
            request: row.get(3)?,
            accepted_at: row.get(4)?,
            document_id: row.get(5)?,
            worker: row.get(6)?,
        })
    }

    fn all(
        connection: &Connection,
        sql: &str,
        values: impl rusqlite::Params,
    ) -> Result<Vec<Self>, rusqlite::Error> {
        connection
            .prepare(sql)?
            .query_map(values, Self::of)?
            .collect()
    }

    /// The event; as seen by this worker, when it is one that asks.
    fn into_event(self, key: EventKey, worker: Option<Uuid>) -> Result<Event, LedgerError> {
        let is_elsewhere = match (&self.worker, worker) {
            (Some(working), Some(worker)) => *working != worker.to_string(),
            _ => false,
        };
        Ok(Event {
            id: Uuid::parse_str(&self.id).map_err(|_| broken("id"))?,
            key,
            content_hash: self.content_hash,
            request: self.request.unwrap_or_default(),
            accepted_at: self
                .accepted_at
                .parse()
                .map_err(|_| broken("accepted_at"))?,
            state: match self.document_id {
                Some(document_id) => EventState::Issued { document_id },
                None if is_elsewhere => EventState::InWorkElsewhere,
                None => EventState::Accepted,
            },
        })
    }
}

fn to_text(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}
