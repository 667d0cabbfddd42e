//! The server fails, and comes back.

use std::time::Duration;

use async_trait::async_trait;
use mediator_core::back_end::{Authentication, BackEndSettings, Token};
use mediator_ddcc::repository::rest::RestRepository;
use mediator_ddcc::repository::{FhirRepository, RepositoryError};
use real_servers::fault_proxy::{Fault, FaultProxy};
use real_servers::hapi_fhir::{RealHapiFhir, RequiredCredentials};

use serde_json::Value;

use super::{Holder, Mediator, repository, server, settings, with_authentication};

#[tokio::test]
async fn killed_and_started_again_nothing_is_lost_and_nothing_twice() {
    let credentials = RequiredCredentials::Bearer("let me in".to_owned());
    let Some(mut server) = RealHapiFhir::start_with(&credentials).await else {
        return;
    };
    let bearer = |token: &str| Authentication::Bearer(Token::Value(token.to_owned().into()));
    let stranger = with_authentication(&server, bearer("please"));
    let error = stranger.read("List", "1").await.unwrap_err();
    assert!(
        matches!(error, RepositoryError::NotPermitted(_)),
        "{error:?}"
    );

    let repository = with_authentication(&server, bearer("let me in"));
    let mediator = Mediator::on(repository.clone()).await;
    let service = &mediator.service;
    let before = Holder::new().dose(1);
    let issued = service
        .generate_health_certificate(before.clone())
        .await
        .unwrap();

    server.kill();
    let during = Holder::new();
    let outcome = service.generate_health_certificate(during.dose(1)).await;
    let outcome = outcome.err().unwrap();
    assert_eq!(outcome.status, 503);
    assert!(outcome.summary().contains("cannot be reached"), "{outcome}");
    assert_eq!(mediator.unfinished().await, 1);
    assert_eq!(service.finish_interrupted().await.unwrap(), 0);

    server.restart().await;
    assert_eq!(service.finish_interrupted().await.unwrap(), 1);
    assert_eq!(mediator.unfinished().await, 0);
    let criteria = [("code", "folder"), ("identifier", during.hcid())];
    let folders = repository.search("List", &criteria).await.unwrap();
    assert_eq!(folders[0]["entry"].as_array().unwrap().len(), 1);
    let again = service.generate_health_certificate(before).await.unwrap();
    assert_eq!(again.document, issued.document);
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_not_waited_for() {
    let credentials = RequiredCredentials::Basic {
        username: "mediator".to_owned(),
        password: "secret".to_owned(),
    };
    let Some(server) = RealHapiFhir::start_with(&credentials).await else {
        return;
    };
    let authentication = |password: &str| Authentication::Basic {
        username: "mediator".to_owned(),
        password: password.to_owned().into(),
    };
    let stranger = with_authentication(&server, authentication("guessed"));
    let error = stranger.check().await.unwrap_err();
    assert!(
        matches!(error, RepositoryError::NotPermitted(_)),
        "{error:?}"
    );
    assert!(!error.to_string().contains("guessed"), "{error}");

    let patient = with_authentication(&server, authentication("secret"));
    let mediator = Mediator::on(repository(&BackEndSettings {
        authentication: authentication("secret"),
        timeout: Duration::from_secs(2),
        attempts: 2,
        ..settings(&server)
    }))
    .await;
    let event = Holder::new().dose(1);
    server.pause();
    let outcome = mediator
        .service
        .generate_health_certificate(event.clone())
        .await;
    server.resume();
    let outcome = outcome.err().unwrap();
    assert_eq!(outcome.status, 503);
    assert!(outcome.summary().contains("did not answer"), "{outcome}");

    // Another process with more patience finds what there is, and finishes it.
    let other = mediator.beside(patient).await;
    other
        .service
        .generate_health_certificate(event)
        .await
        .unwrap();
}

/// Reads are answered; what happens to transactions is the proxy's.
struct Lossy {
    reads: RestRepository,
    transactions: RestRepository,
}

#[async_trait]
impl FhirRepository for Lossy {
    async fn transaction(&self, bundle: Value) -> Result<Value, RepositoryError> {
        self.transactions.transaction(bundle).await
    }

    async fn read(&self, resource_type: &str, id: &str) -> Result<Option<Value>, RepositoryError> {
        self.reads.read(resource_type, id).await
    }

    async fn search(
        &self,
        resource_type: &str,
        parameters: &[(&str, &str)],
    ) -> Result<Vec<Value>, RepositoryError> {
        self.reads.search(resource_type, parameters).await
    }
}

#[tokio::test]
async fn a_transaction_whose_answer_is_lost_is_not_executed_twice() {
    let Some(server) = server().await else { return };
    let url = url::Url::parse(&server.base_url()).unwrap();
    let address = url.socket_addrs(|| None).unwrap()[0];
    let proxy = FaultProxy::http(address).await;
    let through = |attempts| {
        let mut settings = settings(server);
        settings
            .base_url
            .set_port(Some(proxy.address().port()))
            .unwrap();
        settings.attempts = attempts;
        repository(&settings)
    };
    let holder = Holder::new();
    for (dose, attempts) in [(1, 1), (2, 3)] {
        let reads = repository(&settings(server));
        let transactions = through(attempts);
        transactions.check().await.unwrap();
        let mediator = Mediator::on(Lossy {
            reads: reads.clone(),
            transactions,
        })
        .await;
        let service = &mediator.service;
        proxy.fail_times(1, Fault::LoseAnswer);
        let event = holder.dose(dose);
        let first = service.generate_health_certificate(event.clone()).await;
        // What is repeated meets itself.
        assert_eq!(first.is_ok(), attempts > 1);
        assert_eq!(mediator.unfinished().await, usize::from(attempts == 1));
        let certificate = service.generate_health_certificate(event).await.unwrap();
        assert!(!certificate.is_new);
        assert_eq!(certificate.place, dose as usize);
        assert_eq!(mediator.unfinished().await, 0);
        let criteria = [("code", "folder"), ("identifier", holder.hcid())];
        let folders = reads.search("List", &criteria).await.unwrap();
        assert_eq!(folders[0]["entry"].as_array().unwrap().len(), dose as usize);
    }
}
