//! What verification costs, beside a bare P-256 verification: `cargo bench --bench verification`.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "a benchmark stops at its first mistake"
)]

use std::hint::black_box;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use criterion::{Criterion, criterion_group, criterion_main};
use mediator_ddcc::codes::{CodeContext, CodeForm, IssuedCode, IssuerSettings, prepare};
use mediator_ddcc::core_data_set::CoreDataSet;
use mediator_ddcc::signing::{Algorithm, SignerIdentity, SigningCertificate};
use mediator_ddcc::verification::image::read_codes;
use mediator_ddcc::verification::{TrustedKeys, check_issued, verify};
use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256};
use serde_json::json;

fn core_data_set() -> CoreDataSet {
    let icd11 = |code: &str| json!({"system": "http://id.who.int/icd11/mms", "code": code});
    serde_json::from_value(json!({
        "name": "أولوس أجيريوس",
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
            "centre": "موقع التطعيم",
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

fn verification(criterion: &mut Criterion) {
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
    let set = core_data_set();
    let at = "2021-04-06T10:00:00Z".parse().unwrap();
    let context = CodeContext {
        issuer: &issuer,
        signer: &signer,
        issued_at: at,
        document_id: uuid::Uuid::from_u128(1),
        core_data_set: &set,
    };
    let random = SystemRandom::new();
    let pair =
        EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &key.serialize_der()).unwrap();
    let signature = pair.sign(&random, b"message").unwrap();
    criterion.bench_function("bare P-256 verification", |bencher| {
        bencher.iter(|| {
            let certificate = black_box(&signer.certificate);
            assert!(certificate.verify(Algorithm::Es256, b"message", signature.as_ref()));
        });
    });

    let keys: TrustedKeys = [signer.certificate.clone()].into_iter().collect();
    for form in CodeForm::ALL {
        let prepared = prepare(form, &context).unwrap();
        let signature = pair.sign(&random, prepared.to_be_signed()).unwrap();
        let text = prepared.finish(signature.as_ref()).unwrap();
        let code = IssuedCode::new(form, text).unwrap();
        let mut group = criterion.benchmark_group(form.as_str());
        group.bench_function("verify", |bencher| {
            bencher.iter(|| assert!(verify(black_box(&code.text), &keys, at).valid));
        });
        group.bench_function("check before it leaves", |bencher| {
            bencher.iter(|| check_issued(black_box(&code), &signer, at).unwrap());
        });
        group.bench_function("read from PNG", |bencher| {
            bencher.iter(|| read_codes(black_box(&code.png)).unwrap());
        });
        group.finish();
    }
}

criterion_group!(benches, verification);
criterion_main!(benches);
