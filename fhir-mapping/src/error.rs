//! Why a map cannot be used, and why it gives no result.

use std::fmt::{self, Display, Formatter};

/// One mistake in the text of a map.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: expected {expected}, found {found} in: {text}")]
pub struct SyntaxError {
    /// Line of the text, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What may stand there.
    pub expected: String,
    /// What stands there.
    pub found: String,
    /// The whole line.
    pub text: String,
}

/// One mistake that keeps a map from being used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("map {map}, line {line}, column {column}: {reason}")]
pub struct CompileError {
    /// Canonical url of the map.
    pub map: String,
    /// Line of the map's text, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What is wrong, and what to mend.
    pub reason: String,
}

/// Everything that the compiler has to say about maps.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Findings {
    /// What keeps the maps from being used.
    pub errors: Vec<CompileError>,
    /// What has no effect, or not the one that the author expects; the maps run all the same.
    pub warnings: Vec<Warning>,
}

/// What a map says that the specification does not allow, or that has no effect; it runs all the
/// same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// Canonical url of the map.
    pub map: String,
    /// Line of the map's text, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What to mend.
    pub reason: String,
}

impl From<CompileError> for Warning {
    fn from(error: CompileError) -> Self {
        let CompileError {
            map,
            line,
            column,
            reason,
        } = error;
        Self {
            map,
            line,
            column,
            reason,
        }
    }
}

impl Display for Warning {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        let Self {
            map,
            line,
            column,
            reason,
        } = self;
        write!(
            formatter,
            "map {map}, line {line}, column {column}: {reason}"
        )
    }
}

/// What is wrong with a map, a StructureDefinition or a ConceptMap.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MapError {
    /// The text is not FHIR Mapping Language: one mistake at least, in the order of the text.
    #[error("{}", lines(.0))]
    Syntax(Vec<SyntaxError>),
    /// Maps ask for what is not there, or for what cannot work: one mistake at least, by map and in
    /// the order of its text. Very many are cut off.
    #[error("{}", lines(.0))]
    Compile(Vec<CompileError>),
    /// A StructureDefinition or ConceptMap cannot be read.
    #[error("{resource}: {reason}")]
    Resource {
        /// Its resource type and `url`, or what is known of them.
        resource: String,
        /// What to mend.
        reason: String,
    },
}

/// Why a transform gives no result. Names elements and rules, never quotes the input.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TransformError {
    /// No map with this url is loaded.
    #[error("no map with url {0} is loaded")]
    UnknownMap(String),
    /// The input does not fit the map.
    #[error("map {map}, group {group}, rule {rule}: {reason}")]
    Failed {
        /// Canonical url of the map whose rule failed.
        map: String,
        /// Name of its group.
        group: String,
        /// Name of the rule.
        rule: String,
        /// What does not fit.
        reason: String,
    },
    /// A definition that the map needs is missing, or it cannot be used: whoever keeps the definitions
    /// has to mend that, whatever the input is.
    #[error("map {map}, group {group}, rule {rule}: {reason}")]
    Definitions {
        /// Canonical url of the map whose rule failed.
        map: String,
        /// Name of its group.
        group: String,
        /// Name of the rule.
        rule: String,
        /// What is missing, and what to do.
        reason: String,
    },
    /// The transform would do more than its [`Limits`](crate::Limits) allow.
    #[error("map {map}, group {group}, rule {rule}: {limit}")]
    Limit {
        /// Canonical url of the map whose rule ran.
        map: String,
        /// Name of its group.
        group: String,
        /// Name of the rule.
        rule: String,
        /// Which limit it reached.
        limit: String,
    },
}

fn lines(errors: &[impl Display]) -> String {
    let lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
    lines.join("\n")
}
