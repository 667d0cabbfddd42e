//! Maps as StructureMap resources, and back.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod maps;

use fhir_mapping::structure_map::{FhirVersion, from_json, to_json};
use fhir_mapping::{MapError, MapLibrary};
use proptest::prelude::*;
use rstest::rstest;
use serde_json::{Value, json};
use uuid::Uuid;

/// A map with each construct of the language.
const EVERYTHING: &str = r#"/// url = 'http://example.org/StructureMap/everything'
/// name = 'Everything'
/// title = "It's all"
/// status = 'active'
/// experimental = 'true'
/// contact.0.name = 'Somebody'
/// contact.0.telecom.1.value = 'b'
/// version = '1'

conceptmap "codes" {
  prefix s = "http://example.org/s"
  prefix t = "http://example.org/t"
  unmapped for s = provided
  s:a - t:a
  s:b = t:b
  s:c == t:c
  s:d <= t:d
  s:e <- t:e
  s:f >= t:f
  s:g >- t:g
  s:h ~ t:"h h"
  s:i --
  s:007 != t:j
}

uses "http://example.org/a" alias A as source // the first
uses "http://example.org/b" as queried
uses "http://example.org/c" alias C as target
uses "http://example.org/d" as produced

imports "http://example.org/StructureMap/*"

let one = 1 + 1;

// Two lines
// of text
group Main(source a : A, target b : C) extends Base <<types>> {
  a.b -> b.b;
  a.c : string 0..1 default 'x' first as c where $this = 'a' check true log 'c' -> b.c = c; // same
  a.d 1..* default (a.b + 'x') as d, a.e as e -> b.d = create('Reference') as r share one first, uuid() as u then {
    a -> b.e = 5, b.f = 1.5, b.g = true, b.h = "it's", b.i = (d + e), b.j = @2020-01-01, b.k = -1 "constants";
    // above
    a -> b.l = append(a.m, 'x', (1 + 2), u), b.n = evaluate(d, $this.e) "calls";
  } "block";
  a.f as f then Base(f, 'x', 2, a.g), Other(f) { f.a -> b.a; } "dependents";
  a.`odd-name`.b as g -> b.m = `true` "quoted";
  search(Patient.name) as p then Other(p) "query";
}

group Other(source a) <<type+>> {
}
"#;

fn everything(version: FhirVersion) -> Value {
    to_json(EVERYTHING, version).unwrap()
}

#[rstest]
fn json_of_text_of_json_is_the_same(
    #[values(FhirVersion::R4, FhirVersion::R5)] version: FhirVersion,
) {
    let mut maps = maps::all();
    maps.push(("everything".into(), EVERYTHING.to_owned()));
    for (path, text) in maps {
        let json = to_json(&text, version).unwrap();
        let written = from_json(&json).unwrap();
        assert_eq!(written.left_out, [""; 0], "{}", path.display());
        let again = to_json(&written.text, version).unwrap();
        assert_eq!(again, json, "{}\n{}", path.display(), written.text);
        // And through the other version; R4 has no dates among the parameters.
        let dateless = written
            .text
            .replace("(@2020-01-01)", "'x'")
            .replace("@2020-01-01", "'x'");
        let json = to_json(&dateless, version).unwrap();
        let other = match version {
            FhirVersion::R4 => FhirVersion::R5,
            FhirVersion::R5 => FhirVersion::R4,
        };
        let other = to_json(&dateless, other).unwrap();
        let back = from_json(&other).unwrap();
        assert_eq!(to_json(&back.text, version).unwrap(), json, "{}", back.text);
    }
}

#[test]
fn the_header_has_its_metadata() {
    let resource = everything(FhirVersion::R4);
    let names: Vec<&String> = resource.as_object().unwrap().keys().collect();
    assert_eq!(
        names,
        [
            "resourceType",
            "id",
            "contained",
            "extension",
            "url",
            "version",
            "name",
            "title",
            "status",
            "experimental",
            "contact",
            "structure",
            "import",
            "group"
        ]
    );
    assert_eq!(resource["id"], "Everything");
    assert_eq!(resource["title"], "It's all");
    assert_eq!(resource["experimental"], true);
    assert_eq!(
        resource["contact"],
        json!([{"name": "Somebody", "telecom": [null, {"value": "b"}]}])
    );
    assert_eq!(
        resource["structure"],
        json!([
            {"url": "http://example.org/a", "mode": "source", "alias": "A", "documentation": "the first"},
            {"url": "http://example.org/b", "mode": "queried"},
            {"url": "http://example.org/c", "mode": "target", "alias": "C"},
            {"url": "http://example.org/d", "mode": "produced"},
        ])
    );
    let r5 = everything(FhirVersion::R5);
    assert_eq!(r5["const"], json!([{"name": "one", "value": "1 + 1"}]));
    assert_eq!(r5.get("extension"), None);
}

#[test]
fn the_description_is_that_of_the_metadata_or_what_comments_say() {
    let described = |text: &str| to_json(text, FhirVersion::R4).unwrap()["description"].clone();
    let group = "group G(source a, target b) { a.b -> b.b; }";
    assert_eq!(
        described(&format!(
            "// one\n\nmap 'u' = 'n' // two\n// three\n{group}"
        )),
        "one\r\ntwo\r\nthree"
    );
    assert_eq!(
        described(&format!(
            "// one\n/// url = 'u'\n/// description = \"\"\"two\nthree\"\"\"\n{group}"
        )),
        "two\nthree"
    );
    assert_eq!(described(&format!("map 'u' = 'n'\n{group}")), Value::Null);
}

#[test]
fn concept_maps_are_contained() {
    let r4 = &everything(FhirVersion::R4)["contained"][0];
    assert_eq!(
        (&r4["id"], &r4["status"]),
        (&json!("codes"), &json!("draft"))
    );
    let group = &r4["group"][0];
    assert_eq!(group["source"], "http://example.org/s");
    assert_eq!(group["target"], "http://example.org/t");
    assert_eq!(group["unmapped"], json!({"mode": "provided"}));
    let elements: Vec<(&str, &str, &str)> = group["element"]
        .as_array()
        .unwrap()
        .iter()
        .map(|element| {
            let target = &element["target"][0];
            let text = |value: &'static str, from: &'_ Value| {
                from[value].as_str().unwrap_or("").to_owned().leak() as &str
            };
            (
                text("code", element),
                text("equivalence", target),
                text("code", target),
            )
        })
        .collect();
    assert_eq!(
        elements,
        [
            ("a", "relatedto", "a"),
            ("b", "equal", "b"),
            ("c", "equivalent", "c"),
            ("d", "wider", "d"),
            ("e", "subsumes", "e"),
            ("f", "narrower", "f"),
            ("g", "specializes", "g"),
            ("h", "inexact", "h h"),
            ("i", "unmatched", ""),
            ("007", "disjoint", "j"),
        ]
    );
    let r5 = &everything(FhirVersion::R5)["contained"][0]["group"][0];
    assert_eq!(r5["unmapped"], json!({"mode": "use-source-code"}));
    let relationships: Vec<&Value> = r5["element"]
        .as_array()
        .unwrap()
        .iter()
        .map(|element| &element["target"][0]["relationship"])
        .collect();
    assert_eq!(
        relationships,
        [
            "related-to",
            "equivalent",
            "equivalent",
            "source-is-narrower-than-target",
            "source-is-narrower-than-target",
            "source-is-broader-than-target",
            "source-is-broader-than-target",
            "related-to"
        ]
        .map(|code| json!(code))
        .iter()
        .chain(&[Value::Null, json!("not-related-to")])
        .collect::<Vec<_>>()
    );
    assert_eq!(r5["element"][8], json!({"code": "i", "noMap": true}));
}

#[test]
fn unmapped_codes_have_three_modes() {
    let text = |mode: &str| {
        format!(
            "map 'u' = 'n' conceptmap 'c' {{ prefix s = 's' prefix t = 't' unmapped for s = {mode} s:a == t:b }} group G(source a) {{}}"
        )
    };
    for (mode, r4, r5) in [
        (
            "provided",
            json!({"mode": "provided"}),
            json!({"mode": "use-source-code"}),
        ),
        (
            "fixed \"x y\"",
            json!({"mode": "fixed", "code": "x y"}),
            json!({"mode": "fixed", "code": "x y"}),
        ),
        (
            "other-map \"http://x\"",
            json!({"mode": "other-map", "url": "http://x"}),
            json!({"mode": "other-map", "otherMap": "http://x"}),
        ),
    ] {
        for (version, expected) in [(FhirVersion::R4, r4), (FhirVersion::R5, r5)] {
            let resource = to_json(&text(mode), version).unwrap();
            assert_eq!(resource["contained"][0]["group"][0]["unmapped"], expected);
            let written = from_json(&resource).unwrap().text;
            let line = format!("\n  unmapped for s = {mode}\n");
            assert!(written.contains(&line), "{written}");
        }
    }
}

#[test]
fn groups_and_rules_are_as_the_definition_has_them() {
    let r4 = everything(FhirVersion::R4);
    let group = &r4["group"][0];
    assert_eq!(group["name"], "Main");
    assert_eq!(group["extends"], "Base");
    assert_eq!(group["typeMode"], "types");
    assert_eq!(group["documentation"], "Two lines\r\nof text");
    assert_eq!(
        group["input"],
        json!([
            {"name": "a", "type": "A", "mode": "source"},
            {"name": "b", "type": "C", "mode": "target"},
        ])
    );
    assert_eq!(r4["group"][1]["typeMode"], "type-and-types");
    assert_eq!(
        group["rule"][0],
        json!({
            "name": "b",
            "source": [{"context": "a", "element": "b", "variable": "vvv"}],
            "target": [{
                "context": "b", "contextType": "variable", "element": "b", "variable": "vvv",
                "transform": "create",
            }],
        })
    );
    assert_eq!(
        group["rule"][1],
        json!({
            "name": "cString",
            "source": [{
                "context": "a", "min": 0, "max": "1", "type": "string", "element": "c",
                "listMode": "first", "variable": "c", "condition": "$this = 'a'",
                "check": "true", "logMessage": "'c'", "defaultValueString": "x",
            }],
            "target": [{
                "context": "b", "contextType": "variable", "element": "c", "transform": "copy",
                "parameter": [{"valueId": "c"}],
            }],
            "documentation": "same",
        })
    );
    let block = &group["rule"][2];
    assert_eq!(block["source"][0]["max"], "*");
    assert_eq!(
        block["source"][0]["_defaultValueString"],
        json!({"extension": [{
            "url": "http://hl7.org/fhir/StructureDefinition/cqf-expression",
            "valueExpression": {"language": "text/fhirpath", "expression": "a.b + 'x'"},
        }]})
    );
    assert_eq!(block["target"][0]["listMode"], json!(["share", "first"]));
    assert_eq!(block["target"][0]["listRuleId"], "one");
    assert_eq!(
        block["target"][1],
        json!({"contextType": "variable", "variable": "u", "transform": "uuid"})
    );
    let constants = block["rule"][0]["target"].as_array().unwrap().iter();
    let constants: Vec<Value> = constants
        .map(|target| json!([target["transform"], target["parameter"][0]]))
        .collect();
    assert_eq!(
        Value::Array(constants),
        json!([
            ["copy", {"valueInteger": 5}],
            ["copy", {"valueDecimal": 1.5}],
            ["copy", {"valueBoolean": true}],
            ["copy", {"valueString": "it's"}],
            ["evaluate", {"valueString": "d + e"}],
            ["evaluate", {"valueString": "@2020-01-01"}],
            ["copy", {"valueInteger": -1}],
        ])
    );
    let calls = &block["rule"][1];
    assert_eq!(calls["documentation"], "above");
    assert_eq!(
        calls["target"][0]["parameter"][0],
        json!({"valueId": "a.m"})
    );
    assert_eq!(
        calls["target"][1]["parameter"],
        json!([{"valueId": "d"}, {"valueString": "$this.e"}])
    );
    let dependents = &group["rule"][3];
    assert_eq!(
        dependents["dependent"][0]["variable"],
        json!(["f", "x", "2", "a.g"])
    );
    assert_eq!(
        dependents["dependent"][1],
        json!({"name": "Other", "variable": ["f"]})
    );
    assert_eq!(dependents["rule"][0]["name"], "a");
    assert_eq!(group["rule"][4]["source"][0]["element"], "`odd-name`.b");
    assert_eq!(group["rule"][5]["source"][0]["context"], "@search");
    assert_eq!(group["rule"][5]["source"][0]["element"], "Patient.name");

    let r5 = everything(FhirVersion::R5);
    let rules = &r5["group"][0]["rule"];
    assert_eq!(r5["group"][0].get("typeMode"), Some(&json!("types")));
    assert_eq!(rules[0]["target"][0].get("contextType"), None);
    assert_eq!(rules[1]["source"][0]["defaultValue"], "x");
    assert_eq!(
        rules[3]["dependent"][0]["parameter"],
        json!([{"valueId": "f"}, {"valueString": "x"}, {"valueInteger": 2}, {"valueId": "a.g"}])
    );
    assert_eq!(
        rules[2]["rule"][0]["target"][5]["parameter"],
        json!([{"valueDate": "2020-01-01"}])
    );
}

#[test]
fn a_resource_is_written_as_one_would_write_the_map() {
    let written = from_json(&everything(FhirVersion::R5)).unwrap().text;
    for line in [
        "/// title = \"It's all\"",
        "/// experimental = 'true'",
        "/// contact.0.telecom.1.value = 'b'",
        "  s:h ~ t:\"h h\"",
        "uses \"http://example.org/a\" alias A as source // the first",
        "let one = 1 + 1;",
        "// of text",
        "group Main(source a : A, target b : C) extends Base <<types>> {",
        "  a.b -> b.b;",
        "      a.c : string 0..1 default 'x' first as c where $this = 'a' check true log 'c' -> b.c = c; // same",
        "    a -> b.l = append(a.m, 'x', (1 + 2), u), b.n = evaluate(d, $this.e) \"calls\"; // above",
    ] {
        assert!(
            written.lines().any(|written| written.trim() == line.trim()),
            "{line}\n{written}"
        );
    }
}

#[test]
fn what_the_language_has_no_place_for_is_told() {
    let mut resource = everything(FhirVersion::R4);
    resource["group"][0]["extension"] = json!([]);
    resource["group"][0]["rule"][2]["rule"][0]["target"][0]["id"] = json!("x");
    resource["contained"]
        .as_array_mut()
        .unwrap()
        .push(json!({"resourceType": "ValueSet"}));
    resource["contained"][0]["title"] = json!("x");
    assert_eq!(
        from_json(&resource).unwrap().left_out,
        [
            "contained[0].title",
            "contained[1]",
            "group[0].extension",
            "group[0].rule[2].rule[0].target[0].id",
        ]
    );
}

#[test]
fn what_is_no_map_is_refused_by_its_element() {
    for (pointer, value, expected) in [
        ("", json!([]), " is no object"),
        ("/resourceType", json!("Patient"), "this is no StructureMap"),
        ("/url", Value::Null, "url is no string"),
        ("/group/0/name", json!(5), "group[0].name is no string"),
        (
            "/group/0/input/0/mode",
            json!("both"),
            "both is none of source, target",
        ),
        (
            "/group/0/rule/1/source",
            json!([]),
            "group[0].rule[1].source is missing",
        ),
        (
            "/group/0/rule/1/source/0/condition",
            json!("a = b -> c"),
            "group[0].rule[1].source[0].condition is no FHIRPath: line 1, column 7: expected the end, found `->` in: a = b -> c",
        ),
        (
            "/group/0/rule/1/target/0/transform",
            json!("a; b"),
            "the transform a; b is not known",
        ),
        (
            "/group/0/rule/1/target/0/parameter/0",
            json!({"valueQuantity": {}}),
            "group[0].rule[1].target[0].parameter[0].valueQuantity cannot be written",
        ),
        (
            "/group/0/rule/0/target/0/contextType",
            json!("type"),
            "group[0].rule[0].target[0].contextType type is not part of the language",
        ),
        (
            "/contained/0/group/0/element/0/target/0/equivalence",
            json!("like"),
            "like is none of relatedto, equal, equivalent, wider, subsumes, narrower, specializes, inexact, unmatched, disjoint",
        ),
    ] {
        let mut resource = everything(FhirVersion::R4);
        *resource.pointer_mut(pointer).unwrap() = value;
        match from_json(&resource).unwrap_err() {
            MapError::Resource { reason, .. } => assert_eq!(reason, expected, "{pointer}"),
            other => panic!("{other}"),
        }
    }
    let text = "/// url = 'u'\n/// group.name = 'x'\ngroup G(source a) {}";
    let error = to_json(text, FhirVersion::R4).unwrap_err().to_string();
    assert_eq!(
        error,
        "StructureMap u: /// group.name: this is no element of the header"
    );
}

#[test]
fn names_and_texts_never_end_where_they_stand() {
    let mut resource = everything(FhirVersion::R5);
    let odd = "a` \"b' -> c; } // \\ \n";
    for pointer in [
        "/group/0/name",
        "/group/0/input/0/type",
        "/group/0/rule/1/source/0/variable",
        "/group/0/rule/1/source/0/element",
        "/group/0/rule/1/source/0/type",
        "/group/0/rule/1/source/0/defaultValue",
        "/group/0/rule/1/target/0/parameter/0/valueId",
        "/group/0/rule/1/name",
        "/group/0/rule/3/dependent/0/name",
        "/group/0/rule/3/dependent/0/parameter/1/valueString",
        "/group/0/rule/2/target/0/listRuleId",
        "/structure/0/url",
        "/structure/0/alias",
        "/import/0",
        "/const/0/name",
        "/contained/0/id",
        "/contained/0/group/0/source",
        "/contained/0/group/0/element/0/code",
        "/title",
        "/contact/0/name",
    ] {
        *resource.pointer_mut(pointer).unwrap() = json!(odd);
    }
    let written = from_json(&resource).unwrap().text;
    assert_eq!(
        to_json(&written, FhirVersion::R5).unwrap(),
        resource,
        "{written}"
    );
}

#[test]
fn a_map_runs_the_same_from_its_resource() {
    let text = include_str!("language/language.map");
    let types = include_str!("language/datatypes.map");
    let input: Value = serde_json::from_str(include_str!("language/input.json")).unwrap();
    let expected: Value = serde_json::from_str(include_str!("language/expected.json")).unwrap();
    for version in [FhirVersion::R4, FhirVersion::R5] {
        let mut library = MapLibrary::new();
        let resource = to_json(types, version).unwrap();
        assert_eq!(
            library.add_structure_map(&resource).unwrap(),
            resource["url"]
        );
        library
            .add_structure_map(&to_json(text, version).unwrap())
            .unwrap();
        let maps = library.compile().unwrap();
        let seed = Uuid::nil();
        let result = maps.transform("http://example.org/StructureMap/language", &input, seed);
        assert_eq!(result.unwrap(), expected);
    }
}

/// One of the texts, which may be empty.
fn one_of(texts: &'static [&'static str]) -> impl Strategy<Value = &'static str> {
    prop::sample::select(texts)
}

fn any_source() -> impl Strategy<Value = String> {
    (
        one_of(&["a", "b", "`then`", "search(a.b)"]),
        one_of(&["", ".a", ".b.c", ".`d e`", ".`f`.g", ".value"]),
        one_of(&["", " : string", " : 'http://x'", " : FHIR.Patient"]),
        one_of(&["", " 0..1", " 3..*"]),
        one_of(&[
            "",
            " default 'x'",
            " default -5",
            " default true",
            " default (a + 'b')",
            " default a.b",
        ]),
        one_of(&["", " first", " only_one"]),
        one_of(&["", " as vvv", " as `first`", " as x"]),
        one_of(&[
            "",
            " where a = 1",
            " where (a.where(b) | {}).exists()",
            " where a > 'it\\'s'",
            " where a = \"b'c\"",
        ]),
        one_of(&["", " check a is Quantity", " check %a.b[0] & '\\\\'"]),
        one_of(&["", " log 'x' + $this", " log \"x\""]),
    )
        .prop_map(
            |(context, path, of, count, default, mode, variable, condition, check, log)| {
                let path = if context.starts_with("search") {
                    ""
                } else {
                    path
                };
                [
                    context, path, of, count, default, mode, variable, condition, check, log,
                ]
                .concat()
            },
        )
}

fn any_target() -> impl Strategy<Value = String> {
    (
        one_of(&["b", "b.c", "b.`c d`.e", "b.`then`"]),
        one_of(&[
            "",
            " = 'it\\'s \\u00e9 \\n'",
            " = -1.5",
            " = a",
            " = a.b.`c d`",
            " = (a & 'b')",
            " = uuid()",
            " = create('X')",
            " = create()",
            " = append(a, 'b', (c + 1), @2020, true)",
            " = @2020-01-01",
            " = evaluate(a, b.c + 1)",
            " = cc('s', 'c')",
            " = `true`",
            " = copy(a)",
            " = ((a) + (b))",
        ]),
        one_of(&["", " as vvv", " as x", " as `share`"]),
        one_of(&[
            "",
            " first",
            " share x",
            " last share y",
            " single",
            " collate",
        ]),
    )
        .prop_map(|(context, transform, variable, mode)| {
            [context, transform, variable, mode].concat()
        })
}

fn any_rule() -> impl Strategy<Value = String> {
    let rule = (
        prop::collection::vec(any_source(), 1..3),
        prop::collection::vec(any_target(), 0..3),
        one_of(&[
            "",
            " then G(a, b)",
            " then G(a, 'x', 1, (a.b), @T10:00), H()",
            " then {}",
            " then {a.b;}",
        ]),
        one_of(&["", " 'name'", " \"it's\"", " word", " 'b'"]),
        one_of(&[
            "",
            "// before\n",
            "/* one\n   two */ ",
            "// \n// three\r\n",
            "/* four\rfive */",
        ]),
        one_of(&["", " // after", " /* six */", " // /seven */"]),
    );
    rule.prop_map(|(sources, targets, then, name, before, after)| {
        let arrow = if targets.is_empty() { "" } else { " -> " };
        let (sources, targets) = (sources.join(", "), targets.join(", "));
        format!("{before}{sources}{arrow}{targets}{then}{name};{after}\n")
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_map_is_the_same_after_its_resource(rules in prop::collection::vec(any_rule(), 1..4)) {
        let text = format!("map 'u' = 'n'\ngroup G(source a, target b) {{\n{}}}", rules.concat());
        let formatted = fhir_mapping::format(&text).unwrap();
        prop_assert_eq!(&fhir_mapping::format(&formatted).unwrap(), &formatted);
        for version in [FhirVersion::R4, FhirVersion::R5] {
            let resource = to_json(&text, version).unwrap();
            prop_assert_eq!(&to_json(&formatted, version).unwrap(), &resource, "{}", formatted);
            let written = from_json(&resource).unwrap();
            prop_assert_eq!(&written.left_out, &Vec::<String>::new());
            let again = to_json(&written.text, version).unwrap();
            prop_assert_eq!(&again, &resource, "{}\n{}", text, written.text);
        }
    }
}

#[test]
fn a_parameter_without_a_value_is_an_empty_text() {
    let resource = json!({
        "resourceType": "StructureMap", "url": "http://example.org/m", "name": "m", "status": "draft",
        "group": [{"name": "G", "input": [
            {"name": "a", "mode": "source"}, {"name": "b", "mode": "target"},
        ], "rule": [{"name": "r", "source": [{"context": "a"}], "target": [{
            "context": "b", "element": "c", "transform": "append",
            "parameter": [{"valueId": "a"}, {}, {"valueString": "x"}],
        }]}]}],
    });
    let text = from_json(&resource).unwrap().text;
    assert!(text.contains("append(a, '', 'x')"), "{text}");
}

#[test]
fn an_element_that_fhir_cannot_have_is_refused() {
    let resource = json!({
        "resourceType": "StructureMap", "url": "http://example.org/m", "name": "m", "status": "draft",
        " structure": [{"url": "http://example.org/p", "mode": "source"}],
    });
    let error = from_json(&resource).unwrap_err().to_string();
    assert!(
        error.contains("\" structure\" is no name of a FHIR element"),
        "{error}"
    );
}

#[test]
fn metadata_that_fhir_cannot_have_is_refused() {
    let map = |path: &str| {
        format!(
            "/// url = 'u'\n/// name = 'n'\n/// {path} = 'x'\n\ngroup G(source a, target b) {{\n}}\n"
        )
    };
    to_json(&map("contact.0.name"), FhirVersion::R4).unwrap();
    let error = to_json(&map("nam-e"), FhirVersion::R4).unwrap_err();
    assert!(error.to_string().contains("/// nam-e"), "{error}");
}

#[test]
fn metadata_without_quotes_is_text_where_fhir_has_text() {
    let text = "/// url = 'u'\n/// name = 2\n/// version = 1.10\n/// experimental = true\n\ngroup G(source a, target b) {\n}\n";
    for version in [FhirVersion::R4, FhirVersion::R5] {
        let resource = to_json(text, version).unwrap();
        assert_eq!(resource["name"], "2");
        assert_eq!(resource["version"], "1.10");
        assert_eq!(resource["experimental"], true);
        let written = from_json(&resource).unwrap();
        assert_eq!(to_json(&written.text, version).unwrap(), resource);
    }
}

#[test]
fn a_comment_below_a_rule_without_its_end_is_about_the_next_one() {
    let text = "map 'u' = 'n'\ngroup G(source a, target b) {\n  a.x as v -> b.x // one\n  // two\n  a.y as v -> b.y \"named\" // three\n}";
    let resource = to_json(text, FhirVersion::R4).unwrap();
    let rules = &resource["group"][0]["rule"];
    assert_eq!(rules[0]["documentation"], "one");
    assert_eq!(rules[1]["documentation"], "two\r\nthree");
    let formatted = fhir_mapping::format(text).unwrap();
    assert_eq!(to_json(&formatted, FhirVersion::R4).unwrap(), resource);
}
