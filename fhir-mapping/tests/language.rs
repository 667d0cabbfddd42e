//! What the language can do, by its results; and how mistakes in maps are told.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use fhir_mapping::{
    CompiledMaps, MapError, MapLibrary, SyntaxError, TransformError, TransformOptions,
};
use proptest::prelude::*;
use serde_json::{Value, json};
use uuid::Uuid;

const URL: &str = "http://example.org/map";
const PATIENT_TO_PATIENT: &str = r#"/// url = 'http://example.org/map'
uses "http://hl7.org/fhir/StructureDefinition/Patient" alias Source as source
uses "http://hl7.org/fhir/StructureDefinition/Patient" alias Target as target
"#;

/// A map of one group `Main(source s : Patient, target t : Patient)` with these rules.
fn map(rules: &str) -> String {
    format!("{PATIENT_TO_PATIENT}group Main(source s : Source, target t : Target) {{\n{rules}\n}}")
}

fn compile(text: &str) -> Result<CompiledMaps, MapError> {
    let mut library = MapLibrary::new();
    library.add_map(text)?;
    library.compile_strictly()
}

fn patient() -> Value {
    serde_json::from_str(include_str!("language/input.json")).unwrap()
}

/// The result of the rules, without its resourceType.
fn run(rules: &str) -> Value {
    let maps = compile(&map(rules)).unwrap();
    let mut result = maps.transform(URL, &patient(), Uuid::nil()).unwrap();
    result.as_object_mut().unwrap().shift_remove("resourceType");
    result
}

fn failure(rules: &str) -> String {
    let maps = compile(&map(rules)).unwrap();
    match maps.transform(URL, &patient(), Uuid::nil()).unwrap_err() {
        TransformError::Failed { rule, reason, .. } => format!("{rule}: {reason}"),
        other => panic!("{other}"),
    }
}

/// Line, column and reason of a compile error, in the rules' own lines.
fn refusal(rules: &str) -> (usize, usize, String) {
    match compile(&map(rules)).unwrap_err() {
        MapError::Compile(errors) => {
            let [error] = errors.as_slice() else {
                panic!("{errors:?}")
            };
            assert_eq!(error.map, URL);
            (error.line - 4, error.column, error.reason.clone())
        }
        other => panic!("{other}"),
    }
}

#[test]
fn the_map_of_everything() {
    let mut library = MapLibrary::new();
    library
        .add_map(include_str!("language/language.map"))
        .unwrap();
    library
        .add_map(include_str!("language/datatypes.map"))
        .unwrap();
    let maps = library.compile_strictly().unwrap();
    let input = serde_json::from_str(include_str!("language/input.json")).unwrap();
    let url = "http://example.org/StructureMap/language";
    let result = maps.transform(url, &input, Uuid::nil()).unwrap();
    let expected: Value = serde_json::from_str(include_str!("language/expected.json")).unwrap();
    assert_eq!(result, expected);
}

#[test]
fn properties_stand_in_the_order_of_their_definition() {
    let result =
        run("s -> t.birthDate = '2020', t.gender = 'other', t.active = true, t.id = 'x' \"r\";");
    let names: Vec<&String> = result.as_object().unwrap().keys().collect();
    assert_eq!(names, ["id", "active", "gender", "birthDate"]);
}

#[test]
fn paths_go_several_steps_and_parameters_may_be_paths() {
    assert_eq!(
        run(
            "s.name.given as given -> t.name as n, n.given = append(given, '!'), n.family = append(s.gender, given) \"r\";"
        )["name"][1],
        json!({"family": "femaleMere", "given": ["Mere!"]})
    );
}

#[test]
fn conditions_see_the_variable_of_their_own_source() {
    let result = run(
        "s.name as name where name.family = 'Ngata' and name.given.where($this = %name.given.first()).exists() -> t.name = name;\n s.contact as c check %c.gender.exists() -> t.active = true;",
    );
    assert_eq!(result["name"].as_array().map(Vec::len), Some(1));
    assert_eq!(result["active"], true);
}

#[test]
fn several_sources_run_for_every_combination() {
    let result = run("s.name as a, s.contact as b -> t.name as n, n.family = (%a.family) \"r\";");
    let families = ["Ngata", "Ngata", "Tamahori", "Tamahori", "Nīkora", "Nīkora"];
    assert_eq!(
        result["name"],
        json!(families.map(|family| json!({"family": family})))
    );
}

#[test]
fn a_single_item_is_made_by_all_rules_of_a_list() {
    let result = run(
        "s.name as name -> t.contact as c single then { name.family as f -> c.id = f \"f\"; } \"a\";\n s.gender as g -> t.contact as c single, c.gender = g \"b\";",
    );
    assert_eq!(
        result["contact"],
        json!([{"id": "Nīkora", "gender": "female"}])
    );
}

#[test]
fn a_primitive_that_is_passed_on_is_written_itself() {
    let text = format!(
        "{PATIENT_TO_PATIENT}group Main(source s : Source, target t : Target) {{ s -> t.gender as g then Gender(s, g) \"r\"; s -> t.name as n then Gender(s, n) \"q\"; }}\n group Gender(source s, target g) {{ s -> g = 'other' \"r\"; }}"
    );
    let error = compile(&text)
        .unwrap()
        .transform(URL, &patient(), Uuid::nil());
    assert!(
        error
            .unwrap_err()
            .to_string()
            .contains("writes a value to what is no primitive")
    );
    let text = text.replace("s -> t.name as n then Gender(s, n) \"q\";", "");
    let result = compile(&text)
        .unwrap()
        .transform(URL, &patient(), Uuid::nil());
    assert_eq!(result.unwrap()["gender"], "other");
}

#[test]
fn an_element_that_does_not_repeat_is_made_once() {
    let result = run(
        "s -> t.maritalStatus as m, m.text = 'a' \"a\";\n s -> t.maritalStatus as m, m.id = 'b' \"b\";",
    );
    assert_eq!(result["maritalStatus"], json!({"id": "b", "text": "a"}));
}

#[test]
fn what_is_copied_can_be_changed_afterwards() {
    let result = run(
        "s.name first as name -> t.name = name as copy, copy.family = 'Other', copy.given = 'Last' \"r\";",
    );
    assert_eq!(
        result["name"],
        json!([{"family": "Other", "given": ["Aroha", "Mere", "Hine", "Last"]}])
    );
}

#[test]
fn choices_take_the_type_of_their_value() {
    assert_eq!(
        run("s -> t.deceased = true \"r\";"),
        json!({"deceasedBoolean": true})
    );
    assert_eq!(
        run("s -> t.deceased = @2020-01-01T10:00:00Z \"r\";"),
        json!({"deceasedDateTime": "2020-01-01T10:00:00Z"})
    );
    assert_eq!(
        run("s -> t.deceasedDateTime = '2020' \"r\";"),
        json!({"deceasedDateTime": "2020"})
    );
    assert_eq!(
        run(
            "s.extension as e where value is Coding -> t.extension as x, x.value = (%e.value) \"r\";"
        ),
        json!({"extension": [{"valueCoding": {"system": "http://example.org/sex", "code": "F"}}]})
    );
    // What the choice does not have, as HL7's engine writes it.
    assert_eq!(
        run("s -> t.deceased = 'x' \"r\";"),
        json!({"deceasedString": "x"})
    );
}

#[test]
fn primitives_are_converted_and_complex_types_are_not() {
    assert_eq!(
        run("s -> t.multipleBirthInteger = '2' \"r\";"),
        json!({"multipleBirthInteger": 2})
    );
    assert_eq!(run("s.active as a -> t.id = a;"), json!({"id": "true"}));
    assert_eq!(
        failure("s.name first as n -> t.maritalStatus = n;"),
        "name: maritalStatus has the type CodeableConcept, not HumanName"
    );
    assert_eq!(
        failure("s.gender as g -> t.multipleBirthInteger = g;"),
        "gender: multipleBirth has the type integer, not code"
    );
}

#[test]
fn uuids_follow_from_the_seed() {
    let maps = compile(&map("s -> t.id = uuid(), t.implicitRules = uuid() \"r\";")).unwrap();
    let result = |seed| maps.transform(URL, &patient(), seed).unwrap();
    let first = result(Uuid::nil());
    assert_eq!(first, result(Uuid::nil()));
    assert_ne!(first["id"], first["implicitRules"]);
    assert_ne!(first["id"], result(Uuid::max())["id"]);
    let id = Uuid::parse_str(first["id"].as_str().unwrap()).unwrap();
    assert_eq!(id.get_version_num(), 5);
}

#[test]
fn uuids_are_random_when_that_is_asked_for() {
    let maps = compile(&map("s -> t.id = uuid() \"r\";")).unwrap();
    let result = || {
        let options = TransformOptions::with_random_uuids();
        let result = maps.transform_with(URL, &patient(), &options).unwrap();
        Uuid::parse_str(result["id"].as_str().unwrap()).unwrap()
    };
    assert_eq!(result().get_version_num(), 4);
    assert_ne!(result(), result());
}

#[test]
fn references_give_a_resource_its_id() {
    let result = run(
        "s -> t.link as l, l.other as o, o.reference = reference(t), o.display = pointer(t) \"r\";",
    );
    let id = result["id"].as_str().unwrap();
    let other = &result["link"][0]["other"];
    assert_eq!(other["reference"], format!("Patient/{id}"));
    assert_eq!(other["display"], format!("urn:uuid:{id}"));
}

#[test]
fn codings_quantities_and_other_small_types() {
    assert_eq!(
        run(
            "s -> t.maritalStatus = cc('a', 'b', 'c'), t.telecom = cp('phone', '1'), t.extension as e, e.value = qty(1.5, 'mg'), t.identifier = id('s', 'v') \"r\";"
        ),
        json!({
            "extension": [{"valueQuantity": {"value": 1.5, "unit": "mg"}}],
            "identifier": [{"system": "s", "value": "v"}],
            "telecom": [{"system": "phone", "value": "1"}],
            "maritalStatus": {"coding": [{"system": "a", "code": "b", "display": "c"}]}
        })
    );
}

#[test]
fn a_blank_text_is_cast_to_nothing() {
    assert_eq!(
        run(
            "s -> t.id = cast('', 'integer'), t.language = cast(' ', 'string'), t.active = true \"r\";"
        ),
        json!({"active": true})
    );
}

#[test]
fn constants_of_a_map() {
    let text = map("s -> t.gender = sex, t.id = (%both) \"r\";").replace(
        "group Main",
        "let sex = 'other';\nlet both = sex + '-' + 'x';\ngroup Main",
    );
    let result = compile(&text)
        .unwrap()
        .transform(URL, &patient(), Uuid::nil());
    let expected = json!({"resourceType": "Patient", "id": "other-x", "gender": "other"});
    assert_eq!(result.unwrap(), expected);
    let endless =
        map("s -> t.id = a \"r\";").replace("group Main", "let a = b;\nlet b = a;\ngroup Main");
    assert!(
        compile(&endless)
            .unwrap_err()
            .to_string()
            .contains("is defined by itself")
    );
}

#[test]
fn a_source_whose_profile_is_not_known_tells_its_type_itself() {
    let text = map("s.deceased : boolean as d -> t.deceased = d \"r\";").replace(
        "StructureDefinition/Patient\" alias Source",
        "StructureDefinition/some-profile\" alias Source",
    );
    let maps = compile(&text).unwrap();
    let patient = json!({"resourceType": "Patient", "deceasedBoolean": true});
    assert_eq!(maps.transform(URL, &patient, Uuid::nil()), Ok(patient));
}

#[test]
fn published_models_leave_types_out_and_narrow_elements_of_elements() {
    let mut library = MapLibrary::new();
    library
        .add_structure_definition(&json!({
            "resourceType": "StructureDefinition", "url": "http://example.org/model", "name": "Model",
            "kind": "logical", "derivation": "specialization",
            "differential": {"element": [
                {"path": "Model"},
                {"path": "Model.status", "max": "1", "type": [{"code": "Coding"}]},
                {"path": "Model.status.code", "max": "1", "fixedCode": "completed"},
                {"path": "Model.unspecified", "max": "1"}
            ]}
        }))
        .unwrap();
    let text = r#"map "http://example.org/map" = "m"
        uses "http://hl7.org/fhir/StructureDefinition/Patient" alias Patient as source
        uses "http://example.org/model" alias Model as target
        group Main(source s : Patient, target t : Model) {
            s -> t.status as c, c.code = 'a', c.display = 'A', t.unspecified = 'x' "r";
        }"#;
    library.add_map(text).unwrap();
    let maps = library.compile_strictly().unwrap();
    let result = maps.transform(URL, &json!({"resourceType": "Patient"}), Uuid::nil());
    let expected = json!({"status": {"code": "a", "display": "A"}, "unspecified": "x"});
    assert_eq!(result, Ok(expected));
}

#[test]
fn a_logical_model_is_read_and_written() {
    let mut library = MapLibrary::new();
    library
        .add_structure_definition(&json!({
            "resourceType": "StructureDefinition", "url": "http://example.org/model", "name": "Model",
            "kind": "logical", "derivation": "specialization",
            "differential": {"element": [
                {"path": "Model", "min": 0, "max": "*"},
                {"path": "Model.dose", "max": "*", "type": [{"code": "BackboneElement"}]},
                {"path": "Model.dose.number", "max": "1", "type": [{"code": "positiveInt"}]},
                {"path": "Model.dose.by[x]", "max": "1", "type": [{"code": "string"}, {"code": "Coding"}]},
                {"path": "Model.dose.-26", "max": "1", "type": [{"code": "string"}]},
                {"path": "Model.dose.next", "max": "1", "contentReference": "#Model.dose"}
            ]}
        }))
        .unwrap();
    let text = r#"map "http://example.org/map" = "m"
        uses "http://example.org/model" alias Model as source
        uses "http://example.org/model" alias Copy as target
        group Main(source model : Model, target copy : Copy,) {
          model.dose as dose -> copy.dose as to then Dose(dose, to);
        }
        group Dose(source dose, target to) {
          dose.number as number -> to.number = number;
          dose.by as by -> to.by = by;
          dose."-26" as other -> to.`-26` = other;
          dose.next as next -> to.next as toNext then Dose(next, toNext);
        }"#;
    library.add_map(text).unwrap();
    let maps = library.compile_strictly().unwrap();
    let model = json!({"dose": [{"number": 1, "byString": "x"}, {"byCoding": {"code": "y"}, "-26": "z", "next": {"number": 3}}]});
    assert_eq!(maps.transform(URL, &model, Uuid::nil()).unwrap(), model);
}

#[test]
fn concept_maps_that_are_added() {
    let mut library = MapLibrary::new();
    let concept_map = json!({"resourceType": "ConceptMap", "url": "http://example.org/cm", "group": [{
        "source": "http://example.org/a", "target": "http://example.org/b",
        "element": [
            {"code": "female", "target": [{"code": "W", "equivalence": "equivalent"}]},
            {"code": "male", "target": [{"code": "M", "equivalence": "narrower"}]}
        ]
    }]});
    library.add_concept_map(&concept_map).unwrap();
    library
        .add_map(&map("s.gender as g -> t.maritalStatus as m, m.coding = translate(g, 'http://example.org/cm');"))
        .unwrap();
    let maps = library.compile_strictly().unwrap();
    let mut patient = patient();
    let mut result = |gender: &str| {
        patient["gender"] = json!(gender);
        let result = maps.transform(URL, &patient, Uuid::nil());
        result.map(|result| result["maritalStatus"].clone())
    };
    let coding = json!({"coding": [{"system": "http://example.org/b", "code": "W"}]});
    assert_eq!(result("female").unwrap(), coding);
    assert_eq!(result("other").unwrap(), Value::Null);
    assert!(
        result("male")
            .unwrap_err()
            .to_string()
            .contains("no usable translation")
    );
}

/// What is missing among the definitions when the rule runs.
fn lacks(error: &TransformError) -> &str {
    match error {
        TransformError::Definitions { rule, reason, .. } if rule == "gender" => reason,
        other => panic!("{other}"),
    }
}

#[test]
fn a_concept_map_that_is_missing_fails_the_rule_that_needs_it() {
    let rule = "s.gender as g -> t.gender = translate(g, 'http://example.org/none', 'code');";
    let maps = compile(&map(rule)).unwrap();
    let warning = &maps.warnings()[0];
    assert_eq!(
        warning.reason,
        "there is no concept map http://example.org/none, so a transform fails when it comes here; add it"
    );
    let without = json!({"resourceType": "Patient"});
    assert!(maps.transform(URL, &without, Uuid::nil()).is_ok());
    let failed = maps.transform(URL, &patient(), Uuid::nil()).unwrap_err();
    assert_eq!(
        lacks(&failed),
        "http://example.org/none is not known: load it, or set a terminology server"
    );
}

#[test]
fn a_concept_map_that_another_one_refers_to_is_missing_when_it_is_asked() {
    let mut library = MapLibrary::new();
    let concept_map = json!({"resourceType": "ConceptMap", "url": "http://example.org/cm", "group": [{
        "source": "http://example.org/a", "target": "http://example.org/b",
        "element": [{"code": "male", "target": [{"code": "M"}]}],
        "unmapped": {"mode": "other-map", "url": "http://example.org/none"}
    }]});
    library.add_concept_map(&concept_map).unwrap();
    let rule = "s.gender as g -> t.gender = translate(g, 'http://example.org/cm', 'code');";
    library.add_map(&map(rule)).unwrap();
    let maps = library.compile_strictly().unwrap();
    let mut patient = patient();
    patient["gender"] = json!("male");
    let result = maps.transform(URL, &patient, Uuid::nil()).unwrap();
    assert_eq!(result["gender"], "M");
    patient["gender"] = json!("female");
    let failed = maps.transform(URL, &patient, Uuid::nil()).unwrap_err();
    assert_eq!(
        lacks(&failed),
        "the concept map refers to another one, which is not loaded"
    );
}

#[test]
fn imports_find_groups_and_what_is_missing_is_told() {
    let imported = "map 'http://example.org/other' = 'o'\ngroup Name(source s, target t) { s.family as f -> t.family = f; }";
    let importing = |url: &str| {
        map("s.name first as n -> t.name as m then Name(n, m);")
            .replace("group Main", &format!("imports \"{url}\"\ngroup Main"))
    };
    let mut library = MapLibrary::new();
    library.add_map(&importing("http://example.org/*")).unwrap();
    library.add_map(imported).unwrap();
    let maps = library.compile_strictly().unwrap();
    let result = maps.transform(URL, &patient(), Uuid::nil()).unwrap();
    assert_eq!(result["name"], json!([{"family": "Ngata"}]));
    let only_imported = maps.transform("http://example.org/other", &patient(), Uuid::nil());
    assert!(
        only_imported
            .unwrap_err()
            .to_string()
            .contains("can only be imported")
    );
    let missing = compile(&importing("http://example.org/gone")).unwrap_err();
    assert!(
        missing.to_string().contains(
            "line 4, column 1: the map http://example.org/gone is imported, but not loaded; add it to the maps"
        ),
        "{missing}"
    );
}

#[test]
fn groups_run_inside_one_another_up_to_a_limit() {
    let text = format!(
        "{PATIENT_TO_PATIENT}group Main(source s : Source, target t : Target) {{ s -> t then Main(s, t) \"again\"; }}"
    );
    let error = compile(&text)
        .unwrap()
        .transform(URL, &patient(), Uuid::nil());
    assert!(
        error
            .unwrap_err()
            .to_string()
            .contains("rule again: more than")
    );
    let text = text.replace("{ s ->", "extends Main { s ->");
    assert!(
        compile(&text)
            .unwrap_err()
            .to_string()
            .contains("Main extends itself")
    );
}

#[test]
fn default_groups_create_what_their_types_tell() {
    let groups = r#"
        group Name(source s : HumanName, target t : HumanName) <<types>> {
          s.family as f -> t.text = append('by types: ', f);
        }"#;
    let text = map("s.name first as n -> t.name = create() as m;\n s.contact first -> t.contact;")
        + groups;
    let result = compile(&text)
        .unwrap()
        .transform(URL, &patient(), Uuid::nil())
        .unwrap();
    assert_eq!(result["name"], json!([{"text": "by types: Ngata"}]));
    // Without a group for them, both being of one type, it is copied.
    assert_eq!(
        result["contact"],
        json!([{"name": {"text": "Tama"}, "gender": "male"}])
    );
}

#[test]
fn concept_maps_in_a_map() {
    let block = r##"conceptmap "#codes" {
          prefix s = "http://example.org/s"
          prefix t = "http://example.org/t"
          s:007 == t:"b c"
          s:female = t:x-1
        }
        group Main"##;
    let text = map(
        "s.gender as g -> t.id = translate(g, '#codes', 'code'), t.gender = translate('007', '#codes', 'code') \"r\";",
    );
    let refused = compile(&text.replace("group Main", block))
        .unwrap_err()
        .to_string();
    assert!(
        refused.contains("expected a prefix that is declared above, or `}`, found `-`"),
        "{refused}"
    );
    let block = block.replace("t:x-1", "t:'x-1'");
    let maps = compile(&text.replace("group Main", &block)).unwrap();
    let result = maps.transform(URL, &patient(), Uuid::nil()).unwrap();
    assert_eq!(
        (&result["id"], &result["gender"]),
        (&json!("x-1"), &json!("b c"))
    );
}

#[test]
fn the_input_must_be_what_the_map_reads() {
    let maps = compile(&map("s -> t.id = 'x' \"r\";")).unwrap();
    for input in [
        json!({"resourceType": "Bundle"}),
        json!({}),
        json!([]),
        json!("SECRET"),
    ] {
        let error = maps.transform(URL, &input, Uuid::nil()).unwrap_err();
        assert!(error.to_string().contains("it reads a Patient"), "{error}");
        assert!(!error.to_string().contains("SECRET"), "{error}");
    }
    let unknown = maps.transform("http://example.org/none", &patient(), Uuid::nil());
    assert_eq!(
        unknown,
        Err(TransformError::UnknownMap("http://example.org/none".into()))
    );
}

#[test]
fn failures_name_the_rule_and_never_the_value() {
    for (rules, reason) in [
        (
            "s.name as n check family = 'x' -> t.id = 'x' \"r\";",
            "r: its check does not hold",
        ),
        (
            "s.name only_one as n -> t.id = 'x' \"r\";",
            "r: there are 3 items, not only one",
        ),
        (
            "s.name 0..2 as n -> t.id = 'x' \"r\";",
            "r: there are 3 items, not 0..2",
        ),
        (
            "s -> t.id = (%s.name.family) \"r\";",
            "r: its expression gives 3 items, not one",
        ),
        (
            "s -> t.id = (%s.name) \"r\";",
            "r: its expression gives 3 items, not one",
        ),
        (
            "s -> t.id = ({}) as x, t.gender = x \"r\";",
            "r: a variable that it copies was not set",
        ),
        ("s -> t.id = append(s.name.first()) \"r\";", ""),
    ] {
        if reason.is_empty() {
            assert!(compile(&map(rules)).is_err());
            continue;
        }
        assert_eq!(failure(rules), reason);
    }
}

#[test]
fn what_is_not_there_or_not_supported_is_refused_by_name() {
    for (rules, line, column, reason) in [
        (
            "\n  s -> t.nam = 'x' \"r\";",
            2,
            8,
            "Patient has no element nam; did you mean name?",
        ),
        ("q -> t.id = 'x' \"r\";", 1, 1, "there is no variable q"),
        (
            "s -> q.id = 'x' \"r\";",
            1,
            6,
            "there is no target variable q",
        ),
        ("s -> t.id = q \"r\";", 1, 13, "there is no variable q"),
        (
            "s as x where htmlChecks() = 1 -> t.id = 'x' \"r\";",
            1,
            14,
            "the FHIRPath function htmlChecks is not supported",
        ),
        (
            "s as x where name.first(1).exists() -> t.id = 'x' \"r\";",
            1,
            18,
            "first takes 0 parameters",
        ),
        (
            "s as x where name.ofType(Foo).exists() -> t.id = 'x' \"r\";",
            1,
            18,
            "Foo is no type that is known",
        ),
        (
            "s -> t.id = escape('a', 'b') \"r\";",
            1,
            6,
            "escape knows the formats 'json', 'xml' and 'html'",
        ),
        (
            "s -> t.name.text = 'x' \"r\";",
            1,
            6,
            "write to one element at a time: t.name as a variable, then its elements",
        ),
        (
            "s -> t.contained = create('Foo') \"r\";",
            1,
            6,
            "there is no type Foo; name one of FHIR R4, or an alias of `uses`",
        ),
        (
            "s -> t then Gone(s, t) \"r\";",
            1,
            13,
            "there is no group named Gone, here or in an imported map",
        ),
        (
            "s -> t then Main(s) \"r\";",
            1,
            13,
            "Main has 2 inputs, not 1: source s : Source, target t : Target",
        ),
        (
            "s -> t then Main(s, s) \"r\";",
            1,
            13,
            "t of Main is a target variable: s is a source variable",
        ),
    ] {
        assert_eq!(refusal(rules), (line, column, reason.to_owned()), "{rules}");
    }
}

#[test]
fn syntax_errors_tell_line_column_and_what_was_expected() {
    for (text, line, column, expected, found) in [
        (
            "",
            1,
            1,
            "`///`, `map`, `conceptmap`, `uses`, `imports`, `let` or `group`",
            "the end",
        ),
        (
            "group A(source a) {}",
            1,
            1,
            "the map's url: `/// url = '…'` or `map \"…\" = \"…\"`",
            "`group`",
        ),
        (
            "map 'x' = 'y'\ngroup A(sauce a) {}",
            2,
            9,
            "`source` or `target`",
            "`sauce`",
        ),
        (
            "map 'x' = 'y'\ngroup A(source a) {\n  a.b as c -> d.e = 1\n)}",
            4,
            1,
            "`->`, `then`, `,`, the rule's name or `;`",
            "`)`",
        ),
        (
            "map 'x' = 'y'\ngroup A(source a) {\n  a.b as 'c' ;",
            3,
            10,
            "the variable's name",
            "a string",
        ),
        (
            "map 'x' = 'y'\nuses 'z' alias Z as origin",
            2,
            21,
            "`source`, `queried`, `target` or `produced`",
            "`origin`",
        ),
        (
            "map 'x' = 'y'\ngroup A(source a) { a where ( -> b; }",
            2,
            31,
            "an expression",
            "`->`",
        ),
        (
            "map 'x' = 'y'\ngroup A(source a) { a ^ b; }",
            2,
            23,
            "a word, string, number or symbol",
            "`^`",
        ),
        ("map 'x", 1, 5, "'", "a string without end"),
        ("map 'x' /* y", 1, 9, "`*/`", "a comment without end"),
        (
            "map 'x\\q' = 'y'",
            1,
            7,
            "an escape: \\' \\\" \\` \\\\ \\/ \\r \\n \\t \\f or \\u0000",
            "another one",
        ),
        (
            "conceptmap 'c' { a:b == c:d }",
            1,
            18,
            "a prefix that is declared above, or `}`",
            "`a`",
        ),
    ] {
        let error = MapLibrary::new().add_map(text).map(drop).unwrap_err();
        let MapError::Syntax(errors) = &error else {
            panic!("{error}")
        };
        let SyntaxError {
            line: l,
            column: c,
            expected: e,
            found: f,
            text: t,
        } = &errors[0];
        assert_eq!(
            (*l, *c, e.as_str(), f.as_str()),
            (line, column, expected, found),
            "{text}"
        );
        let whole = text.lines().nth(line - 1).unwrap_or_default().trim();
        assert_eq!(t, whole);
    }
}

#[test]
fn every_mistake_is_reported_in_the_order_of_the_text() {
    let text = "map 'x' = 'y'
group A(source a, target b) {
  a.c -> -> b.c;
  a.d as d -> b.d = d;
  a.e as e then { e.f where ( -> b.f; e.g -> b.g 'g'; e.h b.h; };
  a.i -> b.i
}
group B(a, target b) { a -> b; }
group C(source a, target b) { a as -> b; }
";
    let error = MapLibrary::new().add_map(text).map(drop).unwrap_err();
    let MapError::Syntax(errors) = &error else {
        panic!("{error}")
    };
    let places: Vec<(usize, usize, &str)> = errors
        .iter()
        .map(|error| (error.line, error.column, error.expected.as_str()))
        .collect();
    assert_eq!(
        places,
        [
            (3, 10, "the target of a rule"),
            (5, 31, "an expression"),
            (5, 59, "`->`, `then`, `,`, the rule's name or `;`"),
            (8, 9, "`source` or `target`"),
            (9, 36, "the variable's name"),
        ]
    );
    assert_eq!(error.to_string().lines().count(), errors.len());
}

#[test]
fn so_many_mistakes_are_reported_and_no_more() {
    let text = format!(
        "map 'x' = 'y'\ngroup A(source a) {{ {} }}",
        "a ( ; ".repeat(100)
    );
    let error = MapLibrary::new().add_map(&text).map(drop).unwrap_err();
    assert!(
        matches!(&error, MapError::Syntax(errors) if errors.len() == 20),
        "{error}"
    );
}

#[test]
fn what_published_maps_get_wrong_is_tolerated_with_a_warning() {
    let text = "map 'http://example.org/x' = 'y'
uses 'http://hl7.org/fhir/StructureDefinition/Patient' alias Patient as source
uses 'http://hl7.org/fhir/StructureDefinition/Patient' alias Patient as target
group A(source a : Patient
  target b : Patient,) {
  a.id as id -> b.id = id
  a.gender as gender -> b.gender = gender then { gender -> b.active = true }
  a.birthDate as date -> b.birthDate = date \"date\"
}
";
    let mut library = MapLibrary::new();
    library.add_map(text).unwrap();
    let warnings: Vec<String> = library.warnings().iter().map(ToString::to_string).collect();
    assert_eq!(
        warnings,
        [
            "map http://example.org/x, line 5, column 3: a comma belongs between two inputs",
            "map http://example.org/x, line 5, column 22: no comma belongs after the last input",
            "map http://example.org/x, line 7, column 3: a rule ends with `;`",
            "map http://example.org/x, line 7, column 76: a rule ends with `;`",
            "map http://example.org/x, line 8, column 3: a rule ends with `;`",
            "map http://example.org/x, line 9, column 1: a rule ends with `;`",
        ]
    );
    // Of a map that is replaced, the warnings go too.
    let right = text.replace('\n', " ");
    assert!(library.add_map(&right).is_err());
    let maps = library.compile_strictly().unwrap();
    let input =
        json!({"resourceType": "Patient", "id": "1", "gender": "other", "birthDate": "1900"});
    let mut expected = input.clone();
    expected["active"] = json!(true);
    assert_eq!(
        maps.transform("http://example.org/x", &input, Uuid::nil()),
        Ok(expected)
    );
}

#[test]
fn deep_nesting_is_refused() {
    for (open, close) in [("(", ")"), ("a.where(", ")"), ("-", ""), ("not(", ")")] {
        let expression = format!("{}1{}", open.repeat(5_000), close.repeat(5_000));
        let text = map(&format!("s as x where {expression} -> t.id = 'x' \"r\";"));
        let error = compile(&text).unwrap_err().to_string();
        assert!(error.contains("levels of nesting"), "{error}");
    }
    let text = map(&"s then { ".repeat(5_000));
    assert!(
        compile(&text)
            .unwrap_err()
            .to_string()
            .contains("levels of nesting")
    );
}

const WORDS: [&str; 44] = [
    "map", "uses", "group", "source", "target", "as", "then", "where", "check", "s", "t", "name",
    "{", "}", "(", ")", "[", "]", "->", "=", ",", ";", ":", ".", "'x'", "\"y\"", "1", "1.5", "..",
    "*", "%", "$this", "///", "//", "/*", "*/", "@2020", "`z`", "and", "not", "create", "<<", ">>",
    "\n",
];

proptest! {
    #[test]
    fn no_text_makes_the_parser_panic(text in ".{0,200}") {
        let _ = compile(&text);
        let _ = compile(&map(&text));
    }

    #[test]
    fn no_mixture_of_tokens_makes_the_parser_panic(
        words in prop::collection::vec(prop::sample::select(&WORDS[..]), 0..60)
    ) {
        let text = words.join(" ");
        let _ = compile(&text);
        if let Ok(maps) = compile(&map(&text)) {
            let _ = maps.transform(URL, &patient(), Uuid::nil());
        }
    }

    #[test]
    fn a_map_with_one_character_changed_is_refused_or_runs(at in 0_usize..4_000, by in any::<char>()) {
        let whole = include_str!("language/language.map");
        let mut text: Vec<char> = whole.chars().collect();
        let length = text.len();
        text[at % length] = by;
        let mut library = MapLibrary::new();
        let changed: String = text.into_iter().collect();
        library.add_map(include_str!("language/datatypes.map")).unwrap();
        if library.add_map(&changed).is_ok() && let Ok(maps) = library.compile() {
            let urls: Vec<String> = maps.urls().map(ToOwned::to_owned).collect();
            for url in urls {
                let _ = maps.transform(&url, &patient(), Uuid::nil());
            }
        }
    }

    #[test]
    fn a_text_survives_being_written_into_a_map(text in "[^\\p{C}]{1,40}") {
        let escaped = text.replace('\\', "\\\\").replace('\'', "\\'");
        let result = run(&format!("s -> t.id = '{escaped}' \"r\";"));
        prop_assert_eq!(&result["id"], &json!(text));
    }
}

#[test]
fn a_library_knows_what_is_built_in_and_what_was_added() {
    let mut library = MapLibrary::new();
    assert!(library.has_structure("http://hl7.org/fhir/StructureDefinition/Patient"));
    let model = "http://example.org/model";
    assert!(!library.has_structure(model));
    library
        .add_structure_definition(&json!({
            "resourceType": "StructureDefinition", "url": model, "name": "Model",
            "kind": "logical", "derivation": "specialization",
            "differential": {"element": [{"path": "Model"}]}
        }))
        .unwrap();
    assert!(library.has_structure(model));
}
