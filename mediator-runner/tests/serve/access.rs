//! Who may do what.

use std::path::Path;
use std::process::{Output, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::Method;
use mediator_ddcc::database::Database;
use mediator_ddcc::repository::FhirRepository as _;
use mediator_ddcc::repository::sqlite::SqliteRepository;
use real_servers::keycloak::RealKeycloak;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{Answer, FHIR_JSON, GENERATE, Runner, command, vaccination};

const SECRET: &str = "a long password of channels";
pub(super) const OPENHIM: [(&str, &str); 2] = [
    ("MEDIATOR_ACCESS__OPENHIM__USERNAME", "openhim"),
    ("MEDIATOR_ACCESS__OPENHIM__PASSWORD", SECRET),
];
/// Of `openhim` and [`SECRET`].
pub(super) const BASIC: &str = "Basic b3BlbmhpbTphIGxvbmcgcGFzc3dvcmQgb2YgY2hhbm5lbHM=";

fn does_not_start(variables: &[(&str, &str)]) -> String {
    let folder = TempDir::new().unwrap();
    let Output { status, stderr, .. } = command()
        .current_dir(folder.path())
        .envs(variables.iter().copied())
        .stderr(Stdio::piped())
        .output()
        .unwrap();
    assert_eq!(status.code(), Some(2));
    // Nothing is made before that is found out.
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    String::from_utf8(stderr).unwrap()
}

#[test]
fn outside_of_loopback_nobody_issues_unasked() {
    let everywhere = ("MEDIATOR_SERVER__LISTEN", "0.0.0.0:0");
    let mistake = does_not_start(&[everywhere]);
    for part in ["0.0.0.0:0", "access.tokens", "everyone_may_issue"] {
        assert!(mistake.contains(part), "{part}: {mistake}");
    }
    // The setting that lifts it, with something that contradicts it.
    let mistake = does_not_start(&[
        everywhere,
        ("MEDIATOR_ACCESS__EVERYONE_MAY_ISSUE", "true"),
        OPENHIM[0],
        OPENHIM[1],
    ]);
    assert!(mistake.contains("contradicts"), "{mistake}");
}

#[tokio::test]
async fn outside_of_loopback_it_starts_when_somebody_is_asked_or_it_says_so() {
    let everywhere = ("MEDIATOR_SERVER__LISTEN", "0.0.0.0:0");
    let open = Runner::configured(&[everywhere, ("MEDIATOR_ACCESS__EVERYONE_MAY_ISSUE", "true")]);
    assert!(open.log().contains("may do everything"), "{}", open.log());
    let asking = Runner::configured(&[everywhere, OPENHIM[0], OPENHIM[1]]);
    assert!(!asking.log().contains("may do everything"));
}

#[test]
fn settings_that_let_nobody_in_are_mistakes() {
    let short = does_not_start(&[OPENHIM[0], ("MEDIATOR_ACCESS__OPENHIM__PASSWORD", "short")]);
    assert!(short.contains("16 characters"), "{short}");
    let plain = does_not_start(&[(
        "MEDIATOR_ACCESS__TOKENS__ISSUER",
        "http://login.example/realms/ddcc",
    )]);
    assert!(plain.contains("use https"), "{plain}");
    let unasked = does_not_start(&[("MEDIATOR_ACCESS__CLIENT_CERTIFICATES__ISSUE", "dns:lab")]);
    assert!(unasked.contains("client_certificates"), "{unasked}");
}

async fn generate(runner: &Runner, number: usize, headers: &[(&str, &str)]) -> Answer {
    let mut all = vec![("content-type", FHIR_JSON)];
    all.extend(headers);
    let body = vaccination(number).to_string();
    runner.request(Method::POST, GENERATE, &all, body).await
}

async fn get(runner: &Runner, path: &str, headers: &[(&str, &str)]) -> Answer {
    runner.request(Method::GET, path, headers, "").await
}

#[tokio::test]
async fn who_shows_nothing_gets_what_is_for_everyone() {
    let runner = Runner::configured(&OPENHIM);
    for path in [
        "/ddcc/metadata",
        "/ddcc/shc_issuer/.well-known/jwks.json",
        "/health/ready",
        "/metrics",
    ] {
        assert_eq!(runner.get(path).await.status, 200, "{path}");
    }
    let verified = runner.post("/ddcc/$verify", &json!({"code": "HC1:"})).await;
    assert_eq!(verified.status, 200);
    let refused = generate(&runner, 1, &[]).await;
    assert_eq!(refused.issue(401)["code"], "login");
    assert!(refused.headers.contains_key("www-authenticate"));
    for path in [
        "/ddcc/Bundle/1",
        "/ddcc/DocumentReference?identifier=1",
        "/ddcc/DocumentReference/1/$getQRCode",
        "/ddcc/List?identifier=1",
        "/jobs",
        "/jobs/finish-interrupted",
        "/jobs/finish-interrupted/poll",
    ] {
        assert_eq!(runner.get(path).await.issue(401)["code"], "login", "{path}");
    }
    let run = runner
        .post("/jobs/finish-interrupted/run", &json!({}))
        .await;
    assert_eq!(run.status, 401);
    let created = runner.post("/ddcc/Bundle", &json!({})).await;
    assert_eq!(created.status, 401);
    assert_eq!(runner.get("/nowhere").await.status, 404);

    let strict = Runner::configured(&[
        OPENHIM[0],
        OPENHIM[1],
        ("MEDIATOR_ACCESS__EVERYONE_MAY_VERIFY", "false"),
    ]);
    let refused = strict.post("/ddcc/$verify", &json!({"code": "HC1:"})).await;
    assert_eq!(refused.status, 401);
}

#[tokio::test]
async fn what_openhim_says_of_its_clients_is_believed_of_openhim() {
    let runner = Runner::configured(&[
        OPENHIM[0],
        OPENHIM[1],
        ("MEDIATOR_ACCESS__OPENHIM__ISSUE", "clinic"),
        ("MEDIATOR_ACCESS__OPENHIM__ADMINISTER", "operations"),
    ]);
    let clinic = ("x-openhim-clientid", "clinic");
    let secret = ("authorization", BASIC);
    let refused = generate(&runner, 1, &[clinic]).await;
    assert_eq!(refused.issue(401)["code"], "login");
    // Everybody else's secret is no secret of OpenHIM.
    let wrong = ("authorization", "Basic b3BlbmhpbTp3cm9uZw==");
    assert_eq!(generate(&runner, 1, &[clinic, wrong]).await.status, 401);
    let issued = generate(&runner, 1, &[clinic, secret]).await;
    assert_eq!(issued.status, 200);

    let portal = ("x-openhim-clientid", "portal");
    let refused = generate(&runner, 2, &[portal, secret]).await;
    assert_eq!(refused.issue(403)["code"], "forbidden");
    let read = get(
        &runner,
        "/ddcc/List?identifier=CH-TEST-1",
        &[portal, secret],
    )
    .await;
    assert_eq!(read.resource(200, "Bundle")["total"], 1);
    // Core on its own account may poll and nothing else; its clients may not.
    let poll = "/jobs/finish-interrupted/poll";
    assert_eq!(get(&runner, poll, &[secret]).await.status, 200);
    assert_eq!(get(&runner, poll, &[clinic, secret]).await.status, 403);
    assert_eq!(get(&runner, "/jobs", &[secret]).await.status, 403);
    assert_eq!(generate(&runner, 3, &[secret]).await.status, 403);
    let operations = ("x-openhim-clientid", "operations");
    assert_eq!(
        get(&runner, "/jobs", &[operations, secret]).await.status,
        200
    );
}

/// The AuditEvents in the database of a runner that has ended.
pub(super) async fn audit(folder: &Path, parameters: &[(&str, &str)]) -> Vec<Value> {
    let database = Database::open(&folder.join("ddcc.sqlite")).await.unwrap();
    let repository = SqliteRepository::new(database);
    repository.search("AuditEvent", parameters).await.unwrap()
}

#[tokio::test]
async fn the_audit_says_who_did_it_and_who_was_refused() {
    let mut runner = Runner::configured(&OPENHIM);
    let clinic = ("x-openhim-clientid", "clinic");
    let secret = ("authorization", BASIC);
    let issued = generate(&runner, 1, &[clinic, secret]).await;
    let id = issued.header("content-location").rsplit('/').next();
    let id = id.unwrap().to_owned();
    for _ in 0..50 {
        assert_eq!(generate(&runner, 2, &[]).await.status, 401);
    }
    assert_eq!(get(&runner, "/jobs", &[clinic, secret]).await.status, 403);
    let data = Arc::clone(&runner.data_directory);
    runner.terminate();
    assert!(runner.wait().success(), "{}", runner.log());

    let about = audit(data.path(), &[("entity", &format!("Bundle/{id}"))]).await;
    let agents = about[0]["agent"].as_array().unwrap();
    assert_eq!(agents[0]["requestor"], true);
    assert_eq!(
        agents[0]["who"]["identifier"],
        json!({"system": "urn:openhim:client", "value": "clinic"})
    );
    assert_eq!(agents[1]["requestor"], false);

    let mut refused: Vec<(String, String, u64)> = audit(data.path(), &[])
        .await
        .iter()
        .filter(|event| event["outcome"] == "4")
        .map(|event| {
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            let entity = &event["entity"][0];
            assert_eq!(event["agent"][0]["network"]["address"], "127.0.0.1");
            (
                text(&event["subtype"][0]["code"]),
                text(&entity["name"]),
                text(&entity["detail"][0]["valueString"]).parse().unwrap(),
            )
        })
        .collect();
    refused.sort();
    let knocked = format!("POST {GENERATE}");
    // The first at once, the others together.
    assert_eq!(
        refused,
        [
            ("missing_permission".to_owned(), "GET /jobs".to_owned(), 1),
            ("nothing_shown".to_owned(), knocked.clone(), 1),
            ("nothing_shown".to_owned(), knocked, 49),
        ]
    );
}

#[tokio::test]
async fn what_was_interrupted_is_audited_as_who_sent_it() {
    let folder = Arc::new(TempDir::new().unwrap());
    let database = Database::open(&folder.path().join("ddcc.sqlite"))
        .await
        .unwrap();
    let ledger = mediator_ddcc::ledger::sqlite::SqliteLedger::new(database);
    let kept = json!({
        "requester": {"system": "urn:openhim:client", "value": "clinic"},
        "response": vaccination(7),
    });
    let key = mediator_ddcc::ledger::EventKey("interrupted".to_owned());
    use mediator_ddcc::ledger::Ledger as _;
    let kept = kept.to_string();
    let (_, is_new) = ledger.accept(&key, "hash", &kept).await.unwrap();
    assert!(is_new);
    drop(ledger);

    let mut runner = Runner::in_directory(Arc::clone(&folder), &OPENHIM);
    let clinic = ("x-openhim-clientid", "clinic");
    let start = Instant::now();
    let document = loop {
        let path = "/ddcc/List?code=folder&identifier=CH-TEST-7";
        let found = get(&runner, path, &[clinic, ("authorization", BASIC)]).await;
        let found = found.resource(200, "Bundle");
        if let Some(document) = found.pointer("/entry/0/resource/entry/0/item/reference") {
            break document.as_str().unwrap().to_owned();
        }
        assert!(
            start.elapsed() < Duration::from_secs(60),
            "{}",
            runner.log()
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    runner.terminate();
    runner.wait();
    let events = audit(folder.path(), &[]).await;
    let generated = events
        .iter()
        .find(|event| event["subtype"][0]["code"] == "ITI-65");
    let who = &generated.unwrap()["agent"][0]["who"]["identifier"]["value"];
    assert_eq!(who, "clinic", "{document}: {events:?}");
}

#[tokio::test]
async fn who_tries_secrets_is_not_looked_at_for_long() {
    let runner = Runner::configured(&[
        OPENHIM[0],
        OPENHIM[1],
        ("MEDIATOR_ACCESS__FAILED_ATTEMPTS_PER_MINUTE", "5"),
    ]);
    let clinic = ("x-openhim-clientid", "clinic");
    let good = [clinic, ("authorization", BASIC)];
    assert_eq!(generate(&runner, 1, &good).await.status, 200);
    let wrong = [clinic, ("authorization", "Basic b3BlbmhpbTp3cm9uZw==")];
    for _ in 0..5 {
        assert_eq!(generate(&runner, 2, &wrong).await.status, 401);
    }
    let refused = generate(&runner, 2, &wrong).await;
    assert_eq!(refused.issue(429)["code"], "throttled");
    let wait: u64 = refused.header("retry-after").parse().unwrap();
    assert!((1..=12).contains(&wait), "{wait}");
    // Behind the same proxy, others go on, and so does who shows nothing.
    assert_eq!(generate(&runner, 3, &good).await.status, 200);
    assert_eq!(generate(&runner, 4, &[clinic]).await.status, 401);
    let metrics = runner.get("/metrics").await;
    let text = String::from_utf8(metrics.body.to_vec()).unwrap();
    let counted = "access_refused_total{reason=\"too_many_attempts\"} 1";
    assert!(text.contains(counted), "{text}");
}

fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

/// A runner that takes the tokens of Keycloak's realm, as good to the second.
fn taking_tokens(keycloak: &RealKeycloak) -> Runner {
    Runner::configured(&[
        ("MEDIATOR_ACCESS__TOKENS__ISSUER", &keycloak.issuer()),
        ("MEDIATOR_ACCESS__TOKENS__LEEWAY_SECONDS", "0"),
    ])
}

/// One after another: they turn the same Keycloak's keys, and kill it.
#[tokio::test(flavor = "multi_thread")]
async fn tokens_of_a_real_keycloak() {
    let Some(keycloak) = RealKeycloak::start().await else {
        return;
    };
    let runner = taking_tokens(&keycloak);
    permissions_come_from_roles(&keycloak, &runner).await;
    tokens_that_are_not_good_are_refused(&keycloak, &runner).await;
    keys_are_turned_while_serving(&keycloak, &runner).await;
    it_serves_while_keycloak_is_down(&keycloak, &runner).await;
}

async fn permissions_come_from_roles(keycloak: &RealKeycloak, runner: &Runner) {
    let system = bearer(&keycloak.client_token("health-event-source").await);
    let system = [("authorization", system.as_str())];
    assert_eq!(generate(runner, 1, &system).await.status, 200);
    let path = "/ddcc/List?identifier=CH-TEST-1";
    let read = get(runner, path, &system).await;
    assert_eq!(read.resource(200, "Bundle")["total"], 1);
    let refused = get(runner, "/jobs", &system).await;
    assert_eq!(refused.issue(403)["code"], "forbidden");
    assert!(
        refused
            .header("www-authenticate")
            .starts_with("Bearer realm=\"ddcc\", error=\"insufficient_scope\"")
    );

    keycloak.create_client("nobody", &[], true).await;
    let nobody = bearer(&keycloak.client_token("nobody").await);
    let nobody = [("authorization", nobody.as_str())];
    assert_eq!(generate(runner, 2, &nobody).await.status, 403);

    keycloak
        .create_user("operator", &["mediator-administrator"])
        .await;
    let tokens = keycloak.user_tokens("operator").await;
    let operator = bearer(tokens["access_token"].as_str().unwrap());
    let operator = [("authorization", operator.as_str())];
    assert_eq!(get(runner, "/jobs", &operator).await.status, 200);
    assert_eq!(get(runner, path, &operator).await.status, 403);
    // What OpenHIM alone may say is worth nothing beside a token.
    let claiming = [operator[0], ("x-openhim-clientid", "clinic")];
    assert_eq!(generate(runner, 2, &claiming).await.status, 403);
}

async fn tokens_that_are_not_good_are_refused(keycloak: &RealKeycloak, runner: &Runner) {
    let user = keycloak.user_tokens("operator").await;
    let for_another = keycloak.client_token(RealKeycloak::AUDIENCE).await;
    for (token, part) in [
        (user["id_token"].as_str().unwrap(), "the token is"),
        (user["refresh_token"].as_str().unwrap(), "algorithm"),
        (for_another.as_str(), "audience"),
        ("rubbish", "JWT"),
    ] {
        let refused = get(runner, "/jobs", &[("authorization", &bearer(token))]).await;
        let issue = refused.issue(401);
        let text = issue["diagnostics"].as_str().unwrap();
        assert!(text.contains(part), "{part}: {text}");
        let challenge = refused.header("www-authenticate");
        assert!(challenge.contains("error=\"invalid_token\""), "{challenge}");
    }

    keycloak.create_client("hasty", &["issue"], true).await;
    keycloak
        .set_token_lifetime("hasty", Duration::from_secs(2))
        .await;
    let hasty = bearer(&keycloak.client_token("hasty").await);
    let start = Instant::now();
    loop {
        let answer = generate(runner, 3, &[("authorization", &hasty)]).await;
        if answer.status == 401 {
            assert_eq!(answer.issue(401)["code"], "expired");
            break;
        }
        assert!(start.elapsed() < Duration::from_secs(60));
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn keys_are_turned_while_serving(keycloak: &RealKeycloak, runner: &Runner) {
    for algorithm in ["ES256", "PS256", "RS256"] {
        let before = bearer(&keycloak.client_token("health-event-source").await);
        keycloak.rotate_keys(algorithm).await;
        let after = bearer(&keycloak.client_token("health-event-source").await);
        until_accepted(runner, &after).await;
        let before = [("authorization", before.as_str())];
        assert_eq!(
            get(runner, "/ddcc/List?identifier=1", &before).await.status,
            200
        );
    }
}

/// A key that is asked for a moment after another is not found before the pause is over.
async fn until_accepted(runner: &Runner, authorization: &str) {
    let start = Instant::now();
    loop {
        let headers = [("authorization", authorization)];
        let answer = get(runner, "/ddcc/List?identifier=1", &headers).await;
        if answer.status == 200 {
            return;
        }
        assert!(
            start.elapsed() < Duration::from_secs(120),
            "{:?}",
            answer.body
        );
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

async fn it_serves_while_keycloak_is_down(keycloak: &RealKeycloak, runner: &Runner) {
    keycloak
        .set_token_lifetime("health-event-source", Duration::from_secs(3600))
        .await;
    let known = bearer(&keycloak.client_token("health-event-source").await);
    until_accepted(runner, &known).await;
    keycloak.rotate_keys("ES256").await;
    let unknown = bearer(&keycloak.client_token("health-event-source").await);
    keycloak.kill().await;

    let headers = [("authorization", known.as_str())];
    assert_eq!(generate(runner, 4, &headers).await.status, 200);
    let headers = [("authorization", unknown.as_str())];
    let start = Instant::now();
    loop {
        let refused = generate(runner, 5, &headers).await;
        // The last attempt may have been a moment before the new key came and Keycloak went.
        if refused.status == 503 {
            assert_eq!(refused.issue(503)["code"], "transient");
            assert!(refused.headers.contains_key("retry-after"));
            break;
        }
        assert_eq!(refused.status, 401);
        assert!(start.elapsed() < Duration::from_secs(120));
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    assert_eq!(runner.get("/health/ready").await.status, 200);

    // One that starts now has no keys; the rest of it serves.
    let late = taking_tokens(keycloak);
    assert_eq!(late.get("/ddcc/metadata").await.status, 200);
    let headers = [("authorization", known.as_str())];
    assert_eq!(generate(&late, 6, &headers).await.status, 503);
    assert_eq!(late.get("/health/ready").await.status, 503);
    assert!(late.log().contains("could not be had"), "{}", late.log());

    keycloak.restart().await;
    for runner in [runner, &late] {
        until_accepted(runner, &unknown).await;
        until_accepted(runner, &known).await;
        assert_eq!(runner.get("/health/ready").await.status, 200);
    }
}
