//! Tarballs of uplinks: sent on while they come, kept only when they are what was promised.

use std::io;
use std::sync::Arc;

use blobs::{Digests, NewBlob, Sha256, Written};
use bytes::Bytes;
use futures_util::stream::{self, BoxStream};
use futures_util::{StreamExt, TryStreamExt};
use kernel::Timestamp;
use store::{Tx, args};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use url::Url;

use super::Uplinks;
use super::document::{Foreign, version};
use super::error::{FetchError, UplinkError};
use super::flight::Flight;
use super::integrity::Promise;
use super::known::{Freshness, Known, known, panicked};
use super::organisation::Binding;
use super::policy::InForce;
use super::remote::{Remote, tarball_headers};
use super::sql::{self, Kept, Said};
use crate::NpmName;

/// Tarballs up to this size are stored before they are sent: the usual ones take one round trip anyway.
const SMALL_BYTES: u64 = 1 << 20;
/// How many pieces wait for a slow client before it gets the rest from the store.
const MAX_WAITING: usize = 32;
/// A whole tarball may take this many times as long as the uplink may keep silent.
const SILENCES: u32 = 20;
/// When a version is asked for that a document does not have, one that is older than this is asked anew.
const RECENT_SECONDS: u64 = 10;

/// A tarball of an uplink.
pub enum Tarball {
    /// It is in the blob store.
    Stored(StoredTarball),
    /// It comes just now. The last piece is held back until all is verified and stored; when it is not what was
    /// promised, the body ends with an error, and the connection is cut.
    Arriving {
        /// How long it is, if the uplink says so.
        size_bytes: Option<u64>,
        /// The bytes.
        body: BoxStream<'static, io::Result<Bytes>>,
    },
}

/// A tarball that was verified and is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoredTarball {
    /// Its name in the blob store.
    pub sha256: Sha256,
    /// How long it is.
    pub size_bytes: u64,
}

pub(crate) type Outcome = Result<Option<StoredTarball>, UplinkError>;

/// What is to be fetched.
struct Wanted {
    remote: Arc<Remote>,
    name: NpmName,
    version: String,
    url: Url,
    promise: Promise,
    published_at: Option<Timestamp>,
}

/// The first caller's end: told when a large tarball begins to come, then fed with it.
struct Live {
    started: Option<oneshot::Sender<Started>>,
    pieces: Option<mpsc::Sender<Bytes>>,
}

struct Started {
    size_bytes: Option<u64>,
    pieces: mpsc::Receiver<Bytes>,
}

impl Uplinks {
    /// A tarball by its file name, `name-1.0.0.tgz`. `None` when no uplink that may be asked has it.
    ///
    /// # Errors
    /// [`UplinkError`], also when the policy does not let the release through.
    pub async fn tarball(
        &self,
        name: &NpmName,
        file: &str,
        binding: &Binding,
        now: Timestamp,
    ) -> Result<Option<Tarball>, UplinkError> {
        let Some(key) = version_of(name, file) else { return Ok(None) };
        if !self.may_ask(name, binding).await? {
            return Ok(None);
        }
        match self.kept(name, key, binding, now).await? {
            Some(kept) => Ok(Some(Tarball::Stored(kept))),
            None => self.fetch(name, key, binding, now).await,
        }
    }

    /// Counts a tarball that was given to somebody.
    pub fn count_download(&self, name: &NpmName, file: &str, now: Timestamp) {
        if let Some(key) = version_of(name, file) {
            self.0.downloads.count(name, key, now);
        }
    }

    /// The tarball, if it is stored and the uplink whose document is given still is the one it came from.
    async fn kept(
        &self,
        name: &NpmName,
        key: &str,
        binding: &Binding,
        now: Timestamp,
    ) -> Result<Option<StoredTarball>, UplinkError> {
        let (package, release) = (name.clone(), key.to_owned());
        let read = async move |tx: &mut Tx| {
            let said: Vec<Said> = tx.all(&sql::LIST_DOCUMENTS, args![package]).await?;
            let kept: Vec<Kept> = tx.all(&sql::LIST_FILES, args![package, release]).await?;
            Ok::<_, store::StoreError>((said, kept))
        };
        let (said, kept) = self.0.store.read(read).await?;
        for remote in self.0.remotes.iter().filter(|remote| remote.has(name)) {
            let is_here =
                |uplink: &str, address: &str| uplink == &*remote.name && address == remote.address.as_str();
            let Some(said) = said.iter().find(|said| is_here(&said.uplink, &said.address)) else { break };
            if known(remote, said).is_none() {
                continue;
            }
            let Some(kept) = kept.iter().find(|kept| is_here(&kept.uplink, &kept.address)) else { break };
            Self::permit(name, key, kept.published_at, self.in_force(binding, now))?;
            let is_there = self.0.blobs.exists(kept.sha256).await?;
            return Ok(is_there.then_some(StoredTarball { sha256: kept.sha256, size_bytes: kept.size_bytes }));
        }
        Ok(None)
    }

    fn permit(
        name: &NpmName,
        key: &str,
        published_at: Option<Timestamp>,
        rules: InForce<'_>,
    ) -> Result<(), UplinkError> {
        let Some(version) = version(key) else { return Ok(()) };
        match rules.on_release(name, &version, published_at) {
            None => Ok(()),
            Some(refused) => Err(UplinkError::refused(format!("{name}@{key}"), refused)),
        }
    }

    /// Everybody who waits for a fetch was let through by the policies that bind them before.
    async fn fetch(
        &self,
        name: &NpmName,
        key: &str,
        binding: &Binding,
        now: Timestamp,
    ) -> Result<Option<Tarball>, UplinkError> {
        let Some(wanted) = self.wanted(name, key, now).await? else { return Ok(None) };
        Self::permit(name, key, wanted.published_at, self.in_force(binding, now))?;
        let flight_key = (Arc::clone(&wanted.remote.name), name.clone(), key.to_owned());
        let (started, is_started) = oneshot::channel();
        let flight = self.0.fetching.join(&flight_key, || {
            let uplinks = self.clone();
            let live = Live { started: Some(started), pieces: None };
            async move { uplinks.download(wanted, live, now).await }
        });
        // Only the one who began the flight hears of its start; the sender of all others is gone already.
        if let Ok(Started { size_bytes, pieces }) = is_started.await {
            return Ok(Some(Tarball::Arriving { size_bytes, body: self.arriving(pieces, flight) }));
        }
        let stored = flight.await.unwrap_or_else(|| Err(panicked()))?;
        Ok(stored.map(Tarball::Stored))
    }

    /// What the document says of the version. One that it does not have may be new: then it is asked again.
    async fn wanted(&self, name: &NpmName, key: &str, now: Timestamp) -> Result<Option<Wanted>, UplinkError> {
        for freshness in [Freshness::Usual, Freshness::Seconds(RECENT_SECONDS)] {
            let Some(known) = self.find(name, freshness, now).await? else { return Ok(None) };
            let wanted = self.look_up(&known, name, key, now).await?;
            let is_recent = now < known.checked_at.after(std::time::Duration::from_secs(RECENT_SECONDS));
            if wanted.is_some() || is_recent {
                return Ok(wanted);
            }
        }
        Ok(None)
    }

    async fn look_up(
        &self,
        known: &Known,
        name: &NpmName,
        key: &str,
        now: Timestamp,
    ) -> Result<Option<Wanted>, UplinkError> {
        let text = self.stored_text(known, name, now).await?;
        let (remote, name, version) = (Arc::clone(&known.remote), name.clone(), key.to_owned());
        let look_up = move || {
            let foreign = Foreign::parse(&name, &text.text).ok()?;
            let release = foreign.release(&version)?;
            let url = remote.tarball_address(&name, &version, release.address().as_deref()).ok()?;
            let (promise, published_at) = (release.promise.clone(), release.published_at);
            Some((remote, name.clone(), version.clone(), url, promise, published_at))
        };
        let found = tokio::task::spawn_blocking(look_up).await.map_err(|_| panicked())?;
        Ok(found.map(|(remote, name, version, url, promise, published_at)| Wanted {
            remote,
            name,
            version,
            url,
            promise,
            published_at,
        }))
    }

    async fn download(&self, wanted: Wanted, live: Live, now: Timestamp) -> Outcome {
        // Somebody else may have stored it between the caller's look and this flight.
        if let Some(kept) = self.kept(&wanted.name, &wanted.version, &Binding::default(), now).await? {
            return Ok(Some(kept));
        }
        let began = Instant::now();
        let received = self.receive(&wanted, live, now).await;
        match self.judged(&wanted.remote, "tarball", received, now.after(began.elapsed()))? {
            Some(Received::Verified(writer)) => {
                let written = writer.finish().await?;
                self.keep_file(&wanted, written, now).await.map(Some)
            }
            Some(Received::Tampered) => {
                let (uplink, release) =
                    (wanted.remote.name.to_string(), format!("{}@{}", wanted.name, wanted.version));
                tracing::error!(
                    uplink,
                    release,
                    "an uplink sent a tarball that is not the one its document names"
                );
                metrics::counter!("fondaco_uplink_tampered_total", "uplink" => uplink.clone()).increment(1);
                Err(UplinkError::Tampered { uplink, release })
            }
            None => Ok(None),
        }
    }

    async fn receive(&self, wanted: &Wanted, mut live: Live, now: Timestamp) -> Result<Received, FetchError> {
        let remote = &wanted.remote;
        remote.breaker.admit(now).map_err(FetchError::Resting)?;
        let _place = remote.place(&remote.tarballs).await?;
        let deadline = Instant::now() + remote.timeout * SILENCES;
        let mut response = remote.get(wanted.url.clone(), &tarball_headers()).await?;
        if response.status() != http::StatusCode::OK {
            return Err(FetchError::Wrong("says that a tarball it never sent is unchanged".to_owned()));
        }
        let max_bytes = self.0.limits.tarball_bytes;
        let too_large = || FetchError::Wrong(format!("sends a tarball of more than {max_bytes} bytes"));
        let length = response.content_length();
        if length.is_some_and(|length| length > max_bytes) {
            return Err(too_large());
        }
        if length.is_none_or(|length| length > SMALL_BYTES) {
            live.start(length);
        }
        let digests = Digests::Sha256Only;
        let mut writer = self.0.blobs.writer(NewBlob { max_bytes, digests, now });
        let mut check = wanted.promise.check();
        // One piece behind, so that nobody has all of it before it is verified.
        let mut held_back = Bytes::new();
        while let Some(chunk) = remote.chunk(&mut response, deadline).await? {
            check.update(&chunk);
            live.send(std::mem::replace(&mut held_back, chunk.clone()));
            writer.write(chunk).await.map_err(|error| match error {
                blobs::BlobError::TooLarge { .. } => too_large(),
                error => {
                    tracing::error!(%error, "a tarball of an uplink cannot be written");
                    FetchError::Own
                }
            })?;
        }
        Ok(if check.holds() { Received::Verified(writer) } else { Received::Tampered })
    }

    async fn keep_file(
        &self,
        wanted: &Wanted,
        written: Written,
        now: Timestamp,
    ) -> Result<StoredTarball, UplinkError> {
        let uplink = Arc::clone(&wanted.remote.name);
        let address = wanted.remote.address.to_string();
        let (name, version, published_at) =
            (wanted.name.clone(), wanted.version.clone(), wanted.published_at);
        let keep = async move |tx: &mut Tx| {
            blobs::refs::retain(tx, &written, now).await?;
            let before: Option<(Sha256,)> = tx.first(&sql::DELETE_FILE, args![uplink, name, version]).await?;
            if let Some((sha256,)) = before {
                blobs::refs::release(tx, sha256, now).await?;
            }
            let (sha256, size_bytes) = (written.sha256, written.size_bytes);
            let row = args![uplink, name, version, address, sha256, size_bytes, published_at, now, now];
            tx.execute(&sql::INSERT_FILE, row).await?;
            Ok::<_, blobs::refs::RefError>(())
        };
        self.0.store.write(keep).await?;
        Ok(StoredTarball { sha256: written.sha256, size_bytes: written.size_bytes })
    }

    /// The pieces as they come, then the rest from the store, once it is there.
    fn arriving(
        &self,
        pieces: mpsc::Receiver<Bytes>,
        flight: Flight<Outcome>,
    ) -> BoxStream<'static, io::Result<Bytes>> {
        let blobs = self.0.blobs.clone();
        let live = stream::unfold((pieces, 0_u64), |(mut pieces, sent)| async move {
            let piece = pieces.recv().await?;
            let sent = sent + piece.len() as u64;
            Some(((piece, sent), (pieces, sent)))
        });
        // How much was sent is only known when the live part ends, so the two are one state machine.
        let state = Arriving::Live { live: live.boxed(), sent: 0, flight, blobs };
        stream::try_unfold(state, Arriving::next).boxed()
    }
}

enum Received {
    Verified(blobs::Writer),
    Tampered,
}

enum Arriving {
    Live { live: BoxStream<'static, (Bytes, u64)>, sent: u64, flight: Flight<Outcome>, blobs: blobs::Blobs },
    Rest(blobs::Body),
}

impl Arriving {
    async fn next(self) -> io::Result<Option<(Bytes, Self)>> {
        match self {
            Self::Live { mut live, sent, flight, blobs } => match live.next().await {
                Some((piece, sent)) => Ok(Some((piece, Self::Live { live, sent, flight, blobs }))),
                None => match rest(sent, flight, &blobs).await? {
                    Some(body) => Self::Rest(body).rest().await,
                    None => Ok(None),
                },
            },
            this @ Self::Rest(_) => this.rest().await,
        }
    }

    async fn rest(self) -> io::Result<Option<(Bytes, Self)>> {
        let Self::Rest(mut body) = self else { return Ok(None) };
        Ok(body.try_next().await?.map(|piece| (piece, Self::Rest(body))))
    }
}

async fn rest(sent: u64, flight: Flight<Outcome>, blobs: &blobs::Blobs) -> io::Result<Option<blobs::Body>> {
    let stored = match flight.await {
        Some(Ok(Some(stored))) => stored,
        Some(Err(error)) => return Err(io::Error::other(error)),
        _ => return Err(io::ErrorKind::UnexpectedEof.into()),
    };
    if sent == stored.size_bytes {
        return Ok(None);
    }
    let body = blobs.read_range(stored.sha256, sent..stored.size_bytes).await;
    body.map(Some).map_err(io::Error::other)
}

impl Live {
    fn start(&mut self, size_bytes: Option<u64>) {
        let (sender, pieces) = mpsc::channel(MAX_WAITING);
        let told = self.started.take().map(|started| started.send(Started { size_bytes, pieces }));
        self.pieces = matches!(told, Some(Ok(()))).then_some(sender);
    }

    /// A client that is slower than the uplink holds nobody up: it gets the rest from the store.
    fn send(&mut self, piece: Bytes) {
        if piece.is_empty() {
            return;
        }
        if self.pieces.as_ref().is_some_and(|pieces| pieces.try_send(piece).is_err()) {
            self.pieces = None;
        }
    }
}

/// The version in the file name; `None` when it is no tarball of this package.
fn version_of<'f>(name: &NpmName, file: &'f str) -> Option<&'f str> {
    let key = file.strip_prefix(name.bare())?.strip_prefix('-')?.strip_suffix(".tgz")?;
    version(key).map(|_| key)
}
