//! Functions that walk to elements below (FHIRPath 5.8), and FHIR's `extension`.

use serde_json::Value;

use crate::definitions::UNKNOWN;
use crate::fhirpath::compile::Compiled;
use crate::fhirpath::evaluate::{Evaluator, Failure, Focus, Items, Variables};
use crate::fhirpath::function::Function;
use crate::fhirpath::item::Item;
use crate::item::Member;

/// How many items a walk may find, so that every expression ends.
const MAXIMUM_ITEMS: usize = 100_000;

impl<'a, V: Variables<'a>> Evaluator<'a, '_, V> {
    pub(super) fn tree(
        &self,
        function: Function,
        items: Items<'a>,
        parameters: &'a [Compiled],
        focus: &Focus<'_, 'a>,
    ) -> Result<Items<'a>, Failure> {
        match function {
            Function::Children => self.all_children(&items),
            Function::Descendants => {
                let mut found = Vec::new();
                let mut level = self.all_children(&items)?;
                while !level.is_empty() {
                    let below = self.all_children(&level)?;
                    found.append(&mut level);
                    self.session.hold(found.len())?;
                    level = below;
                }
                Ok(found)
            }
            Function::Repeat => self.repeat(items, parameters, focus),
            _ => {
                let url = match parameters.first() {
                    Some(url) => self.string(url, focus, "an extension's url")?,
                    None => None,
                };
                let mut found = Vec::new();
                self.children(&items, &member("extension"), &mut found);
                self.session.hold(found.len())?;
                found.retain(|extension| {
                    let extension = extension.json().and_then(|json| json.get("url"));
                    let found = extension.and_then(Value::as_str);
                    found.is_some() && found == url.as_deref()
                });
                Ok(found)
            }
        }
    }

    /// The elements of each item, in the order of its type, else of its JSON.
    fn all_children(&self, items: &[Item<'a>]) -> Result<Items<'a>, Failure> {
        let mut found = Vec::new();
        for item in items {
            let Item::Element(element) = item else {
                continue;
            };
            let id = element.type_id();
            let one = std::slice::from_ref(item);
            // A primitive's elements are those of its companion; its value is what it is itself.
            let object = match element.value() {
                Value::Object(object) => Some(object),
                _ => element.companion().and_then(Value::as_object),
            };
            let Some(object) = object else {
                continue;
            };
            match self.definitions.get(id) {
                Some(definition) if id != UNKNOWN => {
                    for element in &definition.elements {
                        if object.keys().any(|key| begins_with(key, &element.name)) {
                            self.children(one, &member(&element.name), &mut found);
                        }
                    }
                }
                _ => {
                    for name in object.keys().filter(|name| *name != "resourceType") {
                        self.children(one, &member(name), &mut found);
                    }
                }
            }
            self.session.spend(1)?;
        }
        self.session.hold(found.len())?;
        Ok(found)
    }

    /// What the projection gives for the items, then for what that gave, until nothing is new.
    fn repeat(
        &self,
        items: Items<'a>,
        parameters: &'a [Compiled],
        focus: &Focus<'_, 'a>,
    ) -> Result<Items<'a>, Failure> {
        let mut found: Items<'a> = Vec::new();
        let mut level = items;
        while !level.is_empty() {
            let mut next = Vec::new();
            for (index, item) in level.iter().enumerate() {
                for projection in parameters {
                    for projected in self.eval(projection, &focus.on(item, index))? {
                        if self.contains(&found, &projected)? {
                            continue;
                        }
                        if found.len() == MAXIMUM_ITEMS {
                            return Err(format!("repeat gives more than {MAXIMUM_ITEMS} items"));
                        }
                        found.push(projected.clone());
                        next.push(projected);
                    }
                }
            }
            level = next;
        }
        Ok(found)
    }
}

/// Whether a key of JSON may be the element's: a choice's has its type appended, a companion's `_`
/// before it.
fn begins_with(key: &str, name: &str) -> bool {
    key.strip_prefix('_').unwrap_or(key).starts_with(name)
}

fn member(name: &str) -> Member {
    Member {
        name: name.to_owned(),
        known: None,
    }
}
