#![allow(clippy::unwrap_used, reason = "tests")]

use tempfile::TempDir;

use super::*;
use crate::codes::testing::{ES256, test_result, vaccination};
use crate::database::{Database, DatabaseError};
use crate::document::testing::{CARD, Sample};
use crate::document::{codes, holder, signature};
use crate::repository::sqlite::SqliteRepository;
use crate::repository::{FhirRepository as _, RepositoryError};

async fn repository(folder: &TempDir) -> SqliteRepository {
    let path = folder.path().join("ddcc.sqlite");
    SqliteRepository::new(Database::open(&path).await.unwrap())
}

fn request() -> Value {
    json!({
        "resourceType": "QuestionnaireResponse",
        "id": "example",
        "status": "completed",
        "subject": {"reference": "Patient/elsewhere"},
        "item": [{"linkId": "name"}],
    })
}

fn transaction(sample: &Sample, folder: Option<&Value>) -> Value {
    let document = sample.document();
    let registration =
        provide_document_bundle(&document, &sample.issue.set, request(), folder).unwrap();
    registration.into_transaction()
}

async fn folder_of(repository: &SqliteRepository, sample: &Sample) -> Option<Value> {
    let id = folder::id(&sample.issue.set.certificate.hcid).to_string();
    repository.read("List", &id).await.unwrap()
}

/// What the pipeline does, for a repository that only executes transactions.
async fn register(repository: &SqliteRepository, sample: &Sample) {
    let folder = folder_of(repository, sample).await;
    let transaction = transaction(sample, folder.as_ref());
    repository.transaction(transaction).await.unwrap();
}

fn resources<'a>(transaction: &'a Value, wanted: &str) -> Vec<&'a Value> {
    entries(transaction)
        .map(|entry| &entry["resource"])
        .filter(|resource| resource["resourceType"] == wanted)
        .collect()
}

#[test]
fn a_submission_set_is_mhd_s() {
    let sample = Sample::vaccination();
    let transaction = transaction(&sample, None);
    let lists = resources(&transaction, "List");
    let (set, folder) = (lists[0], lists[1]);
    assert_eq!(set["code"]["coding"][0]["code"], "submissionset");
    assert_eq!(set["mode"], "working");
    let source = set["extension"][0]["valueIdentifier"]["value"].as_str();
    assert!(source.unwrap().starts_with("urn:oid:2.25."));
    assert_eq!(set["identifier"][0]["use"], "usual");
    let unique = set["identifier"][0]["value"].as_str().unwrap();
    assert!(unique.starts_with("urn:oid:2.25."));
    let reference = document_reference_id(sample.id);
    assert_eq!(
        set["entry"],
        json!([
            {"item": {"reference": format!("DocumentReference/{reference}")}},
            {"item": {"reference": format!("List/{}", folder["id"].as_str().unwrap())}},
        ])
    );
    assert_eq!(
        folder["entry"],
        json!([{"item": {"reference": format!("DocumentReference/{reference}")}}])
    );
    for resource in [set, folder] {
        assert_eq!(
            resource["subject"]["reference"],
            folder["subject"]["reference"]
        );
        assert_eq!(resource["date"], "2021-04-06T10:00:00Z");
    }
}

#[test]
fn the_document_is_referred_to() {
    let sample = Sample::vaccination();
    let transaction = transaction(&sample, None);
    let references = resources(&transaction, "DocumentReference");
    let reference = references[0];
    let document = "00000000-0000-0000-0000-000000000001";
    assert_eq!(
        reference["masterIdentifier"],
        json!({"use": "usual", "system": URI, "value": format!("urn:uuid:{document}")})
    );
    assert_eq!(reference["status"], "current");
    assert_eq!(reference["type"]["coding"][0]["code"], "82593-5");
    assert_eq!(reference["category"][0]["coding"][0]["code"], "ddcc-vs");
    assert_eq!(reference["subject"]["identifier"]["value"], "1234567890");
    let contents = reference["content"].as_array().unwrap();
    assert_eq!(contents.len(), 1);
    assert_eq!(
        contents[0]["attachment"]["url"],
        format!("Bundle/{document}")
    );
    assert_eq!(
        contents[0]["attachment"]["contentType"],
        "application/fhir+json"
    );
    assert_eq!(
        reference["context"]["period"],
        json!({"start": "2021-04-05", "end": "2022-04-05"})
    );
    // The request, and the four codes.
    assert_eq!(reference["context"]["related"].as_array().unwrap().len(), 5);
}

#[test]
fn every_entry_is_put_under_its_id() {
    for set in [vaccination(), test_result()] {
        let sample = Sample::new(Uuid::from_u128(5), set);
        let transaction = transaction(&sample, None);
        assert_eq!(transaction["type"], "transaction");
        let mut seen = std::collections::HashSet::new();
        for entry in entries(&transaction) {
            let resource = &entry["resource"];
            assert_eq!(entry["request"]["method"], "PUT");
            let url = entry["request"]["url"].as_str().unwrap();
            assert!(seen.insert(url.to_owned()));
            let (resource_type, id) = url.split_once('/').unwrap();
            assert_eq!(resource["resourceType"], resource_type);
            if resource_type != "Bundle" {
                assert_eq!(resource["id"], id);
            }
        }
    }
}

#[test]
fn a_folder_without_version_or_patient_is_refused() {
    let sample = Sample::vaccination();
    let document = sample.document();
    let set = &sample.issue.set;
    let folder = folder::new(&set.certificate.hcid, "p");
    let mut no_patient = folder.clone();
    no_patient["meta"]["versionId"] = json!("1");
    no_patient.as_object_mut().unwrap().remove("subject");
    for (folder, reason) in [(&folder, "versionId"), (&no_patient, "Patient")] {
        let error = provide_document_bundle(&document, set, request(), Some(folder));
        let error = error.unwrap_err().to_string();
        assert!(error.contains(reason), "{error}");
    }
}

/// Everything in a repository but times, which differ.
async fn stored(directory: &TempDir) -> Vec<String> {
    let path = directory.path().join("ddcc.sqlite");
    let database = Database::open(&path).await.unwrap();
    let mut rows = Vec::new();
    for sql in [
        "SELECT resource_type || ' ' || id || ' ' || version || ' ' || is_held FROM resource",
        "SELECT resource_type || ' ' || parameter || ' ' || key || ' ' || id FROM search_index",
        "SELECT text || ' ' || coalesce(moved, '') FROM content",
    ] {
        let found = database.read(move |connection| -> Result<Vec<String>, DatabaseError> {
            let mut select = connection.prepare(sql)?;
            let rows = select.query_map([], |row| row.get(0))?;
            Ok(rows.collect::<Result<_, _>>()?)
        });
        rows.extend(found.await.unwrap());
    }
    rows.sort();
    rows
}

/// The first document of a folder, one more, and that one again.
#[tokio::test]
async fn the_embedded_repository_stores_what_the_transaction_would() {
    let mut second = Sample::vaccination();
    second.id = derived(second.id, "second");
    let samples = [Sample::vaccination(), second];
    // Signed once: no two signatures of a document are the same.
    let documents = samples.each_ref().map(Sample::document);
    let directories = [TempDir::new().unwrap(), TempDir::new().unwrap()];
    for (directory, is_direct) in directories.iter().zip([false, true]) {
        let repository = repository(directory).await;
        for index in [0, 1, 1] {
            let (sample, document) = (&samples[index], &documents[index]);
            let folder = folder_of(&repository, sample).await;
            let set = &sample.issue.set;
            let registration =
                provide_document_bundle(document, set, request(), folder.as_ref()).unwrap();
            if is_direct {
                let stored = repository.provide_document_bundle(registration);
                stored.await.unwrap();
            } else {
                let stored = repository.transaction(registration.into_transaction());
                stored.await.unwrap();
            }
        }
    }
    let [one, other] = &directories;
    let (one, other) = (stored(one).await, stored(other).await);
    assert!(one.len() > 60, "{}", one.len());
    assert_eq!(one, other);
}

#[tokio::test]
async fn a_registered_document_is_stored_with_all_its_resources() {
    let directory = TempDir::new().unwrap();
    let repository = repository(&directory).await;
    let sample = Sample::vaccination();
    let document = sample.document();
    let registration =
        provide_document_bundle(&document, &sample.issue.set, request(), None).unwrap();
    repository
        .provide_document_bundle(registration)
        .await
        .unwrap();

    let id = sample.id.to_string();
    let stored = repository.read("Bundle", &id).await.unwrap().unwrap();
    assert_eq!(stored.to_string(), document.bundle().to_string());
    let certificates = [ES256.identity.certificate.clone()];
    assert!(signature::verify(&stored, &certificates).is_ok());
    assert_eq!(codes::read(&stored).len(), 4);
    assert_eq!(codes::card(&stored).as_deref(), Some(CARD));

    for code in codes::read(&stored) {
        let reference = repository
            .read("DocumentReference", &code.reference_id)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(codes::read_reference(&reference), Some(code));
        let card = reference["content"][2]["attachment"]["url"].as_str();
        let (resource_type, id) = card.unwrap().split_once('/').unwrap();
        assert!(repository.read(resource_type, id).await.unwrap().is_some());
    }
    let folder = folder_of(&repository, &sample).await.unwrap();
    let patient_id = folder::patient(&folder).unwrap();
    let patient = repository.read("Patient", patient_id).await.unwrap();
    assert!(holder::is_same(&patient.unwrap(), &sample.issue.set));

    let about_patient = [("patient", patient_id)];
    let found = repository
        .search("DocumentReference", &about_patient)
        .await
        .unwrap();
    assert_eq!(found.len(), 5);
    let by_hcid = [("code", "folder"), ("identifier", "bMlJkAt0V92RYhhG3fNt")];
    let found = repository.search("List", &by_hcid).await.unwrap();
    assert!(found.len() == 1 && found[0] == folder);
    let request = request_id(sample.id).to_string();
    let request = repository
        .read("QuestionnaireResponse", &request)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(request["item"][0]["linkId"], "name");
    assert_eq!(
        request["subject"]["reference"],
        format!("Patient/{patient_id}")
    );
}

#[tokio::test]
async fn what_a_document_holds_is_stored_once_and_outlives_it() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("ddcc.sqlite");
    let database = Database::open(&path).await.unwrap();
    let repository = SqliteRepository::new(database.clone());
    let sample = Sample::vaccination();
    let transaction = transaction(&sample, None);
    let held: Vec<(String, String)> = resources(&transaction, "Bundle")[0]["entry"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| &entry["resource"])
        .filter(|resource| resource["resourceType"] != "Patient")
        .map(|resource| {
            let text = |name: &str| resource[name].as_str().unwrap().to_owned();
            (text("resourceType"), text("id"))
        })
        .collect();
    repository.transaction(transaction).await.unwrap();
    let contents = async || -> i64 {
        let sql = "SELECT count(*) FROM content";
        let count = database.read(move |connection| -> Result<i64, DatabaseError> {
            Ok(connection.query_one(sql, [], |row| row.get(0))?)
        });
        count.await.unwrap()
    };
    // Submission set, reference, folder, patient, request, and the document.
    assert_eq!(contents().await, 6);
    let all = async || {
        let mut all = Vec::new();
        for (resource_type, id) in &held {
            let resource = repository.read(resource_type, id).await.unwrap().unwrap();
            assert_eq!(resource["id"], id.as_str());
            all.push(resource);
        }
        all
    };
    let before = all().await;
    let texts: String = before.iter().map(Value::to_string).collect();
    assert!(!texts.contains("\"reference\":\"urn:uuid:"), "resolved");
    let id = sample.id.to_string();
    let delete = json!({"resourceType": "Bundle", "type": "transaction", "entry": [
        {"request": {"method": "DELETE", "url": format!("Bundle/{id}")}},
    ]});
    repository.transaction(delete).await.unwrap();
    assert_eq!(repository.read("Bundle", &id).await.unwrap(), None);
    assert!(all().await == before);
    assert_eq!(contents().await as usize, 5 + held.len());
}

#[tokio::test]
async fn two_doses_are_in_one_folder_of_one_patient() {
    let directory = TempDir::new().unwrap();
    let repository = repository(&directory).await;
    let first = Sample::new(Uuid::from_u128(1), vaccination());
    let mut set = vaccination();
    set["vaccination"]["dose"] = json!(2);
    set["name"] = json!("AULUS AGERIUS");
    let second = Sample::new(Uuid::from_u128(2), set);
    register(&repository, &first).await;
    register(&repository, &second).await;

    let folder = folder_of(&repository, &first).await.unwrap();
    assert_eq!(folder["entry"].as_array().unwrap().len(), 2);
    assert_eq!(folder::place_of(&folder, first.id), Some(1));
    assert_eq!(folder::place_of(&folder, second.id), Some(2));
    assert_eq!(folder["meta"]["versionId"], "2");
    let by_name = [("code", "folder")];
    assert_eq!(repository.search("List", &by_name).await.unwrap().len(), 1);

    let patient_id = folder::patient(&folder).unwrap();
    let patients = repository.search("Patient", &[]).await.unwrap();
    assert_eq!(patients.len(), 1);
    assert_eq!(patients[0]["name"][0]["text"], "Aulus Agerius");
    let found = repository
        .search("DocumentReference", &[("patient", patient_id)])
        .await
        .unwrap();
    assert_eq!(found.len(), 10);
    let immunizations = repository.search("Immunization", &[]).await.unwrap();
    for immunization in immunizations {
        assert_eq!(
            immunization["patient"]["reference"],
            format!("Patient/{patient_id}")
        );
    }
}

#[tokio::test]
async fn registering_again_changes_nothing() {
    let directory = TempDir::new().unwrap();
    let repository = repository(&directory).await;
    let sample = Sample::vaccination();
    register(&repository, &sample).await;
    let count =
        async |resource_type: &str| repository.search(resource_type, &[]).await.unwrap().len();
    let types = [
        "List",
        "DocumentReference",
        "Patient",
        "Composition",
        "Bundle",
    ];
    let mut before = Vec::new();
    for resource_type in types {
        before.push(count(resource_type).await);
    }
    register(&repository, &sample).await;
    for (resource_type, before) in types.into_iter().zip(before) {
        assert_eq!(count(resource_type).await, before, "{resource_type}");
    }
    let folder = folder_of(&repository, &sample).await.unwrap();
    assert_eq!(folder["entry"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn of_two_at_the_same_time_one_reads_again() {
    let directory = TempDir::new().unwrap();
    let repository = repository(&directory).await;
    let samples = [1, 2, 3].map(|id| Sample::new(Uuid::from_u128(id), vaccination()));
    let conflicts = |result: Result<Value, RepositoryError>| matches!(result, Err(RepositoryError::VersionConflict { resource }) if resource.starts_with("List/"));
    // Both found no folder.
    let [first, second] = [&samples[0], &samples[1]].map(|sample| transaction(sample, None));
    repository.transaction(first).await.unwrap();
    assert!(conflicts(repository.transaction(second).await));
    let document = repository.read("Bundle", &samples[1].id.to_string()).await;
    assert_eq!(document.unwrap(), None);
    // Both found the same version.
    let folder = folder_of(&repository, &samples[1]).await;
    let [second, third] =
        [&samples[1], &samples[2]].map(|sample| transaction(sample, folder.as_ref()));
    repository.transaction(third).await.unwrap();
    assert!(conflicts(repository.transaction(second).await));

    register(&repository, &samples[1]).await;
    let folder = folder_of(&repository, &samples[0]).await.unwrap();
    let places = samples
        .each_ref()
        .map(|sample| folder::place_of(&folder, sample.id));
    assert_eq!(places, [Some(1), Some(3), Some(2)]);
}

#[tokio::test]
async fn a_folder_that_another_system_made_is_used() {
    let directory = TempDir::new().unwrap();
    let repository = repository(&directory).await;
    let list = json!({
        "resourceType": "List",
        "id": "theirs",
        "status": "current",
        "mode": "working",
        "code": {"coding": [{"code": "folder"}]},
        "subject": {"reference": "Patient/theirs"},
        "entry": [{"item": {"reference": "DocumentReference/theirs"}}],
    });
    let theirs = json!({"resourceType": "Bundle", "type": "transaction", "entry": [put(list)]});
    repository.transaction(theirs).await.unwrap();
    let folder = repository.read("List", "theirs").await.unwrap().unwrap();
    let sample = Sample::vaccination();
    assert_eq!(folder::next_place(Some(&folder), sample.id), 2);
    let transaction = transaction(&sample, Some(&folder));
    repository.transaction(transaction).await.unwrap();
    let folder = repository.read("List", "theirs").await.unwrap().unwrap();
    assert_eq!(folder::place_of(&folder, sample.id), Some(2));
    let composition = repository.search("Composition", &[]).await.unwrap();
    assert_eq!(composition[0]["subject"]["reference"], "Patient/theirs");
}
