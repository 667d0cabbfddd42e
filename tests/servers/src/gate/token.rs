use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

/// Which bearer tokens are taken: JWTs signed with RS256, that end later than now.
#[derive(Debug, Clone)]
pub struct Tokens {
    /// Who issues them (`iss`).
    pub issuer: String,
    /// Where the issuer's public keys are.
    pub jwks_url: String,
    /// The client that they are issued to (`azp`).
    pub client: String,
}

impl Tokens {
    /// Nothing when the request shows a token that is good in every way.
    pub(super) async fn check(&self, head: &[u8], since: u64) -> Result<(), String> {
        let head = String::from_utf8_lossy(head);
        let token = head
            .lines()
            .filter_map(|line| line.split_once(':'))
            .find(|(name, _)| name.eq_ignore_ascii_case("authorization"))
            .and_then(|(_, value)| value.trim().strip_prefix("Bearer "))
            .ok_or("no token")?;
        let (signed, signature) = token.rsplit_once('.').ok_or("no JWT")?;
        let (header, claims) = signed.split_once('.').ok_or("no JWT")?;
        let (header, claims) = (json(header)?, json(claims)?);
        if header["alg"] != "RS256" {
            return Err("another algorithm".to_owned());
        }
        let key = self.key(&header["kid"]).await?;
        key.verify(
            &RSA_PKCS1_2048_8192_SHA256,
            signed.as_bytes(),
            &decoded(signature)?,
        )
        .map_err(|_| "the signature is not the issuer's")?;
        let time = |claim: &str| claims[claim].as_u64().ok_or(format!("no {claim}"));
        if claims["iss"] != *self.issuer {
            Err("another issuer".to_owned())
        } else if claims["azp"] != *self.client {
            Err("another client".to_owned())
        } else if time("exp")? <= now() {
            Err("the token has ended".to_owned())
        } else if time("iat")? < since {
            Err("the token is revoked".to_owned())
        } else {
            Ok(())
        }
    }

    async fn key(&self, id: &Value) -> Result<RsaPublicKeyComponents<Vec<u8>>, String> {
        let failed = |error: reqwest::Error| format!("no keys: {error}");
        let answer = reqwest::get(&self.jwks_url).await.map_err(failed)?;
        let keys: Value = answer.json().await.map_err(failed)?;
        let mut keys = keys["keys"].as_array().into_iter().flatten();
        let key = keys
            .find(|key| key["kid"] == *id && key["kty"] == "RSA" && key["use"] == "sig")
            .ok_or("a key that the issuer does not have")?;
        let part = |name: &str| decoded(key[name].as_str().unwrap_or_default());
        Ok(RsaPublicKeyComponents {
            n: part("n")?,
            e: part("e")?,
        })
    }
}

pub(super) fn now() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.unwrap().as_secs()
}

fn decoded(text: &str) -> Result<Vec<u8>, String> {
    let decoded = URL_SAFE_NO_PAD.decode(text);
    decoded.map_err(|error| error.to_string())
}

fn json(text: &str) -> Result<Value, String> {
    serde_json::from_slice(&decoded(text)?).map_err(|error| error.to_string())
}
