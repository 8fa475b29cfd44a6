//! Regular expressions as `builtins.match` and `builtins.split` have them: POSIX's extended syntax over bytes.
//!
//! The reference takes them from its C++ library, so what counts is how that one reads them: of alternatives the longest
//! match wins, repetitions take as much as they can, a group keeps what it matched last, and a repetition may match nothing
//! at most twice at one place. [`Regex`] does the same by the same order of trials, but remembers which of them failed, so that its
//! time is bounded by the product of the lengths of expression and text.

mod bracket;
mod parse;
mod search;

pub use parse::Regex;
pub use search::{Found, Groups};

/// Which bytes a place of an expression matches.
type ByteSet = [bool; 256];

/// A step of a compiled expression: what to do, and the step after it.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// The whole expression has matched.
    Accept,
    /// Nothing.
    Skip(u32),
    /// One byte of the set with this number.
    Byte(u32, u32),
    /// A group begins.
    Begin(u32, u32),
    /// A group ends.
    End(u32, u32),
    /// Only at the beginning of the text.
    TextBegin(u32),
    /// Only at the end of the text.
    TextEnd(u32),
    /// Both, and the longer match wins.
    Either(u32, u32),
    /// Once more, or, only if that doesn't match, on. The third is the number among all repetitions.
    Repeat {
        /// Once more.
        body: u32,
        /// Enough.
        next: u32,
        /// Its number.
        number: u32,
    },
}
