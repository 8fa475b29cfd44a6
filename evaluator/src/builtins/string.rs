//! Strings.

use super::Builtin;
use crate::Evaluator;
use crate::context::{Collected, Context};
use crate::error::{Error, Outcome};
use crate::evaluate::coerce::Coercion;
use crate::value::{Text, Value};
use bstr::ByteSlice;

pub(super) const TABLE: &[Builtin] = &[
    Builtin::new(
        "toString",
        &["e"],
        1,
        to_string,
        "The value as a string; paths are not copied to the store.",
    )
    .global(),
    Builtin::new("stringLength", &["s"], 1, string_length, "The length of a string in bytes."),
    Builtin::new(
        "substring",
        &["start", "len", "s"],
        7,
        substring,
        "Bytes of a string from a start on, so many or up to the end if the length is negative.",
    ),
    Builtin::new(
        "concatStringsSep",
        &["separator", "list"],
        3,
        concat_strings_sep,
        "The strings of a list as one, with a separator between them.",
    ),
    Builtin::new(
        "replaceStrings",
        &["from", "to", "s"],
        7,
        replace_strings,
        "A string with every occurrence of the strings of one list replaced by those of another.",
    ),
];

fn to_string<'a>(evaluator: &Evaluator<'a>, arguments: &[Value<'a>]) -> Outcome<'a> {
    let value = evaluator.force(arguments[0])?;
    if let Value::String(_) = value {
        return Ok(value);
    }
    let text = evaluator.coerce(value, Coercion::TO_STRING)?;
    Ok(evaluator.text(text))
}

fn string_length<'a>(evaluator: &Evaluator<'a>, arguments: &[Value<'a>]) -> Outcome<'a> {
    let text = evaluator.coerce(arguments[0], Coercion::INTERPOLATED)?;
    Ok(Value::Int(i64::try_from(text.bytes.len()).unwrap_or(i64::MAX)))
}

fn substring<'a>(evaluator: &Evaluator<'a>, arguments: &[Value<'a>]) -> Outcome<'a> {
    let start = evaluator.int(arguments[0])?;
    let length = evaluator.int(arguments[1])?;
    let Ok(start) = usize::try_from(start) else {
        return Err(Error::value(format!("negative start position {start} in a substring")));
    };
    let text = evaluator.coerce(arguments[2], Coercion::INTERPOLATED)?;
    let start = start.min(text.bytes.len());
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    let end = start.saturating_add(length).min(text.bytes.len());
    Ok(evaluator.text(Text { bytes: &text.bytes[start..end], context: text.context }))
}

fn concat_strings_sep<'a>(evaluator: &Evaluator<'a>, arguments: &[Value<'a>]) -> Outcome<'a> {
    let separator = evaluator.string_text(arguments[0])?;
    let items = evaluator.items(arguments[1])?;
    evaluator.check_collecting::<&[u8]>(items.len())?;
    let mut texts = Vec::with_capacity(items.len());
    let (mut length, mut contexts) = (0, Collected::default());
    contexts.add(separator.context);
    for item in items {
        let text = evaluator.coerce(*item, Coercion::INTERPOLATED)?;
        evaluator.check_step()?;
        length += text.bytes.len() + separator.bytes.len();
        contexts.add(text.context);
        texts.push(text.bytes);
    }
    evaluator.check_memory(length.saturating_mul(2))?;
    let mut bytes = Vec::with_capacity(length);
    for (n, text) in texts.into_iter().enumerate() {
        if n > 0 {
            bytes.extend_from_slice(separator.bytes);
        }
        bytes.extend_from_slice(text);
    }
    let (bytes, context) = (evaluator.arena.bytes(&bytes), contexts.finish(evaluator.arena));
    Ok(evaluator.text(Text { bytes, context }))
}

/// The first string of `from` that begins at a place wins; an empty one matches everywhere, between bytes.
fn replace_strings<'a>(evaluator: &Evaluator<'a>, arguments: &[Value<'a>]) -> Outcome<'a> {
    let from = evaluator.items(arguments[0])?;
    let to = evaluator.items(arguments[1])?;
    if from.len() != to.len() {
        return Err(Error::value(format!(
            "the lists of what to replace and of replacements have different lengths, {} and {}",
            from.len(),
            to.len()
        )));
    }
    let from =
        from.iter().map(|item| Ok(evaluator.string_text(*item)?.bytes)).collect::<Outcome<'a, Vec<_>>>()?;
    let text = evaluator.string_text(arguments[2])?;
    let mut candidates = [false; 256];
    for pattern in &from {
        match pattern.first() {
            Some(&first) => candidates[usize::from(first)] = true,
            None => candidates = [true; 256],
        }
    }
    let mut known: Vec<Option<Text<'a>>> = vec![None; to.len()];
    let (mut bytes, mut context) = (Vec::with_capacity(text.bytes.len()), text.context);
    let mut offset = 0;
    while offset <= text.bytes.len() {
        let rest = &text.bytes[offset..];
        let may_match = rest.first().is_none_or(|&first| candidates[usize::from(first)]);
        // Comparing takes time, and what replaces one byte may be long.
        if may_match || offset.is_multiple_of(4096) {
            evaluator.check_work(bytes.capacity())?;
        }
        let found = if may_match { from.iter().position(|pattern| rest.starts_with(pattern)) } else { None };
        let Some(found) = found else {
            bytes.extend(rest.first());
            offset += 1;
            continue;
        };
        let replacement = match known[found] {
            Some(replacement) => replacement,
            None => {
                let replacement = evaluator.string_text(to[found])?;
                context = context.union(replacement.context, evaluator.arena);
                *known[found].insert(replacement)
            }
        };
        bytes.extend_from_slice(replacement.bytes);
        if from[found].is_empty() {
            bytes.extend(rest.first());
            offset += 1;
        } else {
            offset += from[found].len();
        }
    }
    evaluator.check_memory(bytes.len())?;
    Ok(evaluator.text(Text { bytes: evaluator.arena.bytes(&bytes), context }))
}

/// A string of a text that came from outside.
pub(super) fn from_outside<'a>(
    evaluator: &Evaluator<'a>,
    bytes: &[u8],
    context: Context<'a>,
    origin: &[u8],
) -> Outcome<'a> {
    if bytes.contains(&0) {
        let origin = origin.as_bstr();
        return Err(Error::value(format!("`{origin}` contains a NUL byte, which strings can't have")));
    }
    Ok(evaluator.text(Text { bytes: evaluator.arena.bytes(bytes), context }))
}
