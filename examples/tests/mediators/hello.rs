use crate::support::{Core, Example, is, real_core, start_with, transaction};

const PROGRAM: &str = env!("CARGO_BIN_EXE_hello-mediator");

#[tokio::test]
async fn greets_within_a_transaction_and_without() {
    let example = Example::start(PROGRAM, Core::none(), &[], |_| {}).await;
    let request = reqwest::Client::new().get(example.url("/hello"));
    let envelope = example.envelope(request).await;
    assert_eq!(envelope["x-mediator-urn"], "urn:mediator:hello");
    assert_eq!(envelope["status"], "Successful");
    assert_eq!(envelope["response"]["body"], "Hello, hospital.\n");
    assert_eq!(envelope["properties"]["greeting"], "friendly");

    let plain = reqwest::get(example.url("/hello")).await.unwrap();
    assert_eq!(plain.text().await.unwrap(), "Hello, whoever you are.\n");
    example.stop();
}

#[tokio::test]
async fn core_shows_it_green_and_routes_to_it() {
    let Some(core) = real_core().await else {
        return;
    };
    let _example = start_with(core, PROGRAM, &[], |_| {}).await;
    let url = format!("{}/hello", core.router_url());
    let answer = crate::support::until("the channel", async || {
        let answer = reqwest::get(&url).await.unwrap();
        answer.status().is_success().then_some(answer)
    })
    .await;
    assert!(answer.text().await.unwrap().starts_with("Hello, "));
    let transaction = transaction(core, "Hello", is("Successful")).await;
    assert_eq!(transaction["properties"]["greeting"], "friendly");
}

#[test]
fn says_what_its_environment_lacks() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/hello-mediator");
    let ended = std::process::Command::new(PROGRAM)
        .current_dir(folder)
        .env_clear()
        .output()
        .unwrap();
    assert!(!ended.status.success());
    let says = String::from_utf8(ended.stderr).unwrap();
    for variable in ["OPENHIM_API_URL", "OPENHIM_USERNAME", "OPENHIM_PASSWORD"] {
        assert!(says.contains(variable), "{says}");
    }
}
