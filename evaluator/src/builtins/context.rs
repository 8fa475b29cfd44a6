//! What strings depend on.

use super::Builtin;
use crate::Evaluator;
use crate::attributes::{Attribute, Attributes};
use crate::context::{Context, Element};
use crate::error::{Error, Outcome};
use crate::symbol::known;
use crate::value::{Text, Value};
use bstr::ByteSlice;
use std::collections::BTreeMap;
use sx_derivation::StorePath;

pub(super) const TABLE: &[Builtin] = &[
    Builtin::new(
        "addDrvOutputDependencies",
        &["s"],
        1,
        add_outputs,
        "A string that depends on a derivation's file only, made to depend on all that the derivation needs and makes.",
    ),
    Builtin::new(
        "appendContext",
        &["s", "context"],
        3,
        append,
        "A string that depends also on what a set says, of the form that getContext gives.",
    ),
    Builtin::new(
        "getContext",
        &["s"],
        1,
        get_context,
        "What a string depends on: store paths, and which of their outputs.",
    ),
    Builtin::new("hasContext", &["s"], 1, has_context, "Whether a string depends on anything."),
    Builtin::new(
        "unsafeDiscardOutputDependency",
        &["s"],
        1,
        discard_outputs,
        "A string that depends only on the files of those derivations on all of whose outputs it did.",
    ),
    Builtin::new(
        "unsafeDiscardStringContext",
        &["s"],
        1,
        discard,
        "A string that depends on nothing any more.",
    ),
];

fn has_context<'a>(evaluator: &Evaluator<'a>, arguments: &[Value<'a>]) -> Outcome<'a> {
    Ok(Value::Bool(!evaluator.string_text(arguments[0])?.context.is_none()))
}

fn discard<'a>(evaluator: &Evaluator<'a>, arguments: &[Value<'a>]) -> Outcome<'a> {
    let text = evaluator.coerce(arguments[0], crate::evaluate::coerce::Coercion::INTERPOLATED)?;
    Ok(evaluator.text(Text { bytes: text.bytes, context: Context::NONE }))
}

fn discard_outputs<'a>(evaluator: &Evaluator<'a>, arguments: &[Value<'a>]) -> Outcome<'a> {
    let text = evaluator.coerce(arguments[0], crate::evaluate::coerce::Coercion::INTERPOLATED)?;
    let elements = text.context.elements().iter().map(|element| match *element {
        Element::Closure(path) => Element::Object(path),
        other => other,
    });
    let context = Context::from_elements(evaluator.arena, elements.collect());
    Ok(evaluator.text(Text { bytes: text.bytes, context }))
}

fn add_outputs<'a>(evaluator: &Evaluator<'a>, arguments: &[Value<'a>]) -> Outcome<'a> {
    let text = evaluator.coerce(arguments[0], crate::evaluate::coerce::Coercion::INTERPOLATED)?;
    let shown = text.bytes.as_bstr();
    let path = match *text.context.elements() {
        [Element::Object(path) | Element::Closure(path)] if is_derivation(path) => path,
        [Element::Object(path) | Element::Closure(path)] => {
            return Err(Error::value(format!("`{path}` is no derivation, so it has no outputs")));
        }
        [Element::Output { output, .. }] => {
            let message = format!("`{shown}` is the output `{output}` of a derivation, not a derivation");
            return Err(Error::value(message));
        }
        ref all => {
            let number = all.len();
            return Err(Error::value(format!(
                "`{shown}` depends on {number} store paths, expected one derivation"
            )));
        }
    };
    let context = Context::of(evaluator.arena, Element::Closure(path));
    Ok(evaluator.text(Text { bytes: text.bytes, context }))
}

fn is_derivation(path: &str) -> bool {
    StorePath::parse(path).is_ok_and(|path| path.is_derivation())
}

fn append<'a>(evaluator: &Evaluator<'a>, arguments: &[Value<'a>]) -> Outcome<'a> {
    let text = evaluator.string_text(arguments[0])?;
    let mut elements = text.context.elements().to_vec();
    let given = evaluator.set(arguments[1])?;
    for attribute in given.by_name(evaluator.arena, &evaluator.symbols) {
        let path = evaluator.symbols.text(attribute.name);
        let is_derivation = StorePath::parse(&path)
            .map_err(|error| Error::value(format!("the context names what is no store path: {error}")))?
            .is_derivation();
        let path = evaluator.arena_str(&path);
        let entry = evaluator.set(attribute.value)?;
        let refuse = |what: &str| {
            let message = format!("`{path}` is no derivation, so a string can't depend on {what}");
            Err(Error::value(message))
        };
        if let Some(found) = entry.get(known::PATH)
            && evaluator.bool(found.value)?
        {
            elements.push(Element::Object(path));
        }
        if let Some(found) = entry.get(known::ALL_OUTPUTS)
            && evaluator.bool(found.value)?
        {
            if !is_derivation {
                return refuse("all of its outputs");
            }
            elements.push(Element::Closure(path));
        }
        let Some(found) = entry.get(known::OUTPUTS) else { continue };
        let outputs = evaluator.items(found.value)?;
        if !outputs.is_empty() && !is_derivation {
            return refuse("its outputs");
        }
        for output in outputs {
            let output = evaluator.string_text(*output)?.bytes.to_str_lossy();
            elements.push(Element::Output { derivation: path, output: evaluator.arena_str(&output) });
        }
    }
    let context = Context::from_elements(evaluator.arena, elements);
    Ok(evaluator.text(Text { bytes: text.bytes, context }))
}

fn get_context<'a>(evaluator: &Evaluator<'a>, arguments: &[Value<'a>]) -> Outcome<'a> {
    #[derive(Default)]
    struct Entry<'a> {
        is_object: bool,
        is_closure: bool,
        outputs: Vec<&'a str>,
    }
    let mut entries: BTreeMap<&'a str, Entry<'a>> = BTreeMap::new();
    for element in evaluator.string_text(arguments[0])?.context.elements() {
        match *element {
            Element::Object(path) => entries.entry(path).or_default().is_object = true,
            Element::Closure(path) => entries.entry(path).or_default().is_closure = true,
            Element::Output { derivation, output } => {
                entries.entry(derivation).or_default().outputs.push(output)
            }
        }
    }
    let attribute = |name, value| Attribute { name, position: 0, value };
    let sets = entries.into_iter().map(|(path, entry)| {
        let mut attributes = Vec::new();
        if entry.is_object {
            attributes.push(attribute(known::PATH, Value::Bool(true)));
        }
        if entry.is_closure {
            attributes.push(attribute(known::ALL_OUTPUTS, Value::Bool(true)));
        }
        if !entry.outputs.is_empty() {
            let outputs: Vec<_> =
                entry.outputs.iter().map(|output| evaluator.string(output.as_bytes())).collect();
            attributes.push(attribute(known::OUTPUTS, evaluator.list(&outputs)));
        }
        let set = Attributes::from_unsorted(evaluator.arena, attributes);
        attribute(evaluator.symbols.intern(path.as_bytes()), Value::Attributes(set))
    });
    Ok(Value::Attributes(Attributes::from_unsorted(evaluator.arena, sets.collect())))
}
