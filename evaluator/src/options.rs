//! What a caller decides about an evaluation.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// What a caller decides about an evaluation.
#[derive(Clone, Debug)]
pub struct Options {
    /// `builtins.currentSystem`
    pub system: String,
    /// Where `<name/…>` is looked up: a prefix, possibly empty, and an absolute path; the first that has it wins.
    pub search_path: Vec<(String, String)>,
    /// Values and expressions may take so many bytes; without a limit if there is none.
    pub memory_limit_bytes: Option<usize>,
    /// Address space for the stack of the evaluating thread. It's used as far as the recursion goes; where the
    /// system refuses so much, less is taken.
    pub stack_bytes: usize,
    /// Set it from anywhere to end the evaluation soon.
    pub cancelled: Arc<AtomicBool>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            system: "x86_64-linux".to_owned(),
            search_path: Vec::new(),
            memory_limit_bytes: None,
            stack_bytes: 1 << 30,
            cancelled: Arc::default(),
        }
    }
}
