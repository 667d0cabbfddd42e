//! `mediator-runner map` as its users run it.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use tempfile::TempDir;

const MAP: &str = r#"map "http://example.org/StructureMap/ToCard" = "ToCard"
uses "http://hl7.org/fhir/StructureDefinition/Patient" alias Patient as source
uses "http://example.org/StructureDefinition/Card" alias Card as target
imports "http://example.org/StructureMap/Names"
group ToCard(source patient : Patient, target card : Card) {
  patient.name as name -> card.holder as holder then Names(name, holder) "holder";
  patient -> card.number = uuid() "number";
}
"#;

const IMPORTED: &str = r#"map "http://example.org/StructureMap/Names" = "Names"
uses "http://hl7.org/fhir/StructureDefinition/HumanName" alias HumanName as source
group Names(source name : HumanName, target holder) {
  name.family as family -> holder.value = family "family";
}
"#;

/// A folder with a map, one that it imports, its model, and an input.
struct Author(TempDir);

impl Author {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let model = json!({"resourceType": "StructureDefinition", "kind": "logical",
            "url": "http://example.org/StructureDefinition/Card", "name": "Card",
            "derivation": "specialization", "type": "Card",
            "differential": {"element": [{"path": "Card"},
                {"path": "Card.holder", "max": "1", "type": [{"code": "string"}]},
                {"path": "Card.number", "max": "1", "type": [{"code": "string"}]}]}});
        let patient = json!({"resourceType": "Patient", "name": [{"family": "Ngata"}]});
        let author = Self(folder);
        author.write("to-card.map", MAP);
        author.write("imports/names.fml", IMPORTED);
        author.write("models/card.json", &model.to_string());
        author.write("models/other.json", r#"{"resourceType": "Questionnaire"}"#);
        author.write("patient.json", &patient.to_string());
        author
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn run(&self, arguments: &[&str]) -> Output {
        command(self.0.path(), arguments).output().unwrap()
    }
}

fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mediator-runner"));
    command.current_dir(folder).arg("map").args(arguments);
    command
}

fn json_of(output: &Output) -> Value {
    assert!(output.status.success(), "{}", errors(output));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn errors(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn printed(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

const WITH_ALL: [&str; 4] = ["--import", "imports", "--model", "models"];

#[test]
fn a_map_runs_with_what_it_imports_and_its_model() {
    let author = Author::new();
    let seed = ["--seed", "00000000-0000-0000-0000-000000000001"];
    let by_file = [
        &["run", "to-card.map", "patient.json"][..],
        &WITH_ALL,
        &seed,
    ]
    .concat();
    let card = json_of(&author.run(&by_file));
    assert_eq!(card["holder"], "Ngata");
    assert_eq!(json_of(&author.run(&by_file)), card, "the seed decides ids");

    let by_url = [
        &[
            "run",
            "http://example.org/StructureMap/ToCard",
            "patient.json",
        ][..],
        &["--import", "to-card.map"],
        &WITH_ALL,
        &seed,
    ];
    assert_eq!(json_of(&author.run(&by_url.concat())), card);

    let without_seed = [&["run", "to-card.map", "patient.json"][..], &WITH_ALL].concat();
    assert_ne!(
        json_of(&author.run(&without_seed))["number"],
        card["number"]
    );
}

#[test]
fn several_inputs_are_lines_and_a_wrong_one_does_not_stop_the_others() {
    let author = Author::new();
    author.write("other.json", r#"{"resourceType": "Observation"}"#);
    let arguments = [
        &[
            "run",
            "--compact",
            "to-card.map",
            "patient.json",
            "other.json",
            "patient.json",
        ][..],
        &WITH_ALL,
    ];
    let output = author.run(&arguments.concat());
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(printed(&output).lines().count(), 2);
    assert!(errors(&output).starts_with("other.json: map http://example.org/StructureMap/ToCard"));
}

#[test]
fn standard_input_is_read() {
    let author = Author::new();
    let arguments = [&["run", "to-card.map", "-"][..], &WITH_ALL].concat();
    let mut child = command(author.0.path(), &arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let patient = fs::read(author.path("patient.json")).unwrap();
    child.stdin.take().unwrap().write_all(&patient).unwrap();
    assert_eq!(
        json_of(&child.wait_with_output().unwrap())["holder"],
        "Ngata"
    );
}

#[test]
fn a_trace_tells_which_rule_ran_for_what_without_values() {
    let author = Author::new();
    let trace = |option: &str| {
        let arguments = [
            &["run", "to-card.map", "patient.json", option][..],
            &WITH_ALL,
        ];
        let output = author.run(&arguments.concat());
        assert_eq!(
            json_of(&output)["holder"],
            "Ngata",
            "the result is the same"
        );
        errors(&output)
    };
    assert_eq!(
        trace("--trace"),
        "\
group ToCard of http://example.org/StructureMap/ToCard (the first)
  rule holder
    source Patient.name: 1 item
    for Patient.name[0]
      -> Card.holder by create
      group Names of http://example.org/StructureMap/Names (called)
        rule family
          source Patient.name[0].family: 1 item
          for Patient.name[0].family
            -> Card.holder.value by copy
  rule number
    source Patient: 1 item
    for Patient
      -> Card.number by uuid
"
    );
    let values = trace("--trace-values");
    assert!(
        values.contains("for Patient.name[0].family \"Ngata\"\n"),
        "{values}"
    );
    assert!(
        values.contains("-> Card.holder.value by copy \"Ngata\"\n"),
        "{values}"
    );

    author.write("patient.json", r#"{"resourceType": "Patient"}"#);
    let arguments = [
        &["run", "to-card.map", "patient.json", "--trace"][..],
        &WITH_ALL,
    ];
    let output = author.run(&arguments.concat());
    assert!(
        errors(&output).contains("  rule holder\n    source Patient.name: empty\n  rule number"),
        "{}",
        errors(&output)
    );
}

#[test]
fn a_model_may_be_in_a_package() {
    let author = Author::new();
    let archive = GzEncoder::new(
        File::create(author.path("models.tgz")).unwrap(),
        Compression::fast(),
    );
    let mut archive = tar::Builder::new(archive);
    for (name, file) in [
        ("package/package.json", "patient.json"),
        ("package/.index.json", "patient.json"),
        ("package/StructureDefinition-Card.json", "models/card.json"),
        ("package/Questionnaire-1.json", "models/other.json"),
        ("package/example/broken.json", "to-card.map"),
    ] {
        archive
            .append_path_with_name(author.path(file), name)
            .unwrap();
    }
    archive.into_inner().unwrap().finish().unwrap();
    let arguments = ["run", "to-card.map", "patient.json", "--import", "imports"];
    let output = author.run(&[&arguments[..], &["--model", "models.tgz"]].concat());
    assert_eq!(json_of(&output)["holder"], "Ngata");

    author.write("broken.tgz", "no archive");
    let output = author.run(&[&arguments[..], &["--model", "broken.tgz"]].concat());
    assert_eq!(output.status.code(), Some(2));
    assert!(
        errors(&output).starts_with("broken.tgz: "),
        "{}",
        errors(&output)
    );
}

#[test]
fn what_is_not_there_is_a_mistake_of_usage() {
    let author = Author::new();
    for (arguments, expected) in [
        (
            &["run", "no.map", "patient.json"][..],
            "no.map is neither a file nor the url of a map that is imported by --import\n",
        ),
        (
            &["run", "to-card.map", "patient.json", "--import", "nowhere"],
            "nowhere: No such file or directory (os error 2)\n",
        ),
        (
            &[
                "run",
                "to-card.map",
                "no.json",
                "--import",
                "imports",
                "--model",
                "models",
            ],
            "no.json: No such file or directory (os error 2)\n",
        ),
    ] {
        let output = author.run(arguments);
        assert_eq!(output.status.code(), Some(2));
        assert_eq!(errors(&output), expected);
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn a_mistake_is_told_and_fails_only_what_comes_to_it() {
    let author = Author::new();
    author.write("nobody.json", r#"{"resourceType": "Patient"}"#);
    let run = |input: &str| author.run(&["run", "to-card.map", input, "--model", "models"]);
    let mistakes = "to-card.map:4:1: the map http://example.org/StructureMap/Names is imported, but not loaded; add it to the maps\n\
         to-card.map:6:54: there is no group named Names, here or in an imported map\n";
    let output = run("nobody.json");
    assert!(output.status.success());
    assert_eq!(errors(&output), mistakes);
    let output = run("patient.json");
    assert_eq!(output.status.code(), Some(1));
    let told = errors(&output);
    let failure = told.strip_prefix(mistakes).unwrap();
    assert!(
        failure.contains("rule holder: there is no group named Names"),
        "{failure}"
    );
    assert!(output.stdout.is_empty());
}

#[test]
fn check_lists_every_mistake_and_warning_with_its_place() {
    let author = Author::new();
    let check = [&[
        "check",
        "to-card.map",
        "imports/names.fml",
        "--model",
        "models",
    ][..]]
    .concat();
    let output = author.run(&check);
    assert_eq!(printed(&output), "2 maps: 0 mistakes, 0 warnings\n");
    assert!(output.status.success());

    author.write("to-card.map", &MAP.replace("card : Card)", "card : Card,)"));
    let output = author.run(&check);
    assert!(output.status.success());
    assert_eq!(
        printed(&output),
        "to-card.map:5:59: warning: no comma belongs after the last input\n\
         \x20   group ToCard(source patient : Patient, target card : Card,) {\n\
         \x20                                                             ^\n\
         2 maps: 0 mistakes, 1 warning\n"
    );

    author.write(
        "to-card.map",
        &MAP.replace("name -> ", "name -> -> ")
            .replace("= uuid", "= ="),
    );
    author.write(
        "imports/names.fml",
        &IMPORTED.replace("source name", "name"),
    );
    let output = author.run(&check);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        printed(&output),
        "to-card.map:6:27: expected the target of a rule, found `->`\n\
         \x20     patient.name as name -> -> card.holder as holder then Names(name, holder) \"holder\";\n\
         \x20                             ^\n\
         to-card.map:7:28: expected a constant or a variable, found `=`\n\
         \x20     patient -> card.number = =() \"number\";\n\
         \x20                              ^\n\
         imports/names.fml:3:13: expected `source` or `target`, found `name`\n\
         \x20   group Names(name : HumanName, target holder) {\n\
         \x20               ^\n\
         2 maps: 3 mistakes, 0 warnings\n"
    );

    let two = MAP
        .replace("card.number", "card.numbr")
        .replace("Names(name, holder)", "Names(name)");
    author.write("to-card.map", &two);
    author.write("imports/names.fml", IMPORTED);
    let output = author.run(&check);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        printed(&output),
        "to-card.map:6:27: warning: the variable holder is never used\n\
         \x20     patient.name as name -> card.holder as holder then Names(name) \"holder\";\n\
         \x20                             ^\n\
         to-card.map:6:54: Names has 2 inputs, not 1: source name : HumanName, target holder\n\
         \x20     patient.name as name -> card.holder as holder then Names(name) \"holder\";\n\
         \x20                                                        ^\n\
         to-card.map:7:14: Card has no element numbr; did you mean number?\n\
         \x20     patient -> card.numbr = uuid() \"number\";\n\
         \x20                ^\n\
         2 maps: 2 mistakes, 1 warning\n"
    );
}

#[test]
fn format_changes_files_in_place_and_check_names_those_that_it_would_change() {
    let author = Author::new();
    let output = author.run(&["format", "--check", "to-card.map", "imports/names.fml"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(printed(&output), "to-card.map\nimports/names.fml\n");
    assert_eq!(fs::read_to_string(author.path("to-card.map")).unwrap(), MAP);

    let output = author.run(&["format", "to-card.map", "imports/names.fml"]);
    assert!(output.status.success(), "{}", errors(&output));
    assert_eq!(printed(&output), "");
    let formatted = "map \"http://example.org/StructureMap/Names\" = \"Names\"

uses \"http://hl7.org/fhir/StructureDefinition/HumanName\" alias HumanName as source

group Names(source name : HumanName, target holder) {
  name.family as family -> holder.value = family \"family\";
}
";
    assert_eq!(
        fs::read_to_string(author.path("imports/names.fml")).unwrap(),
        formatted
    );
    let output = author.run(&["format", "--check", "to-card.map", "imports/names.fml"]);
    assert!(output.status.success());
    assert_eq!(printed(&output), "");

    let mut child = command(author.0.path(), &["format", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all(IMPORTED.as_bytes()).unwrap();
    drop(input);
    assert_eq!(printed(&child.wait_with_output().unwrap()), formatted);
}

#[test]
fn format_leaves_what_has_mistakes_and_goes_on() {
    let author = Author::new();
    let wrong = MAP.replace("name -> ", "name -> -> ");
    author.write("to-card.map", &wrong);
    let output = author.run(&["format", "to-card.map", "imports/names.fml"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        errors(&output)
            .contains("to-card.map:6:27: expected the target of a rule, found `->` in: "),
        "{}",
        errors(&output)
    );
    assert_eq!(
        fs::read_to_string(author.path("to-card.map")).unwrap(),
        wrong
    );
    assert_ne!(
        fs::read_to_string(author.path("imports/names.fml")).unwrap(),
        IMPORTED
    );
    let output = author.run(&["format", "nowhere.map"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        errors(&output).contains("nowhere.map: "),
        "{}",
        errors(&output)
    );
}

#[test]
fn convert_writes_the_other_form_of_a_map() {
    let author = Author::new();
    let resource = json_of(&author.run(&["convert", "to-card.map"]));
    assert_eq!(resource["resourceType"], "StructureMap");
    assert_eq!(resource["url"], "http://example.org/StructureMap/ToCard");
    assert_eq!(resource["group"][0]["typeMode"], "none");

    let output = author.run(&[
        "convert",
        "to-card.map",
        "--fhir-version",
        "r5",
        "--out",
        "5.json",
    ]);
    assert!(output.status.success(), "{}", errors(&output));
    let r5: Value = serde_json::from_slice(&fs::read(author.path("5.json")).unwrap()).unwrap();
    assert_eq!(r5["group"][0].get("typeMode"), None);
    let as_r4 = json_of(&author.run(&["convert", "5.json", "--to", "json"]));
    assert_eq!(as_r4, resource);

    let output = author.run(&["convert", "5.json"]);
    let text = printed(&output);
    assert!(
        text.contains("\n  patient -> card.number = uuid() \"number\";\n"),
        "{text}"
    );
    author.write("to-card.map", &text);
    let run = [&["run", "to-card.map", "patient.json"][..], &WITH_ALL].concat();
    assert_eq!(json_of(&author.run(&run))["holder"], "Ngata");
}

#[test]
fn convert_tells_mistakes_and_what_it_leaves_out() {
    let author = Author::new();
    let mut resource = json_of(&author.run(&["convert", "to-card.map"]));
    resource["group"][0]["id"] = json!("g");
    author.write("map.json", &resource.to_string());
    let output = author.run(&["convert", "map.json"]);
    assert!(output.status.success());
    assert!(
        errors(&output).contains("map.json: left out: group[0].id"),
        "{}",
        errors(&output)
    );
    resource["group"][0]["rule"][0]["source"][0]["condition"] = json!("a =");
    author.write("map.json", &resource.to_string());
    let output = author.run(&["convert", "map.json"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        errors(&output).contains("group[0].rule[0].source[0].condition is no FHIRPath"),
        "{}",
        errors(&output)
    );
    author.write("to-card.map", "map (");
    let output = author.run(&["convert", "to-card.map"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(errors(&output).contains("to-card.map:1:5: expected the map's url"));
    assert_eq!(author.run(&["convert", "nowhere"]).status.code(), Some(2));
}

#[test]
fn check_prints_json_lines_for_programs() {
    let author = Author::new();
    author.write("to-card.map", &MAP.replace("card.number", "card.numbr"));
    let output = author.run(&[
        "check",
        "--json",
        "to-card.map",
        "--import",
        "imports",
        "--model",
        "models",
    ]);
    assert_eq!(output.status.code(), Some(1));
    let lines: Vec<Value> = printed(&output)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(
        lines,
        [json!({
            "file": "to-card.map", "line": 7, "column": 14, "severity": "error",
            "reason": "Card has no element numbr; did you mean number?",
            "text": "  patient -> card.numbr = uuid() \"number\";"
        })]
    );
}

#[test]
fn a_structure_map_is_checked_and_imported_as_text_is() {
    let author = Author::new();
    let names = json!({"resourceType": "StructureMap", "url": "http://example.org/StructureMap/Names",
        "name": "Names", "status": "active",
        "structure": [{"url": "http://hl7.org/fhir/StructureDefinition/HumanName", "mode": "source", "alias": "HumanName"}],
        "group": [{"name": "Names", "typeMode": "none",
            "input": [{"name": "name", "type": "HumanName", "mode": "source"}, {"name": "holder", "mode": "target"}],
            "rule": [{"name": "family",
                "source": [{"context": "name", "element": "family", "variable": "family"}],
                "target": [{"context": "holder", "contextType": "variable", "element": "value",
                    "transform": "copy", "parameter": [{"valueId": "family"}]}]}]}]});
    author.write("imports/names.json", &names.to_string());
    author.write("imports/other.json", r#"{"resourceType": "Questionnaire"}"#);
    fs::remove_file(author.path("imports/names.fml")).unwrap();
    let output = author.run(&["check", "imports/names.json"]);
    assert_eq!(printed(&output), "1 map: 0 mistakes, 0 warnings\n");
    let run = [&["run", "to-card.map", "patient.json"][..], &WITH_ALL].concat();
    assert_eq!(json_of(&author.run(&run))["holder"], "Ngata");
}
