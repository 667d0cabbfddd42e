//! The cases that do not pass, and why.

/// Versions, name and reason.
const EXCEPTIONS: [(&[&str], &str, &str); 7] = [
    (
        &["r4", "r4b", "r5"],
        "HighBoundaryDateTimeMillisecond1",
        "the latest moment of the hour 08 is 08:59:59.999; expected is 08:00:59.999",
    ),
    (
        &["r4", "r4b", "r5"],
        "HighBoundaryDateTimeMillisecond3",
        "the latest moment of the hour 08 is 08:59:59.999; expected is 08:00:59.999",
    ),
    (
        &["r5"],
        "dvConceptMapExample",
        "ConceptMap has other elements in R5, and the types that are built in are R4's",
    ),
    (
        &["r5"],
        "testMultipleResolve",
        "DiagnosticReport has other elements in R5, and the types that are built in are R4's",
    ),
    (&["r5"], "testHasTemplateId1", CDA),
    (&["r5"], "testHasTemplateId2", CDA),
    (&["r5"], "testHasTemplateId3", CDA),
];

const CDA: &str = "CDA's types are not built in, and hasTemplateIdOf is for them only";

pub(super) fn of(version: &str) -> impl Iterator<Item = (&'static str, &'static str)> {
    let exceptions = EXCEPTIONS
        .iter()
        .filter(move |(versions, ..)| versions.contains(&version));
    exceptions.map(|(_, name, reason)| (*name, *reason))
}
