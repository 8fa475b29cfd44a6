//! Which objects share a layer.
//!
//! The caller gives the closure in order, what is most shared first (dependencies before what depends on them).
//! Up to [`MAX_LAYERS`] objects each have a layer of their own, so that images share what they have in common.
//! Of more, all but the first `MAX_LAYERS - 1` go together into the last layer, sorted by store path there.
//! (Layers of links to programs count; the one of files that an expression gives comes on top.)

use crate::export::Object;

/// Most layers of an image: overlay file systems take 128 at most, and others add theirs on top.
/// Changing it changes images of larger closures.
pub const MAX_LAYERS: usize = 100;

/// Cuts objects into layers, `others` less than usual; `objects` is in the caller's order and without duplicates.
pub(crate) fn layers(mut objects: Vec<Object>, others: usize) -> Vec<Vec<Object>> {
    let most = MAX_LAYERS - others;
    if objects.len() <= most {
        return objects.into_iter().map(|object| vec![object]).collect();
    }
    let mut last = objects.split_off(most - 1);
    // By text: a digest's bytes sort otherwise than its digits.
    last.sort_by_cached_key(|object| object.path.to_string());
    objects.into_iter().map(|object| vec![object]).chain([last]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::path::PathBuf;
    use sx_derivation::{Digest, StorePath};

    fn objects(count: usize) -> Vec<Object> {
        let path = |at: usize| StorePath::new(Digest::of(&at.to_le_bytes()), "x").unwrap();
        (0..count)
            .map(|at| Object { path: path(at), location: PathBuf::new(), references: BTreeSet::new() })
            .collect()
    }

    #[test]
    fn up_to_the_cap_every_object_has_its_layer() {
        for count in [0, 1, MAX_LAYERS] {
            assert_eq!(layers(objects(count), 0).concat(), objects(count));
            assert_eq!(layers(objects(count), 0).len(), count);
        }
    }

    #[test]
    fn above_the_cap_the_least_shared_go_together_sorted_by_text() {
        let all = objects(MAX_LAYERS + 20);
        let layers = layers(all.clone(), 0);
        assert_eq!(layers.len(), MAX_LAYERS);
        assert_eq!(layers[..MAX_LAYERS - 1].concat(), all[..MAX_LAYERS - 1]);
        let text = |object: &Object| object.path.to_string();
        let mut expected: Vec<_> = all[MAX_LAYERS - 1..].iter().map(text).collect();
        expected.sort();
        assert_eq!(layers[MAX_LAYERS - 1].iter().map(text).collect::<Vec<_>>(), expected);
    }
}
