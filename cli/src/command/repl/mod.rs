//! `sx repl`
//!
//! The whole conversation is one evaluation: what was bound stays, evaluated at most once. An error ends the line, not the
//! evaluation.

mod line;

use crate::evaluation::{self, Exploring};
use crate::failure::Failure;
use crate::flake;
use crate::session::Session;
use clap::Args;
use line::{Input, Lines};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use sx_evaluator::{Depth, Error, ErrorKind, Evaluator, Outcome, Value, is_unfinished};

/// Evaluate expressions as you type them
///
/// An expression prints its value, `name = expression` binds a name. What isn't finished goes on in the next line. `:?` lists
/// the commands. Input may also come through a pipe.
#[derive(Debug, Args)]
#[command(long_about)]
pub struct Arguments {
    /// Make the attributes of this file's value variables; may be given several times
    #[arg(long = "file", short, value_name = "FILE")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    exploring: Exploring,
}

const HELP: &str = "\
EXPRESSION         print its value, to the first level
NAME = EXPRESSION  bind a name
:p EXPRESSION      print the value to the bottom
:t EXPRESSION      say what kind of value it is
:doc EXPRESSION    describe a function
:a EXPRESSION      make the attributes of a set variables
:l FILE            the same with the value of a file
:lf                the same with the outputs of the nearest flake.nix
:? or :help        this list
:q                 end; so does Ctrl-D";

pub fn run(session: &Session, arguments: &Arguments) -> Result<(), Failure> {
    let history = session.environment().state_folder().map(|folder| folder.join("repl-history"));
    session.explore(&arguments.exploring, |evaluator, folder| {
        let repl = Repl { evaluator, session, arguments, folder, scope: RefCell::default() };
        Ok(repl.converse(history))
    })?
}

/// What has been said so far.
struct Repl<'e, 'a> {
    evaluator: &'e Evaluator<'a>,
    session: &'e Session,
    arguments: &'e Arguments,
    folder: &'e [u8],
    scope: RefCell<BTreeMap<String, Value<'a>>>,
}

/// Whether to go on.
#[derive(PartialEq, Eq)]
enum Then {
    GoOn,
    End,
}

impl<'a> Repl<'_, 'a> {
    fn converse(&self, history: Option<PathBuf>) -> Result<(), Failure> {
        for file in &self.arguments.files {
            let file = file.to_string_lossy();
            self.tell(self.load(&file))?;
        }
        let mut lines = Lines::new(history, |path| self.names_below(path))?;
        if lines.is_terminal() {
            self.say("sx evaluates what you type; `:?` lists the commands")?;
        }
        let mut text = String::new();
        loop {
            let is_terminal = lines.is_terminal();
            let mut next = || lines.next(text.is_empty());
            // On a terminal Ctrl-C is a key; otherwise it ends the wait.
            let input = if is_terminal { next() } else { self.session.endable(next) };
            match input? {
                Input::Line(line) => text += &line,
                Input::NotUtf8 => {
                    text.clear();
                    self.tell(Err(Error::value("a line that is not UTF-8 is left out")))?;
                    continue;
                }
                // What was begun is forgotten.
                Input::Interrupted => {
                    text.clear();
                    continue;
                }
                Input::End if text.trim().is_empty() => return Ok(()),
                Input::End => {
                    return self.obey(&text).map(drop);
                }
            }
            if self.wants_more(&text) {
                text.push('\n');
                continue;
            }
            lines.remember(&text);
            self.session.cancelled().store(false, Ordering::Relaxed);
            if self.obey(&text)? == Then::End {
                return Ok(());
            }
            text.clear();
        }
    }

    fn wants_more(&self, text: &str) -> bool {
        let text = match text.trim_start().strip_prefix(':') {
            Some(command) => command.split_once(char::is_whitespace).map_or("", |(_, rest)| rest),
            None => text,
        };
        let text =
            if is_binding(text) { text.split_once('=').map_or(text, |(_, value)| value) } else { text };
        let text = text.trim_end().trim_end_matches(';');
        !text.is_empty() && is_unfinished(text)
    }

    fn obey(&self, text: &str) -> Result<Then, Failure> {
        let text = text.trim();
        let (command, rest) = match text.strip_prefix(':') {
            Some(_) => text.split_once(char::is_whitespace).unwrap_or((text, "")),
            None => ("", text),
        };
        let rest = rest.trim();
        let outcome = match command {
            "" if rest.is_empty() => Ok(String::new()),
            "" if is_binding(rest) => self.bind(rest).map(|()| String::new()),
            "" => self.evaluate(rest).and_then(|value| self.print(value, Depth::Levels(1))),
            ":p" => self.evaluate(rest).and_then(|value| self.print(value, Depth::Described)),
            ":t" => self.evaluate(rest).map(|value| value.described().to_owned()),
            ":doc" => self.evaluate(rest).and_then(|value| {
                let described = self.evaluator.describe_function(value)?;
                described.ok_or_else(|| {
                    Error::type_error(format!("expected a function but found {}", value.described()))
                })
            }),
            ":a" => self.evaluate(rest).and_then(|value| self.add(value)),
            ":l" => self.load(rest),
            ":lf" => self.load_flake(),
            ":?" | ":help" => Ok(HELP.to_owned()),
            ":q" | ":quit" => return Ok(Then::End),
            other => {
                let message = format!("there is no command `{other}`");
                Err(Error::value(message).with_hint(Some("`:?` lists the commands".to_owned())))
            }
        };
        self.tell(outcome)?;
        Ok(Then::GoOn)
    }

    fn scope(&self) -> Value<'a> {
        let scope = self.scope.borrow();
        self.evaluator.attributes(scope.iter().map(|(name, value)| (name.as_str(), *value)))
    }

    fn evaluate(&self, text: &str) -> Outcome<'a> {
        self.evaluator.evaluate_text_in_scope("«input»", text, self.folder, self.scope())
    }

    fn print(&self, value: Value<'a>, depth: Depth) -> Outcome<'a, String> {
        Ok(String::from_utf8_lossy(&self.evaluator.print(value, depth)?).into_owned())
    }

    /// Binds names without evaluating what they mean.
    fn bind(&self, text: &str) -> Outcome<'a, ()> {
        let end = if text.ends_with(';') { "" } else { ";" };
        let set = self.evaluate(&format!("{{ {text}{end} }}"))?;
        let bound = self.evaluator.attribute_values(set)?;
        self.scope.borrow_mut().extend(bound);
        Ok(())
    }

    fn add(&self, value: Value<'a>) -> Outcome<'a, String> {
        let value = self.evaluator.auto_call(value, &[])?;
        if !matches!(value, Value::Attributes(_)) {
            return Err(Error::type_error(format!("expected a set but found {}", value.described())));
        }
        let attributes = self.evaluator.attribute_values(value)?;
        let shown = format!("added {} variables", attributes.len());
        self.scope.borrow_mut().extend(attributes);
        Ok(shown)
    }

    fn load(&self, file: &str) -> Outcome<'a, String> {
        let path = [self.folder, b"/", file.as_bytes()].concat();
        let path = if file.starts_with('/') { file.as_bytes() } else { &path };
        self.evaluator.evaluate_file(path).and_then(|value| self.add(value))
    }

    fn load_flake(&self) -> Outcome<'a, String> {
        let here = PathBuf::from(String::from_utf8_lossy(self.folder).into_owned());
        let Some(folder) = flake::find(&here) else {
            let message = format!("there is no flake.nix from `{}` upward", here.display());
            return Err(Error::new(ErrorKind::File, message));
        };
        let folder = folder.as_os_str().as_encoded_bytes();
        self.evaluator
            .evaluate_text("flake outputs", flake::OUTPUTS, folder)
            .and_then(|value| self.add(value))
    }

    /// Prints what came of a line.
    fn tell(&self, outcome: Outcome<'a, String>) -> Result<(), Failure> {
        match outcome {
            Ok(text) if text.is_empty() => Ok(()),
            Ok(text) => self.say(&text),
            Err(error) if error.kind == ErrorKind::Cancelled => self.complain("interrupted\n"),
            Err(error) => {
                let diagnostic = self.evaluator.diagnose(error);
                self.complain(&diagnostic.render(evaluation::colour(), self.arguments.exploring.trace()))
            }
        }
    }

    fn say(&self, text: &str) -> Result<(), Failure> {
        self.session.print(text)
    }

    fn complain(&self, text: &str) -> Result<(), Failure> {
        let is_terminal = std::io::stderr().is_terminal();
        let end = if is_terminal { "\n" } else { "" };
        // With nobody to read, there is nobody to tell.
        let _ = write!(std::io::stderr(), "{text}{end}");
        Ok(())
    }

    /// The names that may stand after `path`, which ends with a dot or is empty.
    fn names_below(&self, path: &str) -> Vec<String> {
        let Some(set) = path.strip_suffix('.') else {
            let bound = self.scope.borrow().keys().cloned().collect::<Vec<_>>();
            let global = sx_evaluator::builtins::all().into_iter().filter(|builtin| builtin.is_global);
            let constants = ["builtins", "true", "false", "null"];
            let names = global.map(|builtin| builtin.name).chain(constants).map(str::to_owned);
            return bound.into_iter().chain(names).collect();
        };
        // What can't be evaluated has no names to offer.
        self.evaluate(set).and_then(|value| self.evaluator.attribute_names(value)).unwrap_or_default()
    }
}

/// Whether a line begins as `name = …` or `a.b = …` does.
fn is_binding(text: &str) -> bool {
    let Some((name, value)) = text.split_once('=') else { return false };
    let name = name.trim();
    let continues = |character: char| character.is_ascii_alphanumeric() || "_'-.".contains(character);
    !value.starts_with('=')
        && name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && name.chars().all(continues)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_binding_is_told_from_an_expression() {
        assert!(is_binding("x = 1") && is_binding("a.b=1;"));
        for text in
            ["x == 1", "f { a = 1; }", "1", "\"=\"", "let x = 1; in x", "x: x = 1", "a != b", "a <= b"]
        {
            assert!(!is_binding(text), "{text}");
        }
    }
}
