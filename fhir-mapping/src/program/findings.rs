//! What the compiler has to say about a map.

use std::cell::RefCell;

use crate::error::{CompileError, Findings, Warning};
use crate::language::lexer::Position;

use super::scope::Refusal;

/// How many errors, and how many warnings, are told of one compilation.
const MAXIMUM_FINDINGS: usize = 200;

/// The findings of the map that is being compiled, in the order in which they are made.
#[derive(Debug, Default)]
pub(crate) struct MapFindings {
    errors: RefCell<Vec<Refusal>>,
    warnings: RefCell<Vec<Refusal>>,
    /// The first error since one was taken.
    failure: RefCell<Option<String>>,
}

impl MapFindings {
    pub(crate) fn error(&self, (position, reason): Refusal) {
        self.failure
            .borrow_mut()
            .get_or_insert_with(|| reason.clone());
        note(&self.errors, position, reason);
    }

    /// Why what was compiled since this was asked before cannot be run, if it cannot.
    pub(crate) fn take_failure(&self) -> Option<String> {
        self.failure.take()
    }

    pub(crate) fn warn(&self, position: Position, reason: String) {
        note(&self.warnings, position, reason);
    }

    /// The result, or nothing when it is noted as an error.
    pub(crate) fn noted<T>(&self, result: Result<T, Refusal>) -> Option<T> {
        result.map_err(|refusal| self.error(refusal)).ok()
    }

    /// Adds them, in the order of the map's text, to what is told.
    pub(crate) fn tell(self, map: &str, told: &mut Findings) {
        let mut errors = self.errors.into_inner();
        errors.sort_by_key(|(position, _)| (position.line, position.column));
        let room = MAXIMUM_FINDINGS.saturating_sub(told.errors.len());
        let errors = errors.into_iter().take(room);
        told.errors
            .extend(errors.map(|(position, reason)| CompileError {
                map: map.to_owned(),
                line: position.line,
                column: position.column,
                reason,
            }));
        let mut warnings = self.warnings.into_inner();
        warnings.sort_by_key(|(position, _)| (position.line, position.column));
        let room = MAXIMUM_FINDINGS.saturating_sub(told.warnings.len());
        let warnings = warnings.into_iter().take(room);
        told.warnings
            .extend(warnings.map(|(position, reason)| Warning {
                map: map.to_owned(),
                line: position.line,
                column: position.column,
                reason,
            }));
    }
}

/// What is used several times, as a constant is, is told of once.
fn note(list: &RefCell<Vec<Refusal>>, position: Position, reason: String) {
    let mut list = list.borrow_mut();
    let finding = (position, reason);
    // Beyond what is told, only the order could change.
    if list.len() < 2 * MAXIMUM_FINDINGS && !list.contains(&finding) {
        list.push(finding);
    }
}
