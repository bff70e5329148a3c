//! The relay itself, from its first table to its end.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use kernel::Clock;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::control::Relay;
use crate::error::RelayError;
use crate::place::Place;
use crate::start::Settings;
use crate::table::Ports;

/// How long a relay that was told to leave keeps the connections it has.
const DRAIN: Duration = Duration::from_secs(60 * 60);

/// Is the relay of a data folder until `stop`, until told to leave, or until it has been idle for long enough. It
/// serves the last table at once, and then whatever it is told.
///
/// # Errors
/// [`RelayError::Taken`] when another process is that relay, [`RelayError::Folder`] when its files cannot be used.
pub async fn run(settings: Settings, clock: Clock, stop: CancellationToken) -> Result<(), RelayError> {
    let place = Place::of(&settings.data_dir);
    place.make()?;
    let lock = place.lock().await?;
    many_files();
    let cut = CancellationToken::new();
    // Whatever ends this function, also that nobody waits for it any more, ends its connections.
    let _all = cut.clone().drop_guard();
    let relay = Arc::new(Relay {
        ports: Ports::new(settings.listen, cut),
        started_at: clock.now(),
        speakers: AtomicUsize::new(0),
        left: CancellationToken::new(),
        place,
        settings,
    });
    relay.ports.apply(relay.place.last_table()).await;
    let hearing = CancellationToken::new();
    let _deaf = hearing.clone().drop_guard();
    let listener = relay.place.listen()?;
    tokio::spawn(Arc::clone(&relay).hear(listener, hearing.clone()));
    tokio::select! {
        () = stop.cancelled() => {}
        () = idle(&relay) => {}
        () = relay.left.cancelled() => {
            hearing.cancel();
            // Another may be the relay from now on.
            drop(lock);
            tokio::select! {
                () = stop.cancelled() => {}
                () = relay.ports.drained() => {}
                () = sleep(DRAIN) => {}
            }
            return Ok(());
        }
    }
    relay.place.forget_socket();
    relay.ports.close().await;
    Ok(())
}

/// Ends once there has been nothing to do, and nobody to talk to, for as long as the settings say. A relay whose folder
/// is gone leaves: nobody could ever speak to it again.
async fn idle(relay: &Relay) {
    let limit = relay.settings.idle;
    let pause = (limit / 10).clamp(Duration::from_millis(20), Duration::from_secs(10));
    let mut since = Instant::now();
    loop {
        sleep(pause).await;
        if !relay.left.is_cancelled() && !relay.place.socket().exists() {
            tracing::warn!("the folder of the relay is gone: it lets nobody in any more");
            relay.ports.close().await;
            relay.left.cancel();
        }
        if relay.left.is_cancelled()
            || relay.speakers.load(Ordering::SeqCst) > 0
            || !relay.ports.is_idle().await
        {
            since = Instant::now();
        }
        if since.elapsed() >= limit {
            return;
        }
    }
}

/// Every connection needs two files; what the system lets a process have is more than what it has at first.
fn many_files() {
    let limit = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }) {
        tracing::warn!(%error, "the number of connections stays limited");
    }
}
