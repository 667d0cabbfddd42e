//! The grammar: what each construct is read as, in R4's and R5's writing, and what published maps
//! have that no version of the specification allows. `README.md` lists the constructs.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use fhir_mapping::structure_map::{FhirVersion, to_json};
use fhir_mapping::{MapError, MapLibrary};
use rstest::rstest;
use serde_json::{Value, json};

fn read(text: &str) -> Value {
    to_json(text, FhirVersion::R5).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// The rules of a group with the inputs `a` and `b`.
fn rules(text: &str) -> Value {
    read(&format!(
        "map 'u' = 'n' group G(source a, target b) {{ {text} }}"
    ))["group"][0]["rule"]
        .clone()
}

fn refusal(text: &str) -> String {
    match to_json(text, FhirVersion::R5).unwrap_err() {
        MapError::Syntax(errors) => errors[0].to_string(),
        other => panic!("{other}"),
    }
}

#[test]
fn metadata_sets_elements_of_the_header() {
    let header = read(
        "/// url = 'u'
        /// id = \"i\"
        /// experimental = true
        /// title = `
        /// title = 'kept' // not this
        /// description = \"\"\"# Title
two\"\"\"
        /// jurisdiction.coding.code = 'NZ'
        /// contact.0.telecom.0.rank = 1
        /// copyright =
        group G(source a) {}"
            .replace("/// title = `\n", "")
            .as_str(),
    );
    assert_eq!(header["id"], "i");
    assert_eq!(header["experimental"], true);
    assert_eq!(header["title"], "kept");
    assert_eq!(header["description"], "# Title\ntwo");
    assert_eq!(
        header["jurisdiction"],
        json!([{"coding": [{"code": "NZ"}]}])
    );
    assert_eq!(header["contact"], json!([{"telecom": [{"rank": 1}]}]));
    assert_eq!(header.get("copyright"), None);
    let error = to_json(
        "/// url = 'u'\n/// contact.5000.name = 'x'\ngroup G(source a) {}",
        FhirVersion::R4,
    );
    assert_eq!(
        error.unwrap_err().to_string(),
        "StructureMap u: /// contact.5000.name: there are too many items"
    );
}

#[test]
fn the_declaration_of_a_map_has_url_and_name() {
    for text in ["map \"u\" = \"n\"", "map 'u' = n", "map 'u' = `n`"] {
        let map = read(&format!("{text} group G(source a) {{}}"));
        assert_eq!((&map["url"], &map["name"]), (&json!("u"), &json!("n")));
    }
}

#[test]
fn uses_and_imports_may_end_with_a_semicolon() {
    let map = read(
        "map 'u' = 'n'
        uses 'x' alias X as source; // doc
        uses 'y' as target
        imports 'z*';
        imports 'w'
        group G(source a) {}",
    );
    assert_eq!(map["structure"][0]["documentation"], "doc");
    assert_eq!(map["structure"][1], json!({"url": "y", "mode": "target"}));
    assert_eq!(map["import"], json!(["z*", "w"]));
}

#[rstest]
#[case("source a : 'http://x/y'", json!({"name": "a", "type": "http://x/y", "mode": "source"}))]
#[case("target `b c` : FHIR.Patient", json!({"name": "b c", "type": "FHIR.Patient", "mode": "target"}))]
#[case("source a", json!({"name": "a", "mode": "source"}))]
fn inputs_have_a_mode_a_name_and_perhaps_a_type(#[case] text: &str, #[case] expected: Value) {
    let map = read(&format!("map 'u' = 'n' group G({text}) {{}}"));
    assert_eq!(map["group"][0]["input"][0], expected);
}

#[rstest]
#[case("group G(source a) {};", "no `;` belongs after a group")]
#[case("group G(source a,) {}", "no comma belongs after the last input")]
#[case("group G(source a target b) {}", "a comma belongs between two inputs")]
#[case("group G(source a) { a -> a.b = uuid() 'n' }", "a rule ends with `;`")]
#[case(
    "group G(source a) { a -> a.b = append('x',) 'n'; }",
    "no comma belongs after the last parameter"
)]
#[case(
    "group for types G(source a) {}",
    "`<<types>>` or `<<type+>>` after the inputs replaces `for`"
)]
#[case(
    "group for type + types G(source a) {}",
    "`<<types>>` or `<<type+>>` after the inputs replaces `for`"
)]
#[case(
    "/// title = 'x' y\ngroup G(source a) {}",
    "nothing belongs after the value of a metadata element"
)]
#[case(
    "uses 'x' alias 'X' as source\ngroup G(source a) {}",
    "a name stands without quotes"
)]
#[case(
    "group G(source a) { a.b as c -> d.e as f share 'g'; }",
    "a name stands without quotes"
)]
#[case("uses 'x' alias X as source", "a map needs a group to be run")]
fn what_is_tolerated_has_a_warning(#[case] text: &str, #[case] warning: &str) {
    let mut library = MapLibrary::new();
    library.add_map(&format!("map 'u' = 'n'\n{text}")).unwrap();
    let warnings: Vec<&str> = library
        .warnings()
        .iter()
        .map(|one| one.reason.as_str())
        .collect();
    assert_eq!(warnings, [warning]);
    if text.contains("for type") {
        let map = read(&format!("map 'u' = 'n'\n{text}"));
        let expected = if text.contains('+') {
            "type-and-types"
        } else {
            "types"
        };
        assert_eq!(map["group"][0]["typeMode"], expected);
    }
}

#[test]
fn one_rule_copies_several_elements() {
    let written = rules("a -> b : id, `then`, birthDate; a -> b: active, gender 'both';");
    let expected = rules(
        "a.id -> b.id; a.`then` -> b.`then`; a.birthDate -> b.birthDate; a.active -> b.active 'bothactive'; a.gender -> b.gender 'bothgender';",
    );
    assert_eq!(written, expected);
    // Of other rules it is a mistake.
    for rule in [
        "a.c -> b : id;",
        "a -> b.c : id;",
        "a as c -> b : id;",
        "a -> b : ;",
    ] {
        let text = format!("map 'u' = 'n'\ngroup G(source a, target b) {{ {rule} }}");
        assert!(MapLibrary::new().add_map(&text).is_err(), "{rule}");
    }
}

#[rstest]
#[case("2..5", 2, "5")]
#[case("0..*", 0, "*")]
fn a_cardinality_needs_no_type(#[case] text: &str, #[case] minimum: u32, #[case] maximum: &str) {
    let source = rules(&format!("a.b {text} as c -> b.c = c;"))[0]["source"][0].clone();
    assert_eq!(
        (&source["min"], &source["max"]),
        (&json!(minimum), &json!(maximum))
    );
}

#[test]
fn every_list_option_of_sources_and_targets() {
    for mode in ["first", "not_first", "last", "not_last", "only_one"] {
        let rules = rules(&format!("a.b {mode} as c -> b.c = c;"));
        assert_eq!(rules[0]["source"][0]["listMode"], mode);
    }
    for mode in ["first", "last", "collate", "single"] {
        let rules = rules(&format!("a.b as c -> b.c = c {mode};"));
        assert_eq!(rules[0]["target"][0]["listMode"], json!([mode]));
    }
    let shared = &rules("a.b as c -> b.c as d last share x;")[0]["target"][0];
    assert_eq!(shared["listMode"], json!(["last", "share"]));
    assert_eq!(shared["listRuleId"], "x");
}

#[test]
fn clauses_are_written_with_and_without_parentheses() {
    for (text, expected) in [
        (
            "where c = 1 check d.exists() log 'x'",
            ["c = 1", "d.exists()", "'x'"],
        ),
        (
            "where (c = 1) check (d.exists()) log ('x')",
            ["(c = 1)", "(d.exists())", "('x')"],
        ),
        (
            "where(c=1)check(d . exists( ))log(\"x\")",
            ["(c = 1)", "(d.exists())", "('x')"],
        ),
    ] {
        let source = rules(&format!("a.b as b {text} -> b.c = b;"))[0]["source"][0].clone();
        let found = ["condition", "check", "logMessage"].map(|name| source[name].clone());
        assert_eq!(found, expected.map(|text| json!(text)));
    }
}

#[rstest]
#[case("'x'", json!({"defaultValue": "x"}))]
#[case("\"x\"", json!({"defaultValue": "x"}))]
#[case("5", json!({"_defaultValue": {"extension": [{
    "url": "http://hl7.org/fhir/4.0/StructureDefinition/extension-StructureMap.group.rule.source.defaultValue",
    "valueInteger": 5}]}}))]
#[case("(1 + 1)", json!({"_defaultValue": {"extension": [{
    "url": "http://hl7.org/fhir/StructureDefinition/cqf-expression",
    "valueExpression": {"language": "text/fhirpath", "expression": "1 + 1"}}]}}))]
fn defaults_are_values_or_expressions(#[case] text: &str, #[case] expected: Value) {
    let mut source = rules(&format!("a.b default {text} as c -> b.c = c;"))[0]["source"][0].clone();
    let members = source.as_object_mut().unwrap();
    members.retain(|name, _| name.contains("default"));
    assert_eq!(source, expected);
}

#[test]
fn targets_are_elements_variables_and_transforms_alone() {
    let rule =
        &rules("a -> b, b.c, b.c as d, b.c.e = a.f.g as h, uuid() as i, ('x' & 'y') as j 'n';")[0];
    assert_eq!(
        rule["target"],
        json!([
            {"context": "b"},
            {"context": "b", "element": "c"},
            {"context": "b", "element": "c", "variable": "d"},
            {"context": "b", "element": "c.e", "variable": "h", "transform": "copy",
                "parameter": [{"valueId": "a.f.g"}]},
            {"variable": "i", "transform": "uuid"},
            {"variable": "j", "transform": "evaluate", "parameter": [{"valueString": "'x' & 'y'"}]},
        ])
    );
}

#[test]
fn every_transform_takes_values_variables_and_expressions() {
    for name in [
        "create",
        "copy",
        "truncate",
        "escape",
        "cast",
        "append",
        "translate",
        "reference",
        "dateOp",
        "uuid",
        "pointer",
        "evaluate",
        "cc",
        "c",
        "qty",
        "id",
        "cp",
    ] {
        let target = &rules(&format!("a -> b.c = {name}(a, 'x', 1.5, true) 'n';"))[0]["target"][0];
        assert_eq!(target["transform"], name);
        assert_eq!(target["parameter"].as_array().unwrap().len(), 4, "{name}");
    }
    let rule = &rules("a -> b.c = append(%a, -1, @T10:00, (a.b)) 'n';")[0];
    assert_eq!(
        rule["target"][0]["parameter"],
        json!([
            {"valueId": "a"},
            {"valueInteger": -1},
            {"valueTime": "10:00"},
            {"_valueString": {"extension": [{
                "url": "http://hl7.org/fhir/StructureDefinition/cqf-expression",
                "valueExpression": {"language": "text/fhirpath", "expression": "a.b"},
            }]}},
        ])
    );
}

#[test]
fn rules_go_on_with_groups_a_block_or_both() {
    let rules = rules(
        "a.a then G(a, b), H();
        a.b then { a.c -> b.c; };
        a.c then G(a, b) { a.d -> b.d; };
        a.d;
        a.e as x, b.f as y -> b.g = x then {} 'n';",
    );
    assert_eq!(rules[0]["dependent"][1], json!({"name": "H"}));
    assert_eq!(rules[1]["rule"][0]["name"], "c");
    assert_eq!(rules[2]["dependent"][0]["name"], "G");
    assert_eq!(rules[2]["rule"][0]["name"], "d");
    assert_eq!(
        rules[3],
        json!({"name": "d", "source": [{"context": "a", "element": "d"}]})
    );
    assert_eq!(rules[4]["source"].as_array().unwrap().len(), 2);
}

#[test]
fn names_of_rules_are_words_or_texts_or_follow_from_the_source() {
    let rules = rules("a.b as c 'x y'; a.b as c x; a.b : string as c; a as c; a.b.c as d;");
    let names: Vec<&Value> = rules
        .as_array()
        .unwrap()
        .iter()
        .map(|rule| &rule["name"])
        .collect();
    assert_eq!(names, ["x y", "x", "bString", "a", "b.c"]);
}

#[test]
fn strings_have_both_quotes_and_every_escape() {
    let target = |text: &str| {
        let rules = rules(&format!("a -> b.c = {text} 'n';"));
        rules[0]["target"][0]["parameter"][0]["valueString"].clone()
    };
    assert_eq!(
        target(r#"'\'\"\`\\\/\r\n\t\f\u00e9 "'"#),
        json!("'\"`\\/\r\n\t\u{c}é \"")
    );
    assert_eq!(target(r#""it's \"so\"""#), json!("it's \"so\""));
    assert_eq!(target("\"\"\"a \"b\"\n'c'\"\"\""), json!("a \"b\"\n'c'"));
    assert!(
        refusal("map 'u' = 'n' group G(source a) { a -> a.b = '\\q' 'n'; }")
            .contains("an escape: ")
    );
}

#[test]
fn names_in_backticks_are_never_words_of_the_language() {
    let rule = &rules("`a`.`then` as `where` -> b.`as` = `true`, b.`c\\`d` = `where` 'n';")[0];
    assert_eq!(rule["source"][0]["element"], "then");
    assert_eq!(rule["source"][0]["variable"], "where");
    assert_eq!(rule["target"][0]["element"], "as");
    assert_eq!(rule["target"][0]["parameter"], json!([{"valueId": "true"}]));
    assert_eq!(rule["target"][1]["element"], "c`d");
    // Of a logical model, as some write them.
    assert_eq!(
        rules("a.\"-260\" as c 'n';")[0]["source"][0]["element"],
        "-260"
    );
}

#[test]
fn comments_stand_between_any_two_tokens() {
    let text = "/* a */ map /* b */ 'u' // c\n = 'n' group /**/ G ( /* d */ source a ) // e\n { /// f\n a /* g */ . b /* h */ -> a . c ; } // i";
    let map = read(text);
    assert_eq!(map["group"][0]["rule"][0]["name"], "b");
    assert_eq!(map["group"][0]["rule"][0]["documentation"], "f\r\ng\r\nh");
}

#[test]
fn queries_are_kept() {
    let source = &rules("search(Patient.where(active)) as p -> b.c = p 'n';")[0]["source"][0];
    assert_eq!(source["context"], "@search");
    assert_eq!(source["element"], "Patient.where(active)");
}

/// The names of all tests of this crate.
fn tests_of(folder: &Path, names: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            tests_of(&path, names);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            let functions = text
                .lines()
                .filter_map(|line| line.trim().split_once("fn "));
            names.extend(functions.filter_map(|(before, rest)| {
                let is_plain = before.is_empty() || before == "async ";
                let name = rest.split('(').next()?;
                is_plain.then(|| name.to_owned())
            }));
        }
    }
}

#[test]
fn the_tests_that_the_readme_names_exist() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut tests = BTreeSet::new();
    tests_of(&folder.join("tests"), &mut tests);
    tests_of(&folder.join("src"), &mut tests);
    let readme = fs::read_to_string(folder.join("README.md")).unwrap();
    let section = readme
        .split("\n## ")
        .find(|part| part.starts_with("Mapping language\n"));
    let rows: Vec<&str> = section
        .unwrap()
        .lines()
        .filter(|line| line.starts_with("| "))
        .collect();
    assert!(rows.len() > 25, "{}", rows.len());
    for row in rows.iter().skip(1) {
        let named = row.trim_end_matches(" |").rsplit(" | ").next().unwrap();
        let named: Vec<&str> = named.split('`').skip(1).step_by(2).collect();
        assert!(!named.is_empty(), "{row}");
        for name in named {
            assert!(tests.contains(name), "there is no test {name}: {row}");
        }
    }
}
