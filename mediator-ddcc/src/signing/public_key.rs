//! Public keys of health certificates, told apart from the certificates that name them: a key has
//! several certificates in its life, or none yet.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::OnceLock;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{self, ParsedPublicKey, VerificationAlgorithm};
use x509_parser::asn1_rs::{FromDer as _, oid};
use x509_parser::public_key::PublicKey as ParsedKey;
use x509_parser::x509::SubjectPublicKeyInfo;

use super::Algorithm;

/// A P-256 key, or an RSA key of 2048 to 8192 bits.
#[derive(Clone)]
pub struct PublicKey {
    algorithm: Algorithm,
    /// What a certificate has in its bit string (RFC 5280 4.1): the uncompressed point (65 bytes),
    /// or PKCS#1 `RSAPublicKey` in DER.
    bits: Vec<u8>,
    /// The same as the library has it, from the first signature on; `None` when it is no key.
    parsed: OnceLock<Option<ParsedPublicKey>>,
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        (self.algorithm, &self.bits) == (other.algorithm, &other.bits)
    }
}

impl Eq for PublicKey {}

impl Hash for PublicKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.algorithm, &self.bits).hash(state);
    }
}

impl PublicKey {
    /// Of a subject public key info (RFC 5280 4.1.2.7) in DER; `None` for keys that health
    /// certificates are not signed with.
    #[must_use]
    pub fn from_der(der: &[u8]) -> Option<Self> {
        match SubjectPublicKeyInfo::from_der(der) {
            Ok(([], info)) => Self::from_info(&info),
            _ => None,
        }
    }

    /// Of a subject public key info in PEM (`BEGIN PUBLIC KEY`).
    #[must_use]
    pub fn from_pem(pem: &[u8]) -> Option<Self> {
        let block = x509_parser::pem::Pem::iter_from_buffer(pem)
            .filter_map(Result::ok)
            .find(|block| block.label == "PUBLIC KEY")?;
        Self::from_der(&block.contents)
    }

    /// Of what a certificate says about its key.
    pub(super) fn from_info(info: &SubjectPublicKeyInfo<'_>) -> Option<Self> {
        let bits = info.subject_public_key.data.as_ref();
        let algorithm = match info.parsed() {
            // On the curve or not is found out when a signature is verified.
            Ok(ParsedKey::EC(_))
                if is_p256(info) && bits.len() == 65 && bits.first() == Some(&4) =>
            {
                Algorithm::Es256
            }
            Ok(ParsedKey::RSA(key)) if (2048..=8192).contains(&key.key_size()) => Algorithm::Ps256,
            _ => return None,
        };
        Some(Self::new(algorithm, bits.to_vec()))
    }

    /// Of a point for ES256, of `RSAPublicKey` in DER for PS256.
    pub(super) fn new(algorithm: Algorithm, bits: Vec<u8>) -> Self {
        Self {
            algorithm,
            bits,
            parsed: OnceLock::new(),
        }
    }

    /// The algorithm that this key signs health certificates with.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The uncompressed point (65 bytes), or PKCS#1 `RSAPublicKey` in DER.
    #[must_use]
    pub fn bits(&self) -> &[u8] {
        &self.bits
    }

    /// The first 8 bytes of SHA-256 over [`Self::bits`], hexadecimal: names the key for people,
    /// who cannot tell it by a certificate before it has one.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        digest(&SHA256, &self.bits)
            .as_ref()
            .iter()
            .take(8)
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }

    /// Whether `signature` is this key's over `message`.
    #[must_use]
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        let parsed = self.parsed.get_or_init(|| {
            let algorithm: &dyn VerificationAlgorithm = match self.algorithm {
                Algorithm::Es256 => &signature::ECDSA_P256_SHA256_FIXED,
                Algorithm::Ps256 => &signature::RSA_PSS_2048_8192_SHA256,
            };
            ParsedPublicKey::new(algorithm, &self.bits).ok()
        });
        parsed
            .as_ref()
            .is_some_and(|key| key.verify_sig(message, signature).is_ok())
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.algorithm, self.fingerprint())
    }
}

fn is_p256(info: &SubjectPublicKeyInfo<'_>) -> bool {
    let parameters = info.algorithm.parameters.as_ref();
    parameters.and_then(|curve| curve.as_oid().ok()) == Some(oid!(1.2.840.10045.3.1.7))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use rcgen::{
        KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ED25519, PKCS_RSA_SHA256,
        PublicKeyData as _,
    };

    use super::*;

    #[test]
    fn is_read_of_der_and_pem() {
        for (kind, algorithm) in [
            (&PKCS_ECDSA_P256_SHA256, Algorithm::Es256),
            (&PKCS_RSA_SHA256, Algorithm::Ps256),
        ] {
            let pair = KeyPair::generate_for(kind).unwrap();
            let key = PublicKey::from_der(&pair.subject_public_key_info()).unwrap();
            assert_eq!(key.algorithm(), algorithm);
            assert_eq!(key.bits(), pair.public_key_raw());
            assert_eq!(
                PublicKey::from_pem(pair.public_key_pem().as_bytes()),
                Some(key)
            );
        }
    }

    #[test]
    fn other_keys_are_not() {
        for kind in [&PKCS_ECDSA_P384_SHA384, &PKCS_ED25519] {
            let pair = KeyPair::generate_for(kind).unwrap();
            assert_eq!(PublicKey::from_der(&pair.subject_public_key_info()), None);
        }
        assert_eq!(PublicKey::from_der(b"junk"), None);
    }
}
