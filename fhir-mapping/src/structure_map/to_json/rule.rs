//! Rules.

use serde_json::{Map, Value, json};

use super::super::extension::{DEFAULT_VALUE, PARAMETER, TARGET_PARAMETER, expression, extended};
use super::super::{FhirVersion, IMPLIED_VARIABLE, implied_name};
use super::{Writer, list, object, text};
use crate::language::lexer::{Span, Token, tokens};
use crate::language::map_parser::QUERY;
use crate::language::spacing::{one_line, quoted};
use crate::language::syntax::{
    Call, Parameter, Rule, Source, SourceListMode, Target, TargetListMode, Transform,
};

/// A value, or an expression that gives it.
enum Given {
    /// The ending of `value[x]`, and the value.
    Value(&'static str, Value),
    Expression(String),
}

impl Writer<'_> {
    pub(super) fn rule(&self, rule: &Rule) -> Value {
        let is_simple = is_simple(rule);
        let mut sources: Vec<Value> = rule.sources.iter().map(|one| self.source(one)).collect();
        let mut targets: Vec<Value> = rule.targets.iter().map(|one| self.target(one)).collect();
        if is_simple {
            for side in sources.iter_mut().chain(&mut targets) {
                side["variable"] = json!(IMPLIED_VARIABLE);
            }
            for target in &mut targets {
                target["transform"] = json!("create");
            }
        }
        let calls = rule.calls.iter().map(|call| self.call(call));
        object([
            ("name", text(name(rule))),
            ("source", list(sources.into_iter())),
            ("target", list(targets.into_iter())),
            ("rule", list(rule.rules.iter().map(|rule| self.rule(rule)))),
            ("dependent", list(calls)),
            ("documentation", self.documentation(&rule.documentation)),
        ])
    }

    fn source(&self, source: &Source) -> Value {
        let maximum = |maximum: Option<usize>| {
            maximum.map_or_else(|| "*".to_owned(), |maximum| maximum.to_string())
        };
        let expression = |span: Option<Span>| span.map(|span| json!(self.expression(span)));
        let element = match source.path.as_slice() {
            [] => None,
            [query] if source.context == QUERY => Some(json!(one_line(query))),
            path => Some(json!(element(path))),
        };
        let mut written = object([
            ("context", text(&source.context)),
            ("min", source.cardinality.map(|(minimum, _)| json!(minimum))),
            (
                "max",
                source.cardinality.map(|(_, most)| json!(maximum(most))),
            ),
            ("type", source.type_name.as_ref().and_then(text)),
            ("element", element),
            (
                "listMode",
                source.list_mode.map(source_list_mode).and_then(text),
            ),
            ("variable", source.variable.as_ref().and_then(text)),
            ("condition", expression(source.spans.condition)),
            ("check", expression(source.spans.check)),
            ("logMessage", expression(source.spans.log)),
        ]);
        if let (Some(default), Some(span)) = (&source.default, source.spans.default)
            && let Value::Object(members) = &mut written
        {
            self.default(self.given(default, span), members);
        }
        written
    }

    fn default(&self, given: Given, members: &mut Map<String, Value>) {
        let (name, value) = match (given, self.version) {
            (Given::Value("String", value), FhirVersion::R5) => ("defaultValue".to_owned(), value),
            (Given::Value(ending, value), FhirVersion::R5) => (
                "_defaultValue".to_owned(),
                extended(DEFAULT_VALUE, &format!("value{ending}"), value),
            ),
            (Given::Expression(text), FhirVersion::R5) => {
                ("_defaultValue".to_owned(), expression(&text))
            }
            (Given::Value(ending, value), FhirVersion::R4) => {
                (format!("defaultValue{ending}"), value)
            }
            (Given::Expression(text), FhirVersion::R4) => {
                ("_defaultValueString".to_owned(), expression(&text))
            }
        };
        members.insert(name, value);
    }

    fn target(&self, target: &Target) -> Value {
        // Java has it without a context, too.
        let context_type = (self.version == FhirVersion::R4).then(|| json!("variable"));
        let modes = target.list_mode.iter().chain(&target.further_list_modes);
        let mut shared = modes.clone().filter_map(|mode| match mode {
            TargetListMode::Share(name) => Some(name),
            _ => None,
        });
        let (transform, parameters) = match &target.transform {
            None => (None, Vec::new()),
            Some(transform) => {
                let (code, parameters) = self.transform(transform, &target.spans);
                (Some(code), parameters)
            }
        };
        let element = (!target.path.is_empty()).then(|| json!(element(&target.path)));
        object([
            ("context", target.context.as_ref().and_then(text)),
            ("contextType", context_type),
            ("element", element),
            ("variable", target.variable.as_ref().and_then(text)),
            (
                "listMode",
                list(modes.map(|mode| json!(target_list_mode(mode)))),
            ),
            ("listRuleId", shared.next().and_then(text)),
            ("transform", transform.and_then(text)),
            ("parameter", list(parameters.into_iter())),
        ])
    }

    fn transform<'r>(&self, transform: &'r Transform, spans: &[Span]) -> (&'r str, Vec<Value>) {
        let evaluated = |span: Span| json!({"valueString": self.expression(span)});
        match (transform, spans) {
            (Transform::Evaluate(_), [span, ..]) => ("evaluate", vec![evaluated(*span)]),
            (Transform::Copy(parameter), [span, ..]) => match self.given(parameter, *span) {
                // R4 has no dates among the parameters.
                Given::Value("Date" | "DateTime" | "Time", _)
                    if self.version == FhirVersion::R4 =>
                {
                    ("evaluate", vec![evaluated(*span)])
                }
                given => ("copy", vec![self.parameter(given)]),
            },
            (Transform::Call(name, parameters), spans) => {
                let written = parameters.iter().zip(spans).enumerate();
                let written =
                    written.map(
                        |(index, (parameter, span))| match self.given(parameter, *span) {
                            Given::Expression(_) if name == "evaluate" && index > 0 => {
                                evaluated(*span)
                            }
                            given => self.parameter(given),
                        },
                    );
                (name.as_str(), written.collect())
            }
            (Transform::Evaluate(_), []) => ("evaluate", Vec::new()),
            (Transform::Copy(_), []) => ("copy", Vec::new()),
        }
    }

    fn parameter(&self, given: Given) -> Value {
        match (given, self.version) {
            (Given::Value(ending @ ("Date" | "DateTime" | "Time"), value), FhirVersion::R4) => {
                let value = extended(TARGET_PARAMETER, &format!("value{ending}"), value);
                json!({"_valueString": value})
            }
            (Given::Value(ending, value), _) => object([(&format!("value{ending}"), Some(value))]),
            (Given::Expression(text), _) => json!({"_valueString": expression(&text)}),
        }
    }

    fn call(&self, call: &Call) -> Value {
        let given = call.parameters.iter().zip(&call.spans);
        let given = given.map(|(parameter, span)| self.given(parameter, *span));
        if self.version == FhirVersion::R5 {
            let parameters = given.map(|given| self.parameter(given));
            return object([("name", text(&call.group)), ("parameter", list(parameters))]);
        }
        let mut variables = Vec::new();
        let mut extensions = Vec::new();
        for given in given {
            let (variable, extension) = match given {
                Given::Value("Id", name) => (name, Value::Null),
                Given::Value(ending, value) => {
                    let plain = match &value {
                        Value::String(text) => text.clone(),
                        other => other.to_string(),
                    };
                    let extension = extended(PARAMETER, &format!("value{ending}"), value);
                    (json!(plain), extension)
                }
                Given::Expression(text) => (Value::Null, expression(&text)),
            };
            variables.push(variable);
            extensions.push(extension);
        }
        let is_plain = extensions.iter().all(Value::is_null);
        object([
            ("name", text(&call.group)),
            ("variable", list(variables.into_iter())),
            ("_variable", (!is_plain).then_some(Value::Array(extensions))),
        ])
    }

    fn given(&self, parameter: &Parameter, span: Span) -> Given {
        match parameter {
            Parameter::Path(_) => Given::Value("Id", json!(path(span.of(self.text)))),
            Parameter::Literal(value, type_name) => {
                let ending = match *type_name {
                    "integer" => "Integer",
                    "decimal" => "Decimal",
                    "boolean" => "Boolean",
                    "date" => "Date",
                    "dateTime" => "DateTime",
                    "time" => "Time",
                    _ => "String",
                };
                Given::Value(ending, value.clone())
            }
            Parameter::Expression(_) => {
                let text = self.expression(span);
                // Parentheses around a parameter are not part of the expression.
                let inner = text
                    .strip_prefix('(')
                    .and_then(|text| text.strip_suffix(')'));
                let is_whole = span.of(self.text).starts_with('(') && inner.is_some_and(balanced);
                Given::Expression(match inner {
                    Some(inner) if is_whole => inner.to_owned(),
                    _ => text,
                })
            }
        }
    }
}

/// Whether each parenthesis of an expression has its other one.
fn balanced(text: &str) -> bool {
    let Ok(found) = tokens(text) else {
        return false;
    };
    let mut depth = 0_usize;
    for lexed in &found.tokens {
        match lexed.token {
            Token::Symbol("(") => depth += 1,
            Token::Symbol(")") if depth == 0 => return false,
            Token::Symbol(")") => depth -= 1,
            _ => {}
        }
    }
    depth == 0
}

fn is_simple(rule: &Rule) -> bool {
    match (rule.sources.as_slice(), rule.targets.as_slice()) {
        ([source], [target]) => {
            rule.rules.is_empty()
                && rule.calls.is_empty()
                && source.variable.is_none()
                && !source.path.is_empty()
                && target.variable.is_none()
                && target.transform.is_none()
                && !target.path.is_empty()
        }
        _ => false,
    }
}

fn name(rule: &Rule) -> String {
    if let Some(name) = &rule.name {
        return name.clone();
    }
    let Some(source) = rule.sources.first() else {
        return String::new();
    };
    let element = match source.path.as_slice() {
        [] => source.context.clone(),
        path => element(path),
    };
    implied_name(&element, source.type_name.as_deref())
}

/// A path as one element: its steps with points between.
fn element(path: &[String]) -> String {
    match path {
        [step] if !step.contains('.') => step.clone(),
        steps => {
            let steps = steps.iter().map(|step| {
                if is_word(step) {
                    step.clone()
                } else {
                    quoted(step, '`')
                }
            });
            steps.collect::<Vec<_>>().join(".")
        }
    }
}

/// A parameter that is a variable or a path from one.
fn path(written: &str) -> String {
    let Ok(found) = tokens(written) else {
        return written.to_owned();
    };
    let names = found.tokens.iter().filter_map(|lexed| match &lexed.token {
        Token::Word(name) | Token::Quoted(name) | Token::Text(name) => Some(name.clone()),
        _ => None,
    });
    element(&names.collect::<Vec<_>>())
}

pub(in crate::structure_map) fn is_word(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn source_list_mode(mode: SourceListMode) -> &'static str {
    match mode {
        SourceListMode::First => "first",
        SourceListMode::NotFirst => "not_first",
        SourceListMode::Last => "last",
        SourceListMode::NotLast => "not_last",
        SourceListMode::OnlyOne => "only_one",
    }
}

fn target_list_mode(mode: &TargetListMode) -> &'static str {
    match mode {
        TargetListMode::First => "first",
        TargetListMode::Last => "last",
        TargetListMode::Collate => "collate",
        TargetListMode::Single => "single",
        TargetListMode::Share(_) => "share",
    }
}
