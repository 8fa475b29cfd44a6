//! XML from values.

use crate::Evaluator;
use crate::attributes::{Attribute, Attributes};
use crate::context::Context;
use crate::error::Outcome;
use crate::expression::{Lambda, Parameter};
use crate::symbol::known;
use crate::value::Value;
use rustc_hash::FxHashSet;

impl<'a> Evaluator<'a> {
    /// The XML of a value, evaluated as deeply as it goes, and what it depends on. A derivation is shown in full once, and
    /// then by its paths.
    pub(crate) fn to_xml(&self, value: Value<'a>) -> Outcome<'a, (Vec<u8>, Context<'a>)> {
        let mut writer = Writer {
            evaluator: self,
            text: b"<?xml version='1.0' encoding='utf-8'?>\n<expr>\n".to_vec(),
            context: Context::NONE,
            seen: FxHashSet::default(),
        };
        writer.write(value, 1)?;
        writer.text.extend_from_slice(b"</expr>\n");
        Ok((writer.text, writer.context))
    }
}

struct Writer<'e, 'a> {
    evaluator: &'e Evaluator<'a>,
    text: Vec<u8>,
    context: Context<'a>,
    /// Store paths of the derivations that were shown.
    seen: FxHashSet<&'a [u8]>,
}

impl<'a> Writer<'_, 'a> {
    fn write(&mut self, value: Value<'a>, depth: usize) -> Outcome<'a, ()> {
        let evaluator = self.evaluator;
        evaluator.check_work(self.text.capacity())?;
        let value = evaluator.force(value)?;
        match value {
            Value::Null => self.element(depth, "null", &[], End::Empty),
            Value::Bool(truth) => {
                self.element(depth, "bool", &[("value", if truth { b"true" } else { b"false" })], End::Empty);
            }
            Value::Int(number) => {
                self.element(depth, "int", &[("value", number.to_string().as_bytes())], End::Empty);
            }
            Value::Float(number) => {
                let number = crate::number::six_digits(number);
                self.element(depth, "float", &[("value", number.as_bytes())], End::Empty);
            }
            Value::String(text) => {
                self.context = self.context.union(text.context, evaluator.arena);
                self.element(depth, "string", &[("value", text.bytes)], End::Empty);
            }
            Value::Path(path) => self.element(depth, "path", &[("value", path.bytes)], End::Empty),
            Value::List(list) => {
                self.element(depth, "list", &[], End::Open);
                for item in list.items {
                    self.write(*item, depth + 1)?;
                }
                self.close(depth, "list");
            }
            Value::Attributes(set) if evaluator.is_derivation(value)? => self.derivation(set, depth)?,
            Value::Attributes(set) => {
                self.element(depth, "attrs", &[], End::Open);
                self.attributes(set, depth + 1)?;
                self.close(depth, "attrs");
            }
            Value::Closure(closure) => self.function(closure.lambda, depth),
            _ => self.element(depth, "unevaluated", &[], End::Empty),
        }
        Ok(())
    }

    fn attributes(&mut self, set: &'a Attributes<'a>, depth: usize) -> Outcome<'a, ()> {
        for Attribute { name, value, .. } in set.by_name(self.evaluator.arena, &self.evaluator.symbols) {
            self.element(depth, "attr", &[("name", self.evaluator.symbols.name(name))], End::Open);
            self.write(value, depth + 1)?;
            self.close(depth, "attr");
        }
        Ok(())
    }

    fn derivation(&mut self, set: &'a Attributes<'a>, depth: usize) -> Outcome<'a, ()> {
        let mut paths = Vec::new();
        for (shown, name) in [("drvPath", known::DRV_PATH), ("outPath", known::OUT_PATH)] {
            if let Some(found) = set.get(name)
                && let Value::String(text) = self.evaluator.force(found.value)?
            {
                paths.push((shown, text.bytes));
            }
        }
        self.element(depth, "derivation", &paths, End::Open);
        match paths.first() {
            Some(&("drvPath", path)) if !path.is_empty() && self.seen.insert(path) => {
                self.attributes(set, depth + 1)?;
            }
            _ => self.element(depth + 1, "repeated", &[], End::Empty),
        }
        self.close(depth, "derivation");
        Ok(())
    }

    fn function(&mut self, lambda: &Lambda<'a>, depth: usize) {
        self.element(depth, "function", &[], End::Open);
        let symbols = &self.evaluator.symbols;
        match &lambda.parameter {
            Parameter::Name => {
                let name = lambda.argument.map_or(&b""[..], |name| symbols.name(name));
                self.element(depth + 1, "varpat", &[("name", name)], End::Empty);
            }
            Parameter::Pattern(pattern) => {
                let mut attributes: Vec<(&str, &[u8])> = Vec::new();
                if pattern.is_open {
                    attributes.push(("ellipsis", b"1"));
                }
                if let Some(name) = lambda.argument {
                    attributes.push(("name", symbols.name(name)));
                }
                self.element(depth + 1, "attrspat", &attributes, End::Open);
                let mut names: Vec<_> =
                    pattern.formals.iter().map(|formal| symbols.name(formal.name)).collect();
                names.sort_unstable();
                for name in names {
                    self.element(depth + 2, "attr", &[("name", name)], End::Empty);
                }
                self.close(depth + 1, "attrspat");
            }
        }
        self.close(depth, "function");
    }

    fn element(&mut self, depth: usize, name: &str, attributes: &[(&str, &[u8])], end: End) {
        self.text.extend(std::iter::repeat_n(b' ', 2 * depth));
        self.text.push(b'<');
        self.text.extend_from_slice(name.as_bytes());
        for (name, value) in attributes {
            self.text.extend_from_slice(format!(" {name}=\"").as_bytes());
            self.escaped(value);
            self.text.push(b'"');
        }
        self.text.extend_from_slice(if end == End::Empty { b" />\n" } else { b">\n" });
    }

    fn close(&mut self, depth: usize, name: &str) {
        self.text.extend(std::iter::repeat_n(b' ', 2 * depth));
        self.text.extend_from_slice(format!("</{name}>\n").as_bytes());
    }

    fn escaped(&mut self, value: &[u8]) {
        for &byte in value {
            match byte {
                b'"' => self.text.extend_from_slice(b"&quot;"),
                b'<' => self.text.extend_from_slice(b"&lt;"),
                b'>' => self.text.extend_from_slice(b"&gt;"),
                b'&' => self.text.extend_from_slice(b"&amp;"),
                // An attribute's value keeps a line end only so.
                b'\n' => self.text.extend_from_slice(b"&#xA;"),
                other => self.text.push(other),
            }
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Open,
    Empty,
}
