//! Maps get to Matchbox by themselves.

use std::fs;

use mediator_ddcc::transformer::{Definitions, Transformer as _, TransformerError};
use real_servers::fault_proxy::FaultProxy;
use serde_json::{Value, json};

use super::client::{SEED, address, example, matchbox, settings, transformer};
use super::engine;

#[tokio::test]
async fn calls_at_the_same_time_upload_a_map_once() {
    let Some(engine) = engine().await else {
        return;
    };
    let proxy = FaultProxy::http(address(&engine.base_url())).await;
    let folder = tempfile::tempdir().unwrap();
    let map = r#"/// url = 'http://example.org/StructureMap/once'
        uses "http://hl7.org/fhir/StructureDefinition/QuestionnaireResponse" alias QR as source
        uses "http://hl7.org/fhir/StructureDefinition/Basic" alias Basic as target
        group Once(source r : QR, target b : Basic) { r.status as s -> b.id = s "id"; }"#;
    fs::write(folder.path().join("once.map"), map).unwrap();
    let definitions = Definitions::with_folder(folder.path()).unwrap();
    let base_url = format!("http://{}/fhir", proxy.address());
    let matchbox = transformer(&settings(&base_url), definitions);
    let url = "http://example.org/StructureMap/once";
    let input = json!({"resourceType": "QuestionnaireResponse", "status": "completed"});
    let transform = || matchbox.transform(url, &input, SEED);
    let results = tokio::join!(transform(), transform(), transform(), transform());
    let expected = json!({"resourceType": "Basic", "id": "completed"});
    for result in [results.0, results.1, results.2, results.3] {
        assert_eq!(result.unwrap(), expected);
    }
    // Each once more at most, and in between one search and one upload.
    assert!(proxy.requests() <= 10, "{}", proxy.requests());
}

#[tokio::test]
async fn a_map_may_be_a_structure_map_and_have_a_model_and_an_import_of_its_own() {
    let Some(engine) = engine().await else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, resource: &Value| {
        fs::write(folder.path().join(name), resource.to_string()).unwrap();
    };
    write(
        "model.json",
        &json!({
            "resourceType": "StructureDefinition", "url": "http://example.org/StructureDefinition/Card",
            "name": "Card", "status": "active", "kind": "logical", "abstract": false,
            "type": "http://example.org/StructureDefinition/Card", "fhirVersion": "4.0.1",
            "baseDefinition": "http://hl7.org/fhir/StructureDefinition/Element", "derivation": "specialization",
            "differential": {"element": [
                {"id": "Card", "path": "Card", "min": 0, "max": "*"},
                {"id": "Card.holder", "path": "Card.holder", "min": 0, "max": "1", "type": [{"code": "string"}]}
            ]}
        }),
    );
    write(
        "card.json",
        &json!({
            "resourceType": "StructureMap", "url": "http://example.org/StructureMap/card", "name": "card", "status": "active",
            "structure": [
                {"url": "http://hl7.org/fhir/StructureDefinition/QuestionnaireResponse", "mode": "source", "alias": "QR"},
                {"url": "http://example.org/StructureDefinition/Card", "mode": "target", "alias": "Card"}
            ],
            "import": ["http://example.org/StructureMap/holder"],
            "group": [{
                "name": "card", "typeMode": "none",
                "input": [{"name": "r", "type": "QR", "mode": "source"}, {"name": "c", "type": "Card", "mode": "target"}],
                "rule": [{"name": "holder", "source": [{"context": "r"}], "dependent": [{"name": "Holder", "variable": ["r", "c"]}]}]
            }]
        }),
    );
    let import = r#"/// url = 'http://example.org/StructureMap/holder'
        uses "http://hl7.org/fhir/StructureDefinition/QuestionnaireResponse" alias QR as source
        uses "http://example.org/StructureDefinition/Card" alias Card as target
        group Holder(source r : QR, target c : Card) { r.status as s -> c.holder = s "holder"; }"#;
    fs::write(folder.path().join("holder.map"), import).unwrap();
    let definitions = Definitions::with_folder(folder.path()).unwrap();
    let given = transformer(&settings(&engine.base_url()), definitions);
    let url = "http://example.org/StructureMap/card";
    let input = json!({"resourceType": "QuestionnaireResponse", "status": "completed"});
    let card = json!({"holder": "completed"});
    assert_eq!(given.transform(url, &input, SEED).await.unwrap(), card);

    // Another program that does not have the map runs it too, now that Matchbox has it.
    let other = matchbox(&engine.base_url());
    assert_eq!(other.transform(url, &input, SEED).await.unwrap(), card);
}

#[tokio::test]
async fn a_map_that_is_nowhere_is_unknown() {
    let Some(engine) = engine().await else {
        return;
    };
    let matchbox = matchbox(&engine.base_url());
    let url = "http://example.org/StructureMap/nowhere";
    let error = matchbox.transform(url, &example("vaccination"), SEED).await;
    assert!(
        matches!(error, Err(TransformerError::UnknownMap(_))),
        "{error:?}"
    );
}
