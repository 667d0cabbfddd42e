//! Reads StructureDefinition resources: logical models, types of other versions of FHIR, and
//! profiles of known types.

use std::collections::HashMap;

use serde_json::Value;

use super::pending::Pending;
use super::{Definitions, Element, Kind, TypeDefinition, TypeId, UNKNOWN};
use crate::error::MapError;

/// The version of FHIR that is built in.
const BUILT_IN: &str = "4.0";

pub(super) fn add(definitions: &mut Definitions, resource: &Value) -> Result<(), MapError> {
    let text = |name: &str| resource.get(name).and_then(Value::as_str);
    let refuse = |reason: String| MapError::Resource {
        resource: format!(
            "StructureDefinition {}",
            text("url").unwrap_or("without url")
        ),
        reason,
    };
    let needed = |name: &str| text(name).ok_or_else(|| refuse(format!("{name} is missing")));
    if text("resourceType") != Some("StructureDefinition") {
        return Err(refuse("this is no StructureDefinition".to_owned()));
    }
    let url = needed("url")?;
    if text("derivation") == Some("constraint") {
        // A profile narrows a type, it adds no elements.
        let constrained = needed("type")?.to_owned();
        definitions.profiles.insert(url.to_owned(), constrained);
        return Ok(());
    }
    let kind = match text("kind") {
        Some("logical") => Kind::Logical,
        Some("resource") => Kind::Resource,
        Some("complex-type") => Kind::Complex,
        Some("primitive-type") => Kind::Primitive,
        _ => return Err(refuse("its kind is none that has elements".to_owned())),
    };
    // `5.0.0` is known as `5.0` in urls of types.
    let version = text("fhirVersion").and_then(|version| {
        let (major_and_minor, _) = version.rsplit_once('.')?;
        Some(major_and_minor)
    });
    if kind != Kind::Logical && version == Some(BUILT_IN) && definitions.is_built_in(url) {
        return Ok(());
    }
    let elements = |view: &str| resource.get(view)?.get("element")?.as_array();
    let (elements, is_whole) = match (elements("snapshot"), elements("differential")) {
        (Some(snapshot), _) => (snapshot, true),
        (None, Some(differential)) => (differential, false),
        (None, None) => return Err(refuse("differential.element is missing".to_owned())),
    };
    let type_name = text("type").and_then(|name| name.rsplit('/').next());
    let name = match kind {
        Kind::Logical => text("name").or(text("id")).or(type_name),
        _ => type_name,
    };
    let name = name.ok_or_else(|| refuse("name is missing".to_owned()))?;

    let first = definitions.next_id();
    let mut model = read(definitions, elements).map_err(refuse)?;
    if let Some(root) = model.types.first_mut() {
        root.name = name.to_owned();
        root.kind = kind;
        let base = text("baseDefinition");
        if let Some(known) = base.and_then(|base| definitions.by_url(base)) {
            root.base = Some(known);
        }
        if let (false, Some(base)) = (is_whole, base) {
            model.pending.base = Some((first, base.to_owned()));
        }
    }
    definitions.own.append(&mut model.types);
    definitions.own_by_name.insert(url.to_owned(), first);
    if let Some(version) = version {
        let versioned = url.replacen(
            "http://hl7.org/fhir/",
            &format!("http://hl7.org/fhir/{version}/"),
            1,
        );
        definitions.own_by_name.insert(versioned, first);
    }
    for name in [Some(name), text("type"), type_name].into_iter().flatten() {
        definitions.own_by_name.insert(name.to_owned(), first);
    }
    definitions.pending.push(url, model.pending);
    definitions.complete();
    Ok(())
}

/// A model's types, its root first, and what in them is not known yet.
struct Model {
    types: Vec<TypeDefinition>,
    pending: Pending,
}

fn read(definitions: &Definitions, elements: &[Value]) -> Result<Model, String> {
    let path_of = |element: &Value| {
        let path = element.get("path").and_then(Value::as_str);
        path.map(ToOwned::to_owned)
            .ok_or_else(|| "an element has no path".to_owned())
    };
    let paths: Vec<String> = elements.iter().map(path_of).collect::<Result<_, _>>()?;
    // Paths that others begin with.
    let parents: std::collections::HashSet<&str> = paths
        .iter()
        .filter_map(|path| Some(path.rsplit_once('.')?.0))
        .collect();
    let first = definitions.next_id().0;
    let mut ids: HashMap<&str, TypeId> = HashMap::new();
    let mut types: Vec<TypeDefinition> = Vec::new();
    for (index, (element, path)) in elements.iter().zip(&paths).enumerate() {
        let has_elements =
            index == 0 || (parents.contains(path.as_str()) && is_defined_here(element));
        if ids.contains_key(path.as_str()) || !has_elements {
            continue;
        }
        let id = u32::try_from(types.len()).map_or(UNKNOWN, |count| TypeId(first + count));
        ids.insert(path, id);
        let is_element = codes(element).any(|code| code == "Element");
        types.push(TypeDefinition {
            name: path.clone(),
            kind: Kind::Complex,
            base: definitions.by_name(if index == 0 || is_element {
                "Element"
            } else {
                "BackboneElement"
            }),
            elements: Vec::new(),
        });
    }
    let mut pending = Pending::default();
    for (element, path) in elements.iter().zip(&paths) {
        let Some((parent, name)) = path.rsplit_once('.') else {
            continue;
        };
        let (Some(parent), None) = (ids.get(parent), element.get("sliceName")) else {
            continue;
        };
        let of_parent = &mut types[(parent.0 - first) as usize].elements;
        let name_without_choice = name.trim_end_matches("[x]");
        if of_parent
            .iter()
            .any(|known| known.name == name_without_choice)
        {
            continue;
        }
        let place = (*parent, of_parent.len());
        let reference = element.get("contentReference").and_then(Value::as_str);
        let element_types = if let Some(reference) = reference {
            let path = reference.rsplit('#').next().unwrap_or_default();
            vec![
                *ids.get(path)
                    .ok_or_else(|| format!("{path} is not defined"))?,
            ]
        } else if let Some(id) = ids.get(path.as_str()) {
            vec![*id]
        } else {
            let mut found = Vec::new();
            for code in codes(element) {
                found.push(definitions.by_code(&code).unwrap_or_else(|| {
                    pending.add_type(place, found.len(), path, &code);
                    UNKNOWN
                }));
            }
            found
        };
        // Published models leave types out, for example of elements that may not be there.
        let element_types = match element_types.as_slice() {
            [] => vec![UNKNOWN],
            _ => element_types,
        };
        let maximum = element.get("base").unwrap_or(element).get("max");
        let maximum = maximum.and_then(Value::as_str);
        of_parent.push(Element {
            name: name_without_choice.to_owned(),
            list: maximum.is_some_and(|maximum| maximum != "0" && maximum != "1"),
            choice: name.ends_with("[x]"),
            types: element_types,
        });
    }
    Ok(Model { types, pending })
}

/// Whether an element's type is what stands below it; else that only narrows the type it has.
fn is_defined_here(element: &Value) -> bool {
    codes(element).all(|code| matches!(code.as_str(), "Element" | "BackboneElement" | "Base"))
}

/// The codes of an element's types. FHIRPath's own types stand for FHIR's.
fn codes(element: &Value) -> impl Iterator<Item = String> {
    let types = element.get("type").and_then(Value::as_array);
    types.into_iter().flatten().filter_map(|found| {
        let code = found.get("code")?.as_str()?;
        Some(match code.strip_prefix("http://hl7.org/fhirpath/System.") {
            Some(system) => system.to_ascii_lowercase(),
            None => code.to_owned(),
        })
    })
}
