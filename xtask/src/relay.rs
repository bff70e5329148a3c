//! Measures what the way through the relay costs: the same load against a target directly and through it, in the same
//! run on the same machine. Load, target and relay share the processors, so half of the direct rate is what a relay that
//! costs no more than the target itself would reach.

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::report::{self, Figure, Target, median};
use crate::server::build;

/// Connections at once, for small requests and for new connections.
const CLIENTS: usize = 32;
/// Connections at once that carry as much as they can.
const STREAMS: usize = 4;
/// Bytes of a small request, and of its answer.
const SMALL: usize = 64;
const HERE: Ipv4Addr = Ipv4Addr::LOCALHOST;

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Cargo profile to build the program with
    #[arg(long, default_value = "release")]
    profile: String,
    /// Measure this program instead of building one
    #[arg(long)]
    binary: Option<PathBuf>,
    /// Rounds of each load; the median counts
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Seconds of load per round
    #[arg(long, default_value_t = 3)]
    seconds: u64,
}

/// Builds, measures and prints. Fails the process if a target is missed.
///
/// # Errors
/// If the relay does not start, or something does not come through it as it was said.
pub(crate) fn run(root: &Path, options: &Options) -> Result<ExitCode> {
    let binary = match &options.binary {
        Some(binary) => binary.clone(),
        None => build(root, &options.profile)?,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let (small, bulk) =
        runtime.block_on(async { anyhow::Ok((answer_small().await?, send_bulk().await?)) })?;
    let relay = Relay::start(&binary, &[small, bulk])?;
    let seconds = Duration::from_secs(options.seconds);
    let mut figures = Vec::new();
    for (name, unit, load, direct, through, least) in [
        ("new connections", "/s", Load::Connect, small, relay.ports[0], 0.3),
        ("small requests", "/s", Load::Ask, small, relay.ports[0], 0.3),
        ("bulk", " MB/s", Load::Bulk, bulk, relay.ports[1], 0.3),
    ] {
        println!("{name}");
        let (mut plain, mut relayed) = (Vec::new(), Vec::new());
        for _ in 0..options.rounds.max(1) {
            plain.push(runtime.block_on(rate(load, direct, seconds))?);
            relayed.push(runtime.block_on(rate(load, through, seconds))?);
        }
        let (plain, relayed) = (median(&plain), median(&relayed));
        figures.push(Figure {
            name: format!("{name}, part of the direct rate"),
            value: relayed / plain,
            target: Target::AtLeast(least),
            detail: format!("{relayed:.0}{unit} through the relay, {plain:.0}{unit} directly"),
        });
    }
    figures.push(relay.memory_with(&runtime, 2_000)?);
    Ok(if report::print(&figures) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

#[derive(Clone, Copy)]
enum Load {
    /// A connection, one small request, the next connection.
    Connect,
    /// One small request after the other over a connection.
    Ask,
    /// As many bytes as come.
    Bulk,
}

/// How much of a load there is per second: connections, requests, or megabytes.
async fn rate(load: Load, to: SocketAddr, length: Duration) -> Result<f64> {
    let done = Arc::new(AtomicU64::new(0));
    let clients = if matches!(load, Load::Bulk) { STREAMS } else { CLIENTS };
    let began = Instant::now();
    let until = began + length;
    let tasks: Vec<_> = (0..clients)
        .map(|_| {
            let done = Arc::clone(&done);
            tokio::spawn(async move {
                match load {
                    Load::Connect => connect(to, until, &done).await,
                    Load::Ask => ask(to, until, &done).await,
                    Load::Bulk => take(to, until, &done).await,
                }
            })
        })
        .collect();
    for task in tasks {
        task.await??;
    }
    let per_second = done.load(Ordering::Relaxed) as f64 / began.elapsed().as_secs_f64();
    Ok(if matches!(load, Load::Bulk) { per_second / 1e6 } else { per_second })
}

async fn connect(to: SocketAddr, until: Instant, done: &AtomicU64) -> Result<()> {
    while Instant::now() < until {
        let mut stream = TcpStream::connect(to).await?;
        exchange(&mut stream).await?;
        // So that the port is free again at once: there are not enough of them for a minute of this.
        stream.set_zero_linger()?;
        done.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}

async fn ask(to: SocketAddr, until: Instant, done: &AtomicU64) -> Result<()> {
    let mut stream = TcpStream::connect(to).await?;
    stream.set_nodelay(true)?;
    while Instant::now() < until {
        exchange(&mut stream).await?;
        done.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}

async fn exchange(stream: &mut TcpStream) -> Result<()> {
    stream.write_all(&[7; SMALL]).await?;
    let mut answer = [0; SMALL];
    stream.read_exact(&mut answer).await?;
    ensure!(answer == [7; SMALL], "the answer is not what was said");
    Ok(())
}

async fn take(to: SocketAddr, until: Instant, done: &AtomicU64) -> Result<()> {
    let mut stream = TcpStream::connect(to).await?;
    let mut buffer = vec![0; 256 * 1024];
    while Instant::now() < until {
        let read = stream.read(&mut buffer).await?;
        ensure!(read > 0, "the stream ended");
        done.fetch_add(read as u64, Ordering::Relaxed);
    }
    Ok(())
}

/// A target that says back what it hears.
async fn answer_small() -> Result<SocketAddr> {
    let listener = TcpListener::bind((HERE, 0)).await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let _ = stream.set_nodelay(true);
                let mut buffer = [0; SMALL];
                while stream.read_exact(&mut buffer).await.is_ok() && stream.write_all(&buffer).await.is_ok()
                {
                }
            });
        }
    });
    Ok(address)
}

/// A target that sends without end.
async fn send_bulk() -> Result<SocketAddr> {
    let listener = TcpListener::bind((HERE, 0)).await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let chunk = vec![7; 256 * 1024];
                while stream.write_all(&chunk).await.is_ok() {}
            });
        }
    });
    Ok(address)
}

/// The relay as its own process; it ends with this value.
struct Relay {
    child: Child,
    ports: Vec<SocketAddr>,
    folder: tempfile::TempDir,
}

impl Relay {
    fn start(binary: &Path, targets: &[SocketAddr]) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let child = Command::new(binary)
            .args(["relay", "--data-dir"])
            .arg(folder.path())
            .stdin(Stdio::null())
            .spawn()
            .context("the relay does not start")?;
        let mut relay = Self { child, ports: Vec::new(), folder };
        let free = || Ok(std::net::TcpListener::bind((HERE, 0))?.local_addr()?);
        relay.ports = targets.iter().map(|_| free()).collect::<Result<_>>()?;
        let route = |(port, target): (&SocketAddr, &SocketAddr)| json!({"listen_port": port.port(), "target": target, "deployment": "bench", "max_connections": 10_000});
        let routes: Vec<Value> = relay.ports.iter().zip(targets).map(route).collect();
        let answer = relay.say(&json!({ "set": routes }))?;
        ensure!(answer == json!({"set": {"unbound": []}}), "the relay answers {answer}");
        Ok(relay)
    }

    fn say(&self, request: &Value) -> Result<Value> {
        let path = self.folder.path().join("run/relay.sock");
        let until = Instant::now() + Duration::from_secs(10);
        let mut stream = loop {
            match UnixStream::connect(&path) {
                Ok(stream) => break stream,
                Err(error) if Instant::now() > until => return Err(error).context("the relay is not there"),
                Err(_) => std::thread::sleep(Duration::from_millis(5)),
            }
        };
        writeln!(stream, "{request}")?;
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line)?;
        Ok(serde_json::from_str(&line)?)
    }

    /// How much memory the relay has with so many silent connections.
    fn memory_with(&self, runtime: &tokio::runtime::Runtime, connections: usize) -> Result<Figure> {
        let before = self.resident()?;
        let port = self.ports[0];
        let streams = runtime.block_on(async move {
            let mut streams = Vec::new();
            for _ in 0..connections {
                let mut stream = TcpStream::connect(port).await?;
                exchange(&mut stream).await?;
                streams.push(stream);
            }
            anyhow::Ok(streams)
        })?;
        let with = self.resident()?;
        drop(streams);
        Ok(Figure {
            name: format!("memory with {connections} silent connections, MB"),
            value: with,
            target: Target::AtMost(64.0),
            detail: format!("{before:.1} MB after the load before"),
        })
    }

    /// Megabytes of memory that the relay holds now.
    fn resident(&self) -> Result<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kilobytes: f64 =
            line.and_then(|line| line.split_whitespace().next()?.parse().ok()).context("no VmRSS")?;
        Ok(kilobytes / 1000.0)
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
