//! Fills the index and keeps it current.

use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;
use std::time::Duration;

use events::{Event, Log};
use kernel::{Clock, Timestamp};
use serde::Deserialize;
use serde::de::IgnoredAny;
use store::{StoreError, Tx, args, json_list};

use super::entry::{Downloads, Entry, Head, Person};
use super::sql::{self, EntryRow};
use super::{Index, Search};
use crate::package::PackageId;

/// How many packages one transaction reads.
const PAGE: usize = 500;
/// How often downloads are read anew: they only move the ranking a little.
const DOWNLOADS_EVERY: Duration = Duration::from_secs(60);
/// How long to wait after the database failed.
const RETRY_AFTER: Duration = Duration::from_secs(1);

type Loaded = Vec<(Entry, Downloads)>;

impl Search {
    /// Fills the index and follows the event log for ever. Run it once per process, in the background.
    pub async fn keep_current(self, clock: Clock) -> Infallible {
        loop {
            let Err(error) = self.follow(&clock).await;
            tracing::warn!(%error, "the search index could not be read; trying again");
            tokio::time::sleep(RETRY_AFTER).await;
        }
    }

    async fn follow(&self, clock: &Clock) -> Result<Infallible, StoreError> {
        let log = Log::new(self.store.clone());
        // What changes while the index is filled comes after this place, and is read again.
        let mut follower = log.follow(log.end().await?);
        self.fill(clock.now()).await?;
        self.ready.send_replace(true);
        let mut downloads_at = clock.now().after(DOWNLOADS_EVERY);
        loop {
            let wait = downloads_at.since(clock.now());
            match tokio::time::timeout(wait, follower.next()).await {
                Ok(events) => self.apply(&events?, clock.now()).await?,
                Err(_) => {
                    self.read_downloads(clock.now()).await?;
                    downloads_at = clock.now().after(DOWNLOADS_EVERY);
                }
            }
        }
    }

    /// Builds a fresh index beside the present one, so that after a failure nothing stale is left.
    async fn fill(&self, now: Timestamp) -> Result<(), StoreError> {
        let mut index = Index::default();
        let mut after = String::new();
        loop {
            let from = after.clone();
            let (ids, loaded) = self
                .store
                .read(async move |tx: &mut Tx| {
                    let ids: Vec<PackageId> = tx
                        .all(&sql::LIST_FINDABLE, args![from, PAGE as i64])
                        .await?
                        .into_iter()
                        .map(|(id,)| id)
                        .collect();
                    let loaded = load(tx, &ids, now).await?;
                    Ok::<_, StoreError>((ids, loaded))
                })
                .await?;
            for (entry, downloads) in loaded {
                index.put(entry, downloads);
            }
            match ids.last() {
                Some(last) if ids.len() == PAGE => after = last.as_str().to_owned(),
                _ => break,
            }
        }
        self.change(|present| *present = index);
        Ok(())
    }

    /// Reads anew what the events are about.
    async fn apply(&self, events: &[Event], now: Timestamp) -> Result<(), StoreError> {
        let about_packages = events.iter().filter(|event| event.kind.starts_with("package."));
        let mut ids: Vec<PackageId> = about_packages.filter_map(|event| event.subject.parse().ok()).collect();
        ids.sort_unstable();
        ids.dedup();
        if ids.is_empty() {
            return Ok(());
        }
        let asked = ids.clone();
        let mut loaded = self.store.read(async move |tx: &mut Tx| load(tx, &asked, now).await).await?;
        self.change(|index| {
            for id in &ids {
                match loaded.iter().position(|(entry, _)| entry.id == *id).map(|at| loaded.swap_remove(at)) {
                    Some((entry, downloads)) => index.put(entry, downloads),
                    None => index.remove(id),
                }
            }
        });
        Ok(())
    }

    async fn read_downloads(&self, now: Timestamp) -> Result<(), StoreError> {
        let ids: Vec<PackageId> = self.look(|index| index.ids().cloned().collect());
        for page in ids.chunks(PAGE) {
            let page = page.to_vec();
            let sums = self.store.read(async move |tx: &mut Tx| sum_downloads(tx, &page, now).await).await?;
            self.change(|index| sums.iter().for_each(|(id, downloads)| index.set_downloads(id, *downloads)));
        }
        Ok(())
    }
}

/// Reads what can be found of `ids`.
async fn load(tx: &mut Tx, ids: &[PackageId], now: Timestamp) -> Result<Loaded, StoreError> {
    let list = json_list(ids);
    let rows: Vec<EntryRow> = tx.all(&sql::LIST_ENTRIES, args![list]).await?;
    let mut people: HashMap<PackageId, Vec<Person>> = HashMap::new();
    let maintainers: Vec<(PackageId, String, String)> =
        tx.all(&sql::LIST_MAINTAINERS_OF, args![list]).await?;
    for (id, account, username) in maintainers {
        people.entry(id).or_default().push(Person { account: account.into(), username: username.into() });
    }
    let mut downloads = sum_downloads(tx, ids, now).await?;
    let whole = |row: EntryRow| {
        let (maintainers, downloads) = (people.remove(&row.id), downloads.remove(&row.id));
        (entry(row, maintainers.unwrap_or_default()), downloads.unwrap_or_default())
    };
    Ok(rows.into_iter().map(whole).collect())
}

async fn sum_downloads(
    tx: &mut Tx,
    ids: &[PackageId],
    now: Timestamp,
) -> Result<HashMap<PackageId, Downloads>, StoreError> {
    let (month, week) = (now.day() - 30, now.day() - 7);
    let sums: Vec<(PackageId, u64, u64, u64)> =
        tx.all(&sql::SUM_DOWNLOADS_OF, args![json_list(ids), month, week]).await?;
    Ok(sums.into_iter().map(|(id, total, month, week)| (id, Downloads { total, month, week })).collect())
}

fn entry(row: EntryRow, maintainers: Vec<Person>) -> Entry {
    #[derive(Default, Deserialize)]
    struct Abbreviated {
        #[serde(default)]
        dependencies: BTreeMap<Box<str>, IgnoredAny>,
    }
    let head = Head::parse(&row.head);
    let abbreviated: Abbreviated = serde_json::from_str(&row.abbreviated).unwrap_or_default();
    Entry {
        id: row.id,
        ecosystem: row.ecosystem,
        name: row.name.into(),
        owner_kind: row.owner_kind,
        owner: row.owner.into(),
        access: row.access,
        latest: row.latest.into(),
        description: row.description.into(),
        keywords: head.keywords(),
        licence: head.licence(),
        author: head.author(),
        links: head.links(),
        maintainers: maintainers.into(),
        published_by: row.published_by.into(),
        published_at: row.published_at,
        deprecated: row.deprecated.map(Into::into),
        dependencies: abbreviated.dependencies.into_keys().collect(),
        created_at: row.created_at,
        updated_at: row.updated_at,
    }
}
