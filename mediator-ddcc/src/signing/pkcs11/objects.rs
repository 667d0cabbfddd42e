//! Keys and certificates as a token has them.

use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::Session;
use uuid::Uuid;

use super::super::der::{SEQUENCE, element, integer};
use super::super::{Algorithm, PublicKey, SigningCertificate, StoredKey};
use super::error::Failure;

/// `CKA_EC_PARAMS` of P-256: its object identifier.
const P256: &[u8] = &[0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];

/// Label of new keys, unless one is configured.
const LABEL: &str = "document-signer";

const RSA_BITS: u64 = 3072;

/// What a private key is found by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct KeyName {
    pub(super) id: Vec<u8>,
    label: Vec<u8>,
}

/// The private keys that health certificates can be signed with, and their public sides.
pub(super) fn keys(
    session: &Session,
    label: Option<&str>,
    id: Option<&[u8]>,
) -> Result<Vec<(KeyName, StoredKey)>, Failure> {
    let mut template = vec![
        Attribute::Class(ObjectClass::PRIVATE_KEY),
        Attribute::Token(true),
    ];
    template.extend(label.map(|label| Attribute::Label(label.into())));
    template.extend(id.map(|id| Attribute::Id(id.into())));
    let mut keys = Vec::new();
    for object in session.find_objects(&template)? {
        let found = PrivateKey::read(session, object)?;
        let name = KeyName {
            id: found.id.clone(),
            label: found.label.clone(),
        };
        let text = name.text();
        if !found.may_sign {
            tracing::warn!(
                key = text,
                "this key of the token may not sign, and does not"
            );
            continue;
        }
        let Some(public_key) = found.public_key(session)? else {
            tracing::warn!(
                key = text,
                "this key of the token is passed over: it is neither P-256 nor RSA of 2048 to 8192 bits, or its public key is not on the token"
            );
            continue;
        };
        keys.push((
            name,
            StoredKey {
                name: text,
                public_key,
                created_at: None,
                warning: found.warning(),
            },
        ));
    }
    keys.sort_by(|(_, one), (_, other)| one.name.cmp(&other.name));
    Ok(keys)
}

/// The private key of this name.
pub(super) fn private_key(
    session: &Session,
    name: &KeyName,
) -> Result<Option<ObjectHandle>, Failure> {
    let template = [
        Attribute::Class(ObjectClass::PRIVATE_KEY),
        Attribute::Token(true),
        Attribute::Id(name.id.clone()),
        Attribute::Label(name.label.clone()),
    ];
    Ok(session.find_objects(&template)?.into_iter().next())
}

/// Every X.509 certificate on the token that can be read.
pub(super) fn certificates(session: &Session) -> Result<Vec<SigningCertificate>, Failure> {
    let template = [
        Attribute::Class(ObjectClass::CERTIFICATE),
        Attribute::Token(true),
    ];
    let mut certificates = Vec::new();
    for object in session.find_objects(&template)? {
        for attribute in session.get_attributes(object, &[AttributeType::Value])? {
            if let Attribute::Value(der) = attribute
                && let Ok(certificate) = SigningCertificate::from_der(der)
            {
                certificates.push(certificate);
            }
        }
    }
    Ok(certificates)
}

/// Makes a key pair that never leaves the token, and gives its `CKA_ID`.
pub(super) fn generate(
    session: &Session,
    algorithm: Algorithm,
    label: Option<&str>,
) -> Result<Vec<u8>, Failure> {
    let id = Uuid::new_v4().as_bytes().to_vec();
    let names = [
        Attribute::Token(true),
        Attribute::Id(id.clone()),
        Attribute::Label(label.unwrap_or(LABEL).into()),
    ];
    let (mechanism, kind) = match algorithm {
        Algorithm::Es256 => (
            Mechanism::EccKeyPairGen,
            vec![Attribute::EcParams(P256.into())],
        ),
        Algorithm::Ps256 => (
            Mechanism::RsaPkcsKeyPairGen,
            vec![
                Attribute::ModulusBits(RSA_BITS.into()),
                Attribute::PublicExponent(vec![1, 0, 1]),
            ],
        ),
    };
    let public = [
        names.as_slice(),
        &[Attribute::Private(false), Attribute::Verify(true)],
        &kind,
    ]
    .concat();
    let private = [
        names.as_slice(),
        &[
            Attribute::Private(true),
            Attribute::Sensitive(true),
            Attribute::Extractable(false),
            Attribute::Sign(true),
        ],
    ]
    .concat();
    session.generate_key_pair(&mechanism, &public, &private)?;
    Ok(id)
}

impl KeyName {
    fn text(&self) -> String {
        let id: String = self.id.iter().map(|byte| format!("{byte:02x}")).collect();
        let label = String::from_utf8_lossy(&self.label);
        format!("{label}:{id}").replace(char::is_control, "\u{fffd}")
    }
}

/// What a token says of a private key.
#[derive(Default)]
struct PrivateKey {
    id: Vec<u8>,
    label: Vec<u8>,
    kind: Option<KeyType>,
    may_sign: bool,
    is_sensitive: bool,
    is_extractable: bool,
    asks_each_time: bool,
    numbers: Numbers,
}

/// The public numbers of a key.
#[derive(Default)]
struct Numbers {
    curve: Vec<u8>,
    point: Vec<u8>,
    modulus: Vec<u8>,
    exponent: Vec<u8>,
}

impl PrivateKey {
    fn read(session: &Session, object: ObjectHandle) -> Result<Self, Failure> {
        let wanted = [
            AttributeType::Id,
            AttributeType::Label,
            AttributeType::KeyType,
            AttributeType::Sign,
            AttributeType::Sensitive,
            AttributeType::Extractable,
            AttributeType::AlwaysAuthenticate,
            AttributeType::EcParams,
            AttributeType::Modulus,
            AttributeType::PublicExponent,
        ];
        let mut key = Self::default();
        for attribute in session.get_attributes(object, &wanted)? {
            match attribute {
                Attribute::Id(id) => key.id = id,
                Attribute::Label(label) => key.label = label,
                Attribute::KeyType(kind) => key.kind = Some(kind),
                Attribute::Sign(may) => key.may_sign = may,
                Attribute::Sensitive(is) => key.is_sensitive = is,
                Attribute::Extractable(is) => key.is_extractable = is,
                Attribute::AlwaysAuthenticate(is) => key.asks_each_time = is,
                other => key.numbers.note(other),
            }
        }
        Ok(key)
    }

    /// Of the key itself (RSA), else of the public key or the certificate with the same id.
    fn public_key(&self, session: &Session) -> Result<Option<PublicKey>, Failure> {
        if let Some(key) = self.numbers.public_key(self.kind) {
            return Ok(Some(key));
        }
        let of_class = |class| [Attribute::Class(class), Attribute::Id(self.id.clone())];
        let wanted = [
            AttributeType::EcParams,
            AttributeType::EcPoint,
            AttributeType::Modulus,
            AttributeType::PublicExponent,
        ];
        for object in session.find_objects(&of_class(ObjectClass::PUBLIC_KEY))? {
            let mut numbers = Numbers::default();
            for attribute in session.get_attributes(object, &wanted)? {
                numbers.note(attribute);
            }
            if let Some(key) = numbers.public_key(self.kind) {
                return Ok(Some(key));
            }
        }
        for object in session.find_objects(&of_class(ObjectClass::CERTIFICATE))? {
            for attribute in session.get_attributes(object, &[AttributeType::Value])? {
                if let Attribute::Value(der) = attribute
                    && let Ok(certificate) = SigningCertificate::from_der(der)
                    && let Some(key) = certificate.public_key()
                {
                    return Ok(Some(key.clone()));
                }
            }
        }
        Ok(None)
    }

    fn warning(&self) -> Option<String> {
        if self.asks_each_time {
            let text =
                "asks for the PIN at each signature (CKA_ALWAYS_AUTHENTICATE), which is not done";
            Some(text.to_owned())
        } else if !self.is_sensitive || self.is_extractable {
            let text = "can be read out of the token: make a new one with CKA_SENSITIVE and without CKA_EXTRACTABLE (`mediator-runner keys rotate`)";
            Some(text.to_owned())
        } else {
            None
        }
    }
}

impl Numbers {
    fn note(&mut self, attribute: Attribute) {
        match attribute {
            Attribute::EcParams(curve) => self.curve = curve,
            Attribute::EcPoint(point) => self.point = point,
            Attribute::Modulus(modulus) => self.modulus = modulus,
            Attribute::PublicExponent(exponent) => self.exponent = exponent,
            _ => {}
        }
    }

    fn public_key(&self, kind: Option<KeyType>) -> Option<PublicKey> {
        if kind == Some(KeyType::EC) {
            // In an OCTET STRING (PKCS#11 6.3.3), or bare, as some tokens have it.
            let point = match self.point.as_slice() {
                [0x04, 0x41, point @ ..] if point.len() == 65 => point,
                point => point,
            };
            let is_point = self.curve == P256 && point.len() == 65 && point.starts_with(&[4]);
            return is_point.then(|| PublicKey::new(Algorithm::Es256, point.to_vec()));
        }
        let modulus: Vec<u8> = self
            .modulus
            .iter()
            .copied()
            .skip_while(|b| *b == 0)
            .collect();
        let is_rsa = kind == Some(KeyType::RSA)
            && (256..=1024).contains(&modulus.len())
            && !self.exponent.is_empty();
        is_rsa.then(|| {
            let numbers = [integer(&modulus), integer(&self.exponent)].concat();
            PublicKey::new(Algorithm::Ps256, element(SEQUENCE, &numbers))
        })
    }
}
