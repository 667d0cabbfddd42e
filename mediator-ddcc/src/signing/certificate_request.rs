//! PKCS#10 certification requests (RFC 2986) for keys that sign elsewhere: a file, a token, Vault.

use std::cell::RefCell;

use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256, PKCS_RSA_SHA256, PublicKeyData, SignatureAlgorithm, SigningKey,
};

use super::der::{BIT_STRING, SEQUENCE, element, integer};
use super::{Algorithm, KeyStore, PublicKey, SigningError, StoredKey};

/// Last numbers of HCERT's extended key usages: test results, vaccinations, recoveries.
const KEY_USAGES: [u64; 3] = [1, 2, 3];

/// Who a document signing certificate is to be issued to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// ISO 3166-1 alpha-2: attribute `C`.
    pub country: String,
    /// Attribute `O`.
    pub organization: String,
    /// Attribute `CN`.
    pub common_name: String,
}

/// A certification request, signed with the key that it is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateRequest {
    der: Vec<u8>,
    public_key: PublicKey,
}

impl CertificateRequest {
    /// Asks for a document signing certificate for `key`: key usage `digitalSignature`, HCERT's
    /// extended key usages for every kind of certificate, no authority. An ES256 key signs it with
    /// ECDSA, a PS256 key with RSASSA-PSS.
    ///
    /// # Errors
    /// [`SigningError`] of the key store, or when the subject cannot be written.
    pub async fn new(
        keys: &dyn KeyStore,
        key: &StoredKey,
        subject: &Subject,
    ) -> Result<Self, SigningError> {
        let information = information(&key.public_key, subject)?;
        let signature = keys.sign(key, &information).await?;
        if !key.public_key.verify(&information, &signature) {
            return Err(SigningError::NotASignature);
        }
        let (algorithm, signature) = match key.public_key.algorithm() {
            Algorithm::Es256 => (ECDSA_WITH_SHA256, ecdsa_signature(&signature)),
            Algorithm::Ps256 => (RSASSA_PSS_SHA256, signature),
        };
        let bits = [&[0], signature.as_slice()].concat();
        let content = [information, algorithm.to_vec(), element(BIT_STRING, &bits)].concat();
        Ok(Self {
            der: element(SEQUENCE, &content),
            public_key: key.public_key.clone(),
        })
    }

    /// The request itself.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// The key that it is for.
    #[must_use]
    pub fn public_key(&self) -> &PublicKey {
        &self.public_key
    }

    /// PEM (RFC 7468 7), with a line end behind.
    #[must_use]
    pub fn to_pem(&self) -> String {
        super::certificate::pem("CERTIFICATE REQUEST", &self.der)
    }
}

/// `CertificationRequestInfo`, the part that is signed.
fn information(key: &PublicKey, subject: &Subject) -> Result<Vec<u8>, SigningError> {
    let mut params = CertificateParams::default();
    let mut name = DistinguishedName::new();
    name.push(DnType::CountryName, subject.country.as_str());
    name.push(DnType::OrganizationName, subject.organization.as_str());
    name.push(DnType::CommonName, subject.common_name.as_str());
    params.distinguished_name = name;
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = KEY_USAGES
        .iter()
        .map(|usage| ExtendedKeyUsagePurpose::Other(vec![1, 3, 6, 1, 4, 1, 1847, 2021, 1, *usage]))
        .collect();
    let listener = Listener {
        key,
        heard: RefCell::default(),
    };
    params
        .serialize_request(&listener)
        .map_err(|error| SigningError::Request(error.to_string()))?;
    Ok(listener.heard.into_inner())
}

/// Hears what the library would have signed: it can only wait for a signature on its own thread.
struct Listener<'a> {
    key: &'a PublicKey,
    heard: RefCell<Vec<u8>>,
}

impl PublicKeyData for Listener<'_> {
    fn der_bytes(&self) -> &[u8] {
        self.key.der_bytes()
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        PublicKeyData::algorithm(self.key)
    }
}

/// How certificates and requests state a key.
impl PublicKeyData for PublicKey {
    fn der_bytes(&self) -> &[u8] {
        self.bits()
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        match self.algorithm() {
            Algorithm::Es256 => &PKCS_ECDSA_P256_SHA256,
            Algorithm::Ps256 => &PKCS_RSA_SHA256,
        }
    }
}

impl SigningKey for Listener<'_> {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        self.heard.replace(message.to_vec());
        Ok(Vec::new())
    }
}

/// `ecdsa-with-SHA256` (RFC 5758 3.2).
const ECDSA_WITH_SHA256: &[u8] = &[
    0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02,
];

/// `id-RSASSA-PSS` with SHA-256, MGF1 with SHA-256 and a salt of 32 bytes (RFC 4055 3.1).
const RSASSA_PSS_SHA256: &[u8] = &[
    0x30, 0x41, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0a, 0x30, 0x34, 0xa0,
    0x0f, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00,
    0xa1, 0x1c, 0x30, 0x1a, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x08, 0x30,
    0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0xa2, 0x03,
    0x02, 0x01, 0x20,
];

/// `ECDSA-Sig-Value` (RFC 3279 2.2.3) of `r || s`.
fn ecdsa_signature(signature: &[u8]) -> Vec<u8> {
    let (r, s) = signature.split_at(signature.len() / 2);
    element(SEQUENCE, &[integer(r), integer(s)].concat())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use tempfile::TempDir;
    use x509_parser::certification_request::X509CertificationRequest;
    use x509_parser::prelude::FromDer as _;

    use super::*;
    use crate::signing::KeyFolder;

    fn subject() -> Subject {
        Subject {
            country: "CH".to_owned(),
            organization: "Ministry of Health".to_owned(),
            common_name: "Document signer 7".to_owned(),
        }
    }

    #[tokio::test]
    async fn asks_for_what_a_document_signer_needs() {
        let folder = TempDir::new().unwrap();
        let keys = KeyFolder::new(Vec::new(), folder.path());
        for algorithm in [Algorithm::Es256, Algorithm::Ps256] {
            let key = keys.generate(algorithm).await.unwrap();
            let request = CertificateRequest::new(&keys, &key, &subject())
                .await
                .unwrap();
            let (rest, parsed) = X509CertificationRequest::from_der(request.der()).unwrap();
            assert!(rest.is_empty());
            let information = &parsed.certification_request_info;
            assert_eq!(
                information.subject.to_string(),
                "C=CH, O=Ministry of Health, CN=Document signer 7"
            );
            assert_eq!(
                PublicKey::from_info(&information.subject_pki),
                Some(key.public_key)
            );
            assert!(request.to_pem().contains("BEGIN CERTIFICATE REQUEST"));
            assert_eq!(parsed.requested_extensions().unwrap().count(), 3);
        }
    }

    /// Others' tools take the encodings of the signature that are made here by hand.
    #[tokio::test]
    async fn openssl_verifies_it() {
        let folder = TempDir::new().unwrap();
        let keys = KeyFolder::new(Vec::new(), folder.path());
        // Integers with and without a leading zero, and shorter ones.
        for round in 0..12 {
            let algorithm = if round < 11 {
                Algorithm::Es256
            } else {
                Algorithm::Ps256
            };
            let key = keys.generate(algorithm).await.unwrap();
            let request = CertificateRequest::new(&keys, &key, &subject())
                .await
                .unwrap();
            let path = folder.path().join("request.csr");
            std::fs::write(&path, request.to_pem()).unwrap();
            let verified = std::process::Command::new("openssl")
                .args(["req", "-verify", "-noout", "-text", "-in"])
                .arg(&path)
                .output();
            let Ok(verified) = verified else {
                return;
            };
            let text = String::from_utf8_lossy(&verified.stdout).into_owned();
            assert!(verified.status.success(), "{verified:?}");
            assert!(text.contains("Digital Signature"), "{text}");
            assert!(text.contains("1.3.6.1.4.1.1847.2021.1.2"), "{text}");
            assert!(text.contains("CA:FALSE"), "{text}");
        }
    }
}
