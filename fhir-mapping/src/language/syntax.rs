//! What the text of a map says, before names are resolved.
//!
//! Spans are of the text without a byte order mark; those of expressions have what is written, for
//! the StructureMap resource.

use serde_json::Value;

use super::lexer::{Position, Span};
use crate::fhirpath::syntax::Expression;

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct StructureMap {
    pub(crate) url: String,
    /// From `map "url" = "name"`; `/// name` is among the metadata.
    pub(crate) name: Option<String>,
    pub(crate) metadata: Vec<Metadata>,
    /// Comments at the beginning.
    pub(crate) documentation: Vec<Span>,
    pub(crate) structures: Vec<Structure>,
    pub(crate) imports: Vec<Import>,
    pub(crate) constants: Vec<Constant>,
    pub(crate) concept_maps: Vec<ConceptMap>,
    pub(crate) groups: Vec<Group>,
}

impl StructureMap {
    /// Whether it declares nothing.
    pub(crate) fn is_empty(&self) -> bool {
        self.url.is_empty() && self.groups.is_empty()
    }
}

/// `/// path = value`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Metadata {
    /// With a `.` between its steps.
    pub(crate) path: String,
    /// None takes away what a map that this one is made from says.
    pub(crate) value: Option<Value>,
}

/// `uses "url" alias Name as mode`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Structure {
    /// The comment at its end.
    pub(crate) documentation: Vec<Span>,
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
    pub(crate) span: Span,
}

/// A `conceptmap` block.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ConceptMap {
    /// With the `#` it is referred to by.
    pub(crate) url: String,
    pub(crate) mappings: Vec<Mapping>,
    /// The relation of each mapping.
    pub(crate) relations: Vec<Relation>,
    pub(crate) unmapped: Vec<Unmapped>,
}

/// What becomes of a code system's codes that have no mapping.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unmapped {
    pub(crate) position: Position,
    pub(crate) source_system: String,
    pub(crate) mode: UnmappedMode,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum UnmappedMode {
    /// `provided`: the code stays.
    Provided,
    /// `fixed "code"`.
    Fixed(String),
    /// `other-map "url"`.
    OtherMap(String),
}

/// How the source of a mapping relates to its target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Relation {
    /// `-`
    Related,
    /// `=`
    Equal,
    /// `==`
    Equivalent,
    /// `<=`: the target is wider.
    Wider,
    /// `<-`: the target is the more general one of a hierarchy.
    Subsumes,
    /// `>=`: the target is narrower.
    Narrower,
    /// `>-`: the target is the more special one of a hierarchy.
    Specializes,
    /// `~`: they overlap.
    Inexact,
    /// `--`: there is no target.
    Unmatched,
    /// `!=`
    Disjoint,
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
    /// The comments before it.
    pub(crate) documentation: Vec<Span>,
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
    /// The comments before it, and the one at its end.
    pub(crate) documentation: Vec<Span>,
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
    pub(crate) spans: SourceSpans,
}

/// Where the expressions of a source stand.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct SourceSpans {
    pub(crate) default: Option<Span>,
    pub(crate) condition: Option<Span>,
    pub(crate) check: Option<Span>,
    pub(crate) log: Option<Span>,
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
    /// The list modes after the first.
    pub(crate) further_list_modes: Vec<TargetListMode>,
    /// Where the parameters of the transform stand.
    pub(crate) spans: Vec<Span>,
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
    /// Where the parameters stand.
    pub(crate) spans: Vec<Span>,
}
