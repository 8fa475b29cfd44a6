//! Many derivations, as an evaluation makes them: most are only named by others, so what is kept of each is its text.

use crate::derivation::Derivation;
use crate::store_path::{StorePath, StorePathError};
use std::collections::BTreeMap;

/// A derivation's path and its text, which belong together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instantiated {
    path: StorePath,
    text: Vec<u8>,
}

impl Derivation {
    /// Encodes it and names it by that. An error says that its name can't be one.
    pub fn instantiate(&self) -> Result<Instantiated, StorePathError> {
        let text = self.encode();
        Ok(Instantiated { path: StorePath::of_derivation(&self.name, &text)?, text })
    }
}

impl Instantiated {
    /// The store path that names it.
    pub const fn path(&self) -> &StorePath {
        &self.path
    }
}

/// Derivations by their paths. Takes about a fifth of the memory of as many [`Derivation`]s.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Derivations(BTreeMap<StorePath, Box<[u8]>>);

impl Derivations {
    /// None.
    pub const fn new() -> Self {
        Self(BTreeMap::new())
    }

    /// Adds one.
    pub fn insert(&mut self, derivation: Instantiated) {
        // A copy that is as long as the text; what that was written to is longer, and serves the next.
        self.0.insert(derivation.path, derivation.text.as_slice().into());
    }

    /// Adds all of others.
    pub fn extend(&mut self, others: Self) {
        self.0.extend(others.0);
    }

    /// The derivation at `path`, if it is one of these.
    pub fn get(&self, path: &StorePath) -> Option<Derivation> {
        self.text(path).map(|text| decode(path, text))
    }

    /// Its text.
    pub fn text(&self, path: &StorePath) -> Option<&[u8]> {
        self.0.get(path).map(|text| &**text)
    }

    /// All of them, in the order of their paths.
    pub fn iter(&self) -> impl Iterator<Item = (&StorePath, Derivation)> {
        self.0.iter().map(|(path, text)| (path, decode(path, text)))
    }
}

fn decode(path: &StorePath, text: &[u8]) -> Derivation {
    Derivation::decode(path.plain_name(), text).expect("this holds because a derivation was encoded")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn named(name: &str) -> Derivation {
        Derivation {
            name: name.into(),
            outputs: [("out".into(), crate::Output::Floating)].into(),
            input_derivations: BTreeMap::new(),
            input_sources: BTreeSet::new(),
            system: "x86_64-linux".into(),
            builder: "/bin/sh".into(),
            arguments: vec!["\"\n".into()],
            environment: BTreeMap::new(),
        }
    }

    #[test]
    fn what_was_added_comes_back() {
        let (one, other) = (named("one"), named("other-1.0"));
        let instantiated = one.instantiate().unwrap();
        let path = instantiated.path().clone();
        assert_eq!(Ok(path.clone()), one.path());
        let (mut all, mut more) = (Derivations::new(), Derivations::new());
        all.insert(instantiated);
        more.insert(other.instantiate().unwrap());
        assert_eq!(more.get(&path), None);
        all.extend(more);
        assert_eq!(all.get(&path).as_ref(), Some(&one));
        assert_eq!(all.text(&path), Some(&*one.encode()));
        assert_eq!(all.iter().map(|(_, derivation)| derivation.name).collect::<BTreeSet<_>>().len(), 2);
    }
}
