//! Maps with every name resolved: groups, rules, and what they read and write.

pub(crate) mod compile;
mod findings;
pub(crate) mod scope;
pub(crate) mod suggestion;

use std::collections::HashMap;

use serde_json::Value;

use crate::concept_map::Translations;
use crate::definitions::TypeId;
use crate::fhirpath::compile::Compiled;
use crate::item::Member;
use crate::language::syntax::{Mode, SourceListMode};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct GroupId(pub(crate) usize);

#[derive(Debug)]
pub(crate) struct Program {
    pub(crate) maps: Vec<MapEntry>,
    pub(crate) by_url: HashMap<String, usize>,
    pub(crate) groups: Vec<Group>,
}

/// A map: where it begins, and what is implied in its rules.
#[derive(Debug)]
pub(crate) struct MapEntry {
    pub(crate) url: String,
    /// Or why it can only be imported.
    pub(crate) entry: Result<Entry, String>,
    pub(crate) defaults: Defaults,
}

/// A map's first group, when it reads one thing and writes another.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) group: GroupId,
    pub(crate) source: TypeId,
    pub(crate) target: TypeId,
}

/// The groups that rules without `then` use.
#[derive(Debug, Default)]
pub(crate) struct Defaults {
    pub(crate) by_types: HashMap<(TypeId, TypeId), GroupId>,
    /// The type that a source's type becomes (`<<type+>>`).
    pub(crate) by_source: HashMap<TypeId, TypeId>,
}

#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) map: usize,
    pub(crate) name: String,
    /// The modes of the inputs, which are in the first slots.
    pub(crate) inputs: Vec<Mode>,
    pub(crate) slots: usize,
    pub(crate) extends: Option<Extended>,
    /// Slots of what its outermost rules share, by the name of that.
    pub(crate) shared: HashMap<String, usize>,
    pub(crate) rules: Vec<Rule>,
    /// Why a transform fails when it runs the group.
    pub(crate) failure: Option<String>,
}

/// The group that another one begins with.
#[derive(Debug)]
pub(crate) struct Extended {
    pub(crate) group: GroupId,
    /// The slots of the extending group that are its inputs.
    pub(crate) inputs: Vec<usize>,
}

#[derive(Debug)]
pub(crate) struct Rule {
    pub(crate) name: String,
    pub(crate) sources: Vec<Source>,
    pub(crate) targets: Vec<Target>,
    pub(crate) rules: Vec<Rule>,
    pub(crate) calls: Vec<Call>,
    /// Slots of what the rule's own rules share: they begin anew each time that the rule runs.
    pub(crate) shared: Vec<usize>,
    /// Slots of the source and the target that a default group is run with.
    pub(crate) default_group: Option<(usize, usize)>,
    /// Why a transform fails when the rule is to do something.
    pub(crate) failure: Option<String>,
}

#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) context: usize,
    pub(crate) path: Vec<Member>,
    pub(crate) type_id: Option<TypeId>,
    pub(crate) cardinality: Option<(usize, Option<usize>)>,
    pub(crate) default: Option<Operand>,
    pub(crate) list_mode: Option<SourceListMode>,
    pub(crate) variable: Option<usize>,
    pub(crate) condition: Option<Compiled>,
    pub(crate) check: Option<Compiled>,
}

impl Source {
    /// Whether it is a variable alone, so that the rule runs once whenever it is reached.
    pub(crate) fn is_always_there(&self) -> bool {
        self.is_plain() && self.path.is_empty() && self.condition.is_none()
    }

    /// Whether there is nothing to it but a path and a condition.
    pub(crate) fn is_plain(&self) -> bool {
        self.type_id.is_none()
            && self.cardinality.is_none()
            && self.default.is_none()
            && self.list_mode.is_none()
            && self.check.is_none()
    }
}

#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) place: Option<(usize, Member)>,
    /// Whether the variable itself is written, which is a primitive then.
    pub(crate) is_whole: bool,
    pub(crate) transform: Transform,
    pub(crate) variable: Option<usize>,
}

#[derive(Debug)]
pub(crate) enum Transform {
    /// An empty item of the element.
    Make,
    /// One item of the element for all rules that share the first slot; what another slot has
    /// already, is taken instead.
    Share(Vec<usize>),
    Copy(Operand),
    /// An expression about an item.
    Evaluate(Operand, Compiled),
    /// The source by its default: a created target if a default group takes it, else a copy.
    Default(usize),
    Create(TypeId),
    /// A type that follows from the element, or from the source in the slot.
    CreateImplied(Option<usize>),
    Truncate(Operand, Operand),
    Append(Vec<Operand>),
    /// Text of a format, if there is a first one, in another format.
    Escape(Operand, Option<TextFormat>, TextFormat),
    Uuid,
    Cast(Operand, TypeId),
    Translate {
        source: Operand,
        translator: Translator,
        result: TranslationResult,
    },
    /// The url of what an OID identifies.
    OidToUri(Operand),
    /// `Type/id` of a resource that is being built.
    Reference(Operand),
    /// `urn:uuid:` and the id of a resource that is being built.
    Pointer(Operand),
    /// An object of these elements.
    Object(TypeId, Vec<(&'static str, Operand)>),
    /// A CodeableConcept of one coding of these elements.
    Concept(TypeId, Vec<(&'static str, Operand)>),
    QuantityOfText(TypeId, Operand),
    /// An Identifier of these elements; its type, if there is one, is a code.
    Identifier(TypeId, Vec<(&'static str, Operand)>),
    ContactPointOfValue(TypeId, Operand),
}

/// Who knows what a code becomes.
#[derive(Debug)]
pub(crate) enum Translator {
    Loaded(Translations),
    /// The terminology server, by the concept map's canonical url.
    Server(String),
}

/// What `translate` gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TranslationResult {
    Code,
    System,
    Display,
    Coding,
    CodeableConcept,
}

/// A format that `escape` knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TextFormat {
    Json,
    Xml,
}

impl Transform {
    /// Its name in the language, for an author.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Make | Self::Create(_) | Self::CreateImplied(_) => "create",
            Self::Share(_) => "share",
            Self::Copy(Operand::Expression(_)) | Self::Evaluate(..) => "evaluate",
            Self::Copy(_) | Self::Default(_) => "copy",
            Self::Truncate(..) => "truncate",
            Self::Append(_) => "append",
            Self::Escape(..) => "escape",
            Self::Uuid => "uuid",
            Self::Cast(..) => "cast",
            Self::Translate { .. } | Self::OidToUri(_) => "translate",
            Self::Reference(_) => "reference",
            Self::Pointer(_) => "pointer",
            Self::Object(..) => "a data type",
            Self::Concept(..) => "cc",
            Self::QuantityOfText(..) => "qty",
            Self::Identifier(..) => "id",
            Self::ContactPointOfValue(..) => "cp",
        }
    }
}

/// A parameter.
#[derive(Debug)]
pub(crate) enum Operand {
    Literal(Value, TypeId),
    Slot(usize),
    Expression(Compiled),
}

#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) group: GroupId,
    pub(crate) parameters: Vec<Operand>,
}
