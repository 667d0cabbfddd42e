//! Certificates that change while the server runs.

use std::time::{Duration, Instant};

use super::super::{Running, log};
use super::{Authority, Folder, Pair, ask, client, https, says_hello, serve, server_parameters};

/// Waits until new connections get a certificate of this authority.
async fn until_served(server: &Running, authority: &Authority) {
    let start = Instant::now();
    while ask(server, authority, None, "/").await.is_err() {
        assert!(
            start.elapsed() < Duration::from_secs(5),
            "still the old one"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn new_connections_get_the_new_one_and_open_ones_live_on() {
    let (old, new) = (Authority::new(), Authority::new());
    let folder = Folder::new(&old.server());
    let server = serve(folder.settings()).await;
    let (hello, open) = (https(&server, "/"), client(&old, None));
    assert!(open.get(&hello).send().await.is_ok());

    folder.write(&new.server());
    until_served(&server, &new).await;
    assert!(ask(&server, &old, None, "/").await.is_err());
    assert!(open.get(&hello).send().await.is_ok());
    assert!(log::written().contains("new connections get a new certificate"));
}

// Kubernetes links each file to one in a folder that is a link itself, and replaces that one.
#[cfg(unix)]
#[tokio::test]
async fn a_folder_that_is_swapped() {
    use std::os::unix::fs::symlink;
    let (old, new) = (Authority::new(), Authority::new());
    let (first, second) = (Folder::new(&old.server()), Folder::new(&new.server()));
    let mounted = tempfile::tempdir().unwrap();
    let path = |name: &str| mounted.path().join(name);
    symlink(first.0.path(), path("..data")).unwrap();
    for name in ["tls.crt", "tls.key"] {
        symlink(path("..data").join(name), path(name)).unwrap();
    }
    let mut settings = first.settings();
    settings.certificate_chain = path("tls.crt");
    settings.private_key = path("tls.key");
    let server = serve(settings).await;
    says_hello(&server, &old).await;

    symlink(second.0.path(), path("..data_tmp")).unwrap();
    std::fs::rename(path("..data_tmp"), path("..data")).unwrap();
    until_served(&server, &new).await;
}

#[tokio::test]
async fn what_is_wrong_changes_nothing_and_is_said_once() {
    let (old, new) = (Authority::new(), Authority::new());
    let folder = Folder::new(&old.server());
    let server = serve(folder.settings()).await;
    says_hello(&server, &old).await;
    let good = new.server();
    let mut ended = server_parameters();
    ended.not_after = rcgen::date_time_ymd(2024, 1, 1);
    for (bad, said) in [
        (
            Pair {
                certificate: good.certificate.clone(),
                key: new.server().key,
            },
            "does not belong to the first certificate",
        ),
        (new.issue(ended), "ended on 2024-01-01"),
        (
            Pair {
                certificate: String::new(),
                key: good.key.clone(),
            },
            "tls.crt is empty",
        ),
    ] {
        folder.write(&bad);
        // Several looks at the files.
        tokio::time::sleep(Duration::from_millis(200)).await;
        says_hello(&server, &old).await;
        let text = log::written();
        let lines: Vec<_> = text.lines().filter(|line| line.contains(said)).collect();
        assert_eq!(lines.len(), 1, "{text}");
        assert!(lines[0].contains("ERROR"), "{text}");
    }
    folder.write(&good);
    until_served(&server, &new).await;
    let metrics = ask(&server, &new, None, "/metrics").await.unwrap().1;
    for result in ["succeeded", "failed"] {
        assert!(metrics.contains(&format!(r#"tls_reloads_total{{result="{result}"}}"#)));
    }
}

#[tokio::test]
async fn authorities_of_clients_change_too() {
    let (authority, old, new) = (Authority::new(), Authority::new(), Authority::new());
    let folder = Folder::new(&authority.server());
    let mut settings = folder.settings();
    settings.client_certificates = folder.required(&old);
    let server = serve(settings).await;
    let (before, after) = (old.client(), new.client());
    assert!(ask(&server, &authority, Some(&before), "/").await.is_ok());
    folder.authority(&new);
    let start = Instant::now();
    while ask(&server, &authority, Some(&after), "/").await.is_err() {
        assert!(start.elapsed() < Duration::from_secs(5));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(ask(&server, &authority, Some(&before), "/").await.is_err());
}

#[cfg(unix)]
#[tokio::test]
async fn sighup_does_not_wait_for_the_next_look() {
    // Without anybody who listens, the signal would end this process.
    let kind = tokio::signal::unix::SignalKind::hangup();
    let mut received = tokio::signal::unix::signal(kind).unwrap();
    let (old, new) = (Authority::new(), Authority::new());
    let folder = Folder::new(&old.server());
    let mut settings = folder.settings();
    settings.reload_interval = Duration::from_secs(3600);
    let server = serve(settings).await;
    says_hello(&server, &old).await;
    folder.write(&new.server());
    tokio::time::sleep(Duration::from_millis(100)).await;
    says_hello(&server, &old).await;
    let kill = format!("kill -HUP {}", std::process::id());
    let status = std::process::Command::new("sh")
        .args(["-c", &kill])
        .status();
    assert!(status.unwrap().success());
    received.recv().await;
    until_served(&server, &new).await;
}

#[tokio::test]
async fn the_end_is_a_metric_and_announced() {
    let authority = Authority::new();
    let mut parameters = server_parameters();
    parameters.not_after = rcgen::date_time_ymd(2999, 1, 2);
    let pair = authority.issue(parameters);
    let folder = Folder::new(&pair);
    let server = serve(folder.settings()).await;
    says_hello(&server, &authority).await;
    assert!(!log::written().contains("ends soon"), "{}", log::written());
    let metrics = ask(&server, &authority, None, "/metrics").await.unwrap().1;
    let name = "tls_certificate_expiry_timestamp_seconds ";
    assert!(
        metrics.lines().any(|line| line.starts_with(name)),
        "{metrics}"
    );

    let mut settings = folder.settings();
    settings.expiry_warning = Duration::from_secs(1000 * 366 * 24 * 60 * 60);
    let server = serve(settings).await;
    says_hello(&server, &authority).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    let text = log::written();
    let lines: Vec<_> = text
        .lines()
        .filter(|line| line.contains("ends soon"))
        .collect();
    assert_eq!(lines.len(), 1, "once a day: {text}");
    assert!(
        lines[0].contains("WARN") && lines[0].contains("2999-01-02"),
        "{text}"
    );
}
