//! `resolve` (FHIR's FHIRPath page): references to contained resources, and within a Bundle. Nothing
//! is fetched.

use serde_json::Value;

use crate::definitions::UNKNOWN;
use crate::fhirpath::evaluate::{Evaluator, Failure, Items, Variables};
use crate::fhirpath::item::Item;
use crate::item::Item as MapItem;

/// How deep Bundles may be in one another.
const MAXIMUM_DEPTH: usize = 10;

impl<'a, V: Variables<'a>> Evaluator<'a, '_, V> {
    /// What the references refer to, as far as it is there.
    pub(super) fn resolved(&self, items: &[Item<'a>]) -> Result<Items<'a>, Failure> {
        let mut found = Vec::new();
        let Some(MapItem::Borrowed(root, _)) = self.session.resource else {
            return Ok(found);
        };
        for item in items {
            let reference = match item.str() {
                Some(text) => Some(text),
                None => item
                    .json()
                    .and_then(|reference| reference.get("reference"))
                    .and_then(Value::as_str),
            };
            let Some(reference) = reference else {
                continue;
            };
            let resource = match reference.strip_prefix('#') {
                Some(id) => self.contained(root, item, id)?,
                None => self.bundled(root, reference, 0)?,
            };
            if let Some(resource) = resource {
                let id = self.definitions.of_resource(resource).unwrap_or(UNKNOWN);
                found.push(Item::Element(MapItem::Borrowed(resource, id)));
            }
        }
        Ok(found)
    }

    /// The contained resource of this id, of the resource that the reference is in.
    fn contained(
        &self,
        root: &'a Value,
        item: &Item<'a>,
        id: &str,
    ) -> Result<Option<&'a Value>, Failure> {
        let holder = match item {
            Item::Element(MapItem::Borrowed(reference, _)) => self.holder(root, reference, 0)?,
            _ => root,
        };
        if id.is_empty() {
            return Ok(Some(holder));
        }
        let mut contained = list(holder, "contained").iter();
        Ok(contained.find(|resource| text(resource, "id") == Some(id)))
    }

    /// The entry of a Bundle that a value is in; the resource itself when it is no Bundle.
    fn holder(
        &self,
        resource: &'a Value,
        value: &Value,
        depth: usize,
    ) -> Result<&'a Value, Failure> {
        if depth < MAXIMUM_DEPTH && text(resource, "resourceType") == Some("Bundle") {
            for entry in list(resource, "entry") {
                if let Some(inner) = entry.get("resource")
                    && self.is_within(inner, value)?
                {
                    return self.holder(inner, value, depth + 1);
                }
            }
        }
        Ok(resource)
    }

    /// Whether it is this value in memory, not one that is equal to it.
    fn is_within(&self, tree: &Value, wanted: &Value) -> Result<bool, Failure> {
        let mut open = vec![tree];
        while let Some(value) = open.pop() {
            self.session.spend(1)?;
            if std::ptr::eq(value, wanted) {
                return Ok(true);
            }
            match value {
                Value::Array(values) => open.extend(values),
                Value::Object(object) => open.extend(object.values()),
                _ => {}
            }
        }
        Ok(false)
    }

    fn bundled(
        &self,
        resource: &'a Value,
        reference: &str,
        depth: usize,
    ) -> Result<Option<&'a Value>, Failure> {
        if depth == MAXIMUM_DEPTH || text(resource, "resourceType") != Some("Bundle") {
            return Ok(None);
        }
        let reference = reference.split("/_history/").next().unwrap_or(reference);
        let entries = list(resource, "entry");
        self.session.spend(entries.len())?;
        let is_meant = |entry: &Value| {
            let full_url = text(entry, "fullUrl");
            if full_url == Some(reference) {
                return true;
            }
            let Some((type_name, id)) = reference.split_once('/') else {
                return false;
            };
            let inner = entry.get("resource");
            let own = |name: &str| inner.and_then(|inner| text(inner, name));
            let is_relative = !id.contains('/') && !type_name.contains(':');
            is_relative
                && (full_url.is_some_and(|url| url.ends_with(&format!("/{reference}")))
                    || (own("resourceType") == Some(type_name) && own("id") == Some(id)))
        };
        if let Some(entry) = entries.iter().find(|entry| is_meant(entry)) {
            return Ok(entry.get("resource"));
        }
        for entry in entries {
            if let Some(inner) = entry.get("resource")
                && let Some(found) = self.bundled(inner, reference, depth + 1)?
            {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }
}

fn text<'v>(parent: &'v Value, name: &str) -> Option<&'v str> {
    parent.get(name).and_then(Value::as_str)
}

fn list<'v>(parent: &'v Value, name: &str) -> &'v [Value] {
    let list = parent.get(name).and_then(Value::as_array);
    list.map(Vec::as_slice).unwrap_or_default()
}
