//! What an issued event takes up in the embedded database.

use mediator_ddcc::database::DatabaseError;
use mediator_ddcc::ledger::Ledger as _;
use mediator_ddcc::ledger::sqlite::SqliteLedger;
use tempfile::TempDir;

use crate::store::{database, key};

/// Far less than its request, whose place others get.
#[tokio::test]
async fn an_issued_event_takes_little_room() {
    const EVENTS: u32 = 500;
    const REQUEST: u32 = 3_000;
    let folder = TempDir::new().unwrap();
    let database = database(&folder).await;
    let ledger = SqliteLedger::new(database.clone());
    let request = "x".repeat(REQUEST as usize);
    for number in 0..EVENTS {
        let key = key(&number.to_string());
        let (event, _) = ledger.accept(&key, "h", &request).await.unwrap();
        ledger.issued(event.id, "d").await.unwrap();
    }
    let size = database.read(|connection| -> Result<u32, DatabaseError> {
        let sql = "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size";
        Ok(connection.query_one(sql, [], |row| row.get(0))?)
    });
    let size = size.await.unwrap() / EVENTS;
    assert!(size < REQUEST / 3, "{size}");
}
