//! Both databases have the same table of events.

use real_servers::postgresql::RealPostgreSql;
use tempfile::TempDir;

use crate::store::{database, server, settings};
use mediator_ddcc::database::DatabaseError;
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
    let columns = sqlite.read(|connection| -> Result<Vec<(String, bool)>, DatabaseError> {
        let sql = "SELECT name, \"notnull\" FROM pragma_table_info('event') ORDER BY name";
        let mut select = connection.prepare(sql)?;
        let rows = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    });
    let columns = columns.await.unwrap();
    assert_eq!(columns_of_postgresql(server, &name).await, columns);
    assert!(columns.len() > 5);
}
