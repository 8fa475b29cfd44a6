//! Where things stand: in layers, each below all that it needs, so that all arrows lead down.
//!
//! 1. A node's layer is the length of the longest way down to where nothing is needed.
//! 2. An edge over several layers gets a bend in each, which takes room like a node.
//! 3. Layers are ordered by the middle of the neighbours' places, up and down some times.
//! 4. In each layer everything moves as near to the middle of its neighbours as the distances between allow.
//!
//! After K. Sugiyama, S. Tagawa, M. Toda, "Methods for Visual Understanding of Hierarchical System Structures", 1981. Nothing here
//! depends on chance or on the order of a hash map.

use super::network::Network;

/// Room between two things of a layer, in pixels.
const GAP: f64 = 18.0;

/// Width of a bend, in pixels.
const BEND: f64 = 6.0;

/// How often layers are ordered, and things are moved.
const ROUNDS: usize = 12;

/// With more bends than this, edges go straight.
const MOST_BENDS: usize = 20_000;

/// Everything in its place.
#[derive(Debug)]
pub struct Layout {
    /// Of each node: its middle in pixels, and its layer.
    pub nodes: Vec<(f64, usize)>,
    /// Of each edge, in the order of the network's: the middles in the layers that it passes, from what is needed to who needs it,
    /// each with its layer.
    pub edges: Vec<Vec<(f64, usize)>>,
    /// In pixels.
    pub width: f64,
    /// How many.
    pub layers: usize,
}

/// Lays a network out, whose nodes are so wide.
pub fn lay_out(network: &Network, widths: &[f64]) -> Layout {
    let layer_of = layers(network);
    let count = layer_of.iter().max().map_or(0, |last| last + 1);
    let mut places = Places::default();
    for (&layer, &width) in layer_of.iter().zip(widths) {
        places.add(layer, width);
    }
    let bends: usize = network.edges.iter().map(|(from, to)| layer_of[*from] - layer_of[*to] - 1).sum();
    let mut ways = Vec::new();
    for &(from, to) in &network.edges {
        let mut way = vec![to];
        if bends <= MOST_BENDS {
            way.extend((layer_of[to] + 1..layer_of[from]).map(|layer| places.add(layer, BEND)));
        }
        way.push(from);
        ways.push(way);
    }
    let mut rows = vec![Vec::new(); count];
    for (thing, &layer) in places.layers.iter().enumerate() {
        rows[layer].push(thing);
    }
    let length = places.layers.len();
    let (mut above, mut below) = (vec![Vec::new(); length], vec![Vec::new(); length]);
    for pair in ways.iter().flat_map(|way| way.windows(2)) {
        below[pair[0]].push(pair[1]);
        above[pair[1]].push(pair[0]);
    }
    order(&mut rows, &above, &below);
    let middles = place(&rows, &places.widths, &above, &below);
    let at = |thing: &usize| (middles[*thing], places.layers[*thing]);
    Layout {
        nodes: (0..network.nodes.len()).map(|node| at(&node)).collect(),
        edges: ways.iter().map(|way| way.iter().map(at).collect()).collect(),
        width: middles
            .iter()
            .zip(&places.widths)
            .map(|(middle, width)| middle + width / 2.0)
            .fold(0.0, f64::max),
        layers: count,
    }
}

/// Nodes, then bends.
#[derive(Default)]
struct Places {
    layers: Vec<usize>,
    widths: Vec<f64>,
}

impl Places {
    fn add(&mut self, layer: usize, width: f64) -> usize {
        self.layers.push(layer);
        self.widths.push(width);
        self.layers.len() - 1
    }
}

fn layers(network: &Network) -> Vec<usize> {
    let needs = network.needs();
    let mut layers = vec![0; network.nodes.len()];
    for position in network.order() {
        layers[position] = needs[position].iter().map(|&needed| layers[needed] + 1).max().unwrap_or(0);
    }
    layers
}

/// Orders each layer by the middle of its neighbours' positions, from above, then from below, and so on.
fn order(rows: &mut [Vec<usize>], above: &[Vec<usize>], below: &[Vec<usize>]) {
    let mut position = vec![0.0; above.len()];
    let number = |row: &[usize], position: &mut [f64]| {
        for (number, &thing) in row.iter().enumerate() {
            position[thing] = number as f64 - (row.len() as f64 - 1.0) / 2.0;
        }
    };
    rows.iter().for_each(|row| number(row, &mut position));
    for round in 0..ROUNDS {
        let is_down = round % 2 == 0;
        let neighbours = if is_down { above } else { below };
        let rounds: Vec<usize> =
            if is_down { (0..rows.len()).collect() } else { (0..rows.len()).rev().collect() };
        for row in rounds {
            let row = &mut rows[row];
            let mut keyed: Vec<(f64, usize)> = row
                .iter()
                .map(|&thing| (middle(&neighbours[thing], &position, position[thing]), thing))
                .collect();
            // Stable: what is equal stays as it was.
            keyed.sort_by(|(one, _), (other, _)| one.total_cmp(other));
            *row = keyed.into_iter().map(|(_, thing)| thing).collect();
            number(row, &mut position);
        }
    }
}

fn middle(neighbours: &[usize], position: &[f64], otherwise: f64) -> f64 {
    if neighbours.is_empty() {
        return otherwise;
    }
    neighbours.iter().map(|&neighbour| position[neighbour]).sum::<f64>() / neighbours.len() as f64
}

/// The middle of each thing in pixels, the first of all beginning at 0.
fn place(rows: &[Vec<usize>], widths: &[f64], above: &[Vec<usize>], below: &[Vec<usize>]) -> Vec<f64> {
    let mut middles = vec![0.0; widths.len()];
    for row in rows {
        spread(row, widths, &mut middles, |_| 0.0);
    }
    for round in 0..ROUNDS {
        let neighbours = |thing: usize| -> Vec<usize> {
            match round % 3 {
                0 => above[thing].clone(),
                1 => below[thing].clone(),
                _ => above[thing].iter().chain(&below[thing]).copied().collect(),
            }
        };
        let is_down = round % 3 == 0;
        let rows: Vec<&Vec<usize>> =
            if is_down { rows.iter().collect() } else { rows.iter().rev().collect() };
        for row in rows {
            let wishes: Vec<f64> =
                row.iter().map(|&thing| middle(&neighbours(thing), &middles, middles[thing])).collect();
            spread(row, widths, &mut middles, |number| wishes[number]);
        }
    }
    let first =
        middles.iter().zip(widths).map(|(middle, width)| middle - width / 2.0).fold(f64::MAX, f64::min);
    middles.iter_mut().for_each(|middle| *middle -= first);
    middles
}

/// Puts a row's things as near as may be to where they wish to be, in their order and with room between: the least squares
/// under these bounds, by pooling those that would stand in each other's way.
fn spread(row: &[usize], widths: &[f64], middles: &mut [f64], wish: impl Fn(usize) -> f64) {
    // Where a thing's middle is when all stand close, beginning at 0.
    let mut close = Vec::new();
    let mut end = 0.0;
    for &thing in row {
        close.push(end + widths[thing] / 2.0);
        end += widths[thing] + GAP;
    }
    // Pools: the sum of what their members wish to be moved by, and how many they are.
    let mut pools: Vec<(f64, usize)> = Vec::new();
    for (number, close) in close.iter().enumerate() {
        let mut pool = (wish(number) - close, 1);
        while let Some(&(sum, count)) = pools.last() {
            if sum / (count as f64) < pool.0 / pool.1 as f64 {
                break;
            }
            pools.pop();
            pool = (pool.0 + sum, pool.1 + count);
        }
        pools.push(pool);
    }
    let moved = pools.iter().flat_map(|&(sum, count)| std::iter::repeat_n(sum / count as f64, count));
    for ((&thing, close), moved) in row.iter().zip(close).zip(moved) {
        middles[thing] = close + moved;
    }
}

#[cfg(test)]
mod tests {
    use super::super::network::tests::network;
    use super::*;

    #[test]
    fn everything_is_below_what_it_needs_and_beside_the_rest() {
        let edges = [(9, 8), (9, 1), (8, 7), (7, 6), (6, 0), (5, 0), (4, 0), (3, 0), (9, 5), (9, 3), (8, 4)];
        let network = network(10, &edges);
        let widths: Vec<f64> = (0..10).map(|number| 40.0 + f64::from(number)).collect();
        let layout = lay_out(&network, &widths);
        for (&(from, to), way) in network.edges.iter().zip(&layout.edges) {
            assert!(layout.nodes[from].1 > layout.nodes[to].1);
            assert!(way.windows(2).all(|pair| pair[1].1 == pair[0].1 + 1), "a bend in every layer");
        }
        for (one, (middle, layer)) in layout.nodes.iter().enumerate() {
            assert!(
                *middle - widths[one] / 2.0 > -0.001 && *middle + widths[one] / 2.0 < layout.width + 0.001
            );
            for (other, (there, its_layer)) in
                layout.nodes.iter().enumerate().filter(|(other, _)| *other != one)
            {
                let room = (middle - there).abs() - (widths[one] + widths[other]) / 2.0;
                assert!(layer != its_layer || room > GAP - 0.001, "{one} and {other}");
            }
        }
    }

    #[test]
    fn a_chain_is_straight() {
        let layout = lay_out(&network(4, &[(3, 2), (2, 1), (1, 0)]), &[10.0, 60.0, 20.0, 30.0]);
        assert!(layout.nodes.iter().all(|(middle, _)| (middle - 30.0).abs() < 0.001), "{layout:?}");
    }
}
