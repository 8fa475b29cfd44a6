//! Who vouches for what: attestations of realisations, signatures of images, quorums of people.
//!
//! The principal type is [`Trust`], a `trust.toml`: whose keys count, and how many people of which group it takes. Its
//! [`Keys`] at a moment look at signatures, and a [`Verdict`] counts them and explains itself.
//!
//! | bytes | fixed in |
//! |---|---|
//! | what is claimed of a realisation | [`statement`] |
//! | envelopes and keys of machines | [`machine`] |
//! | where attestations lie in a folder | [`attestations`] |
//! | what is claimed of an image, and where signatures of it lie | [`image`] |
//! | the same in cosign's form | [`cosign`] |
//! | release files | [`release`] |
//! | policies for container tools | [`container_policy`] |
//!
//! This crate reads no clock: the caller says when "now" is. It refuses to trust a signature's own date, a key of two
//! people, and whatever no requirement is about.

pub mod attestations;
pub mod container_policy;
pub mod cosign;
pub mod date;
pub mod gpg;
pub mod image;
pub mod keys;
pub mod machine;
pub mod openpgp;
pub mod quorum;
pub mod release;
pub mod scope;
pub mod secret;
pub mod statement;
pub mod trust;

pub use attestations::Attestations;
pub use cosign::CosignSignature;
pub use gpg::GpgKey;
pub use image::ImageClaim;
pub use keys::{Finding, Keys, Refusal};
pub use machine::MachineSecret;
pub use openpgp::PersonSecret;
pub use quorum::{Tally, Verdict};
pub use release::Release;
pub use scope::ImageName;
pub use secret::{Secret, SecretError};
pub use statement::Statement;
pub use trust::{Trust, TrustError};
