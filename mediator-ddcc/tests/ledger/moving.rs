//! A PostgreSQL ledger in the place of an embedded one.

use mediator_ddcc::ledger::postgresql::PostgreSqlLedger;
use mediator_ddcc::ledger::sqlite::SqliteLedger;
use mediator_ddcc::ledger::{EventState, Ledger as _};
use tempfile::TempDir;

use crate::store::{database, key, server, settings};

#[tokio::test]
async fn what_the_embedded_ledger_holds_is_taken_over_before_anything_else() {
    let Some(server) = server().await else {
        return;
    };
    let folder = TempDir::new().unwrap();
    let embedded = SqliteLedger::new(database(&folder).await);
    let accepted = |name: &'static str| {
        let embedded = &embedded;
        async move { embedded.accept(&key(name), "h", name).await.unwrap().0 }
    };
    let (issued, interrupted) = (accepted("issued").await, accepted("interrupted").await);
    embedded.issued(issued.id, "document").await.unwrap();
    // More than are moved at once.
    let many = (0..1_200).map(|number| {
        let embedded = &embedded;
        async move {
            let name = number.to_string();
            let (event, _) = embedded.accept(&key(&name), "h", "").await.unwrap();
            embedded.issued(event.id, &name).await.unwrap();
        }
    });
    futures::future::join_all(many).await;

    let name = server.create_database().await;
    let settings = settings(server, &name);
    let ledger = PostgreSqlLedger::in_place_of(embedded.clone(), &settings).unwrap();
    let (known, new) = ledger.accept(&key("issued"), "h", "").await.unwrap();
    assert!(!new);
    assert_eq!(known.id, issued.id);
    assert_eq!(known.accepted_at, issued.accepted_at);
    assert!(matches!(known.state, EventState::Issued { document_id } if document_id == "document"));
    let claimed = ledger.claim(None, 10).await.unwrap();
    assert_eq!(claimed.len(), 1);
    assert_eq!(claimed[0].id, interrupted.id);
    assert_eq!(claimed[0].request, "interrupted");
    assert_eq!(
        server.sql(&name, "SELECT count(*) FROM event").await,
        "1202"
    );
    assert!(embedded.unfinished(1).await.unwrap().is_empty());

    // What was accepted there afterwards, and is known here, changes nothing.
    let (_, new) = embedded.accept(&key("issued"), "h", "").await.unwrap();
    assert!(new);
    let again = PostgreSqlLedger::in_place_of(embedded.clone(), &settings).unwrap();
    let (known, _) = again.accept(&key("issued"), "h", "").await.unwrap();
    assert_eq!(known.id, issued.id);
    assert!(embedded.unfinished(1).await.unwrap().is_empty());
}
