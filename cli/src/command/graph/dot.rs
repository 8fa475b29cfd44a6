//! A network in the language of Graphviz.

use super::network::Network;
use crate::command::quantity::show_bytes;

/// Side of the largest node, in inches, where sizes are known: areas are sizes.
const LARGEST: f64 = 3.0;

/// The whole document.
pub fn text(network: &Network) -> String {
    let largest = network.nodes.iter().filter_map(|node| node.size_bytes).max().unwrap_or(0);
    let mut text = String::from("digraph sx {\n  rankdir=BT;\n  node [shape=box, fontname=monospace];\n");
    for (position, node) in network.nodes.iter().enumerate() {
        let mut label = node.name.clone();
        let mut more = String::new();
        if let Some(size) = node.size_bytes {
            label = format!("{label}\\n{}", show_bytes(size));
            if largest > 0 {
                let side = LARGEST * (size as f64 / largest as f64).sqrt();
                more = format!(", width={side:.3}, height={side:.3}");
            }
        }
        if node.hidden > 0 {
            label = format!("{label}\\n+{} below", node.hidden);
            more.push_str(", style=dashed");
        }
        // A store path's name has neither quotes nor backslashes.
        text.push_str(&format!("  n{position} [label=\"{label}\"{more}];\n"));
    }
    for (from, to) in &network.edges {
        text.push_str(&format!("  n{from} -> n{to};\n"));
    }
    text.push_str("}\n");
    text
}
