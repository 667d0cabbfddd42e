//! Accepted events in PostgreSQL, shared by several processes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use real_servers::postgresql::RealPostgreSql;
use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::OnceCell;

use super::{FHIR_JSON, GENERATE, Runner, batch, command, vaccination};

static SERVER: OnceCell<Option<RealPostgreSql>> = OnceCell::const_new();

/// The server that tests share which do it no harm, and an empty database.
async fn database() -> Option<(&'static RealPostgreSql, String)> {
    let server = SERVER.get_or_init(RealPostgreSql::start).await.as_ref()?;
    Some((server, server.create_database().await))
}

fn runner(
    server: &RealPostgreSql,
    database: &str,
    data_directory: &Arc<TempDir>,
    more: &[(&str, &str)],
) -> Runner {
    let url = server.url(database);
    let mut variables = vec![
        ("MEDIATOR_LEDGER__URL", url.as_str()),
        ("MEDIATOR_LEDGER__PASSWORD", RealPostgreSql::PASSWORD),
        ("MEDIATOR_LEDGER__CONNECT_TIMEOUT_SECONDS", "2"),
    ];
    variables.extend(more);
    Runner::in_directory(Arc::clone(data_directory), &variables)
}

fn data_directory() -> Arc<TempDir> {
    Arc::new(TempDir::new().unwrap())
}

async fn count(server: &RealPostgreSql, database: &str, which: &str) -> usize {
    let count = format!("SELECT count(*) FROM event WHERE {which}");
    server.sql(database, &count).await.parse().unwrap()
}

/// Submits an event until it is certified.
async fn certified_at_last(runner: &Runner, event: &Value) -> Value {
    let start = Instant::now();
    loop {
        let answer = runner.post(GENERATE, event).await;
        if answer.status == 200 {
            return answer.json();
        }
        assert_eq!(answer.status, 503, "{:?}", answer.body);
        assert!(start.elapsed() < Duration::from_secs(120));
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn the_same_event_at_two_processes_gives_one_certificate() {
    const EVENTS: usize = 8;
    let Some((server, database)) = database().await else {
        return;
    };
    // The embedded repository is for one process; two on one machine do for a test.
    let folder = data_directory();
    let loud = [("MEDIATOR_LOG__FILTER", "trace,hyper=info,h2=info")];
    let one = runner(server, &database, &folder, &loud);
    let other = runner(server, &database, &folder, &loud);
    for number in 0..EVENTS {
        let event = vaccination(number);
        let (from_one, from_other) =
            tokio::join!(one.post(GENERATE, &event), other.post(GENERATE, &event));
        let certificate = from_one.resource(200, "Bundle");
        assert_eq!(from_other.resource(200, "Bundle"), certificate);
    }
    assert_eq!(
        count(server, &database, "document_id IS NOT NULL").await,
        EVENTS
    );
    assert_eq!(count(server, &database, "true").await, EVENTS);
    assert_eq!(count(server, &database, "request IS NOT NULL").await, 0);
    for log in [one.log(), other.log()] {
        for secret in [
            "Amélie",
            "Zürcher",
            "1987-",
            "CH-TEST",
            RealPostgreSql::PASSWORD,
        ] {
            assert!(!log.contains(secret), "{secret} is in\n{log}");
        }
    }
}

#[tokio::test]
async fn what_a_killed_process_left_another_one_finishes() {
    const EVENTS: usize = 40;
    let Some((server, database)) = database().await else {
        return;
    };
    let folder = data_directory();
    let other = runner(server, &database, &folder, &[]);
    let events = |round: usize| (0..EVENTS).map(move |number| vaccination(round * 100 + number));
    let mut rounds = 0;
    let left = loop {
        // Cards take long enough to be interrupted.
        let cards = [("MEDIATOR_CARD__ENABLED", "true")];
        let mut killed = runner(server, &database, &folder, &cards);
        let url = killed.url("/ddcc");
        let body = batch(events(rounds)).to_string();
        let submission = tokio::spawn(async move {
            let client = reqwest::Client::new();
            let request = client
                .post(url)
                .header("content-type", FHIR_JSON)
                .body(body);
            request
                .send()
                .await
                .is_ok_and(|answer| answer.status().is_success())
        });
        rounds += 1;
        while !submission.is_finished()
            && count(server, &database, "document_id IS NULL").await == 0
        {}
        killed.child.kill().unwrap();
        killed.child.wait().unwrap();
        let _ = submission.await;
        let left = count(server, &database, "document_id IS NULL").await;
        if left > 0 {
            break left;
        }
        assert!(rounds < 10, "it is never interrupted");
    };
    let start = Instant::now();
    while count(server, &database, "document_id IS NULL").await > 0 {
        other
            .request(http::Method::POST, "/jobs/finish-interrupted/run", &[], "")
            .await;
        assert!(
            start.elapsed() < Duration::from_secs(120),
            "{left} are left"
        );
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    // Submitted again, each gives what there is, and nothing is twice.
    for event in (0..rounds).flat_map(events) {
        certified_at_last(&other, &event).await;
    }
    assert_eq!(count(server, &database, "true").await, rounds * EVENTS);
}

#[tokio::test]
async fn without_its_database_nothing_is_accepted_until_it_is_there_again() {
    let Some(server) = RealPostgreSql::start().await else {
        return;
    };
    server.kill().await;
    let folder = data_directory();
    let runner = runner(&server, "ledger", &folder, &[]);
    for round in 0..2 {
        let event = vaccination(round);
        let issue = runner.post(GENERATE, &event).await.issue(503);
        assert_eq!(issue["code"], "transient");
        let text = issue["diagnostics"].as_str().unwrap();
        assert!(
            text.contains("the ledger's database cannot be reached"),
            "{text}"
        );
        assert_eq!(runner.get("/health/ready").await.status, 503);
        server.restart().await;
        certified_at_last(&runner, &event).await;
        assert_eq!(runner.get("/health/ready").await.status, 200);
        server.kill().await;
    }
    assert!(!runner.log().contains(RealPostgreSql::PASSWORD));
}

#[tokio::test]
async fn an_installation_moves_with_what_it_has_issued() {
    let Some((server, database)) = database().await else {
        return;
    };
    let folder = data_directory();
    let embedded = Runner::in_directory(Arc::clone(&folder), &[]);
    let event = vaccination(1);
    let certificate = embedded
        .post(GENERATE, &event)
        .await
        .resource(200, "Bundle");
    drop(embedded);
    let moved = runner(server, &database, &folder, &[]);
    let again = moved.post(GENERATE, &event).await.resource(200, "Bundle");
    assert_eq!(again, certificate);
    assert_eq!(count(server, &database, "document_id IS NOT NULL").await, 1);
    let log = moved.log();
    assert!(
        log.contains("moved the events of the embedded ledger"),
        "{log}"
    );
}

#[tokio::test]
async fn a_database_that_refuses_is_a_failure_to_start() {
    let Some((server, database)) = database().await else {
        return;
    };
    let folder = data_directory();
    let output = command()
        .env("MEDIATOR_DATA_DIRECTORY", folder.path())
        .env("MEDIATOR_SERVER__LISTEN", "127.0.0.1:0")
        .env("MEDIATOR_LEDGER__URL", server.url(&database))
        .env("MEDIATOR_LEDGER__PASSWORD", "not-the-password")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("refused the role of ledger.url"), "{text}");
    assert!(!text.contains("not-the-password"), "{text}");
}

/// 503 with a word of why and when to try again, and nothing is there of the certificate.
async fn is_refused(runner: &Runner, number: usize, why: &str) {
    let answer = runner.post(GENERATE, &vaccination(number)).await;
    let issue = answer.issue(503);
    assert_eq!(issue["code"], "transient");
    assert!(answer.headers.contains_key("retry-after"));
    let text = issue["diagnostics"].as_str().unwrap();
    assert!(text.contains(why), "{why}: {text}");
    let path = format!("/ddcc/List?code=folder&identifier=CH-TEST-{number}");
    let found = runner.get(&path).await.resource(200, "Bundle");
    assert_eq!(found["total"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_does_not_answer_is_not_waited_for() {
    let Some(server) = RealPostgreSql::start().await else {
        return;
    };
    let folder = data_directory();
    let patience = [("MEDIATOR_LEDGER__TIMEOUT_SECONDS", "3")];
    let runner = runner(&server, "ledger", &folder, &patience);
    certified_at_last(&runner, &vaccination(1)).await;
    server.pause().await;
    let start = Instant::now();
    is_refused(&runner, 2, "the ledger's database").await;
    assert!(
        start.elapsed() < Duration::from_secs(25),
        "{:?}",
        start.elapsed()
    );
    server.resume().await;
    certified_at_last(&runner, &vaccination(2)).await;
    assert_eq!(count(&server, "ledger", "document_id IS NOT NULL").await, 2);
    assert_eq!(count(&server, "ledger", "true").await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_database_accepts_nothing_until_there_is_room() {
    let Some(server) = RealPostgreSql::start_with_small_disk().await else {
        return;
    };
    let folder = data_directory();
    let runner = runner(&server, "ledger", &folder, &[]);
    certified_at_last(&runner, &vaccination(0)).await;
    server.fill_disk().await;
    // There may be room for some in what is allocated already.
    let mut last = 0;
    loop {
        last += 1;
        assert!(last < 5000, "it is never full");
        let answer = runner.post(GENERATE, &vaccination(last)).await;
        if answer.status == 200 {
            continue;
        }
        let issue = answer.issue(503);
        assert!(answer.headers.contains_key("retry-after"));
        let text = issue["diagnostics"].as_str().unwrap();
        assert!(text.contains("full"), "{text}");
        let path = format!("/ddcc/List?code=folder&identifier=CH-TEST-{last}");
        // Accepted ones are stored, and then it is that which cannot be noted.
        if runner.get(&path).await.resource(200, "Bundle")["total"] == 0 {
            break;
        }
    }
    server.empty_disk().await;
    for number in 0..=last {
        certified_at_last(&runner, &vaccination(number)).await;
    }
    assert_eq!(count(&server, "ledger", "true").await, last + 1);
}
