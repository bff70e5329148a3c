//! The folder: what is written is what is read, limits hold, nothing half-written is ever seen.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use blobs::{BlobConfig, BlobError, Blobs, Digests, NewBlob, Sha256};
use bytes::Bytes;
use futures_util::TryStreamExt;
use kernel::Timestamp;
use proptest::prelude::*;

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

fn wanted(max_bytes: u64) -> NewBlob {
    NewBlob { max_bytes, digests: Digests::WithSha1AndSha512, now: NOW }
}

async fn collect(body: blobs::Body) -> Vec<u8> {
    body.try_fold(Vec::new(), async |mut all, chunk| {
        all.extend_from_slice(&chunk);
        Ok(all)
    })
    .await
    .unwrap()
}

fn files_below(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files.extend(files_below(&path)) } else { files.push(path) }
    }
    files
}

/// Bytes that do not repeat with any block size.
fn bytes_of(length: usize, seed: u32) -> Vec<u8> {
    let mut state = seed | 1;
    let step = |state: &mut u32| {
        *state ^= *state << 13;
        *state ^= *state >> 17;
        *state ^= *state << 5;
        *state as u8
    };
    (0..length).map(|_| step(&mut state)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_chunking_keeps_the_same_bytes(length in 0usize..1_200_000, cuts in prop::collection::vec(any::<u32>(), 0..40), seed: u32) {
        let all = bytes_of(length, seed);
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut as usize % (length + 1)).collect();
        cuts.sort_unstable();
        cuts.push(length);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let folder = tempfile::tempdir().unwrap();
            let blobs = Blobs::open(BlobConfig::folder(folder.path())).await.unwrap();
            let mut writer = blobs.writer(wanted(length as u64));
            let mut at = 0;
            for cut in cuts {
                writer.write(Bytes::copy_from_slice(&all[at..cut])).await.unwrap();
                at = cut;
            }
            let written = writer.finish().await.unwrap();
            assert_eq!(written.sha256, Sha256::of(&all));
            assert_eq!(written.size_bytes, length as u64);
            use sha2::Digest;
            assert_eq!(written.sha1.unwrap()[..], sha1::Sha1::digest(&all)[..]);
            assert_eq!(written.sha512.unwrap()[..], sha2::Sha512::digest(&all)[..]);

            let blob = blobs.read(written.sha256).await.unwrap();
            assert_eq!(blob.size_bytes(), length as u64);
            assert!(collect(blob.body().await.unwrap()).await == all);
            blobs.verify(written.sha256).await.unwrap();
            let (from, to) = (length / 3, length / 3 + length / 2);
            if from < to {
                let part = blobs.read_range(written.sha256, from as u64..to as u64).await.unwrap();
                assert!(collect(part).await == all[from..to]);
            }
            assert_eq!(files_below(folder.path()).len(), 1);
        });
    }
}

async fn opened() -> (tempfile::TempDir, Blobs) {
    let folder = tempfile::tempdir().unwrap();
    let blobs = Blobs::open(BlobConfig::folder(folder.path())).await.unwrap();
    (folder, blobs)
}

#[tokio::test]
async fn a_blob_beyond_its_limit_leaves_nothing() {
    let (folder, blobs) = opened().await;
    for limit in [0, 1000, 300_000, 2_000_000] {
        let mut writer = blobs.writer(wanted(limit));
        let mut given = 0;
        let refused = loop {
            given += 100_000;
            if let Err(error) = writer.write(bytes_of(100_000, 7).into()).await {
                break error;
            }
        };
        assert!(matches!(refused, BlobError::TooLarge { max_bytes } if max_bytes == limit), "{refused}");
        assert!(given <= limit + 100_000);
        assert!(writer.write(Bytes::from_static(b"x")).await.is_err(), "a refused writer takes nothing more");
        assert!(writer.finish().await.is_err(), "a refused writer keeps nothing");
    }
    nothing_left(folder.path()).await;
}

#[tokio::test]
async fn a_dropped_writer_leaves_nothing() {
    let (folder, blobs) = opened().await;
    for length in [10, 1_000_000] {
        let mut writer = blobs.writer(wanted(u64::MAX));
        writer.write(bytes_of(length, 3).into()).await.unwrap();
        drop(writer);
    }
    nothing_left(folder.path()).await;
}

/// The last batch may still be on its way to the disk when its writer goes.
async fn nothing_left(folder: &std::path::Path) {
    for _ in 0..200 {
        if files_below(folder).is_empty() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("left behind: {:?}", files_below(folder));
}

#[tokio::test]
async fn what_is_not_there_is_missing_and_ranges_are_checked() {
    let (_folder, blobs) = opened().await;
    let missing = Sha256::of(b"never written");
    assert!(matches!(blobs.read(missing).await, Err(BlobError::Missing(name)) if name == missing));
    assert!(!blobs.exists(missing).await.unwrap());
    let small = blobs.put_bytes(Bytes::from_static(b"0123456789"), Digests::Sha256Only, NOW).await.unwrap();
    assert_eq!((small.sha1, small.sha512), (None, None));
    assert_eq!(blobs.size(small.sha256).await.unwrap(), Some(10));
    for range in [0..11, 10..10, 11..12] {
        assert!(matches!(
            blobs.read_range(small.sha256, range).await,
            Err(BlobError::Range { size_bytes: 10 })
        ));
    }
    assert_eq!(collect(blobs.read_range(small.sha256, 9..10).await.unwrap()).await, b"9");
}

#[tokio::test]
async fn damage_is_found_and_healed_by_writing_again() {
    let (folder, blobs) = opened().await;
    let all = bytes_of(600_000, 11);
    let written = blobs.put_bytes(all.clone().into(), Digests::Sha256Only, NOW).await.unwrap();
    let path = files_below(folder.path()).pop().unwrap();
    let mut damaged = all.clone();
    damaged[500_000] ^= 1;
    std::fs::write(&path, &damaged).unwrap();
    assert!(matches!(blobs.verify(written.sha256).await, Err(BlobError::Damaged(_))));
    std::fs::write(&path, &all[..1000]).unwrap();
    blobs.put_bytes(all.into(), Digests::Sha256Only, NOW).await.unwrap();
    blobs.verify(written.sha256).await.unwrap();
}

#[tokio::test]
async fn a_body_of_a_file_that_shrinks_ends_with_an_error() {
    let (folder, blobs) = opened().await;
    let written = blobs.put_bytes(bytes_of(600_000, 5).into(), Digests::Sha256Only, NOW).await.unwrap();
    let mut body = blobs.read(written.sha256).await.unwrap().body().await.unwrap();
    assert!(!body.try_next().await.unwrap().unwrap().is_empty());
    let path = files_below(folder.path()).pop().unwrap();
    std::fs::OpenOptions::new().write(true).open(path).unwrap().set_len(10).unwrap();
    let rest = body.try_for_each(async |_| Ok(())).await;
    assert!(rest.is_err());
}
