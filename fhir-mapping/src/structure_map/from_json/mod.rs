//! From a StructureMap resource to the text of a map.

mod concept_map;
mod header;
mod parameter;
mod reader;
mod rule;

use serde_json::Value;

use crate::error::MapError;
use crate::language::spacing::quoted;
use reader::{Object, code};

/// A map in the FHIR Mapping Language, made from a resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MapText {
    /// The map.
    pub text: String,
    /// Elements of the resource that the language has no place for, as `group[0].extension`.
    pub left_out: Vec<String>,
}

/// Writes a StructureMap resource, of FHIR R4, R4B or R5, in the FHIR Mapping Language.
///
/// # Errors
/// [`MapError::Resource`] naming the element that is missing or that is no part of a map; its
/// expressions must be FHIRPath.
pub fn from_json(resource: &Value) -> Result<MapText, MapError> {
    let mut left_out = Vec::new();
    let written = map(resource, &mut left_out);
    let text = written.and_then(|text| {
        crate::format(&text).map_err(|error| format!("is no map when it is written: {error}"))
    });
    match text {
        Ok(text) => Ok(MapText { text, left_out }),
        Err(reason) => {
            let url = resource.get("url").and_then(Value::as_str);
            Err(MapError::Resource {
                resource: format!("StructureMap {}", url.unwrap_or("without url")),
                reason,
            })
        }
    }
}

/// The map with a line for each thing in it, as the formatter takes it; an error names an element.
fn map(resource: &Value, left_out: &mut Vec<String>) -> Result<String, String> {
    let mut resource = Object::new(resource, String::new(), left_out)?;
    if resource.text("resourceType")? != Some("StructureMap") {
        return Err("this is no StructureMap".to_owned());
    }
    let contained = resource.objects("contained")?;
    let structures = resource.objects("structure")?;
    let imports = resource.texts("import")?;
    let constants = resource.objects("const")?;
    let groups = resource.objects("group")?;
    let mut text = header::header(&mut resource)?;
    let extensions = header::constants(resource.value());

    for (path, value) in contained {
        text.push_str(&concept_map::concept_map(value, path, left_out)?);
    }
    for (path, value) in structures {
        text.push_str(&structure(value, path, left_out)?);
    }
    for import in imports {
        text.push_str(&format!("imports {}\n", quoted(import, '"')));
    }
    for (path, value) in constants {
        let mut constant = Object::new(value, path, left_out)?;
        let name = constant.name("name")?;
        let value = constant
            .expression("value")?
            .ok_or("const.value is missing")?;
        constant.finish();
        text.push_str(&format!("let {name} = {value};\n"));
    }
    text.push_str(&extensions?);
    for (path, value) in groups {
        text.push_str(&group(value, path, left_out)?);
    }
    Ok(text)
}

fn structure(value: &Value, path: String, left_out: &mut Vec<String>) -> Result<String, String> {
    let mut structure = Object::new(value, path, left_out)?;
    let url = quoted(structure.required("url")?, '"');
    let alias = match structure.optional_name("alias")? {
        Some(alias) => format!(" alias {alias}"),
        None => String::new(),
    };
    let modes = ["source", "queried", "target", "produced"];
    let mode = code(structure.required("mode")?, &modes)?;
    let documentation = match structure.text("documentation")? {
        None => String::new(),
        Some(text) if text.contains(['\r', '\n']) && !text.contains("*/") => {
            format!(" /* {text} */")
        }
        Some(text) => format!(" // {}", text.replace(['\r', '\n'], " ")),
    };
    structure.finish();
    Ok(format!("uses {url}{alias} as {mode}{documentation}\n"))
}

fn group(value: &Value, path: String, left_out: &mut Vec<String>) -> Result<String, String> {
    let mut group = Object::new(value, path, left_out)?;
    let mut text = group
        .text("documentation")?
        .map_or_else(String::new, comment_lines);
    text.push_str(&format!("group {}(", group.name("name")?));
    let inputs = group.objects("input")?;
    let extends = group.optional_name("extends")?;
    let type_mode = match group.text("typeMode")? {
        None | Some("none") => "",
        Some("types") => " <<types>>",
        Some("type-and-types") => " <<type+>>",
        Some(other) => return Err(format!("group.typeMode {other} is not known")),
    };
    let rules = group.objects("rule")?;
    group.finish();
    let mut written = Vec::new();
    for (path, value) in inputs {
        let mut input = Object::new(value, path, left_out)?;
        let mode = code(input.required("mode")?, &["source", "target"])?;
        let name = input.name("name")?;
        let type_name = match input.text("type")? {
            Some(name) => format!(" : {}", type_name(name)),
            None => String::new(),
        };
        input.finish();
        written.push(format!("{mode} {name}{type_name}"));
    }
    text.push_str(&written.join(", "));
    text.push(')');
    if let Some(extends) = extends {
        text.push_str(&format!(" extends {extends}"));
    }
    text.push_str(type_mode);
    text.push_str(" {\n");
    for (path, value) in rules {
        rule::rule(value, path, left_out, 1, &mut text)?;
    }
    text.push_str("}\n");
    Ok(text)
}

/// A line of comment for each line of documentation.
fn comment_lines(documentation: &str) -> String {
    let lines = lines(documentation);
    lines
        .map(|line| format!("{}\n", format!("// {}", line.trim()).trim_end()))
        .collect()
}

/// The lines of a text, whatever ends them.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    let lines = text.split("\r\n");
    lines.flat_map(|line| line.split(['\r', '\n']))
}

/// A type by its name or alias, or else by its url.
fn type_name(name: &str) -> String {
    if name.split('.').all(super::to_json::is_word) {
        name.to_owned()
    } else {
        quoted(name, '"')
    }
}
