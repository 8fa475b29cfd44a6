//! Greets its first argument, or the world. Who greets whom is found by unwinding, so that it is known to work.

use std::panic::{catch_unwind, resume_unwind};

fn main() {
    let named = || std::env::args().nth(1).unwrap_or_else(|| resume_unwind(Box::new("nobody was named")));
    let name = catch_unwind(named).unwrap_or_else(|_| "world".into());
    println!("Hello, {name}!");
}
