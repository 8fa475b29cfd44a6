//! Where a thing lies and how it comes to be.
//!
//! The principal types are [`Store`], a folder of objects with a database of which are valid, and [`Realiser`], which
//! makes outputs of derivations valid by running their builders in a [`sandbox`].
//!
//! This crate prints nothing and reads no environment, home folder or configuration. It never fetches: what needs the
//! network is a [`Builtin`] that the caller brings.

pub mod archive;
pub mod attributes;
mod audit;
pub mod build;
pub mod check;
pub mod collect;
pub mod database;
pub mod difference;
pub mod enter;
pub mod explain;
mod folder;
pub mod hex0;
mod import;
mod inspect;
pub mod lock;
mod log;
pub mod object;
pub mod pin;
pub mod realise;
mod record;
pub mod repair;
pub mod requirement;
mod reserve;
pub mod root;
pub mod sandbox;
pub mod scan;
pub mod seeds;
pub mod share;
pub mod site;
pub mod step;
pub mod store;
pub mod substitute;
pub mod transfer;
pub mod verify;

pub use build::{Builtin, Task};
pub use import::{ImportError, ProvedCopies};
pub use realise::{Event, Failure, RealiseError, Realiser};
pub use step::Step;
pub use store::{Store, StoreError};
