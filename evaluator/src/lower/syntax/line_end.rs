//! Line ends that rnix doesn't take for one.

/// What is being read.
enum Mode {
    /// An expression, with so many braces open; the file's if there is nothing around it.
    Code(usize),
    /// Between double quotes.
    String,
    /// Between pairs of single quotes.
    Indented,
}

/// The text with a line feed for each carriage return that ends a comment; `None` if there is none.
///
/// A lone carriage return ends a line in the language, but for rnix a comment goes on. Offsets stay as they are.
pub(in crate::lower) fn normalised(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let is_lone = |place: usize| bytes[place] == b'\r' && bytes.get(place + 1) != Some(&b'\n');
    if !bytes.contains(&b'\r') || !(0..bytes.len()).any(is_lone) {
        return None;
    }
    let mut normal = text.to_owned().into_bytes();
    let mut modes = vec![Mode::Code(0)];
    let mut place = 0;
    while place < bytes.len() {
        let rest = &bytes[place..];
        match modes.last_mut() {
            Some(Mode::Code(braces)) => match rest {
                [b'#', ..] => {
                    let length = rest.iter().position(|&byte| byte == b'\n' || byte == b'\r');
                    place += length.unwrap_or(rest.len());
                    if place < bytes.len() && is_lone(place) {
                        normal[place] = b'\n';
                    }
                }
                [b'/', b'*', ..] => place += bstr::ByteSlice::find(rest, "*/").unwrap_or(rest.len()) + 1,
                [b'"', ..] => modes.push(Mode::String),
                [b'\'', b'\'', ..] => {
                    modes.push(Mode::Indented);
                    place += 1;
                }
                [b'{', ..] => *braces += 1,
                [b'}', ..] if *braces > 0 => *braces -= 1,
                [b'}', ..] if modes.len() > 1 => drop(modes.pop()),
                _ => {}
            },
            Some(Mode::String) => match rest {
                [b'\\', ..] | [b'$', b'$', ..] => place += 1,
                [b'"', ..] => drop(modes.pop()),
                [b'$', b'{', ..] => {
                    modes.push(Mode::Code(0));
                    place += 1;
                }
                _ => {}
            },
            Some(Mode::Indented) => match rest {
                [b'\'', b'\'', b'\'' | b'$', ..] => place += 2,
                [b'\'', b'\'', b'\\', ..] => place += 3,
                [b'$', b'$', ..] => place += 1,
                [b'\'', b'\'', ..] => {
                    modes.pop();
                    place += 1;
                }
                [b'$', b'{', ..] => {
                    modes.push(Mode::Code(0));
                    place += 1;
                }
                _ => {}
            },
            None => {}
        }
        place += 1;
    }
    String::from_utf8(normal).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_carriage_return_ends_a_comment_but_stays_in_a_string() {
        assert_eq!(normalised("# a\r1").as_deref(), Some("# a\n1"));
        assert_eq!(normalised("# a\r\n1"), None);
        assert_eq!(normalised("''#\r${\"#\r\"}'' # \r1").as_deref(), Some("''#\r${\"#\r\"}'' # \n1"));
        assert_eq!(normalised("\"${/*#\r*/ 1 # }\r}\"").as_deref(), Some("\"${/*#\r*/ 1 # }\n}\""));
    }
}
