//! Lists.

use super::Builtin;
use crate::Evaluator;
use crate::attributes::{Attribute, Attributes};
use crate::error::{Error, Outcome};
use crate::evaluate::sort::merge_sort;
use crate::symbol::{Symbol, known};
use crate::value::{Each, Thunk, Value};
use rustc_hash::FxHashMap;

pub(super) const TABLE: &[Builtin] = &[
    Builtin::new("all", &["pred", "list"], 3, all, "Whether a function is true of every element."),
    Builtin::new("any", &["pred", "list"], 3, any, "Whether a function is true of some element."),
    Builtin::new("concatLists", &["lists"], 1, concat_lists, "The lists of a list as one."),
    Builtin::new(
        "concatMap",
        &["f", "list"],
        3,
        concat_map,
        "The lists that a function makes of the elements as one.",
    ),
    Builtin::new("elem", &["x", "xs"], 2, elem, "Whether a list has an element equal to a value."),
    Builtin::new("elemAt", &["xs", "n"], 3, elem_at, "The element at an index, from 0."),
    Builtin::new("filter", &["f", "list"], 2, filter, "The elements of which a function is true."),
    Builtin::new(
        "foldl'",
        &["op", "nul", "list"],
        5,
        foldl,
        "The elements combined by a function from the left, strictly.",
    ),
    Builtin::new(
        "genList",
        &["generator", "length"],
        3,
        gen_list,
        "The list of what a function makes of 0, 1, … below a length.",
    ),
    Builtin::new(
        "groupBy",
        &["f", "list"],
        3,
        group_by,
        "The set of lists of elements, by the string that a function makes of them.",
    ),
    Builtin::new("head", &["list"], 1, head, "The first element."),
    Builtin::new("length", &["e"], 1, length, "The number of elements."),
    Builtin::new("map", &["f", "list"], 2, map, "What a function makes of each element.").global(),
    Builtin::new(
        "partition",
        &["pred", "list"],
        3,
        partition,
        "The elements of which a function is true (right), and the others (wrong).",
    ),
    Builtin::new(
        "sort",
        &["comparator", "list"],
        2,
        sort,
        "The elements in order; the function says whether the first comes before the second.",
    ),
    Builtin::new("tail", &["list"], 1, tail, "All elements but the first."),
];

fn truth<'a>(evaluator: &Evaluator<'a>, predicate: Value<'a>, item: Value<'a>) -> Outcome<'a, bool> {
    match evaluator.call(predicate, &[item])? {
        Value::Bool(truth) => Ok(truth),
        other => Err(evaluator.expected("a Boolean from the function", other)),
    }
}

fn all<'a>(evaluator: &Evaluator<'a>, arguments: &[Value<'a>]) -> Outcome<'a> {
    let predicate = evaluator.function(arguments[0])?;
    for item in evaluator.items(arguments[1])? {
        if !truth(evaluator, predicate, *item)? {
            return Ok(Value::Bool(false));
        }
    }
    Ok(Value::Bool(true))
}

fn any<'a>(evaluator: &Evaluator<'a>, arguments: &[Value<'a>]) -> Outcome<'a> {
    let predicate = evaluator.function(arguments[0])?;
    for item in evaluator.items(arguments[1])? {
        if truth(evaluator, predicate, *item)? {
            return Ok(Value::Bool(true));
        }
    }
    Ok(Value::Bool(false))
}

fn concat_lists<'a>(evaluator: &Evaluator<'a>, arguments: &[Value<'a>]) -> Outcome<'a> {
    let lists = evaluator.items(arguments[0])?;
    evaluator.check_collecting::<&[Value<'_>]>(lists.len())?;
    let lists = lists.iter().map(|list| evaluator.items(*list)).collect::<Outcome<'a, Vec<_>>>()?;
    evaluator.concatenate_lists(&lists)
}

fn concat_map<'a>(evaluator: &Evaluator<'a>, arguments: &[Value<'a>]) -> Outcome<'a> {
    let function = evaluator.function(arguments[0])?;
    let items = evaluator.items(arguments[1])?;
    evaluator.check_collecting::<&[Value<'_>]>(items.len())?;
    let lists = items.iter().map(|item| evaluator.items(evaluator.call(function, &[*item])?));
    let lists = lists.collect::<Outcome<'a, Vec<_>>>()?;
    evaluator.concatenate_lists(&lists)
}

fn elem<'a>(evaluator: &Evaluator<'a>, arguments: &[Value<'a>]) -> Outcome<'a> {
    for item in evaluator.items(arguments[1])? {
        evaluator.check_step()?;
        if evaluator.equal_elements(arguments[0], *item)? {
            return Ok(Value::Bool(true));
        }
    }
    Ok(Value::Bool(false))
}

fn elem_at<'a>(evaluator: &Evaluator<'a>, arguments: &[Value<'a>]) -> Outcome<'a> {
    let items = evaluator.items(arguments[0])?;
    let index = evaluator.int(arguments[1])?;
    match usize::try_from(index).ok().and_then(|index| items.get(index)) {
        Some(item) => evaluator.force(*item),
        None => Err(Error::value(format!(
            "list index {index} is out of bounds of a list with {} elements",
            items.len()
        ))),
    }
}

fn filter<'a>(evaluator: &Evaluator<'a>, arguments: &[Value<'a>]) -> Outcome<'a> {
    let items = evaluator.items(arguments[1])?;
    if items.is_empty() {
        return Ok(arguments[1]);
    }
    let function = evaluator.function(arguments[0])?;
    evaluator.check_collecting::<Value<'_>>(items.len())?;
    let mut kept = Vec::new();
    for item in items {
        if truth(evaluator, function, *item)? {
            kept.push(*item);
        }
    }
    Ok(evaluator.list(&kept))
}

fn foldl<'a>(evaluator: &Evaluator<'a>, arguments: &[Value<'a>]) -> Outcome<'a> {
    let function = evaluator.function(arguments[0])?;
    let mut result = arguments[1];
    for item in evaluator.items(arguments[2])? {
        result = evaluator.call(function, &[result, *item])?;
    }
    evaluator.force(result)
}

fn gen_list<'a>(evaluator: &Evaluator<'a>, arguments: &[Value<'a>]) -> Outcome<'a> {
    let length = evaluator.int(arguments[1])?;
    let Ok(length) = usize::try_from(length) else {
        return Err(Error::value(format!("cannot create a list of size {length}")));
    };
    evaluator.check_collecting::<(Value<'_>, Thunk<'_>)>(length)?;
    if length > isize::MAX as usize / 64 {
        return Err(Error::value(format!("cannot create a list of size {length}")));
    }
    let function = evaluator.function(arguments[0])?;
    let each = evaluator.arena.put(Each::Index(function));
    each.list(evaluator, length)
}

fn group_by<'a>(evaluator: &Evaluator<'a>, arguments: &[Value<'a>]) -> Outcome<'a> {
    let function = evaluator.function(arguments[0])?;
    let mut places: FxHashMap<Symbol, usize> = FxHashMap::default();
    let mut groups: Vec<(Symbol, Vec<Value<'a>>)> = Vec::new();
    let items = evaluator.items(arguments[1])?;
    evaluator.check_collecting::<(Value<'_>, Value<'_>)>(items.len())?;
    for item in items {
        let name = evaluator.plain_string(evaluator.call(function, &[*item])?)?;
        let name = evaluator.symbols.intern(name);
        let place = *places.entry(name).or_insert_with(|| {
            groups.push((name, Vec::new()));
            groups.len() - 1
        });
        groups[place].1.push(*item);
    }
    let groups = groups.into_iter().map(|(name, items)| Attribute {
        name,
        position: 0,
        value: evaluator.list(&items),
    });
    Ok(Value::Attributes(Attributes::from_unsorted(evaluator.arena, groups.collect())))
}

fn head<'a>(evaluator: &Evaluator<'a>, arguments: &[Value<'a>]) -> Outcome<'a> {
    match evaluator.items(arguments[0])?.first() {
        Some(item) => evaluator.force(*item),
        None => Err(Error::value("an empty list has no first element")),
    }
}

fn length<'a>(evaluator: &Evaluator<'a>, arguments: &[Value<'a>]) -> Outcome<'a> {
    let items = evaluator.items(arguments[0])?;
    Ok(Value::Int(i64::try_from(items.len()).unwrap_or(i64::MAX)))
}

fn map<'a>(evaluator: &Evaluator<'a>, arguments: &[Value<'a>]) -> Outcome<'a> {
    let items = evaluator.items(arguments[1])?;
    if items.is_empty() {
        return evaluator.force(arguments[1]);
    }
    let function = evaluator.function(arguments[0])?;
    let each = evaluator.arena.put(Each::Item(function, items));
    each.list(evaluator, items.len())
}

fn partition<'a>(evaluator: &Evaluator<'a>, arguments: &[Value<'a>]) -> Outcome<'a> {
    let function = evaluator.function(arguments[0])?;
    let (mut right, mut wrong) = (Vec::new(), Vec::new());
    let items = evaluator.items(arguments[1])?;
    evaluator.check_collecting::<Value<'_>>(items.len())?;
    for item in items {
        // Each is forced, needed or not, as in the reference.
        evaluator.force(*item)?;
        if truth(evaluator, function, *item)? {
            right.push(*item);
        } else {
            wrong.push(*item);
        }
    }
    let attribute = |name, items: &[Value<'a>]| Attribute { name, position: 0, value: evaluator.list(items) };
    let attributes = vec![attribute(known::RIGHT, &right), attribute(known::WRONG, &wrong)];
    Ok(Value::Attributes(Attributes::from_unsorted(evaluator.arena, attributes)))
}

fn sort<'a>(evaluator: &Evaluator<'a>, arguments: &[Value<'a>]) -> Outcome<'a> {
    let items = evaluator.items(arguments[1])?;
    if items.is_empty() {
        return evaluator.force(arguments[1]);
    }
    let function = evaluator.function(arguments[0])?;
    evaluator.check_collecting::<(Value<'_>, Value<'_>)>(items.len())?;
    // All are forced, needed or not, as in the reference.
    let mut sorted = items.iter().map(|item| evaluator.force(*item)).collect::<Outcome<'a, Vec<_>>>()?;
    if matches!(function, Value::Builtin(builtin) if builtin.name == "lessThan") {
        merge_sort(&mut sorted, |left, right| {
            evaluator.check_step()?;
            evaluator.less(left, right)
        })?;
    } else {
        merge_sort(&mut sorted, |left, right| match evaluator.call(function, &[left, right])? {
            Value::Bool(truth) => Ok(truth),
            other => Err(evaluator.expected("a Boolean from the comparison", other)),
        })?;
    }
    Ok(evaluator.list(&sorted))
}

fn tail<'a>(evaluator: &Evaluator<'a>, arguments: &[Value<'a>]) -> Outcome<'a> {
    match evaluator.items(arguments[0])? {
        [_, rest @ ..] => Ok(Value::list(evaluator.arena, rest)),
        [] => Err(Error::value("an empty list has no rest")),
    }
}
