#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::HashSet;

use super::content::resource_type;
use super::testing::{CARD, Sample};
use super::*;
use crate::codes::CodeForm;
use crate::codes::testing::{test_result, time};

fn resource_types(bundle: &Value) -> Vec<&str> {
    bundle["entry"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| resource_type(&entry["resource"]))
        .collect()
}

fn references(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(object) => {
            for (name, value) in object {
                match value {
                    Value::String(text) if name == "reference" || name == "url" => {
                        found.push(text.clone());
                    }
                    _ => references(value, found),
                }
            }
        }
        Value::Array(values) => values.iter().for_each(|value| references(value, found)),
        _ => {}
    }
}

fn input_error(change: impl FnOnce(&mut Sample)) -> DocumentError {
    let mut sample = Sample::vaccination();
    change(&mut sample);
    assemble(sample.input()).unwrap_err()
}

fn resource<'a>(transaction: &'a mut Value, wanted: &str) -> &'a mut Value {
    transaction["entry"]
        .as_array_mut()
        .unwrap()
        .iter_mut()
        .map(|entry| &mut entry["resource"])
        .find(|resource| resource["resourceType"] == wanted)
        .unwrap()
}

#[test]
fn a_document_is_a_fhir_document() {
    let sample = Sample::vaccination();
    let document = sample.document();
    let bundle = document.bundle();
    assert_eq!(
        bundle["identifier"],
        json!({"system": URI, "value": "urn:uuid:00000000-0000-0000-0000-000000000001"})
    );
    assert_eq!(bundle["type"], "document");
    assert_eq!(bundle["timestamp"], "2021-04-06T10:00:00Z");
    assert_eq!(
        bundle["link"],
        json!([{"relation": "publication", "url": "urn:HCID:bMlJkAt0V92RYhhG3fNt"}])
    );
    assert!(bundle.get("id").is_none() && bundle.get("meta").is_none());
    assert_eq!(
        resource_types(bundle),
        [
            "Composition",
            "Patient",
            "Organization",
            "Immunization",
            "ImmunizationRecommendation",
            "DocumentReference",
            "DocumentReference",
            "DocumentReference",
            "DocumentReference",
            "Binary",
            "Provenance",
        ]
    );
    let composition = &bundle["entry"][0]["resource"];
    assert_eq!(composition["date"], "2021-04-06T10:00:00Z");
    assert_eq!(composition["identifier"], bundle["identifier"]);
    assert_eq!(composition["custodian"], composition["author"][0]);
    assert_eq!(composition["section"].as_array().unwrap().len(), 1);
    let listed = composition["section"][0]["entry"].as_array().unwrap();
    let codes = &bundle["entry"].as_array().unwrap()[5..9];
    for code in codes {
        assert!(listed.contains(&json!({"reference": code["fullUrl"]})));
    }
    let provenance = &bundle["entry"][10]["resource"];
    assert_eq!(
        provenance["target"][0]["reference"],
        bundle["entry"][0]["fullUrl"]
    );
    assert_eq!(provenance["agent"][0]["who"], bundle["signature"]["who"]);
}

#[test]
fn every_entry_has_its_id_and_every_reference_resolves() {
    for set in [crate::codes::testing::vaccination(), test_result()] {
        let document = Sample::new(Uuid::from_u128(2), set).into_document();
        let entries = document["entry"].as_array().unwrap();
        let urls: HashSet<&str> = entries
            .iter()
            .map(|entry| entry["fullUrl"].as_str().unwrap())
            .collect();
        assert_eq!(urls.len(), entries.len());
        for entry in entries {
            let id = entry["resource"]["id"].as_str().unwrap();
            assert_eq!(entry["fullUrl"], format!("urn:uuid:{id}"));
            let mut found = Vec::new();
            references(&entry["resource"], &mut found);
            for reference in found {
                assert!(
                    reference.starts_with("http") || urls.contains(reference.as_str()),
                    "{reference}"
                );
            }
        }
    }
}

#[test]
fn a_test_result_has_its_resources() {
    let sample = Sample::new(Uuid::from_u128(2), test_result());
    let document = sample.document();
    let types = resource_types(document.bundle());
    for expected in [
        "Observation",
        "Device",
        "DiagnosticReport",
        "Specimen",
        "Procedure",
    ] {
        assert!(types.contains(&expected), "{expected}");
    }
}

#[test]
fn a_code_s_reference_has_what_the_profile_asks_for() {
    let sample = Sample::vaccination();
    let document = sample.document();
    let bundle = document.bundle();
    let composition = &bundle["entry"][0]["resource"];
    for (code, form) in bundle["entry"].as_array().unwrap()[5..9]
        .iter()
        .zip(CodeForm::ALL)
    {
        let reference = &code["resource"];
        assert_eq!(
            reference["id"],
            codes::reference_id(document.id(), form).to_string()
        );
        assert_eq!(reference["status"], "current");
        assert_eq!(reference["type"]["coding"][0]["code"], form.as_str());
        assert_eq!(
            reference["type"]["coding"][0]["system"],
            "http://smart.who.int/ddcc/CodeSystem/DDCCQRTypeCodeSystem"
        );
        assert_eq!(reference["subject"], composition["subject"]);
        assert_eq!(
            reference["authenticator"],
            composition["attester"][0]["party"]
        );
        assert_eq!(reference["date"], "2021-04-06T10:00:00Z");
        assert_eq!(
            reference["context"],
            json!({
                "related": [{"reference": bundle["entry"][0]["fullUrl"]}],
                "period": {"start": "2021-04-05", "end": "2022-04-05"},
            })
        );
        let contents = reference["content"].as_array().unwrap();
        let formats: Vec<&Value> = contents
            .iter()
            .map(|content| &content["format"]["code"])
            .collect();
        assert_eq!(formats, ["serialized", "image", "pdf"]);
        assert_eq!(contents[1]["attachment"]["contentType"], "image/png");
        let card = &contents[2]["attachment"];
        assert_eq!(card["contentType"], "application/pdf");
        assert_eq!(card["url"], bundle["entry"][9]["fullUrl"]);
        assert_eq!(card["size"], CARD.len());
    }
}

#[test]
fn codes_and_card_are_read_back() {
    for set in [crate::codes::testing::vaccination(), test_result()] {
        let sample = Sample::new(Uuid::from_u128(3), set);
        let document = sample.document();
        let read = codes::read(document.bundle());
        assert_eq!(read.len(), sample.codes.len());
        for (read, issued) in read.iter().zip(&sample.codes) {
            assert_eq!(read.form, issued.form);
            assert_eq!(read.text, issued.text);
            assert_eq!(read.png, issued.png);
            assert_eq!(
                read.reference_id,
                codes::reference_id(document.id(), read.form).to_string()
            );
        }
        assert_eq!(codes::card(document.bundle()).as_deref(), Some(CARD));
    }
}

#[test]
fn what_is_no_code_is_not_read_as_one() {
    let sample = Sample::vaccination();
    let bundle = sample.document().into_bundle();
    let reference = &bundle["entry"][5]["resource"];
    assert!(codes::read_reference(reference).is_some());
    for (pointer, value) in [
        ("/type/coding/0/system", json!("http://loinc.org")),
        ("/type/coding/0/code", json!("divoc")),
        ("/content/0/attachment/data", json!("?")),
        ("/content/0/format/code", json!("pdf")),
        ("/content/1/attachment", json!({})),
        ("/id", json!(null)),
        ("/content", json!(null)),
    ] {
        let mut changed = reference.clone();
        *changed.pointer_mut(pointer).unwrap() = value;
        assert_eq!(codes::read_reference(&changed), None, "{pointer}");
    }
    assert!(codes::read(&json!({})).is_empty());
    assert_eq!(codes::card(&json!({"entry": [{}]})), None);
}

#[test]
fn without_codes_and_card_there_is_a_document_all_the_same() {
    let sample = Sample::vaccination();
    let document = assemble(DocumentInput {
        codes: &[],
        card: None,
        ..sample.input()
    })
    .unwrap();
    let document = sample.finish(document);
    let types = resource_types(document.bundle());
    assert!(!types.contains(&"DocumentReference") && !types.contains(&"Binary"));
    assert_eq!(codes::card(document.bundle()), None);
}

#[test]
fn the_same_input_gives_the_same_document() {
    let sample = Sample::vaccination();
    let (first, second) = (
        assemble(sample.input()).unwrap(),
        assemble(sample.input()).unwrap(),
    );
    assert_eq!(first.to_be_signed(), second.to_be_signed());
    let other = Sample {
        id: Uuid::from_u128(9),
        ..Sample::vaccination()
    };
    let other = assemble(other.input()).unwrap();
    let ids = |bundle: &Value| {
        let entries = bundle["entry"].as_array().unwrap();
        let made_here = entries[5..]
            .iter()
            .map(|entry| entry["fullUrl"].to_string());
        made_here.collect::<HashSet<_>>()
    };
    assert!(ids(&first.bundle).is_disjoint(&ids(&other.bundle)));
}

#[test]
fn references_by_type_and_id_are_made_full_urls() {
    let mut sample = Sample::vaccination();
    let patient = resource(&mut sample.transaction, "Patient")["id"].clone();
    let relative = format!("Patient/{}", patient.as_str().unwrap());
    resource(&mut sample.transaction, "Composition")["subject"]["reference"] = json!(relative);
    let document = sample.document();
    let composition = &document.bundle()["entry"][0]["resource"];
    assert_eq!(
        composition["subject"]["reference"],
        format!("urn:uuid:{}", patient.as_str().unwrap())
    );
}

#[test]
fn a_composition_identified_by_the_hcid_gets_its_system() {
    let identifier = |before: Value| {
        let mut sample = Sample::vaccination();
        resource(&mut sample.transaction, "Composition")["identifier"] = before;
        let document = sample.into_document();
        document["entry"][0]["resource"]["identifier"].clone()
    };
    let hcid = "bMlJkAt0V92RYhhG3fNt";
    assert_eq!(
        identifier(json!({"value": hcid})),
        json!({"value": hcid, "system": "urn:HCID"})
    );
    for other in [
        json!({"value": "1"}),
        json!({"system": "urn:x", "value": hcid}),
    ] {
        assert_eq!(identifier(other.clone()), other);
    }
}

#[test]
fn what_the_map_left_out_is_named() {
    let lacks = |error: &DocumentError, what: &str| {
        assert!(
            matches!(error, DocumentError::Transaction(text) if text.contains(what)),
            "{error}"
        );
    };
    for missing in ["Composition", "Patient"] {
        let error = input_error(|sample| {
            let entries = sample.transaction["entry"].as_array_mut().unwrap();
            entries.retain(|entry| entry["resource"]["resourceType"] != missing);
        });
        lacks(&error, missing);
        let error = input_error(|sample| {
            let mut second = resource(&mut sample.transaction, missing).clone();
            second["id"] = json!(Uuid::from_u128(77));
            let entries = sample.transaction["entry"].as_array_mut().unwrap();
            entries.push(json!({"resource": second}));
        });
        lacks(&error, missing);
    }
    let error = input_error(|sample| sample.transaction = json!({}));
    lacks(&error, "no entry");
    let error = input_error(|sample| {
        sample.transaction["entry"][0]["fullUrl"] = json!("x");
        sample.transaction["entry"][0]["resource"]["id"] = json!("x");
    });
    lacks(&error, "UUID");
    let error = input_error(|sample| {
        let first = sample.transaction["entry"][0]["fullUrl"].clone();
        sample.transaction["entry"][1]["fullUrl"] = first;
    });
    lacks(&error, "same id");
    let error = input_error(|sample| {
        let composition = resource(&mut sample.transaction, "Composition");
        composition.as_object_mut().unwrap().remove("section");
    });
    lacks(&error, "section");
    let error = input_error(|sample| {
        let composition = resource(&mut sample.transaction, "Composition");
        for name in ["attester", "author"] {
            composition.as_object_mut().unwrap().remove(name);
        }
    });
    lacks(&error, "Organization");
}

#[test]
fn a_reference_to_nothing_is_refused() {
    let error = input_error(|sample| {
        resource(&mut sample.transaction, "Immunization")["patient"]["reference"] =
            json!("Patient/elsewhere");
    });
    assert_eq!(
        error,
        DocumentError::DanglingReference {
            resource_type: "Immunization".into()
        }
    );
}

#[test]
fn nothing_is_signed_outside_the_signer_s_validity() {
    for (at, refused) in [
        ("2020-12-31T23:59:59Z", true),
        ("2021-01-01T00:00:00Z", false),
        ("2023-01-01T00:00:00Z", false),
        ("2023-01-01T00:00:01Z", true),
    ] {
        let sample = Sample::vaccination();
        let result = assemble(DocumentInput {
            issued_at: time(at),
            ..sample.input()
        });
        assert_eq!(
            result.err() == Some(DocumentError::SignerNotValid),
            refused,
            "{at}"
        );
    }
}

#[test]
fn a_signature_of_another_key_or_form_is_refused() {
    let sample = Sample::vaccination();
    for signature in [vec![0; 64], vec![1; 71], Vec::new()] {
        let unsigned = assemble(sample.input()).unwrap();
        assert_eq!(
            unsigned.finish(&signature).unwrap_err(),
            DocumentError::Signature
        );
    }
}

#[test]
fn an_hcid_cannot_leave_its_url() {
    let mut set = crate::codes::testing::vaccination();
    set["certificate"]["hcid"]["value"] = json!("a/../b c?#é");
    let document = Sample::new(Uuid::from_u128(4), set).into_document();
    assert_eq!(
        document["link"][0]["url"],
        "urn:HCID:a%2F..%2Fb%20c%3F%23%C3%A9"
    );
}

#[test]
fn nothing_printed_tells_about_the_holder() {
    let sample = Sample::vaccination();
    let unsigned = format!("{:?}", assemble(sample.input()).unwrap());
    let document = sample.document();
    let stored = codes::read(document.bundle());
    let printed = format!("{unsigned} {document:?} {stored:?}");
    assert!(
        !printed.contains("Aulus") && !printed.contains("HC1"),
        "{printed}"
    );
}
