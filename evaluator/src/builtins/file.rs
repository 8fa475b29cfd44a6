//! Files, as far as the host shows them.

use super::Builtin;
use super::control::refuse_unbuilt;
use super::string::from_outside;
use crate::Evaluator;
use crate::attributes::{Attribute, Attributes};
use crate::context::{Context, Element};
use crate::error::{Error, ErrorKind, Outcome};
use crate::evaluate::coerce::{Coercion, Copying};
use crate::evaluate::path::{absolute, base_name, parent};
use crate::host::{AddPath, FileType, FilterFailed, HostError, Method};
use crate::symbol::known;
use crate::value::{Text, Value};
use bstr::{BStr, ByteSlice};
use std::collections::BTreeSet;
use sx_derivation::{Algorithm, Hash, StorePath};

pub(super) const TABLE: &[Builtin] = &[
    Builtin::new("baseNameOf", &["x"], 1, base_name_of, "What follows the last slash of a path or string.")
        .global(),
    Builtin::new("dirOf", &["s"], 1, dir_of, "What stands before the last slash of a path or string.")
        .global(),
    Builtin::new(
        "filterSource",
        &["f", "path"],
        3,
        filter_source,
        "Adds those files below a path to the store of which a function is true.",
    ),
    Builtin::new(
        "findFile",
        &["search-path", "lookup-path"],
        3,
        find_file,
        "Where a name lies on a search path; what <name> means.",
    ),
    Builtin::new(
        "path",
        &["args"],
        1,
        path,
        "Adds a path to the store: path, and optionally name, filter, recursive and sha256.",
    ),
    Builtin::new("pathExists", &["path"], 1, path_exists, "Whether something lies at a path."),
    Builtin::new(
        "readDir",
        &["path"],
        1,
        read_dir,
        "The names in a folder with their types: regular, directory, symlink or unknown.",
    ),
    Builtin::new("readFile", &["path"], 1, read_file, "The bytes of a file."),
    Builtin::new(
        "readFileType",
        &["p"],
        1,
        read_file_type,
        "The type of what lies at a path: regular, directory, symlink or unknown.",
    ),
    Builtin::new("toFile", &["name", "s"], 3, to_file, "Adds a file with a text to the store; its path."),
    Builtin::new("toPath", &["s"], 1, to_path, "An absolute path's text in normal form."),
];

fn base_name_of<'a>(evaluator: &Evaluator<'a>, arguments: &[Value<'a>]) -> Outcome<'a> {
    let text = evaluator.coerce(arguments[0], Coercion::INTERPOLATED.copying(Copying::Never))?;
    Ok(evaluator.text(Text { bytes: base_name(text.bytes), context: text.context }))
}

fn dir_of<'a>(evaluator: &Evaluator<'a>, arguments: &[Value<'a>]) -> Outcome<'a> {
    if let Value::Path(path) = evaluator.force(arguments[0])? {
        return Ok(evaluator.path_value(parent(path.bytes)));
    }
    let text = evaluator.coerce(arguments[0], Coercion::INTERPOLATED.copying(Copying::Never))?;
    Ok(evaluator.text(Text { bytes: parent(text.bytes), context: text.context }))
}

/// A path to be read; what would need building is refused.
pub(super) fn readable<'a>(evaluator: &Evaluator<'a>, value: Value<'a>, doing: &str) -> Outcome<'a, Vec<u8>> {
    let (path, context) = evaluator.path_text(value)?;
    refuse_unbuilt(context.elements(), doing, &path)?;
    Ok(path)
}

fn read_file<'a>(evaluator: &Evaluator<'a>, arguments: &[Value<'a>]) -> Outcome<'a> {
    let path = readable(evaluator, arguments[0], "read")?;
    let bytes = evaluator
        .host
        .read_file(path.as_bstr())
        .map_err(|error| evaluator.host_error(error, "read", &path))?;
    evaluator.check_memory(bytes.len())?;
    from_outside(evaluator, &bytes, Context::NONE, &path)
}

fn read_dir<'a>(evaluator: &Evaluator<'a>, arguments: &[Value<'a>]) -> Outcome<'a> {
    let path = readable(evaluator, arguments[0], "read")?;
    let entries = evaluator.host.read_directory(path.as_bstr());
    let entries = entries.map_err(|error| evaluator.host_error(error, "read the folder", &path))?;
    let attributes = entries.into_iter().map(|(name, kind)| Attribute {
        name: evaluator.symbols.intern(&name),
        position: 0,
        value: Value::string(evaluator.arena, kind.name().as_bytes()),
    });
    Ok(Value::Attributes(Attributes::from_unsorted(evaluator.arena, attributes.collect())))
}

fn read_file_type<'a>(evaluator: &Evaluator<'a>, arguments: &[Value<'a>]) -> Outcome<'a> {
    let path = readable(evaluator, arguments[0], "look at")?;
    match evaluator.host.file_type(path.as_bstr()) {
        Ok(kind) => Ok(Value::string(evaluator.arena, kind.name().as_bytes())),
        Err(error) => Err(evaluator.host_error(error, "look at", &path)),
    }
}

fn path_exists<'a>(evaluator: &Evaluator<'a>, arguments: &[Value<'a>]) -> Outcome<'a> {
    let value = evaluator.force(arguments[0])?;
    // A text that ends with a slash asks for a folder.
    let wants_folder =
        matches!(value, Value::String(text) if text.bytes.ends_with(b"/") || text.bytes.ends_with(b"/."));
    let path = readable(evaluator, value, "look at")?;
    match evaluator.host.file_type(path.as_bstr()) {
        Ok(FileType::Directory) => Ok(Value::Bool(true)),
        Ok(_) => Ok(Value::Bool(!wants_folder)),
        Err(HostError::NotFound | HostError::Forbidden) => Ok(Value::Bool(false)),
        Err(error) => Err(evaluator.host_error(error, "look at", &path)),
    }
}

fn to_path<'a>(evaluator: &Evaluator<'a>, arguments: &[Value<'a>]) -> Outcome<'a> {
    let (path, context) = evaluator.path_text(arguments[0])?;
    Ok(evaluator.text(Text { bytes: evaluator.arena.bytes(&path), context }))
}

fn find_file<'a>(evaluator: &Evaluator<'a>, arguments: &[Value<'a>]) -> Outcome<'a> {
    let wanted = evaluator.plain_string(arguments[1])?;
    for entry in evaluator.items(arguments[0])? {
        let entry = evaluator.set(*entry)?;
        let prefix = match entry.get(known::PREFIX) {
            Some(prefix) => evaluator.plain_string(prefix.value)?,
            None => b"",
        };
        let Some(folder) = entry.get(known::PATH) else {
            return Err(evaluator.missing(entry, known::PATH, crate::source::Span::NOWHERE));
        };
        let (folder, context) = evaluator.path_text(folder.value)?;
        refuse_unbuilt(context.elements(), "look at", &folder)?;
        let rest = match wanted.strip_prefix(prefix) {
            Some(rest) if prefix.is_empty() || rest.is_empty() || rest.starts_with(b"/") => rest,
            _ => continue,
        };
        let candidate = absolute(&[folder.as_slice(), b"/", rest].concat());
        if evaluator.host.file_type(candidate.as_bstr()).is_ok() {
            return Ok(evaluator.path_value(&candidate));
        }
    }
    let shown = wanted.as_bstr();
    let error = Error::new(ErrorKind::Throw, format!("file `{shown}` was not found in the search path"));
    Err(error.with_hint(Some("add its folder with `-I`".to_owned())))
}

/// What `builtins.path` and `builtins.filterSource` add.
struct Source<'a> {
    path: &'a [u8],
    name: String,
    filter: Option<Value<'a>>,
    expected: Option<(Hash, Method)>,
}

fn filter_source<'a>(evaluator: &Evaluator<'a>, arguments: &[Value<'a>]) -> Outcome<'a> {
    let path = readable(evaluator, arguments[1], "filter")?;
    let filter = evaluator.function(arguments[0])?;
    let name = base_name(&path).to_str_lossy().into_owned();
    add(evaluator, &Source { path: evaluator.arena.bytes(&path), name, filter: Some(filter), expected: None })
}

fn path<'a>(evaluator: &Evaluator<'a>, arguments: &[Value<'a>]) -> Outcome<'a> {
    let set = evaluator.set(arguments[0])?;
    let (mut path, mut name, mut filter, mut method, mut hash) = (None, None, None, Method::Tree, None);
    for attribute in set.by_name(evaluator.arena, &evaluator.symbols) {
        match attribute.name {
            known::PATH => path = Some(readable(evaluator, attribute.value, "add to the store")?),
            known::NAME => name = Some(evaluator.plain_string(attribute.value)?.to_str_lossy().into_owned()),
            known::FILTER => filter = Some(evaluator.function(attribute.value)?),
            known::RECURSIVE if !evaluator.bool(attribute.value)? => method = Method::Flat,
            known::RECURSIVE => {}
            known::SHA256 => {
                let text = evaluator.plain_string(attribute.value)?.to_str_lossy();
                let parsed = Hash::parse(&text, Some(Algorithm::Sha256));
                hash = Some(parsed.map_err(|error| Error::value(error.to_string()))?);
            }
            other => {
                let name = evaluator.symbols.text(other);
                return Err(Error::value(format!("unsupported argument `{name}` to `builtins.path`")));
            }
        }
    }
    let path = path.ok_or_else(|| {
        Error::value("missing required `path` attribute in the argument of `builtins.path`")
    })?;
    let name = name.unwrap_or_else(|| base_name(&path).to_str_lossy().into_owned());
    let expected = hash.map(|hash| (hash, method));
    add(evaluator, &Source { path: evaluator.arena.bytes(&path), name, filter, expected })
}

fn add<'a>(evaluator: &Evaluator<'a>, source: &Source<'a>) -> Outcome<'a> {
    let mut failure = None;
    let mut ask = |path: &BStr, kind: FileType| {
        let Some(function) = source.filter else { return Ok(true) };
        let arguments = [evaluator.string(path), Value::string(evaluator.arena, kind.name().as_bytes())];
        match evaluator.call(function, &arguments) {
            Ok(Value::Bool(is_taken)) => Ok(is_taken),
            Ok(other) => {
                failure = Some(evaluator.expected("a Boolean from the filter", other));
                Err(FilterFailed)
            }
            Err(error) => {
                failure = Some(error);
                Err(FilterFailed)
            }
        }
    };
    let added = evaluator.host.add_path(AddPath {
        path: source.path.as_bstr(),
        name: &source.name,
        filter: source.filter.is_some().then_some(&mut ask),
        expected: source.expected.as_ref(),
    });
    match (added, failure) {
        (_, Some(error)) => Err(error),
        (Ok(stored), None) => Ok(stored_text(evaluator, &stored)),
        (Err(error), None) => Err(evaluator.host_error(error, "add to the store", source.path)),
    }
}

fn stored_text<'a>(evaluator: &Evaluator<'a>, stored: &StorePath) -> Value<'a> {
    let stored = evaluator.arena_str(&stored.to_string());
    let context = Context::of(evaluator.arena, Element::Object(stored));
    evaluator.text(Text { bytes: stored.as_bytes(), context })
}

fn to_file<'a>(evaluator: &Evaluator<'a>, arguments: &[Value<'a>]) -> Outcome<'a> {
    let name = evaluator.plain_string(arguments[0])?.to_str_lossy();
    let text = evaluator.string_text(arguments[1])?;
    let mut references = BTreeSet::new();
    for element in text.context.elements() {
        match element {
            Element::Object(path) => {
                references.insert(StorePath::parse(path).map_err(|error| Error::value(error.to_string()))?);
            }
            Element::Output { derivation, .. } | Element::Closure(derivation) => {
                let message = format!(
                    "the file `{name}` must not refer to outputs, but it does to one of `{derivation}`"
                );
                return Err(Error::value(message));
            }
        }
    }
    match evaluator.host.add_text(&name, text.bytes, &references) {
        Ok(stored) => Ok(stored_text(evaluator, &stored)),
        Err(error) => Err(evaluator.host_error(error, "add to the store", name.as_bytes())),
    }
}
