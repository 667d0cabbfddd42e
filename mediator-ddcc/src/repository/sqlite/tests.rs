#![allow(clippy::unwrap_used, reason = "tests")]

use rstest::rstest;
use tempfile::TempDir;

use super::*;

async fn repository(folder: &TempDir) -> SqliteRepository {
    let path = folder.path().join("ddcc.sqlite");
    SqliteRepository::new(Database::open(&path).await.unwrap())
}

fn bundle(entries: Value) -> Value {
    json!({"resourceType": "Bundle", "type": "transaction", "entry": entries})
}

fn put(resource: Value) -> Value {
    let url = format!(
        "{}/{}",
        resource["resourceType"].as_str().unwrap(),
        resource["id"].as_str().unwrap()
    );
    json!({"fullUrl": format!("urn:uuid:{}", resource["id"].as_str().unwrap()), "resource": resource, "request": {"method": "PUT", "url": url}})
}

fn patient(id: &str, value: &str) -> Value {
    json!({"resourceType": "Patient", "id": id, "identifier": [{"system": "urn:x", "value": value}]})
}

#[tokio::test]
async fn stores_reads_and_counts_versions() {
    let folder = TempDir::new().unwrap();
    let repository = repository(&folder).await;
    for version in ["1", "2"] {
        let response = repository
            .transaction(bundle(json!([put(patient("p", version))])))
            .await
            .unwrap();
        assert_eq!(
            response["entry"][0]["response"]["location"],
            format!("Patient/p/_history/{version}")
        );
        let read = repository.read("Patient", "p").await.unwrap().unwrap();
        assert_eq!(read["meta"]["versionId"], version);
        assert_eq!(read["identifier"][0]["value"], version);
    }
    assert_eq!(repository.read("Patient", "q").await.unwrap(), None);
    // What the old version was found by is forgotten.
    let found = repository
        .search("Patient", &[("identifier", "1")])
        .await
        .unwrap();
    assert_eq!(found.len(), 0);
}

#[tokio::test]
async fn all_entries_or_none() {
    let folder = TempDir::new().unwrap();
    let repository = repository(&folder).await;
    let mut second = put(patient("b", "2"));
    second["request"]["ifMatch"] = json!("W/\"7\"");
    let error = repository
        .transaction(bundle(json!([put(patient("a", "1")), second])))
        .await
        .unwrap_err();
    assert!(
        matches!(error, RepositoryError::VersionConflict { resource } if resource == "Patient/b")
    );
    assert_eq!(repository.read("Patient", "a").await.unwrap(), None);
}

#[tokio::test]
async fn of_two_that_change_the_same_version_one_succeeds() {
    let folder = TempDir::new().unwrap();
    let repository = repository(&folder).await;
    let mut create = put(patient("p", "0"));
    create["request"]["ifNoneMatch"] = json!("*");
    repository
        .transaction(bundle(json!([create.clone()])))
        .await
        .unwrap();
    let again = repository.transaction(bundle(json!([create]))).await;
    assert!(matches!(
        again,
        Err(RepositoryError::VersionConflict { .. })
    ));
    let tasks = (0..16).map(|n: u32| {
        let repository = repository.clone();
        let mut change = put(patient("p", &n.to_string()));
        change["request"]["ifMatch"] = json!("W/\"1\"");
        tokio::spawn(async move { repository.transaction(bundle(json!([change]))).await })
    });
    let results = futures::future::try_join_all(tasks).await.unwrap();
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
}

#[tokio::test]
async fn references_to_entries_are_resolved_but_not_in_documents() {
    let folder = TempDir::new().unwrap();
    let repository = repository(&folder).await;
    let document = json!({"resourceType": "Bundle", "id": "d", "type": "document", "z": 1, "a": 2,
        "entry": [{"resource": {"resourceType": "Composition", "subject": {"reference": "urn:uuid:p"}}}]});
    let list = json!({"resourceType": "List", "id": "l", "subject": {"reference": "urn:uuid:p"},
        "entry": [{"item": {"reference": "urn:uuid:other"}}]});
    let created = json!({"fullUrl": "urn:uuid:new", "resource": {"resourceType": "Basic", "subject": {"reference": "urn:uuid:p"}}, "request": {"method": "POST", "url": "Basic"}});
    let response = repository
        .transaction(bundle(json!([
            put(patient("p", "1")),
            put(document.clone()),
            put(list),
            created
        ])))
        .await
        .unwrap();
    let list = repository.read("List", "l").await.unwrap().unwrap();
    assert_eq!(list["subject"]["reference"], "Patient/p");
    assert_eq!(list["entry"][0]["item"]["reference"], "urn:uuid:other");
    let stored = repository.read("Bundle", "d").await.unwrap().unwrap();
    assert_eq!(stored.to_string(), document.to_string());
    let location = response["entry"][3]["response"]["location"]
        .as_str()
        .unwrap();
    let id = location.split('/').nth(1).unwrap();
    let basic = repository.read("Basic", id).await.unwrap().unwrap();
    assert_eq!(basic["subject"]["reference"], "Patient/p");
}

#[tokio::test]
async fn what_differs_from_the_document_is_stored_as_it_is() {
    let folder = TempDir::new().unwrap();
    let repository = repository(&folder).await;
    let basic = |id: &str, who: &str| json!({"resourceType": "Basic", "id": id, "subject": {"reference": who}});
    let entry = |resource: Value| {
        let url = format!("urn:uuid:{}", resource["id"].as_str().unwrap());
        json!({"fullUrl": url, "resource": resource})
    };
    let document = json!({"resourceType": "Bundle", "id": "d", "type": "document", "entry": [
        entry(patient("p", "1")),
        entry(basic("a", "urn:uuid:p")),
        entry(basic("b", "urn:uuid:p")),
        entry(basic("c", "urn:uuid:p")),
        entry(basic("e", "urn:uuid:a")),
    ]});
    let mut more = basic("c", "Patient/elsewhere");
    more["note"] = json!("more");
    let stored = [
        basic("a", "Patient/elsewhere"),
        basic("b", "Patient/other"),
        more,
        basic("e", "Basic/a"),
    ];
    let mut entries: Vec<Value> = stored.iter().cloned().map(put).collect();
    entries.push(put(document));
    repository
        .transaction(bundle(json!(entries)))
        .await
        .unwrap();
    for mut expected in stored {
        let id = expected["id"].as_str().unwrap().to_owned();
        let read = repository.read("Basic", &id).await.unwrap().unwrap();
        expected["meta"] = read["meta"].clone();
        assert_eq!(read, expected);
    }
}

#[tokio::test]
async fn a_held_resource_gets_versions_of_its_own() {
    let folder = TempDir::new().unwrap();
    let repository = repository(&folder).await;
    let document = json!({"resourceType": "Bundle", "id": "d", "type": "document", "entry": [
        {"fullUrl": "urn:uuid:p", "resource": patient("p", "1")},
    ]});
    let both = bundle(json!([put(document.clone()), put(patient("p", "1"))]));
    for _ in 0..2 {
        repository.transaction(both.clone()).await.unwrap();
    }
    let sql = "SELECT count(*) FROM content";
    let count = move |connection: &Connection| -> Result<i64, DatabaseError> {
        Ok(connection.query_one(sql, [], |row| row.get(0))?)
    };
    let contents = repository.database.read(count).await.unwrap();
    assert_eq!(contents, 1, "of what is replaced nothing is left");
    let one = bundle(json!([put(patient("p", "2"))]));
    repository.transaction(one).await.unwrap();
    let read = repository.read("Patient", "p").await.unwrap().unwrap();
    assert_eq!(read["meta"]["versionId"], "3");
    for (value, count) in [("1", 0), ("2", 1)] {
        let parameters = [("identifier", value)];
        let found = repository.search("Patient", &parameters).await.unwrap();
        assert_eq!(found.len(), count);
    }
    let read = repository.read("Bundle", "d").await.unwrap();
    assert_eq!(read, Some(document));
}

#[tokio::test]
async fn identifiers_made_of_the_id_are_found() {
    let folder = TempDir::new().unwrap();
    let repository = repository(&folder).await;
    let mut patient = patient("p", "urn:uuid:p");
    let more = json!({"system": "urn:y", "value": "2"});
    patient["identifier"].as_array_mut().unwrap().push(more);
    repository
        .transaction(bundle(json!([put(patient)])))
        .await
        .unwrap();
    for (value, count) in [
        ("urn:uuid:p", 1),
        ("urn:x|urn:uuid:p", 1),
        ("urn:y|urn:uuid:p", 0),
        ("urn:uuid:q", 0),
        ("urn:x|", 1),
        ("urn:y|", 1),
        ("urn:z|", 0),
        ("3,urn:uuid:p", 1),
    ] {
        let parameters = [("identifier", value)];
        let found = repository.search("Patient", &parameters).await.unwrap();
        assert_eq!(found.len(), count, "{value}");
    }
}

#[tokio::test]
async fn identifiers_that_are_found_by_one_key_are_told_apart() {
    let folder = TempDir::new().unwrap();
    let repository = repository(&folder).await;
    let id = "8bda9de7-fb6d-4eec-b7ab-5a2e2b0b6d0f";
    let oid = format!(
        "urn:oid:2.25.{}",
        id.parse::<uuid::Uuid>().unwrap().as_u128()
    );
    let urn = format!("urn:uuid:{id}");
    let patients = [
        patient(id, &oid),
        patient("a", &urn),
        patient("b", id),
        patient("c", &format!("Passport/{id}")),
        patient("d", &oid),
    ];
    let entries = patients.map(put).to_vec();
    repository
        .transaction(bundle(entries.into()))
        .await
        .unwrap();
    for (value, expected) in [
        (oid.as_str(), vec![id, "d"]),
        (&urn, vec!["a"]),
        (id, vec!["b"]),
        (&format!("Passport/{id}"), vec!["c"]),
        (&format!("Visa/{id}"), vec![]),
    ] {
        let parameters = [("identifier", value)];
        let found = repository.search("Patient", &parameters).await.unwrap();
        let ids: Vec<&str> = found
            .iter()
            .map(|patient| patient["id"].as_str().unwrap())
            .collect();
        assert_eq!(ids, expected, "{value}");
    }
}

#[tokio::test]
async fn a_deleted_resource_is_gone_and_can_come_back() {
    let folder = TempDir::new().unwrap();
    let repository = repository(&folder).await;
    repository
        .transaction(bundle(json!([put(patient("p", "1"))])))
        .await
        .unwrap();
    let delete = json!({"request": {"method": "DELETE", "url": "Patient/p"}});
    for _ in 0..2 {
        repository
            .transaction(bundle(json!([delete])))
            .await
            .unwrap();
    }
    assert_eq!(repository.read("Patient", "p").await.unwrap(), None);
    let found = repository
        .search("Patient", &[("identifier", "1")])
        .await
        .unwrap();
    assert_eq!(found.len(), 0);
    repository
        .transaction(bundle(json!([put(patient("p", "1"))])))
        .await
        .unwrap();
    let read = repository.read("Patient", "p").await.unwrap().unwrap();
    assert_eq!(read["meta"]["versionId"], "3");
}

#[tokio::test]
async fn creates_only_what_does_not_exist() {
    let folder = TempDir::new().unwrap();
    let repository = repository(&folder).await;
    repository
        .transaction(bundle(json!([put(patient("p", "1 2"))])))
        .await
        .unwrap();
    let create = json!({"resource": patient("x", "1 2"), "request": {"method": "POST", "url": "Patient", "ifNoneExist": "identifier=urn%3Ax|1+2"}});
    let response = repository
        .transaction(bundle(json!([create])))
        .await
        .unwrap();
    assert_eq!(response["entry"][0]["response"]["location"], "Patient/p");
    assert_eq!(response["entry"][0]["response"]["status"], "200 OK");
}

#[tokio::test]
async fn searches_by_tokens_and_references() {
    let folder = TempDir::new().unwrap();
    let repository = repository(&folder).await;
    let list = |id: &str, code: &str, value: &str, who: &str| {
        json!({"resourceType": "List", "id": id, "status": "current",
        "code": {"coding": [{"system": "urn:codes", "code": code}]}, "identifier": [{"system": "urn:x", "value": value}],
        "subject": {"reference": format!("Patient/{who}"), "identifier": {"system": "urn:h", "value": who}}})
    };
    repository
        .transaction(bundle(json!([
            put(list("1", "folder", "a", "p")),
            put(list("2", "folder", "b", "q")),
            put(list("3", "submissionset", "a", "p")),
            put(patient("q", "of q")),
        ])))
        .await
        .unwrap();
    for (parameters, expected) in [
        (&[][..], "123"),
        (&[("code", "folder")], "12"),
        (&[("code", "urn:codes|folder")], "12"),
        (&[("code", "urn:other|folder")], ""),
        (&[("code", "urn:codes|")], "123"),
        (&[("code", "folder"), ("identifier", "urn:x|a")], "1"),
        (
            &[("code", "folder,submissionset"), ("identifier", "a")],
            "13",
        ),
        (&[("identifier", "|a")], ""),
        (&[("patient", "Patient/p")], "13"),
        (&[("patient", "q")], "2"),
        (&[("subject", "Patient/q")], "2"),
        (&[("patient.identifier", "urn:h|p")], "13"),
        (&[("patient:identifier", "p,q")], "123"),
        // What the Patient has and its List does not repeat.
        (&[("patient.identifier", "of q")], "2"),
        (&[("subject.identifier", "urn:x|of q")], "2"),
        (&[("patient.identifier", "urn:x|")], "2"),
        (&[("patient.identifier", "urn:h|of q")], ""),
        (&[("_id", "2,3"), ("status", "current")], "23"),
        (&[("identifier", "' OR 1=1 --")], ""),
    ] {
        let found = repository.search("List", parameters).await.unwrap();
        let ids: String = found
            .iter()
            .map(|list| list["id"].as_str().unwrap())
            .collect();
        assert_eq!(ids, expected, "{parameters:?}");
    }
    for (resource_type, parameter) in [("List", "code:text"), ("List", "title"), ("Basic", "code")]
    {
        let result = repository.search(resource_type, &[(parameter, "x")]).await;
        assert!(
            matches!(result, Err(RepositoryError::UnsupportedParameter { .. })),
            "{parameter}"
        );
    }
}

#[rstest]
#[case(json!({"resourceType": "Bundle", "type": "batch"}), "Bundle.type")]
#[case(bundle(json!(null)), "Bundle.entry")]
#[case(bundle(json!([{"request": {"method": "GET", "url": "Patient/p"}}])), "Bundle.entry[0].request.method")]
#[case(bundle(json!([{"request": {"method": "PUT", "url": "Patient"}}])), "Bundle.entry[0].request.url")]
#[case(bundle(json!([{"request": {"method": "PUT", "url": "Patient/../x"}}])), "Bundle.entry[0].request.url")]
#[case(bundle(json!([{"resource": {"resourceType": "List"}, "request": {"method": "PUT", "url": "Patient/p"}}])), "Bundle.entry[0].resource")]
#[case(bundle(json!([{"resource": patient("q", ""), "request": {"method": "PUT", "url": "Patient/p"}}])), "Bundle.entry[0].resource.id")]
#[case(bundle(json!([put(patient("p", "")), put(patient("p", ""))])), "Bundle.entry[1]")]
#[case(bundle(json!([{"resource": patient("p", ""), "request": {"method": "PUT", "url": "Patient/p", "ifMatch": "7"}}])), "Bundle.entry[0].request.ifMatch")]
#[tokio::test]
async fn refuses_what_is_no_transaction(#[case] bundle: Value, #[case] element: &str) {
    let folder = TempDir::new().unwrap();
    let repository = repository(&folder).await;
    let error = repository.transaction(bundle).await.unwrap_err();
    assert!(matches!(error, RepositoryError::Refused(_)));
    assert!(error.to_string().contains(element), "{error}");
}
