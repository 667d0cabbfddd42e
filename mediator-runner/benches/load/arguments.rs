use std::str::FromStr;

use super::server::Settings;

/// What is to be measured.
pub(crate) struct Arguments {
    /// For each line.
    pub(crate) seconds: u64,
    /// How many, instead of one and sixteen.
    clients: Option<usize>,
    /// With cards or without, instead of both.
    pub(crate) card: Option<bool>,
    /// Forms of code that a certificate has, instead of every one.
    forms: Option<String>,
    /// Each real back end in turn.
    pub(crate) back_ends: bool,
    /// Names of the lines that are wanted, instead of all.
    only: Option<Vec<String>>,
    /// For programs, instead of a table.
    pub(crate) json: bool,
}

impl Arguments {
    pub(crate) fn of(arguments: Vec<String>) -> Self {
        let value = |name: &str| {
            let index = arguments.iter().position(|argument| argument == name)?;
            Some(arguments.get(index + 1).expect(name).clone())
        };
        let has = |name: &str| arguments.iter().any(|argument| argument == name);
        Self {
            seconds: value("--seconds").map_or(10, parsed),
            clients: value("--clients").map(parsed),
            card: value("--card").map(parsed),
            forms: value("--forms"),
            back_ends: has("--back-ends"),
            only: value("--only").map(|names| names.split(',').map(str::to_owned).collect()),
            json: has("--json"),
        }
    }

    pub(crate) fn clients(&self) -> Vec<usize> {
        self.clients
            .map_or_else(|| vec![1, 16], |count| vec![count])
    }

    /// Settings of the server that is measured.
    pub(crate) fn settings(&self) -> Settings {
        let forms = self.forms.iter();
        forms
            .map(|forms| ("MEDIATOR_CODES__FORMS".to_owned(), forms.clone()))
            .collect()
    }

    /// Whether the line of this name is wanted.
    pub(crate) fn wants(&self, line: &str) -> bool {
        let only = self.only.as_ref();
        only.is_none_or(|names| names.iter().any(|name| name == line))
    }
}

fn parsed<T: FromStr>(text: String) -> T {
    let parsed = text.parse().ok();
    parsed.expect("a number, or true or false")
}
