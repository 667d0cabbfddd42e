//! Rules and their sources.

use super::{Mark, Parser};
use crate::error::SyntaxError;
use crate::fhirpath::syntax::Expression;
use crate::language::lexer::{Span, Token};
use crate::language::syntax::{Rule, Source, SourceListMode, SourceSpans};

/// The context of a source that is `search(query)`.
pub(crate) const QUERY: &str = "@search";

impl Parser<'_> {
    /// Rules up to the closing brace.
    pub(super) fn rules(&mut self) -> Result<Vec<Rule>, SyntaxError> {
        self.nested(|parser| {
            let mut rules = Vec::new();
            loop {
                if *parser.token() == Token::Symbol("}") {
                    parser.mark(Mark::Close);
                    parser.advance();
                    return Ok(rules);
                }
                let begin = parser.next;
                match parser.rule() {
                    Ok((rule, elements)) if elements.is_empty() => rules.push(rule),
                    Ok((rule, elements)) => {
                        let rules_of_elements = elements.iter().map(|name| of_element(&rule, name));
                        rules.extend(rules_of_elements);
                    }
                    Err(error) => parser.recover(error, begin)?,
                }
            }
        })
    }

    /// A rule, or one that stands for a copy of each of these elements.
    fn rule(&mut self) -> Result<(Rule, Vec<String>), SyntaxError> {
        self.mark(Mark::Rule);
        let begin = self.next;
        let mut rule = Rule {
            position: self.position(),
            name: None,
            documentation: self.comments_above(),
            sources: vec![self.source()?],
            targets: Vec::new(),
            rules: Vec::new(),
            calls: Vec::new(),
        };
        while self.take_symbol(",") {
            self.mark(Mark::Source);
            rule.sources.push(self.source()?);
        }
        if self.take_symbol("->") {
            self.mark(Mark::Target);
            rule.targets.push(self.target()?);
            while self.take_symbol(",") {
                self.mark(Mark::Target);
                rule.targets.push(self.target()?);
            }
        }
        let elements = self.elements_of_copies(&rule)?;
        let has_then = self.at_word("then");
        if has_then {
            self.mark(Mark::Then);
            self.take_word("then");
            if *self.token() != Token::Symbol("{") {
                rule.calls.push(self.call()?);
                while self.take_symbol(",") {
                    rule.calls.push(self.call()?);
                }
            }
        }
        let commented = self.comments_of_rule(begin, &mut rule.documentation);
        if has_then && *self.token() == Token::Symbol("{") {
            self.mark(Mark::Open);
            self.advance();
            rule.rules = self.rules()?;
        }
        if self.at_name_of_rule() {
            rule.name = Some(match self.text("") {
                Ok(name) => name,
                Err(_) => self.identifier("the rule's name")?,
            });
        }
        if self.take_symbol(";") {
            rule.documentation.extend(self.comment_at_end());
        } else {
            let next_line = self.position().line > self.line_before();
            match self.token() {
                Token::Symbol("}") => {}
                Token::Word(_) | Token::Quoted(_) if next_line => {}
                _ => return Err(self.unexpected("`->`, `then`, `,`, the rule's name or `;`")),
            }
            if self.next > commented {
                rule.documentation.extend(self.comment_at_end());
            }
            self.mark(Mark::Missing(";"));
            self.warn("a rule ends with `;`");
        }
        Ok((rule, elements))
    }

    /// `a, b` of `source -> target : a, b` (FHIR R5, Simple Form: Identity Transform); none of any
    /// other rule.
    fn elements_of_copies(&mut self, rule: &Rule) -> Result<Vec<String>, SyntaxError> {
        let mut elements = Vec::new();
        if !has_no_elements(rule) || !self.take_symbol(":") {
            return Ok(elements);
        }
        loop {
            elements.push(self.identifier("an element")?);
            if !self.take_symbol(",") {
                return Ok(elements);
            }
        }
    }

    /// Whether the rule's name stands here. Else a word is the next rule's source, and a `;` is
    /// missing.
    fn at_name_of_rule(&self) -> bool {
        match self.token() {
            Token::Text(_) => true,
            Token::Word(_) | Token::Quoted(_) => {
                matches!(self.peek(), Token::Symbol(";" | "}"))
            }
            _ => false,
        }
    }

    /// Adds the comments between the token `begin` and this one, which it returns. Where the rule
    /// has ended before this token, what stands above it is not about the rule.
    fn comments_of_rule(&self, begin: usize, documentation: &mut Vec<Span>) -> usize {
        for token in begin + 1..self.next {
            let comments = self.comments_before(token).iter();
            documentation.extend(comments.map(|comment| comment.span));
        }
        let goes_on = matches!(self.token(), Token::Symbol(";" | "{")) || self.at_name_of_rule();
        let line = self.line_before();
        let comments = self.comments_before(self.next).iter();
        let comments = comments.filter(|comment| goes_on || comment.line == line);
        documentation.extend(comments.map(|comment| comment.span));
        self.next
    }

    fn source(&mut self) -> Result<Source, SyntaxError> {
        let position = self.position();
        let mut context = self.identifier("the source of a rule, or `}`")?;
        let path = if context == "search" && self.take_symbol("(") {
            // As the resource has it: a query instead of an element.
            context = QUERY.to_owned();
            let (_, span) = self.spanned_expression()?;
            self.symbol(")")?;
            vec![span.of(self.text).to_owned()]
        } else {
            self.path()?
        };
        let mut source = Source {
            position,
            context,
            path,
            type_name: None,
            cardinality: None,
            default: None,
            list_mode: None,
            variable: None,
            condition: None,
            check: None,
            log: None,
            spans: SourceSpans::default(),
        };
        if self.take_symbol(":") {
            source.type_name = Some(self.named_type("a type")?);
        }
        if let Token::Integer(minimum) = *self.token() {
            let minimum = usize::try_from(minimum).unwrap_or_default();
            self.advance();
            self.symbol("..")?;
            let maximum = match *self.token() {
                Token::Integer(maximum) => usize::try_from(maximum).ok(),
                Token::Symbol("*") => None,
                _ => return Err(self.unexpected("a number or `*`")),
            };
            self.advance();
            source.cardinality = Some((minimum, maximum));
        }
        if self.take_word("default") {
            let begin = self.next;
            source.default = Some(self.parameter()?);
            source.spans.default = Some(self.span_since(begin));
        }
        let modes = [
            ("first", SourceListMode::First),
            ("not_first", SourceListMode::NotFirst),
            ("last", SourceListMode::Last),
            ("not_last", SourceListMode::NotLast),
            ("only_one", SourceListMode::OnlyOne),
        ];
        source.list_mode = modes
            .into_iter()
            .find(|(word, _)| self.take_word(word))
            .map(|(_, mode)| mode);
        if self.take_word("as") {
            source.variable = Some(self.identifier("the variable's name")?);
        }
        (source.condition, source.spans.condition) = self.clause("where")?.unzip();
        (source.check, source.spans.check) = self.clause("check")?.unzip();
        (source.log, source.spans.log) = self.clause("log")?.unzip();
        Ok(source)
    }

    /// A word and the expression after it, if the word stands here.
    fn clause(&mut self, word: &str) -> Result<Option<(Expression, Span)>, SyntaxError> {
        if !self.at_word(word) {
            return Ok(None);
        }
        self.mark(Mark::Clause);
        self.take_word(word);
        self.spanned_expression().map(Some)
    }

    pub(super) fn spanned_expression(&mut self) -> Result<(Expression, Span), SyntaxError> {
        let begin = self.next;
        let expression = self.expression()?;
        Ok((expression, self.span_since(begin)))
    }

    /// A type or alias, or the url of a type in quotes.
    pub(super) fn named_type(&mut self, expected: &str) -> Result<String, SyntaxError> {
        if let Token::Text(_) = self.token() {
            return self.text(expected);
        }
        let mut name = self.identifier(expected)?;
        while self.take_symbol(".") {
            name.push('.');
            name.push_str(&self.identifier(expected)?);
        }
        Ok(name)
    }

    pub(super) fn path(&mut self) -> Result<Vec<String>, SyntaxError> {
        let mut path = Vec::new();
        while self.take_symbol(".") {
            // A name such as `-260` of a logical model stands in quotes.
            path.push(match self.token() {
                Token::Text(_) => self.text("an element")?,
                _ => self.identifier("an element")?,
            });
        }
        Ok(path)
    }
}

/// Whether the rule says nothing but a variable that is read and one that is written.
fn has_no_elements(rule: &Rule) -> bool {
    match (rule.sources.as_slice(), rule.targets.as_slice()) {
        ([source], [target]) => {
            source.path.is_empty()
                && source.variable.is_none()
                && target.context.is_some()
                && target.path.is_empty()
                && target.transform.is_none()
                && target.variable.is_none()
        }
        _ => false,
    }
}

/// The copy of one element.
fn of_element(rule: &Rule, element: &str) -> Rule {
    let mut rule = rule.clone();
    let prefix = rule.name.unwrap_or_default();
    rule.name = Some(format!("{prefix}{element}"));
    for source in &mut rule.sources {
        source.path = vec![element.to_owned()];
    }
    for target in &mut rule.targets {
        target.path = vec![element.to_owned()];
    }
    rule
}
