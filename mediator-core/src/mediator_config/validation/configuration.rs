use std::collections::HashMap;

use serde_json::Value;

use super::element::{Element, Findings, Object, instead_of, report_repeated_names};
use crate::mediator_config::configuration_definition::ConfigurationType;
use crate::mediator_config::mistake::Mistake;

/// Checks the definitions of parameters.
pub(super) fn check_definitions(definitions: &[Element<'_>]) {
    check_each(definitions, false);
}

fn check_each(definitions: &[Element<'_>], in_template: bool) {
    for definition in definitions.iter().filter_map(Element::object) {
        check_definition(&definition, in_template);
    }
    report_repeated_names(definitions, "param", "the parameters");
}

fn check_definition(definition: &Object<'_>, in_template: bool) {
    definition.required_text("param", "the parameter's name in the configuration");
    definition.texts(&["displayName", "description"]);
    definition.booleans(&["array"]);
    let Some(kind) = definition.get("type") else {
        let names = ConfigurationType::NAMES.join(", ");
        definition.mistake("type", format!("is missing: one of {names}"));
        return;
    };
    match kind.one_of(&ConfigurationType::NAMES) {
        Some("option") if definition.is_without_items("values") => {
            definition.mistake(
                "values",
                "is missing: an option needs the values that can be chosen",
            );
        }
        Some("struct") if in_template => {
            kind.mistake("core refuses a struct in a struct: make it a parameter of its own");
        }
        Some("struct") => {
            if definition.get("template").is_none() {
                definition.mistake(
                    "template",
                    "is missing: a struct needs a list of its members' definitions",
                );
            }
            check_each(&definition.items("template"), true);
        }
        _ => {}
    }
    for value in definition.items("values") {
        value.text();
    }
}

/// Checks a configuration against definitions.
///
/// `definitions` is `configDefs` as it is in a document; what is wrong with the definitions
/// themselves is not reported.
pub(crate) fn check_configuration(
    definitions: &[Value],
    configuration: &Value,
) -> Result<(), Vec<Mistake>> {
    let findings = Findings::default();
    check_values(definitions, &Element::root(&findings, configuration));
    findings.into_result()
}

pub(super) fn check_values(definitions: &[Value], configuration: &Element<'_>) {
    let Some(configuration) = configuration.object() else {
        return;
    };
    let definitions = by_name(definitions);
    for (name, value) in configuration.all() {
        match definitions.get(name) {
            Some(definition) => check_parameter(definition, &value),
            None => value.mistake("is no parameter of `configDefs`: define it there or remove it"),
        }
    }
}

fn by_name(definitions: &[Value]) -> HashMap<&str, &Value> {
    definitions
        .iter()
        .filter_map(|definition| Some((definition.get("param")?.as_str()?, definition)))
        .collect()
}

fn check_parameter(definition: &Value, value: &Element<'_>) {
    let is_array = definition.get("array").and_then(Value::as_bool) == Some(true);
    if is_array {
        for item in value.items().unwrap_or_default() {
            check_value(definition, &item);
        }
    } else {
        check_value(definition, value);
    }
}

fn check_value(definition: &Value, value: &Element<'_>) {
    let list = |name: &str| {
        definition
            .get(name)
            .and_then(Value::as_array)
            .map(Vec::as_slice)
            .unwrap_or_default()
    };
    match definition.get("type").and_then(Value::as_str) {
        Some("string" | "bigstring" | "password") => {
            value.text();
        }
        Some("bool") => {
            value.boolean();
        }
        Some("number") if !value.value.is_number() => {
            value.mistake(format!("must be a number, {}", instead_of(value.value)));
        }
        Some("option") if !list("values").contains(value.value) => {
            let names: Vec<_> = list("values").iter().filter_map(Value::as_str).collect();
            value.mistake(format!("must be one of {}", names.join(", ")));
        }
        Some("map") => {
            if let Some(map) = value.object() {
                for (_, member) in map.all() {
                    member.text();
                }
            }
        }
        Some("struct") => {
            let Some(members) = value.object() else {
                return;
            };
            let template = by_name(list("template"));
            for (name, member) in members.all() {
                match template.get(name) {
                    Some(definition) => check_parameter(definition, &member),
                    None => member.mistake(
                        "is no member in the parameter's `template`: define it there or remove it",
                    ),
                }
            }
        }
        _ => {}
    }
}
