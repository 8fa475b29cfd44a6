//! What a signer claims: "I built this derivation, and this output of it was this content".
//!
//! An in-toto statement (version 1) in canonical JSON: no white space, no line end, keys in the order below, and only
//! characters that JSON writes as they are. Every signer of one claim signs the same bytes, so the claim has no time, host
//! or builder in it.
//!
//! | key | value |
//! |---|---|
//! | `_type` | `https://in-toto.io/Statement/v1` |
//! | `predicate.derivation` | store path of the *resolved* derivation: its inputs are contents |
//! | `predicate.output` | name of the output, such as `out` |
//! | `predicateType` | `urn:sx:realisation:v1` |
//! | `subject[0].digest.sxObjectV1` | the digest in the content's store path, hexadecimal |
//! | `subject[0].name` | store path of the content |
//!
//! Changing anything here makes every signature that was ever made void.

use serde::{Deserialize, Serialize};
use sx_derivation::StorePath;
use sx_derivation::store_path::{StorePathError, check_name};

/// Longest encoded statement: three names of a file's length, and the frame.
pub const MAX_STATEMENT_BYTES: usize = 2048;
/// What is signed with machines' keys says so, as in-toto asks for.
pub const PAYLOAD_TYPE: &str = sx_derivation::in_toto::MEDIA_TYPE;

const STATEMENT_TYPE: &str = sx_derivation::in_toto::STATEMENT_TYPE;
const PREDICATE_TYPE: &str = "urn:sx:realisation:v1";

/// One claim: output `output` of `derivation` was `content`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Statement {
    derivation: StorePath,
    output: String,
    content: StorePath,
}

/// Why bytes or paths are no statement.
#[derive(Debug, thiserror::Error)]
pub enum StatementError {
    /// A claim is about a derivation.
    #[error("`{0}` is not a derivation; expected a store path that ends in `.drv`")]
    NotDerivation(StorePath),
    /// A derivation isn't what an output is realised to.
    #[error("`{0}` is a derivation; expected the store path of an output's content")]
    DerivationAsContent(StorePath),
    /// An output's name, or one of the paths, is malformed.
    #[error(transparent)]
    Name(#[from] StorePathError),
    /// More than a statement can have.
    #[error("the statement has {0} bytes; at most {MAX_STATEMENT_BYTES} are allowed")]
    Long(usize),
    /// Not the JSON of a statement of ours.
    #[error("not a statement of a realisation")]
    Json(#[source] serde_json::Error),
    /// A field has another value than all statements have.
    #[error("the statement's `{field}` is `{found}`, expected `{expected}`")]
    Field {
        /// Which.
        field: &'static str,
        /// Its value.
        found: String,
        /// What it must be.
        expected: String,
    },
    /// The same claim in other bytes, which nobody signed.
    #[error("the statement is not in canonical form; expected the bytes `{0}`")]
    NotCanonical(String),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    _type: String,
    predicate: Predicate,
    #[serde(rename = "predicateType")]
    predicate_type: String,
    subject: [Subject; 1],
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Predicate {
    derivation: String,
    output: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Subject {
    digest: SubjectDigest,
    name: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SubjectDigest {
    #[serde(rename = "sxObjectV1")]
    object: String,
}

impl Statement {
    /// Puts a claim together.
    pub fn new(derivation: StorePath, output: &str, content: StorePath) -> Result<Self, StatementError> {
        check_name(output)?;
        if !derivation.is_derivation() {
            return Err(StatementError::NotDerivation(derivation));
        }
        if content.is_derivation() {
            return Err(StatementError::DerivationAsContent(content));
        }
        Ok(Self { derivation, output: output.into(), content })
    }

    /// The derivation, resolved.
    pub const fn derivation(&self) -> &StorePath {
        &self.derivation
    }

    /// The output's name.
    pub fn output(&self) -> &str {
        &self.output
    }

    /// What the output was realised to.
    pub const fn content(&self) -> &StorePath {
        &self.content
    }

    /// The derivation's name without `.drv`: what policies' patterns are compared with.
    pub fn package(&self) -> &str {
        self.derivation.plain_name()
    }

    /// The bytes that are signed.
    pub fn encode(&self) -> Vec<u8> {
        let document = Document {
            _type: STATEMENT_TYPE.into(),
            predicate: Predicate { derivation: self.derivation.to_string(), output: self.output.clone() },
            predicate_type: PREDICATE_TYPE.into(),
            subject: [Subject {
                digest: SubjectDigest { object: self.content.digest().to_hex() },
                name: self.content.to_string(),
            }],
        };
        serde_json::to_vec(&document).expect("a record of texts is always JSON")
    }

    /// Reads a statement; nothing but the canonical bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, StatementError> {
        if bytes.len() > MAX_STATEMENT_BYTES {
            return Err(StatementError::Long(bytes.len()));
        }
        let document: Document = serde_json::from_slice(bytes).map_err(StatementError::Json)?;
        let [subject] = document.subject;
        let content = StorePath::parse(&subject.name)?;
        let digest = content.digest().to_hex();
        for (field, found, expected) in [
            ("_type", document._type, STATEMENT_TYPE),
            ("predicateType", document.predicate_type, PREDICATE_TYPE),
            ("subject[0].digest.sxObjectV1", subject.digest.object, &digest),
        ] {
            if found != expected {
                return Err(StatementError::Field { field, found, expected: expected.into() });
            }
        }
        let derivation = StorePath::parse(&document.predicate.derivation)?;
        let statement = Self::new(derivation, &document.predicate.output, content)?;
        let canonical = statement.encode();
        if canonical != bytes {
            return Err(StatementError::NotCanonical(String::from_utf8_lossy(&canonical).into_owned()));
        }
        Ok(statement)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use sx_derivation::Digest;

    fn example() -> Statement {
        let derivation = StorePath::of_derivation("hello-1.0", b"Derive()").unwrap();
        let content = StorePath::new(Digest::of(b"hello"), "hello-1.0").unwrap();
        Statement::new(derivation, "out", content).unwrap()
    }

    #[test]
    fn golden_statement() {
        let text = String::from_utf8(example().encode()).unwrap();
        assert_eq!(
            text,
            concat!(
                r#"{"_type":"https://in-toto.io/Statement/v1","predicate":{"derivation":"/sx/store/"#,
                r#"15n83vs6rij4an9q785s0k4znqrhivd5zm7gc80qw30b91nbj61v-hello-1.0.drv","output":"out"},"#,
                r#""predicateType":"urn:sx:realisation:v1","subject":[{"digest":{"sxObjectV1":"#,
                r#""ea8f163db38682925e4491c5e58d4bb3506ef8c14eb78a86e908c5624a67200f"},"name":"/sx/store/"#,
                r#"03r0cx565i88x638mdsfq7w6wl5k9f6ybici8ig950l6ncyid3za-hello-1.0"}]}"#,
            )
        );
    }

    #[test]
    fn a_statement_that_is_changed_in_any_byte_is_refused_or_another_claim() {
        let bytes = example().encode();
        for place in 0..bytes.len() {
            for value in [b' ', b'0', b'"', 0xff, bytes[place] ^ 1] {
                let mut changed = bytes.clone();
                changed[place] = value;
                if let Ok(statement) = Statement::decode(&changed) {
                    assert_eq!(statement == example(), changed == bytes, "byte {place} to {value}");
                }
            }
        }
    }

    #[test]
    fn other_spellings_of_a_claim_are_refused() {
        let text = String::from_utf8(example().encode()).unwrap();
        for other in [
            text.replace(":", ": "),
            format!("{text}\n"),
            text.replace("hello-1.0\"}", "hello\\u002d1.0\"}"),
            text.replace("\"output\":\"out\"", "\"output\":\"out\",\"output\":\"out\""),
            text.replace("\"output\":\"out\"", "\"output\":\"out\",\"time\":1"),
            text.replace("realisation:v1", "realisation:v2"),
            text.replace("\"ea8f", "\"fa8f"),
            text.replace("\"out\"", "\"../out\""),
            "[".repeat(2000),
            "x".repeat(5000),
        ] {
            assert!(Statement::decode(other.as_bytes()).is_err(), "{other}");
        }
    }

    proptest! {
        #[test]
        fn a_statement_comes_back(
            name in "[a-z0-9][a-z0-9+._?=-]{0,100}",
            output in "[a-z][a-z0-9]{0,9}",
            seed in any::<u64>(),
        ) {
            let derivation = StorePath::of_derivation(&name, &seed.to_le_bytes()).unwrap();
            let content = StorePath::new(Digest::of(&seed.to_be_bytes()), &format!("{name}-x")).unwrap();
            let statement = Statement::new(derivation, &output, content).unwrap();
            let bytes = statement.encode();
            prop_assert!(bytes.len() <= MAX_STATEMENT_BYTES);
            prop_assert_eq!(Statement::decode(&bytes).unwrap(), statement);
        }
    }
}
