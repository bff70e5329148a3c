//! What runs beside the ports: background work, upkeep of what is counted and cached.

use std::time::Duration;

use blobs::refs::Grace;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::surfaces::Surfaces;
use crate::config::{Config, Role};
use crate::rooms::Rooms;

/// How often counters are condensed and quiet clients forgotten.
const UPKEEP: Duration = Duration::from_secs(5);
/// How long an answer to a request with an Idempotency-Key is kept.
const KEEP_ANSWERS: Duration = Duration::from_secs(48 * 3600);
/// How often what is out of date is deleted.
const CLEAN_EVERY: Duration = Duration::from_secs(3600);
/// How often the cache of upstream package files is brought within its limit.
const EVICT_EVERY: Duration = Duration::from_secs(600);
/// How often files are looked for that no row knows of.
const ADOPT_EVERY: Duration = Duration::from_secs(7 * 24 * 3600);
/// How long background work may take to end.
const END: Duration = Duration::from_secs(10);

/// Everything that is counted from now on.
pub(super) fn metrics() -> anyhow::Result<PrometheusHandle> {
    let seconds = [0.000_1, 0.000_5, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 30.0];
    Ok(PrometheusBuilder::new().set_buckets(&seconds)?.install_recorder()?)
}

/// Starts it all; it ends after `stop`.
pub(super) fn start(
    config: &Config,
    rooms: &Rooms,
    surfaces: &Surfaces,
    metrics: &PrometheusHandle,
    stop: &CancellationToken,
) -> JoinSet<()> {
    let mut beside = JoinSet::new();
    let (limits, metrics) = (surfaces.limits(), metrics.clone());
    let upkeep = async move {
        loop {
            tokio::time::sleep(UPKEEP).await;
            metrics.run_upkeep();
            limits.iter().for_each(web::Limits::forget_quiet);
        }
    };
    spawn(&mut beside, stop, upkeep);
    let registry = rooms.registry.clone();
    spawn(&mut beside, stop, async move { registry.run().await });
    let payments = rooms.payments.clone();
    spawn(&mut beside, stop, async move { payments.run().await });
    let orders = rooms.orders.clone();
    spawn(&mut beside, stop, async move { orders.run().await });
    let payouts = rooms.payouts.clone();
    spawn(&mut beside, stop, async move { payouts.run().await });
    let identity = rooms.identity.clone();
    spawn(&mut beside, stop, async move { identity.keep().await });
    if config.has(Role::Orchestrator) {
        let (reconciler, end) = (rooms.services.reconciler(crate::engine::doors(config)), stop.clone());
        beside.spawn(async move {
            tokio::select! {
                () = end.cancelled() => reconciler.leave().await,
                () = reconciler.run() => {}
            }
        });
    }
    if config.has(Role::Worker) {
        let wallets = rooms.wallets.clone();
        spawn(&mut beside, stop, async move { wallets.run().await });
        let billing = rooms.billing.clone();
        spawn(&mut beside, stop, async move { billing.run().await });
        let webhooks = rooms.webhooks.clone();
        spawn(&mut beside, stop, async move { webhooks.run().await });
        let end = stop.clone();
        let runner = worker(rooms);
        beside.spawn(async move { runner.run(end.cancelled_owned()).await });
    }
    beside
}

/// Lets background work end and writes what is only in memory.
pub(super) async fn end(mut beside: JoinSet<()>, rooms: &Rooms) {
    let all = async { while beside.join_next().await.is_some() {} };
    if tokio::time::timeout(END, all).await.is_err() {
        tracing::warn!("background work was cut off; it is taken up again at the next start");
    }
    if let Err(error) = rooms.registry.flush_downloads().await {
        tracing::warn!(%error, "the last downloads could not be counted");
    }
}

/// Runs something until it is done or the program ends.
pub(super) fn spawn(
    beside: &mut JoinSet<()>,
    stop: &CancellationToken,
    work: impl Future<Output = ()> + Send + 'static,
) {
    let stop = stop.clone();
    beside.spawn(async move {
        tokio::select! {
            () = stop.cancelled() => {}
            () = work => {}
        }
    });
}

/// The recurring work of the program, once per period over all processes.
fn worker(rooms: &Rooms) -> jobs::Runner {
    let (clean, collect, adopt) = (rooms.clone(), rooms.clone(), rooms.clone());
    let (condense, carts) = (rooms.clone(), rooms.clone());
    let evict = rooms.clone();
    let runner = jobs::Runner::new(rooms.store.clone(), rooms.clock.clone());
    let runner = rooms.wallets.jobs(runner, rooms.mailer.clone());
    let runner = rooms.billing.jobs(runner, rooms.mailer.clone());
    let runner = rooms.services.jobs(runner, rooms.mailer.clone());
    let runner = rooms.tickets.jobs(runner, rooms.clock.clone());
    rooms
        .identity
        .jobs(runner, rooms.mailer.clone())
        .every("web.forget-answers", CLEAN_EVERY, move |_| {
            let rooms = clean.clone();
            async move {
                let before = rooms.clock.now().before(KEEP_ANSWERS);
                let forget = async move |tx: &mut store::Tx| web::idempotency::forget(tx, before).await;
                rooms.store.write(forget).await?;
                Ok(())
            }
        })
        .every("registry.evict-uplinks", EVICT_EVERY, move |_| {
            let rooms = evict.clone();
            async move {
                rooms.registry.evict_upstream(rooms.clock.now()).await?;
                Ok(())
            }
        })
        .every("orders.forget-carts", CLEAN_EVERY, move |_| {
            let rooms = carts.clone();
            async move {
                rooms.orders.forget_old_carts().await?;
                Ok(())
            }
        })
        .every("ledger.condense", CLEAN_EVERY, move |_| {
            let rooms = condense.clone();
            async move {
                ledger::condense(&rooms.store).await?;
                Ok(())
            }
        })
        .every("blobs.collect", CLEAN_EVERY, move |_| {
            let rooms = collect.clone();
            async move {
                blobs::refs::collect(&rooms.store, &rooms.blobs, Grace::default(), rooms.clock.now()).await?;
                Ok(())
            }
        })
        .every("blobs.adopt-orphans", ADOPT_EVERY, move |_| {
            let rooms = adopt.clone();
            async move {
                blobs::refs::adopt_orphans(&rooms.store, &rooms.blobs, rooms.clock.now()).await?;
                Ok(())
            }
        })
}
