//! What FHIRPath expressions give, over one patient.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::HashMap;

use rstest::rstest;
use serde_json::{Value, json};

use super::compile::{Context, compile};
use super::evaluate::{Evaluator, Variables};
use super::session::{MAXIMUM_STEPS, Session};
use crate::definitions::Definitions;
use crate::item::Item;
use crate::language::map_parser::expression;
use crate::language::syntax::Mode;
use crate::program::scope::Scope;
use crate::terminology::LoadedTerminology;

struct One<'a>(Item<'a>);

impl<'a> Variables<'a> for One<'a> {
    fn variable(&self, _: usize) -> Option<Item<'a>> {
        Some(self.0.clone())
    }
}

fn patient() -> Value {
    serde_json::from_str(include_str!("../../tests/language/input.json")).unwrap()
}

/// The values that the expression gives for the patient, which is also the variable `patient`.
fn evaluate(text: &str) -> Result<Vec<Value>, String> {
    let definitions = Definitions::new();
    let constants = HashMap::new();
    let mut scope = Scope::new(&definitions, &constants);
    let patient_type = definitions.by_name("Patient");
    scope.declare("patient", Mode::Source, patient_type);
    let parsed = expression(text).map_err(|error| error.to_string())?;
    let context = Context::Item(patient_type);
    let (compiled, _) = compile(&mut scope, context, &parsed).map_err(|(_, reason)| reason)?;
    let patient = patient();
    let item = Item::Borrowed(&patient, patient_type.unwrap());
    let terminology = LoadedTerminology::new();
    let session = Session::new(Some(item.clone()), Some(&terminology), MAXIMUM_STEPS);
    let variables = One(item.clone());
    let evaluator = Evaluator::new(&definitions, &variables, &session);
    let items = evaluator.items(&compiled, Some(&item))?;
    Ok(items.iter().map(|item| item.value().clone()).collect())
}

#[rstest]
#[case("name.family", json!(["Ngata", "Tamahori", "Nīkora"]))]
#[case("Patient.name.first().given.last()", json!(["Hine"]))]
#[case("%patient.name[1].given", json!(["Ari"]))]
#[case("patient.name[9].given", json!([]))]
#[case("name.where(given.count() > 1).family", json!(["Ngata"]))]
#[case("name.where($this.family = 'Ngata').given.first()", json!(["Aroha"]))]
#[case("name.given.tail().skip(1).take(2)", json!(["Hine", "Ari"]))]
#[case("name.exists(family = 'Ngata')", json!([true]))]
#[case("name.exists(family = 'x') or photo.exists()", json!([false]))]
#[case("name.all(family.exists())", json!([true]))]
#[case("photo.empty() and name.empty().not()", json!([true]))]
#[case("deceased", json!([false]))]
#[case("deceased.ofType(boolean)", json!([false]))]
#[case("deceased.ofType(dateTime)", json!([]))]
#[case("deceased is boolean", json!([true]))]
#[case("(multipleBirth as integer) + 1", json!([3]))]
#[case("multipleBirth is boolean", json!([false]))]
#[case("birthDate is string", json!([false]))]
#[case("gender is string", json!([true]))]
#[case("$this is Resource", json!([true]))]
#[case("extension('http://example.org/sex').value.code", json!(["F"]))]
#[case("name.select(family + '!')", json!(["Ngata!", "Tamahori!", "Nīkora!"]))]
#[case("name.given.combine(name.given).count()", json!([10]))]
#[case("(name.given | name.given).count()", json!([5]))]
#[case("name.given.union('Ari').count()", json!([5]))]
#[case("('a' | 'b' | 'a').distinct().join('-')", json!(["a-b"]))]
#[case("iif(active, 'yes', 'no')", json!(["yes"]))]
#[case("iif(photo.exists(), 'yes')", json!([]))]
#[case("'Ari' in name.given", json!([true]))]
#[case("name.given contains 'x'", json!([false]))]
#[case("gender.upper() & photo.url & '?'", json!(["FEMALE?"]))]
#[case("gender + photo.url", json!([]))]
#[case("gender.length()", json!([6]))]
#[case("'Ōtaki'.substring(1, 3)", json!(["tak"]))]
#[case("'Ōtaki'.substring(9)", json!([]))]
#[case("'Ōtaki'.indexOf('k')", json!([3]))]
#[case("' a '.trim().startsWith('a')", json!([true]))]
#[case("'abc'.endsWith('bc') and 'abc'.contains('b')", json!([true]))]
#[case("'a,b'.split(',')", json!(["a", "b"]))]
#[case("'aXb'.replace('X', '-').lower()", json!(["a-b"]))]
#[case("'12'.toInteger() + 1", json!([13]))]
#[case("'x'.toInteger()", json!([]))]
#[case("multipleBirth.toString()", json!(["2"]))]
#[case("name.single()", json!(null))]
#[case("identifier.single().value", json!(["7"]))]
#[case("active.hasValue()", json!([true]))]
#[case("name.first().hasValue()", json!([false]))]
#[case("2 + 3 * 4 - 1", json!([13]))]
#[case("-(7 div 2) + 7 mod 2", json!([-2]))]
#[case("7 / 2", json!([3.5]))]
#[case("1 / 0", json!([]))]
#[case("1 div 0", json!([]))]
#[case("9223372036854775807 + 1", json!(null))]
#[case("1.5 > 1 and 1 <= 1 and 'a' < 'b'", json!([true]))]
#[case("birthDate = @1990-05-17", json!([true]))]
#[case("birthDate = '1990-05-18'", json!([false]))]
#[case("birthDate = @1990-05", json!([]))]
#[case("birthDate > @1990", json!([]))]
#[case("birthDate < @1991", json!([true]))]
#[case("@2020-01-01T10:00:00Z = @2020-01-01T11:00:00+01:00", json!([true]))]
#[case("photo.url = 'x'", json!([]))]
#[case("photo.url != 'x'", json!([]))]
#[case("'A  b' ~ 'a B' and 'a' !~ 'b'", json!([true]))]
#[case("{} ~ {}", json!([true]))]
#[case("{} and false", json!([false]))]
#[case("{} or false", json!([]))]
#[case("true xor true", json!([false]))]
#[case("false implies {}", json!([true]))]
#[case("true implies {}", json!([]))]
#[case("name.given or false", json!(null))]
#[case("'a' + 1", json!(null))]
#[case("(true | false).allTrue() or (true | false).allFalse()", json!([false]))]
#[case("(true | false).anyTrue() and (true | false).anyFalse()", json!([true]))]
#[case("{}.allTrue() and {}.allFalse() and {}.anyTrue().not()", json!([true]))]
#[case("name.anyTrue()", json!(null))]
#[case("('a' | 'b').subsetOf('c' | 'b' | 'a')", json!([true]))]
#[case("('a' | 'b').subsetOf('a')", json!([false]))]
#[case("('a' | 'b').supersetOf('a')", json!([true]))]
#[case("('a' | 'b').supersetOf('c')", json!([false]))]
#[case("name.isDistinct() and name.combine(name).isDistinct().not()", json!([true]))]
#[case("('a' | 'b' | 'c').intersect('c' | 'a')", json!(["a", "c"]))]
#[case("('a' | 'b').combine('a').exclude('b')", json!(["a", "a"]))]
#[case("'abc'.matches('b') and 'abc'.matches('^b').not()", json!([true]))]
#[case("'abc'.matchesFull('b') or 'ab\\nc'.matchesFull('ab.c').not()", json!([false]))]
#[case("gender.matches('^' + 'fe')", json!([true]))]
#[case("gender.matches('(' + 'fe')", json!(null))]
#[case("'2026-11-24'.replaceMatches('(\\\\d+)-(\\\\d+)-(\\\\d+)', '$3.$2.$1a\\\\$')", json!(["24.11.2026a$"]))]
#[case("'ab'.toChars()", json!(["a", "b"]))]
#[case("'abcb'.lastIndexOf('b')", json!([3]))]
#[case("'abcb'.lastIndexOf('x')", json!([-1]))]
#[case("'é?'.encode('base64') + '|' + 'é?'.encode('urlbase64') + '|' + 'é'.encode('hex')", json!(["w6k/|w6k_|c3a9"]))]
#[case("'w6k/'.decode('base64') + 'w6k_'.decode('urlbase64') + 'c3a9'.decode('hex')", json!(["é?é?é"]))]
#[case("'c3a'.decode('hex')", json!([]))]
#[case("'a'.encode('rot13')", json!(null))]
#[case("'yes'.toBoolean() and 1.toBoolean() and 0.toBoolean().not()", json!([true]))]
#[case("'maybe'.toBoolean()", json!([]))]
#[case("true.toInteger() + '+7'.toInteger()", json!([8]))]
#[case("'1.50'.toDecimal()", json!([1.50]))]
#[case("'1e5'.toDecimal()", json!([]))]
#[case("'-2'.toDecimal() + true.toDecimal()", json!([-1]))]
#[case("'2026-11'.toDate() = @2026-11", json!([true]))]
#[case("'2026-13'.toDate()", json!([]))]
#[case("@2026-11-24T10:00:00Z.toDate()", json!(["2026-11-24"]))]
#[case("'2026-11-24T10:00:00Z'.toDate()", json!([]))]
#[case("'2026-11-24T10:00:00.5+13:00'.toDateTime()", json!(["2026-11-24T10:00:00.5+13:00"]))]
#[case("'2026-11-24T25:00'.toDateTime()", json!([]))]
#[case("'T10:30'.toTime()", json!(["10:30"]))]
#[case("'1'.convertsToInteger() and 'x'.convertsToInteger().not()", json!([true]))]
#[case("'1'.convertsToBoolean() and '1.5'.convertsToDecimal()", json!([true]))]
#[case("name.first().convertsToString()", json!([false]))]
#[case("birthDate.convertsToDate() and birthDate.convertsToDateTime() and birthDate.convertsToTime().not()", json!([true]))]
#[case("{}.convertsToInteger()", json!([]))]
#[case("(-5).abs() + (-1.5).abs()", json!([6.5]))]
#[case("1.2.ceiling() + 1.8.floor() + (-1.8).truncate() + 7.floor()", json!([9]))]
#[case("2.power(10)", json!([1024]))]
#[case("4.power(0.5)", json!([2]))]
#[case("(-1).power(0.5)", json!([]))]
#[case("9.sqrt()", json!([3]))]
#[case("(-1).sqrt()", json!([]))]
#[case("0.ln()", json!([]))]
#[case("1.exp().ln()", json!([1]))]
#[case("16.log(2)", json!([4]))]
#[case("2.14159.round(2)", json!([2.14]))]
#[case("2.5.round()", json!([3]))]
#[case("2.5.round(-1)", json!(null))]
#[case("gender.abs()", json!(null))]
#[case("name.first().children().count() = name.first().family.count() + name.first().given.count()", json!([true]))]
#[case("name.descendants().count() = name.children().count()", json!([true]))]
#[case("identifier.repeat(value).first()", json!(["7"]))]
#[case("name.trace('names').family.first()", json!(["Ngata"]))]
#[case("today() > @2026-01-01 and now() > @2026-01-01T00:00:00Z", json!([true]))]
#[case("timeOfDay() >= @T00:00:00", json!([true]))]
fn gives(#[case] text: &str, #[case] expected: Value) {
    match expected {
        Value::Array(expected) => assert_eq!(evaluate(text), Ok(expected)),
        _ => assert!(evaluate(text).is_err()),
    }
}

#[rstest]
#[case("name.famly", "HumanName has no element famly; did you mean family?")]
#[case("%other", "there is no variable %other")]
#[case(
    "name.htmlChecks()",
    "the FHIRPath function htmlChecks is not supported"
)]
#[case(
    "gender.matches('(a)\\\\1')",
    "this regular expression is not supported: it is wrong or too large, or it has look-around or back-references"
)]
#[case("name.where()", "where takes 1 parameters")]
#[case("iif(true)", "iif takes 2 to 3 parameters")]
#[case("name is Foo", "Foo is no type that is known")]
#[case("deceased.ofType(1)", "ofType takes one type")]
fn refuses(#[case] text: &str, #[case] reason: &str) {
    assert_eq!(evaluate(text), Err(reason.to_owned()));
}

#[test]
fn failures_never_quote_a_value() {
    for text in [
        "name.single()",
        "name.given or false",
        "gender * 2",
        "name.given > 'a'",
    ] {
        let failure = evaluate(text).unwrap_err();
        for value in ["Aroha", "Ngata", "female"] {
            assert!(!failure.contains(value), "{failure}");
        }
    }
}
