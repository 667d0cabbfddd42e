//! The ledger in the embedded database.

mod presence;

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::Value;
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{AssertSqlSafe, Row as _};
use uuid::Uuid;

use self::presence::Presence;
use super::stored_event::StoredEvent;
use super::{Event, EventKey, EventState, Ledger, LedgerError, key_hash, now};
use crate::database::{Database, DatabaseError};
use crate::event_identity::new_event_id;
use crate::json_text::json_text;

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
        let options = self.database.readers().connect_options();
        let begun = Presence::begin(options.get_filename()).map_err(|error| {
            LedgerError::Unavailable(format!("no file can be made beside its database: {error}"))
        })?;
        Ok(Arc::clone(presence.insert(Arc::new(begun))))
    }

    /// Events in whatever state, to be moved.
    pub(super) async fn stored(&self, limit: u32) -> Result<Vec<StoredEvent>, LedgerError> {
        let rows = sqlx::query(
            "SELECT id, key_hash, content_hash, request, accepted_at, document_id FROM event LIMIT ?",
        )
        .bind(limit)
        .fetch_all(self.database.readers())
        .await
        .map_err(DatabaseError::from)?;
        rows.iter()
            .map(|row| {
                let event = read_event(row, EventKey(String::new()), None)?;
                Ok(StoredEvent {
                    id: event.id,
                    key_hash: column(row, "key_hash")?,
                    content_hash: event.content_hash,
                    request: column(row, "request")?,
                    accepted_at: event.accepted_at,
                    document_id: column(row, "document_id")?,
                })
            })
            .collect()
    }

    /// Deletes events that were moved.
    pub(super) async fn forget(&self, ids: Vec<Uuid>) -> Result<(), LedgerError> {
        self.database
            .write(move |connection| {
                let ids = ids.clone();
                Box::pin(async move {
                    for id in ids {
                        sqlx::query("DELETE FROM event WHERE id = ?")
                            .bind(id.to_string())
                            .execute(&mut *connection)
                            .await
                            .map_err(DatabaseError::from)?;
                    }
                    Ok(())
                })
            })
            .await
    }

    /// Runs one statement about the event.
    async fn change(
        &self,
        id: Uuid,
        statement: &'static str,
        value: Option<String>,
    ) -> Result<(), LedgerError> {
        self.database
            .write(move |connection| {
                let query = sqlx::query(statement)
                    .bind(id.to_string())
                    .bind(value.clone());
                Box::pin(async move {
                    query
                        .execute(connection)
                        .await
                        .map_err(DatabaseError::from)?;
                    Ok(())
                })
            })
            .await
    }
}

const COLUMNS: &str = "id, content_hash, request, accepted_at, document_id, worker";

#[async_trait]
impl Ledger for SqliteLedger {
    async fn accept(
        &self,
        key: &EventKey,
        content_hash: &str,
        request: &Value,
    ) -> Result<(Event, bool), LedgerError> {
        let presence = self.presence()?;
        let worker = presence.id();
        let new = Event {
            id: new_event_id(),
            key: key.clone(),
            content_hash: content_hash.to_owned(),
            request: request.clone(),
            accepted_at: now(),
            state: EventState::Accepted,
        };
        let row = Arc::new(NewRow {
            id: new.id.to_string(),
            key_hash: key_hash(key),
            content_hash: content_hash.to_owned(),
            request: json_text(request),
            accepted_at: to_text(new.accepted_at),
        });
        let known = self
            .database
            .write(move |connection| {
                let (row, presence) = (Arc::clone(&row), Arc::clone(&presence));
                Box::pin(insert_or_claim(connection, row, presence))
            })
            .await?;
        match known {
            None => Ok((new, true)),
            Some((row, is_free)) => {
                let mut known = read_event(&row, new.key, Some(worker))?;
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
        self.change(id, statement, Some(document_id.to_owned()))
            .await
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
        let after = Arc::new(after.unwrap_or_default());
        let rows = self
            .database
            .write(move |connection| {
                let (after, presence) = (Arc::clone(&after), Arc::clone(&presence));
                Box::pin(claim(connection, after, limit, presence))
            })
            .await?;
        rows.iter()
            .map(|row| read_event(row, EventKey(String::new()), Some(worker)))
            .collect()
    }

    async fn unfinished(&self, limit: u32) -> Result<Vec<Event>, LedgerError> {
        let worker = self.presence()?.id();
        let rows = sqlx::query(AssertSqlSafe(format!(
            "SELECT {COLUMNS} FROM event WHERE document_id IS NULL ORDER BY accepted_at, id LIMIT ?"
        )))
        .bind(limit)
        .fetch_all(self.database.readers())
        .await
        .map_err(DatabaseError::from)?;
        rows.iter()
            // The key itself is not kept; it is made of the request again when needed.
            .map(|row| read_event(row, EventKey(String::new()), Some(worker)))
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
async fn insert_or_claim(
    connection: &mut SqliteConnection,
    new: Arc<NewRow>,
    presence: Arc<Presence>,
) -> Result<Option<(SqliteRow, bool)>, DatabaseError> {
    let inserted = sqlx::query(
        "INSERT INTO event (id, key_hash, content_hash, request, accepted_at, worker) \
         VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (key_hash) DO NOTHING",
    )
    .bind(&new.id)
    .bind(&new.key_hash)
    .bind(&new.content_hash)
    .bind(&new.request)
    .bind(&new.accepted_at)
    .bind(presence.id().to_string())
    .execute(&mut *connection)
    .await?;
    if inserted.rows_affected() == 1 {
        return Ok(None);
    }
    let row = sqlx::query(AssertSqlSafe(format!(
        "SELECT {COLUMNS} FROM event WHERE key_hash = ?"
    )))
    .bind(&new.key_hash)
    .fetch_one(&mut *connection)
    .await?;
    let is_free = presence.is_free(row.try_get("worker")?);
    if is_free {
        sqlx::query(
            "UPDATE event SET worker = ? \
             WHERE key_hash = ? AND content_hash = ? AND document_id IS NULL",
        )
        .bind(presence.id().to_string())
        .bind(&new.key_hash)
        .bind(&new.content_hash)
        .execute(connection)
        .await?;
    }
    Ok(Some((row, is_free)))
}

/// Nobody else writes meanwhile: this is the one writing transaction.
async fn claim(
    connection: &mut SqliteConnection,
    after: Arc<(String, String)>,
    limit: u32,
    presence: Arc<Presence>,
) -> Result<Vec<SqliteRow>, DatabaseError> {
    let workers: Vec<Option<String>> =
        sqlx::query_scalar("SELECT DISTINCT worker FROM event WHERE document_id IS NULL")
            .fetch_all(&mut *connection)
            .await?;
    let alive: Vec<String> = workers
        .into_iter()
        .flatten()
        .filter(|worker| !presence.is_free(Some(worker.clone())))
        .collect();
    let alive = serde_json::Value::from(alive).to_string();
    let claimed = sqlx::query(AssertSqlSafe(format!(
        "UPDATE event SET worker = ?1 WHERE id IN (SELECT id FROM event \
            WHERE document_id IS NULL AND (accepted_at, id) > (?2, ?3) \
                AND coalesce(worker, '') NOT IN (SELECT value FROM json_each(?4)) \
            ORDER BY accepted_at, id LIMIT ?5) \
         RETURNING {COLUMNS}"
    )))
    .bind(presence.id().to_string())
    .bind(&after.0)
    .bind(&after.1)
    .bind(alive)
    .bind(limit)
    .fetch_all(connection)
    .await?;
    let mut claimed: Vec<(String, String, SqliteRow)> = claimed
        .into_iter()
        .map(|row| Ok((row.try_get("accepted_at")?, row.try_get("id")?, row)))
        .collect::<Result<_, sqlx::Error>>()?;
    claimed.sort_by(|one, other| (&one.0, &one.1).cmp(&(&other.0, &other.1)));
    Ok(claimed.into_iter().map(|(.., row)| row).collect())
}

impl From<DatabaseError> for LedgerError {
    fn from(error: DatabaseError) -> Self {
        Self::Unavailable(error.to_string())
    }
}

fn broken(what: &str) -> LedgerError {
    LedgerError::Unavailable(format!("an event's {what} is unreadable"))
}

fn column<'r, T>(row: &'r SqliteRow, name: &str) -> Result<T, LedgerError>
where
    T: sqlx::Decode<'r, sqlx::Sqlite> + sqlx::Type<sqlx::Sqlite>,
{
    row.try_get(name).map_err(|_| broken(name))
}

fn read_event(row: &SqliteRow, key: EventKey, worker: Option<Uuid>) -> Result<Event, LedgerError> {
    let id: String = column(row, "id")?;
    let request: Option<String> = column(row, "request")?;
    let accepted_at: String = column(row, "accepted_at")?;
    let document_id: Option<String> = column(row, "document_id")?;
    let is_elsewhere = || -> Result<bool, LedgerError> {
        let Some(worker) = worker else {
            return Ok(false);
        };
        let working: Option<String> = column(row, "worker")?;
        Ok(working.is_some_and(|working| working != worker.to_string()))
    };
    Ok(Event {
        id: Uuid::parse_str(&id).map_err(|_| broken("id"))?,
        key,
        content_hash: column(row, "content_hash")?,
        request: match request {
            Some(request) => serde_json::from_str(&request).map_err(|_| broken("request"))?,
            None => Value::Null,
        },
        accepted_at: accepted_at.parse().map_err(|_| broken("accepted_at"))?,
        state: match document_id {
            Some(document_id) => EventState::Issued { document_id },
            None if is_elsewhere()? => EventState::InWorkElsewhere,
            None => EventState::Accepted,
        },
    })
}

fn to_text(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}
