//! What is open, and how it becomes what is wanted.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::Mutex;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::live::{Live, keep_alive};
use crate::route::{Route, RouteState, Table, Unbound};

/// How many connections may wait to be let in; the system's own limit may be lower.
const BACKLOG: u32 = 4_096;

/// Every open port.
pub(crate) struct Ports {
    listen: IpAddr,
    open: Mutex<BTreeMap<u16, Open>>,
    /// Every connection.
    connections: TaskTracker,
    /// Ends every connection.
    cut: CancellationToken,
}

struct Open {
    live: Arc<Live>,
    listener: Arc<TcpListener>,
    closed: CancellationToken,
    accepting: JoinHandle<()>,
}

impl Open {
    /// Lets nobody in any more; the port is free again where nobody else holds the listener.
    async fn close(self) -> Arc<TcpListener> {
        self.closed.cancel();
        let _ = self.accepting.await;
        self.listener
    }
}

impl Ports {
    pub(crate) fn new(listen: IpAddr, cut: CancellationToken) -> Self {
        Self { listen, open: Mutex::default(), connections: TaskTracker::new(), cut }
    }

    /// Closes what is not in `table`, opens what is new in it, leaves the connections of what stays.
    pub(crate) async fn apply(&self, table: Table) -> Vec<Unbound> {
        let mut open = self.open.lock().await;
        let mut before = std::mem::take(&mut *open);
        let mut unbound = Vec::new();
        let mut fresh = Vec::new();
        for route in table {
            match before.remove(&route.listen_port) {
                Some(kept) if kept.live.deployment() == route.deployment => {
                    kept.live.update(&route);
                    open.insert(route.listen_port, kept);
                }
                // Another's port now: nothing of the former stays but the listener, so that nobody takes it between.
                Some(former) => {
                    former.live.cut.cancel();
                    let listener = former.close().await;
                    open.insert(route.listen_port, self.serve(&route, listener));
                }
                None => fresh.push(route),
            }
        }
        for (_, gone) in before {
            gone.live.cut.cancel();
            gone.close().await;
        }
        for route in fresh {
            match bind(SocketAddr::new(self.listen, route.listen_port)) {
                Ok(listener) => {
                    open.insert(route.listen_port, self.serve(&route, Arc::new(listener)));
                }
                Err(error) => {
                    tracing::warn!(port = route.listen_port, %error, "a port cannot be opened");
                    unbound.push(Unbound { listen_port: route.listen_port, reason: error.to_string() });
                }
            }
        }
        unbound
    }

    fn serve(&self, route: &Route, listener: Arc<TcpListener>) -> Open {
        let live = Arc::new(Live::new(route, self.cut.child_token()));
        let closed = self.cut.child_token();
        let accept =
            Arc::clone(&live).accept(Arc::clone(&listener), closed.clone(), self.connections.clone());
        Open { live, listener, closed, accepting: tokio::spawn(accept) }
    }

    pub(crate) async fn state(&self) -> Vec<RouteState> {
        self.open.lock().await.values().map(|open| open.live.state()).collect()
    }

    /// Closes every port, and leaves the connections there are.
    pub(crate) async fn close(&self) {
        let open = std::mem::take(&mut *self.open.lock().await);
        for (_, open) in open {
            open.close().await;
        }
    }

    /// Waits until the last connection has ended. Only once everything is closed.
    pub(crate) async fn drained(&self) {
        self.connections.close();
        self.connections.wait().await;
    }

    pub(crate) async fn is_idle(&self) -> bool {
        self.open.lock().await.is_empty() && self.connections.is_empty()
    }
}

fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // A port whose last connections have only just ended can be opened again.
    socket.set_reuseaddr(true)?;
    keep_alive(&socket)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}
