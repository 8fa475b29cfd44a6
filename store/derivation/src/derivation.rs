//! Derivations, their text and their names.
//!
//! The text is the ATerm form that Nix users know, so that it can be read with the same eye:
//!
//! ```text
//! Derive([("out","","r:blake3","")],[("/sx/store/…-tcc.drv",["out"])],["/sx/store/…-hello.c"],
//!        "x86_64-linux","/sx/store/…-tcc",["-o","…"],[("name","hello")])
//! ```
//!
//! without line breaks. Everything in it enters the derivation's name, see [`crate::store_path`]:
//!
//! | field | order |
//! |---|---|
//! | outputs: name, empty, method and algorithm, hexadecimal digest if it is known in advance | by name |
//! | input derivations and the outputs of them that are used | by path, by name |
//! | input sources | by path |
//! | system, builder, arguments | as given |
//! | environment | by name |
//!
//! An output's digest is empty when its content is found out by building (`r:blake3`), and given when it is pinned:
//! `sha256` over the bytes of a file, `r:blake3` as the digest of a [tree](crate::tree).

use crate::hash::{Algorithm, Hash};
use crate::store_path::{StorePath, StorePathError, check_name};
use bstr::{BString, ByteSlice};
use std::collections::{BTreeMap, BTreeSet};

/// A build step: what goes in, and the program that makes the outputs of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Derivation {
    /// The name without `.drv`, such as `hello-1.0`.
    pub name: String,
    /// At least one; names as in [`check_name`].
    pub outputs: BTreeMap<String, Output>,
    /// Derivations whose outputs are inputs, and which outputs. Empty once the derivation is resolved.
    pub input_derivations: BTreeMap<StorePath, BTreeSet<String>>,
    /// Objects that are inputs.
    pub input_sources: BTreeSet<StorePath>,
    /// Where it can be built, such as `x86_64-linux`.
    pub system: String,
    /// A program's path, or `builtin:` and a name for what sx does itself.
    pub builder: BString,
    /// The program's arguments, without its own name.
    pub arguments: Vec<BString>,
    /// The program's environment, to which the builder adds each output's path under the output's name.
    pub environment: BTreeMap<BString, BString>,
}

/// How an output's content is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// By building it.
    Floating,
    /// In advance: the output is one file with this hash.
    FixedFile(Hash),
    /// In advance: the output's [tree](crate::tree) has this BLAKE3 digest.
    FixedTree(Hash),
}

/// Why a text is no derivation.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Something else was expected.
    #[error("the derivation's text has something else than {expected} at byte {offset}")]
    Expected {
        /// What should stand there.
        expected: &'static str,
        /// Offset in bytes.
        offset: usize,
    },
    /// A path in it isn't one.
    #[error(transparent)]
    StorePath(#[from] StorePathError),
    /// Decoding and encoding again would give another text, so its name would be ambiguous.
    #[error("the derivation's text is not in canonical form")]
    NotCanonical,
}

impl Derivation {
    /// Encodes it, see the [module](self).
    pub fn encode(&self) -> Vec<u8> {
        let mut text = Vec::with_capacity(1 << 10);
        text.extend(b"Derive(");
        let outputs = self.outputs.iter().map(|(name, output)| (name, output.fields()));
        list(&mut text, outputs, |text, (name, (method, digest))| {
            tuple(text, &[name.as_bytes(), b"", method.as_bytes(), digest.as_bytes()]);
        });
        text.push(b',');
        list(&mut text, &self.input_derivations, |text, (path, outputs)| {
            text.push(b'(');
            string(text, path.to_string().as_bytes());
            text.push(b',');
            list(text, outputs, |text, output| string(text, output.as_bytes()));
            text.push(b')');
        });
        text.push(b',');
        list(&mut text, &self.input_sources, |text, path| string(text, path.to_string().as_bytes()));
        text.push(b',');
        string(&mut text, self.system.as_bytes());
        text.push(b',');
        string(&mut text, &self.builder);
        text.push(b',');
        list(&mut text, &self.arguments, |text, argument| string(text, argument));
        text.push(b',');
        list(&mut text, &self.environment, |text, (name, value)| tuple(text, &[name, value]));
        text.push(b')');
        text
    }

    /// Decodes the text of the derivation called `name`. Accepts only what [`encode`](Self::encode) writes.
    pub fn decode(name: &str, text: &[u8]) -> Result<Self, DecodeError> {
        check_name(name)?;
        let mut reader = Reader { text, offset: 0 };
        reader.expect(b"Derive(", "`Derive(`")?;
        let outputs = reader.list(|reader| {
            let [name, path, method, digest] = reader.tuple()?;
            let output = path.is_empty().then(|| Output::from_fields(&method, &digest)).flatten();
            Ok((
                into_utf8(name, reader)?,
                output.ok_or_else(|| reader.expected("an output's method and digest"))?,
            ))
        })?;
        reader.expect(b",", "`,`")?;
        let input_derivations = reader.list(|reader| {
            reader.expect(b"(", "`(`")?;
            let path = reader.path()?;
            reader.expect(b",", "`,`")?;
            let outputs = reader.list(|reader| into_utf8(reader.string()?, reader))?;
            reader.expect(b")", "`)`")?;
            Ok((path, outputs.into_iter().collect()))
        })?;
        reader.expect(b",", "`,`")?;
        let input_sources = reader.list(Reader::path)?;
        reader.expect(b",", "`,`")?;
        let system = into_utf8(reader.string()?, &reader)?;
        reader.expect(b",", "`,`")?;
        let builder = reader.string()?;
        reader.expect(b",", "`,`")?;
        let arguments = reader.list(Reader::string)?;
        reader.expect(b",", "`,`")?;
        let environment = reader.list(|reader| reader.tuple().map(|[name, value]| (name, value)))?;
        reader.expect(b")", "`)`")?;
        let derivation = Self {
            name: name.into(),
            outputs: outputs.into_iter().collect(),
            input_derivations: input_derivations.into_iter().collect(),
            input_sources: input_sources.into_iter().collect(),
            system,
            builder,
            arguments,
            environment: environment.into_iter().collect(),
        };
        if derivation.encode() == text { Ok(derivation) } else { Err(DecodeError::NotCanonical) }
    }

    /// The store path that names it.
    pub fn path(&self) -> Result<StorePath, StorePathError> {
        self.instantiate().map(|derivation| derivation.path().clone())
    }

    /// The environment's value of `name`, if it is there and UTF-8.
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.environment.get(name.as_bytes().as_bstr())?.to_str().ok()
    }
}

impl Output {
    fn fields(&self) -> (String, String) {
        match self {
            Self::Floating => ("r:blake3".into(), String::new()),
            Self::FixedFile(hash) => (hash.algorithm().name().into(), hash.to_hex()),
            Self::FixedTree(hash) => (format!("r:{}", hash.algorithm()), hash.to_hex()),
        }
    }

    fn from_fields(method: &[u8], digest: &[u8]) -> Option<Self> {
        let (method, digest) = (method.to_str().ok()?, digest.to_str().ok()?);
        if method == "r:blake3" && digest.is_empty() {
            return Some(Self::Floating);
        }
        let (make, algorithm): (fn(Hash) -> Self, _) = match method.strip_prefix("r:") {
            Some(algorithm) => (Self::FixedTree, algorithm),
            None => (Self::FixedFile, method),
        };
        let algorithm = Algorithm::from_name(algorithm).ok()?;
        Hash::new(algorithm, crate::digest::from_hex(digest)?).map(make)
    }
}

fn list<T>(text: &mut Vec<u8>, items: impl IntoIterator<Item = T>, mut item: impl FnMut(&mut Vec<u8>, T)) {
    text.push(b'[');
    for (position, each) in items.into_iter().enumerate() {
        if position > 0 {
            text.push(b',');
        }
        item(text, each);
    }
    text.push(b']');
}

fn tuple(text: &mut Vec<u8>, fields: &[&[u8]]) {
    text.push(b'(');
    for (position, field) in fields.iter().enumerate() {
        if position > 0 {
            text.push(b',');
        }
        string(text, field);
    }
    text.push(b')');
}

fn string(text: &mut Vec<u8>, value: &[u8]) {
    let is_escaped = |byte: &u8| matches!(byte, b'"' | b'\\' | b'\n' | b'\r' | b'\t');
    text.push(b'"');
    let mut rest = value;
    // Hardly any value has one of them. All bytes are looked at at once, which is far quicker than to look for the first.
    if value.iter().fold(false, |is_found, byte| is_found | is_escaped(byte)) {
        while let Some(at) = rest.iter().position(is_escaped) {
            text.extend(&rest[..at]);
            text.extend(match rest[at] {
                b'\n' => *b"\\n",
                b'\r' => *b"\\r",
                b'\t' => *b"\\t",
                byte => [b'\\', byte],
            });
            rest = &rest[at + 1..];
        }
    }
    text.extend(rest);
    text.push(b'"');
}

fn into_utf8(text: BString, reader: &Reader<'_>) -> Result<String, DecodeError> {
    String::from_utf8(text.into()).map_err(|_| reader.expected("UTF-8"))
}

struct Reader<'a> {
    text: &'a [u8],
    offset: usize,
}

impl Reader<'_> {
    const fn expected(&self, expected: &'static str) -> DecodeError {
        DecodeError::Expected { expected, offset: self.offset }
    }

    fn take(&mut self, prefix: &[u8]) -> bool {
        let there = self.text[self.offset..].starts_with(prefix);
        if there {
            self.offset += prefix.len();
        }
        there
    }

    fn expect(&mut self, prefix: &[u8], shown: &'static str) -> Result<(), DecodeError> {
        if self.take(prefix) { Ok(()) } else { Err(self.expected(shown)) }
    }

    fn list<T>(
        &mut self,
        mut item: impl FnMut(&mut Self) -> Result<T, DecodeError>,
    ) -> Result<Vec<T>, DecodeError> {
        self.expect(b"[", "`[`")?;
        let mut items = Vec::new();
        if self.take(b"]") {
            return Ok(items);
        }
        loop {
            items.push(item(self)?);
            if self.take(b"]") {
                return Ok(items);
            }
            self.expect(b",", "`,` or `]`")?;
        }
    }

    fn tuple<const N: usize>(&mut self) -> Result<[BString; N], DecodeError> {
        self.expect(b"(", "`(`")?;
        let mut fields = [const { BString::new(Vec::new()) }; N];
        for (position, field) in fields.iter_mut().enumerate() {
            if position > 0 {
                self.expect(b",", "`,`")?;
            }
            *field = self.string()?;
        }
        self.expect(b")", "`)`")?;
        Ok(fields)
    }

    fn string(&mut self) -> Result<BString, DecodeError> {
        self.expect(b"\"", "a string")?;
        let mut value = Vec::new();
        loop {
            let byte = *self.text.get(self.offset).ok_or_else(|| self.expected("the end of a string"))?;
            self.offset += 1;
            match byte {
                b'"' => return Ok(value.into()),
                b'\\' => {
                    let escaped = self.text.get(self.offset).ok_or_else(|| self.expected("an escape"))?;
                    self.offset += 1;
                    value.push(match escaped {
                        b'n' => b'\n',
                        b'r' => b'\r',
                        b't' => b'\t',
                        other => *other,
                    });
                }
                other => value.push(other),
            }
        }
    }

    fn path(&mut self) -> Result<StorePath, DecodeError> {
        let text = self.string()?;
        Ok(StorePath::parse(&into_utf8(text, self)?)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Digest;
    use proptest::prelude::*;

    fn example() -> Derivation {
        let path = |name| StorePath::new(Digest::of(b"x"), name).unwrap();
        Derivation {
            name: "hello-1.0".into(),
            outputs: BTreeMap::from([
                ("dev".into(), Output::Floating),
                ("out".into(), Output::FixedFile(Hash::new(Algorithm::Sha256, vec![7; 32]).unwrap())),
            ]),
            input_derivations: BTreeMap::from([(path("tcc.drv"), BTreeSet::from(["out".into()]))]),
            input_sources: BTreeSet::from([path("hello.c")]),
            system: "x86_64-linux".into(),
            builder: "/bin/sh".into(),
            arguments: vec!["-c".into(), "echo \"a\\b\"\n\t\r\u{fc}".into(), BString::from(vec![0xff])],
            environment: BTreeMap::from([("name".into(), "hello-1.0".into())]),
        }
    }

    #[test]
    fn golden_text_and_path() {
        let digits = Digest::of(b"x");
        let sevens = "07".repeat(32);
        let mut text = format!(
            "Derive([(\"dev\",\"\",\"r:blake3\",\"\"),(\"out\",\"\",\"sha256\",\"{sevens}\")],\
             [(\"/sx/store/{digits}-tcc.drv\",[\"out\"])],[\"/sx/store/{digits}-hello.c\"],\
             \"x86_64-linux\",\"/bin/sh\",[\"-c\",\"echo \\\"a\\\\b\\\"\\n\\t\\r\u{fc}\",\""
        )
        .into_bytes();
        text.push(0xff);
        text.extend(b"\"],[(\"name\",\"hello-1.0\")])");
        assert_eq!(example().encode().as_bstr(), text.as_bstr());
        assert_eq!(
            example().path().unwrap().to_string(),
            "/sx/store/16rpdydska3mwwg3mxw09s5iydkjj73fmqqsnny1vi17qdh9gidn-hello-1.0.drv"
        );
    }

    #[test]
    fn a_text_that_is_not_canonical_is_refused() {
        let text = example().encode();
        let unsorted = text.replace("\"dev\"", "\"zzz\"");
        assert_eq!(Derivation::decode("hello-1.0", &unsorted), Err(DecodeError::NotCanonical));
        let expected = DecodeError::Expected { expected: "`Derive(`", offset: 0 };
        assert_eq!(Derivation::decode("hello-1.0", b"Dorive("), Err(expected));
        for length in 0..text.len() {
            assert!(Derivation::decode("hello-1.0", &text[..length]).is_err(), "cut at {length}");
        }
    }

    proptest! {
        #[test]
        fn every_derivation_comes_back(
            arguments in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..9), 0..4),
            environment in proptest::collection::btree_map("[a-z]{1,5}", ".{0,9}", 0..4),
        ) {
            let mut derivation = example();
            derivation.arguments = arguments.into_iter().map(BString::from).collect();
            derivation.environment = environment.into_iter().map(|(k, v)| (k.into(), v.into())).collect();
            prop_assert_eq!(Derivation::decode("hello-1.0", &derivation.encode()), Ok(derivation));
        }

        #[test]
        fn no_text_makes_the_decoder_panic(text in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = Derivation::decode("x", &text).is_ok();
        }
    }
}
