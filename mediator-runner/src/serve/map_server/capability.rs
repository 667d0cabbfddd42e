//! `GET /fhir/metadata`: what this part of the server can do, as a CapabilityStatement.

use axum::response::Response;
use chrono::{SecondsFormat, Utc};
use http::StatusCode;
use mediator_ddcc::transformer::DefinitionType;
use serde_json::{Value, json};

use super::super::fhir::{Answer, FHIR_JSON, JSON_NAMES, Wanted, not_acceptable, resource};
use super::super::media_type::Offer;

pub(super) async fn capability_statement(wanted: Wanted) -> Answer {
    let json = [Offer {
        names: JSON_NAMES,
        value: (),
    }];
    Ok(match wanted.choose(&json) {
        Some(()) => statement(),
        None => not_acceptable("answers are application/fhir+json"),
    })
}

fn statement() -> Response {
    let resources: Vec<Value> = DefinitionType::ALL
        .into_iter()
        .map(|definition_type| {
            let interactions = ["create", "read", "update", "delete", "search-type"];
            let interactions: Vec<Value> = interactions
                .into_iter()
                .map(|code| json!({"code": code}))
                .collect();
            let mut described = json!({
                "type": definition_type.as_str(),
                "interaction": interactions,
                "versioning": "versioned",
                "updateCreate": true,
                "searchParam": [
                    {"name": "_id", "type": "token"},
                    {"name": "url", "type": "uri"},
                ],
            });
            if definition_type == DefinitionType::StructureMap {
                described["operation"] = json!([{
                    "name": "transform",
                    "definition": "http://hl7.org/fhir/OperationDefinition/StructureMap-transform",
                    "documentation": "The input is the body, and the map's canonical url the parameter source of the address; or a Parameters with resource, map and model (Matchbox), or content, source, sourceMap, srcMap and supportingMap (FHIR R5).",
                }]);
            }
            described
        })
        .collect();
    let statement = json!({
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": Utc::now().to_rfc3339_opts(SecondsFormat::Secs, true),
        "kind": "instance",
        "software": {
            "name": env!("CARGO_PKG_NAME"),
            "version": env!("CARGO_PKG_VERSION"),
        },
        "implementation": {"description": "FHIR Mapping Language engine"},
        "fhirVersion": "4.0.1",
        "format": [FHIR_JSON, "json"],
        "rest": [{"mode": "server", "resource": resources}],
    });
    resource(StatusCode::OK, &statement)
}
