//! `genericClosure`.

use super::Builtin;
use crate::Evaluator;
use crate::attributes::Attributes;
use crate::error::Outcome;
use crate::source::Span;
use crate::symbol::known;
use crate::value::Value;
use rustc_hash::FxHashSet;
use std::collections::VecDeque;

pub(super) const TABLE: &[Builtin] = &[Builtin::new(
    "genericClosure",
    &["attrset"],
    1,
    generic_closure,
    "The list of the sets in startSet, of those that operator makes of each, and so on, each key once.",
)];

fn generic_closure<'a>(evaluator: &Evaluator<'a>, arguments: &[Value<'a>]) -> Outcome<'a> {
    let set = evaluator.set(arguments[0])?;
    let required = |name| set.get(name).ok_or_else(|| evaluator.missing(set, name, Span::NOWHERE));
    let start = evaluator.items(required(known::START_SET)?.value)?;
    if start.is_empty() {
        return Ok(evaluator.list(&[]));
    }
    let operator = evaluator.function(required(known::OPERATOR)?.value)?;
    let mut waiting: VecDeque<Value<'a>> = start.iter().copied().collect();
    let (mut keys, mut found) = (Keys::default(), Vec::new());
    while let Some(item) = waiting.pop_front() {
        // Of what was found there are a value and a key.
        evaluator.check_collecting::<Value<'_>>(waiting.capacity() + 2 * found.capacity())?;
        let element = evaluator.set(item)?;
        if !keys.insert(evaluator, key(evaluator, element)?)? {
            continue;
        }
        found.push(item);
        waiting.extend(evaluator.items(evaluator.call(operator, &[item])?)?);
    }
    Ok(evaluator.list(&found))
}

fn key<'a>(evaluator: &Evaluator<'a>, element: &'a Attributes<'a>) -> Outcome<'a> {
    match element.get(known::KEY) {
        Some(key) => evaluator.force(key.value),
        None => Err(evaluator.missing(element, known::KEY, Span::NOWHERE)),
    }
}

/// The keys seen so far. As long as all are integers, or all strings, they are looked up by hash; otherwise by order, so
/// that what can't be compared is an error.
#[derive(Default)]
struct Keys<'a> {
    integers: FxHashSet<i64>,
    strings: FxHashSet<&'a [u8]>,
    sorted: Vec<Value<'a>>,
}

impl<'a> Keys<'a> {
    /// Whether the key is new.
    fn insert(&mut self, evaluator: &Evaluator<'a>, key: Value<'a>) -> Outcome<'a, bool> {
        match key {
            Value::Int(number) if self.strings.is_empty() && self.sorted.is_empty() => {
                return Ok(self.integers.insert(number));
            }
            Value::String(text) if self.integers.is_empty() && self.sorted.is_empty() => {
                return Ok(self.strings.insert(text.bytes));
            }
            _ => {}
        }
        // One representative is enough to find out that types don't mix.
        if let Some(&text) = self.strings.iter().next() {
            evaluator.less(key, evaluator.string(text))?;
        }
        if !self.integers.is_empty() {
            let mut integers: Vec<_> = self.integers.drain().collect();
            integers.sort_unstable();
            self.sorted = integers.into_iter().map(Value::Int).collect();
        }
        let (mut low, mut high) = (0, self.sorted.len());
        while low < high {
            let middle = low + (high - low) / 2;
            if evaluator.less(self.sorted[middle], key)? {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        let is_new = match self.sorted.get(low) {
            Some(&next) => evaluator.less(key, next)?,
            None => true,
        };
        if is_new {
            self.sorted.insert(low, key);
        }
        Ok(is_new)
    }
}
