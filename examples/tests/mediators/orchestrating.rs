use reqwest::StatusCode;
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::{Core, Example, is, real_core, start_with, system, transaction, until};

const PROGRAM: &str = env!("CARGO_BIN_EXE_orchestrating-mediator");

/// The configuration of two systems that answer with these statuses.
async fn systems(patients: u16, insurances: u16) -> Value {
    let answers = |status| StatusCode::from_u16(status).unwrap();
    let patients = system(answers(patients), json!({ "name": "Amina" })).await;
    let insurances = system(answers(insurances), json!({ "covers": true })).await;
    json!({ "patientsUrl": patients, "insurancesUrl": insurances })
}

#[rstest]
#[case(200, 200, "Successful", 200)]
#[case(200, 500, "Completed with error(s)", 200)]
#[case(503, 200, "Failed", 502)]
#[tokio::test]
async fn the_status_tells_which_system_failed(
    #[case] patients: u16,
    #[case] insurances: u16,
    #[case] status: &str,
    #[case] answer: u16,
) {
    let settings = systems(patients, insurances).await;
    let example = Example::start(PROGRAM, Core::none(), &[], |config| {
        config["config"] = settings;
    })
    .await;
    let request = reqwest::Client::new().get(example.url("/patients/7"));
    let envelope = example.envelope(request).await;
    assert_eq!(envelope["status"], status);
    assert_eq!(envelope["response"]["status"], answer);
    let calls = envelope["orchestrations"].as_array().unwrap();
    assert_eq!(calls.len(), 2);
    // Only the failure that a retry may mend asks for one.
    assert_eq!(envelope["error"].is_object(), status == "Failed");
    if answer == 200 {
        let body = envelope["response"]["body"].as_str().unwrap();
        let body: Value = serde_json::from_str(body).unwrap();
        assert_eq!(body["patient"]["name"], "Amina");
        assert_eq!(body["insurance"].is_null(), insurances != 200);
    }
}

#[tokio::test]
async fn core_shows_both_calls() {
    let Some(core) = real_core().await else {
        return;
    };
    let settings = systems(200, 500).await;
    let _example = start_with(core, PROGRAM, &[], |config| config["config"] = settings).await;
    let url = format!("{}/patients/7", core.router_url());
    until("the channel", async || {
        let answer = reqwest::get(&url).await.unwrap();
        answer.status().is_success().then_some(())
    })
    .await;
    let channel = "Patients with their insurance";
    let transaction = transaction(core, channel, is("Completed with error(s)")).await;
    let calls = transaction["orchestrations"].as_array().unwrap();
    let statuses: Vec<_> = calls
        .iter()
        .map(|call| (&call["name"], &call["response"]["status"]))
        .collect();
    assert!(
        statuses.contains(&(&json!("Look up the patient"), &json!(200))),
        "{statuses:?}"
    );
    assert!(
        statuses.contains(&(&json!("Look up the insurance"), &json!(500))),
        "{statuses:?}"
    );
}
