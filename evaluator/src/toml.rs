//! Values from TOML.

use crate::Evaluator;
use crate::attributes::{Attribute, Attributes};
use crate::error::{Error, Outcome};
use crate::value::Value;
use bstr::ByteSlice;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::Duration;
use toml::de::{DeTable, DeValue};

/// Bytes that a byte of a TOML text may need while it is read: `[[],[],…` has a value of so many bytes for three.
const TREE_BYTES: usize = 64;

/// A text of more bytes than this is read on a thread of its own: the library reads some ten megabytes in a second, and can't be
/// stopped.
const LONG_TEXT: usize = 1 << 18;

/// How often to look whether someone asked to stop meanwhile.
const BETWEEN_LOOKS: Duration = Duration::from_millis(20);

/// What a TOML text has, without borrowing from it.
enum Item {
    Text(String),
    Boolean(bool),
    Integer(i64),
    Float(f64),
    Array(Vec<Item>),
    Table(Table),
}

type Table = Vec<(String, Item)>;

/// Why a text has no value.
struct Refusal {
    message: String,
    hint: Option<&'static str>,
}

impl From<String> for Refusal {
    fn from(message: String) -> Self {
        Self { message, hint: None }
    }
}

impl<'a> Evaluator<'a> {
    /// The value of a TOML text.
    pub(crate) fn toml_document(&self, text: &[u8]) -> Outcome<'a> {
        let text = text.to_str().map_err(|_| Error::value("the TOML text is not UTF-8"))?;
        // What the library makes of a text takes up to so many times its length.
        self.check_work(text.len().saturating_mul(TREE_BYTES))?;
        let table = if text.len() < LONG_TEXT { read(text) } else { self.read_aside(text)? };
        let table = table
            .map_err(|refusal| Error::value(refusal.message).with_hint(refusal.hint.map(str::to_owned)))?;
        self.toml_table(table)
    }

    /// Reads a text on a thread of its own, which is left alone when someone asks to stop.
    fn read_aside(&self, text: &str) -> Outcome<'a, Result<Table, Refusal>> {
        self.look_around()?;
        let (sender, receiver) = sync_channel(1);
        let copy = text.to_owned();
        let reading = move || {
            // Nobody waits for it any more if this fails.
            let _ = sender.send(read(&copy));
        };
        if std::thread::Builder::new().name("toml".to_owned()).spawn(reading).is_err() {
            return Ok(read(text));
        }
        loop {
            match receiver.recv_timeout(BETWEEN_LOOKS) {
                Ok(found) => return Ok(found),
                Err(RecvTimeoutError::Timeout) => self.look_around()?,
                // The thread has panicked; so will this one, with its message.
                Err(RecvTimeoutError::Disconnected) => return Ok(read(text)),
            }
        }
    }

    fn toml_table(&self, table: Table) -> Outcome<'a> {
        self.check_step()?;
        let mut attributes = Vec::with_capacity(table.len());
        for (name, item) in table {
            let name = self.symbols.intern(name.as_bytes());
            attributes.push(Attribute { name, position: 0, value: self.toml_value(item)? });
        }
        Ok(Value::Attributes(Attributes::from_unsorted(self.arena, attributes)))
    }

    fn toml_value(&self, item: Item) -> Outcome<'a> {
        Ok(match item {
            Item::Text(text) => self.string(text.as_bytes()),
            Item::Boolean(truth) => Value::Bool(truth),
            Item::Integer(number) => Value::Int(number),
            Item::Float(number) => Value::Float(number),
            Item::Array(items) => {
                self.check_step()?;
                let items = items.into_iter().map(|item| self.toml_value(item));
                self.list(&items.collect::<Outcome<'a, Vec<_>>>()?)
            }
            Item::Table(table) => self.toml_table(table)?,
        })
    }
}

fn read(text: &str) -> Result<Table, Refusal> {
    let document = DeTable::parse(text).map_err(|error| {
        let before = text.get(..error.span().map_or(0, |span| span.start)).unwrap_or_default();
        let line = before.bytes().filter(|&byte| byte == b'\n').count() + 1;
        format!("in line {line} of the TOML text: {}", error.message())
    })?;
    table(document.into_inner())
}

fn table(table: DeTable<'_>) -> Result<Table, Refusal> {
    let entry = |(name, value): (toml::Spanned<std::borrow::Cow<'_, str>>, toml::Spanned<DeValue<'_>>)| {
        Ok((without_nul(name.into_inner().into_owned())?, item(value.into_inner())?))
    };
    table.into_iter().map(entry).collect()
}

fn item(value: DeValue<'_>) -> Result<Item, Refusal> {
    Ok(match value {
        DeValue::String(text) => Item::Text(without_nul(text.into_owned())?),
        DeValue::Boolean(truth) => Item::Boolean(truth),
        DeValue::Integer(number) => {
            let parsed = i64::from_str_radix(number.as_str(), number.radix());
            Item::Integer(
                parsed.map_err(|_| format!("`{number}` in the TOML text does not fit into 64 bits"))?,
            )
        }
        DeValue::Float(number) => {
            let parsed = number.as_str().parse();
            Item::Float(parsed.map_err(|_| format!("`{number}` in the TOML text is no number"))?)
        }
        DeValue::Array(items) => {
            Item::Array(items.into_iter().map(|each| item(each.into_inner())).collect::<Result<_, _>>()?)
        }
        DeValue::Table(inner) => Item::Table(table(inner)?),
        DeValue::Datetime(date) => {
            return Err(Refusal {
                message: format!("the TOML text has the date or time `{date}`, which no value stands for"),
                hint: Some("write it as a string"),
            });
        }
    })
}

fn without_nul(text: String) -> Result<String, Refusal> {
    if text.contains('\0') {
        return Err("the TOML text has a NUL character, which strings can't have".to_owned().into());
    }
    Ok(text)
}
