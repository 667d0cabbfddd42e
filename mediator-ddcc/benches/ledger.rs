//! What the ledger takes of each event, accepted and issued, embedded and in PostgreSQL on this
//! machine: `cargo bench --bench ledger`. Both wait for the disk.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "a benchmark stops at its first mistake"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use mediator_ddcc::database::Database;
use mediator_ddcc::ledger::postgresql::{PostgreSqlLedger, PostgreSqlSettings};
use mediator_ddcc::ledger::sqlite::SqliteLedger;
use mediator_ddcc::ledger::{EventKey, Ledger};
use real_servers::postgresql::RealPostgreSql;
use tempfile::TempDir;
use tokio::runtime::Runtime;

const REQUEST: &str = include_str!("../../examples/requests/vaccination.json");

fn ledger(criterion: &mut Criterion) {
    let runtime = Runtime::new().unwrap();
    let folder = TempDir::new().unwrap();
    let database = runtime
        .block_on(Database::open(&folder.path().join("ddcc.sqlite")))
        .unwrap();
    let mut ledgers: Vec<(&str, Arc<dyn Ledger>)> =
        vec![("embedded", Arc::new(SqliteLedger::new(database)))];
    let server = runtime.block_on(RealPostgreSql::start());
    if let Some(server) = &server {
        let settings = PostgreSqlSettings {
            password: Some(RealPostgreSql::PASSWORD.into()),
            ..PostgreSqlSettings::new(server.url("ledger").parse().unwrap())
        };
        let _context = runtime.enter();
        let ledger = PostgreSqlLedger::new(&settings).unwrap();
        ledgers.push(("PostgreSQL", Arc::new(ledger)));
    }
    let number = AtomicU64::new(0);
    for clients in [1, 16, 64] {
        let mut group =
            criterion.benchmark_group(format!("accepted and issued, {clients} at once"));
        group.throughput(Throughput::Elements(clients));
        for (name, ledger) in &ledgers {
            group.bench_function(*name, |bencher| {
                bencher.to_async(&runtime).iter(|| async {
                    let events = (0..clients).map(|_| async {
                        let number = number.fetch_add(1, Ordering::Relaxed);
                        let key = EventKey(number.to_string());
                        let (event, _) = ledger.accept(&key, "h", REQUEST).await.unwrap();
                        ledger.issued(event.id, "document").await.unwrap();
                    });
                    futures::future::join_all(events).await
                });
            });
        }
        group.finish();
    }
}

criterion_group!(benches, ledger);
criterion_main!(benches);
