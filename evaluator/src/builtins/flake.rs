//! References to flakes.

use super::Builtin;
use crate::Evaluator;
use crate::error::{Error, Outcome};
use crate::flake_reference::{Field, Fields, parse, show};
use crate::value::Value;
use bstr::ByteSlice;

pub(super) const TABLE: &[Builtin] = &[
    Builtin::new(
        "flakeRefToString",
        &["attrs"],
        1,
        flake_ref_to_string,
        "The text of a reference to a flake, of its attributes.",
    ),
    Builtin::new(
        "parseFlakeRef",
        &["flake-ref"],
        1,
        parse_flake_ref,
        "The attributes of a reference to a flake, of its text.",
    ),
];

fn parse_flake_ref<'a>(evaluator: &Evaluator<'a>, arguments: &[Value<'a>]) -> Outcome<'a> {
    let text = evaluator.plain_string(arguments[0])?.to_str_lossy();
    let fields = parse(&text).map_err(|error| Error::value(error.to_string()))?;
    let value = |field: &Field| match field {
        Field::Text(text) => evaluator.string(text.as_bytes()),
        Field::Number(number) => Value::Int(*number),
        Field::Truth(truth) => Value::Bool(*truth),
    };
    Ok(evaluator.attributes(fields.iter().map(|(name, field)| (name.as_str(), value(field)))))
}

fn flake_ref_to_string<'a>(evaluator: &Evaluator<'a>, arguments: &[Value<'a>]) -> Outcome<'a> {
    let set = evaluator.set(arguments[0])?;
    let mut fields = Fields::new();
    for attribute in set.by_name(evaluator.arena, &evaluator.symbols) {
        let field = match evaluator.force(attribute.value)? {
            Value::String(text) => Field::Text(text.bytes.to_str_lossy().into_owned()),
            Value::Int(number) => Field::Number(number),
            Value::Bool(truth) => Field::Truth(truth),
            other => {
                return Err(
                    evaluator.expected("a string, an integer or a Boolean in a reference to a flake", other)
                );
            }
        };
        fields.insert(evaluator.symbols.text(attribute.name), field);
    }
    let text = show(&fields).map_err(|error| Error::value(error.to_string()))?;
    Ok(evaluator.string(text.as_bytes()))
}
