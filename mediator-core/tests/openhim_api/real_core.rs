//! The same against a real core, which is a 4.0.5.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use http::StatusCode;
use mediator_core::default_channels::install_default_channels;
use mediator_core::envelope::{
    Orchestration, RecordedRequest, RecordedResponse, Timestamp, TransactionStatus,
};
use mediator_core::heartbeat::Heartbeat;
use mediator_core::mediator_config::MediatorConfig;
use mediator_core::openhim::{
    Authentication, OpenHim, OpenHimError, OpenHimSettings, Representation, TransactionSearch,
    TransactionUpdate, Trust,
};
use mediator_core::pushed_configuration::{Applied, PushedConfiguration};
use mediator_core::registration::{Registered, register};
use real_servers::openhim_core::RealOpenHimCore;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::OnceCell;

static CORE: OnceCell<Option<RealOpenHimCore>> = OnceCell::const_new();

async fn core() -> Option<&'static RealOpenHimCore> {
    CORE.get_or_init(RealOpenHimCore::start).await.as_ref()
}

fn settings(core: &RealOpenHimCore, password: &str) -> OpenHimSettings {
    OpenHimSettings {
        trust: Trust::CertificateAuthority(core.certificate_authority()),
        first_retry_delay: Duration::from_millis(10),
        ..OpenHimSettings::new(
            core.api_url().parse().unwrap(),
            RealOpenHimCore::USERNAME,
            password.to_owned().into(),
        )
    }
}

fn client(core: &RealOpenHimCore) -> OpenHim {
    OpenHim::new(&settings(core, RealOpenHimCore::PASSWORD)).unwrap()
}

/// A mediator with channels of its own.
fn config(name: &str, version: &str, port: u16) -> MediatorConfig {
    let mut document = super::document(version);
    document["urn"] = format!("urn:mediator:{name}").into();
    for endpoint in document["endpoints"].as_array_mut().unwrap() {
        endpoint["port"] = port.to_string().into();
    }
    for (channel, own) in document["defaultChannelConfig"]
        .as_array_mut()
        .unwrap()
        .iter_mut()
        .zip(["http", "polling"])
    {
        channel["name"] = format!("{name} {own}").into();
        channel["routes"][0]["port"] = port.into();
    }
    document["defaultChannelConfig"][0]["urlPattern"] = format!("^/{name}$").into();
    document["defaultChannelConfig"][1]["pollingSchedule"] = "1 second".into();
    MediatorConfig::from_json(&document.to_string()).unwrap()
}

/// Something that core can call, and how often it did.
async fn back_end() -> (u16, Arc<AtomicUsize>) {
    let calls = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&calls);
    let router = Router::new().fallback(move || async move {
        counter.fetch_add(1, Ordering::SeqCst);
        "well"
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async { axum::serve(listener, router).await });
    (port, calls)
}

#[tokio::test]
async fn it_is_asked_with_tokens_and_trusted_by_its_authority() {
    let Some(core) = core().await else { return };
    let openhim = client(core);
    openhim.mediators().await.unwrap();
    assert!(openhim.heartbeat().await.unwrap().uptime > Duration::ZERO);

    let error = |settings: OpenHimSettings| async move {
        OpenHim::new(&settings)
            .unwrap()
            .mediators()
            .await
            .unwrap_err()
    };
    let right = settings(core, RealOpenHimCore::PASSWORD);
    let basic = OpenHimSettings {
        authentication: Authentication::Basic,
        ..right.clone()
    };
    assert_eq!(error(basic).await, OpenHimError::WrongCredentials);
    assert_eq!(
        error(settings(core, "wrong")).await,
        OpenHimError::WrongCredentials
    );
    let stranger = OpenHimSettings {
        username: "nobody@example.org".to_owned(),
        ..right.clone()
    };
    assert_eq!(error(stranger).await, OpenHimError::WrongCredentials);
    let untrusted = OpenHimSettings {
        trust: Trust::System,
        ..right.clone()
    };
    assert!(matches!(
        error(untrusted).await,
        OpenHimError::CertificateNotTrusted { .. }
    ));
    let any = OpenHimSettings {
        trust: Trust::AnyCertificate,
        authentication: Authentication::Token,
        ..right
    };
    OpenHim::new(&any).unwrap().mediators().await.unwrap();
}

#[tokio::test]
async fn a_user_without_permission_is_told() {
    let Some(core) = core().await else { return };
    core.create_user("clerk@example.org", "secret", "clerks")
        .await;
    let clerk = OpenHimSettings {
        username: "clerk@example.org".to_owned(),
        ..settings(core, "secret")
    };
    let error = OpenHim::new(&clerk).unwrap().mediators().await.unwrap_err();
    let OpenHimError::NotAllowed { text, .. } = &error else {
        panic!("{error}")
    };
    assert!(text.contains("not an admin"), "{text}");
}

#[tokio::test]
async fn what_it_did_with_a_registration_is_found_out() {
    let Some(core) = core().await else { return };
    let openhim = client(core);
    let register = async |version, port| {
        register(&openhim, &config("registered", version, port))
            .await
            .unwrap()
    };
    assert_eq!(register("1.0.0", 4321).await, Registered::New);
    assert_eq!(register("1.0.0", 4321).await, Registered::Unchanged);
    let Registered::IgnoredBecauseNotHigher { differs, .. } = register("1.0.0", 4322).await else {
        panic!("a change was not seen")
    };
    assert_eq!(differs.as_deref(), Some("endpoints.0.port"));
    assert_eq!(
        register("1.1.0", 4322).await,
        Registered::Updated {
            from: "1.0.0".parse().unwrap(),
            to: "1.1.0".parse().unwrap()
        }
    );
    let read = openhim
        .mediator("urn:mediator:registered")
        .await
        .unwrap()
        .unwrap();
    assert_eq!(read.config.unwrap()["secret"], "**********");
    openhim
        .remove_mediator("urn:mediator:registered")
        .await
        .unwrap();
    assert_eq!(register("1.0.0", 4321).await, Registered::New);
}

#[tokio::test]
async fn a_document_that_is_wrong_is_refused_with_its_words() {
    let Some(core) = core().await else { return };
    let error = client(core)
        .register_mediator(&json!({"urn": "urn:x"}))
        .await;
    let Err(OpenHimError::Refused { status, text, .. }) = error else {
        panic!("{error:?}")
    };
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(text.contains("SemVer"), "{text}");
}

#[derive(Deserialize)]
struct Settings {
    retries: u8,
    secret: String,
}

#[tokio::test]
async fn configuration_comes_from_the_console() {
    let Some(core) = core().await else { return };
    let openhim = client(core);
    let config = config("configured", "1.0.0", 4321);
    register(&openhim, &config).await.unwrap();
    let current = PushedConfiguration::<Settings>::new(&config).unwrap();
    let heartbeat = Heartbeat::new(openhim.clone(), Arc::new(config)).configuration(&current);
    let beat = heartbeat.heartbeat_once().await.unwrap();
    assert_eq!(beat.configuration, Some(Applied::New));
    assert_eq!(current.current().secret, "hunter2");

    let urn = "urn:mediator:configured";
    let set = async |config: Value| openhim.set_mediator_config(urn, &config).await;
    set(json!({"retries": 7, "secret": "**********"}))
        .await
        .unwrap();
    let beat = heartbeat.heartbeat_once().await.unwrap();
    assert_eq!(beat.configuration, Some(Applied::New));
    assert_eq!(current.current().retries, 7);
    assert_eq!(current.current().secret, "hunter2");

    // Core refuses this one, and takes the next.
    let refused = set(json!({"retries": "seven"})).await.unwrap_err();
    assert!(matches!(refused, OpenHimError::Refused { .. }), "{refused}");
    set(json!({"retries": 700, "secret": "hunter2"}))
        .await
        .unwrap();
    let beat = heartbeat.heartbeat_once().await.unwrap();
    assert!(matches!(beat.configuration, Some(Applied::Refused(_))));
    assert_eq!(current.current().retries, 7);
    let error = openhim.set_mediator_config("urn:nobody", &json!({})).await;
    assert!(matches!(error, Err(OpenHimError::UnknownMediator { .. })));
}

#[tokio::test]
async fn default_channels_are_created_once_and_polled() {
    let Some(core) = core().await else { return };
    let openhim = client(core);
    let (port, calls) = back_end().await;
    let config = config("channels", "1.0.0", port);
    register(&openhim, &config).await.unwrap();
    let installing = (0..4).map(|_| install_default_channels(&openhim, &config));
    let installed = futures::future::try_join_all(installing).await.unwrap();
    let created: usize = installed
        .iter()
        .map(|installed| installed.created.len())
        .sum();
    assert_eq!(created, 2);
    let again = install_default_channels(&openhim, &config).await.unwrap();
    assert_eq!(again.existing, ["channels http", "channels polling"]);
    super::eventually(|| calls.load(Ordering::SeqCst) >= 2).await;
    let channels = core.api("GET", "/channels", None).await.body;
    for channel in channels.as_array().unwrap() {
        if channel["name"] == "channels polling" {
            let id = channel["_id"].as_str().unwrap();
            core.api("DELETE", &format!("/channels/{id}"), None).await;
        }
    }
}

#[tokio::test]
async fn transactions_are_found_read_and_completed() {
    let Some(core) = core().await else { return };
    let openhim = client(core);
    let (port, _) = back_end().await;
    core.create_channel("transactions", port).await;
    let url = format!("{}/transactions/patients?name=ada", core.router_url());
    reqwest::get(url).await.unwrap();
    let search = TransactionSearch::new()
        .path("^/transactions/patients$")
        .response_status_class(2)
        .since("2020-01-01T00:00:00Z".parse().unwrap())
        .representation(Representation::Full);
    let mut found = Vec::new();
    for _ in 0..50 {
        found = openhim.search_transactions(&search).await.unwrap();
        let done = |found: &mediator_core::openhim::StoredTransaction| {
            found.known_status() == Some(TransactionStatus::Successful)
        };
        if found.first().is_some_and(done) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let found = found.remove(0);
    assert_eq!(found.known_status(), Some(TransactionStatus::Successful));
    assert_eq!(found.response.unwrap().body.as_deref(), Some("well"));
    let own_calls = found.orchestrations.len();

    let call = Orchestration::new(
        "print",
        RecordedRequest::new(Timestamp::now()).method("POST"),
    )
    .response(RecordedResponse::new(StatusCode::OK, Timestamp::now()).body("paper"));
    let answer = RecordedResponse::new(StatusCode::OK, Timestamp::now()).body("printed");
    let update = TransactionUpdate::new()
        .status(TransactionStatus::CompletedWithErrors)
        .response(answer)
        .orchestration(call)
        .property("printer.floor", "2");
    openhim
        .update_transaction(&found.id, &update)
        .await
        .unwrap();
    let more = TransactionUpdate::new().property("paper", "A4");
    openhim.update_transaction(&found.id, &more).await.unwrap();

    let read = openhim.transaction(&found.id).await.unwrap().unwrap();
    assert_eq!(
        read.known_status(),
        Some(TransactionStatus::CompletedWithErrors)
    );
    assert_eq!(read.response.unwrap().body.as_deref(), Some("printed"));
    assert_eq!(read.orchestrations.len(), own_calls + 1);
    assert_eq!(
        read.orchestrations[own_calls].name.as_deref(),
        Some("print")
    );
    assert_eq!(read.properties["printer\u{ff0e}floor"], "2");
    assert_eq!(read.properties["paper"], "A4");

    let search = TransactionSearch::new();
    for (search, expected) in [
        (search.clone().property("printer.floor", "2"), 1),
        (search.clone().has_property("paper"), 1),
        (search.clone().property("paper", "A5"), 0),
        (
            search
                .clone()
                .path("^/transactions/")
                .response_status(StatusCode::NOT_FOUND),
            0,
        ),
        (
            search
                .path("^/transactions/")
                .until("2020-01-01T00:00:00Z".parse().unwrap()),
            0,
        ),
    ] {
        let found = openhim.search_transactions(&search).await.unwrap();
        assert_eq!(found.len(), expected, "{search:?}");
    }
    let unknown = "5f00000000000000000000ff";
    assert_eq!(openhim.transaction(unknown).await.unwrap(), None);
    let error = openhim.update_transaction(unknown, &more).await;
    assert!(
        matches!(error, Err(OpenHimError::NotFound { .. })),
        "{error:?}"
    );
}

#[tokio::test]
async fn it_may_be_killed_and_forget_everything() {
    let Some(core) = RealOpenHimCore::start().await else {
        return;
    };
    let openhim = client(&core);
    let (port, calls) = back_end().await;
    let config = Arc::new(config("forgotten", "1.0.0", port));
    let heartbeat = Heartbeat::new(openhim.clone(), Arc::clone(&config)).install_default_channels();
    let state = heartbeat.state();
    let beat = heartbeat.heartbeat_once().await.unwrap();
    assert_eq!(beat.registered, Some(Registered::New));

    core.kill().await;
    heartbeat.heartbeat_once().await.unwrap_err();
    assert!(!state.borrow().is_connected());
    core.restart().await;
    let beat = heartbeat.heartbeat_once().await.unwrap();
    assert_eq!(beat.registered, None);
    assert!(beat.core_restarted);
    assert!(state.borrow().is_connected());

    core.restart_with_empty_database().await;
    let before = calls.load(Ordering::SeqCst);
    let beat = heartbeat.heartbeat_once().await.unwrap();
    assert_eq!(beat.registered, Some(Registered::New));
    super::eventually(|| calls.load(Ordering::SeqCst) > before).await;
    let told = openhim.heartbeat().await.unwrap();
    assert!(told.mediators["urn:mediator:forgotten"].is_some());
}
