//! `sx why-depends`

use crate::failure::{Failure, Kind};
use crate::session::Session;
use clap::Args;

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
}

pub fn run(session: &Session, arguments: &Arguments) -> Result<(), Failure> {
    let from = super::object::named(session, &arguments.from)?;
    let to = super::object::named(session, &arguments.to)?;
    match session.store().why_depends(&from, &to)? {
        Some(chain) => {
            let lines: Vec<String> = chain.iter().map(ToString::to_string).collect();
            session.print(&lines.join("\n"))
        }
        None => Err(Failure::new(Kind::No, format!("`{from}` does not depend on `{to}`"))),
    }
}
