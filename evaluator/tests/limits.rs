//! What ends an evaluation that would not end.

mod folder;

use folder::Folder;
use std::sync::atomic::Ordering;
use sx_evaluator::{Depth, ErrorKind, EvaluationError, Options};

/// The value, or the error's kind.
fn outcome(options: &Options, text: &str) -> Result<String, ErrorKind> {
    let host = Folder { root: "/nowhere".into() };
    let outcome = sx_evaluator::evaluate(&host, options, |evaluator| {
        let value = evaluator.evaluate_text("«text»", text, b"/language")?;
        evaluator.print(value, Depth::Whole)
    });
    match outcome {
        Ok(text) => Ok(String::from_utf8_lossy(&text).into_owned()),
        Err(EvaluationError::Wrong(diagnostic)) => Err(diagnostic.kind()),
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn recursion_without_end_is_an_error_whatever_recurs() {
    let options = Options { stack_bytes: 16 << 20, ..Options::default() };
    for text in [
        "let f = x: 1 + f (x + 1); in f 0",
        "let f = x: f x; in f 0",
        "let s = n: { next = s (n + 1); }; in s 0",
        "let l = n: [ (l (n + 1)) ]; in l 0",
        "let s = n: { next = s (n + 1); }; in builtins.deepSeq (s 0) 1",
        "let s = n: { next = s (n + 1); }; in builtins.toJSON (s 0)",
        "let s = n: { next = s (n + 1); }; in s 0 == s 0",
        "let s = { __toString = self: self; }; in \"${s}\"",
        "let s = { __functor = self: self; }; in s 1",
        "builtins.foldl' (f: _: x: f (x + 1)) (x: x) (builtins.genList (x: x) 300000) 0",
    ] {
        assert_eq!(outcome(&options, text), Err(ErrorKind::StackOverflow), "{text}");
    }
}

#[test]
fn deep_recursion_has_a_value() {
    let text = "let sum = n: if n == 0 then 0 else 1 + sum (n - 1); in sum 200000";
    assert_eq!(outcome(&Options::default(), text), Ok("200000".to_owned()));
}

#[test]
fn a_text_nested_more_deeply_than_the_stack_is_an_error() {
    let options = Options { stack_bytes: 64 << 20, ..Options::default() };
    let nested = |levels| "(".repeat(levels) + "1" + &")".repeat(levels);
    assert_eq!(outcome(&options, &nested(5_000)), Ok("1".to_owned()));
    assert_eq!(outcome(&options, &nested(500_000)), Err(ErrorKind::Syntax));
}

#[test]
fn memory_is_limited() {
    let options = Options { memory_limit_bytes: Some(32 << 20), ..Options::default() };
    for text in [
        "builtins.genList (x: x) 1000000000",
        "builtins.length (builtins.foldl' (l: n: l ++ l) [ 1 ] (builtins.genList (x: x) 40))",
        "builtins.stringLength (builtins.foldl' (s: n: s + s) \"text\" (builtins.genList (x: x) 40))",
        "builtins.foldl' (l: n: [ n l ]) 0 (builtins.genList (x: x) 300000)",
    ] {
        assert_eq!(outcome(&options, text), Err(ErrorKind::Memory), "{text}");
    }
}

#[test]
fn an_evaluation_can_be_cancelled() {
    let options = Options::default();
    options.cancelled.store(true, Ordering::Relaxed);
    let text = "builtins.foldl' builtins.add 0 (builtins.genList (x: x) 1000000)";
    assert_eq!(outcome(&options, text), Err(ErrorKind::Cancelled));
}
