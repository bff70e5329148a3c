//! Packages: one model for all ecosystems, and thin protocols on it.

mod name;
pub mod npm;
mod version;

pub use name::{Ecosystem, NameError, NpmName};
