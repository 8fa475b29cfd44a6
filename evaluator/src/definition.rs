//! Where the value that an error is about was defined, found in the text when the error is shown.
//!
//! Values don't know their definitions: that would cost every evaluation what only failed ones need. So the text is parsed
//! again, and a name followed to its binding.

use rnix::ast::{self, Attr, Entry, Expr, HasEntry};
use rnix::{NodeOrToken, Root, SyntaxNode, TextRange, TextSize};
use rowan::ast::AstNode;
use std::ops::Range;

/// A name as it is written, and the binding that defines it.
pub(crate) type Definition = (String, Range<usize>);

/// The definitions of the names that the expression at `range` directly consists of: the function of a call, the operands of
/// an operator. At most two.
pub(crate) fn of_operands(text: &str, range: &Range<usize>) -> Vec<Definition> {
    let root = Root::parse(text).tree();
    let Some(expr) = expression_at(&root, range) else { return Vec::new() };
    let operands = match expr {
        Expr::BinOp(operation) => [operation.lhs(), operation.rhs()].into_iter().flatten().collect(),
        Expr::Apply(apply) => {
            let mut function = apply.lambda();
            while let Some(Expr::Apply(inner)) = function {
                function = inner.lambda();
            }
            function.into_iter().collect()
        }
        Expr::UnaryOp(operation) => operation.expr().into_iter().collect(),
        other => vec![other],
    };
    let mut found: Vec<Definition> = operands.into_iter().filter_map(definition).collect();
    found.dedup();
    found
}

/// For an attribute's name in `set.a.b`: what it is selected from, as it is written, and the definition of that.
pub(crate) fn of_owner(text: &str, range: &Range<usize>) -> Option<(String, Option<Range<usize>>)> {
    let root = Root::parse(text).tree();
    let node = node_at(&root, range)?;
    let attr = node.ancestors().find_map(Attr::cast)?;
    let around = attr.syntax().parent()?;
    if let Some(inherit) = ast::Inherit::cast(around.clone()) {
        let from = inherit.from()?.expr()?;
        let shown = from.syntax().text().to_string();
        let place = definition(from).map(|(_, place)| place);
        return (shown.len() <= 60 && !shown.contains('\n')).then_some((shown, place));
    }
    let select = ast::Attrpath::cast(around)?.syntax().parent().and_then(ast::Select::cast)?;
    let (base, path) = (select.expr()?, select.attrpath()?);
    let before: Vec<Attr> = path.attrs().take_while(|other| other.syntax() != attr.syntax()).collect();
    let end = before.last().map_or(base.syntax().text_range().end(), |last| last.syntax().text_range().end());
    let shown = &text[usize::from(base.syntax().text_range().start())..usize::from(end)];
    if shown.len() > 60 || shown.contains('\n') {
        return None;
    }
    let definition = match &base {
        Expr::Ident(ident) => binding(&ident.syntax().clone(), &name(ident)?),
        _ => None,
    };
    Some((shown.to_owned(), definition.and_then(|entry| follow(entry, &before)).map(to_range)))
}

fn definition(expr: Expr) -> Option<Definition> {
    match expr {
        Expr::Paren(paren) => definition(paren.expr()?),
        Expr::Ident(ident) => {
            let name = name(&ident)?;
            let entry = binding(ident.syntax(), &name)?;
            Some((name, to_range(entry.syntax().text_range())))
        }
        Expr::Select(select) => {
            let Some(Expr::Ident(ident)) = select.expr() else { return None };
            let attrs: Vec<Attr> = select.attrpath()?.attrs().collect();
            let entry = binding(ident.syntax(), &name(&ident)?)?;
            Some((select.syntax().text().to_string(), to_range(follow(entry, &attrs)?)))
        }
        _ => None,
    }
}

/// The binding that a name refers to; none if it is an argument's or comes from a `with`.
fn binding(at: &SyntaxNode, name: &str) -> Option<Entry> {
    for node in at.ancestors().skip(1) {
        if let Some(lambda) = ast::Lambda::cast(node.clone()) {
            let binds = match lambda.param()? {
                ast::Param::IdentParam(parameter) => {
                    parameter.ident().is_some_and(|ident| is_named(&ident, name))
                }
                ast::Param::Pattern(pattern) => {
                    pattern
                        .pat_entries()
                        .filter_map(|entry| entry.ident())
                        .any(|ident| is_named(&ident, name))
                        || pattern
                            .pat_bind()
                            .and_then(|bind| bind.ident())
                            .is_some_and(|ident| is_named(&ident, name))
                }
            };
            if binds {
                return None;
            }
        }
        let entries: Option<Vec<Entry>> = if let Some(set) = ast::AttrSet::cast(node.clone()) {
            set.rec_token().map(|_| set.entries().collect())
        } else if let Some(set) = ast::LetIn::cast(node.clone()) {
            Some(set.entries().collect())
        } else {
            ast::LegacyLet::cast(node.clone()).map(|set| set.entries().collect())
        };
        let found = entries.into_iter().flatten().find(|entry| {
            // `inherit x` takes what is bound further out.
            let is_own_inherit = matches!(entry, Entry::Inherit(inherit) if inherit.from().is_none());
            !is_own_inherit && entry_names(entry).first().is_some_and(|first| first == name)
        });
        if found.is_some() {
            return found;
        }
    }
    None
}

/// Goes from a binding down a path, as far as the text shows it.
fn follow(mut entry: Entry, path: &[Attr]) -> Option<TextRange> {
    let mut rest = path.iter();
    loop {
        let Entry::AttrpathValue(binding) = &entry else {
            return rest.next().is_none().then(|| entry.syntax().text_range());
        };
        if binding.attrpath()?.attrs().count() != 1 {
            return None;
        }
        let Some(attr) = rest.next() else { return Some(entry.syntax().text_range()) };
        let wanted = static_name(attr)?;
        let Some(Expr::AttrSet(set)) = binding.value() else { return None };
        let next = set.entries().find(|entry| entry_names(entry).contains(&wanted))?;
        entry = next;
    }
}

/// The names that an entry binds.
fn entry_names(entry: &Entry) -> Vec<String> {
    match entry {
        Entry::Inherit(inherit) => inherit.attrs().filter_map(|attr| static_name(&attr)).collect(),
        Entry::AttrpathValue(binding) => {
            let first = binding.attrpath().and_then(|path| path.attrs().next());
            first.and_then(|attr| static_name(&attr)).into_iter().collect()
        }
    }
}

fn static_name(attr: &Attr) -> Option<String> {
    match attr {
        Attr::Ident(ident) => name(ident),
        _ => None,
    }
}

fn name(ident: &ast::Ident) -> Option<String> {
    ident.ident_token().map(|token| token.text().to_owned())
}

fn is_named(ident: &ast::Ident, wanted: &str) -> bool {
    ident.ident_token().is_some_and(|token| token.text() == wanted)
}

fn to_range(range: TextRange) -> Range<usize> {
    range.start().into()..range.end().into()
}

pub(crate) fn node_at(root: &Root, range: &Range<usize>) -> Option<SyntaxNode> {
    let size = |offset: usize| u32::try_from(offset).ok().map(TextSize::from);
    let range = TextRange::new(size(range.start)?, size(range.end.max(range.start))?);
    if !root.syntax().text_range().contains_range(range) {
        return None;
    }
    match root.syntax().covering_element(range) {
        NodeOrToken::Node(node) => Some(node),
        NodeOrToken::Token(token) => token.parent(),
    }
}

/// The largest expression that takes exactly the range.
fn expression_at(root: &Root, range: &Range<usize>) -> Option<Expr> {
    let node = node_at(root, range)?;
    let same = node.ancestors().take_while(|node| to_range(node.text_range()) == *range);
    same.filter_map(Expr::cast).last()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn operands<'t>(text: &'t str, expression: &str) -> Vec<&'t str> {
        let start = text.rfind(expression).unwrap();
        let found = of_operands(text, &(start..start + expression.len()));
        found.into_iter().map(|(_, range)| &text[range]).collect()
    }

    #[test]
    fn names_are_followed_to_their_bindings() {
        assert_eq!(operands("let s = { }; in s 2", "s 2"), ["s = { };"]);
        assert_eq!(operands("let a = 1; b = \"\"; in a + b", "a + b"), ["a = 1;", "b = \"\";"]);
        assert_eq!(operands("let s = { t = { u = 1; }; }; in s.t.u 1", "s.t.u 1"), ["u = 1;"]);
        assert_eq!(operands("rec { a = 1; b = a 2; }", "a 2"), ["a = 1;"]);
    }

    #[test]
    fn arguments_and_shadowed_names_have_no_binding() {
        assert!(operands("let a = 1; f = a: a 1; in f", "a 1").is_empty());
        assert!(operands("let a = 1; f = { a }: a 1; in f", "a 1").is_empty());
        assert!(operands("with { a = 1; }; a 1", "a 1").is_empty());
    }

    #[test]
    fn an_attribute_is_missing_in_something() {
        let owner = |text: &str, name: &str| {
            let start = text.rfind(name).unwrap();
            of_owner(text, &(start..start + name.len()))
                .map(|(shown, place)| (shown, place.map(|at| text[at].to_owned())))
        };
        let text = "let s = { t = { }; }; in s.t.u";
        assert_eq!(owner(text, "u"), Some(("s.t".to_owned(), Some("t = { };".to_owned()))));
        assert_eq!(owner("x: x.a.b", "b"), Some(("x.a".to_owned(), None)));
    }
}
