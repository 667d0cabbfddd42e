#![allow(clippy::unwrap_used, reason = "tests")]

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt as _;
use rcgen::{CertificateParams, DnType, KeyPair, SanType};
use rstest::rstest;
use secrecy::SecretString;
use tower::ServiceExt as _;

use super::*;

const SECRET: &str = "a secret of the channels";

fn certificate(common_name: &str) -> ClientCertificate {
    let mut parameters = CertificateParams::new(["lab.example".to_owned()]).unwrap();
    parameters
        .distinguished_name
        .push(DnType::CommonName, common_name);
    parameters
        .distinguished_name
        .push(DnType::OrganizationName, "Ministry");
    parameters.subject_alt_names.push(SanType::URI(
        "spiffe://health.example/lab".try_into().unwrap(),
    ));
    let key = KeyPair::generate().unwrap();
    ClientCertificate::parse(parameters.self_signed(&key).unwrap().der()).unwrap()
}

fn peer() -> OpenHimPeer {
    OpenHimPeer::new()
        .basic("openhim", SecretString::from(SECRET))
        .unwrap()
        .certificates(["dns:core.example", "O=Ministry,CN=core"])
}

fn authentication() -> Authentication {
    Authentication::new("test")
        .client_certificates(Grants::new().grant("read", ["uri:spiffe://health.example/lab"]))
        .openhim(
            peer(),
            Grants::new()
                .grant("read", ["*"])
                .grant("issue", ["hospital"]),
        )
}

/// Answers who asks, and what is left of what core says.
async fn who(caller: Option<Caller>, headers: HeaderMap) -> String {
    let of_core = headers
        .keys()
        .filter(|name| name.as_str().starts_with("x-openhim"))
        .count();
    match caller {
        Some(caller) => format!("{:?} {:?} {of_core}", caller.way(), caller.client()),
        None => format!("nobody {of_core}"),
    }
}

fn router() -> Router {
    Router::new()
        .route("/public", get(who))
        .route("/known", get(|_: Caller| async { "known" }))
        .route("/read", get(who).layer(RequirePermission::new("read")))
        .route("/issue", get(who).layer(RequirePermission::new("issue")))
        .layer(AuthenticationLayer::new(authentication()))
}

struct Answered {
    status: StatusCode,
    headers: HeaderMap,
    body: String,
}

async fn ask(
    path: &str,
    headers: &[(&str, &str)],
    certificate: Option<ClientCertificate>,
) -> Answered {
    let mut request = Request::builder().uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let mut request = request.body(Body::empty()).unwrap();
    if let Some(certificate) = certificate {
        request.extensions_mut().insert(certificate);
    }
    let response = router().oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    Answered {
        status: parts.status,
        headers: parts.headers,
        body: String::from_utf8(body.to_vec()).unwrap(),
    }
}

fn basic(username: &str, password: &str) -> String {
    format!(
        "Basic {}",
        STANDARD.encode(format!("{username}:{password}"))
    )
}

#[tokio::test]
async fn who_shows_nothing_gets_what_is_for_everyone() {
    let answered = ask("/public", &[], None).await;
    assert_eq!(
        (answered.status, answered.body.as_str()),
        (StatusCode::OK, "nobody 0")
    );
    for path in ["/known", "/read", "/issue"] {
        let answered = ask(path, &[], None).await;
        assert_eq!(answered.status, StatusCode::UNAUTHORIZED, "{path}");
        assert_eq!(answered.headers[WWW_AUTHENTICATE], "Basic realm=\"test\"");
    }
}

#[tokio::test]
async fn what_core_alone_may_say_is_not_believed_of_others() {
    let claim = [
        ("x-openhim-clientid", "hospital"),
        ("x-openhim-transactionid", "65f1c0a2b3d4e5f601234567"),
    ];
    let answered = ask("/public", &claim, None).await;
    assert_eq!(answered.body, "nobody 0");
    assert_eq!(
        ask("/issue", &claim, None).await.status,
        StatusCode::UNAUTHORIZED
    );
    // Not even of somebody who is known.
    let lab = ask("/read", &claim, Some(certificate("lab"))).await;
    assert!(lab.body.starts_with("ClientCertificate"), "{}", lab.body);
    assert!(lab.body.ends_with(" 0"), "{}", lab.body);
    let lab = ask("/issue", &claim, Some(certificate("lab"))).await;
    assert_eq!(lab.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn core_is_believed_when_it_shows_its_secret_or_its_certificate() {
    let secret = basic("openhim", SECRET);
    let claim = ("x-openhim-clientid", "hospital");
    let by_secret = ask("/issue", &[claim, ("authorization", &secret)], None).await;
    assert_eq!(by_secret.body, "OpenHim Some(\"hospital\") 1");
    let by_certificate = ask("/issue", &[claim], Some(certificate("core"))).await;
    assert_eq!(by_certificate.body, "OpenHim Some(\"hospital\") 1");

    let other = ("x-openhim-clientid", "portal");
    let answered = ask("/issue", &[other, ("authorization", &secret)], None).await;
    assert_eq!(answered.status, StatusCode::FORBIDDEN);
    let answered = ask("/read", &[other, ("authorization", &secret)], None).await;
    assert_eq!(answered.status, StatusCode::OK);
    // Core on its own account has no client's permissions.
    let answered = ask("/public", &[("authorization", &secret)], None).await;
    assert_eq!(answered.body, "OpenHim None 0");
    let answered = ask("/read", &[("authorization", &secret)], None).await;
    assert_eq!(answered.status, StatusCode::FORBIDDEN);
}

#[rstest]
#[case(&[("x-openhim-clientid", "portal"), ("x-openhim-clientid", "hospital")])]
#[case(&[("x-openhim-clientid", "")])]
#[tokio::test]
async fn a_client_that_is_not_clear_is_nobody(#[case] claims: &[(&str, &str)]) {
    let secret = basic("openhim", SECRET);
    let mut headers = claims.to_vec();
    headers.push(("authorization", &secret));
    let answered = ask("/issue", &headers, None).await;
    assert_eq!(answered.status, StatusCode::BAD_REQUEST);
}

#[rstest]
#[case(&basic("openhim", "another secret of channels"), 401)]
#[case(&basic("openhim", ""), 401)]
#[case(&basic("somebody", SECRET), 401)]
#[case("Basic !!!", 400)]
#[case("Basic b3BlbmhpbQ==", 400)]
#[case("Basic", 400)]
#[case("Digest username=x", 400)]
#[case("Bearer a.b.c", 401)]
#[tokio::test]
async fn credentials_that_are_not_good_are_refused_everywhere(
    #[case] authorization: &str,
    #[case] expected: u16,
) {
    for path in ["/public", "/issue"] {
        let answered = ask(path, &[("authorization", authorization)], None).await;
        assert_eq!(answered.status, expected, "{path}");
        assert!(answered.headers.contains_key(WWW_AUTHENTICATE));
    }
}

#[tokio::test]
async fn two_credentials_are_one_too_many() {
    let secret = basic("openhim", SECRET);
    let twice = [
        ("authorization", secret.as_str()),
        ("authorization", &secret),
    ];
    assert_eq!(
        ask("/public", &twice, None).await.status,
        StatusCode::BAD_REQUEST
    );
}

#[test]
fn a_certificate_goes_by_each_of_its_names() {
    let certificate = certificate("lab");
    let names = certificate_names(&certificate);
    for name in [
        "dns:lab.example",
        "uri:spiffe://health.example/lab",
        "O=Ministry,CN=lab",
        &format!("sha256:{}", certificate.fingerprint()),
    ] {
        assert!(names.contains(&name.to_owned()), "{name}: {names:?}");
    }
}

#[test]
fn a_secret_that_can_be_guessed_is_not_taken() {
    let peer = OpenHimPeer::new().basic("openhim", SecretString::from("15 characters.."));
    assert_eq!(peer.unwrap_err(), SecretTooShort);
}

#[test]
fn nothing_secret_or_personal_is_shown() {
    assert!(!format!("{:?}", authentication()).contains(SECRET));
    let caller = Caller::of_certificate(&certificate("Jane Roe"), &Grants::new());
    assert!(!format!("{caller:?}").contains("Jane"));
}

/// RFC 6750, section 3.
#[tokio::test]
async fn a_service_that_takes_tokens_says_what_is_wrong_with_one() {
    let settings = BearerTokenSettings {
        // Nobody listens there.
        keys_timeout: std::time::Duration::from_secs(1),
        ..BearerTokenSettings::new("http://127.0.0.1:9", "mediator")
    };
    let tokens = BearerTokens::new(&settings).unwrap();
    let authentication = Authentication::new("test \"1\"").bearer_tokens(tokens, Grants::new());
    let router = Router::new()
        .route("/", get(who).layer(RequirePermission::new("read")))
        .layer(AuthenticationLayer::new(authentication));
    let ask = |authorization: Option<&str>| {
        let mut request = Request::builder().uri("/");
        if let Some(authorization) = authorization {
            request = request.header("authorization", authorization);
        }
        router.clone().oneshot(request.body(Body::empty()).unwrap())
    };
    let nothing = ask(None).await.unwrap();
    assert_eq!(nothing.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(
        nothing.headers()[WWW_AUTHENTICATE],
        "Bearer realm=\"test 1\""
    );

    let rubbish = ask(Some("bearer rubbish")).await.unwrap();
    assert_eq!(rubbish.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(
        rubbish.headers()[WWW_AUTHENTICATE],
        "Bearer realm=\"test 1\", error=\"invalid_token\", \
         error_description=\"the token is no signed JWT that can be read\""
    );

    // {"alg":"ES256","kid":"one"}: well formed, of a key that cannot be had.
    let unknown = "Bearer eyJhbGciOiJFUzI1NiIsImtpZCI6Im9uZSJ9.e30.AA";
    let unknown = ask(Some(unknown)).await.unwrap();
    assert_eq!(unknown.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(unknown.headers().contains_key(RETRY_AFTER));
    assert!(!unknown.headers().contains_key(WWW_AUTHENTICATE));
}
