//! JSON from values, and values from JSON.

use crate::Evaluator;
use crate::attributes::{Attribute, Attributes};
use crate::context::Context;
use crate::error::{Error, Outcome};
use crate::evaluate::coerce::{Coercion, Copying};
use crate::number::shortest;
use crate::symbol::known;
use crate::value::Value;
use bstr::ByteSlice;

impl<'a> Evaluator<'a> {
    /// The JSON of a value, evaluated as deeply as it goes, and what it depends on. Sets with `__toString` become strings, sets
    /// with `outPath` that. Functions have none.
    pub fn to_json(&self, value: Value<'a>) -> Outcome<'a, (Vec<u8>, Context<'a>)> {
        let mut writer = Writer { evaluator: self, text: Vec::new(), context: Context::NONE };
        writer.write(value)?;
        Ok((writer.text, writer.context))
    }

    /// The value of a JSON text.
    pub fn from_json(&self, text: &[u8]) -> Outcome<'a> {
        let mut reader = Reader { evaluator: self, text, offset: 0, held_bytes: 0 };
        let value = reader.value()?;
        reader.skip_space();
        if reader.offset < text.len() { Err(reader.wrong("the end")) } else { Ok(value) }
    }
}

struct Writer<'e, 'a> {
    evaluator: &'e Evaluator<'a>,
    text: Vec<u8>,
    context: Context<'a>,
}

impl<'a> Writer<'_, 'a> {
    fn write(&mut self, value: Value<'a>) -> Outcome<'a, ()> {
        let evaluator = self.evaluator;
        evaluator.check_work(self.text.capacity())?;
        let value = evaluator.force(value)?;
        match value {
            Value::Null => self.text.extend_from_slice(b"null"),
            Value::Bool(truth) => self.text.extend_from_slice(if truth { b"true" } else { b"false" }),
            Value::Int(number) => self.text.extend_from_slice(number.to_string().as_bytes()),
            Value::Float(number) if number.is_finite() => {
                self.text.extend_from_slice(shortest(number).as_bytes())
            }
            Value::Float(_) => self.text.extend_from_slice(b"null"),
            Value::String(text) => {
                self.context = self.context.union(text.context, evaluator.arena);
                self.string(text.bytes)?;
            }
            Value::Path(path) => {
                let text = evaluator.copied_path(path.bytes)?;
                self.context = self.context.union(text.context, evaluator.arena);
                self.string(text.bytes)?;
            }
            Value::List(list) => {
                self.text.push(b'[');
                for (n, item) in list.items.iter().enumerate() {
                    if n > 0 {
                        self.text.push(b',');
                    }
                    self.write(*item)?;
                }
                self.text.push(b']');
            }
            Value::Attributes(set) => {
                if let Some(function) = set.get(known::TO_STRING) {
                    let string = evaluator.call(function.value, &[value])?;
                    let text = evaluator.coerce(string, Coercion::INTERPOLATED.copying(Copying::Never))?;
                    self.context = self.context.union(text.context, evaluator.arena);
                    return self.string(text.bytes);
                }
                if let Some(path) = set.get(known::OUT_PATH) {
                    return self.write(path.value);
                }
                self.text.push(b'{');
                for (n, attribute) in set.by_name(evaluator.arena, &evaluator.symbols).enumerate() {
                    if n > 0 {
                        self.text.push(b',');
                    }
                    self.string(evaluator.symbols.name(attribute.name))?;
                    self.text.push(b':');
                    self.write(attribute.value)?;
                }
                self.text.push(b'}');
            }
            other => {
                return Err(Error::type_error(format!("cannot convert {} to JSON", other.described())));
            }
        }
        Ok(())
    }

    fn string(&mut self, bytes: &[u8]) -> Outcome<'a, ()> {
        quote(&mut self.text, bytes)
    }
}

/// Adds a string literal of JSON to a text.
pub(crate) fn quote<'a>(text: &mut Vec<u8>, bytes: &[u8]) -> Outcome<'a, ()> {
    if bytes.to_str().is_err() {
        let shown = bytes.as_bstr();
        return Err(Error::value(format!("the string `{shown}` is not UTF-8, so it can't be in JSON")));
    }
    text.push(b'"');
    let mut plain = 0;
    for (n, &byte) in bytes.iter().enumerate() {
        let escape: &[u8] = match byte {
            b'"' => b"\\\"",
            b'\\' => b"\\\\",
            b'\n' => b"\\n",
            b'\r' => b"\\r",
            b'\t' => b"\\t",
            0x08 => b"\\b",
            0x0c => b"\\f",
            0..=0x1f => b"",
            _ => continue,
        };
        text.extend_from_slice(&bytes[plain..n]);
        plain = n + 1;
        if escape.is_empty() {
            text.extend_from_slice(format!("\\u{byte:04x}").as_bytes());
        } else {
            text.extend_from_slice(escape);
        }
    }
    text.extend_from_slice(&bytes[plain..]);
    text.push(b'"');
    Ok(())
}

struct Reader<'e, 'a, 't> {
    evaluator: &'e Evaluator<'a>,
    text: &'t [u8],
    offset: usize,
    /// What the lists and sets that are being read hold so far.
    held_bytes: usize,
}

impl<'a> Reader<'_, 'a, '_> {
    #[cold]
    fn wrong(&self, wanted: &str) -> Box<Error> {
        let found = match self.text.get(self.offset..) {
            None | Some([]) => "the end".to_owned(),
            Some(rest) => format!("`{}`", rest.chars().take(10).collect::<String>()),
        };
        Error::value(format!("the JSON text has {found} at byte {}, expected {wanted}", self.offset))
    }

    fn peek(&mut self) -> Option<u8> {
        self.skip_space();
        self.text.get(self.offset).copied()
    }

    fn skip_space(&mut self) {
        while matches!(self.text.get(self.offset), Some(b' ' | b'\n' | b'\r' | b'\t')) {
            self.offset += 1;
        }
    }

    fn take(&mut self, wanted: u8) -> bool {
        let is_there = self.peek() == Some(wanted);
        self.offset += usize::from(is_there);
        is_there
    }

    fn value(&mut self) -> Outcome<'a> {
        self.evaluator.check_work(self.held_bytes)?;
        let arena = self.evaluator.arena;
        match self.peek() {
            Some(b'{') => {
                self.offset += 1;
                let mut attributes = Vec::new();
                if self.take(b'}') {
                    return Ok(Value::Attributes(Attributes::from_sorted(arena, &[])));
                }
                loop {
                    if self.peek() != Some(b'"') {
                        return Err(self.wrong("a name in quotes"));
                    }
                    let name = self.string()?;
                    let name = self.evaluator.symbols.intern(&name);
                    if !self.take(b':') {
                        return Err(self.wrong("`:`"));
                    }
                    attributes.push(Attribute { name, position: 0, value: self.value()? });
                    self.held_bytes += size_of::<Attribute<'_>>();
                    if self.take(b'}') {
                        break;
                    }
                    if !self.take(b',') {
                        return Err(self.wrong("`,` or `}`"));
                    }
                }
                self.held_bytes -= attributes.len() * size_of::<Attribute<'_>>();
                // Of several values for one name the last counts.
                attributes.reverse();
                Ok(Value::Attributes(Attributes::from_unsorted(arena, attributes)))
            }
            Some(b'[') => {
                self.offset += 1;
                let mut items = Vec::new();
                if !self.take(b']') {
                    loop {
                        items.push(self.value()?);
                        self.held_bytes += size_of::<Value<'_>>();
                        if self.take(b']') {
                            break;
                        }
                        if !self.take(b',') {
                            return Err(self.wrong("`,` or `]`"));
                        }
                    }
                }
                self.held_bytes -= items.len() * size_of::<Value<'_>>();
                Ok(self.evaluator.list(&items))
            }
            Some(b'"') => {
                let bytes = self.string()?;
                if bytes.contains(&0) {
                    return Err(Error::value("the JSON text has a NUL character, which strings can't have"));
                }
                Ok(self.evaluator.string(&bytes))
            }
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => {
                for (word, value) in
                    [("null", Value::Null), ("true", Value::Bool(true)), ("false", Value::Bool(false))]
                {
                    if self.text[self.offset..].starts_with(word.as_bytes()) {
                        self.offset += word.len();
                        return Ok(value);
                    }
                }
                Err(self.wrong("a value"))
            }
        }
    }

    fn number(&mut self) -> Outcome<'a> {
        let start = self.offset;
        self.offset += usize::from(self.text[start] == b'-');
        let first = self.text.get(self.offset).copied();
        if self.digits() == 0
            || (first == Some(b'0') && self.offset - start > 1 + usize::from(self.text[start] == b'-'))
        {
            return Err(self.wrong("a number"));
        }
        let mut is_whole = true;
        if self.text.get(self.offset) == Some(&b'.') {
            is_whole = false;
            self.offset += 1;
            if self.digits() == 0 {
                return Err(self.wrong("digits"));
            }
        }
        if matches!(self.text.get(self.offset), Some(b'e' | b'E')) {
            is_whole = false;
            self.offset += 1;
            self.offset += usize::from(matches!(self.text.get(self.offset), Some(b'+' | b'-')));
            if self.digits() == 0 {
                return Err(self.wrong("digits"));
            }
        }
        let text = self.text[start..self.offset].to_str_lossy();
        if is_whole && let Ok(number) = text.parse() {
            return Ok(Value::Int(number));
        }
        if is_whole && text.parse::<u64>().is_ok() {
            return Err(Error::value(format!(
                "the JSON text has a number that does not fit into 64 bits: {text}"
            )));
        }
        match text.parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(Value::Float(number)),
            _ => Err(Error::value(format!("the JSON text has a number that is too large: {text}"))),
        }
    }

    fn digits(&mut self) -> usize {
        let start = self.offset;
        while self.text.get(self.offset).is_some_and(u8::is_ascii_digit) {
            self.offset += 1;
        }
        self.offset - start
    }

    /// The text between quotes, escapes replaced.
    fn string(&mut self) -> Outcome<'a, Vec<u8>> {
        self.offset += 1;
        let mut bytes = Vec::new();
        loop {
            let start = self.offset;
            while self
                .text
                .get(self.offset)
                .is_some_and(|&byte| byte != b'"' && byte != b'\\' && byte >= 0x20)
            {
                self.offset += 1;
            }
            let run = &self.text[start..self.offset];
            if run.to_str().is_err() {
                return Err(Error::value("the JSON text is not UTF-8"));
            }
            bytes.extend_from_slice(run);
            match self.text.get(self.offset) {
                Some(b'"') => {
                    self.offset += 1;
                    return Ok(bytes);
                }
                Some(b'\\') => {
                    self.offset += 1;
                    let escape = self.text.get(self.offset).copied();
                    self.offset += 1;
                    bytes.push(match escape {
                        Some(byte @ (b'"' | b'\\' | b'/')) => byte,
                        Some(b'n') => b'\n',
                        Some(b'r') => b'\r',
                        Some(b't') => b'\t',
                        Some(b'b') => 0x08,
                        Some(b'f') => 0x0c,
                        Some(b'u') => {
                            let character = self.character()?;
                            bytes.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                            continue;
                        }
                        _ => {
                            self.offset -= 1;
                            return Err(self.wrong("an escape"));
                        }
                    });
                }
                _ => return Err(self.wrong("the end of the string")),
            }
        }
    }

    /// After `\u`: one character, of two escapes where UTF-16 needs two.
    fn character(&mut self) -> Outcome<'a, char> {
        let first = self.unit()?;
        if !(0xd800..0xdc00).contains(&first) {
            return char::from_u32(first).ok_or_else(|| self.wrong("half a character's other half"));
        }
        if !self.text[self.offset..].starts_with(b"\\u") {
            return Err(self.wrong("the second half of a character"));
        }
        self.offset += 2;
        let second = self.unit()?;
        let is_low = (0xdc00..0xe000).contains(&second);
        let character =
            is_low.then(|| 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00)).and_then(char::from_u32);
        character.ok_or_else(|| self.wrong("the second half of a character"))
    }

    fn unit(&mut self) -> Outcome<'a, u32> {
        let digits = self.text.get(self.offset..self.offset + 4).and_then(|digits| digits.to_str().ok());
        let unit = digits.filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
        match unit.and_then(|digits| u32::from_str_radix(digits, 16).ok()) {
            Some(unit) => {
                self.offset += 4;
                Ok(unit)
            }
            None => Err(self.wrong("four hexadecimal digits")),
        }
    }
}
