//! Versions and package names.

use super::Builtin;
use crate::Evaluator;
use crate::attributes::{Attribute, Attributes};
use crate::error::Outcome;
use crate::symbol::known;
use crate::value::Value;
use std::cmp::Ordering;

pub(super) const TABLE: &[Builtin] = &[
    Builtin::new(
        "compareVersions",
        &["s1", "s2"],
        3,
        compare_versions,
        "-1, 0 or 1 as the first version is older than, the same as or newer than the second.",
    ),
    Builtin::new(
        "parseDrvName",
        &["s"],
        1,
        parse_drv_name,
        "A package's name and version, split at the first dash that no letter follows.",
    ),
    Builtin::new("splitVersion", &["s"], 1, split_version, "The components of a version."),
];

fn compare_versions<'a>(evaluator: &Evaluator<'a>, arguments: &[Value<'a>]) -> Outcome<'a> {
    let (mut left, mut right) =
        (evaluator.plain_string(arguments[0])?, evaluator.plain_string(arguments[1])?);
    while !left.is_empty() || !right.is_empty() {
        let order = compare_components(component(&mut left), component(&mut right));
        if order != Ordering::Equal {
            return Ok(Value::Int(order as i64));
        }
    }
    Ok(Value::Int(0))
}

/// Takes digits or other characters, without the dots and dashes before them.
fn component<'t>(rest: &mut &'t [u8]) -> &'t [u8] {
    let start = rest.iter().position(|byte| !b".-".contains(byte)).unwrap_or(rest.len());
    let text = &rest[start..];
    let is_number = text.first().is_some_and(u8::is_ascii_digit);
    let belongs = |byte: &u8| !b".-".contains(byte) && byte.is_ascii_digit() == is_number;
    let end = text.iter().position(|byte| !belongs(byte)).unwrap_or(text.len());
    *rest = &text[end..];
    &text[..end]
}

/// Numbers of up to 31 bits by value, larger ones are words as in the reference; `pre` before everything, words before numbers, nothing before words but after `pre`.
fn compare_components(left: &[u8], right: &[u8]) -> Ordering {
    let number = |text: &[u8]| -> Option<i32> { std::str::from_utf8(text).ok()?.parse().ok() };
    let is_less = |left: &[u8], right: &[u8]| match (number(left), number(right)) {
        (Some(left), Some(right)) => left < right,
        (None, Some(_)) if left.is_empty() => true,
        _ if left == b"pre" && right != b"pre" => true,
        _ if right == b"pre" => false,
        (None, Some(_)) => true,
        (Some(_), None) => false,
        (None, None) => left < right,
    };
    if is_less(left, right) {
        Ordering::Less
    } else if is_less(right, left) {
        Ordering::Greater
    } else {
        Ordering::Equal
    }
}

fn split_version<'a>(evaluator: &Evaluator<'a>, arguments: &[Value<'a>]) -> Outcome<'a> {
    let mut rest = evaluator.plain_string(arguments[0])?;
    let mut components = Vec::new();
    loop {
        evaluator.check_work(components.capacity() * size_of::<Value<'_>>())?;
        let text = component(&mut rest);
        if text.is_empty() {
            return Ok(evaluator.list(&components));
        }
        components.push(Value::string(evaluator.arena, text));
    }
}

fn parse_drv_name<'a>(evaluator: &Evaluator<'a>, arguments: &[Value<'a>]) -> Outcome<'a> {
    let text = evaluator.plain_string(arguments[0])?;
    let dash = text.windows(2).position(|pair| pair[0] == b'-' && !pair[1].is_ascii_alphabetic());
    let (name, version) = dash.map_or((text, &b""[..]), |dash| (&text[..dash], &text[dash + 1..]));
    let attribute =
        |name, bytes| Attribute { name, position: 0, value: Value::string(evaluator.arena, bytes) };
    let attributes = vec![attribute(known::NAME, name), attribute(known::VERSION, version)];
    Ok(Value::Attributes(Attributes::from_unsorted(evaluator.arena, attributes)))
}
