//! A PUT on its way in: the tarball goes to the blob store and through the reader while it arrives, the rest of
//! the document is kept for the parser.

use axum::body::Body;
use blobs::{Digests, NewBlob, Writer, Written};
use bytes::Bytes;
use http_body_util::BodyExt;
use identity::{Action, Caller, Subject};
use kernel::{Problem, Timestamp};

use super::answer::Refusal;
use super::scan::{ScanError, Scanner};
use super::tarball::{Contents, TarballError, TarballReader};
use crate::api::fetch::Source;
use crate::registry::Registry;
use crate::{Ecosystem, NpmName, RegistryError};

/// How much is decoded, unpacked and hashed before other tasks get their turn.
const PIECE_BYTES: usize = 32 << 10;

/// A document that has arrived.
pub(super) struct Upload {
    /// The JSON with an empty text for the tarball's data.
    pub(super) document: Vec<u8>,
    /// What came with it.
    pub(super) tarball: Option<Tarball>,
}

/// A tarball that has arrived; its bytes are in the blob store.
pub(super) struct Tarball {
    /// Its key in `_attachments`.
    pub(super) key: String,
    pub(super) contents: Contents,
    pub(super) file: Written,
}

/// Takes a body in. A document without a tarball is taken in the same way; with one, the caller must be allowed to
/// publish before any of it is stored.
pub(super) async fn receive(
    registry: &Registry,
    by: &Caller,
    name: Option<&NpmName>,
    mut body: Body,
) -> Result<Upload, Refusal> {
    let received = receive_from(registry, by, name, &mut body).await;
    if received.is_err() {
        drain(body, registry.settings().max_publish_bytes).await;
    }
    received
}

/// Reads what still comes: a client that is cut off while it sends does not see the answer, and tries again.
async fn drain(mut body: Body, max_bytes: u64) {
    let mut left = max_bytes;
    while let Some(Ok(frame)) = body.frame().await {
        left = left.saturating_sub(frame.data_ref().map_or(0, |data| data.len() as u64));
        if left == 0 {
            return;
        }
    }
}

async fn receive_from(
    registry: &Registry,
    by: &Caller,
    name: Option<&NpmName>,
    body: &mut Body,
) -> Result<Upload, Refusal> {
    let settings = registry.settings();
    let mut scanner = Scanner::new(settings.max_document_bytes);
    let mut sink = Sink { registry, by, name, open: None };
    let mut received = 0u64;
    while let Some(frame) = body.frame().await {
        let frame =
            frame.map_err(|_| Refusal::malformed("The request was cut short. Nothing was published."))?;
        let Ok(chunk) = frame.into_data() else { continue };
        received += chunk.len() as u64;
        if received > settings.max_publish_bytes {
            return Err(too_large(settings.max_publish_bytes));
        }
        for piece in chunk.chunks(PIECE_BYTES) {
            let mut data = Vec::with_capacity(piece.len() * 3 / 4);
            scanner.push(piece, &mut data).map_err(|error| unreadable(&error))?;
            sink.take(data).await?;
            if chunk.len() > PIECE_BYTES {
                tokio::task::yield_now().await;
            }
        }
    }
    let scanned = scanner.finish().map_err(|error| unreadable(&error))?;
    let tarball = match scanned.tarball {
        Some(key) => Some(sink.finish(key).await?),
        None => None,
    };
    Ok(Upload { document: scanned.document, tarball })
}

/// Takes in a tarball that is fetched instead of sent.
pub(super) async fn receive_tarball(
    registry: &Registry,
    by: &Caller,
    name: &NpmName,
    key: String,
    mut source: Source,
) -> Result<Tarball, Refusal> {
    let mut sink = Sink { registry, by, name: Some(name), open: None };
    while let Some(chunk) = source.next().await? {
        for piece in chunk.chunks(PIECE_BYTES) {
            sink.take(piece.to_vec()).await?;
            tokio::task::yield_now().await;
        }
    }
    sink.finish(key).await
}

/// Where the tarball's bytes go.
struct Sink<'r> {
    registry: &'r Registry,
    by: &'r Caller,
    /// Where it is known before the body is read.
    name: Option<&'r NpmName>,
    open: Option<Box<(TarballReader, Writer)>>,
}

impl Sink<'_> {
    async fn take(&mut self, data: Vec<u8>) -> Result<(), Refusal> {
        if data.is_empty() {
            return Ok(());
        }
        if self.open.is_none() {
            self.check().await?;
        }
        let (reader, writer) = &mut **self.open.get_or_insert_with(|| begin(self.registry, self.by.now()));
        reader.push(&data).map_err(|error| refused(&error))?;
        writer.write(Bytes::from(data)).await.map_err(RegistryError::from)?;
        Ok(())
    }

    /// Whether the caller may publish this, or anything at all.
    async fn check(&self) -> Result<(), RegistryError> {
        let Some(name) = self.name else {
            self.by.may(Action::Publish, &Subject::Market)?;
            return Ok(());
        };
        self.registry.check_publish(self.by, Ecosystem::Npm, name.as_str(), name.scope()).await
    }

    async fn finish(self, key: String) -> Result<Tarball, Refusal> {
        let (reader, writer) = *self.open.ok_or_else(|| refused(&TarballError::Gzip))?;
        let contents = reader.finish().map_err(|error| refused(&error))?;
        let file = writer.finish().await.map_err(RegistryError::from)?;
        Ok(Tarball { key, contents, file })
    }
}

fn begin(registry: &Registry, now: Timestamp) -> Box<(TarballReader, Writer)> {
    let settings = registry.settings();
    let wanted = NewBlob { max_bytes: settings.max_publish_bytes, digests: Digests::WithSha1AndSha512, now };
    Box::new((TarballReader::new(settings.tarball), registry.blobs().writer(wanted)))
}

/// A body that is kept in memory, for the small requests.
pub(super) async fn small(body: Body, max_bytes: usize) -> Result<Bytes, Refusal> {
    let limited = http_body_util::Limited::new(body, max_bytes);
    let collected = limited.collect().await.map_err(|_| too_large(max_bytes as u64))?;
    Ok(collected.to_bytes())
}

fn too_large(max_bytes: u64) -> Refusal {
    let text = format!("The request is larger than {max_bytes} bytes. Nothing was changed.");
    Refusal(Problem::too_large("registry.too_large", text))
}

fn unreadable(error: &ScanError) -> Refusal {
    match error {
        ScanError::TooLarge(max_bytes) => too_large(*max_bytes as u64),
        other => Refusal::malformed(format!("The document cannot be read: {other}. Nothing was published.")),
    }
}

fn refused(error: &TarballError) -> Refusal {
    Refusal::malformed(format!("The tarball was refused: {error}. Nothing was published."))
}
