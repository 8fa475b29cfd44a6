//! What controls evaluation: forcing, failing, tracing, importing.

use super::Builtin;
use crate::Evaluator;
use crate::attributes::{Attribute, Attributes};
use crate::context::Element;
use crate::error::{Error, ErrorKind, Outcome};
use crate::evaluate::coerce::Coercion;
use crate::print::Depth;
use crate::symbol::known;
use crate::value::Value;
use bstr::ByteSlice;
use rustc_hash::FxHashSet;

pub(super) const TABLE: &[Builtin] = &[
    Builtin::new("abort", &["s"], 1, abort, "Fails with a message; nothing catches it.").global(),
    Builtin::new(
        "addErrorContext",
        &["s", "e"],
        0,
        add_error_context,
        "The second value; if it can't be had, the first is a line of the error's trace.",
    ),
    Builtin::new("break", &["v"], 1, identity, "The value; sx has no debugger that would stop here.")
        .global(),
    Builtin::new(
        "deepSeq",
        &["e1", "e2"],
        0,
        deep_seq,
        "The second value, once the first is evaluated as deeply as it goes.",
    ),
    Builtin::new("import", &["path"], 1, import, "The value of a file, or of default.nix in a folder.")
        .global(),
    Builtin::new("getEnv", &["s"], 1, get_env, "The empty string: evaluation doesn't see the environment."),
    Builtin::new(
        "scopedImport",
        &["scope", "path"],
        3,
        scoped_import,
        "The value of a file in which the attributes of a set are variables.",
    )
    .global(),
    Builtin::new("seq", &["e1", "e2"], 0, seq, "The second value, once the first is evaluated."),
    Builtin::new("throw", &["s"], 1, throw, "Fails with a message; tryEval catches it.").global(),
    Builtin::new("trace", &["e1", "e2"], 0, trace, "The second value, once the first is shown to the user."),
    Builtin::new(
        "traceVerbose",
        &["e1", "e2"],
        0,
        second,
        "The second value. The first is not shown: that is for debugging what isn't one's own.",
    ),
    Builtin::new(
        "tryEval",
        &["e"],
        0,
        try_eval,
        "A set that says whether the value could be evaluated (success), and the value.",
    ),
    Builtin::new(
        "warn",
        &["e1", "e2"],
        1,
        warn,
        "The second value, once the user is warned with the first, a string.",
    ),
];

fn abort<'a>(evaluator: &Evaluator<'a>, arguments: &[Value<'a>]) -> Outcome<'a> {
    let text = evaluator.coerce(arguments[0], Coercion::INTERPOLATED)?;
    let shown = text.bytes.as_bstr();
    Err(Error::new(ErrorKind::Abort, format!("evaluation aborted: {shown}")))
}

fn throw<'a>(evaluator: &Evaluator<'a>, arguments: &[Value<'a>]) -> Outcome<'a> {
    let text = evaluator.coerce(arguments[0], Coercion::INTERPOLATED)?;
    Err(Error::new(ErrorKind::Throw, text.bytes.to_str_lossy()))
}

fn add_error_context<'a>(evaluator: &Evaluator<'a>, arguments: &[Value<'a>]) -> Outcome<'a> {
    evaluator.force(arguments[1]).or_else(|error| {
        let text = evaluator.coerce(arguments[0], Coercion::INTERPOLATED)?;
        Err(error.in_context(text.bytes.to_str_lossy().into_owned()))
    })
}

fn identity<'a>(evaluator: &Evaluator<'a>, arguments: &[Value<'a>]) -> Outcome<'a> {
    evaluator.force(arguments[0])
}

fn second<'a>(evaluator: &Evaluator<'a>, arguments: &[Value<'a>]) -> Outcome<'a> {
    evaluator.force(arguments[1])
}

fn get_env<'a>(evaluator: &Evaluator<'a>, arguments: &[Value<'a>]) -> Outcome<'a> {
    evaluator.plain_string(arguments[0])?;
    Ok(evaluator.string(b""))
}

fn warn<'a>(evaluator: &Evaluator<'a>, arguments: &[Value<'a>]) -> Outcome<'a> {
    evaluator.host.warn(evaluator.string_text(arguments[0])?.bytes.as_bstr());
    evaluator.force(arguments[1])
}

fn scoped_import<'a>(evaluator: &Evaluator<'a>, arguments: &[Value<'a>]) -> Outcome<'a> {
    let scope = evaluator.set(arguments[0])?;
    let (path, context) = evaluator.path_text(arguments[1])?;
    refuse_unbuilt(context.elements(), "import", &path)?;
    evaluator.evaluate_file_in_scope(&path, scope)
}

fn seq<'a>(evaluator: &Evaluator<'a>, arguments: &[Value<'a>]) -> Outcome<'a> {
    evaluator.force(arguments[0])?;
    evaluator.force(arguments[1])
}

fn deep_seq<'a>(evaluator: &Evaluator<'a>, arguments: &[Value<'a>]) -> Outcome<'a> {
    force_deeply(evaluator, arguments[0], &mut FxHashSet::default())?;
    evaluator.force(arguments[1])
}

/// Forces everything in a value; `seen` has the addresses of sets and lists that were.
fn force_deeply<'a>(
    evaluator: &Evaluator<'a>,
    value: Value<'a>,
    seen: &mut FxHashSet<usize>,
) -> Outcome<'a, ()> {
    evaluator.check_step()?;
    match evaluator.force(value)? {
        Value::List(list) if seen.insert(std::ptr::from_ref(list).addr()) => {
            for item in list.items {
                force_deeply(evaluator, *item, seen)?;
            }
        }
        Value::Attributes(set) if seen.insert(std::ptr::from_ref(set).addr()) => {
            for attribute in set.by_name(evaluator.arena, &evaluator.symbols) {
                force_deeply(evaluator, attribute.value, seen).map_err(|error| {
                    let start = attribute.position;
                    let name = || {
                        format!("while evaluating the attribute `{}`", evaluator.symbols.text(attribute.name))
                    };
                    error.while_doing(name, crate::source::Span { start, end: start })
                })?;
            }
        }
        _ => {}
    }
    Ok(())
}

fn trace<'a>(evaluator: &Evaluator<'a>, arguments: &[Value<'a>]) -> Outcome<'a> {
    match evaluator.force(arguments[0])? {
        Value::String(text) => evaluator.host.trace(text.bytes.as_bstr()),
        other => evaluator.host.trace(evaluator.print(other, Depth::Known)?.as_bstr()),
    }
    evaluator.force(arguments[1])
}

fn try_eval<'a>(evaluator: &Evaluator<'a>, arguments: &[Value<'a>]) -> Outcome<'a> {
    let (success, value) = match evaluator.force(arguments[0]) {
        Ok(value) => (true, value),
        Err(error) if error.kind.is_caught_by_try() => (false, Value::Bool(false)),
        Err(error) => return Err(error),
    };
    let attribute = |name, value| Attribute { name, position: 0, value };
    let attributes = vec![attribute(known::SUCCESS, Value::Bool(success)), attribute(known::VALUE, value)];
    Ok(Value::Attributes(Attributes::from_unsorted(evaluator.arena, attributes)))
}

fn import<'a>(evaluator: &Evaluator<'a>, arguments: &[Value<'a>]) -> Outcome<'a> {
    let (path, context) = evaluator.path_text(arguments[0])?;
    refuse_unbuilt(context.elements(), "import", &path)?;
    evaluator.evaluate_file(&path)
}

/// Fails if reading `path` would need something built.
pub(super) fn refuse_unbuilt<'a>(elements: &[Element<'a>], doing: &str, path: &[u8]) -> Outcome<'a, ()> {
    let built = elements.iter().find_map(|element| match element {
        Element::Object(_) => None,
        Element::Output { derivation, .. } | Element::Closure(derivation) => Some(derivation),
    });
    let Some(derivation) = built else { return Ok(()) };
    let message = format!(
        "cannot {doing} `{}`: it is made by `{derivation}`, and sx never builds during evaluation",
        path.as_bstr()
    );
    let hint = "keep the generated file in the tree, or generate it in the build that needs it";
    Err(Error::new(ErrorKind::ImportFromDerivation, message).with_hint(Some(hint.to_owned())))
}
