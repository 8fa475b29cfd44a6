//! A network as a picture.

use super::layout::lay_out;
use super::network::{Network, Node};
use crate::command::quantity::show_bytes;

/// Side of the square of the largest size, in pixels.
const LARGEST: f64 = 44.0;

/// Width of a character of the font that is asked for, in pixels.
const CHARACTER: f64 = 6.7;

/// Height of a node, and of the room between layers, in pixels.
const HEIGHT: f64 = 30.0;
const BETWEEN: f64 = 34.0;

/// Around everything, in pixels.
const MARGIN: f64 = 16.0;

/// Room between a node's edge, its square and its text, in pixels.
const PADDING: f64 = 8.0;

/// The whole document.
pub fn text(network: &Network) -> String {
    let largest = network.nodes.iter().filter_map(|node| node.size_bytes).max().unwrap_or(0);
    let side = |node: &Node| match (node.size_bytes, largest) {
        (Some(size), 1..) => (LARGEST * LARGEST * size as f64 / largest as f64).sqrt().max(1.0),
        _ => 0.0,
    };
    let width = |node: &Node| {
        let letters = node.name.chars().count().max(second_line(node).chars().count());
        let square = if side(node) > 0.0 { side(node) + PADDING } else { 0.0 };
        2.0 * PADDING + letters as f64 * CHARACTER + square
    };
    let has_squares = largest > 0;
    let height = if has_squares { LARGEST + PADDING } else { HEIGHT };
    let widths: Vec<f64> = network.nodes.iter().map(width).collect();
    let layout = lay_out(network, &widths);
    let top = |layer: usize| MARGIN + layer as f64 * (height + BETWEEN);
    let (all_width, all_height) = (layout.width + 2.0 * MARGIN, top(layout.layers.max(1)) - BETWEEN + MARGIN);
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {all_width:.0} {all_height:.0}\" width=\"{all_width:.0}\" \
         height=\"{all_height:.0}\" font-family=\"monospace\" font-size=\"11\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n\
         <g fill=\"none\" stroke=\"#8a94a6\">\n"
    );
    for way in &layout.edges {
        // Down from what is needed, past the nodes of each layer between, to who needs it.
        let mut path = String::new();
        for (number, pair) in way.windows(2).enumerate() {
            let [(from, above), (to, below)] = [pair[0], pair[1]].map(|(x, layer)| (x + MARGIN, layer));
            let (start, end) = (top(above) + height, top(below));
            let half = (start + end) / 2.0;
            if number == 0 {
                path.push_str(&format!("M{from:.1} {start:.1}"));
            } else {
                path.push_str(&format!("V{start:.1}"));
            }
            path.push_str(&format!("C{from:.1} {half:.1} {to:.1} {half:.1} {to:.1} {end:.1}"));
        }
        text.push_str(&format!("<path d=\"{path}\"/>\n"));
    }
    text.push_str("</g>\n");
    for ((node, (middle, layer)), width) in network.nodes.iter().zip(&layout.nodes).zip(&widths) {
        let (left, top) = (middle + MARGIN - width / 2.0, top(*layer));
        let name = escaped(&node.name);
        let dashes = if node.hidden > 0 { " stroke-dasharray=\"4 3\"" } else { "" };
        text.push_str(&format!(
                "<g><title>{name}</title><rect x=\"{left:.1}\" y=\"{top:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" \
                 rx=\"5\" fill=\"#f3f6fb\" stroke=\"#42526e\"{dashes}/>"
            ));

        let mut x = left + PADDING;
        let side = side(node);
        if side > 0.0 {
            let y = top + (height - side) / 2.0;
            text.push_str(&format!(
                "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{side:.1}\" height=\"{side:.1}\" fill=\"#3f7cc4\"/>"
            ));

            x += side + PADDING;
        }
        let (line, middle) = (escaped(&second_line(node)), top + height / 2.0);
        if line.is_empty() {
            text.push_str(&format!("<text x=\"{x:.1}\" y=\"{:.1}\">{name}</text>", middle + 4.0));
        } else {
            text.push_str(&format!("<text x=\"{x:.1}\" y=\"{:.1}\">{name}</text>", middle - 2.0));
            text.push_str(&format!(
                "<text x=\"{x:.1}\" y=\"{:.1}\" fill=\"#5e6c84\">{line}</text>",
                middle + 11.0
            ));
        }
        text.push_str("</g>\n");
    }
    text.push_str("</svg>\n");
    text
}

/// What stands below a node's name: its size, and how much it needs that isn't shown.
fn second_line(node: &Node) -> String {
    let size = node.size_bytes.map(show_bytes);
    let hidden = (node.hidden > 0).then(|| format!("+{} below", node.hidden));
    size.into_iter().chain(hidden).collect::<Vec<_>>().join(", ")
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
