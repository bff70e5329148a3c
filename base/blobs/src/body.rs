//! A blob on its way out: an HTTP body and a stream at once.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_util::Stream;
use futures_util::stream::BoxStream;
use http_body::{Frame, SizeHint};
use tokio::task::JoinHandle;

use crate::hot;

/// How much is read at once. Large enough that hyper's gathered write is full after four, small enough to stay in
/// the processor's cache between the read and the write.
const CHUNK_BYTES: usize = 128 * 1024;

/// How many buffers wait for their next use: 8 MB, that is what about 16 busy connections need.
const SPARE_BUFFERS: usize = 64;

/// The bytes of a blob or of a range of it. Its length is known, so HTTP sends a `Content-Length`.
pub struct Body {
    source: Source,
    left: u64,
}

enum Source {
    Memory(Bytes),
    File { file: Arc<File>, at: u64, waiting: Option<JoinHandle<io::Result<Bytes>>> },
    Remote(BoxStream<'static, io::Result<Bytes>>),
}

impl Body {
    pub(crate) fn memory(bytes: Bytes) -> Self {
        Self { left: bytes.len() as u64, source: Source::Memory(bytes) }
    }

    pub(crate) fn file(file: File, start: u64, end: u64) -> Self {
        let source = Source::File { file: Arc::new(file), at: start, waiting: None };
        Self { left: end.saturating_sub(start), source }
    }

    #[cfg_attr(not(feature = "s3"), allow(dead_code))]
    pub(crate) fn remote(stream: BoxStream<'static, io::Result<Bytes>>, size_bytes: u64) -> Self {
        Self { left: size_bytes, source: Source::Remote(stream) }
    }

    /// How many bytes are still to come.
    #[must_use]
    pub const fn left_bytes(&self) -> u64 {
        self.left
    }

    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        let chunk = match &mut self.source {
            Source::Memory(bytes) => Ok(std::mem::take(bytes)),
            Source::File { file, at, waiting } => {
                let chunk = ready!(poll_file(file, *at, self.left, waiting, cx));
                *at += chunk.as_ref().map_or(0, Bytes::len) as u64;
                chunk
            }
            Source::Remote(stream) => match ready!(stream.as_mut().poll_next(cx)) {
                Some(chunk) => chunk,
                None => Err(io::ErrorKind::UnexpectedEof.into()),
            },
        };
        // After an error, or more than was promised, nothing follows: the peer sees a body cut short.
        self.left = match &chunk {
            Ok(chunk) => self.left.saturating_sub(chunk.len() as u64),
            Err(_) => 0,
        };
        Poll::Ready(Some(chunk))
    }
}

fn poll_file(
    file: &Arc<File>,
    at: u64,
    left: u64,
    waiting: &mut Option<JoinHandle<io::Result<Bytes>>>,
    cx: &mut Context<'_>,
) -> Poll<io::Result<Bytes>> {
    if waiting.is_none() {
        let mut buffer = Buffer::take();
        let wanted = CHUNK_BYTES.min(usize::try_from(left).unwrap_or(CHUNK_BYTES));
        if let Some(read) = hot::read(file, &mut buffer.space()[..wanted], at) {
            return Poll::Ready(Ok(buffer.filled(read)));
        }
        // Not in memory. Reading it once makes the kernel read ahead, so that what follows mostly is.
        let file = Arc::clone(file);
        *waiting = Some(tokio::task::spawn_blocking(move || {
            file.read_exact_at(&mut buffer.space()[..wanted], at)?;
            Ok(buffer.filled(wanted))
        }));
    }
    let Some(job) = waiting else { return Poll::Pending };
    let chunk = ready!(Pin::new(job).poll(cx));
    *waiting = None;
    Poll::Ready(chunk.map_err(io::Error::other).flatten())
}

impl Stream for Body {
    type Item = io::Result<Bytes>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().poll_chunk(cx)
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        self.get_mut().poll_chunk(cx).map_ok(Frame::data)
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

/// A buffer that is used again: fresh ones cost a page fault every 4 kB.
struct Buffer {
    memory: Box<[u8]>,
    filled: usize,
}

static SPARE: Mutex<Vec<Box<[u8]>>> = Mutex::new(Vec::new());

impl Buffer {
    fn take() -> Self {
        let spare = SPARE.lock().unwrap_or_else(PoisonError::into_inner).pop();
        Self { memory: spare.unwrap_or_else(|| vec![0; CHUNK_BYTES].into()), filled: 0 }
    }

    fn space(&mut self) -> &mut [u8] {
        &mut self.memory
    }

    /// The first `bytes` of it as they go to the socket; the buffer comes back when they are gone.
    fn filled(mut self, bytes: usize) -> Bytes {
        self.filled = bytes;
        Bytes::from_owner(self)
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        &self.memory[..self.filled]
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let mut spare = SPARE.lock().unwrap_or_else(PoisonError::into_inner);
        if spare.len() < SPARE_BUFFERS {
            spare.push(std::mem::take(&mut self.memory));
        }
    }
}

/// All bytes of a small file, on a thread that may wait.
pub(crate) fn read_whole(file: &File, size_bytes: u64) -> io::Result<Bytes> {
    let mut buffer = vec![0; usize::try_from(size_bytes).map_err(io::Error::other)?];
    file.read_exact_at(&mut buffer, 0)?;
    Ok(buffer.into())
}
