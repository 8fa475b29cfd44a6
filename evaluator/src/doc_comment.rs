//! What a comment `/** … */` before a function says, or before the attribute whose value it is; found in the text when someone asks.

use crate::definition::node_at;
use rnix::ast::{AttrpathValue, Lambda, Paren};
use rnix::{Root, SyntaxKind, SyntaxNode};
use rowan::ast::AstNode;
use std::ops::Range;

/// What the comment says of the function at `range`, without the indentation of its lines.
pub(crate) fn of_function(text: &str, range: &Range<usize>) -> Option<String> {
    let root = Root::parse(text).tree();
    let mut node = node_at(&root, range)?.ancestors().find(|node| Lambda::can_cast(node.kind()))?;
    loop {
        if let Some(comment) = before(&node) {
            return Some(comment);
        }
        // `a: b: …` and `(a: …)` have what stands before them; so has `name = a: …`.
        let parent = node.parent()?;
        let is_transparent = [Lambda::can_cast, Paren::can_cast, AttrpathValue::can_cast];
        if AttrpathValue::can_cast(node.kind()) || !is_transparent.iter().any(|is| is(parent.kind())) {
            return None;
        }
        node = parent;
    }
}

/// The comment right before a node, but for spaces.
fn before(node: &SyntaxNode) -> Option<String> {
    let mut token = node.first_token()?.prev_token()?;
    if token.kind() == SyntaxKind::TOKEN_WHITESPACE {
        token = token.prev_token()?;
    }
    if token.kind() != SyntaxKind::TOKEN_COMMENT {
        return None;
    }
    let inner = token.text().strip_prefix("/**")?.strip_suffix("*/")?;
    Some(without_indentation(inner))
}

fn without_indentation(text: &str) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    let width = |line: &&str| line.len() - line.trim_start().len();
    // The first stands beside what opens the comment.
    let least = lines.iter().skip(1).filter(|line| !line.is_empty()).map(width).min().unwrap_or(0);
    let lines = lines.iter().enumerate().map(|(n, line)| match n {
        0 => line.trim_start(),
        _ => line.get(least..).unwrap_or(""),
    });
    lines.collect::<Vec<_>>().join("\n").trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::of_function;

    /// What is said of the function that begins at the only `@`, which is taken out.
    fn said(text: &str) -> Option<String> {
        let start = text.find('@').unwrap();
        let text = text.replacen('@', "", 1);
        let length = text[start..].find(';').unwrap();
        of_function(&text, &(start..start + length))
    }

    #[test]
    fn a_comment_before_a_function_or_its_attribute_is_found() {
        let many = "{\n  /**\n    Doubles.\n\n      more\n  */\n  a.b = @x: x * 2;\n}";
        for (text, expected) in [
            (many, Some("Doubles.\n\n  more")),
            ("{ /** One. */ a = @{ b ? 1 }: b; }", Some("One.")),
            ("{ a = /** Inside. */ @x: x; }", Some("Inside.")),
            ("let /** Outer. */ f = x: @y: x; in f", Some("Outer.")),
            ("{ /** Far. */ a = /** Near. */ @x: x; }", Some("Near.")),
            ("{ /* plain */ a = @x: x; }", None),
            ("{ /** Before. */ /* plain */ a = @x: x; }", None),
            ("{ /** Of b. */ b = 1; a = @x: x; }", None),
            ("{ /** A list. */ a = [ (@x: x) ]; c = 1; }", None),
        ] {
            assert_eq!(said(text).as_deref(), expected, "{text}");
        }
    }
}
