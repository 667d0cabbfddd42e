//! What the tests of this module share: signers, and core data sets in four scripts.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::sync::LazyLock;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, RSA_PSS_SHA256, RsaKeyPair,
};
use chrono::{DateTime, Utc};
use rcgen::{
    CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyPair, PKCS_ECDSA_P256_SHA256,
    PKCS_RSA_SHA256,
};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{CodeContext, CodeForm, CodeOmission, IssuerSettings, PreparedCode, prepare};
use crate::core_data_set::CoreDataSet;
use crate::signing::{Algorithm, SignerIdentity, SigningCertificate};

/// A key in memory and its certificate.
pub(crate) struct TestSigner {
    key: KeyPair,
    pub(crate) identity: SignerIdentity,
}

pub(crate) static ES256: LazyLock<TestSigner> =
    LazyLock::new(|| TestSigner::new(Algorithm::Es256, &[]));
pub(crate) static PS256: LazyLock<TestSigner> =
    LazyLock::new(|| TestSigner::new(Algorithm::Ps256, &[]));

impl TestSigner {
    /// A signer of the years 2021 and 2022 with the HCERT usages `...1.N` of its certificate.
    pub(crate) fn new(algorithm: Algorithm, usages: &[u64]) -> Self {
        let key = KeyPair::generate_for(match algorithm {
            Algorithm::Es256 => &PKCS_ECDSA_P256_SHA256,
            Algorithm::Ps256 => &PKCS_RSA_SHA256,
        })
        .unwrap();
        let identity = SignerIdentity {
            algorithm,
            certificate: certificate(&key, usages),
            issuers: Vec::new(),
        };
        Self { key, identity }
    }

    /// Another certificate of the same key, with these usages.
    pub(crate) fn certificate_with(&self, usages: &[u64]) -> SigningCertificate {
        certificate(&self.key, usages)
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        let pkcs8 = self.key.serialize_der();
        match self.identity.algorithm {
            Algorithm::Es256 => EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &pkcs8)
                .unwrap()
                .sign(&random, message)
                .unwrap()
                .as_ref()
                .to_vec(),
            Algorithm::Ps256 => {
                let key = RsaKeyPair::from_pkcs8(&pkcs8).unwrap();
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(&RSA_PSS_SHA256, &random, message, &mut signature)
                    .unwrap();
                signature
            }
        }
    }
}

fn certificate(key: &KeyPair, usages: &[u64]) -> SigningCertificate {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CountryName, "CH");
    params.not_before = rcgen::date_time_ymd(2021, 1, 1);
    params.not_after = rcgen::date_time_ymd(2023, 1, 1);
    params.extended_key_usages = usages
        .iter()
        .map(|usage| {
            let arcs = vec![1, 3, 6, 1, 4, 1, 1847, 2021, 1, *usage];
            ExtendedKeyUsagePurpose::Other(arcs)
        })
        .collect();
    SigningCertificate::from_der(params.self_signed(key).unwrap().der().to_vec()).unwrap()
}

pub(crate) fn time(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

pub(crate) fn issuer() -> IssuerSettings {
    IssuerSettings {
        name: "Ministry of Health".into(),
        country: "CH".into(),
        country_alpha3: "CHE".into(),
        smart_health_card_issuer: "https://health.example.org/ddcc/shc_issuer".into(),
        default_validity_days: 180,
        issue_expired: false,
    }
}

/// What is issued, and how; each part may be changed before it is.
pub(crate) struct Issue {
    pub(crate) issuer: IssuerSettings,
    pub(crate) signer: &'static TestSigner,
    pub(crate) issued_at: DateTime<Utc>,
    pub(crate) set: CoreDataSet,
}

impl Issue {
    pub(crate) fn new(set: Value) -> Self {
        Self {
            issuer: issuer(),
            signer: &ES256,
            issued_at: time("2021-04-06T10:00:00Z"),
            set: serde_json::from_value(set).unwrap(),
        }
    }

    pub(crate) fn prepare(&self, form: CodeForm) -> Result<PreparedCode, CodeOmission> {
        let context = CodeContext {
            issuer: &self.issuer,
            signer: &self.signer.identity,
            issued_at: self.issued_at,
            document_id: Uuid::from_u128(0xdadf_cc47_c733_4e45_a906_db12_fd85_9fb7),
            core_data_set: &self.set,
        };
        prepare(form, &context)
    }

    pub(crate) fn text(&self, form: CodeForm) -> String {
        let prepared = self.prepare(form).unwrap();
        let signature = self.signer.sign(prepared.to_be_signed());
        prepared.finish(&signature).unwrap()
    }

    pub(crate) fn reason(&self, form: CodeForm) -> String {
        let omission = self.prepare(form).unwrap_err();
        assert_eq!(omission.form, form);
        omission.reason
    }
}

/// A vaccination with every element, as the questionnaire's four examples have it.
pub(crate) fn vaccination() -> Value {
    json!({
        "name": "Aulus Agerius",
        "birthDate": "2003-03-03",
        "identifier": {"value": "1234567890"},
        "sex": "male",
        "vaccination": {
            "vaccine": {"system": "http://id.who.int/icd11/mms", "code": "XM0GQ8"},
            "brand": {"system": "http://id.who.int/icd11/mms", "code": "XM3DT5"},
            "manufacturer": {"system": "http://smart.who.int/ddcc/CodeSystem/DDCCExampleTestCodeSystem", "code": "TEST"},
            "maholder": {"system": "http://smart.who.int/ddcc/CodeSystem/DDCCExampleTestCodeSystem", "code": "TEST"},
            "lot": "ER8732",
            "date": "2021-04-05",
            "validFrom": "2021-04-19",
            "dose": 1,
            "totalDoses": 2,
            "country": {"system": "urn:iso:std:iso:3166", "code": "USA"},
            "centre": "Vaccination Site",
            "practitioner": {"value": "lAH8TnzqAInqwkslHzOlSA"},
            "disease": {"system": "http://id.who.int/icd11/mms", "code": "RA01"},
            "nextDose": "2021-04-28",
        },
        "certificate": {
            "issuer": {"identifier": {"value": "dPD2PfwzBQyphcjeUiAdRP"}},
            "hcid": {"value": "bMlJkAt0V92RYhhG3fNt"},
            "version": "RC2",
            "period": {"start": "2021-04-05", "end": "2022-04-05"},
        },
    })
}

/// The four examples: name, vaccine, brand, country, centre, and the transliterated name.
pub(crate) const EXAMPLES: [[&str; 6]; 4] = [
    [
        "Aulus Agerius",
        "XM0GQ8",
        "XM3DT5",
        "USA",
        "Vaccination Site",
        "AULUS<AGERIUS",
    ],
    [
        "Aulus Agerius",
        "XM0GQ8",
        "XM8NQ0",
        "FRA",
        "Site de vaccination",
        "AULUS<AGERIUS",
    ],
    [
        "أولوس أجيريوس",
        "XM1NL1",
        "XM1G90",
        "SAU",
        "موقع التطعيم",
        "XAEWLWS<XAEJYRYWS",
    ],
    [
        "奥卢斯·阿杰里乌斯",
        "XM5JC5",
        "XM6SZ8",
        "CHN",
        "接种地点",
        "AOLUSI<AJIELIWUSI",
    ],
];

pub(crate) fn example([name, vaccine, brand, country, centre, _]: [&str; 6]) -> Value {
    let mut set = vaccination();
    set["name"] = json!(name);
    set["vaccination"]["vaccine"]["code"] = json!(vaccine);
    set["vaccination"]["brand"]["code"] = json!(brand);
    set["vaccination"]["country"]["code"] = json!(country);
    set["vaccination"]["centre"] = json!(centre);
    set
}

/// A PCR test with every element.
pub(crate) fn test_result() -> Value {
    json!({
        "name": "Юрий Подъячев",
        "birthDate": "1951-01-20",
        "test": {
            "pathogen": {"system": "http://id.who.int/icd11/mms", "code": "XN109"},
            "type": {"system": "http://id.who.int/icd11/mms", "code": "1334426561"},
            "brand": {"system": "http://example.org", "code": "1", "display": "SARS-CoV-2 Kit"},
            "manufacturer": {"system": "http://example.org", "code": "2", "display": "Maker Ltd"},
            "origin": {"system": "http://id.who.int/icd11/mms", "code": "JAM.AH.XF"},
            "date": "2021-04-05",
            "result": {"system": "http://id.who.int/icd11/mms", "code": "QA02"},
            "centre": {"display": "Central Laboratory"},
            "country": {"system": "urn:iso:std:iso:3166", "code": "KAZ"},
        },
        "certificate": {
            "issuer": {"identifier": {"value": "dPD2PfwzBQyphcjeUiAdRP"}},
            "hcid": {"value": "bMlJkAt0V92RYhhG3fNt"},
            "version": "RC2",
        },
    })
}
