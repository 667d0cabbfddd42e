use reqwest::StatusCode;

use crate::support::{
    Core, Example, TRANSACTION, real_core, stand_in_for_core, start_with, transaction, until,
};

const PROGRAM: &str = env!("CARGO_BIN_EXE_async-mediator");

#[tokio::test]
async fn finishes_after_it_has_answered() {
    let (url, asked) = stand_in_for_core().await;
    let core = Core {
        url: &url,
        authority: None,
    };
    let example = Example::start(PROGRAM, core, &[], |_| {}).await;
    let request = reqwest::Client::new()
        .post(example.url("/reports"))
        .body("line\n".repeat(61));
    let envelope = example.envelope(request).await;
    // Core makes "Pending Async" of it, since the channel says so.
    assert_eq!(envelope["response"]["status"], 202);
    assert_ne!(envelope["status"], "Successful");
    let update = format!("PUT /transactions/{TRANSACTION}");
    let told = until("the end of the work", async || {
        let asked = asked.lock().unwrap();
        let mut updates = asked.iter().filter(|(what, _)| *what == update);
        updates.next().map(|(_, body)| body.clone())
    })
    .await;
    assert_eq!(told["status"], "Successful");
    assert_eq!(told["response"]["body"], "2 pages\n");
}

#[tokio::test]
async fn core_shows_how_the_work_ended() {
    let Some(core) = real_core().await else {
        return;
    };
    let _example = start_with(core, PROGRAM, &[], |_| {}).await;
    let url = format!("{}/reports", core.router_url());
    let client = reqwest::Client::new();
    until("the channel", async || {
        let answer = client.post(&url).body("line\n").send().await.unwrap();
        (answer.status() == StatusCode::ACCEPTED).then_some(())
    })
    .await;
    let transaction = transaction(core, "Reports", |transaction| {
        transaction["response"]["body"] == "1 pages\n"
    })
    .await;
    assert_eq!(transaction["status"], "Successful");
    assert_eq!(transaction["properties"]["pages"], "1");
}
