//! Jobs on real schedules, and their routes.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

use std::collections::HashSet;
use std::future::pending;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use chrono::{DateTime, Utc};
use http::{Request, StatusCode};
use http_body_util::BodyExt as _;
use mediator_core::jobs::{
    Job, JobLock, JobLockError, JobLockGuard, JobResult, Jobs, JobsError, Trigger,
};
use mediator_core::transaction::{RecordingClient, TransactionLayer, TransactionSettings};
use rstest::rstest;
use serde_json::Value;
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};
use tower::ServiceExt as _;

const EVERY_SECOND: &str = "* * * * * *";
const NEVER: &str = "0 0 0 1 1 * 2999";
const GRACE: Duration = Duration::from_secs(5);

async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    timeout(Duration::from_secs(10), async {
        while !condition() {
            sleep(Duration::from_millis(5)).await;
        }
    })
    .await
    .unwrap_or_else(|_| panic!("{what} did not come"));
}

/// A job that waits until it is let go.
struct Gate {
    begun: AtomicUsize,
    open: Notify,
}

impl Gate {
    fn job(cron: &str) -> (Arc<Self>, Job) {
        let gate = Arc::new(Self {
            begun: AtomicUsize::new(0),
            open: Notify::new(),
        });
        let held = Arc::clone(&gate);
        let job = Job::new("gated", cron, move |_| {
            let gate = Arc::clone(&held);
            async move {
                gate.begun.fetch_add(1, Ordering::SeqCst);
                gate.open.notified().await;
                Ok::<(), String>(())
            }
        });
        (gate, job)
    }

    fn begun(&self) -> usize {
        self.begun.load(Ordering::SeqCst)
    }
}

fn failing(name: &str, error: &'static str) -> Job {
    Job::new(name, NEVER, move |_| async move { Err::<(), _>(error) })
}

fn panicking(name: &str, cron: &str) -> Job {
    Job::new(name, cron, |run| async move {
        if run.job() == "panics" {
            panic!("on purpose");
        }
        Ok::<(), String>(())
    })
}

async fn ask(router: Router, method: &str, path: &str) -> (StatusCode, Value) {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("channel-id", "6564a3c0a4f3f9001c0c9a11")
        .header("X-OpenHIM-TransactionID", "6564a3c0a4f3f9001c0c9a12")
        .body(Body::empty())
        .unwrap();
    let response = router.oneshot(request).await.unwrap();
    let status = response.status();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&body).unwrap())
}

#[tokio::test]
async fn a_job_runs_every_second_at_the_scheduled_times() {
    let times = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&times);
    let jobs = Jobs::new([Job::new("tick", EVERY_SECOND, move |run| {
        assert_eq!(run.trigger(), Trigger::Schedule);
        seen.lock().unwrap().push((run.scheduled_at(), Utc::now()));
        async { Ok::<(), String>(()) }
    })
    .time_zone("Asia/Kathmandu")])
    .unwrap();
    jobs.start().await.unwrap();
    jobs.start().await.unwrap();
    until("the third run", || times.lock().unwrap().len() >= 3).await;
    jobs.stop(GRACE).await;
    let times = times.lock().unwrap().clone();
    for (scheduled_at, ran_at) in &times {
        assert_eq!(scheduled_at.timestamp_subsec_nanos(), 0);
        assert!(ran_at >= scheduled_at);
    }
    let distinct: HashSet<_> = times.iter().map(|(scheduled_at, _)| scheduled_at).collect();
    assert_eq!(distinct.len(), times.len(), "each time once: {times:?}");
    let status = jobs.status("tick").unwrap();
    assert_eq!(
        status.next_run_at(),
        None,
        "nothing is to come after a stop"
    );
    assert_eq!(status.last_run().unwrap().result, JobResult::Ok);
}

#[tokio::test]
async fn a_run_is_skipped_while_the_one_before_lasts() {
    let (gate, job) = Gate::job(EVERY_SECOND);
    let jobs = Jobs::new([job]).unwrap();
    jobs.start().await.unwrap();
    until("a skip", || {
        let status = jobs.status("gated").unwrap();
        status
            .last_skipped()
            .is_some_and(|skipped| skipped.result == JobResult::SkippedRunning)
    })
    .await;
    assert_eq!(gate.begun(), 1);
    gate.open.notify_one();
    until("the next run", || gate.begun() == 2).await;
    gate.open.notify_one();
    jobs.stop(GRACE).await;
}

#[tokio::test]
async fn runs_overlap_when_asked_to() {
    let (gate, job) = Gate::job(EVERY_SECOND);
    let jobs = Jobs::new([job.allow_overlap()]).unwrap();
    jobs.start().await.unwrap();
    until("a second run", || gate.begun() >= 2).await;
    assert!(jobs.status("gated").unwrap().running() >= 2);
    let stopped = jobs.stop(Duration::from_millis(10)).await;
    assert!(stopped.abandoned_runs >= 2);
}

#[tokio::test]
async fn a_panic_harms_neither_the_job_nor_the_others() {
    let jobs = Jobs::new([
        panicking("panics", EVERY_SECOND),
        panicking("works", EVERY_SECOND),
    ])
    .unwrap();
    jobs.start().await.unwrap();
    let finished = |name: &str| {
        let status = jobs.status(name).unwrap();
        status.last_run().map(|run| run.scheduled_at)
    };
    until("both", || {
        finished("panics").is_some() && finished("works").is_some()
    })
    .await;
    let (panicked_at, worked_at) = (finished("panics"), finished("works"));
    until("both again", || {
        finished("panics") > panicked_at && finished("works") > worked_at
    })
    .await;
    let result = |name: &str| {
        jobs.status(name)
            .unwrap()
            .last_run()
            .unwrap()
            .result
            .clone()
    };
    assert_eq!(result("panics"), JobResult::Panicked);
    assert_eq!(result("works"), JobResult::Ok);
    jobs.stop(GRACE).await;
}

#[tokio::test]
async fn a_run_that_takes_too_long_is_ended() {
    let jobs = Jobs::new([
        Job::new("hangs", NEVER, |_| pending::<Result<(), String>>())
            .time_limit(Duration::from_millis(20)),
    ])
    .unwrap();
    let report = jobs.run("hangs").await.unwrap();
    assert_eq!(report.result, JobResult::TimedOut);
    assert!(report.duration >= Duration::from_millis(20));
    assert_eq!(jobs.status("hangs").unwrap().running(), 0);
}

#[tokio::test]
async fn a_failure_is_told_within_bounds() {
    let jobs = Jobs::new([failing("fails", "the registry answered 503")]).unwrap();
    let report = jobs.run("fails").await.unwrap();
    assert_eq!(
        report.result,
        JobResult::Failed("the registry answered 503".to_owned())
    );
    let long = Jobs::new([Job::on_demand("long", |_| async {
        Err::<(), _>("é".repeat(5000))
    })])
    .unwrap();
    let JobResult::Failed(message) = long.run("long").await.unwrap().result else {
        panic!("it fails");
    };
    assert_eq!(message.chars().count(), 1000);
    assert!(matches!(
        jobs.run("other").await,
        Err(JobsError::Unknown(name)) if name == "other"
    ));
}

#[tokio::test]
async fn a_job_is_told_when_it_last_succeeded() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&told);
    let jobs = Jobs::new([Job::on_demand("incremental", move |run| {
        let mut seen = seen.lock().unwrap();
        seen.push(run.last_success_at());
        let fails = seen.len() == 2;
        async move { if fails { Err("once") } else { Ok(()) } }
    })])
    .unwrap();
    let first = jobs.run("incremental").await.unwrap();
    jobs.run("incremental").await.unwrap();
    jobs.run("incremental").await.unwrap();
    let expected = [None, Some(first.started_at), Some(first.started_at)];
    assert_eq!(*told.lock().unwrap(), expected);
}

#[tokio::test]
async fn stopping_lets_runs_finish_and_begins_none() {
    let (gate, job) = Gate::job(NEVER);
    let jobs = Jobs::new([job]).unwrap();
    jobs.start().await.unwrap();
    let running = tokio::spawn({
        let jobs = jobs.clone();
        async move { jobs.run("gated").await.unwrap() }
    });
    until("the run", || gate.begun() == 1).await;
    let stopping = tokio::spawn({
        let jobs = jobs.clone();
        async move { jobs.stop(GRACE).await }
    });
    until("the stop", || {
        jobs.status("gated").unwrap().next_run_at().is_none()
    })
    .await;
    sleep(Duration::from_millis(20)).await;
    let late = jobs.run("gated").await.unwrap();
    assert_eq!(late.result, JobResult::SkippedStopping);
    gate.open.notify_one();
    assert_eq!(stopping.await.unwrap().abandoned_runs, 0);
    assert_eq!(running.await.unwrap().result, JobResult::Ok);
}

#[tokio::test]
async fn stopping_gives_up_what_does_not_finish_in_time() {
    let (gate, job) = Gate::job(NEVER);
    let jobs = Jobs::new([job]).unwrap();
    let running = tokio::spawn({
        let jobs = jobs.clone();
        async move { jobs.run("gated").await.unwrap() }
    });
    until("the run", || gate.begun() == 1).await;
    let stopped = jobs.stop(Duration::from_millis(20)).await;
    assert_eq!(stopped.abandoned_runs, 1);
    assert!(matches!(
        running.await.unwrap().result,
        JobResult::Failed(_)
    ));
}

#[tokio::test]
async fn stopping_does_not_wait_for_jitter() {
    let (gate, job) = Gate::job(EVERY_SECOND);
    let jobs = Jobs::new([job.jitter(Duration::from_secs(1_000_000))]).unwrap();
    jobs.start().await.unwrap();
    until("the wait", || jobs.status("gated").unwrap().running() == 1).await;
    let clock = Instant::now();
    assert_eq!(jobs.stop(GRACE).await.abandoned_runs, 0);
    assert!(clock.elapsed() < GRACE);
    assert_eq!(gate.begun(), 0);
}

/// Replicas in one process.
#[derive(Clone, Default)]
struct Shared(Arc<Mutex<HashSet<Taken>>>);

type Taken = (String, DateTime<Utc>);

#[async_trait::async_trait]
impl JobLock for Shared {
    async fn try_acquire(
        &self,
        job: &str,
        scheduled_at: DateTime<Utc>,
    ) -> Result<Option<JobLockGuard>, JobLockError> {
        let free = self
            .0
            .lock()
            .unwrap()
            .insert((job.to_owned(), scheduled_at));
        Ok(free.then(|| JobLockGuard::new(())))
    }
}

#[tokio::test]
async fn one_of_several_replicas_runs_what_is_due() {
    let lock = Shared::default();
    let times = Arc::new(Mutex::new(Vec::new()));
    let replicas: Vec<_> = (0..3)
        .map(|_| {
            let times = Arc::clone(&times);
            let job = Job::new("tick", EVERY_SECOND, move |run| {
                times.lock().unwrap().push(run.scheduled_at());
                async { Ok::<(), String>(()) }
            });
            Jobs::with_lock([job], lock.clone()).unwrap()
        })
        .collect();
    for replica in &replicas {
        replica.start().await.unwrap();
    }
    until("three runs", || times.lock().unwrap().len() >= 3).await;
    for replica in &replicas {
        replica.stop(GRACE).await;
    }
    let times = times.lock().unwrap().clone();
    let distinct: HashSet<_> = times.iter().collect();
    assert_eq!(distinct.len(), times.len(), "each time by one: {times:?}");
    assert!(replicas.iter().any(|replica| {
        let status = replica.status("tick").unwrap();
        status
            .last_skipped()
            .is_some_and(|skipped| skipped.result == JobResult::SkippedLocked)
    }));
}

/// What a lock may answer.
enum Answers {
    Error,
    Panic,
    Released(Arc<AtomicUsize>),
}

struct Release(Arc<AtomicUsize>);

impl Drop for Release {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[async_trait::async_trait]
impl JobLock for Answers {
    async fn try_acquire(
        &self,
        _job: &str,
        _scheduled_at: DateTime<Utc>,
    ) -> Result<Option<JobLockGuard>, JobLockError> {
        match self {
            Self::Error => Err("no connection".into()),
            Self::Panic => panic!("on purpose"),
            Self::Released(count) => Ok(Some(JobLockGuard::new(Release(Arc::clone(count))))),
        }
    }
}

#[tokio::test]
async fn a_lock_out_of_order_is_a_failure_and_holds_nothing() {
    for (lock, says) in [
        (Answers::Error, "no connection"),
        (Answers::Panic, "panicked"),
    ] {
        let jobs = Jobs::with_lock([failing("fails", "not reached")], lock).unwrap();
        for _ in 0..2 {
            let JobResult::Failed(message) = jobs.run("fails").await.unwrap().result else {
                panic!("the lock cannot be had");
            };
            assert!(message.contains(says), "{message}");
        }
    }
}

#[tokio::test]
async fn a_lock_is_given_back_however_the_run_ends() {
    let released = Arc::new(AtomicUsize::new(0));
    let jobs = Jobs::with_lock(
        [
            failing("fails", "no"),
            panicking("panics", NEVER),
            Job::on_demand("hangs", |_| pending::<Result<(), String>>())
                .time_limit(Duration::from_millis(1)),
        ],
        Answers::Released(Arc::clone(&released)),
    )
    .unwrap();
    for name in ["fails", "panics", "hangs"] {
        jobs.run(name).await.unwrap();
    }
    assert_eq!(released.load(Ordering::SeqCst), 3);
}

#[test]
fn every_mistake_of_every_job_is_told() {
    let work = |_| async { Ok::<(), String>(()) };
    let error = Jobs::new([
        Job::new("Not A Name", "0 0 3 * * *", work),
        Job::new("two-mistakes", "every day", work).time_zone("Atlantis"),
        Job::new("good", "0 0 3 * * *", work),
        Job::new("good", "0 0 4 * * *", work),
    ])
    .unwrap_err();
    let JobsError::Mistakes(mistakes) = &error else {
        panic!("{error}");
    };
    let jobs: Vec<_> = mistakes
        .iter()
        .map(|mistake| mistake.job.as_str())
        .collect();
    assert_eq!(jobs, ["Not A Name", "two-mistakes", "two-mistakes", "good"]);
    assert!(error.to_string().contains("Atlantis"), "{error}");
}

#[tokio::test]
async fn operators_see_jobs_and_run_them() {
    let (gate, job) = Gate::job("0 30 3 * * *");
    let jobs = Jobs::new([job.time_zone("Africa/Nairobi"), failing("fails", "no")]).unwrap();
    jobs.start().await.unwrap();

    let (status, body) = ask(jobs.routes(), "GET", "/jobs").await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(body["jobs"][0]["name"], "fails");
    assert_eq!(body["jobs"][1]["cron"], "0 30 3 * * *");
    assert_eq!(body["jobs"][1]["timeZone"], "Africa/Nairobi");
    assert_eq!(body["jobs"][1]["lastRun"], Value::Null);
    let next = body["jobs"][1]["nextRunAt"].as_str().unwrap();
    assert!(next.ends_with("T00:30:00Z"), "{next}");

    let (status, body) = ask(jobs.routes(), "POST", "/jobs/gated/run").await;
    assert_eq!(status, StatusCode::ACCEPTED);
    assert_eq!(body["running"][0]["trigger"], "demand");
    until("the run", || gate.begun() == 1).await;
    let (status, body) = ask(jobs.routes(), "POST", "/jobs/gated/run").await;
    assert_eq!(status, StatusCode::CONFLICT);
    assert_eq!(body["result"], "skipped-running");
    gate.open.notify_one();
    until("its end", || jobs.status("gated").unwrap().running() == 0).await;
    let (_, body) = ask(jobs.routes(), "GET", "/jobs/gated").await;
    assert_eq!(body["lastRun"]["result"], "ok");
    assert!(body["lastRun"]["durationSeconds"].is_f64());
    assert_eq!(body["lastSkipped"]["result"], "skipped-running");
    assert_eq!(body["lastSuccessAt"], body["lastRun"]["startedAt"]);

    for (method, path) in [("GET", "/jobs/other"), ("POST", "/jobs/other/run")] {
        let (status, _) = ask(jobs.routes(), method, path).await;
        assert_eq!(status, StatusCode::NOT_FOUND);
    }
    jobs.stop(GRACE).await;
    let (status, _) = ask(jobs.routes(), "POST", "/jobs/gated/run").await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
}

#[rstest]
#[case("works", StatusCode::OK, "ok")]
#[case("fails", StatusCode::INTERNAL_SERVER_ERROR, "failed")]
#[case("panics", StatusCode::INTERNAL_SERVER_ERROR, "panicked")]
#[tokio::test]
async fn a_polling_channel_runs_a_job_and_hears_how_it_ended(
    #[case] name: &str,
    #[case] expected: StatusCode,
    #[case] result: &str,
) {
    let jobs = Jobs::new([
        panicking("works", NEVER),
        failing("fails", "no"),
        panicking("panics", NEVER),
    ])
    .unwrap();
    let (status, body) = ask(jobs.polling_routes(), "GET", &format!("/jobs/{name}/poll")).await;
    assert_eq!(status, expected);
    assert_eq!(body["result"], result);
    assert_eq!(body["trigger"], "polling");
}

/// A back end that refuses everything.
async fn broken_back_end() -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let routes = Router::new().fallback(|| async { StatusCode::SERVICE_UNAVAILABLE });
    tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
    url
}

#[rstest]
#[case(false, "Completed with error(s)")]
#[case(true, "Failed")]
#[tokio::test]
async fn what_a_polled_job_calls_is_in_its_transaction(
    #[case] gives_up: bool,
    #[case] expected: &str,
) {
    let url = broken_back_end().await;
    let client = RecordingClient::new(reqwest::Client::new());
    let jobs = Jobs::new([Job::on_demand("calls", move |_| {
        let call = client.get("Ask the registry", &url).send();
        async move {
            let answer = call.await.map_err(|error| error.to_string())?;
            if gives_up {
                Err(answer.status().to_string())
            } else {
                Ok(())
            }
        }
    })])
    .unwrap();
    let routes = jobs
        .polling_routes()
        .layer(TransactionLayer::new(TransactionSettings::new(
            "urn:mediator:jobs",
        )));
    let (_, envelope) = ask(routes, "GET", "/jobs/calls/poll").await;
    assert_eq!(envelope["status"], expected);
    assert_eq!(envelope["orchestrations"][0]["name"], "Ask the registry");
    assert_eq!(envelope["orchestrations"][0]["response"]["status"], 503);
    let answer: Value =
        serde_json::from_str(envelope["response"]["body"].as_str().unwrap()).unwrap();
    assert_eq!(answer["trigger"], "polling");
}

#[tokio::test]
async fn a_job_goes_on_when_openhim_does_not_wait_for_it() {
    let (gate, job) = Gate::job(NEVER);
    let jobs = Jobs::new([job]).unwrap();
    let poll = tokio::spawn(ask(jobs.polling_routes(), "GET", "/jobs/gated/poll"));
    until("the run", || gate.begun() == 1).await;
    poll.abort();
    assert!(poll.await.is_err());
    let (status, body) = ask(jobs.polling_routes(), "GET", "/jobs/gated/poll").await;
    assert_eq!(status, StatusCode::CONFLICT);
    assert_eq!(body["result"], "skipped-running");
    gate.open.notify_one();
    until("its end", || {
        let status = jobs.status("gated").unwrap();
        status
            .last_run()
            .is_some_and(|run| run.result == JobResult::Ok)
    })
    .await;
}

#[tokio::test]
async fn runs_are_counted() {
    use mediator_core::server::{Server, ServerSettings, listen};

    let jobs = Jobs::new([failing("counted", "no"), panicking("counted-ok", NEVER)]).unwrap();
    let listener = listen("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let address = axum::serve::Listener::local_addr(&listener).unwrap();
    let server = tokio::spawn(Server::new(ServerSettings::default()).serve(
        jobs.routes(),
        listener,
        pending(),
    ));
    // The recorder is there when the server answers.
    let metrics = format!("http://{address}/metrics");
    reqwest::get(&metrics).await.unwrap();
    jobs.run("counted").await.unwrap();
    jobs.run("counted-ok").await.unwrap();
    let text = reqwest::get(&metrics).await.unwrap().text().await.unwrap();
    for line in [
        r#"job_runs_total{job="counted",result="failed"} 1"#,
        r#"job_runs_total{job="counted-ok",result="ok"} 1"#,
        r#"job_run_duration_seconds_count{job="counted"} 1"#,
        r#"job_last_success_timestamp_seconds{job="counted-ok"}"#,
    ] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
    assert!(!text.contains(r#"job_last_success_timestamp_seconds{job="counted"}"#));
    server.abort();
}
