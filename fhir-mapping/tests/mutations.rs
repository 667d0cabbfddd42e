//! Whatever maps and inputs are made of, nothing panics and everything ends.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::path::Path;
use std::time::Duration;

use fhir_mapping::{MapLibrary, Trace, TransformOptions};
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Value, json};

/// The tests' own maps and inputs.
fn texts(folder: &str, ending: &str) -> Vec<String> {
    let entries = fs::read_dir(Path::new("tests/engine").join(folder)).unwrap();
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|found| found == ending));
    paths.sort();
    paths
        .iter()
        .map(|path| fs::read_to_string(path).unwrap())
        .collect()
}

/// Words, spaces and signs.
fn pieces(text: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let is_word = |other: char| other.is_alphanumeric();
        let end = if is_word(first) {
            rest.find(|other| !is_word(other)).unwrap_or(rest.len())
        } else {
            first.len_utf8()
        };
        let (piece, after) = rest.split_at(end);
        pieces.push(piece);
        rest = after;
    }
    pieces
}

/// Puts pieces of another text in the places of some.
fn mix(text: &str, other: &str, changes: &[(Index, Index, u8)]) -> String {
    let mut pieces_of_text = pieces(text);
    let others = pieces(other);
    for (place, piece, kind) in changes {
        if pieces_of_text.is_empty() || others.is_empty() {
            break;
        }
        let place = place.index(pieces_of_text.len());
        let piece = others[piece.index(others.len())];
        match kind % 3 {
            0 => pieces_of_text[place] = piece,
            1 => pieces_of_text.insert(place, piece),
            _ => {
                pieces_of_text.remove(place);
            }
        }
    }
    pieces_of_text.concat()
}

/// Puts one part of a document in the place of another.
fn graft(value: &mut Value, part: &Value, path: &[Index]) {
    let Some((first, rest)) = path.split_first() else {
        *value = part.clone();
        return;
    };
    let child = match value {
        Value::Object(object) if !object.is_empty() => {
            let index = first.index(object.len());
            object.values_mut().nth(index)
        }
        Value::Array(values) if !values.is_empty() => {
            let index = first.index(values.len());
            values.get_mut(index)
        }
        _ => None,
    };
    match child {
        Some(child) => graft(child, part, rest),
        None => *value = part.clone(),
    }
}

fn run(map: &str, input: &Value) {
    let mut library = MapLibrary::new();
    for model in texts("models", "json") {
        let model: Value = serde_json::from_str(&model).unwrap();
        if model["resourceType"] == "ConceptMap" {
            library.add_concept_map(&model).unwrap();
        } else {
            library.add_structure_definition(&model).unwrap();
        }
    }
    for imported in texts("imported", "map") {
        library.add_map(&imported).unwrap();
    }
    let Ok(url) = library.add_map(map).map(ToOwned::to_owned) else {
        return;
    };
    let Ok(maps) = library.compile() else {
        return;
    };
    let mut options = TransformOptions::default();
    options.limits.steps = 2000;
    options.limits.output_bytes = 1 << 20;
    options.limits.time = Some(Duration::from_secs(5));
    let result = maps.transform_with(&url, input, &options);
    let mut trace = Trace::with_values();
    let traced = maps.transform_traced(&url, input, &options, &mut trace);
    assert_eq!(result, traced);
    assert!(!trace.to_string().is_empty() || result.is_err());
}

fn changes() -> impl Strategy<Value = Vec<(Index, Index, u8)>> {
    prop::collection::vec(any::<(Index, Index, u8)>(), 0..6)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn maps_mixed_with_other_maps(
        (one, other, input) in any::<(Index, Index, Index)>(),
        changes in changes(),
    ) {
        let maps = texts("", "map");
        let inputs = texts("inputs", "json");
        let map = mix(&maps[one.index(maps.len())], &maps[other.index(maps.len())], &changes);
        let input = serde_json::from_str(&inputs[input.index(inputs.len())]).unwrap();
        run(&map, &input);
    }

    #[test]
    fn inputs_mixed_with_other_inputs(
        (map, one, kind) in any::<(Index, Index, Index)>(),
        paths in prop::collection::vec(prop::collection::vec(any::<Index>(), 1..8), 1..4),
    ) {
        let maps = texts("", "map");
        let inputs = texts("inputs", "json");
        let parts = [
            json!(null), json!(""), json!("x"), json!(0), json!(-1.5), json!(1e300), json!(true),
            json!([]), json!({}), json!([null, [[]], {}]), json!({"extension": [{"url": "x"}]}),
            json!({"resourceType": "Observation", "_status": {"id": "x"}}), json!([{"id": 5}]),
        ];
        let mut input: Value =
            serde_json::from_str(&inputs[one.index(inputs.len())]).unwrap();
        for path in &paths {
            graft(&mut input, &parts[kind.index(parts.len())], path);
        }
        run(&maps[map.index(maps.len())], &input);
    }
}
