//! What is drawn: nodes, and which needs which.

use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use sx_derivation::StorePath;

/// A graph without circles. Equal input gives equal nodes in equal order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Network {
    /// Sorted by name, then by store path.
    pub nodes: Vec<Node>,
    /// Positions: who needs, what.
    pub edges: BTreeSet<(usize, usize)>,
}

/// One thing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Node {
    /// Its name.
    pub name: String,
    /// The store path of the object or derivation.
    pub path: String,
    /// Its size in bytes, if it is known.
    pub size_bytes: Option<u64>,
    /// How many things it needs that aren't shown, being too far away.
    pub hidden: usize,
}

impl Node {
    pub fn new(path: &StorePath, size_bytes: Option<u64>) -> Self {
        Self { name: path.plain_name().into(), path: path.to_string(), size_bytes, hidden: 0 }
    }
}

/// From this many nodes on, edges are left as they are: to find the implied ones takes the square of it in memory.
const MOST_TO_REDUCE: usize = 20_000;

impl Network {
    /// The part of a graph that `roots` reach in at most `depth` steps. What a node needs and the graph lacks isn't shown.
    pub fn reached(
        graph: &BTreeMap<StorePath, (Node, Vec<StorePath>)>,
        roots: &[StorePath],
        depth: Option<usize>,
    ) -> Self {
        let mut distances: BTreeMap<&StorePath, usize> = BTreeMap::new();
        let mut next: BTreeSet<&StorePath> = roots.iter().filter(|root| graph.contains_key(*root)).collect();
        let mut distance = 0;
        while !next.is_empty() && depth.is_none_or(|depth| distance <= depth) {
            let reached = std::mem::take(&mut next);
            for path in &reached {
                distances.insert(path, distance);
            }
            let needed = reached.into_iter().flat_map(|path| &graph[path].1);
            next.extend(needed.filter(|path| graph.contains_key(*path) && !distances.contains_key(*path)));
            distance += 1;
        }
        let mut paths: Vec<&StorePath> = distances.keys().copied().collect();
        paths.sort_by_key(|path| (graph[*path].0.name.clone(), path.to_string()));
        let positions: BTreeMap<&StorePath, usize> =
            paths.iter().enumerate().map(|(position, path)| (*path, position)).collect();
        let mut network = Self::default();
        for (position, path) in paths.iter().enumerate() {
            let (node, needs) = &graph[*path];
            let mut node = node.clone();
            for needed in needs.iter().filter(|needed| graph.contains_key(*needed)) {
                match positions.get(needed) {
                    Some(needed) => drop(network.edges.insert((position, *needed))),
                    None => node.hidden += 1,
                }
            }
            network.nodes.push(node);
        }
        network
    }

    /// Takes away each edge that a longer way implies.
    pub fn leave_out_implied(&mut self) {
        if self.nodes.len() > MOST_TO_REDUCE {
            return;
        }
        let needs = self.needs();
        let words = self.nodes.len().div_ceil(64);
        // What each node reaches, a bit for each other.
        let mut reach = vec![vec![0u64; words]; self.nodes.len()];
        let has = |bits: &[u64], position: usize| bits[position / 64] >> (position % 64) & 1 != 0;
        for position in self.order() {
            let mut bits = vec![0u64; words];
            for &needed in &needs[position] {
                let implied =
                    needs[position].iter().any(|&other| other != needed && has(&reach[other], needed));
                if implied {
                    self.edges.remove(&(position, needed));
                }
                bits.iter_mut().zip(&reach[needed]).for_each(|(bits, more)| *bits |= more);
                bits[needed / 64] |= 1 << (needed % 64);
            }
            reach[position] = bits;
        }
    }

    /// What each node needs.
    pub fn needs(&self) -> Vec<Vec<usize>> {
        let mut needs = vec![Vec::new(); self.nodes.len()];
        for &(from, to) in &self.edges {
            needs[from].push(to);
        }
        needs
    }

    /// All nodes, each after what it needs.
    pub fn order(&self) -> Vec<usize> {
        let needs = self.needs();
        let mut needed_by = vec![Vec::new(); self.nodes.len()];
        for &(from, to) in &self.edges {
            needed_by[to].push(from);
        }
        let mut waiting: Vec<usize> = needs.iter().map(Vec::len).collect();
        let is_ready = |position: &usize| waiting[*position] == 0;
        let mut order: Vec<usize> = (0..self.nodes.len()).filter(is_ready).collect();
        let mut done = 0;
        while let Some(&position) = order.get(done) {
            done += 1;
            for &user in &needed_by[position] {
                waiting[user] -= 1;
                if waiting[user] == 0 {
                    order.push(user);
                }
            }
        }
        order
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// A network of nodes called by their numbers, each of a size that is known.
    pub fn network(count: usize, edges: &[(usize, usize)]) -> Network {
        let nodes = (0..count).map(|number| {
            let path = StorePath::new(sx_derivation::Digest::of(b""), &format!("node-{number}")).unwrap();
            Node::new(&path, Some(1 << (2 * number)))
        });
        Network { nodes: nodes.collect(), edges: edges.iter().copied().collect() }
    }

    #[test]
    fn what_a_longer_way_implies_is_left_out() {
        let mut found = network(4, &[(3, 2), (2, 1), (1, 0), (3, 0), (3, 1), (2, 0)]);
        found.leave_out_implied();
        assert_eq!(found.edges, BTreeSet::from([(3, 2), (2, 1), (1, 0)]));
        let mut diamond = network(4, &[(3, 2), (3, 1), (2, 0), (1, 0)]);
        let before = diamond.clone();
        diamond.leave_out_implied();
        assert_eq!(diamond, before);
    }

    #[test]
    fn what_is_too_far_away_is_counted() {
        let path = |name: &str| StorePath::new(sx_derivation::Digest::of(name.as_bytes()), name).unwrap();
        let node = |name: &str, needs: &[&str]| {
            (
                path(name),
                (Node::new(&path(name), None), needs.iter().map(|name| path(name)).collect::<Vec<_>>()),
            )
        };
        let graph = BTreeMap::from([
            node("a", &["b", "elsewhere"]),
            node("b", &["c", "d"]),
            node("c", &[]),
            node("d", &[]),
        ]);
        let found = Network::reached(&graph, &[path("a")], Some(1));
        let shown: Vec<_> = found.nodes.iter().map(|node| (node.name.as_str(), node.hidden)).collect();
        assert_eq!((shown, found.edges), (vec![("a", 0), ("b", 2)], BTreeSet::from([(0, 1)])));
        assert_eq!(Network::reached(&graph, &[path("a")], None).nodes.len(), 4);
    }
}
