//! The PostgreSQL of the tests starts, keeps its data over a kill, stands still and is full when
//! told to.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::time::Duration;

use real_servers::postgresql::RealPostgreSql;

#[tokio::test]
async fn a_server_keeps_its_data_over_a_kill_and_answers_nobody_while_paused() {
    let Some(server) = RealPostgreSql::start().await else {
        return;
    };
    let name = server.create_database().await;
    server
        .sql(&name, "CREATE TABLE kept AS SELECT 7 AS number")
        .await;
    server.kill().await;
    let port = server.port();
    assert!(
        tokio::net::TcpStream::connect(("127.0.0.1", port))
            .await
            .is_err()
    );
    server.restart().await;
    assert_eq!(server.sql(&name, "SELECT number FROM kept").await, "7");

    server.pause().await;
    let asked = server.sql(&name, "SELECT 1");
    let waited = tokio::time::timeout(Duration::from_millis(300), asked).await;
    assert!(waited.is_err());
    server.resume().await;
    assert_eq!(server.sql(&name, "SELECT 1").await, "1");
}

#[tokio::test]
async fn a_small_disk_is_full_until_it_is_emptied() {
    let Some(server) = RealPostgreSql::start_with_small_disk().await else {
        return;
    };
    server.fill_disk().await;
    server.empty_disk().await;
    server.fill_disk().await;
}
