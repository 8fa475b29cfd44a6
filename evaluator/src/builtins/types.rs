//! What a value is.

use super::Builtin;
use crate::Evaluator;
use crate::attributes::{Attribute, Attributes};
use crate::error::Outcome;
use crate::expression::Parameter;
use crate::symbol::known;
use crate::value::Value;

pub(super) const TABLE: &[Builtin] = &[
    Builtin::new(
        "typeOf",
        &["e"],
        1,
        type_of,
        "The type's name: int, bool, string, path, null, set, list, lambda or float.",
    ),
    Builtin::new("isAttrs", &["e"], 1, is_attrs, "Whether the value is a set."),
    Builtin::new("isBool", &["e"], 1, is_bool, "Whether the value is a Boolean."),
    Builtin::new("isFloat", &["e"], 1, is_float, "Whether the value is a float."),
    Builtin::new("isFunction", &["e"], 1, is_function, "Whether the value is a function."),
    Builtin::new("isInt", &["e"], 1, is_int, "Whether the value is an integer."),
    Builtin::new("isList", &["e"], 1, is_list, "Whether the value is a list."),
    Builtin::new("isNull", &["e"], 1, is_null, "Whether the value is null.").global(),
    Builtin::new("isPath", &["e"], 1, is_path, "Whether the value is a path."),
    Builtin::new("isString", &["e"], 1, is_string, "Whether the value is a string."),
    Builtin::new(
        "functionArgs",
        &["f"],
        1,
        function_args,
        "The set of the arguments that a function names; true for those with a default.",
    ),
];

fn type_of<'a>(evaluator: &Evaluator<'a>, arguments: &[Value<'a>]) -> Outcome<'a> {
    let value = evaluator.force(arguments[0])?;
    Ok(Value::string(evaluator.arena, value.type_name().as_bytes()))
}

macro_rules! question {
    ($($name:ident => $pattern:pat,)*) => {$(
        fn $name<'a>(evaluator: &Evaluator<'a>, arguments: &[Value<'a>]) -> Outcome<'a> {
            Ok(Value::Bool(matches!(evaluator.force(arguments[0])?, $pattern)))
        }
    )*};
}

question! {
    is_attrs => Value::Attributes(_),
    is_bool => Value::Bool(_),
    is_float => Value::Float(_),
    is_function => Value::Closure(_) | Value::Builtin(_) | Value::Partial(_),
    is_int => Value::Int(_),
    is_list => Value::List(_),
    is_null => Value::Null,
    is_path => Value::Path(_),
    is_string => Value::String(_),
}

fn function_args<'a>(evaluator: &Evaluator<'a>, arguments: &[Value<'a>]) -> Outcome<'a> {
    let mut attributes = Vec::new();
    match evaluator.function(arguments[0])? {
        Value::Closure(closure) => {
            if let Parameter::Pattern(pattern) = &closure.lambda.parameter {
                attributes.extend(pattern.formals.iter().map(|formal| Attribute {
                    name: formal.name,
                    position: formal.span.start,
                    value: Value::Bool(formal.default.is_some()),
                }));
            }
        }
        Value::Attributes(set) if set.get(known::FUNCTOR).is_some() => {
            return Err(evaluator.expected("a function", Value::Attributes(set)));
        }
        _ => {}
    }
    Ok(Value::Attributes(Attributes::from_unsorted(evaluator.arena, attributes)))
}
