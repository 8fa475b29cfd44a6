//! Regular expressions.

use super::Builtin;
use crate::Evaluator;
use crate::error::{Error, ErrorKind, Outcome};
use crate::regex::{Found, Groups, Regex};
use crate::value::Value;
use bstr::ByteSlice;
use std::rc::Rc;

pub(super) const TABLE: &[Builtin] = &[
    Builtin::new(
        "match",
        &["regex", "str"],
        3,
        matches,
        "The list of what the groups of a POSIX extended regular expression matched, null for those that had no part in it; null \
         itself if the expression doesn't match the whole string.",
    ),
    Builtin::new(
        "split",
        &["regex", "str"],
        3,
        split,
        "The parts of a string between the matches of a regular expression, and between them the lists of what its groups matched.",
    ),
];

/// The compiled expression; each is compiled once.
fn compiled<'a>(evaluator: &Evaluator<'a>, value: Value<'a>) -> Outcome<'a, Rc<Regex>> {
    let text = evaluator.plain_string(value)?;
    if let Some(known) = evaluator.regexes.borrow().get(text) {
        return Ok(Rc::clone(known));
    }
    let regex = Regex::parse(text)
        .map_err(|error| Error::value(format!("`{}` is no regular expression: {error}", text.as_bstr())))?;
    let regex = Rc::new(regex);
    evaluator.regexes.borrow_mut().insert(text, Rc::clone(&regex));
    Ok(regex)
}

fn found<'a>(found: Found) -> Outcome<'a, Option<Groups>> {
    match found {
        Found::Match(groups) => Ok(Some(groups)),
        Found::Nothing => Ok(None),
        Found::TooLarge => {
            Err(Error::new(ErrorKind::Memory, "to match the regular expression takes too much memory"))
        }
    }
}

fn groups<'a>(evaluator: &Evaluator<'a>, text: &'a [u8], groups: &Groups) -> Value<'a> {
    let values = groups.iter().skip(1).map(|group| match *group {
        Some((start, end)) => Value::string(evaluator.arena, &text[start..end]),
        None => Value::Null,
    });
    evaluator.list(&values.collect::<Vec<_>>())
}

/// What a search asks, seldom enough to look each time.
fn check<'a>(evaluator: &Evaluator<'a>, bytes: usize) -> Outcome<'a, ()> {
    evaluator.look_around()?;
    evaluator.check_memory(bytes)
}

fn matches<'a>(evaluator: &Evaluator<'a>, arguments: &[Value<'a>]) -> Outcome<'a> {
    let regex = compiled(evaluator, arguments[0])?;
    let text = evaluator.string_text(arguments[1])?.bytes;
    let found = found(regex.matches(text, &mut |bytes| check(evaluator, bytes))?)?;
    Ok(found.map_or(Value::Null, |found| groups(evaluator, text, &found)))
}

fn split<'a>(evaluator: &Evaluator<'a>, arguments: &[Value<'a>]) -> Outcome<'a> {
    let regex = compiled(evaluator, arguments[0])?;
    let given = arguments[1];
    let text = evaluator.string_text(given)?.bytes;
    let part = |start, end| Value::string(evaluator.arena, &text[start..end]);
    let mut parts = Vec::new();
    let (mut start, mut was_empty) = (0, false);
    while let Some(matched) =
        found(regex.find(text, start, !was_empty, &mut |bytes| check(evaluator, bytes))?)?
    {
        let Some(&Some((match_start, match_end))) = matched.first() else { break };
        parts.extend([part(start, match_start), groups(evaluator, text, &matched)]);
        (start, was_empty) = (match_end, match_start == match_end);
        evaluator.check_collecting::<Value<'_>>(parts.capacity())?;
        if was_empty && start == text.len() {
            break;
        }
    }
    if parts.is_empty() {
        return Ok(evaluator.list(&[evaluator.force(given)?]));
    }
    parts.push(part(start, text.len()));
    Ok(evaluator.list(&parts))
}
