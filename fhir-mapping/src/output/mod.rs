//! The tree that a transform builds: nodes in one list, each known by its place in it.

mod convert;
mod size;
mod write;

use std::cell::Cell;

use crate::definitions::{Definitions, Element, ElementIndex, Kind, TypeId, UNKNOWN};
use crate::engine::stop::{Exceeded, Stop};
use crate::fhirpath::evaluate::Failure;
use crate::item::{Item, Member};
use size::{depth_and_size, size_of_node};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct NodeId(usize);

#[derive(Debug)]
struct Node<'a> {
    type_id: TypeId,
    /// How many nodes it is in.
    depth: usize,
    content: Content<'a>,
}

#[derive(Debug)]
enum Content<'a> {
    Properties(Vec<Property>),
    /// A primitive, or something copied whole.
    Item(Item<'a>),
    /// A primitive's value, and its id and extensions.
    Primitive(Item<'a>, Vec<Property>),
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
    maximum_depth: usize,
    maximum_size: usize,
    size: usize,
    /// How much was copied to be read.
    copied: Cell<usize>,
}

impl<'a> Output<'a> {
    /// An empty tree that may become as deep, and as many bytes of JSON, as the limits say.
    pub(crate) fn new(
        definitions: &'a Definitions,
        maximum_depth: usize,
        maximum_size: usize,
    ) -> Self {
        Self {
            definitions,
            nodes: Vec::with_capacity(64),
            maximum_depth,
            maximum_size,
            size: 0,
            copied: Cell::new(0),
        }
    }

    /// The node that the others will stand in.
    pub(crate) fn root(&mut self, type_id: TypeId) -> NodeId {
        self.push(type_id, 0, Content::Properties(Vec::new()))
    }

    /// A node without content, which stands nowhere yet.
    pub(crate) fn create(&mut self, type_id: TypeId) -> Result<NodeId, Stop> {
        self.grow(size_of_node(self.definitions, type_id))?;
        Ok(self.push(type_id, 0, Content::Properties(Vec::new())))
    }

    fn push(&mut self, type_id: TypeId, depth: usize, content: Content<'a>) -> NodeId {
        self.nodes.push(Node {
            type_id,
            depth,
            content,
        });
        NodeId(self.nodes.len() - 1)
    }

    /// Counts what is added.
    fn grow(&mut self, size: usize) -> Result<(), Stop> {
        self.size = self.size.saturating_add(size);
        self.check_size()
    }

    /// Whether the output, and what was copied of it to be read, is not too large.
    pub(crate) fn check_size(&self) -> Result<(), Stop> {
        if self.size > self.maximum_size || self.copied.get() > self.maximum_size {
            return Err(Exceeded::OutputBytes(self.maximum_size).into());
        }
        Ok(())
    }

    /// Counts an item that would stand in a node.
    fn grow_by(&mut self, node: NodeId, item: &Item<'a>) -> Result<(), Stop> {
        let room = self.maximum_depth.saturating_sub(self.nodes[node.0].depth);
        let (depth, mut size) = depth_and_size(item.value(), room);
        if let Some(companion) = item.companion() {
            size = size.saturating_add(depth_and_size(companion, room).1);
        }
        if depth > room {
            return Err(Exceeded::Depth(self.maximum_depth).into());
        }
        self.grow(size)
    }

    /// How many items the element has, when it is a list.
    pub(crate) fn count(&self, node: NodeId, member: &Member) -> Option<usize> {
        let (found, element) = self.element(node, member).ok()?;
        let (Content::Properties(properties) | Content::Primitive(_, properties)) =
            &self.nodes[node.0].content
        else {
            return None;
        };
        let mut properties = properties.iter();
        let property = properties.find(|property| property.element == found.index)?;
        element.list.then_some(property.values.len())
    }

    /// The text of an element that has one value.
    pub(crate) fn text_of(&self, node: NodeId, member: &Member) -> Option<String> {
        match &self.nodes[node.0].content {
            Content::Item(item) => {
                let mut children = Vec::new();
                item.children(self.definitions, member, &mut children);
                children.first()?.text()
            }
            Content::Properties(properties) | Content::Primitive(_, properties) => {
                let (found, _) = self.element(node, member).ok()?;
                let mut properties = properties.iter();
                let property = properties.find(|property| property.element == found.index)?;
                self.read(*property.values.first()?)?.text()
            }
        }
    }

    pub(crate) fn type_of(&self, node: NodeId) -> TypeId {
        self.nodes[node.0].type_id
    }

    /// What the node holds now, to be read.
    pub(crate) fn read(&self, node: NodeId) -> Option<Item<'a>> {
        let Node {
            type_id, content, ..
        } = &self.nodes[node.0];
        match content {
            Content::Item(item) => Some(item.clone()),
            Content::Properties(_) | Content::Primitive(..) => {
                let (value, companion) = self.copy(node, true)?;
                let value = value.unwrap_or_default();
                Some(Item::computed_primitive(value, companion, *type_id))
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

    /// Sets an element to a value, or adds the value to the element's list. Returns its node. Of a
    /// primitive only the value is taken, as HL7's engine does: maps that want its extensions copy
    /// them as well.
    pub(crate) fn set(
        &mut self,
        node: NodeId,
        member: &Member,
        item: Item<'a>,
    ) -> Result<NodeId, Stop> {
        self.set_whole(node, member, item.without_companion())
    }

    /// As [`Self::set`], with the id and the extensions of a primitive.
    pub(crate) fn set_whole(
        &mut self,
        node: NodeId,
        member: &Member,
        item: Item<'a>,
    ) -> Result<NodeId, Stop> {
        self.grow_by(node, &item)?;
        if self.is_value_of_primitive(node, member) {
            self.set_value(node, item, &member.name)?;
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
        let value_type = if value_type == UNKNOWN {
            type_id
        } else {
            value_type
        };
        self.place(node, found, element, value_type, Content::Item(item))
    }

    /// Sets an element to a node that was created for it. What is empty replaces nothing.
    pub(crate) fn attach(
        &mut self,
        node: NodeId,
        member: &Member,
        created: NodeId,
    ) -> Result<NodeId, Stop> {
        let (found, element) = self.element(node, member)?;
        let created_type = self.nodes[created.0].type_id;
        let type_id = self.type_for(found, element, created_type)?;
        if type_id != UNKNOWN && !self.fits(created_type, type_id) {
            return Err(self
                .refuse_type(&element.name, type_id, created_type)
                .into());
        }
        let content = std::mem::replace(
            &mut self.nodes[created.0].content,
            Content::Properties(Vec::new()),
        );
        self.place(node, found, element, created_type, content)
    }

    /// Adds an empty item to an element's list; or finds the element's only item.
    pub(crate) fn make(&mut self, node: NodeId, member: &Member) -> Result<NodeId, Stop> {
        if self.is_value_of_primitive(node, member) {
            return Ok(node);
        }
        let (found, element) = self.element(node, member)?;
        if !element.list
            && let Some(value) = self.value_of(node, found)?
        {
            return Ok(value);
        }
        let type_id = match (self.only_type(found, element), element.types.as_slice()) {
            (Ok(id), _) => id,
            (Err(_), [id]) => *id,
            // As with HL7's engine, what is made and not filled is left out.
            (Err(_), _) => UNKNOWN,
        };
        self.grow(size_of_node(self.definitions, type_id))?;
        self.place(
            node,
            found,
            element,
            type_id,
            Content::Properties(Vec::new()),
        )
    }

    /// What an element of one value has already, if it is of the type that the name tells.
    fn value_of(&mut self, node: NodeId, found: ElementIndex) -> Result<Option<NodeId>, Stop> {
        let mut properties = self.properties(node)?.iter();
        let property = properties.find(|property| property.element == found.index);
        let value = property.and_then(|property| property.values.first().copied());
        let is_it = |value: &NodeId| match found.choice {
            Some(choice) => self.nodes[value.0].type_id == choice,
            None => true,
        };
        Ok(value.filter(is_it))
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

    /// The type that an element takes for a value of a type. A choice that does not have the value's
    /// type takes one that this is derived from; and, as HL7's engine does, else the type itself.
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
        if value == UNKNOWN {
            return Err(format!("nothing tells which type {}[x] has", element.name));
        }
        let types = element.types.iter().copied();
        let exact = types.clone().find(|id| *id == value);
        let base = || types.clone().find(|id| self.definitions.is_a(value, *id));
        Ok(exact
            .or_else(base)
            .unwrap_or_else(|| self.definitions.published(value)))
    }

    fn refuse_type(&self, element: &str, expected: TypeId, found: TypeId) -> Failure {
        format!(
            "{element} has the type {}, not {}",
            self.definitions.name(expected),
            self.definitions.name(found)
        )
    }

    /// Sets a primitive's value; its id and extensions stay.
    fn set_value(&mut self, node: NodeId, item: Item<'a>, name: &str) -> Result<(), Stop> {
        let type_id = self.nodes[node.0].type_id;
        let item = self.convert(item, type_id, name)?;
        let value = item.without_companion();
        let content = &mut self.nodes[node.0].content;
        *content = match std::mem::replace(content, Content::Properties(Vec::new())) {
            Content::Properties(properties) if properties.is_empty() => Content::Item(value),
            Content::Properties(properties) | Content::Primitive(_, properties) => {
                Content::Primitive(value, properties)
            }
            Content::Item(old) => Content::Item(old.with_value(value.into_parts().0, type_id)),
        };
        Ok(())
    }

    /// Puts content where an element belongs.
    fn place(
        &mut self,
        node: NodeId,
        found: ElementIndex,
        element: &Element,
        type_id: TypeId,
        content: Content<'a>,
    ) -> Result<NodeId, Stop> {
        let depth = self.nodes[node.0].depth + 1;
        if depth > self.maximum_depth {
            return Err(Exceeded::Depth(self.maximum_depth).into());
        }
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
            if self.nodes[value.0].type_id == type_id {
                match content {
                    Content::Properties(new) if new.is_empty() => return Ok(value),
                    Content::Item(item)
                        if self.definitions.is_primitive(type_id) && item.companion().is_none() =>
                    {
                        self.set_value(value, item, &element.name)?;
                        return Ok(value);
                    }
                    content => self.nodes[value.0].content = content,
                }
            } else {
                self.nodes[value.0] = Node {
                    type_id,
                    depth,
                    content,
                };
            }
            return Ok(value);
        }
        let value = self.push(type_id, depth, content);
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
    fn properties(&mut self, node: NodeId) -> Result<&mut Vec<Property>, Stop> {
        if let Content::Item(item) = &self.nodes[node.0].content {
            let item = item.clone();
            self.take_apart(node, item)?;
        }
        match &mut self.nodes[node.0].content {
            Content::Properties(properties) | Content::Primitive(_, properties) => Ok(properties),
            Content::Item(_) => Err("a value has no elements to set".to_owned().into()),
        }
    }

    fn take_apart(&mut self, node: NodeId, item: Item<'a>) -> Result<(), Stop> {
        let type_id = self.nodes[node.0].type_id;
        let definitions = self.definitions;
        let is_primitive = definitions.is_primitive(type_id);
        let Some(definition) = definitions
            .get(type_id)
            .filter(|_| is_primitive || item.value().is_object())
        else {
            let name = definitions.name(type_id);
            return Err(format!("a value of type {name} has no elements to set").into());
        };
        self.nodes[node.0].content = Content::Properties(Vec::new());
        if is_primitive && !item.value().is_null() {
            let value = Item::computed(item.value().clone(), type_id);
            self.nodes[node.0].content = Content::Primitive(value, Vec::new());
        }
        for element in &definition.elements {
            if is_primitive && element.name == "value" {
                continue;
            }
            let member = Member {
                name: element.name.clone(),
                known: None,
            };
            let mut children = Vec::new();
            item.children(definitions, &member, &mut children);
            for child in children {
                self.set_whole(node, &member, child)?;
            }
        }
        Ok(())
    }
}
