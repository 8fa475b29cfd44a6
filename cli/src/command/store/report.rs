//! What came over from another store, as it comes and at the end.

use crate::command::quantity::show_bytes;
use crate::failure::Failure;
use crate::session::Session;
use serde::Serialize;
use std::cell::Cell;
use sx_store::transfer::{Progress, Taken};

/// The display while objects come.
pub struct Transfer<'a> {
    session: &'a Session,
    verb: &'static str,
    /// How many objects and bytes there will be, if that is known.
    total: Option<(usize, u64)>,
    done: Cell<(usize, u64)>,
}

impl<'a> Transfer<'a> {
    pub fn new(session: &'a Session, verb: &'static str, total: Option<(usize, u64)>) -> Self {
        Self { session, verb, total, done: Cell::default() }
    }

    /// One object more.
    pub fn show(&self, step: &Progress<'_>) {
        let (objects, bytes) = self.done.get();
        let (objects, bytes) = (objects + 1, bytes + step.size_bytes);
        self.done.set((objects, bytes));
        let amount = match self.total {
            Some((of, of_bytes)) => {
                format!("{objects}/{of}, {} of {}", show_bytes(bytes), show_bytes(of_bytes))
            }
            None => format!("{objects}, {}", show_bytes(bytes)),
        };
        let text = format!("sx: {} {} ({amount})", self.verb, step.path.name());
        self.session.progress().count(objects, self.total.map(|(of, _)| of), &text);
    }

    /// Takes the live display away.
    pub fn end(&self) {
        self.session.progress().clear();
    }
}

#[derive(Serialize)]
struct Report {
    taken: Vec<String>,
    present: Vec<String>,
    realisations: usize,
    ignored_realisations: usize,
    contradicted: Vec<Contradiction>,
}

#[derive(Serialize)]
struct Contradiction {
    derivation: String,
    output: String,
    /// What the other side says it was realised to.
    path: String,
}

/// Prints the store paths that are new, and tells the rest.
pub fn print(session: &Session, taken: &Taken, json: bool) -> Result<(), Failure> {
    for (derivation, output, path) in &taken.contradicted {
        let name = derivation.plain_name();
        let text = format!(
            "warning: the other side realised output `{output}` of {name} to `{path}`, this store did not"
        );
        session.progress().print(&text);
    }
    if taken.ignored > 0 {
        session.progress().tell(&format!(
            "sx: {} realisations were passed over: `--trust-realisations` takes the other side's word for them",
            taken.ignored
        ));
    }
    let texts =
        |paths: &[sx_derivation::StorePath]| paths.iter().map(ToString::to_string).collect::<Vec<_>>();
    let (new, present) = (texts(&taken.new), texts(&taken.present));
    if json {
        let contradicted = taken.contradicted.iter().map(|(derivation, output, path)| Contradiction {
            derivation: derivation.to_string(),
            output: output.clone(),
            path: path.to_string(),
        });
        return session.print_json(&Report {
            taken: new,
            present,
            realisations: taken.realisations,
            ignored_realisations: taken.ignored,
            contradicted: contradicted.collect(),
        });
    }
    if new.is_empty() { Ok(()) } else { session.print(&new.join("\n")) }
}
