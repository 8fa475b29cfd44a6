//! The head of a request, for the tests' own registries.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::net::TcpStream;

/// What stands before a request's body.
pub struct Head {
    pub method: String,
    pub target: String,
    /// By names in small letters.
    pub headers: BTreeMap<String, String>,
    /// Of the body, in bytes.
    pub length: usize,
}

/// Reads up to the body; `None` if the request broke off.
pub fn head(reader: &mut BufReader<TcpStream>) -> Option<Head> {
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut words = line.split(' ');
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        headers.insert(name.to_ascii_lowercase(), value.to_owned());
    }
    let length = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
    Some(Head { method, target, headers, length })
}
