//! Evaluates the Nix expression language.
//!
//! The way: text → rnix's tree → [resolved expressions](expression) → [lazy values](value). [`evaluate`] starts an
//! evaluation in a thread of its own; inside, the [`Evaluator`] turns texts and files into values, calls functions,
//! selects attributes and prints. Values live in an arena that is dropped whole when the evaluation ends.
//!
//! This crate never touches the file system, the environment, the clock or the network; what it needs of the world it
//! asks its [`Host`]. It never builds, and it never prints.

pub mod arena;
pub mod attributes;
pub mod builtins;
pub mod context;
mod definition;
pub mod diagnostic;
mod doc_comment;
pub mod error;
mod evaluate;
mod excerpt;
pub mod expression;
mod flake_reference;
pub mod frame;
pub mod host;
mod import;
mod json;
mod lower;
mod number;
pub mod options;
pub mod print;
mod query;
mod regex;
mod session;
pub mod source;
mod stand_in;
pub mod suggest;
pub mod symbol;
mod toml;
pub mod value;
mod xml;

pub use diagnostic::{Colour, Diagnostic, Trace};
pub use error::{Error, ErrorKind, Outcome};
pub use evaluate::Evaluator;
pub use host::{AddPath, FileType, Host, HostError};
pub use options::Options;
pub use print::Depth;
pub use query::{DerivationOutput, is_unfinished, parse_attribute_path};
pub use session::{EvaluationError, evaluate};
pub use value::Value;
