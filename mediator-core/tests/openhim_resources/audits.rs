use mediator_core::openhim::{AuditOutcome, AuditSearch};
use rstest::rstest;
use serde_json::{Value, json};

use super::{OpenHimDouble, Version, is_missing};

fn audit(time: &str, outcome: &str, event: &str) -> Value {
    json!({
        "eventIdentification": {
            "eventDateTime": time,
            "eventOutcomeIndicator": outcome,
            "eventActionCode": "E",
            "eventID": {"code": event, "displayName": "An event", "codeSystemName": "DCM"},
        },
        "auditSourceIdentification": {"auditSourceID": "openhim"},
        "activeParticipant": [{
            "userID": "hospital-1", "userIsRequestor": "true",
            "roleIDCode": {"code": "110153", "codeSystemName": "DCM"},
        }],
        "participantObjectIdentification": [{"participantObjectID": "patient 1"}],
        "syslog": {"host": "openhim"},
        "rawMessage": "<xml/>",
    })
}

#[rstest]
#[case(Version::V4)]
#[case(Version::V8)]
#[tokio::test]
async fn records_are_searched_the_newest_first(#[case] version: Version) {
    let core = OpenHimDouble::start(version).await;
    let oldest = core.add_audit(audit("2026-01-01T00:00:00.000Z", "0", "110120"));
    let failed = core.add_audit(audit("2026-01-02T00:00:00.000Z", "8", "110114"));
    let newest = core.add_audit(audit("2026-01-03T00:00:00.000Z", "0", "110114"));
    let openhim = core.client();
    let found = async |search: AuditSearch| -> Vec<String> {
        let audits = openhim.audits().search(&search).await.unwrap();
        audits.into_iter().map(|audit| audit.id).collect()
    };

    assert_eq!(
        found(AuditSearch::new()).await,
        [newest.clone(), failed.clone(), oldest.clone()]
    );
    assert_eq!(
        found(AuditSearch::new().limit(2).page(1)).await,
        std::slice::from_ref(&oldest)
    );
    assert_eq!(
        found(AuditSearch::new().outcome(AuditOutcome::SeriousFailure)).await,
        std::slice::from_ref(&failed)
    );
    assert_eq!(
        found(AuditSearch::new().event("110114")).await,
        [newest.clone(), failed.clone()]
    );
    let second = "2026-01-02T00:00:00Z".parse().unwrap();
    assert_eq!(
        found(AuditSearch::new().from(second)).await,
        [newest.clone(), failed.clone()]
    );
    assert_eq!(
        found(AuditSearch::new().until(second)).await,
        [failed, oldest.clone()]
    );
    assert_eq!(found(AuditSearch::new().source("other")).await.len(), 0);
    let participant = AuditSearch::new().participant("hospital-1").limit(1);
    assert_eq!(found(participant).await, [newest]);
}

#[tokio::test]
async fn details_are_told_when_asked_for() {
    let core = OpenHimDouble::start(Version::V8).await;
    let id = core.add_audit(audit("2026-01-01T00:00:00.000Z", "0", "110120"));
    let openhim = core.client();
    let audits = openhim.audits();

    let without = audits.search(&AuditSearch::new()).await.unwrap();
    assert!(without[0].participants.is_empty());
    assert_eq!(without[0].other["syslog"]["host"], "openhim");

    let with = audits.search(&AuditSearch::new().details()).await.unwrap();
    assert_eq!(
        with[0].participants[0].user_id.as_deref(),
        Some("hospital-1")
    );
    assert_eq!(with[0].objects[0].id.as_deref(), Some("patient 1"));
    assert_eq!(with[0].event.outcome, Some(AuditOutcome::Success));
    assert_eq!(with[0].source.id.as_deref(), Some("openhim"));
    assert_eq!(audits.read(&id).await.unwrap(), with[0]);
    assert!(is_missing(audits.read("0123456789abcdef01234567").await));
    assert!(is_missing(audits.read("no-id").await));
}
