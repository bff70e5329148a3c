//! The npm protocol.

pub mod document;
pub mod manifest;
pub mod path;
pub mod provenance;
pub mod scan;
pub mod tarball;
