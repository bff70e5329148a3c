//! One open port: lets connections in, finds the target, counts.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::forward::forward;
use crate::route::{Route, RouteState};

/// How long one attempt to reach the target may take.
const CONNECT: Duration = Duration::from_secs(5);
/// How long a target that refuses, or is not known yet, is waited for.
const COMING_UP: Duration = Duration::from_secs(2);
const RETRY: Duration = Duration::from_millis(20);
/// How long to wait when the system has no file left for another connection.
const EXHAUSTED: Duration = Duration::from_millis(50);

/// What is known of one open port.
#[derive(Debug)]
pub(crate) struct Live {
    listen_port: u16,
    deployment: String,
    target: watch::Sender<Option<SocketAddr>>,
    max_connections: AtomicU32,
    connections: AtomicU32,
    connections_total: AtomicU64,
    refused_total: AtomicU64,
    failed_total: AtomicU64,
    bytes_in: AtomicU64,
    bytes_out: AtomicU64,
    /// Ends every connection.
    pub(crate) cut: CancellationToken,
}

/// One connection of the limit's; given back when dropped.
struct Place<'a>(&'a AtomicU32);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Live {
    pub(crate) fn new(route: &Route, cut: CancellationToken) -> Self {
        Self {
            listen_port: route.listen_port,
            deployment: route.deployment.clone(),
            target: watch::Sender::new(route.target),
            max_connections: AtomicU32::new(route.max_connections),
            connections: AtomicU32::new(0),
            connections_total: AtomicU64::new(0),
            refused_total: AtomicU64::new(0),
            failed_total: AtomicU64::new(0),
            bytes_in: AtomicU64::new(0),
            bytes_out: AtomicU64::new(0),
            cut,
        }
    }

    pub(crate) fn deployment(&self) -> &str {
        &self.deployment
    }

    /// Takes over what may change of a route.
    pub(crate) fn update(&self, route: &Route) {
        self.max_connections.store(route.max_connections, Ordering::Relaxed);
        self.target.send_if_modified(|target| std::mem::replace(target, route.target) != route.target);
    }

    pub(crate) fn state(&self) -> RouteState {
        RouteState {
            listen_port: self.listen_port,
            deployment: self.deployment.clone(),
            target: *self.target.borrow(),
            connections: self.connections.load(Ordering::Relaxed),
            connections_total: self.connections_total.load(Ordering::Relaxed),
            refused_total: self.refused_total.load(Ordering::Relaxed),
            failed_total: self.failed_total.load(Ordering::Relaxed),
            bytes_in: self.bytes_in.load(Ordering::Relaxed),
            bytes_out: self.bytes_out.load(Ordering::Relaxed),
        }
    }

    /// Lets connections in until `closed`; those let in live on.
    pub(crate) async fn accept(
        self: Arc<Self>,
        listener: Arc<TcpListener>,
        closed: CancellationToken,
        all: TaskTracker,
    ) {
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = closed.cancelled() => return,
            };
            match accepted {
                Ok((client, _)) => {
                    let live = Arc::clone(&self);
                    all.spawn(async move {
                        let cut = live.cut.clone();
                        tokio::select! {
                            () = live.serve(client) => {}
                            () = cut.cancelled() => {}
                        }
                    });
                }
                // The client was gone before it was let in, or the system has no file left: both pass.
                Err(error) => {
                    tracing::debug!(port = self.listen_port, %error, "a connection was not accepted");
                    sleep(EXHAUSTED).await;
                }
            }
        }
    }

    async fn serve(&self, client: TcpStream) {
        let Some(_place) = self.enter() else {
            self.refused_total.fetch_add(1, Ordering::Relaxed);
            let _ = client.set_zero_linger();
            return;
        };
        self.connections_total.fetch_add(1, Ordering::Relaxed);
        let mut targets = self.target.subscribe();
        let Some((target, address)) = dial(&mut targets).await else {
            self.failed_total.fetch_add(1, Ordering::Relaxed);
            let _ = client.set_zero_linger();
            return;
        };
        let _ = (client.set_nodelay(true), target.set_nodelay(true));
        tokio::select! {
            // Whoever was cut off knows it by the reset; there is nothing to add.
            _ = forward(client, target, &self.bytes_in, &self.bytes_out) => {}
            () = moved(&mut targets, address) => {}
        }
    }

    fn enter(&self) -> Option<Place<'_>> {
        let limit = self.max_connections.load(Ordering::Relaxed);
        let next = |now| (now < limit).then_some(now + 1);
        self.connections.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next).ok()?;
        Some(Place(&self.connections))
    }
}

/// Ends once the target is known to be another than `address`. While it is unknown, connections go on.
async fn moved(targets: &mut watch::Receiver<Option<SocketAddr>>, address: SocketAddr) {
    let is_other = |target: &Option<SocketAddr>| target.is_some_and(|target| target != address);
    if targets.wait_for(is_other).await.is_err() {
        // The route itself has ended; its connections are cut by that.
        std::future::pending::<()>().await;
    }
}

/// Reaches the target, which may be coming up just now.
async fn dial(targets: &mut watch::Receiver<Option<SocketAddr>>) -> Option<(TcpStream, SocketAddr)> {
    let patience = Instant::now() + COMING_UP;
    loop {
        let target = *targets.borrow_and_update();
        if let Some(address) = target {
            match timeout(CONNECT, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => {
                    let _ = keep_alive(&stream);
                    return Some((stream, address));
                }
                // It dropped everything for so long that more of it does not help.
                Err(_) => return None,
                Ok(Err(_)) => {}
            }
        }
        if Instant::now() >= patience {
            return None;
        }
        tokio::select! {
            () = sleep(RETRY) => {}
            changed = targets.changed() => changed.ok()?,
        }
    }
}

/// Has the system ask after the other side, so that one which vanished without a word is noticed within two minutes.
/// Connections that a listener lets in have what the listener has.
pub(crate) fn keep_alive<'a, S>(socket: &'a S) -> io::Result<()>
where
    socket2::SockRef<'a>: From<&'a S>,
{
    let after = socket2::TcpKeepalive::new()
        .with_time(Duration::from_secs(60))
        .with_interval(Duration::from_secs(15))
        .with_retries(4);
    socket2::SockRef::from(socket).set_tcp_keepalive(&after)
}
