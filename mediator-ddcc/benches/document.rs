//! What a document costs beside a bare P-256 signature: `cargo bench --bench document`.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "a benchmark stops at its first mistake"
)]

use std::hint::black_box;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use mediator_ddcc::codes::{CodeForm, IssuedCode};
use mediator_ddcc::core_data_set::CoreDataSet;
use mediator_ddcc::document::registration::provide_document_bundle;
use mediator_ddcc::document::{DocumentInput, assemble, codes, signature};
use mediator_ddcc::signing::{Algorithm, SignerIdentity, SigningCertificate};
use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256};
use serde_json::{Value, json};
use uuid::Uuid;

/// Bytes of a card.
const CARD: usize = 50_000;

fn core_data_set() -> CoreDataSet {
    let icd11 = |code: &str| json!({"system": "http://id.who.int/icd11/mms", "code": code});
    serde_json::from_value(json!({
        "name": "أولوس أجيريوس",
        "birthDate": "2003-03-03",
        "vaccination": {
            "vaccine": icd11("XM1NL1"),
            "brand": icd11("XM1G90"),
            "lot": "ER8732",
            "date": "2021-04-05",
            "dose": 1,
            "country": {"system": "urn:iso:std:iso:3166", "code": "SAU"}
        },
        "certificate": {
            "issuer": {"identifier": {"value": "dPD2PfwzBQyphcjeUiAdRP"}},
            "hcid": {"value": "bMlJkAt0V92RYhhG3fNt5"},
            "version": "RC2"
        }
    }))
    .unwrap()
}

/// A transaction of the resources that a vaccination has.
fn transaction(set: &CoreDataSet) -> Value {
    let id = |number: u128| Uuid::from_u128(number);
    let reference = |number: u128| json!({"reference": format!("urn:uuid:{}", id(number))});
    let resources = [
        json!({
            "resourceType": "Composition",
            "status": "final",
            "type": {"coding": [{"system": "http://loinc.org", "code": "82593-5"}]},
            "title": "Digital Documentation of COVID-19 Certificate (DDCC)",
            "subject": reference(1),
            "author": [reference(2)],
            "attester": [{"mode": "official", "party": reference(2)}],
            "event": [{"period": {"start": "2021-04-05", "end": "2022-04-05"}}],
            "section": [{
                "code": {"coding": [{"system": "http://loinc.org", "code": "11369-6"}]},
                "focus": reference(3),
                "entry": [reference(3)]
            }]
        }),
        json!({"resourceType": "Patient", "name": [{"text": set.name}], "birthDate": "2003-03-03"}),
        json!({"resourceType": "Organization", "name": "Ministry of Health"}),
        json!({
            "resourceType": "Immunization",
            "status": "completed",
            "vaccineCode": {"coding": [{"system": "http://id.who.int/icd11/mms", "code": "XM1NL1"}]},
            "patient": reference(1),
            "occurrenceDateTime": "2021-04-05",
            "lotNumber": "ER8732",
            "protocolApplied": [{"authority": reference(2), "doseNumberPositiveInt": 1}]
        }),
    ];
    let entries: Vec<Value> = resources
        .into_iter()
        .zip(0..)
        .map(|(resource, number)| {
            json!({"fullUrl": format!("urn:uuid:{}", id(number)), "resource": resource})
        })
        .collect();
    json!({"resourceType": "Bundle", "type": "transaction", "entry": entries})
}

fn document(criterion: &mut Criterion) {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
    let mut params = CertificateParams::default();
    params.not_before = rcgen::date_time_ymd(2021, 1, 1);
    params.not_after = rcgen::date_time_ymd(2023, 1, 1);
    let der = params.self_signed(&key).unwrap().der().to_vec();
    let signer = SignerIdentity {
        algorithm: Algorithm::Es256,
        certificate: SigningCertificate::from_der(der).unwrap(),
        issuers: Vec::new(),
    };
    let random = SystemRandom::new();
    let pair =
        EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &key.serialize_der()).unwrap();
    criterion.bench_function("bare P-256 signature", |bencher| {
        bencher.iter(|| pair.sign(&random, black_box(b"message")).unwrap());
    });

    let set = core_data_set();
    let transaction = transaction(&set);
    let codes: Vec<IssuedCode> = [
        (CodeForm::Who, format!("HC1:{}", "6BFOXN".repeat(100))),
        (CodeForm::Dcc, format!("HC1:{}", "6BFOXN".repeat(80))),
        (CodeForm::Shc, format!("shc:/{}", "5676".repeat(400))),
        (
            CodeForm::Icao,
            format!("{{\"data\":\"{}\"}}", "é".repeat(600)),
        ),
    ]
    .into_iter()
    .map(|(form, text)| IssuedCode::new(form, text).unwrap())
    .collect();
    let card: Vec<u8> = (0..CARD).map(|index| (index * 7 % 251) as u8).collect();
    let input = |transaction, card| DocumentInput {
        document_id: Uuid::from_u128(9),
        issued_at: "2021-04-06T10:00:00Z".parse().unwrap(),
        core_data_set: &set,
        transaction,
        codes: &codes,
        card,
        signer: &signer,
    };
    for (name, card) in [
        ("assemble", None),
        ("assemble with card", Some(card.as_slice())),
    ] {
        criterion.bench_function(name, |bencher| {
            bencher.iter_batched(
                || transaction.clone(),
                |transaction| assemble(input(transaction, card)).unwrap(),
                BatchSize::SmallInput,
            );
        });
    }

    let unsigned = assemble(input(transaction.clone(), Some(&card))).unwrap();
    criterion.bench_function("sign", |bencher| {
        bencher.iter(|| pair.sign(&random, unsigned.to_be_signed()).unwrap());
    });
    let signature = pair.sign(&random, unsigned.to_be_signed()).unwrap();
    criterion.bench_function("finish", |bencher| {
        bencher.iter_batched(
            || assemble(input(transaction.clone(), Some(&card))).unwrap(),
            |unsigned| unsigned.finish(signature.as_ref()).unwrap(),
            BatchSize::SmallInput,
        );
    });
    let document = unsigned.finish(signature.as_ref()).unwrap();
    criterion.bench_function("serialize", |bencher| {
        bencher.iter(|| document.bundle().to_string());
    });
    let request = json!({"resourceType": "QuestionnaireResponse", "status": "completed"});
    criterion.bench_function("registration", |bencher| {
        bencher.iter(|| provide_document_bundle(&document, &set, &request, None).unwrap());
    });
    let certificates = [signer.certificate.clone()];
    criterion.bench_function("verify", |bencher| {
        bencher.iter(|| signature::verify(document.bundle(), &certificates).unwrap());
    });
    criterion.bench_function("read codes", |bencher| {
        bencher.iter(|| codes::read(document.bundle()));
    });
}

criterion_group!(benches, document);
criterion_main!(benches);
