//! Hashes.

use super::Builtin;
use crate::Evaluator;
use crate::error::{Error, Outcome};
use crate::value::Value;
use bstr::ByteSlice;
use sha2::Digest as _;
use sx_derivation::Algorithm;

pub(super) const TABLE: &[Builtin] = &[Builtin::new(
    "hashString",
    &["type", "s"],
    3,
    hash_string,
    "The hexadecimal hash of a string: md5, sha1, sha256, sha512 or blake3.",
)];

fn hash_string<'a>(evaluator: &Evaluator<'a>, arguments: &[Value<'a>]) -> Outcome<'a> {
    let algorithm = evaluator.plain_string(arguments[0])?.to_str_lossy();
    let algorithm = Algorithm::from_name(&algorithm).map_err(|error| Error::value(error.to_string()))?;
    let text = evaluator.string_text(arguments[1])?;
    Ok(evaluator.string(hexadecimal(&digest(algorithm, text.bytes)).as_bytes()))
}

fn digest(algorithm: Algorithm, bytes: &[u8]) -> Vec<u8> {
    match algorithm {
        Algorithm::Md5 => md5::Md5::digest(bytes).to_vec(),
        Algorithm::Sha1 => sha1::Sha1::digest(bytes).to_vec(),
        Algorithm::Sha256 => sha2::Sha256::digest(bytes).to_vec(),
        Algorithm::Sha512 => sha2::Sha512::digest(bytes).to_vec(),
        Algorithm::Blake3 => blake3::hash(bytes).as_bytes().to_vec(),
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
