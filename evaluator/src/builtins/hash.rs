//! Hashes.

use super::Builtin;
use super::file::readable;
use crate::Evaluator;
use crate::error::{Error, Outcome};
use crate::source::Span;
use crate::symbol::known;
use crate::value::Value;
use bstr::ByteSlice;
use sha2::Digest;
use sx_derivation::{Algorithm, Hash};

pub(super) const TABLE: &[Builtin] = &[
    Builtin::new(
        "convertHash",
        &["args"],
        1,
        convert_hash,
        "A hash in another notation, toHashFormat: base16, nix32, base64 or sri; hashAlgo says its function if the hash doesn't.",
    ),
    Builtin::new(
        "hashFile",
        &["type", "p"],
        3,
        hash_file,
        "The hexadecimal hash of a file's bytes: md5, sha1, sha256, sha512 or blake3.",
    ),
    Builtin::new(
        "hashString",
        &["type", "s"],
        3,
        hash_string,
        "The hexadecimal hash of a string: md5, sha1, sha256, sha512 or blake3.",
    ),
];

fn algorithm<'a>(evaluator: &Evaluator<'a>, name: Value<'a>) -> Outcome<'a, Algorithm> {
    let name = evaluator.plain_string(name)?.to_str_lossy();
    Algorithm::from_name(&name).map_err(|error| Error::value(error.to_string()))
}

fn hash_string<'a>(evaluator: &Evaluator<'a>, arguments: &[Value<'a>]) -> Outcome<'a> {
    let algorithm = algorithm(evaluator, arguments[0])?;
    let text = evaluator.string_text(arguments[1])?;
    Ok(evaluator.string(hexadecimal(&digest(evaluator, algorithm, text.bytes)?).as_bytes()))
}

fn hash_file<'a>(evaluator: &Evaluator<'a>, arguments: &[Value<'a>]) -> Outcome<'a> {
    let algorithm = algorithm(evaluator, arguments[0])?;
    let path = readable(evaluator, arguments[1], "hash")?;
    let bytes = evaluator.host.read_file(path.as_bstr());
    let bytes = bytes.map_err(|error| evaluator.host_error(error, "hash", &path))?;
    Ok(evaluator.string(hexadecimal(&digest(evaluator, algorithm, &bytes)?).as_bytes()))
}

fn convert_hash<'a>(evaluator: &Evaluator<'a>, arguments: &[Value<'a>]) -> Outcome<'a> {
    let set = evaluator.set(arguments[0])?;
    let required = |name| set.get(name).ok_or_else(|| evaluator.missing(set, name, Span::NOWHERE));
    let text = evaluator.plain_string(required(known::HASH)?.value)?.to_str_lossy();
    let expected = match set.get(known::HASH_ALGO) {
        Some(name) => Some(algorithm(evaluator, name.value)?),
        None => None,
    };
    let hash = Hash::parse(&text, expected).map_err(|error| Error::value(error.to_string()))?;
    let converted = match evaluator.plain_string(required(known::TO_HASH_FORMAT)?.value)? {
        b"base16" => hash.to_hex(),
        b"nix32" | b"base32" => hash.to_base32(),
        b"base64" => hash.to_base64(),
        b"sri" => hash.to_string(),
        other => {
            let shown = other.as_bstr();
            return Err(Error::value(format!(
                "`{shown}` is no notation of hashes, expected base16, nix32, base64 or sri"
            )));
        }
    };
    Ok(evaluator.string(converted.as_bytes()))
}

/// Bytes that are hashed between two looks at whether someone asked to stop.
const HASHED_AT_ONCE: usize = 1 << 20;

fn digest<'a>(evaluator: &Evaluator<'a>, algorithm: Algorithm, bytes: &[u8]) -> Outcome<'a, Vec<u8>> {
    fn of<'a, D: Digest>(evaluator: &Evaluator<'a>, bytes: &[u8]) -> Outcome<'a, Vec<u8>> {
        let mut state = D::new();
        for part in bytes.chunks(HASHED_AT_ONCE) {
            evaluator.look_around()?;
            state.update(part);
        }
        Ok(state.finalize().to_vec())
    }
    match algorithm {
        Algorithm::Md5 => of::<md5::Md5>(evaluator, bytes),
        Algorithm::Sha1 => of::<sha1::Sha1>(evaluator, bytes),
        Algorithm::Sha256 => of::<sha2::Sha256>(evaluator, bytes),
        Algorithm::Sha512 => of::<sha2::Sha512>(evaluator, bytes),
        Algorithm::Blake3 => {
            let mut state = blake3::Hasher::new();
            for part in bytes.chunks(HASHED_AT_ONCE) {
                evaluator.look_around()?;
                state.update(part);
            }
            Ok(state.finalize().as_bytes().to_vec())
        }
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    sx_derivation::digest::to_hex(bytes)
}
