//! What rnix's first error means for the person who made it.

use super::groups::{Groups, Opener};
use super::words::{list, name};
use super::{Mistake, Token, place};
use crate::lower::parse::MIXED_PIPES;
use rnix::{ParseError, SyntaxKind as K};
use std::ops::Range;

/// What is known around an error.
struct Scene<'t> {
    text: &'t str,
    tokens: &'t [Token],
    /// The first token at or after the place, if the text doesn't end there.
    at: usize,
    groups: Groups,
}

/// Describes an error of rnix's. What lies after `end` isn't the user's.
pub(super) fn describe(error: &ParseError, text: &str, tokens: &[Token], end: usize) -> Mistake {
    let place = place(error, text.len());
    let at = tokens.partition_point(|token| token.end <= place);
    let scene = Scene { text, tokens, at, groups: Groups::around(tokens, place) };
    if let Some(token) = scene.found().filter(|token| token.kind == K::TOKEN_ERROR) {
        return scene.no_token(token);
    }
    let mut mistake = match error {
        ParseError::UnexpectedExtra(_) => scene.extra(),
        ParseError::UnexpectedWanted(_, _, wanted) => scene.unexpected(wanted),
        ParseError::UnexpectedEOFWanted(wanted) => scene.unexpected(wanted),
        ParseError::UnexpectedDoubleBind(_) => {
            Mistake::new("the arguments have a name already", scene.range())
                .hint("write `name@{ … }:` or `{ … }@name:`, not both")
        }
        ParseError::DuplicatedArgs(_, name) => {
            Mistake::new(format!("duplicate formal function argument `{name}`"), scene.range())
        }
        _ => scene.no_expression(),
    };
    mistake.range = mistake.range.start.min(end)..mistake.range.end.min(end);
    mistake
}

/// Describes what only our own parser refuses.
pub(super) fn unknown(message: &str, text: &str, tokens: &[Token], range: Range<usize>) -> Mistake {
    let at = tokens.partition_point(|token| token.end <= range.start);
    if message == MIXED_PIPES {
        return Mistake::new(message, range).hint("put what is to be done first in parentheses");
    }
    let scene = Scene { text, tokens, at, groups: Groups::around(tokens, range.start) };
    let Some(token) = scene.found() else { return Mistake::new(message, range) };
    let is_comparison = matches!(
        token.kind,
        K::TOKEN_EQUAL
            | K::TOKEN_NOT_EQUAL
            | K::TOKEN_LESS
            | K::TOKEN_LESS_OR_EQ
            | K::TOKEN_MORE
            | K::TOKEN_MORE_OR_EQ
    );
    if is_comparison { scene.extra() } else { Mistake::new(message, range) }
}

impl Scene<'_> {
    fn found(&self) -> Option<Token> {
        self.tokens.get(self.at).copied()
    }

    /// The token so many before the place.
    fn before(&self, count: usize) -> Option<Token> {
        self.at.checked_sub(count).and_then(|n| self.tokens.get(n)).copied()
    }

    fn after(&self, count: usize) -> Option<K> {
        self.tokens.get(self.at + count).map(|token| token.kind)
    }

    fn text(&self, token: Token) -> &str {
        &self.text[token.start..token.end]
    }

    /// The token at the place, in words.
    fn shown(&self) -> String {
        match self.found() {
            Some(token) if matches!(token.kind, K::TOKEN_IDENT | K::TOKEN_INTEGER | K::TOKEN_FLOAT) => {
                format!("`{}`", self.text(token))
            }
            Some(token) => name(token.kind),
            None => "the end of the file".to_owned(),
        }
    }

    fn range(&self) -> Range<usize> {
        let end = self.tokens.last().map_or(0, |token| token.end);
        self.found().map_or(end..end, |token| token.start..token.end)
    }

    fn is_at(&self, kind: K) -> bool {
        self.found().is_some_and(|token| token.kind == kind)
    }

    fn unexpected(&self, wanted: &[K]) -> Mistake {
        match wanted {
            [K::TOKEN_SEMICOLON] => self.no_semicolon(),
            [K::TOKEN_ASSIGN] => self.no_assign(),
            [K::TOKEN_THEN | K::TOKEN_ELSE] => {
                let wanted = name(wanted[0]);
                let mistake =
                    Mistake::new(format!("expected {wanted} but found {}", self.shown()), self.range());
                if self.is_at(K::TOKEN_ASSIGN) {
                    return mistake.hint("`==` compares; `=` only binds");
                }
                mistake.hint("an `if` always has both: `if … then … else …`")
            }
            [K::TOKEN_COLON] => {
                let message = format!("expected `:` after the arguments but found {}", self.shown());
                Mistake::new(message, self.range())
                    .hint("a function is written `{ a, b }: body`, an attribute set `{ a = 1; b = 2; }`")
            }
            wanted if wanted.contains(&K::TOKEN_REC) => self.no_expression(),
            wanted if wanted.contains(&K::TOKEN_ELLIPSIS) => {
                let message =
                    format!("expected an argument's name, `...` or `}}` but found {}", self.shown());
                Mistake::new(message, self.range())
            }
            wanted if wanted.contains(&K::TOKEN_IDENT) => self.no_name(),
            wanted => {
                let message = format!("expected {} but found {}", list(wanted), self.shown());
                Mistake::new(message, self.range())
            }
        }
    }

    fn no_semicolon(&self) -> Mistake {
        let group = self.groups.top();
        if self.is_at(K::TOKEN_COMMA) && group.opener.has_bindings() {
            return Mistake::new("found `,`, expected `;`", self.range())
                .hint("an attribute ends with `;`: `{ a = 1; b = 2; }`");
        }
        // `a = 1 b = 2`: the error is noticed at the second `=`, but the `;` belongs before its name.
        let mut first = self.at;
        if self.is_at(K::TOKEN_ASSIGN) {
            while let Some(token) = first.checked_sub(1).and_then(|n| self.tokens.get(n))
                && matches!(token.kind, K::TOKEN_IDENT | K::TOKEN_DOT | K::TOKEN_OR)
            {
                let is_part =
                    first == self.at || token.kind == K::TOKEN_DOT || self.tokens[first].kind == K::TOKEN_DOT;
                if !is_part {
                    break;
                }
                first -= 1;
            }
        }
        let gap = first.checked_sub(1).and_then(|n| self.tokens.get(n)).map_or(0, |token| token.end);
        let next = match self.tokens.get(first) {
            Some(token) if first < self.at => format!("`{}`", self.text(*token)),
            _ => self.shown(),
        };
        let what =
            self.bound_name(first).map_or_else(String::new, |name| format!(" after the value of `{name}`"));
        if self.is_at(K::TOKEN_ASSIGN)
            && first + 1 == self.at
            && self.tokens[first - 1].kind == K::TOKEN_ASSIGN
        {
            return Mistake::new("found a second `=`, expected `;`", self.range())
                .hint("`==` compares; `=` only binds, once in each attribute");
        }
        let what =
            if group.pending > 0 { " after the expression of `with` or `assert`".to_owned() } else { what };
        let mistake = Mistake::new(format!("expected `;`{what} but found {next}"), gap..gap);
        match self.found().map(|token| token.kind) {
            Some(K::TOKEN_COLON) => {
                mistake.hint("a condition is written `if … then … else …`; a function `argument: body`")
            }
            Some(K::TOKEN_LET | K::TOKEN_IF | K::TOKEN_WITH | K::TOKEN_ASSERT) => mistake.hint(format!(
                "as an argument or operand, put `{}` and what belongs to it in parentheses",
                next.trim_matches('`')
            )),
            Some(K::TOKEN_EQUAL | K::TOKEN_NOT_EQUAL | K::TOKEN_LESS | K::TOKEN_MORE) => {
                mistake.hint("comparisons can't follow each other: use parentheses and `&&`")
            }
            _ => mistake,
        }
    }

    /// The name that the value before token `end` is bound to.
    fn bound_name(&self, end: usize) -> Option<&str> {
        let group = self.groups.top();
        let from = self.tokens.partition_point(|token| token.start < group.part);
        let assign =
            self.tokens.get(from..end)?.iter().position(|token| token.kind == K::TOKEN_ASSIGN)? + from;
        let (begin, last) = (self.tokens.get(from)?, self.tokens.get(assign.checked_sub(1)?)?);
        self.text.get(begin.start..last.end).filter(|name| !name.contains('\n') && name.len() < 60)
    }

    fn no_assign(&self) -> Mistake {
        let what = match self.before(1) {
            Some(token) if token.kind == K::TOKEN_IDENT => format!(" after `{}`", self.text(token)),
            _ => String::new(),
        };
        let mistake = Mistake::new(format!("expected `=`{what} but found {}", self.shown()), self.range());
        match self.found().map(|token| token.kind) {
            Some(K::TOKEN_COLON | K::TOKEN_URI) => mistake.hint("an attribute is written `name = value;`"),
            Some(K::TOKEN_EQUAL) => mistake.hint("`=` binds, `==` compares"),
            Some(K::TOKEN_SEMICOLON) => {
                mistake.hint("to take a variable of this name from the scope around, write `inherit name;`")
            }
            Some(K::TOKEN_R_BRACE | K::TOKEN_COMMA) => mistake
                .hint("an attribute is written `name = value;`; `{ a, b }` is only a function's argument"),
            None if self.groups.top().opener == Opener::Let => {
                mistake.hint("after the bindings comes `in` and an expression")
            }
            Some(K::TOKEN_IN) => mistake,
            Some(K::TOKEN_IDENT) if self.groups.top().opener == Opener::Brace => mistake
                .hint("an attribute is written `name = value;`, the arguments of a function `{ a, b }:`"),
            _ if self.groups.top().opener == Opener::Let => {
                mistake.hint("if this is what `let` is for, `in` is missing before it")
            }
            _ => mistake,
        }
    }

    fn no_name(&self) -> Mistake {
        let mistake =
            Mistake::new(format!("expected an attribute's name but found {}", self.shown()), self.range());
        let Some(token) = self.found() else { return mistake };
        let is_inherit =
            self.tokens[..self.at].iter().rev().take_while(|token| token.kind == K::TOKEN_IDENT).count();
        let inherits = self.before(is_inherit + 1).is_some_and(|token| token.kind == K::TOKEN_INHERIT);
        if self.before(1).is_some_and(|before| before.kind == K::TOKEN_QUESTION) {
            let hint = "`set ? name` asks whether an attribute is there; a condition is written `if … then … else …`";
            return mistake.hint(hint);
        }
        match token.kind {
            K::TOKEN_COMMA if inherits => mistake.hint("the names after `inherit` have spaces between them"),
            K::TOKEN_ASSIGN if inherits => {
                mistake.hint("`inherit` takes names only: write `name = value;` without it")
            }
            K::TOKEN_DOT if inherits => mistake.hint("to inherit from a set, write `inherit (set) name;`"),
            K::TOKEN_INTEGER | K::TOKEN_FLOAT => {
                mistake.hint("a name that begins with a digit must be in quotes")
            }
            K::TOKEN_SEMICOLON => mistake.hint("one `;` after each attribute is enough"),
            _ if self.text(token).bytes().all(|byte| byte.is_ascii_lowercase()) => mistake.hint(format!(
                "`{0}` is a keyword; as a name it must be in quotes: `\"{0}\"`",
                self.text(token)
            )),
            _ => mistake,
        }
    }

    fn no_expression(&self) -> Mistake {
        let before = self.before(1);
        let after = match before.map(|token| token.kind) {
            Some(K::TOKEN_ASSIGN) => match self.bound_name(self.at) {
                Some(name) => return self.no_value(name),
                None => String::new(),
            },
            Some(
                K::TOKEN_ADD
                | K::TOKEN_SUB
                | K::TOKEN_MUL
                | K::TOKEN_DIV
                | K::TOKEN_CONCAT
                | K::TOKEN_UPDATE
                | K::TOKEN_EQUAL
                | K::TOKEN_NOT_EQUAL
                | K::TOKEN_LESS
                | K::TOKEN_LESS_OR_EQ
                | K::TOKEN_MORE
                | K::TOKEN_MORE_OR_EQ
                | K::TOKEN_AND_AND
                | K::TOKEN_OR_OR
                | K::TOKEN_IMPLICATION
                | K::TOKEN_INVERT
                | K::TOKEN_PIPE_LEFT
                | K::TOKEN_PIPE_RIGHT
                | K::TOKEN_IN
                | K::TOKEN_IF
                | K::TOKEN_THEN
                | K::TOKEN_ELSE
                | K::TOKEN_COLON
                | K::TOKEN_QUESTION
                | K::TOKEN_WITH
                | K::TOKEN_ASSERT,
            ) => before.map_or_else(String::new, |token| format!(" after {}", name(token.kind))),
            _ => String::new(),
        };
        let mistake =
            Mistake::new(format!("expected an expression{after} but found {}", self.shown()), self.range());
        self.hint_for_operand(mistake)
    }

    fn no_value(&self, name: &str) -> Mistake {
        let mistake = Mistake::new(
            format!("attribute `{name}` has no value: found {} after `=`", self.shown()),
            self.range(),
        );
        self.hint_for_operand(mistake)
    }

    /// What helps where an operand, an argument or an element was expected.
    fn hint_for_operand(&self, mistake: Mistake) -> Mistake {
        let Some(token) = self.found() else { return mistake };
        let is_list = self.groups.top().opener == Opener::Bracket;
        match token.kind {
            K::TOKEN_COMMA if is_list => {
                mistake.hint("the elements of a list have spaces between them: `[ 1 2 3 ]`")
            }
            K::TOKEN_COMMA => mistake.hint("the arguments of a function have spaces between them: `f a b`"),
            K::TOKEN_LET | K::TOKEN_IF | K::TOKEN_WITH | K::TOKEN_ASSERT | K::TOKEN_SUB | K::TOKEN_INVERT => {
                let text = self.text(token);
                let place = if is_list { "in a list" } else { "as an argument or operand" };
                let space = if text.len() > 1 { " " } else { "" };
                mistake.hint(format!("{place}, put `{text}{space}…` in parentheses"))
            }
            K::TOKEN_ASSIGN => mistake.hint("`==` compares; `=` only binds"),
            _ if is_list => {
                let is_operator = self.text(token).bytes().all(|byte| byte.is_ascii_punctuation());
                if is_operator {
                    mistake.hint("in a list, put operations and calls in parentheses")
                } else {
                    mistake
                }
            }
            _ => mistake,
        }
    }

    /// More text after the expression.
    fn extra(&self) -> Mistake {
        let shown = self.shown();
        let mistake = Mistake::new(format!("expected the end of the file but found {shown}"), self.range());
        match self.found().map(|token| token.kind) {
            Some(K::TOKEN_ASSIGN) => {
                mistake.hint("bindings stand in braces, `{ a = 1; }`, or between `let` and `in`")
            }
            Some(K::TOKEN_SEMICOLON) if self.after(1).is_none() => {
                mistake.hint("only bindings end with `;`, an expression doesn't")
            }
            Some(K::TOKEN_SEMICOLON) => {
                mistake.hint("a file is one expression; `let … in` binds names for it")
            }
            Some(
                K::TOKEN_EQUAL
                | K::TOKEN_NOT_EQUAL
                | K::TOKEN_LESS
                | K::TOKEN_LESS_OR_EQ
                | K::TOKEN_MORE
                | K::TOKEN_MORE_OR_EQ,
            ) => mistake
                .hint("comparisons can't follow each other: use parentheses, or `&&` between two of them"),
            Some(K::TOKEN_COLON) => {
                mistake.hint("a condition is written `if … then … else …`; a function `argument: body`")
            }
            Some(K::TOKEN_COMMA) => mistake.hint("neither elements nor arguments have commas between them"),
            Some(K::TOKEN_LET | K::TOKEN_IF | K::TOKEN_WITH | K::TOKEN_ASSERT) => mistake.hint(format!(
                "as an argument or operand, put {shown} and what belongs to it in parentheses"
            )),
            _ => mistake,
        }
    }

    /// A character that begins nothing.
    fn no_token(&self, token: Token) -> Mistake {
        let found = self.text(token);
        let range = token.start..token.end;
        let first = found.chars().next().unwrap_or_default();
        if found.len() > 1 && found.ends_with('/') {
            return Mistake::new(format!("the path `{found}` ends with `/`"), range)
                .hint("leave the last `/` out");
        }
        if found.contains("//") {
            return Mistake::new(format!("the path `{found}` has two `/` in a row"), range)
                .hint("to merge sets, put spaces around `//`");
        }
        if first.is_ascii_digit() || first == '.' {
            return Mistake::new(format!("`{found}` is no number"), range);
        }
        let message = match crate::stand_in::byte(first) {
            Some(byte) => format!("unexpected byte 0x{byte:02X}, which begins no character"),
            None => format!("unexpected character `{first}`"),
        };
        let mistake = Mistake::new(message, token.start..token.start + first.len_utf8());
        match first {
            '\'' => mistake.hint("strings are in double quotes, `\"…\"`, or in two single quotes, `''…''`"),
            '“' | '”' | '„' | '‘' | '’' | '«' | '»' => {
                mistake.hint("strings are in straight quotes: `\"…\"`")
            }
            '&' => mistake.hint("`&&` is the logical and"),
            '|' => mistake.hint("`||` is the logical or"),
            '$' => mistake.hint("variables have no `$`; in a string, interpolation is `${…}`"),
            '%' => mistake.hint("there is no remainder operator: `a - b * (a / b)`"),
            '\\' | 'λ' => mistake.hint("a function is written `argument: body`"),
            '~' => mistake.hint("a path in the home folder begins with `~/`"),
            other if !other.is_ascii() => {
                mistake.hint("names have only ASCII letters, digits and `_`, `-`, `'`")
            }
            _ => mistake,
        }
    }
}
