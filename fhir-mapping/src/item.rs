//! A value of the input, or one that was computed, with its FHIR type.

use std::rc::Rc;

use serde_json::{Map, Value};

use crate::definitions::{Definitions, ElementIndex, Kind, TypeId, UNKNOWN};

#[derive(Debug, Clone)]
pub(crate) enum Item<'a> {
    Borrowed(&'a Value, TypeId),
    Owned(Rc<Value>, TypeId),
    /// A primitive of the input that has an id or extensions.
    BorrowedPrimitive(Primitive<&'a Value>, TypeId),
    /// A primitive that was computed, with an id or extensions.
    OwnedPrimitive(Rc<Primitive<Value>>, TypeId),
}

/// A primitive's value (`null` when it has none), and its companion: the object with its id and
/// extensions, which FHIR's JSON has under the element's name with `_` before it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Primitive<V> {
    pub(crate) value: V,
    pub(crate) companion: V,
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

impl Member {
    /// One that is looked for when an item is there.
    pub(crate) fn unknown(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            known: None,
        }
    }
}

impl<'a> Item<'a> {
    /// `null` for a primitive that has nothing but an id or extensions.
    pub(crate) fn value(&self) -> &Value {
        match self {
            Self::Borrowed(value, _) => value,
            Self::Owned(value, _) => value,
            Self::BorrowedPrimitive(primitive, _) => primitive.value,
            Self::OwnedPrimitive(primitive, _) => &primitive.value,
        }
    }

    /// A primitive's id and extensions.
    pub(crate) fn companion(&self) -> Option<&Value> {
        match self {
            Self::Borrowed(..) | Self::Owned(..) => None,
            Self::BorrowedPrimitive(primitive, _) => Some(primitive.companion),
            Self::OwnedPrimitive(primitive, _) => Some(&primitive.companion),
        }
    }

    /// The value and the companion themselves, copied only when others hold them, too.
    pub(crate) fn into_parts(self) -> (Value, Option<Value>) {
        match self {
            Self::Borrowed(value, _) => (value.clone(), None),
            Self::Owned(value, _) => (Rc::unwrap_or_clone(value), None),
            Self::BorrowedPrimitive(primitive, _) => {
                (primitive.value.clone(), Some(primitive.companion.clone()))
            }
            Self::OwnedPrimitive(primitive, _) => {
                let Primitive { value, companion } = Rc::unwrap_or_clone(primitive);
                (value, Some(companion))
            }
        }
    }

    pub(crate) fn type_id(&self) -> TypeId {
        match self {
            Self::Borrowed(_, id)
            | Self::Owned(_, id)
            | Self::BorrowedPrimitive(_, id)
            | Self::OwnedPrimitive(_, id) => *id,
        }
    }

    pub(crate) fn computed(value: impl Into<Value>, id: TypeId) -> Self {
        Self::Owned(Rc::new(value.into()), id)
    }

    /// As [`Self::computed`], with the companion of a primitive.
    pub(crate) fn computed_primitive(value: Value, companion: Option<Value>, id: TypeId) -> Self {
        match companion {
            None => Self::computed(value, id),
            Some(companion) => Self::OwnedPrimitive(Rc::new(Primitive { value, companion }), id),
        }
    }

    /// A primitive's value alone.
    pub(crate) fn without_companion(self) -> Self {
        match self {
            Self::BorrowedPrimitive(primitive, id) => Self::Borrowed(primitive.value, id),
            Self::OwnedPrimitive(primitive, id) => Self::computed(primitive.value.clone(), id),
            plain => plain,
        }
    }

    /// The same with another value; its companion stays.
    pub(crate) fn with_value(&self, value: Value, id: TypeId) -> Self {
        Self::computed_primitive(value, self.companion().cloned(), id)
    }

    fn borrowed(value: &'a Value, companion: Option<&'a Value>, id: TypeId) -> Self {
        match companion {
            None => Self::Borrowed(value, id),
            Some(companion) => Self::BorrowedPrimitive(Primitive { value, companion }, id),
        }
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
            Self::Borrowed(parent, id) => {
                each_item(definitions, (parent, None, *id), member, &mut |item| {
                    found.push(item);
                });
            }
            Self::BorrowedPrimitive(Primitive { value, companion }, id) => {
                let parent = (*value, Some(*companion), *id);
                each_item(definitions, parent, member, &mut |item| found.push(item));
            }
            Self::Owned(..) | Self::OwnedPrimitive(..) => {
                let parent = (self.value(), self.companion(), self.type_id());
                each_item(definitions, parent, member, &mut |item| {
                    let id = item.type_id();
                    let (value, companion) = item.into_parts();
                    found.push(Item::computed_primitive(value, companion, id));
                });
            }
        }
    }
}

/// Gives the children of a name as items: a primitive's value, too, is a child of it.
pub(crate) fn each_item<'v>(
    definitions: &Definitions,
    (parent, companion, parent_type): (&'v Value, Option<&'v Value>, TypeId),
    member: &Member,
    found: &mut impl FnMut(Item<'v>),
) {
    match parent {
        Value::Object(_) => each(definitions, parent, parent_type, member, &mut |child| {
            found(Item::borrowed(child.value, child.companion, child.type_id));
        }),
        Value::Array(_) => {}
        primitive => {
            if member.name == "value" && !primitive.is_null() {
                found(Item::Borrowed(primitive, parent_type));
            } else if let Some(companion) = companion {
                each(definitions, companion, parent_type, member, &mut |child| {
                    found(Item::borrowed(child.value, child.companion, child.type_id));
                });
            }
        }
    }
}

/// Gives the children of a name that have a value.
pub(crate) fn each_child<'v>(
    definitions: &Definitions,
    parent: &'v Value,
    parent_type: TypeId,
    member: &Member,
    found: &mut impl FnMut(&'v Value, TypeId),
) {
    if parent.is_object() {
        each(definitions, parent, parent_type, member, &mut |child| {
            if !child.value.is_null() {
                found(child.value, child.type_id);
            }
        });
    } else if member.name == "value" && !parent.is_null() && !parent.is_array() {
        found(parent, parent_type);
    }
}

/// A child as JSON has it.
struct Child<'v> {
    /// `null` when there is only a companion.
    value: &'v Value,
    companion: Option<&'v Value>,
    type_id: TypeId,
}

/// Objects of FHIR are small: comparing a few names is faster than hashing one.
const SMALL: usize = 16;

/// An element's value, and the companion that it has when it is a primitive.
fn get<'v>(object: &'v Map<String, Value>, name: &str) -> (Option<&'v Value>, Option<&'v Value>) {
    if object.len() > SMALL {
        return match object.get(name) {
            value @ Some(Value::Object(_)) => (value, None),
            value => (value, object.get(&format!("_{name}"))),
        };
    }
    let (mut value, mut companion) = (None, None);
    for (key, found) in object {
        if key == name {
            if found.is_object() {
                return (Some(found), None);
            }
            value = Some(found);
        } else if key.len() == name.len() + 1 && key.strip_prefix('_') == Some(name) {
            companion = Some(found);
        }
    }
    (value, companion)
}

fn each<'v>(
    definitions: &Definitions,
    parent: &'v Value,
    parent_type: TypeId,
    member: &Member,
    found: &mut impl FnMut(Child<'v>),
) {
    let Value::Object(object) = parent else {
        return;
    };
    let resolved = match member.known {
        Some(known) if known.parent == parent_type => {
            if let Some(id) = known.plain {
                let (value, companion) = get(object, &member.name);
                each_value(value, companion, &mut |value, companion| {
                    found(Child {
                        value,
                        companion,
                        type_id: id,
                    });
                });
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
    let mut typed = |value, companion, id| {
        each_value(value, companion, &mut |value, companion| {
            let type_id = match definitions.kind(id) {
                Some(Kind::Resource) => definitions.of_resource(value).unwrap_or(id),
                None if id == UNKNOWN => type_of_json(definitions, value),
                _ => id,
            };
            found(Child {
                value,
                companion,
                type_id,
            });
        });
    };
    let Some((resolved, element)) = element else {
        // What is not described is read as it stands there.
        if parent_type == UNKNOWN {
            typed(object.get(&member.name), None, UNKNOWN);
        }
        return;
    };
    if !element.choice {
        let (value, companion) = get(object, &element.name);
        let id = element.types.first().copied().unwrap_or(UNKNOWN);
        typed(value, companion, id);
        return;
    }
    for (key, value) in object {
        let (name, is_companion) = match key.strip_prefix('_') {
            Some(name) => (name, true),
            None => (key.as_str(), false),
        };
        if let Some(id) = definitions.choice_of(element, name)
            && resolved.choice.is_none_or(|wanted| wanted == id)
        {
            let (value, companion) = match is_companion {
                false => get(object, name),
                // It was given with its value already, if it has one.
                true if object.contains_key(name) => continue,
                true => (None, Some(value)),
            };
            typed(value, companion, id);
        }
    }
}

/// The FHIR type of a primitive that no definition describes.
fn type_of_json(definitions: &Definitions, value: &Value) -> TypeId {
    let primitives = &definitions.primitives;
    match value {
        Value::String(_) => primitives.string,
        Value::Bool(_) => primitives.boolean,
        Value::Number(number) if number.is_f64() => primitives.decimal,
        Value::Number(_) => primitives.integer,
        Value::Null | Value::Array(_) | Value::Object(_) => UNKNOWN,
    }
}

/// Pairs values with companions.
fn each_value<'v>(
    value: Option<&'v Value>,
    companion: Option<&'v Value>,
    found: &mut impl FnMut(&'v Value, Option<&'v Value>),
) {
    let object = |companion: Option<&'v Value>| companion.filter(|found| found.is_object());
    match (value, companion) {
        (Some(Value::Array(values)), companion) if !companion.is_some_and(Value::is_array) => {
            let values = values.iter().filter(|value| !value.is_null());
            values.for_each(|value| found(value, None));
        }
        (Some(Value::Array(_)) | None, Some(Value::Array(companions))) => {
            let values = value
                .and_then(Value::as_array)
                .map(Vec::as_slice)
                .unwrap_or_default();
            for index in 0..values.len().max(companions.len()) {
                let value = values.get(index).unwrap_or(&Value::Null);
                let companion = object(companions.get(index));
                if companion.is_some() || !value.is_null() {
                    found(value, companion);
                }
            }
        }
        (value, companion) => {
            let (value, companion) = (value.unwrap_or(&Value::Null), object(companion));
            if companion.is_some() || !value.is_null() {
                found(value, companion);
            }
        }
    }
}
