//! `sx eval`

use super::Target;
use crate::evaluation::Form;
use crate::failure::Failure;
use crate::session::Session;
use clap::Args;

/// Evaluate an expression and print its value
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    target: Target,
    /// Print derivations as the attribute sets that they are, functions without their places
    #[arg(long)]
    strict: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Print a string as it is
    #[arg(long, conflicts_with = "json")]
    raw: bool,
    /// Apply this function to the value first
    #[arg(long, value_name = "EXPRESSION")]
    apply: Option<String>,
}

pub fn run(session: &Session, arguments: &Arguments) -> Result<(), Failure> {
    let form = match (arguments.json, arguments.raw, arguments.strict) {
        (true, ..) => Form::Json,
        (_, true, _) => Form::Raw,
        (_, _, true) => Form::Strict,
        _ => Form::Described,
    };
    session.print(&session.value(&arguments.target, arguments.apply.as_deref(), form)?)
}
