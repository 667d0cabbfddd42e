use jsonwebtoken::DecodingKey;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, PublicKeyUse};
use serde::Deserialize;
use serde_json::Value;

use super::settings::TokenAlgorithm;

/// More keys than any issuer has.
const MAXIMUM_KEYS: usize = 100;

/// The public keys of an issuer that signatures are verified with (RFC 7517, section 5).
#[derive(Debug)]
pub(super) struct KeySet(Vec<VerificationKey>);

#[derive(Debug)]
pub(super) struct VerificationKey {
    id: String,
    /// Those that a key of this kind is for; one, if the issuer says which.
    algorithms: Vec<TokenAlgorithm>,
    pub(super) key: DecodingKey,
}

#[derive(Deserialize)]
struct Document {
    keys: Vec<Value>,
}

impl KeySet {
    /// The keys in a JWK Set. What is no key for signatures of a known kind is left out, as the RFC
    /// says; so are keys without an id, and shared secrets, which nobody publishes.
    pub(super) fn parse(document: &[u8]) -> Result<Self, String> {
        let Document { keys } = serde_json::from_slice(document)
            .map_err(|error| format!("it is no JWK Set: {error}"))?;
        if keys.len() > MAXIMUM_KEYS {
            return Err(format!("it has more than {MAXIMUM_KEYS} keys"));
        }
        let keys: Vec<_> = keys.into_iter().filter_map(verification_key).collect();
        if keys.is_empty() {
            return Err("it has no key that signatures are verified with".to_owned());
        }
        Ok(Self(keys))
    }

    /// The keys of this id that an algorithm may be used with: one, unless the issuer has repeated
    /// an id.
    pub(super) fn find(
        &self,
        id: &str,
        algorithm: TokenAlgorithm,
    ) -> impl Iterator<Item = &VerificationKey> {
        self.0
            .iter()
            .filter(move |key| key.id == id && key.algorithms.contains(&algorithm))
    }

    pub(super) fn has(&self, id: &str) -> bool {
        self.0.iter().any(|key| key.id == id)
    }
}

fn verification_key(key: Value) -> Option<VerificationKey> {
    let key: Jwk = serde_json::from_value(key).ok()?;
    let is_for_signatures = matches!(
        key.common.public_key_use,
        None | Some(PublicKeyUse::Signature)
    );
    let algorithms = match &key.algorithm {
        AlgorithmParameters::RSA(_) => TokenAlgorithm::ALL
            .into_iter()
            .filter(|algorithm| is_rsa(*algorithm))
            .collect(),
        AlgorithmParameters::EllipticCurve(parameters) => match parameters.curve {
            EllipticCurve::P256 => vec![TokenAlgorithm::Es256],
            EllipticCurve::P384 => vec![TokenAlgorithm::Es384],
            _ => return None,
        },
        AlgorithmParameters::OctetKeyPair(parameters)
            if parameters.curve == EllipticCurve::Ed25519 =>
        {
            vec![TokenAlgorithm::EdDsa]
        }
        _ => return None,
    };
    let algorithms: Vec<_> = match &key.common.key_algorithm {
        None => algorithms,
        Some(only) => {
            let only = only.to_string();
            let fits = |algorithm: &TokenAlgorithm| algorithm.as_str() == only;
            algorithms.into_iter().filter(fits).collect()
        }
    };
    if !is_for_signatures || algorithms.is_empty() {
        return None;
    }
    Some(VerificationKey {
        id: key.common.key_id.clone()?,
        algorithms,
        key: DecodingKey::from_jwk(&key).ok()?,
    })
}

fn is_rsa(algorithm: TokenAlgorithm) -> bool {
    matches!(
        algorithm,
        TokenAlgorithm::Rs256
            | TokenAlgorithm::Rs384
            | TokenAlgorithm::Rs512
            | TokenAlgorithm::Ps256
            | TokenAlgorithm::Ps384
            | TokenAlgorithm::Ps512
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use serde_json::json;

    use super::*;

    fn ec(id: &str) -> Value {
        json!({
            "kty": "EC", "crv": "P-256", "kid": id,
            "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
            "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
        })
    }

    fn parse(keys: Value) -> Result<KeySet, String> {
        KeySet::parse(json!({ "keys": keys }).to_string().as_bytes())
    }

    #[test]
    fn what_verifies_no_signature_is_left_out() {
        let mut for_encryption = ec("for encryption");
        for_encryption["use"] = "enc".into();
        let mut without_id = ec("");
        without_id.as_object_mut().unwrap().remove("kid");
        let mut contradicting = ec("contradicting");
        contradicting["alg"] = "RS256".into();
        let keys = parse(json!([
            for_encryption,
            without_id,
            contradicting,
            {"kty": "oct", "kid": "secret", "k": "c2VjcmV0", "alg": "HS256"},
            {"kty": "new", "kid": "of a kind to come"},
            "no key",
            ec("good"),
        ]))
        .unwrap();
        assert_eq!(keys.0.len(), 1);
        assert_eq!(keys.find("good", TokenAlgorithm::Es256).count(), 1);
        assert_eq!(keys.find("good", TokenAlgorithm::Es384).count(), 0);
        assert_eq!(keys.find("other", TokenAlgorithm::Es256).count(), 0);
    }

    #[test]
    fn a_set_without_a_good_key_is_none() {
        assert!(parse(json!([])).is_err());
        assert!(parse(json!([{"kty": "oct", "kid": "secret", "k": "c2VjcmV0"}])).is_err());
        assert!(KeySet::parse(b"<html>").is_err());
        assert!(parse(vec![ec("one"); MAXIMUM_KEYS + 1].into()).is_err());
    }

    #[test]
    fn an_rsa_key_is_for_the_algorithm_that_it_names_only() {
        let key = |algorithm: Option<&str>| {
            let mut key = json!({"kty": "RSA", "kid": "one", "n": "AQAB", "e": "AQAB"});
            if let Some(algorithm) = algorithm {
                key["alg"] = algorithm.into();
            }
            parse(json!([key]))
        };
        let named = key(Some("RS256")).unwrap();
        assert_eq!(named.0[0].algorithms, [TokenAlgorithm::Rs256]);
        assert_eq!(key(None).unwrap().0[0].algorithms.len(), 6);
        assert!(key(Some("HS256")).is_err());
        assert!(key(Some("RSA-OAEP")).is_err());
    }
}
