//! What the text of a map says, before names are resolved.

use serde_json::Value;

use super::lexer::Position;
use crate::fhirpath::syntax::Expression;

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct StructureMap {
    pub(crate) url: String,
    pub(crate) structures: Vec<Structure>,
    pub(crate) imports: Vec<Import>,
    pub(crate) constants: Vec<Constant>,
    pub(crate) concept_maps: Vec<ConceptMap>,
    pub(crate) groups: Vec<Group>,
}

/// `uses "url" alias Name as mode`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Structure {
    pub(crate) url: String,
    pub(crate) alias: Option<String>,
    pub(crate) mode: StructureMode,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StructureMode {
    Source,
    Queried,
    Target,
    Produced,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Import {
    pub(crate) url: String,
    pub(crate) position: Position,
}

/// `let name = expression;`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Constant {
    pub(crate) name: String,
    pub(crate) expression: Expression,
}

/// A `conceptmap` block.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ConceptMap {
    /// With the `#` it is referred to by.
    pub(crate) url: String,
    pub(crate) mappings: Vec<Mapping>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Mapping {
    pub(crate) source_system: String,
    pub(crate) source_code: String,
    pub(crate) target_system: String,
    pub(crate) target_code: String,
    /// Whether the target says no more than the source: equivalent, equal, wider or related.
    pub(crate) usable: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Group {
    pub(crate) position: Position,
    pub(crate) name: String,
    pub(crate) inputs: Vec<Input>,
    pub(crate) extends: Option<(String, Position)>,
    pub(crate) default_for: DefaultFor,
    pub(crate) rules: Vec<Rule>,
}

/// Whether a group is the default for its types.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DefaultFor {
    Nothing,
    /// `<<types>>`: for its source and target type.
    Types,
    /// `<<type+>>`: and for its source type, when the target's type is not known.
    TypeAndTypes,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Input {
    pub(crate) position: Position,
    pub(crate) mode: Mode,
    pub(crate) name: String,
    pub(crate) type_name: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Source,
    Target,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Rule {
    pub(crate) position: Position,
    pub(crate) name: Option<String>,
    pub(crate) sources: Vec<Source>,
    pub(crate) targets: Vec<Target>,
    pub(crate) rules: Vec<Rule>,
    pub(crate) calls: Vec<Call>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Source {
    pub(crate) position: Position,
    pub(crate) context: String,
    pub(crate) path: Vec<String>,
    pub(crate) type_name: Option<String>,
    pub(crate) cardinality: Option<(usize, Option<usize>)>,
    pub(crate) default: Option<Parameter>,
    pub(crate) list_mode: Option<SourceListMode>,
    pub(crate) variable: Option<String>,
    pub(crate) condition: Option<Expression>,
    pub(crate) check: Option<Expression>,
    pub(crate) log: Option<Expression>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SourceListMode {
    First,
    NotFirst,
    Last,
    NotLast,
    OnlyOne,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Target {
    pub(crate) position: Position,
    pub(crate) context: Option<String>,
    pub(crate) path: Vec<String>,
    pub(crate) transform: Option<Transform>,
    pub(crate) variable: Option<String>,
    pub(crate) list_mode: Option<TargetListMode>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Transform {
    Copy(Parameter),
    Evaluate(Expression),
    Call(String, Vec<Parameter>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TargetListMode {
    First,
    Last,
    Collate,
    Single,
    /// `share name`: rules with the same name write to one item of the list.
    Share(String),
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Parameter {
    /// A variable, or a path that begins with one.
    Path(Expression),
    /// A constant of a FHIR primitive type.
    Literal(Value, &'static str),
    /// An expression in parentheses, or the second parameter of `evaluate`.
    Expression(Expression),
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Call {
    pub(crate) position: Position,
    pub(crate) group: String,
    pub(crate) parameters: Vec<Parameter>,
}
