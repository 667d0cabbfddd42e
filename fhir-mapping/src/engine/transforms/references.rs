//! `reference` and `pointer`: which resource is meant.

use serde_json::Value;

use super::super::stop::Stop;
use super::super::{Engine, Slot};
use crate::definitions::Kind;
use crate::item::{Item, Member};
use crate::output::NodeId;
use crate::program::Operand;

impl<'a> Engine<'a, '_> {
    /// The type and id of a resource. One that has no id gets one: in the output, if it is being
    /// built; for this transform alone, if it is the input's.
    pub(super) fn identify(
        &mut self,
        operand: &'a Operand,
        base: usize,
    ) -> Result<(&'a str, String), Stop> {
        if let Operand::Slot(slot) = operand {
            if let Slot::Target(node) = self.stack[base + slot] {
                return self.identify_node(node);
            }
            if let Slot::Source(Item::Borrowed(resource, id)) = self.stack[base + slot] {
                let address = std::ptr::from_ref(resource).addr();
                let name = self.resource_name(id)?;
                if let Some(id) = id_of(resource) {
                    return Ok((name, id));
                }
                if let Some(id) = self.given_ids.get(&address) {
                    return Ok((name, id.clone()));
                }
                let id = self.uuid();
                self.given_ids.insert(address, id.clone());
                return Ok((name, id));
            }
        }
        let item = self.operand(operand, base)?;
        let item = item.ok_or_else(|| "there is no resource to refer to".to_owned())?;
        let name = self.resource_name(item.type_id())?;
        let id = id_of(item.value())
            .ok_or_else(|| "the resource that is referred to has no id".to_owned())?;
        Ok((name, id))
    }

    fn resource_name(&self, id: crate::definitions::TypeId) -> Result<&'a str, Stop> {
        if self.definitions.kind(id) == Some(Kind::Resource) {
            Ok(self.definitions.name(id))
        } else {
            Err("only a resource can be referred to".to_owned().into())
        }
    }

    fn identify_node(&mut self, node: NodeId) -> Result<(&'a str, String), Stop> {
        let name = self.resource_name(self.output.type_of(node))?;
        let member = Member {
            name: "id".to_owned(),
            known: None,
        };
        if let Some(id) = self.output.text_of(node, &member) {
            return Ok((name, id));
        }
        let id = self.uuid();
        let item = Item::computed(id.clone(), self.definitions.primitives.id);
        self.output.set(node, &member, item)?;
        Ok((name, id))
    }
}

fn id_of(resource: &Value) -> Option<String> {
    Some(resource.get("id")?.as_str()?.to_owned())
}
