//! Starting, ending, and what survives.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use super::{GENERATE, Runner, batch, command, vaccination};

#[tokio::test]
async fn what_was_issued_is_there_after_a_restart() {
    let mut runner = Runner::start();
    let answer = runner.post(GENERATE, &vaccination(1)).await;
    let document = answer.resource(200, "Bundle");
    runner.terminate();
    assert!(runner.wait().success());
    let log = runner.log();
    assert!(log.contains("everything was finished"), "{log}");
    assert!(!log.contains("before everything"), "{log}");
    assert_eq!(log.matches("asked to end by SIGTERM").count(), 1, "{log}");

    let runner = Runner::in_directory(Arc::clone(&runner.data_directory), &[]);
    let again = runner.post(GENERATE, &vaccination(1)).await;
    assert_eq!(again.resource(200, "Bundle"), document);
}

#[tokio::test]
async fn a_client_that_hangs_up_cancels_nothing_that_was_accepted() {
    let runner = Runner::start();
    let body = batch((0..40).map(vaccination)).to_string();
    let mut stream = TcpStream::connect(&runner.address).await.unwrap();
    let head = format!(
        "POST /ddcc HTTP/1.1\r\nhost: x\r\ncontent-type: application/fhir+json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(body.as_bytes()).await.unwrap();
    let issued = async |number: usize| {
        let start = Instant::now();
        loop {
            let path = format!("/ddcc/List?code=folder&identifier=CH-TEST-{number}");
            let found = runner.get(&path).await.resource(200, "Bundle");
            if found["total"] == 1 {
                return;
            }
            assert!(start.elapsed() < Duration::from_secs(30), "number {number}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    issued(0).await;
    drop(stream);
    for number in 1..40 {
        issued(number).await;
    }
}

#[tokio::test]
async fn ending_finishes_what_is_running() {
    let mut runner = Runner::start();
    let body = batch((0..8).map(vaccination));
    let request = async {
        let answer = runner.post("/ddcc", &body).await;
        answer.resource(201, "Bundle")
    };
    let ending = async {
        tokio::time::sleep(Duration::from_millis(30)).await;
        runner.terminate();
    };
    let (response, ()) = tokio::join!(request, ending);
    for entry in response["entry"].as_array().unwrap() {
        assert_eq!(entry["response"]["status"], "201");
    }
    assert!(runner.wait().success());
}

#[tokio::test]
async fn asked_again_it_ends_at_once() {
    let mut runner = Runner::start();
    let mut stream = TcpStream::connect(&runner.address).await.unwrap();
    let unfinished = "POST /ddcc HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n{";
    stream.write_all(unfinished.as_bytes()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    runner.terminate();
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(runner.child.try_wait().unwrap().is_none(), "it waits");
    let start = Instant::now();
    runner.terminate();
    assert!(runner.wait().success());
    assert!(start.elapsed() < Duration::from_secs(3));
    drop(stream);
}

#[tokio::test]
async fn nothing_of_a_person_is_in_the_log() {
    let runner = Runner::configured(&[("MEDIATOR_LOG__FILTER", "trace,hyper=info,h2=info")]);
    runner
        .post(GENERATE, &vaccination(1))
        .await
        .resource(200, "Bundle");
    let mut broken = vaccination(2);
    broken["item"][1]["answer"] = json!([{"valueDate": "1987-13-21"}]);
    runner.post(GENERATE, &broken).await.issue(400);
    runner
        .get("/ddcc/List?code=folder&identifier=CH-TEST-1")
        .await;
    runner.get("/ddcc/Bundle/CH-TEST-1").await;
    let start = Instant::now();
    while !runner.log().contains("/ddcc/Bundle/{id}") {
        assert!(
            start.elapsed() < Duration::from_secs(10),
            "{}",
            runner.log()
        );
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let log = runner.log();
    for personal in [
        "Amélie", "Zürcher", "1987-", "X4711082", "CH-TEST", "FG4493",
    ] {
        assert!(!log.contains(personal), "{personal} is in\n{log}");
    }
}

#[test]
fn failures_to_start() {
    let folder = tempfile::tempdir().unwrap();
    let output = command()
        .env("MEDIATOR_SERVER__LISTEN", "nowhere")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("MEDIATOR_SERVER__LISTEN"), "{text}");

    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = command()
        .env("MEDIATOR_DATA_DIRECTORY", folder.path())
        .env("MEDIATOR_SERVER__LISTEN", &address)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains(&address), "{text}");
}
