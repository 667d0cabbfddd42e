//! `GET [base]/metadata`: what this server can do, as a CapabilityStatement.

use axum::extract::State;
use axum::response::Response;
use chrono::{SecondsFormat, Utc};
use http::StatusCode;
use serde_json::{Value, json};

use super::application::Application;
use super::fhir::{FHIR_JSON, resource};

const OPERATIONS: &str = "http://smart.who.int/ddcc/OperationDefinition";

pub(super) async fn capability_statement(State(application): State<Application>) -> Response {
    let generation = application.generation();
    let settings = generation.settings();
    resource(
        StatusCode::OK,
        &statement(&settings.public_base_url, &settings.issuer.name),
    )
}

fn statement(base: &str, publisher: &str) -> Value {
    let interactions =
        |codes: &[&str]| -> Vec<Value> { codes.iter().map(|code| json!({"code": code})).collect() };
    let parameters = |parameters: &[(&str, &str)]| -> Vec<Value> {
        parameters
            .iter()
            .map(|(name, kind)| json!({"name": name, "type": kind}))
            .collect()
    };
    json!({
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": Utc::now().to_rfc3339_opts(SecondsFormat::Secs, true),
        "publisher": publisher,
        "kind": "instance",
        "software": {
            "name": env!("CARGO_PKG_NAME"),
            "version": env!("CARGO_PKG_VERSION"),
        },
        "implementation": {
            "description": "DDCC Generation Service with its repository and registry",
            "url": base,
        },
        "fhirVersion": "4.0.1",
        "format": [FHIR_JSON, "json"],
        "rest": [{
            "mode": "server",
            "documentation": "POST [base]/$verify takes the texts of QR codes and tells what they are; POST [base] takes a batch of $generateHealthCertificate (Submit Health Event).",
            "interaction": [{"code": "batch"}],
            "resource": [
                {
                    "type": "QuestionnaireResponse",
                    "operation": [{
                        "name": "generateHealthCertificate",
                        "definition": format!("{OPERATIONS}/DDCC.QuestionnaireResponse.generateHealthCertificate"),
                    }],
                },
                {
                    "type": "Bundle",
                    "interaction": interactions(&["create", "read"]),
                },
                {
                    "type": "Composition",
                    "operation": [{
                        "name": "document",
                        "definition": "http://hl7.org/fhir/OperationDefinition/Composition-document",
                        "documentation": "An unsigned document of what is stored; the signed one is the Bundle.",
                    }],
                },
                {
                    "type": "DocumentReference",
                    "interaction": interactions(&["read", "search-type"]),
                    "searchParam": parameters(&[
                        ("identifier", "token"),
                        ("patient", "reference"),
                        ("related", "reference"),
                        ("status", "token"),
                        ("type", "token"),
                    ]),
                    "operation": [{
                        "name": "getQRCode",
                        "definition": format!("{base}/OperationDefinition/getQRCode"),
                        "documentation": "The QR code of a DocumentReference as image/png or image/svg+xml, by Accept or _format.",
                    }],
                },
                {
                    "type": "List",
                    "interaction": interactions(&["read", "search-type"]),
                    "searchParam": parameters(&[
                        ("code", "token"),
                        ("identifier", "token"),
                        ("item", "reference"),
                        ("patient", "reference"),
                        ("status", "token"),
                    ]),
                },
            ],
        }],
    })
}
