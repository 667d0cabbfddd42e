#[path = "../../src/mediator_config/tests/pointers.rs"]
mod pointers;

use mediator_core::mediator_config::MediatorConfig;
use mediator_core::openhim::OpenHimError;
use serde_json::{Value, json};

use pointers::pointers;

use super::{core, root};

/// One of everything that both 4.x and 8.x have.
fn complete() -> Value {
    let mut document: Value = serde_json::from_str(include_str!(
        "../../src/mediator_config/tests/complete.json"
    ))
    .unwrap();
    // 4.x has no Kafka.
    document["defaultChannelConfig"][0]["routes"]
        .as_array_mut()
        .unwrap()
        .retain(|route| route["type"] != "kafka");
    document
}

#[tokio::test]
async fn whatever_an_element_is_core_takes_the_document_if_we_do() {
    let Some(core) = core().await else { return };
    let mut elements = Vec::new();
    pointers(&complete(), "", &mut elements);
    let values = [
        json!(null),
        json!(""),
        json!("x"),
        json!("80"),
        json!(0),
        json!(-1),
        json!(1.5),
        json!(1e9),
        json!(true),
        json!([]),
        json!(["x"]),
        json!({}),
        json!({"x": "y"}),
    ];
    let openhim = root(core);
    let mut disagreements = Vec::new();
    let mut taken = 0;
    let mut refused = 0;
    for (index, element) in elements.iter().enumerate() {
        for (number, value) in values.iter().enumerate() {
            let mut document = complete();
            document["urn"] = format!("urn:mediator:{index}-{number}").into();
            *document.pointer_mut(element).unwrap() = value.clone();
            let Ok(config) = MediatorConfig::try_from(document) else {
                refused += 1;
                continue;
            };
            match openhim.register_mediator(&config).await {
                Ok(()) => taken += 1,
                Err(error) => disagreements.push(format!("{element} = {value}: {error}")),
            }
        }
    }
    assert!(disagreements.is_empty(), "{}", disagreements.join("\n"));
    // So that the test shows something of both.
    assert!(taken > 100 && refused > 100, "{taken} taken, {refused} not");
}

#[tokio::test]
async fn core_takes_a_configuration_if_we_do() {
    let Some(core) = core().await else { return };
    let mut document = complete();
    document["urn"] = "urn:mediator:configured".into();
    let config = MediatorConfig::try_from(document.clone()).unwrap();
    let openhim = root(core);
    openhim.register_mediator(&config).await.unwrap();

    let values = [
        json!(null),
        json!("x"),
        json!("info"),
        json!(5),
        json!(true),
        json!([]),
        json!(["x"]),
        json!([1]),
        json!({}),
        json!({"a": "b"}),
        json!({"a": 1}),
        json!({"url": "u"}),
        json!([{"key": "k"}]),
        json!([{"other": "k"}]),
    ];
    let parameters = document["config"].as_object().unwrap().keys();
    let mut stricter = Vec::new();
    for parameter in parameters.chain([&"unknown".to_owned()]) {
        for value in &values {
            let pushed = json!({ parameter: value });
            let answer = openhim.set_mediator_config(config.urn(), &pushed).await;
            match (config.check_configuration(&pushed), answer) {
                (Ok(()), Ok(())) | (Err(_), Err(OpenHimError::Refused { .. })) => {}
                (Err(_), Ok(())) => stricter.push(pushed.to_string()),
                (checked, answer) => panic!("{pushed}: {checked:?}, but core: {answer:?}"),
            }
        }
    }
    // JavaScript's `typeof` says of null and of arrays that they are objects.
    assert_eq!(
        stricter,
        [
            r#"{"headers":null}"#,
            r#"{"headers":[]}"#,
            r#"{"headers":["x"]}"#,
            r#"{"registry":null}"#,
            r#"{"registry":[]}"#,
        ]
    );
}

#[tokio::test]
async fn core_makes_channels_of_what_we_take() {
    let Some(core) = core().await else { return };
    let config = MediatorConfig::try_from(complete()).unwrap();
    for channel in config.default_channels() {
        let mut channel = channel.clone();
        channel.name = format!("of a document: {}", channel.name);
        root(core).channels().create(&channel).await.unwrap();
    }
}
