//! Packing as `npm pack` does: a gzipped tar with everything in `package/`, the same bytes every time.

use std::io;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::packages::Release;

/// What npm writes as the time of every file, so that a tarball does not depend on when it was made (1985-10-26).
const MTIME: u64 = 499_162_500;

pub(super) fn pack(release: &Release) -> io::Result<Vec<u8>> {
    let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::best()));
    for (name, content) in release.files() {
        let mut header = tar::Header::new_ustar();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        header.set_mtime(MTIME);
        archive.append_data(&mut header, format!("package/{name}"), content.as_slice())?;
    }
    archive.into_inner()?.finish()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::packages::RELEASES;
    use super::*;

    #[test]
    fn a_release_is_packed_into_the_same_bytes_each_time() {
        for release in RELEASES {
            let packed = pack(release).unwrap();
            assert_eq!(packed, pack(release).unwrap());
            let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(packed.as_slice()));
            assert!(
                archive.entries().unwrap().all(|entry| entry.unwrap().path().unwrap().starts_with("package"))
            );
        }
    }
}
