#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PKCS1_SHA256, RSA_PSS_SHA256,
    RsaEncoding, RsaKeyPair,
};
use axum::Router;
use axum::extract::State;
use axum::response::IntoResponse as _;
use axum::routing::get;
use http::StatusCode;
use rstest::rstest;
use serde_json::{Value, json};

use super::*;
use crate::back_end::Trust;

const AUDIENCE: &str = "mediator";

/// An issuer that publishes the keys it is told to, and counts how often it is asked.
struct Issuer {
    url: String,
    inner: Arc<Inner>,
}

struct Inner {
    keys: Mutex<Value>,
    is_down: AtomicBool,
    /// Requests that fail before it answers.
    fails: AtomicUsize,
    asked: AtomicUsize,
}

impl Issuer {
    async fn start(keys: Value) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let inner = Arc::new(Inner {
            keys: Mutex::new(keys),
            is_down: AtomicBool::new(false),
            fails: AtomicUsize::new(0),
            asked: AtomicUsize::new(0),
        });
        let issuer = url.clone();
        let discovery = json!({"issuer": issuer, "jwks_uri": format!("{issuer}/keys")}).to_string();
        let router = Router::new()
            .route(
                "/.well-known/openid-configuration",
                get(|| async move { discovery }),
            )
            .route("/keys", get(keys_of))
            .with_state(Arc::clone(&inner));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, inner }
    }

    fn settings(&self) -> BearerTokenSettings {
        BearerTokenSettings {
            keys_pause: Duration::ZERO,
            ..BearerTokenSettings::new(&self.url, AUDIENCE)
        }
    }

    fn tokens(&self) -> BearerTokens {
        BearerTokens::new(&self.settings()).unwrap()
    }

    fn publish(&self, keys: Value) {
        *self.inner.keys.lock().unwrap() = keys;
    }

    fn set_down(&self, is_down: bool) {
        self.inner.is_down.store(is_down, Ordering::SeqCst);
    }

    fn asked(&self) -> usize {
        self.inner.asked.load(Ordering::SeqCst)
    }

    /// Claims of a good access token.
    fn claims(&self) -> Value {
        let now = now();
        json!({
            "iss": self.url, "aud": AUDIENCE, "sub": "person-1", "azp": "portal", "typ": "Bearer",
            "iat": now, "nbf": now, "exp": now + 300,
            "realm_access": {"roles": ["staff"]},
            "resource_access": {
                AUDIENCE: {"roles": ["issue"]},
                "another": {"roles": ["administer"]},
            },
            "scope": "openid email",
        })
    }
}

async fn keys_of(State(inner): State<Arc<Inner>>) -> axum::response::Response {
    inner.asked.fetch_add(1, Ordering::SeqCst);
    let once_less = |fails: usize| fails.checked_sub(1);
    let fails = inner
        .fails
        .fetch_update(Ordering::SeqCst, Ordering::SeqCst, once_less);
    if fails.is_ok() || inner.is_down.load(Ordering::SeqCst) {
        return StatusCode::BAD_GATEWAY.into_response();
    }
    json!({"keys": *inner.keys.lock().unwrap()})
        .to_string()
        .into_response()
}

fn now() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.unwrap().as_secs()
}

/// A key of an issuer, which signs whatever it is given.
enum Key {
    Ec(EcdsaKeyPair),
    Rsa(RsaKeyPair),
}

impl Key {
    fn ec() -> Self {
        Self::Ec(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap())
    }

    fn rsa() -> Self {
        Self::Rsa(RsaKeyPair::generate(KeySize::Rsa2048).unwrap())
    }

    fn jwk(&self, id: &str) -> Value {
        match self {
            Self::Ec(pair) => {
                let point = pair.public_key().as_ref();
                json!({
                    "kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": id,
                    "x": base64(&point[1..33]), "y": base64(&point[33..]),
                })
            }
            Self::Rsa(pair) => {
                let key = pair.public_key();
                json!({
                    "kty": "RSA", "use": "sig", "kid": id,
                    "n": base64(key.modulus().big_endian_without_leading_zero()),
                    "e": base64(key.exponent().big_endian_without_leading_zero()),
                })
            }
        }
    }

    fn sign(&self, header: &Value, payload: &str) -> String {
        let input = signing_input(header, payload);
        let random = SystemRandom::new();
        let signature = match self {
            Self::Ec(pair) => {
                let signature = pair.sign(&random, input.as_bytes()).unwrap();
                signature.as_ref().to_vec()
            }
            Self::Rsa(pair) => {
                let padding: &'static dyn RsaEncoding = if header["alg"] == "PS256" {
                    &RSA_PSS_SHA256
                } else {
                    &RSA_PKCS1_SHA256
                };
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(padding, &random, input.as_bytes(), &mut signature)
                    .unwrap();
                signature
            }
        };
        format!("{input}.{}", base64(&signature))
    }
}

fn signing_input(header: &Value, payload: &str) -> String {
    let header = base64(header.to_string().as_bytes());
    format!("{header}.{}", base64(payload.as_bytes()))
}

fn base64(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn header(algorithm: &str) -> Value {
    json!({"alg": algorithm, "typ": "JWT", "kid": "one"})
}

/// An issuer with one key, and that key.
async fn issuer() -> (Issuer, Key) {
    let key = Key::ec();
    (Issuer::start(json!([key.jwk("one")])).await, key)
}

async fn check(tokens: &BearerTokens, token: &str) -> Result<TokenHolder, TokenError> {
    tokens.check(token, None).await
}

#[tokio::test]
async fn a_good_token_says_who_and_which_roles() {
    let (issuer, key) = issuer().await;
    let token = key.sign(&header("ES256"), &issuer.claims().to_string());
    let holder = check(&issuer.tokens(), &token).await.unwrap();
    assert_eq!(holder.subject.as_deref(), Some("person-1"));
    assert_eq!(holder.client.as_deref(), Some("portal"));
    assert_eq!(
        holder.roles,
        ["issue", "realm:staff", "scope:openid", "scope:email"]
    );
    assert!(!format!("{holder:?}").contains("person-1"));
}

#[rstest]
#[case("RS256")]
#[case("PS256")]
#[tokio::test]
async fn rsa_signatures_of_both_paddings_are_taken(#[case] algorithm: &str) {
    let key = Key::rsa();
    let issuer = Issuer::start(json!([key.jwk("one")])).await;
    let token = key.sign(&header(algorithm), &issuer.claims().to_string());
    check(&issuer.tokens(), &token).await.unwrap();
}

#[tokio::test]
async fn a_key_is_used_with_the_algorithm_that_it_is_published_for() {
    let key = Key::rsa();
    let mut jwk = key.jwk("one");
    jwk["alg"] = "RS256".into();
    let issuer = Issuer::start(json!([jwk])).await;
    let token = key.sign(&header("PS256"), &issuer.claims().to_string());
    assert_eq!(
        check(&issuer.tokens(), &token).await,
        Err(TokenError::UnknownKey)
    );
}

#[tokio::test]
async fn an_algorithm_that_is_not_allowed_is_not_tried() {
    let key = Key::rsa();
    let issuer = Issuer::start(json!([key.jwk("one")])).await;
    let tokens = BearerTokens::new(&BearerTokenSettings {
        algorithms: vec![TokenAlgorithm::Ps256],
        ..issuer.settings()
    })
    .unwrap();
    let token = key.sign(&header("RS256"), &issuer.claims().to_string());
    assert_eq!(check(&tokens, &token).await, Err(TokenError::Algorithm));
    assert_eq!(issuer.asked(), 0);
}

/// The attack of CVE-2015-9235 and its many successors.
#[tokio::test]
async fn a_public_key_is_no_shared_secret() {
    let key = Key::rsa();
    let Key::Rsa(pair) = &key else {
        unreachable!("it is one")
    };
    let jwk = key.jwk("one");
    let issuer = Issuer::start(json!([jwk])).await;
    let tokens = issuer.tokens();
    let der: aws_lc_rs::encoding::PublicKeyX509Der<'_> = pair.public_key().as_der().unwrap();
    let modulus = pair.public_key().modulus();
    let secrets: [&[u8]; 3] = [
        der.as_ref(),
        modulus.big_endian_without_leading_zero(),
        pair.public_key().as_ref(),
    ];
    for secret in secrets {
        let input = signing_input(&header("HS256"), &issuer.claims().to_string());
        let secret = hmac::Key::new(hmac::HMAC_SHA256, secret);
        let tag = hmac::sign(&secret, input.as_bytes());
        let token = format!("{input}.{}", base64(tag.as_ref()));
        assert_eq!(check(&tokens, &token).await, Err(TokenError::Algorithm));
    }
    // Even if the issuer published a secret.
    let secret = hmac::Key::new(hmac::HMAC_SHA256, b"published");
    issuer.publish(json!([
        jwk,
        {"kty": "oct", "kid": "secret", "alg": "HS256", "k": base64(b"published")},
    ]));
    let header = json!({"alg": "HS256", "typ": "JWT", "kid": "secret"});
    let input = signing_input(&header, &issuer.claims().to_string());
    let token = format!(
        "{input}.{}",
        base64(hmac::sign(&secret, input.as_bytes()).as_ref())
    );
    assert_eq!(check(&tokens, &token).await, Err(TokenError::Algorithm));
}

#[rstest]
#[case("none")]
#[case("None")]
#[case("nOnE")]
#[case("")]
#[tokio::test]
async fn an_unsigned_token_is_none(#[case] algorithm: &str) {
    let (issuer, key) = issuer().await;
    let tokens = issuer.tokens();
    let input = signing_input(&header(algorithm), &issuer.claims().to_string());
    let signed = key.sign(&header("ES256"), &issuer.claims().to_string());
    let signature = signed.rsplit('.').next().unwrap();
    for token in [
        format!("{input}."),
        input.clone(),
        format!("{input}.{signature}"),
    ] {
        assert_eq!(check(&tokens, &token).await, Err(TokenError::Malformed));
    }
    let unsigned = signed.rsplit_once('.').unwrap().0;
    assert_eq!(
        check(&tokens, &format!("{unsigned}.")).await,
        Err(TokenError::Signature)
    );
}

#[tokio::test]
async fn a_key_in_the_token_itself_is_not_used() {
    let (issuer, _) = issuer().await;
    let tokens = issuer.tokens();
    let own = Key::ec();
    let elsewhere = Issuer::start(json!([own.jwk("one")])).await;
    for (name, value) in [
        ("jwk", own.jwk("one")),
        ("jku", format!("{}/keys", elsewhere.url).into()),
        ("x5u", format!("{}/keys", elsewhere.url).into()),
    ] {
        let mut header = header("ES256");
        header[name] = value;
        let token = own.sign(&header, &issuer.claims().to_string());
        assert_eq!(
            check(&tokens, &token).await,
            Err(TokenError::Signature),
            "{name}"
        );
    }
    assert_eq!(elsewhere.asked(), 0);
}

#[rstest]
#[case("../../etc/passwd")]
#[case("one' OR '1'='1")]
#[case("http://127.0.0.1/keys")]
#[case("one\u{0}")]
#[case("ONE")]
#[case("")]
#[tokio::test]
async fn a_key_id_is_a_name_and_nothing_else(#[case] id: &str) {
    let (issuer, key) = issuer().await;
    let header = json!({"alg": "ES256", "typ": "JWT", "kid": id});
    let token = key.sign(&header, &issuer.claims().to_string());
    assert_eq!(
        check(&issuer.tokens(), &token).await,
        Err(TokenError::UnknownKey)
    );
}

#[tokio::test]
async fn a_token_names_its_key() {
    let (issuer, key) = issuer().await;
    let header = json!({"alg": "ES256", "typ": "JWT"});
    let token = key.sign(&header, &issuer.claims().to_string());
    assert_eq!(
        check(&issuer.tokens(), &token).await,
        Err(TokenError::Malformed)
    );
}

#[tokio::test]
async fn a_token_that_was_changed_is_none() {
    let (issuer, key) = issuer().await;
    let tokens = issuer.tokens();
    let token = key.sign(&header("ES256"), &issuer.claims().to_string());
    let parts: Vec<_> = token.split('.').collect();
    let mut claims = issuer.claims();
    claims["resource_access"][AUDIENCE]["roles"] = json!(["administer"]);
    let other = base64(claims.to_string().as_bytes());
    let changed = format!("{}.{other}.{}", parts[0], parts[2]);
    assert_eq!(check(&tokens, &changed).await, Err(TokenError::Signature));
    // Another's signature under the same id.
    let token = Key::ec().sign(&header("ES256"), &issuer.claims().to_string());
    assert_eq!(check(&tokens, &token).await, Err(TokenError::Signature));
}

#[rstest]
#[case(json!({"exp": 1_000_000}), TokenError::Expired)]
#[case(json!({"exp": null}), TokenError::Malformed)]
#[case(json!({"exp": "tomorrow"}), TokenError::Malformed)]
#[case(json!({"exp": -1}), TokenError::Malformed)]
#[case(json!({"nbf": 99_999_999_999_u64}), TokenError::NotYetValid)]
#[case(json!({"nbf": "yesterday"}), TokenError::Malformed)]
#[case(json!({"iss": "https://login.example/realms/other"}), TokenError::Issuer)]
#[case(json!({"iss": null}), TokenError::Malformed)]
#[case(json!({"aud": "another"}), TokenError::Audience)]
#[case(json!({"aud": ["another", "account"]}), TokenError::Audience)]
#[case(json!({"aud": []}), TokenError::Audience)]
#[case(json!({"aud": null}), TokenError::Malformed)]
#[case(json!({"aud": {"mediator": true}}), TokenError::Malformed)]
#[case(json!({"aud": "Mediator"}), TokenError::Audience)]
#[case(json!({"typ": "ID"}), TokenError::NotForAccess)]
#[case(json!({"typ": "Refresh"}), TokenError::NotForAccess)]
#[case(json!({"typ": "Logout"}), TokenError::NotForAccess)]
#[case(json!({"typ": null}), TokenError::NotForAccess)]
#[case(json!({"cnf": {"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}}), TokenError::NotTheHolder)]
#[case(json!({"cnf": {"x5t#S256": "bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2"}}), TokenError::NotTheHolder)]
#[case(json!({"cnf": {}}), TokenError::NotTheHolder)]
#[case(json!({"sub": null, "azp": null}), TokenError::Malformed)]
#[case(json!({"sub": "x".repeat(300)}), TokenError::Malformed)]
#[case(json!({"sub": ""}), TokenError::Malformed)]
#[case(json!({"sub": ["person-1"]}), TokenError::Malformed)]
#[case(json!({"realm_access": "staff"}), TokenError::Malformed)]
#[tokio::test]
async fn a_token_that_claims_otherwise_is_refused(
    #[case] changes: Value,
    #[case] expected: TokenError,
) {
    let (issuer, key) = issuer().await;
    let mut claims = issuer.claims();
    for (name, value) in changes.as_object().unwrap() {
        if value.is_null() {
            claims.as_object_mut().unwrap().remove(name);
        } else {
            claims[name] = value.clone();
        }
    }
    let token = key.sign(&header("ES256"), &claims.to_string());
    assert_eq!(check(&issuer.tokens(), &token).await, Err(expected));
}

#[tokio::test]
async fn an_issuer_among_others_is_another_issuer() {
    let (issuer, key) = issuer().await;
    let mut claims = issuer.claims();
    claims["iss"] = json!([issuer.url, "https://login.example"]);
    let token = key.sign(&header("ES256"), &claims.to_string());
    assert_eq!(
        check(&issuer.tokens(), &token).await,
        Err(TokenError::Malformed)
    );
}

#[tokio::test]
async fn clocks_may_differ_a_little() {
    let (issuer, key) = issuer().await;
    let tokens = issuer.tokens();
    for (exp, nbf, expected) in [
        (now() - 5, now() - 60, Ok(())),
        (now() + 60, now() + 5, Ok(())),
        (now() - 60, now() - 120, Err(TokenError::Expired)),
        (now() + 300, now() + 120, Err(TokenError::NotYetValid)),
    ] {
        let mut claims = issuer.claims();
        claims["exp"] = exp.into();
        claims["nbf"] = nbf.into();
        let token = key.sign(&header("ES256"), &claims.to_string());
        assert_eq!(check(&tokens, &token).await.map(drop), expected);
    }
}

#[rstest]
#[case(Some("at+jwt"), None, true)]
#[case(Some("AT+JWT"), None, true)]
#[case(Some("application/at+jwt"), None, true)]
#[case(Some("at+jwt"), Some("Bearer"), true)]
#[case(Some("at+jwt"), Some("ID"), false)]
#[case(None, Some("Bearer"), true)]
#[case(Some("JWT"), None, false)]
#[case(None, None, false)]
#[case(Some("logout+jwt"), Some("Bearer"), false)]
#[case(Some("dpop+jwt"), Some("Bearer"), false)]
#[case(Some("secevent+jwt"), None, false)]
fn only_what_says_so_is_for_access(
    #[case] header: Option<&str>,
    #[case] claim: Option<&str>,
    #[case] expected: bool,
) {
    assert_eq!(is_for_access(header, claim), expected);
}

/// Parsers differ in which of two they take.
#[rstest]
#[case(r#""aud":"another""#)]
#[case(r#""exp":9999999999"#)]
#[case(r#""iss":"https://login.example""#)]
#[case(r#""sub":"someone-else""#)]
#[case(r#""typ":"Bearer""#)]
#[case(r#""nbf":0"#)]
#[case(r#""realm_access":{"roles":["administrator"]}"#)]
#[case(r#""resource_access":{}"#)]
#[tokio::test]
async fn a_claim_that_is_there_twice_is_not_chosen(#[case] again: &str) {
    let (issuer, key) = issuer().await;
    let tokens = issuer.tokens();
    let claims = issuer.claims().to_string();
    for payload in [
        format!("{{{again},{}", &claims[1..]),
        format!("{},{again}}}", &claims[..claims.len() - 1]),
    ] {
        let token = key.sign(&header("ES256"), &payload);
        assert_eq!(check(&tokens, &token).await, Err(TokenError::Malformed));
    }
}

#[tokio::test]
async fn roles_and_headers_that_are_there_twice_are_not_chosen() {
    let (issuer, key) = issuer().await;
    let tokens = issuer.tokens();
    let claims = issuer.claims().to_string();
    for (once, twice) in [
        (
            r#"{"mediator":{"roles":["issue"]}"#,
            r#"{"mediator":{"roles":["issue"]},"mediator":{"roles":["administer"]}"#,
        ),
        (
            r#"{"roles":["staff"]}"#,
            r#"{"roles":["staff"],"roles":["x"]}"#,
        ),
    ] {
        assert!(claims.contains(once));
        let token = key.sign(&header("ES256"), &claims.replace(once, twice));
        assert_eq!(check(&tokens, &token).await, Err(TokenError::Malformed));
    }
    let token = key.sign(&header("ES256"), &claims);
    let rest = token.split_once('.').unwrap().1;
    let twice = base64(br#"{"alg":"none","alg":"ES256","typ":"JWT","kid":"one"}"#);
    assert_eq!(
        check(&tokens, &format!("{twice}.{rest}")).await,
        Err(TokenError::Malformed)
    );
}

#[tokio::test]
async fn what_is_long_or_no_token_is_refused_without_asking_for_keys() {
    let (issuer, key) = issuer().await;
    let tokens = issuer.tokens();
    let mut claims = issuer.claims();
    claims["padding"] = "x".repeat(20_000).into();
    let long = key.sign(&header("ES256"), &claims.to_string());
    assert_eq!(check(&tokens, &long).await, Err(TokenError::TooLong));
    for text in ["", ".", "..", "...", "a.b.c", "a.b.c.d.e", "\u{fffd}.x.y"] {
        assert_eq!(
            check(&tokens, text).await,
            Err(TokenError::Malformed),
            "{text}"
        );
    }
    assert_eq!(issuer.asked(), 0);
}

#[rstest]
#[case("crit", json!(["exp"]))]
#[case("zip", json!("DEF"))]
#[case("enc", json!("A256GCM"))]
#[tokio::test]
async fn a_header_that_must_be_understood_is_not_ignored(#[case] name: &str, #[case] value: Value) {
    let (issuer, key) = issuer().await;
    let mut header = header("ES256");
    header[name] = value;
    let token = key.sign(&header, &issuer.claims().to_string());
    assert_eq!(
        check(&issuer.tokens(), &token).await,
        Err(TokenError::Malformed)
    );
}

#[tokio::test]
async fn tokens_of_other_clients_can_be_left_out() {
    let (issuer, key) = issuer().await;
    let only = |clients: &[&str]| {
        BearerTokens::new(&BearerTokenSettings {
            authorized_parties: clients.iter().map(ToString::to_string).collect(),
            ..issuer.settings()
        })
        .unwrap()
    };
    let token = key.sign(&header("ES256"), &issuer.claims().to_string());
    check(&only(&["portal", "desk"]), &token).await.unwrap();
    assert_eq!(
        check(&only(&["desk"]), &token).await,
        Err(TokenError::AuthorizedParty)
    );
    let mut claims = issuer.claims();
    claims.as_object_mut().unwrap().remove("azp");
    let token = key.sign(&header("ES256"), &claims.to_string());
    assert_eq!(
        check(&only(&["portal"]), &token).await,
        Err(TokenError::AuthorizedParty)
    );
}

#[tokio::test]
async fn a_role_of_the_realm_or_a_scope_cannot_be_had_by_a_clients_role() {
    let (issuer, key) = issuer().await;
    let mut claims = issuer.claims();
    claims["resource_access"][AUDIENCE]["roles"] = json!(["realm:administrator", "scope:all"]);
    let token = key.sign(&header("ES256"), &claims.to_string());
    let holder = check(&issuer.tokens(), &token).await.unwrap();
    assert_eq!(holder.roles, ["realm:staff", "scope:openid", "scope:email"]);
}

#[tokio::test]
async fn a_new_key_is_asked_for_when_its_first_token_comes() {
    let (issuer, old) = issuer().await;
    let tokens = issuer.tokens();
    let old_token = old.sign(&header("ES256"), &issuer.claims().to_string());
    check(&tokens, &old_token).await.unwrap();
    check(&tokens, &old_token).await.unwrap();
    assert_eq!(issuer.asked(), 1);

    let new = Key::ec();
    issuer.publish(json!([new.jwk("two"), old.jwk("one")]));
    let header = json!({"alg": "ES256", "typ": "JWT", "kid": "two"});
    let new_token = new.sign(&header, &issuer.claims().to_string());
    check(&tokens, &new_token).await.unwrap();
    check(&tokens, &old_token).await.unwrap();
    assert_eq!(issuer.asked(), 2);
}

#[tokio::test]
async fn unknown_keys_cause_one_request_in_a_pause() {
    let (issuer, key) = issuer().await;
    let tokens = BearerTokens::new(&BearerTokenSettings {
        keys_pause: Duration::from_secs(3600),
        ..issuer.settings()
    })
    .unwrap();
    let forged = |id: usize| {
        let header = json!({"alg": "ES256", "typ": "JWT", "kid": id.to_string()});
        Key::ec().sign(&header, &issuer.claims().to_string())
    };
    let attempts: Vec<_> = (0..20).map(forged).collect();
    let checks = attempts.iter().map(|token| check(&tokens, token));
    for checked in futures::future::join_all(checks).await {
        assert_eq!(checked, Err(TokenError::UnknownKey));
    }
    assert_eq!(issuer.asked(), 1);
    let token = key.sign(&header("ES256"), &issuer.claims().to_string());
    check(&tokens, &token).await.unwrap();
    assert_eq!(issuer.asked(), 1);
}

#[tokio::test]
async fn without_keys_a_token_cannot_be_checked_and_with_them_it_can_again() {
    let (issuer, key) = issuer().await;
    issuer.set_down(true);
    let tokens = issuer.tokens();
    let token = key.sign(&header("ES256"), &issuer.claims().to_string());
    assert_eq!(
        check(&tokens, &token).await,
        Err(TokenError::KeysUnavailable)
    );
    let error = tokens.fetch_keys().await.unwrap_err();
    assert!(error.to_string().contains("502"), "{error}");
    assert!(tokens.ready().await.is_err());

    issuer.set_down(false);
    check(&tokens, &token).await.unwrap();
    tokens.ready().await.unwrap();

    // From here on the issuer is not needed.
    issuer.set_down(true);
    check(&tokens, &token).await.unwrap();
    let header = json!({"alg": "ES256", "typ": "JWT", "kid": "two"});
    let unknown = key.sign(&header, &issuer.claims().to_string());
    assert_eq!(
        check(&tokens, &unknown).await,
        Err(TokenError::KeysUnavailable)
    );
}

#[tokio::test]
async fn a_failure_that_passes_is_not_noticed() {
    let (issuer, key) = issuer().await;
    issuer.inner.fails.store(2, Ordering::SeqCst);
    let token = key.sign(&header("ES256"), &issuer.claims().to_string());
    check(&issuer.tokens(), &token).await.unwrap();
    assert_eq!(issuer.asked(), 3);
}

#[tokio::test]
async fn discovery_may_lead_to_another_host() {
    let (keys, key) = issuer().await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let discovery = json!({"issuer": url, "jwks_uri": format!("{}/keys", keys.url)}).to_string();
    let router = Router::new().route(
        "/.well-known/openid-configuration",
        get(|| async move { discovery }),
    );
    tokio::spawn(async move { axum::serve(listener, router).await });
    let tokens = BearerTokens::new(&BearerTokenSettings::new(&url, AUDIENCE)).unwrap();
    let mut claims = keys.claims();
    claims["iss"] = url.into();
    let token = key.sign(&header("ES256"), &claims.to_string());
    check(&tokens, &token).await.unwrap();
    assert_eq!(keys.asked(), 1);
}

#[tokio::test]
async fn old_keys_are_asked_for_again_while_they_serve() {
    let (issuer, key) = issuer().await;
    let tokens = BearerTokens::new(&BearerTokenSettings {
        keys_refresh: Duration::ZERO,
        ..issuer.settings()
    })
    .unwrap();
    let token = key.sign(&header("ES256"), &issuer.claims().to_string());
    check(&tokens, &token).await.unwrap();
    // The issuer takes its key back.
    issuer.publish(json!([Key::ec().jwk("two")]));
    let refused = async {
        loop {
            match check(&tokens, &token).await {
                Err(TokenError::UnknownKey) => break,
                Ok(_) => tokio::task::yield_now().await,
                Err(error) => panic!("{error}"),
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(60), refused)
        .await
        .unwrap();
}

#[tokio::test]
async fn keys_are_not_kept_for_ever() {
    let (issuer, key) = issuer().await;
    let tokens = BearerTokens::new(&BearerTokenSettings {
        keys_kept: Duration::ZERO,
        ..issuer.settings()
    })
    .unwrap();
    tokens.fetch_keys().await.unwrap();
    issuer.set_down(true);
    let token = key.sign(&header("ES256"), &issuer.claims().to_string());
    assert_eq!(
        check(&tokens, &token).await,
        Err(TokenError::KeysUnavailable)
    );
}

#[tokio::test]
async fn a_discovery_document_of_another_issuer_is_not_followed() {
    let (issuer, _) = issuer().await;
    let settings = BearerTokenSettings {
        issuer: format!("{}/", issuer.url),
        ..issuer.settings()
    };
    let tokens = BearerTokens::new(&settings).unwrap();
    let error = tokens.fetch_keys().await.unwrap_err();
    assert!(error.reason.contains(&issuer.url), "{error}");
    assert_eq!(issuer.asked(), 0);
}

#[tokio::test]
async fn keys_can_be_somewhere_else_than_the_issuer() {
    let (issuer, key) = issuer().await;
    let settings = BearerTokenSettings {
        issuer: "https://login.example/realms/health".to_owned(),
        jwks_url: Some(format!("{}/keys", issuer.url).parse().unwrap()),
        ..issuer.settings()
    };
    let mut claims = issuer.claims();
    claims["iss"] = settings.issuer.clone().into();
    let token = key.sign(&header("ES256"), &claims.to_string());
    check(&BearerTokens::new(&settings).unwrap(), &token)
        .await
        .unwrap();
}

#[test]
fn settings_that_can_check_nothing_are_mistakes() {
    let mistake = |change: fn(&mut BearerTokenSettings)| {
        let mut settings = BearerTokenSettings::new("https://login.example", AUDIENCE);
        change(&mut settings);
        BearerTokens::new(&settings).unwrap_err()
    };
    assert!(matches!(
        mistake(|settings| settings.issuer = "keycloak".to_owned()),
        BearerTokenSettingsError::Issuer(_)
    ));
    assert!(matches!(
        mistake(|settings| settings.issuer = "http://login.example".to_owned()),
        BearerTokenSettingsError::PlainHttp(_)
    ));
    assert!(matches!(
        mistake(|settings| settings.algorithms.clear()),
        BearerTokenSettingsError::NoAlgorithm
    ));
    assert!(matches!(
        mistake(|settings| settings.trust = Trust::CertificateAuthority("/nowhere.pem".into())),
        BearerTokenSettingsError::BackEnd(_)
    ));
}
