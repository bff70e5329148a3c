//! Search: one index in the memory of each process, filled from the database at start and kept current by the
//! event log, so that it is the same on both databases and needs no table of its own.

mod entry;
mod index;
mod keep;
mod npm;
mod query;
mod sql;
#[cfg(test)]
mod tests;
mod viewer;
mod words;

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use kernel::{Paging, Problem};
use store::Store;
use tokio::sync::watch;

pub use entry::{Downloads, Entry, Links, Person};
pub use index::Index;
pub use query::Query;
pub use viewer::Viewer;

use crate::package::PackageId;
use index::Candidate;

/// How long a search waits for the index just after the start of the program.
const PATIENCE: Duration = Duration::from_secs(10);
/// How many values of one kind are counted out for a person to choose among.
const MAX_CHOICES: usize = 8;

/// In which order results stand. Deprecated packages are last in each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sort {
    /// What fits best.
    #[default]
    Relevance,
    /// What is fetched most often.
    Downloads,
    /// What was published last.
    Newest,
}

impl Sort {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Relevance, Self::Downloads, Self::Newest];

    /// The word in addresses.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Relevance => "relevance",
            Self::Downloads => "downloads",
            Self::Newest => "newest",
        }
    }

    /// The order of this name; the usual one for any other text.
    #[must_use]
    pub fn of(text: &str) -> Self {
        Self::ALL.into_iter().find(|sort| sort.as_str() == text).unwrap_or_default()
    }
}

/// One result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hit {
    /// The package.
    pub entry: Arc<Entry>,
    /// How often it was fetched.
    pub downloads: Downloads,
    /// How well it fits; larger is better, and there is no largest.
    pub relevance: u32,
}

/// A page of results.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// The results of this page.
    pub hits: Vec<Hit>,
    /// How many there are on all pages.
    pub total: u64,
    /// How many there are by ecosystem, and by licence, whichever is chosen of them.
    pub ecosystems: Vec<(String, u64)>,
    /// The most frequent licences.
    pub licences: Vec<(String, u64)>,
    /// The same query with words put right that are nowhere to be found.
    pub did_you_mean: Option<String>,
}

/// What there is, in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Packages.
    pub packages: u64,
    /// Accounts that maintain one.
    pub publishers: u64,
    /// Downloads of the last 7 days.
    pub downloads_week: u64,
}

/// The search of one process. Cheap to clone.
#[derive(Clone)]
pub struct Search {
    store: Store,
    index: Arc<RwLock<Index>>,
    ready: Arc<watch::Sender<bool>>,
}

impl Search {
    /// A search over the packages in `store`; [`Search::keep_current`] fills it.
    #[must_use]
    pub fn new(store: Store) -> Self {
        Self { store, index: Arc::default(), ready: Arc::new(watch::Sender::new(false)) }
    }

    /// Finds packages that `viewer` may see.
    ///
    /// # Errors
    /// A 503 [`Problem`] when the index is still being filled after the start of the program.
    pub async fn search(
        &self,
        query: &Query,
        viewer: &Viewer,
        sort: Sort,
        paging: Paging,
    ) -> Result<Found, Problem> {
        self.wait().await?;
        Ok(self.look(|index| index.search(query, viewer, sort, paging)))
    }

    /// What there is for `viewer` to see.
    ///
    /// # Errors
    /// As [`Search::search`].
    pub async fn summary(&self, viewer: &Viewer) -> Result<Summary, Problem> {
        self.wait().await?;
        Ok(self.look(|index| index.summary(viewer)))
    }

    /// The packages whose latest version depends on `name`, the most fetched first, as far as `viewer` may see
    /// them, and how many there are.
    ///
    /// # Errors
    /// As [`Search::search`].
    pub async fn dependents(
        &self,
        name: &str,
        viewer: &Viewer,
        paging: Paging,
    ) -> Result<(Vec<Hit>, u64), Problem> {
        self.wait().await?;
        Ok(self.look(|index| index.dependents(name, viewer, paging)))
    }

    /// How often a package was fetched.
    #[must_use]
    pub fn downloads(&self, id: &PackageId) -> Downloads {
        self.look(|index| index.get(id).map(|(_, downloads)| downloads)).unwrap_or_default()
    }

    /// Waits until the index is filled.
    async fn wait(&self) -> Result<(), Problem> {
        let mut ready = self.ready.subscribe();
        let waited = tokio::time::timeout(PATIENCE, ready.wait_for(|ready| *ready)).await;
        match waited {
            Ok(Ok(_)) => Ok(()),
            _ => Err(Problem::unavailable("registry.search_starts", "The search is still being prepared.")
                .retry_after(5)),
        }
    }

    fn look<T>(&self, with: impl FnOnce(&Index) -> T) -> T {
        with(&self.index.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn change<T>(&self, with: impl FnOnce(&mut Index) -> T) -> T {
        with(&mut self.index.write().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Index {
    /// Finds packages that `viewer` may see: a page of them, and how many there are in all.
    #[must_use]
    pub fn search(&self, query: &Query, viewer: &Viewer, sort: Sort, paging: Paging) -> Found {
        let matched = self.find(query, viewer);
        let (mut ecosystems, mut licences) = (HashMap::new(), HashMap::new());
        let mut fitting = Vec::with_capacity(matched.candidates.len());
        for candidate in matched.candidates {
            let entry = candidate.entry;
            let (licence, ecosystem) = (query.admits_licence(entry), query.admits_ecosystem(entry));
            // Each count says what choosing that value instead of the present one would give.
            if licence {
                *ecosystems.entry(entry.ecosystem.as_str()).or_insert(0) += 1;
            }
            if ecosystem && !entry.licence.is_empty() {
                *licences.entry(&*entry.licence).or_insert(0) += 1;
            }
            if licence && ecosystem {
                fitting.push(candidate);
            }
        }
        let total = fitting.len() as u64;
        let hits = page(fitting, sort, paging);
        let did_you_mean = matched.did_you_mean.filter(|_| total > 0);
        Found { hits, total, ecosystems: choices(ecosystems), licences: choices(licences), did_you_mean }
    }

    fn summary(&self, viewer: &Viewer) -> Summary {
        let mut publishers = HashSet::new();
        let mut summary = Summary::default();
        for (entry, downloads) in self.visible(viewer) {
            summary.packages += 1;
            summary.downloads_week += downloads.week;
            publishers.extend(entry.maintainers.iter().map(|person| &*person.account));
        }
        summary.publishers = publishers.len() as u64;
        summary
    }

    fn dependents(&self, name: &str, viewer: &Viewer, paging: Paging) -> (Vec<Hit>, u64) {
        let depends = |entry: &Entry| entry.dependencies.iter().any(|dependency| **dependency == *name);
        let candidates = self.visible(viewer).filter(|(entry, _)| depends(entry));
        let candidate = |(entry, downloads)| Candidate { entry, downloads, relevance: 0, exact: false };
        let candidates: Vec<_> = candidates.map(candidate).collect();
        let total = candidates.len() as u64;
        (page(candidates, Sort::Downloads, paging), total)
    }
}

/// The asked page of the candidates in their order. Ties are decided by name and id, so that pages never overlap.
fn page(mut candidates: Vec<Candidate<'_>>, sort: Sort, paging: Paging) -> Vec<Hit> {
    candidates.sort_unstable_by_key(|candidate| {
        let entry = candidate.entry;
        let last = entry.deprecated.is_some() && !candidate.exact;
        let month = candidate.downloads.month;
        let order = match sort {
            Sort::Relevance => (u64::from(candidate.relevance), month),
            Sort::Downloads => (month, candidate.downloads.total),
            Sort::Newest => (0, 0),
        };
        (last, Reverse((order, entry.published_at)), &entry.name, &entry.id)
    });
    let shown = candidates.into_iter().skip(paging.offset as usize).take(paging.limit as usize);
    shown
        .map(|Candidate { entry, downloads, relevance, .. }| Hit {
            entry: Arc::clone(entry),
            downloads,
            relevance,
        })
        .collect()
}

/// The most frequent values, then by name.
fn choices(counts: HashMap<&str, u64>) -> Vec<(String, u64)> {
    let mut choices: Vec<_> = counts.into_iter().map(|(value, count)| (value.to_owned(), count)).collect();
    choices.sort_unstable_by(|(a, many), (b, few)| few.cmp(many).then_with(|| a.cmp(b)));
    choices.truncate(MAX_CHOICES);
    choices
}
