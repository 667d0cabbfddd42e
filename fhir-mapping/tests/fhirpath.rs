//! FHIRPath by itself, by its public interface: what each part of the language gives.

#![allow(clippy::unwrap_used, reason = "tests")]

use chrono::{TimeZone, Utc};
use fhir_mapping::fhirpath::{
    Environment, Evaluated, Expression, ExpressionCompiler, ExpressionError,
};
use fhir_mapping::terminology::{Code, LoadedTerminology};
use rstest::rstest;
use serde_json::{Value, json};

fn patient() -> Value {
    json!({
        "resourceType": "Patient",
        "id": "p1",
        "extension": [{"url": "http://example.org/sex", "valueCode": "F"}],
        "active": true,
        "name": [
            {"use": "official", "family": "Ngata", "given": ["Aroha", null, "Hine"],
                "_given": [null, {"extension": [{"url": "http://example.org/hidden", "valueBoolean": true}]}, {"id": "g3"}]},
            {"use": "usual", "given": ["Ari"]},
        ],
        "gender": "female",
        "_gender": {"id": "g", "extension": [{"url": "http://example.org/certain", "valueBoolean": false}]},
        "_birthDate": {"extension": [{"url": "http://example.org/unknown", "valueString": "not told"}]},
        "multipleBirthInteger": 2,
        "contained": [{"resourceType": "Organization", "id": "o", "name": "Clinic"}],
        "managingOrganization": {"reference": "#o"},
        "maritalStatus": {"coding": [{"system": "http://example.org/status", "code": "M"}]},
    })
}

fn evaluate_in(text: &str, environment: &Environment<'_>) -> Result<Vec<Evaluated>, String> {
    let expression = ExpressionCompiler::new()
        .context("Patient")
        .variable("given")
        .compile(text)
        .map_err(|error| error.to_string())?;
    expression
        .evaluate_in(&patient(), environment)
        .map_err(|error| error.to_string())
}

/// The values, or nothing when the expression is refused or fails.
fn values(text: &str) -> Value {
    match evaluate_in(text, &Environment::new()) {
        Ok(evaluated) => evaluated.into_iter().map(|it| it.value).collect(),
        Err(_) => Value::Null,
    }
}

#[rstest]
#[case("4 days + 1 week = 11 days", json!([true]))]
#[case("1 'kg' + 500 'g'", json!([{"value": 1.5, "unit": "kg", "system": "http://unitsofmeasure.org", "code": "kg"}]))]
#[case("1 'kg' + 1 'm'", json!([]))]
#[case("1 'kg' - 1", json!([]))]
#[case("2 * 3 'mg' = 6 'mg'", json!([true]))]
#[case("(6 'm' / 2 's').toString()", json!(["3 'm/s'"]))]
#[case("1 'kg' / 0 's'", json!([]))]
#[case("-(5 'mg') < 1 'mg'", json!([true]))]
#[case("(-5 'mg').abs().value", json!([5]))]
#[case("5 'mg' > 1 'm'", json!([]))]
#[case("5 'mg' > 'a'", json!(null))]
#[case("1 year = 12 months", json!([true]))]
#[case("1 year = 1 'a'", json!([]))]
#[case("1 year ~ 1 'a'", json!([true]))]
#[case("'37.5 \\'Cel\\''.toQuantity().unit", json!(["Cel"]))]
#[case("'1 day'.toQuantity('h') = 24 hours", json!([true]))]
#[case("'1 day'.toQuantity('kg')", json!([]))]
#[case("'1 day'.convertsToQuantity() and '1 wk'.convertsToQuantity().not()", json!([true]))]
#[case("1 'cm'.comparable(1 '[in_i]') and 1 'cm'.comparable(1 's').not()", json!([true]))]
#[case("5 'mg' is Quantity and (5 'mg' is System.Quantity)", json!([true]))]
#[case("5 'mg' mod 2", json!(null))]
fn quantities(#[case] text: &str, #[case] expected: Value) {
    assert_eq!(values(text), expected);
}

#[rstest]
#[case("@2024-01-31 + 1 month", json!(["2024-02-29"]))]
#[case("@2024-02-29 - 1 year", json!(["2023-02-28"]))]
#[case("@2024 + 14 months", json!(["2025"]))]
#[case("@2024-01-01T10:00:00+02:00 + 90 minutes", json!(["2024-01-01T11:30:00+02:00"]))]
#[case("@T23:30 + 1 hour", json!(["00:30"]))]
#[case("@2024-01-01 + 1 'mo'", json!(null))]
#[case("@2024-01-01 + 1", json!(null))]
#[case("@9999-12-31 + 1 day", json!([]))]
#[case("@2024-01 < @2024-02-01", json!([true]))]
#[case("@2024-01 = @2024-01-01", json!([]))]
#[case("@2024-01 ~ @2024-01-01", json!([false]))]
#[case("@2024-01-01T12:00:00Z = @2024-01-01T12:00:00", json!([]))]
#[case("@2024-01-01T12:00:00Z < @2024-01-03T12:00:00", json!([true]))]
#[case("@2024-01-01 != @T10:00", json!([true]))]
#[case("@2024-01-01 < @T10:00", json!(null))]
#[case("@2024-13-01", json!(null))]
#[case("@2024-01-01T10:00:00.5Z.toDate()", json!(["2024-01-01"]))]
fn dates_and_times(#[case] text: &str, #[case] expected: Value) {
    assert_eq!(values(text), expected);
}

#[rstest]
#[case("1.587.lowBoundary()", json!([1.5865]))]
#[case("1.587.highBoundary(2)", json!([1.59]))]
#[case("1.587.lowBoundary(29)", json!([]))]
#[case("1.587.lowBoundary(-1)", json!([]))]
#[case("@2024-02.highBoundary()", json!(["2024-02-29"]))]
#[case("@2024-02.lowBoundary(4)", json!(["2024"]))]
#[case("@2024-02.lowBoundary(5)", json!([]))]
#[case("@2024-02-01T10:00Z.highBoundary()", json!(["2024-02-01T10:00:59.999Z"]))]
#[case("@2024-02-01T10.highBoundary()", json!(["2024-02-01T10:59:59.999-12:00"]))]
#[case("@T10:30.lowBoundary()", json!(["10:30:00.000"]))]
#[case("(5.5 'mg').lowBoundary(2).value", json!([5.45]))]
#[case("'a'.lowBoundary()", json!(null))]
#[case("1.5800.precision()", json!([4]))]
#[case("@2024-02-01T10:00:00.precision()", json!([14]))]
fn boundaries(#[case] text: &str, #[case] expected: Value) {
    assert_eq!(values(text), expected);
}

#[rstest]
#[case("1.type().namespace & '.' & 1.type().name", json!(["System.Integer"]))]
#[case("gender.type().name", json!(["code"]))]
#[case("name.first().type()", json!([{"namespace": "FHIR", "name": "HumanName"}]))]
#[case("gender is string", json!([true]))]
#[case("gender is String", json!([false]))]
#[case("gender.ofType(string)", json!([]))]
#[case("gender.ofType(code)", json!(["female"]))]
#[case("name.ofType(HumanName).count()", json!([2]))]
#[case("name.as(HumanName)", json!(null))]
#[case("$this.ofType(DomainResource).id", json!(["p1"]))]
#[case("$this.is(System.Patient)", json!([false]))]
#[case("1 > 2 is Boolean", json!([true]))]
#[case("multipleBirth.as(boolean).not()", json!([]))]
#[case("conformsTo('http://hl7.org/fhir/StructureDefinition/Patient')", json!([true]))]
#[case("conformsTo('http://hl7.org/fhir/StructureDefinition/Observation')", json!([false]))]
#[case("conformsTo('http://example.org/profile')", json!(null))]
#[case("gender.getValue().type().name", json!(["String"]))]
#[case("name.first().getValue()", json!([]))]
#[case("active.hasValue() and birthDate.hasValue().not()", json!([true]))]
fn types(#[case] text: &str, #[case] expected: Value) {
    assert_eq!(values(text), expected);
}

#[rstest]
#[case("gender.extension('http://example.org/certain').value", json!([false]))]
#[case("gender.id", json!(["g"]))]
#[case("birthDate.extension('http://example.org/unknown').value", json!(["not told"]))]
#[case("birthDate", json!([]))]
#[case("birthDate.exists()", json!([true]))]
#[case("birthDate < today()", json!([]))]
#[case("birthDate + 1 day", json!([]))]
#[case("birthDate.toString()", json!([]))]
#[case("name.given[1] = name.given[1]", json!([true]))]
#[case("birthDate = name.given[1]", json!([false]))]
#[case("iif(birthDate, 1, 2)", json!([2]))]
#[case("name.given.count()", json!([4]))]
#[case("name.given.where(hasValue())", json!(["Aroha", "Hine", "Ari"]))]
#[case("name.given.extension.value", json!([true]))]
#[case("name.given.id", json!(["g3"]))]
#[case("gender.upper()", json!(["FEMALE"]))]
fn primitives_with_extensions(#[case] text: &str, #[case] expected: Value) {
    assert_eq!(values(text), expected);
}

#[rstest]
#[case("defineVariable('n', name.first()).select(%n.family)", json!(["Ngata"]))]
#[case("name.defineVariable('n').select(%n.count())", json!([2, 2]))]
#[case("name.select(defineVariable('u', use).given.select(%u + $this))", json!(["officialAroha", "officialHine", "usualAri"]))]
#[case("name.where(use = 'usual').select(defineVariable('u', use).given.select(%u + $this))", json!(["usualAri"]))]
#[case("defineVariable('n').active | %n", json!(null))]
#[case("defineVariable('n').defineVariable('n')", json!(null))]
#[case("defineVariable('resource', 1)", json!(null))]
#[case("defineVariable('a' + 'b', 7).select(%ab)", json!([7]))]
#[case("defineVariable(gender, 7)", json!(null))]
#[case("%context.gender = %resource.gender and %rootResource.id = 'p1'", json!([true]))]
#[case("name.select(%context.id)", json!(["p1", "p1"]))]
#[case("%sct & ' ' & %loinc & ' ' & %ucum", json!(["http://snomed.info/sct http://loinc.org http://unitsofmeasure.org"]))]
#[case("%`vs-administrative-gender`", json!(["http://hl7.org/fhir/ValueSet/administrative-gender"]))]
#[case("%'ext-patient-birthTime'", json!(["http://hl7.org/fhir/StructureDefinition/patient-birthTime"]))]
#[case("%unknown", json!(null))]
#[case("name.select($index)", json!([0, 1]))]
#[case("name.where($index = 1).given", json!(["Ari"]))]
#[case("name.given.where(hasValue()).aggregate($total + length(), 0)", json!([12]))]
#[case("(3 | 1 | 2).aggregate(iif($total.empty() or $this < $total, $this, $total))", json!([1]))]
#[case("$index", json!(null))]
#[case("name.select($total)", json!(null))]
fn variables(#[case] text: &str, #[case] expected: Value) {
    assert_eq!(values(text), expected);
}

#[test]
fn variables_of_the_environment() {
    let environment = Environment::new().variable("given", json!(["Ari", "Hine"]));
    let found = evaluate_in("name.given.where($this in %given)", &environment).unwrap();
    let found: Vec<_> = found
        .iter()
        .map(|it| {
            (
                it.namespace,
                it.type_name.as_str(),
                it.value.as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        found,
        [("FHIR", "string", "Hine"), ("FHIR", "string", "Ari")]
    );
    let found = evaluate_in("%given.count()", &Environment::new()).unwrap();
    assert_eq!(found[0].value, json!(0));
}

#[test]
fn the_time_is_what_the_environment_says() {
    let now = Utc.with_ymd_and_hms(2026, 11, 29, 20, 3, 5).unwrap();
    let environment = Environment::new().now(now);
    let found = evaluate_in("now() | today() | timeOfDay()", &environment).unwrap();
    let found: Vec<_> = found.into_iter().map(|it| it.value).collect();
    assert_eq!(
        found,
        ["2026-11-29T20:03:05.000Z", "2026-11-29", "20:03:05.000"]
    );
}

#[rstest]
#[case("'a&b<c>\"'.escape('html')", json!(["a&amp;b&lt;c&gt;&quot;"]))]
#[case("'a&amp;&#x41;&#66;&unknown;&'.unescape('html')", json!(["a&AB&unknown;&"]))]
#[case("'a\\n\"b'.escape('json')", json!(["a\\n\\\"b"]))]
#[case("'a\\\\n'.unescape('json')", json!(["a\n"]))]
#[case("'\\\\x'.unescape('json')", json!([]))]
#[case("'a'.escape('xml')", json!(null))]
#[case("'abc'.replace('', '-')", json!(["-a-b-c-"]))]
#[case("'abc'.replaceMatches('', '-')", json!(["abc"]))]
#[case("'ab'.matches('(a+)+$')", json!([false]))]
#[case("name.first().startsWith('a')", json!(null))]
#[case("name.given.upper()", json!(null))]
fn strings(#[case] text: &str, #[case] expected: Value) {
    assert_eq!(values(text), expected);
}

#[rstest]
#[case("iif(1, 2)", json!(null))]
#[case("(1 | 2).iif(true, 1)", json!(null))]
#[case("iif(false, 1 / 0, 'b')", json!(["b"]))]
#[case("(1).not()", json!([false]))]
#[case("(true | 1).allTrue()", json!(null))]
#[case("0.1 + 0.2 = 0.3", json!([true]))]
#[case("1.10 = 1.1", json!([true]))]
#[case("1.2 / 1.8 ~ 0.67", json!([true]))]
#[case("1234567890123456789012345678901.0", json!(null))]
#[case("9223372036854775807 + 1", json!(null))]
#[case("10.power(30)", json!(null))]
#[case("1.5.power(2)", json!([2.25]))]
#[case("2.5.round()", json!([3]))]
#[case("name ~ (name[1] | name[0])", json!([true]))]
#[case("name = (name[1] | name[0])", json!([false]))]
#[case("descendants().where($this is HumanName).count()", json!([2]))]
#[case("name.descendants().ofType(string).count()", json!([6]))]
#[case("Observation.value", json!(null))]
#[case("multipleBirthInteger", json!(null))]
#[case("1 // comment\n + 1 /* another */ /// and one", json!([2]))]
#[case("-1.convertsToInteger()", json!(null))]
fn the_rest_of_the_language(#[case] text: &str, #[case] expected: Value) {
    assert_eq!(values(text), expected);
}

#[rstest]
#[case("managingOrganization.resolve().name", json!(["Clinic"]))]
#[case("managingOrganization.reference.resolve().ofType(Organization).id", json!(["o"]))]
#[case("'#'.resolve().id", json!(["p1"]))]
#[case("'#other'.resolve()", json!([]))]
#[case("'Patient/9'.resolve()", json!([]))]
fn references_to_contained_resources(#[case] text: &str, #[case] expected: Value) {
    assert_eq!(values(text), expected);
}

#[test]
fn references_within_a_bundle() {
    let observation = |id: &str, subject: &str| {
        json!({"fullUrl": format!("http://example.org/fhir/Observation/{id}"), "resource": {
            "resourceType": "Observation", "id": id, "subject": {"reference": subject},
            "contained": [{"resourceType": "Device", "id": "d", "lotNumber": id}],
            "device": {"reference": "#d"}}})
    };
    let bundle = json!({"resourceType": "Bundle", "entry": [
        {"fullUrl": "http://example.org/fhir/Patient/p1", "resource": patient()},
        {"fullUrl": "urn:uuid:5", "resource": {"resourceType": "Patient", "id": "p2"}},
        observation("a", "Patient/p1"),
        observation("b", "urn:uuid:5"),
        observation("c", "http://example.org/fhir/Patient/p1/_history/1"),
        observation("d", "http://example.org/other/Patient/p1"),
    ]});
    let evaluate = |text: &str| {
        Expression::compile(text)
            .unwrap()
            .evaluate(&bundle)
            .unwrap()
    };
    let observations = "entry.resource.ofType(Observation)";
    assert_eq!(
        evaluate(&format!("{observations}.subject.resolve().id")),
        ["p1", "p2", "p1"]
    );
    // Each of them has a device of the same id.
    assert_eq!(
        evaluate(&format!("{observations}.device.resolve().lotNumber")),
        ["a", "b", "c", "d"]
    );
}

#[test]
fn codes_are_looked_up_in_what_is_loaded() {
    let mut terminology = LoadedTerminology::new();
    let system = "http://example.org/status";
    terminology
        .add_value_set(
            &json!({"resourceType": "ValueSet", "url": "http://example.org/vs",
            "compose": {"include": [{"system": system, "concept": [{"code": "M"}]}]}}),
        )
        .unwrap();
    terminology
        .add_concept_map(
            &json!({"resourceType": "ConceptMap", "url": "http://example.org/cm",
            "group": [{"source": system, "target": "http://example.org/t", "element": [
                {"code": "M", "target": [{"code": "married", "equivalence": "equal"}]}]}]}),
        )
        .unwrap();
    let environment = Environment::new().terminology(&terminology);
    let values = |text: &str| -> Result<Value, String> {
        let found = evaluate_in(text, &environment)?;
        Ok(found.into_iter().map(|it| it.value).collect())
    };
    let vs = "'http://example.org/vs'";
    assert_eq!(
        values(&format!("maritalStatus.memberOf({vs})")),
        Ok(json!([true]))
    );
    assert_eq!(
        values(&format!(
            "maritalStatus.coding.memberOf({vs}) and 'M'.memberOf({vs})"
        )),
        Ok(json!([true]))
    );
    assert_eq!(
        values(&format!("gender.memberOf({vs})")),
        Ok(json!([false]))
    );
    assert_eq!(values(&format!("{{}}.memberOf({vs})")), Ok(json!([])));
    assert_eq!(
        values(&format!(
            "%terminologies.validateVS({vs}, maritalStatus).parameter.value"
        )),
        Ok(json!([true]))
    );
    assert_eq!(
        values(
            "%terminologies.translate('http://example.org/cm', maritalStatus).parameter.part.value.code"
        ),
        Ok(json!(["married"]))
    );
    assert_eq!(
        values("gender.memberOf('http://example.org/other')"),
        Err(
            "http://example.org/other is not known: load it, or set a terminology server"
                .to_owned()
        )
    );
    assert!(values("active.memberOf('http://example.org/vs')").is_err());
    assert!(values("gender.translate('http://example.org/cm', gender)").is_err());
    let without = evaluate_in(
        "gender.memberOf('http://example.org/vs')",
        &Environment::new(),
    );
    assert!(
        without
            .unwrap_err()
            .contains("no terminology server is set")
    );
    assert_eq!(Code::new(system, "M").system.as_deref(), Some(system));
}

#[rstest]
#[case(
    "name.slice('a', 'b')",
    "line 1, column 5: the FHIRPath function slice is not supported"
)]
#[case(
    "name.famly",
    "line 1, column 5: HumanName has no element famly; did you mean family?"
)]
#[case(
    "Observation.value",
    "line 1, column 1: this is about Patient, not Observation"
)]
#[case(
    "multipleBirthInteger",
    "line 1, column 1: Patient has no element multipleBirthInteger: FHIRPath names it without its type integer"
)]
#[case(
    "name.startsWith('a')",
    "line 1, column 5: startsWith is for strings, which HumanName is not"
)]
#[case(
    "gender.as(string1)",
    "line 1, column 7: string1 is no type that is known"
)]
#[case("'a'.b", "line 1, column 4: String has no element b")]
#[case(
    "1 +",
    "line 1, column 4: expected an expression, found the end in: 1 +"
)]
#[case("1 1", "line 1, column 3: expected the end, found `1` in: 1 1")]
#[case(
    "2 /* 3",
    "line 1, column 3: expected `*/`, found a comment without end in: 2 /* 3"
)]
fn mistakes_are_told_with_their_place(#[case] text: &str, #[case] expected: &str) {
    let compiler = ExpressionCompiler::new().context("Patient");
    assert_eq!(compiler.compile(text).unwrap_err().to_string(), expected);
}

#[test]
fn an_order_can_be_asked_for() {
    let compiler = ExpressionCompiler::new().refuse_unordered();
    for text in [
        "children().first()",
        "descendants()[0]",
        "children().skip(1)",
    ] {
        assert!(compiler.compile(text).is_err(), "{text}");
        assert!(Expression::compile(text).is_ok(), "{text}");
    }
    assert!(compiler.compile("children().name.first()").is_ok());
}

#[test]
fn logical_models_and_plain_json() {
    let model = json!({"resourceType": "StructureDefinition", "url": "http://example.org/Dose",
        "kind": "logical", "derivation": "specialization", "name": "Dose",
        "differential": {"element": [{"path": "Dose"}, {"path": "Dose.day", "type": [{"code": "date"}]}]}});
    let compiler = ExpressionCompiler::new()
        .structure_definition(&model)
        .unwrap()
        .context("Dose");
    let dose = json!({"day": "2026-11-29"});
    let expression = compiler.compile("day + 1 month").unwrap();
    assert_eq!(expression.evaluate(&dose), Ok(vec![json!("2026-12-29")]));
    assert!(compiler.compile("dai").is_err());
    let unknown = ExpressionCompiler::new().context("Dose").compile("day");
    assert_eq!(
        unknown.unwrap_err(),
        ExpressionError::UnknownType("Dose".to_owned())
    );
    let plain = json!({"a": [{"b": 1}, {"b": 2.5}], "c": "x"});
    let sum = Expression::compile("a.b.aggregate($total + $this, 0)").unwrap();
    assert_eq!(sum.evaluate(&plain), Ok(vec![json!(3.5)]));
    let absent = Expression::compile("c.d.e").unwrap();
    assert_eq!(absent.evaluate(&plain), Ok(Vec::new()));
}

#[test]
fn an_expression_is_shared_by_threads() {
    let expression = Expression::compile("name.given.count()").unwrap();
    let patient = patient();
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| assert_eq!(expression.evaluate(&patient), Ok(vec![json!(4)])));
        }
    });
}

#[test]
fn a_condition_holds_when_it_is_true() {
    let holds = |text: &str| {
        let expression = Expression::compile(text).unwrap();
        expression.is_true(&patient(), &Environment::new())
    };
    assert_eq!(holds("active"), Ok(true));
    assert_eq!(holds("active.not()"), Ok(false));
    assert_eq!(holds("photo"), Ok(false));
    assert_eq!(holds("gender"), Ok(true));
    assert!(holds("name").is_err());
}

#[rstest]
#[case(
    "(1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9).aggregate($total & $total & $total & $total & $total & $total & $total & $total, 'aaaaaaaa')"
)]
#[case("repeat($this & 'a')")]
#[case(
    "descendants().select(%resource.descendants().select(%resource.descendants().select(%resource.descendants())))"
)]
#[case(
    "'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'.replace('a', 'b').select(replace('b', $this)).select(replace('b', $this)).select(replace('b', $this)).select(replace('b', $this)).select(replace('b', $this))"
)]
fn every_evaluation_ends(#[case] text: &str) {
    let begin = std::time::Instant::now();
    let expression = Expression::compile(text).unwrap();
    let environment = Environment::new().maximum_steps(1_000_000);
    let error = expression.evaluate_in(&json!("a"), &environment).err();
    let on_patient = expression.evaluate_in(&patient(), &environment).err();
    assert!(error.is_some() || on_patient.is_some());
    assert!(begin.elapsed().as_secs() < 20);
}

#[test]
fn deep_expressions_are_refused_and_those_below_do_not_exhaust_the_stack() {
    let nested = |depth: usize| format!("{}1{}", "(".repeat(depth), ")".repeat(depth));
    let chained = |depth: usize| format!("$this{}", ".first()".repeat(depth));
    let summed = |depth: usize| format!("1{}", " + 1".repeat(depth));
    let selected = |depth: usize| format!("{}true{}", "select(".repeat(depth), ")".repeat(depth));
    let negated = |depth: usize| format!("{}1", "-".repeat(depth));
    for text in [
        nested(100_000),
        chained(100_000),
        summed(100_000),
        selected(100_000),
        negated(100_000),
        chained(200),
    ] {
        assert!(Expression::compile(&text).is_err());
    }
    for text in [
        nested(50),
        chained(140),
        summed(140),
        selected(50),
        negated(50),
    ] {
        let expression = Expression::compile(&text).unwrap();
        assert_eq!(
            expression.evaluate(&json!(true)).unwrap().len(),
            1,
            "{text}"
        );
    }
}

#[rstest]
#[case("name.given.sort()", json!(["Ana", "Bo", "Cy"]))]
#[case("name.given.sort(-$this)", json!(["Cy", "Bo", "Ana"]))]
#[case("telecom.sort(-rank, value).value", json!(["d", "a", "b", "c"]))]
#[case("(10 | 9 | 1.5).sort()", json!([1.5, 9, 10]))]
#[case("(false | true).sort()", json!([true, false]))]
#[case("name.given.item(1)", json!(["Ana"]))]
#[case("name.given.item(7)", json!([]))]
#[case("name.given.item(-1)", json!([]))]
#[case("coalesce(name.family, name.given.first(), 'x')", json!(["Bo"]))]
#[case("coalesce(name.family)", json!([]))]
#[case("name.given.check(active, 'active').count()", json!([3]))]
fn functions_of_newer_engines(#[case] expression: &str, #[case] expected: Value) {
    let patient = json!({
        "resourceType": "Patient",
        "active": true,
        "name": [{"given": ["Bo", "Ana", "Cy"]}],
        "telecom": [
            {"value": "b", "rank": 1}, {"value": "a", "rank": 1}, {"value": "c", "rank": 0}, {"value": "d"},
        ],
    });
    let compiled = Expression::compile(expression).unwrap();
    assert_eq!(json!(compiled.evaluate(&patient).unwrap()), expected);
}

#[rstest]
#[case("name.sort()", "`sort` is given something that has no order")]
#[case("('a' | 1).sort()", "`sort` is given values that have no common order")]
#[case("name.sort(given)", "`sort` is given 2 items, not one")]
#[case("name.check(active, 'x')", "a check does not hold")]
fn what_newer_functions_refuse(#[case] expression: &str, #[case] reason: &str) {
    let patient = json!({
        "resourceType": "Patient", "active": false, "name": [{"given": ["Bo", "Ana"]}],
    });
    let compiled = Expression::compile(expression).unwrap();
    assert_eq!(compiled.evaluate(&patient).unwrap_err().to_string(), reason);
}
