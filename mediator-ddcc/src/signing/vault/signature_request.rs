use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::VaultError;
use super::connection::reason;
use crate::signing::Algorithm;

/// What is to be signed with one version of a key.
pub(super) struct SignatureRequest<'a> {
    /// `transit/keys/document-signer`, for messages.
    pub(super) key_path: &'a str,
    pub(super) version: u32,
    pub(super) algorithm: Algorithm,
    /// SHA-256 of each message, and what it is signed for.
    pub(super) items: Vec<([u8; 32], &'a str)>,
}

impl SignatureRequest<'_> {
    pub(super) fn body(&self) -> Value {
        let mut body = json!({
            "key_version": self.version,
            "prehashed": true,
            "hash_algorithm": "sha2-256",
        });
        match self.algorithm {
            // Otherwise it is DER.
            Algorithm::Es256 => body["marshaling_algorithm"] = json!("jws"),
            Algorithm::Ps256 => {
                body["signature_algorithm"] = json!("pss");
                // The longest salt is the default, which no verifier of PS256 accepts.
                body["salt_length"] = json!("hash");
            }
        }
        // Also for one: refused alone, it would be an error of the server (500).
        let items = self.items.iter().map(
            |(hash, reference)| json!({ "input": STANDARD.encode(hash), "reference": reference }),
        );
        body["batch_input"] = items.collect();
        body
    }

    /// The signatures, or why there are none, in the order of the items.
    pub(super) fn signatures(&self, status: u16, body: &Value) -> Vec<Result<Vec<u8>, VaultError>> {
        let results = body["data"]["batch_results"].as_array();
        let Some(results) = results.filter(|results| results.len() == self.items.len()) else {
            let refused = if (200..300).contains(&status) {
                VaultError::NotUnderstood {
                    path: self.path(),
                    expected: "signature for each message",
                }
            } else {
                self.refused(status, &texts(&body["errors"]))
            };
            return self.items.iter().map(|_| Err(refused.clone())).collect();
        };
        let signature = |(result, (_, reference)): (&Value, &([u8; 32], &str))| {
            if let Some(error) = result["error"].as_str().filter(|error| !error.is_empty()) {
                return Err(self.refused(status, error));
            }
            // Older Vaults do not repeat it.
            let repeated = result["reference"].as_str();
            if repeated.is_some_and(|repeated| repeated != *reference) {
                return Err(self.not_a_signature("it is of another message of the batch"));
            }
            self.signature(&result["signature"])
        };
        results.iter().zip(&self.items).map(signature).collect()
    }

    /// `vault:v3:...`, with `r || s` or the RSA signature in base64.
    fn signature(&self, value: &Value) -> Result<Vec<u8>, VaultError> {
        let text = value.as_str().ok_or_else(|| VaultError::NotUnderstood {
            path: self.path(),
            expected: "signature",
        })?;
        // OpenBao may be told of another word in front.
        let mut parts = text.splitn(3, ':').skip(1);
        let (Some(version), Some(encoded)) = (parts.next(), parts.next()) else {
            return Err(self.not_a_signature("it does not name the version of its key"));
        };
        if version.strip_prefix('v') != Some(&self.version.to_string()) {
            return Err(self.not_a_signature("it is by another version of the key"));
        }
        // What JWS takes is base64url, the others are base64.
        let signature = URL_SAFE_NO_PAD
            .decode(encoded)
            .or_else(|_| STANDARD.decode(encoded))
            .map_err(|_| self.not_a_signature("it is not base64"))?;
        let has_length = match self.algorithm {
            Algorithm::Es256 => signature.len() == 64,
            Algorithm::Ps256 => (256..=1024).contains(&signature.len()),
        };
        if !has_length {
            return Err(self.not_a_signature(match self.algorithm {
                Algorithm::Es256 => "an ES256 signature has 64 bytes; does this Vault know marshaling_algorithm=jws?",
                Algorithm::Ps256 => "a PS256 signature is as long as its key",
            }));
        }
        Ok(signature)
    }

    fn refused(&self, status: u16, text: &str) -> VaultError {
        let is_about_version = [
            "less than the minimum encryption key version",
            "higher than the latest key version",
            "key version does not exist",
            "no such key version",
            "does not contain a private part",
            "disallowed by policy (too old)",
        ]
        .iter()
        .any(|known| text.contains(known));
        if is_about_version {
            return VaultError::VersionDisabled {
                path: self.key_path.to_owned(),
                version: self.version,
                reason: reason(text),
            };
        }
        VaultError::Refused {
            path: self.path(),
            status,
            reason: reason(text),
        }
    }

    fn not_a_signature(&self, reason: &'static str) -> VaultError {
        VaultError::NotASignature {
            path: self.key_path.to_owned(),
            version: self.version,
            reason,
        }
    }

    fn path(&self) -> String {
        self.key_path.replacen("/keys/", "/sign/", 1)
    }
}

fn texts(errors: &Value) -> String {
    let errors = errors.as_array().into_iter().flatten();
    let texts: Vec<&str> = errors.filter_map(Value::as_str).collect();
    texts.join("; ")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn asked(algorithm: Algorithm) -> SignatureRequest<'static> {
        SignatureRequest {
            key_path: "transit/keys/signer",
            version: 3,
            algorithm,
            items: vec![([1; 32], "one"), ([2; 32], "two")],
        }
    }

    fn signatures(algorithm: Algorithm, results: Value) -> Vec<Result<Vec<u8>, VaultError>> {
        let answer = json!({ "data": { "batch_results": results } });
        asked(algorithm).signatures(200, &answer)
    }

    fn refusal(result: Value) -> String {
        let results = json!([result, { "signature": es256(&[2; 64]) }]);
        let mut signed = signatures(Algorithm::Es256, results);
        assert_eq!(signed.pop().unwrap().unwrap(), [2; 64]);
        signed.pop().unwrap().unwrap_err().to_string()
    }

    fn es256(signature: &[u8]) -> String {
        format!("vault:v3:{}", URL_SAFE_NO_PAD.encode(signature))
    }

    #[test]
    fn asks_for_what_jose_and_cose_take() {
        let body = asked(Algorithm::Es256).body();
        assert_eq!(body["key_version"], 3);
        assert_eq!(body["prehashed"], true);
        assert_eq!(body["marshaling_algorithm"], "jws");
        assert_eq!(body["batch_input"][1]["input"], STANDARD.encode([2; 32]));
        assert_eq!(body["batch_input"][1]["reference"], "two");
        let body = asked(Algorithm::Ps256).body();
        assert_eq!(body["signature_algorithm"], "pss");
        assert_eq!(body["salt_length"], "hash");
        assert_eq!(body["marshaling_algorithm"], Value::Null);
    }

    #[test]
    fn reads_signatures_in_the_order_of_the_messages() {
        let results = json!([
            { "signature": es256(&[1; 64]), "reference": "one", "key_version": 3 },
            { "signature": es256(&[2; 64]), "reference": "two", "key_version": 3 },
        ]);
        let signed = signatures(Algorithm::Es256, results);
        assert_eq!(signed, [Ok(vec![1; 64]), Ok(vec![2; 64])]);
        // Without references, as older Vaults; RSA in base64.
        let ps256 = |byte| format!("vault:v3:{}", STANDARD.encode([byte; 256]));
        let results = json!([{ "signature": ps256(250) }, { "signature": ps256(251) }]);
        let signed = signatures(Algorithm::Ps256, results);
        assert_eq!(signed, [Ok(vec![250; 256]), Ok(vec![251; 256])]);
    }

    #[test]
    fn refuses_what_is_no_signature_of_that_message_and_version() {
        let der = STANDARD.encode([0x30; 71]);
        for (result, expected) in [
            (
                json!({ "signature": format!("vault:v3:{der}") }),
                "marshaling_algorithm=jws",
            ),
            (
                json!({ "signature": es256(&[1; 64]).replace("v3", "v2") }),
                "another version",
            ),
            (
                json!({ "signature": es256(&[1; 64]).replace("v3", "3") }),
                "another version",
            ),
            (json!({ "signature": "vault:v3:!" }), "not base64"),
            (json!({ "signature": "AAAA" }), "does not name the version"),
            (
                json!({ "signature": es256(&[1; 64]), "reference": "two" }),
                "another message",
            ),
            (json!({}), "no signature"),
            (
                json!({ "error": "requested version for signing is less than the minimum encryption key version" }),
                "min_encryption_version=0",
            ),
            (json!({ "error": "something else" }), "something else"),
        ] {
            let text = refusal(result);
            assert!(text.contains(expected), "{text}");
        }
        for results in [
            json!([]),
            json!(null),
            json!([{ "signature": es256(&[1; 64]) }]),
        ] {
            let signed = signatures(Algorithm::Es256, results);
            assert_eq!(signed.len(), 2);
            assert!(signed.iter().all(Result::is_err));
        }
        let errors = json!({ "errors": ["signing key not found"] });
        for refused in asked(Algorithm::Es256).signatures(400, &errors) {
            let text = refused.unwrap_err().to_string();
            assert!(
                text.contains("transit/sign/signer (400): signing key not found"),
                "{text}"
            );
        }
    }
}
