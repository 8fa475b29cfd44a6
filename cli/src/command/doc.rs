//! `sx doc`

use crate::failure::{Failure, Kind};
use clap::Args;
use serde::Serialize;
use std::io::Write;
use sx_evaluator::builtins::{self, Builtin};
use sx_evaluator::suggest;

/// Show what a builtin function does
#[derive(Debug, Args)]
pub struct Arguments {
    /// The function, such as builtins.match; all of them if none is given
    name: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Record {
    name: &'static str,
    arguments: &'static [&'static str],
    documentation: &'static str,
    /// Whether its bare name is a variable everywhere.
    is_global: bool,
    /// What to do instead, if sx refuses it.
    refused: Option<&'static str>,
}

#[derive(Serialize)]
struct All {
    builtins: Vec<Record>,
}

pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let all = builtins::all();
    let text = match (&arguments.name, arguments.json) {
        (None, true) => json(&All { builtins: all.into_iter().map(record).collect() }),
        (None, false) => table(&all),
        (Some(name), is_json) => {
            let builtin = find(&all, name)?;
            if is_json { json(&record(builtin)) } else { builtin.to_string() }
        }
    };
    let mut output = std::io::stdout().lock();
    let written = writeln!(output, "{text}").and_then(|()| output.flush());
    written.map_err(|error| Failure::output(&error))
}

fn find(all: &[&'static Builtin], name: &str) -> Result<&'static Builtin, Failure> {
    let bare = name.strip_prefix("builtins.").or_else(|| name.strip_prefix("__")).unwrap_or(name);
    all.iter().find(|builtin| builtin.name == bare).copied().ok_or_else(|| {
        let failure = Failure::new(Kind::Usage, format!("there is no builtin function `{bare}`"));
        match suggest::did_you_mean(bare, all.iter().map(|builtin| builtin.name.to_owned())) {
            Some(hint) => failure.hint(hint),
            None => failure.hint("`sx doc` lists them all"),
        }
    })
}

fn record(builtin: &'static Builtin) -> Record {
    let Builtin { name, arguments, documentation, is_global, refused, .. } = *builtin;
    Record { name, arguments, documentation, is_global, refused }
}

fn json(record: &impl Serialize) -> String {
    serde_json::to_string_pretty(record).expect("records of ours have text keys only")
}

fn table(all: &[&'static Builtin]) -> String {
    let call = |builtin: &Builtin| format!("{} {}", builtin.name, builtin.arguments.join(" "));
    let width = all.iter().map(|builtin| call(builtin).len()).max().unwrap_or(0);
    let line = |builtin: &&'static Builtin| format!("{:width$}  {}", call(builtin), builtin.documentation);
    all.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_builtin_is_found_by_each_of_its_names() {
        let all = builtins::all();
        for name in ["builtins.map", "map", "__map"] {
            assert_eq!(find(&all, name).unwrap().name, "map");
        }
        let error = find(&all, "builtins.mpa").err().unwrap();
        assert!(error.render(false).contains("did you mean `map`"));
    }
}
