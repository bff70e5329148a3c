//! Fetches a package document: bounded on the wire and unpacked, kept only if it is one.

use std::io::Read;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use flate2::read::MultiGzDecoder;
use http::header::{CONTENT_ENCODING, ETAG, LAST_MODIFIED};
use http::{HeaderName, StatusCode};
use kernel::Timestamp;
use reqwest::Response;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use super::Uplinks;
use super::document::Foreign;
use super::error::FetchError;
use super::remote::{Remote, document_headers};
use super::sql::Said;
use crate::NpmName;

/// Documents that unpack to more than this are worked on one at a time, or a few would fill the memory.
const LARGE_BYTES: u64 = 16 << 20;
/// A whole document may take this many times as long as the uplink may keep silent.
const SILENCES: u32 = 4;
/// The longest header that is kept.
const MAX_VALIDATOR: usize = 512;

/// What a request for a document brings.
#[derive(Debug)]
pub(crate) enum Answer {
    /// Still the same.
    Unchanged,
    New(NewDocument),
}

/// A document as it came: in gzip or not, which its first bytes tell.
#[derive(Debug)]
pub(crate) struct NewDocument {
    pub(crate) bytes: Bytes,
    pub(crate) etag: Option<String>,
    pub(crate) last_modified: Option<String>,
}

/// A document's text, and the place that large ones hold.
pub(crate) struct Text {
    pub(crate) text: String,
    _place: Option<OwnedSemaphorePermit>,
}

impl Uplinks {
    /// Asks for a document; `said` is what is known already.
    pub(crate) async fn fetch_document(
        &self,
        remote: &Remote,
        name: &NpmName,
        said: Option<&Said>,
        now: Timestamp,
    ) -> Result<Answer, FetchError> {
        remote.breaker.admit(now).map_err(FetchError::Resting)?;
        let _place = remote.place(&remote.documents).await?;
        let etag = said.and_then(|said| said.etag.as_deref());
        let last_modified = said.and_then(|said| said.last_modified.as_deref());
        let headers = document_headers(etag, last_modified);
        let deadline = Instant::now() + remote.timeout * SILENCES;
        let response = remote.get(remote.document_address(name)?, &headers).await?;
        if response.status() == StatusCode::NOT_MODIFIED {
            let is_known = etag.is_some() || last_modified.is_some();
            let wrong = || FetchError::Wrong("says that what it never sent is unchanged".to_owned());
            return if is_known { Ok(Answer::Unchanged) } else { Err(wrong()) };
        }
        is_readable(&response)?;
        let etag = validator(&response, &ETAG);
        let last_modified = validator(&response, &LAST_MODIFIED);
        let bytes = self.body(remote, response, deadline).await?;
        let Text { text, _place } = self.text(bytes.clone()).await?;
        let name = name.clone();
        let check = move || Foreign::parse(&name, &text).map(|_| ());
        let checked = tokio::task::spawn_blocking(check).await.unwrap_or(Err("reading it fails"));
        checked
            .map_err(|reason| FetchError::Wrong(format!("sends a document that cannot be used: {reason}")))?;
        Ok(Answer::New(NewDocument { bytes, etag, last_modified }))
    }

    async fn body(
        &self,
        remote: &Remote,
        mut response: Response,
        deadline: Instant,
    ) -> Result<Bytes, FetchError> {
        let most = self.0.limits.document_bytes;
        let too_large = || FetchError::Wrong(format!("sends a document of more than {most} bytes"));
        if response.content_length().is_some_and(|length| length > most) {
            return Err(too_large());
        }
        let mut body = BytesMut::new();
        while let Some(chunk) = remote.chunk(&mut response, deadline).await? {
            if (body.len() + chunk.len()) as u64 > most {
                return Err(too_large());
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body.freeze())
    }

    /// Unpacks a document. Large ones wait for each other.
    pub(crate) async fn text(&self, bytes: Bytes) -> Result<Text, FetchError> {
        let most = self.0.limits.decoded_bytes;
        match unpacked(bytes.clone(), LARGE_BYTES.min(most)).await {
            Err(Unpacked::TooLarge) if most > LARGE_BYTES => {}
            unpacked => return text(unpacked, most, None),
        }
        let place = Arc::clone(&self.0.large).acquire_owned().await.ok();
        text(unpacked(bytes, most).await, most, place)
    }
}

fn text(
    unpacked: Result<String, Unpacked>,
    most: u64,
    place: Option<OwnedSemaphorePermit>,
) -> Result<Text, FetchError> {
    let wrong = |reason: String| Err(FetchError::Wrong(reason));
    match unpacked {
        Ok(text) => Ok(Text { text, _place: place }),
        Err(Unpacked::TooLarge) => wrong(format!("sends a document that unpacks to more than {most} bytes")),
        Err(Unpacked::Damaged) => wrong("sends a document that cannot be unpacked".to_owned()),
        Err(Unpacked::NotText) => wrong("sends a document that is no UTF-8".to_owned()),
    }
}

enum Unpacked {
    TooLarge,
    Damaged,
    NotText,
}

/// On a thread of its own where it takes longer than a switch to one.
async fn unpacked(bytes: Bytes, most: u64) -> Result<String, Unpacked> {
    tokio::task::spawn_blocking(move || unpack(&bytes, most)).await.unwrap_or(Err(Unpacked::Damaged))
}

fn unpack(bytes: &[u8], most: u64) -> Result<String, Unpacked> {
    let mut unpacked = Vec::new();
    // JSON cannot begin so.
    if bytes.starts_with(&[0x1f, 0x8b]) {
        let mut decoder = MultiGzDecoder::new(bytes).take(most + 1);
        decoder.read_to_end(&mut unpacked).map_err(|_| Unpacked::Damaged)?;
    } else {
        unpacked
            .extend_from_slice(&bytes[..bytes.len().min(usize::try_from(most + 1).unwrap_or(usize::MAX))]);
    }
    if unpacked.len() as u64 > most {
        return Err(Unpacked::TooLarge);
    }
    String::from_utf8(unpacked).map_err(|_| Unpacked::NotText)
}

fn is_readable(response: &Response) -> Result<(), FetchError> {
    let encodings = response.headers().get_all(CONTENT_ENCODING);
    let known = ["gzip", "x-gzip", "identity"];
    for encoding in encodings.iter().filter_map(|value| value.to_str().ok()) {
        if !known.iter().any(|known| encoding.eq_ignore_ascii_case(known)) {
            let encoding: String = encoding.chars().take(20).collect();
            return Err(FetchError::Wrong(format!(
                "answers in the encoding {encoding}, which was not asked for"
            )));
        }
    }
    Ok(())
}

fn validator(response: &Response, header: &HeaderName) -> Option<String> {
    let value = response.headers().get(header)?.to_str().ok()?;
    (value.len() <= MAX_VALIDATOR).then(|| value.to_owned())
}
