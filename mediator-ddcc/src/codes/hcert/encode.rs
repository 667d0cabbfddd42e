//! Encoding HCERT (WHO SMART Trust HCERT specification; EU "Technical Specifications for EU
//! Digital COVID Certificates", volume 1).

use ciborium::Value;
use coset::{CoseSign1, CoseSign1Builder, HeaderBuilder, TaggedCborSerializable as _, iana};
use unicode_normalization::{UnicodeNormalization as _, is_nfc};

use super::{CLAIM, EXP, IAT, ISS, NBF, PREFIX};
use crate::codes::deflate::{Wrapping, deflate};
use crate::codes::validity::Validity;
use crate::codes::{CodeContext, Unsigned};
use crate::signing::Algorithm;

/// A sub-claim of [`CLAIM`]: its key and value.
pub(in crate::codes) struct SubClaim {
    pub(super) key: i64,
    pub(super) value: Value,
}

/// A COSE_Sign1 without signature.
#[derive(Clone)]
pub(in crate::codes) struct UnsignedHcert(CoseSign1);

/// Makes the token and what is to be signed.
///
/// The protected header has `alg` and `kid`, the first 8 bytes of the SHA-256 hash of the
/// document signing certificate (DSC); the unprotected header is empty.
pub(in crate::codes) fn prepare(
    context: &CodeContext<'_>,
    mut claim: SubClaim,
) -> Result<(Vec<u8>, Unsigned), String> {
    let country = context.issuer_country()?;
    let validity = Validity::of(context)?;
    normalize(&mut claim.value);

    let number = |number: i64| Value::from(number);
    let mut claims = vec![
        (number(ISS), Value::from(country)),
        (number(EXP), number(validity.expires.timestamp())),
        (number(IAT), number(validity.issued_at.timestamp())),
    ];
    if validity.starts > validity.issued_at {
        claims.push((number(NBF), number(validity.starts.timestamp())));
    }
    claims.push((
        number(CLAIM),
        Value::Map(vec![(number(claim.key), claim.value)]),
    ));
    let mut token = Vec::with_capacity(1024);
    ciborium::into_writer(&Value::Map(claims), &mut token)
        .map_err(|_| "the claims cannot be written as CBOR")?;

    let algorithm = match context.signer.algorithm {
        Algorithm::Es256 => iana::Algorithm::ES256,
        Algorithm::Ps256 => iana::Algorithm::PS256,
    };
    let protected = HeaderBuilder::new()
        .algorithm(algorithm)
        .key_id(context.signer.certificate.kid().to_vec())
        .build();
    let unsigned = CoseSign1Builder::new()
        .protected(protected)
        .payload(token)
        .build();
    Ok((
        unsigned.tbs_data(b""),
        Unsigned::Hcert(Box::new(UnsignedHcert(unsigned))),
    ))
}

impl UnsignedHcert {
    /// `HC1:` + base 45 of zlib of the signed structure under CBOR tag 18.
    pub(in crate::codes) fn finish(self, signature: &[u8]) -> Result<String, String> {
        let Self(mut signed) = self;
        signed.signature = signature.to_vec();
        let cbor = signed
            .to_tagged_vec()
            .map_err(|_| "the signed structure cannot be written as CBOR")?;
        let compressed =
            deflate(&cbor, Wrapping::Zlib).ok_or("the signed structure cannot be compressed")?;
        Ok(format!("{PREFIX}{}", base45::encode(compressed)))
    }
}

/// Brings every text into Unicode normalization form C, as HCERT asks.
fn normalize(value: &mut Value) {
    match value {
        Value::Text(text) if !is_nfc(text) => *text = text.nfc().collect(),
        Value::Array(items) => items.iter_mut().for_each(normalize),
        Value::Map(entries) => {
            for (key, value) in entries {
                normalize(key);
                normalize(value);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::codes::CodeForm;
    use crate::codes::testing::{ES256, Issue, PS256, test_result, vaccination};
    use crate::core_data_set::{CoreDataSet, Event};

    /// Takes a text apart with other means than the decoder's: the structure and its claims.
    fn decode(text: &str) -> (CoseSign1, Vec<(Value, Value)>) {
        let compressed = base45::decode(text.strip_prefix(PREFIX).unwrap()).unwrap();
        let mut cbor = Vec::new();
        flate2::read::ZlibDecoder::new(compressed.as_slice())
            .read_to_end(&mut cbor)
            .unwrap();
        let signed = CoseSign1::from_tagged_slice(&cbor).unwrap();
        let payload = signed.payload.clone().unwrap();
        let claims: Value = ciborium::from_reader(payload.as_slice()).unwrap();
        (signed, claims.into_map().unwrap())
    }

    fn claim(claims: &[(Value, Value)], key: i64) -> Option<&Value> {
        claims
            .iter()
            .find(|(name, _)| *name == Value::from(key))
            .map(|(_, value)| value)
    }

    fn sub_claim(claims: &[(Value, Value)], key: i64) -> serde_json::Value {
        let sub_claims = claim(claims, CLAIM).unwrap().as_map().unwrap();
        assert_eq!(sub_claims.len(), 1);
        claim(sub_claims, key).unwrap().deserialized().unwrap()
    }

    #[test]
    fn claims_and_headers_are_those_of_the_specification() {
        for (signer, algorithm) in [
            (&*ES256, iana::Algorithm::ES256),
            (&*PS256, iana::Algorithm::PS256),
        ] {
            let mut issue = Issue::new(vaccination());
            issue.signer = signer;
            for form in [CodeForm::Who, CodeForm::Dcc] {
                let (signed, claims) = decode(&issue.text(form));
                let header = &signed.protected.header;
                assert_eq!(header.alg, Some(coset::Algorithm::Assigned(algorithm)));
                assert_eq!(header.key_id, signer.identity.certificate.kid());
                assert!(signed.unprotected.is_empty());
                assert_eq!(claims.len(), 4);
                assert_eq!(claim(&claims, ISS), Some(&Value::from("CH")));
                assert_eq!(claim(&claims, IAT), Some(&Value::from(1_617_703_200)));
                assert_eq!(claim(&claims, EXP), Some(&Value::from(1_649_203_199)));
                let certificate = &signer.identity.certificate;
                signed
                    .verify_signature(b"", |signature, message| {
                        certificate
                            .verify(signer.identity.algorithm, message, signature)
                            .then_some(())
                            .ok_or(())
                    })
                    .unwrap();
            }
        }
    }

    #[test]
    fn a_start_in_the_future_is_stated() {
        let mut set = vaccination();
        set["certificate"]["period"]["start"] = json!("2021-05-01");
        let (_, claims) = decode(&Issue::new(set).text(CodeForm::Who));
        assert_eq!(claim(&claims, NBF), Some(&Value::from(1_619_827_200)));
    }

    #[test]
    fn the_who_code_is_the_core_data_set_and_its_key_id() {
        for (set, key) in [
            (vaccination(), super::super::DDCC_VS),
            (test_result(), super::super::DDCC_TR),
        ] {
            let (_, claims) = decode(&Issue::new(set.clone()).text(CodeForm::Who));
            let mut expected = set;
            expected["certificate"]["kid"] = json!(base64::Engine::encode(
                &base64::prelude::BASE64_STANDARD,
                ES256.identity.certificate.kid()
            ));
            assert_eq!(sub_claim(&claims, key), expected);
        }
    }

    #[test]
    fn texts_are_in_normalization_form_c() {
        let mut set = vaccination();
        set["name"] = json!("Re\u{301}mi");
        let issue = Issue::new(set);
        let (_, claims) = decode(&issue.text(CodeForm::Who));
        assert_eq!(sub_claim(&claims, 3)["name"], "R\u{e9}mi");
        let (_, claims) = decode(&issue.text(CodeForm::Dcc));
        assert_eq!(sub_claim(&claims, 1)["nam"]["fn"], "R\u{e9}mi");
    }

    #[test]
    fn an_issuer_needs_a_country() {
        let mut issue = Issue::new(vaccination());
        issue.issuer.country = "CHE".into();
        assert!(issue.reason(CodeForm::Who).contains("alpha-2"));
        assert!(issue.reason(CodeForm::Dcc).contains("alpha-2"));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn any_core_data_set_comes_back(
            name in "\\PC{1,60}",
            lot in "\\PC{1,20}",
            centre in proptest::option::of("\\PC{0,40}"),
            dose in 1_u32..,
            total in proptest::option::of(1_u32..),
        ) {
            let mut issue = Issue::new(vaccination());
            let Event::Vaccination(vaccination) = &mut issue.set.event else {
                unreachable!()
            };
            vaccination.lot = lot.nfc().collect();
            vaccination.centre = centre.map(|centre| centre.nfc().collect());
            vaccination.dose = dose;
            vaccination.total_doses = total;
            issue.set.name = name.nfc().collect();
            let (_, claims) = decode(&issue.text(CodeForm::Who));
            let mut decoded: CoreDataSet = serde_json::from_value(sub_claim(&claims, 3)).unwrap();
            prop_assert!(decoded.certificate.kid.take().is_some());
            prop_assert_eq!(decoded, issue.set);
        }
    }
}
