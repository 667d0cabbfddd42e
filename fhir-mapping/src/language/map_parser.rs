//! The grammar of FHIR Mapping Language (R4 and R5), by recursive descent.

use serde_json::{Number, Value};

use super::lexer::{Position, Token, line_of, tokens};
use super::syntax::{
    Call, ConceptMap, Constant, DefaultFor, Group, Import, Input, Mapping, Mode, Parameter, Rule,
    Source, SourceListMode, Structure, StructureMap, StructureMode, Target, TargetListMode,
    Transform,
};
use crate::error::SyntaxError;
use crate::fhirpath::syntax::{Expression, ExpressionKind};

/// How deep rules and expressions may nest, so that no text exhausts the stack.
const MAXIMUM_DEPTH: usize = 64;

/// How many mistakes are reported at once.
const MAXIMUM_ERRORS: usize = 20;

pub(crate) struct Parser<'t> {
    text: &'t str,
    tokens: Vec<(Token, Position)>,
    next: usize,
    depth: usize,
    errors: Vec<SyntaxError>,
    warnings: Vec<(Position, &'static str)>,
}

/// A map, and what in its text is tolerated only.
pub(crate) type Parsed = (StructureMap, Vec<(Position, &'static str)>);

/// Parses one map. After a mistake it goes on with the next rule or declaration, so that an author
/// sees several at once.
pub(crate) fn parse(text: &str) -> Result<Parsed, Vec<SyntaxError>> {
    let mut parser = Parser::new(text).map_err(|error| vec![error])?;
    let map = parser.map();
    match (map, parser.errors.is_empty()) {
        (Ok(map), true) => Ok((map, parser.warnings)),
        (Ok(_), false) => Err(parser.errors),
        (Err(error), _) => {
            // What is missing at the end follows from the mistakes before.
            if parser.errors.is_empty() || *parser.token() != Token::End {
                parser.errors.push(error);
            }
            Err(parser.errors)
        }
    }
}

/// Parses an expression that stands alone.
#[cfg(test)]
pub(crate) fn expression(text: &str) -> Result<Expression, SyntaxError> {
    let mut parser = Parser::new(text)?;
    let expression = parser.expression()?;
    match parser.token() {
        Token::End => Ok(expression),
        _ => Err(parser.unexpected("the end")),
    }
}

impl<'t> Parser<'t> {
    fn new(text: &'t str) -> Result<Self, SyntaxError> {
        Ok(Self {
            text,
            tokens: tokens(text)?,
            next: 0,
            depth: 0,
            errors: Vec::new(),
            warnings: Vec::new(),
        })
    }

    pub(crate) fn token(&self) -> &Token {
        self.tokens
            .get(self.next)
            .map_or(&Token::End, |(token, _)| token)
    }

    fn peek(&self) -> &Token {
        self.tokens
            .get(self.next + 1)
            .map_or(&Token::End, |(token, _)| token)
    }

    pub(crate) fn position(&self) -> Position {
        self.tokens
            .get(self.next)
            .or(self.tokens.last())
            .map_or(Position { line: 1, column: 1 }, |(_, position)| *position)
    }

    /// The line of the token before this one.
    fn line_before(&self) -> usize {
        let before = self.next.checked_sub(1).and_then(|at| self.tokens.get(at));
        before.map_or(0, |(_, position)| position.line)
    }

    pub(crate) fn advance(&mut self) {
        self.next += 1;
    }

    pub(crate) fn unexpected(&self, expected: &str) -> SyntaxError {
        let position = self.position();
        SyntaxError {
            line: position.line,
            column: position.column,
            expected: expected.to_owned(),
            found: self.token().describe(),
            text: line_of(self.text, position.line),
        }
    }

    fn warn(&mut self, text: &'static str) {
        self.warnings.push((self.position(), text));
    }

    /// Notes a mistake in the rule or declaration that began at the token `begin`, and skips the
    /// rest of it: up to a `;`, or to the brace or word that can only stand after it.
    ///
    /// # Errors
    /// The mistake, when the text ends before that, or when there are too many.
    fn recover(&mut self, error: SyntaxError, begin: usize) -> Result<(), SyntaxError> {
        if self.errors.len() + 1 == MAXIMUM_ERRORS {
            return Err(error);
        }
        let mut braces = 0_usize;
        for (token, _) in &self.tokens[begin..self.next.min(self.tokens.len())] {
            match token {
                Token::Symbol("{") => braces += 1,
                Token::Symbol("}") => braces = braces.saturating_sub(1),
                _ => {}
            }
        }
        loop {
            match self.token() {
                Token::End => return Err(error),
                Token::Symbol("{") => braces += 1,
                Token::Symbol("}") if braces == 0 => break,
                Token::Symbol("}") => braces -= 1,
                Token::Symbol(";") if braces == 0 => {
                    self.advance();
                    break;
                }
                Token::Word(word) if word == "group" && self.peek_is_declaration() => break,
                _ => {}
            }
            self.advance();
        }
        self.errors.push(error);
        Ok(())
    }

    /// Whether what follows looks like the name and the inputs of a group.
    fn peek_is_declaration(&self) -> bool {
        let after = self.tokens.get(self.next + 2).map(|(token, _)| token);
        matches!(self.peek(), Token::Word(_)) && after == Some(&Token::Symbol("("))
    }

    /// Runs a part of the grammar that may contain itself.
    pub(crate) fn nested<T>(
        &mut self,
        part: impl FnOnce(&mut Self) -> Result<T, SyntaxError>,
    ) -> Result<T, SyntaxError> {
        if self.depth == MAXIMUM_DEPTH {
            return Err(self.unexpected(&format!("at most {MAXIMUM_DEPTH} levels of nesting")));
        }
        self.depth += 1;
        let result = part(self);
        self.depth -= 1;
        result
    }

    pub(crate) fn take_symbol(&mut self, symbol: &str) -> bool {
        let found = matches!(self.token(), Token::Symbol(found) if *found == symbol);
        if found {
            self.advance();
        }
        found
    }

    pub(crate) fn symbol(&mut self, symbol: &str) -> Result<(), SyntaxError> {
        if self.take_symbol(symbol) {
            Ok(())
        } else {
            Err(self.unexpected(&format!("`{symbol}`")))
        }
    }

    fn at_word(&self, word: &str) -> bool {
        matches!(self.token(), Token::Word(found) if found == word)
    }

    pub(crate) fn take_word(&mut self, word: &str) -> bool {
        let found = self.at_word(word);
        if found {
            self.advance();
        }
        found
    }

    pub(crate) fn word(&mut self, word: &str) -> Result<(), SyntaxError> {
        if self.take_word(word) {
            Ok(())
        } else {
            Err(self.unexpected(&format!("`{word}`")))
        }
    }

    pub(crate) fn identifier(&mut self, expected: &str) -> Result<String, SyntaxError> {
        match self.token() {
            Token::Word(name) | Token::Quoted(name) => {
                let name = name.clone();
                self.advance();
                Ok(name)
            }
            _ => Err(self.unexpected(expected)),
        }
    }

    fn text(&mut self, expected: &str) -> Result<String, SyntaxError> {
        match self.token() {
            Token::Text(text) => {
                let text = text.clone();
                self.advance();
                Ok(text)
            }
            _ => Err(self.unexpected(expected)),
        }
    }

    /// A constant and its FHIR type, if one stands here.
    pub(crate) fn literal(&mut self) -> Result<Option<(Value, &'static str)>, SyntaxError> {
        let literal = match self.token() {
            Token::Text(text) => (Value::String(text.clone()), "string"),
            Token::Integer(number) => (Value::from(*number), "integer"),
            Token::Decimal(number) => match number.parse::<Number>() {
                Ok(number) => (Value::Number(number), "decimal"),
                Err(_) => return Err(self.unexpected("a decimal")),
            },
            Token::Time(time) => {
                let type_name = if time.starts_with('T') {
                    "time"
                } else if time.contains('T') {
                    "dateTime"
                } else {
                    "date"
                };
                let text = time.trim_start_matches('T').trim_end_matches('T');
                (Value::String(text.to_owned()), type_name)
            }
            Token::Word(word) if word == "true" || word == "false" => {
                (Value::Bool(word == "true"), "boolean")
            }
            _ => return Ok(None),
        };
        self.advance();
        Ok(Some(literal))
    }

    fn map(&mut self) -> Result<StructureMap, SyntaxError> {
        let mut map = StructureMap {
            url: String::new(),
            structures: Vec::new(),
            imports: Vec::new(),
            constants: Vec::new(),
            concept_maps: Vec::new(),
            groups: Vec::new(),
        };
        loop {
            let position = self.position();
            if *self.token() == Token::Metadata {
                self.metadata(&mut map)?;
            } else if self.take_word("map") {
                map.url = self.text("the map's url in quotes")?;
                self.symbol("=")?;
                if self.text("").is_err() {
                    self.identifier("the map's name")?;
                }
            } else if self.take_word("uses") {
                map.structures.push(self.structure()?);
            } else if self.take_word("imports") {
                let url = self.text("the url of a map in quotes")?;
                map.imports.push(Import { url, position });
                self.take_symbol(";");
            } else if self.take_word("let") {
                let name = self.identifier("the constant's name")?;
                self.symbol("=")?;
                let expression = self.expression()?;
                self.symbol(";")?;
                map.constants.push(Constant { name, expression });
            } else if self.take_word("conceptmap") {
                map.concept_maps.push(self.concept_map()?);
            } else if self.take_word("group") {
                let begin = self.next;
                match self.group(position) {
                    Ok(group) => map.groups.push(group),
                    Err(error) => {
                        self.recover(error, begin)?;
                        self.take_symbol("}");
                    }
                }
            } else if *self.token() == Token::End
                && !(map.groups.is_empty() && self.errors.is_empty())
            {
                break;
            } else {
                return Err(self.unexpected(
                    "`///`, `map`, `conceptmap`, `uses`, `imports`, `let` or `group`",
                ));
            }
        }
        if map.url.is_empty() && self.errors.is_empty() {
            self.next = 0;
            return Err(self.unexpected("the map's url: `/// url = '…'` or `map \"…\" = \"…\"`"));
        }
        Ok(map)
    }

    /// `/// name = value` on one line; only `url` matters here.
    fn metadata(&mut self, map: &mut StructureMap) -> Result<(), SyntaxError> {
        let line = self.position().line;
        self.advance();
        let mut name = self.identifier("the name of a metadata element")?;
        while self.take_symbol(".") || self.take_symbol("-") {
            name.push('.');
            name.push_str(&self.identifier("the name of a metadata element")?);
        }
        self.symbol("=")?;
        if name == "url" {
            map.url = self.text("the map's url in quotes")?;
        }
        while self.position().line == line && *self.token() != Token::End {
            self.advance();
        }
        Ok(())
    }

    fn structure(&mut self) -> Result<Structure, SyntaxError> {
        let url = self.text("the url of a StructureDefinition in quotes")?;
        let alias = if self.take_word("alias") {
            Some(self.identifier("the alias of the structure")?)
        } else {
            None
        };
        self.word("as")?;
        let modes = [
            ("source", StructureMode::Source),
            ("queried", StructureMode::Queried),
            ("target", StructureMode::Target),
            ("produced", StructureMode::Produced),
        ];
        let mode = modes
            .into_iter()
            .find(|(word, _)| self.take_word(word))
            .ok_or_else(|| self.unexpected("`source`, `queried`, `target` or `produced`"))?
            .1;
        self.take_symbol(";");
        Ok(Structure { url, alias, mode })
    }

    fn concept_map(&mut self) -> Result<ConceptMap, SyntaxError> {
        let name = self.text("the concept map's name in quotes")?;
        let url = format!("#{}", name.trim_start_matches('#'));
        self.symbol("{")?;
        let mut prefixes: Vec<(String, String)> = Vec::new();
        while self.take_word("prefix") {
            let prefix = self.identifier("a prefix")?;
            self.symbol("=")?;
            let system = match self.text("") {
                Ok(system) => system,
                Err(_) => return Err(self.unexpected("the url of a code system in quotes")),
            };
            prefixes.push((prefix, system));
            self.take_symbol(";");
        }
        if self.at_word("unmapped") {
            return Err(self.unexpected("a mapping (`unmapped` is not supported)"));
        }
        let mut mappings = Vec::new();
        while !self.take_symbol("}") {
            let (source_system, source_code) = self.coded(&prefixes)?;
            let usable = self.relation()?;
            let (target_system, target_code) = self.coded(&prefixes)?;
            self.take_symbol(";");
            mappings.push(Mapping {
                source_system,
                source_code,
                target_system,
                target_code,
                usable,
            });
        }
        Ok(ConceptMap { url, mappings })
    }

    /// `prefix:code`.
    fn coded(&mut self, prefixes: &[(String, String)]) -> Result<(String, String), SyntaxError> {
        let known = match self.token() {
            Token::Word(prefix) => prefixes.iter().find(|(name, _)| name == prefix),
            _ => None,
        };
        let Some((_, system)) = known else {
            return Err(self.unexpected("a prefix that is declared above, or `}`"));
        };
        self.advance();
        self.symbol(":")?;
        let code = match self.token().clone() {
            Token::Word(code) | Token::Quoted(code) | Token::Text(code) | Token::Decimal(code) => {
                self.advance();
                code
            }
            Token::Integer(_) => {
                // The number's own spelling counts: codes may begin with 0.
                let code = self.spelling();
                self.advance();
                code
            }
            _ => return Err(self.unexpected("a code; in quotes, if it is no word or number")),
        };
        Ok((system.clone(), code))
    }

    fn spelling(&self) -> String {
        let position = self.position();
        self.text
            .trim_start_matches('\u{feff}')
            .lines()
            .nth(position.line - 1)
            .unwrap_or_default()
            .chars()
            .skip(position.column - 1)
            .take_while(char::is_ascii_digit)
            .collect()
    }

    /// Whether the relation lets the target stand for the source.
    fn relation(&mut self) -> Result<bool, SyntaxError> {
        // `<=`: the source is narrower than the target.
        for (symbols, usable) in [
            (&["=="][..], true),
            (&["="], true),
            (&["~"], true),
            (&["<="], true),
            (&[">="], false),
            (&["!="], false),
            (&["-"], false),
            (&["<", "-"], true),
            (&[">", "-"], false),
        ] {
            let begin = self.next;
            if symbols.iter().all(|symbol| self.take_symbol(symbol)) {
                return Ok(usable);
            }
            self.next = begin;
        }
        Err(self.unexpected("a relation: `==`, `=`, `~`, `<=`, `>=`, `<-`, `>-`, `!=` or `-`"))
    }

    fn group(&mut self, position: Position) -> Result<Group, SyntaxError> {
        if self.at_word("for") {
            return Err(self.unexpected("the group's name (`group for` is of an older draft)"));
        }
        let name = self.identifier("the group's name")?;
        self.symbol("(")?;
        let mut inputs = vec![self.input()?];
        // Published maps have a comma after the last input, or none between two.
        loop {
            if self.take_symbol(",") {
                if *self.token() == Token::Symbol(")") {
                    self.warn("no comma belongs after the last input");
                    break;
                }
            } else if self.at_word("source") || self.at_word("target") {
                self.warn("a comma belongs between two inputs");
            } else {
                break;
            }
            inputs.push(self.input()?);
        }
        self.symbol(")")?;
        let extends_at = self.position();
        let extends = if self.take_word("extends") {
            let base = self.identifier("the name of the group that is extended")?;
            Some((base, extends_at))
        } else {
            None
        };
        let default_for = if self.take_symbol("<<") {
            let default_for = if self.take_word("types") {
                DefaultFor::Types
            } else {
                self.word("type")?;
                self.symbol("+")?;
                DefaultFor::TypeAndTypes
            };
            self.symbol(">>")?;
            default_for
        } else {
            DefaultFor::Nothing
        };
        self.symbol("{")?;
        Ok(Group {
            position,
            name,
            inputs,
            extends,
            default_for,
            rules: self.rules()?,
        })
    }

    fn input(&mut self) -> Result<Input, SyntaxError> {
        let position = self.position();
        let mode = if self.take_word("source") {
            Mode::Source
        } else if self.take_word("target") {
            Mode::Target
        } else {
            return Err(self.unexpected("`source` or `target`"));
        };
        let name = self.identifier("the input's name")?;
        let type_name = if self.take_symbol(":") {
            Some(self.identifier("the input's type")?)
        } else {
            None
        };
        Ok(Input {
            position,
            mode,
            name,
            type_name,
        })
    }

    /// Rules up to the closing brace.
    fn rules(&mut self) -> Result<Vec<Rule>, SyntaxError> {
        self.nested(|parser| {
            let mut rules = Vec::new();
            while !parser.take_symbol("}") {
                let begin = parser.next;
                match parser.rule() {
                    Ok(rule) => rules.push(rule),
                    Err(error) => parser.recover(error, begin)?,
                }
            }
            Ok(rules)
        })
    }

    fn rule(&mut self) -> Result<Rule, SyntaxError> {
        let mut rule = Rule {
            position: self.position(),
            name: None,
            sources: vec![self.source()?],
            targets: Vec::new(),
            rules: Vec::new(),
            calls: Vec::new(),
        };
        while self.take_symbol(",") {
            rule.sources.push(self.source()?);
        }
        if self.take_symbol("->") {
            rule.targets.push(self.target()?);
            while self.take_symbol(",") {
                rule.targets.push(self.target()?);
            }
        }
        if self.take_word("then") {
            if self.take_symbol("{") {
                rule.rules = self.rules()?;
            } else {
                rule.calls.push(self.call()?);
                while self.take_symbol(",") {
                    rule.calls.push(self.call()?);
                }
            }
        }
        let named = match self.token() {
            Token::Text(_) => true,
            // Else it is the next rule's source, and a `;` is missing.
            Token::Word(_) | Token::Quoted(_) => {
                matches!(self.peek(), Token::Symbol(";" | "}"))
            }
            _ => false,
        };
        if named {
            rule.name = Some(match self.text("") {
                Ok(name) => name,
                Err(_) => self.identifier("the rule's name")?,
            });
        }
        if !self.take_symbol(";") {
            let next_line = self.position().line > self.line_before();
            match self.token() {
                Token::Symbol("}") => {}
                Token::Word(_) | Token::Quoted(_) if next_line => {}
                _ => return Err(self.unexpected("`->`, `then`, `,`, the rule's name or `;`")),
            }
            self.warn("a rule ends with `;`");
        }
        Ok(rule)
    }

    fn source(&mut self) -> Result<Source, SyntaxError> {
        let position = self.position();
        let context = self.identifier("the source of a rule, or `}`")?;
        let mut source = Source {
            position,
            context,
            path: self.path()?,
            type_name: None,
            cardinality: None,
            default: None,
            list_mode: None,
            variable: None,
            condition: None,
            check: None,
            log: None,
        };
        if self.take_symbol(":") {
            source.type_name = Some(self.identifier("a type")?);
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
            source.default = Some(self.parameter()?);
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
        if self.take_word("where") {
            source.condition = Some(self.expression()?);
        }
        if self.take_word("check") {
            source.check = Some(self.expression()?);
        }
        if self.take_word("log") {
            source.log = Some(self.expression()?);
        }
        Ok(source)
    }

    fn path(&mut self) -> Result<Vec<String>, SyntaxError> {
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

    fn target(&mut self) -> Result<Target, SyntaxError> {
        let position = self.position();
        let mut target = Target {
            position,
            context: None,
            path: Vec::new(),
            transform: None,
            variable: None,
            list_mode: None,
        };
        let called = matches!(self.token(), Token::Word(_) if *self.peek() == Token::Symbol("("));
        if called || *self.token() == Token::Symbol("(") {
            target.transform = Some(self.transform()?);
        } else {
            let context = self.identifier("the target of a rule")?;
            target.path = self.path()?;
            if self.take_symbol("=") {
                target.transform = Some(self.transform()?);
            }
            target.context = Some(context);
        }
        if self.take_word("as") {
            target.variable = Some(self.identifier("the variable's name")?);
        }
        target.list_mode = if self.take_word("first") {
            Some(TargetListMode::First)
        } else if self.take_word("last") {
            Some(TargetListMode::Last)
        } else if self.take_word("collate") {
            Some(TargetListMode::Collate)
        } else if self.take_word("single") {
            Some(TargetListMode::Single)
        } else if self.take_word("share") {
            Some(TargetListMode::Share(
                self.identifier("the shared item's name")?,
            ))
        } else {
            None
        };
        Ok(target)
    }

    fn transform(&mut self) -> Result<Transform, SyntaxError> {
        if self.take_symbol("(") {
            let expression = self.expression()?;
            self.symbol(")")?;
            return Ok(Transform::Evaluate(expression));
        }
        let called = matches!(self.token(), Token::Word(_) if *self.peek() == Token::Symbol("("));
        if !called {
            return Ok(Transform::Copy(self.parameter()?));
        }
        let name = self.identifier("a transform")?;
        self.symbol("(")?;
        let mut parameters = Vec::new();
        if !self.take_symbol(")") {
            parameters.push(self.parameter()?);
            while self.take_symbol(",") {
                parameters.push(if name == "evaluate" {
                    Parameter::Expression(self.expression()?)
                } else {
                    self.parameter()?
                });
            }
            self.symbol(")")?;
        }
        Ok(Transform::Call(name, parameters))
    }

    fn parameter(&mut self) -> Result<Parameter, SyntaxError> {
        let position = self.position();
        if self.take_symbol("(") {
            let expression = self.expression()?;
            self.symbol(")")?;
            return Ok(Parameter::Expression(expression));
        }
        let negative = self.take_symbol("-");
        if let Some((value, type_name)) = self.literal()? {
            let value = match (negative, value) {
                (false, value) => value,
                (true, Value::Number(number)) => match format!("-{number}").parse::<Number>() {
                    Ok(number) => Value::Number(number),
                    Err(_) => return Err(self.unexpected("a number")),
                },
                (true, _) => return Err(self.unexpected("a number")),
            };
            return Ok(Parameter::Literal(value, type_name));
        }
        // In old maps `%variable` is written for `variable`, too.
        self.take_symbol("%");
        let name = self.identifier("a constant or a variable")?;
        let mut path = Expression {
            position,
            kind: ExpressionKind::Variable(name),
        };
        for element in self.path()? {
            path = Expression {
                position,
                kind: ExpressionKind::Member(Box::new(path), element),
            };
        }
        Ok(Parameter::Path(path))
    }

    fn call(&mut self) -> Result<Call, SyntaxError> {
        let position = self.position();
        let group = self.identifier("the name of a group, or `{`")?;
        self.symbol("(")?;
        let mut parameters = Vec::new();
        if !self.take_symbol(")") {
            parameters.push(self.parameter()?);
            while self.take_symbol(",") {
                parameters.push(self.parameter()?);
            }
            self.symbol(")")?;
        }
        Ok(Call {
            position,
            group,
            parameters,
        })
    }
}
