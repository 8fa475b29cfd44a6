//! Lines of input: from a terminal with history and completion, or from a pipe as they are.

use crate::failure::{Failure, Kind};
use rustyline::completion::Completer;
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::FileHistory;
use rustyline::validate::Validator;
use rustyline::{Config, Context, Editor, Helper};
use std::io::{BufRead, IsTerminal, Read};
use std::path::{Path, PathBuf};

/// What is longer is no line that anybody wrote.
const LONGEST_LINE_BYTES: u64 = 1 << 30;

/// What the user did.
pub enum Input {
    /// Wrote a line.
    Line(String),
    /// Sent a line that is no text.
    NotUtf8,
    /// Pressed Ctrl-C.
    Interrupted,
    /// Pressed Ctrl-D, or closed the pipe.
    End,
}

/// Where lines come from. `names` gives what may stand after a path that ends with a dot, or at the beginning of one.
pub enum Lines<N: Fn(&str) -> Vec<String>> {
    /// A person.
    Terminal(Box<Editor<Names<N>, FileHistory>>, Option<PathBuf>),
    /// A program.
    Pipe,
}

impl<N: Fn(&str) -> Vec<String>> Lines<N> {
    /// From standard input.
    pub fn new(history: Option<PathBuf>, names: N) -> Result<Self, Failure> {
        if !std::io::stdin().is_terminal() {
            return Ok(Self::Pipe);
        }
        let mut editor =
            Editor::with_config(Config::builder().auto_add_history(false).build()).map_err(failed)?;
        editor.set_helper(Some(Names(names)));
        if let Some(file) = &history {
            // The first time there is none; a history that can't be read is no reason not to talk.
            let _ = editor.load_history(file);
        }
        Ok(Self::Terminal(Box::new(editor), history))
    }

    pub const fn is_terminal(&self) -> bool {
        matches!(self, Self::Terminal(..))
    }

    /// The next one, without its end.
    pub fn next(&mut self, is_first: bool) -> Result<Input, Failure> {
        match self {
            Self::Terminal(editor, _) => match editor.readline(if is_first { "sx> " } else { "  > " }) {
                Ok(line) => Ok(Input::Line(line)),
                Err(ReadlineError::Interrupted) => Ok(Input::Interrupted),
                Err(ReadlineError::Eof) => Ok(Input::End),
                Err(error) => Err(failed(error)),
            },
            Self::Pipe => {
                let mut line = Vec::new();
                let read = std::io::stdin().lock().take(LONGEST_LINE_BYTES).read_until(b'\n', &mut line);
                read.map_err(|error| Failure::io("read", Path::new("standard input"), &error))?;
                if line.len() as u64 == LONGEST_LINE_BYTES {
                    let message = "a line of standard input has no end within a GiB";
                    return Err(Failure::new(Kind::Expression, message));
                }
                Ok(match String::from_utf8(line) {
                    Ok(line) if line.is_empty() => Input::End,
                    Ok(line) => Input::Line(line.trim_end_matches(['\n', '\r']).to_owned()),
                    Err(_) => Input::NotUtf8,
                })
            }
        }
    }

    /// Keeps what was said for later runs.
    pub fn remember(&mut self, text: &str) {
        let Self::Terminal(editor, file) = self else { return };
        let is_new = editor.add_history_entry(text.trim_end()).unwrap_or(false);
        let Some(file) = file.as_deref().filter(|_| is_new) else { return };
        let folder = file.parent().unwrap_or(Path::new("/"));
        // A history that can't be kept is no reason not to talk.
        let _ = std::fs::create_dir_all(folder).map(|()| editor.append_history(file));
    }
}

fn failed(error: ReadlineError) -> Failure {
    Failure::new(Kind::Host, format!("cannot read from the terminal: {error}"))
}

/// Completes names.
pub struct Names<N>(N);

impl<N: Fn(&str) -> Vec<String>> Completer for Names<N> {
    type Candidate = String;

    fn complete(&self, line: &str, place: usize, _: &Context<'_>) -> rustyline::Result<(usize, Vec<String>)> {
        let (start, path, begin) = path_before(line, place);
        let mut found: Vec<_> = (self.0)(path).into_iter().filter(|name| name.starts_with(begin)).collect();
        found.sort();
        found.dedup();
        Ok((start, found))
    }
}

/// Where the name before the cursor begins, the path before that, and the name.
fn path_before(line: &str, place: usize) -> (usize, &str, &str) {
    let before = line.get(..place).unwrap_or(line);
    let is_part = |character: char| character.is_ascii_alphanumeric() || "_'-.".contains(character);
    let word = before.rfind(|character| !is_part(character)).map_or(before, |last| {
        let width = before[last..].chars().next().map_or(1, char::len_utf8);
        &before[last + width..]
    });
    let path = word.rfind('.').map_or(0, |dot| dot + 1);
    (before.len() - word.len() + path, &word[..path], &word[path..])
}

impl<N> Hinter for Names<N> {
    type Hint = String;
}
impl<N> Highlighter for Names<N> {}
impl<N> Validator for Names<N> {}
impl<N: Fn(&str) -> Vec<String>> Helper for Names<N> {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_before_the_cursor_is_found() {
        assert_eq!(path_before("1 + buil", 8), (4, "", "buil"));
        assert_eq!(path_before("(builtins.ma)", 12), (10, "builtins.", "ma"));
        assert_eq!(path_before("\"é${a.b.", 9), (9, "a.b.", ""));
        assert_eq!(path_before("", 0), (0, "", ""));
    }
}
