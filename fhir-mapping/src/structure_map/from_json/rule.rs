//! Rules.

use serde_json::Value;

use super::parameter::{extended, literal, member, parameter, path, variables};
use super::reader::{Object, code, expression, identifier};
use super::{comment_lines, lines, type_name};
use crate::language::map_parser::QUERY;
use crate::language::spacing::quoted;
use crate::structure_map::extension::{DEFAULT_VALUE, find};
use crate::structure_map::to_json::is_word;
use crate::structure_map::{IMPLIED_VARIABLE, implied_name};

/// How deep rules may stand in one another, as in the parser.
const MAXIMUM_DEPTH: usize = 64;

/// Adds a rule and those in it.
pub(super) fn rule(
    value: &Value,
    path: String,
    left_out: &mut Vec<String>,
    depth: usize,
    text: &mut String,
) -> Result<(), String> {
    if depth > MAXIMUM_DEPTH {
        return Err(format!(
            "rules stand in one another more than {MAXIMUM_DEPTH} levels deep"
        ));
    }
    let mut rule = Object::new(value, path.clone(), left_out)?;
    let name = rule.text("name")?;
    let sources = rule.objects("source")?;
    let targets = rule.objects("target")?;
    let rules = rule.objects("rule")?;
    let calls = rule.objects("dependent")?;
    let documentation = rule
        .text("documentation")?
        .filter(|text| !text.trim().is_empty());
    rule.finish();
    if sources.is_empty() {
        return Err(format!("{path}.source is missing"));
    }
    let implied = match sources.as_slice() {
        [(_, source)] => implied(source),
        _ => None,
    };
    let is_simple = rules.is_empty() && calls.is_empty() && is_simple(&sources, &targets);
    let is_long = documentation.is_some_and(|text| lines(text).nth(1).is_some());
    if let Some(documentation) = documentation.filter(|_| is_long) {
        text.push_str(&comment_lines(documentation));
    }
    let sources = each(sources, |value, path| {
        source(value, path, left_out, is_simple)
    })?;
    text.push_str(&sources);
    if !targets.is_empty() {
        text.push_str(" -> ");
        text.push_str(&each(targets, |value, path| {
            target(value, path, left_out, is_simple)
        })?);
    }
    if !calls.is_empty() || !rules.is_empty() {
        text.push_str(" then ");
    }
    text.push_str(&each(calls, |value, path| call(value, path, left_out))?);
    if !rules.is_empty() {
        text.push_str(" {\n");
        for (path, value) in rules {
            self::rule(value, path, left_out, depth + 1, text)?;
        }
        text.push('}');
    }
    if let Some(name) = name
        && implied.as_deref() != Some(name)
    {
        text.push_str(&format!(" {}", quoted(name, '"')));
    }
    text.push(';');
    match documentation {
        Some(documentation) if !is_long => {
            text.push_str(&format!(" // {}\n", documentation.trim()));
        }
        _ => text.push('\n'),
    }
    Ok(())
}

/// Each of a list, with commas between.
fn each(
    items: Vec<(String, &Value)>,
    mut write: impl FnMut(&Value, String) -> Result<String, String>,
) -> Result<String, String> {
    let written = items.into_iter().map(|(path, value)| write(value, path));
    Ok(written.collect::<Result<Vec<_>, _>>()?.join(", "))
}

/// The name of a rule with this one source that has none.
fn implied(source: &Value) -> Option<String> {
    let element = source.get("element")?.as_str()?;
    let type_name = source.get("type").and_then(Value::as_str);
    (source.get("context")?.as_str()? != QUERY).then(|| implied_name(element, type_name))
}

/// Whether the rule is of the form `a.b -> c.d`.
fn is_simple(sources: &[(String, &Value)], targets: &[(String, &Value)]) -> bool {
    let implied = |value: &Value| {
        value.get("element").is_some()
            && value.get("context").is_some()
            && value.get("variable").and_then(Value::as_str) == Some(IMPLIED_VARIABLE)
    };
    match (sources, targets) {
        ([(_, source)], [(_, target)]) => {
            let transform = target.get("transform").and_then(Value::as_str);
            let has_parameters = target.get("parameter").is_some();
            implied(source) && implied(target) && transform == Some("create") && !has_parameters
        }
        _ => false,
    }
}

fn source(
    value: &Value,
    place: String,
    left_out: &mut Vec<String>,
    is_simple: bool,
) -> Result<String, String> {
    let mut source = Object::new(value, place.clone(), left_out)?;
    let context = source.required("context")?;
    let element = source.text("element")?;
    let mut text = match element {
        Some(element) if context == QUERY => {
            format!("search({})", expression(element, &source.place("element"))?)
        }
        Some(element) => format!("{}.{}", identifier(context), path(element)),
        None => identifier(context),
    };
    if let Some(name) = source.text("type")? {
        text.push_str(&format!(" : {}", type_name(name)));
    }
    let minimum = source.get("min");
    let maximum = source.text("max")?;
    if minimum.is_some() || maximum.is_some() {
        let minimum = minimum.map_or(Some(0), Value::as_u64);
        let minimum = minimum.ok_or_else(|| format!("{place}.min is no whole number"))?;
        let maximum = maximum.unwrap_or("*");
        if maximum != "*" && maximum.parse::<u32>().is_err() {
            return Err(format!("{place}.max is neither a number nor *"));
        }
        text.push_str(&format!(" {minimum}..{maximum}"));
    }
    if let Some(default) = default(&mut source)? {
        text.push_str(&format!(" default {default}"));
    }
    if let Some(mode) = source.text("listMode")? {
        let modes = ["first", "not_first", "last", "not_last", "only_one"];
        text.push_str(&format!(" {}", code(mode, &modes)?));
    }
    let variable = source.optional_name("variable")?;
    if let Some(variable) = variable.filter(|_| !is_simple) {
        text.push_str(&format!(" as {variable}"));
    }
    for (element, word) in [
        ("condition", "where"),
        ("check", "check"),
        ("logMessage", "log"),
    ] {
        if let Some(expression) = source.expression(element)? {
            text.push_str(&format!(" {word} {expression}"));
        }
    }
    source.finish();
    Ok(text)
}

/// The source's default, of R4 (`defaultValue[x]`) or R5.
fn default(source: &mut Object<'_, '_>) -> Result<Option<String>, String> {
    let members = source.members();
    let names = members
        .keys()
        .filter(|name| name.trim_start_matches('_').starts_with("defaultValue"));
    let mut found = None;
    for name in names {
        let place = source.place(name);
        let value = source.get(name);
        let r4 = find(value, DEFAULT_VALUE).and_then(Value::as_object);
        let written = match (r4, name.as_str(), value) {
            (Some(extension), _, _) => Some(extended(extension, &place)?),
            (None, "defaultValue", Some(value)) => literal("String", value),
            _ => member("defaultValue", name, members, &place)?,
        };
        found = Some(written.ok_or_else(|| format!("{place} cannot be written"))?);
    }
    Ok(found)
}

fn target(
    value: &Value,
    place: String,
    left_out: &mut Vec<String>,
    is_simple: bool,
) -> Result<String, String> {
    let mut target = Object::new(value, place.clone(), left_out)?;
    let context = target.optional_name("context")?;
    if target.text("contextType")? == Some("type") {
        return Err(format!(
            "{place}.contextType type is not part of the language"
        ));
    }
    let element = target.text("element")?;
    let transform = target.text("transform")?;
    let parameters = target.objects("parameter")?;
    let variable = target.optional_name("variable")?;
    let modes = target.texts("listMode")?;
    let shared = target.optional_name("listRuleId")?;
    target.finish();

    let mut text = String::new();
    if let Some(context) = &context {
        text.push_str(context);
        if let Some(element) = element {
            text.push_str(&format!(".{}", path(element)));
        }
    }
    if let Some(transform) = transform.filter(|_| !is_simple) {
        if context.is_some() {
            text.push_str(" = ");
        }
        text.push_str(&self::transform(transform, &parameters)?);
    }
    if text.is_empty() {
        return Err(format!("{place} has neither context nor transform"));
    }
    if let Some(variable) = variable.filter(|_| !is_simple) {
        text.push_str(&format!(" as {variable}"));
    }
    for mode in modes {
        text.push_str(&format!(
            " {}",
            code(mode, &["first", "share", "last", "collate", "single"])?
        ));
        if mode == "share" {
            let shared = shared.as_ref();
            let shared = shared.ok_or_else(|| format!("{place}.listRuleId is missing"))?;
            text.push_str(&format!(" {shared}"));
        }
    }
    Ok(text)
}

fn transform(name: &str, parameters: &[(String, &Value)]) -> Result<String, String> {
    let evaluated = |(place, value): &(String, &Value)| {
        let text = value.get("valueString").and_then(Value::as_str);
        text.map(|text| expression(text, place)).transpose()
    };
    match (name, parameters) {
        ("copy", [(place, value)]) => return parameter(value, place),
        ("evaluate", [only]) => {
            if let Some(expression) = evaluated(only)? {
                return Ok(format!("({expression})"));
            }
        }
        _ if !is_word(name) => return Err(format!("the transform {name} is not known")),
        _ => {}
    }
    let mut written = Vec::new();
    for (index, one) in parameters.iter().enumerate() {
        let text = match evaluated(one) {
            Ok(Some(expression)) if name == "evaluate" && index > 0 => expression,
            _ => parameter(one.1, &one.0)?,
        };
        written.push(text);
    }
    Ok(format!("{name}({})", written.join(", ")))
}

fn call(value: &Value, place: String, left_out: &mut Vec<String>) -> Result<String, String> {
    let mut call = Object::new(value, place.clone(), left_out)?;
    let name = call.name("name")?;
    let parameters = call.objects("parameter")?;
    let names = call.items("variable")?;
    let extensions = call.items("_variable")?;
    call.finish();
    let mut written = variables(names, extensions, &format!("{place}.variable"))?;
    for (place, value) in parameters {
        written.push(parameter(value, &place)?);
    }
    Ok(format!("{name}({})", written.join(", ")))
}
