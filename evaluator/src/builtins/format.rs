//! Values as texts of other formats, and back.

use super::Builtin;
use crate::Evaluator;
use crate::error::Outcome;
use crate::value::{Text, Value};

pub(super) const TABLE: &[Builtin] = &[
    Builtin::new("fromJSON", &["e"], 1, from_json, "The value of a JSON text."),
    Builtin::new("fromTOML", &["e"], 1, from_toml, "The value of a TOML text without dates and times.")
        .global(),
    Builtin::new("toJSON", &["e"], 1, to_json, "The value as JSON."),
    Builtin::new("toXML", &["e"], 1, to_xml, "The value as XML, in elements such as list, attrs and string."),
];

fn to_json<'a>(evaluator: &Evaluator<'a>, arguments: &[Value<'a>]) -> Outcome<'a> {
    let (json, context) = evaluator.to_json(arguments[0])?;
    Ok(evaluator.text(Text { bytes: evaluator.arena.bytes(&json), context }))
}

fn from_json<'a>(evaluator: &Evaluator<'a>, arguments: &[Value<'a>]) -> Outcome<'a> {
    evaluator.from_json(evaluator.plain_string(arguments[0])?)
}

fn to_xml<'a>(evaluator: &Evaluator<'a>, arguments: &[Value<'a>]) -> Outcome<'a> {
    let (xml, context) = evaluator.to_xml(arguments[0])?;
    Ok(evaluator.text(Text { bytes: evaluator.arena.bytes(&xml), context }))
}

fn from_toml<'a>(evaluator: &Evaluator<'a>, arguments: &[Value<'a>]) -> Outcome<'a> {
    evaluator.toml_document(evaluator.plain_string(arguments[0])?)
}
