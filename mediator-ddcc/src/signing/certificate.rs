//! X.509 certificates (RFC 5280) as signers and verifiers of health certificates use them.

use std::fmt;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{self, UnparsedPublicKey, VerificationAlgorithm};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use x509_parser::asn1_rs::{FromDer as _, oid};
use x509_parser::certificate::X509Certificate;
use x509_parser::der_parser::Oid;
use x509_parser::public_key::RSAPublicKey;
use x509_parser::x509::SubjectPublicKeyInfo;

use super::{Algorithm, PublicKey};

/// Bytes of one certificate that are read at most.
const MAXIMUM_CERTIFICATE: usize = 64 * 1024;

/// A certificate with the facts that signing and verification need, read once.
#[derive(Clone, PartialEq, Eq)]
pub struct SigningCertificate {
    der: Vec<u8>,
    subject: String,
    country: Option<String>,
    not_before: DateTime<Utc>,
    not_after: DateTime<Utc>,
    extended_key_usages: Vec<String>,
    key: Option<PublicKey>,
    kid: [u8; 8],
    jwk_thumbprint: String,
}

/// Why something is not a usable certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// Not X.509 at all.
    #[error("this is no X.509 certificate: give PEM, DER or base64 of DER")]
    Unreadable,
    /// A PEM file without a certificate in it.
    #[error("there is no certificate in this file")]
    Empty,
}

impl SigningCertificate {
    /// Reads one DER certificate; nothing may follow it.
    ///
    /// # Errors
    /// [`CertificateError::Unreadable`].
    pub fn from_der(der: impl Into<Vec<u8>>) -> Result<Self, CertificateError> {
        let der = der.into();
        if der.len() > MAXIMUM_CERTIFICATE {
            return Err(CertificateError::Unreadable);
        }
        let certificate = parse(&der)?;
        let time = |time: x509_parser::time::ASN1Time| {
            DateTime::from_timestamp(time.timestamp(), 0).ok_or(CertificateError::Unreadable)
        };
        let extended_key_usages = match certificate.extended_key_usage() {
            Ok(Some(extension)) => usages(extension.value),
            Ok(None) => Vec::new(),
            Err(_) => return Err(CertificateError::Unreadable),
        };
        let country = certificate
            .subject()
            .iter_country()
            .next()
            .and_then(|attribute| attribute.as_str().ok())
            .map(str::to_uppercase);
        let key = PublicKey::from_info(certificate.public_key());
        let mut kid = [0; 8];
        for (byte, hashed) in kid.iter_mut().zip(digest(&SHA256, &der).as_ref()) {
            *byte = *hashed;
        }
        // The members are made in the order that RFC 7638 3 asks for.
        let canonical = thumbprint_input(key.as_ref()).to_string();
        Ok(Self {
            subject: certificate.subject().to_string(),
            country,
            not_before: time(certificate.validity().not_before)?,
            not_after: time(certificate.validity().not_after)?,
            extended_key_usages,
            key,
            kid,
            jwk_thumbprint: URL_SAFE_NO_PAD.encode(digest(&SHA256, canonical.as_bytes())),
            der,
        })
    }

    /// Reads every certificate in PEM, or one in DER, or one in base64 of DER.
    ///
    /// # Errors
    /// [`CertificateError`]; other things in a PEM file, such as a key, are passed over.
    pub fn read_all(bytes: &[u8]) -> Result<Vec<Self>, CertificateError> {
        if bytes.first() == Some(&0x30)
            && let Ok(certificate) = Self::from_der(bytes)
        {
            return Ok(vec![certificate]);
        }
        let text = str::from_utf8(bytes).map_err(|_| CertificateError::Unreadable)?;
        if text.contains("-----BEGIN ") {
            let mut certificates = Vec::new();
            for block in x509_parser::pem::Pem::iter_from_buffer(bytes) {
                let block = block.map_err(|_| CertificateError::Unreadable)?;
                if block.label == "CERTIFICATE" {
                    certificates.push(Self::from_der(block.contents)?);
                }
            }
            return if certificates.is_empty() {
                Err(CertificateError::Empty)
            } else {
                Ok(certificates)
            };
        }
        let compact: String = text.split_whitespace().collect();
        let der = STANDARD
            .decode(&compact)
            .or_else(|_| URL_SAFE_NO_PAD.decode(compact.trim_end_matches('=')))
            .map_err(|_| CertificateError::Unreadable)?;
        Ok(vec![Self::from_der(der)?])
    }

    /// The certificate itself.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// PEM (RFC 7468), with a line end behind.
    #[must_use]
    pub fn to_pem(&self) -> String {
        pem("CERTIFICATE", &self.der)
    }

    /// Key id of HCERT: the first 8 bytes of SHA-256 over the DER certificate.
    #[must_use]
    pub fn kid(&self) -> [u8; 8] {
        self.kid
    }

    /// [`Self::kid`] in base64, as codes and this program's commands show it.
    #[must_use]
    pub fn kid_base64(&self) -> String {
        STANDARD.encode(self.kid())
    }

    /// Distinguished name of the subject, for people.
    #[must_use]
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// Attribute `C` of the subject, upper case.
    #[must_use]
    pub fn country(&self) -> Option<&str> {
        self.country.as_deref()
    }

    /// First second of its validity.
    #[must_use]
    pub fn not_before(&self) -> DateTime<Utc> {
        self.not_before
    }

    /// Last second of its validity.
    #[must_use]
    pub fn not_after(&self) -> DateTime<Utc> {
        self.not_after
    }

    /// Whether a time is in its validity.
    #[must_use]
    pub fn is_valid_at(&self, time: DateTime<Utc>) -> bool {
        (self.not_before..=self.not_after).contains(&time)
    }

    /// Extended key usages as dotted OIDs; empty when the extension is absent.
    #[must_use]
    pub fn extended_key_usages(&self) -> &[String] {
        &self.extended_key_usages
    }

    /// The algorithm that this key signs health certificates with; `None` for other keys.
    #[must_use]
    pub fn key_algorithm(&self) -> Option<Algorithm> {
        self.key.as_ref().map(PublicKey::algorithm)
    }

    /// The public key; `None` for one that health certificates are not signed with.
    #[must_use]
    pub fn public_key(&self) -> Option<&PublicKey> {
        self.key.as_ref()
    }

    /// The public key as a JWK (RFC 7517) for signatures; its `kid` is the thumbprint.
    #[must_use]
    pub fn jwk(&self) -> Value {
        let mut jwk = thumbprint_input(self.key.as_ref());
        jwk["kid"] = json!(self.jwk_thumbprint());
        jwk["use"] = json!("sig");
        if let Some(algorithm) = self.key_algorithm() {
            jwk["alg"] = json!(algorithm.as_str());
        }
        jwk["x5c"] = json!([STANDARD.encode(&self.der)]);
        jwk
    }

    /// JWK SHA-256 thumbprint (RFC 7638), base64url: key id of SMART Health Cards.
    #[must_use]
    pub fn jwk_thumbprint(&self) -> &str {
        &self.jwk_thumbprint
    }

    /// Whether `signature` is this key's over `message`. False, too, when the key is of another
    /// type than the algorithm.
    #[must_use]
    pub fn verify(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        self.key
            .as_ref()
            .is_some_and(|key| key.algorithm() == algorithm && key.verify(message, signature))
    }

    /// Whether `issuer` issued this certificate: its name and its signature. Validity and the
    /// issuer's own rights are the caller's to check.
    #[must_use]
    pub fn is_issued_by(&self, issuer: &Self) -> bool {
        let (Ok(certificate), Ok(authority)) = (parse(&self.der), parse(&issuer.der)) else {
            return false;
        };
        if certificate.issuer().as_raw() != authority.subject().as_raw() {
            return false;
        }
        let Some(algorithm) = issuing_algorithm(
            &certificate.signature_algorithm.algorithm,
            authority.public_key(),
        ) else {
            return false;
        };
        check(
            algorithm,
            &authority.public_key().subject_public_key.data,
            certificate.tbs_certificate.as_ref(),
            &certificate.signature_value.data,
        )
    }
}

impl fmt::Debug for SigningCertificate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("SigningCertificate")
            .field("subject", &self.subject)
            .field("kid", &self.kid_base64())
            .field("not_after", &self.not_after)
            .finish_non_exhaustive()
    }
}

/// A block of PEM (RFC 7468), with a line end behind.
pub(super) fn pem(label: &str, der: &[u8]) -> String {
    let encoded = STANDARD.encode(der);
    let mut pem = format!("-----BEGIN {label}-----\n");
    for (index, character) in encoded.chars().enumerate() {
        if index > 0 && index % 64 == 0 {
            pem.push('\n');
        }
        pem.push(character);
    }
    pem.push_str(&format!("\n-----END {label}-----\n"));
    pem
}

fn parse(der: &[u8]) -> Result<X509Certificate<'_>, CertificateError> {
    match X509Certificate::from_der(der) {
        Ok(([], certificate)) => Ok(certificate),
        _ => Err(CertificateError::Unreadable),
    }
}

fn curve(info: &SubjectPublicKeyInfo<'_>) -> Option<Oid<'static>> {
    let curve = info.algorithm.parameters.as_ref()?.as_oid().ok()?;
    Some(curve.to_owned())
}

/// What a JWK thumbprint is over (RFC 7638 3.2).
fn thumbprint_input(key: Option<&PublicKey>) -> Value {
    let encode = |number: &[u8]| URL_SAFE_NO_PAD.encode(number);
    let Some(key) = key else {
        return json!({});
    };
    match key.algorithm() {
        Algorithm::Es256 => {
            let (x, y) = key.bits().get(1..).unwrap_or_default().split_at(32);
            json!({"crv": "P-256", "kty": "EC", "x": encode(x), "y": encode(y)})
        }
        Algorithm::Ps256 => match RSAPublicKey::from_der(key.bits()) {
            Ok((_, key)) => json!({
                "e": encode(without_leading_zeros(key.exponent)),
                "kty": "RSA",
                "n": encode(without_leading_zeros(key.modulus)),
            }),
            Err(_) => json!({}),
        },
    }
}

fn without_leading_zeros(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    number.get(zeros..).unwrap_or_default()
}

fn usages(extension: &x509_parser::extensions::ExtendedKeyUsage<'_>) -> Vec<String> {
    let named = [
        (extension.any, "2.5.29.37.0"),
        (extension.server_auth, "1.3.6.1.5.5.7.3.1"),
        (extension.client_auth, "1.3.6.1.5.5.7.3.2"),
        (extension.code_signing, "1.3.6.1.5.5.7.3.3"),
        (extension.email_protection, "1.3.6.1.5.5.7.3.4"),
        (extension.time_stamping, "1.3.6.1.5.5.7.3.8"),
        (extension.ocsp_signing, "1.3.6.1.5.5.7.3.9"),
    ];
    named
        .into_iter()
        .filter(|(present, _)| *present)
        .map(|(_, oid)| oid.to_owned())
        .chain(extension.other.iter().map(Oid::to_id_string))
        .collect()
}

fn issuing_algorithm(
    signature_algorithm: &Oid<'_>,
    key: &SubjectPublicKeyInfo<'_>,
) -> Option<&'static dyn VerificationAlgorithm> {
    let curve = curve(key);
    let p384 = oid!(1.3.132.0.34);
    Some(match signature_algorithm.to_id_string().as_str() {
        "1.2.840.10045.4.3.2" if curve == Some(p384.clone()) => &signature::ECDSA_P384_SHA256_ASN1,
        "1.2.840.10045.4.3.2" => &signature::ECDSA_P256_SHA256_ASN1,
        "1.2.840.10045.4.3.3" if curve == Some(p384) => &signature::ECDSA_P384_SHA384_ASN1,
        "1.2.840.10045.4.3.3" => &signature::ECDSA_P256_SHA384_ASN1,
        "1.2.840.10045.4.3.4" => &signature::ECDSA_P521_SHA512_ASN1,
        "1.2.840.113549.1.1.11" => &signature::RSA_PKCS1_2048_8192_SHA256,
        "1.2.840.113549.1.1.12" => &signature::RSA_PKCS1_2048_8192_SHA384,
        "1.2.840.113549.1.1.13" => &signature::RSA_PKCS1_2048_8192_SHA512,
        "1.2.840.113549.1.1.10" => &signature::RSA_PSS_2048_8192_SHA256,
        _ => return None,
    })
}

fn check(
    algorithm: &'static dyn VerificationAlgorithm,
    key: &[u8],
    message: &[u8],
    signature: &[u8],
) -> bool {
    UnparsedPublicKey::new(algorithm, key)
        .verify(message, signature)
        .is_ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use aws_lc_rs::rand::SystemRandom;
    use aws_lc_rs::signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, RSA_PSS_SHA256, RsaKeyPair,
    };
    use rcgen::{
        CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, KeyPair,
        PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_RSA_SHA256, SignatureAlgorithm,
    };

    use super::*;

    fn certificate(algorithm: &'static SignatureAlgorithm) -> (KeyPair, SigningCertificate) {
        let key = KeyPair::generate_for(algorithm).unwrap();
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CountryName, "xx");
        params.distinguished_name.push(DnType::CommonName, "Test");
        params.not_before = rcgen::date_time_ymd(2026, 1, 2);
        params.not_after = rcgen::date_time_ymd(2028, 1, 2);
        params.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::ClientAuth,
            ExtendedKeyUsagePurpose::Other(vec![1, 3, 6, 1, 4, 1, 1847, 2021, 1, 2]),
        ];
        let der = params.self_signed(&key).unwrap().der().to_vec();
        (key, SigningCertificate::from_der(der).unwrap())
    }

    #[test]
    fn reads_what_a_certificate_states() {
        let (_, certificate) = certificate(&PKCS_ECDSA_P256_SHA256);
        assert_eq!(certificate.country(), Some("XX"));
        assert!(certificate.subject().contains("CN=Test"));
        assert_eq!(
            certificate.not_before().to_rfc3339(),
            "2026-01-02T00:00:00+00:00"
        );
        assert_eq!(
            certificate.not_after().to_rfc3339(),
            "2028-01-02T00:00:00+00:00"
        );
        assert_eq!(
            certificate.extended_key_usages(),
            ["1.3.6.1.5.5.7.3.2", "1.3.6.1.4.1.1847.2021.1.2"]
        );
        assert_eq!(certificate.key_algorithm(), Some(Algorithm::Es256));
        assert_eq!(certificate.jwk()["kid"], certificate.jwk_thumbprint());
    }

    #[test]
    fn reads_every_form_a_certificate_comes_in() {
        let (_, one) = certificate(&PKCS_ECDSA_P256_SHA256);
        let (_, two) = certificate(&PKCS_ECDSA_P256_SHA256);
        let base64 = STANDARD.encode(one.der());
        let both = format!("{}{}", one.to_pem(), two.to_pem());
        for (bytes, expected) in [
            (one.der(), vec![&one]),
            (one.to_pem().as_bytes(), vec![&one]),
            (base64.as_bytes(), vec![&one]),
            (both.as_bytes(), vec![&one, &two]),
        ] {
            let read = SigningCertificate::read_all(bytes).unwrap();
            assert_eq!(read.iter().collect::<Vec<_>>(), expected);
        }
        for junk in [&b""[..], b"junk", b"0junk", b"\xff\xfe", b"AAAA"] {
            assert!(SigningCertificate::read_all(junk).is_err(), "{junk:?}");
        }
        let key = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
        assert_eq!(
            SigningCertificate::read_all(key.as_bytes()),
            Err(CertificateError::Empty)
        );
        let mut trailing = one.der().to_vec();
        trailing.push(0);
        assert!(SigningCertificate::from_der(trailing).is_err());
    }

    #[test]
    fn verifies_only_its_own_signatures() {
        let random = SystemRandom::new();
        let (key, es256) = certificate(&PKCS_ECDSA_P256_SHA256);
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &key.serialize_der())
            .unwrap();
        let signature = pair.sign(&random, b"message").unwrap();
        assert!(es256.verify(Algorithm::Es256, b"message", signature.as_ref()));
        assert!(!es256.verify(Algorithm::Es256, b"massage", signature.as_ref()));
        assert!(!es256.verify(Algorithm::Ps256, b"message", signature.as_ref()));

        let (key, ps256) = certificate(&PKCS_RSA_SHA256);
        let pair = RsaKeyPair::from_pkcs8(&key.serialize_der()).unwrap();
        let mut signature = vec![0; pair.public_modulus_len()];
        pair.sign(&RSA_PSS_SHA256, &random, b"message", &mut signature)
            .unwrap();
        assert_eq!(ps256.key_algorithm(), Some(Algorithm::Ps256));
        assert!(ps256.verify(Algorithm::Ps256, b"message", &signature));
        assert!(!ps256.verify(Algorithm::Ps256, b"massage", &signature));
        assert!(!ps256.verify(Algorithm::Es256, b"message", &signature));
    }

    #[test]
    fn a_key_of_another_curve_signs_no_health_certificate() {
        let (_, certificate) = certificate(&PKCS_ECDSA_P384_SHA384);
        assert_eq!(certificate.key_algorithm(), None);
    }

    #[test]
    fn knows_its_issuer() {
        let mut params = CertificateParams::default();
        params
            .distinguished_name
            .push(DnType::CommonName, "Authority");
        let issuer = |algorithm| {
            CertifiedIssuer::self_signed(params.clone(), KeyPair::generate_for(algorithm).unwrap())
                .unwrap()
        };
        for algorithm in [
            &PKCS_ECDSA_P256_SHA256,
            &PKCS_ECDSA_P384_SHA384,
            &PKCS_RSA_SHA256,
        ] {
            let (authority, impostor) = (issuer(algorithm), issuer(algorithm));
            let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
            let der = CertificateParams::default()
                .signed_by(&key, &authority)
                .unwrap();
            let certificate = SigningCertificate::from_der(der.der().to_vec()).unwrap();
            let read = |issuer: &CertifiedIssuer<'_, KeyPair>| {
                SigningCertificate::from_der(issuer.der().to_vec()).unwrap()
            };
            assert!(certificate.is_issued_by(&read(&authority)));
            assert!(!certificate.is_issued_by(&read(&impostor)));
        }
    }

    /// The example of RFC 7638 3.1 is an RSA key without certificate; this one is made with
    /// another implementation's rule: SHA-256 over the members in lexical order.
    #[test]
    fn thumbprint_is_over_the_required_members_only() {
        let (_, certificate) = certificate(&PKCS_ECDSA_P256_SHA256);
        let jwk = certificate.jwk();
        let canonical = format!(
            r#"{{"crv":"P-256","kty":"EC","x":{},"y":{}}}"#,
            jwk["x"], jwk["y"]
        );
        assert_eq!(
            certificate.jwk_thumbprint(),
            URL_SAFE_NO_PAD.encode(digest(&SHA256, canonical.as_bytes()))
        );
    }
}
