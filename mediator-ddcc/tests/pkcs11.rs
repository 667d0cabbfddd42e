//! Keys in a PKCS#11 token, with SoftHSM2 and its tools, and what happens when the token does not
//! play along.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "tests"
)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::Utc;
use cryptoki::context::Pkcs11;
use mediator_ddcc::signing::development_pki::{DevelopmentAuthority, DevelopmentPki};
use mediator_ddcc::signing::pkcs11::{Pin, Pkcs11Settings, Pkcs11Token, TokenChoice};
use mediator_ddcc::signing::{
    Algorithm, CertificateStore, KeyManagement, KeyStore as _, KeyUse, RotatingSigner, Signer as _,
    SigningError, Subject,
};
use real_servers::softhsm::{self, SoftHsm};
use secrecy::SecretString;
use tempfile::TempDir;

const LABEL: &str = "signing";
const PIN: &str = "1234";

/// A test with a token, in a process of its own.
fn with_token<T: Future<Output = ()>>(hsm: &SoftHsm, test: impl FnOnce(Pkcs11Token) -> T) {
    hsm.create_token(LABEL, PIN);
    block_on(test(open(settings(hsm))));
}

fn block_on(test: impl Future<Output = ()>) {
    tokio::runtime::Runtime::new().unwrap().block_on(test);
}

fn settings(hsm: &SoftHsm) -> Pkcs11Settings {
    Pkcs11Settings {
        module: hsm.module().to_owned(),
        token: TokenChoice::Label(LABEL.to_owned()),
        pin: Pin::Text(SecretString::from(PIN)),
        key_label: None,
        key_id: None,
        sessions: 4,
        timeout: Duration::from_secs(120),
    }
}

fn open(settings: Pkcs11Settings) -> Pkcs11Token {
    Pkcs11Token::open(settings).unwrap()
}

/// Once what failed before is tried again.
async fn again<T>(mut attempt: impl AsyncFnMut() -> Result<T, SigningError>) -> T {
    let end = Instant::now() + Duration::from_secs(120);
    loop {
        match attempt().await {
            Ok(done) => return done,
            Err(error) => assert!(Instant::now() < end, "{error}"),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[test]
fn keys_of_both_algorithms_are_made_and_sign() {
    softhsm::in_child(|hsm| {
        with_token(hsm, async |token| {
            for (algorithm, length) in [(Algorithm::Es256, 64), (Algorithm::Ps256, 384)] {
                let key = token.generate(algorithm).await.unwrap();
                assert_eq!(key.warning, None);
                let signature = token.sign(&key, b"message").await.unwrap();
                assert_eq!(signature.len(), length);
                assert!(key.public_key.verify(b"message", &signature));
                assert!(!key.public_key.verify(b"another", &signature));
            }
            let listed = token.keys().await.unwrap();
            assert_eq!(listed.len(), 2);
        });
    });
}

#[test]
fn more_signatures_at_once_than_sessions() {
    softhsm::in_child(|hsm| {
        with_token(hsm, async |token| {
            let key = token.generate(Algorithm::Es256).await.unwrap();
            let messages: Vec<String> = (0..64).map(|number| number.to_string()).collect();
            let signing = messages
                .iter()
                .map(|message| token.sign(&key, message.as_bytes()));
            let signatures = futures::future::try_join_all(signing).await.unwrap();
            for (message, signature) in messages.iter().zip(&signatures) {
                assert!(key.public_key.verify(message.as_bytes(), signature));
            }
        });
    });
}

#[test]
fn keys_of_other_tools_are_used_and_those_that_can_be_read_out_warned_about() {
    softhsm::in_child(|hsm| {
        with_token(hsm, async |token| {
            let make = |label: &str, id: &str, kind: &str| {
                let arguments = [
                    "--keypairgen",
                    "--label",
                    label,
                    "--id",
                    id,
                    "--key-type",
                    kind,
                ];
                hsm.tool(LABEL, PIN, &arguments);
            };
            make("document-signer", "01", "EC:prime256v1");
            make("document-signer", "02", "rsa:2048");
            make("something else", "03", "EC:prime256v1");
            make("document-signer", "04", "EC:secp384r1");
            // As from a file that somebody still has.
            let folder = TempDir::new().unwrap();
            let pair = rcgen::KeyPair::generate().unwrap();
            let der = folder.path().join("key.der");
            std::fs::write(&der, pair.serialize_der()).unwrap();
            let certificate = rcgen::CertificateParams::default()
                .self_signed(&pair)
                .unwrap();
            let certificate_file = folder.path().join("certificate.der");
            std::fs::write(&certificate_file, certificate.der()).unwrap();
            for (file, kind) in [(&der, "privkey"), (&certificate_file, "cert")] {
                let file = file.to_str().unwrap();
                hsm.tool(
                    LABEL,
                    PIN,
                    &[
                        "--write-object",
                        file,
                        "--type",
                        kind,
                        "--id",
                        "05",
                        "--label",
                        "document-signer",
                        "--extractable",
                    ],
                );
            }
            let names = |keys: &[mediator_ddcc::signing::StoredKey]| {
                keys.iter().map(|key| key.name.clone()).collect::<Vec<_>>()
            };
            let all = token.keys().await.unwrap();
            assert_eq!(
                names(&all),
                [
                    "document-signer:01",
                    "document-signer:02",
                    "document-signer:05",
                    "something else:03"
                ]
            );
            let warned: Vec<bool> = all.iter().map(|key| key.warning.is_some()).collect();
            assert_eq!(warned, [false, false, true, false], "{all:?}");
            for key in &all {
                let signature = token.sign(key, b"message").await.unwrap();
                assert!(key.public_key.verify(b"message", &signature), "{key:?}");
            }
            let certificates = token.certificates().await.unwrap();
            assert_eq!(certificates.len(), 1);
            assert_eq!(certificates[0].der(), &**certificate.der());
            assert_eq!(certificates[0].public_key(), Some(&all[2].public_key));

            // Without any in the store, the certificate on the token signs.
            let management = KeyManagement {
                keys: Arc::new(token.clone()),
                certificates: CertificateStore::new(folder.path().join("certificates")),
                authority: None,
            };
            for _ in 0..2 {
                management.adopt(Utc::now()).await.unwrap();
                let stored = management.certificates.read().unwrap();
                assert_eq!(stored.len(), 1);
                assert_eq!(stored[0].certificate, certificates[0]);
                assert!(stored[0].signs_from.is_some());
            }

            let some = Pkcs11Settings {
                key_label: Some("document-signer".to_owned()),
                ..settings(hsm)
            };
            assert_eq!(open(some.clone()).keys().await.unwrap().len(), 3);
            let one = open(Pkcs11Settings {
                key_id: Some(vec![2]),
                ..some
            });
            assert_eq!(names(&one.keys().await.unwrap()), ["document-signer:02"]);
            let refused = one.generate(Algorithm::Es256).await.unwrap_err();
            assert!(refused.to_string().contains("key_id"), "{refused}");
        });
    });
}

#[test]
fn a_token_rotates_like_any_key_store() {
    softhsm::in_child(|hsm| {
        with_token(hsm, async |token| {
            let folder = TempDir::new().unwrap();
            let pki = folder.path().join("pki");
            DevelopmentPki::open_or_create(&pki, "CH", Utc::now()).unwrap();
            let management = KeyManagement {
                keys: Arc::new(token),
                certificates: CertificateStore::new(folder.path().join("certificates")),
                authority: Some(Arc::new(DevelopmentAuthority::new(pki, "CH"))),
            };
            let subject = Subject {
                country: "CH".to_owned(),
                organization: "Ministry of Health".to_owned(),
                common_name: "Document signer".to_owned(),
            };
            let rotate = |algorithm| management.rotate(algorithm, &subject, Utc::now());
            rotate(Algorithm::Ps256).await.unwrap();
            let keys = Arc::new(open(settings(hsm)));
            let signer = RotatingSigner::open(keys, management.certificates.clone())
                .await
                .unwrap();
            let old = signer.identity();
            rotate(Algorithm::Es256).await.unwrap();
            assert_eq!(signer.look_again().await.unwrap(), None);
            let new = signer.identity();
            assert_ne!(old, new);
            for identity in [&old, &new] {
                let signature = signer.sign(identity, b"message").await.unwrap();
                let certificate = &identity.certificate;
                assert!(certificate.verify(identity.algorithm, b"message", &signature));
            }
            let listed = management.list(Utc::now()).await.unwrap();
            let uses: Vec<KeyUse> = listed.iter().map(|listed| listed.key_use).collect();
            assert_eq!(uses, [KeyUse::Signed, KeyUse::Signs]);
        });
    });
}

#[test]
fn a_token_that_comes_later_is_found() {
    softhsm::in_child(|hsm| {
        hsm.create_token("another", PIN);
        block_on(async {
            let token = open(settings(hsm));
            let refused = token.keys().await.unwrap_err();
            assert!(matches!(refused, SigningError::Unavailable(_)));
            let text = refused.to_string();
            assert!(
                text.contains("\"signing\"") && text.contains("\"another\""),
                "{text}"
            );
            hsm.create_token(LABEL, PIN);
            assert_eq!(again(async || token.keys().await).await, []);
            hsm.create_token("a third", PIN);
            let only = open(Pkcs11Settings {
                token: TokenChoice::Only,
                ..settings(hsm)
            });
            let refused = only.keys().await.unwrap_err().to_string();
            assert!(refused.contains("signing.pkcs11.token_label"), "{refused}");
        });
    });
}

#[test]
fn a_wrong_pin_is_tried_once() {
    softhsm::in_child(|hsm| {
        hsm.create_token(LABEL, PIN);
        let folder = TempDir::new().unwrap();
        let pin_file = folder.path().join("pin");
        std::fs::write(&pin_file, "wrong-one\n").unwrap();
        block_on(async {
            let token = open(Pkcs11Settings {
                pin: Pin::File(pin_file.clone()),
                ..settings(hsm)
            });
            let refused = token.keys().await.unwrap_err();
            assert!(matches!(refused, SigningError::Refused(_)), "{refused}");
            assert!(!refused.to_string().contains("wrong-one"), "{refused}");
            assert!(!format!("{token:?}").contains("wrong-one"));
            // Were it tried again, it would be right now.
            hsm.tool(LABEL, PIN, &["--change-pin", "--new-pin", "wrong-one"]);
            tokio::time::sleep(Duration::from_millis(1200)).await;
            let refused = token.keys().await.unwrap_err();
            assert!(refused.to_string().contains("not tried again"), "{refused}");
            hsm.tool(LABEL, "wrong-one", &["--change-pin", "--new-pin", "5678"]);
            std::fs::write(&pin_file, "5678\n").unwrap();
            assert_eq!(again(async || token.keys().await).await, []);
        });
    });
}

#[test]
fn without_a_pin_it_says_so() {
    softhsm::in_child(|hsm| {
        hsm.create_token(LABEL, PIN);
        block_on(async {
            let token = open(Pkcs11Settings {
                pin: Pin::None,
                ..settings(hsm)
            });
            let refused = token.keys().await.unwrap_err().to_string();
            assert!(refused.contains("pin_file"), "{refused}");
        });
        let error = Pkcs11Token::open(Pkcs11Settings {
            module: "/nowhere/module.so".into(),
            ..settings(hsm)
        })
        .unwrap_err();
        assert!(error.to_string().contains("/nowhere/module.so"), "{error}");
    });
}

#[test]
fn a_token_made_anew_while_it_is_used_has_no_keys_and_takes_new_ones() {
    softhsm::in_child(|hsm| {
        with_token(hsm, async |token| {
            let lost = token.generate(Algorithm::Es256).await.unwrap();
            token.sign(&lost, b"message").await.unwrap();
            hsm.initialize_again(LABEL, PIN);
            let refused = token.sign(&lost, b"message").await;
            assert!(refused.is_err(), "{refused:?}");
            let key = again(async || token.generate(Algorithm::Es256).await).await;
            let signature = token.sign(&key, b"message").await.unwrap();
            assert!(key.public_key.verify(b"message", &signature));
            assert_eq!(token.keys().await.unwrap(), [key]);
        });
    });
}

#[test]
fn a_key_deleted_while_it_is_used_is_told_and_the_others_sign_on() {
    softhsm::in_child(|hsm| {
        with_token(hsm, async |token| {
            let lost = token.generate(Algorithm::Es256).await.unwrap();
            let kept = token.generate(Algorithm::Es256).await.unwrap();
            token.sign(&lost, b"message").await.unwrap();
            let id = lost.name.rsplit(':').next().unwrap();
            hsm.tool(
                LABEL,
                PIN,
                &["--delete-object", "--type", "privkey", "--id", id],
            );
            let refused = token.sign(&lost, b"message").await;
            assert!(
                matches!(refused, Err(SigningError::UnknownKey)),
                "{refused:?}"
            );
            let signature = token.sign(&kept, b"message").await.unwrap();
            assert!(kept.public_key.verify(b"message", &signature));
            assert_eq!(token.keys().await.unwrap(), [kept]);
        });
    });
}

#[test]
fn it_recovers_when_every_session_is_gone() {
    softhsm::in_child(|hsm| {
        with_token(hsm, async |token| {
            let key = token.generate(Algorithm::Es256).await.unwrap();
            for _ in 0..3 {
                Pkcs11::new(hsm.module()).unwrap().finalize().unwrap();
                let signature = token.sign(&key, b"message").await.unwrap();
                assert!(key.public_key.verify(b"message", &signature));
            }
        });
    });
}

#[test]
fn it_recovers_when_the_token_was_away() {
    softhsm::in_child(|hsm| {
        with_token(hsm, async |token| {
            let key = token.generate(Algorithm::Es256).await.unwrap();
            let tokens = hsm.configuration().with_file_name("tokens");
            let away = hsm.configuration().with_file_name("away");
            std::fs::rename(&tokens, &away).unwrap();
            std::fs::create_dir(&tokens).unwrap();
            Pkcs11::new(hsm.module()).unwrap().finalize().unwrap();
            let refused = token.sign(&key, b"message").await.unwrap_err();
            assert!(matches!(refused, SigningError::Unavailable(_)), "{refused}");
            std::fs::remove_dir(&tokens).unwrap();
            std::fs::rename(&away, &tokens).unwrap();
            let signature = again(async || token.sign(&key, b"message").await).await;
            assert!(key.public_key.verify(b"message", &signature));
        });
    });
}

/// `cargo test -p mediator-ddcc --test pkcs11 -- --ignored --nocapture`
#[test]
#[ignore = "a figure for people"]
fn signatures_in_a_second() {
    softhsm::in_child(|hsm| {
        with_token(hsm, async |token| {
            for algorithm in [Algorithm::Es256, Algorithm::Ps256] {
                let key = token.generate(algorithm).await.unwrap();
                for clients in [1, 4, 16] {
                    let begin = Instant::now();
                    let end = begin + Duration::from_secs(3);
                    let signing = (0..clients).map(|_| async {
                        let mut times = Vec::new();
                        while Instant::now() < end {
                            let begin = Instant::now();
                            token.sign(&key, b"message").await.unwrap();
                            times.push(begin.elapsed());
                        }
                        times
                    });
                    let times = futures::future::join_all(signing).await;
                    let seconds = begin.elapsed().as_secs_f64();
                    let mut times: Vec<Duration> = times.into_iter().flatten().collect();
                    times.sort();
                    println!(
                        "figure: {algorithm}, {clients} clients: {:.0}/s, p50 {:?}, p99 {:?}",
                        times.len() as f64 / seconds,
                        times[times.len() / 2],
                        times[times.len() * 99 / 100]
                    );
                }
            }
        });
    });
}
