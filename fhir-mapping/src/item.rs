//! A value of the input, or one that was computed, with its FHIR type.

use std::rc::Rc;

use serde_json::{Map, Value};

use crate::definitions::{Definitions, ElementIndex, Kind, TypeId, UNKNOWN};

#[derive(Debug, Clone)]
pub(crate) enum Item<'a> {
    Borrowed(&'a Value, TypeId),
    Owned(Rc<Value>, TypeId),
}

/// An element that is read, by name; resolved already when the type was known.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Member {
    pub(crate) name: String,
    pub(crate) known: Option<Known>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Known {
    pub(crate) parent: TypeId,
    pub(crate) element: ElementIndex,
    /// The element's type, when its JSON name and its type are always the same.
    pub(crate) plain: Option<TypeId>,
}

impl<'a> Item<'a> {
    pub(crate) fn value(&self) -> &Value {
        match self {
            Self::Borrowed(value, _) => value,
            Self::Owned(value, _) => value,
        }
    }

    /// The value itself, copied only when others hold it, too.
    pub(crate) fn into_value(self) -> Value {
        match self {
            Self::Borrowed(value, _) => value.clone(),
            Self::Owned(value, _) => Rc::unwrap_or_clone(value),
        }
    }

    pub(crate) fn type_id(&self) -> TypeId {
        match self {
            Self::Borrowed(_, id) | Self::Owned(_, id) => *id,
        }
    }

    pub(crate) fn computed(value: impl Into<Value>, id: TypeId) -> Self {
        Self::Owned(Rc::new(value.into()), id)
    }

    /// The text of a primitive, as FHIR writes it.
    pub(crate) fn text(&self) -> Option<String> {
        match self.value() {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            Value::Bool(boolean) => Some(boolean.to_string()),
            _ => None,
        }
    }

    /// Appends the item's children of a name.
    pub(crate) fn children(
        &self,
        definitions: &Definitions,
        member: &Member,
        found: &mut Vec<Item<'a>>,
    ) {
        match self {
            Self::Borrowed(value, id) => {
                each_child(definitions, value, *id, member, &mut |child, id| {
                    found.push(Item::Borrowed(child, id));
                });
            }
            Self::Owned(value, id) => {
                each_child(definitions, value, *id, member, &mut |child, id| {
                    found.push(Item::Owned(Rc::new(child.clone()), id));
                });
            }
        }
    }
}

/// Objects of FHIR are small: comparing a few names is faster than hashing one.
pub(crate) fn get<'v>(object: &'v Map<String, Value>, name: &str) -> Option<&'v Value> {
    if object.len() > 16 {
        return object.get(name);
    }
    object
        .iter()
        .find(|(key, _)| key.as_str() == name)
        .map(|(_, value)| value)
}

pub(crate) fn each_child<'v>(
    definitions: &Definitions,
    parent: &'v Value,
    parent_type: TypeId,
    member: &Member,
    found: &mut impl FnMut(&'v Value, TypeId),
) {
    let Value::Object(object) = parent else {
        return;
    };
    let resolved = match member.known {
        Some(known) if known.parent == parent_type => {
            if let Some(id) = known.plain {
                match get(object, &member.name) {
                    None | Some(Value::Null) => {}
                    Some(Value::Array(values)) => {
                        let values = values.iter().filter(|value| !value.is_null());
                        values.for_each(|value| found(value, id));
                    }
                    Some(value) => found(value, id),
                }
                return;
            }
            Some(known.element)
        }
        _ => definitions.element(parent_type, &member.name),
    };
    let element = resolved.and_then(|resolved| {
        let definition = definitions.get(parent_type)?;
        Some((resolved, definition.elements.get(resolved.index)?))
    });
    let Some((resolved, element)) = element else {
        // What is not described is read as it stands there.
        if parent_type == UNKNOWN
            && let Some(value) = get(object, &member.name)
        {
            each_value(definitions, value, UNKNOWN, found);
        }
        return;
    };
    if !element.choice {
        if let Some(value) = get(object, &element.name) {
            let id = element.types.first().copied().unwrap_or(UNKNOWN);
            each_value(definitions, value, id, found);
        }
        return;
    }
    for (key, value) in object {
        if let Some(id) = definitions.choice_of(element, key)
            && resolved.choice.is_none_or(|wanted| wanted == id)
        {
            each_value(definitions, value, id, found);
        }
    }
}

fn each_value<'v>(
    definitions: &Definitions,
    value: &'v Value,
    id: TypeId,
    found: &mut impl FnMut(&'v Value, TypeId),
) {
    let typed = |value: &'v Value| match definitions.kind(id) {
        Some(Kind::Resource) => definitions.of_resource(value).unwrap_or(id),
        _ => id,
    };
    match value {
        Value::Null => {}
        Value::Array(values) => {
            for value in values.iter().filter(|value| !value.is_null()) {
                found(value, typed(value));
            }
        }
        value => found(value, typed(value)),
    }
}
