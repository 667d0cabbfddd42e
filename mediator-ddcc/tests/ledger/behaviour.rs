//! What every ledger does.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use mediator_ddcc::ledger::{Event, EventState, Ledger};
use rstest::rstest;
use uuid::Uuid;

use crate::store::{Kind, Store, key};

/// A new store, or the end of the test where there is no server for it.
macro_rules! store {
    ($kind:expr) => {
        match Store::new($kind).await {
            Some(store) => store,
            None => return,
        }
    };
}

async fn accept(ledger: &Arc<dyn Ledger>, name: &str) -> (Event, bool) {
    ledger.accept(&key(name), "h", name).await.unwrap()
}

fn ids(events: &[Event]) -> Vec<Uuid> {
    events.iter().map(|event| event.id).collect()
}

#[rstest]
#[tokio::test]
async fn an_event_is_accepted_once(#[values(Kind::Sqlite, Kind::PostgreSql)] kind: Kind) {
    let store = store!(kind);
    let ledger = store.worker().await;
    let request = "{\"z\": \"zwölf \u{1} \\u0000 😀\",\n \"number\": 1.10}";
    let (first, new) = ledger.accept(&key("a"), "h", request).await.unwrap();
    assert!(new);
    let (again, new) = ledger.accept(&key("a"), "other", "").await.unwrap();
    assert!(!new);
    assert_eq!(again, first);
    assert_eq!(again.request, request);
    let (_, new) = accept(&ledger, "b").await;
    assert!(new);
}

#[rstest]
#[tokio::test]
async fn of_many_at_once_one_is_new(#[values(Kind::Sqlite, Kind::PostgreSql)] kind: Kind) {
    let store = store!(kind);
    let workers = [store.worker().await, store.worker().await];
    let tasks = (0..32).map(|number| {
        let ledger = Arc::clone(&workers[number % 2]);
        tokio::spawn(async move { (number % 2, accept(&ledger, "a").await) })
    });
    let results = futures::future::try_join_all(tasks).await.unwrap();
    let new: Vec<usize> = results
        .iter()
        .filter(|(_, (_, new))| *new)
        .map(|(worker, _)| *worker)
        .collect();
    let [winner] = new[..] else {
        panic!("{} are new", new.len());
    };
    for (worker, (event, _)) in &results {
        assert_eq!(event.id, results[0].1.0.id);
        let expected = if *worker == winner {
            EventState::Accepted
        } else {
            EventState::InWorkElsewhere
        };
        assert_eq!(event.state, expected);
    }
}

#[rstest]
#[tokio::test]
async fn an_issued_event_is_finished_and_keeps_no_request(
    #[values(Kind::Sqlite, Kind::PostgreSql)] kind: Kind,
) {
    let store = store!(kind);
    let ledger = store.worker().await;
    let (first, _) = accept(&ledger, "a").await;
    let (second, _) = accept(&ledger, "b").await;
    ledger.issued(first.id, "document").await.unwrap();
    ledger.issued(first.id, "document").await.unwrap();
    assert_eq!(ids(&ledger.unfinished(10).await.unwrap()), [second.id]);
    let (again, new) = accept(&store.worker().await, "a").await;
    assert!(!new);
    assert_eq!(again.request, "");
    assert_eq!(
        again.state,
        EventState::Issued {
            document_id: "document".to_owned()
        }
    );
}

#[rstest]
#[tokio::test]
async fn a_refused_event_is_forgotten_unless_issued(
    #[values(Kind::Sqlite, Kind::PostgreSql)] kind: Kind,
) {
    let store = store!(kind);
    let ledger = store.worker().await;
    let (event, _) = accept(&ledger, "a").await;
    ledger.refused(event.id).await.unwrap();
    let (event, new) = accept(&ledger, "a").await;
    assert!(new);
    ledger.issued(event.id, "document").await.unwrap();
    ledger.refused(event.id).await.unwrap();
    assert!(!accept(&ledger, "a").await.1);
}

#[rstest]
#[tokio::test]
async fn unfinished_events_survive_their_process_oldest_first(
    #[values(Kind::Sqlite, Kind::PostgreSql)] kind: Kind,
) {
    let store = store!(kind);
    let before = store.worker().await;
    for name in ["a", "b", "c"] {
        accept(&before, name).await;
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    drop(before);
    let left = store.worker().await.unfinished(2).await.unwrap();
    let names: Vec<&str> = left.iter().map(|event| event.request.as_str()).collect();
    assert_eq!(names, ["a", "b"]);
}

#[rstest]
#[tokio::test]
async fn what_one_works_on_another_claims_when_it_is_given_back(
    #[values(Kind::Sqlite, Kind::PostgreSql)] kind: Kind,
) {
    let store = store!(kind);
    let (one, other) = (store.worker().await, store.worker().await);
    let (event, _) = accept(&one, "a").await;
    let (known, new) = accept(&other, "a").await;
    assert!(!new);
    assert_eq!(
        (known.id, known.state),
        (event.id, EventState::InWorkElsewhere)
    );
    assert!(other.claim(None, 10).await.unwrap().is_empty());
    // What is another's it cannot give back.
    other.released(event.id).await.unwrap();
    assert!(other.claim(None, 10).await.unwrap().is_empty());
    // What failed here is tried here again without being given back.
    assert_eq!(ids(&one.claim(None, 10).await.unwrap()), [event.id]);

    one.released(event.id).await.unwrap();
    let claimed = other.claim(None, 10).await.unwrap();
    assert_eq!(ids(&claimed), [event.id]);
    assert_eq!(claimed[0].state, EventState::Accepted);
    assert_eq!(claimed[0].request, "a");
    assert!(one.claim(None, 10).await.unwrap().is_empty());
    assert_eq!(accept(&one, "a").await.0.state, EventState::InWorkElsewhere);

    other.released(event.id).await.unwrap();
    let (known, new) = accept(&one, "a").await;
    assert!(!new);
    assert_eq!(known.state, EventState::Accepted);
    assert!(other.claim(None, 10).await.unwrap().is_empty());
}

#[rstest]
#[tokio::test]
async fn what_a_dead_process_left_is_taken_over(
    #[values(Kind::Sqlite, Kind::PostgreSql)] kind: Kind,
    #[values(false, true)] by_submission: bool,
) {
    let store = store!(kind);
    let dying = store.worker_that_dies().await;
    let (event, _) = accept(&dying, "a").await;
    drop(dying);
    let other = store.worker().await;
    let taken = tokio::time::timeout(Duration::from_secs(60), async {
        loop {
            let taken = if by_submission {
                let (event, new) = accept(&other, "a").await;
                assert!(!new);
                (event.state == EventState::Accepted).then_some(event)
            } else {
                other.claim(None, 10).await.unwrap().pop()
            };
            match taken {
                Some(taken) => return taken,
                None => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        }
    });
    assert_eq!(taken.await.unwrap().id, event.id);
    // From now on it is that one's.
    let third = store.worker().await;
    assert!(third.claim(None, 10).await.unwrap().is_empty());
}

#[rstest]
#[tokio::test]
async fn other_content_under_the_same_key_takes_nothing_over(
    #[values(Kind::Sqlite, Kind::PostgreSql)] kind: Kind,
) {
    let store = store!(kind);
    let (one, other) = (store.worker().await, store.worker().await);
    let (event, _) = accept(&one, "a").await;
    one.released(event.id).await.unwrap();
    let (known, new) = other.accept(&key("a"), "other", "").await.unwrap();
    assert!(!new);
    assert_eq!(known.content_hash, "h");
    assert_eq!(ids(&one.claim(None, 10).await.unwrap()), [event.id]);
}

#[rstest]
#[tokio::test]
async fn workers_that_claim_at_once_share(#[values(Kind::Sqlite, Kind::PostgreSql)] kind: Kind) {
    const EVENTS: usize = 60;
    let store = store!(kind);
    let first = store.worker().await;
    for number in 0..EVENTS {
        let (event, _) = accept(&first, &number.to_string()).await;
        first.released(event.id).await.unwrap();
    }
    let claiming = (0..3).map(|_| async {
        let worker = store.worker().await;
        let mut claimed: Vec<Event> = Vec::new();
        loop {
            let more = worker.claim(claimed.last(), 7).await.unwrap();
            if more.is_empty() {
                // Its end would set free what it has claimed.
                return (worker, claimed);
            }
            claimed.extend(more);
            tokio::task::yield_now().await;
        }
    });
    let claimed = futures::future::join_all(claiming).await;
    for (_, of_one) in &claimed {
        let order: Vec<_> = of_one
            .iter()
            .map(|event| (event.accepted_at, event.id))
            .collect();
        assert!(order.is_sorted());
    }
    let all: Vec<Uuid> = claimed.iter().flat_map(|(_, of_one)| ids(of_one)).collect();
    assert_eq!(all.len(), EVENTS);
    assert_eq!(all.iter().collect::<HashSet<_>>().len(), EVENTS);
}
