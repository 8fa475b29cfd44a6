//! What Nix can do during evaluation and sx never does: it says so, and what to do instead.

use super::Builtin;
use crate::Evaluator;
use crate::error::{Error, ErrorKind, Outcome};
use crate::value::Value;

/// What to do instead of fetching.
const PIN_IT: &str = "describe the source by a derivation pinned by its hash, which is fetched when it is realised: \
    `derivation { name = \"…\"; system = \"…\"; builder = \"builtin:fetch\"; urls = [ \"…\" ]; \
    outputHash = \"sha256-…\"; outputHashMode = \"flat\"; }`";

/// What to do instead of reading another flake.
const COPY_IT: &str =
    "an evaluation reads only its own flake's tree: import what is needed from a folder in it";

/// What to do instead of naming a store path.
const REFER_TO_IT: &str =
    "refer to the derivation that makes it, or to the file or folder that it was copied from";

pub(super) const TABLE: &[Builtin] = &[
    Builtin::new("fetchGit", &["args"], 0, fetch, "Fetches a Git repository.").global().refused(PIN_IT),
    Builtin::new("fetchMercurial", &["args"], 0, fetch, "Fetches a Mercurial repository.")
        .global()
        .refused(PIN_IT),
    Builtin::new("fetchTarball", &["args"], 0, fetch, "Fetches an archive and unpacks it.")
        .global()
        .refused(PIN_IT),
    Builtin::new("fetchTree", &["input"], 0, fetch, "Fetches a file or a tree.").global().refused(PIN_IT),
    Builtin::new("fetchurl", &["args"], 0, fetch, "Fetches a file.").refused(PIN_IT),
    Builtin::new("getFlake", &["args"], 0, get_flake, "The outputs of another flake.").refused(COPY_IT),
    Builtin::new("storePath", &["path"], 0, store_path, "A path that is in the store already.")
        .refused(REFER_TO_IT),
];

fn refusal(message: &str, hint: &str) -> Box<Error> {
    Error::new(ErrorKind::Impure, message).with_hint(Some(hint.to_owned()))
}

fn fetch<'a>(_: &Evaluator<'a>, _: &[Value<'a>]) -> Outcome<'a> {
    Err(refusal("sx fetches nothing during evaluation", PIN_IT))
}

fn get_flake<'a>(_: &Evaluator<'a>, _: &[Value<'a>]) -> Outcome<'a> {
    Err(refusal("sx reads no other flake during evaluation", COPY_IT))
}

fn store_path<'a>(_: &Evaluator<'a>, _: &[Value<'a>]) -> Outcome<'a> {
    Err(refusal("a store path by its name is not pure", REFER_TO_IT))
}
