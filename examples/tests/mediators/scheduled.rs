use reqwest::StatusCode;
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::{Core, Example, is, real_core, start_with, system, transaction, until};

const PROGRAM: &str = env!("CARGO_BIN_EXE_scheduled-mediator");

async fn facilities(status: u16) -> String {
    let status = StatusCode::from_u16(status).unwrap();
    system(status, json!([{ "name": "North" }, { "name": "South" }])).await
}

#[tokio::test]
async fn runs_by_its_own_clock_and_on_demand() {
    let example = Example::start(PROGRAM, Core::none(), &[], |_| {}).await;
    let url = example.url("/jobs/send-statistics");
    let status = until("a run by the clock", async || {
        let status: Value = reqwest::get(&url).await.unwrap().json().await.unwrap();
        status["lastRun"].is_object().then_some(status)
    })
    .await;
    assert_eq!(status["lastRun"]["result"], "ok");
    assert_eq!(status["lastRun"]["trigger"], "schedule");
    assert_eq!(status["timeZone"], "Africa/Nairobi");

    let run = reqwest::Client::new().post(format!("{url}/run"));
    assert_eq!(run.send().await.unwrap().status(), StatusCode::ACCEPTED);
    until("a run on demand", async || {
        let status: Value = reqwest::get(&url).await.unwrap().json().await.unwrap();
        (status["lastRun"]["trigger"] == "demand").then_some(())
    })
    .await;
    example.stop();
}

#[rstest]
#[case(200, "Successful", "2")]
#[case(503, "Failed", "")]
#[tokio::test]
async fn a_poll_tells_how_the_run_went(
    #[case] facilities_status: u16,
    #[case] status: &str,
    #[case] found: &str,
) {
    let facilities = facilities(facilities_status).await;
    let environment = [("FACILITIES_URL", facilities.as_str())];
    let example = Example::start(PROGRAM, Core::none(), &environment, |_| {}).await;
    let request = reqwest::Client::new().get(example.url("/jobs/fetch-facilities/poll"));
    let envelope = example.envelope(request).await;
    assert_eq!(envelope["status"], status);
    assert_eq!(
        envelope["orchestrations"][0]["name"],
        "Fetch the facilities"
    );
    let property = envelope["properties"]["facilities"].as_str();
    assert_eq!(property.unwrap_or_default(), found);
}

#[tokio::test]
async fn core_polls_it() {
    let Some(core) = real_core().await else {
        return;
    };
    let facilities = facilities(200).await;
    let environment = [("FACILITIES_URL", facilities.as_str())];
    let _example = start_with(core, PROGRAM, &environment, |config| {
        config["defaultChannelConfig"][0]["pollingSchedule"] = json!("2 seconds");
    })
    .await;
    until("the channel", async || {
        let channels = core.api("GET", "/channels", None).await.body;
        let mut channels = channels.as_array()?.iter();
        let found = channels.any(|channel| channel["name"] == "Fetch the facilities");
        found.then_some(())
    })
    .await;
    let transaction = transaction(core, "Fetch the facilities", is("Successful")).await;
    assert_eq!(transaction["properties"]["facilities"], "2");
    assert_eq!(
        transaction["orchestrations"][0]["name"],
        "Fetch the facilities"
    );
}
