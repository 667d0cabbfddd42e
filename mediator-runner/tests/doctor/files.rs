use std::path::Path;

use rcgen::{CertificateParams, KeyPair, date_time_ymd};

use super::{Found, doctor};

#[test]
fn nothing_configured_is_well_and_the_table_has_no_colours() {
    let folder = tempfile::tempdir().unwrap();
    let output = doctor(folder.path(), "data_directory = 'data'", &[]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(text.starts_with("WHAT"), "{text}");
    assert!(text.contains("data directory"), "{text}");
    assert!(!text.contains('\u{1b}'), "{text}");
    assert!(!folder.path().join("data").exists());
}

#[test]
fn mistakes_in_the_configuration_end_with_2() {
    let folder = tempfile::tempdir().unwrap();
    let output = doctor(folder.path(), "[server]\nlisten = 'x'\n[cards]", &[]);
    assert_eq!(output.status.code(), Some(2));
    assert!(output.stdout.is_empty());
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("server.listen"), "{text}");
}

fn write_certificate(file: &Path, last_year: i32) {
    let mut parameters = CertificateParams::new(["mediator".to_owned()]).unwrap();
    parameters.not_before = date_time_ymd(2000, 1, 1);
    parameters.not_after = date_time_ymd(last_year, 1, 1);
    let key = KeyPair::generate().unwrap();
    let pem = parameters.self_signed(&key).unwrap().pem();
    std::fs::write(file, format!("{pem}{}", key.serialize_pem())).unwrap();
}

#[tokio::test]
async fn a_certificate_that_has_ended_is_a_failure() {
    let folder = tempfile::tempdir().unwrap();
    let configuration = "[server.tls]\ncertificate_file = 'server.pem'\nkey_file = 'server.pem'\n";
    let name = "server.tls.certificate_file";
    let file = folder.path().join("server.pem");
    write_certificate(&file, 2001);
    let found = Found::by(folder.path(), configuration).await;
    let (result, details, advice) = found.told(name);
    assert_eq!((found.code, result, advice), (1, "failed", "renew it now"));
    assert!(details.contains("2001-01-01"), "{details}");
    assert_eq!(found.json["ok"], false);

    write_certificate(&file, 2999);
    let found = Found::by(folder.path(), configuration).await;
    assert_eq!((found.code, found.told(name).0), (0, "ok"));

    std::fs::write(&file, "no certificate").unwrap();
    let found = Found::by(folder.path(), configuration).await;
    assert_eq!((found.code, found.told(name).0), (1, "failed"));
}
