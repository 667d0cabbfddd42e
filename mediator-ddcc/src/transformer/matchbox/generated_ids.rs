//! UUIDs that an engine made at random, replaced by ones that follow from a seed.
//!
//! A certificate's ids have to be the same when its work is repeated. An engine that cannot be
//! given a seed makes other ones each time, but the same number of them at the same places of the
//! result, as the map says. So each UUID of the result is replaced that is random (RFC 9562 version
//! 4) and comes neither from the input nor from the map: the first one by the first UUID that
//! follows from the seed, and so on. These are the UUIDs of the embedded engine, so the results of
//! both engines are equal wherever a map's UUIDs stand in the result in the order in which it makes
//! them.

use std::collections::{HashMap, HashSet};

use serde_json::Value;
use uuid::Uuid;

/// Characters of a UUID with its hyphens.
const LENGTH: usize = 36;

/// All UUIDs in a text.
pub(super) fn in_text(text: &str) -> HashSet<Uuid> {
    places(text).into_iter().map(|(_, uuid)| uuid).collect()
}

/// All UUIDs in the texts of a JSON value.
pub(super) fn in_json(value: &Value) -> HashSet<Uuid> {
    match value {
        Value::String(text) => in_text(text),
        Value::Array(values) => values.iter().flat_map(in_json).collect(),
        Value::Object(object) => object.values().flat_map(in_json).collect(),
        _ => HashSet::new(),
    }
}

/// Replaces what the engine made; `constants` are the UUIDs in the map.
pub(super) fn replace(result: &mut Value, input: &Value, constants: &HashSet<Uuid>, seed: Uuid) {
    let mut replacement = Replacement {
        given: in_json(input),
        constants,
        seed,
        made: HashMap::new(),
    };
    replacement.walk(result);
}

struct Replacement<'a> {
    given: HashSet<Uuid>,
    constants: &'a HashSet<Uuid>,
    seed: Uuid,
    made: HashMap<Uuid, Uuid>,
}

impl Replacement<'_> {
    fn walk(&mut self, value: &mut Value) {
        match value {
            Value::String(text) => self.text(text),
            Value::Array(values) => values.iter_mut().for_each(|value| self.walk(value)),
            Value::Object(object) => object.values_mut().for_each(|value| self.walk(value)),
            _ => {}
        }
    }

    fn text(&mut self, text: &mut String) {
        for (at, uuid) in places(text) {
            let is_random = uuid.get_version_num() == 4;
            if is_random && !self.given.contains(&uuid) && !self.constants.contains(&uuid) {
                let number = u64::try_from(self.made.len() + 1).unwrap_or(u64::MAX);
                let seed = &self.seed;
                let made = self
                    .made
                    .entry(uuid)
                    .or_insert_with(|| Uuid::new_v5(seed, &number.to_be_bytes()));
                text.replace_range(at..at + LENGTH, &made.to_string());
            }
        }
    }
}

/// Where UUIDs begin, as whole words.
fn places(text: &str) -> Vec<(usize, Uuid)> {
    let bytes = text.as_bytes();
    let is_part = |at: usize| {
        bytes
            .get(at)
            .is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'-')
    };
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(candidate) = bytes.get(at..at + LENGTH) {
        let begins = at == 0 || !is_part(at - 1);
        let uuid = (begins && !is_part(at + LENGTH))
            .then(|| Uuid::try_parse_ascii(candidate).ok())
            .flatten();
        match uuid {
            Some(uuid) => {
                found.push((at, uuid));
                at += LENGTH;
            }
            None => at += 1,
        }
    }
    found
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    const FIRST: &str = "050847cc-8a1c-415a-a4ae-8596f6db96b8";
    const SECOND: &str = "9dd9af9b-d20a-42ac-8d4d-2d8f9c7ff2c0";

    fn replaced(mut result: Value, input: &Value, constants: &HashSet<Uuid>) -> Value {
        replace(&mut result, input, constants, Uuid::max());
        result
    }

    fn follows(number: u64) -> String {
        Uuid::new_v5(&Uuid::max(), &number.to_be_bytes()).to_string()
    }

    #[test]
    fn what_the_engine_made_follows_from_the_seed_wherever_it_stands() {
        let result = json!({"entry": [
            {"fullUrl": format!("urn:uuid:{FIRST}"), "resource": {"id": FIRST, "other": SECOND}},
            {"reference": [format!("Patient/{SECOND}/_history/1"), format!("{FIRST},{SECOND}")]},
        ]});
        let (first, second) = (follows(1), follows(2));
        assert_eq!(
            replaced(result, &json!({}), &HashSet::new()),
            json!({"entry": [
                {"fullUrl": format!("urn:uuid:{first}"), "resource": {"id": first, "other": second}},
                {"reference": [format!("Patient/{second}/_history/1"), format!("{first},{second}")]},
            ]})
        );
    }

    #[test]
    fn what_it_was_given_stays() {
        let version_5 = follows(7);
        let input = json!({"hcid": {"value": format!("urn:uuid:{FIRST}")}});
        let constants = in_text(&format!("system = 'urn:uuid:{SECOND}'"));
        let result = json!([
            FIRST,
            SECOND,
            version_5,
            format!("{FIRST}-1"),
            format!("a{FIRST}")
        ]);
        assert_eq!(replaced(result.clone(), &input, &constants), result);
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in ".{0,80}") {
            in_text(&text);
        }

        #[test]
        fn the_same_places_get_the_same_ids(seed: u128, one: [u128; 3], other: [u128; 3], order in prop::collection::vec(0..3_usize, 0..9)) {
            let random = |bits: u128| uuid::Builder::from_random_bytes(bits.to_be_bytes()).into_uuid();
            let result = |made: [u128; 3]| {
                let mut result = order.iter().map(|at| Value::from(random(made[*at]).to_string())).collect();
                replace(&mut result, &Value::Null, &HashSet::new(), Uuid::from_u128(seed));
                result
            };
            prop_assume!(HashSet::from(one).len() == 3 && HashSet::from(other).len() == 3);
            prop_assert_eq!(result(one), result(other));
        }
    }
}
