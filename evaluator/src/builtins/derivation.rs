//! Derivations.
//!
//! As in Nix, with these differences: every output is content-addressed, unless its hash is given; what stands for an
//! output that isn't built yet is [`StorePath::placeholder`], a path of the final length; and a pinned tree has a
//! BLAKE3 hash.

use super::Builtin;
use crate::Evaluator;
use crate::attributes::{Attribute, Attributes};
use crate::context::{Context, Element};
use crate::error::{Error, Outcome};
use crate::evaluate::coerce::Coercion;
use crate::source::Span;
use crate::symbol::{Symbol, known};
use crate::value::{State, Text, Thunk, Value};
use bstr::{BString, ByteSlice};
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use sx_derivation::store_path::own_output;
use sx_derivation::{Algorithm, Derivation, Hash, Output, StorePath};

pub(super) const TABLE: &[Builtin] = &[
    Builtin::new(
        "derivation",
        &["attrs"],
        1,
        derivation,
        "A derivation: a set with its path, and those of its outputs, when they are needed.",
    )
    .global(),
    Builtin::new(
        "derivationStrict",
        &["attrs"],
        1,
        derivation_strict,
        "Makes a derivation at once: its path and those of its outputs.",
    )
    .global(),
    Builtin::new(
        "placeholder",
        &["output"],
        1,
        placeholder_of,
        "What stands for the path of an output in the derivation that makes it.",
    )
    .global(),
];

fn placeholder_of<'a>(evaluator: &Evaluator<'a>, arguments: &[Value<'a>]) -> Outcome<'a> {
    let output = evaluator.plain_string(arguments[0])?.to_str_lossy();
    Ok(evaluator.string(own_output(&output).as_bytes()))
}

fn later<'a>(evaluator: &Evaluator<'a>, set: Value<'a>, name: Symbol) -> Value<'a> {
    let arena = evaluator.arena;
    Value::Thunk(arena.put(Thunk(Cell::new(State::Attribute(arena.put((set, name)))))))
}

/// The set that people use. Nothing is hashed before a path is asked for.
fn derivation<'a>(evaluator: &Evaluator<'a>, arguments: &[Value<'a>]) -> Outcome<'a> {
    let arena = evaluator.arena;
    let given = evaluator.set(arguments[0])?;
    let outputs = match given.get(known::OUTPUTS) {
        Some(outputs) => {
            let items = evaluator.items(outputs.value)?;
            items.iter().map(|item| evaluator.plain_string(*item)).collect::<Outcome<'a, Vec<_>>>()?
        }
        None => vec![&b"out"[..]],
    };
    let strict = Value::call_later(arena, Value::Builtin(find("derivationStrict")), Value::Attributes(given));
    let attribute = |name, value| Attribute { name, position: 0, value };
    // Each output's set has all outputs' sets in it, so they are made when they are asked for.
    let sets: Vec<_> =
        outputs.iter().map(|_| Value::Thunk(arena.put(Thunk(Cell::new(State::Running))))).collect();
    let by_name = outputs.iter().zip(&sets);
    let by_name: Vec<_> =
        by_name.map(|(output, set)| attribute(evaluator.symbols.intern(output), *set)).collect();
    for (output, set) in outputs.iter().zip(&sets) {
        let output_symbol = evaluator.symbols.intern(output);
        let mut own = vec![
            attribute(known::OUT_PATH, later(evaluator, strict, output_symbol)),
            attribute(known::DRV_PATH, later(evaluator, strict, known::DRV_PATH)),
            attribute(known::TYPE, evaluator.string(b"derivation")),
            attribute(known::OUTPUT_NAME, Value::string(arena, output)),
        ];
        own.extend(&by_name);
        own.push(attribute(known::ALL, evaluator.list(&sets)));
        own.push(attribute(known::DRV_ATTRS, Value::Attributes(given)));
        let whole = given.update(Attributes::from_unsorted(arena, own), arena);
        if let Value::Thunk(thunk) = set {
            thunk.0.set(State::Done(Value::Attributes(whole)));
        }
    }
    match sets.first() {
        Some(set) => evaluator.force(*set),
        None => Err(Error::value("a derivation needs at least one output")),
    }
}

fn find(name: &str) -> &'static Builtin {
    TABLE
        .iter()
        .find(|builtin| builtin.name == name)
        .expect("this holds because it stands in the table above")
}

/// What an expression says about a derivation, before it is one.
#[derive(Default)]
struct Description<'a> {
    system: Option<String>,
    builder: Option<BString>,
    arguments: Vec<BString>,
    environment: BTreeMap<BString, BString>,
    outputs: Vec<String>,
    hash: Option<String>,
    hash_algorithm: Option<String>,
    hash_mode: Option<String>,
    context: Vec<Context<'a>>,
}

fn derivation_strict<'a>(evaluator: &Evaluator<'a>, arguments: &[Value<'a>]) -> Outcome<'a> {
    let given = evaluator.set(arguments[0])?;
    let Some(name) = given.get(known::NAME) else {
        return Err(Error::value("a derivation needs an attribute `name`"));
    };
    let place = Span { start: name.position, end: name.position };
    let name = evaluator.plain_string(name.value).map_err(|error| {
        error
            .at(place)
            .while_doing(|| "while evaluating the attribute `name` of a derivation".to_owned(), place)
    })?;
    let name = name.to_str_lossy().into_owned();
    force_all(evaluator, given).and_then(|()| make(evaluator, given, &name)).map_err(|error| {
        error.at(place).while_doing(|| format!("while evaluating the derivation `{name}`"), place)
    })
}

/// Forces all that the derivation is made of. Where that makes further derivations, and so on, little of the stack is taken by each, and
/// nothing else that [`make`] works with.
fn force_all<'a>(evaluator: &Evaluator<'a>, given: &'a Attributes<'a>) -> Outcome<'a, ()> {
    for attribute in given.by_name(evaluator.arena, &evaluator.symbols) {
        evaluator.force(attribute.value).map_err(|error| in_attribute(evaluator, &attribute, error))?;
    }
    Ok(())
}

/// An error, and that it came up in an attribute of a derivation.
fn in_attribute<'a>(evaluator: &Evaluator<'a>, attribute: &Attribute<'a>, error: Box<Error>) -> Box<Error> {
    let place = Span { start: attribute.position, end: attribute.position };
    let name = evaluator.symbols.text(attribute.name);
    error.at(place).while_doing(|| format!("while evaluating the attribute `{name}` of a derivation"), place)
}

fn make<'a>(evaluator: &Evaluator<'a>, given: &'a Attributes<'a>, name: &str) -> Outcome<'a> {
    if name.ends_with(".drv") {
        return Err(Error::value(format!("a derivation's name can't end with `.drv`, as `{name}` does")));
    }
    let described = describe(evaluator, given)?;
    let outputs = outputs(&described)?;
    let missing =
        |attribute| move || Error::value(format!("derivation `{name}` has no attribute `{attribute}`"));
    let mut derivation = Derivation {
        name: name.to_owned(),
        outputs,
        input_derivations: BTreeMap::new(),
        input_sources: BTreeSet::new(),
        system: described.system.ok_or_else(missing("system"))?,
        builder: described.builder.ok_or_else(missing("builder"))?,
        arguments: described.arguments,
        environment: described.environment,
    };
    for element in described.context.iter().flat_map(|context| context.elements()) {
        let parse = |path: &str| StorePath::parse(path).map_err(|error| Error::value(error.to_string()));
        match *element {
            Element::Object(path) | Element::Closure(path) => {
                derivation.input_sources.insert(parse(path)?);
            }
            Element::Output { derivation: path, output } => {
                derivation.input_derivations.entry(parse(path)?).or_default().insert(output.to_owned());
            }
        }
    }
    let wrong = |error: sx_derivation::store_path::StorePathError| Error::value(error.to_string());
    let instantiated = derivation.instantiate().map_err(wrong)?;
    let path = instantiated.path();
    let shown = evaluator.arena_str(&path.to_string());
    let text =
        Text { bytes: shown.as_bytes(), context: Context::of(evaluator.arena, Element::Closure(shown)) };
    let mut attributes = vec![Attribute { name: known::DRV_PATH, position: 0, value: evaluator.text(text) }];
    for output in derivation.outputs.keys() {
        let stand_in = evaluator.arena_str(&path.placeholder(output).map_err(wrong)?.to_string());
        let output = evaluator.arena_str(output);
        let context = Context::of(evaluator.arena, Element::Output { derivation: shown, output });
        let value = evaluator.text(Text { bytes: stand_in.as_bytes(), context });
        attributes.push(Attribute { name: evaluator.symbols.intern(output.as_bytes()), position: 0, value });
    }
    let kept = evaluator.host.add_derivation(instantiated);
    kept.map_err(|error| evaluator.host_error(error, "keep the derivation", shown.as_bytes()))?;
    Ok(Value::Attributes(Attributes::from_unsorted(evaluator.arena, attributes)))
}

fn describe<'a>(evaluator: &Evaluator<'a>, given: &'a Attributes<'a>) -> Outcome<'a, Description<'a>> {
    let ignores_nulls = match given.get(known::IGNORE_NULLS) {
        Some(found) => evaluator.bool(found.value)?,
        None => false,
    };
    let is_structured = match given.get(known::STRUCTURED_ATTRS) {
        Some(found) => evaluator.bool(found.value)?,
        None => false,
    };
    let mut json: Vec<u8> = Vec::new();
    let mut described = Description { outputs: vec!["out".to_owned()], ..Description::default() };
    for attribute in given.by_name(evaluator.arena, &evaluator.symbols) {
        if attribute.name == known::IGNORE_NULLS
            || (is_structured && attribute.name == known::STRUCTURED_ATTRS)
        {
            continue;
        }
        let mut add = |described: &mut Description<'a>| -> Outcome<'a, ()> {
            let value = evaluator.force(attribute.value)?;
            if ignores_nulls && matches!(value, Value::Null) {
                return Ok(());
            }
            if attribute.name == known::ARGS {
                for item in evaluator.items(value)? {
                    let text = evaluator.coerce(*item, Coercion::ENVIRONMENT)?;
                    described.context.push(text.context);
                    described.arguments.push(text.bytes.into());
                }
                return Ok(());
            }
            if is_structured {
                let (value, context) = evaluator.to_json(value)?;
                described.context.push(context);
                json.push(if json.is_empty() { b'{' } else { b',' });
                crate::json::quote(&mut json, evaluator.symbols.name(attribute.name))?;
                json.push(b':');
                json.extend_from_slice(&value);
            }
            let is_read = matches!(
                attribute.name,
                known::SYSTEM
                    | known::BUILDER
                    | known::OUTPUTS
                    | known::OUTPUT_HASH
                    | known::OUTPUT_HASH_ALGO
                    | known::OUTPUT_HASH_MODE
            );
            if is_structured && !is_read {
                return Ok(());
            }
            let text = evaluator.coerce(value, Coercion::ENVIRONMENT)?;
            described.context.push(text.context);
            let utf8 = || match text.bytes.to_str() {
                Ok(text) => Ok(text.to_owned()),
                Err(_) => Err(Error::value("the value is not UTF-8")),
            };
            match attribute.name {
                known::SYSTEM => described.system = Some(utf8()?),
                known::BUILDER => described.builder = Some(text.bytes.into()),
                known::OUTPUTS => {
                    described.outputs = utf8()?.split_ascii_whitespace().map(str::to_owned).collect()
                }
                known::OUTPUT_HASH => described.hash = Some(utf8()?),
                known::OUTPUT_HASH_ALGO => {
                    described.hash_algorithm = Some(utf8()?).filter(|name| !name.is_empty())
                }
                known::OUTPUT_HASH_MODE => described.hash_mode = Some(utf8()?),
                _ => {}
            }
            if !is_structured {
                let name = evaluator.symbols.name(attribute.name);
                described.environment.insert(name.into(), text.bytes.into());
            }
            Ok(())
        };
        add(&mut described).map_err(|error| in_attribute(evaluator, &attribute, error))?;
    }
    if is_structured {
        json.push(b'}');
        described.environment.insert("__json".into(), json.into());
    }
    Ok(described)
}

fn outputs<'a>(described: &Description<'a>) -> Outcome<'a, BTreeMap<String, Output>> {
    let Some(text) = &described.hash else {
        let mut outputs = BTreeMap::new();
        for name in &described.outputs {
            sx_derivation::store_path::check_name(name).map_err(|error| Error::value(error.to_string()))?;
            if name == "drvPath" {
                return Err(Error::value(format!("an output can't be called `{name}`")));
            }
            if outputs.insert(name.clone(), Output::Floating).is_some() {
                return Err(Error::value(format!("there are two outputs called `{name}`")));
            }
        }
        if outputs.is_empty() {
            return Err(Error::value("a derivation needs at least one output"));
        }
        return Ok(outputs);
    };
    if described.outputs != ["out"] {
        return Err(Error::value("a derivation whose hash is given must have one output, called `out`"));
    }
    let wrong = |error: sx_derivation::hash::HashError| Error::value(format!("in `outputHash`: {error}"));
    let algorithm =
        described.hash_algorithm.as_deref().map(Algorithm::from_name).transpose().map_err(wrong)?;
    let hash = Hash::parse(text, algorithm).map_err(wrong)?;
    if !hash.algorithm().is_collision_resistant() {
        let name = hash.algorithm();
        return Err(Error::value(format!(
            "`outputHash` has {name}, which is broken; give sha256, sha512 or blake3"
        )));
    }
    let output = match described.hash_mode.as_deref() {
        None | Some("flat") => Output::FixedFile(hash),
        Some("recursive" | "nar") if hash.algorithm() == Algorithm::Blake3 => Output::FixedTree(hash),
        Some("recursive" | "nar") => {
            let name = hash.algorithm();
            return Err(Error::value(format!("the hash of a tree must be blake3, `outputHash` has {name}")));
        }
        Some(other) => {
            return Err(Error::value(format!(
                "`{other}` is no `outputHashMode`; expected flat or recursive"
            )));
        }
    };
    Ok(BTreeMap::from([("out".to_owned(), output)]))
}
