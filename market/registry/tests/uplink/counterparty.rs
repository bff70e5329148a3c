//! A small HTTP server that does what a test tells it to, also what no decent server does.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine;
use serde_json::{Value, json};
use sha2::Digest;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// A request as the server saw it.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub path: String,
    pub headers: HashMap<String, String>,
}

/// What it answers.
#[derive(Clone)]
pub(crate) struct Reply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// What `Content-Length` says, if it lies; `Some(None)`: none, the body ends with the connection.
    pub length: Option<Option<usize>>,
    /// How long it waits before it answers.
    pub delay: Duration,
    /// How long it waits before each 64 kB of the body.
    pub pace: Duration,
}

impl Reply {
    pub(crate) fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        let (headers, length) = (Vec::new(), None);
        Self { status, headers, body: body.into(), length, delay: Duration::ZERO, pace: Duration::ZERO }
    }

    pub(crate) fn json(value: &Value) -> Self {
        Self::new(200, value.to_string())
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn after(mut self, millis: u64) -> Self {
        self.delay = Duration::from_millis(millis);
        self
    }

    pub(crate) fn paced(mut self, millis: u64) -> Self {
        self.pace = Duration::from_millis(millis);
        self
    }

    pub(crate) fn claiming(mut self, length: Option<usize>) -> Self {
        self.length = Some(length);
        self
    }
}

type Behaviour = Arc<Mutex<Box<dyn FnMut(&Seen) -> Reply + Send>>>;

/// The server. Dropping it stops it.
pub(crate) struct Counterparty {
    pub address: SocketAddr,
    behaviour: Behaviour,
    seen: Arc<Mutex<Vec<Seen>>>,
    task: JoinHandle<()>,
}

impl Drop for Counterparty {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Counterparty {
    pub(crate) async fn start(behaviour: impl FnMut(&Seen) -> Reply + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let behaviour: Behaviour = Arc::new(Mutex::new(Box::new(behaviour)));
        let seen = Arc::<Mutex<Vec<Seen>>>::default();
        let (behave, note) = (Arc::clone(&behaviour), Arc::clone(&seen));
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&behave), Arc::clone(&note)));
            }
        });
        Self { address, behaviour, seen, task }
    }

    /// From now on it does this.
    pub(crate) fn behave(&self, behaviour: impl FnMut(&Seen) -> Reply + Send + 'static) {
        *self.behaviour.lock().unwrap() = Box::new(behaviour);
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// All requests so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// How many requests there were so far.
    pub(crate) fn count(&self) -> usize {
        self.seen.lock().unwrap().len()
    }
}

async fn serve(mut stream: TcpStream, behaviour: Behaviour, seen: Arc<Mutex<Vec<Seen>>>) -> Option<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).unwrap();
    let mut lines = head.lines();
    let path = lines.next()?.split(' ').nth(1)?.to_owned();
    let headers = lines.filter_map(|line| line.split_once(": "));
    let headers = headers.map(|(name, value)| (name.to_lowercase(), value.to_owned())).collect();
    let request = Seen { path, headers };
    seen.lock().unwrap().push(request.clone());
    let reply = (behaviour.lock().unwrap())(&request);
    tokio::time::sleep(reply.delay).await;
    let mut text = format!("HTTP/1.1 {} x\r\nconnection: close\r\n", reply.status);
    if let Some(length) = reply.length.unwrap_or(Some(reply.body.len())) {
        text.push_str(&format!("content-length: {length}\r\n"));
    }
    for (name, value) in &reply.headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text.push_str("\r\n");
    stream.write_all(text.as_bytes()).await.ok()?;
    for piece in reply.body.chunks(64 << 10) {
        tokio::time::sleep(reply.pace).await;
        stream.write_all(piece).await.ok()?;
    }
    stream.shutdown().await.ok()
}

/// What a tarball's bytes are in these tests: any.
pub(crate) fn tarball(seed: u8, size_bytes: usize) -> Vec<u8> {
    (0..size_bytes).map(|at| (at.wrapping_mul(31) ^ (at >> 8)) as u8 ^ seed).collect()
}

pub(crate) fn integrity(bytes: &[u8]) -> String {
    let digest = sha2::Sha512::digest(bytes);
    format!("sha512-{}", base64::engine::general_purpose::STANDARD.encode(digest))
}

/// A document with these releases: version, day of January 2026, the tarball's bytes.
pub(crate) fn document(name: &str, releases: &[(&str, u32, &[u8])]) -> Value {
    let bare = name.rsplit('/').next().unwrap();
    let mut document = json!({"_id": name, "name": name, "dist-tags": {}, "versions": {}, "time": {}});
    for (version, day, bytes) in releases {
        let at = format!("2026-01-{day:02}T00:00:00.000Z");
        document["dist-tags"]["latest"] = json!(version);
        document["time"]["modified"] = json!(at);
        document["time"][version] = json!(at);
        document["versions"][version] = json!({
            "name": name, "version": version, "description": "About", "dependencies": {},
            "dist": {"integrity": integrity(bytes), "tarball": format!("./{name}/-/{bare}-{version}.tgz")},
        });
    }
    document
}

/// A registry that has one package and does all as it should.
pub(crate) fn decent(
    document: Value,
    tarballs: Vec<(String, Vec<u8>)>,
) -> impl FnMut(&Seen) -> Reply + Send + 'static {
    let path = format!("/{}", document["name"].as_str().unwrap().replace('/', "%2f"));
    move |seen| {
        if seen.path == path {
            let etag = integrity(document.to_string().as_bytes())[7..20].replace('/', "_");
            let etag = format!("\"{etag}\"");
            if seen.headers.get("if-none-match") == Some(&etag) {
                return Reply::new(304, "").header("etag", &etag);
            }
            return Reply::json(&document).header("etag", &etag);
        }
        match tarballs.iter().find(|(file, _)| seen.path.ends_with(file)) {
            Some((_, bytes)) => Reply::new(200, bytes.clone()),
            None => Reply::new(404, "{\"error\":\"Not found\"}"),
        }
    }
}
