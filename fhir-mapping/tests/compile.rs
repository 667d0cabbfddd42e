//! What the compiler says about maps: every mistake at once, and what is likely to be one.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use fhir_mapping::{MapError, MapLibrary, TransformError};
use serde_json::{Value, json};
use uuid::Uuid;

const HEAD: &str = r#"/// url = 'http://example.org/map'
uses "http://hl7.org/fhir/StructureDefinition/Patient" alias Source as source
uses "http://hl7.org/fhir/StructureDefinition/Patient" alias Target as target
"#;

/// A map whose first group has these rules, from line 5 on.
fn map(rules: &str) -> String {
    format!("{HEAD}group Main(source s : Source, target t : Target) {{\n{rules}\n}}\n")
}

fn library(maps: &[&str]) -> MapLibrary {
    let mut library = MapLibrary::new();
    for map in maps {
        library.add_map(map).unwrap();
    }
    library
}

/// `line:column reason` of each.
fn warnings(maps: &[&str]) -> Vec<String> {
    let findings = library(maps).check();
    assert_eq!(findings.errors, []);
    let place = |warning: &fhir_mapping::Warning| {
        format!("{}:{} {}", warning.line, warning.column, warning.reason)
    };
    findings.warnings.iter().map(place).collect()
}

fn errors(maps: &[&str]) -> Vec<String> {
    let place = |error: &fhir_mapping::CompileError| {
        format!("{}:{} {}", error.line, error.column, error.reason)
    };
    library(maps).check().errors.iter().map(place).collect()
}

#[test]
fn all_mistakes_of_all_maps_are_told_in_the_order_of_the_text() {
    let first = map("s.name as n -> t.nmae = n, t.birthdate = q \"a\";
q -> t.id = 'x' \"b\";
s -> t then Gone(s, t) \"c\";
s.gender as g -> t.gender = trunkate(g, 1) \"d\";
s -> t.contact as c, c.nam as cn, cn.text = 'x' \"e\";");
    let second = "map 'http://example.org/second' = 's'
group Second(source s, target t) extends Secnd { s -> x.y = 'z' \"r\"; }";
    assert_eq!(
        errors(&[&first, second]),
        [
            "5:16 Patient has no element nmae; did you mean name?",
            "5:28 Patient has no element birthdate; did you mean birthDate?",
            "6:1 there is no variable q",
            "7:13 there is no group named Gone, here or in an imported map",
            "8:18 the transform trunkate is not supported; did you mean truncate?",
            "9:22 Patient.contact has no element nam; did you mean name?",
            "2:34 there is no group named Secnd, here or in an imported map; did you mean Second?",
            "2:55 there is no target variable x",
        ]
    );
    let error = library(&[&first, second]).compile_strictly().unwrap_err();
    let MapError::Compile(found) = &error else {
        panic!("{error}")
    };
    assert_eq!(found.len(), 8);
    assert_eq!(error.to_string().lines().count(), 8);
    assert!(
        error
            .to_string()
            .contains("map http://example.org/second, line 2, column 34: ")
    );
}

/// What a transform fails with when it runs the rules in a loop over names.
fn failure(rule: &str, patient: &Value) -> Option<String> {
    let text = map(&format!("s.name as n then {{ {rule} }} \"loop\";"));
    let library = library(&[&text]);
    assert_eq!(library.check().errors.len(), 1, "{rule}");
    let maps = library.compile().unwrap();
    let mistake = maps.warnings()[0].reason.clone();
    match maps.transform("http://example.org/map", patient, Uuid::nil()) {
        Ok(_) => None,
        Err(TransformError::Definitions { rule, reason, .. }) => {
            assert_eq!((rule.as_str(), &reason), ("broken", &mistake));
            Some(reason)
        }
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn a_rule_that_cannot_work_fails_only_a_transform_that_reaches_it() {
    let without = json!({"resourceType": "Patient"});
    let with = json!({"resourceType": "Patient", "name": [{"family": "x"}]});
    for (rule, reason) in [
        (
            "n -> t.nothing = 'x' \"broken\";",
            "Patient has no element nothing",
        ),
        (
            "n -> t.contained = create('Nonsense') as o \"broken\";",
            "there is no type Nonsense; name one of FHIR R4, or an alias of `uses`",
        ),
        (
            "n then Gone(n, t) \"broken\";",
            "there is no group named Gone, here or in an imported map",
        ),
        ("n -> t.id = gone \"broken\";", "there is no variable gone"),
        (
            "gone.x as y -> t.id = 'x' \"broken\";",
            "there is no variable gone",
        ),
        (
            "n where family.slice('a', 'b') -> t.id = 'x' \"broken\";",
            "the FHIRPath function slice is not supported",
        ),
        (
            "n -> t.birthDate = dateOp(n, 'x') \"broken\";",
            "dateOp is not supported, as its operations are not specified; calculate in an expression: (date + 5 days)",
        ),
    ] {
        assert_eq!(failure(rule, &without), None, "{rule}");
        assert_eq!(failure(rule, &with).as_deref(), Some(reason), "{rule}");
    }
}

#[test]
fn a_group_that_extends_what_it_cannot_fails_when_it_runs() {
    for (extends, reason) in [
        (
            "Gone",
            "there is no group named Gone, here or in an imported map",
        ),
        ("Main", "Main extends itself"),
    ] {
        let text = map("s -> t.id = 'x' \"r\";");
        let text = text.replace(" {\n", &format!(" extends {extends} {{\n"));
        let maps = library(&[&text]).compile().unwrap();
        let patient = json!({"resourceType": "Patient"});
        match maps.transform("http://example.org/map", &patient, Uuid::nil()) {
            Err(TransformError::Definitions { reason: found, .. }) => assert_eq!(found, reason),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn very_many_mistakes_are_cut_off() {
    let rules = "q -> t.id = 'x' \"r\";\n".repeat(5_000);
    assert_eq!(errors(&[&map(&rules)]).len(), 200);
}

#[test]
fn groups_are_called_with_what_they_take() {
    let rules = "s -> t then Other(s) \"a\";
s -> t then Other(s, s) \"b\";
s -> t then Other(s, u) \"c\";
s -> t then Other(v, t) \"d\";";
    let text = map(rules) + "group Other(source a : Source, target b) { a -> b.id = 'x' \"r\"; }";
    assert_eq!(
        errors(&[&text]),
        [
            "5:13 Other has 2 inputs, not 1: source a : Source, target b",
            "6:13 b of Other is a target variable: s is a source variable",
            "7:13 b of Other is a target variable: there is no variable u",
            "8:19 there is no variable v",
        ]
    );
}

#[test]
fn what_is_not_read_is_a_warning_as_no_engine_fails_for_it() {
    let rules = "s.nam as n where famly = 'x' -> t.id = n \"a\";
s.name as n where famly = 'x' -> t.id = (%n.gven) \"b\";
s.gender : Coding as g -> t.id = g \"c\";
s.name : HumanNam as n -> t.name = n \"d\";
s.contact as c where c.telecom.valu.exists() -> t.id = 'x' \"e\";";
    assert_eq!(
        warnings(&[&map(rules)]),
        [
            "5:1 Patient has no element nam; did you mean name?; the rule never runs",
            "6:19 HumanName has no element famly; did you mean family?",
            "6:44 HumanName has no element gven; did you mean given?",
            "7:1 gender is never a Coding, but code; the rule never runs",
            "8:1 there is no type HumanNam; name one of FHIR R4, or an alias of `uses`; did you mean HumanName?; nothing is of this type",
            "9:31 ContactPoint has no element valu; did you mean value?",
        ]
    );
    // The map runs, and those rules do not.
    let maps = library(&[&map(rules)]).compile_strictly().unwrap();
    assert_eq!(maps.warnings().len(), 6);
    let patient = json!({"resourceType": "Patient", "gender": "other", "name": [{"family": "x"}]});
    assert_eq!(
        maps.transform("http://example.org/map", &patient, Uuid::nil()),
        Ok(json!({"resourceType": "Patient"}))
    );
}

#[test]
fn what_is_never_used_is_a_warning() {
    let rules = "s.name as n -> t.id = 'x' \"a\";
s.gender as g -> t.name as m \"b\";
s.name as n -> t.name = create() as m \"c\";
s default 'x' as d -> t.id = d \"d\";";
    let text = map(rules).replace("group Main", "let unused = 1;\ngroup Main")
        + "group Lost(source a, target b) { a -> b.id = 'x' \"r\"; }";
    assert_eq!(
        warnings(&[&text]),
        [
            "4:14 unused is never used",
            "6:1 the variable n is never used",
            "7:1 the variable g is never used",
            "7:18 the variable m is never used",
            "9:1 s is always there: its default is never used",
            "11:1 nothing calls the group Lost",
        ]
    );
}

#[test]
fn a_second_value_of_what_has_one_is_a_warning() {
    let rules = "s -> t.id = 'a', t.id = 'b' \"a\";
s -> t.active = true \"b\";
s.gender as g -> t.active = false \"c\";
s.gender as g -> t.gender = g \"d\";
s.birthDate -> t.gender = 'other' \"e\";
s -> t.name as m, m.given = 'x', m.given = 'y' \"f\";";
    assert_eq!(
        warnings(&[&map(rules)]),
        [
            "5:18 id has one value only: this one replaces the one before",
            "7:1 the variable g is never used",
            "7:18 active has one value only: this one replaces the one before",
        ]
    );
}

#[test]
fn groups_that_share_a_name_are_told_and_cannot_be_called() {
    let groups = "group Two(source a, target b) { a -> b.id = 'x' \"r\"; }
group Two(source a, target b) { a -> b.id = 'y' \"r\"; }";
    let uncalled = map("s -> t.id = 'x' \"r\";") + groups;
    assert_eq!(
        warnings(&[&uncalled]),
        [
            "7:1 nothing calls the group Two",
            "8:1 there are two groups named Two: neither can be called; rename one",
            "8:1 nothing calls the group Two",
        ]
    );
    let called = map("s -> t then Two(s, t) \"r\";") + groups;
    assert_eq!(
        errors(&[&called]),
        ["5:13 there are two groups named Two; rename one"]
    );
}

#[test]
fn a_group_extends_by_the_names_of_its_inputs() {
    let text = format!(
        "{HEAD}group Main(target t : Target, source other : Source, source s : Source) extends Base {{
  s -> t.active = true \"r\";
}}
group First(source s : Source, target t : Target) {{ s -> t then Main(t, s, s) \"r\"; }}
group Base(source s : Source, target t : Target) {{ s.id as id -> t.id = id \"r\"; }}"
    );
    let first = text.find("group First").unwrap();
    let base = text.find("group Base").unwrap();
    let main = text.find("group Main").unwrap();
    let ordered = format!(
        "{HEAD}{}{}{}",
        &text[first..base],
        &text[main..first],
        &text[base..]
    );
    // The mode of a parameter is its input's: `t` is given to a target, `s` to sources.
    let maps = library(&[&ordered]).compile_strictly().unwrap();
    let patient = json!({"resourceType": "Patient", "id": "1"});
    assert_eq!(
        maps.transform("http://example.org/map", &patient, Uuid::nil()),
        Ok(json!({"resourceType": "Patient", "id": "1", "active": true}))
    );
    let missing = text
        .replace(", source s : Source) extends", ") extends")
        .replace("s -> t.active", "other -> t.active")
        .replace("source other", "target other");
    assert!(
        errors(&[&missing]).contains(&"4:54 Main has no source s, which Base needs".to_owned()),
        "{:?}",
        errors(&[&missing])
    );
}

#[test]
fn a_group_that_extends_itself_is_refused_across_maps() {
    let one = "map 'http://example.org/one' = 'o'\nimports 'http://example.org/two'
group A(source s, target t) extends B { s -> t.id = 'x' \"r\"; }";
    let two = "map 'http://example.org/two' = 't'\nimports 'http://example.org/one'
group B(source s, target t) extends A { s -> t.id = 'x' \"r\"; }";
    let found = errors(&[one, two]);
    assert!(
        found
            .iter()
            .any(|error| error.ends_with("A extends itself")),
        "{found:?}"
    );
    assert!(
        found
            .iter()
            .any(|error| error.ends_with("B extends itself")),
        "{found:?}"
    );
}

#[test]
fn imports_that_lead_nowhere() {
    let importing = |url: &str, rules: &str| {
        map(rules).replace("group Main", &format!("imports \"{url}\"\ngroup Main"))
    };
    let gone = "http://example.org/gone";
    let told =
        "4:1 the map http://example.org/gone is imported, but not loaded; add it to the maps";
    // As long as nothing is looked for in it, it is not missed.
    assert_eq!(
        warnings(&[&importing(gone, "s -> t.id = 'x' \"r\";")]),
        [told]
    );
    let found = errors(&[&importing(gone, "s -> t then Gone(s, t) \"r\";")]);
    assert_eq!(found[0], told);
    assert_eq!(found.len(), 2);

    let other = "map 'http://example.org/other' = 'o'
uses 'http://hl7.org/fhir/StructureDefinition/Patient' alias Patient as source
group Other(source s : Patient, target t : Patient) { s -> t.id = 'y' \"r\"; }";
    assert_eq!(
        warnings(&[
            &importing("http://example.org/o*", "s -> t.id = 'x' \"r\";"),
            other
        ]),
        ["4:1 nothing of http://example.org/o* is used"]
    );
    let used = importing("http://example.org/o*", "s -> t then Other(s, t) \"r\";");
    assert_eq!(warnings(&[&used, other]), Vec::<String>::new());
    let ambiguous = other.replace("/other'", "/others'");
    let found = errors(&[&used, other, &ambiguous]);
    assert_eq!(
        found,
        ["5:13 several imported maps have a group named Other: http://example.org/other, http://example.org/others; import one of them, or rename the group"]
            .map(|error| error.replace("5:13", "6:13"))
    );
}

#[test]
fn default_groups_of_the_map_come_before_imported_ones() {
    let name = |text: &str| {
        format!(
            "group N(source s : HumanName, target t : HumanName) <<types>> {{ s -> t.text = '{text}' \"r\"; }}"
        )
    };
    let imported = format!("map 'http://example.org/types' = 't'\n{}", name("imported"));
    let importing = map("s.name as n -> t.name = create() as m \"r\";").replace(
        "group Main",
        "imports 'http://example.org/types'\ngroup Main",
    );
    let run = |maps: &[&str]| -> Value {
        let maps = library(maps).compile_strictly().unwrap();
        let patient = json!({"resourceType": "Patient", "name": [{"family": "x"}]});
        let result = maps.transform("http://example.org/map", &patient, Uuid::nil());
        result.unwrap()["name"][0]["text"].clone()
    };
    assert_eq!(run(&[&importing, &imported]), "imported");
    let own = format!("{importing}{}", name("own"));
    assert_eq!(run(&[&own, &imported]), "own");

    let twice = format!("{own}{}", name("second").replace("group N", "group M"));
    assert_eq!(run(&[&twice, &imported]), "own");
    let found = warnings(&[&twice, &imported]);
    assert!(
        found.iter().any(|warning| warning.ends_with(
            "N is the default for HumanName to HumanName, too: this group is never a default"
        )),
        "{found:?}"
    );
    let turned = map("s -> t.id = 'x' \"r\";")
        + "group N(target s : HumanName, source t : HumanName) <<types>> { t -> s.text = 'x' \"r\"; }";
    assert_eq!(
        warnings(&[&turned]),
        ["7:1 N is never a default: that has one source and then one target"]
    );
}

#[test]
fn a_type_that_is_not_known_leaves_its_elements_unchecked() {
    let text = map("s -> t then Other(s, t) \"r\";")
        + "group Other(source a : Sorce, target b : Target) { a.any as x -> b.id = x, b.idd = 'x' \"r\"; }";
    assert_eq!(
        warnings(&[&text]),
        [
            "7:13 there is no type Sorce; name one of FHIR R4, or an alias of `uses`; did you mean Source?",
            "7:76 Patient has no element idd; did you mean id?; it fails unless the group is called with another type",
        ]
    );
    let read_only = map("s -> t.contained = create('Cardd') \"r\";").replace(
        "alias Target as target\n",
        "alias Target as target\nuses \"http://example.org/Card\" alias Cardd as source\n",
    );
    assert_eq!(
        errors(&[&read_only]),
        ["6:6 Cardd is the alias of something that is read only; a `uses … as target` is missing"]
    );
}

#[test]
fn a_map_without_the_model_that_it_makes_says_so_when_it_runs() {
    let text = map("s -> t.id = 'x' \"r\";").replace(
        "\"http://hl7.org/fhir/StructureDefinition/Patient\" alias Target",
        "\"http://example.org/Card\" alias Target",
    );
    let told = "http://example.org/Card is not known; add its StructureDefinition";
    assert_eq!(warnings(&[&text]), [format!("4:31 {told} to the maps")]);
    let maps = library(&[&text]).compile_strictly().unwrap();
    let patient = json!({"resourceType": "Patient"});
    let error = maps.transform("http://example.org/map", &patient, Uuid::nil());
    assert!(error.unwrap_err().to_string().ends_with(told));
}

#[test]
fn what_rules_share_is_one_item_for_them_and_the_rules_inside_them() {
    let rules = "s -> t.contact as c share one, c.gender = 'other' \"a\";
s -> t.contact as c share one, c.id = 'x' then { s -> t.contact as d share one, d.relationship = cc('r') \"c\"; } \"b\";
s.name as n then { n -> t.contact as c share two, c.id = 'y' \"e\"; n -> t.contact as c share two, c.gender = 'male' \"f\"; } \"d\";";
    let maps = library(&[&map(rules)]).compile_strictly().unwrap();
    let patient = json!({"resourceType": "Patient", "name": [{"family": "x"}, {"family": "y"}]});
    let result = maps.transform("http://example.org/map", &patient, Uuid::nil());
    assert_eq!(
        result.unwrap()["contact"],
        json!([
            {"id": "x", "relationship": [{"text": "r"}], "gender": "other"},
            {"id": "y", "gender": "male"},
            {"id": "y", "gender": "male"}
        ])
    );
}
