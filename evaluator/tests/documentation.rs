//! The page of builtins is up to date, and each listed difference from the reference is one.
#![expect(clippy::disallowed_methods, reason = "the test reads the pages")]

mod folder;

use folder::Folder;
use std::path::Path;
use sx_evaluator::{Depth, EvaluationError, Options, builtins};

#[test]
fn the_page_of_builtins_is_up_to_date() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("BUILTINS.md");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&file, builtins::page()).unwrap();
    }
    assert_eq!(std::fs::read_to_string(&file).unwrap(), builtins::page());
}

#[test]
fn everything_in_the_set_of_builtins_is_documented() {
    let host = Folder { root: "/nowhere".into() };
    let names = sx_evaluator::evaluate(&host, &Options::default(), |evaluator| {
        let set = evaluator.evaluate_text("«text»", "builtins", b"/")?;
        evaluator.attribute_names(set)
    });
    let documented: Vec<String> = builtins::documentation().map(|entry| entry.name.to_owned()).collect();
    assert_eq!(names.unwrap(), documented);
}

/// The value as it is printed, or `error`.
fn outcome(text: &str) -> String {
    let host = Folder { root: Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus") };
    let outcome = sx_evaluator::evaluate(&host, &Options::default(), |evaluator| {
        let value = evaluator.evaluate_text("«text»", text, b"/language")?;
        evaluator.print(value, Depth::Whole)
    });
    match outcome {
        Ok(text) => format!("`{}`", String::from_utf8_lossy(&text)),
        Err(EvaluationError::Wrong(_)) => "error".to_owned(),
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn each_listed_difference_is_one() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("DIFFERENCES.md");
    let page = std::fs::read_to_string(file).unwrap();
    let rows: Vec<&str> = page.lines().filter(|line| line.starts_with("| `")).collect();
    assert!(!rows.is_empty());
    for row in rows {
        let cells: Vec<&str> = row.trim_matches('|').split(" | ").map(str::trim).collect();
        let [expression, reference, ours, reason] = cells.as_slice() else { panic!("{row}") };
        assert_eq!(outcome(expression.trim_matches('`')), *ours, "{row}");
        assert_ne!(reference, ours, "{row}");
        assert!(!reason.is_empty(), "{row}");
    }
}
