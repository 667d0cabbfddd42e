//! `Bundle.signature` of a document: a detached JWS (RFC 7515 appendix F) over its canonical JSON
//! (RFC 8785).
//!
//! What is signed is the Bundle without `signature`, and without `id` and `meta`, so that a
//! document may be copied from server to server: FHIR's canonicalization
//! `http://hl7.org/fhir/canonicalization/json#document`. `Signature.data` is base64 of the JWS in
//! compact serialization, whose payload is left out.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::canonical::{self, NumberTooLarge};
use super::{DocumentError, instant};
use crate::signing::{Algorithm, SignerIdentity, SigningCertificate};
use crate::strict_json;

/// Elements of the Bundle that are not signed.
const NOT_SIGNED: [&str; 3] = ["id", "meta", "signature"];

/// `Signature.targetFormat`.
const TARGET_FORMAT: &str =
    "application/fhir+json;canonicalization=http://hl7.org/fhir/canonicalization/json#document";

/// Who signed a document, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedSignature<'a> {
    /// Whose key signed.
    pub certificate: &'a SigningCertificate,
    /// When, by the signer's own clock.
    pub signed_at: DateTime<Utc>,
}

/// Why a document is not known to be what its signer signed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// Something else than a document.
    #[error("this is no Bundle of type document")]
    NotADocument,
    /// Nobody signed.
    #[error("the document has no signature")]
    Missing,
    /// `Bundle.signature` is not a detached JWS.
    #[error("Bundle.signature is unreadable: {0}")]
    Unreadable(&'static str),
    /// Not an algorithm of the trust network.
    #[error("the signature's algorithm is neither ES256 nor PS256")]
    Algorithm,
    /// No certificate at hand has the signature's key id.
    #[error("no certificate has the signature's key id {kid}; get the signer's certificate")]
    UnknownKey {
        /// `kid` of the JWS header.
        kid: String,
    },
    /// `Bundle.signature`, which is not signed itself, tells something else than what is.
    #[error("{0} contradicts what is signed")]
    Contradiction(&'static str),
    /// A number that JSON implementations do not agree about.
    #[error("the document has a whole number beyond 2^53, which no signature protects")]
    NumberTooLarge,
    /// The document was changed, or another key signed it.
    #[error("the signature is not the signer's over this document: it was changed")]
    Invalid,
    /// Signed before or after the certificate's validity.
    #[error("the document was signed outside the validity of its signer's certificate")]
    OutsideValidity,
}

/// A document's signature, opened and not verified yet.
pub(crate) struct OpenSignature {
    /// HCERT key id of the signer's certificate, base64.
    pub(crate) kid: String,
    /// Algorithm of the trust network.
    pub(crate) algorithm: Algorithm,
    /// When it was signed, by the signer's own clock.
    pub(crate) signed_at: DateTime<Utc>,
    /// JWS signing input over the document's canonical JSON.
    pub(crate) to_be_signed: Vec<u8>,
    /// The signature over it.
    pub(crate) signature: Vec<u8>,
    thumbprint: Option<String>,
}

impl OpenSignature {
    /// Opens the signature of a document, and checks that what is not signed in it contradicts
    /// nothing that is.
    ///
    /// # Errors
    /// [`SignatureError`], but none that needs a certificate to find.
    pub(crate) fn of(document: &Value) -> Result<Self, SignatureError> {
        let bundle = document
            .as_object()
            .filter(|bundle| bundle.get("resourceType") == Some(&json!("Bundle")))
            .filter(|bundle| bundle.get("type") == Some(&json!("document")))
            .ok_or(SignatureError::NotADocument)?;
        let element = bundle.get("signature").ok_or(SignatureError::Missing)?;
        let jws = DetachedJws::read(element)?;
        let who = element
            .pointer("/who/reference")
            .and_then(Value::as_str)
            .filter(|who| is_issuer(document, who))
            .ok_or(SignatureError::Contradiction("Bundle.signature.who"))?;
        if *element != signature_element(jws.signed_at, who, &jws.data) {
            return Err(SignatureError::Contradiction("Bundle.signature"));
        }
        let to_be_signed =
            signing_input(&jws.header, document).map_err(|_| SignatureError::NumberTooLarge)?;
        Ok(Self {
            kid: jws.kid,
            algorithm: jws.algorithm,
            signed_at: jws.signed_at,
            to_be_signed,
            signature: jws.signature,
            thumbprint: jws.thumbprint,
        })
    }

    /// Whether the signature may be of this certificate's key: key id and, where the signature
    /// states it, thumbprint.
    pub(crate) fn names(&self, certificate: &SigningCertificate) -> bool {
        STANDARD.encode(certificate.kid()) == self.kid
            && self
                .thumbprint
                .as_deref()
                .is_none_or(|it| it == thumbprint(certificate))
    }
}

/// Verifies a document with the certificates at hand; each that has the signature's key id is
/// tried. Whether a certificate is to be trusted, and whether it is still valid now, is the
/// caller's to judge.
///
/// # Errors
/// [`SignatureError`].
pub fn verify<'a>(
    document: &Value,
    certificates: &'a [SigningCertificate],
) -> Result<VerifiedSignature<'a>, SignatureError> {
    let open = OpenSignature::of(document)?;
    let has_key_id =
        |certificate: &&SigningCertificate| STANDARD.encode(certificate.kid()) == open.kid;
    if !certificates
        .iter()
        .any(|certificate| has_key_id(&certificate))
    {
        return Err(SignatureError::UnknownKey { kid: open.kid });
    }
    let certificate = certificates
        .iter()
        .filter(|certificate| open.names(certificate))
        .find(|certificate| certificate.verify(open.algorithm, &open.to_be_signed, &open.signature))
        .ok_or(SignatureError::Invalid)?;
    if !is_valid_at(certificate, open.signed_at) {
        return Err(SignatureError::OutsideValidity);
    }
    Ok(VerifiedSignature {
        certificate,
        signed_at: open.signed_at,
    })
}

/// The certificate that the signature names as its signer's. Nothing is verified: it tells which
/// certificate to look for, not whom to trust.
#[must_use]
pub fn signing_certificate(document: &Value) -> Option<SigningCertificate> {
    let jws = DetachedJws::read(document.get("signature")?).ok()?;
    let der = STANDARD.decode(jws.certificate?).ok()?;
    SigningCertificate::from_der(der).ok()
}

/// Whether the time is within the certificate's validity.
pub(super) fn is_valid_at(certificate: &SigningCertificate, time: DateTime<Utc>) -> bool {
    certificate.not_before() <= time && time <= certificate.not_after()
}

/// A signature that is still to be made.
pub(super) struct Unsigned {
    algorithm: Algorithm,
    signed_at: DateTime<Utc>,
    who: String,
    header: String,
    to_be_signed: Vec<u8>,
}

impl Unsigned {
    pub(super) fn new(
        bundle: &Value,
        signer: &SignerIdentity,
        signed_at: DateTime<Utc>,
        who: String,
    ) -> Result<Self, DocumentError> {
        let header = URL_SAFE_NO_PAD.encode(header(signer, signed_at).to_string());
        let to_be_signed =
            signing_input(&header, bundle).map_err(|_| DocumentError::NumberTooLarge)?;
        Ok(Self {
            algorithm: signer.algorithm,
            signed_at,
            who,
            header,
            to_be_signed,
        })
    }

    pub(super) fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    pub(super) fn to_be_signed(&self) -> &[u8] {
        &self.to_be_signed
    }

    /// `Bundle.signature`.
    pub(super) fn finish(self, signature: &[u8]) -> Value {
        let jws = format!("{}..{}", self.header, URL_SAFE_NO_PAD.encode(signature));
        signature_element(self.signed_at, &self.who, &STANDARD.encode(jws))
    }
}

/// The JWS header. `kid` is the one of HCERT, which trust lists know; certificate, thumbprint and
/// time are what JAdES (ETSI TS 119 182-1) asks of a baseline signature.
fn header(signer: &SignerIdentity, signed_at: DateTime<Utc>) -> Value {
    json!({
        "alg": algorithm_name(signer.algorithm),
        "kid": signer.kid_base64(),
        "iat": signed_at.timestamp(),
        "x5t#S256": thumbprint(&signer.certificate),
        "x5c": [STANDARD.encode(signer.certificate.der())],
    })
}

/// SHA-256 of the certificate as a JWS header states it (RFC 7515 4.1.8).
fn thumbprint(certificate: &SigningCertificate) -> String {
    URL_SAFE_NO_PAD.encode(digest(&SHA256, certificate.der()))
}

fn algorithm_name(algorithm: Algorithm) -> &'static str {
    match algorithm {
        Algorithm::Es256 => "ES256",
        Algorithm::Ps256 => "PS256",
    }
}

/// `Bundle.signature`. It is not signed itself, so nothing in it may be anything else than what
/// the JWS and the rest of the Bundle tell.
fn signature_element(signed_at: DateTime<Utc>, who: &str, data: &str) -> Value {
    json!({
        "type": [{
            "system": "urn:iso-astm:E1762-95:2013",
            "code": "1.2.840.10065.1.12.1.5",
            "display": "Verification Signature",
        }],
        "when": instant(signed_at),
        "who": {"reference": who},
        "targetFormat": TARGET_FORMAT,
        "sigFormat": "application/jose",
        "data": data,
    })
}

/// Whether the Composition names this as who attests it, keeps it or wrote it.
fn is_issuer(document: &Value, reference: &str) -> bool {
    let Some(composition) = document.pointer("/entry/0/resource") else {
        return false;
    };
    [
        "/attester/0/party/reference",
        "/custodian/reference",
        "/author/0/reference",
    ]
    .iter()
    .any(|pointer| composition.pointer(pointer).and_then(Value::as_str) == Some(reference))
}

/// JWS signing input (RFC 7515 5.1) over the canonical JSON of the Bundle.
fn signing_input(header: &str, bundle: &Value) -> Result<Vec<u8>, NumberTooLarge> {
    let signed = bundle
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(name, _)| !NOT_SIGNED.contains(&name.as_str()));
    let mut canonical = Vec::new();
    canonical::write_object(signed, &mut canonical)?;
    let mut input = String::with_capacity(header.len() + 1 + canonical.len() * 4 / 3 + 4);
    input.push_str(header);
    input.push('.');
    URL_SAFE_NO_PAD.encode_string(&canonical, &mut input);
    Ok(input.into_bytes())
}

/// A detached JWS as it is in `Signature.data`.
struct DetachedJws {
    data: String,
    header: String,
    algorithm: Algorithm,
    kid: String,
    thumbprint: Option<String>,
    certificate: Option<String>,
    signed_at: DateTime<Utc>,
    signature: Vec<u8>,
}

impl DetachedJws {
    fn read(element: &Value) -> Result<Self, SignatureError> {
        use SignatureError::Unreadable;
        let data = element
            .get("data")
            .and_then(Value::as_str)
            .ok_or(Unreadable("it has no data"))?;
        let jws = STANDARD
            .decode(data)
            .ok()
            .and_then(|jws| String::from_utf8(jws).ok())
            .ok_or(Unreadable("data is not base64 of a text"))?;
        let parts: Vec<&str> = jws.split('.').collect();
        let [encoded, "", signature] = parts.as_slice() else {
            return Err(Unreadable("data is not a JWS with detached payload"));
        };
        let header = URL_SAFE_NO_PAD
            .decode(encoded)
            .ok()
            .and_then(|header| strict_json::parse(&header).ok())
            .ok_or(Unreadable("the JWS header is not base64url of JSON"))?;
        let signature = URL_SAFE_NO_PAD
            .decode(signature)
            .map_err(|_| Unreadable("the signature value is not base64url"))?;
        if header.get("crit").is_some() || header.get("b64").is_some() {
            return Err(Unreadable("the JWS header asks for extensions"));
        }
        let text = |name: &str| header.get(name).and_then(Value::as_str);
        let algorithm = match text("alg") {
            Some("ES256") => Algorithm::Es256,
            Some("PS256") => Algorithm::Ps256,
            _ => return Err(SignatureError::Algorithm),
        };
        let signed_at = header
            .get("iat")
            .and_then(Value::as_i64)
            .and_then(|seconds| DateTime::from_timestamp(seconds, 0))
            .ok_or(Unreadable("the JWS header has no iat"))?;
        Ok(Self {
            data: data.to_owned(),
            header: (*encoded).to_owned(),
            algorithm,
            kid: text("kid")
                .ok_or(Unreadable("the JWS header has no kid"))?
                .to_owned(),
            thumbprint: text("x5t#S256").map(str::to_owned),
            certificate: header
                .pointer("/x5c/0")
                .and_then(Value::as_str)
                .map(str::to_owned),
            signed_at,
            signature,
        })
    }
}

#[cfg(test)]
mod tests {
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
}
