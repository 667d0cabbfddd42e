//! Whose signatures count.

use std::collections::HashMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use serde_json::Value;

use crate::signing::{CertificateError, SigningCertificate};
use crate::strict_json::{self, JsonError};

const LENIENT: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const BASE64: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
const BASE64_URL: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);

/// The certificates that are trusted, found by the key ids that codes state.
///
/// A key id is 8 bytes of a hash, so several certificates may have the same one; all are tried.
/// Nothing is ever fetched: a code whose key is not here is not trusted, whatever its issuer.
#[derive(Debug, Clone, Default)]
pub struct TrustedKeys {
    by_key_id: HashMap<Vec<u8>, Vec<Arc<SigningCertificate>>>,
    by_thumbprint: HashMap<String, Vec<Arc<SigningCertificate>>>,
    certificates: Vec<Arc<SigningCertificate>>,
}

/// Why a trust list cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TrustListError {
    /// Not JSON.
    #[error("the trust list is not JSON: {0}")]
    NotJson(#[from] JsonError),
    /// JSON of another kind.
    #[error("the trust list is not an object of key ids (base64) and their certificates")]
    NotAList,
    /// An entry that is no certificate.
    #[error("the entry {key_id} of the trust list has no usable certificate: {reason}")]
    Entry {
        /// The entry's name.
        key_id: String,
        /// What is wrong.
        reason: String,
    },
}

impl TrustedKeys {
    /// Trusts one certificate.
    pub fn add(&mut self, certificate: SigningCertificate) {
        let key_id = certificate.kid().to_vec();
        self.add_under(key_id, certificate);
    }

    /// Trusts every certificate in PEM, or one in DER or base64 of DER, and tells how many.
    ///
    /// # Errors
    /// [`CertificateError`].
    pub fn add_certificates(&mut self, bytes: &[u8]) -> Result<usize, CertificateError> {
        let certificates = SigningCertificate::read_all(bytes)?;
        let number = certificates.len();
        certificates
            .into_iter()
            .for_each(|certificate| self.add(certificate));
        Ok(number)
    }

    /// Trusts the certificates of a trust list, and tells how many there are. The list is JSON of
    /// one of these kinds:
    ///
    /// - an object from key id (base64 or base64url of its 8 bytes) to a certificate (base64 of
    ///   DER, or PEM), to an array of certificates, or to an object with the certificate as
    ///   `certificate`, `rawData`, first of `x5c`, or in `publicKeyJwk`;
    /// - a DID document, whose `verificationMethod`s have `publicKeyJwk` with `kid` and `x5c`.
    ///
    /// A certificate is found by the key id that the list gives it and by its own.
    ///
    /// # Errors
    /// [`TrustListError`]; nothing of the list is trusted then.
    pub fn add_trust_list(&mut self, json: &[u8]) -> Result<usize, TrustListError> {
        let Value::Object(list) = strict_json::parse(json)? else {
            return Err(TrustListError::NotAList);
        };
        let mut found = Vec::new();
        if let Some(methods) = list.get("verificationMethod") {
            let methods = methods.as_array().ok_or(TrustListError::NotAList)?;
            for method in methods {
                let name = method.pointer("/publicKeyJwk/kid").and_then(Value::as_str);
                let name = name.unwrap_or_default();
                found.push((name.to_owned(), first_certificate(name, method)?));
            }
        } else {
            for (name, entry) in &list {
                match entry {
                    Value::Array(entries) => {
                        for entry in entries {
                            found.push((name.clone(), first_certificate(name, entry)?));
                        }
                    }
                    entry => found.push((name.clone(), first_certificate(name, entry)?)),
                }
            }
        }
        let number = found.len();
        for (name, certificate) in found {
            if let Ok(key_id) = BASE64.decode(&name).or_else(|_| BASE64_URL.decode(&name))
                && key_id.len() == 8
            {
                self.add_under(key_id, certificate);
            } else {
                self.add(certificate);
            }
        }
        Ok(number)
    }

    fn add_under(&mut self, key_id: Vec<u8>, certificate: SigningCertificate) {
        let own = certificate.kid().to_vec();
        let thumbprint = certificate.jwk_thumbprint().to_owned();
        let certificate = Arc::new(certificate);
        push(self.by_key_id.entry(key_id).or_default(), &certificate);
        push(self.by_key_id.entry(own).or_default(), &certificate);
        push(
            self.by_thumbprint.entry(thumbprint).or_default(),
            &certificate,
        );
        push(&mut self.certificates, &certificate);
    }

    /// The certificates with this HCERT key id.
    #[must_use]
    pub fn with_key_id(&self, key_id: &[u8]) -> &[Arc<SigningCertificate>] {
        self.by_key_id.get(key_id).map_or(&[], Vec::as_slice)
    }

    /// The certificates whose key has this JWK thumbprint, as SMART Health Cards name them.
    #[must_use]
    pub fn with_thumbprint(&self, thumbprint: &str) -> &[Arc<SigningCertificate>] {
        self.by_thumbprint
            .get(thumbprint)
            .map_or(&[], Vec::as_slice)
    }

    /// The trusted certificate with exactly this DER, as VDS-NC seals carry it.
    #[must_use]
    pub fn with_der(&self, der: &[u8]) -> &[Arc<SigningCertificate>] {
        self.certificates
            .iter()
            .position(|certificate| certificate.der() == der)
            .and_then(|index| self.certificates.get(index..=index))
            .unwrap_or_default()
    }

    /// How many certificates are trusted.
    #[must_use]
    pub fn len(&self) -> usize {
        self.certificates.len()
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.certificates.is_empty()
    }
}

impl FromIterator<SigningCertificate> for TrustedKeys {
    fn from_iter<T: IntoIterator<Item = SigningCertificate>>(certificates: T) -> Self {
        let mut keys = Self::default();
        certificates
            .into_iter()
            .for_each(|certificate| keys.add(certificate));
        keys
    }
}

fn push(certificates: &mut Vec<Arc<SigningCertificate>>, certificate: &Arc<SigningCertificate>) {
    if !certificates.contains(certificate) {
        certificates.push(Arc::clone(certificate));
    }
}

/// The certificate of an entry of a trust list: of a chain the first, which is the signer's.
fn first_certificate(name: &str, entry: &Value) -> Result<SigningCertificate, TrustListError> {
    let refused = |reason: String| TrustListError::Entry {
        key_id: name.to_owned(),
        reason,
    };
    let text = [
        entry,
        &entry["certificate"],
        &entry["rawData"],
        &entry["x5c"][0],
        &entry["publicKeyJwk"]["x5c"][0],
    ]
    .into_iter()
    .find_map(Value::as_str)
    .ok_or_else(|| refused("there is none; a key alone does not tell who has it".to_owned()))?;
    SigningCertificate::read_all(text.as_bytes())
        .map_err(|error| refused(error.to_string()))?
        .into_iter()
        .next()
        .ok_or_else(|| refused(CertificateError::Empty.to_string()))
}
