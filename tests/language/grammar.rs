//! Programs by chance: every construct and nearly every builtin, mostly with fitting types, every name bound.
//!
//! The grammar is tables of texts with holes: `#n` is a number, `#s` a string, `#b` a Boolean, `#l` a list, `#m` a set (a map), `#f` a
//! function and `#a` anything. A program is built from the leaves: at each level a text of each type is chosen, and its holes are
//! filled from three of the level below. What is chosen for one type shrinks on its own.

use proptest::prelude::*;
use std::collections::BTreeSet;
use sx_evaluator::builtins::documentation;

/// A text of each type.
#[derive(Clone, Debug)]
struct Texts([String; KINDS.len()]);

/// What the holes are called, and what can be put there, below the leaves and as leaves.
const KINDS: [(char, &[&str], &[&str]); 7] = [
    ('n', NUMBERS, &["0", "1", "2", "3", "(-1)", "0.5", "1.5", "2.0", "1.0e3", "n"]),
    (
        's',
        STRINGS,
        &[
            r#""""#,
            r#""a""#,
            r#""b""#,
            r#""ab""#,
            r#""1""#,
            r#""n""#,
            r#""(a)|b""#,
            r#""[[:alpha:]]*""#,
            r#""1.10pre""#,
            r#""a-b-1.2""#,
            r#""/a/b.c""#,
            "s",
        ],
    ),
    ('b', BOOLEANS, &["true", "false"]),
    ('l', LISTS, &["[ ]", "[ 1 ]", "[ 1 2 3 ]", r#"[ "a" "b" ]"#, "[ [ 1 ] { } ]", "l"]),
    ('m', SETS, &["{ }", "{ n = 1; }", r#"{ n = 1; s = "a"; }"#, "{ m.n = 1; }", "m"]),
    ('f', FUNCTIONS, &["(x: x)", "toString", "f", "builtins.lessThan", "builtins.typeOf"]),
    ('a', ANYTHING, &["null", "n", "s", "l", "m", "f", "(throw \"t\")", "1.5", "/a/b", "[ 1 [ ] ]", "true"]),
];

const NUMBERS: &[&str] = &[
    "(#n + #n)",
    "(#n - #n)",
    "(#n * #n)",
    "(#n / #n)",
    "(- #n)",
    "(if #b then #n else #n)",
    "(builtins.length #l)",
    "(builtins.stringLength #s)",
    "(builtins.add #n #n)",
    "(builtins.sub #n #n)",
    "(builtins.mul #n #n)",
    "(builtins.div #n #n)",
    "(builtins.bitAnd #n #n)",
    "(builtins.bitOr #n #n)",
    "(builtins.bitXor #n #n)",
    "(builtins.floor #n)",
    "(builtins.ceil #n)",
    "(builtins.compareVersions #s #s)",
    "(builtins.foldl' (x: y: x + y) #n #l)",
    "(builtins.foldl' builtins.add #n [ #n #n ])",
    "(let n = #n; in #n)",
    "(#m.n or #n)",
    "((n: #n) #n)",
    "(with { n = #n; }; #n)",
    "(builtins.fromJSON (builtins.toJSON #n))",
    "(builtins.elemAt #l #n)",
    "(builtins.head [ #n #a ])",
    "(builtins.seq #a #n)",
    "(builtins.deepSeq #a #n)",
    "(builtins.trace #a #n)",
    "(assert #b; #n)",
    "(#f #n)",
    "(builtins.getAttr \"n\" #m)",
    "(({ n ? #n, ... }: n) #m)",
    "(rec { x = n; n = #n; }).x",
    "(let { n = #n; body = n; })",
    "({ __functor = self: x: #n; } #a)",
    "(builtins.addErrorContext #s #n)",
    "(builtins.tryEval #n).value",
    "(builtins.fromTOML \"n = 0x10\").n",
    "builtins.langVersion",
];

const STRINGS: &[&str] = &[
    "(#s + #s)",
    "\"${#s}-${#s}\"",
    "\"\\${#s}\\n$${#s}$\"",
    "''\n    x ${#s}\n      y\n  ''",
    "''${#s}'''${#s}''",
    "''  ''${x} ''\\n ${#s}\n ''",
    "(toString #a)",
    "(toString #n)",
    "(builtins.toJSON #a)",
    "(builtins.toXML #a)",
    "(builtins.typeOf #a)",
    "(builtins.substring #n #n #s)",
    "(builtins.concatStringsSep #s #l)",
    "(builtins.concatStringsSep #s (map toString #l))",
    "(builtins.replaceStrings [ #s ] [ #s ] #s)",
    "(builtins.replaceStrings [ \"a\" #s ] [ #s \"b\" ] \"abab\")",
    "(builtins.hashString \"md5\" #s)",
    "(builtins.hashString \"sha1\" #s)",
    "(builtins.hashString \"sha256\" #s)",
    "(builtins.hashString \"sha512\" #s)",
    "(baseNameOf #s)",
    "(dirOf #s)",
    "(builtins.toPath (\"/\" + #s))",
    "(builtins.unsafeDiscardStringContext #s)",
    "(builtins.unsafeDiscardOutputDependency #s)",
    "(builtins.getEnv #s)",
    "(if #b then #s else #s)",
    "(builtins.parseDrvName #s).name",
    "(builtins.head (builtins.split #s #s))",
    "(toString { __toString = self: #s; })",
    "\"${ { outPath = #s; } }\"",
    "(#m.s or #s)",
    "(builtins.appendContext #s { })",
    "(builtins.concatStringsSep \"\" (builtins.splitVersion #s))",
    "(let s = #s; in #s)",
    "(builtins.typeOf (builtins.placeholder #s))",
    "(builtins.typeOf builtins.currentSystem)",
];

const BOOLEANS: &[&str] = &[
    "(#a == #a)",
    "(#a != #a)",
    "(#n < #n)",
    "(#s <= #s)",
    "(#l > #l)",
    "(#a >= #a)",
    "(#b && #b)",
    "(#b || #b)",
    "(#b -> #b)",
    "(!#b)",
    "(#m ? n)",
    "(#m ? m.n)",
    "(#a ? ${#s})",
    "(#m ? \"a\")",
    "(builtins.hasAttr #s #m)",
    "(builtins.elem #a #l)",
    "(builtins.all (x: #b) #l)",
    "(builtins.any (x: x == #a) #l)",
    "(builtins.isInt #a)",
    "(builtins.isFloat #n)",
    "(builtins.isBool #a)",
    "(builtins.isString #a)",
    "(builtins.isPath #a)",
    "(builtins.isList #a)",
    "(builtins.isAttrs #a)",
    "(builtins.isFunction #a)",
    "(isNull #a)",
    "(builtins.lessThan #a #a)",
    "(builtins.tryEval #a).success",
    "(builtins.hasContext #s)",
    "(#m == #m)",
    "(#l == #l)",
    "(let m = #m; in m == m)",
    "([ #f ] == [ #f ])",
];

const LISTS: &[&str] = &[
    "[ #a #n #s ]",
    "[ #a ]",
    "(#l ++ #l)",
    "(map #f #l)",
    "(builtins.filter (x: #b) #l)",
    "(builtins.filter #f #l)",
    "(builtins.genList #f #n)",
    "(builtins.sort builtins.lessThan #l)",
    "(builtins.sort (x: y: #b) #l)",
    "(builtins.sort (x: y: x > y) #l)",
    "(builtins.concatLists [ #l #l ])",
    "(builtins.concatMap (x: #l) #l)",
    "(builtins.tail #l)",
    "(builtins.attrNames #m)",
    "(builtins.attrValues #m)",
    "(builtins.catAttrs #s [ #m #m ])",
    "(builtins.split #s #s)",
    "(builtins.match #s #s)",
    "(builtins.splitVersion #s)",
    "(builtins.genericClosure { startSet = [ { key = #n; } ]; operator = x: if x.key < 3 then [ { key = x.key + 1; } ] else [ ]; })",
    "(builtins.genericClosure { startSet = [ { key = #a; } { key = #a; } ]; operator = x: [ ]; })",
    "(builtins.partition (x: #b) #l).right",
    "(builtins.fromJSON (builtins.toJSON #l))",
    "(if #b then #l else #l)",
    "(let l = #l; in #l)",
    "(#m.l or #l)",
    "(__concatLists (map (x: [ x #a ]) #l))",
];

const SETS: &[&str] = &[
    "{ n = #n; s = #s; }",
    "(rec { n = #n; m = { inherit n; s = #s; }; })",
    "(#m // #m)",
    "{ inherit (#m) n; }",
    "{ inherit n s l; }",
    "{ ${#s} = #a; }",
    "{ m.n = #n; m.s = #s; }",
    "{ m = #m; }",
    "{ \"${#s}\" = #a; n = #n; }",
    "(builtins.mapAttrs (k: v: #a) #m)",
    "(builtins.mapAttrs (k: v: [ k v ]) #m)",
    "(removeAttrs #m [ #s \"n\" ])",
    "(builtins.intersectAttrs #m #m)",
    "(builtins.listToAttrs [ { name = #s; value = #a; } { name = \"n\"; value = #a; } ])",
    "(builtins.listToAttrs (map (x: { name = toString x; value = #a; }) #l))",
    "(builtins.groupBy (x: #s) #l)",
    "(builtins.groupBy builtins.typeOf #l)",
    "(builtins.zipAttrsWith (k: v: v) [ #m #m ])",
    "(builtins.zipAttrsWith (k: v: #a) [ #m #m ])",
    "(builtins.partition (x: #b) #l)",
    "(builtins.functionArgs ({ n, s ? #a }: n))",
    "(builtins.functionArgs #f)",
    "(builtins.tryEval #a)",
    "(builtins.parseDrvName #s)",
    "(builtins.fromJSON \"{\\\"n\\\": 1, \\\"s\\\": [ null, 1e3 ]}\")",
    "(builtins.fromTOML \"n = 1.5\\n[m]\\ns = 'a'\\n\")",
    "(builtins.getContext #s)",
    "(if #b then #m else #m)",
    "(let m = #m; in m // { n = #n; })",
    "(with #m; { n = n; s = s; })",
    "(rec { n = #n; __overrides = { s = #s; }; s = \"\"; x = s; })",
    "(({ n ? #n, ... }@x: x) #m)",
    "((x@{ n, ... }: { inherit n x; }) #m)",
    "{ inherit (rec { n = #n; s = n; }) n s; }",
    "{ a.b.c = #a; a.b.d = #a; }",
    "{ n = #n; ${null} = #a; }",
    "{ \"a b\" = #a; c.\"d e\".${#s} = #n; }",
];

const FUNCTIONS: &[&str] = &[
    "(x: #a)",
    "(x: [ x #a ])",
    "(x: x + #n)",
    "(x: y: #a)",
    "({ n, s ? #s, ... }: #a)",
    "({ n ? #n }: n)",
    "(builtins.add #n)",
    "(builtins.elemAt #l)",
    "(x: with x; #a)",
    "{ __functor = self: x: #a; }",
    "(x: #f)",
    "(let f = #f; in f)",
    "(builtins.foldl' (x: y: x) #a)",
    "(x: #m.n or x)",
    "(builtins.map #f)",
    "(x: assert #b; x)",
];

const ANYTHING: &[&str] = &[
    "#n",
    "#s",
    "#b",
    "#l",
    "#m",
    "#f",
    "(throw #s)",
    "(abort #s)",
    "(#f #a)",
    "(#f #n)",
    "(#a #a)",
    "(#a + #a)",
    "(#a - #a)",
    "(#a // #a)",
    "(#a ++ #a)",
    "(- #a)",
    "(!#a)",
    "#m.n",
    "#a.n",
    "(#m.${#s} or #a)",
    "(#m.m.n or #a)",
    "(with #m; n)",
    "(with #a; s)",
    "(assert #b; #a)",
    "(assert #a; #a)",
    "(if #a then #a else #a)",
    "(builtins.head #l)",
    "(builtins.fromJSON #s)",
    "(let inherit (#m) n s; in [ n s ])",
    "(let x = #a; y = x; in y)",
    "(rec { x = #a; y = x; }).y",
    "(builtins.elemAt #a #a)",
    "(builtins.foldl' #f #a #l)",
    "(builtins.mapAttrs #f #m)",
    "(builtins.concatMap #f #l)",
    "(builtins.all #f #l)",
    "(builtins.getAttr #s #m)",
    "[ #a #f ]",
    "\"${#a}\"",
    "(/a + #s)",
    "(/a/. + \"/${#s}\")",
    "(#s + #a)",
    "(builtins.genList #f 2)",
    "(builtins.sort #f #l)",
    "(builtins.substring #a #a #a)",
    "(builtins.replaceStrings #l #l #s)",
    "(builtins.listToAttrs #l)",
    "(builtins.concatLists #l)",
    "(builtins.removeAttrs #a #l)",
];

/// Builtins of which no program is made: they fail always, need files, or come to what depends on the store, the version or the place.
const LEFT_OUT: &[&str] = &[
    "addDrvOutputDependencies",
    "break",
    "builtins",
    "convertHash",
    "derivation",
    "derivationStrict",
    "fetchGit",
    "fetchMercurial",
    "fetchTarball",
    "fetchTree",
    "fetchurl",
    "filterSource",
    "findFile",
    "flakeRefToString",
    "getFlake",
    "hashFile",
    "import",
    "nixPath",
    "nixVersion",
    "parseFlakeRef",
    "path",
    "pathExists",
    "readDir",
    "readFile",
    "readFileType",
    "scopedImport",
    "storeDir",
    "storePath",
    "toFile",
    "traceVerbose",
    "unsafeGetAttrPos",
    "warn",
];

/// Says which builtins neither the tables nor [`LEFT_OUT`] has.
pub fn missing() -> Vec<String> {
    let texts = KINDS.iter().flat_map(|(_, texts, leaves)| texts.iter().chain(*leaves));
    let is_part = |character: char| character.is_ascii_alphanumeric() || character == '\'';
    let words: BTreeSet<&str> = texts.flat_map(|text| text.split(|character| !is_part(character))).collect();
    let names = documentation().map(|entry| entry.name.to_string());
    names.filter(|name| !words.contains(name.as_str()) && !LEFT_OUT.contains(&name.as_str())).collect()
}

/// One of a type's texts with its holes filled from the level below.
fn fill(text: &str, below: &[Texts; 3]) -> String {
    let mut filled = String::new();
    let mut parts = text.split('#');
    filled.extend(parts.next());
    for (number, part) in parts.enumerate() {
        let mut rest = part.chars();
        let kind = rest.next().and_then(|hole| KINDS.iter().position(|(kind, _, _)| *kind == hole));
        let kind = kind.expect("the tables have only these holes");
        filled.push_str(&below[number % below.len()].0[kind]);
        filled.push_str(rest.as_str());
    }
    filled
}

fn choose(
    of: impl Fn(usize) -> &'static [&'static str],
) -> [impl Strategy<Value = &'static str>; KINDS.len()] {
    std::array::from_fn(|kind| prop::sample::select(of(kind)))
}

fn expression() -> impl Strategy<Value = Texts> {
    let leaf = choose(|kind| KINDS[kind].2).prop_map(|texts| Texts(texts.map(str::to_owned)));
    leaf.prop_recursive(4, 40, 3, |inner| {
        ([inner.clone(), inner.clone(), inner], choose(|kind| KINDS[kind].1))
            .prop_map(|(below, texts)| Texts(texts.map(|text| fill(text, &below))))
    })
}

/// A program in which every name is bound.
pub fn program() -> impl Strategy<Value = String> {
    (expression(), expression(), 0..KINDS.len()).prop_map(|(bound, body, kind)| {
        let [number, string, _, list, set, function, _] = &bound.0;
        let body = &body.0[kind];
        format!("let n = {number}; s = {string}; l = {list}; m = {set}; f = {function}; x = n; in {body}")
    })
}
