//! Functions that walk to elements below (FHIRPath 5.8), and FHIR's `extension`.

use serde_json::Value;

use crate::definitions::UNKNOWN;
use crate::fhirpath::compile::Compiled;
use crate::fhirpath::evaluate::{Evaluator, Failure, Items, Variables};
use crate::fhirpath::function::Function;
use crate::item::{Item, Member};

/// How many items a walk may find, so that every expression ends.
const MAXIMUM_ITEMS: usize = 100_000;

impl<'a, V: Variables<'a>> Evaluator<'a, '_, V> {
    pub(super) fn tree(
        &self,
        function: Function,
        items: Items<'a>,
        parameters: &'a [Compiled],
        this: Option<&Item<'a>>,
    ) -> Result<Items<'a>, Failure> {
        match function {
            Function::Children => Ok(self.children(&items)),
            Function::Descendants => {
                let mut found = Vec::new();
                let mut level = self.children(&items);
                while !level.is_empty() {
                    let below = self.children(&level);
                    found.append(&mut level);
                    level = below;
                }
                Ok(found)
            }
            Function::Repeat => self.repeat(items, parameters),
            _ => {
                let url = match parameters.first() {
                    Some(url) => self.string(url, this, "an extension's url")?,
                    None => None,
                };
                let mut found = Vec::new();
                for item in &items {
                    item.children(self.definitions, &member("extension"), &mut found);
                }
                found.retain(|extension| {
                    let found = extension.value().get("url").and_then(Value::as_str);
                    found.is_some() && found == url.as_deref()
                });
                Ok(found)
            }
        }
    }

    /// The elements of each item, in the order of its type, else of its JSON.
    fn children(&self, items: &[Item<'a>]) -> Items<'a> {
        let mut found = Vec::new();
        for item in items {
            let id = item.type_id();
            match (item.value(), self.definitions.get(id)) {
                (Value::Object(_), Some(definition)) if id != UNKNOWN => {
                    for element in &definition.elements {
                        item.children(self.definitions, &member(&element.name), &mut found);
                    }
                }
                (Value::Object(object), _) => {
                    for name in object.keys() {
                        item.children(self.definitions, &member(name), &mut found);
                    }
                }
                _ => {}
            }
        }
        found
    }

    /// What the projection gives for the items, then for what that gave, until nothing is new.
    fn repeat(&self, items: Items<'a>, parameters: &'a [Compiled]) -> Result<Items<'a>, Failure> {
        let mut found: Items<'a> = Vec::new();
        let mut level = items;
        while !level.is_empty() {
            let mut next = Vec::new();
            for item in &level {
                for projection in parameters {
                    for projected in self.items(projection, Some(item))? {
                        if self.contains(&found, &projected) {
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

fn member(name: &str) -> Member {
    Member {
        name: name.to_owned(),
        known: None,
    }
}
