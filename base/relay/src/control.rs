//! The control socket: the server says what there is to be, and asks what there is.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use kernel::Timestamp;
use tokio::io::BufReader;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::place::Place;
use crate::protocol::{About, Answer, LineError, PROTOCOL, Request, read, write};
use crate::route::{State, Table, check};
use crate::start::Settings;
use crate::table::Ports;

/// Most who speak to a relay at once.
const MAX_SPEAKERS: usize = 16;

/// A relay as its speakers see it.
pub(crate) struct Relay {
    pub(crate) place: Place,
    pub(crate) ports: Ports,
    pub(crate) settings: Settings,
    pub(crate) started_at: Timestamp,
    /// How many speak to it now.
    pub(crate) speakers: AtomicUsize,
    /// Cancelled once it was told to leave, and has closed everything.
    pub(crate) left: CancellationToken,
}

impl Relay {
    /// Hears everybody who speaks, until told to `stop`.
    pub(crate) async fn hear(self: Arc<Self>, listener: UnixListener, stop: CancellationToken) {
        let room = Arc::new(Semaphore::new(MAX_SPEAKERS));
        loop {
            let Ok(place) = Arc::clone(&room).acquire_owned().await else { return };
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = stop.cancelled() => return,
            };
            let Ok((stream, _)) = accepted else {
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                continue;
            };
            let (relay, stop) = (Arc::clone(&self), stop.clone());
            tokio::spawn(async move {
                relay.speakers.fetch_add(1, Ordering::SeqCst);
                tokio::select! {
                    () = relay.converse(stream) => {}
                    () = stop.cancelled() => {}
                }
                relay.speakers.fetch_sub(1, Ordering::SeqCst);
                drop(place);
            });
        }
    }

    async fn converse(&self, mut stream: UnixStream) {
        let (from, mut to) = stream.split();
        let mut from = BufReader::new(from);
        loop {
            let heard = read(&mut from).await;
            // A line that is not understood ends where it ends; one without end ends the conversation.
            let is_last = matches!(heard, Ok(Some(Request::Leave {})) | Err(LineError::TooLong));
            let answer = match heard {
                Ok(None) | Err(LineError::Io(_)) => return,
                Ok(Some(request)) => self.answer(request).await,
                Err(error) => Answer::Error { reason: error.to_string() },
            };
            let is_heard = write(&mut to, &answer).await.is_ok();
            if answer == (Answer::Left {}) {
                self.left.cancel();
            }
            if is_last || !is_heard {
                return;
            }
        }
    }

    async fn answer(&self, request: Request) -> Answer {
        match request {
            Request::Hello {} => Answer::Hello(About {
                protocol: PROTOCOL,
                pid: std::process::id(),
                listen: self.settings.listen,
                started_at: self.started_at,
            }),
            Request::State {} => {
                Answer::State(State { started_at: self.started_at, routes: self.ports.state().await })
            }
            Request::Set(table) => self.set(table).await,
            Request::Leave {} => {
                self.ports.close().await;
                self.place.forget_socket();
                Answer::Left {}
            }
        }
    }

    async fn set(&self, table: Table) -> Answer {
        if let Err(reason) = check(&table) {
            return Answer::Error { reason };
        }
        // Kept first: who is killed now does then what it was told last.
        if let Err(error) = self.place.keep_table(&table) {
            tracing::warn!(%error, "the table is not kept");
        }
        Answer::Set { unbound: self.ports.apply(table).await }
    }
}
