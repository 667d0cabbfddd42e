//! Faults of the input, of the engine, and of what lies between.

use std::fs;
use std::time::Duration;

use mediator_ddcc::operation_outcome::OperationOutcome;
use mediator_ddcc::transformer::{Definitions, Transformer as _, TransformerError};
use real_servers::fault_proxy::{Fault, FaultProxy};
use rstest::rstest;
use serde_json::{Value, json};

use super::client::{SEED, VACCINATION, address, impatient, matchbox, run, settings, transformer};
use super::engine;

const ADD_BUNDLE: &str = "http://smart.who.int/ddcc/StructureMap/CoreDataSetVSToAddBundle";

fn status(error: TransformerError) -> u16 {
    OperationOutcome::from(error).status
}

#[rstest]
#[case::no_resource(VACCINATION, json!({"item": []}))]
#[case::unknown_resource(VACCINATION, json!({"resourceType": "Nonsense"}))]
#[case::no_number(ADD_BUNDLE, json!({"name": "Aroha Ngata", "vaccination": {"dose": "Aroha Ngata"}}))]
#[tokio::test]
async fn what_is_wrong_with_the_input_is_the_inputs(#[case] map: &str, #[case] input: Value) {
    let Some(engine) = engine().await else {
        return;
    };
    let matchbox = matchbox(&engine.base_url());
    let error = matchbox.transform(map, &input, SEED).await.unwrap_err();
    assert!(matches!(error, TransformerError::Failed { .. }), "{error}");
    assert!(!error.to_string().contains("Aroha"), "{error}");
    assert_eq!(status(error), 422);
}

/// Fails with any input.
fn map(name: &str, model: &str, rule: &str) -> String {
    format!(
        r#"/// url = 'http://example.org/StructureMap/{name}'
        uses "{model}" alias In as source
        uses "http://hl7.org/fhir/StructureDefinition/Bundle" alias Bundle as target
        group {name}(source s : In, target b : Bundle) {{ {rule} "x"; }}"#
    )
}

#[rstest]
#[case::missing_model(
    "model",
    "http://example.org/StructureDefinition/gone",
    "s -> b.type = 'batch'"
)]
#[case::missing_concept_map(
    "concepts",
    "http://hl7.org/fhir/StructureDefinition/Patient",
    "s.gender as g -> b.id = translate(g, 'http://example.org/gone', 'code')"
)]
#[case::unknown_type(
    "unknown",
    "http://hl7.org/fhir/StructureDefinition/Patient",
    "s -> b.entry as e, e.resource = create('Nonsense') as r"
)]
#[tokio::test]
async fn what_is_wrong_with_the_map_is_not_the_inputs(
    #[case] name: &str,
    #[case] model: &str,
    #[case] rule: &str,
) {
    let Some(engine) = engine().await else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("broken.map"), map(name, model, rule)).unwrap();
    let definitions = Definitions::with_folder(folder.path()).unwrap();
    let matchbox = transformer(&settings(&engine.base_url()), definitions);
    let url = format!("http://example.org/StructureMap/{name}");
    let input = json!({"resourceType": "Patient", "gender": "female"});
    let error = matchbox.transform(&url, &input, SEED).await.unwrap_err();
    assert!(matches!(error, TransformerError::Engine { .. }), "{error}");
    assert_eq!(status(error), 502);
}

#[rstest]
#[case::busy(Fault::answer(503, "busy"), 503)]
#[case::throttled(Fault::answer(429, ""), 503)]
#[case::proxy_without_a_server(Fault::answer(502, "<html>Bad Gateway</html>"), 502)]
#[case::proxy_that_waited(Fault::answer(504, ""), 504)]
#[case::out_of_memory(Fault::answer(500, r#"{"resourceType":"OperationOutcome","issue":[{"severity":"error","code":"processing","diagnostics":"HAPI-0389: Failed to call access method: java.lang.OutOfMemoryError: Java heap space"}]}"#), 502)]
#[case::error_page(Fault::answer(500, "<html>oops</html>"), 502)]
#[case::page_for_a_result(Fault::answer(200, "<html>Log in</html>"), 502)]
#[case::another_resource(Fault::answer(200, r#"{"resourceType":"OperationOutcome"}"#), 502)]
#[case::no_object(Fault::answer(200, "[1]"), 502)]
#[case::other_address(Fault::answer(404, "not found"), 502)]
#[case::forbidden(Fault::answer(403, ""), 502)]
#[case::refused_by_something_else(Fault::answer(422, "no OperationOutcome"), 502)]
#[case::refused(Fault::answer(422, r#"{"resourceType":"OperationOutcome","issue":[{"severity":"error","code":"processing","diagnostics":"wrong"}]}"#), 422)]
#[case::rubbish(Fault::rubbish(), 503)]
#[case::closed(Fault::Close, 503)]
#[case::lost(Fault::LoseAnswer, 503)]
#[case::cut(Fault::BreakOff(300), 503)]
#[tokio::test]
async fn what_lies_between_is_not_the_inputs(#[case] fault: Fault, #[case] expected: u16) {
    let Some(engine) = engine().await else {
        return;
    };
    let proxy = FaultProxy::http(address(&engine.base_url())).await;
    let base_url = format!("http://{}/fhir", proxy.address());
    let matchbox = impatient(&base_url, Duration::from_secs(120));
    run(&matchbox).await.unwrap();
    proxy.fail(fault);
    assert_eq!(status(run(&matchbox).await.unwrap_err()), expected);
    proxy.recover().await;
    run(&matchbox).await.unwrap();
}

#[tokio::test]
async fn an_engine_that_does_not_answer_is_given_up_and_used_again_when_it_does() {
    let Some(engine) = engine().await else {
        return;
    };
    let proxy = FaultProxy::http(address(&engine.base_url())).await;
    let base_url = format!("http://{}/fhir", proxy.address());
    proxy.fail(Fault::Hang);
    let error = run(&impatient(&base_url, Duration::from_millis(200))).await;
    assert_eq!(status(error.unwrap_err()), 504);
    proxy.refuse().await;
    let matchbox = impatient(&base_url, Duration::from_secs(120));
    assert_eq!(status(run(&matchbox).await.unwrap_err()), 503);
    proxy.recover().await;
    run(&matchbox).await.unwrap();
}

#[tokio::test]
async fn faults_that_pass_are_not_noticed() {
    let Some(engine) = engine().await else {
        return;
    };
    let proxy = FaultProxy::http(address(&engine.base_url())).await;
    let matchbox = matchbox(&format!("http://{}/fhir", proxy.address()));
    for fault in [Fault::Close, Fault::LoseAnswer, Fault::answer(503, "")] {
        proxy.fail_times(2, fault);
        run(&matchbox).await.unwrap();
    }
}

#[tokio::test]
async fn a_result_that_is_too_long_is_not_read() {
    let Some(engine) = engine().await else {
        return;
    };
    let mut settings = settings(&engine.base_url());
    settings.maximum_response_bytes = 50;
    let matchbox = transformer(&settings, Definitions::builtin().unwrap());
    assert_eq!(status(run(&matchbox).await.unwrap_err()), 502);
}
