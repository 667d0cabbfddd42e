//! What the benchmarks certify, and the key that they sign with.

#![allow(dead_code, reason = "no benchmark uses all of it")]

use std::hint::black_box;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use chrono::{DateTime, Utc};
use criterion::Criterion;
use mediator_ddcc::codes::{CodeContext, CodeForm, IssuedCode, IssuerSettings, prepare};
use mediator_ddcc::core_data_set::CoreDataSet;
use mediator_ddcc::signing::{Algorithm, SignerIdentity, SigningCertificate};
use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256};
use serde_json::json;

/// A P-256 key and its certificate.
pub(crate) struct ExampleSigner {
    pub(crate) identity: SignerIdentity,
    key: EcdsaKeyPair,
    random: SystemRandom,
}

impl ExampleSigner {
    pub(crate) fn new() -> Self {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        let mut params = CertificateParams::default();
        params.not_before = rcgen::date_time_ymd(2021, 1, 1);
        params.not_after = rcgen::date_time_ymd(2023, 1, 1);
        let der = params.self_signed(&key).unwrap().der().to_vec();
        let pkcs8 = key.serialize_der();
        Self {
            identity: SignerIdentity {
                algorithm: Algorithm::Es256,
                certificate: SigningCertificate::from_der(der).unwrap(),
                issuers: Vec::new(),
            },
            key: EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &pkcs8).unwrap(),
            random: SystemRandom::new(),
        }
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Vec<u8> {
        let signature = self.key.sign(&self.random, message).unwrap();
        signature.as_ref().to_vec()
    }

    /// The yardstick of every other figure.
    pub(crate) fn measure_bare_signature(&self, criterion: &mut Criterion) {
        criterion.bench_function("bare P-256 signature", |bencher| {
            bencher.iter(|| self.sign(black_box(b"message")));
        });
    }

    /// A code of a form, signed.
    pub(crate) fn code(&self, form: CodeForm, context: &CodeContext<'_>) -> IssuedCode {
        let prepared = prepare(form, context).unwrap();
        let signature = self.sign(prepared.to_be_signed());
        IssuedCode::new(form, prepared.finish(&signature).unwrap()).unwrap()
    }
}

pub(crate) fn issued_at() -> DateTime<Utc> {
    "2021-04-06T10:00:00Z".parse().unwrap()
}

pub(crate) fn issuer() -> IssuerSettings {
    IssuerSettings {
        name: "Ministry of Health".into(),
        country: "SA".into(),
        country_alpha3: "SAU".into(),
        smart_health_card_issuer: "https://health.example.org/ddcc/shc_issuer".into(),
        default_validity_days: 365,
        issue_expired: false,
    }
}

/// A vaccination of the guide's Arabic example.
pub(crate) fn core_data_set() -> CoreDataSet {
    core_data_set_of("أولوس أجيريوس", "موقع التطعيم")
}

pub(crate) fn core_data_set_of(name: &str, centre: &str) -> CoreDataSet {
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

/// What codes state apart from the signature.
pub(crate) fn context<'a>(
    issuer: &'a IssuerSettings,
    signer: &'a ExampleSigner,
    core_data_set: &'a CoreDataSet,
) -> CodeContext<'a> {
    CodeContext {
        issuer,
        signer: &signer.identity,
        issued_at: issued_at(),
        document_id: uuid::Uuid::from_u128(1),
        core_data_set,
    }
}
