//! Keys in a PKCS#11 token: SoftHSM.

use std::time::{SystemTime, UNIX_EPOCH};

use real_servers::softhsm::{CONFIGURATION, SoftHsm};

use super::fhir_server::until;
use super::{GENERATE, Runner, vaccination};

const PIN: &str = "1234";

#[tokio::test]
async fn it_signs_and_is_ready_while_the_token_is_there() {
    let Some(hsm) = SoftHsm::create() else {
        return;
    };
    hsm.create_document_signer("signing", PIN);
    let path = |path: &std::path::Path| path.display().to_string();
    let (configuration, module) = (path(hsm.configuration()), path(hsm.module()));
    let runner = Runner::configured(&[
        (CONFIGURATION, &configuration),
        ("MEDIATOR_SIGNING__PKCS11__MODULE", &module),
        ("MEDIATOR_SIGNING__PKCS11__TOKEN_LABEL", "signing"),
        ("MEDIATOR_SIGNING__PKCS11__PIN", PIN),
        ("MEDIATOR_SIGNING__PKCS11__KEY_LABEL", "document-signer"),
    ]);
    let answer = runner.post(GENERATE, &vaccination(1)).await;
    answer.resource(200, "Bundle");
    assert_eq!(runner.get("/health/ready").await.status, 200);

    hsm.delete_token("signing");
    until("readiness to notice", async || {
        runner.get("/health/ready").await.status == 503
    })
    .await;
    let ready = runner.get("/health/ready").await;
    let text = String::from_utf8(ready.body.to_vec()).unwrap();
    assert!(text.contains("signer"), "{text}");
    let answer = runner.post(GENERATE, &vaccination(2)).await;
    assert!(answer.status.is_server_error(), "{:?}", answer.body);
}

#[tokio::test]
async fn the_metrics_tell_when_the_certificate_ends_and_how_long_parts_take() {
    let runner = Runner::start();
    let answer = runner.post(GENERATE, &vaccination(1)).await;
    answer.resource(200, "Bundle");
    let metrics = runner.get("/metrics").await;
    let text = String::from_utf8(metrics.body.to_vec()).unwrap();
    let value = |series: &str| -> f64 {
        let line = text.lines().find(|line| line.starts_with(series));
        let line = line.unwrap_or_else(|| panic!("no {series}: {text}"));
        line.rsplit(' ').next().unwrap().parse().unwrap()
    };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let ends = value("signing_certificate_expiry_timestamp_seconds");
    let days = (ends - now.as_secs_f64()) / (24.0 * 60.0 * 60.0);
    assert!((1.0..3660.0).contains(&days), "in {days} days");
    for (port, call) in [
        ("transformer", "Transform"),
        ("repository", "Store and register"),
        ("signer", "Sign"),
        ("ledger", "Accept event"),
    ] {
        let labels = format!("{{port=\"{port}\",call=\"{call}\"}}");
        assert!(value(&format!("port_call_duration_seconds_count{labels}")) >= 1.0);
        assert!(value(&format!("port_call_duration_seconds_sum{labels}")) > 0.0);
    }
}
