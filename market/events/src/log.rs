//! Reading the log: from a position, following it, or with a cursor of one's own.

use std::sync::LazyLock;
use std::time::Duration;

use store::{Store, StoreError, Tx, args};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::{Event, sql};

/// How many events one read takes at the most.
const BATCH: u32 = 200;
/// How often a follower looks without having been woken: for what other processes wrote.
const POLL: Duration = Duration::from_millis(500);

/// How long a follower leaves between two looks at what is new: while much happens, it takes in much at once.
const PACE: Duration = Duration::from_millis(20);

/// Counts commits that wrote events in this process; followers wait for it to change. One for the whole
/// process is enough: a needless look costs one short query.
static WAKE: LazyLock<watch::Sender<u64>> = LazyLock::new(|| watch::Sender::new(0));

pub(crate) fn wake() {
    WAKE.send_modify(|count| *count = count.wrapping_add(1));
}

/// A place in the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    pub(crate) tx: i64,
    pub(crate) seq: i64,
}

impl Position {
    /// Before the first event.
    pub const START: Self = Self { tx: 0, seq: 0 };
}

/// The log of one database.
#[derive(Clone)]
pub struct Log {
    store: Store,
}

impl Log {
    /// The log in `store`.
    #[must_use]
    pub fn new(store: Store) -> Self {
        Self { store }
    }

    /// The next events after `position`, oldest first, at most 200.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn after(&self, position: Position) -> Result<Vec<Event>, StoreError> {
        let read = async move |tx: &mut Tx| list(tx, position).await;
        self.store.read(read).await
    }

    /// Where the log ends now: what is appended later comes after it.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn end(&self) -> Result<Position, StoreError> {
        let last = self.store.read(async |tx: &mut Tx| tx.first(&sql::FIND_LAST_POSITION, &[]).await).await?;
        Ok(last.unwrap_or_default())
    }

    /// Follows the log from `position` on.
    #[must_use]
    pub fn follow(&self, position: Position) -> Follower {
        Follower { log: self.clone(), position, woken: WAKE.subscribe(), looked_at: None }
    }

    /// Handles the next events of `consumer` and moves its cursor in the same transaction, so that each takes
    /// effect exactly once. Answers how many there were; 0 means that it has read everything. They are read beside
    /// the writer: only what `handle` does is in the way of other changes.
    ///
    /// # Errors
    /// What `handle` returned; the cursor then stays where it was.
    pub async fn consume<F, E>(&self, consumer: &'static str, handle: F) -> Result<usize, E>
    where
        F: AsyncFn(&mut Tx, &Event) -> Result<(), E> + Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let read = async move |tx: &mut Tx| {
            let cursor: Option<Position> = tx.first(&sql::READ_CURSOR, args![consumer]).await?;
            let cursor = cursor.unwrap_or_default();
            Ok::<_, E>((cursor, list(tx, cursor).await?))
        };
        let (began, events) = self.store.read(read).await?;
        let Some(last) = events.last().map(|event| event.position) else { return Ok(0) };
        let count = events.len();
        let work = async move |tx: &mut Tx| {
            let cursor: Option<Position> = tx.first(&sql::FIND_CURSOR, args![consumer]).await?;
            if cursor.unwrap_or_default() != began {
                return Ok(()); // another process was faster: these have had their effect
            }
            for event in &events {
                handle(tx, event).await?;
            }
            tx.execute(&sql::SET_CURSOR, args![consumer, last.tx, last.seq]).await?;
            Ok::<_, E>(())
        };
        self.store.write(work).await?;
        Ok(count)
    }
}

/// Moves the cursor of `consumer` to the end of the log: what is there now is of no interest to it.
///
/// # Errors
/// [`StoreError`] as any statement.
pub async fn skip(tx: &mut Tx, consumer: &'static str) -> Result<(), StoreError> {
    let end: Option<Position> = tx.first(&sql::FIND_LAST_POSITION, &[]).await?;
    let cursor: Option<Position> = tx.first(&sql::FIND_CURSOR, args![consumer]).await?;
    if let Some(end) = end
        && cursor != Some(end)
    {
        tx.execute(&sql::SET_CURSOR, args![consumer, end.tx, end.seq]).await?;
    }
    Ok(())
}

async fn list(tx: &mut Tx, position: Position) -> Result<Vec<Event>, StoreError> {
    tx.all(&sql::LIST_EVENTS_AFTER, args![position.tx, position.seq, BATCH]).await
}

/// A reader that waits for what comes.
pub struct Follower {
    log: Log,
    position: Position,
    woken: watch::Receiver<u64>,
    looked_at: Option<Instant>,
}

impl Follower {
    /// The next events, at least one; waits until there are some.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails; the position stays, so the call can be made again.
    pub async fn next(&mut self) -> Result<Vec<Event>, StoreError> {
        loop {
            self.keep_pace().await;
            self.woken.mark_unchanged();
            let events = self.log.after(self.position).await?;
            if events.len() == BATCH as usize {
                self.looked_at = None; // there is more
            }
            if let Some(last) = events.last() {
                self.position = last.position;
                return Ok(events);
            }
            let _ = tokio::time::timeout(POLL, self.woken.changed()).await;
        }
    }

    /// Waits until there may be something new.
    pub async fn wait(&mut self) {
        let _ = tokio::time::timeout(POLL, self.woken.changed()).await;
        self.keep_pace().await;
    }

    async fn keep_pace(&mut self) {
        if let Some(last) = self.looked_at {
            tokio::time::sleep_until(last + PACE).await;
        }
        self.looked_at = Some(Instant::now());
    }
}
