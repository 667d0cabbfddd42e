//! Transforms and their parameters.

use std::sync::Arc;

use serde_json::Value;

use super::group::GroupCompiler;
use crate::concept_map::Translations;
use crate::definitions::TypeId;
use crate::fhirpath::compile::{Context, compile as compile_expression};
use crate::language::lexer::Position;
use crate::language::syntax::{self, Parameter, StructureMode};
use crate::program::scope::{Refusal, plain_name};
use crate::program::suggestion::did_you_mean;
use crate::program::{Operand, TextFormat, Transform, TranslationResult, Translator};

/// The concept map that HL7's engine has built in.
const OID_TO_URI: &str = "http://hl7.org/fhir/ConceptMap/special-oid2uri";

/// Every transform, for suggestions.
const TRANSFORMS: [&str; 16] = [
    "escape",
    "create",
    "copy",
    "truncate",
    "append",
    "cast",
    "translate",
    "reference",
    "uuid",
    "pointer",
    "evaluate",
    "cc",
    "c",
    "qty",
    "id",
    "cp",
];

impl GroupCompiler<'_, '_> {
    /// A transform, and the type it makes when that is not the element's own.
    pub(super) fn transform(
        &mut self,
        transform: &syntax::Transform,
        position: Position,
        only_source: Option<usize>,
    ) -> Result<(Transform, Option<TypeId>), Refusal> {
        let refuse = |reason: String| (position, reason);
        let (name, parameters) = match transform {
            syntax::Transform::Copy(parameter) => {
                return Ok((Transform::Copy(self.operand(parameter)?), None));
            }
            syntax::Transform::Evaluate(expression) => {
                let (compiled, _) = compile_expression(&mut self.scope, Context::None, expression)?;
                return Ok((Transform::Copy(Operand::Expression(compiled)), None));
            }
            syntax::Transform::Call(name, parameters) => (name.as_str(), parameters.as_slice()),
        };
        let definitions = self.scope.definitions;
        let wrong = |wanted: &str| (position, format!("{name} takes {wanted}"));
        let object = |type_name: &str| {
            let id = definitions.by_name(type_name);
            id.ok_or_else(|| (position, format!("there is no type {type_name}")))
        };
        Ok(match (name, parameters) {
            ("create", []) => (Transform::CreateImplied(only_source), None),
            ("create", [Parameter::Literal(Value::String(type_name), _)]) => {
                let id = self
                    .map
                    .type_named(type_name, &[StructureMode::Target, StructureMode::Produced]);
                let id = id.map_err(refuse)?;
                (Transform::Create(id), Some(id))
            }
            ("create", _) => return Err(wrong("a type's name in quotes, or nothing")),
            ("copy", [source]) => (Transform::Copy(self.operand(source)?), None),
            ("copy", _) => return Err(wrong("one parameter")),
            ("evaluate", [source]) => (Transform::Copy(self.operand(source)?), None),
            ("evaluate", [source, Parameter::Expression(expression)]) => {
                let type_id = plain_name(source)
                    .and_then(|name| self.scope.find(name))
                    .and_then(|variable| variable.type_id);
                let source = self.operand(source)?;
                let context = Context::Item(type_id);
                let (compiled, _) = compile_expression(&mut self.scope, context, expression)?;
                (Transform::Evaluate(source, compiled), None)
            }
            ("evaluate", _) => return Err(wrong("a source and an expression")),
            ("truncate", [source, length]) => {
                let (source, length) = (self.operand(source)?, self.operand(length)?);
                (Transform::Truncate(source, length), None)
            }
            ("truncate", _) => return Err(wrong("a source and a length")),
            ("append", [_, ..]) => (Transform::Append(self.operands(parameters)?), None),
            ("append", _) => return Err(wrong("what to append")),
            ("escape", [source, from @ .., to]) if from.len() <= 1 => {
                let source = self.operand(source)?;
                let from = from.first().map(text_format);
                let (from, to) = (from.transpose().map_err(refuse)?, text_format(to));
                (Transform::Escape(source, from, to.map_err(refuse)?), None)
            }
            ("escape", _) => {
                return Err(wrong("a source, perhaps the format it is in, and a format"));
            }
            ("uuid", []) => (Transform::Uuid, None),
            ("uuid", _) => return Err(wrong("no parameters")),
            ("cast", [source, Parameter::Literal(Value::String(type_name), _)]) => {
                let id = self.map.type_named(type_name, &[]).map_err(refuse)?;
                if !definitions.is_primitive(id) {
                    return Err(wrong("a primitive type"));
                }
                (Transform::Cast(self.operand(source)?, id), None)
            }
            ("cast", _) => return Err(wrong("a source and a type's name in quotes")),
            ("reference", [source]) => (Transform::Reference(self.operand(source)?), None),
            ("reference", _) => return Err(wrong("a resource")),
            ("pointer", [source]) => (Transform::Pointer(self.operand(source)?), None),
            ("pointer", _) => return Err(wrong("a resource")),
            ("translate", _) => (self.translate(parameters, position)?, None),
            ("c", [_, _] | [_, _, _]) => {
                let elements = self.elements(&["system", "code", "display"], parameters)?;
                (Transform::Object(object("Coding")?, elements), None)
            }
            ("c", _) => return Err(wrong("a system, a code and perhaps a display")),
            ("cc", [_]) => {
                let elements = self.elements(&["text"], parameters)?;
                (
                    Transform::Object(object("CodeableConcept")?, elements),
                    None,
                )
            }
            ("cc", [_, _] | [_, _, _]) => {
                let elements = self.elements(&["system", "code", "display"], parameters)?;
                (
                    Transform::Concept(object("CodeableConcept")?, elements),
                    None,
                )
            }
            ("cc", _) => return Err(wrong("a system, a code and perhaps a display, or a text")),
            ("id", [_, _] | [_, _, _]) => {
                let elements = self.elements(&["system", "value", "type"], parameters)?;
                (Transform::Identifier(object("Identifier")?, elements), None)
            }
            ("id", _) => return Err(wrong("a system and a value, and perhaps a type")),
            ("cp", [value]) => {
                let value = self.operand(value)?;
                (
                    Transform::ContactPointOfValue(object("ContactPoint")?, value),
                    None,
                )
            }
            ("cp", [_, _]) => {
                let elements = self.elements(&["system", "value"], parameters)?;
                (Transform::Object(object("ContactPoint")?, elements), None)
            }
            ("cp", _) => return Err(wrong("a value, or a system and a value")),
            ("qty", [text]) => {
                let text = self.operand(text)?;
                (Transform::QuantityOfText(object("Quantity")?, text), None)
            }
            ("qty", [_, _] | [_, _, _, _]) => {
                let elements = self.elements(&["value", "unit", "system", "code"], parameters)?;
                (Transform::Object(object("Quantity")?, elements), None)
            }
            ("qty", _) => {
                return Err(wrong(
                    "a text such as '5 mg', or a value and a unit, and perhaps its system and code",
                ));
            }
            ("dateOp", _) => {
                return Err(refuse(
                    "dateOp is not supported, as its operations are not specified; calculate in an expression: (date + 5 days)"
                        .to_owned(),
                ));
            }
            _ => {
                let suggestion = did_you_mean(name, TRANSFORMS.into_iter());
                return Err(refuse(format!(
                    "the transform {name} is not supported{suggestion}"
                )));
            }
        })
    }

    pub(super) fn translate(
        &mut self,
        parameters: &[Parameter],
        position: Position,
    ) -> Result<Transform, Refusal> {
        let refuse = |reason: String| (position, reason);
        let (source, url, result) = match parameters {
            [source, Parameter::Literal(Value::String(url), _)] => (source, url, "Coding"),
            [
                source,
                Parameter::Literal(Value::String(url), _),
                Parameter::Literal(Value::String(result), _),
            ] => (source, url, result.as_str()),
            _ => {
                return Err(refuse(
                    "translate takes a source, a concept map's url in quotes, and what it gives, such as 'code'"
                        .to_owned(),
                ));
            }
        };
        if url == OID_TO_URI {
            if result != "uri" {
                return Err(refuse(format!("translate by {OID_TO_URI} gives 'uri'")));
            }
            return Ok(Transform::OidToUri(self.operand(source)?));
        }
        let result = match result {
            "code" => TranslationResult::Code,
            "system" => TranslationResult::System,
            "display" => TranslationResult::Display,
            "CodeableConcept" => TranslationResult::CodeableConcept,
            "Coding" | "coding" => TranslationResult::Coding,
            other => {
                let reason = format!(
                    "translate gives code, system, display, Coding or CodeableConcept; for {other} it gives a Coding"
                );
                self.warn(position, reason);
                TranslationResult::Coding
            }
        };
        let concept_maps = &self.map.concept_maps;
        let Some(concept_map) = self.map.concept_map(url) else {
            if !self.map.has_terminology_server {
                let suggestion = did_you_mean(url, concept_maps.keys().map(String::as_str));
                let reason = format!(
                    "there is no concept map {url}, so a transform fails when it comes here; add it{suggestion}"
                );
                self.warn(position, reason);
            }
            return Ok(Transform::Translate {
                translator: Translator::Server(url.clone()),
                source: self.operand(source)?,
                result,
            });
        };
        let translations = Translations {
            concept_map,
            others: Arc::clone(concept_maps),
        };
        Ok(Transform::Translate {
            translator: Translator::Loaded(translations),
            source: self.operand(source)?,
            result,
        })
    }

    pub(super) fn elements(
        &mut self,
        names: &[&'static str],
        parameters: &[Parameter],
    ) -> Result<Vec<(&'static str, Operand)>, Refusal> {
        let operands = self.operands(parameters)?;
        Ok(names.iter().copied().zip(operands).collect())
    }

    pub(super) fn operands(&mut self, parameters: &[Parameter]) -> Result<Vec<Operand>, Refusal> {
        parameters.iter().map(|found| self.operand(found)).collect()
    }

    pub(super) fn operand(&mut self, parameter: &Parameter) -> Result<Operand, Refusal> {
        if let Some(name) = plain_name(parameter) {
            if let Some(variable) = self.scope.find(name) {
                return Ok(Operand::Slot(variable.slot));
            }
            if let (Parameter::Path(path), false) =
                (parameter, self.scope.constants.contains_key(name))
            {
                return Err((path.position, self.no_variable("variable", name, None)));
            }
        }
        match parameter {
            Parameter::Literal(value, type_name) => {
                let string = self.scope.definitions.primitives.string;
                let id = self.scope.definitions.by_name(type_name);
                Ok(Operand::Literal(value.clone(), id.unwrap_or(string)))
            }
            Parameter::Path(expression) | Parameter::Expression(expression) => {
                let (compiled, _) = compile_expression(&mut self.scope, Context::None, expression)?;
                Ok(Operand::Expression(compiled))
            }
        }
    }
}

/// A format by its name in quotes.
fn text_format(parameter: &Parameter) -> Result<TextFormat, String> {
    let name = match parameter {
        Parameter::Literal(Value::String(name), _) => name.as_str(),
        _ => "",
    };
    match name {
        "json" => Ok(TextFormat::Json),
        "xml" | "html" => Ok(TextFormat::Xml),
        _ => Err("escape knows the formats 'json', 'xml' and 'html'".to_owned()),
    }
}
