//! Contained ConceptMaps as `conceptmap` blocks.

use serde_json::Value;

use super::reader::{Object, code};
use crate::language::spacing::quoted;
use crate::language::syntax::Relation;
use crate::structure_map::extension::{EQUIVALENCE, find};
use crate::structure_map::to_json::{equivalence, is_word};

const RELATIONS: [Relation; 10] = [
    Relation::Related,
    Relation::Equal,
    Relation::Equivalent,
    Relation::Wider,
    Relation::Subsumes,
    Relation::Narrower,
    Relation::Specializes,
    Relation::Inexact,
    Relation::Unmatched,
    Relation::Disjoint,
];

/// A contained resource. Any other than a ConceptMap is left out.
pub(super) fn concept_map(
    value: &Value,
    path: String,
    left_out: &mut Vec<String>,
) -> Result<String, String> {
    if value.get("resourceType").and_then(Value::as_str) != Some("ConceptMap") {
        left_out.push(path);
        return Ok(String::new());
    }
    let mut map = Object::new(value, path, left_out)?;
    map.get("resourceType");
    if map.value().get("status").and_then(Value::as_str) == Some("draft") {
        map.get("status");
    }
    let id = map.required("id")?;
    let mut text = format!(
        "conceptmap {} {{\n",
        quoted(id.trim_start_matches('#'), '"')
    );
    let groups = map.objects("group")?;
    map.finish();
    let systems = systems(&groups);
    for (index, system) in systems.iter().enumerate() {
        text.push_str(&format!(
            "  prefix {} = {}\n",
            prefix(index),
            quoted(system, '"')
        ));
    }
    let prefix_of = |system: &str| {
        let index = systems.iter().position(|known| *known == system);
        prefix(index.unwrap_or_default())
    };
    let mut entries = String::new();
    for (path, value) in groups {
        let mut group = Object::new(value, path.clone(), left_out)?;
        let source = prefix_of(group.text("source")?.unwrap_or_default());
        let target = prefix_of(group.text("target")?.unwrap_or_default());
        let elements = group.objects("element")?;
        let unmapped = group.get("unmapped");
        group.finish();
        if let Some(unmapped) = unmapped {
            let mode = self::unmapped(unmapped, format!("{path}.unmapped"), left_out)?;
            text.push_str(&format!("  unmapped for {source} = {mode}\n"));
        }
        for (path, value) in elements {
            entries.push_str(&element(value, path, left_out, &source, &target)?);
        }
    }
    Ok(text + &entries + "}\n")
}

/// The code systems of all groups.
fn systems<'v>(groups: &[(String, &'v Value)]) -> Vec<&'v str> {
    let mut systems = Vec::new();
    for (_, group) in groups {
        for side in ["source", "target"] {
            let system = group.get(side).and_then(Value::as_str).unwrap_or_default();
            if !systems.contains(&system) {
                systems.push(system);
            }
        }
    }
    systems
}

fn prefix(index: usize) -> String {
    ["s", "t", "u", "v", "w", "x", "y", "z"]
        .get(index)
        .map_or_else(|| format!("p{index}"), |letter| (*letter).to_owned())
}

fn unmapped(value: &Value, path: String, left_out: &mut Vec<String>) -> Result<String, String> {
    let mut unmapped = Object::new(value, path, left_out)?;
    let text = match unmapped.required("mode")? {
        "provided" | "use-source-code" => "provided".to_owned(),
        "fixed" => format!("fixed {}", quoted(unmapped.required("code")?, '"')),
        "other-map" => {
            let url = unmapped.text("url")?;
            let url = match url {
                Some(url) => url,
                None => unmapped.required("otherMap")?,
            };
            format!("other-map {}", quoted(url, '"'))
        }
        other => return Err(format!("{} {other} is not known", unmapped.place("mode"))),
    };
    unmapped.finish();
    Ok(text)
}

fn element(
    value: &Value,
    path: String,
    left_out: &mut Vec<String>,
    source: &str,
    target: &str,
) -> Result<String, String> {
    let mut element = Object::new(value, path, left_out)?;
    let code = spelled(element.required("code")?);
    let targets = element.objects("target")?;
    let no_map = element.get("noMap").and_then(Value::as_bool) == Some(true);
    element.finish();
    if no_map || targets.is_empty() {
        return Ok(format!("  {source}:{code} --\n"));
    }
    let mut text = String::new();
    for (path, value) in targets {
        let mut written = Object::new(value, path, left_out)?;
        let relation = relation(&mut written)?;
        let end = if relation == Relation::Unmatched {
            written.get("code");
            String::new()
        } else {
            format!(" {target}:{}", spelled(written.required("code")?))
        };
        written.finish();
        text.push_str(&format!("  {source}:{code} {}{end}\n", relation.sign()));
    }
    Ok(text)
}

fn relation(target: &mut Object<'_, '_>) -> Result<Relation, String> {
    let exact = find(target.value().get("_relationship"), EQUIVALENCE);
    let exact = exact
        .and_then(|one| one.get("valueCode"))
        .and_then(Value::as_str);
    if exact.is_some() {
        target.get("_relationship");
    }
    let relationship = target.text("relationship")?;
    let written = target.text("equivalence")?;
    if let Some(written) = exact.or(written) {
        let codes = RELATIONS.map(equivalence);
        code(written, &codes)?;
        let mut relations = RELATIONS.into_iter();
        let relation = relations.find(|relation| equivalence(*relation) == written);
        return Ok(relation.unwrap_or(Relation::Related));
    }
    Ok(match relationship {
        None | Some("related-to") => Relation::Related,
        Some("equivalent") => Relation::Equivalent,
        Some("source-is-narrower-than-target") => Relation::Wider,
        Some("source-is-broader-than-target") => Relation::Narrower,
        Some("not-related-to") => Relation::Disjoint,
        Some(other) => return Err(format!("the relationship {other} is not known")),
    })
}

fn spelled(code: &str) -> String {
    if is_word(code) {
        code.to_owned()
    } else {
        quoted(code, '"')
    }
}
