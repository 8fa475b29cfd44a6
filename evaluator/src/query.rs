//! What a command asks of a value.

use crate::attributes::{Attribute, Attributes};
use crate::context::Element;
use crate::error::{Error, ErrorKind, Outcome};
use crate::expression::Parameter;
use crate::symbol::known;
use crate::value::Value;
use crate::{Diagnostic, Evaluator, doc_comment, suggest};
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
    pub fn attributes<'n>(&self, attributes: impl IntoIterator<Item = (&'n str, Value<'a>)>) -> Value<'a> {
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

    /// Goes down a path of attributes and list indexes, calling functions on the way as [`auto_call`](Self::auto_call),
    /// but not what it ends at. Forces nothing beside the path.
    pub fn select_path(
        &self,
        root: Value<'a>,
        path: &[String],
        arguments: &[(String, Value<'a>)],
    ) -> Outcome<'a> {
        let mut value = root;
        for (n, part) in path.iter().enumerate() {
            let so_far = || match path.get(..n) {
                None | Some([]) => String::new(),
                Some(parts) => format!(" in `{}`", parts.join(".")),
            };
            value = match self.auto_call(value, arguments)? {
                Value::Attributes(set) => {
                    let found = self.symbols.find(part.as_bytes()).and_then(|name| set.get(name));
                    let Some(found) = found else {
                        let names = set.all(self.arena).iter().map(|each| self.symbols.text(each.name));
                        let hint = suggest::did_you_mean_one_of(part, names);
                        let message = format!("attribute `{part}` missing{}", so_far());
                        return Err(Error::new(ErrorKind::MissingAttribute, message).with_hint(hint));
                    };
                    found.value
                }
                Value::List(list) => {
                    let item = part.parse::<usize>().ok().and_then(|index| list.items.get(index));
                    *item.ok_or_else(|| {
                        let length = list.items.len();
                        Error::value(format!(
                            "`{part}` is no index of the list with {length} elements{}",
                            so_far()
                        ))
                    })?
                }
                other => {
                    let wanted = format!("a set with an attribute `{part}`{}", so_far());
                    return Err(self.expected(&wanted, other));
                }
            };
        }
        self.force(value)
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

impl<'a> Evaluator<'a> {
    /// What an error says, with the places that it points to.
    #[expect(clippy::boxed_local, reason = "errors travel boxed")]
    pub fn diagnose(&self, error: Box<Error>) -> Diagnostic {
        Diagnostic::new(*error, &self.sources)
    }

    /// What a function takes, where it was defined, and what it does: as the table of builtins says, or a comment `/** … */`
    /// before it. `None` for anything else.
    pub fn describe_function(&self, value: Value<'a>) -> Outcome<'a, Option<String>> {
        let closure = match self.force(value)? {
            Value::Builtin(builtin) => return Ok(Some(builtin.to_string())),
            Value::Partial(partial) => return Ok(Some(partial.builtin.to_string())),
            Value::Closure(closure) => closure,
            _ => return Ok(None),
        };
        let name = closure
            .lambda
            .name
            .map_or_else(|| "an anonymous function".to_owned(), |name| self.symbols.text(name));
        let place = self.sources.locate(closure.lambda.span);
        let place = place.map_or_else(String::new, |place| {
            let text = &place.source.text;
            let comment = if crate::lower::is_shallow(text) {
                doc_comment::of_function(text, &place.range)
            } else {
                None
            };
            let comment = comment.map_or_else(String::new, |comment| format!("\n\n{comment}"));
            format!("\n\ndefined at {}:{}:{}{comment}", place.source.name, place.line, place.column)
        });
        let arguments = match &closure.lambda.parameter {
            Parameter::Name => String::new(),
            Parameter::Pattern(pattern) => {
                let mut formals: Vec<_> = pattern
                    .formals
                    .iter()
                    .map(|formal| {
                        let mark = if formal.default.is_some() { "?" } else { "" };
                        self.symbols.text(formal.name) + mark
                    })
                    .collect();
                formals.sort();
                formals.extend(pattern.is_open.then(|| "...".to_owned()));
                format!(" {{ {} }}", formals.join(", "))
            }
        };
        Ok(Some(format!("{name}{arguments}{place}")))
    }

    /// The attributes of a set with their names, not forced; none for anything else.
    pub fn attribute_values(&self, value: Value<'a>) -> Outcome<'a, Vec<(String, Value<'a>)>> {
        let Value::Attributes(set) = self.force(value)? else { return Ok(Vec::new()) };
        let all = set.by_name(self.arena, &self.symbols);
        Ok(all.map(|each| (self.symbols.text(each.name), each.value)).collect())
    }
}

/// Whether a text is the beginning of an expression: it ends where something must follow.
pub fn is_unfinished(text: &str) -> bool {
    crate::lower::is_unfinished(text)
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
