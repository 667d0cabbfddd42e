//! ValueSets by the codes that they list (R4 and R5, expansion or compose).

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use super::{Code, TerminologyError};

/// How deep ValueSets may refer to one another, so that none that refers to itself is followed.
const MAXIMUM_DEPTH: usize = 20;

/// The codes of one system, or a CodeSystem's.
pub(super) type Codes = HashSet<String>;

#[derive(Debug, Clone)]
pub(super) struct ValueSet {
    include: Vec<Include>,
    exclude: Vec<Include>,
}

#[derive(Debug, Clone)]
struct Include {
    system: Option<String>,
    codes: Included,
    /// Canonical urls; a code is in all of them.
    value_sets: Vec<String>,
}

#[derive(Debug, Clone)]
enum Included {
    Listed(Codes),
    /// Every code of the system.
    All,
    /// By properties that only a terminology server knows.
    Filtered,
}

/// What ValueSets refer to.
pub(super) struct Known<'k> {
    pub(super) value_sets: &'k HashMap<String, ValueSet>,
    pub(super) code_systems: &'k HashMap<String, Codes>,
}

impl ValueSet {
    /// Reads the expansion when there is one that is complete, else the definition.
    pub(super) fn read(resource: &Value) -> Self {
        if let Some(expansion) = resource.get("expansion")
            && complete(expansion)
        {
            let mut by_system: HashMap<Option<String>, Codes> = HashMap::new();
            expanded(list(expansion, "contains"), &mut by_system);
            let include = by_system.into_iter().map(|(system, codes)| Include {
                system,
                codes: Included::Listed(codes),
                value_sets: Vec::new(),
            });
            return Self {
                include: include.collect(),
                exclude: Vec::new(),
            };
        }
        let includes = |name: &str| {
            let compose = resource.get("compose");
            let includes = compose.map(|compose| list(compose, name));
            includes
                .unwrap_or_default()
                .iter()
                .map(Include::read)
                .collect()
        };
        Self {
            include: includes("include"),
            exclude: includes("exclude"),
        }
    }

    pub(super) fn has(
        &self,
        url: &str,
        code: &Code,
        known: &Known<'_>,
        depth: usize,
    ) -> Result<bool, TerminologyError> {
        if depth == MAXIMUM_DEPTH {
            return Err(needs_server(url, "it refers to itself, or too deep"));
        }
        let any = |includes: &[Include]| -> Result<bool, TerminologyError> {
            let mut unanswered = None;
            for include in includes {
                match include.has(url, code, known, depth) {
                    Ok(true) => return Ok(true),
                    Ok(false) => {}
                    Err(error) => unanswered = Some(error),
                }
            }
            unanswered.map_or(Ok(false), Err)
        };
        Ok(any(&self.include)? && !any(&self.exclude)?)
    }
}

impl Include {
    fn read(include: &Value) -> Self {
        let concepts = list(include, "concept");
        let codes = if !list(include, "filter").is_empty() {
            Included::Filtered
        } else if concepts.is_empty() {
            Included::All
        } else {
            Included::Listed(concepts.iter().filter_map(|it| text(it, "code")).collect())
        };
        let value_sets = list(include, "valueSet").iter();
        Self {
            system: text(include, "system"),
            codes,
            value_sets: value_sets
                .filter_map(|url| url.as_str().map(ToOwned::to_owned))
                .collect(),
        }
    }

    fn has(
        &self,
        url: &str,
        code: &Code,
        known: &Known<'_>,
        depth: usize,
    ) -> Result<bool, TerminologyError> {
        for value_set in &self.value_sets {
            let canonical = without_version(value_set);
            let Some(found) = known.value_sets.get(canonical) else {
                return Err(TerminologyError::Unknown(canonical.to_owned()));
            };
            if !found.has(canonical, code, known, depth + 1)? {
                return Ok(false);
            }
        }
        let Some(system) = &self.system else {
            return Ok(match &self.codes {
                Included::Listed(codes) => code.system.is_none() && codes.contains(&code.code),
                _ => !self.value_sets.is_empty(),
            });
        };
        if code.system.as_ref().is_some_and(|other| other != system) {
            return Ok(false);
        }
        match &self.codes {
            Included::Listed(codes) => Ok(codes.contains(&code.code)),
            Included::All => match known.code_systems.get(system) {
                Some(codes) => Ok(codes.contains(&code.code)),
                None => Err(needs_server(url, "it has every code of a system")),
            },
            Included::Filtered => Err(needs_server(url, "it has a filter")),
        }
    }
}

/// The codes of a CodeSystem that lists all of them.
pub(super) fn codes_of(code_system: &Value) -> Option<Codes> {
    fn add(concepts: &[Value], codes: &mut Codes) {
        for concept in concepts {
            codes.extend(text(concept, "code"));
            add(list(concept, "concept"), codes);
        }
    }
    (code_system.get("content").and_then(Value::as_str) == Some("complete")).then(|| {
        let mut codes = Codes::new();
        add(list(code_system, "concept"), &mut codes);
        codes
    })
}

pub(super) fn without_version(canonical: &str) -> &str {
    canonical.split('|').next().unwrap_or_default()
}

/// Whether nothing was left out of the expansion.
fn complete(expansion: &Value) -> bool {
    let count = |contains: &[Value]| -> u64 {
        let mut all: Vec<&Value> = contains.iter().collect();
        let mut count = 0;
        while let Some(next) = all.pop() {
            count += 1;
            all.extend(list(next, "contains"));
        }
        count
    };
    let total = expansion.get("total").and_then(Value::as_u64);
    total.is_none_or(|total| total <= count(list(expansion, "contains")))
}

fn expanded(contains: &[Value], by_system: &mut HashMap<Option<String>, Codes>) {
    for concept in contains {
        let selectable = concept.get("abstract") != Some(&Value::Bool(true));
        if let (true, Some(code)) = (selectable, text(concept, "code")) {
            let codes = by_system.entry(text(concept, "system")).or_default();
            codes.insert(code);
        }
        expanded(list(concept, "contains"), by_system);
    }
}

fn needs_server(url: &str, reason: &str) -> TerminologyError {
    TerminologyError::NeedsServer {
        url: url.to_owned(),
        reason: reason.to_owned(),
    }
}

fn list<'v>(parent: &'v Value, name: &str) -> &'v [Value] {
    let list = parent.get(name).and_then(Value::as_array);
    list.map(Vec::as_slice).unwrap_or_default()
}

fn text(parent: &Value, name: &str) -> Option<String> {
    let text = parent.get(name).and_then(Value::as_str);
    text.map(ToOwned::to_owned)
}
