//! Programs by chance: well- and ill-typed, mostly with every name bound.

use proptest::prelude::*;

/// Functions of one argument that both old and new versions of Nix have with the same results.
const UNARY: &[&str] = &[
    "toString",
    "builtins.typeOf",
    "builtins.length",
    "builtins.head",
    "builtins.tail",
    "builtins.attrNames",
    "builtins.attrValues",
    "builtins.isInt",
    "builtins.isList",
    "builtins.isAttrs",
    "builtins.isString",
    "builtins.isFunction",
    "builtins.toJSON",
    "builtins.fromJSON",
    "builtins.stringLength",
    "builtins.tryEval",
    "builtins.listToAttrs",
    "builtins.concatLists",
    "builtins.functionArgs",
    "builtins.splitVersion",
    "builtins.parseDrvName",
    "builtins.ceil",
    "builtins.floor",
    "builtins.hashString \"sha256\"",
    "baseNameOf",
    "throw",
    "builtins.toXML",
    "isNull",
];

/// Functions of two arguments.
const BINARY: &[&str] = &[
    "map",
    "builtins.filter",
    "builtins.elem",
    "builtins.elemAt",
    "builtins.all",
    "builtins.any",
    "builtins.concatMap",
    "builtins.hasAttr",
    "builtins.getAttr",
    "removeAttrs",
    "builtins.intersectAttrs",
    "builtins.catAttrs",
    "builtins.mapAttrs",
    "builtins.seq",
    "builtins.deepSeq",
    "builtins.lessThan",
    "builtins.add",
    "builtins.sub",
    "builtins.concatStringsSep",
    "builtins.compareVersions",
    "builtins.sort",
    "builtins.partition",
    "builtins.groupBy",
    "builtins.match",
    "builtins.split",
    "builtins.bitAnd",
    "builtins.bitXor",
    "builtins.zipAttrsWith",
    "builtins.foldl' (x: y: x + y)",
    "builtins.substring 0",
];

const OPERATORS: &[&str] = &["+", "-", "/", "==", "!=", "<", "<=", ">", ">=", "&&", "||", "->", "++", "//"];

const LEAVES: &[&str] = &[
    "0",
    "1",
    "2",
    "3",
    "(-1)",
    "0.5",
    "1.5",
    "2.0",
    "\"\"",
    "\"a\"",
    "\"b\"",
    "\"ab\"",
    "\"1\"",
    "\"a|b\"",
    "\"(a)\"",
    "\"[1]\"",
    "\"1.10pre\"",
    "true",
    "false",
    "null",
    "[ ]",
    "{ }",
    "a",
    "b",
    "c",
    "x",
    "f",
    "g",
    "(throw \"t\")",
    "builtins.lessThan",
];

fn one_of(texts: &'static [&'static str]) -> impl Strategy<Value = String> + Clone {
    prop::sample::select(texts).prop_map(str::to_owned)
}

fn expression() -> impl Strategy<Value = String> {
    let name = || one_of(&["a", "b", "c", "x"]);
    one_of(LEAVES).prop_recursive(4, 24, 3, move |inner| {
        let e = || inner.clone();
        let bindings = prop::collection::btree_map(one_of(&["a", "b", "c", "x"]), inner.clone(), 0..3).prop_map(
            |bindings| bindings.into_iter().map(|(name, value)| format!("{name} = {value}; ")).collect::<String>(),
        );
        prop_oneof![
            3 => (e(), one_of(OPERATORS), e()).prop_map(|(left, operator, right)| format!("({left} {operator} {right})")),
            2 => (one_of(UNARY), e()).prop_map(|(function, argument)| format!("({function} {argument})")),
            3 => (one_of(BINARY), e(), e())
                .prop_map(|(function, first, second)| format!("({function} {first} {second})")),
            1 => (e(), e(), e()).prop_map(|(test, yes, no)| format!("(if {test} then {yes} else {no})")),
            2 => prop::collection::vec(inner.clone(), 0..4).prop_map(|items| format!("[ {} ]", items.join(" "))),
            2 => bindings.clone().prop_map(|bindings| format!("{{ {bindings}}}")),
            1 => bindings.clone().prop_map(|bindings| format!("(rec {{ {bindings}}})")),
            1 => (bindings.clone(), e()).prop_map(|(bindings, body)| format!("(let {bindings}in {body})")),
            1 => (e(), e()).prop_map(|(scope, body)| format!("(with {scope}; {body})")),
            1 => (name(), e()).prop_map(|(name, body)| format!("({name}: {body})")),
            1 => (name(), e(), e()).prop_map(|(name, body, argument)| format!("(({name}: {body}) {argument})")),
            1 => (name(), e(), e(), e()).prop_map(|(name, default, body, argument)| {
                format!("(({{ {name} ? {default}, ... }}@x: {body}) {argument})").replace("{ x ? ", "{ y ? ")
            }),
            1 => (e(), name(), e()).prop_map(|(base, name, other)| format!("({base}.{name} or {other})")),
            1 => (e(), name()).prop_map(|(base, name)| format!("({base} ? {name})")),
            1 => (e(), name()).prop_map(|(base, name)| format!("({base}.{name})")),
            1 => e().prop_map(|value| format!("\"<${{{value}}}>\"")),
            1 => e().prop_map(|value| format!("(!{value})")),
            1 => e().prop_map(|value| format!("(-{value})")),
            1 => (e(), e()).prop_map(|(test, body)| format!("(assert {test}; {body})")),
            1 => (e(), e()).prop_map(|(function, argument)| format!("({function} {argument})")),
            1 => (e(), e()).prop_map(|(name, value)| format!("{{ ${{{name}}} = {value}; }}")),
        ]
    })
}

/// A program in which every name is bound.
pub fn program() -> impl Strategy<Value = String> {
    (expression(), expression(), expression()).prop_map(|(first, second, body)| {
        format!(
            "let a = {first}; b = {second}; c = [ 1 \"a\" {{ a = 1; }} ]; f = x: [ x ]; g = x: y: x; x = {{ a = 1; b = \"b\"; }}; in {body}"
        )
    })
}
