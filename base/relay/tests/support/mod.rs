//! A relay in this process, and something for it to lead to.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, dead_code, unreachable_pub)]

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use kernel::Clock;
use relay::{Client, Mode, RelayError, Route, Settings};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// A relay of its own folder.
pub struct Running {
    pub folder: TempDir,
    pub stop: CancellationToken,
    pub task: JoinHandle<Result<(), RelayError>>,
}

pub fn settings(folder: &std::path::Path) -> Settings {
    Settings { data_dir: folder.to_owned(), listen: HERE, idle: Duration::from_secs(60) }
}

pub fn start(folder: TempDir) -> Running {
    let stop = CancellationToken::new();
    let task = tokio::spawn(relay::run(settings(folder.path()), Clock::system(), stop.clone()));
    Running { folder, stop, task }
}

/// An embedded relay in a new folder. The client ends it when dropped.
pub async fn embedded() -> (TempDir, Client) {
    let folder = tempfile::tempdir().unwrap();
    let client = Client::connect_or_start(settings(folder.path()), Mode::Embedded).await.unwrap();
    (folder, client)
}

/// A port that nobody has now.
pub fn free_port() -> u16 {
    std::net::TcpListener::bind((HERE, 0)).unwrap().local_addr().unwrap().port()
}

pub fn route(listen_port: u16, target: Option<SocketAddr>) -> Route {
    Route { listen_port, target, deployment: "deploy-1".to_owned(), max_connections: 100 }
}

/// Says `name` to everybody, then says back what it hears; ends when it has heard the end.
pub async fn echo(name: &'static str) -> SocketAddr {
    let listener = TcpListener::bind((HERE, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(answer(listener, name));
    address
}

pub async fn answer(listener: TcpListener, name: &'static str) {
    loop {
        let (mut stream, _) = listener.accept().await.unwrap();
        tokio::spawn(async move {
            let _ = stream.write_all(name.as_bytes()).await;
            let (mut from, mut to) = stream.split();
            let _ = tokio::io::copy(&mut from, &mut to).await;
            let _ = to.shutdown().await;
        });
    }
}

pub async fn connect(port: u16) -> TcpStream {
    TcpStream::connect((HERE, port)).await.unwrap()
}

/// The next `length` bytes as text; an error where the connection ends or is reset before.
pub async fn hear(stream: &mut TcpStream, length: usize) -> std::io::Result<String> {
    let mut bytes = vec![0; length];
    tokio::time::timeout(Duration::from_secs(5), stream.read_exact(&mut bytes)).await??;
    Ok(String::from_utf8(bytes).unwrap())
}

/// Connects, hears the name of who answers, and has said back what it says.
pub async fn talk(port: u16, name: &str) -> TcpStream {
    let mut stream = connect(port).await;
    assert_eq!(hear(&mut stream, name.len()).await.unwrap(), name);
    still_talks(&mut stream).await;
    stream
}

pub async fn still_talks(stream: &mut TcpStream) {
    stream.write_all(b"ping").await.unwrap();
    assert_eq!(hear(stream, 4).await.unwrap(), "ping");
}

/// Whether the connection was reset, rather than ended in good order.
pub async fn is_reset(stream: &mut TcpStream) -> bool {
    let end = tokio::time::timeout(Duration::from_secs(5), stream.read_to_end(&mut Vec::new())).await;
    end.unwrap().is_err_and(|error| error.kind() == std::io::ErrorKind::ConnectionReset)
}

/// Waits until `holds`, for at most five seconds.
pub async fn eventually<F: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> F) {
    for _ in 0..500 {
        if holds().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("not within five seconds: {what}");
}
