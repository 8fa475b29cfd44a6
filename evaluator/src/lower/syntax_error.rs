//! rnix's parse errors in words.

use crate::error::{Error, ErrorKind};
use crate::source::Span;
use rnix::{ParseError, SyntaxKind, TextRange};

/// Describes all of them; more than one at the same place only once.
pub(super) fn describe(errors: &[ParseError], text: &str, start: u32) -> Vec<Error> {
    let end = u32::try_from(text.len()).unwrap_or(u32::MAX);
    let span = |range: TextRange| Span {
        start: start + u32::from(range.start()),
        end: start + u32::from(range.end()),
    };
    let at_end = Span { start: start + end, end: start + end };
    let mut described: Vec<Error> = Vec::new();
    for error in errors {
        let (message, span) = match error {
            ParseError::Unexpected(range) => ("unexpected text".to_owned(), span(*range)),
            ParseError::UnexpectedExtra(range) => {
                ("the expression ends before this".to_owned(), span(*range))
            }
            ParseError::UnexpectedWanted(found, range, wanted) => {
                (format!("found {}, expected {}", name(*found), list(wanted)), span(*range))
            }
            ParseError::UnexpectedDoubleBind(range) => {
                ("the arguments have a name already".to_owned(), span(*range))
            }
            ParseError::UnexpectedEOF => ("the file ends in the middle of an expression".to_owned(), at_end),
            ParseError::UnexpectedEOFWanted(wanted) => {
                (format!("the file ends, expected {}", list(wanted)), at_end)
            }
            ParseError::DuplicatedArgs(range, name) => {
                (format!("duplicate formal function argument `{name}`"), span(*range))
            }
            ParseError::RecursionLimitExceeded => ("the expression is nested too deeply".to_owned(), at_end),
            _ => ("this is no expression".to_owned(), at_end),
        };
        if described.iter().all(|other| other.span.start != span.start) {
            described.push(*Error::new(ErrorKind::Syntax, message).at(span));
        }
    }
    described
}

fn list(kinds: &[SyntaxKind]) -> String {
    let names: Vec<_> = kinds.iter().map(|&kind| name(kind)).collect();
    match names.as_slice() {
        [one] => one.clone(),
        [all @ .., last] => format!("{} or {last}", all.join(", ")),
        [] => "something else".to_owned(),
    }
}

fn name(kind: SyntaxKind) -> String {
    use SyntaxKind as K;
    let words = match kind {
        K::TOKEN_IDENT => "a name",
        K::TOKEN_INTEGER | K::TOKEN_FLOAT => "a number",
        K::TOKEN_STRING_START => "a string",
        K::TOKEN_STRING_CONTENT => "text",
        K::TOKEN_STRING_END => "the end of the string",
        K::TOKEN_PATH_ABS | K::TOKEN_PATH_HOME | K::TOKEN_PATH_REL | K::TOKEN_PATH_SEARCH => "a path",
        K::TOKEN_URI => "a URL",
        K::TOKEN_INTERPOL_START => "`${`",
        K::TOKEN_INTERPOL_END => "`}`",
        K::TOKEN_ERROR => "a character that begins nothing",
        K::TOKEN_ADD => "`+`",
        K::TOKEN_AND_AND => "`&&`",
        K::TOKEN_ASSIGN => "`=`",
        K::TOKEN_ASSERT => "`assert`",
        K::TOKEN_AT => "`@`",
        K::TOKEN_COLON => "`:`",
        K::TOKEN_COMMA => "`,`",
        K::TOKEN_CONCAT => "`++`",
        K::TOKEN_DIV => "`/`",
        K::TOKEN_DOT => "`.`",
        K::TOKEN_ELLIPSIS => "`...`",
        K::TOKEN_ELSE => "`else`",
        K::TOKEN_EQUAL => "`==`",
        K::TOKEN_IF => "`if`",
        K::TOKEN_IMPLICATION => "`->`",
        K::TOKEN_IN => "`in`",
        K::TOKEN_INHERIT => "`inherit`",
        K::TOKEN_INVERT => "`!`",
        K::TOKEN_L_BRACE => "`{`",
        K::TOKEN_L_BRACK => "`[`",
        K::TOKEN_L_PAREN => "`(`",
        K::TOKEN_LESS => "`<`",
        K::TOKEN_LESS_OR_EQ => "`<=`",
        K::TOKEN_LET => "`let`",
        K::TOKEN_MORE => "`>`",
        K::TOKEN_MORE_OR_EQ => "`>=`",
        K::TOKEN_MUL => "`*`",
        K::TOKEN_NOT_EQUAL => "`!=`",
        K::TOKEN_OR => "`or`",
        K::TOKEN_OR_OR => "`||`",
        K::TOKEN_PIPE_LEFT => "`<|`",
        K::TOKEN_PIPE_RIGHT => "`|>`",
        K::TOKEN_QUESTION => "`?`",
        K::TOKEN_R_BRACE => "`}`",
        K::TOKEN_R_BRACK => "`]`",
        K::TOKEN_R_PAREN => "`)`",
        K::TOKEN_REC => "`rec`",
        K::TOKEN_SEMICOLON => "`;`",
        K::TOKEN_SUB => "`-`",
        K::TOKEN_THEN => "`then`",
        K::TOKEN_UPDATE => "`//`",
        K::TOKEN_WITH => "`with`",
        _ => "something else",
    };
    words.to_owned()
}
