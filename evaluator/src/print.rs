//! Values as the language writes them.

use crate::Evaluator;
use crate::error::{ErrorKind, Outcome};
use crate::number::six_digits;
use crate::symbol::known;
use crate::value::Value;
use rustc_hash::FxHashSet;

/// How far a value is evaluated to be printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// Not further than it is; the rest is `<CODE>`.
    Known,
    /// Everything in it.
    Whole,
    /// Everything, but a derivation is its path and a function its place: as `nix eval` prints.
    Described,
    /// The same to so many levels, below which there is `{ ... }`; an error in it is printed where it stands.
    Levels(usize),
}

impl<'a> Evaluator<'a> {
    /// Prints a value as `nix-instantiate --eval` does, without a line end.
    pub fn print(&self, value: Value<'a>, depth: Depth) -> Outcome<'a, Vec<u8>> {
        let mut printer =
            Printer { evaluator: self, depth, level: 0, text: Vec::new(), seen: FxHashSet::default() };
        printer.print(value)?;
        Ok(printer.text)
    }
}

/// A few characters for a message, nothing for what doesn't fit into one line.
pub(crate) fn short<'a>(evaluator: &Evaluator<'a>, value: Value<'a>) -> String {
    const MOST: usize = 60;
    let is_small = match value {
        Value::List(list) => list.items.len() <= 8,
        Value::Attributes(set) => set.len() <= 8,
        Value::String(text) => text.bytes.len() <= 4 * MOST,
        Value::Int(_) | Value::Float(_) | Value::Path(_) | Value::Bool(_) => true,
        _ => false,
    };
    if !is_small {
        return String::new();
    }
    let mut printer =
        Printer { evaluator, depth: Depth::Known, level: 0, text: Vec::new(), seen: FxHashSet::default() };
    if printer.print_within(value, MOST).is_err() {
        return String::new();
    }
    let text = String::from_utf8_lossy(&printer.text).into_owned();
    if text.chars().count() > MOST { text.chars().take(MOST).collect::<String>() + "…" } else { text }
}

struct Printer<'e, 'a> {
    evaluator: &'e Evaluator<'a>,
    depth: Depth,
    /// Sets and lists around what is printed.
    level: usize,
    text: Vec<u8>,
    /// Addresses of the sets, and of lists or their thunks, that were printed: what stands twice is printed once.
    seen: FxHashSet<usize>,
}

impl<'a> Printer<'_, 'a> {
    fn print(&mut self, value: Value<'a>) -> Outcome<'a, ()> {
        self.print_within(value, usize::MAX)
    }

    /// Stops in the middle when the text exceeds `most` bytes.
    fn print_within(&mut self, value: Value<'a>, most: usize) -> Outcome<'a, ()> {
        if self.text.len() > most {
            return Ok(());
        }
        let place = value;
        let value = match self.depth {
            Depth::Whole | Depth::Described => self.evaluator.force(value)?,
            Depth::Levels(_) => match self.evaluator.force(value) {
                Ok(value) => value,
                Err(error) if self.level > 0 && error.kind != ErrorKind::Cancelled => {
                    self.add(&format!("«error: {}»", error.message));
                    return Ok(());
                }
                Err(error) => return Err(error),
            },
            Depth::Known => value.if_known().unwrap_or(value),
        };
        if self.describe(value)? {
            return Ok(());
        }
        match value {
            Value::Null => self.add("null"),
            Value::Bool(true) => self.add("true"),
            Value::Bool(false) => self.add("false"),
            Value::Int(number) => self.add(&number.to_string()),
            Value::Float(number) => self.add(&six_digits(number)),
            Value::String(text) => quote(&mut self.text, text.bytes),
            Value::Path(path) => self.text.extend_from_slice(path.bytes),
            Value::Closure(_) => self.add("<LAMBDA>"),
            Value::Builtin(_) => self.add("<PRIMOP>"),
            Value::Partial(_) => self.add("<PRIMOP-APP>"),
            Value::Thunk(_) | Value::Unset => self.add("<CODE>"),
            Value::List(list) => {
                self.evaluator.check_work(self.text.capacity())?;
                // As in the reference, it is the same list only in the same place: the elements of two lists may be one constant.
                let address = match place {
                    Value::Thunk(thunk) => std::ptr::from_ref(thunk).addr(),
                    _ => std::ptr::from_ref(list).addr(),
                };
                if !list.items.is_empty() && !self.seen.insert(address) {
                    self.add("«repeated»");
                    return Ok(());
                }
                self.add("[ ");
                self.level += 1;
                for item in list.items {
                    self.print_within(*item, most)?;
                    self.add(" ");
                }
                self.level -= 1;
                self.add("]");
            }
            Value::Attributes(set) => {
                self.evaluator.check_work(self.text.capacity())?;
                if !set.is_empty() && !self.seen.insert(std::ptr::from_ref(set).addr()) {
                    self.add("«repeated»");
                    return Ok(());
                }
                self.add("{ ");
                self.level += 1;
                let evaluator = self.evaluator;
                for attribute in set.by_name(evaluator.arena, &evaluator.symbols) {
                    name(&mut self.text, evaluator.symbols.name(attribute.name));
                    self.add(" = ");
                    self.print_within(attribute.value, most)?;
                    self.add("; ");
                }
                self.level -= 1;
                self.add("}");
            }
        }
        Ok(())
    }

    /// Prints what isn't printed by its content; whether it was.
    fn describe(&mut self, value: Value<'a>) -> Outcome<'a, bool> {
        let levels = match self.depth {
            Depth::Known | Depth::Whole => return Ok(false),
            Depth::Described => usize::MAX,
            Depth::Levels(levels) => levels,
        };
        let evaluator = self.evaluator;
        let shown = match value {
            Value::Closure(closure) => {
                let lambda = closure.lambda;
                let name =
                    lambda.name.map_or_else(String::new, |name| format!(" {}", evaluator.symbols.text(name)));
                let place = evaluator.sources.locate(lambda.span);
                let place = place.map_or_else(String::new, |place| {
                    format!(" @ {}:{}:{}", place.source.name, place.line, place.column)
                });
                format!("«lambda{name}{place}»")
            }
            Value::Builtin(builtin) => format!("«primop {}»", builtin.name),
            Value::Partial(partial) => format!("«partially applied primop {}»", partial.builtin.name),
            Value::List(list) if self.level >= levels && !list.items.is_empty() => "[ ... ]".to_owned(),
            Value::Attributes(set) => {
                if evaluator.is_derivation(value)? {
                    match set.get(known::DRV_PATH).map(|path| evaluator.force(path.value)).transpose() {
                        Ok(Some(Value::String(path))) => {
                            format!("«derivation {}»", String::from_utf8_lossy(path.bytes))
                        }
                        Err(error) if self.level > 0 && matches!(self.depth, Depth::Levels(_)) => {
                            format!("«error: {}»", error.message)
                        }
                        Err(error) => return Err(error),
                        Ok(_) => "«derivation ???»".to_owned(),
                    }
                } else if self.level >= levels && !set.is_empty() {
                    "{ ... }".to_owned()
                } else {
                    return Ok(false);
                }
            }
            _ => return Ok(false),
        };
        self.add(&shown);
        Ok(true)
    }

    fn add(&mut self, text: &str) {
        self.text.extend_from_slice(text.as_bytes());
    }
}

/// A string literal.
fn quote(text: &mut Vec<u8>, bytes: &[u8]) {
    text.push(b'"');
    for (n, &byte) in bytes.iter().enumerate() {
        match byte {
            b'"' | b'\\' => text.extend_from_slice(&[b'\\', byte]),
            b'\n' => text.extend_from_slice(b"\\n"),
            b'\r' => text.extend_from_slice(b"\\r"),
            b'\t' => text.extend_from_slice(b"\\t"),
            b'$' if bytes.get(n + 1) == Some(&b'{') => text.extend_from_slice(b"\\$"),
            other => text.push(other),
        }
    }
    text.push(b'"');
}

/// An attribute's name, quoted unless it is an identifier.
fn name(text: &mut Vec<u8>, bytes: &[u8]) {
    const KEYWORDS: [&[u8]; 9] =
        [b"assert", b"else", b"if", b"in", b"inherit", b"let", b"rec", b"then", b"with"];
    let begins = |byte: &u8| byte.is_ascii_alphabetic() || *byte == b'_';
    let continues = |byte: &u8| byte.is_ascii_alphanumeric() || b"_'-".contains(byte);
    if bytes.first().is_some_and(begins) && bytes.iter().all(continues) && !KEYWORDS.contains(&bytes) {
        text.extend_from_slice(bytes);
    } else {
        quote(text, bytes);
    }
}
