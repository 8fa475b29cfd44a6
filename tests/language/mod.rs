//! The language against Nix itself: what Nix makes of the evaluator's corpus, and of programs by chance.
//!
//! `SX_TESTS_NIX` names another `nix-instantiate` than the installed one. With `SX_TESTS_RECORD=1` the corpus is written anew as
//! that Nix, which should be 2.34, evaluates it. `SX_TESTS_PROGRAMS` is how many programs are tried, 120 if it isn't set, and
//! `SX_TESTS_SEED` a number to begin others with.

#[path = "../../evaluator/tests/corpus/mod.rs"]
mod corpus;
mod grammar;
mod nix;

use crate::harness::{Test, repository};
use corpus::Case;
use nix::Nix;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use sx_evaluator::host::Nowhere;
use sx_evaluator::{Depth, EvaluationError, Options};

pub fn tests() -> Vec<Test> {
    vec![
        Test {
            name: "language::nix_evaluates_the_corpus_to_the_recorded_values",
            requires: &["nix-instantiate"],
            run: nix_evaluates_the_corpus_to_the_recorded_values,
        },
        Test {
            name: "language::programs_by_chance_come_to_what_nix_says",
            requires: &["nix-instantiate"],
            run: programs_by_chance_come_to_what_nix_says,
        },
    ]
}

fn nix_evaluates_the_corpus_to_the_recorded_values() -> Result<(), String> {
    let folder = repository().join("evaluator/tests/corpus");
    let nix = Nix::find()?;
    let is_recording = std::env::var_os("SX_TESTS_RECORD").is_some();
    let cases = corpus::read(&folder);
    let cases: Vec<&Case> = cases.iter().filter(|case| case.is_old || nix.is_new || is_recording).collect();
    // What fails ends the process, so it stands last.
    let (good, bad): (Vec<&Case>, Vec<&Case>) = cases.into_iter().partition(|case| case.value.is_some());
    let cases: Vec<&Case> = good.into_iter().chain(bad).collect();
    let expressions: Vec<&str> = cases.iter().map(|case| case.expression.as_str()).collect();
    let found = nix.evaluate(&expressions, Some(&folder.join("files")))?;
    if is_recording {
        return record(&cases, &found);
    }
    let mut wrong = String::new();
    for (case, found) in cases.iter().zip(&found).filter(|(case, found)| case.value != **found) {
        let Case { file, line, expression, value, .. } = case;
        wrong +=
            &format!("{}:{line}: {expression}\n  recorded {value:?}\n  now      {found:?}\n", file.display());
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong) }
}

/// Writes what was found into the corpus's files.
fn record(cases: &[&Case], found: &[Option<String>]) -> Result<(), String> {
    let mut changes: BTreeMap<&PathBuf, BTreeMap<usize, String>> = BTreeMap::new();
    for (case, found) in cases.iter().zip(found) {
        let line = found.as_ref().map_or_else(|| "!".to_owned(), |value| format!("= {value}"));
        let number = case.line + case.expression.lines().count();
        changes.entry(&case.file).or_default().insert(number, line);
    }
    for (file, changes) in changes {
        let text = std::fs::read_to_string(file).map_err(|error| error.to_string())?;
        let lines =
            (1..).zip(text.lines()).map(|(number, line)| changes.get(&number).map_or(line, String::as_str));
        let text: String = lines.flat_map(|line| [line, "\n"]).collect();
        std::fs::write(file, text).map_err(|error| error.to_string())?;
    }
    Ok(())
}

fn programs_by_chance_come_to_what_nix_says() -> Result<(), String> {
    let missing = grammar::missing();
    if !missing.is_empty() {
        return Err(format!("no program has {}", missing.join(", ")));
    }
    let number =
        |name: &str, default| std::env::var(name).map_or(default, |text| text.parse().unwrap_or(default));
    let (programs, seed) = (number("SX_TESTS_PROGRAMS", 120), number("SX_TESTS_SEED", 0_u64));
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let nix = Nix::find()?;
    let mut trees = Vec::new();
    for _ in 0..programs {
        trees.push(grammar::program().new_tree(&mut runner).map_err(|reason| reason.to_string())?);
    }
    let mut tried: Vec<(Option<String>, _)> =
        trees.into_iter().map(|tree| (ours(&tree.current()), tree)).collect();
    tried.sort_by_key(|(ours, _)| ours.is_none());
    let texts: Vec<String> = tried.iter().map(|(_, tree)| tree.current()).collect();
    let theirs = nix.evaluate(&texts.iter().map(String::as_str).collect::<Vec<_>>(), None)?;
    let mut wrong = BTreeSet::new();
    for ((ours, tree), theirs) in tried.into_iter().zip(theirs) {
        if ours != theirs && wrong.len() < 20 {
            wrong.insert(smallest(&nix, tree)?);
        }
    }
    let valued = texts.len();
    if wrong.is_empty() {
        return Ok(());
    }
    Err(format!("of {valued} programs these differ:\n{}", wrong.into_iter().collect::<Vec<_>>().join("\n")))
}

/// The smallest program with a difference, and both values.
fn smallest(nix: &Nix, mut tree: impl ValueTree<Value = String>) -> Result<String, String> {
    let differs = |text: &str| -> Result<Option<String>, String> {
        let (ours, theirs) = (ours(text), nix.evaluate(&[text], None)?.remove(0));
        Ok((ours != theirs).then(|| format!("{text}\n  sx  {ours:?}\n  nix {theirs:?}")))
    };
    let mut report = differs(&tree.current())?.unwrap_or_else(|| "a difference that is gone".to_owned());
    let mut has_changed = tree.simplify();
    for _ in 0..200 {
        if !has_changed {
            break;
        }
        has_changed = match differs(&tree.current())? {
            Some(smaller) => {
                report = smaller;
                tree.simplify()
            }
            None => tree.complicate(),
        };
    }
    Ok(report)
}

/// What sx makes of a program; `None` if it fails.
fn ours(text: &str) -> Option<String> {
    let options = Options { stack_bytes: 64 << 20, ..Options::default() };
    let outcome = sx_evaluator::evaluate(&Nowhere, &options, |evaluator| {
        let value = evaluator.evaluate_text("program", text, b"/")?;
        evaluator.print(value, Depth::Whole)
    });
    match outcome {
        Ok(text) => Some(String::from_utf8_lossy(&text).into_owned()),
        Err(EvaluationError::Wrong(_)) => None,
        Err(error) => panic!("{error}"),
    }
}
