//! Two processes that share everything outside of them: a real FHIR server, HAPI FHIR, and a ledger
//! in a real PostgreSQL.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::Method;
use real_servers::hapi_fhir::RealHapiFhir;
use real_servers::postgresql::RealPostgreSql;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{FHIR_JSON, GENERATE, Runner, batch, set, vaccination};

/// What the processes share.
struct Shared {
    repository: RealHapiFhir,
    ledger: RealPostgreSql,
    /// Files of the first process: the other has copies of its keys.
    keys: Arc<TempDir>,
}

impl Shared {
    async fn start() -> Option<Self> {
        let (repository, ledger) = tokio::join!(RealHapiFhir::start(), RealPostgreSql::start());
        Some(Self {
            repository: repository?,
            ledger: ledger?,
            keys: Arc::new(TempDir::new().unwrap()),
        })
    }

    fn run(&self, folder: &Arc<TempDir>, more: &[(&str, &str)]) -> Runner {
        let (repository, ledger) = (self.repository.base_url(), self.ledger.url("ledger"));
        let mut variables = vec![
            ("MEDIATOR_REPOSITORY__URL", repository.as_str()),
            ("MEDIATOR_REPOSITORY__TIMEOUT_SECONDS", "60"),
            ("MEDIATOR_SERVER__REQUEST_TIMEOUT_SECONDS", "120"),
            ("MEDIATOR_LEDGER__URL", ledger.as_str()),
            ("MEDIATOR_LEDGER__PASSWORD", RealPostgreSql::PASSWORD),
        ];
        variables.extend(more);
        Runner::in_directory(Arc::clone(folder), &variables)
    }

    /// One that makes the keys when it is the first, or uses them.
    fn one(&self, more: &[(&str, &str)]) -> Runner {
        self.run(&self.keys, more)
    }

    /// One on another machine.
    fn other(&self, more: &[(&str, &str)]) -> Runner {
        let folder = TempDir::new().unwrap();
        for keys in ["development-pki", "signing-certificates"] {
            copy(&self.keys.path().join(keys), &folder.path().join(keys));
        }
        self.run(&Arc::new(folder), more)
    }

    async fn events(&self, which: &str) -> usize {
        let count = format!("SELECT count(*) FROM event WHERE {which}");
        self.ledger.sql("ledger", &count).await.parse().unwrap()
    }

    /// How many resources of a search the repository has, asked without the mediator.
    async fn count(&self, resource_type: &str, parameters: &str) -> usize {
        let url = format!(
            "{}/{resource_type}?_summary=count&{parameters}",
            self.repository.base_url()
        );
        // HAPI FHIR answers a repeated search from memory for a while.
        let request = reqwest::Client::new()
            .get(url)
            .header("cache-control", "no-cache");
        let text = request.send().await.unwrap().text().await.unwrap();
        let found: Value = serde_json::from_str(&text).unwrap();
        let total = found["total"].as_u64();
        total
            .unwrap_or_else(|| panic!("{found}"))
            .try_into()
            .unwrap()
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

fn dose(hcid: &str, number: usize) -> Value {
    let mut event = vaccination(0);
    event["identifier"]["value"] = json!(format!("{hcid}/{number}"));
    set(&mut event, "hcid", json!({"valueString": hcid}));
    set(&mut event, "dose", json!({"valueInteger": number}));
    set(&mut event, "total_doses", json!({"valueInteger": 9}));
    event
}

/// The documents in the holder's folder, by the reference of each.
async fn folder(runner: &Runner, hcid: &str) -> Vec<String> {
    let path = format!("/ddcc/List?code=folder&identifier={hcid}");
    let found = runner.get(&path).await.resource(200, "Bundle");
    assert!(found["total"].as_u64().unwrap() <= 1, "one folder: {found}");
    let entries = found.pointer("/entry/0/resource/entry");
    let entries = entries.and_then(Value::as_array).cloned();
    let mut documents: Vec<String> = entries
        .unwrap_or_default()
        .iter()
        .map(|entry| entry["item"]["reference"].as_str().unwrap().to_owned())
        .collect();
    documents.sort();
    documents
}

#[tokio::test(flavor = "multi_thread")]
async fn doses_of_one_holder_at_both_at_once_all_end_in_the_folder() {
    const DOSES: usize = 6;
    let Some(shared) = Shared::start().await else {
        return;
    };
    let one = shared.one(&[]);
    let other = shared.other(&[]);
    // Each dose is sent to both, as a client does that is not sure whether the first has got it.
    let sent = (1..=DOSES).map(|number| {
        let event = dose("SHARED", number);
        let (one, other) = (&one, &other);
        async move { tokio::join!(one.post(GENERATE, &event), other.post(GENERATE, &event)) }
    });
    for (from_one, from_other) in futures::future::join_all(sent).await {
        let certificate = from_one.resource(200, "Bundle");
        assert_eq!(from_other.resource(200, "Bundle"), certificate);
    }
    let documents = folder(&one, "SHARED").await;
    assert_eq!(folder(&other, "SHARED").await, documents);
    assert_eq!(documents.len(), DOSES);
    assert_eq!(shared.events("document_id IS NOT NULL").await, DOSES);
    assert_eq!(shared.events("true").await, DOSES);
    // Nothing is twice, and nothing is left over from what was in each other's way: a submission set
    // for each document, and the folder.
    assert_eq!(shared.count("List", "").await, DOSES + 1);
    assert_eq!(shared.count("Binary", "").await, DOSES);
    assert_eq!(shared.count("AuditEvent", "type=110107").await, DOSES);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_one_left_the_other_finishes() {
    const EVENTS: usize = 12;
    let Some(shared) = Shared::start().await else {
        return;
    };
    let cards = [("MEDIATOR_CARD__ENABLED", "true")];
    let holder = |round: usize, number: usize| format!("LEFT-{round}-{number}");
    let mut rounds = 0;
    let (killed_with, other) = loop {
        let mut killed = shared.one(&cards);
        let other = shared.other(&cards);
        let events = (0..EVENTS).map(|number| dose(&holder(rounds, number), 1));
        let (url, body) = (killed.url("/ddcc"), batch(events).to_string());
        let submission = tokio::spawn(async move {
            let request = reqwest::Client::new().post(url).body(body);
            request
                .header("content-type", FHIR_JSON)
                .send()
                .await
                .is_ok()
        });
        rounds += 1;
        // Some are stored already, others on their way.
        while !submission.is_finished()
            && (shared.events("document_id IS NOT NULL").await < (rounds - 1) * EVENTS + 2
                || shared.events("document_id IS NULL").await == 0)
        {}
        killed.child.kill().unwrap();
        killed.child.wait().unwrap();
        let _ = submission.await;
        let left = shared.events("document_id IS NULL").await;
        if left > 0 {
            break (left, other);
        }
        assert!(rounds < 5, "it is never interrupted");
    };
    let start = Instant::now();
    while shared.events("document_id IS NULL").await > 0 {
        let path = "/jobs/finish-interrupted/run";
        other.request(Method::POST, path, &[], "").await;
        assert!(
            start.elapsed() < Duration::from_secs(180),
            "{killed_with} are left: {}",
            other.log()
        );
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    // Also what the killed one had no time to accept; what is there already is there once.
    for (round, number) in (0..rounds).flat_map(|round| (0..EVENTS).map(move |n| (round, n))) {
        let holder = holder(round, number);
        let answer = other.post(GENERATE, &dose(&holder, 1)).await;
        answer.resource(200, "Bundle");
        assert_eq!(folder(&other, &holder).await.len(), 1, "{holder}");
    }
    let all = rounds * EVENTS;
    assert_eq!(shared.events("true").await, all);
    // The document, and the card in it.
    assert_eq!(shared.count("Binary", "").await, all * 2);
    assert_eq!(shared.count("AuditEvent", "type=110107").await, all);
}
