//! Tokens in words.

use rnix::SyntaxKind;

/// Several, with `or` between the last two.
pub(super) fn list(kinds: &[SyntaxKind]) -> String {
    let names: Vec<_> = kinds.iter().map(|&kind| name(kind)).collect();
    match names.as_slice() {
        [one] => one.clone(),
        [all @ .., last] => format!("{} or {last}", all.join(", ")),
        [] => "something else".to_owned(),
    }
}

/// One.
pub(super) fn name(kind: SyntaxKind) -> String {
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
