//! What is said over the control socket: one JSON object per line, an answer for each request, in order.
//!
//! `hello` and `leave` never change, whatever becomes of the rest: that is how a newer server recognises an older relay
//! and takes its place.

use std::net::IpAddr;

use kernel::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::route::{State, Table, Unbound};

/// The version of this protocol. A relay that speaks another is told to leave.
pub const PROTOCOL: u32 = 1;

/// Longest line, in bytes: the largest table with room to spare.
pub(crate) const MAX_LINE: usize = 4 * 1024 * 1024;

/// What a relay is asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Request {
    /// Who are you?
    Hello {},
    /// This is what there is to be from now on.
    Set(Table),
    /// What have you done?
    State {},
    /// Close every listener and this socket; end once the connections there are have ended.
    Leave {},
}

/// What it says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Answer {
    Hello(About),
    Set {
        /// Ports that could not be opened.
        unbound: Vec<Unbound>,
    },
    State(State),
    Left {},
    Error {
        reason: String,
    },
}

/// Who answers at the control socket. Fields may be added, never taken away.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// Which protocol it speaks, see [`PROTOCOL`].
    pub protocol: u32,
    /// Its process.
    pub pid: u32,
    /// The address its ports are open at.
    pub listen: IpAddr,
    /// When it started.
    pub started_at: Timestamp,
}

/// Why there is no line.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LineError {
    #[error("the line is longer than {MAX_LINE} bytes")]
    TooLong,
    #[error("the line is not understood: {0}")]
    Unknown(#[from] serde_json::Error),
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

/// The next line, or nothing where the other side has ended.
pub(crate) async fn read<T: DeserializeOwned>(
    from: &mut (impl AsyncBufRead + Unpin),
) -> Result<Option<T>, LineError> {
    let mut line = Vec::new();
    let mut bounded = from.take(MAX_LINE as u64 + 1);
    bounded.read_until(b'\n', &mut line).await?;
    match line.last() {
        // Whoever was cut off in the middle of a line has not said it.
        None => Ok(None),
        Some(b'\n') => Ok(Some(serde_json::from_slice(&line)?)),
        Some(_) if line.len() > MAX_LINE => Err(LineError::TooLong),
        Some(_) => Ok(None),
    }
}

/// Says one thing.
pub(crate) async fn write<T: Serialize + Sync>(
    to: &mut (impl AsyncWrite + Unpin),
    said: &T,
) -> Result<(), LineError> {
    let mut line = serde_json::to_vec(said)?;
    line.push(b'\n');
    to.write_all(&line).await?;
    Ok(to.flush().await?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;
    use crate::route::Route;
    use proptest::prelude::*;
    use tokio::io::BufReader;

    fn read_all(bytes: &[u8]) -> Vec<Result<Option<Request>, LineError>> {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let mut from = BufReader::with_capacity(64, bytes);
            let mut lines = Vec::new();
            loop {
                let line = read(&mut from).await;
                let is_last = matches!(line, Ok(None) | Err(LineError::TooLong | LineError::Io(_)));
                lines.push(line);
                if is_last {
                    return lines;
                }
            }
        })
    }

    fn routes() -> impl Strategy<Value = Table> {
        // An address and a port: what else a socket address of IPv6 may have is nothing that text has.
        let target = any::<Option<(IpAddr, u16)>>().prop_map(|target| target.map(Into::into));
        let route = (any::<u16>(), target, ".{0,40}", any::<u32>()).prop_map(
            |(listen_port, target, deployment, max_connections)| Route {
                listen_port,
                target,
                deployment,
                max_connections,
            },
        );
        prop::collection::vec(route, 0..8)
    }

    proptest! {
        #[test]
        fn what_is_said_is_heard(table in routes()) {
            for said in [Request::Set(table), Request::Hello {}, Request::State {}, Request::Leave {}] {
                let mut line = Vec::new();
                let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
                runtime.block_on(write(&mut line, &said)).unwrap();
                let heard = read_all(&line);
                prop_assert_eq!(heard[0].as_ref().unwrap().as_ref(), Some(&said));
                prop_assert!(matches!(heard[1], Ok(None)));
            }
        }

        #[test]
        fn foreign_bytes_are_refused_line_by_line(bytes in prop::collection::vec(any::<u8>(), 0..2_000)) {
            let heard = read_all(&bytes);
            let lines = bytes.iter().filter(|byte| **byte == b'\n').count();
            prop_assert_eq!(heard.len(), lines + 1);
            prop_assert!(matches!(heard.last(), Some(Ok(None))));
        }

        #[test]
        fn a_cut_line_is_not_said(table in routes(), cut in any::<prop::sample::Index>()) {
            let whole = serde_json::to_vec(&Request::Set(table)).unwrap();
            let heard = read_all(&whole[..cut.index(whole.len())]);
            prop_assert!(matches!(heard[..], [Ok(None)]));
        }
    }

    #[test]
    fn the_words_of_every_version_stay() {
        for (text, request) in
            [("{\"hello\":{}}\n", Request::Hello {}), ("{\"leave\":{}}\n", Request::Leave {})]
        {
            assert_eq!(read_all(text.as_bytes())[0].as_ref().unwrap().as_ref(), Some(&request));
        }
        let newer = br#"{"hello":{"protocol":9,"pid":1,"listen":"::1","started_at":"2026-01-15T10:30:00.000Z","more":1}}"#;
        let Answer::Hello(about) = serde_json::from_slice(newer).unwrap() else { panic!("not understood") };
        assert_eq!(about.protocol, 9);
    }

    #[test]
    fn a_line_without_end_is_given_up() {
        let endless = vec![b' '; MAX_LINE + 10];
        assert!(matches!(read_all(&endless)[..], [Err(LineError::TooLong)]));
    }
}
