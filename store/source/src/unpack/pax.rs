//! The extended headers of pax: records of `LENGTH KEY=VALUE` and a line end, LENGTH being the whole record's.

/// What extended headers say about the next entry, as far as it counts here.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Extension {
    pub(super) path: Option<Vec<u8>>,
    pub(super) link: Option<Vec<u8>>,
    pub(super) size: Option<u64>,
    /// GNU tar's ways to leave holes out.
    pub(super) sparse: bool,
}

impl Extension {
    /// Whether it says nothing that counts.
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Reads the data of an extended header. Keys that don't count here are skipped: times, owners, comments.
pub(super) fn parse(mut data: &[u8]) -> Result<Extension, &'static str> {
    let mut extension = Extension::default();
    while !data.is_empty() {
        let space =
            data.iter().take(21).position(|byte| *byte == b' ').ok_or("a pax record has no length")?;
        let length = decimal(&data[..space]).and_then(|length| usize::try_from(length).ok());
        let length = length.ok_or("the length of a pax record is no number")?;
        if length <= space + 1 || length > data.len() {
            return Err("the length of a pax record does not fit");
        }
        let (record, rest) = data.split_at(length);
        data = rest;
        let record = record[space + 1..].strip_suffix(b"\n").ok_or("a pax record does not end its line")?;
        let equals = record.iter().position(|byte| *byte == b'=').ok_or("a pax record has no `=`")?;
        let (key, value) = (&record[..equals], &record[equals + 1..]);
        match key {
            b"path" => set(&mut extension.path, value.to_vec())?,
            b"linkpath" => set(&mut extension.link, value.to_vec())?,
            b"size" => set(&mut extension.size, decimal(value).ok_or("the pax size is no number")?)?,
            _ if key.starts_with(b"GNU.sparse.") => extension.sparse = true,
            _ => {}
        }
    }
    Ok(extension)
}

fn set<T>(place: &mut Option<T>, value: T) -> Result<(), &'static str> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err("a pax header has a key twice"),
    }
}

fn decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_that_count_are_read_and_others_skipped() {
        let data = b"12 path=a=b\n30 mtime=1350244992.023960108\n16 linkpath=a\nb\n11 size=12\n";
        let extension = parse(data).unwrap();
        let expected = Extension {
            path: Some(b"a=b".to_vec()),
            link: Some(b"a\nb".to_vec()),
            size: Some(12),
            sparse: false,
        };
        assert_eq!(extension, expected);
    }

    #[test]
    fn broken_records_are_refused() {
        let texts: [&[u8]; 9] = [
            b"path=a\n",
            b"11 path=a",
            b"0 path=a\n",
            b"3 \n",
            b"9 path=a\n9 path=a\n",
            b"99999999999999999999 a=b\n",
            b"-9 path=a\n",
            b"11 size=1x\n",
            b"9 path-a\n",
        ];
        for text in texts {
            assert!(parse(text).is_err(), "{}", text.escape_ascii());
        }
    }
}
