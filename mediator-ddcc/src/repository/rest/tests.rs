//! Against a double that can be as strict, as lax or as wrong as no server that can be started is.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, HeaderName, Method, StatusCode, Uri};
use mediator_core::back_end::BackEndSettings;
use rstest::rstest;

use super::*;

/// What a request is answered with; the body is JSON or a text.
type Reply = (u16, Vec<(&'static str, String)>, Value);

#[derive(Debug, Clone)]
struct Asked {
    method: Method,
    path: String,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Asked {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

struct Double {
    url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
    repository: RestRepository,
}

/// What the double answers instead of what it would.
type Answering = dyn Fn(&Asked, &str) -> Option<Reply> + Send + Sync;

#[derive(Clone)]
struct Behaviour {
    asked: Arc<Mutex<Vec<Asked>>>,
    reply: Arc<Answering>,
    url: Arc<Mutex<String>>,
}

impl Double {
    /// What `reply` does not answer is 404; of itself the double says that it can do everything.
    async fn start(reply: impl Fn(&Asked, &str) -> Option<Reply> + Send + Sync + 'static) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/fhir", listener.local_addr().unwrap());
        let behaviour = Behaviour {
            asked: Arc::default(),
            reply: Arc::new(reply),
            url: Arc::new(Mutex::new(url.clone())),
        };
        let asked = Arc::clone(&behaviour.asked);
        let router = Router::new().fallback(answer).with_state(behaviour);
        tokio::spawn(async move { axum::serve(listener, router).await });
        let settings = BackEndSettings {
            attempts: 1,
            timeout: Duration::from_secs(30),
            ..BackEndSettings::new("FHIR repository", url.parse().unwrap())
        };
        Self {
            url,
            asked,
            repository: RestRepository::new(BackEnd::new(&settings).unwrap()),
        }
    }

    /// Requests so far, without the one for the capabilities.
    fn asked(&self) -> Vec<Asked> {
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let asked = asked.iter().filter(|asked| asked.path != "/fhir/metadata");
        asked.cloned().collect()
    }
}

async fn answer(
    State(behaviour): State<Behaviour>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let asked = Asked {
        method,
        path: uri.path().to_owned(),
        headers,
        body: body.to_vec(),
    };
    behaviour.asked.lock().unwrap().push(asked.clone());
    let url = behaviour.url.lock().unwrap().clone();
    let (status, headers, body) = (behaviour.reply)(&asked, &url).unwrap_or_else(|| {
        if asked.path == "/fhir/metadata" {
            (200, vec![], statement())
        } else {
            (404, vec![], outcome("no such thing"))
        }
    });
    let text = match body {
        Value::String(text) => text,
        body => body.to_string(),
    };
    let mut response = (StatusCode::from_u16(status).unwrap(), text).into_response();
    for (name, value) in headers {
        let name = HeaderName::from_static(name);
        response.headers_mut().insert(name, value.parse().unwrap());
    }
    response
}

fn statement() -> Value {
    let resources: Vec<Value> = capability::RESOURCES
        .iter()
        .map(|(resource_type, parameters)| {
            let parameters: Vec<Value> = parameters
                .iter()
                .map(|name| json!({"name": name}))
                .collect();
            json!({
                "type": resource_type,
                "interaction": [{"code": "read"}, {"code": "update"}, {"code": "search-type"}],
                "versioning": "versioned-update",
                "updateCreate": true,
                "searchParam": parameters,
            })
        })
        .collect();
    json!({
        "resourceType": "CapabilityStatement", "fhirVersion": "4.0.1",
        "software": {"name": "Double", "version": "1"},
        "format": ["json"],
        "rest": [{"mode": "server", "interaction": [{"code": "transaction"}], "resource": resources}],
    })
}

fn outcome(diagnostics: &str) -> Value {
    json!({"resourceType": "OperationOutcome", "issue": [
        {"severity": "error", "code": "processing", "diagnostics": diagnostics}]})
}

fn list(condition: Option<(&str, &str)>) -> Value {
    let mut entry = json!({
        "fullUrl": "urn:uuid:l",
        "resource": {"resourceType": "List", "id": "l", "subject": {"reference": "urn:uuid:p", "display": "Ada"}},
        "request": {"method": "PUT", "url": "List/l"},
    });
    if let Some((name, value)) = condition {
        entry["request"][name] = json!(value);
    }
    transaction(vec![entry])
}

fn transaction(entries: Vec<Value>) -> Value {
    json!({"resourceType": "Bundle", "type": "transaction", "entry": entries})
}

fn response(status: &str) -> Value {
    json!({"resourceType": "Bundle", "type": "transaction-response",
        "entry": [{"response": {"status": status, "etag": "W/\"1\""}}]})
}

/// A server to which `If-Match` says that there is something.
#[tokio::test]
async fn a_server_that_takes_conditions_at_their_word_is_told_otherwise() {
    let double = Double::start(|asked, _| {
        if asked.method != Method::POST {
            return None;
        }
        let request = asked.json()["entry"][0]["request"].clone();
        Some(match request.get("ifMatch") {
            Some(_) => (412, vec![], outcome("there is no List/l")),
            None => (200, vec![], response("201 Created")),
        })
    })
    .await;
    for _ in 0..2 {
        let created = list(Some(("ifNoneMatch", "*")));
        double.repository.transaction(created).await.unwrap();
    }
    let sent: Vec<Value> = double
        .asked()
        .iter()
        .filter(|asked| asked.method == Method::POST)
        .map(|asked| asked.json()["entry"][0]["request"].clone())
        .collect();
    assert_eq!(sent.len(), 3, "the second time it is known: {sent:?}");
    assert_eq!(sent[0]["ifMatch"], "W/\"0\"");
    assert_eq!(sent[1]["ifNoneMatch"], "*");
    assert_eq!(sent[2]["ifNoneMatch"], "*");
}

#[tokio::test]
async fn what_is_there_already_is_a_conflict() {
    let double = Double::start(|asked, _| {
        Some(match (&asked.method, &*asked.path) {
            (&Method::POST, _) => (412, vec![], outcome("conflict")),
            (_, "/fhir/List/l") => (200, vec![], json!({"resourceType": "List", "id": "l"})),
            _ => return None,
        })
    })
    .await;
    for condition in [("ifNoneMatch", "*"), ("ifMatch", "W/\"3\"")] {
        let error = double.repository.transaction(list(Some(condition))).await;
        let Err(RepositoryError::VersionConflict { resource }) = error else {
            panic!("{error:?}");
        };
        assert_eq!(resource, "List/l");
    }
    // Without a condition of ours, it is one of the server's own.
    let error = double.repository.transaction(list(None)).await.unwrap_err();
    assert!(matches!(error, RepositoryError::Refused(_)), "{error:?}");
}

#[tokio::test]
async fn a_server_that_overwrites_is_found_out() {
    let double = Double::start(|asked, _| {
        (asked.method == Method::POST).then(|| (200, vec![], response("200 OK")))
    })
    .await;
    let created = list(Some(("ifNoneMatch", "*")));
    let error = double.repository.transaction(created).await.unwrap_err();
    assert!(error.to_string().contains("overwrote List/l"), "{error}");
}

#[tokio::test]
async fn what_is_sent() {
    let double = Double::start(|asked, _| {
        let mut answer = response("200 OK");
        let entry = answer["entry"][0].clone();
        answer["entry"] = json!([entry, entry, entry]);
        (asked.method == Method::POST).then(|| (200, vec![], answer))
    })
    .await;
    let document = json!({"resourceType": "Bundle", "type": "document", "z": 1,
        "entry": [{"fullUrl": "urn:uuid:p", "resource": {"resourceType": "Patient"}}]});
    let text = document.to_string();
    let entries = vec![
        json!({"fullUrl": "urn:uuid:p", "resource": {"resourceType": "Patient", "id": "p"},
            "request": {"method": "PUT", "url": "Patient/p"}}),
        json!({"fullUrl": "urn:uuid:d", "resource": document,
            "request": {"method": "PUT", "url": "Bundle/d"}}),
        json!({"resource": {"resourceType": "DocumentReference", "id": "r",
                "subject": {"reference": "urn:uuid:p"}, "related": [{"reference": "Bundle/d", "display": "x"}],
                "content": [{"attachment": {"contentType": FHIR_JSON, "url": "Bundle/d"}}]},
            "request": {"method": "PUT", "url": "DocumentReference/r"}}),
    ];
    double
        .repository
        .transaction(transaction(entries))
        .await
        .unwrap();
    let asked = double.asked().remove(0);
    assert_eq!((&asked.method, &*asked.path), (&Method::POST, "/fhir"));
    assert_eq!(asked.headers["prefer"], "return=minimal");
    assert_eq!(asked.headers["content-type"], FHIR_JSON);
    assert_eq!(asked.headers["accept"], FHIR_JSON);
    let sent = asked.json();
    assert!(
        sent["entry"]
            .as_array()
            .unwrap()
            .iter()
            .all(|entry| entry.get("fullUrl").is_none())
    );
    let binary = &sent["entry"][1];
    assert_eq!(binary["request"]["url"], "Binary/d");
    assert_eq!(
        binary["resource"],
        document::binary("d", &serde_json::from_str(&text).unwrap())
    );
    let reference = &sent["entry"][2]["resource"];
    assert_eq!(reference["subject"]["reference"], "Patient/p");
    assert_eq!(reference["content"][0]["attachment"]["url"], "Binary/d");
    assert_eq!(
        reference["related"][0],
        json!({"display": "x", "type": "Bundle", "identifier": {"system": "urn:ietf:rfc:3986", "value": "urn:uuid:d"}})
    );
}

#[rstest]
#[case::not_permitted(403, outcome("no"), "NotPermitted")]
#[case::not_let_in(401, outcome("no"), "NotPermitted")]
#[case::wrong_address(404, json!("<html>"), "Refused")]
#[case::invalid(422, outcome("List.subject of Ada is wrong"), "Refused")]
#[case::too_large(413, json!("no"), "Refused")]
#[case::busy(429, outcome("later"), "Unavailable")]
#[case::down(503, json!("<html>"), "Unavailable")]
#[case::failed(500, outcome("rolled back"), "Unavailable")]
#[case::page(200, json!("<html>"), "Unreadable")]
#[case::another_resource(200, outcome("fine"), "Unreadable")]
#[case::another_bundle(200, json!({"resourceType": "Bundle", "type": "searchset"}), "Unreadable")]
#[case::an_entry_short(200, json!({"resourceType": "Bundle", "type": "transaction-response"}), "Unreadable")]
#[case::an_entry_failed(200, response("409 Conflict"), "Unreadable")]
#[tokio::test]
async fn failures_are_told_apart(#[case] status: u16, #[case] body: Value, #[case] expected: &str) {
    let double = Double::start(move |asked, _| {
        (asked.method == Method::POST).then(|| (status, vec![], body.clone()))
    })
    .await;
    let error = double.repository.transaction(list(None)).await.unwrap_err();
    assert!(format!("{error:?}").starts_with(expected), "{error:?}");
    assert!(!error.to_string().contains("Ada"), "{error}");
    if status == 422 {
        assert!(error.to_string().contains("List.subject"), "{error}");
    }
}

#[tokio::test]
async fn what_is_rolled_back_is_sent_again() {
    let count = Arc::new(Mutex::new(0));
    let seen = Arc::clone(&count);
    let double = Double::start(move |asked, _| {
        (asked.method == Method::POST).then(|| {
            let mut seen = seen.lock().unwrap();
            *seen += 1;
            match *seen {
                1 | 2 => (500, vec![], outcome("rolled back")),
                _ => (200, vec![], response("200 OK")),
            }
        })
    })
    .await;
    double.repository.transaction(list(None)).await.unwrap();
    assert_eq!(*count.lock().unwrap(), 3);
    // A creation without a condition would be another one each time.
    *count.lock().unwrap() = 0;
    let create = json!({"resource": {"resourceType": "Patient"}, "request": {"method": "POST", "url": "Patient"}});
    let created = double
        .repository
        .transaction(transaction(vec![create]))
        .await;
    assert!(
        matches!(created, Err(RepositoryError::Unavailable(_))),
        "{created:?}"
    );
    assert_eq!(*count.lock().unwrap(), 1);
}

#[tokio::test]
async fn a_server_that_lacks_something_is_sent_nothing() {
    let double = Double::start(|asked, _| {
        let mut statement = statement();
        statement["fhirVersion"] = json!("5.0.0");
        statement["rest"][0]["interaction"] = json!([{"code": "batch"}]);
        let resources = statement["rest"][0]["resource"].as_array_mut().unwrap();
        resources.retain(|resource| resource["type"] != "Binary");
        for resource in resources {
            if resource["type"] == "List" {
                resource["versioning"] = json!("no-version");
                resource["updateCreate"] = json!(false);
                resource["searchParam"] = json!([{"name": "code"}]);
            }
        }
        (asked.path == "/fhir/metadata").then(|| (200, vec![], statement))
    })
    .await;
    let error = double.repository.transaction(list(None)).await.unwrap_err();
    assert!(matches!(error, RepositoryError::Refused(_)), "{error:?}");
    for expected in [
        "FHIR 4.0.1 (it speaks 5.0.0)",
        "the interaction transaction",
        "the resource types Binary",
        "List: update as create",
        "versioned-update",
        "List: the search parameters identifier, item, patient, status",
    ] {
        assert!(error.to_string().contains(expected), "{expected}: {error}");
    }
    assert!(double.asked().is_empty());
    let capabilities = double.repository.capabilities().await.unwrap();
    assert_eq!(
        (capabilities.software(), capabilities.missing().len()),
        ("Double 1", 6)
    );
}

#[tokio::test]
async fn read_in_every_form() {
    let double = Double::start(|asked, url| {
        let list = json!({"resourceType": "List", "id": "l",
            "subject": {"reference": format!("{url}/Patient/p")}});
        let document = json!({"resourceType": "Bundle", "type": "document", "z": 1});
        Some(match &*asked.path {
            "/fhir/List/l" => (200, vec![("etag", "W/\"7\"".to_owned())], list),
            "/fhir/List/gone" => (410, vec![], outcome("deleted")),
            "/fhir/List/page" => (404, vec![], json!("<html>")),
            "/fhir/List/other" => (200, vec![], json!({"resourceType": "Patient"})),
            "/fhir/Binary/wrapped" => (200, vec![], document::binary("wrapped", &document)),
            "/fhir/Binary/raw" | "/fhir/Bundle/theirs" => (200, vec![], document),
            "/fhir/Binary/picture" => (
                200,
                vec![],
                json!({"resourceType": "Binary", "contentType": "image/png", "data": "aGk="}),
            ),
            _ => return None,
        })
    })
    .await;
    let repository = &double.repository;
    let list = repository.read("List", "l").await.unwrap().unwrap();
    assert_eq!(list["meta"]["versionId"], "7");
    assert_eq!(list["subject"]["reference"], "Patient/p");
    for absent in ["none", "gone", "..", "a/b", ""] {
        assert_eq!(
            repository.read("List", absent).await.unwrap(),
            None,
            "{absent}"
        );
    }
    let refused = repository.read("List", "page").await;
    assert!(
        matches!(refused, Err(RepositoryError::Refused(_))),
        "{refused:?}"
    );
    let unreadable = repository.read("List", "other").await;
    assert!(
        matches!(unreadable, Err(RepositoryError::Unreadable(_))),
        "{unreadable:?}"
    );
    for id in ["wrapped", "raw", "theirs"] {
        let document = repository.read("Bundle", id).await.unwrap().unwrap();
        assert_eq!(document["z"], 1, "{id}");
    }
    let unreadable = repository.read("Bundle", "picture").await;
    assert!(
        matches!(unreadable, Err(RepositoryError::Unreadable(_))),
        "{unreadable:?}"
    );
}

fn page(url: &str, next: Option<&str>, ids: std::ops::Range<usize>) -> Reply {
    let mut link =
        vec![json!({"relation": "self", "url": format!("{url}/List?identifier=1&_count=100")})];
    link.extend(next.map(|next| json!({"relation": "next", "url": next})));
    let mut entry: Vec<Value> = ids
        .map(|id| json!({"resource": {"resourceType": "List", "id": id.to_string()}, "search": {"mode": "match"}}))
        .collect();
    entry.push(json!({"resource": {"resourceType": "List"}, "search": {"mode": "include"}}));
    entry.push(
        json!({"resource": {"resourceType": "OperationOutcome"}, "search": {"mode": "outcome"}}),
    );
    (
        200,
        vec![],
        json!({"resourceType": "Bundle", "type": "searchset", "link": link, "entry": entry}),
    )
}

#[tokio::test]
async fn pages_are_followed_on_the_same_server_only_and_not_for_ever() {
    let double = Double::start(|asked, url| {
        let next = match &*asked.path {
            "/fhir/List/_search" => "page?identifier=1".to_owned(),
            _ => String::new(),
        };
        let next = (!next.is_empty()).then(|| format!("{url}/{next}"));
        Some(match &*asked.path {
            "/fhir/List/_search" => page(url, next.as_deref(), 0..3),
            "/fhir/page" => page(url, None, 3..5),
            "/fhir/DocumentReference/_search" => {
                page(url, Some("http://127.0.0.1:1/fhir?page=2"), 0..1)
            }
            "/fhir/Patient/_search" => page(url, Some(&format!("{url}/circle")), 0..1),
            "/fhir/circle" => page(url, Some(&format!("{url}/circle")), 0..1),
            _ => return None,
        })
    })
    .await;
    let repository = &double.repository;
    let criteria = [("identifier", "1")];
    let found = repository.search("List", &criteria).await.unwrap();
    let ids: Vec<&str> = found
        .iter()
        .map(|list| list["id"].as_str().unwrap())
        .collect();
    assert_eq!(ids, ["0", "1", "2", "3", "4"]);
    let asked = double.asked().remove(0);
    assert_eq!(asked.headers["prefer"], "handling=strict");
    assert_eq!(asked.headers["cache-control"], "no-cache");
    let form: BTreeMap<String, String> = url::form_urlencoded::parse(&asked.body)
        .into_owned()
        .collect();
    assert_eq!(form["identifier"], "1");
    assert_eq!(form["_count"], "100");
    let elsewhere = repository
        .search("DocumentReference", &criteria)
        .await
        .unwrap_err();
    assert!(elsewhere.to_string().contains("base URL"), "{elsewhere}");
    let circle = repository.search("Patient", &criteria).await.unwrap_err();
    assert!(circle.to_string().contains("circle"), "{circle}");
    assert!(double.url.ends_with("/fhir"));
}

#[tokio::test]
async fn whom_it_is_about_is_asked_for_by_a_chain() {
    let empty = json!({"resourceType": "Bundle", "type": "searchset"});
    let double = Double::start(move |_, _| Some((200, vec![], empty.clone()))).await;
    let criteria = [("patient:identifier", "2")];
    let found = double.repository.search("List", &criteria).await;
    assert_eq!(found.unwrap().len(), 0);
    let asked = double.asked().remove(0);
    let (name, value) = url::form_urlencoded::parse(&asked.body).next().unwrap();
    assert_eq!((&*name, &*value), ("patient.identifier", "2"));
}

#[tokio::test]
async fn a_parameter_that_the_server_leaves_out_is_not_supported() {
    let double = Double::start(|asked, url| {
        (asked.path == "/fhir/List/_search").then(|| page(url, None, 0..1))
    })
    .await;
    for parameter in ["identifier:of-type", "identifier"] {
        let found = double.repository.search("List", &[(parameter, "1")]).await;
        assert_eq!(found.unwrap().len(), 1);
    }
    let error = double
        .repository
        .search("List", &[("identifier", "1"), ("patient.identifier", "2")])
        .await
        .unwrap_err();
    let RepositoryError::UnsupportedParameter { parameter, .. } = &error else {
        panic!("{error:?}");
    };
    assert_eq!(parameter, "patient.identifier");
}

#[tokio::test]
async fn without_the_operation_a_document_is_assembled_here() {
    let composition = json!({"resourceType": "Composition", "id": "c",
        "subject": {"reference": "Patient/p"}, "custodian": {"reference": "Organization/o/_history/3"},
        "author": [{"display": "nobody"}, {"reference": "http://elsewhere.example/Practitioner/1"}]});
    let patient = json!({"resourceType": "Patient", "id": "p",
        "managingOrganization": {"reference": "Organization/o"}});
    let double = Double::start(move |asked, _| {
        Some(match &*asked.path {
            "/fhir/Composition/c" => (200, vec![], composition.clone()),
            "/fhir/Composition/broken" => (
                200,
                vec![],
                json!({"resourceType": "Composition", "subject": {"reference": "Patient/gone"}}),
            ),
            "/fhir/Patient/p" => (200, vec![], patient.clone()),
            "/fhir/Organization/o" => (
                200,
                vec![],
                json!({"resourceType": "Organization", "id": "o"}),
            ),
            _ => return None,
        })
    })
    .await;
    let document = double.repository.document("c").await.unwrap().unwrap();
    let entries = document["entry"].as_array().unwrap();
    let types: Vec<&str> = entries
        .iter()
        .map(|entry| entry["resource"]["resourceType"].as_str().unwrap())
        .collect();
    assert_eq!(types, ["Composition", "Organization", "Patient"]);
    for (pointer, place) in [
        ("/entry/0/resource/subject/reference", 2),
        ("/entry/0/resource/custodian/reference", 1),
        ("/entry/2/resource/managingOrganization/reference", 1),
    ] {
        assert_eq!(
            document.pointer(pointer),
            Some(&entries[place]["fullUrl"]),
            "{pointer}"
        );
    }
    assert_eq!(
        document
            .pointer("/entry/0/resource/author/1/reference")
            .unwrap(),
        "http://elsewhere.example/Practitioner/1"
    );
    assert_eq!(double.repository.document("none").await.unwrap(), None);
    let broken = double.repository.document("broken").await.unwrap_err();
    assert!(broken.to_string().contains("Patient/gone"), "{broken}");
    assert!(double.asked().iter().all(|asked| !asked.path.contains('$')));
}
