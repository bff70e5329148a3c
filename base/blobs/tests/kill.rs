//! Kill −9 while many write: every acknowledged blob is whole, and nothing else is ever served.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::time::Duration;

use blobs::{BlobConfig, Blobs, Digests, NewBlob, Sha256};
use bytes::Bytes;
use kernel::Timestamp;

const FOLDER: &str = "FONDACO_KILLED_BLOBS";

#[tokio::test]
async fn acknowledged_blobs_survive_kill_9() {
    for round in 0..3 {
        let folder = tempfile::tempdir().unwrap();
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "write_until_killed", "--ignored", "--nocapture"])
            .env(FOLDER, folder.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let reader = std::thread::spawn(move || {
            lines.map_while(Result::ok).filter_map(|line| line.strip_prefix("kept ")?.parse().ok()).collect()
        });
        tokio::time::sleep(Duration::from_millis(400 + 150 * round)).await;
        child.kill().unwrap();
        child.wait().unwrap();
        let acknowledged: Vec<Sha256> = reader.join().unwrap();
        assert!(acknowledged.len() > 20, "only {} blobs were written", acknowledged.len());

        let blobs = Blobs::open(BlobConfig::folder(folder.path())).await.unwrap();
        for sha256 in acknowledged {
            blobs.verify(sha256).await.unwrap();
        }
        every_name_is_whole(folder.path(), &blobs).await;
    }
}

/// Whatever has a name, acknowledged or not, has the bytes of that name.
async fn every_name_is_whole(folder: &std::path::Path, blobs: &Blobs) {
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if let Ok(sha256) = path.file_name().unwrap().to_str().unwrap().parse() {
                blobs.verify(sha256).await.unwrap();
            } else {
                assert_eq!(path.parent().unwrap().file_name().unwrap(), "tmp", "a stray file {path:?}");
            }
        }
    }
}

/// The child: eight writers of small and large blobs, each told on stdout once it is durable.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "runs as the child of acknowledged_blobs_survive_kill_9"]
async fn write_until_killed() {
    let Ok(folder) = std::env::var(FOLDER) else { return };
    let blobs = Blobs::open(BlobConfig::folder(folder)).await.unwrap();
    let writers = (0..8u64).map(|writer| {
        let blobs = blobs.clone();
        tokio::spawn(async move {
            for number in 0u64.. {
                let length = if number.is_multiple_of(4) { 700_000 } else { 3_000 };
                let chunk = Bytes::from(format!("{writer} {number} ").repeat(1000));
                let now = Timestamp::from_secs(0);
                let wanted = NewBlob { max_bytes: u64::MAX, digests: Digests::WithSha1AndSha512, now };
                let mut out = blobs.writer(wanted);
                let mut left = length;
                while left > 0 {
                    let piece = chunk.slice(..left.min(chunk.len()));
                    left -= piece.len();
                    out.write(piece).await.unwrap();
                }
                let written = out.finish().await.unwrap();
                let mut stdout = std::io::stdout().lock();
                writeln!(stdout, "kept {}", written.sha256).unwrap();
                stdout.flush().unwrap();
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
}
