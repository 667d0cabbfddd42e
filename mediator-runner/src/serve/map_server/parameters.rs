//! What a `$transform` asks for: the input and its map, in one of three ways.

use fhir_mapping::structure_map;
use http::StatusCode;
use mediator_ddcc::operation_outcome::{Issue, IssueType};
use mediator_ddcc::strict_json;
use mediator_ddcc::transformer::Supplement;
use serde_json::Value;

use super::super::fhir::Failure;

/// How many maps and models may be sent along.
const MAXIMUM_SENT: usize = 200;

pub(super) struct Call {
    /// Canonical url of the map; else it is the first that is sent along.
    pub(super) map_url: Option<String>,
    pub(super) input: Value,
    pub(super) supplement: Supplement,
}

impl Call {
    /// Reads the query string and the body: a Parameters with a `resource` or `content`, or the
    /// input itself.
    pub(super) fn read(query: &[(String, String)], body: Value) -> Result<Self, Failure> {
        let source = query.iter().find(|(name, _)| name == "source");
        let map_url = source.map(|(_, url)| url.clone());
        let parameters = body["parameter"].as_array().filter(|parameters| {
            let mut names = parameters.iter().map(|parameter| &parameter["name"]);
            body["resourceType"] == "Parameters"
                && names.any(|name| name == "resource" || name == "content")
        });
        let call = match parameters {
            Some(parameters) => Self::of_parameters(map_url, parameters)?,
            None => Self {
                map_url,
                input: body,
                supplement: Supplement::default(),
            },
        };
        if call.map_url.is_none() && call.supplement.maps.is_empty() {
            return Err(refuse(
                IssueType::Required,
                "name the map: ?source=<its canonical url>, or send it as the parameter map, srcMap or sourceMap",
            ));
        }
        Ok(call)
    }

    fn of_parameters(mut map_url: Option<String>, parameters: &[Value]) -> Result<Self, Failure> {
        let mut input = None;
        let mut supplement = Supplement::default();
        let mut supporting = Vec::new();
        if parameters.len() > MAXIMUM_SENT {
            let text = format!("send {MAXIMUM_SENT} parameters at most");
            return Err(refuse(IssueType::TooLong, &text));
        }
        for parameter in parameters {
            let name = parameter["name"].as_str().unwrap_or_default();
            match name {
                "source" => {
                    let names = ["valueUri", "valueCanonical", "valueUrl", "valueString"];
                    let url = names.iter().find_map(|name| parameter[name].as_str());
                    let url = url.ok_or_else(|| nothing_in(name))?;
                    map_url.get_or_insert_with(|| url.to_owned());
                }
                "resource" | "content" => {
                    let given = resource_in(parameter, name)?;
                    if input.replace(given).is_some() {
                        return Err(refuse(IssueType::Structure, "send one input"));
                    }
                }
                "map" | "srcMap" | "sourceMap" => supplement.maps.push(map_in(parameter, name)?),
                "supportingMap" => supporting.push(map_in(parameter, name)?),
                "model" => supplement.resources.push(resource_in(parameter, name)?),
                _ => {
                    let text = format!(
                        "there is no parameter {name}; send resource or content, source, map, srcMap, sourceMap, supportingMap or model"
                    );
                    return Err(refuse(IssueType::NotSupported, &text));
                }
            }
        }
        if supplement.maps.is_empty() && map_url.is_none() && !supporting.is_empty() {
            return Err(refuse(
                IssueType::Required,
                "a supportingMap is imported by another map: send that, or name it as source",
            ));
        }
        supplement.maps.extend(supporting);
        Ok(Self {
            map_url,
            input: input.ok_or_else(|| nothing_in("resource"))?,
            supplement,
        })
    }
}

/// A resource as such, or as text.
fn resource_in(parameter: &Value, name: &str) -> Result<Value, Failure> {
    if let Some(resource) = parameter.get("resource") {
        return Ok(resource.clone());
    }
    let text = parameter["valueString"]
        .as_str()
        .ok_or_else(|| nothing_in(name))?;
    strict_json::parse(text.as_bytes()).map_err(|error| {
        let text = format!("{name}: {error}; it is JSON, XML is not supported");
        refuse(IssueType::Structure, &text)
    })
}

/// A map in the FHIR Mapping Language, or as a StructureMap.
fn map_in(parameter: &Value, name: &str) -> Result<String, Failure> {
    let Some(resource) = parameter.get("resource") else {
        let text = parameter["valueString"].as_str();
        return text.map(str::to_owned).ok_or_else(|| nothing_in(name));
    };
    match structure_map::from_json(resource) {
        Ok(written) => Ok(written.text),
        Err(error) => Err(Failure::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            Issue::general(IssueType::Value, format!("{name}: {error}")),
        )),
    }
}

fn nothing_in(name: &str) -> Failure {
    let text = format!("the parameter {name} is missing, or has neither a resource nor a value");
    refuse(IssueType::Required, &text)
}

fn refuse(code: IssueType, text: &str) -> Failure {
    Failure::new(StatusCode::BAD_REQUEST, Issue::general(code, text))
}
