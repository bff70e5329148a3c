//! Bytes from one connection to another, both ways, until both have ended.
//!
//! A connection that is silent holds no buffer: what arrives goes through a buffer that all connections of a thread
//! share, and only what the other side does not take at once is kept aside until it does.

use std::cell::RefCell;
use std::io::{self, ErrorKind};
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::task::coop::consume_budget;

/// Most bytes that are moved at once.
const CHUNK: usize = 128 * 1024;

thread_local! {
    static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; CHUNK]);
}

/// Moves bytes between the two until both have said their last; when one says it, the other hears of that (half-close)
/// and can go on speaking.
///
/// # Errors
/// When one of them was cut off. Both are then reset, so that what is cut off does not look complete.
pub(crate) async fn forward(
    mut client: TcpStream,
    mut target: TcpStream,
    bytes_in: &AtomicU64,
    bytes_out: &AtomicU64,
) -> io::Result<()> {
    let (from_client, to_client) = client.split();
    let (from_target, to_target) = target.split();
    let both =
        tokio::try_join!(pour(from_client, to_target, bytes_in), pour(from_target, to_client, bytes_out));
    if both.is_err() {
        let _ = (client.set_zero_linger(), target.set_zero_linger());
    }
    both.map(drop)
}

/// What came of one look at a connection.
enum Moved {
    /// Everything there was; more may come.
    All,
    /// Something, and the other side takes no more of it for now.
    Rest(Vec<u8>),
    /// There was nothing to read.
    Nothing,
    /// The last has been said.
    End,
}

async fn pour(from: ReadHalf<'_>, mut to: WriteHalf<'_>, count: &AtomicU64) -> io::Result<()> {
    loop {
        from.readable().await?;
        match step(&from, &to, count)? {
            Moved::Rest(rest) => {
                to.write_all(&rest).await?;
                count.fetch_add(rest.len() as u64, Ordering::Relaxed);
            }
            Moved::End => return to.shutdown().await,
            Moved::All | Moved::Nothing => {}
        }
        // One busy connection does not keep a thread for itself.
        consume_budget().await;
    }
}

fn step(from: &ReadHalf<'_>, to: &WriteHalf<'_>, count: &AtomicU64) -> io::Result<Moved> {
    BUFFER.with_borrow_mut(|buffer| {
        let read = match from.try_read(buffer) {
            Ok(0) => return Ok(Moved::End),
            Ok(read) => read,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(Moved::Nothing),
            Err(error) => return Err(error),
        };
        let written = match to.try_write(&buffer[..read]) {
            Ok(written) => written,
            Err(error) if error.kind() == ErrorKind::WouldBlock => 0,
            Err(error) => return Err(error),
        };
        count.fetch_add(written as u64, Ordering::Relaxed);
        Ok(if written == read { Moved::All } else { Moved::Rest(buffer[written..read].to_vec()) })
    })
}
