//! The tree that a transform builds: nodes in one list, each known by its place in it.

use serde_json::{Map, Value};

use crate::definitions::{Definitions, Element, ElementIndex, Kind, TypeId, UNKNOWN};
use crate::fhirpath::evaluate::Failure;
use crate::item::{Item, Member};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NodeId(usize);

#[derive(Debug)]
struct Node<'a> {
    type_id: TypeId,
    content: Content<'a>,
}

#[derive(Debug)]
enum Content<'a> {
    Properties(Vec<Property>),
    /// A primitive, or something copied whole.
    Item(Item<'a>),
}

#[derive(Debug)]
struct Property {
    element: usize,
    /// The type that ends the name of a choice.
    choice: Option<TypeId>,
    values: Vec<NodeId>,
}

#[derive(Debug)]
pub(crate) struct Output<'a> {
    definitions: &'a Definitions,
    nodes: Vec<Node<'a>>,
}

impl<'a> Output<'a> {
    pub(crate) fn new(definitions: &'a Definitions) -> Self {
        Self {
            definitions,
            nodes: Vec::with_capacity(64),
        }
    }

    /// A node without content, which stands nowhere yet.
    pub(crate) fn create(&mut self, type_id: TypeId) -> NodeId {
        self.push(type_id, Content::Properties(Vec::new()))
    }

    fn push(&mut self, type_id: TypeId, content: Content<'a>) -> NodeId {
        self.nodes.push(Node { type_id, content });
        NodeId(self.nodes.len() - 1)
    }

    pub(crate) fn type_of(&self, node: NodeId) -> TypeId {
        self.nodes[node.0].type_id
    }

    /// What the node holds now, to be read.
    pub(crate) fn read(&self, node: NodeId) -> Option<Item<'a>> {
        let Node { type_id, content } = &self.nodes[node.0];
        match content {
            Content::Item(item) => Some(item.clone()),
            Content::Properties(_) => {
                let value = self.value(node, true)?;
                Some(Item::computed(value, *type_id))
            }
        }
    }

    /// Finds an element of a node.
    fn element(
        &self,
        node: NodeId,
        member: &Member,
    ) -> Result<(ElementIndex, &'a Element), Failure> {
        let type_id = self.nodes[node.0].type_id;
        let found = match member.known {
            Some(known) if known.parent == type_id => Some(known.element),
            _ => self.definitions.element(type_id, &member.name),
        };
        found
            .and_then(|found| {
                let definition = self.definitions.get(type_id)?;
                Some((found, definition.elements.get(found.index)?))
            })
            .ok_or_else(|| {
                let name = self.definitions.name(type_id);
                format!("{name} has no element {}", member.name)
            })
    }

    /// Sets an element to a value, or adds the value to the element's list. Returns its node.
    pub(crate) fn set(
        &mut self,
        node: NodeId,
        member: &Member,
        item: Item<'a>,
    ) -> Result<NodeId, Failure> {
        if self.is_value_of_primitive(node, member) {
            let type_id = self.nodes[node.0].type_id;
            let item = self.convert(item, type_id, &member.name)?;
            self.nodes[node.0].content = Content::Item(item);
            return Ok(node);
        }
        let (found, element) = self.element(node, member)?;
        let type_id = self.type_for(found, element, item.type_id())?;
        let item = self.convert(item, type_id, &element.name)?;
        let value_type = if self.definitions.kind(type_id) == Some(Kind::Resource) {
            item.type_id()
        } else {
            type_id
        };
        self.place(node, found, element, value_type, Content::Item(item))
    }

    /// Sets an element to a node that was created for it.
    pub(crate) fn attach(
        &mut self,
        node: NodeId,
        member: &Member,
        created: NodeId,
    ) -> Result<NodeId, Failure> {
        let (found, element) = self.element(node, member)?;
        let created_type = self.nodes[created.0].type_id;
        let type_id = self.type_for(found, element, created_type)?;
        if !self.definitions.is_a(created_type, type_id) {
            return Err(self.refuse_type(&element.name, type_id, created_type));
        }
        let content = std::mem::replace(
            &mut self.nodes[created.0].content,
            Content::Properties(Vec::new()),
        );
        self.place(node, found, element, created_type, content)
    }

    /// Adds an empty item to an element's list; or finds the element's only item.
    pub(crate) fn make(&mut self, node: NodeId, member: &Member) -> Result<NodeId, Failure> {
        let (found, element) = self.element(node, member)?;
        let type_id = self.only_type(found, element)?;
        let properties = self.properties(node)?;
        if !element.list
            && let Some(property) = properties
                .iter()
                .find(|property| property.element == found.index)
            && let Some(existing) = property.values.first()
        {
            return Ok(*existing);
        }
        self.place(
            node,
            found,
            element,
            type_id,
            Content::Properties(Vec::new()),
        )
    }

    /// The type of a new item of the element, when the element has only one.
    pub(crate) fn type_of_element(
        &self,
        node: NodeId,
        member: &Member,
    ) -> Result<Option<TypeId>, Failure> {
        let (found, element) = self.element(node, member)?;
        Ok(self.only_type(found, element).ok())
    }

    fn only_type(&self, found: ElementIndex, element: &Element) -> Result<TypeId, Failure> {
        match (found.choice, element.types.as_slice()) {
            (Some(choice), _) => Ok(choice),
            (None, [only]) if self.definitions.kind(*only) != Some(Kind::Resource) => Ok(*only),
            _ => Err(format!(
                "{} may have several types; create('Type') tells which",
                element.name
            )),
        }
    }

    /// `value` of a primitive is the primitive itself.
    fn is_value_of_primitive(&self, node: NodeId, member: &Member) -> bool {
        member.name == "value" && self.definitions.is_primitive(self.nodes[node.0].type_id)
    }

    /// The type that an element takes for a value of a type.
    fn type_for(
        &self,
        found: ElementIndex,
        element: &Element,
        value: TypeId,
    ) -> Result<TypeId, Failure> {
        if let Some(choice) = found.choice {
            return Ok(choice);
        }
        if !element.choice {
            return Ok(element.types.first().copied().unwrap_or(UNKNOWN));
        }
        if element.types.is_empty() && value != UNKNOWN {
            return Ok(value);
        }
        element
            .types
            .iter()
            .copied()
            .find(|id| *id == value)
            .or_else(|| {
                let mut types = element.types.iter().copied();
                types.find(|id| self.definitions.is_a(value, *id))
            })
            .ok_or_else(|| {
                let name = self.definitions.name(value);
                format!("{}[x] cannot have the type {name}", element.name)
            })
    }

    fn refuse_type(&self, element: &str, expected: TypeId, found: TypeId) -> Failure {
        format!(
            "{element} has the type {}, not {}",
            self.definitions.name(expected),
            self.definitions.name(found)
        )
    }

    /// Makes a value fit an element's type, or refuses it.
    fn convert(&self, item: Item<'a>, to: TypeId, element: &str) -> Result<Item<'a>, Failure> {
        let from = item.type_id();
        let refuse = || self.refuse_type(element, to, from);
        if to == UNKNOWN {
            return Ok(item);
        }
        if !self.definitions.is_primitive(to) {
            let fits = item.value().is_object()
                && (from == UNKNOWN
                    || self.definitions.is_a(from, to)
                    || self.same_elements(from, to));
            return if fits { Ok(item) } else { Err(refuse()) };
        }
        let name = self.definitions.name(to);
        let fits = match (name, item.value()) {
            ("boolean", Value::Bool(_)) | ("decimal", Value::Number(_)) => true,
            ("integer" | "positiveInt" | "unsignedInt", Value::Number(number)) => {
                number.is_i64() || number.is_u64()
            }
            ("boolean" | "decimal" | "integer" | "positiveInt" | "unsignedInt", _) => false,
            (_, Value::String(_)) => true,
            _ => false,
        };
        if fits {
            return Ok(item);
        }
        let text = item.text().ok_or_else(refuse)?;
        let value = match name {
            "boolean" => text.parse().map(Value::Bool).map_err(|_| refuse())?,
            "decimal" => text.parse().map(Value::Number).map_err(|_| refuse())?,
            "integer" | "positiveInt" | "unsignedInt" => {
                text.parse::<i32>().map(Value::from).map_err(|_| refuse())?
            }
            _ => Value::String(text),
        };
        Ok(Item::computed(value, to))
    }

    /// Whether both are elements with elements of their own, and those have the same names.
    fn same_elements(&self, from: TypeId, to: TypeId) -> bool {
        let names = |id| {
            let definition = self.definitions.get(id)?;
            definition
                .name
                .contains('.')
                .then_some(&definition.elements)
        };
        match (names(from), names(to)) {
            (Some(from), Some(to)) => {
                from.len() == to.len() && from.iter().zip(to).all(|(a, b)| a.name == b.name)
            }
            _ => false,
        }
    }

    /// Puts content where an element belongs.
    fn place(
        &mut self,
        node: NodeId,
        found: ElementIndex,
        element: &Element,
        type_id: TypeId,
        content: Content<'a>,
    ) -> Result<NodeId, Failure> {
        let choice = element.choice.then_some(type_id);
        let existing = self
            .properties(node)?
            .iter_mut()
            .find(|property| property.element == found.index);
        if let Some(property) = existing
            && !element.list
            && let Some(value) = property.values.first().copied()
        {
            // Variables that name the old value name the new one.
            property.choice = choice;
            self.nodes[value.0] = Node { type_id, content };
            return Ok(value);
        }
        let value = self.push(type_id, content);
        let properties = self.properties(node)?;
        match properties
            .iter_mut()
            .find(|property| property.element == found.index)
        {
            Some(property) => property.values.push(value),
            None => {
                let at = properties
                    .iter()
                    .position(|property| property.element > found.index)
                    .unwrap_or(properties.len());
                properties.insert(
                    at,
                    Property {
                        element: found.index,
                        choice,
                        values: vec![value],
                    },
                );
            }
        }
        Ok(value)
    }

    /// The node's properties; what was copied whole is taken apart first.
    fn properties(&mut self, node: NodeId) -> Result<&mut Vec<Property>, Failure> {
        if let Content::Item(item) = &self.nodes[node.0].content {
            let item = item.clone();
            let type_id = self.nodes[node.0].type_id;
            self.nodes[node.0].content = Content::Properties(Vec::new());
            if let (Value::Object(_), Some(definition)) =
                (item.value(), self.definitions.get(type_id))
            {
                for element in &definition.elements {
                    let member = Member {
                        name: element.name.clone(),
                        known: None,
                    };
                    let mut children = Vec::new();
                    item.children(self.definitions, &member, &mut children);
                    for child in children {
                        self.set(node, &member, child)?;
                    }
                }
            } else {
                let name = self.definitions.name(type_id);
                return Err(format!("a value of type {name} has no elements to set"));
            }
        }
        match &mut self.nodes[node.0].content {
            Content::Properties(properties) => Ok(properties),
            Content::Item(_) => Err("a value has no elements to set".to_owned()),
        }
    }

    /// The finished tree as JSON.
    pub(crate) fn into_value(mut self, root: NodeId) -> Value {
        self.take(root, true).unwrap_or(Value::Null)
    }

    /// The node as JSON, moving out what was computed; `None` when it is empty, which FHIR does
    /// not allow.
    fn take(&mut self, node: NodeId, is_root: bool) -> Option<Value> {
        let type_id = self.nodes[node.0].type_id;
        let empty = Content::Properties(Vec::new());
        match std::mem::replace(&mut self.nodes[node.0].content, empty) {
            Content::Item(item) => Some(item.into_value()),
            Content::Properties(properties) => {
                let definitions = self.definitions;
                object(definitions, type_id, &properties, is_root, &mut |value| {
                    self.take(value, false)
                })
            }
        }
    }

    /// As [`Self::take`], and the tree stays as it is.
    fn value(&self, node: NodeId, is_root: bool) -> Option<Value> {
        let Node { type_id, content } = &self.nodes[node.0];
        match content {
            Content::Item(item) => Some(item.value().clone()),
            Content::Properties(properties) => object(
                self.definitions,
                *type_id,
                properties,
                is_root,
                &mut |value| self.value(value, false),
            ),
        }
    }
}

fn object(
    definitions: &Definitions,
    type_id: TypeId,
    properties: &[Property],
    is_root: bool,
    value: &mut dyn FnMut(NodeId) -> Option<Value>,
) -> Option<Value> {
    let definition = definitions.get(type_id)?;
    let mut object = Map::with_capacity(properties.len() + 1);
    if definition.kind == Kind::Resource {
        object.insert(
            "resourceType".to_owned(),
            Value::String(definition.name.clone()),
        );
    }
    for property in properties {
        let Some(element) = definition.elements.get(property.element) else {
            continue;
        };
        let mut values = property.values.iter().filter_map(|node| value(*node));
        let value = if element.list {
            let mut array = Vec::with_capacity(property.values.len());
            array.extend(values);
            if array.is_empty() {
                continue;
            }
            Value::Array(array)
        } else {
            match values.next() {
                Some(value) => value,
                None => continue,
            }
        };
        object.insert(json_name(definitions, element, property.choice), value);
    }
    if object.is_empty() && !is_root {
        return None;
    }
    Some(Value::Object(object))
}

fn json_name(definitions: &Definitions, element: &Element, choice: Option<TypeId>) -> String {
    let Some(choice) = choice else {
        return element.name.clone();
    };
    let mut suffix = definitions.name(choice).chars();
    let mut name = element.name.clone();
    name.extend(suffix.next().map(|first| first.to_ascii_uppercase()));
    name.push_str(suffix.as_str());
    name
}
