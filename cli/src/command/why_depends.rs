//! `sx why-depends`

use crate::failure::{Failure, Kind};
use crate::session::Session;
use clap::Args;
use serde::Serialize;

/// Print the shortest chain of references from one object to another
///
/// Exit code 1 if there is none.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The object that depends
    #[arg(value_name = "PATH")]
    from: String,
    /// The object that it depends on
    #[arg(value_name = "DEPENDENCY")]
    to: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Report {
    /// From the one to the other, both included; empty if there is no chain.
    references: Vec<String>,
}

pub fn run(session: &Session, arguments: &Arguments) -> Result<(), Failure> {
    let from = super::object::named(session, &arguments.from)?;
    let to = super::object::named(session, &arguments.to)?;
    let chain = session.store().why_depends(&from, &to)?.unwrap_or_default();
    let references: Vec<String> = chain.iter().map(ToString::to_string).collect();
    if arguments.json {
        session.print_json(&Report { references })?;
    } else if !chain.is_empty() {
        session.print(&references.join("\n"))?;
    }
    match chain.as_slice() {
        [] => Err(Failure::new(Kind::No, format!("`{from}` does not depend on `{to}`"))),
        _ => Ok(()),
    }
}
