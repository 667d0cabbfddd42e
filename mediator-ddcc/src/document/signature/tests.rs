#![allow(clippy::unwrap_used, reason = "tests")]

use std::sync::LazyLock;

use proptest::prelude::*;
use proptest::sample::Index;

use super::*;
use crate::codes::testing::{ES256, PS256, TestSigner, time};
use crate::document::testing::Sample;

static DOCUMENT: LazyLock<Value> = LazyLock::new(|| Sample::vaccination().into_document());

fn signed_by(signer: &'static TestSigner) -> Value {
    let mut sample = Sample::vaccination();
    sample.issue.signer = signer;
    sample.into_document()
}

fn certificates() -> [SigningCertificate; 2] {
    [
        PS256.identity.certificate.clone(),
        ES256.identity.certificate.clone(),
    ]
}

fn error(document: &Value) -> SignatureError {
    verify(document, &certificates()).unwrap_err()
}

/// The compact JWS in a document.
fn jws(document: &Value) -> String {
    let data = document["signature"]["data"].as_str().unwrap();
    String::from_utf8(STANDARD.decode(data).unwrap()).unwrap()
}

fn header_of(document: &Value) -> Value {
    let jws = jws(document);
    let header = URL_SAFE_NO_PAD.decode(jws.split('.').next().unwrap());
    serde_json::from_slice(&header.unwrap()).unwrap()
}

/// A document signed anew by the first test signer under this header.
fn with_header(header: &Value) -> Value {
    let mut document = DOCUMENT.clone();
    let header = URL_SAFE_NO_PAD.encode(header.to_string());
    let input = signing_input(&header, &document).unwrap();
    let signature = URL_SAFE_NO_PAD.encode(ES256.sign(&input));
    document["signature"]["data"] = json!(STANDARD.encode(format!("{header}..{signature}")));
    document
}

#[test]
fn both_algorithms_are_signed_and_verified() {
    for signer in [&*ES256, &*PS256] {
        let document = signed_by(signer);
        let certificates = certificates();
        let verified = verify(&document, &certificates).unwrap();
        assert_eq!(verified.certificate, &signer.identity.certificate);
        assert_eq!(verified.signed_at, time("2021-04-06T10:00:00Z"));
    }
}

#[test]
fn the_header_tells_algorithm_key_time_and_certificate() {
    let certificate = &ES256.identity.certificate;
    assert_eq!(
        header_of(&DOCUMENT),
        json!({
            "alg": "ES256",
            "kid": STANDARD.encode(certificate.kid()),
            "iat": 1_617_703_200,
            "x5t#S256": URL_SAFE_NO_PAD.encode(digest(&SHA256, certificate.der())),
            "x5c": [STANDARD.encode(certificate.der())],
        })
    );
    assert_eq!(header_of(&signed_by(&PS256))["alg"], "PS256");
    assert_eq!(jws(&DOCUMENT).split('.').nth(1), Some(""));
}

#[test]
fn the_signature_element_is_fhir_s() {
    let mut element = DOCUMENT["signature"].clone();
    element.as_object_mut().unwrap().remove("data");
    assert_eq!(
        element,
        json!({
            "type": [{
                "system": "urn:iso-astm:E1762-95:2013",
                "code": "1.2.840.10065.1.12.1.5",
                "display": "Verification Signature",
            }],
            "when": "2021-04-06T10:00:00Z",
            "who": {"reference": DOCUMENT["entry"][2]["fullUrl"]},
            "targetFormat": "application/fhir+json;canonicalization=http://hl7.org/fhir/canonicalization/json#document",
            "sigFormat": "application/jose",
        })
    );
}

#[test]
fn servers_may_add_id_and_meta_and_order_properties_otherwise() {
    let mut document = DOCUMENT.clone();
    document["id"] = json!("1");
    document["meta"] = json!({"versionId": "7"});
    assert!(verify(&document, &certificates()).is_ok());
    fn reversed(value: &Value) -> Value {
        match value {
            Value::Object(object) => object
                .iter()
                .rev()
                .map(|(name, value)| (name.clone(), reversed(value)))
                .collect(),
            Value::Array(values) => values.iter().map(reversed).collect(),
            other => other.clone(),
        }
    }
    let other_order = reversed(&document);
    assert_ne!(other_order.to_string(), document.to_string());
    assert!(verify(&other_order, &certificates()).is_ok());
}

#[test]
fn what_is_no_signed_document_is_told_apart() {
    assert_eq!(error(&json!([])), SignatureError::NotADocument);
    let mut document = DOCUMENT.clone();
    document["type"] = json!("collection");
    assert_eq!(error(&document), SignatureError::NotADocument);
    let mut document = DOCUMENT.clone();
    document.as_object_mut().unwrap().remove("signature");
    assert_eq!(error(&document), SignatureError::Missing);
    let compact = jws(&DOCUMENT);
    let parts: Vec<&str> = compact.split('.').collect();
    for data in [
        json!(null),
        json!("?"),
        json!(STANDARD.encode([0xff, 0xfe])),
        json!(STANDARD.encode("a.b")),
        json!(STANDARD.encode(format!("{}.e30.{}", parts[0], parts[2]))),
        json!(STANDARD.encode(format!("{}..{}=", parts[0], parts[2]))),
        json!(STANDARD.encode(format!("?..{}", parts[2]))),
    ] {
        let mut document = DOCUMENT.clone();
        document["signature"]["data"] = data.clone();
        assert!(
            matches!(error(&document), SignatureError::Unreadable(_)),
            "{data}"
        );
    }
}

#[test]
fn only_the_trust_network_s_algorithms_are_accepted() {
    for algorithm in ["none", "HS256", "ES384", "RS256", "es256"] {
        let mut header = header_of(&DOCUMENT);
        header["alg"] = json!(algorithm);
        assert_eq!(error(&with_header(&header)), SignatureError::Algorithm);
    }
    // The key's type decides, too.
    let mut header = header_of(&DOCUMENT);
    header["alg"] = json!("PS256");
    assert_eq!(error(&with_header(&header)), SignatureError::Invalid);
}

#[test]
fn header_extensions_are_refused() {
    for (name, value) in [("b64", json!(false)), ("crit", json!(["iat"]))] {
        let mut header = header_of(&DOCUMENT);
        header[name] = value;
        assert!(matches!(
            error(&with_header(&header)),
            SignatureError::Unreadable(_)
        ));
    }
    for name in ["iat", "kid"] {
        let mut header = header_of(&DOCUMENT);
        header.as_object_mut().unwrap().remove(name);
        assert!(matches!(
            error(&with_header(&header)),
            SignatureError::Unreadable(_)
        ));
    }
}

#[test]
fn the_key_is_found_by_its_id() {
    let kid = ES256.identity.kid_base64();
    assert_eq!(
        verify(&DOCUMENT, &certificates()[..1]).unwrap_err(),
        SignatureError::UnknownKey { kid }
    );
    let mut header = header_of(&DOCUMENT);
    header["kid"] = json!(PS256.identity.kid_base64());
    assert_eq!(error(&with_header(&header)), SignatureError::Invalid);
    let mut header = header_of(&DOCUMENT);
    header["x5t#S256"] = json!(thumbprint(&PS256.identity.certificate));
    assert_eq!(error(&with_header(&header)), SignatureError::Invalid);
}

#[test]
fn the_signer_is_named() {
    for signer in [&*ES256, &*PS256] {
        let certificate = signing_certificate(&signed_by(signer));
        assert_eq!(certificate.as_ref(), Some(&signer.identity.certificate));
    }
    let mut header = header_of(&DOCUMENT);
    for x5c in [json!([]), json!(["?"]), json!(["AAAA"])] {
        header["x5c"] = x5c;
        assert_eq!(signing_certificate(&with_header(&header)), None);
    }
    assert_eq!(signing_certificate(&json!({})), None);
}

#[test]
fn the_certificate_in_the_header_is_not_believed() {
    let other = TestSigner::new(Algorithm::Es256, &[]);
    let mut header = header_of(&DOCUMENT);
    header["x5c"] = json!([STANDARD.encode(other.identity.certificate.der())]);
    let mut document = with_header(&header);
    assert!(verify(&document, &certificates()).is_ok());
    document["timestamp"] = json!("2021-04-07T10:00:00Z");
    assert_eq!(error(&document), SignatureError::Invalid);
}

#[test]
fn a_signature_outside_its_certificate_s_validity_is_refused() {
    let mut header = header_of(&DOCUMENT);
    header["iat"] = json!(time("2023-01-01T00:00:01Z").timestamp());
    let mut document = with_header(&header);
    document["signature"]["when"] = json!("2023-01-01T00:00:01Z");
    assert_eq!(error(&document), SignatureError::OutsideValidity);
}

#[test]
fn what_is_not_signed_must_follow_from_what_is() {
    let mut document = DOCUMENT.clone();
    document["signature"]["when"] = json!("2021-04-06T10:00:01Z");
    assert_eq!(
        error(&document),
        SignatureError::Contradiction("Bundle.signature")
    );
    let mut document = DOCUMENT.clone();
    document["signature"]["who"]["reference"] = document["entry"][1]["fullUrl"].clone();
    assert_eq!(
        error(&document),
        SignatureError::Contradiction("Bundle.signature.who")
    );
}

#[test]
fn numbers_that_readers_disagree_about_are_refused() {
    for (number, is_refused) in [
        (json!(9_007_199_254_740_991_u64), false),
        (json!(9_007_199_254_740_992_u64), true),
        (json!(-9_007_199_254_740_992_i64), true),
        (json!(0.1), false),
    ] {
        let mut document = DOCUMENT.clone();
        document["entry"][3]["resource"]["doseQuantity"] = json!({"value": number});
        assert_eq!(
            error(&document) == SignatureError::NumberTooLarge,
            is_refused
        );
    }
}

/// Every place in a JSON value, as JSON Pointers (RFC 6901).
fn pointers(value: &Value, at: &str, found: &mut Vec<String>) {
    found.push(at.to_owned());
    match value {
        Value::Object(object) => {
            for (name, value) in object {
                let name = name.replace('~', "~0").replace('/', "~1");
                pointers(value, &format!("{at}/{name}"), found);
            }
        }
        Value::Array(values) => {
            for (index, value) in values.iter().enumerate() {
                pointers(value, &format!("{at}/{index}"), found);
            }
        }
        _ => {}
    }
}

static POINTERS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let mut found = Vec::new();
    pointers(&DOCUMENT, "", &mut found);
    found
});

fn change(value: &mut Value, place: Index) {
    match value {
        Value::Null => *value = json!(false),
        Value::Bool(it) => *it = !*it,
        Value::Number(_) => *value = json!(value.as_i64().unwrap() + 1),
        Value::String(text) => {
            let mut characters: Vec<char> = text.chars().collect();
            let place = place.index(characters.len());
            characters[place] = if characters[place] == 'A' { 'B' } else { 'A' };
            *text = characters.into_iter().collect();
        }
        Value::Array(values) => values.push(json!({})),
        Value::Object(object) => {
            object.insert("x".into(), json!(1));
        }
    }
}

fn remove(document: &mut Value, pointer: &str) {
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    match document.pointer_mut(parent).unwrap() {
        Value::Object(object) => {
            object.remove(name);
        }
        Value::Array(values) => {
            values.remove(name.parse().unwrap());
        }
        _ => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn no_element_can_be_changed(pointer in any::<Index>(), place in any::<Index>()) {
        let pointer = pointer.get(&POINTERS);
        let mut document = DOCUMENT.clone();
        change(document.pointer_mut(pointer).unwrap(), place);
        prop_assert!(verify(&document, &certificates()).is_err(), "{}", pointer);
    }

    #[test]
    fn no_element_can_be_removed(pointer in any::<Index>()) {
        let pointer = pointer.get(&POINTERS[1..]);
        let mut document = DOCUMENT.clone();
        remove(&mut document, pointer);
        prop_assert!(verify(&document, &certificates()).is_err(), "{}", pointer);
    }

    #[test]
    fn any_json_is_answered(text in "\\PC{0,64}") {
        let mut document = DOCUMENT.clone();
        document["signature"]["data"] = json!(STANDARD.encode(&text));
        prop_assert!(verify(&document, &certificates()).is_err());
    }
}
