//! Attribute sets.

use super::Builtin;
use crate::Evaluator;
use crate::attributes::{Attribute, Attributes};
use crate::error::Outcome;
use crate::symbol::{Symbol, known};
use crate::value::{Each, Thunk, Value};
use rustc_hash::FxHashMap;

pub(super) const TABLE: &[Builtin] = &[
    Builtin::new("attrNames", &["set"], 1, attr_names, "The names of a set's attributes, sorted."),
    Builtin::new("attrValues", &["set"], 1, attr_values, "The values of a set's attributes, sorted by name."),
    Builtin::new(
        "catAttrs",
        &["attr", "list"],
        3,
        cat_attrs,
        "The values of an attribute in those sets of a list that have it.",
    ),
    Builtin::new("getAttr", &["s", "set"], 3, get_attr, "The value of an attribute."),
    Builtin::new("hasAttr", &["s", "set"], 3, has_attr, "Whether a set has an attribute."),
    Builtin::new(
        "intersectAttrs",
        &["e1", "e2"],
        3,
        intersect_attrs,
        "The attributes of the second set whose names are in the first.",
    ),
    Builtin::new(
        "listToAttrs",
        &["e"],
        1,
        list_to_attrs,
        "The set of a list of sets with name and value; the first of a name counts.",
    ),
    Builtin::new(
        "mapAttrs",
        &["f", "attrset"],
        2,
        map_attrs,
        "What a function makes of each attribute's name and value.",
    ),
    Builtin::new(
        "removeAttrs",
        &["set", "list"],
        3,
        remove_attrs,
        "A set without the attributes named in a list.",
    )
    .global(),
    Builtin::new(
        "unsafeGetAttrPos",
        &["s", "set"],
        3,
        get_attr_pos,
        "Where an attribute was defined: file, line and column, or null.",
    ),
    Builtin::new(
        "zipAttrsWith",
        &["f", "list"],
        3,
        zip_attrs_with,
        "The set of what a function makes of each attribute's name and the list of its values in the sets of a list.",
    ),
];

fn attr_names<'a>(evaluator: &Evaluator<'a>, arguments: &[Value<'a>]) -> Outcome<'a> {
    let set = evaluator.set(arguments[0])?;
    evaluator.check_collecting::<Attribute<'_>>(2 * set.len())?;
    let mut names = set.by_name(evaluator.arena, &evaluator.symbols);
    let items = evaluator.arena.fill(names.len(), |_| {
        let attribute = names.next().expect("this holds because the length is known");
        evaluator.symbols.value(attribute.name)
    });
    Ok(Value::list(evaluator.arena, items))
}

fn attr_values<'a>(evaluator: &Evaluator<'a>, arguments: &[Value<'a>]) -> Outcome<'a> {
    let set = evaluator.set(arguments[0])?;
    evaluator.check_collecting::<Attribute<'_>>(2 * set.len())?;
    let values: Vec<_> =
        set.by_name(evaluator.arena, &evaluator.symbols).map(|attribute| attribute.value).collect();
    Ok(evaluator.list(&values))
}

fn cat_attrs<'a>(evaluator: &Evaluator<'a>, arguments: &[Value<'a>]) -> Outcome<'a> {
    let name = evaluator.symbols.intern(evaluator.plain_string(arguments[0])?);
    let items = evaluator.items(arguments[1])?;
    evaluator.check_collecting::<Value<'_>>(items.len())?;
    let mut values = Vec::new();
    for item in items {
        values.extend(evaluator.set(*item)?.get(name).map(|found| found.value));
    }
    Ok(evaluator.list(&values))
}

fn get_attr<'a>(evaluator: &Evaluator<'a>, arguments: &[Value<'a>]) -> Outcome<'a> {
    let name = evaluator.symbols.intern(evaluator.plain_string(arguments[0])?);
    evaluator.attribute(Value::Attributes(evaluator.set(arguments[1])?), name)
}

fn has_attr<'a>(evaluator: &Evaluator<'a>, arguments: &[Value<'a>]) -> Outcome<'a> {
    let name = evaluator.symbols.intern(evaluator.plain_string(arguments[0])?);
    Ok(Value::Bool(evaluator.set(arguments[1])?.get(name).is_some()))
}

fn intersect_attrs<'a>(evaluator: &Evaluator<'a>, arguments: &[Value<'a>]) -> Outcome<'a> {
    let (left, right) = (evaluator.set(arguments[0])?, evaluator.set(arguments[1])?);
    evaluator.check_collecting::<Attribute<'_>>(2 * left.len().min(right.len()))?;
    let mut kept = Vec::with_capacity(left.len().min(right.len()));
    if left.len() < right.len() {
        kept.extend(left.all(evaluator.arena).iter().filter_map(|each| right.get(each.name)));
    } else {
        kept.extend(right.all(evaluator.arena).iter().filter(|each| left.get(each.name).is_some()));
    }
    Ok(Value::Attributes(Attributes::from_unsorted(evaluator.arena, kept)))
}

fn list_to_attrs<'a>(evaluator: &Evaluator<'a>, arguments: &[Value<'a>]) -> Outcome<'a> {
    let items = evaluator.items(arguments[0])?;
    evaluator.check_collecting::<Attribute<'_>>(2 * items.len())?;
    let mut attributes: Vec<Attribute<'a>> = Vec::with_capacity(items.len());
    for item in items {
        evaluator.check_step()?;
        let set = evaluator.set(*item)?;
        let Some(name) = set.get(known::NAME) else {
            return Err(evaluator.missing(set, known::NAME, crate::source::Span::NOWHERE));
        };
        let name = evaluator.symbols.intern(evaluator.plain_string(name.value)?);
        match set.get(known::VALUE) {
            Some(value) => attributes.push(Attribute { name, ..value }),
            // The first of a name counts; the others need no value.
            None if attributes.iter().any(|earlier| earlier.name == name) => {}
            None => return Err(evaluator.missing(set, known::VALUE, crate::source::Span::NOWHERE)),
        }
    }
    Ok(Value::Attributes(Attributes::from_unsorted(evaluator.arena, attributes)))
}

fn map_attrs<'a>(evaluator: &Evaluator<'a>, arguments: &[Value<'a>]) -> Outcome<'a> {
    let set = evaluator.set(arguments[1])?;
    let arena = evaluator.arena;
    evaluator.check_collecting::<(Attribute<'_>, Thunk<'_>)>(set.len())?;
    let all = set.all(arena);
    let each = arena.put(Each::Attribute(arguments[0], all));
    let mapped =
        arena.fill(all.len(), |n| Attribute { name: all[n].name, position: 0, value: each.later(arena, n) });
    Ok(Value::Attributes(Attributes::from_sorted(arena, mapped)))
}

fn zip_attrs_with<'a>(evaluator: &Evaluator<'a>, arguments: &[Value<'a>]) -> Outcome<'a> {
    let function = evaluator.function(arguments[0])?;
    let mut places: FxHashMap<Symbol, usize> = FxHashMap::default();
    let mut held = 0;
    let mut groups: Vec<(Symbol, Vec<Value<'a>>)> = Vec::new();
    for item in evaluator.items(arguments[1])? {
        let set = evaluator.set(*item)?;
        held += set.len();
        evaluator.check_collecting::<Attribute<'_>>(2 * held)?;
        for attribute in set.all(evaluator.arena) {
            let place = *places.entry(attribute.name).or_insert_with(|| {
                groups.push((attribute.name, Vec::new()));
                groups.len() - 1
            });
            groups[place].1.push(attribute.value);
        }
    }
    let arena = evaluator.arena;
    groups.sort_unstable_by_key(|&(name, _)| name);
    let groups = arena.fill(groups.len(), |n| {
        let (name, values) = &groups[n];
        Attribute { name: *name, position: 0, value: evaluator.list(values) }
    });
    let each = arena.put(Each::Attribute(function, groups));
    let zipped = arena.fill(groups.len(), |n| Attribute { value: each.later(arena, n), ..groups[n] });
    Ok(Value::Attributes(Attributes::from_sorted(arena, zipped)))
}

fn remove_attrs<'a>(evaluator: &Evaluator<'a>, arguments: &[Value<'a>]) -> Outcome<'a> {
    let set = evaluator.set(arguments[0])?;
    let names = evaluator.items(arguments[1])?;
    evaluator.check_collecting::<Symbol>(names.len())?;
    let mut removed = Vec::new();
    for item in names {
        removed.extend(evaluator.symbols.find(evaluator.plain_string(*item)?));
    }
    removed.sort_unstable();
    evaluator.check_collecting::<Attribute<'_>>(2 * set.len())?;
    let all = set.all(evaluator.arena).iter().filter(|each| removed.binary_search(&each.name).is_err());
    let kept: Vec<_> = all.copied().collect();
    Ok(Value::Attributes(Attributes::from_sorted(evaluator.arena, evaluator.arena.slice(&kept))))
}

fn get_attr_pos<'a>(evaluator: &Evaluator<'a>, arguments: &[Value<'a>]) -> Outcome<'a> {
    let name = evaluator.symbols.intern(evaluator.plain_string(arguments[0])?);
    let found = evaluator.set(arguments[1])?.get(name);
    found.map_or_else(|| Ok(Value::Null), |found| Ok(evaluator.position(found.position)))
}
