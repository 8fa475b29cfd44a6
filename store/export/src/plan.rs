//! Which objects share a layer.
//!
//! The caller gives the closure in order, dependencies before what depends on them. Up to [`MAX_LAYERS`] objects each have
//! a layer of their own, so that images share what they have in common, and an update transfers what changed.
//!
//! Of more, those that most others depend on keep a layer of their own, since those are what other images have too. The
//! rest goes into `GROUPS` groups: first by how many depend on them (none, 1 to 2, 3 to 6, 7 to 14, more), because what
//! many depend on changes seldom, and all that depend on it change with it; then by a hash of the package's name, so that a
//! new version comes into its predecessor's group, and which group an object is in doesn't depend on the others. So an
//! update changes few groups. Objects of one layer are sorted by store path.
//! (Layers of links to programs count; the one of files that an expression gives comes on top.)

use crate::bill::Component;
use crate::export::Object;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use sx_derivation::{Digest, StorePath};

/// Most layers of an image: overlay file systems take 128 at most, and others add theirs on top.
/// Changing it changes images of larger closures.
pub const MAX_LAYERS: usize = 100;
/// Layers for objects that have none of their own. Changing it changes images of larger closures.
const GROUPS: usize = CLASSES * BUCKETS;
const CLASSES: usize = 5;
const BUCKETS: usize = 4;

/// Cuts objects into layers, `others` less than usual; `objects` is in the caller's order and without duplicates.
pub(crate) fn layers(objects: Vec<Object>, others: usize) -> Vec<Vec<Object>> {
    let most = MAX_LAYERS - others;
    if objects.len() <= most {
        return objects.into_iter().map(|object| vec![object]).collect();
    }
    let dependents = dependents(&objects);
    let mut ranked: Vec<(usize, Object)> = dependents.into_iter().zip(objects).collect();
    ranked.sort_by_cached_key(|(dependents, object)| {
        // By name before the digest, so that a new version takes its predecessor's place; and by text, since a digest's
        // bytes sort otherwise than its digits.
        let (name, _) = Component::name_and_version(object.path.name());
        (Reverse(*dependents), Reverse(object.size_bytes), name, object.path.to_string())
    });
    let mut groups: BTreeMap<(Reverse<usize>, usize), Vec<Object>> = BTreeMap::new();
    for (dependents, object) in ranked.split_off(most - GROUPS) {
        let class = ((dependents + 1).ilog2() as usize).min(CLASSES - 1);
        groups.entry((Reverse(class), bucket(&object.path))).or_default().push(object);
    }
    for group in groups.values_mut() {
        group.sort_by_cached_key(|object| object.path.to_string());
    }
    ranked.into_iter().map(|(_, object)| vec![object]).chain(groups.into_values()).collect()
}

/// For each object, how many others reach it by references.
fn dependents(objects: &[Object]) -> Vec<usize> {
    let numbers: BTreeMap<&StorePath, usize> =
        objects.iter().enumerate().map(|(number, object)| (&object.path, number)).collect();
    let words = objects.len().div_ceil(64);
    // One bit for each object that depends on this one; what depends comes later, so its own are known first.
    let mut sets = vec![vec![0_u64; words]; objects.len()];
    for (number, object) in objects.iter().enumerate().rev() {
        let mut set = sets[number].clone();
        set[number / 64] |= 1 << (number % 64);
        for reference in object.references.iter().filter_map(|path| numbers.get(path)) {
            if *reference != number {
                sets[*reference].iter_mut().zip(&set).for_each(|(into, from)| *into |= from);
            }
        }
    }
    sets.iter().map(|set| set.iter().map(|word| word.count_ones() as usize).sum()).collect()
}

fn bucket(path: &StorePath) -> usize {
    let (name, _) = Component::name_and_version(path.name());
    usize::from(Digest::of(name.as_bytes()).as_bytes()[0]) % BUCKETS
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::path::PathBuf;

    fn object(name: &str, version: usize, references: &[&Object]) -> Object {
        let references: BTreeSet<StorePath> = references.iter().map(|object| object.path.clone()).collect();
        let text = format!("{version} {references:?}");
        let path = StorePath::new(Digest::of(text.as_bytes()), &format!("{name}-{version}")).unwrap();
        Object { path, location: PathBuf::new(), references, size_bytes: 1 }
    }

    fn objects(count: usize) -> Vec<Object> {
        (0..count).map(|at| object(&format!("x{at}"), 1, &[])).collect()
    }

    /// 150 packages, each upon two libraries of a chain of 60; `changed` is updated.
    fn distribution(changed: usize, more: usize) -> Vec<Object> {
        let mut all: Vec<Object> = Vec::new();
        for at in 0..210 + more {
            let version = if at == changed { 2 } else { 1 };
            let upon = match at {
                0 => vec![],
                1..60 => vec![&all[at - 1]],
                _ => vec![&all[at % 60], &all[at % 7]],
            };
            let new = object(&format!("package{at}"), version, &upon);
            all.push(new);
        }
        all
    }

    /// How many of the second's layers the first hasn't.
    fn transferred(first: Vec<Object>, second: Vec<Object>) -> usize {
        let first: BTreeSet<Vec<StorePath>> = names(&layers(first, 0)).into_iter().collect();
        names(&layers(second, 0)).iter().filter(|layer| !first.contains(*layer)).count()
    }

    fn names(layers: &[Vec<Object>]) -> Vec<Vec<StorePath>> {
        layers.iter().map(|layer| layer.iter().map(|object| object.path.clone()).collect()).collect()
    }

    #[test]
    fn up_to_the_cap_every_object_has_its_layer() {
        for count in [0, 1, MAX_LAYERS] {
            assert_eq!(layers(objects(count), 0).concat(), objects(count));
            assert_eq!(layers(objects(count), 0).len(), count);
        }
    }

    #[test]
    fn above_the_cap_what_most_depend_on_stays_alone() {
        let all = distribution(usize::MAX, 0);
        for others in [0, 1] {
            let layers = layers(all.clone(), others);
            assert!(layers.len() <= MAX_LAYERS - others, "{}", layers.len());
            let mut found: Vec<_> = names(&layers).concat();
            found.sort();
            let mut expected: Vec<_> = all.iter().map(|object| object.path.clone()).collect();
            expected.sort();
            assert_eq!(found, expected);
            let alone: BTreeSet<_> = layers
                .iter()
                .filter(|layer| layer.len() == 1)
                .flatten()
                .collect::<Vec<_>>()
                .into_iter()
                .map(|object| object.path.clone())
                .collect();
            assert!(all[..60].iter().all(|object| alone.contains(&object.path)));
            for layer in &layers {
                let texts: Vec<_> = layer.iter().map(|object| object.path.to_string()).collect();
                assert!(texts.is_sorted());
            }
        }
    }

    #[test]
    fn an_update_changes_few_layers() {
        let before = || distribution(usize::MAX, 0);
        assert_eq!(transferred(before(), before()), 0);
        // Something that nothing depends on: its group.
        assert_eq!(transferred(before(), distribution(150, 0)), 1);
        // Ten new packages: their groups, which here is one for each bucket.
        assert!(transferred(before(), distribution(usize::MAX, 10)) <= BUCKETS);
        // What all depend on.
        assert!(transferred(before(), distribution(0, 0)) > 60);
    }

    #[test]
    fn dependents_are_counted_through_others() {
        let first = object("a", 1, &[]);
        let second = object("b", 1, &[&first]);
        let third = object("c", 1, &[&second]);
        assert_eq!(dependents(&[first, second, third]), [2, 1, 0]);
    }
}
