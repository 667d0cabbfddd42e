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
    let mut canonical = String::new();
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
mod tests;
