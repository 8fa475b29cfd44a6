//! What all targets and the replay share.

use sx_evaluator::host::Nowhere;
use sx_evaluator::{Colour, Depth, Diagnostic, EvaluationError, Options, Trace};

fn options() -> Options {
    Options { memory_limit_bytes: Some(64 << 20), stack_bytes: 64 << 20, ..Options::default() }
}

/// Parses, evaluates and prints a text.
pub fn expression(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let outcome = sx_evaluator::evaluate(&Nowhere, &options(), |evaluator| {
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
    let outcome = sx_evaluator::evaluate(&Nowhere, &options(), |evaluator| {
        let function = evaluator.evaluate_text("text", format!("builtins.{builtin}"), b"/")?;
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
