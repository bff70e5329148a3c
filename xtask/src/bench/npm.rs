//! Packages as `npm publish` sends them.

use anyhow::Result;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::json;
use sha1::Sha1;
use sha2::{Digest, Sha512};

/// The body of `PUT /<name>` that publishes one version with `payload` as one of its files.
///
/// # Errors
/// Only if memory cannot be written to.
pub(super) fn publish_document(name: &str, version: &str, payload: &[u8]) -> Result<Vec<u8>> {
    let manifest = json!({
        "name": name,
        "version": version,
        "description": "A package that exists to be measured",
        "main": "index.js",
        "license": "MIT",
        "keywords": ["bench", "example"],
        "dependencies": { "example-left": "^1.0.0", "example-right": "~2.3.4" },
    });
    let tarball = tarball(&serde_json::to_vec(&manifest)?, payload)?;
    let file = format!("{name}-{version}.tgz");

    let mut entry = manifest;
    entry["_id"] = json!(format!("{name}@{version}"));
    entry["readme"] = json!("# bench\n\nNothing to see.\n");
    entry["dist"] = json!({
        "integrity": format!("sha512-{}", STANDARD.encode(Sha512::digest(&tarball))),
        "shasum": Sha1::digest(&tarball).iter().map(|byte| format!("{byte:02x}")).collect::<String>(),
        "tarball": format!("http://localhost/{name}/-/{file}"),
    });
    let document = json!({
        "_id": name,
        "name": name,
        "description": entry["description"],
        "access": "public",
        "dist-tags": { "latest": version },
        "versions": { version: entry },
        "_attachments": {
            file: {
                "content_type": "application/octet-stream",
                "data": STANDARD.encode(&tarball),
                "length": tarball.len(),
            }
        },
    });
    Ok(serde_json::to_vec(&document)?)
}

fn tarball(manifest: &[u8], payload: &[u8]) -> Result<Vec<u8>> {
    let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    for (path, bytes) in [("package/package.json", manifest), ("package/index.js", payload)] {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, path, bytes)?;
    }
    Ok(archive.into_inner()?.finish()?)
}

/// Bytes that do not compress, the same at every run (xorshift64).
pub(super) fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let words = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    });
    words.flatten().take(length).collect()
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn the_document_holds_a_tarball_of_its_integrity() {
        let bytes = publish_document("bench-a", "1.2.3", b"module.exports = 1").unwrap();
        let document: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        let attachment = &document["_attachments"]["bench-a-1.2.3.tgz"];
        let tarball = STANDARD.decode(attachment["data"].as_str().unwrap()).unwrap();
        assert_eq!(attachment["length"], tarball.len());
        let integrity = format!("sha512-{}", STANDARD.encode(Sha512::digest(&tarball)));
        assert_eq!(document["versions"]["1.2.3"]["dist"]["integrity"], integrity);

        let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(tarball.as_slice()));
        let mut first = archive.entries().unwrap().next().unwrap().unwrap();
        let mut manifest = String::new();
        first.read_to_string(&mut manifest).unwrap();
        assert!(manifest.contains("\"version\":\"1.2.3\""));
    }

    #[test]
    fn noise_has_its_length_and_does_not_compress() {
        let noise = noise(100_003);
        assert_eq!(noise.len(), 100_003);
        assert!(tarball(b"{}", &noise).unwrap().len() > 100_000);
    }
}
