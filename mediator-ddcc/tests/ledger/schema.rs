//! Both databases have the same table of events.

use real_servers::postgresql::RealPostgreSql;
use sqlx::Row as _;
use tempfile::TempDir;

use crate::store::{database, server, settings};
use mediator_ddcc::ledger::postgresql::PostgreSqlLedger;

/// Name of each column, and whether it is always there.
async fn columns_of_postgresql(server: &RealPostgreSql, database: &str) -> Vec<(String, bool)> {
    let rows = server
        .sql(
            database,
            "SELECT column_name, is_nullable FROM information_schema.columns \
             WHERE table_name = 'event' ORDER BY column_name",
        )
        .await;
    rows.lines()
        .map(|row| row.split_once('|').unwrap())
        .map(|(name, nullable)| (name.to_owned(), nullable == "NO"))
        .collect()
}

#[tokio::test]
async fn events_have_the_same_columns() {
    let Some(server) = server().await else {
        return;
    };
    let name = server.create_database().await;
    let ledger = PostgreSqlLedger::new(&settings(server, &name)).unwrap();
    ledger.prepare().await.unwrap();
    let folder = TempDir::new().unwrap();
    let sqlite = database(&folder).await;
    let rows =
        sqlx::query("SELECT name, \"notnull\" FROM pragma_table_info('event') ORDER BY name")
            .fetch_all(sqlite.readers())
            .await
            .unwrap();
    let columns: Vec<(String, bool)> = rows
        .iter()
        .map(|row| (row.get("name"), row.get("notnull")))
        .collect();
    assert_eq!(columns_of_postgresql(server, &name).await, columns);
    assert!(columns.len() > 5);
}
