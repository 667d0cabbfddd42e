//! An engine that forgets its maps, and one that takes none.

use std::time::Duration;

use mediator_core::back_end::{Authentication, BackEndSettings};
use mediator_ddcc::transformer::{Definitions, TransformerError};
use real_servers::mapping_engine::{RealMappingEngine, RequiredCredentials};

use super::client::{matchbox, run, settings, transformer};

#[tokio::test]
async fn maps_are_given_to_an_engine_that_has_none_and_again_when_it_has_forgotten() {
    let credentials = RequiredCredentials::Basic {
        username: "mediator".to_owned(),
        password: "secret".to_owned(),
    };
    let Some(mut engine) = RealMappingEngine::start_with(&credentials).await else {
        return;
    };
    let stranger = run(&matchbox(&engine.base_url())).await.unwrap_err();
    assert!(
        matches!(stranger, TransformerError::Unavailable(_)),
        "{stranger}"
    );

    let settings = BackEndSettings {
        authentication: Authentication::Basic {
            username: "mediator".to_owned(),
            password: "secret".into(),
        },
        ..settings(&engine.base_url())
    };
    let matchbox = transformer(&settings, Definitions::builtin().unwrap());
    let first = run(&matchbox).await.unwrap();

    engine.kill();
    let error = run(&matchbox).await.unwrap_err();
    assert!(matches!(error, TransformerError::Unavailable(_)), "{error}");
    engine.restart().await;
    // The circuit breaker may wait a moment before it tries again.
    let again = loop {
        match run(&matchbox).await {
            Err(TransformerError::Unavailable(_)) => {
                tokio::time::sleep(Duration::from_millis(50)).await
            }
            other => break other.unwrap(),
        }
    };
    assert_eq!(again, first);
}

#[tokio::test]
async fn an_engine_that_takes_no_uploads_is_said_to() {
    let Some(engine) = RealMappingEngine::start_without_uploads().await else {
        return;
    };
    let error = run(&matchbox(&engine.base_url())).await.unwrap_err();
    assert!(matches!(error, TransformerError::Engine { .. }), "{error}");
    let text = error.to_string();
    assert!(
        text.contains("takes no uploads") && text.contains("onlyOneEngine"),
        "{text}"
    );
}
