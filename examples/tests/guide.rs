//! Holds `docs/write-a-mediator.md` to programs that are compiled and tested.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::path::Path;

const EXAMPLES: [&str; 4] = [
    "hello-mediator/main.rs",
    "orchestrating-mediator/main.rs",
    "scheduled-mediator/main.rs",
    "async-mediator/main.rs",
];

fn read(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

fn guide() -> String {
    read("../docs/write-a-mediator.md")
}

fn blocks<'a>(guide: &'a str, language: &str) -> Vec<&'a str> {
    let fence = format!("```{language}\n");
    let begun = guide.split(fence.as_str()).skip(1);
    begun
        .map(|rest| rest.split("```").next().unwrap())
        .collect()
}

#[test]
fn its_program_is_the_example() {
    let guide = guide();
    let example = read(EXAMPLES[0]);
    let code: String = example
        .lines()
        .skip_while(|line| line.starts_with("//!") || line.is_empty())
        .map(|line| format!("{line}\n"))
        .collect();
    assert_eq!(blocks(&guide, "rust")[0], code);
    let config = read("hello-mediator/mediatorConfig.json");
    assert_eq!(blocks(&guide, "json"), [config]);
}

#[test]
fn its_excerpts_are_of_the_examples() {
    let examples = EXAMPLES.map(read);
    let guide = guide();
    let blocks = blocks(&guide, "rust");
    assert_eq!(blocks.len(), 5);
    for block in blocks {
        let is_excerpt = examples.iter().any(|example| example.contains(block));
        assert!(is_excerpt, "of no example:\n{block}");
    }
}

/// The one table of statuses is the one in the documentation of `transaction`, without its links.
#[test]
fn its_statuses_are_those_of_the_library() {
    let source = read("../mediator-core/src/transaction/mod.rs");
    let guide = guide();
    let rows: Vec<_> = source
        .lines()
        .filter(|line| line.starts_with("//! |"))
        .collect();
    assert!(rows.len() > 8);
    for row in rows {
        let row = row
            .trim_start_matches("//! ")
            .replace("[`HandlerError`]", "`HandlerError`");
        let row = row.replace("[accepts](Transaction::accept)", "accepts");
        assert!(guide.contains(&row), "{row}");
    }
}
