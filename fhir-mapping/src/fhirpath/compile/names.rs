//! Variables, elements and types by their names.

use super::{
    Compiled, Compiler, Constant, MAXIMUM_CONSTANT_DEPTH, Place, StaticType, TypeTest, Typed,
};
use crate::definitions::{Kind, TypeId};
use crate::fhirpath::item::SystemType;
use crate::fhirpath::syntax::Expression;
use crate::item::{Known, Member};
use crate::language::lexer::Position;
use crate::program::scope::{Refusal, Scope};
use crate::program::suggestion::did_you_mean;

/// The names that FHIRPath and FHIR define; no variable may take them.
pub(super) const RESERVED: [&str; 8] = [
    "context",
    "resource",
    "rootResource",
    "sct",
    "loinc",
    "ucum",
    "terminologies",
    "factory",
];

/// Urls that FHIR names for expressions.
fn url_named(name: &str) -> Option<String> {
    let fixed = match name {
        "sct" => "http://snomed.info/sct",
        "loinc" => "http://loinc.org",
        "ucum" => "http://unitsofmeasure.org",
        _ => {
            let value_set = name.strip_prefix("vs-");
            let extension = name.strip_prefix("ext-");
            return value_set
                .map(|id| format!("http://hl7.org/fhir/ValueSet/{id}"))
                .or_else(|| {
                    Some(format!(
                        "http://hl7.org/fhir/StructureDefinition/{}",
                        extension?
                    ))
                });
        }
    };
    Some(fixed.to_owned())
}

impl Compiler<'_, '_> {
    pub(super) fn variable(&mut self, place: Place, name: &str) -> Result<Option<Typed>, Refusal> {
        let defined = self.defined.iter().rev();
        if let Some((_, slot, static_type)) = { defined }.find(|(known, ..)| known == name) {
            return Ok(Some((Compiled::Defined(*slot), *static_type)));
        }
        if let Some(found) = self.outer_variable(name)? {
            return Ok(Some(found));
        }
        Ok(match name {
            "context" if place.this.is_some() => Some((Compiled::Context, None)),
            "resource" | "rootResource" => Some((Compiled::Resource, None)),
            "terminologies" => Some((Compiled::Terminologies, None)),
            _ => url_named(name).map(|url| {
                let constant = Constant::Text(url.into());
                (
                    Compiled::Constant(constant),
                    Some(StaticType::System(SystemType::String)),
                )
            }),
        })
    }

    /// A variable or a constant of the map.
    fn outer_variable(&mut self, name: &str) -> Result<Option<Typed>, Refusal> {
        if let Some(variable) = self.scope.find(name) {
            let static_type = variable.type_id.map(StaticType::Fhir);
            return Ok(Some((Compiled::Slot(variable.slot), static_type)));
        }
        let constants = self.scope.constants;
        let Some(constant) = constants.get(name) else {
            return Ok(None);
        };
        self.scope.used_constants.insert(name.to_owned());
        if self.scope.constant_depth == MAXIMUM_CONSTANT_DEPTH {
            let reason = format!("{name} is defined by itself, or by too many other constants");
            return Err((constant.position, reason));
        }
        self.scope.constant_depth += 1;
        let nowhere = Place {
            this: None,
            iterates: false,
            aggregates: false,
        };
        let compiled = self.expression(nowhere, constant);
        self.scope.constant_depth -= 1;
        compiled.map(Some)
    }

    /// What is read of a variable that there is not: nothing, where HL7's engine finds nothing.
    pub(super) fn unknown_variable(
        &mut self,
        position: Position,
        name: &str,
    ) -> Result<Typed, Refusal> {
        let reason = format!("there is no variable {name}");
        if !self.scope.tolerates_unknown_names {
            return Err((position, reason));
        }
        self.scope
            .warnings
            .push((position, format!("{reason}: it is empty")));
        Ok((Compiled::Empty, None))
    }

    /// A bare name: a variable of the map, an element of the context, or the context's type.
    pub(super) fn start(
        &mut self,
        place: Place,
        expression: &Expression,
        name: &str,
    ) -> Result<Typed, Refusal> {
        if !self.strictness.variables
            && let Some(found) = self.outer_variable(name)?
        {
            return Ok(found);
        }
        let Some(this) = place.this else {
            return self.unknown_variable(expression.position, name);
        };
        let definitions = self.scope.definitions;
        let id = match this {
            Some(StaticType::Fhir(id)) => Some(id),
            _ => None,
        };
        if name.starts_with(|first: char| first.is_ascii_uppercase())
            && let Some(named) = definitions.by_name(name)
            && id.is_none_or(|id| definitions.element(id, name).is_none())
        {
            let other =
                id.filter(|id| !definitions.is_a(*id, named) && !definitions.is_a(named, *id));
            if let (Some(other), true) = (other, self.strictness.names) {
                let reason = format!("this is about {}, not {name}", definitions.name(other));
                return Err((expression.position, reason));
            }
            return Ok((
                Compiled::OfType(Box::new(Compiled::This), TypeTest::Fhir(named)),
                Some(StaticType::Fhir(named)),
            ));
        }
        self.member(Compiled::This, this, name, expression)
    }

    pub(super) fn member(
        &mut self,
        operand: Compiled,
        static_type: Option<StaticType>,
        name: &str,
        expression: &Expression,
    ) -> Result<Typed, Refusal> {
        let refuse = |reason: String| (expression.position, reason);
        let id = match static_type {
            Some(StaticType::Fhir(id)) => Some(id),
            Some(StaticType::System(system)) if system != SystemType::Quantity => {
                return Err(refuse(format!("{} has no element {name}", system.name())));
            }
            _ => None,
        };
        let (member, child) = match resolve(self.scope, id, name) {
            Ok(resolved) => resolved,
            Err(reason) if self.scope.tolerates_unknown_names => {
                self.scope.warnings.push((expression.position, reason));
                (Member::unknown(name), None)
            }
            Err(reason) => return Err(refuse(reason)),
        };
        let by_choice = member.known.and_then(|known| known.element.choice);
        if let (Some(choice), true, Some(id)) = (by_choice, self.strictness.names, id) {
            let definitions = self.scope.definitions;
            return Err(refuse(format!(
                "{} has no element {name}: FHIRPath names it without its type {}",
                definitions.name(id),
                definitions.name(choice)
            )));
        }
        Ok((
            Compiled::Member(Box::new(operand), member),
            child.map(StaticType::Fhir),
        ))
    }
}

/// Resolves an element of a type, and tells the element's type when there is only one.
pub(crate) fn resolve(
    scope: &Scope<'_>,
    id: Option<TypeId>,
    name: &str,
) -> Result<(Member, Option<TypeId>), String> {
    let member = |known| Member {
        name: name.to_owned(),
        known,
    };
    let definitions = scope.definitions;
    let Some(id) = id.filter(|id| !definitions.is_abstract(*id)) else {
        return Ok((member(None), None));
    };
    let Some(found) = definitions.element(id, name) else {
        let elements = definitions.get(id).map(|definition| &definition.elements);
        let names = elements.into_iter().flatten();
        let suggestion = did_you_mean(name, names.map(|element| element.name.as_str()));
        let type_name = definitions.name(id);
        return Err(format!("{type_name} has no element {name}{suggestion}"));
    };
    let element = definitions
        .get(id)
        .and_then(|definition| definition.elements.get(found.index));
    let only = match element.map(|element| element.types.as_slice()) {
        Some([only]) if definitions.kind(*only) != Some(Kind::Resource) => Some(*only),
        _ => None,
    };
    let known = Known {
        parent: id,
        element: found,
        plain: only.filter(|_| element.is_some_and(|element| !element.choice)),
    };
    Ok((member(Some(known)), only.or(found.choice)))
}
