//! What an item is: `type`, `hasValue`, `getValue`, `comparable` and `conformsTo`.

use std::rc::Rc;

use crate::definitions::{Kind, UNKNOWN};
use crate::fhirpath::compile::Compiled;
use crate::fhirpath::equality::quantity;
use crate::fhirpath::evaluate::{Evaluator, Failure, Focus, Items, Variables, boolean, single};
use crate::fhirpath::function::Function;
use crate::fhirpath::item::{Item, Scalar, SystemType};

impl<'a, V: Variables<'a>> Evaluator<'a, '_, V> {
    pub(super) fn type_function(
        &self,
        function: Function,
        items: &[Item<'a>],
        parameters: &'a [Compiled],
        focus: &Focus<'_, 'a>,
    ) -> Result<Items<'a>, Failure> {
        match function {
            Function::Type => Ok(items.iter().map(|item| self.described(item)).collect()),
            Function::HasValue => {
                let has = matches!(items, [item] if self.value_of(item).is_some());
                Ok(boolean(Some(has)))
            }
            Function::GetValue => match items {
                [item] => Ok(self.value_of(item).into_iter().collect()),
                _ => Ok(Vec::new()),
            },
            Function::Comparable => self.comparable(items, parameters, focus),
            _ => self.conforms_to(items, parameters, focus),
        }
    }

    fn described(&self, item: &Item<'a>) -> Item<'a> {
        let described = match (item.system_type(), item) {
            (Some(system), _) => ("System", system.name().to_owned()),
            (None, Item::Element(element)) if element.type_id() != UNKNOWN => {
                ("FHIR", self.definitions.name(element.type_id()).to_owned())
            }
            _ => ("System", "Any".to_owned()),
        };
        Item::Type(Rc::new(described))
    }

    /// The value that a primitive holds, of FHIRPath's own type.
    fn value_of(&self, item: &Item<'a>) -> Option<Item<'a>> {
        match item.scalar(self.definitions)? {
            // A Quantity has elements, and so no value.
            Scalar::Quantity(_) if item.json().is_some() => None,
            Scalar::Quantity(quantity) => Some(Item::Quantity(quantity)),
            Scalar::Boolean(boolean) => Some(Item::Boolean(boolean)),
            Scalar::Integer(integer) => Some(Item::Integer(integer)),
            Scalar::Decimal(decimal) => Some(Item::Decimal(decimal)),
            Scalar::Text(text) => Some(Item::text_of(text)),
            Scalar::Temporal(temporal) => Some(Item::Temporal(temporal.into())),
        }
    }

    fn comparable(
        &self,
        items: &[Item<'a>],
        parameters: &'a [Compiled],
        focus: &Focus<'_, 'a>,
    ) -> Result<Items<'a>, Failure> {
        let other = match parameters.first() {
            Some(other) => self.eval(other, focus)?,
            None => Vec::new(),
        };
        let (Some(left), Some(right)) =
            (single(items, "comparable")?, single(&other, "comparable")?)
        else {
            return Ok(Vec::new());
        };
        let quantity_of =
            |item: &Item<'a>| item.scalar(self.definitions).as_ref().and_then(quantity);
        match (quantity_of(left), quantity_of(right)) {
            (Some(left), Some(right)) => Ok(boolean(Some(left.is_comparable(&right)))),
            _ => Err("`comparable` is for quantities".to_owned()),
        }
    }

    /// By the type alone: what a profile asks for is not checked, so that it is not answered.
    fn conforms_to(
        &self,
        items: &[Item<'a>],
        parameters: &'a [Compiled],
        focus: &Focus<'_, 'a>,
    ) -> Result<Items<'a>, Failure> {
        let url = match parameters.first() {
            Some(url) => self.string(url, focus, "a canonical url")?,
            None => None,
        };
        let (Some(url), Some(item)) = (url, single(items, "conformsTo")?) else {
            return Ok(Vec::new());
        };
        let core = url.strip_prefix("http://hl7.org/fhir/StructureDefinition/");
        let named = core.and_then(|name| self.definitions.by_name(name));
        let named = named.filter(|id| {
            let kind = self.definitions.kind(*id);
            matches!(kind, Some(Kind::Resource | Kind::Complex | Kind::Primitive))
        });
        let Some(id) = named else {
            return Err("`conformsTo` knows the types of FHIR only, and no profiles".to_owned());
        };
        let own = match item {
            Item::Element(element) => element.type_id(),
            other => match other.system_type() {
                Some(SystemType::Quantity) => other.fhir_type(self.definitions),
                _ => UNKNOWN,
            },
        };
        Ok(boolean(Some(self.definitions.is_a(own, id))))
    }
}
