//! What an image is made of, and from what that was made: the facts behind every bill of materials.
//!
//! The caller gathers them from the closure, its derivations and the packages' `meta`. Nothing here is about when or where:
//! the same closure gives the same bill.

use crate::reference::Reference;
use serde::Serialize;
use sx_derivation::{Digest, StorePath};

/// All that is known of an image's content.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bill {
    /// One for each object of the image, sorted by the store path's text.
    pub components: Vec<Component>,
    /// What was asked for.
    pub wanted: Vec<Wanted>,
    /// Derivations that all of it was realised from, down to the seed.
    pub derivations: usize,
    /// Files from outside that they begin with, sorted: sources, texts of this repository, and the seed.
    pub materials: Vec<Material>,
}

/// A derivation's output that the image was asked for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Wanted {
    /// The derivation as the expression gives it: its path is a hash of the whole graph below it.
    pub derivation: StorePathText,
    /// Which output.
    pub output: String,
    /// What it was realised to.
    pub content: StorePathText,
}

/// A store path in a document: written as text, sorted by it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(into = "String")]
pub struct StorePathText(String, String);

impl From<&StorePath> for StorePathText {
    fn from(path: &StorePath) -> Self {
        Self(path.to_string(), path.digest().to_hex())
    }
}

impl From<StorePathText> for String {
    fn from(path: StorePathText) -> Self {
        path.0
    }
}

impl StorePathText {
    /// The path.
    pub fn text(&self) -> &str {
        &self.0
    }

    /// Its digest, hexadecimal.
    pub fn digest(&self) -> &str {
        &self.1
    }
}

/// One object of the image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Component {
    /// Its store path.
    pub path: StorePathText,
    /// What made it; nothing if it came in as a file.
    pub derivation: Option<StorePathText>,
    /// Name without the version.
    pub name: String,
    /// The version, if it has one.
    pub version: Option<String>,
    /// What its package says of itself.
    pub meta: Meta,
    /// Where its source came from.
    pub sources: Vec<Material>,
    /// What was changed in it.
    pub patches: Vec<Material>,
    /// Objects of the image that it refers to, sorted.
    pub references: Vec<StorePathText>,
}

/// The attribute `meta` of a package, as far as documents have a place for it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Meta {
    /// A noun phrase.
    pub description: Option<String>,
    /// A web page.
    pub homepage: Option<String>,
    /// An SPDX licence expression.
    pub licence: Option<String>,
    /// A name in the dictionary that vulnerabilities are listed by.
    pub cpe: Option<String>,
    /// Systems that it is for; anything if there are none.
    pub platforms: Vec<String>,
}

/// A file from outside.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Material {
    /// What it is called.
    pub name: String,
    /// Where it can be had, in the order to try; none if it is part of the expression's own tree.
    pub urls: Vec<String>,
    /// The algorithm, such as `sha256`; `sxObjectV1` for the digest in a store path.
    pub algorithm: &'static str,
    /// Hexadecimal.
    pub digest: String,
    /// What it is for.
    pub kind: MaterialKind,
}

/// What a file from outside is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum MaterialKind {
    /// What everything is built from in the end.
    Seed,
    /// Fetched, with a pinned hash.
    Source,
    /// A text of the expression's tree.
    Local,
    /// A change of a source.
    Patch,
}

impl Bill {
    /// A name for documents that need one, made of what they say: version 8 of UUIDs, for hashes of one's own.
    pub(crate) fn uuid(document: &[u8]) -> String {
        let digest = Digest::in_context("sx bill of materials v1", document).to_hex();
        format!(
            "{}-{}-8{}-a{}-{}",
            &digest[..8],
            &digest[8..12],
            &digest[13..16],
            &digest[17..20],
            &digest[20..32]
        )
    }
}

impl Component {
    /// Name and version of a derivation's or object's name: the version begins at the first dash before a digit.
    pub fn name_and_version(text: &str) -> (String, Option<String>) {
        let dashes = text.match_indices('-').map(|(at, _)| at);
        let is_digit = |at: &usize| text.as_bytes().get(at + 1).is_some_and(u8::is_ascii_digit);
        match dashes.into_iter().find(is_digit) {
            Some(at) => (text[..at].to_owned(), Some(text[at + 1..].to_owned())),
            None => (text.to_owned(), None),
        }
    }
}

/// What documents call the image.
pub(crate) fn image_name(reference: &Reference) -> (String, String) {
    (reference.name().to_owned(), reference.tag().to_owned())
}
