//! What tokens are in the layout of a map.

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mark {
    /// A word of the language, which a parenthesis does not make a function.
    Keyword,
    Declaration(Declaration),
    /// An entry of a `conceptmap` block.
    Entry,
    /// An input of a group.
    Input,
    /// The first token of a rule, which is its first source's too.
    Rule,
    /// The first token of a further source.
    Source,
    /// `where`, `check` or `log` of a source.
    Clause,
    /// The first token of a target.
    Target,
    /// `then` of a rule.
    Then,
    /// The brace that opens a block.
    Open,
    /// The brace that closes a block.
    Close,
    /// The token before which this one is missing.
    Missing(&'static str),
    /// A token that does not belong here.
    Superfluous,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Declaration {
    Metadata,
    Map,
    Uses,
    Imports,
    Let,
    ConceptMap,
    Group,
}
