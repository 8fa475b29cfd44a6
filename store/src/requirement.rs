//! What a derivation requires of its outputs: what they may refer to, and how large they may be.
//!
//! | attribute | of each output |
//! |---|---|
//! | `allowedReferences` | it mentions nothing else |
//! | `disallowedReferences` | it mentions none of these |
//! | `allowedRequisites` | it reaches nothing else by references; itself it always may |
//! | `disallowedRequisites` | it reaches none of these by references |
//! | `maxSize`, `maxClosureSize` | in bytes; only in `outputChecks` |
//!
//! Values are lists of store paths and of names of the derivation's own outputs. With structured attributes
//! `outputChecks.<output>` says it of one output.

use crate::attributes::{AttributeError, Attributes, strings};
use crate::object::Contents;
use crate::realise::Failure;
use crate::store::{Store, StoreError};
use bstr::{BString, ByteSlice};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use sx_derivation::StorePath;

const LISTS: [(&str, Reach, Verdict); 4] = [
    ("allowedReferences", Reach::References, Verdict::Allowed),
    ("disallowedReferences", Reach::References, Verdict::Disallowed),
    ("allowedRequisites", Reach::Requisites, Verdict::Allowed),
    ("disallowedRequisites", Reach::Requisites, Verdict::Disallowed),
];

const SIZES: [&str; 2] = ["maxSize", "maxClosureSize"];

/// One thing that is required.
#[derive(Debug)]
pub(crate) enum Requirement {
    List { attribute: &'static str, reach: Reach, verdict: Verdict, list: Vec<Named> },
    MaxSize(u64),
    MaxClosureSize(u64),
}

/// What a list is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    References,
    Requisites,
}

/// What being on a list means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Allowed,
    Disallowed,
}

/// What a list names.
#[derive(Debug)]
pub(crate) enum Named {
    Output(String),
    Object(StorePath),
}

/// An output that was made.
pub(crate) struct Made<'a> {
    pub(crate) name: &'a str,
    pub(crate) path: StorePath,
    pub(crate) contents: &'a Contents,
    /// What it mentions, itself excepted, each with the first file that does.
    pub(crate) references: &'a BTreeMap<StorePath, PathBuf>,
}

/// An output refers to what it may not.
#[derive(Debug, thiserror::Error)]
#[error("{}", describe(self))]
pub struct ForbiddenReference {
    /// Which output.
    pub output: String,
    /// What it refers to.
    pub path: StorePath,
    /// What forbids it.
    pub attribute: &'static str,
    /// What it reaches it through, if it doesn't mention it itself.
    pub through: Vec<StorePath>,
    /// The first file in it that mentions that; empty for the output itself.
    pub file: PathBuf,
}

fn describe(found: &ForbiddenReference) -> String {
    let ForbiddenReference { output, path, attribute, through, file } = found;
    let place = match file.as_os_str().is_empty() {
        true => "it".into(),
        false => format!("its file `{}`", file.display()),
    };
    let forbids = if attribute.starts_with("dis") { "forbids" } else { "does not allow" };
    match &through[..] {
        [] => {
            format!("the output `{output}` mentions `{path}`, which `{attribute}` {forbids}: {place} has it")
        }
        through => {
            let chain: Vec<String> = through.iter().chain([path]).map(|path| format!("`{path}`")).collect();
            let chain = chain.join(", that ");
            format!(
                "the output `{output}` reaches `{path}`, which `{attribute}` {forbids}: {place} mentions {chain}"
            )
        }
    }
}

impl Requirement {
    /// What is required of the output called `name`. `scratch` are the paths that outputs have while they are made.
    pub(crate) fn read(
        attributes: &Attributes,
        name: &str,
        scratch: &BTreeMap<String, StorePath>,
    ) -> Result<Vec<Self>, AttributeError> {
        let mut requirements = Vec::new();
        let checks = match attributes.structured("outputChecks")? {
            None => BTreeMap::new(),
            Some(Value::Object(mut checks)) => {
                // What nobody reads would be taken for a promise.
                if let Some(unknown) = checks.keys().find(|output| !scratch.contains_key(*output)) {
                    let (attribute, found) = ("outputChecks".into(), unknown.clone());
                    let expected = "names of the derivation's outputs";
                    return Err(AttributeError::Unknown { attribute, found, expected });
                }
                match checks.remove(name) {
                    None => BTreeMap::new(),
                    Some(Value::Object(checks)) => checks.into_iter().collect(),
                    Some(other) => {
                        return Err(AttributeError::kind(
                            "outputChecks",
                            other.to_string().as_bytes(),
                            "a set",
                        ));
                    }
                }
            }
            Some(other) => {
                return Err(AttributeError::kind(
                    "outputChecks",
                    other.to_string().as_bytes(),
                    "a set of sets",
                ));
            }
        };
        let is_known =
            |check: &str| SIZES.contains(&check) || LISTS.iter().any(|(known, ..)| *known == check);
        if let Some(unknown) = checks.keys().find(|check| !is_known(check)) {
            let (attribute, found) = (format!("outputChecks.{name}"), unknown.clone());
            let expected = "allowedReferences and kin, maxSize, maxClosureSize";
            return Err(AttributeError::Unknown { attribute, found, expected });
        }
        for (attribute, reach, verdict) in LISTS {
            let own = checks.get(attribute).map(|value| strings(attribute, value)).transpose()?;
            for list in own.into_iter().chain(attributes.list(attribute)?) {
                let list = list.iter().map(|text| Named::read(attribute, text, scratch));
                let list = list.collect::<Result<_, _>>()?;
                requirements.push(Self::List { attribute, reach, verdict, list });
            }
        }
        for (attribute, make) in
            SIZES.into_iter().zip([Self::MaxSize as fn(u64) -> Self, Self::MaxClosureSize])
        {
            if let Some(value) = checks.get(attribute) {
                let wrong =
                    || AttributeError::kind(attribute, value.to_string().as_bytes(), "a number of bytes");
                requirements.push(make(value.as_u64().ok_or_else(wrong)?));
            }
        }
        Ok(requirements)
    }

    /// Compares an output with it. `taken` are the paths of outputs that came before it.
    pub(crate) fn check(
        &self,
        store: &Store,
        made: &Made<'_>,
        taken: &BTreeMap<String, StorePath>,
    ) -> Result<(), Failure> {
        let closure = || store.closure(made.references.keys());
        let too_large = |attribute, limit: u64, found: u64| match found <= limit {
            true => Ok(()),
            false => Err(Failure::TooLarge { output: made.name.into(), attribute, limit, found }),
        };
        match self {
            Self::MaxSize(limit) => too_large("maxSize", *limit, made.contents.size_bytes),
            Self::MaxClosureSize(limit) => {
                let mut sum = made.contents.size_bytes;
                for path in closure()? {
                    sum +=
                        store.database().object(&path).map_err(StoreError::from)?.map_or(0, |o| o.size_bytes);
                }
                too_large("maxClosureSize", *limit, sum)
            }
            Self::List { attribute, reach, verdict, list } => {
                let listed: BTreeSet<&StorePath> = list
                    .iter()
                    .filter_map(|named| match named {
                        Named::Object(path) => Some(path),
                        Named::Output(output) if output == made.name => Some(&made.path),
                        // One that comes after it can't be referred to.
                        Named::Output(output) => taken.get(output),
                    })
                    .collect();
                let own = made.contents.own_mention();
                let found: BTreeSet<StorePath> = match reach {
                    Reach::References => {
                        made.references.keys().chain(own.map(|_| &made.path)).cloned().collect()
                    }
                    Reach::Requisites => closure()?,
                };
                let is_forbidden =
                    |path: &&StorePath| listed.contains(path) != (*verdict == Verdict::Allowed);
                match found.iter().find(is_forbidden) {
                    None => Ok(()),
                    Some(path) => Err(Box::new(forbidden(store, made, attribute, path)?).into()),
                }
            }
        }
    }
}

/// Finds out how an output refers to `path`.
fn forbidden(
    store: &Store,
    made: &Made<'_>,
    attribute: &'static str,
    path: &StorePath,
) -> Result<ForbiddenReference, StoreError> {
    let own = made.contents.own_mention().filter(|_| *path == made.path);
    let mut chain = Vec::new();
    let mut file = made.references.get(path).map(PathBuf::as_path).or(own);
    if file.is_none() {
        for (reference, mentioned) in made.references {
            if let Some(found) = store.why_depends(reference, path)? {
                (chain, file) = (found, Some(mentioned.as_path()));
                break;
            }
        }
        // The last one is the path itself.
        chain.pop();
    }
    Ok(ForbiddenReference {
        output: made.name.into(),
        path: path.clone(),
        attribute,
        through: chain,
        file: file.unwrap_or(Path::new("")).to_owned(),
    })
}

impl Named {
    fn read(
        attribute: &str,
        text: &BString,
        scratch: &BTreeMap<String, StorePath>,
    ) -> Result<Self, AttributeError> {
        let text_utf8 = text.to_str_lossy();
        if scratch.contains_key(&*text_utf8) {
            return Ok(Self::Output(text_utf8.into_owned()));
        }
        let wrong = |_| AttributeError::kind(attribute, text, "store paths and names of outputs");
        let path = StorePath::parse(&text_utf8).map_err(wrong)?;
        let own = scratch.iter().find(|(_, own)| **own == path);
        Ok(own.map_or(Self::Object(path.clone()), |(output, _)| Self::Output(output.clone())))
    }
}
