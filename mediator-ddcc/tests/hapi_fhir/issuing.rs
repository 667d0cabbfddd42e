//! A certificate's way into the server and back.

use mediator_ddcc::codes::CodeForm;
use mediator_ddcc::document;
use mediator_ddcc::repository::FhirRepository as _;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Holder, Mediator, TEST_RESULT, VACCINATION, answer, repository, server, settings};

#[tokio::test]
async fn both_questionnaires_become_documents_that_verify_when_they_are_read_back() {
    let Some(server) = server().await else { return };
    let repository = repository(&settings(server));
    let mediator = Mediator::on(repository.clone()).await;
    for (example, forms) in [(VACCINATION, 4), (TEST_RESULT, 3)] {
        let holder = Holder::new();
        let event = holder.event(example);
        let service = &mediator.service;
        let certificate = service
            .generate_health_certificate(event.clone())
            .await
            .unwrap();
        assert!(certificate.is_new);
        assert_eq!(certificate.codes.len(), forms);

        let id = certificate.document_id.to_string();
        let stored = repository.read("Bundle", &id).await.unwrap().unwrap();
        assert_eq!(stored.to_string(), certificate.document.to_string());
        let signers = [certificate.signer.clone()];
        document::signature::verify(&stored, &signers).unwrap();

        // The same event again, also at another process: the same certificate.
        let again = service
            .generate_health_certificate(event.clone())
            .await
            .unwrap();
        assert!(!again.is_new);
        assert_eq!(again.document, certificate.document);
        assert_eq!(again.codes, certificate.codes);
        assert_eq!(again.place, 1);
        assert_eq!(mediator.unfinished().await, 0);
    }
}

#[tokio::test]
async fn what_is_registered_is_found_and_leads_to_the_document() {
    let Some(server) = server().await else { return };
    let repository = repository(&settings(server));
    let mediator = Mediator::on(repository.clone()).await;
    let holder = Holder::new();
    let service = &mediator.service;
    let certificate = service
        .generate_health_certificate(holder.dose(1))
        .await
        .unwrap();

    let criteria = [("code", "folder"), ("identifier", holder.hcid())];
    let folders = repository.search("List", &criteria).await.unwrap();
    let [folder] = folders.as_slice() else {
        panic!("{} folders", folders.len());
    };
    assert!(folder["meta"]["versionId"].is_string());
    let reference = folder["entry"][0]["item"]["reference"].as_str().unwrap();
    let id = reference.strip_prefix("DocumentReference/").unwrap();
    let reference = repository
        .read("DocumentReference", id)
        .await
        .unwrap()
        .unwrap();
    let url = format!("Bundle/{}", certificate.document_id);
    assert_eq!(reference["content"][0]["attachment"]["url"], json!(url));
    assert_eq!(
        reference["subject"]["reference"],
        folder["subject"]["reference"]
    );

    // Each code stands alone, too.
    for code in &certificate.codes {
        let id = document::codes::reference_id(certificate.document_id, code.form).to_string();
        let stored = repository
            .read("DocumentReference", &id)
            .await
            .unwrap()
            .unwrap();
        let stored = document::codes::read_reference(&stored).unwrap();
        assert_eq!((stored.form, stored.text), (code.form, code.text.clone()));
    }
    let patient = folder["subject"]["reference"].as_str().unwrap();
    let criteria = [("patient", patient), ("type", "who"), ("status", "current")];
    let codes = repository
        .search("DocumentReference", &criteria)
        .await
        .unwrap();
    let forms: Vec<CodeForm> = codes
        .iter()
        .filter_map(document::codes::read_reference)
        .map(|code| code.form)
        .collect();
    assert_eq!(forms, [CodeForm::Who]);
    let criteria = [
        ("patient.identifier", "X4711082"),
        (
            "identifier",
            &*format!("urn:uuid:{}", certificate.document_id),
        ),
    ];
    let found = repository
        .search("DocumentReference", &criteria)
        .await
        .unwrap();
    assert_eq!(found.len(), 1);
}

/// MHD's ITI-67: the chain leads over the Patient, which was stored with the first dose.
#[tokio::test]
async fn an_identifier_that_a_later_dose_states_finds_every_document_of_the_holder() {
    let Some(server) = server().await else { return };
    let repository = repository(&settings(server));
    let mediator = Mediator::on(repository.clone()).await;
    let holder = Holder::new();
    let number = Uuid::new_v4().to_string();
    let mut first = holder.dose(1);
    let items = first["item"].as_array_mut().unwrap();
    items.retain(|item| item["linkId"] != "identifier");
    let mut second = holder.dose(2);
    *answer(&mut second, "identifier") = json!({"valueString": number});
    let mut documents = Vec::new();
    for event in [first, second, holder.dose(3)] {
        let found = repository
            .search("DocumentReference", &[("patient.identifier", &number)])
            .await
            .unwrap();
        // Until the second dose nobody knows it.
        assert_eq!(found.is_empty(), documents.len() < 2);
        let service = &mediator.service;
        match service.generate_health_certificate(event).await {
            Ok(certificate) => documents.push(format!("Bundle/{}", certificate.document_id)),
            // The third states another number for the same person.
            Err(outcome) => assert_eq!((outcome.status, documents.len()), (409, 2)),
        }
    }
    for name in [
        "patient.identifier",
        "subject.identifier",
        "patient:identifier",
    ] {
        let criteria = [(name, &*number), ("status", "current")];
        let found = repository
            .search("DocumentReference", &criteria)
            .await
            .unwrap();
        let urls = found
            .iter()
            .filter_map(|found| found["content"][0]["attachment"]["url"].as_str());
        let mut urls: Vec<&str> = urls.filter(|url| url.starts_with("Bundle/")).collect();
        urls.sort_unstable();
        assert_eq!(urls, documents, "{name}");
    }
}

/// The folder is not there yet when both begin, and then it is.
#[tokio::test]
async fn doses_at_once_from_two_processes_both_end_in_the_folder() {
    let Some(server) = server().await else { return };
    let first = Mediator::on(repository(&settings(server))).await;
    let second = first.beside(repository(&settings(server))).await;
    for _ in 0..3 {
        let holder = Holder::new();
        let certificates = futures::future::join_all((1..=6).map(|dose| {
            let mediator = if dose % 2 == 0 { &first } else { &second };
            mediator
                .service
                .generate_health_certificate(holder.dose(dose))
        }));
        let certificates: Vec<_> = certificates.await.into_iter().map(Result::unwrap).collect();
        let mut places: Vec<usize> = certificates.iter().map(|issued| issued.place).collect();
        places.sort_unstable();
        assert_eq!(places, [1, 2, 3, 4, 5, 6]);
        let folders = repository(&settings(server))
            .search("List", &[("code", "folder"), ("identifier", holder.hcid())])
            .await
            .unwrap();
        assert_eq!(folders.len(), 1);
        for certificate in certificates {
            let place = document::folder::place_of(&folders[0], certificate.document_id);
            assert_eq!(place, Some(certificate.place));
        }
    }
}

#[tokio::test]
async fn the_hcid_of_another_person_is_a_conflict() {
    let Some(server) = server().await else { return };
    let mediator = Mediator::on(repository(&settings(server))).await;
    let holder = Holder::new();
    let service = &mediator.service;
    service
        .generate_health_certificate(holder.dose(1))
        .await
        .unwrap();
    let mut other: Value = holder.dose(2);
    *answer(&mut other, "birthDate") = json!({"valueDate": "1950-01-01"});
    let outcome = service.generate_health_certificate(other).await;
    assert_eq!(outcome.err().unwrap().status, 409);
    assert_eq!(mediator.unfinished().await, 0);
}
