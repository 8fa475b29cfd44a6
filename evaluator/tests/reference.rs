//! Each expression of `corpus/` comes to what the reference, Nix 2.34, comes to, except for those in `DIFFERENCES.md`.
#![expect(clippy::disallowed_methods, reason = "the test reads its expectations")]

mod corpus;
mod folder;
mod outcome;

use corpus::Case;
use folder::Folder;
use std::path::Path;
use sx_evaluator::Options;

#[test]
fn every_expression_comes_to_what_the_reference_comes_to() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    let host = Folder { root: folder.clone() };
    let cases = corpus::read(&folder);
    assert!(cases.len() > 1500, "{}", cases.len());
    // What an installed Nix of another version can check is most of it.
    assert!(cases.iter().filter(|case| case.is_old).count() > 1400);
    let options = Options { stack_bytes: 64 << 20, ..Options::default() };
    let mut wrong = String::new();
    for Case { file, line, expression, value, .. } in &cases {
        let found = outcome::outcome(&host, &options, expression);
        if found.as_ref().ok() != value.as_ref() {
            let name = file.file_name().unwrap().to_string_lossy();
            wrong += &format!("{name}:{line}: {expression}\n  expected {value:?}\n  found    {found:?}\n");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// Each name of the table stands in an expression that has a value and in one that fails, but for constants, which can't.
#[test]
fn the_corpus_has_every_builtin() {
    let cases = corpus::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus"));
    let is_part = |character: char| character.is_ascii_alphanumeric() || character == '\'';
    let mut missing = String::new();
    for entry in sx_evaluator::builtins::documentation() {
        let names_it = |case: &&Case| {
            let words = case.expression.split(|character| !is_part(character));
            words
                .map(|word| word.trim_end_matches('\''))
                .any(|word| word == entry.name.trim_end_matches('\''))
        };
        let (good, bad): (Vec<&Case>, Vec<&Case>) =
            cases.iter().filter(names_it).partition(|case| case.value.is_some());
        let can_fail = !entry.arguments.is_empty();
        if good.is_empty() || (bad.is_empty() && can_fail) {
            missing += &format!("{}: {} with a value, {} failing\n", entry.name, good.len(), bad.len());
        }
    }
    assert!(missing.is_empty(), "{missing}");
}
