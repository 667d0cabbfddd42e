#![allow(clippy::unwrap_used, reason = "tests")]

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::codes::testing::{
    ES256, EXAMPLES, Issue, PS256, TestSigner, example, test_result, time, vaccination,
};
use crate::codes::{CodeForm, IssuedCode};

/// While the codes of [`Issue`] are valid.
const NOW: &str = "2021-05-01T00:00:00Z";

fn keys() -> TrustedKeys {
    [&*ES256, &*PS256]
        .into_iter()
        .map(|signer| signer.identity.certificate.clone())
        .collect()
}

fn failed(verification: &Verification) -> Vec<&'static str> {
    let failed = |result: &StepResult| matches!(result, StepResult::Failed(_));
    verification
        .steps
        .iter()
        .filter(|(_, result)| failed(result))
        .map(|(step, _)| step.as_str())
        .collect()
}

#[test]
fn everything_that_is_issued_verifies() {
    let keys = keys();
    for row in EXAMPLES {
        for form in CodeForm::ALL {
            let text = Issue::new(example(row)).text(form);
            let verification = verify(&text, &keys, time(NOW));
            assert!(verification.valid, "{verification:?}");
            let signer = verification.signed_by.unwrap();
            assert_eq!(signer.country.as_deref(), Some("CH"));
            assert_eq!(signer.key_id, ES256.identity.kid_base64());
            let summary = verification.summary.unwrap();
            assert!(summary.event.unwrap().contains("on 2021-04-05"));
            assert_eq!(summary.birth_date.as_deref(), Some("2003-03-03"));
            if matches!(form, CodeForm::Who | CodeForm::Dcc | CodeForm::Shc) {
                assert_eq!(summary.holder.as_deref(), Some(row[0]));
            }
        }
    }
    for form in [CodeForm::Who, CodeForm::Dcc, CodeForm::Shc] {
        let verification = verify(&Issue::new(test_result()).text(form), &keys, time(NOW));
        assert!(verification.valid, "{verification:?}");
        let event = verification.summary.unwrap().event.unwrap();
        assert!(event.starts_with("test, "), "{event}");
    }
    for form in [CodeForm::Who, CodeForm::Dcc] {
        let mut issue = Issue::new(vaccination());
        issue.signer = &PS256;
        let verification = verify(&issue.text(form), &keys, time(NOW));
        assert!(verification.valid, "{verification:?}");
    }
}

#[test]
fn the_answer_has_four_members() {
    let text = Issue::new(vaccination()).text(CodeForm::Who);
    let mut verification =
        serde_json::to_value(verify(&text, &keys(), time("2031-01-01T00:00:00Z"))).unwrap();
    let payload = verification["payload"].take();
    assert_eq!(payload["name"], "Aulus Agerius");
    assert_eq!(
        verification.to_string(),
        json!({
            "valid": false,
            "format": "hcert",
            "steps": {
                "image": "not reached",
                "prefix": "ok",
                "base45": "ok",
                "zlib": "ok",
                "cose": "ok",
                "cwt": "ok",
                "signature": "ok",
                "keyUsage": "ok",
                "validity": "failed: the certificate has expired",
                "schema": "ok",
            },
            "payload": null,
        })
        .to_string()
    );
    let broken = serde_json::to_value(verify("HC1:A", &keys(), time(NOW))).unwrap();
    assert_eq!(broken["steps"]["prefix"], "ok");
    assert!(
        broken["steps"]["base45"]
            .as_str()
            .unwrap()
            .starts_with("failed: ")
    );
    assert_eq!(broken["steps"]["zlib"], "not reached");
    assert_eq!(broken["steps"]["schema"], "not reached");
    assert_eq!(broken["payload"], json!(null));
    for (text, format, first) in [
        ("shc:/1", "shc", "numeric"),
        ("{}", "vds-nc", "seal"),
        ("HC2:", "unknown", "prefix"),
    ] {
        let answer = serde_json::to_value(verify(text, &keys(), time(NOW))).unwrap();
        assert_eq!(answer["format"], format);
        assert!(
            answer["steps"][first]
                .as_str()
                .unwrap()
                .starts_with("failed")
        );
    }
}

#[test]
fn only_trusted_keys_count() {
    for form in CodeForm::ALL {
        let text = Issue::new(vaccination()).text(form);
        for keys in [
            TrustedKeys::default(),
            [PS256.identity.certificate.clone()].into_iter().collect(),
        ] {
            let verification = verify(&text, &keys, time(NOW));
            assert_eq!(failed(&verification), ["signature"]);
            assert_eq!(
                *verification.steps.result(Step::KeyUsage),
                StepResult::NotReached
            );
            assert_eq!(verification.signed_by, None);
            assert!(!verification.valid);
        }
    }
}

#[test]
fn every_key_of_a_key_id_is_tried() {
    let other = TestSigner::new(Algorithm::Es256, &[]);
    let kid = ES256.identity.kid_base64();
    let list = |certificates: &[&TestSigner]| {
        let certificates: Vec<String> = certificates
            .iter()
            .map(|signer| signer.identity.certificate.to_pem())
            .collect();
        let mut keys = TrustedKeys::default();
        let list = json!({ &kid: certificates }).to_string();
        assert_eq!(keys.add_trust_list(list.as_bytes()), Ok(certificates.len()));
        keys
    };
    let text = Issue::new(vaccination()).text(CodeForm::Dcc);
    assert!(verify(&text, &list(&[&other, &PS256, &ES256]), time(NOW)).valid);
    assert!(!verify(&text, &list(&[&other, &PS256]), time(NOW)).valid);
}

#[test]
fn trust_lists_come_in_several_forms() {
    let certificate = &ES256.identity.certificate;
    let kid = ES256.identity.kid_base64();
    let der = base64::Engine::encode(&base64::prelude::BASE64_STANDARD, certificate.der());
    let text = Issue::new(vaccination()).text(CodeForm::Dcc);
    for entry in [
        json!(der),
        json!([der]),
        json!({"certificate": certificate.to_pem(), "status": "current"}),
        json!({"rawData": der}),
        json!({"x5c": [der]}),
        json!({"publicKeyJwk": certificate.jwk()}),
    ] {
        let mut keys = TrustedKeys::default();
        let list = json!({ &kid: entry }).to_string();
        assert_eq!(keys.add_trust_list(list.as_bytes()), Ok(1));
        assert_eq!(keys.len(), 1);
        assert!(verify(&text, &keys, time(NOW)).valid);
    }
    let mut jwk = certificate.jwk();
    jwk["kid"] = json!(kid);
    let did = json!({"verificationMethod": [{"publicKeyJwk": jwk}], "proof": {}});
    let mut keys = TrustedKeys::default();
    assert_eq!(keys.add_trust_list(did.to_string().as_bytes()), Ok(1));
    assert!(verify(&text, &keys, time(NOW)).valid);

    let mut keys = TrustedKeys::default();
    let mut refused = |list: &str| keys.add_trust_list(list.as_bytes()).unwrap_err();
    assert!(matches!(refused("{"), TrustListError::NotJson(_)));
    assert_eq!(refused("[]"), TrustListError::NotAList);
    for entry in [
        "{\"a\":\"AAAA\"}",
        "{\"a\":{\"publicKey\":\"AAAA\"}}",
        "{\"a\":1}",
    ] {
        let list = entry
            .replace('{', &format!("{{\"{kid}\":\"{der}\","))
            .replacen(
                &format!("{{\"{kid}\":\"{der}\",\"publicKey\""),
                "{\"publicKey\"",
                1,
            );
        assert!(
            matches!(refused(&list), TrustListError::Entry { .. }),
            "{list}"
        );
    }
    assert!(keys.is_empty(), "half a list is trusted");
}

#[test]
fn limited_keys_sign_only_what_they_may() {
    let kid = ES256.identity.kid_base64();
    // The encoders refuse as well, so the verifier alone knows of the limits.
    let limited = |usages: &[u64]| {
        let certificate = ES256.certificate_with(usages).to_pem();
        let mut keys = TrustedKeys::default();
        let list = json!({ &kid: certificate }).to_string();
        keys.add_trust_list(list.as_bytes()).unwrap();
        keys
    };
    let (tests, vaccinations) = (limited(&[1]), limited(&[2]));
    for form in [CodeForm::Who, CodeForm::Dcc, CodeForm::Shc] {
        for (set, may, may_not) in [
            (vaccination(), &vaccinations, &tests),
            (test_result(), &tests, &vaccinations),
        ] {
            let text = Issue::new(set).text(form);
            assert!(verify(&text, may, time(NOW)).valid);
            let verification = verify(&text, may_not, time(NOW));
            assert_eq!(failed(&verification), ["keyUsage"]);
            assert!(!verification.valid);
        }
    }
    let seal = Issue::new(vaccination()).text(CodeForm::Icao);
    let decoded = decode(Format::VdsNc, &seal, &tests, time(NOW)).unwrap();
    assert_eq!(decoded.key_usages, [KeyUsage::Vaccination]);
}

#[test]
fn times_are_those_of_the_code_and_of_the_certificate() {
    let keys = keys();
    let text = |form| Issue::new(vaccination()).text(form);
    for (at, forms, valid) in [
        (
            "2021-04-06T09:59:59Z",
            &[CodeForm::Who, CodeForm::Dcc, CodeForm::Shc][..],
            false,
        ),
        ("2021-04-06T10:00:00Z", &CodeForm::ALL, true),
        ("2022-04-05T23:59:58Z", &CodeForm::ALL, true),
        (
            "2022-04-05T23:59:59Z",
            &[CodeForm::Who, CodeForm::Dcc, CodeForm::Shc],
            false,
        ),
        ("2022-12-31T00:00:00Z", &[CodeForm::Icao], true),
        ("2023-01-01T00:00:01Z", &CodeForm::ALL, false),
        ("2020-12-31T00:00:00Z", &CodeForm::ALL, false),
    ] {
        for form in forms {
            let verification = verify(&text(*form), &keys, time(at));
            assert_eq!(verification.valid, valid, "{at} {verification:?}");
            if !valid {
                assert!(failed(&verification).contains(&"validity"), "{at}");
            }
        }
    }
}

#[test]
fn issued_codes_are_checked_before_they_leave() {
    let at = time("2021-04-06T10:00:00Z");
    let identity = &ES256.identity;
    for row in EXAMPLES {
        for form in CodeForm::ALL {
            let code = IssuedCode::new(form, Issue::new(example(row)).text(form)).unwrap();
            assert_eq!(check_issued(&code, identity, at), Ok(()));
            let other = check_issued(&code, &PS256.identity, at).unwrap_err();
            assert!(matches!(
                other,
                CheckError::Refused {
                    step: "signature",
                    ..
                }
            ));
        }
    }
    let who = IssuedCode::new(CodeForm::Who, Issue::new(vaccination()).text(CodeForm::Who));
    let who = who.unwrap();
    let dcc = IssuedCode::new(CodeForm::Dcc, Issue::new(vaccination()).text(CodeForm::Dcc));
    let mut swapped = who.clone();
    swapped.qr_code = dcc.unwrap().qr_code;
    assert!(matches!(
        check_issued(&swapped, identity, at),
        Err(CheckError::QrCode { .. })
    ));
    let mut other_image = who.clone();
    other_image.png = swapped.qr_code.png();
    assert!(matches!(
        check_issued(&other_image, identity, at),
        Err(CheckError::QrCode { reason, .. }) if reason.contains("image")
    ));
    let mut both = swapped;
    both.png = both.qr_code.png();
    assert!(matches!(
        check_issued(&both, identity, at),
        Err(CheckError::QrCode { reason, .. }) if reason.contains("text")
    ));
    let mut other = who;
    other.form = CodeForm::Shc;
    assert_eq!(
        check_issued(&other, identity, at),
        Err(CheckError::OtherForm {
            form: CodeForm::Shc
        })
    );
}

#[test]
fn letters_of_every_script_are_read_from_the_modules() {
    let mut set = vaccination();
    set["vaccination"]["brand"]["display"] = json!("Comirnaty® Ж");
    let text = Issue::new(set).text(CodeForm::Icao);
    let code = IssuedCode::new(CodeForm::Icao, text).unwrap();
    let at = time("2021-04-06T10:00:00Z");
    assert_eq!(check_issued(&code, &ES256.identity, at), Ok(()));
}

#[test]
fn what_counts_later_or_is_over_may_leave() {
    let mut later = vaccination();
    later["certificate"]["period"]["start"] = json!("2021-05-01");
    let later = Issue::new(later);
    let mut over = Issue::new(vaccination());
    over.issued_at = time("2022-10-01T00:00:00Z");
    over.issuer.issue_expired = true;
    for issue in [later, over] {
        for form in CodeForm::ALL {
            let code = IssuedCode::new(form, issue.text(form)).unwrap();
            assert_eq!(
                check_issued(&code, &ES256.identity, issue.issued_at),
                Ok(())
            );
        }
    }
}

#[test]
fn truncated_texts_get_a_clear_answer() {
    let keys = keys();
    for form in CodeForm::ALL {
        let text = Issue::new(vaccination()).text(form);
        for length in 0..text.len() {
            let verification = verify(&text[..length], &keys, time(NOW));
            assert!(!verification.valid);
            assert_eq!(failed(&verification).len(), 1, "{length} {verification:?}");
        }
    }
}

#[test]
fn a_reason_never_tells_what_the_code_says() {
    let mut set = vaccination();
    set["vaccination"]["lot"] = json!("secret\u{202e}");
    let text = Issue::new(set).text(CodeForm::Who);
    let verification = verify(&text, &keys(), time(NOW));
    assert_eq!(failed(&verification), ["schema"]);
    let printed = format!("{verification:?}");
    assert!(printed.contains("vaccination.lot") && !printed.contains("secret"));
}

/// Every one of them, since the few bits that decompression does not look at are hard to hit.
#[test]
fn no_hcert_with_another_character_verifies() {
    let keys = keys();
    for _ in 0..4 {
        let text = Issue::new(vaccination()).text(CodeForm::Dcc);
        let mut other = text.clone().into_bytes();
        for place in 0..other.len() {
            for character in *b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:" {
                let before = std::mem::replace(&mut other[place], character);
                if before != character {
                    let altered = str::from_utf8(&other).unwrap();
                    let verification = verify(altered, &keys, time(NOW));
                    assert!(!verification.valid, "{place}");
                }
                other[place] = before;
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn no_text_with_another_character_verifies(
        form in prop::sample::select(&CodeForm::ALL[..]),
        place in any::<prop::sample::Index>(),
        character in "[0-9A-Z $%*+./:a-z\"{}_-]",
    ) {
        static TEXTS: std::sync::LazyLock<Vec<String>> = std::sync::LazyLock::new(|| {
            let issue = Issue::new(vaccination());
            CodeForm::ALL.into_iter().map(|form| issue.text(form)).collect()
        });
        let index = CodeForm::ALL.iter().position(|one| *one == form).unwrap();
        let mut text = TEXTS[index].clone();
        let place = place.index(text.len());
        prop_assume!(text[place..=place] != *character);
        text.replace_range(place..=place, &character);
        prop_assert!(!verify(&text, &keys(), time(NOW)).valid, "{place}");
    }
}
