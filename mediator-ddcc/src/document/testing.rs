//! What the tests of documents share: transactions as the StructureMaps make them, and documents.

#![allow(clippy::unwrap_used, reason = "tests")]

use serde_json::{Value, json};
use uuid::Uuid;

use super::{DocumentInput, SignedDocument, UnsignedDocument, assemble, derived, urn};
use crate::codes::testing::{Issue, vaccination};
use crate::codes::{CodeForm, IssuedCode};
use crate::core_data_set::{CoreDataSet, Event};

/// Something that stands for a card.
pub(super) const CARD: &[u8] = b"%PDF-1.7 card";

/// A document and what it is made from.
pub(super) struct Sample {
    pub(super) id: Uuid,
    pub(super) issue: Issue,
    pub(super) transaction: Value,
    pub(super) codes: Vec<IssuedCode>,
}

impl Sample {
    /// Of a core data set, with every code that there is.
    pub(super) fn new(id: Uuid, set: Value) -> Self {
        let issue = Issue::new(set);
        let codes = CodeForm::ALL
            .into_iter()
            .filter(|form| issue.prepare(*form).is_ok())
            .map(|form| IssuedCode::new(form, issue.text(form)).unwrap())
            .collect();
        Self {
            id,
            transaction: transaction(&issue.set, id),
            issue,
            codes,
        }
    }

    pub(super) fn vaccination() -> Self {
        Self::new(Uuid::from_u128(1), vaccination())
    }

    pub(super) fn input(&self) -> DocumentInput<'_> {
        DocumentInput {
            document_id: self.id,
            issued_at: self.issue.issued_at,
            core_data_set: &self.issue.set,
            transaction: self.transaction.clone(),
            codes: &self.codes,
            card: Some(CARD),
            signer: &self.issue.signer.identity,
        }
    }

    pub(super) fn finish(&self, unsigned: UnsignedDocument) -> SignedDocument {
        let signature = self.issue.signer.sign(unsigned.to_be_signed());
        unsigned.finish(&signature).unwrap()
    }

    pub(super) fn document(&self) -> SignedDocument {
        self.finish(assemble(self.input()).unwrap())
    }

    pub(super) fn into_document(self) -> Value {
        self.document().into_bundle()
    }
}

/// A transaction with every resource that the guide names for the event.
pub(super) fn transaction(set: &CoreDataSet, seed: Uuid) -> Value {
    let id = |name: &str| derived(seed, name);
    let reference = |name: &str| json!({"reference": urn(id(name))});
    let (category, section, focus) = match &set.event {
        Event::Vaccination(_) => ("ddcc-vs", "11369-6", "Immunization"),
        Event::Test(_) => ("ddcc-tr", "30954-2", "Observation"),
    };
    let mut patient = json!({
        "resourceType": "Patient",
        "name": [{"use": "official", "text": set.name}],
        "birthDate": set.birth_date,
    });
    if let Some(identifier) = &set.identifier {
        patient["identifier"] = json!([identifier]);
    }
    let mut resources = vec![
        patient,
        json!({"resourceType": "Organization", "name": "PHA", "identifier": [set.certificate.issuer.identifier]}),
        json!({"resourceType": "QuestionnaireResponse", "status": "completed"}),
    ];
    let mut entries = vec![reference(focus)];
    match &set.event {
        Event::Vaccination(vaccination) => {
            resources.push(json!({
                "resourceType": "Immunization",
                "extension": [
                    {"url": "http://smart.who.int/ddcc/StructureDefinition/DDCCEventBrand", "valueCoding": vaccination.brand},
                    {"url": "http://smart.who.int/ddcc/StructureDefinition/DDCCCountryOfEvent", "valueCode": vaccination.country.code},
                ],
                "status": "completed",
                "vaccineCode": {"coding": [vaccination.vaccine]},
                "patient": reference("Patient"),
                "occurrenceDateTime": vaccination.date,
                "location": {"display": vaccination.centre},
                "lotNumber": vaccination.lot,
                "performer": [{"actor": {"identifier": vaccination.practitioner}}],
                "protocolApplied": [{
                    "authority": reference("Organization"),
                    "targetDisease": [{"coding": [vaccination.disease]}],
                    "doseNumberPositiveInt": vaccination.dose,
                    "seriesDosesPositiveInt": vaccination.total_doses,
                }],
            }));
            resources.push(json!({
                "resourceType": "ImmunizationRecommendation",
                "patient": reference("Patient"),
                "date": vaccination.date,
                "recommendation": [{
                    "vaccineCode": [{"coding": [vaccination.vaccine]}],
                    "forecastStatus": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/immunization-recommendation-status", "code": "due"}]},
                    "dateCriterion": [{"code": {"coding": [{"system": "http://loinc.org", "code": "30980-7"}]}, "value": vaccination.next_dose}],
                    "supportingImmunization": [reference("Immunization")],
                }],
            }));
            entries.push(reference("ImmunizationRecommendation"));
        }
        Event::Test(test) => {
            resources.push(json!({
                "resourceType": "Observation",
                "status": "final",
                "code": {"coding": [test.pathogen]},
                "subject": reference("Patient"),
                "effectiveDateTime": test.date,
                "valueCodeableConcept": {"coding": [test.result]},
                "specimen": reference("Specimen"),
                "device": reference("Device"),
            }));
            resources.push(json!({"resourceType": "Specimen", "subject": reference("Patient")}));
            resources.push(json!({"resourceType": "Device", "type": {"coding": [test.test_type]}}));
            resources.push(json!({
                "resourceType": "Procedure",
                "status": "completed",
                "subject": reference("Patient"),
            }));
            resources.push(json!({
                "resourceType": "DiagnosticReport",
                "status": "final",
                "code": {"coding": [test.test_type]},
                "subject": reference("Patient"),
                "specimen": [reference("Specimen")],
                "result": [reference("Observation")],
            }));
            for name in ["Device", "DiagnosticReport", "Specimen", "Procedure"] {
                entries.push(reference(name));
            }
        }
    }
    let mut composition = json!({
        "resourceType": "Composition",
        "status": "final",
        "type": {"coding": [{"system": "http://loinc.org", "code": "82593-5"}]},
        "category": [{"coding": [{"system": "http://smart.who.int/ddcc/CodeSystem/DDCCCompositionCategoryCodeSystem", "code": category}]}],
        "title": "Digital Documentation of COVID-19 Certificate (DDCC)",
        "subject": reference("Patient"),
        "author": [reference("Organization")],
        "attester": [{"mode": "official", "party": reference("Organization")}],
        "section": [{
            "code": {"coding": [{"system": "http://loinc.org", "code": section}]},
            "focus": reference(focus),
            "entry": entries,
        }],
    });
    if let Some(period) = &set.certificate.period {
        composition["event"] = json!([{"period": period}]);
    }
    resources.push(composition);
    let entries: Vec<Value> = resources
        .into_iter()
        .map(|mut resource| {
            let resource_type = resource["resourceType"].as_str().unwrap().to_owned();
            let id = id(&resource_type);
            resource["id"] = json!(id);
            json!({
                "fullUrl": urn(id),
                "resource": resource,
                "request": {"method": "PUT", "url": format!("{resource_type}/{id}")},
            })
        })
        .collect();
    json!({"resourceType": "Bundle", "type": "transaction", "entry": entries})
}
