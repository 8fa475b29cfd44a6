//! Values from TOML.

use crate::Evaluator;
use crate::attributes::{Attribute, Attributes};
use crate::error::{Error, Outcome};
use crate::value::Value;
use bstr::ByteSlice;
use toml::de::{DeTable, DeValue};

/// Bytes that a byte of a TOML text may need while it is read: `[[],[],…` has a value of so many bytes for three.
const TREE_BYTES: usize = 64;

impl<'a> Evaluator<'a> {
    /// The value of a TOML text.
    pub(crate) fn toml_document(&self, text: &[u8]) -> Outcome<'a> {
        let text = text.to_str().map_err(|_| Error::value("the TOML text is not UTF-8"))?;
        // What the library makes of a text takes up to so many times its length.
        self.check_work(text.len().saturating_mul(TREE_BYTES))?;
        let table = DeTable::parse(text).map_err(|error| {
            let before = text.get(..error.span().map_or(0, |span| span.start)).unwrap_or_default();
            let line = before.bytes().filter(|&byte| byte == b'\n').count() + 1;
            Error::value(format!("in line {line} of the TOML text: {}", error.message()))
        })?;
        self.toml_table(table.get_ref())
    }

    fn toml_table(&self, table: &DeTable<'_>) -> Outcome<'a> {
        self.check_step()?;
        let mut attributes = Vec::with_capacity(table.len());
        for (name, value) in table.iter() {
            let name = self.symbols.intern(without_nul(name.get_ref())?);
            attributes.push(Attribute { name, position: 0, value: self.toml_value(value.get_ref())? });
        }
        Ok(Value::Attributes(Attributes::from_unsorted(self.arena, attributes)))
    }

    fn toml_value(&self, value: &DeValue<'_>) -> Outcome<'a> {
        Ok(match value {
            DeValue::String(text) => self.string(without_nul(text)?),
            DeValue::Boolean(truth) => Value::Bool(*truth),
            DeValue::Integer(number) => {
                let parsed = i64::from_str_radix(number.as_str(), number.radix());
                Value::Int(parsed.map_err(|_| {
                    Error::value(format!("`{number}` in the TOML text does not fit into 64 bits"))
                })?)
            }
            DeValue::Float(number) => {
                let parsed = number.as_str().parse();
                Value::Float(
                    parsed.map_err(|_| Error::value(format!("`{number}` in the TOML text is no number")))?,
                )
            }
            DeValue::Array(items) => {
                self.check_step()?;
                let items = items.iter().map(|item| self.toml_value(item.get_ref()));
                self.list(&items.collect::<Outcome<'a, Vec<_>>>()?)
            }
            DeValue::Table(table) => self.toml_table(table)?,
            DeValue::Datetime(date) => {
                let error = Error::value(format!(
                    "the TOML text has the date or time `{date}`, which no value stands for"
                ));
                return Err(error.with_hint(Some("write it as a string".to_owned())));
            }
        })
    }
}

fn without_nul<'a>(text: &str) -> Outcome<'a, &[u8]> {
    if text.contains('\0') {
        return Err(Error::value("the TOML text has a NUL character, which strings can't have"));
    }
    Ok(text.as_bytes())
}
