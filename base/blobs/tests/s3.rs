//! Object storage, against moto, an S3 server that others wrote, in the tools folder that `scripts/setup` fills.
#![cfg(feature = "s3")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use blobs::refs::{self, Grace, RefError};
use blobs::{BlobConfig, BlobError, Blobs, Digests, NewBlob, S3Config, Sha256};
use bytes::Bytes;
use futures_util::TryStreamExt;
use kernel::{Secret, Timestamp};
use store::testing::both;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

struct Server {
    child: Child,
    port: u16,
    spool: tempfile::TempDir,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `None` where the server is not installed, unless `FONDACO_TEST_S3=required`.
async fn start() -> Option<Server> {
    let home = || PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(".cache/fondaco/tools");
    let tools = std::env::var_os("FONDACO_TOOLS").map_or_else(home, PathBuf::from);
    let program = tools.join("venv/bin/moto_server");
    if !program.exists() {
        let hint = format!("{} is missing: run scripts/setup", program.display());
        assert!(std::env::var("FONDACO_TEST_S3").as_deref() != Ok("required"), "{hint}");
        eprintln!("skipped: {hint}");
        return None;
    }
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let child = Command::new(program)
        .args(["-H", "127.0.0.1", "-p", &port.to_string()])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let server = Server { child, port, spool: tempfile::tempdir().unwrap() };
    for _ in 0..300 {
        if server.put("/shelf").await.is_ok_and(|answer| answer.starts_with("HTTP/1.1 200")) {
            return Some(server);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("moto_server did not answer within 30 s");
}

impl Server {
    /// Makes the bucket, which the blobs themselves never do.
    async fn put(&self, path: &str) -> std::io::Result<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).await?;
        let request = format!(
            "PUT {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        Ok(answer)
    }

    async fn blobs(&self, bucket: &str) -> Blobs {
        let s3 = S3Config {
            bucket: bucket.to_owned(),
            prefix: "fondaco/blobs".to_owned(),
            region: "us-east-1".to_owned(),
            endpoint: Some(format!("http://127.0.0.1:{}", self.port)),
            path_style: true,
            access_key: Some(Secret::new("key")),
            secret_key: Some(Secret::new("secret")),
        };
        let config = BlobConfig { s3: Some(s3), ..BlobConfig::folder(self.spool.path()) };
        Blobs::open(config).await.unwrap()
    }
}

fn bytes_of(length: usize) -> Bytes {
    (0..length).map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
}

async fn write(blobs: &Blobs, all: &Bytes) -> blobs::Written {
    let wanted = NewBlob { max_bytes: all.len() as u64, digests: Digests::Sha256Only, now: NOW };
    let mut writer = blobs.writer(wanted);
    let mut rest = all.clone();
    while !rest.is_empty() {
        writer.write(rest.split_to(rest.len().min(70_000))).await.unwrap();
    }
    writer.finish().await.unwrap()
}

#[tokio::test]
async fn what_goes_into_the_bucket_comes_out() {
    let Some(server) = start().await else { return };
    let blobs = server.blobs("shelf").await;
    // In memory, in one part, and in several parts of an upload.
    for length in [0, 5_000, 400_000, 20_000_000] {
        let all = bytes_of(length);
        let written = write(&blobs, &all).await;
        assert_eq!(written.sha256, Sha256::of(&all));
        assert_eq!(write(&blobs, &all).await.sha256, written.sha256, "writing again is fine");
        assert_eq!(blobs.size(written.sha256).await.unwrap(), Some(length as u64));
        blobs.verify(written.sha256).await.unwrap();
        let body = blobs.read(written.sha256).await.unwrap().body().await.unwrap();
        assert_eq!(body.left_bytes(), length as u64);
        let read: Vec<Bytes> = body.try_collect().await.unwrap();
        assert!(read.concat() == all);
        if length > 0 {
            let range = length as u64 / 2..length as u64;
            let part: Vec<Bytes> =
                blobs.read_range(written.sha256, range).await.unwrap().try_collect().await.unwrap();
            assert!(part.concat() == all[length / 2..]);
        }
    }
    let left: Vec<_> = std::fs::read_dir(server.spool.path().join("tmp")).unwrap().collect();
    assert!(left.is_empty(), "left in the spool: {left:?}");
}

#[tokio::test]
async fn what_is_missing_and_a_bucket_that_is_not_there() {
    let Some(server) = start().await else { return };
    let missing = Sha256::of(b"never written");
    let blobs = server.blobs("shelf").await;
    assert!(matches!(blobs.read(missing).await, Err(BlobError::Missing(_))));
    let nowhere = server.blobs("no-such-bucket").await;
    let refused = nowhere.put_bytes(Bytes::from_static(b"x"), Digests::Sha256Only, NOW).await;
    assert!(refused.is_err(), "{refused:?}");
}

#[tokio::test]
async fn references_and_orphans_in_the_bucket() {
    let Some(server) = start().await else { return };
    both(&[blobs::MIGRATIONS], async |store: store::Store| {
        let blobs = server.blobs("shelf").await;
        let (kept, orphan) = (write(&blobs, &bytes_of(300_000)).await, write(&blobs, &bytes_of(300)).await);
        store.write(async move |tx| refs::retain(tx, &kept, NOW).await).await.unwrap();
        assert_eq!(refs::adopt_orphans(&store, &blobs, NOW).await.unwrap(), 1);
        let then = NOW.after(Duration::from_secs(25 * 3600));
        assert_eq!(refs::collect(&store, &blobs, Grace::default(), then).await.unwrap().blobs, 1);
        assert!(!blobs.exists(orphan.sha256).await.unwrap());
        assert!(blobs.exists(kept.sha256).await.unwrap());
        store.write(async move |tx| refs::release(tx, kept.sha256, then).await).await.unwrap();
        let gone = store.write(async move |tx| refs::retain(tx, &orphan, then).await).await;
        assert!(matches!(gone, Err(RefError::Vanished(_))), "{gone:?}");
    })
    .await;
}
