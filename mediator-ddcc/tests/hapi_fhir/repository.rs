//! The repository's port on the server.

use mediator_ddcc::repository::{FhirRepository as _, RepositoryError};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Holder, Mediator, repository, server, settings};

fn transaction(entries: Value) -> Value {
    json!({"resourceType": "Bundle", "type": "transaction", "entry": entries})
}

fn put(resource: Value) -> Value {
    let (kind, id) = (resource["resourceType"].as_str(), resource["id"].as_str());
    let url = format!("{}/{}", kind.unwrap(), id.unwrap());
    json!({"resource": resource, "request": {"method": "PUT", "url": url}})
}

#[tokio::test]
async fn it_has_what_certificates_need() {
    let Some(server) = server().await else { return };
    let repository = repository(&settings(server));
    let capabilities = repository.check().await.unwrap();
    assert!(capabilities.software().starts_with("HAPI FHIR Server"));
    assert_eq!(capabilities.missing(), []);
}

#[tokio::test]
async fn versions_are_read_and_guarded() {
    let Some(server) = server().await else { return };
    let repository = repository(&settings(server));
    let id = Uuid::new_v4().to_string();
    let list = |title: &str, name: &str, condition: &str| {
        let list = json!({"resourceType": "List", "id": id, "status": "current", "mode": "working", "title": title});
        let mut entry = put(list);
        entry["request"][name] = json!(condition);
        transaction(json!([entry]))
    };
    assert_eq!(repository.read("List", &id).await.unwrap(), None);
    let created = repository
        .transaction(list("a", "ifNoneMatch", "*"))
        .await
        .unwrap();
    assert_eq!(created["entry"].as_array().unwrap().len(), 1);
    let read = repository.read("List", &id).await.unwrap().unwrap();
    let version = read["meta"]["versionId"].as_str().unwrap();
    let etag = format!("W/\"{version}\"");
    for (name, condition) in [("ifNoneMatch", "*"), ("ifMatch", "W/\"77\"")] {
        let result = repository.transaction(list("b", name, condition)).await;
        let Err(RepositoryError::VersionConflict { resource }) = result else {
            panic!("{result:?}");
        };
        assert_eq!(resource, format!("List/{id}"));
    }
    repository
        .transaction(list("c", "ifMatch", &etag))
        .await
        .unwrap();
    let read = repository.read("List", &id).await.unwrap().unwrap();
    assert_eq!(read["title"], "c");
    assert_ne!(read["meta"]["versionId"].as_str(), Some(version));
}

#[tokio::test]
async fn everything_or_nothing_and_the_cause_is_told() {
    let Some(server) = server().await else { return };
    let repository = repository(&settings(server));
    let id = Uuid::new_v4().to_string();
    let patient = put(json!({"resourceType": "Patient", "id": id, "name": [{"text": "Numerius"}]}));
    let list = put(
        json!({"resourceType": "List", "id": Uuid::new_v4(), "status": "current",
        "mode": "working", "subject": {"reference": "Patient/nobody-at-all"}}),
    );
    let error = repository
        .transaction(transaction(json!([patient, list])))
        .await
        .unwrap_err();
    assert!(matches!(error, RepositoryError::Refused(_)), "{error:?}");
    let text = error.to_string();
    assert!(
        text.contains("HAPI-1094") && text.contains("List.subject"),
        "{text}"
    );
    assert!(!text.contains("Numerius"), "{text}");
    assert_eq!(repository.read("Patient", &id).await.unwrap(), None);

    // What it does not understand is the request's fault, and nobody's data.
    let birth = json!({"resourceType": "Patient", "id": id, "birthDate": "the third of March"});
    let error = repository
        .transaction(transaction(json!([put(birth)])))
        .await
        .unwrap_err();
    assert!(matches!(error, RepositoryError::Refused(_)), "{error:?}");
    assert!(!error.to_string().contains("March"), "{error}");
}

#[tokio::test]
async fn created_on_a_condition_and_deleted() {
    let Some(server) = server().await else { return };
    let repository = repository(&settings(server));
    let value = Uuid::new_v4().to_string();
    let create = || {
        transaction(json!([{
            "fullUrl": "urn:uuid:0d9cfd03-4b0f-4b6b-8dd5-8e3c0c1f2a11",
            "resource": {"resourceType": "Patient", "identifier": [{"system": "urn:x", "value": value}]},
            "request": {"method": "POST", "url": "Patient", "ifNoneExist": format!("identifier=urn:x|{value}")},
        }]))
    };
    repository.transaction(create()).await.unwrap();
    repository.transaction(create()).await.unwrap();
    let criteria = [("identifier", &*format!("urn:x|{value}"))];
    let found = repository.search("Patient", &criteria).await.unwrap();
    let [patient] = found.as_slice() else {
        panic!("{} patients", found.len());
    };
    let id = patient["id"].as_str().unwrap();
    let delete =
        transaction(json!([{"request": {"method": "DELETE", "url": format!("Patient/{id}")}}]));
    repository.transaction(delete).await.unwrap();
    assert_eq!(repository.read("Patient", id).await.unwrap(), None);
    assert_eq!(
        repository.search("Patient", &criteria).await.unwrap().len(),
        0
    );
}

#[tokio::test]
async fn a_search_finds_what_was_stored_since_the_last_one() {
    let Some(server) = server().await else { return };
    let repository = repository(&settings(server));
    let value = format!("urn:since|{}", Uuid::new_v4());
    let criteria = [("identifier", &*value)];
    for expected in 0..3 {
        let found = repository.search("Patient", &criteria).await.unwrap();
        assert_eq!(found.len(), expected);
        let identifier =
            json!([{"system": "urn:since", "value": value.split_once('|').unwrap().1}]);
        let patient =
            json!({"resourceType": "Patient", "id": Uuid::new_v4(), "identifier": identifier});
        repository
            .transaction(transaction(json!([put(patient)])))
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn every_page_of_a_search_is_read() {
    let Some(server) = server().await else { return };
    let repository = repository(&settings(server));
    let value = Uuid::new_v4().to_string();
    let patients: Vec<Value> = (0..230)
        .map(|_| {
            let identifier = json!([{"system": "urn:pages", "value": value}]);
            put(json!({"resourceType": "Patient", "id": Uuid::new_v4(), "identifier": identifier}))
        })
        .collect();
    repository
        .transaction(transaction(patients.into()))
        .await
        .unwrap();
    let criteria = [("identifier", &*format!("urn:pages|{value}"))];
    let found = repository.search("Patient", &criteria).await.unwrap();
    let ids: std::collections::HashSet<&str> = found
        .iter()
        .map(|patient| patient["id"].as_str().unwrap())
        .collect();
    assert_eq!(ids.len(), 230);

    let error = repository
        .search("Patient", &[("colour", "red")])
        .await
        .unwrap_err();
    let RepositoryError::UnsupportedParameter { parameter, .. } = &error else {
        panic!("{error:?}");
    };
    assert_eq!(parameter, "colour");
}

#[tokio::test]
async fn a_document_is_deleted_although_its_audit_trail_stays() {
    let Some(server) = server().await else { return };
    let repository = repository(&settings(server));
    let mediator = Mediator::on(repository.clone()).await;
    let event = Holder::new().dose(1);
    let certificate = mediator
        .service
        .generate_health_certificate(event.clone())
        .await
        .unwrap();
    let id = certificate.document_id.to_string();
    let delete =
        transaction(json!([{"request": {"method": "DELETE", "url": format!("Bundle/{id}")}}]));
    let response = repository.transaction(delete).await.unwrap();
    assert_eq!(response["entry"].as_array().unwrap().len(), 1);
    assert_eq!(repository.read("Bundle", &id).await.unwrap(), None);
    let again = mediator.service.generate_health_certificate(event).await;
    assert_eq!(again.err().unwrap().status, 410);
}

#[tokio::test]
async fn a_composition_s_document_is_the_server_s_or_assembled_here() {
    let Some(server) = server().await else { return };
    let repository = repository(&settings(server));
    let mediator = Mediator::on(repository.clone()).await;
    let certificate = mediator
        .service
        .generate_health_certificate(Holder::new().dose(1))
        .await
        .unwrap();
    let composition = &certificate.document["entry"][0]["resource"]["id"];
    let composition = composition.as_str().unwrap();
    assert!(repository.check().await.unwrap().has_document_operation());
    let document = repository.document(composition).await.unwrap().unwrap();
    assert_eq!(document["type"], "document");
    assert_eq!(document["entry"][0]["resource"]["id"], json!(composition));
    assert!(document.get("signature").is_none());
    let count = |document: &Value| document["entry"].as_array().unwrap().len();
    assert!(count(&document) > 5);
    assert_eq!(repository.document("nothing").await.unwrap(), None);
}
