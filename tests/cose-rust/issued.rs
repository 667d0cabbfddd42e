//! Verifies every who and dcc code that `mediator-runner issue` wrote, with cose-rust.
//!
//! `DDCC_ISSUED=DIR cargo test --manifest-path tests/cose-rust/Cargo.toml`, where DIR is the output
//! folder. Builds OpenSSL from source, for which it needs perl and make.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use cose::keys::{CoseKey, EC2, P_256};
use cose::{algs, message::CoseMessage};
use flate2::read::ZlibDecoder;
use openssl::bn::{BigNum, BigNumContext};
use openssl::x509::X509;

struct Signer {
    key: CoseKey,
    kid: Vec<u8>,
}

#[test]
fn every_code_verifies_and_no_altered_one_does() {
    let folder = PathBuf::from(
        std::env::var_os("DDCC_ISSUED")
            .expect("DDCC_ISSUED is not set: give the output folder of `mediator-runner issue`"),
    );
    let signer = signer(&folder.join("signer.pem"));
    let codes = codes(&folder);
    assert!(!codes.is_empty(), "no codes in {}", folder.display());

    for path in &codes {
        let text = fs::read_to_string(path).unwrap();
        let message = unpack(text.trim_end());
        let payload = verify(&message, &signer)
            .unwrap_or_else(|reason| panic!("{}: {reason}", path.display()));
        assert!(!payload.is_empty());

        // The payload lies before the signature, which is the last 64 bytes.
        for at in [
            message.len() / 4,
            message.len() / 2,
            message.len() - 70,
            message.len() - 1,
        ] {
            let mut altered = message.clone();
            altered[at] ^= 1;
            assert!(
                verify(&altered, &signer).is_err(),
                "{}: byte {at}",
                path.display()
            );
        }
    }
    println!("{} codes verified with cose-rust", codes.len());
}

fn codes(folder: &Path) -> Vec<PathBuf> {
    let entries = |folder: &Path| -> Vec<PathBuf> {
        fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect()
    };
    entries(folder)
        .iter()
        .filter(|holder| holder.is_dir())
        .flat_map(|holder| entries(holder))
        .flat_map(|certificate| [certificate.join("who.txt"), certificate.join("dcc.txt")])
        .filter(|path| path.exists())
        .collect()
}

fn signer(path: &Path) -> Signer {
    let certificate = X509::from_pem(&fs::read(path).unwrap()).unwrap();
    let key = certificate.public_key().unwrap().ec_key().unwrap();
    let (mut x, mut y) = (BigNum::new().unwrap(), BigNum::new().unwrap());
    let mut context = BigNumContext::new().unwrap();
    key.public_key()
        .affine_coordinates(key.group(), &mut x, &mut y, &mut context)
        .unwrap();
    let hash = openssl::sha::sha256(&certificate.to_der().unwrap());
    let mut cose_key = CoseKey::new();
    cose_key.kty(EC2);
    cose_key.crv(P_256);
    cose_key.alg(algs::ES256);
    cose_key.x(x.to_vec_padded(32).unwrap());
    cose_key.y(y.to_vec_padded(32).unwrap());
    Signer {
        key: cose_key,
        kid: hash[..8].to_vec(),
    }
}

fn unpack(text: &str) -> Vec<u8> {
    let compressed = base45::decode(text.strip_prefix("HC1:").unwrap()).unwrap();
    let mut message = Vec::new();
    ZlibDecoder::new(compressed.as_slice())
        .read_to_end(&mut message)
        .unwrap();
    message
}

/// The payload of a message that this key signed.
fn verify(message: &[u8], signer: &Signer) -> Result<Vec<u8>, String> {
    let mut decoded = CoseMessage::new_sign();
    decoded.bytes = message.to_vec();
    decoded
        .init_decoder(None)
        .map_err(|error| format!("{error:?}"))?;
    if decoded.header.kid.as_ref() != Some(&signer.kid) {
        return Err("kid is not that of the certificate".into());
    }
    decoded
        .key(&signer.key)
        .map_err(|error| format!("{error:?}"))?;
    decoded
        .decode(None, None)
        .map_err(|error| format!("{error:?}"))
}
