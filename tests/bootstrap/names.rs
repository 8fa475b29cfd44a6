//! c0 knows a name by eight bytes, the exclusive or of its groups of eight characters: no two of
//! cc's names may look the same to it.

use std::collections::BTreeMap;

use super::chain;
use crate::harness::Test;

/// Returns the tests of the names in C0 sources.
pub fn tests() -> Vec<Test> {
    vec![
        Test {
            name: "bootstrap: no two names of cc are one to c0",
            requires: &[],
            run: names_of_cc_are_distinct,
        },
        Test {
            name: "bootstrap: the check of C0's names reports two that are one",
            requires: &[],
            run: a_confusion_is_reported,
        },
    ]
}

fn names_of_cc_are_distinct() -> Result<(), String> {
    let count = check(&chain::source_text("cc.c")?)?;
    // A check that found no names would pass as well.
    if count > 300 { Ok(()) } else { Err(format!("found only {count} names in cc.c")) }
}

fn a_confusion_is_reported() -> Result<(), String> {
    // The second group of eight swaps with the first.
    match check("long one_two_three_fo;\nlong three_foone_two_;\n") {
        Err(error) if error.contains("one_two_three_fo") => Ok(()),
        other => Err(format!("expected an error, found {other:?}")),
    }
}

/// Counts the names of a C0 source, or tells of two that c0 takes for one.
fn check(source: &str) -> Result<usize, String> {
    let mut seen: BTreeMap<[u8; 8], String> = BTreeMap::new();
    for name in names(source) {
        let mut key = [0; 8];
        for (index, byte) in name.bytes().enumerate() {
            key[index % 8] ^= byte;
        }
        match seen.insert(key, name.clone()) {
            Some(other) if other != name => return Err(format!("`{name}` and `{other}` are one name to c0")),
            _ => {}
        }
    }
    Ok(seen.len())
}

/// All identifiers outside comments, strings and characters; a number's letters aren't one.
fn names(source: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut rest = source;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '/' if rest.starts_with("/*") => rest.find("*/").map_or(rest.len(), |end| end + 2),
            '"' | '\'' => quoted(rest, first),
            _ if first.is_ascii_alphanumeric() || first == '_' => {
                let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
                if !first.is_ascii_digit() {
                    names.push(rest[..end].to_owned());
                }
                end
            }
            _ => first.len_utf8(),
        };
        rest = &rest[length..];
    }
    names
}

fn quoted(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (index, character) in text.char_indices().skip(1) {
        if character == quote && !escaped {
            return index + 1;
        }
        escaped = character == '\\' && !escaped;
    }
    text.len()
}
