//! Digests: the SHA-256 that names a blob, and the others that package protocols ask for.

use std::fmt;
use std::str::FromStr;

use sha2::Digest;

/// The SHA-256 (FIPS 180-4) of a blob's bytes, which is its name, in its text form: 64 lower-case hexadecimal
/// digits, as it stands in rows, paths and logs.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Sha256([u8; 64]);

/// A text that is no SHA-256.
#[derive(Debug, thiserror::Error)]
#[error("expected 64 lower-case hexadecimal digits")]
pub struct DigestError;

impl Sha256 {
    /// The digest of `bytes`.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self::from_bytes(sha2::Sha256::digest(bytes).into())
    }

    /// From the raw 32 bytes.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut text = [0; 64];
        for (pair, byte) in text.chunks_exact_mut(2).zip(bytes) {
            pair[0] = DIGITS[usize::from(byte >> 4)];
            pair[1] = DIGITS[usize::from(byte & 15)];
        }
        Self(text)
    }

    /// The raw 32 bytes.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; 32] {
        let mut bytes = [0; 32];
        // The text is hexadecimal by construction.
        let _ = hex::decode_to_slice(self.0, &mut bytes);
        bytes
    }

    /// The text form.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// Where the blob lies below a folder or bucket prefix: `a/bc/abc…`. 16 × 256 folders keep each one
    /// small up to tens of millions of blobs, and are soon all there, so that a write seldom makes one.
    pub(crate) fn location(&self) -> String {
        let name = self.as_str();
        format!("{}/{}/{name}", &name[..1], &name[1..3])
    }
}

impl fmt::Display for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sha256({self})")
    }
}

impl FromStr for Sha256 {
    type Err = DigestError;
    fn from_str(text: &str) -> Result<Self, DigestError> {
        let digits: [u8; 64] = text.as_bytes().try_into().map_err(|_| DigestError)?;
        let lower = digits.iter().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(b));
        if lower { Ok(Self(digits)) } else { Err(DigestError) }
    }
}

store::id_values!(Sha256);

/// Which digests a writer computes beside the SHA-256.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Digests {
    /// None.
    #[default]
    Sha256Only,
    /// SHA-1 and SHA-512 too: what npm calls `shasum` and `integrity`.
    WithSha1AndSha512,
}

/// Hashes in one pass all that is asked for.
pub(crate) struct Hashing {
    sha256: sha2::Sha256,
    others: Option<(sha1::Sha1, sha2::Sha512)>,
}

/// What [`Hashing`] ends with.
pub(crate) struct Hashed {
    pub(crate) sha256: Sha256,
    pub(crate) others: Option<([u8; 20], [u8; 64])>,
}

impl Hashing {
    pub(crate) fn new(digests: Digests) -> Self {
        let others = (digests == Digests::WithSha1AndSha512).then(Default::default);
        Self { sha256: sha2::Sha256::new(), others }
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.sha256.update(bytes);
        if let Some((sha1, sha512)) = &mut self.others {
            sha1.update(bytes);
            sha512.update(bytes);
        }
    }

    pub(crate) fn finish(self) -> Hashed {
        let others = self.others.map(|(sha1, sha512)| (sha1.finalize().into(), sha512.finalize().into()));
        Hashed { sha256: Sha256::from_bytes(self.sha256.finalize().into()), others }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_digest_of_abc_is_that_of_the_standard() {
        let digest = Sha256::of(b"abc");
        let text = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(digest.to_string(), text);
        assert_eq!(text.parse::<Sha256>().unwrap(), digest);
        assert_eq!(digest.location(), format!("b/a7/{text}"));
    }

    #[test]
    fn other_texts_are_refused() {
        for text in ["", "ba78", &"g".repeat(64), &"A".repeat(64), &"a".repeat(65), "../../etc/passwd"] {
            assert!(text.parse::<Sha256>().is_err(), "{text}");
        }
    }
}
