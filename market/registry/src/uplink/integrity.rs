//! What a tarball's bytes must be: the digests of its document (W3C Subresource Integrity, and npm's `shasum`).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::Digest;

/// How many digests of one algorithm are looked at.
const MAX_DIGESTS: usize = 8;

/// The digests that were promised: any one of the strongest algorithm, and the SHA-1 where it is stated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Promise {
    strongest: Option<(Algorithm, Vec<Vec<u8>>)>,
    sha1: Option<[u8; 20]>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Algorithm {
    Sha1,
    Sha256,
    Sha384,
    Sha512,
}

impl Algorithm {
    fn of(word: &str) -> Option<Self> {
        match word {
            "sha1" => Some(Self::Sha1),
            "sha256" => Some(Self::Sha256),
            "sha384" => Some(Self::Sha384),
            "sha512" => Some(Self::Sha512),
            _ => None,
        }
    }

    const fn digest_bytes(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }
}

impl Promise {
    /// From `dist.integrity` and `dist.shasum`; `None` when nothing in them can be checked, or what is there
    /// is malformed: such a release is not taken.
    pub(crate) fn parse(integrity: Option<&str>, shasum: Option<&str>) -> Option<Self> {
        let sha1 = match shasum {
            Some(text) => {
                let mut bytes = [0; 20];
                hex::decode_to_slice(text, &mut bytes).ok()?;
                Some(bytes)
            }
            None => None,
        };
        let strongest = integrity.and_then(strongest);
        (strongest.is_some() || sha1.is_some()).then_some(Self { strongest, sha1 })
    }

    /// Starts hashing.
    pub(crate) fn check(&self) -> Check<'_> {
        let strong = self.strongest.as_ref().map(|(algorithm, _)| Hasher::new(*algorithm));
        Check { promise: self, strong, sha1: self.sha1.map(|_| sha1()) }
    }
}

/// Options after a question mark mean nothing yet (the standard reserves them).
fn strongest(integrity: &str) -> Option<(Algorithm, Vec<Vec<u8>>)> {
    let mut best: Option<(Algorithm, Vec<Vec<u8>>)> = None;
    for word in integrity.split_ascii_whitespace() {
        let Some((algorithm, digest)) = word.split_once('-') else { continue };
        let Some(algorithm) = Algorithm::of(algorithm) else { continue };
        let Ok(digest) = STANDARD.decode(digest.split('?').next().unwrap_or_default()) else { continue };
        if digest.len() != algorithm.digest_bytes() {
            continue;
        }
        match &mut best {
            Some((known, digests)) if *known == algorithm => {
                if digests.len() < MAX_DIGESTS {
                    digests.push(digest);
                }
            }
            Some((known, _)) if *known > algorithm => {}
            _ => best = Some((algorithm, vec![digest])),
        }
    }
    best
}

/// Hashes what comes.
pub(crate) struct Check<'a> {
    promise: &'a Promise,
    strong: Option<Hasher>,
    sha1: Option<Hasher>,
}

enum Hasher {
    Sha1(sha1::Sha1),
    Sha256(sha2::Sha256),
    Sha384(sha2::Sha384),
    Sha512(sha2::Sha512),
}

fn sha1() -> Hasher {
    Hasher::new(Algorithm::Sha1)
}

impl Hasher {
    fn new(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Sha1 => Self::Sha1(sha1::Sha1::new()),
            Algorithm::Sha256 => Self::Sha256(sha2::Sha256::new()),
            Algorithm::Sha384 => Self::Sha384(sha2::Sha384::new()),
            Algorithm::Sha512 => Self::Sha512(sha2::Sha512::new()),
        }
    }

    fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha1(hasher) => hasher.update(bytes),
            Self::Sha256(hasher) => hasher.update(bytes),
            Self::Sha384(hasher) => hasher.update(bytes),
            Self::Sha512(hasher) => hasher.update(bytes),
        }
    }

    fn finish(self) -> Vec<u8> {
        match self {
            Self::Sha1(hasher) => hasher.finalize().to_vec(),
            Self::Sha256(hasher) => hasher.finalize().to_vec(),
            Self::Sha384(hasher) => hasher.finalize().to_vec(),
            Self::Sha512(hasher) => hasher.finalize().to_vec(),
        }
    }
}

impl Check<'_> {
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        for hasher in [&mut self.strong, &mut self.sha1].into_iter().flatten() {
            hasher.update(bytes);
        }
    }

    /// Whether all that was promised holds.
    pub(crate) fn holds(self) -> bool {
        let strong = match (self.strong, &self.promise.strongest) {
            (Some(hasher), Some((_, digests))) => digests.contains(&hasher.finish()),
            _ => true,
        };
        let sha1 = match (self.sha1, &self.promise.sha1) {
            (Some(hasher), Some(digest)) => hasher.finish() == digest,
            _ => true,
        };
        strong && sha1
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const ABC_SHA1: &str = "a9993e364706816aba3e25717850c26c9cd0d89d";

    fn sha512(bytes: &[u8]) -> String {
        format!("sha512-{}", STANDARD.encode(sha2::Sha512::digest(bytes)))
    }

    fn holds(integrity: Option<&str>, shasum: Option<&str>) -> bool {
        let promise = Promise::parse(integrity, shasum).unwrap();
        let mut check = promise.check();
        check.update(b"a");
        check.update(b"bc");
        check.holds()
    }

    #[test]
    fn every_promise_must_hold() {
        let (right, wrong) = (sha512(b"abc"), sha512(b"abd"));
        let sha256 = format!("sha256-{}", STANDARD.encode(sha2::Sha256::digest(b"abc")));
        let sha384 = format!("sha384-{}", STANDARD.encode(sha2::Sha384::digest(b"abc")));
        for integrity in
            [&right, &sha256, &sha384, &format!("{wrong} {right}?x"), &format!("md5-xx== {right}")]
        {
            assert!(holds(Some(integrity), Some(ABC_SHA1)), "{integrity}");
        }
        assert!(holds(None, Some(&ABC_SHA1.to_uppercase())));
        assert!(!holds(Some(&wrong), Some(ABC_SHA1)));
        assert!(!holds(Some(&format!("{sha256} {wrong}")), None), "only the strongest counts");
        assert!(!holds(Some(&right), Some(&"0".repeat(40))));
    }

    #[test]
    fn what_promises_nothing_is_told() {
        for (integrity, shasum) in [
            (None, None),
            (Some(""), None),
            (Some("sha512-"), None),
            (Some("sha512-YWJj"), None),
            (Some("md5-xx=="), None),
            (Some(&*sha512(b"abc")), Some("xyz")),
            (None, Some("")),
        ] {
            assert_eq!(Promise::parse(integrity, shasum), None, "{integrity:?} {shasum:?}");
        }
    }
}
