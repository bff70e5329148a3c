//! The data plane: TCP connections from outside to what runs inside, in a process of its own that outlives the server.
//!
//! The server says which ports lead where ([`Client::set`]), always with the whole [`Table`]; the relay opens and
//! closes listeners by the difference and leaves the connections of what stays alone. It keeps the last table on disk,
//! so that a relay which was killed serves again before anybody told it anything.

mod client;
mod control;
mod error;
mod forward;
mod live;
mod place;
mod process;
mod protocol;
mod route;
mod start;
mod table;

pub use client::Client;
pub use error::RelayError;
pub use process::run;
pub use protocol::{About, PROTOCOL};
pub use route::{Route, RouteState, State, Table, Unbound};
pub use start::{Mode, Settings};
