//! No text makes the evaluator panic, overflow its stack or go on without end.
#![expect(clippy::disallowed_methods, reason = "the test reads its programs")]

mod folder;

use folder::Folder;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use sx_evaluator::{Colour, Depth, ErrorKind, EvaluationError, Options, Trace};

/// Evaluates and prints a text; what comes of it doesn't matter, but for the error's kind.
fn survive(text: &str) -> Result<(), ErrorKind> {
    let host = Folder { root: concat!(env!("CARGO_MANIFEST_DIR"), "/tests/language").into() };
    let options = Options { memory_limit_bytes: Some(64 << 20), stack_bytes: 16 << 20, ..Options::default() };
    // A program may take any time: this ends it. It is no test of how long one takes.
    let (done, wait) = std::sync::mpsc::channel::<()>();
    let cancelled = Arc::clone(&options.cancelled);
    let guard = std::thread::spawn(move || {
        if wait.recv_timeout(Duration::from_secs(2)) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
            cancelled.store(true, Ordering::Relaxed);
        }
    });
    let outcome = sx_evaluator::evaluate(&host, &options, |evaluator| {
        let value = evaluator.evaluate_text("«text»", text, b"/language")?;
        evaluator.print(value, Depth::Described)
    });
    drop(done);
    guard.join().expect("the guard only waits");
    match outcome {
        Ok(_) => Ok(()),
        Err(EvaluationError::Wrong(diagnostic)) => {
            assert!(diagnostic.render(Colour::On, Trace::Whole).contains("error: "));
            Err(diagnostic.kind())
        }
        Err(error) => panic!("{error}"),
    }
}

/// Tokens, and pieces that break them.
const PIECES: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    "(",
    ")",
    "\"",
    "''",
    "${",
    "let",
    "in",
    "rec",
    "with",
    "assert",
    "inherit",
    "if",
    "then",
    "else",
    "or",
    "a",
    "b",
    "x",
    "builtins",
    "map",
    "toString",
    "1",
    "2.5",
    "99999999999999999999",
    "1e999",
    ".5",
    "-",
    "!",
    "+",
    "++",
    "//",
    "==",
    "!=",
    "<",
    "<=",
    ">",
    "&&",
    "||",
    "->",
    "|>",
    "<|",
    "?",
    ".",
    ",",
    ";",
    ":",
    "@",
    "=",
    "...",
    "./value.nix",
    "/a/b",
    "<a/b>",
    "~/a",
    "https://a.b",
    "#c\n",
    "/*",
    "*/",
    "\\",
    "$",
    "'",
    "&",
    "|",
    "%",
    "\n",
    "\r",
    "\t",
    "é",
    "数",
    "\u{a0}",
    "\0",
    " ",
    "import ./value.nix",
    "throw \"x\"",
    "{ a = 1; }",
    "[ 1 2 ]",
    "a: ",
    "{ a ? 1, ... }@b: ",
    "x = ",
    "null",
    "true",
    "__curPos",
    "\\\"",
    "''${",
    "$${",
    "'''",
];

/// Programs to be mutated.
fn programs() -> Vec<String> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/language");
    let entries = std::fs::read_dir(folder)
        .expect("the folder can be read")
        .map(|entry| entry.expect("and its entries").path());
    let mut files: Vec<_> = entries.filter(|path| path.extension().is_some_and(|end| end == "nix")).collect();
    files.sort();
    // What is slow as it stands tells nothing here.
    files.retain(|path| !path.to_string_lossy().contains("deep"));
    files.into_iter().filter_map(|path| std::fs::read_to_string(path).ok()).collect()
}

#[derive(Clone, Debug)]
enum Mutation {
    Remove(usize, usize),
    Insert(usize, &'static str),
    Copy(usize, usize, usize),
}

fn mutate(text: &str, mutations: &[Mutation]) -> String {
    let mut text: Vec<char> = text.chars().collect();
    for mutation in mutations {
        let length = text.len().max(1);
        match *mutation {
            Mutation::Remove(place, count) => {
                let place = place % length;
                text.drain(place.min(text.len())..(place + count).min(text.len()));
            }
            Mutation::Insert(place, piece) => {
                let place = (place % length).min(text.len());
                text.splice(place..place, piece.chars());
            }
            Mutation::Copy(from, count, to) => {
                let from = (from % length).min(text.len());
                let piece = text[from..(from + count).min(text.len())].to_vec();
                let to = (to % length).min(text.len());
                text.splice(to..to, piece);
            }
        }
    }
    text.into_iter().collect()
}

fn mutation() -> impl Strategy<Value = Mutation> {
    prop_oneof![
        (any::<usize>(), 1..8_usize).prop_map(|(place, count)| Mutation::Remove(place % 10_000, count)),
        (any::<usize>(), select(PIECES)).prop_map(|(place, piece)| Mutation::Insert(place % 10_000, piece)),
        (any::<usize>(), 1..40_usize, any::<usize>()).prop_map(|(from, count, to)| Mutation::Copy(
            from % 10_000,
            count,
            to % 10_000
        )),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_row_of_tokens_has_a_value_or_an_error(
        pieces in vec(select(PIECES), 0..30),
        separator in select(vec!["", " "]),
    ) {
        let _ = survive(&pieces.join(separator));
    }

    #[test]
    fn a_changed_program_has_a_value_or_an_error(
        program in select(programs()),
        mutations in vec(mutation(), 1..4),
    ) {
        let _ = survive(&mutate(&program, &mutations));
    }
}

#[test]
fn deep_and_gigantic_texts_are_errors_or_values() {
    let syntax = Err(ErrorKind::Syntax);
    for piece in [
        "[",
        "(",
        "{a=",
        "\"${",
        "-",
        "- ",
        "!",
        "a: ",
        "if a then b else ",
        "a.b or ",
        "let a=1;in ",
        "with a; ",
    ] {
        assert_eq!(survive(&piece.repeat(20_000)), syntax, "{piece}");
    }
    let chain = |piece: &str| format!("1{}", piece.repeat(5_000));
    for piece in [" ++ 1", " // 1", " && 1", " -> 1", " 1", " |> 1", ".a", " + \"\""] {
        assert!(survive(&chain(piece)).is_err(), "{piece}");
    }
    assert_eq!(survive(&"1".repeat(1_000_000)), syntax);
    assert_eq!(survive(&format!("0.{}", "1".repeat(1_000_000))), Ok(()));
    assert_eq!(survive(&format!("\"{}\"", "x".repeat(1_000_000))), Ok(()));
    assert_eq!(survive(&format!("{{ {} = 1; }}", "x".repeat(1_000_000))), Ok(()));
    assert_eq!(survive(&format!("[ {} ]", "1 ".repeat(500_000))), Ok(()));
    assert_eq!(survive("1 + 1 \0"), syntax);
    assert_eq!(survive("# a line\r1"), Ok(()));
}

#[test]
fn a_long_builtin_is_cancelled_at_once() {
    for text in [
        "builtins.length (builtins.genList (x: x) 10000000)",
        "builtins.foldl' (x: y: x + y) 0 (builtins.genList (x: x) 5000000)",
        "builtins.genericClosure { startSet = [ { key = 0; } ]; operator = x: [ { key = x.key + 1; } ]; }",
        "let f = x: f (x + 1); in builtins.seq (builtins.tryEval (f 0)) (f 0)",
        "builtins.sort (a: b: a < b) (builtins.genList (x: 0 - x) 2000000)",
    ] {
        let host = Folder { root: "/nowhere".into() };
        let cancelled = Arc::new(AtomicBool::new(false));
        let limit = Some(512 << 20);
        let options =
            Options { cancelled: Arc::clone(&cancelled), memory_limit_bytes: limit, ..Options::default() };
        let outcome = std::thread::scope(|scope| {
            let evaluation = scope.spawn(|| {
                sx_evaluator::evaluate(&host, &options, |evaluator| {
                    evaluator.evaluate_text("«text»", text, b"/").map(|_| ())
                })
            });
            cancelled.store(true, Ordering::Relaxed);
            evaluation.join().unwrap()
        });
        let Err(EvaluationError::Wrong(diagnostic)) = outcome else { continue };
        assert!(
            matches!(diagnostic.kind(), ErrorKind::Cancelled | ErrorKind::StackOverflow | ErrorKind::Memory),
            "{text}: {diagnostic}"
        );
    }
}
