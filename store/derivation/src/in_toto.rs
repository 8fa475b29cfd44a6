//! Words of in-toto (<https://github.com/in-toto/attestation>), the same in what is signed and in an image's provenance.
//! Changing one makes every signature that was ever made void.

/// Type of a statement, version 1.
pub const STATEMENT_TYPE: &str = "https://in-toto.io/Statement/v1";
/// Media type of a statement: what signatures say of their payload, and attachments of their content.
pub const MEDIA_TYPE: &str = "application/vnd.in-toto+json";
