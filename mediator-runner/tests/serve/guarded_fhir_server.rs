//! A real FHIR server, HAPI FHIR, behind a gate that demands a client certificate, a token of a
//! real Keycloak, or both.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use real_servers::gate::{Demands, Gate, Tokens};
use real_servers::hapi_fhir::RealHapiFhir;
use real_servers::keycloak::RealKeycloak;
use tokio::sync::OnceCell;

use super::fhir_server::{event, folder, until};
use super::{GENERATE, Runner};

const CLIENT: &str = "mediator-at-the-repository";

static SERVER: OnceCell<Option<RealHapiFhir>> = OnceCell::const_new();

/// Where the repository listens that the tests share.
async fn server() -> Option<SocketAddr> {
    let server = SERVER.get_or_init(RealHapiFhir::start).await.as_ref()?;
    let url: url::Url = server.base_url().parse().unwrap();
    Some(url.socket_addrs(|| None).unwrap()[0])
}

/// A service whose repository is behind the gate.
fn behind(gate: &Gate, more: &[(&str, &str)]) -> Runner {
    let url = gate.url("/fhir");
    let authority = gate.certificate_authority();
    let mut variables = vec![
        ("MEDIATOR_REPOSITORY__URL", url.as_str()),
        ("MEDIATOR_REPOSITORY__CA_FILE", text(&authority)),
        ("MEDIATOR_REPOSITORY__TIMEOUT_SECONDS", "25"),
        ("MEDIATOR_REPOSITORY__ATTEMPTS", "1"),
    ];
    variables.extend(more);
    Runner::configured(&variables)
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Issues a dose and finds it in the folder.
async fn works(runner: &Runner, hcid: &str) {
    let answer = runner.post(GENERATE, &event(hcid, 1)).await;
    answer.resource(200, "Bundle");
    assert_eq!(folder(runner, hcid).await.len(), 1);
}

/// Nothing is issued, and the answer says why.
async fn is_refused(runner: &Runner, hcid: &str, why: &str) {
    let answer = runner.post(GENERATE, &event(hcid, 1)).await;
    assert!(
        matches!(answer.status.as_u16(), 502 | 503),
        "{:?}",
        answer.body
    );
    let outcome = answer.json();
    let text = outcome["issue"][0]["diagnostics"].as_str().unwrap();
    assert!(text.contains(why), "{why}: {text}");
    assert_eq!(runner.get("/health/ready").await.status, 503);
}

#[tokio::test]
async fn mutual_tls() {
    let Some(server) = server().await else { return };
    let demands = Demands {
        client_certificate: true,
        ..Demands::default()
    };
    let gate = Gate::start(server, demands.clone()).await;
    let (certificate, key) = gate.client_certificate();
    let shown = [
        (
            "MEDIATOR_REPOSITORY__CLIENT_CERTIFICATE_FILE",
            text(&certificate),
        ),
        ("MEDIATOR_REPOSITORY__CLIENT_KEY_FILE", text(&key)),
    ];
    works(&behind(&gate, &shown), "GUARDED-TLS").await;
    assert!(gate.let_in() >= 3, "{}", gate.let_in());
    assert_eq!(gate.refused(), [""; 0]);

    // Without one, or with one of another authority.
    let another = Gate::start(server, demands).await;
    is_refused(&behind(&another, &[]), "GUARDED-NONE", "repository").await;
    is_refused(&behind(&another, &shown), "GUARDED-STRANGE", "repository").await;
    assert_eq!(another.let_in(), 0);
    let reasons = another.refused();
    for reason in ["no certificates", "invalid peer certificate"] {
        let told = reasons.iter().any(|told| told.contains(reason));
        assert!(told, "{reason}: {reasons:?}");
    }
    // Nor is a gate spoken to whose certificate is of an authority that is not configured.
    let authority = gate.certificate_authority();
    let elsewhere = [("MEDIATOR_REPOSITORY__CA_FILE", text(&authority))];
    is_refused(
        &behind(&another, &elsewhere),
        "GUARDED-ELSEWHERE",
        "certificate",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_for_client_credentials() {
    let (Some(server), Some(keycloak)) = (server().await, RealKeycloak::start().await) else {
        return;
    };
    keycloak.create_client(CLIENT, &[], false).await;
    let secret = keycloak.client_secret(CLIENT).await;
    let demands = Demands {
        client_certificate: true,
        tokens: Some(Tokens {
            issuer: keycloak.issuer(),
            jwks_url: keycloak.jwks_url(),
            client: CLIENT.to_owned(),
        }),
    };
    let gate = Gate::start(server, demands).await;
    let (certificate, key) = gate.client_certificate();
    let token_url = keycloak.token_url();
    let with_secret = |secret: &str| {
        behind(
            &gate,
            &[
                (
                    "MEDIATOR_REPOSITORY__CLIENT_CERTIFICATE_FILE",
                    text(&certificate),
                ),
                ("MEDIATOR_REPOSITORY__CLIENT_KEY_FILE", text(&key)),
                ("MEDIATOR_REPOSITORY__TOKEN_URL", &token_url),
                ("MEDIATOR_REPOSITORY__CLIENT_ID", CLIENT),
                ("MEDIATOR_REPOSITORY__CLIENT_SECRET", secret),
            ],
        )
    };
    let runner = with_secret(&secret);
    works(&runner, "GUARDED-TOKEN").await;
    assert_eq!(gate.refused(), [""; 0]);

    // A token that is not taken any more is replaced, unseen by who asks.
    gate.revoke_tokens();
    tokio::time::sleep(Duration::from_secs(2)).await;
    works(&runner, "GUARDED-REVOKED").await;
    // Calls that are made at once have the same one.
    let refused = gate.refused();
    assert!(!refused.is_empty());
    let of_revoked = |reason: &String| reason == "the token is revoked";
    assert!(refused.iter().all(of_revoked), "{refused:?}");
    works(&runner, "GUARDED-RENEWED").await;
    assert_eq!(gate.refused(), refused);

    // Tokens of seconds are renewed before they end. They end by whole seconds.
    let lifetime = Duration::from_secs(5);
    keycloak.set_token_lifetime(CLIENT, lifetime).await;
    let hasty = with_secret(&secret);
    for round in 0..4 {
        works(&hasty, &format!("GUARDED-HASTY-{round}")).await;
        tokio::time::sleep(Duration::from_secs(3)).await;
    }
    assert_eq!(gate.refused(), refused);

    let let_in = gate.let_in();
    let wrong = with_secret("not-the-secret");
    is_refused(&wrong, "GUARDED-WRONG", "check the client's id").await;
    assert!(!wrong.log().contains("not-the-secret"));
    assert_eq!(gate.let_in(), let_in);

    // Keycloak goes, and with it the next token; it comes back, and so does everything.
    keycloak.kill().await;
    tokio::time::sleep(lifetime).await;
    is_refused(&hasty, "GUARDED-WITHOUT", "issues tokens").await;
    keycloak.restart().await;
    until("what was accepted", async || {
        let answer = hasty.post(GENERATE, &event("GUARDED-WITHOUT", 1)).await;
        answer.status == 200
    })
    .await;
    assert_eq!(folder(&hasty, "GUARDED-WITHOUT").await.len(), 1);
    assert!(!runner.log().contains(&secret));
}
