//! What a card costs, beside a bare P-256 signature: `cargo bench --bench card`.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "a benchmark stops at its first mistake"
)]

use std::hint::black_box;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use criterion::{Criterion, criterion_group, criterion_main};
use mediator_ddcc::card::{Card, CardRenderer, CardSize};
use mediator_ddcc::codes::{CodeContext, CodeForm, IssuedCode, IssuerSettings, prepare};
use mediator_ddcc::core_data_set::CoreDataSet;
use mediator_ddcc::signing::{Algorithm, SignerIdentity, SigningCertificate};
use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256};
use serde_json::json;

/// A name and a centre in each script.
const TEXTS: [[&str; 3]; 3] = [
    ["Latin", "Thérèse Lefèbvre-Œuvrard", "Site de vaccination"],
    ["Arabic", "أولوس أجيريوس", "موقع التطعيم"],
    ["Chinese", "奥卢斯·阿杰里乌斯", "接种地点"],
];

fn core_data_set(name: &str, centre: &str) -> CoreDataSet {
    let icd11 = |code: &str| json!({"system": "http://id.who.int/icd11/mms", "code": code});
    serde_json::from_value(json!({
        "name": name,
        "birthDate": "2003-03-03",
        "identifier": {"value": "12345678905"},
        "sex": "male",
        "vaccination": {
            "vaccine": icd11("XM1NL1"),
            "brand": icd11("XM1G90"),
            "manufacturer": {"system": "http://example.org", "code": "TEST"},
            "lot": "ER8732",
            "date": "2021-04-05",
            "dose": 1,
            "totalDoses": 2,
            "country": {"system": "urn:iso:std:iso:3166", "code": "SAU"},
            "centre": centre,
            "practitioner": {"value": "lAH8TnzqAInqwkslHzOlSA"},
            "disease": icd11("RA01"),
            "nextDose": "2021-04-28"
        },
        "certificate": {
            "issuer": {"identifier": {"value": "dPD2PfwzBQyphcjeUiAdRP"}},
            "hcid": {"value": "bMlJkAt0V92RYhhG3fNt5"},
            "version": "RC2"
        }
    }))
    .unwrap()
}

fn cards(criterion: &mut Criterion) {
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
    let issuer = IssuerSettings {
        name: "Ministry of Health".into(),
        country: "SA".into(),
        country_alpha3: "SAU".into(),
        smart_health_card_issuer: "https://health.example.org/ddcc/shc_issuer".into(),
        default_validity_days: 365,
        issue_expired: false,
    };

    let random = SystemRandom::new();
    let pair =
        EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &key.serialize_der()).unwrap();
    criterion.bench_function("bare P-256 signature", |bencher| {
        bencher.iter(|| pair.sign(&random, black_box(b"message")).unwrap());
    });
    criterion.bench_function("renderer", |bencher| bencher.iter(CardRenderer::builtin));

    let renderer = CardRenderer::builtin().unwrap();
    for [script, name, centre] in TEXTS {
        let set = core_data_set(name, centre);
        let context = CodeContext {
            issuer: &issuer,
            signer: &signer,
            issued_at: "2021-04-06T10:00:00Z".parse().unwrap(),
            document_id: uuid::Uuid::from_u128(1),
            core_data_set: &set,
        };
        let codes: Vec<IssuedCode> = CodeForm::ALL
            .into_iter()
            .map(|form| {
                let prepared = prepare(form, &context).unwrap();
                let signature = pair.sign(&random, prepared.to_be_signed()).unwrap();
                IssuedCode::new(form, prepared.finish(signature.as_ref()).unwrap()).unwrap()
            })
            .collect();
        let mut group = criterion.benchmark_group(script);
        for size in CardSize::ALL {
            for codes in [&codes[..0], &codes[..2], &codes] {
                let card = Card {
                    core_data_set: &set,
                    issuer: &issuer,
                    issued_at: context.issued_at,
                    valid_from: Some(context.issued_at),
                    valid_until: None,
                    codes,
                };
                group.bench_function(
                    format!("{}, {} codes", size.as_str(), codes.len()),
                    |bencher| {
                        bencher.iter(|| renderer.render(size, black_box(&card)).unwrap());
                    },
                );
            }
        }
        group.finish();
    }
}

criterion_group!(benches, cards);
criterion_main!(benches);
