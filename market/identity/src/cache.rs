//! What tokens and sessions resolved to a moment ago.
//!
//! An entry is good for five seconds, and only while nothing changed in this process: every change of accounts,
//! roles, tokens or sessions moves the generation on, which drops all entries at once. A read that was under way
//! meanwhile stores its result under the generation it began with, so it cannot bring back what was revoked.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ipnet::IpNet;
use kernel::Timestamp;
use quick_cache::sync::Cache as QuickCache;

use crate::actor::Actor;

/// How long another process's change may go unnoticed.
const GOOD_FOR: Duration = Duration::from_secs(5);
/// How many tokens are remembered; one takes about 500 bytes.
const CAPACITY: usize = 10_000;

/// What a token or session gives.
#[derive(Debug)]
pub(crate) struct Known {
    pub actor: Actor,
    /// The networks it may be used from; empty for any.
    pub cidrs: Vec<IpNet>,
    pub expires_at: Option<Timestamp>,
}

#[derive(Clone)]
struct Entry {
    generation: u64,
    read_at: Timestamp,
    /// `None` remembers that there is no such token.
    known: Option<Arc<Known>>,
}

pub(crate) struct Cache {
    entries: QuickCache<[u8; 32], Entry>,
    generation: AtomicU64,
}

impl Cache {
    pub(crate) fn new() -> Self {
        Self { entries: QuickCache::new(CAPACITY), generation: AtomicU64::new(0) }
    }

    /// The answer of a moment ago, if there is one.
    pub(crate) fn get(&self, hash: &[u8; 32], now: Timestamp) -> Option<Option<Arc<Known>>> {
        let entry = self.entries.get(hash)?;
        let fresh = now.since(entry.read_at) < GOOD_FOR && entry.read_at <= now;
        (fresh && entry.generation == self.generation()).then_some(entry.known)
    }

    /// To be asked before the read whose result is put in.
    pub(crate) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    pub(crate) fn put(&self, hash: [u8; 32], generation: u64, now: Timestamp, known: Option<Arc<Known>>) {
        self.entries.insert(hash, Entry { generation, read_at: now, known });
    }

    /// Drops everything.
    pub(crate) fn forget(&self) {
        self.generation.fetch_add(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1000);

    #[test]
    fn an_answer_is_good_for_five_seconds() {
        let cache = Cache::new();
        cache.put([1; 32], cache.generation(), NOW, None);
        assert!(cache.get(&[1; 32], NOW.after(Duration::from_secs(4))).is_some());
        assert!(cache.get(&[1; 32], NOW.after(Duration::from_secs(5))).is_none());
        assert!(cache.get(&[2; 32], NOW).is_none());
    }

    #[test]
    fn a_read_that_began_before_a_change_does_not_outlive_it() {
        let cache = Cache::new();
        let began = cache.generation();
        cache.forget();
        cache.put([1; 32], began, NOW, None);
        assert!(cache.get(&[1; 32], NOW).is_none());
    }
}
