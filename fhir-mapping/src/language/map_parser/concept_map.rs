//! `conceptmap` blocks.

use super::{Mark, Parser};
use crate::error::SyntaxError;
use crate::language::lexer::{Position, Token};
use crate::language::syntax::{ConceptMap, Mapping, Relation, Unmapped, UnmappedMode};

/// A relation, as the tokens it is written with.
const RELATIONS: [(&[&str], Relation); 10] = [
    (&["=="], Relation::Equivalent),
    (&["="], Relation::Equal),
    (&["~"], Relation::Inexact),
    // The source is narrower than the target.
    (&["<="], Relation::Wider),
    (&[">="], Relation::Narrower),
    (&["!="], Relation::Disjoint),
    (&["-", "-"], Relation::Unmatched),
    (&["-"], Relation::Related),
    (&["<", "-"], Relation::Subsumes),
    (&[">", "-"], Relation::Specializes),
];

impl Relation {
    /// How a `conceptmap` block writes it.
    pub(crate) fn sign(self) -> String {
        let written = RELATIONS.iter().find(|(_, relation)| *relation == self);
        written.map_or_else(String::new, |(tokens, _)| tokens.concat())
    }

    /// Whether the target may stand for the source.
    fn is_usable(self) -> bool {
        matches!(
            self,
            Self::Related
                | Self::Equivalent
                | Self::Equal
                | Self::Inexact
                | Self::Wider
                | Self::Subsumes
        )
    }
}

impl Parser<'_> {
    pub(super) fn concept_map(&mut self) -> Result<ConceptMap, SyntaxError> {
        let name = self.text("the concept map's name in quotes")?;
        let mut map = ConceptMap {
            url: format!("#{}", name.trim_start_matches('#')),
            mappings: Vec::new(),
            relations: Vec::new(),
            unmapped: Vec::new(),
        };
        self.mark(Mark::Open);
        self.symbol("{")?;
        let mut prefixes: Vec<(String, String)> = Vec::new();
        while self.at_word("prefix") {
            self.mark(Mark::Entry);
            self.take_word("prefix");
            let prefix = self.identifier("a prefix")?;
            self.symbol("=")?;
            let system = self.text("the url of a code system in quotes")?;
            prefixes.push((prefix, system));
            self.take_symbol(";");
        }
        while self.at_word("unmapped") {
            self.mark(Mark::Entry);
            let position = self.position();
            self.take_word("unmapped");
            let unmapped = self.unmapped(position, &prefixes)?;
            map.unmapped.push(unmapped);
            self.take_symbol(";");
        }
        loop {
            if *self.token() == Token::Symbol("}") {
                self.mark(Mark::Close);
                self.advance();
                return Ok(map);
            }
            self.mark(Mark::Entry);
            let (source_system, source_code) = self.coded(&prefixes)?;
            let relation = self.relation()?;
            let (target_system, target_code) = if relation == Relation::Unmatched {
                Default::default()
            } else {
                self.coded(&prefixes)?
            };
            self.take_symbol(";");
            map.relations.push(relation);
            map.mappings.push(Mapping {
                source_system,
                source_code,
                target_system,
                target_code,
                usable: relation.is_usable(),
            });
        }
    }

    /// `for prefix = provided`; `fixed "code"` and `other-map "url"` are no part of the
    /// specification's grammar, but of its ConceptMap.
    fn unmapped(
        &mut self,
        position: Position,
        prefixes: &[(String, String)],
    ) -> Result<Unmapped, SyntaxError> {
        self.word("for")?;
        let source_system = self.prefix(prefixes)?;
        self.symbol("=")?;
        let mode = if self.take_word("provided") {
            UnmappedMode::Provided
        } else if self.take_word("fixed") {
            UnmappedMode::Fixed(self.text("a code in quotes")?)
        } else if self.take_word("other") {
            self.symbol("-")?;
            self.word("map")?;
            UnmappedMode::OtherMap(self.text("the url of a ConceptMap in quotes")?)
        } else {
            return Err(self.unexpected("`provided`, `fixed` or `other-map`"));
        };
        Ok(Unmapped {
            position,
            source_system,
            mode,
        })
    }

    /// The code system that a prefix stands for.
    fn prefix(&mut self, prefixes: &[(String, String)]) -> Result<String, SyntaxError> {
        let known = match self.token() {
            Token::Word(prefix) | Token::Quoted(prefix) => {
                prefixes.iter().find(|(name, _)| name == prefix)
            }
            _ => None,
        };
        let Some((_, system)) = known else {
            return Err(self.unexpected("a prefix that is declared above, or `}`"));
        };
        self.advance();
        Ok(system.clone())
    }

    /// `prefix:code`.
    fn coded(&mut self, prefixes: &[(String, String)]) -> Result<(String, String), SyntaxError> {
        let system = self.prefix(prefixes)?;
        self.symbol(":")?;
        let code = match self.token().clone() {
            Token::Word(code) | Token::Quoted(code) | Token::Text(code) | Token::Decimal(code) => {
                code
            }
            // The number's own spelling counts: codes may begin with 0.
            Token::Integer(_) => self.spelling().to_owned(),
            _ => return Err(self.unexpected("a code; in quotes, if it is no word or number")),
        };
        self.advance();
        Ok((system, code))
    }

    fn relation(&mut self) -> Result<Relation, SyntaxError> {
        for (tokens, relation) in RELATIONS {
            let begin = self.next;
            if tokens.iter().all(|token| self.take_symbol(token)) {
                return Ok(relation);
            }
            self.next = begin;
        }
        Err(self
            .unexpected("a relation: `==`, `=`, `~`, `<=`, `>=`, `<-`, `>-`, `!=`, `--` or `-`"))
    }
}
