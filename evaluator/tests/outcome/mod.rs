//! What one text comes to.

use sx_evaluator::{Depth, ErrorKind, EvaluationError, Host, Options};

/// The value as it is printed, or the error's kind.
pub fn outcome(host: &dyn Host, options: &Options, text: &str) -> Result<String, ErrorKind> {
    let outcome = sx_evaluator::evaluate(host, options, |evaluator| {
        let value = evaluator.evaluate_text("«text»", text, b"/language")?;
        evaluator.print(value, Depth::Whole)
    });
    match outcome {
        Ok(text) => Ok(String::from_utf8_lossy(&text).into_owned()),
        Err(EvaluationError::Wrong(diagnostic)) => Err(diagnostic.kind()),
        Err(error) => panic!("{error}"),
    }
}
