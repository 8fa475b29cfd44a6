//! Where a crate lies at a registry: cargo's own rule for the `dl` of a registry's `config.json`.
//!
//! | in the template | stands for |
//! |---|---|
//! | `{crate}` | the name |
//! | `{version}` | the version |
//! | `{prefix}` | the index's folders for the name, `ab/cd` of `abcdef` |
//! | `{lowerprefix}` | the same in lower case |
//! | `{sha256-checksum}` | the pinned hash in hexadecimal |
//!
//! Where none of them is in it, `/{crate}/{version}/download` is added.
//! Source: <https://doc.rust-lang.org/cargo/reference/registry-index.html#index-configuration>.

use sx_derivation::{Algorithm, Hash};

/// The template of crates.io, by which crates are asked for last.
pub const CRATES_IO: &str = "https://static.crates.io/crates";

/// The address of a crate by a registry's template. `None` where the template asks for a checksum that isn't pinned.
pub(crate) fn location(template: &str, name: &str, version: &str, hash: &Hash) -> Option<String> {
    let marks = ["{crate}", "{version}", "{prefix}", "{lowerprefix}", "{sha256-checksum}"];
    if !marks.iter().any(|mark| template.contains(mark)) {
        return Some(format!("{}/{name}/{version}/download", template.trim_end_matches('/')));
    }
    let prefix = prefix(name);
    let mut address = template
        .replace("{crate}", name)
        .replace("{version}", version)
        .replace("{prefix}", &prefix)
        .replace("{lowerprefix}", &prefix.to_ascii_lowercase());
    if address.contains("{sha256-checksum}") {
        if hash.algorithm() != Algorithm::Sha256 {
            return None;
        }
        address = address.replace("{sha256-checksum}", &hash.to_hex());
    }
    Some(address)
}

/// The folders of an index for a name, which is ASCII.
fn prefix(name: &str) -> String {
    let part = |from, to| name.get(from..to).unwrap_or_default();
    match name.len() {
        length @ (1 | 2) => length.to_string(),
        3 => format!("3/{}", part(0, 1)),
        _ => format!("{}/{}", part(0, 2), part(2, 4)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_says_where_a_crate_lies() {
        let hash = Hash::parse(&format!("sha256:{}", "0f".repeat(32)), None).unwrap();
        let at = |template: &str| location(template, "Serde_json", "1.0.1+a", &hash).unwrap();
        assert_eq!(at("https://a.example/crates/"), "https://a.example/crates/Serde_json/1.0.1+a/download");
        assert_eq!(
            at("http://b.example/{prefix}/{crate}-{version}"),
            "http://b.example/Se/rd/Serde_json-1.0.1+a"
        );
        assert_eq!(at("http://b.example/{lowerprefix}/{crate}"), "http://b.example/se/rd/Serde_json");
        assert_eq!(at("http://c.example/{sha256-checksum}"), format!("http://c.example/{}", "0f".repeat(32)));
    }

    #[test]
    fn short_names_have_folders_of_their_own() {
        assert_eq!(["a", "ab", "abc", "abcd"].map(prefix), ["1", "2", "3/a", "ab/cd"]);
    }
}
