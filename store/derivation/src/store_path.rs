//! Store paths: `/sx/store/`, 52 digits of base32, `-`, a name.
//!
//! What enters the digest, each text or digest preceded by its length in bytes as eight little-endian bytes:
//!
//! | path of | context | fields, in order |
//! |---|---|---|
//! | object | `sx object v1` | name, digest of the tree, references (whole paths, sorted; itself as the empty text) |
//! | derivation | `sx derivation v1` | name, encoded derivation |
//! | output that is not built yet | `sx output v1` | digest of the derivation's path, name of the output |
//!
//! A derivation can't name the paths of its own outputs, since they depend on it: [`own_output`] stands for them.
//!
//! Changing anything here renames every store path.

use crate::digest::{Digest, TEXT_LENGTH};
use std::collections::BTreeSet;
use std::fmt;
use std::sync::LazyLock;

/// Where every object lies inside a sandbox and in images. Changing it changes every store path.
pub const STORE_FOLDER: &str = "/sx/store";

/// Longest name, so that the whole stays under a file name's 255 bytes with room for `.drv` and `.lock`.
pub const MAX_NAME_LENGTH: usize = 190;

/// Longest store path.
const LONGEST: usize = STORE_FOLDER.len() + TEXT_LENGTH + MAX_NAME_LENGTH + "/-".len();

/// The path of an object, a derivation or an output to come: `/sx/store/<digest>-<name>`.
///
/// Ordered by digest, then name. The name is non-empty, of at most [`MAX_NAME_LENGTH`] ASCII letters, digits and
/// `+-._?=`, and doesn't begin with a dot.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StorePath {
    digest: Digest,
    name: String,
}

/// Why a text is no store path or no name of one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StorePathError {
    /// Nothing before the dash, or nothing at all.
    #[error("a store path's name is empty")]
    EmptyName,
    /// A file name could not hold it.
    #[error("the name `{0}` is too long; a store path's name has at most {MAX_NAME_LENGTH} characters")]
    LongName(String),
    /// Would be hidden, or mean the folder itself.
    #[error("the name `{0}` begins with a dot")]
    LeadingDot(String),
    /// Outside ASCII letters, digits and `+-._?=`.
    #[error("the name `{name}` has `{character}`; a store path's name has letters, digits and `+-._?=`")]
    BadCharacter {
        /// The whole name.
        name: String,
        /// Its first character that isn't allowed.
        character: char,
    },
    /// Not of the form `/sx/store/<digest>-<name>`.
    #[error("`{0}` is not a store path; expected `{STORE_FOLDER}/`, 52 base32 digits, `-` and a name")]
    BadForm(String),
}

impl StorePath {
    /// Puts a digest and a name together.
    pub fn new(digest: Digest, name: &str) -> Result<Self, StorePathError> {
        check_name(name)?;
        Ok(Self { digest, name: name.into() })
    }

    /// The path of the object `name` whose tree, with every mention of its own digest blanked (see
    /// [`crate::tree`]), has digest `tree`. It refers to `references`, and to itself if `refers_to_itself`.
    pub fn of_object(
        name: &str,
        tree: Digest,
        references: &BTreeSet<Self>,
        refers_to_itself: bool,
    ) -> Result<Self, StorePathError> {
        let mut fields = Fields::default();
        fields.add(name.as_bytes()).add(tree.as_bytes());
        if refers_to_itself {
            fields.add(b"");
        }
        for reference in references {
            fields.add(reference.to_string().as_bytes());
        }
        Self::new(fields.digest("sx object v1"), name)
    }

    /// The path of the derivation `name` that is encoded as `text`: its name ends in `.drv`.
    pub fn of_derivation(name: &str, text: &[u8]) -> Result<Self, StorePathError> {
        check_name(name)?;
        let mut fields = Fields(Vec::with_capacity(2 * size_of::<u64>() + name.len() + text.len()));
        fields.add(name.as_bytes()).add(text);
        Self::new(fields.digest("sx derivation v1"), &format!("{name}.drv"))
    }

    /// Stands for output `output` of the derivation at `self` until it is realised, in expressions and while
    /// it is built: a path of the same length as the one that replaces it.
    pub fn placeholder(&self, output: &str) -> Result<Self, StorePathError> {
        let mut fields = Fields::default();
        fields.add(self.digest.as_bytes()).add(output.as_bytes());
        let name = output_name(self.plain_name(), output);
        Self::new(fields.digest("sx output v1"), &name)
    }

    /// Reads `/sx/store/<digest>-<name>`.
    pub fn parse(text: &str) -> Result<Self, StorePathError> {
        let bad = || StorePathError::BadForm(text.into());
        let base = text.strip_prefix(STORE_FOLDER).and_then(|rest| rest.strip_prefix('/')).ok_or_else(bad)?;
        Self::parse_base_name(base)
    }

    /// Reads `<digest>-<name>`, as an object's file is called in a store's folder.
    pub fn parse_base_name(text: &str) -> Result<Self, StorePathError> {
        let bad = || StorePathError::BadForm(text.into());
        let (digest, rest) = text.split_at_checked(TEXT_LENGTH).ok_or_else(bad)?;
        let name = rest.strip_prefix('-').ok_or_else(bad)?;
        Self::new(Digest::from_base32(digest).ok_or_else(bad)?, name)
    }

    /// The digest.
    pub const fn digest(&self) -> &Digest {
        &self.digest
    }

    /// What follows the dash, such as `hello-1.0`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The name, without the `.drv` that a derivation's ends in.
    pub fn plain_name(&self) -> &str {
        self.name.strip_suffix(".drv").unwrap_or(&self.name)
    }

    /// The last component: `<digest>-<name>`.
    pub fn base_name(&self) -> String {
        format!("{}-{}", self.digest, self.name)
    }

    /// Whether this names a derivation: its name ends in `.drv`.
    pub fn is_derivation(&self) -> bool {
        self.name.ends_with(".drv")
    }
}

/// The name of an output's store path: the derivation's for `out`, with `-dev` and such for others.
pub fn output_name(derivation: &str, output: &str) -> String {
    if output == "out" { derivation.into() } else { format!("{derivation}-{output}") }
}

/// What `builtins.placeholder output` gives: stands for the path of the derivation's own output in its builder,
/// arguments and environment until it is built. `/` and the digest of the output's name in context
/// `sx own output v1`.
pub fn own_output(output: &str) -> String {
    /// Nearly every derivation mentions this one.
    static OUT: LazyLock<String> = LazyLock::new(|| hashed("out"));
    fn hashed(output: &str) -> String {
        format!("/{}", Digest::in_context("sx own output v1", output.as_bytes()))
    }
    if output == "out" { OUT.clone() } else { hashed(output) }
}

/// Refuses what cannot be a store path's name.
pub fn check_name(name: &str) -> Result<(), StorePathError> {
    let allowed = |character: char| character.is_ascii_alphanumeric() || "+-._?=".contains(character);
    if name.is_empty() {
        return Err(StorePathError::EmptyName);
    }
    if let Some(character) = name.chars().find(|&character| !allowed(character)) {
        return Err(StorePathError::BadCharacter { name: name.into(), character });
    }
    if name.len() > MAX_NAME_LENGTH {
        return Err(StorePathError::LongName(name.into()));
    }
    if name.starts_with('.') {
        return Err(StorePathError::LeadingDot(name.into()));
    }
    Ok(())
}

/// Bytes to hash: fields that cannot run into one another.
#[derive(Default)]
struct Fields(Vec<u8>);

impl Fields {
    fn add(&mut self, field: &[u8]) -> &mut Self {
        self.0.extend((field.len() as u64).to_le_bytes());
        self.0.extend(field);
        self
    }

    fn digest(&self, context: &str) -> Digest {
        Digest::in_context(context, &self.0)
    }
}

impl fmt::Display for StorePath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // In one piece, for which a `String` asks for memory once.
        let mut text = [0; LONGEST];
        let mut length = 0;
        for piece in [STORE_FOLDER.as_bytes(), b"/", &self.digest.text(), b"-", self.name.as_bytes()] {
            text[length..length + piece.len()].copy_from_slice(piece);
            length += piece.len();
        }
        formatter.write_str(std::str::from_utf8(&text[..length]).expect("this holds because names are ASCII"))
    }
}

impl fmt::Debug for StorePath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn golden_paths() {
        let none = BTreeSet::new();
        let leaf = StorePath::of_object("leaf", Digest::of(b"leaf"), &none, false).unwrap();
        let both = BTreeSet::from([leaf.clone()]);
        let own = StorePath::of_object("own", Digest::of(b"own"), &both, true).unwrap();
        let derivation = StorePath::of_derivation("hello-1.0", b"Derive()").unwrap();
        let output = derivation.placeholder("dev").unwrap();
        let all = [leaf, own, derivation, output].map(|path| path.to_string());
        assert_eq!(
            all,
            [
                "/sx/store/051yhbhwnxrjl42h11n56bf2w74w0l0flgk3wmqg4p55a8qlj59b-leaf",
                "/sx/store/0n7nq0q5fif4rbslx357xir53mj9n6qh9h6nms8zwgjhz73gzdbb-own",
                "/sx/store/15n83vs6rij4an9q785s0k4znqrhivd5zm7gc80qw30b91nbj61v-hello-1.0.drv",
                "/sx/store/0k6ijsn5a74q25z375qkg2rf85dgq4d82f70ds0j0zj9ld2xgvv2-hello-1.0-dev",
            ]
        );
    }

    #[test]
    fn golden_placeholder() {
        assert_eq!(own_output("out"), "/04mm9zad7pz6bs90hq9hbljy27a32skq1zbvcmg4sksdxbrpzpn8");
    }

    #[test]
    fn a_path_comes_back_from_its_text() {
        let path = StorePath::new(Digest::of(b"x"), "x-1.0").unwrap();
        assert_eq!(StorePath::parse(&path.to_string()), Ok(path));
    }

    #[test]
    fn what_is_no_store_path_is_refused_by_name() {
        let digits = "0".repeat(TEXT_LENGTH);
        for text in ["/etc/passwd", "/sx/store/", "/sx/store/é", "/sx/storeX", &format!("/sx/store/{digits}")]
        {
            assert!(matches!(StorePath::parse(text), Err(StorePathError::BadForm(_))), "{text}");
        }
        let named = |name: &str| StorePath::parse(&format!("/sx/store/{digits}-{name}")).map(drop);
        assert_eq!(named(""), Err(StorePathError::EmptyName));
        assert_eq!(named(".."), Err(StorePathError::LeadingDot("..".into())));
        assert!(matches!(named("a/b"), Err(StorePathError::BadCharacter { character: '/', .. })));
        assert!(matches!(named(&"a".repeat(191)), Err(StorePathError::LongName(_))));
    }
}
