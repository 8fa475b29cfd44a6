//! Numbers.

use super::Builtin;
use crate::Evaluator;
use crate::error::{Error, Outcome};
use crate::expression::Operator;
use crate::value::Value;

pub(super) const TABLE: &[Builtin] = &[
    Builtin::new("add", &["e1", "e2"], 3, add, "The sum of two numbers."),
    Builtin::new("sub", &["e1", "e2"], 3, sub, "The difference of two numbers."),
    Builtin::new("mul", &["e1", "e2"], 3, mul, "The product of two numbers."),
    Builtin::new(
        "div",
        &["e1", "e2"],
        3,
        div,
        "The quotient of two numbers, of integers rounded towards zero.",
    ),
    Builtin::new("lessThan", &["e1", "e2"], 3, less_than, "Whether the first is less than the second."),
    Builtin::new("bitAnd", &["e1", "e2"], 3, bit_and, "The bits that two integers have both."),
    Builtin::new("bitOr", &["e1", "e2"], 3, bit_or, "The bits that either of two integers has."),
    Builtin::new("bitXor", &["e1", "e2"], 3, bit_xor, "The bits that one of two integers has."),
    Builtin::new("ceil", &["double"], 1, ceil, "The number rounded up to an integer."),
    Builtin::new("floor", &["double"], 1, floor, "The number rounded down to an integer."),
];

macro_rules! calculation {
    ($($name:ident = $operator:ident;)*) => {$(
        fn $name<'a>(evaluator: &Evaluator<'a>, arguments: &[Value<'a>]) -> Outcome<'a> {
            evaluator.arithmetic(Operator::$operator, arguments[0], arguments[1])
        }
    )*};
}

calculation! {
    add = Add;
    sub = Subtract;
    mul = Multiply;
    div = Divide;
}

fn less_than<'a>(evaluator: &Evaluator<'a>, arguments: &[Value<'a>]) -> Outcome<'a> {
    evaluator.less(arguments[0], arguments[1]).map(Value::Bool)
}

fn bit_and<'a>(evaluator: &Evaluator<'a>, arguments: &[Value<'a>]) -> Outcome<'a> {
    Ok(Value::Int(evaluator.int(arguments[0])? & evaluator.int(arguments[1])?))
}

fn bit_or<'a>(evaluator: &Evaluator<'a>, arguments: &[Value<'a>]) -> Outcome<'a> {
    Ok(Value::Int(evaluator.int(arguments[0])? | evaluator.int(arguments[1])?))
}

fn bit_xor<'a>(evaluator: &Evaluator<'a>, arguments: &[Value<'a>]) -> Outcome<'a> {
    Ok(Value::Int(evaluator.int(arguments[0])? ^ evaluator.int(arguments[1])?))
}

fn ceil<'a>(evaluator: &Evaluator<'a>, arguments: &[Value<'a>]) -> Outcome<'a> {
    round(evaluator, arguments[0], f64::ceil)
}

fn floor<'a>(evaluator: &Evaluator<'a>, arguments: &[Value<'a>]) -> Outcome<'a> {
    round(evaluator, arguments[0], f64::floor)
}

fn round<'a>(evaluator: &Evaluator<'a>, value: Value<'a>, how: fn(f64) -> f64) -> Outcome<'a> {
    match evaluator.force(value)? {
        Value::Int(number) => Ok(Value::Int(number)),
        Value::Float(number) => {
            let rounded = how(number);
            if rounded >= -(2f64.powi(63)) && rounded < 2f64.powi(63) {
                Ok(Value::Int(rounded as i64))
            } else {
                Err(Error::value(format!("{number} does not fit into an integer")))
            }
        }
        other => Err(evaluator.expected("a number", other)),
    }
}
