//! The ledger in the embedded database.

use std::sync::Arc;

use async_trait::async_trait;
use aws_lc_rs::digest::{SHA256, digest};
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::Value;
use sqlx::Row as _;
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use uuid::Uuid;

use super::{Event, EventKey, EventState, Ledger, LedgerError};
use crate::database::{Database, DatabaseError};

/// Keeps events in a [`Database`]. The request of an issued event is dropped: the repository has
/// it, and personal data is kept in one place only.
#[derive(Clone)]
pub struct SqliteLedger {
    database: Database,
}

impl SqliteLedger {
    /// A ledger in this database.
    #[must_use]
    pub fn new(database: Database) -> Self {
        Self { database }
    }
}

const COLUMNS: &str = "id, content_hash, request, accepted_at, document_id";

#[async_trait]
impl Ledger for SqliteLedger {
    async fn accept(
        &self,
        key: &EventKey,
        content_hash: &str,
        request: &Value,
    ) -> Result<(Event, bool), LedgerError> {
        let new = Event {
            id: Uuid::new_v4(),
            key: key.clone(),
            content_hash: content_hash.to_owned(),
            request: request.clone(),
            accepted_at: now(),
            state: EventState::Accepted,
        };
        let row = Arc::new(NewRow {
            id: new.id.to_string(),
            key_hash: hash(key),
            content_hash: content_hash.to_owned(),
            request: request.to_string(),
            accepted_at: to_text(new.accepted_at),
        });
        let known = self
            .database
            .write(move |connection| Box::pin(insert(connection, Arc::clone(&row))))
            .await?;
        match known {
            None => Ok((new, true)),
            Some(row) => Ok((read_event(&row, new.key)?, false)),
        }
    }

    async fn issued(&self, id: Uuid, document_id: &str) -> Result<(), LedgerError> {
        let document_id = document_id.to_owned();
        self.database
            .write(move |connection| {
                let query =
                    sqlx::query("UPDATE event SET document_id = ?, request = NULL WHERE id = ?")
                        .bind(document_id.clone())
                        .bind(id.to_string());
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

    async fn refused(&self, id: Uuid) -> Result<(), LedgerError> {
        self.database
            .write(move |connection| {
                Box::pin(async move {
                    sqlx::query("DELETE FROM event WHERE id = ? AND document_id IS NULL")
                        .bind(id.to_string())
                        .execute(connection)
                        .await
                        .map_err(DatabaseError::from)?;
                    Ok(())
                })
            })
            .await
    }

    async fn unfinished(&self, limit: u32) -> Result<Vec<Event>, LedgerError> {
        let rows = sqlx::query(sqlx::AssertSqlSafe(format!(
            "SELECT {COLUMNS} FROM event WHERE document_id IS NULL ORDER BY accepted_at, id LIMIT ?"
        )))
        .bind(limit)
        .fetch_all(self.database.readers())
        .await
        .map_err(DatabaseError::from)?;
        rows.iter()
            // The key itself is not kept; it is made of the request again when needed.
            .map(|row| read_event(row, EventKey(String::new())))
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

/// Inserts the event, or returns the one that is there.
async fn insert(
    connection: &mut SqliteConnection,
    new: Arc<NewRow>,
) -> Result<Option<SqliteRow>, DatabaseError> {
    let inserted = sqlx::query(
        "INSERT INTO event (id, key_hash, content_hash, request, accepted_at) \
         VALUES (?, ?, ?, ?, ?) ON CONFLICT (key_hash) DO NOTHING",
    )
    .bind(&new.id)
    .bind(&new.key_hash)
    .bind(&new.content_hash)
    .bind(&new.request)
    .bind(&new.accepted_at)
    .execute(&mut *connection)
    .await?;
    if inserted.rows_affected() == 1 {
        return Ok(None);
    }
    let row = sqlx::query(sqlx::AssertSqlSafe(format!(
        "SELECT {COLUMNS} FROM event WHERE key_hash = ?"
    )))
    .bind(&new.key_hash)
    .fetch_one(connection)
    .await?;
    Ok(Some(row))
}

impl From<DatabaseError> for LedgerError {
    fn from(error: DatabaseError) -> Self {
        Self::Unavailable(error.to_string())
    }
}

fn read_event(row: &SqliteRow, key: EventKey) -> Result<Event, LedgerError> {
    let broken = |what: &str| LedgerError::Unavailable(format!("an event's {what} is unreadable"));
    let text = |column: &str| row.try_get::<String, _>(column).map_err(|_| broken(column));
    let optional = |column: &str| {
        row.try_get::<Option<String>, _>(column)
            .map_err(|_| broken(column))
    };
    Ok(Event {
        id: Uuid::parse_str(&text("id")?).map_err(|_| broken("id"))?,
        key,
        content_hash: text("content_hash")?,
        request: match optional("request")? {
            Some(request) => serde_json::from_str(&request).map_err(|_| broken("request"))?,
            None => Value::Null,
        },
        accepted_at: text("accepted_at")?
            .parse()
            .map_err(|_| broken("accepted_at"))?,
        state: match optional("document_id")? {
            Some(document_id) => EventState::Issued { document_id },
            None => EventState::Accepted,
        },
    })
}

fn hash(key: &EventKey) -> String {
    digest(&SHA256, key.0.as_bytes())
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// Milliseconds: what is stored and what is returned at once are the same.
fn now() -> DateTime<Utc> {
    let now = Utc::now();
    DateTime::from_timestamp_millis(now.timestamp_millis()).unwrap_or(now)
}

fn to_text(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use serde_json::json;
    use tempfile::TempDir;

    use super::*;

    async fn ledger(folder: &TempDir) -> SqliteLedger {
        let path = folder.path().join("ddcc.sqlite");
        SqliteLedger::new(Database::open(&path).await.unwrap())
    }

    fn key(text: &str) -> EventKey {
        EventKey(text.to_owned())
    }

    #[tokio::test]
    async fn an_event_is_accepted_once() {
        let folder = TempDir::new().unwrap();
        let ledger = ledger(&folder).await;
        let (first, new) = ledger
            .accept(&key("a"), "h", &json!({"b": 1, "a": 2}))
            .await
            .unwrap();
        assert!(new);
        let (again, new) = ledger.accept(&key("a"), "other", &json!({})).await.unwrap();
        assert!(!new);
        assert_eq!(again, first);
        let (_, new) = ledger.accept(&key("b"), "h", &json!({})).await.unwrap();
        assert!(new);
    }

    #[tokio::test]
    async fn of_many_at_once_one_is_new() {
        let folder = TempDir::new().unwrap();
        let ledger = ledger(&folder).await;
        let tasks = (0..32).map(|_| {
            let ledger = ledger.clone();
            tokio::spawn(async move { ledger.accept(&key("a"), "h", &json!({})).await.unwrap() })
        });
        let results: Vec<(Event, bool)> = futures::future::try_join_all(tasks).await.unwrap();
        assert_eq!(results.iter().filter(|(_, new)| *new).count(), 1);
        assert!(results.iter().all(|(event, _)| event.id == results[0].0.id));
    }

    #[tokio::test]
    async fn an_issued_event_is_finished_and_keeps_no_request() {
        let folder = TempDir::new().unwrap();
        let ledger = ledger(&folder).await;
        let (first, _) = ledger
            .accept(&key("a"), "h", &json!({"name": "x"}))
            .await
            .unwrap();
        let (second, _) = ledger.accept(&key("b"), "h", &json!({})).await.unwrap();
        ledger.issued(first.id, "document").await.unwrap();
        ledger.issued(first.id, "document").await.unwrap();
        let unfinished = ledger.unfinished(10).await.unwrap();
        assert_eq!(unfinished.len(), 1);
        assert_eq!(unfinished[0].id, second.id);
        let (again, _) = ledger.accept(&key("a"), "h", &json!({})).await.unwrap();
        assert_eq!(again.request, Value::Null);
        assert_eq!(
            again.state,
            EventState::Issued {
                document_id: "document".to_owned()
            }
        );
    }

    #[tokio::test]
    async fn a_refused_event_is_forgotten_unless_issued() {
        let folder = TempDir::new().unwrap();
        let ledger = ledger(&folder).await;
        let (event, _) = ledger.accept(&key("a"), "h", &json!({})).await.unwrap();
        ledger.refused(event.id).await.unwrap();
        let (event, new) = ledger.accept(&key("a"), "h", &json!({})).await.unwrap();
        assert!(new);
        ledger.issued(event.id, "document").await.unwrap();
        ledger.refused(event.id).await.unwrap();
        assert!(!ledger.accept(&key("a"), "h", &json!({})).await.unwrap().1);
    }

    #[tokio::test]
    async fn unfinished_events_survive_a_restart_oldest_first() {
        let folder = TempDir::new().unwrap();
        let before = ledger(&folder).await;
        for name in ["a", "b", "c"] {
            before
                .accept(&key(name), "h", &json!({"n": name}))
                .await
                .unwrap();
            tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        }
        std::mem::forget(before);
        let after = ledger(&folder).await;
        let names: Vec<Value> = after
            .unfinished(2)
            .await
            .unwrap()
            .into_iter()
            .map(|event| event.request["n"].clone())
            .collect();
        assert_eq!(names, [json!("a"), json!("b")]);
    }
}
