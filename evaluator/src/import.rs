//! Texts and files to values.

use crate::Evaluator;
use crate::attributes::Attributes;
use crate::error::{Error, ErrorKind, Outcome};
use crate::evaluate::path::{absolute, parent};
use crate::host::{FileType, HostError};
use crate::lower::{Program, lower};
use crate::source::Span;
use crate::stand_in::readable;
use crate::symbol::Symbol;
use crate::value::Value;
use bstr::ByteSlice;

impl<'a> Evaluator<'a> {
    /// Evaluates a text. `name` is what errors call it; relative paths are relative to `directory`, which is absolute.
    pub fn evaluate_text(&self, name: &str, text: impl AsRef<[u8]>, directory: &[u8]) -> Outcome<'a> {
        let directory = self.arena.bytes(&absolute(directory));
        let program = self.program(name, text.as_ref().to_vec(), directory, false, &[])?;
        self.evaluate(program.code, self.frame(None, program.slots))
    }

    /// Evaluates a text in which the attributes of `scope`, a set, are variables.
    pub fn evaluate_text_in_scope(
        &self,
        name: &str,
        text: &str,
        directory: &[u8],
        scope: Value<'a>,
    ) -> Outcome<'a> {
        let directory = self.arena.bytes(&absolute(directory));
        let Value::Attributes(scope) = self.force(scope)? else {
            return Err(self.expected("a set as the scope", scope));
        };
        let attributes = scope.all(self.arena);
        let names: Vec<_> = attributes.iter().map(|attribute| attribute.name).collect();
        let program = self.program(name, text.as_bytes().to_vec(), directory, false, &names)?;
        let frame = self.frame(None, program.slots);
        frame.capture();
        for (slot, attribute) in frame.slots().iter().zip(attributes) {
            slot.set(attribute.value);
        }
        self.evaluate(program.code, frame)
    }

    /// Evaluates a file, or `default.nix` in a folder. Evaluates each only once.
    pub fn evaluate_file(&self, path: &[u8]) -> Outcome<'a> {
        let path = self.expression_file(&absolute(path))?;
        let known = self.imported.borrow().get(path).copied();
        if let Some(value) = known {
            return self.import_known(value, path);
        }
        self.check_stack()?;
        let text = self.source_text(path)?;
        let program = self.program(&path.to_str_lossy(), text, parent(path), true, &[])?;
        let frame = self.frame(None, program.slots);
        frame.capture();
        let state = crate::value::State::Suspended(program.code, frame);
        let value = Value::Thunk(self.arena.put(crate::value::Thunk(std::cell::Cell::new(state))));
        self.imported.borrow_mut().insert(path, value);
        self.import_known(value, path)
    }

    /// The value of a file. When it needs itself, the error names the files on the way.
    fn import_known(&self, value: Value<'a>, path: &[u8]) -> Outcome<'a> {
        let is_running =
            matches!(value, Value::Thunk(thunk) if matches!(thunk.0.get(), crate::value::State::Running));
        self.force(value).map_err(|error| {
            if is_running && error.kind == ErrorKind::InfiniteRecursion && error.span.is_nowhere() {
                let message = format!("infinite recursion: the value of `{}` needs itself", path.as_bstr());
                return Error::new(ErrorKind::InfiniteRecursion, message);
            }
            error.while_doing(|| format!("while evaluating the file `{}`", path.as_bstr()), Span::NOWHERE)
        })
    }

    /// Evaluates a file in which the attributes of `scope` are variables, anew each time.
    pub(crate) fn evaluate_file_in_scope(&self, path: &[u8], scope: &'a Attributes<'a>) -> Outcome<'a> {
        let path = self.expression_file(&absolute(path))?;
        self.check_stack()?;
        let text = self.source_text(path)?;
        let attributes = scope.all(self.arena);
        let names: Vec<_> = attributes.iter().map(|attribute| attribute.name).collect();
        let program = self.program(&path.to_str_lossy(), text, parent(path), true, &names)?;
        let frame = self.frame(None, program.slots);
        frame.capture();
        for (slot, attribute) in frame.slots().iter().zip(attributes) {
            slot.set(attribute.value);
        }
        self.evaluate(program.code, frame)
    }

    fn program(
        &self,
        name: &str,
        text: Vec<u8>,
        directory: &'a [u8],
        is_file: bool,
        outer: &[Symbol],
    ) -> Outcome<'a, Program<'a>> {
        let Some(start) = self.sources.add(name.to_owned(), readable(text), is_file) else {
            return Err(Error::new(ErrorKind::Memory, "all expressions together exceed 4 GiB"));
        };
        let text = self.sources.text(start);
        lower(self, &text.text, start, directory, outer)
    }

    fn source_text(&self, path: &[u8]) -> Outcome<'a, Vec<u8>> {
        self.host.read_file(path.as_bstr()).map_err(|error| self.host_error(error, "read", path))
    }

    fn expression_file(&self, path: &[u8]) -> Outcome<'a, &'a [u8]> {
        let default =
            || if path == b"/" { b"/default.nix".to_vec() } else { [path, b"/default.nix"].concat() };
        let file = match self.host.file_type(path.as_bstr()) {
            Ok(FileType::Directory) => default(),
            Ok(FileType::Symlink) if self.host.file_type(default().as_bstr()).is_ok() => default(),
            _ => path.to_vec(),
        };
        Ok(self.arena.bytes(&file))
    }

    /// An error for what the host could not do.
    #[cold]
    pub(crate) fn host_error(&self, error: HostError, doing: &str, path: &[u8]) -> Box<Error> {
        let kind = match error {
            HostError::Forbidden => ErrorKind::Impure,
            HostError::NotBuilt => ErrorKind::ImportFromDerivation,
            _ => ErrorKind::File,
        };
        let mut message = format!("cannot {doing} `{}`: {error}", path.as_bstr());
        let mut source = std::error::Error::source(&error);
        while let Some(cause) = source {
            message += &format!(": {cause}");
            source = cause.source();
        }
        Error::new(kind, message)
    }
}
