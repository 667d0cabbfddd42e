use std::time::Duration;

use mediator_core::mediator_config::{ChannelDefinition, ChannelStatus, Method, Route};
use mediator_core::openhim::{AuditSearch, Client, OpenHimError, Role, User};
use real_servers::openhim_core::RealOpenHimCore;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::{client_of, core, root};

const MISSING: &str = "0123456789abcdef01234567";

fn is_missing<T: std::fmt::Debug>(result: Result<T, OpenHimError>) -> bool {
    match result {
        Err(OpenHimError::NotFound { .. }) => true,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn core_tells_its_version() {
    let Some(core) = core().await else { return };
    let about = root(core).about().await.unwrap();
    assert_eq!(about.version.to_string(), RealOpenHimCore::VERSION);
}

#[tokio::test]
async fn a_channel_is_created_changed_and_removed() {
    let Some(core) = core().await else { return };
    let openhim = root(core);
    let channels = openhim.channels();
    let definition = ChannelDefinition::http("Patients", "^/patients$", [Method::Get])
        .allow("hospital")
        .route(Route::http("Registry", "registry.example", 8080).primary());
    let created = channels.create(&definition).await.unwrap();
    assert_eq!(created.definition.methods, [Method::Get]);
    assert!(channels.list().await.unwrap().contains(&created));

    let mut changed = created.definition.clone();
    changed.allow.clear();
    changed.methods.push(Method::Post);
    changed.routes[0].port = Some(8081);
    channels.update(&created.id, &changed).await.unwrap();
    let read = channels.read(&created.id).await.unwrap();
    assert!(read.definition.allow.is_empty());
    assert_eq!(read.definition.methods, [Method::Get, Method::Post]);
    assert_eq!(read.definition.routes[0].port, Some(8081));

    channels.delete(&created.id).await.unwrap();
    assert!(is_missing(channels.read(&created.id).await));
    assert!(is_missing(channels.update(MISSING, &definition).await));
    assert!(is_missing(channels.delete(MISSING).await));
    assert!(is_missing(channels.trigger(MISSING).await));
}

#[tokio::test]
async fn a_polling_channel_runs_when_it_is_triggered_and_is_only_marked_as_deleted_then() {
    let Some(core) = core().await else { return };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let openhim = root(core);
    let channels = openhim.channels();
    let definition = ChannelDefinition::polling("Triggered", "0 0 1 1 *").route(
        Route::http("Mediator", "127.0.0.1", port)
            .path("/jobs/clean-up")
            .primary(),
    );
    definition.check().unwrap();
    let created = channels.create(&definition).await.unwrap();

    let polled = async {
        let (mut connection, _) = listener.accept().await.unwrap();
        let mut request = vec![0; 4096];
        let length = connection.read(&mut request).await.unwrap();
        connection
            .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nOK")
            .await
            .unwrap();
        String::from_utf8_lossy(&request[..length]).into_owned()
    };
    let both = async { tokio::join!(channels.trigger(&created.id), polled) };
    let (triggered, request) = tokio::time::timeout(Duration::from_secs(20), both)
        .await
        .unwrap();
    triggered.unwrap();
    assert!(request.starts_with("GET /jobs/clean-up"), "{request}");

    // Core writes the transaction after it has answered.
    for _ in 0..100 {
        if !core
            .transactions(&serde_json::json!({ "channelID": created.id }))
            .await
            .is_empty()
        {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    channels.delete(&created.id).await.unwrap();
    let left = channels.read(&created.id).await.unwrap();
    assert_eq!(left.definition.status, Some(ChannelStatus::Deleted));
}

#[tokio::test]
async fn a_client_is_let_in_with_its_password() {
    let Some(core) = core().await else { return };
    let openhim = root(core);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut connection, _)) = listener.accept().await {
            let _ = connection.read(&mut [0; 4096]).await;
            let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nOK";
            let _ = connection.write_all(answer).await;
        }
    });
    let definition = ChannelDefinition::http("Let in", "^/let-in$", [Method::Get])
        .allow("let-in")
        .route(Route::http("Back end", "127.0.0.1", port).primary());
    openhim.channels().create(&definition).await.unwrap();

    let password = "correct horse".to_owned().into();
    let client = Client::new("hospital-1", "Hospital 1")
        .role("let-in")
        .password(&password);
    let created = openhim.clients().create(&client).await.unwrap();
    assert!(created.has_password(&password));
    let status = async |password: &str| {
        reqwest::Client::new()
            .get(format!("{}/let-in", core.router_url()))
            .basic_auth("hospital-1", Some(password))
            .send()
            .await
            .unwrap()
            .status()
            .as_u16()
    };
    assert_eq!(status("correct horse").await, 200);
    assert_eq!(status("wrong horse").await, 401);

    let id = created.id.clone().unwrap();
    let renamed = Client::new("hospital-1", "First hospital").role("let-in");
    openhim.clients().update(&id, &renamed).await.unwrap();
    assert_eq!(status("correct horse").await, 200);
    let read = openhim.clients().read(&id).await.unwrap();
    assert_eq!(read.name, "First hospital");

    openhim.clients().delete(&id).await.unwrap();
    assert_eq!(openhim.clients().find("hospital-1").await.unwrap(), None);
    assert!(is_missing(openhim.clients().read(MISSING).await));
    assert!(is_missing(
        openhim.clients().update(MISSING, &renamed).await
    ));
    assert!(is_missing(openhim.clients().delete(MISSING).await));
}

#[tokio::test]
async fn a_role_is_what_channels_and_clients_say() {
    let Some(core) = core().await else { return };
    let openhim = root(core);
    let roles = openhim.roles();
    let definition = ChannelDefinition::http("Of a role", "^/of-a-role$", [Method::Get])
        .allow("clinic")
        .route(Route::http("Back end", "127.0.0.1", 1).primary());
    openhim.channels().create(&definition).await.unwrap();
    let client = Client::new("of-a-role", "Of a role").role("clinic");
    openhim.clients().create(&client).await.unwrap();

    let role = Role::new("clinic").channel("Of a role").client("of-a-role");
    assert_eq!(roles.read("clinic").await.unwrap(), role);
    assert!(roles.list().await.unwrap().contains(&role));
    let is_refused = |result| matches!(result, Err(OpenHimError::Refused { .. }));
    assert!(is_refused(roles.create(&role).await), "exists");
    let clients_name = Role::new("of-a-role").channel("Of a role");
    assert!(is_refused(roles.create(&clients_name).await));
    assert!(is_refused(roles.create(&Role::new("nothing")).await));
    assert!(is_missing(roles.read("none").await));
    assert!(is_missing(roles.update("none", &role).await));
    assert!(is_missing(roles.delete("none").await));
    // What changes several documents at once is left to the double: the stand-in for MongoDB
    // closes the connection then.
}

#[tokio::test]
async fn a_user_who_was_created_can_use_the_api() {
    let Some(core) = core().await else { return };
    let openhim = root(core);
    let users = openhim.users();
    let password = "correct horse".to_owned().into();
    let user = User::new("Mediator@example.org", "Patients", "Mediator").group("admin");
    users.create(&user, &password).await.unwrap();
    let read = users.read("mediator@example.org").await.unwrap();
    assert_eq!(read.groups, ["admin"]);
    assert_eq!(read.locked, Some(false));
    assert!(users.list().await.unwrap().contains(&read));

    let right = client_of(core, "mediator@example.org", "correct horse");
    right.about().await.unwrap();
    let wrong = client_of(core, "mediator@example.org", "wrong horse");
    assert!(matches!(
        wrong.about().await,
        Err(OpenHimError::WrongCredentials)
    ));

    let mut changed = user.clone();
    changed.groups.clear();
    users
        .update("mediator@example.org", &changed)
        .await
        .unwrap();
    assert!(matches!(
        right.clients().list().await,
        Err(OpenHimError::NotAllowed { .. })
    ));

    users.delete("mediator@example.org").await.unwrap();
    assert!(is_missing(users.read("mediator@example.org").await));
    assert!(is_missing(users.update("no@example.org", &user).await));
    assert!(is_missing(users.delete("no@example.org").await));
    assert!(matches!(
        users.delete(RealOpenHimCore::USERNAME).await,
        Err(OpenHimError::NotAllowed { .. })
    ));
}

#[tokio::test]
async fn audit_records_are_found() {
    let Some(core) = core().await else { return };
    let openhim = root(core);
    let audits = openhim.audits();
    // Core has audited its start and everybody who logged in.
    let mut found = Vec::new();
    for _ in 0..100 {
        let search = AuditSearch::new().source("OpenHIM").details().limit(5);
        found = audits.search(&search).await.unwrap();
        if !found.is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let newest = found.first().unwrap();
    assert!(newest.event.id.as_ref().unwrap().code.is_some());
    assert!(!newest.participants.is_empty());
    assert_eq!(audits.read(&newest.id).await.unwrap(), *newest);

    let future = AuditSearch::new().from(chrono::Utc::now() + chrono::TimeDelta::hours(1));
    assert_eq!(audits.search(&future).await.unwrap(), []);
    let past = AuditSearch::new().until(newest.event.time);
    assert!(!audits.search(&past).await.unwrap().is_empty());
    let one = audits.search(&AuditSearch::new().limit(1)).await.unwrap();
    assert_eq!(one.len(), 1);
    assert!(one[0].participants.is_empty());
    assert!(is_missing(audits.read(MISSING).await));
}
