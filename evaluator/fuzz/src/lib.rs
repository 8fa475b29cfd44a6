//! What all targets and the replay share: a host that has nothing, and bounds.

use bstr::BStr;
use std::collections::BTreeSet;
use sx_derivation::{Derivation, StorePath};
use sx_evaluator::{
    AddPath, Colour, Depth, Diagnostic, EvaluationError, FileType, Host, HostError, Options, Trace,
};

struct Nothing;

impl Host for Nothing {
    fn read_file(&self, _: &BStr) -> Result<Vec<u8>, HostError> {
        Err(HostError::NotFound)
    }
    fn read_directory(&self, _: &BStr) -> Result<Vec<(Vec<u8>, FileType)>, HostError> {
        Err(HostError::NotFound)
    }
    fn file_type(&self, _: &BStr) -> Result<FileType, HostError> {
        Err(HostError::NotFound)
    }
    fn add_path(&self, _: AddPath<'_, '_>) -> Result<StorePath, HostError> {
        Err(HostError::NotFound)
    }
    fn add_text(&self, _: &str, _: &[u8], _: &BTreeSet<StorePath>) -> Result<StorePath, HostError> {
        Err(HostError::NotFound)
    }
    fn add_derivation(&self, _: &Derivation, _: &StorePath) -> Result<(), HostError> {
        Ok(())
    }
    fn trace(&self, _: &BStr) {}
}

fn options() -> Options {
    Options { memory_limit_bytes: Some(64 << 20), stack_bytes: 64 << 20, ..Options::default() }
}

/// Parses, evaluates and prints a text.
pub fn expression(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let outcome = sx_evaluator::evaluate(&Nothing, &options(), |evaluator| {
        let value = evaluator.evaluate_text("text", text, b"/")?;
        evaluator.print(value, Depth::Described)
    });
    show(outcome.map(drop));
}

/// Calls a builtin, and prints what comes of it.
pub fn call(builtin: &str, arguments: &[&[u8]]) {
    if arguments.iter().any(|argument| argument.contains(&0)) {
        return;
    }
    let outcome = sx_evaluator::evaluate(&Nothing, &options(), |evaluator| {
        let function = evaluator.evaluate_text("text", &format!("builtins.{builtin}"), b"/")?;
        let arguments: Vec<_> = arguments.iter().map(|argument| evaluator.new_string(argument)).collect();
        let value = evaluator.call(function, &arguments)?;
        evaluator.print(value, Depth::Whole)
    });
    show(outcome.map(drop));
}

fn show(outcome: Result<(), EvaluationError>) {
    if let Err(EvaluationError::Wrong(diagnostic)) = outcome {
        let diagnostic: &Diagnostic = &diagnostic;
        assert!(!diagnostic.render(Colour::Off, Trace::Whole).is_empty());
    }
}
