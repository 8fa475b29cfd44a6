//! What strings depend on.

use super::Builtin;
use crate::Evaluator;
use crate::attributes::{Attribute, Attributes};
use crate::context::{Context, Element};
use crate::error::Outcome;
use crate::symbol::known;
use crate::value::{Text, Value};
use std::collections::BTreeMap;

pub(super) const TABLE: &[Builtin] = &[
    Builtin::new(
        "getContext",
        &["s"],
        1,
        get_context,
        "What a string depends on: store paths, and which of their outputs.",
    ),
    Builtin::new("hasContext", &["s"], 1, has_context, "Whether a string depends on anything."),
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
