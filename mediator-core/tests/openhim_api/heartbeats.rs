use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use mediator_core::heartbeat::{Beat, Heartbeat};
use mediator_core::openhim::OpenHimError;
use mediator_core::registration::{Registered, register};

use super::{Fault, OpenHimDouble, URN, User, Version, config, eventually};

fn heartbeat(core: &OpenHimDouble) -> Heartbeat {
    Heartbeat::new(core.client(), Arc::new(config("1.0.0")))
}

#[tokio::test]
async fn core_is_told_the_uptime_and_tells_it() {
    for version in [Version::V4, Version::V8] {
        let core = OpenHimDouble::start(version).await;
        register(&core.client(), &config("1.0.0")).await.unwrap();
        let heartbeat = heartbeat(&core);
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert_eq!(
            heartbeat.heartbeat_once().await.unwrap(),
            Beat {
                registered: None,
                core_restarted: false,
                configuration: None
            }
        );
        let told = core.client().heartbeat().await.unwrap().mediators[URN].unwrap();
        assert!(told >= Duration::from_millis(20), "{told:?}");
        assert!(told < Duration::from_secs(20), "seconds, {told:?}");
        let registered = core.client().mediator(URN).await.unwrap().unwrap();
        assert!(registered.last_heartbeat.is_some());
    }
}

#[tokio::test]
async fn a_mediator_that_core_has_forgotten_is_registered_again_with_its_channels() {
    let core = OpenHimDouble::start(Version::V8).await;
    let heartbeat = heartbeat(&core).install_default_channels();
    let beat = heartbeat.heartbeat_once().await.unwrap();
    assert_eq!(beat.registered, Some(Registered::New));
    assert_eq!(core.channels().len(), 2);
    let beat = heartbeat.heartbeat_once().await.unwrap();
    assert_eq!(beat.registered, None);

    core.forget_mediators();
    core.seen();
    let beat = heartbeat.heartbeat_once().await.unwrap();
    assert_eq!(beat.registered, Some(Registered::New));
    assert!(core.seen().iter().any(|seen| seen.path == "/channels"));
    assert!(core.mediator(URN).unwrap()["_uptime"].is_number());
}

#[tokio::test]
async fn default_channels_that_fail_are_installed_with_a_later_heartbeat() {
    let core = OpenHimDouble::start(Version::V8).await;
    let heartbeat = heartbeat(&core).install_default_channels();
    core.fail_next_of("/channels", [Fault::Refuse(StatusCode::BAD_GATEWAY); 3]);
    heartbeat.heartbeat_once().await.unwrap();
    assert_eq!(core.channels().len(), 0);
    heartbeat.heartbeat_once().await.unwrap();
    assert_eq!(core.channels().len(), 2);
    core.seen();
    heartbeat.heartbeat_once().await.unwrap();
    assert!(core.seen().iter().all(|seen| seen.path != "/channels"));
}

#[tokio::test]
async fn the_state_tells_whether_core_takes_heartbeats() {
    let core = OpenHimDouble::start(Version::V8).await;
    let heartbeat = heartbeat(&core);
    let state = heartbeat.state();
    assert!(!state.borrow().is_connected());
    state.borrow().check().unwrap_err();

    heartbeat.heartbeat_once().await.unwrap();
    assert!(state.borrow().is_connected());
    state.borrow().check().unwrap();
    let last = state.borrow().last_success;

    let killed = core.kill().await;
    for _ in 0..2 {
        let error = heartbeat.heartbeat_once().await.unwrap_err();
        assert!(matches!(error, OpenHimError::Unreachable { .. }), "{error}");
    }
    assert!(!state.borrow().is_connected());
    assert_eq!(state.borrow().missed, 2);
    assert_eq!(state.borrow().last_success, last);
    assert!(
        state
            .borrow()
            .check()
            .unwrap_err()
            .contains("cannot be reached")
    );

    let core = killed.start_again().await;
    heartbeat.heartbeat_once().await.unwrap();
    assert!(state.borrow().is_connected());
    assert_eq!(state.borrow().missed, 0);
    drop(core);
}

#[tokio::test]
async fn the_state_tells_why_a_mediator_is_not_registered() {
    let core = OpenHimDouble::start(Version::V8).await;
    let openhim = core.client_of("mediator@example.org", "secret");
    let heartbeat = Arc::new(Heartbeat::new(openhim, Arc::new(config("1.0.0"))));
    let state = heartbeat.state();
    let registering = Arc::clone(&heartbeat);
    let registering = tokio::spawn(async move { registering.register_until_done().await });
    eventually(|| state.borrow().failure == Some(OpenHimError::WrongCredentials)).await;
    assert!(state.borrow().check().unwrap_err().contains("password"));

    let permissions = ["mediator-manage-all"];
    core.add_user(User::new("mediator@example.org", "secret", &permissions));
    assert_eq!(registering.await.unwrap().unwrap(), Registered::New);
    heartbeat.heartbeat_once().await.unwrap();
    state.borrow().check().unwrap();
}

#[tokio::test]
async fn heartbeats_go_on_until_shutdown() {
    let core = OpenHimDouble::start(Version::V8).await;
    let heartbeat = heartbeat(&core).period(Duration::from_millis(20));
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let running = tokio::spawn(async move {
        heartbeat
            .run(async {
                let _ = stopped.await;
            })
            .await;
    });
    let mut beats = 0;
    eventually(|| {
        let seen = core.seen();
        beats += seen
            .iter()
            .filter(|seen| seen.path.ends_with("/heartbeat"))
            .count();
        beats > 10
    })
    .await;
    stop.send(()).unwrap();
    running.await.unwrap();
    core.seen();
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(core.seen().is_empty());
}

#[tokio::test]
async fn a_hanging_core_does_not_hold_up_a_shutdown() {
    let core = OpenHimDouble::start(Version::V8).await;
    core.fail_next([Fault::Hang; 10]);
    let heartbeat = heartbeat(&core);
    let run = heartbeat.run(tokio::time::sleep(Duration::from_millis(50)));
    tokio::time::timeout(Duration::from_secs(10), run)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_restart_of_core_is_noticed() {
    let core = OpenHimDouble::start(Version::V8).await;
    core.run_since(Duration::from_secs(100));
    let heartbeat = heartbeat(&core);
    assert!(!heartbeat.heartbeat_once().await.unwrap().core_restarted);
    assert!(!heartbeat.heartbeat_once().await.unwrap().core_restarted);
    let core = core.kill().await.start_again().await;
    assert!(heartbeat.heartbeat_once().await.unwrap().core_restarted);
    assert!(!heartbeat.heartbeat_once().await.unwrap().core_restarted);
    drop(core);
}
