//! What a command asks of a value.

use crate::attributes::{Attribute, Attributes};
use crate::context::Element;
use crate::error::{Error, ErrorKind, Outcome};
use crate::expression::Parameter;
use crate::symbol::known;
use crate::value::Value;
use crate::{Evaluator, suggest};
use bstr::ByteSlice;
use sx_derivation::StorePath;

/// An output of a derivation.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DerivationOutput {
    /// The derivation's store path, which the host has.
    pub derivation: StorePath,
    /// The output's name.
    pub output: String,
}

impl<'a> Evaluator<'a> {
    /// A set of these attributes; of those with one name the first stays.
    pub fn attributes(&self, attributes: impl IntoIterator<Item = (&'a str, Value<'a>)>) -> Value<'a> {
        let attributes = attributes.into_iter().map(|(name, value)| Attribute {
            name: self.symbols.intern(name.as_bytes()),
            position: 0,
            value,
        });
        Value::Attributes(Attributes::from_unsorted(self.arena, attributes.collect()))
    }

    /// A string without context.
    pub fn new_string(&self, text: &[u8]) -> Value<'a> {
        self.string(text)
    }

    /// A path; made absolute and normal.
    pub fn new_path(&self, path: &[u8]) -> Value<'a> {
        self.path_value(&crate::evaluate::path::absolute(path))
    }

    /// Calls what takes a set with those of `arguments` that it takes; anything else stays as it is.
    pub fn auto_call(&self, value: Value<'a>, arguments: &[(String, Value<'a>)]) -> Outcome<'a> {
        let value = self.force(value)?;
        if let Value::Attributes(set) = value
            && let Some(functor) = set.get(known::FUNCTOR)
        {
            let function = self.call(functor.value, &[value])?;
            return self.auto_call(function, arguments);
        }
        let Value::Closure(closure) = value else { return Ok(value) };
        let Parameter::Pattern(pattern) = &closure.lambda.parameter else { return Ok(value) };
        let mut taken = Vec::new();
        for (name, argument) in arguments {
            let name = self.symbols.intern(name.as_bytes());
            if pattern.is_open || pattern.formals.iter().any(|formal| formal.name == name) {
                taken.push(Attribute { name, position: 0, value: *argument });
            }
        }
        let set = Attributes::from_unsorted(self.arena, taken);
        for formal in pattern.formals {
            if formal.default.is_none() && set.get(formal.name).is_none() {
                let name = self.symbols.text(formal.name);
                let message = format!("the function has an argument `{name}` without a default value");
                let hint = format!("give it one with `--arg {name} EXPRESSION` or `--argstr {name} TEXT`");
                return Err(Error::new(ErrorKind::Call, message).at(formal.span).with_hint(Some(hint)));
            }
        }
        self.call(value, &[Value::Attributes(set)])
    }

    /// Goes down a path of attributes and list indexes, calling functions on the way as [`auto_call`](Self::auto_call).
    /// Forces nothing beside the path.
    pub fn select_path(
        &self,
        root: Value<'a>,
        path: &[String],
        arguments: &[(String, Value<'a>)],
    ) -> Outcome<'a> {
        let mut value = self.auto_call(root, arguments)?;
        for part in path {
            value = match value {
                Value::Attributes(set) => {
                    let found = self.symbols.find(part.as_bytes()).and_then(|name| set.get(name));
                    let Some(found) = found else {
                        let names = set.all(self.arena).iter().map(|each| self.symbols.text(each.name));
                        let hint = suggest::did_you_mean(part, names);
                        let error =
                            Error::new(ErrorKind::MissingAttribute, format!("attribute `{part}` missing"));
                        return Err(error.with_hint(hint));
                    };
                    found.value
                }
                Value::List(list) => {
                    let item = part.parse::<usize>().ok().and_then(|index| list.items.get(index));
                    *item.ok_or_else(|| {
                        let length = list.items.len();
                        Error::value(format!("`{part}` is no index of a list with {length} elements"))
                    })?
                }
                other => return Err(self.expected(&format!("a set with an attribute `{part}`"), other)),
            };
            value = self.auto_call(value, arguments)?;
        }
        Ok(value)
    }

    /// The names of a set's attributes, sorted; none for anything else.
    pub fn attribute_names(&self, value: Value<'a>) -> Outcome<'a, Vec<String>> {
        Ok(match self.force(value)? {
            Value::Attributes(set) => {
                set.by_name(self.arena, &self.symbols).map(|each| self.symbols.text(each.name)).collect()
            }
            _ => Vec::new(),
        })
    }

    /// The value of an attribute, not forced; `None` if the value is no set or has none.
    pub fn find_attribute(&self, value: Value<'a>, name: &str) -> Outcome<'a, Option<Value<'a>>> {
        let Value::Attributes(set) = self.force(value)? else { return Ok(None) };
        Ok(self.symbols.find(name.as_bytes()).and_then(|name| set.get(name)).map(|found| found.value))
    }

    /// The bytes of a string.
    pub fn string_bytes(&self, value: Value<'a>) -> Outcome<'a, &'a [u8]> {
        match self.force(value)? {
            Value::String(text) => Ok(text.bytes),
            other => Err(self.expected("a string", other)),
        }
    }

    /// The derivation, and the output of it, that a value is; `None` if it is no derivation.
    pub fn derivation_output(&self, value: Value<'a>) -> Outcome<'a, Option<DerivationOutput>> {
        let value = self.force(value)?;
        if !self.is_derivation(value)? {
            return Ok(None);
        }
        let derivation = match self.attribute(value, known::DRV_PATH)? {
            Value::String(text) => text,
            other => return Err(self.expected("a string as `drvPath`", other)),
        };
        let output =
            match self.find_attribute(value, "outputName")?.map(|name| self.force(name)).transpose()? {
                Some(Value::String(text)) => text.bytes.to_str_lossy().into_owned(),
                _ => "out".to_owned(),
            };
        let path = StorePath::parse(&derivation.bytes.to_str_lossy())
            .map_err(|error| Error::value(error.to_string()))?;
        Ok(Some(DerivationOutput { derivation: path, output }))
    }

    /// The derivations' outputs that a string's context names, sorted.
    pub fn context_outputs(&self, value: Value<'a>) -> Outcome<'a, Vec<DerivationOutput>> {
        let Value::String(text) = self.force(value)? else { return Ok(Vec::new()) };
        let mut outputs = Vec::new();
        for element in text.context.elements() {
            if let Element::Output { derivation, output } = element {
                let derivation =
                    StorePath::parse(derivation).map_err(|error| Error::value(error.to_string()))?;
                outputs.push(DerivationOutput { derivation, output: (*output).to_owned() });
            }
        }
        Ok(outputs)
    }
}

/// Splits `a.b."c.d".0` into its parts; `None` if quotes don't match.
pub fn parse_attribute_path(text: &str) -> Option<Vec<String>> {
    let mut parts = Vec::new();
    let (mut part, mut is_quoted) = (String::new(), false);
    for character in text.chars() {
        match character {
            '"' => is_quoted = !is_quoted,
            '.' if !is_quoted => parts.push(std::mem::take(&mut part)),
            other => part.push(other),
        }
    }
    if !text.is_empty() {
        parts.push(part);
    }
    (!is_quoted).then_some(parts)
}
