//! HL7's own test suites of FHIRPath, for R4, R4B and R5. They are found by `SERVERS_FOR_TESTS`, as
//! `tests/servers/install` puts them there, and are no part of this repository.
//!
//! A case passes when it gives the expected items with their types, or is refused where it says so.
//! `exceptions.rs` lists the others, each with its reason; one that is listed and passes fails the
//! test, too.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "tests"
)]

mod exceptions;
mod resource_xml;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use roxmltree::{Document, Node};
use rstest::rstest;
use serde_json::Value;

use super::evaluate::truth;
use super::item::Item;
use super::temporal::{Temporal, TemporalKind};
use super::{Environment, ExpressionCompiler};
use crate::definitions::Definitions;

fn suites() -> Option<PathBuf> {
    let folder = PathBuf::from(std::env::var_os("SERVERS_FOR_TESTS")?).join("fhir-test-cases");
    folder.is_dir().then_some(folder)
}

/// What a case gives: texts and types, or why there is nothing.
type Outcome = Result<Vec<(String, String)>, String>;

struct Case<'s> {
    name: String,
    expression: &'s str,
    /// Whether it must be refused, when it is compiled or evaluated.
    invalid: bool,
    /// Whether only the truth of the result counts.
    predicate: bool,
    ordered: bool,
    check_order: bool,
    input: Option<&'s str>,
    /// Type and text; a type may be left open.
    outputs: Vec<(Option<&'s str>, String)>,
}

fn cases<'s>(suite: &'s Document<'s>) -> Vec<Case<'s>> {
    let is_test = |node: &Node<'_, '_>| node.has_tag_name("test");
    let mut cases = Vec::new();
    for test in suite.descendants().filter(is_test) {
        let child = |name: &str| test.children().find(|node| node.has_tag_name(name));
        let Some(expression) = child("expression") else {
            continue;
        };
        let outputs = test.children().filter(|node| node.has_tag_name("output"));
        cases.push(Case {
            name: test.attribute("name").unwrap_or("?").to_owned(),
            expression: expression.text().unwrap_or_default(),
            invalid: expression.has_attribute("invalid"),
            predicate: test.attribute("predicate") == Some("true"),
            ordered: test.attribute("ordered") != Some("false"),
            check_order: test.attribute("checkOrderedFunctions") == Some("true"),
            input: test.attribute("inputfile"),
            outputs: outputs
                .map(|output| {
                    let text = output.text().unwrap_or_default();
                    (output.attribute("type"), text.to_owned())
                })
                .collect(),
        });
    }
    cases
}

fn read_input(definitions: &Definitions, path: &Path) -> Value {
    let text = std::fs::read_to_string(path).unwrap();
    if path
        .extension()
        .is_some_and(|extension| extension == "json")
    {
        serde_json::from_str(&text).unwrap()
    } else {
        resource_xml::read(definitions, &text)
    }
}

fn run(case: &Case<'_>, input: &Value) -> Outcome {
    let mut compiler = ExpressionCompiler::new();
    if let Some(type_name) = input.get("resourceType").and_then(Value::as_str) {
        compiler = compiler.context(type_name);
    }
    if case.check_order {
        compiler = compiler.refuse_unordered();
    }
    let expression = compiler
        .compile(case.expression)
        .map_err(|error| error.to_string())?;
    let outcome = expression.with(input, &Environment::new(), |definitions, items| {
        if case.predicate {
            let truth = truth(items)?.unwrap_or(false);
            return Ok(vec![("boolean".to_owned(), truth.to_string())]);
        }
        let shown = items.iter().map(|item| {
            let type_name = definitions.name(item.fhir_type(definitions)).to_owned();
            let text = match item {
                Item::Temporal(temporal) => at(temporal),
                other => other.text().unwrap_or_else(|| {
                    other
                        .to_value()
                        .map(|it| it.to_string())
                        .unwrap_or_default()
                }),
            };
            (type_name, text)
        });
        Ok(shown.collect())
    });
    outcome.map_err(|error| error.to_string())?
}

fn at(temporal: &Temporal) -> String {
    let mark = match temporal.kind {
        TemporalKind::Time => "@T",
        _ => "@",
    };
    format!("{mark}{temporal}")
}

fn passes(case: &Case<'_>, outcome: &Outcome) -> bool {
    let items = match outcome {
        Err(_) => return case.invalid,
        Ok(_) if case.invalid => return false,
        Ok(items) => items,
    };
    let same = |(type_name, text): &(String, String), expected: &(Option<&str>, String)| {
        // Dates are written as literals there.
        let plain = |text: &str| text.trim_start_matches(['@', 'T']).to_owned();
        expected.0.is_none_or(|expected| expected == type_name)
            && (*text == expected.1 || plain(text) == plain(&expected.1))
    };
    if items.len() != case.outputs.len() {
        return false;
    }
    if case.ordered {
        return items
            .iter()
            .zip(&case.outputs)
            .all(|(item, expected)| same(item, expected));
    }
    let has = |expected| items.iter().any(|item| same(item, expected));
    case.outputs.iter().all(has)
}

#[rstest]
#[case("r4")]
#[case("r4b")]
#[case("r5")]
fn suite(#[case] version: &str) {
    let Some(folder) = suites() else {
        eprintln!("skipped: SERVERS_FOR_TESTS has no fhir-test-cases");
        return;
    };
    let folder = folder.join(version);
    let path = folder.join(format!("fhirpath/tests-fhir-{version}.xml"));
    let text = std::fs::read_to_string(path).unwrap();
    let text = text.trim_start_matches('\u{feff}');
    let suite = Document::parse(text).unwrap();
    let definitions = Definitions::new();
    let mut inputs = std::collections::HashMap::new();
    let (mut passed, mut failed) = (0, Vec::new());
    let cases = cases(&suite);
    assert!(
        cases.len() > 900,
        "the suite has {} cases only",
        cases.len()
    );
    let mut unused: BTreeSet<&str> = exceptions::of(version).map(|(name, _)| name).collect();
    for case in &cases {
        let input = match case.input {
            Some(name) => inputs
                .entry(name)
                .or_insert_with(|| read_input(&definitions, &folder.join(name)))
                .clone(),
            None => Value::Null,
        };
        let outcome = run(case, &input);
        let exception = exceptions::of(version).find(|(name, _)| *name == case.name);
        match (passes(case, &outcome), exception) {
            (true, None) => passed += 1,
            (false, Some((name, _))) => {
                unused.remove(name);
            }
            (true, Some(_)) => {}
            (false, None) => failed.push(format!(
                "{}: {} gives {outcome:?}, not {:?}",
                case.name,
                case.expression.trim(),
                case.outputs
            )),
        }
    }
    eprintln!("{version}: {passed} of {} cases pass", cases.len());
    assert!(
        failed.is_empty(),
        "{} fail:\n{}",
        failed.len(),
        failed.join("\n")
    );
    assert!(
        unused.is_empty(),
        "listed, but pass or are not there: {unused:?}"
    );
}
