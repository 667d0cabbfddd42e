//! FHIRPath: every text is refused or evaluated, within its bounds.
#![no_main]

use std::sync::LazyLock;

use fhir_mapping::fhirpath::{Environment, Expression, ExpressionCompiler};
use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};

static PATIENT: LazyLock<Value> = LazyLock::new(|| {
    json!({
        "resourceType": "Patient",
        "active": true,
        "name": [{"family": "Ngata", "given": ["Aroha", "Hine"], "_given": [null, {"id": "g"}]}],
        "birthDate": "1990-05-17",
        "contained": [{"resourceType": "Organization", "id": "o"}],
        "managingOrganization": {"reference": "#o"},
        "multipleBirthInteger": 2,
        "extension": [{"url": "http://example.org/weight", "valueQuantity": {"value": 61.5,
            "system": "http://unitsofmeasure.org", "code": "kg"}}],
    })
});

// An expression; after a zero byte the JSON that it is evaluated over, else a patient.
fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let (text, input) = text.split_once('\0').unwrap_or((text, ""));
    let environment = Environment::new().maximum_steps(20_000);
    let strict = ExpressionCompiler::new().context("Patient").compile(text);
    for expression in [Expression::compile(text), strict].into_iter().flatten() {
        let _ = expression.evaluate_in(&PATIENT, &environment);
        if let Ok(input) = serde_json::from_str::<Value>(input) {
            let _ = expression.evaluate_in(&input, &environment);
        }
    }
});
