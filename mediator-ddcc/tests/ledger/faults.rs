//! A server that goes away, hangs or is full: a clear error, nothing lost, and recovery by itself.

use std::time::Duration;

use mediator_ddcc::ledger::postgresql::{PostgreSqlLedger, PostgreSqlSettings};
use mediator_ddcc::ledger::{Ledger as _, LedgerError};
use mediator_ddcc::operation_outcome::OperationOutcome;
use real_servers::postgresql::RealPostgreSql;

use crate::store::{key, settings};

fn impatient(server: &RealPostgreSql) -> PostgreSqlSettings {
    PostgreSqlSettings {
        connect_timeout: Duration::from_secs(1),
        timeout: Duration::from_secs(1),
        ..settings(server, "ledger")
    }
}

async fn accept(ledger: &PostgreSqlLedger, name: &str) -> Result<bool, LedgerError> {
    let accepted = ledger.accept(&key(name), "h", name).await;
    accepted.map(|(_, new)| new)
}

/// Repeats what fails, as clients do, until it succeeds.
async fn accept_at_last(ledger: &PostgreSqlLedger, name: &str) -> bool {
    let repeating = async {
        loop {
            match accept(ledger, name).await {
                Ok(new) => return new,
                Err(error) => assert!(error.is_transient(), "{error}"),
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(120), repeating)
        .await
        .unwrap()
}

#[tokio::test]
async fn a_server_that_is_down_at_the_start_is_found_when_it_is_there() {
    let Some(server) = RealPostgreSql::start().await else {
        return;
    };
    server.kill().await;
    let ledger = PostgreSqlLedger::new(&impatient(&server)).unwrap();
    // All at once fail at once, and not one after the other.
    let attempts = (0..50).map(|number| {
        let ledger = ledger.clone();
        async move { accept(&ledger, &number.to_string()).await.unwrap_err() }
    });
    let begin = std::time::Instant::now();
    let errors = futures::future::join_all(attempts).await;
    assert!(begin.elapsed() < Duration::from_secs(30));
    for error in errors {
        assert!(matches!(error, LedgerError::Unreachable(_)), "{error}");
        assert_eq!(OperationOutcome::from(error).status, 503);
    }
    server.restart().await;
    assert!(accept_at_last(&ledger, "a").await);
}

#[tokio::test]
async fn what_was_acknowledged_survives_a_kill_in_the_middle() {
    let Some(server) = RealPostgreSql::start().await else {
        return;
    };
    let ledger = PostgreSqlLedger::new(&impatient(&server)).unwrap();
    const WRITERS: usize = 8;
    const EVENTS: usize = 40;
    let writing = (0..WRITERS).map(|writer| {
        let ledger = ledger.clone();
        tokio::spawn(async move {
            for number in 0..EVENTS {
                let name = format!("{writer}/{number}");
                accept_at_last(&ledger, &name).await;
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
    });
    let writing: Vec<_> = writing.collect();
    accept_at_last(&ledger, "before").await;
    server.kill().await;
    server.restart().await;
    for writer in writing {
        writer.await.unwrap();
    }
    let left = ledger.unfinished(10_000).await.unwrap();
    assert_eq!(left.len(), WRITERS * EVENTS + 1);

    // Connections that broke while nobody used them are not noticed by who asks next.
    server.restart().await;
    assert!(accept(&ledger, "after").await.unwrap());
}

#[tokio::test]
async fn a_server_that_hangs_is_not_waited_for_and_nothing_is_twice() {
    let Some(server) = RealPostgreSql::start().await else {
        return;
    };
    let ledger = PostgreSqlLedger::new(&impatient(&server)).unwrap();
    assert!(accept(&ledger, "a").await.unwrap());
    server.pause().await;
    for _ in 0..2 {
        let error = accept(&ledger, "b").await.unwrap_err();
        assert!(matches!(error, LedgerError::TimedOut), "{error}");
    }
    server.resume().await;
    accept_at_last(&ledger, "b").await;
    assert!(!accept(&ledger, "a").await.unwrap());
    assert_eq!(ledger.unfinished(10).await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_full_disk_is_told_and_nothing_half_written() {
    let Some(server) = RealPostgreSql::start_with_small_disk().await else {
        return;
    };
    let ledger = PostgreSqlLedger::new(&settings(&server, "ledger")).unwrap();
    assert!(accept(&ledger, "a").await.unwrap());
    server.fill_disk().await;
    // Long enough to need a page of its own, and too random to be compressed.
    let long: String = (0..2_000)
        .map(|_| uuid::Uuid::new_v4().to_string())
        .collect();
    let error = ledger.accept(&key("b"), "h", &long).await.unwrap_err();
    assert!(matches!(error, LedgerError::Full), "{error}");
    assert_eq!(OperationOutcome::from(error).status, 503);
    assert_eq!(ledger.unfinished(10).await.unwrap().len(), 1);
    server.empty_disk().await;
    let (_, new) = ledger.accept(&key("b"), "h", &long).await.unwrap();
    assert!(new);
}
