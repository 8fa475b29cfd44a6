//! What ends an evaluation that would not end.

mod outcome;

use bstr::BStr;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use sx_derivation::{Instantiated, StorePath};
use sx_evaluator::host::Nowhere;
use sx_evaluator::{AddPath, ErrorKind, FileType, Host, HostError, Options};

/// The value, or the error's kind.
fn outcome(options: &Options, text: &str) -> Result<String, ErrorKind> {
    outcome::outcome(&Nowhere, options, text)
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
        // What a builtin holds while it works counts too. The values are small, since most of each is one thing many times.
        "builtins.toJSON (builtins.foldl' (l: n: [ l l ]) [ ] (builtins.genList (x: x) 40))",
        "builtins.toXML (builtins.foldl' (l: n: [ l l ]) [ ] (builtins.genList (x: x) 40))",
        "let long = builtins.concatStringsSep \"a\" (builtins.genList (x: \"\") 20000); in builtins.replaceStrings [ \"a\" ] [ long ] long",
        "let long = builtins.concatStringsSep \"a\" (builtins.genList (x: \"\") 20000); in builtins.concatStringsSep long (builtins.genList (x: \"\") 20000)",
        "builtins.genericClosure { startSet = [ { key = 1; } ]; operator = x: [ { key = x.key + 1; } ]; }",
        "let l = builtins.genList (x: 1) 5000; in builtins.concatMap (x: l) l",
        "let l = builtins.genList (x: 1) 5000; in builtins.concatLists (map (x: l) l)",
        "let s = builtins.listToAttrs (builtins.genList (n: { name = toString n; value = n; }) 5000); in builtins.zipAttrsWith (n: v: 1) (builtins.genList (x: s) 5000)",
        "builtins.match \"((a|b)*c|(a|b)*d|(ab)*)*e\" (builtins.concatStringsSep \"ab\" (builtins.genList (x: \"\") 200000))",
        "let t = builtins.concatStringsSep \"[],\" (builtins.genList (x: \"\") 400000); in builtins.fromTOML \"a = [${t}]\"",
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

/// Asks to stop when the expression traces something, so that what comes after it has to notice.
struct Stopping(Arc<AtomicBool>);

impl Host for Stopping {
    fn read_file(&self, path: &BStr) -> Result<Vec<u8>, HostError> {
        Nowhere.read_file(path)
    }

    fn read_directory(&self, path: &BStr) -> Result<Vec<(Vec<u8>, FileType)>, HostError> {
        Nowhere.read_directory(path)
    }

    fn file_type(&self, path: &BStr) -> Result<FileType, HostError> {
        Nowhere.file_type(path)
    }

    fn add_path(&self, request: AddPath<'_, '_>) -> Result<StorePath, HostError> {
        Nowhere.add_path(request)
    }

    fn add_text(
        &self,
        name: &str,
        text: &[u8],
        references: &BTreeSet<StorePath>,
    ) -> Result<StorePath, HostError> {
        Nowhere.add_text(name, text, references)
    }

    fn add_derivation(&self, derivation: Instantiated) -> Result<(), HostError> {
        Nowhere.add_derivation(derivation)
    }

    fn trace(&self, _: &BStr) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn a_builtin_that_takes_long_can_be_cancelled() {
    let numbers = "builtins.genList (n: n * 7919 / 13) 20000";
    let long = "builtins.concatStringsSep \"ab\" (builtins.genList (n: \"\") 20000)";
    for (given, call) in [
        (numbers, "builtins.sort builtins.lessThan given"),
        (numbers, "builtins.elem (-1) given"),
        (numbers, "builtins.toJSON given"),
        (numbers, "builtins.toXML given"),
        (numbers, "map (x: x) given"),
        (numbers, "builtins.genList (x: x) 1000000"),
        (numbers, "builtins.concatStringsSep \"\" (builtins.genList (x: \"\") 10000)"),
        (
            "map (n: [ n ]) (builtins.genList (n: n) 20000)",
            "given == map (n: [ n ]) (builtins.genList (n: n) 20000)",
        ),
        (long, "builtins.match \"((a|b)*)*c\" given"),
        (long, "builtins.split \"(a|b)c\" given"),
        (long, "builtins.split \"b\" given"),
        (long, "builtins.replaceStrings [ \"a\" \"bb\" ] [ \"\" \"\" ] given"),
        (long, "builtins.hashString \"sha512\" given"),
        ("builtins.toJSON (builtins.genList (n: n) 20000)", "builtins.fromJSON given"),
        // If it were read to its end, its end would be the error.
        (
            "builtins.concatStringsSep \"\\n\" (builtins.genList (n: \"a${toString n} = [ 1, 2, 3 ]\") 20000) + \"?\"",
            "builtins.fromTOML given",
        ),
        (
            numbers,
            "builtins.genericClosure { startSet = [ { key = 1; } ]; operator = x: [ { key = x.key + 1; } ]; }",
        ),
    ] {
        let options = Options::default();
        let host = Stopping(Arc::clone(&options.cancelled));
        let text = format!("let given = {given}; in builtins.deepSeq given (builtins.trace 1 ({call}))");
        assert_eq!(outcome::outcome(&host, &options, &text), Err(ErrorKind::Cancelled), "{call}");
    }
}
