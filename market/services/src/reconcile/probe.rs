//! Asking a service whether it serves, in its own words.

use std::net::SocketAddr;
use std::time::Duration;

use containers::Engine;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::target::Target;
use crate::template::{Exchange, Probe, probe_path};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(2);
/// How much of an answer is read, in bytes.
const MOST: usize = 4096;

/// Whether it serves. `address` is that of its container's port.
///
/// # Errors
/// Why not, in words.
pub(crate) async fn ask(engine: &Engine, target: &Target, address: Option<SocketAddr>) -> Result<(), String> {
    let asked = async {
        match (&target.template.recipe.health.probe, address) {
            (Probe::Exec(command), _) => {
                let (exec, stdin) = target.command(command, None);
                let done = super::exec::run(engine, &target.container.name, &exec, stdin.as_ref()).await?;
                if done.code == 0 { Ok(()) } else { Err(format!("its probe ended with {}", done.code)) }
            }
            (_, None) => Err("it has no address yet".to_owned()),
            (Probe::Tcp, Some(address)) => connect(address).await.map(drop),
            (Probe::Talk(talk), Some(address)) => converse(address, talk).await,
            (Probe::Http(path), Some(address)) => match probe_path(path, &target.chosen) {
                Some(path) => http(address, path).await,
                None => connect(address).await.map(drop),
            },
        }
    };
    tokio::time::timeout(PATIENCE, asked)
        .await
        .unwrap_or_else(|_| Err("it did not answer in time".to_owned()))
}

async fn connect(address: SocketAddr) -> Result<TcpStream, String> {
    let stream = TcpStream::connect(address).await.map_err(|error| error.to_string())?;
    let _ = stream.set_nodelay(true);
    Ok(stream)
}

async fn converse(address: SocketAddr, talk: &[Exchange]) -> Result<(), String> {
    let mut stream = connect(address).await?;
    for exchange in talk {
        stream.write_all(&exchange.send).await.map_err(|error| error.to_string())?;
        let mut answer = Vec::new();
        while !exchange.expect.is_match(&answer) {
            let mut piece = [0; 512];
            let read = stream.read(&mut piece).await.map_err(|error| error.to_string())?;
            if read == 0 || answer.len() + read > MOST {
                return Err("it answered something else".to_owned());
            }
            answer.extend_from_slice(&piece[..read]);
        }
    }
    Ok(())
}

async fn http(address: SocketAddr, path: &str) -> Result<(), String> {
    let mut stream = connect(address).await?;
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nUser-Agent: fondaco-probe\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.map_err(|error| error.to_string())?;
    let mut head = Vec::new();
    while head.len() < "HTTP/1.1 200".len() {
        let mut piece = [0; 64];
        match stream.read(&mut piece).await.map_err(|error| error.to_string())? {
            0 => return Err("it answered no HTTP".to_owned()),
            read => head.extend_from_slice(&piece[..read]),
        }
    }
    let status = head.get(9..12).and_then(|digits| std::str::from_utf8(digits).ok());
    match status.and_then(|digits| digits.parse::<u16>().ok()) {
        Some(status) if status < 400 && head.starts_with(b"HTTP/1.") => Ok(()),
        Some(status) => Err(format!("it answered with the status {status}")),
        None => Err("it answered no HTTP".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use regex::bytes::Regex;
    use tokio::net::TcpListener;

    /// A server that says this to every connection, after it has read something if it shall wait.
    async fn saying(text: &'static [u8], waits: bool) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                if waits {
                    let _ = stream.read(&mut [0; 512]).await;
                }
                let _ = stream.write_all(text).await;
            }
        });
        address
    }

    fn talk(send: &[u8], expect: &str) -> [Exchange; 1] {
        [Exchange { send: send.to_vec(), expect: Regex::new(expect).unwrap() }]
    }

    #[tokio::test]
    async fn only_the_right_answer_counts() {
        let pong = saying(b"+PONG\r\n", true).await;
        converse(pong, &talk(b"PING\r\n", r"^\+PONG")).await.unwrap();
        assert!(converse(pong, &talk(b"PING\r\n", "^-NOAUTH")).await.is_err());
        let greeting = saying(b"....\x0a5.5", false).await;
        converse(greeting, &talk(b"", r"(?-u)(?s)^.{4}\x0a")).await.unwrap();
        assert!(converse("127.0.0.1:1".parse().unwrap(), &talk(b"", "x")).await.is_err());
    }

    #[tokio::test]
    async fn http_must_be_http_and_no_failure() {
        http(saying(b"HTTP/1.1 204 No Content\r\n\r\n", true).await, "/").await.unwrap();
        for bad in [&b"HTTP/1.1 503 Busy\r\n\r\n"[..], b"220 mail ready, not HTTP\r\n", b""] {
            assert!(http(saying(bad, true).await, "/").await.is_err());
        }
    }
}
