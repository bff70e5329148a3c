//! Many callers who want the same thing at once: one goes, all get what comes back.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};

/// What all who wait for one flight hold. It goes on when they give up.
pub(crate) type Flight<V> = Shared<BoxFuture<'static, Option<V>>>;

type Running<K, V> = Arc<Mutex<HashMap<K, Flight<V>>>>;

/// The flights under way. `None` as the outcome means that the code of one panicked.
pub(crate) struct Flights<K, V>(Running<K, V>)
where
    V: Clone;

impl<K, V> Default for Flights<K, V>
where
    V: Clone,
{
    fn default() -> Self {
        Self(Arc::default())
    }
}

fn lock<K, V: Clone>(running: &Running<K, V>) -> MutexGuard<'_, HashMap<K, Flight<V>>> {
    running.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<K, V> Flights<K, V>
where
    K: Clone + Eq + Hash + Send + 'static,
    V: Clone + Send + Sync + 'static,
{
    /// Joins the flight for `key`, or starts it with what `start` makes. Runs in a task of its own.
    pub(crate) fn join<F>(&self, key: &K, start: impl FnOnce() -> F) -> Flight<V>
    where
        F: Future<Output = V> + Send + 'static,
    {
        let mut running = lock(&self.0);
        if let Some(flight) = running.get(key) {
            return flight.clone();
        }
        let landing = Landing { key: key.clone(), running: Arc::clone(&self.0) };
        let work = start();
        let task = tokio::spawn(async move {
            let _landing = landing;
            work.await
        });
        let flight = task.map(Result::ok).boxed().shared();
        running.insert(key.clone(), flight.clone());
        flight
    }
}

/// Takes a flight off the board when it is over, also when its code panicked.
struct Landing<K, V>
where
    K: Eq + Hash,
    V: Clone,
{
    key: K,
    running: Running<K, V>,
}

impl<K, V> Drop for Landing<K, V>
where
    K: Eq + Hash,
    V: Clone,
{
    fn drop(&mut self) {
        lock(&self.running).remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::panic)]
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[tokio::test]
    async fn one_goes_and_all_get_it() {
        let flights = Flights::<&str, u32>::default();
        let started = Arc::new(AtomicU32::new(0));
        let join = || {
            let started = Arc::clone(&started);
            flights.join(&"key", || async move {
                tokio::task::yield_now().await;
                started.fetch_add(1, Ordering::SeqCst) + 7
            })
        };
        let (first, second) = (join(), join());
        assert_eq!((first.await, second.await), (Some(7), Some(7)));
        assert_eq!(join().await, Some(8), "a landed flight is not joined");
    }

    #[tokio::test]
    async fn a_panic_ends_the_flight_for_all_and_the_next_one_starts() {
        let flights = Flights::<&str, u32>::default();
        assert_eq!(flights.join(&"key", || async { panic!("on purpose") }).await, None);
        assert_eq!(flights.join(&"key", || async { 1 }).await, Some(1));
    }
}
