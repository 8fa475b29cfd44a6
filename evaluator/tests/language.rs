//! Each file in `language/` is an expression; beside it stands its value, printed whole (`.exp`), or the error as people see
//! it (`.err`). With `UPDATE=1` in the environment the expectations are written anew, to be read as a change of code is.
#![expect(clippy::disallowed_methods, reason = "the test is a host")]

mod folder;

use folder::Folder;
use std::fs;
use std::path::Path;
use sx_evaluator::{Colour, Depth, EvaluationError, Options, Trace};

/// The value or the error, and which of them it is.
fn outcome(host: &Folder, name: &str) -> (&'static str, String) {
    let outcome = sx_evaluator::evaluate(host, &Options::default(), |evaluator| {
        let value = evaluator.evaluate_file(format!("/language/{name}").as_bytes())?;
        evaluator.print(value, Depth::Whole)
    });
    match outcome {
        Ok(text) => ("exp", String::from_utf8_lossy(&text).into_owned() + "\n"),
        Err(EvaluationError::Wrong(diagnostic)) => ("err", diagnostic.render(Colour::Off, Trace::Short)),
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn every_expression_has_its_value_or_its_error() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/language");
    let host = Folder { root: folder.clone() };
    let mut names: Vec<String> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".nix"))
        .collect();
    names.sort();
    assert!(names.len() > 20);
    let mut wrong = String::new();
    for name in names {
        let (extension, found) = outcome(&host, &name);
        let expectation = folder.join(&name).with_extension(extension);
        if std::env::var_os("UPDATE").is_some() {
            fs::write(&expectation, &found).unwrap();
        }
        let expected = fs::read_to_string(&expectation).unwrap_or_else(|_| format!("no .{extension} file"));
        if expected != found {
            wrong += &format!("--- {name}\nexpected: {expected}\nfound:    {found}\n");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}
