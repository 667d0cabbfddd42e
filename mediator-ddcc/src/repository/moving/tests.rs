#![allow(clippy::unwrap_used, reason = "tests")]

use std::sync::atomic::AtomicUsize;

use serde_json::json;
use tempfile::TempDir;

use super::*;
use crate::database::Database;
use crate::repository::sqlite::unmoved_in;

/// An embedded database, and another one that takes the part of the server.
struct Setup {
    folder: TempDir,
    embedded: SqliteRepository,
    server: SqliteRepository,
}

impl Setup {
    async fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let open = async |name: &str| {
            let database = Database::open(&folder.path().join(name)).await.unwrap();
            SqliteRepository::new(database)
        };
        let (embedded, server) = (open("embedded").await, open("server").await);
        Self {
            folder,
            embedded,
            server,
        }
    }

    fn moving(&self) -> MovingRepository {
        MovingRepository::new(self.embedded.clone(), self.server.clone())
    }

    /// What is to be moved, as another process sees it.
    fn unmoved(&self) -> Unmoved {
        unmoved_in(&self.folder.path().join("embedded")).unwrap()
    }

    async fn on_server(&self, resource_type: &str, id: &str) -> Value {
        let found = self.server.read(resource_type, id).await.unwrap();
        found.unwrap_or_else(|| panic!("{resource_type}/{id} is not there"))
    }
}

/// Fails while it is told to, before or after what it is asked for is done.
struct Failing {
    server: SqliteRepository,
    /// Transactions that are still executed.
    good: AtomicUsize,
    is_answer_lost: bool,
}

#[async_trait]
impl FhirRepository for Failing {
    async fn transaction(&self, bundle: Value) -> Result<Value, RepositoryError> {
        let good = self.good.fetch_sub(1, Ordering::Relaxed);
        if good == 0 {
            if self.is_answer_lost {
                self.server.transaction(bundle).await?;
            }
            return Err(RepositoryError::Unavailable("gone".to_owned()));
        }
        self.server.transaction(bundle).await
    }

    async fn read(&self, resource_type: &str, id: &str) -> Result<Option<Value>, RepositoryError> {
        self.server.read(resource_type, id).await
    }

    async fn search(
        &self,
        resource_type: &str,
        parameters: &[(&str, &str)],
    ) -> Result<Vec<Value>, RepositoryError> {
        self.server.search(resource_type, parameters).await
    }
}

fn transaction(resources: &[Value]) -> Value {
    let entries: Vec<Value> = resources
        .iter()
        .map(|resource| {
            let text = |name: &str| resource[name].as_str().unwrap();
            let url = format!("{}/{}", text("resourceType"), text("id"));
            json!({"resource": resource, "request": {"method": "PUT", "url": url}})
        })
        .collect();
    json!({"resourceType": "Bundle", "type": "transaction", "entry": entries})
}

fn patient(holder: &str, name: &str) -> Value {
    json!({"resourceType": "Patient", "id": format!("patient-{holder}"), "name": [{"text": name}]})
}

fn folder(holder: &str, documents: &[&str]) -> Value {
    let entries: Vec<Value> = documents
        .iter()
        .map(|document| json!({"item": {"reference": format!("DocumentReference/reference-{document}")}}))
        .collect();
    json!({"resourceType": "List", "id": format!("folder-{holder}"), "status": "current",
        "mode": "working", "identifier": [{"system": "urn:HCID", "value": holder}],
        "subject": {"reference": format!("Patient/patient-{holder}")}, "entry": entries})
}

/// A document with a resource that it holds, and what registers it, but for its folder.
fn document(holder: &str, name: &str) -> Vec<Value> {
    let about = json!({"reference": format!("Patient/patient-{holder}")});
    let composition = json!({"resourceType": "Composition", "id": format!("composition-{name}"),
        "status": "final", "subject": about});
    vec![
        composition.clone(),
        json!({"resourceType": "Bundle", "id": name, "type": "document", "entry": [
            {"fullUrl": format!("urn:uuid:composition-{name}"), "resource": composition}]}),
        json!({"resourceType": "DocumentReference", "id": format!("reference-{name}"),
            "status": "current", "subject": about, "content": [{"attachment": {
                "contentType": "application/fhir+json", "url": format!("Bundle/{name}")}}]}),
        json!({"resourceType": "List", "id": format!("a-submission-{name}"), "status": "current",
            "mode": "working", "subject": about, "entry": [
                {"item": {"reference": format!("DocumentReference/reference-{name}")}},
                {"item": {"reference": format!("List/folder-{holder}")}}]}),
        json!({"resourceType": "AuditEvent", "id": format!("audit-{name}"), "entity": [
            {"what": {"reference": format!("Bundle/{name}")}},
            {"what": {"reference": format!("List/folder-{holder}")}}]}),
    ]
}

/// Stores a holder with these documents.
async fn store(repository: &dyn FhirRepository, holder: &str, name: &str, documents: &[&str]) {
    let mut resources = vec![patient(holder, name), folder(holder, documents)];
    resources.extend(documents.iter().flat_map(|name| document(holder, name)));
    repository
        .transaction(transaction(&resources))
        .await
        .unwrap();
}

fn documents_of(folder: &Value) -> Vec<&str> {
    let entries = folder["entry"].as_array().unwrap().iter();
    let references = entries.map(|entry| entry["item"]["reference"].as_str().unwrap());
    references
        .map(|reference| {
            reference
                .strip_prefix("DocumentReference/reference-")
                .unwrap()
        })
        .collect()
}

fn without_times(mut resource: Value) -> Value {
    if let Some(meta) = resource.get_mut("meta").and_then(Value::as_object_mut) {
        meta.remove("lastUpdated");
    }
    resource
}

const OF_A_DOCUMENT: u32 = 5;

#[tokio::test]
async fn everything_is_moved_once_with_its_id() {
    let setup = Setup::new().await;
    store(&setup.embedded, "h", "Ada", &["one", "two"]).await;
    store(&setup.embedded, "i", "Bob", &["three"]).await;
    let all = 3 * OF_A_DOCUMENT + 4;
    let expected = Unmoved {
        documents: 3,
        resources: all,
    };
    assert_eq!(setup.unmoved(), expected);

    let moved = setup.moving().move_all().await.unwrap();
    assert_eq!((moved.moved, moved.left.resources), (all, 0));
    assert_eq!(setup.unmoved().resources, 0);
    let mut keys = vec![
        Key::new("Patient", "patient-h"),
        Key::new("Patient", "patient-i"),
        Key::new("List", "folder-h"),
        Key::new("List", "folder-i"),
    ];
    for (holder, name) in [("h", "one"), ("h", "two"), ("i", "three")] {
        keys.extend(
            document(holder, name)
                .iter()
                .map(|resource| Key::new(resource["resourceType"].as_str().unwrap(), id(resource))),
        );
    }
    for Key { resource_type, id } in keys {
        let here = setup.embedded.read(&resource_type, &id).await.unwrap();
        let there = setup.on_server(&resource_type, &id).await;
        assert_eq!(without_times(there), without_times(here.unwrap()));
    }

    let again = setup.moving().move_all().await.unwrap();
    assert_eq!(again.moved, 0);
    // What was changed here since then is moved again.
    store(&setup.embedded, "i", "Bob", &["three", "four"]).await;
    assert_eq!(
        setup.unmoved().documents,
        2,
        "the document was stored again"
    );
    setup.moving().move_all().await.unwrap();
    let folder = setup.on_server("List", "folder-i").await;
    assert_eq!(documents_of(&folder), ["three", "four"]);
}

#[tokio::test]
async fn an_interrupted_move_goes_on() {
    for is_answer_lost in [false, true] {
        let setup = Setup::new().await;
        for holder in ["h", "i", "j"] {
            store(&setup.embedded, holder, "Ada", &[&format!("of-{holder}")]).await;
        }
        let failing = Failing {
            server: setup.server.clone(),
            good: AtomicUsize::new(2),
            is_answer_lost,
        };
        let moving = MovingRepository::new(setup.embedded.clone(), failing);
        let error = moving.move_all().await.unwrap_err();
        assert!(
            matches!(error, RepositoryError::Unavailable(_)),
            "{error:?}"
        );
        let left = setup.unmoved();
        assert_eq!(left.documents, 1, "what was moved before is known");
        // Another process.
        let moved = setup.moving().move_all().await.unwrap();
        assert_eq!((moved.moved, moved.left.resources), (left.resources, 0));
        for (resource_type, id) in [
            ("Patient", "patient-j"),
            ("List", "folder-j"),
            ("DocumentReference", "reference-of-j"),
            ("AuditEvent", "audit-of-j"),
        ] {
            let there = setup.on_server(resource_type, id).await;
            assert_eq!(
                there["meta"]["versionId"], "1",
                "{resource_type} was not stored twice"
            );
        }
    }
}

#[tokio::test]
async fn folders_that_are_there_get_what_they_lack() {
    let setup = Setup::new().await;
    store(&setup.embedded, "h", "Ada", &["one", "two"]).await;
    store(&setup.server, "h", "ada", &["two", "three"]).await;
    let moved = setup.moving().move_all().await.unwrap();
    assert_eq!(moved.left.resources, 0);
    let folder = setup.on_server("List", "folder-h").await;
    assert_eq!(documents_of(&folder), ["two", "three", "one"]);
    assert_eq!(folder["meta"]["versionId"], "2");
    let patient = setup.on_server("Patient", "patient-h").await;
    assert_eq!(patient["name"][0]["text"], "ada", "it stays");
    assert_eq!(patient["meta"]["versionId"], "1");
    setup.on_server("Bundle", "one").await;
    setup.on_server("AuditEvent", "audit-one").await;
}

#[tokio::test]
async fn what_is_another_person_s_is_left_and_the_rest_is_moved() {
    let setup = Setup::new().await;
    store(&setup.embedded, "h", "Ada", &["one"]).await;
    store(&setup.embedded, "i", "Bob", &["two"]).await;
    store(&setup.server, "h", "Charles", &["three"]).await;
    let moving = setup.moving();
    for _ in 0..2 {
        let moved = moving.move_all().await.unwrap();
        let left = Unmoved {
            documents: 1,
            resources: 2 + OF_A_DOCUMENT,
        };
        assert_eq!(moved.left, left);
        assert_eq!(setup.unmoved(), left);
    }
    setup.on_server("Bundle", "two").await;
    setup.on_server("AuditEvent", "audit-two").await;
    let folder = moving.read("List", "folder-h").await.unwrap().unwrap();
    assert_eq!(documents_of(&folder), ["three"], "the server's counts");
    assert_eq!(setup.server.read("Bundle", "one").await.unwrap(), None);
    let document = moving.read("Bundle", "one").await.unwrap();
    assert!(document.is_some(), "it can be read");
}

#[tokio::test]
async fn a_document_with_other_content_is_left() {
    let setup = Setup::new().await;
    let bundle = |text: &str| {
        transaction(&[
            json!({"resourceType": "Bundle", "id": "b", "type": "document",
            "identifier": {"value": text}}),
        ])
    };
    setup.embedded.transaction(bundle("1")).await.unwrap();
    setup.server.transaction(bundle("2")).await.unwrap();
    let moved = setup.moving().move_all().await.unwrap();
    assert_eq!(moved.left.documents, 1);
    setup.embedded.transaction(bundle("2")).await.unwrap();
    let moved = setup.moving().move_all().await.unwrap();
    assert_eq!(moved.left.documents, 0);
}

#[tokio::test]
async fn what_is_asked_for_before_its_turn_is_there() {
    let setup = Setup::new().await;
    store(&setup.embedded, "h", "Ada", &["one"]).await;
    store(&setup.embedded, "i", "Bob", &["two"]).await;
    let moving = setup.moving();
    let read = moving.read("Bundle", "one").await.unwrap();
    assert_eq!(read.unwrap()["id"], "one");
    let composition = moving.document("composition-one").await.unwrap();
    assert!(composition.is_some());
    let of_holder = [("patient", "patient-h")];
    let found = moving
        .search("DocumentReference", &of_holder)
        .await
        .unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(setup.unmoved().documents, 2, "that moves nothing");

    // A further document for a folder, as it is registered.
    let key = [("identifier", "urn:HCID|h")];
    let found = moving.search("List", &key).await.unwrap();
    assert_eq!(documents_of(&found[0]), ["one"]);
    assert_eq!(
        setup.unmoved().documents,
        1,
        "the folder is on the server now"
    );
    let mut more = document("h", "three");
    let folder = moving.read("List", "folder-h").await.unwrap().unwrap();
    let version = folder["meta"]["versionId"].as_str().unwrap();
    more.push(self::folder("h", &["one", "three"]));
    let mut more = transaction(&more);
    let last = more["entry"].as_array().unwrap().len() - 1;
    more["entry"][last]["request"]["ifMatch"] = json!(format!("W/\"{version}\""));
    moving.transaction(more).await.unwrap();
    let found = moving
        .search("DocumentReference", &of_holder)
        .await
        .unwrap();
    assert_eq!(found.len(), 2, "each once");

    // What is deleted is not moved afterwards.
    let delete = json!({"resourceType": "Bundle", "type": "transaction", "entry": [
        {"request": {"method": "DELETE", "url": "Bundle/two"}}]});
    moving.transaction(delete).await.unwrap();
    let moved = moving.move_all().await.unwrap();
    assert_eq!(moved.left.resources, 0);
    assert_eq!(moving.read("Bundle", "two").await.unwrap(), None);
    assert_eq!(
        documents_of(&setup.on_server("List", "folder-h").await),
        ["one", "three"]
    );
    let found = moving
        .search("DocumentReference", &of_holder)
        .await
        .unwrap();
    assert_eq!(found.len(), 2);
}

#[tokio::test]
async fn of_many_small_ones_a_bad_one_is_left() {
    let setup = Setup::new().await;
    store(&setup.embedded, "h", "Ada", &["one"]).await;
    store(&setup.server, "h", "Charles", &["three"]).await;
    let audit = |number: usize, what: &str| {
        json!({"resourceType": "AuditEvent", "id": format!("z-{number}"),
            "entity": [{"what": {"reference": what}}]})
    };
    let mut events: Vec<Value> = (0..230)
        .map(|number| audit(number, "List/elsewhere"))
        .collect();
    events.push(audit(1000, "List/folder-h"));
    setup
        .embedded
        .transaction(transaction(&events))
        .await
        .unwrap();
    let moved = setup.moving().move_all().await.unwrap();
    assert_eq!(moved.moved, 230);
    assert_eq!(moved.left.resources, 2 + OF_A_DOCUMENT + 1);
    setup.on_server("AuditEvent", "z-229").await;
    assert_eq!(
        setup.server.read("AuditEvent", "z-1000").await.unwrap(),
        None
    );
}

#[tokio::test]
async fn a_database_of_an_earlier_version_is_counted_as_it_is() {
    let setup = Setup::new().await;
    store(&setup.embedded, "h", "Ada", &["one"]).await;
    let file = setup.folder.path().join("embedded");
    rusqlite::Connection::open(&file)
        .unwrap()
        .execute("DROP TABLE moved", [])
        .unwrap();
    assert_eq!(unmoved_in(&file).unwrap().resources, 2 + OF_A_DOCUMENT);
    let missing = setup.folder.path().join("none");
    assert!(unmoved_in(&missing).is_err());
    assert!(!missing.exists());
}
