//! Looks into a tarball while it is uploaded: nothing that it claims is believed, nothing is unpacked.
//!
//! The gzip stream is decompressed and the archive's headers are followed as the bytes come, in bounded memory:
//! only `package.json` and the README are kept. Refused are paths that leave the package, links and devices,
//! sizes beyond the limits (a header's claim is enough), and archives that grow suspiciously when unpacked.

mod archive;
mod header;

use std::io::{self, Write};

use archive::Archive;

/// What a tarball may hold. All sizes in bytes.
#[derive(Clone, Copy, Debug)]
pub struct TarballLimits {
    /// The most entries.
    pub entries: u32,
    /// The most bytes unpacked.
    pub unpacked_bytes: u64,
    /// How many times larger than the tarball its content may be, beyond the first 16 MB.
    pub ratio: u64,
    /// The largest `package.json`.
    pub manifest_bytes: usize,
    /// What is kept of the README.
    pub readme_bytes: usize,
}

impl Default for TarballLimits {
    fn default() -> Self {
        Self {
            entries: 100_000,
            unpacked_bytes: 2 << 30,
            ratio: 100,
            manifest_bytes: 1 << 20,
            readme_bytes: 512 << 10,
        }
    }
}

/// Below this size unpacked the ratio does not matter: small archives of zeros are no bombs.
const RATIO_FREE_BYTES: u64 = 16 << 20;

/// Why a tarball is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TarballError {
    /// The bytes are no gzip stream, or end in the middle.
    #[error("it is no gzip file, or it is cut short")]
    Gzip,
    /// The archive inside is broken.
    #[error("it is no tar archive: {0}")]
    Archive(&'static str),
    /// An entry would be written outside of the package.
    #[error("the path \"{0}\" leaves the package")]
    Path(String),
    /// A link, device or pipe.
    #[error("\"{0}\" is a link or a device, a package has files and folders only")]
    Link(String),
    /// Too many entries.
    #[error("it has more than {0} entries")]
    Entries(u32),
    /// Too large when unpacked.
    #[error("it is larger than {0} bytes when unpacked")]
    Unpacked(u64),
    /// Grows too much when unpacked.
    #[error("it grows more than {0} times when unpacked")]
    Bomb(u64),
    /// No `package.json`, or more than one.
    #[error("it has {0} package.json files at its top, not one")]
    Manifests(u32),
    /// `package.json` is too large.
    #[error("its package.json is larger than {0} bytes")]
    ManifestSize(usize),
}

/// What a tarball holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contents {
    /// The bytes of `package.json`.
    pub manifest: Vec<u8>,
    /// The README's name and text, cut at the limit.
    pub readme: Option<(String, String)>,
    /// How many files.
    pub file_count: u32,
    /// The sum of their sizes.
    pub unpacked_bytes: u64,
    /// Whether there is a `binding.gyp` at the top: npm then compiles at installation.
    pub has_binding_gyp: bool,
    /// Whether there is an `npm-shrinkwrap.json` at the top.
    pub has_shrinkwrap: bool,
}

/// Reads one tarball; give it the bytes in pieces of any size.
pub struct TarballReader {
    gzip: flate2::write::MultiGzDecoder<Archive>,
    packed_bytes: u64,
    limits: TarballLimits,
}

impl TarballReader {
    /// A reader with these limits.
    #[must_use]
    pub fn new(limits: TarballLimits) -> Self {
        Self { gzip: flate2::write::MultiGzDecoder::new(Archive::new(limits)), packed_bytes: 0, limits }
    }

    /// Takes the next piece. It takes time in proportion to what the piece unpacks to: keep pieces small.
    ///
    /// # Errors
    /// [`TarballError`]; the reader is of no use afterwards.
    pub fn push(&mut self, piece: &[u8]) -> Result<(), TarballError> {
        self.packed_bytes += piece.len() as u64;
        let allowed = RATIO_FREE_BYTES.max(self.packed_bytes.saturating_mul(self.limits.ratio));
        self.gzip.get_mut().allow(allowed);
        let written = self.gzip.write_all(piece);
        self.explain(written)
    }

    /// Ends the tarball and tells what it holds.
    ///
    /// # Errors
    /// [`TarballError`] when it is incomplete or has no `package.json`.
    pub fn finish(mut self) -> Result<Contents, TarballError> {
        let ended = self.gzip.try_finish();
        self.explain(ended)?;
        let archive = self.gzip.finish().map_err(|_| TarballError::Gzip)?;
        archive.finish()
    }

    /// The archive's own reason when it has one, else the stream is to blame.
    fn explain(&mut self, outcome: io::Result<()>) -> Result<(), TarballError> {
        match (self.gzip.get_mut().take_error(), outcome) {
            (Some(error), _) => Err(error),
            (None, Ok(())) => Ok(()),
            (None, Err(_)) => Err(TarballError::Gzip),
        }
    }
}

#[cfg(test)]
mod tests;
