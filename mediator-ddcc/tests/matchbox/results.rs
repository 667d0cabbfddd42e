//! The same results.

use std::collections::HashSet;
use std::sync::Arc;

use mediator_ddcc::core_data_set::CoreDataSet;
use mediator_ddcc::transformer::{EmbeddedTransformer, MapByMap, MapSelection, Transformer};
use serde_json::Value;
use uuid::Uuid;

use super::client::{SEED, VACCINATION, example, matchbox, run};
use super::engine;

const BASE: &str = "http://smart.who.int/ddcc/StructureMap/";

/// Responses and the letters that their maps are named with.
fn responses() -> Vec<(&'static str, Value)> {
    let mut responses = vec![
        ("VS", example("vaccination")),
        ("VS", example("vaccination-least")),
        ("TR", example("test-result")),
        ("TR", example("test-result-least")),
    ];
    if let Ok(fixtures) = std::env::var("DDCC_FIXTURES") {
        for language in ["english", "french", "arabic", "chinese"] {
            let path = format!("{fixtures}/questionnaire-responses/vaccination-{language}.json");
            let text = std::fs::read_to_string(path).unwrap();
            responses.push(("VS", serde_json::from_str(&text).unwrap()));
        }
    }
    responses
}

#[tokio::test]
async fn both_engines_give_the_same_results_with_the_same_ids() {
    let Some(engine) = engine().await else {
        return;
    };
    let matchbox = matchbox(&engine.base_url());
    let embedded = EmbeddedTransformer::builtin().unwrap();
    for (letters, response) in responses() {
        let url = format!("{BASE}QRespTo{letters}CoreDataSet");
        let core = matchbox.transform(&url, &response, SEED).await.unwrap();
        assert_eq!(
            core,
            embedded.transform(&url, &response, SEED).await.unwrap()
        );
        serde_json::from_value::<CoreDataSet>(core.clone()).unwrap();

        let url = format!("{BASE}CoreDataSet{letters}ToAddBundle");
        let bundle = matchbox.transform(&url, &core, SEED).await.unwrap();
        assert_eq!(bundle, embedded.transform(&url, &core, SEED).await.unwrap());
    }
}

#[tokio::test]
async fn ids_follow_from_the_seed() {
    let Some(engine) = engine().await else {
        return;
    };
    let matchbox = matchbox(&engine.base_url());
    let core = run(&matchbox).await.unwrap();
    let url = format!("{BASE}CoreDataSetVSToAddBundle");
    let bundle = async |seed| matchbox.transform(&url, &core, seed).await.unwrap();
    let ids = |bundle: &Value| -> HashSet<String> {
        let entries = bundle["entry"].as_array().unwrap().iter();
        entries
            .map(|entry| entry["fullUrl"].as_str().unwrap().to_owned())
            .collect()
    };
    let first = bundle(SEED).await;
    assert_eq!(bundle(SEED).await, first);
    let other = bundle(Uuid::from_u128(1)).await;
    assert!(ids(&other).is_disjoint(&ids(&first)));
    assert_eq!(ids(&first).len(), 5);
}

#[tokio::test]
async fn engines_are_interchangeable_map_by_map() {
    let Some(engine) = engine().await else {
        return;
    };
    let engines = |selection| MapByMap {
        selection,
        selected: Arc::new(matchbox(&engine.base_url())),
        // Has no maps: whatever is sent here is unknown.
        others: Arc::new(
            EmbeddedTransformer::of_some(
                &mediator_ddcc::transformer::Definitions::builtin().unwrap(),
                |_| false,
            )
            .unwrap(),
        ),
    };
    let only = |url: &str| MapSelection::Only(HashSet::from([url.to_owned()]));
    run(&engines(MapSelection::All)).await.unwrap();
    run(&engines(only(VACCINATION))).await.unwrap();
    run(&engines(only("http://example.org/other")))
        .await
        .unwrap_err();
}
