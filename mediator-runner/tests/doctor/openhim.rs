use real_servers::openhim_core::RealOpenHimCore;

use super::Found;

fn configuration(url: &str, password: &str, more: &str) -> String {
    let username = RealOpenHimCore::USERNAME;
    format!(
        "[openhim]\napi_url = '{url}'\nusername = '{username}'\npassword = '{password}'\n{more}\n"
    )
}

#[tokio::test]
async fn a_core_that_is_not_there_is_a_failure() {
    let folder = tempfile::tempdir().unwrap();
    // Nobody listens on port 1.
    let configuration = configuration("https://127.0.0.1:1", "secret word", "");
    let found = Found::by(folder.path(), &configuration).await;
    let (result, details, advice) = found.told("OpenHIM");
    assert_eq!((found.code, result), (1, "failed"));
    assert!(details.contains("https://127.0.0.1:1"), "{details}");
    assert!(advice.contains("is it running"), "{advice}");
    assert!(!found.json.to_string().contains("secret word"));
}

#[tokio::test]
async fn a_real_core_is_asked_for_everything() {
    let Some(core) = RealOpenHimCore::start().await else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let authority = core.certificate_authority();
    let trusted = format!("ca_file = '{}'", authority.display());
    let url = core.api_url();
    let known = configuration(&url, RealOpenHimCore::PASSWORD, &trusted);
    let found = Found::by(folder.path(), &known).await;
    assert_eq!(found.code, 0, "{}", found.json);
    let (result, details, advice) = found.told("OpenHIM");
    assert_eq!(result, "warning");
    assert!(
        details.contains("version ") && details.contains("does not know urn:"),
        "{details}"
    );
    assert!(advice.contains("openhim register"), "{advice}");
    assert_eq!(found.told("OpenHIM: clock").0, "ok");
    assert_ne!(found.told("OpenHIM: certificate").0, "failed");

    let wrong = configuration(&url, "wrong password", &trusted);
    let found = Found::by(folder.path(), &wrong).await;
    assert_eq!((found.code, found.told("OpenHIM").0), (1, "failed"));
    assert!(!found.json.to_string().contains("wrong password"));

    let untrusted = configuration(&url, RealOpenHimCore::PASSWORD, "");
    let found = Found::by(folder.path(), &untrusted).await;
    let (result, _, advice) = found.told("OpenHIM");
    assert_eq!((found.code, result), (1, "failed"));
    assert!(advice.contains("CA file"), "{advice}");

    let any = configuration(&url, RealOpenHimCore::PASSWORD, "trust_self_signed = true");
    let found = Found::by(folder.path(), &any).await;
    assert_eq!((found.code, found.told("OpenHIM: trust").0), (0, "warning"));
}
