//! Who needs a blob, and the removal of what nobody needs.
//!
//! A publish writes the bytes first and [`retain`]s them in the transaction of its own rows; deleting a row
//! [`release`]s them in the same way. [`collect`] removes bytes that nobody has needed for a grace time, in
//! three steps: *doom* the row (compare-and-set, committed), remove the bytes, mark the row *removed*.
//!
//! Why a publish cannot lose its bytes to it: `retain` refuses (with [`RefError::Vanished`]) when the row is
//! doomed, or was marked removed after the writer started. If it succeeds, then either no removal of these
//! bytes was under way since the writer started, so that what it wrote, or found there, is there still; or the
//! removal had ended before, and the writer saw that the bytes were missing and wrote them. From then on the
//! count is not zero and the row cannot be doomed. The caller of a refused `retain` stores the bytes again.
//! That happens only to content that lay idle for the whole grace time and is published in the very moment of
//! its removal.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use futures_util::TryStreamExt;
use kernel::{Problem, Timestamp};
use store::{Store, StoreError, Tx, args, json_list, sql};

use crate::{BlobError, Blobs, Sha256, Written};

sql! {
    RETAIN_WRITTEN = "insert into stored_blob (sha256, size_bytes, reference_count, changed_at) values ($1, $2, 1, $3)
        on conflict (sha256) do update
        set reference_count = stored_blob.reference_count + 1, changed_at = $3, removed_at = null
        where stored_blob.doomed_at is null and (stored_blob.removed_at is null or stored_blob.removed_at < $4)";
    RETAIN_KNOWN = "update stored_blob set reference_count = reference_count + 1, changed_at = $2
        where sha256 = $1 and doomed_at is null and removed_at is null";
    RELEASE = "update stored_blob set reference_count = reference_count - 1, changed_at = $2
        where sha256 = $1 and reference_count > 0";
    DOOM_IDLE = "update stored_blob set doomed_at = $1
        where reference_count = 0 and sha256 in (
            select sha256 from stored_blob
            where reference_count = 0 and removed_at is null
            and ((doomed_at is null and changed_at < $2) or doomed_at < $3)
            order by changed_at limit $4)
        returning sha256, size_bytes";
    MARK_REMOVED = "update stored_blob set doomed_at = null, removed_at = $2
        where sha256 in each($1) and doomed_at = $3";
    FORGET_REMOVED = "delete from stored_blob where removed_at < $1";
    LIST_KNOWN = "select sha256 from stored_blob where removed_at is null and sha256 in each($1)";
    ADOPT = "insert into stored_blob (sha256, size_bytes, reference_count, changed_at) values ($1, $2, 0, $3)
        on conflict (sha256) do update set removed_at = null, changed_at = $3 where stored_blob.removed_at is not null";
    LIST_NEEDED = "select sha256, size_bytes from stored_blob where reference_count > 0 and sha256 > $1
        order by sha256 limit $2";
    SUM_BLOBS = "select count(*), cast(coalesce(sum(size_bytes), 0) as bigint) from stored_blob where removed_at is null";
}

/// The longest time between making a writer and retaining what it wrote. Removed rows are remembered for twice
/// as long.
const LONGEST_WRITE: Duration = Duration::from_secs(6 * 3600);

/// How long after dooming a collector may still remove; and, ten times that, when another one takes over what
/// a dead one left doomed. So a collector that was suspended does not remove what was stored again since.
const REMOVAL_TIME: Duration = Duration::from_secs(60);

/// How many blobs are doomed at once.
const BATCH: usize = 500;

/// Why a reference cannot be changed.
#[derive(Debug, thiserror::Error)]
pub enum RefError {
    /// The bytes are being removed, or were since they were written. Store them again.
    #[error("blob {0} was removed meanwhile: store it again")]
    Vanished(Sha256),
    /// More was released than retained, which is a mistake in the code.
    #[error("blob {0} has no reference that could be released")]
    NotHeld(Sha256),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<RefError> for Problem {
    fn from(error: RefError) -> Self {
        match error {
            RefError::Store(error) => error.into(),
            RefError::Vanished(_) => Self::unavailable(
                "blobs.vanished",
                "The same file was just being cleaned away. Nothing was changed.",
            )
            .next("Send it again.")
            .retry_after(10),
            RefError::NotHeld(sha256) => {
                tracing::error!(%sha256, "a blob was released more often than retained");
                Self::internal("blobs.not_held", "The file's references do not add up. Nothing was changed.")
            }
        }
    }
}

/// Counts one more reference to what was just written.
///
/// # Errors
/// [`RefError::Vanished`] when it must be stored again.
pub async fn retain(tx: &mut Tx, written: &Written, now: Timestamp) -> Result<(), RefError> {
    if now.since(written.started_at) > LONGEST_WRITE {
        return Err(RefError::Vanished(written.sha256));
    }
    let row = args![written.sha256, written.size_bytes, now, written.started_at];
    match tx.execute(&RETAIN_WRITTEN, row).await? {
        0 => Err(RefError::Vanished(written.sha256)),
        _ => Ok(()),
    }
}

/// Counts one more reference to a blob that is stored already, such as one that another row refers to.
///
/// # Errors
/// [`RefError::Vanished`] when it is not there or being removed.
pub async fn retain_known(tx: &mut Tx, sha256: Sha256, now: Timestamp) -> Result<(), RefError> {
    match tx.execute(&RETAIN_KNOWN, args![sha256, now]).await? {
        0 => Err(RefError::Vanished(sha256)),
        _ => Ok(()),
    }
}

/// Counts one reference less. The bytes stay for the grace time of [`collect`].
///
/// # Errors
/// [`RefError::NotHeld`] when nobody held one.
pub async fn release(tx: &mut Tx, sha256: Sha256, now: Timestamp) -> Result<(), RefError> {
    match tx.execute(&RELEASE, args![sha256, now]).await? {
        0 => Err(RefError::NotHeld(sha256)),
        _ => Ok(()),
    }
}

/// The next blobs that somebody needs, with their lengths, in the order of their names; from the first on where
/// `after` is `None`. A backup goes through them in one snapshot.
///
/// # Errors
/// [`StoreError`].
pub async fn needed(
    tx: &mut Tx,
    after: Option<Sha256>,
    limit: u32,
) -> Result<Vec<(Sha256, u64)>, StoreError> {
    let after = after.as_ref().map_or("", Sha256::as_str);
    tx.all(&LIST_NEEDED, args![after, limit]).await
}

/// How many blobs there are, and how many bytes they have together.
///
/// # Errors
/// [`StoreError`].
pub async fn totals(tx: &mut Tx) -> Result<(u64, u64), StoreError> {
    tx.one(&SUM_BLOBS, args![]).await
}

/// When something may be removed.
#[derive(Clone, Copy, Debug)]
pub struct Grace {
    /// How long a blob must have been without references.
    pub idle: Duration,
    /// By how much the clocks of the machines that share the database may differ.
    pub clock_skew: Duration,
}

impl Default for Grace {
    /// A day, and five seconds.
    fn default() -> Self {
        Self { idle: Duration::from_secs(24 * 3600), clock_skew: Duration::from_secs(5) }
    }
}

/// What [`collect`] did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Collected {
    /// How many blobs were removed.
    pub blobs: u64,
    /// How many bytes they had.
    pub size_bytes: u64,
}

/// Removes what nobody has needed for the grace time. Meant to run as a recurring job; several at once, and one
/// that is killed at any point, do no harm.
///
/// # Errors
/// The database's or the storage's; what is not removed then is removed next time.
pub async fn collect(
    store: &Store,
    blobs: &Blobs,
    grace: Grace,
    now: Timestamp,
) -> Result<Collected, CollectError> {
    let begun = Instant::now();
    let mut total = Collected::default();
    loop {
        let batch = collect_batch(store, blobs, grace, now.after(begun.elapsed())).await?;
        total.blobs += batch.blobs;
        total.size_bytes += batch.size_bytes;
        if batch.blobs < BATCH as u64 {
            break;
        }
    }
    let forget = now.before(grace.idle.max(LONGEST_WRITE * 2));
    store.write(async move |tx| tx.execute(&FORGET_REMOVED, args![forget]).await).await?;
    Ok(total)
}

async fn collect_batch(
    store: &Store,
    blobs: &Blobs,
    grace: Grace,
    doomed_at: Timestamp,
) -> Result<Collected, CollectError> {
    let begun = Instant::now();
    let (idle_since, abandoned) = (doomed_at.before(grace.idle), doomed_at.before(REMOVAL_TIME * 10));
    let doomed: Vec<(Sha256, u64)> = store
        .write(async move |tx| tx.all(&DOOM_IDLE, args![doomed_at, idle_since, abandoned, BATCH]).await)
        .await?;
    let mut removed = Vec::with_capacity(doomed.len());
    let mut size_bytes = 0;
    for (sha256, size) in doomed {
        if begun.elapsed() > REMOVAL_TIME {
            break;
        }
        match blobs.remove(sha256).await {
            Ok(()) => {
                removed.push(sha256.to_string());
                size_bytes += size;
            }
            // It stays doomed; a later collector tries again.
            Err(error) => tracing::error!(%sha256, %error, "a blob that nobody needs cannot be removed"),
        }
    }
    let count = removed.len() as u64;
    let names = json_list(removed);
    let removed_at = doomed_at.after(begun.elapsed()).after(grace.clock_skew);
    store.write(async move |tx| tx.execute(&MARK_REMOVED, args![names, removed_at, doomed_at]).await).await?;
    Ok(Collected { blobs: count, size_bytes })
}

/// Finds bytes without a row, which a process left that died between writing and its transaction, and gives
/// them an idle row, so that [`collect`] removes them after the grace time. Lists the whole storage: meant to
/// run once a week. Answers how many there were.
///
/// # Errors
/// The database's or the storage's.
pub async fn adopt_orphans(store: &Store, blobs: &Blobs, now: Timestamp) -> Result<u64, CollectError> {
    let mut adopted = 0;
    let mut listed = blobs.list();
    while let Some(stored) = listed.try_next().await? {
        if stored.is_empty() {
            continue;
        }
        let names = json_list(stored.iter().map(|(sha256, _)| sha256.to_string()));
        let known: Vec<(Sha256,)> =
            store.read(async move |tx| tx.all(&LIST_KNOWN, args![names]).await).await?;
        let known: HashSet<Sha256> = known.into_iter().map(|(sha256,)| sha256).collect();
        let orphans: Vec<_> = stored.into_iter().filter(|(sha256, _)| !known.contains(sha256)).collect();
        if orphans.is_empty() {
            continue;
        }
        adopted += orphans.len() as u64;
        store.write(async move |tx| adopt(tx, &orphans, now).await).await?;
    }
    Ok(adopted)
}

async fn adopt(tx: &mut Tx, orphans: &[(Sha256, u64)], now: Timestamp) -> Result<(), StoreError> {
    for (sha256, size_bytes) in orphans {
        tx.execute(&ADOPT, args![sha256, size_bytes, now]).await?;
    }
    Ok(())
}

/// Why a collection stopped.
#[derive(Debug, thiserror::Error)]
pub enum CollectError {
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The storage failed.
    #[error(transparent)]
    Blobs(#[from] BlobError),
}
