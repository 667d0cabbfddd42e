//! `register`, `channels` and `status`.

use serde_json::json;

use super::{at, core, write_mediator};

#[tokio::test]
async fn register_tells_new_updated_unchanged_and_ignored() {
    let Some(core) = core().await else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("mediatorConfig.json");
    let path = file.to_str().unwrap();
    let register = |version, port| {
        write_mediator(&file, "registered", version, port);
        let outcome = at(core, &["register", path, "--json"], &[]);
        let mut line = outcome.json().remove(0);
        let line = line.as_object_mut().unwrap();
        assert_eq!(line["urn"], "urn:mediator:registered");
        (line["outcome"].as_str().unwrap().to_owned(), outcome.code)
    };
    assert_eq!(register("1.0.0", 1000), ("new".to_owned(), 0));
    assert_eq!(register("1.0.0", 1000), ("unchanged".to_owned(), 0));
    assert_eq!(register("1.1.0", 1001), ("updated".to_owned(), 0));
    assert_eq!(register("1.1.0", 1002), ("ignored".to_owned(), 1));
    assert_eq!(register("1.0.0", 1001), ("ignored".to_owned(), 1));
    let known = core
        .api("GET", "/mediators/urn:mediator:registered", None)
        .await;
    assert_eq!(known.body["version"], "1.1.0");
    assert_eq!(known.body["endpoints"][0]["port"], 1001);

    let text = at(core, &["register", path], &[]);
    assert_eq!(text.code, 1);
    assert!(
        text.output
            .starts_with("urn:mediator:registered 1.0.0: ignored")
    );
}

#[tokio::test]
async fn a_wrong_registration_is_not_sent() {
    let Some(core) = core().await else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("mediatorConfig.json");
    let path = file.to_str().unwrap();
    std::fs::write(
        &file,
        r#"{"urn": "urn:mediator:wrong", "name": "w", "version": "1"}"#,
    )
    .unwrap();
    let outcome = at(core, &["register", path], &[]);
    assert_eq!(outcome.code, 2);
    let mistakes: Vec<_> = outcome.errors.lines().collect();
    assert_eq!(mistakes.len(), 2, "{mistakes:?}");
    assert!(mistakes[0].contains("version"), "{mistakes:?}");
    assert!(mistakes[1].contains("endpoints"), "{mistakes:?}");
    let known = core.api("GET", "/mediators/urn:mediator:wrong", None).await;
    assert_eq!(known.status, 404);
}

#[tokio::test]
async fn channels_creates_what_is_missing_and_status_shows_it() {
    let Some(core) = core().await else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("mediatorConfig.json");
    write_mediator(&file, "shown", "1.0.0", 1000);
    let path = file.to_str().unwrap();
    let states = |outcome: &super::Outcome| -> Vec<_> {
        let lines = outcome.json();
        lines.iter().map(|line| line["state"].clone()).collect()
    };
    let status = || at(core, &["status", "--mediator", path, "--json"], &[]);

    let outcome = status();
    assert_eq!(outcome.code, 1);
    let json = &outcome.json()[0];
    assert_eq!(json["mediator"]["registeredVersion"], json!(null));
    assert_eq!(json["mediator"]["up"], false);
    assert_eq!(json["channels"][0]["state"], "missing");

    assert_eq!(at(core, &["register", path], &[]).code, 0);
    let channels = ["channels", "--mediator", path, "--json"];
    let outcome = at(core, &[&channels[..], &["--dry-run"]].concat(), &[]);
    assert_eq!(
        (states(&outcome), outcome.code),
        (vec![json!("missing"); 2], 1)
    );
    let outcome = at(core, &channels, &[]);
    assert_eq!(
        (states(&outcome), outcome.code),
        (vec![json!("created"); 2], 0)
    );
    let outcome = at(core, &channels, &[]);
    assert_eq!(
        (states(&outcome), outcome.code),
        (vec![json!("enabled"); 2], 0)
    );

    // Registered, with channels, but it has never sent a heartbeat.
    assert_eq!(status().code, 1);
    let beat = json!({ "uptime": 5 });
    core.api(
        "POST",
        "/mediators/urn:mediator:shown/heartbeat",
        Some(beat),
    )
    .await;
    let outcome = status();
    assert_eq!(outcome.code, 0);
    let json = &outcome.json()[0];
    assert_eq!(json["mediator"]["up"], true);
    assert_eq!(json["mediator"]["registeredVersion"], "1.0.0");

    let text = at(core, &["status", "--mediator", path], &[]);
    let row = text
        .output
        .lines()
        .find(|line| line.starts_with("urn:mediator:shown"));
    assert!(row.unwrap().contains("up"), "{}", text.output);
    assert!(
        !text.output.contains('\u{1b}'),
        "colours belong on terminals only"
    );

    let known = core.api("GET", "/channels", None).await.body;
    let disable = known
        .as_array()
        .unwrap()
        .iter()
        .find(|channel| channel["name"] == "shown");
    let id = disable.unwrap()["_id"].as_str().unwrap();
    let change = json!({ "status": "disabled" });
    core.api("PUT", &format!("/channels/{id}"), Some(change))
        .await;
    let outcome = at(core, &channels, &[]);
    let expected = vec![json!("disabled"), json!("enabled")];
    assert_eq!((states(&outcome), outcome.code), (expected, 1));
}
