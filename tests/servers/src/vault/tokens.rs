//! An issuer of JSON Web Tokens, such as a Kubernetes cluster is one.

use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rcgen::KeyPair;
use serde_json::json;

/// Issues tokens that a [`RealVault`](super::RealVault) accepts.
#[derive(Debug)]
pub struct TokenIssuer(KeyPair);

impl TokenIssuer {
    /// Whom the tokens are for.
    pub const AUDIENCE: &str = "vault";

    pub(super) fn new() -> Self {
        Self(KeyPair::generate().unwrap())
    }

    pub(super) fn public_key_pem(&self) -> String {
        self.0.public_key_pem()
    }

    /// A token that ends after so many seconds, or ended so many ago when negative.
    ///
    /// # Panics
    ///
    /// When the clock is before 1970.
    pub fn token(&self, seconds: i64) -> String {
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let now = i64::try_from(since_1970.as_secs()).unwrap();
        let header = json!({ "alg": "ES256", "typ": "JWT" });
        let claims = json!({
            "iss": "tests",
            "sub": "mediator",
            "aud": Self::AUDIENCE,
            "iat": now.min(now + seconds) - 10,
            "exp": now + seconds,
        });
        let part = |value: serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(header), part(claims));
        let key =
            EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &self.0.serialize_der())
                .unwrap();
        let signature = key.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}
