//! What the one table of builtins says, for people.

use super::all;
use std::fmt::Write;

/// An entry of the documentation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name in `builtins`.
    pub name: &'static str,
    /// What its arguments are called; none for what is no function.
    pub arguments: &'static [&'static str],
    /// Whether its bare name means the same everywhere; most others are with two underscores before it.
    pub is_global: bool,
    /// What it is or does: a sentence or two.
    pub text: &'static str,
    /// What to do instead, if sx refuses to do this.
    pub refused: Option<&'static str>,
}

/// The values in `builtins` that are no functions: name, whether it is a variable everywhere, and what it is.
const VALUES: [(&str, bool, &str); 9] = [
    ("builtins", true, "The set itself."),
    ("currentSystem", false, "The system that packages are made for; an option says which."),
    ("false", true, "The Boolean that is not true."),
    ("langVersion", false, "The version of the language: 6."),
    ("nixPath", false, "The search path of `<name>`, from options only."),
    ("nixVersion", false, "The version of the reference."),
    ("null", true, "The value that stands for none."),
    ("storeDir", false, "The store's folder."),
    ("true", true, "The Boolean that is not false."),
];

/// Every builtin, sorted by name.
pub fn documentation() -> impl Iterator<Item = Entry> {
    let functions = all().into_iter().map(|builtin| Entry {
        name: builtin.name,
        arguments: builtin.arguments,
        is_global: builtin.is_global,
        text: builtin.documentation,
        refused: builtin.refused,
    });
    let values =
        VALUES.map(|(name, is_global, text)| Entry { name, arguments: &[], is_global, text, refused: None });
    let mut entries: Vec<Entry> = functions.chain(values).collect();
    entries.sort_by_key(|entry| entry.name);
    entries.into_iter()
}

/// The documentation as a page of Markdown.
pub fn page() -> String {
    let mut page = String::from(
        "# Builtins\n\n\
         Written by `cargo test -p sx-evaluator --test documentation` with `UPDATE=1` from the table in `src/builtins`; change it there.\n\n\
         Names with a star are variables everywhere; the others are too, with two underscores before the name.\n\
         `builtins.currentTime` is absent, as in Nix's pure evaluation. So are `fetchClosure` and `outputOf`, which Nix has only by \
         option, and `exec` and `importNative`.\n\n\
         | name | arguments | what it is or does |\n|---|---|---|\n",
    );
    let escaped = |text: &str| text.replace('|', "\\|");
    for Entry { name, arguments, is_global, text, refused } in documentation() {
        let star = if is_global { " *" } else { "" };
        let refused = refused.map(|instead| format!(" **Refused:** {instead}.")).unwrap_or_default();
        // Writing to a String can't fail.
        let _ = writeln!(
            page,
            "| `{name}`{star} | {} | {}{} |",
            arguments.join(", "),
            escaped(text),
            escaped(&refused)
        );
    }
    page
}
