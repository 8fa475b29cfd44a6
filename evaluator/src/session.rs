//! Starting an evaluation.

use crate::Evaluator;
use crate::arena::Arena;
use crate::diagnostic::Diagnostic;
use crate::error::Outcome;
use crate::host::Host;
use crate::options::Options;
use std::thread;

/// Why an evaluation gave nothing.
#[derive(Debug, thiserror::Error)]
pub enum EvaluationError {
    /// The expression is wrong.
    #[error(transparent)]
    Wrong(#[from] Box<Diagnostic>),
    /// The system has no memory for a thread.
    #[error("cannot start a thread to evaluate in")]
    Thread(#[source] std::io::Error),
}

/// The smallest stack that is tried, in bytes.
const SMALLEST_STACK_BYTES: usize = 8 << 20;

/// Evaluates in a thread with a large stack. Whatever `work` returns must not refer to values of the evaluation, which
/// end with it: print them, or take what is needed out of them.
pub fn evaluate<R: Send>(
    host: &dyn Host,
    options: &Options,
    work: impl for<'a> FnOnce(&Evaluator<'a>) -> Outcome<'a, R> + Send,
) -> Result<R, EvaluationError> {
    let mut stack_bytes = options.stack_bytes.max(SMALLEST_STACK_BYTES);
    // A thread takes its closure even when it can't start.
    let work = std::sync::Mutex::new(Some(work));
    loop {
        let start = || {
            let mut work = work.lock().expect("this holds because nobody panics with the lock");
            work.take().map(|work| run(host, options, stack_bytes, work))
        };
        let outcome = thread::scope(|scope| {
            let builder = thread::Builder::new().name("evaluation".to_owned()).stack_size(stack_bytes);
            builder.spawn_scoped(scope, start).map(|thread| match thread.join() {
                Ok(outcome) => outcome,
                Err(panic) => std::panic::resume_unwind(panic),
            })
        });
        match outcome {
            Ok(outcome) => {
                return outcome
                    .expect("this holds because the work is taken once")
                    .map_err(EvaluationError::Wrong);
            }
            Err(_) if stack_bytes / 2 >= SMALLEST_STACK_BYTES => stack_bytes /= 2,
            Err(error) => return Err(EvaluationError::Thread(error)),
        }
    }
}

fn run<R>(
    host: &dyn Host,
    options: &Options,
    stack_bytes: usize,
    work: impl for<'a> FnOnce(&Evaluator<'a>) -> Outcome<'a, R>,
) -> Result<R, Box<Diagnostic>> {
    let arena = Arena::new(options.memory_limit_bytes);
    let evaluator = Evaluator::new(&arena, host, options, stack_bytes);
    work(&evaluator).map_err(|error| Box::new(Diagnostic::new(*error, &evaluator.sources)))
}
