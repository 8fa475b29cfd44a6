//! What a byte of a file is part of: a member of an archive (`ar`, `tar`), a section of a program (ELF), a header's field.
//!
//! What can't be understood has no parts. Offsets and lengths are a stranger's, so every access is checked.

/// Archives in archives are looked into so deep.
const MAX_DEPTH: usize = 4;
/// Most members that are looked at.
const MAX_MEMBERS: usize = 1_000_000;

/// The parts that the byte at `offset` lies in, from the outside inward.
pub(super) fn inside(bytes: &[u8], offset: usize) -> Vec<String> {
    let (mut parts, mut bytes, mut offset) = (Vec::new(), bytes, offset);
    for _ in 0..MAX_DEPTH {
        let found = match bytes {
            [0x7f, b'E', b'L', b'F', 2, 1, ..] => elf(bytes, offset),
            [b'!', b'<', b'a', b'r', b'c', b'h', b'>', b'\n', ..] => ar(bytes, offset),
            [0x1f, 0x8b, ..] => gzip(offset),
            _ if bytes.get(257..262) == Some(b"ustar") => tar(bytes, offset),
            _ => None,
        };
        let Some(Part { name, content }) = found else { break };
        parts.push(name);
        let Some((begin, end)) = content else { break };
        let Some(content) = bytes.get(begin..end) else { break };
        (bytes, offset) = (content, offset - begin);
    }
    parts
}

/// A part, and where its content is if that may have parts of its own.
struct Part {
    name: String,
    content: Option<(usize, usize)>,
}

fn leaf(name: impl Into<String>) -> Option<Part> {
    Some(Part { name: name.into(), content: None })
}

/// 64 bits, little endian: the sections, else the segments.
fn elf(bytes: &[u8], offset: usize) -> Option<Part> {
    if offset < 64 {
        return leaf("ELF header");
    }
    let (table, size, count) = (long(bytes, 0x28)?, short(bytes, 0x3a)?, short(bytes, 0x3c)?);
    let header = |number: usize| table.checked_add(number.checked_mul(size)?);
    let names = header(short(bytes, 0x3e)?).and_then(|names| long(bytes, names.checked_add(0x18)?));
    for number in 0..count {
        let header = header(number)?;
        let (begin, length) =
            (long(bytes, header.checked_add(0x18)?)?, long(bytes, header.checked_add(0x20)?)?);
        let has_bytes = word(bytes, header.checked_add(4)?)? != 8;
        if has_bytes && offset >= begin && offset - begin < length {
            let name = names.and_then(|names| {
                let name = bytes.get(names.checked_add(word(bytes, header)?)?..)?;
                Some(text(name.split(|&byte| byte == 0).next()?))
            });
            let name = name.unwrap_or_else(|| number.to_string());
            return leaf(format!("section `{name}` + {:#x}", offset - begin));
        }
    }
    if count > 0 && offset >= table && offset - table < count * size {
        return leaf("section headers");
    }
    let (table, size, count) = (long(bytes, 0x20)?, short(bytes, 0x36)?, short(bytes, 0x38)?);
    if offset >= table && offset - table < count * size {
        return leaf("program headers");
    }
    for number in 0..count {
        let header = table.checked_add(number * size)?;
        let (begin, length) = (long(bytes, header.checked_add(8)?)?, long(bytes, header.checked_add(0x20)?)?);
        if offset >= begin && offset - begin < length {
            return leaf(format!("segment {number} + {:#x}", offset - begin));
        }
    }
    None
}

fn ar(bytes: &[u8], offset: usize) -> Option<Part> {
    let mut at = 8_usize;
    let mut long_names: &[u8] = &[];
    for _ in 0..MAX_MEMBERS {
        let header = bytes.get(at..at.checked_add(60)?)?;
        let length: usize = std::str::from_utf8(&header[48..58]).ok()?.trim().parse().ok()?;
        let begin = at + 60;
        let end = begin.checked_add(length)?.min(bytes.len());
        let raw = header[..16].trim_ascii_end();
        let name =
            match raw.strip_prefix(b"/").and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok()) {
                Some(place) => {
                    let rest: &[u8] =
                        long_names.get::<std::ops::RangeFrom<usize>>(place..).unwrap_or_default();
                    text(rest.split(|&byte| byte == b'/').next().unwrap_or_default())
                }
                None if raw == b"/" => "symbol table".into(),
                None => text(raw.strip_suffix(b"/").unwrap_or(raw)),
            };
        if raw == b"//" {
            long_names = &bytes[begin..end];
        }
        if offset < begin {
            let field = match offset.checked_sub(at)? {
                0..16 => "name",
                16..28 => "time stamp",
                28..40 => "owner",
                40..48 => "mode",
                _ => "size",
            };
            return leaf(format!("member `{name}`: {field}"));
        }
        if offset < end {
            return Some(Part { name: format!("member `{name}`"), content: Some((begin, end)) });
        }
        at = end + (end & 1);
    }
    None
}

fn tar(bytes: &[u8], offset: usize) -> Option<Part> {
    let mut at = 0_usize;
    for _ in 0..MAX_MEMBERS {
        let header = bytes.get(at..at.checked_add(512)?)?;
        let until_zero = |field: &[u8]| text(field.split(|&byte| byte == 0).next().unwrap_or_default());
        let (name, prefix) = (until_zero(&header[..100]), until_zero(&header[345..500]));
        if name.is_empty() {
            return leaf("the archive's end");
        }
        let name = if prefix.is_empty() { name } else { format!("{prefix}/{name}") };
        let size = std::str::from_utf8(&header[124..135]).ok()?.trim_matches([' ', '\0']);
        let length = usize::from_str_radix(size, 8).ok()?;
        let begin = at + 512;
        if offset < begin {
            let field = match offset.checked_sub(at)? {
                100..108 => "mode",
                108..124 | 265..329 => "owner",
                124..136 => "size",
                136..148 => "time stamp",
                148..156 => "checksum",
                _ => "name",
            };
            return leaf(format!("member `{name}`: {field}"));
        }
        let end = begin.checked_add(length)?;
        if offset < end {
            return Some(Part { name: format!("member `{name}`"), content: Some((begin, end)) });
        }
        at = end.checked_next_multiple_of(512)?;
        if offset < at {
            return leaf(format!("member `{name}`: padding"));
        }
    }
    None
}

fn gzip(offset: usize) -> Option<Part> {
    match offset {
        4..8 => leaf("gzip header: time stamp"),
        0..10 => leaf("gzip header"),
        _ => leaf("gzip data"),
    }
}

fn text(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    text.chars().filter(|character| !character.is_control()).take(200).collect()
}

fn short(bytes: &[u8], at: usize) -> Option<usize> {
    let found = bytes.get(at..at.checked_add(2)?)?;
    Some(u16::from_le_bytes(found.try_into().ok()?).into())
}

fn word(bytes: &[u8], at: usize) -> Option<usize> {
    let found = bytes.get(at..at.checked_add(4)?)?;
    usize::try_from(u32::from_le_bytes(found.try_into().ok()?)).ok()
}

fn long(bytes: &[u8], at: usize) -> Option<usize> {
    let found = bytes.get(at..at.checked_add(8)?)?;
    usize::try_from(u64::from_le_bytes(found.try_into().ok()?)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An archive with one member.
    fn archive(name: &str, content: &[u8]) -> Vec<u8> {
        let mut bytes = b"!<arch>\n".to_vec();
        bytes
            .extend(format!("{name:<16}{:<12}{:<6}{:<6}{:<8}{:<10}`\n", 0, 0, 0, 644, content.len()).bytes());
        bytes.extend(content);
        bytes
    }

    #[test]
    fn fields_and_contents_of_archives_are_named() {
        let bytes = archive("x.o/", b"content");
        assert_eq!(inside(&bytes, 8 + 20), ["member `x.o`: time stamp"]);
        assert_eq!(inside(&bytes, 8 + 62), ["member `x.o`"]);
        let outer = archive("inner.a/", &bytes);
        assert_eq!(inside(&outer, 68 + 8 + 62), ["member `inner.a`", "member `x.o`"]);
    }

    #[test]
    fn sections_of_this_very_program_are_named() {
        let bytes = std::fs::read("/proc/self/exe").unwrap();
        assert_eq!(inside(&bytes, 5), ["ELF header"]);
        let names: Vec<String> =
            (64..bytes.len()).step_by(997).flat_map(|offset| inside(&bytes, offset)).collect();
        assert!(names.iter().any(|name| name.starts_with("section `.text` + 0x")), "{names:?}");
    }

    #[test]
    fn members_of_a_tar_are_named() {
        let mut bytes = vec![0; 512];
        bytes[..4].copy_from_slice(b"file");
        bytes[124..135].copy_from_slice(b"00000000005");
        bytes[257..262].copy_from_slice(b"ustar");
        bytes.extend(b"hello");
        bytes.resize(2048, 0);
        assert_eq!(inside(&bytes, 140), ["member `file`: time stamp"]);
        assert_eq!(inside(&bytes, 513), ["member `file`"]);
        assert_eq!(inside(&bytes, 600), ["member `file`: padding"]);
        assert_eq!(inside(&bytes, 1100), ["the archive's end"]);
    }

    #[test]
    fn no_bytes_make_it_panic() {
        let exe = std::fs::read("/proc/self/exe").unwrap();
        let beginnings: [&[u8]; 4] = [&exe[..4096], b"!<arch>\n", &archive("/99999999", b"x"), &[0x1f, 0x8b]];
        for beginning in beginnings {
            for place in 0..beginning.len().min(128) {
                let mut changed = beginning.to_vec();
                changed[place] = 0xff;
                for offset in [0, 60, 70, 1000, usize::MAX] {
                    let _ = inside(&changed, offset);
                }
            }
        }
    }
}
