//! A document's bytes in the encodings that clients read: plain and gzip from the start, brotli once it is asked for.

use std::io::Write;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::HeaderValue;
use tokio::sync::{OnceCell, Semaphore};

/// Below this size compression costs more than it saves.
const MIN_BYTES: usize = 512;
/// How hard brotli tries, of 11. On package documents this is as quick as gzip and a sixth shorter; 5 takes two to
/// three times as long and is no shorter there.
const BROTLI_QUALITY: i32 = 4;

/// One document at a time is packed with brotli, so that it never takes all processors.
static BROTLI: Semaphore = Semaphore::const_new(1);

/// The name of an encoding of documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Coding {
    /// As they are.
    Identity,
    /// RFC 1952.
    Gzip,
    /// RFC 7932.
    Brotli,
}

impl Coding {
    /// What `Content-Encoding` says of it, if anything.
    pub(crate) fn header(self) -> Option<HeaderValue> {
        match self {
            Self::Identity => None,
            Self::Gzip => Some(HeaderValue::from_static("gzip")),
            Self::Brotli => Some(HeaderValue::from_static("br")),
        }
    }
}

/// A document's bytes in one encoding.
#[derive(Debug)]
pub struct Encoded {
    /// What is sent.
    pub bytes: Bytes,
    /// Strong: it tells revisions, forms and encodings apart.
    pub etag: HeaderValue,
}

/// A document's bytes in every encoding that we have of it.
#[derive(Debug)]
pub struct Encodings {
    /// Its bytes as they are.
    pub plain: Encoded,
    /// Its bytes in gzip, where that is shorter.
    pub gzip: Option<Encoded>,
    /// Its bytes in brotli once somebody asked, if that is shorter than gzip.
    brotli: OnceCell<Option<Encoded>>,
    /// What the ETag of brotli is, also before there is any: a client may have it from the time when there was.
    brotli_etag: HeaderValue,
}

impl Encodings {
    /// Packs a document. `stem` is what the ETags of all its encodings begin with: it must be another one for other
    /// bytes, and of characters that stand in an ETag.
    pub(crate) fn new(bytes: Vec<u8>, stem: &str) -> Self {
        let etag = |suffix: &str| {
            let text = format!("\"{stem}{suffix}\"");
            HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static("\"\""))
        };
        let gzip = gzip(&bytes).map(|bytes| Encoded { bytes: bytes.into(), etag: etag("z") });
        let plain = Encoded { bytes: bytes.into(), etag: etag("") };
        Self { plain, gzip, brotli: OnceCell::new(), brotli_etag: etag("b") }
    }

    /// How much memory this may ever take: brotli is kept only where it is shorter than gzip.
    pub(crate) fn weight_bytes(&self) -> u64 {
        let gzip = self.gzip.as_ref().map_or(0, |gzip| gzip.bytes.len());
        (self.plain.bytes.len() + 2 * gzip) as u64
    }

    /// The bytes in this encoding, or the next best one: gzip stands in while brotli is busy with another document.
    pub(crate) async fn get(&self, coding: Coding) -> (Coding, &Encoded) {
        if coding == Coding::Brotli
            && let Some(brotli) = self.brotli().await
        {
            return (Coding::Brotli, brotli);
        }
        match &self.gzip {
            Some(gzip) if coding != Coding::Identity => (Coding::Gzip, gzip),
            _ => (Coding::Identity, &self.plain),
        }
    }

    /// The ETag that the bytes in this encoding have, whether they are made already or not.
    pub(crate) fn etag(&self, coding: Coding) -> Option<&HeaderValue> {
        match coding {
            Coding::Identity => Some(&self.plain.etag),
            Coding::Gzip => self.gzip.as_ref().map(|gzip| &gzip.etag),
            // What gzip cannot shorten, brotli is not tried on.
            Coding::Brotli => self.gzip.is_some().then_some(&self.brotli_etag),
        }
    }

    async fn brotli(&self) -> Option<&Encoded> {
        if let Some(known) = self.brotli.get() {
            return known.as_ref();
        }
        let shorter_than = self.gzip.as_ref()?.bytes.len();
        let turn = BROTLI.try_acquire().ok()?;
        let plain = self.plain.bytes.clone();
        let pack = async || {
            let packed = tokio::task::spawn_blocking(move || {
                let packed = brotli(&plain);
                // The turn ends with the work, also when the one who asked has gone meanwhile.
                drop(turn);
                packed
            });
            let bytes = packed.await.ok().flatten().filter(|packed| packed.len() < shorter_than)?;
            Some(Encoded { bytes: bytes.into(), etag: self.brotli_etag.clone() })
        };
        self.brotli.get_or_init(pack).await.as_ref()
    }
}

/// The bytes in gzip, if that is shorter.
pub(crate) fn gzip(bytes: &[u8]) -> Option<Vec<u8>> {
    if bytes.len() < MIN_BYTES {
        return None;
    }
    let mut encoder = GzEncoder::new(Vec::with_capacity(bytes.len() / 4), Compression::default());
    encoder.write_all(bytes).ok()?;
    encoder.finish().ok().filter(|packed| packed.len() < bytes.len())
}

fn brotli(bytes: &[u8]) -> Option<Vec<u8>> {
    let params = brotli::enc::BrotliEncoderParams {
        quality: BROTLI_QUALITY,
        size_hint: bytes.len(),
        ..Default::default()
    };
    let mut packed = Vec::with_capacity(bytes.len() / 4);
    brotli::BrotliCompress(&mut &*bytes, &mut packed, &params).ok()?;
    packed.shrink_to_fit();
    Some(packed)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[tokio::test]
    async fn brotli_is_made_once_and_shorter_than_gzip() {
        let text = (0..2000).map(|n| format!("{{\"version\":\"1.0.{n}\"}}")).collect::<String>();
        let encodings = Encodings::new(text.clone().into_bytes(), "7");
        let (coding, first) = encodings.get(Coding::Brotli).await;
        assert_eq!((coding, first.etag.to_str().unwrap()), (Coding::Brotli, "\"7b\""));
        assert!(first.bytes.len() < encodings.gzip.as_ref().unwrap().bytes.len());
        let mut unpacked = Vec::new();
        brotli::BrotliDecompress(&mut &first.bytes[..], &mut unpacked).unwrap();
        assert_eq!(unpacked, text.as_bytes());
        let (_, again) = encodings.get(Coding::Brotli).await;
        assert_eq!(again.bytes.as_ptr(), first.bytes.as_ptr());
        let kept = encodings.plain.bytes.len() + first.bytes.len();
        assert!(encodings.weight_bytes() >= kept as u64, "what is kept was accounted for");
    }

    #[tokio::test]
    async fn what_is_short_stays_as_it_is() {
        let encodings = Encodings::new(b"{}".to_vec(), "7");
        for coding in [Coding::Brotli, Coding::Gzip, Coding::Identity] {
            let (sent, encoded) = encodings.get(coding).await;
            assert_eq!((sent, &encoded.bytes[..]), (Coding::Identity, &b"{}"[..]));
        }
        assert_eq!(encodings.etag(Coding::Brotli), None);
    }
}
