//! Every transform ends, and takes no more than its limits allow.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::time::Duration;

use fhir_mapping::{CompiledMaps, Limits, MapLibrary, TransformError, TransformOptions};
use serde_json::{Value, json};

const URL: &str = "http://example.org/map";
const HEAD: &str = r#"/// url = 'http://example.org/map'
uses "http://hl7.org/fhir/StructureDefinition/Patient" alias Source as source
uses "http://hl7.org/fhir/StructureDefinition/Patient" alias Target as target
"#;

fn compile(groups: &str) -> CompiledMaps {
    let mut library = MapLibrary::new();
    library.add_map(&format!("{HEAD}{groups}")).unwrap();
    library.compile().unwrap()
}

fn run(groups: &str, set: impl FnOnce(&mut Limits)) -> Result<Value, TransformError> {
    let input = json!({"resourceType": "Patient", "name": [{"family": "Ngata"}]});
    let mut options = TransformOptions::default();
    set(&mut options.limits);
    compile(groups).transform_with(URL, &input, &options)
}

/// Which limit the map reaches.
fn limit(groups: &str, set: impl FnOnce(&mut Limits)) -> String {
    match run(groups, set) {
        Err(TransformError::Limit { limit, .. }) => limit,
        other => panic!("{other:?}"),
    }
}

/// Every group runs the next one twice: 2 to the 40th rules.
fn doubling() -> String {
    let mut groups = String::new();
    for level in 0..40 {
        let next = format!("G{}", level + 1);
        groups.push_str(&format!(
            "group G{level}(source s : Source, target t : Target) {{ s -> t then {next}(s, t), {next}(s, t) \"r\"; }}\n"
        ));
    }
    groups.push_str("group G40(source s, target t) { s -> t.id = 'x' \"r\"; }");
    groups
}

#[test]
fn steps_are_bounded() {
    assert_eq!(
        limit(&doubling(), |limits| limits.steps = 1000),
        "more than 1000 steps would be taken"
    );
}

/// An expression that would go through the source nine to the 12th times.
fn repeating() -> String {
    let mut expression = "1".to_owned();
    for _ in 0..12 {
        expression = format!("(1|2|3|4|5|6|7|8|9).select({expression})");
    }
    format!(
        "group G(source s : Source, target t : Target) {{ s where {expression}.count() > 0 -> t.id = 'x' \"r\"; }}"
    )
}

#[test]
fn steps_and_time_of_expressions_are_bounded() {
    let reason = |set: fn(&mut Limits)| match run(&repeating(), set) {
        Err(TransformError::Failed { reason, .. }) => reason,
        other => panic!("{other:?}"),
    };
    assert_eq!(
        reason(|limits| limits.steps = 1000),
        "expressions take more than 10000 steps"
    );
    let begin = std::time::Instant::now();
    assert_eq!(
        reason(|limits| {
            limits.steps = u64::MAX;
            limits.time = Some(Duration::from_millis(200));
        }),
        "expressions take longer than the limit of time"
    );
    assert!(begin.elapsed() < Duration::from_secs(10));
}

#[test]
fn time_is_bounded() {
    assert_eq!(
        limit(&doubling(), |limits| {
            limits.time = Some(Duration::from_millis(20));
        }),
        "it takes longer than 20ms"
    );
}

#[test]
fn a_group_that_runs_itself_ends() {
    let groups = "group G(source s : Source, target t : Target) { s -> t then G(s, t) \"r\"; }";
    for depth in [10, Limits::default().depth] {
        assert_eq!(
            limit(groups, |limits| limits.depth = depth),
            format!("more than {depth} rules, groups or elements would be inside one another")
        );
    }
}

#[test]
fn default_groups_that_run_themselves_end() {
    let groups = r#"
        group G(source s : Source, target t : Target) { s.name -> t.name; }
        group N(source s : HumanName, target t : HumanName) <<types>> { s.period as p -> t.period as q then M(s, t) "r"; s as x then M(s, t) "q"; }
        group M(source s : HumanName, target t : HumanName) { s as x then N(x, t) "r"; }
    "#;
    assert!(limit(groups, |_| {}).starts_with("more than 200 rules"));
}

#[test]
fn elements_stand_only_so_deep_in_one_another() {
    // One rule that goes down the whole way.
    let mut targets = "t.extension as e0".to_owned();
    for level in 0..300 {
        targets.push_str(&format!(", e{level}.extension as e{}", level + 1));
    }
    let groups = format!(
        "group G(source s : Source, target t : Target) {{ s -> {targets}, e300.url = 'x' \"r\"; }}"
    );
    assert!(limit(&groups, |_| {}).starts_with("more than 200 rules, groups or elements"));
    assert!(run(&groups, |limits| limits.depth = 400).is_ok());
}

#[test]
fn an_output_that_is_copied_into_itself_does_not_grow_without_end() {
    // Each rule adds to the extension all that there is already.
    let rule = "s -> t.extension as e, e.url = 'x', e.extension = (t.extension.first()) \"r\";";
    let groups = format!(
        "group G(source s : Source, target t : Target) {{ {} }}",
        rule.replace("e.extension = (t.extension.first())", "e.value = 'y'")
            + &"s -> t.contained = t \"c\"; ".repeat(40)
    );
    assert_eq!(
        limit(&groups, |limits| limits.output_bytes = 100_000),
        "the output would be larger than 100000 bytes"
    );
}

#[test]
fn a_text_that_doubles_does_not_grow_without_end() {
    let groups = format!(
        "group G(source s : Source, target t : Target) {{ s -> t.id = 'x' as a0{} \"r\"; }}",
        (0..60)
            .map(|level| format!(", t.id = append(a{level}, a{level}) as a{}", level + 1))
            .collect::<String>()
    );
    assert_eq!(
        limit(&groups, |limits| limits.output_bytes = 100_000),
        "the output would be larger than 100000 bytes"
    );
}

#[test]
fn what_is_within_the_limits_is_as_without() {
    let groups = "group G(source s : Source, target t : Target) { s.name as n -> t.name = n; }";
    let expected = json!({"resourceType": "Patient", "name": [{"family": "Ngata"}]});
    assert_eq!(
        run(groups, |limits| {
            limits.steps = 1;
            limits.depth = 3;
            limits.output_bytes = 100;
        })
        .unwrap(),
        expected
    );
    let groups = groups.replace("n;", "n;\n s.name as n -> t.name = n;");
    assert!(run(&groups, |limits| limits.steps = 1).is_err());
}
