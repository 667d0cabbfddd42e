use std::sync::Arc;

use chrono::{DateTime, Utc};
use http::StatusCode;
use mediator_core::envelope::{
    Orchestration, RecordedRequest, RecordedResponse, Timestamp, TransactionStatus,
};
use mediator_core::openhim::{OpenHimError, Representation, TransactionSearch, TransactionUpdate};
use mediator_core::transaction::{TransactionId, TransactionStore};
use serde_json::{Value, json};

use super::{Fault, OpenHimDouble, User, Version};

fn transaction(minute: u32, status: &str, response_status: u16) -> Value {
    let timestamp = format!("2026-11-24T10:{minute:02}:00.000Z");
    json!({
        "status": status,
        "channelID": "5f0000000000000000000c01",
        "request": {
            "path": format!("/patients/{minute}"), "method": "GET",
            "timestamp": timestamp, "headers": {}, "body": ""
        },
        "response": {
            "status": response_status, "timestamp": timestamp, "headers": {}, "body": "Ada"
        },
        "properties": {format!("minute\u{ff0e}{minute}"): "yes"}
    })
}

fn call(name: &str) -> Orchestration {
    Orchestration::new(name, RecordedRequest::new(Timestamp::now()).method("GET"))
        .response(RecordedResponse::new(StatusCode::OK, Timestamp::now()).body("x"))
}

#[tokio::test]
async fn one_can_be_read() {
    for version in [Version::V4, Version::V8] {
        let core = OpenHimDouble::start(version).await;
        let openhim = core.client();
        let id = core.add_transaction(transaction(5, "Successful", 200));
        let read = openhim.transaction(&id).await.unwrap().unwrap();
        assert_eq!(read.id, id);
        assert_eq!(read.known_status(), Some(TransactionStatus::Successful));
        assert_eq!(read.response.unwrap().body.as_deref(), Some("Ada"));
        for unknown in ["5f00000000000000000000ff", "../mediators", ""] {
            assert_eq!(openhim.transaction(unknown).await.unwrap(), None);
        }
    }
}

#[tokio::test]
async fn they_can_be_searched_by_page_the_newest_first() {
    let core = OpenHimDouble::start(Version::V8).await;
    let openhim = core.client();
    for minute in 0..25 {
        core.add_transaction(transaction(minute, "Successful", 200));
    }
    let page = async |page| {
        let search = TransactionSearch::new().page(page, 10);
        let found = openhim.search_transactions(&search).await.unwrap();
        let path = |found: &mediator_core::openhim::StoredTransaction| {
            found.request.as_ref().unwrap().path.clone().unwrap()
        };
        (found.len(), found.first().map(path))
    };
    assert_eq!(page(0).await, (10, Some("/patients/24".to_owned())));
    assert_eq!(page(2).await, (5, Some("/patients/4".to_owned())));
    assert_eq!(page(3).await, (0, None));
}

#[tokio::test]
async fn every_filter_filters() {
    let core = OpenHimDouble::start(Version::V8).await;
    let openhim = core.client();
    core.add_transaction(transaction(1, "Successful", 200));
    core.add_transaction(transaction(2, "Failed", 503));
    core.add_transaction(transaction(3, "Completed", 404));
    let at = |minute: u32| -> DateTime<Utc> {
        format!("2026-11-24T10:{minute:02}:00Z").parse().unwrap()
    };
    let search = TransactionSearch::new;
    for (search, expected) in [
        (search(), &[3, 2, 1][..]),
        (search().status(TransactionStatus::Failed), &[2]),
        (search().channel("5f0000000000000000000c01"), &[3, 2, 1]),
        (search().channel("5f0000000000000000000c02"), &[]),
        (search().path("^/patients/3"), &[3]),
        (search().response_status(StatusCode::NOT_FOUND), &[3]),
        (search().response_status_class(5), &[2]),
        (search().has_property("minute.1"), &[1]),
        (search().property("minute.2", "yes"), &[2]),
        (search().property("minute.2", "no"), &[]),
        (search().since(at(2)), &[3, 2]),
        (search().until(at(2)), &[2, 1]),
        (search().since(at(2)).until(at(2)), &[2]),
        (search().since(at(2)).response_status_class(4), &[3]),
    ] {
        let found = openhim.search_transactions(&search).await.unwrap();
        let paths: Vec<_> = found
            .iter()
            .map(|found| found.request.as_ref().unwrap().path.clone().unwrap())
            .collect();
        let expected: Vec<_> = expected.iter().map(|n| format!("/patients/{n}")).collect();
        assert_eq!(paths, expected, "{search:?}");
    }
}

#[tokio::test]
async fn as_much_is_told_as_was_asked_for() {
    let core = OpenHimDouble::start(Version::V8).await;
    let openhim = core.client();
    let mut transaction = transaction(1, "Successful", 200);
    transaction["orchestrations"] = json!([serde_json::to_value(call("lookup")).unwrap()]);
    core.add_transaction(transaction);
    for (representation, body, calls) in [
        (Representation::Summary, None, 0),
        (Representation::WithoutBodies, None, 1),
        (Representation::Full, Some("Ada"), 1),
    ] {
        let search = TransactionSearch::new().representation(representation);
        let found = openhim
            .search_transactions(&search)
            .await
            .unwrap()
            .remove(0);
        assert_eq!(found.orchestrations.len(), calls);
        assert_eq!(found.response.unwrap().body.as_deref(), body);
    }
}

#[tokio::test]
async fn an_update_changes_what_it_names_and_adds_calls() {
    for version in [Version::V4, Version::V8] {
        let core = OpenHimDouble::start(version).await;
        let openhim = core.client();
        let id = core.add_transaction(transaction(1, "Processing", 202));
        let answer = RecordedResponse::new(StatusCode::OK, Timestamp::now()).body("printed");
        let update = TransactionUpdate::new()
            .status(TransactionStatus::CompletedWithErrors)
            .response(answer)
            .orchestration(call("print"))
            .property("printer", "2");
        openhim.update_transaction(&id, &update).await.unwrap();
        let again = TransactionUpdate::new().orchestrations([call("file"), call("mail")]);
        openhim.update_transaction(&id, &again).await.unwrap();

        let read = openhim.transaction(&id).await.unwrap().unwrap();
        assert_eq!(
            read.known_status(),
            Some(TransactionStatus::CompletedWithErrors)
        );
        assert_eq!(read.response.unwrap().body.as_deref(), Some("printed"));
        let names: Vec<_> = read
            .orchestrations
            .iter()
            .filter_map(|call| call.name.as_deref())
            .collect();
        assert_eq!(names, ["print", "file", "mail"]);
        assert_eq!(read.properties["printer"], "2");
        assert_eq!(read.properties["minute\u{ff0e}1"], "yes");
        assert_eq!(read.request.unwrap().path.as_deref(), Some("/patients/1"));
    }
}

#[tokio::test]
async fn an_update_of_nothing_is_told() {
    let core = OpenHimDouble::start(Version::V8).await;
    let update = TransactionUpdate::new().status(TransactionStatus::Failed);
    for unknown in ["5f00000000000000000000ff", "no id"] {
        let error = core.client().update_transaction(unknown, &update).await;
        assert!(
            matches!(error, Err(OpenHimError::NotFound { .. })),
            "{error:?}"
        );
    }
    let id = core.add_transaction(transaction(1, "Processing", 202));
    core.add_user(User::new(
        "m@example.org",
        "secret",
        &["mediator-manage-all"],
    ));
    let openhim = core.client_of("m@example.org", "secret");
    let error = openhim.update_transaction(&id, &update).await.unwrap_err();
    assert!(error.to_string().contains("channel-manage-all"), "{error}");
}

#[tokio::test]
async fn calls_are_not_added_twice_when_an_answer_is_lost() {
    let core = OpenHimDouble::start(Version::V8).await;
    let openhim = core.client();
    let id = core.add_transaction(transaction(1, "Processing", 202));
    core.fail_next([Fault::CloseAfterwards]);
    let update = TransactionUpdate::new().orchestration(call("print"));
    let error = openhim.update_transaction(&id, &update).await.unwrap_err();
    assert!(error.is_transient(), "{error}");
    let read = openhim.transaction(&id).await.unwrap().unwrap();
    assert_eq!(read.orchestrations.len(), 1);

    // What can be sent twice is.
    core.fail_next([Fault::CloseAfterwards]);
    let update = TransactionUpdate::new().status(TransactionStatus::Failed);
    openhim.update_transaction(&id, &update).await.unwrap();
}

/// How transactions are finished later.
#[tokio::test]
async fn the_layer_of_transactions_can_use_it() {
    let core = OpenHimDouble::start(Version::V8).await;
    let id = core.add_transaction(transaction(1, "Pending Async", 202));
    let id = TransactionId::parse(&id).unwrap();
    let store: Arc<dyn TransactionStore> = Arc::new(core.client());
    let read = store.transaction(&id).await.unwrap();
    assert_eq!(read["status"], "Pending Async");
    let update = json!({"status": "Successful"});
    store.update_transaction(&id, &update).await.unwrap();
    assert_eq!(
        core.transaction(id.as_str()).unwrap()["status"],
        "Successful"
    );
    // Whoever uses it repeats by himself.
    core.seen();
    core.fail_next([Fault::Close]);
    store.update_transaction(&id, &update).await.unwrap_err();
    assert_eq!(core.seen().len(), 1);
}
