//! The cache of tarballs stays within its limit, and nothing that is needed goes with it.

use std::time::Duration;

use blobs::refs::{Grace, RefError};
use blobs::{Digests, Sha256};
use store::{StoreError, Tx, args, sql};

use crate::counterparty::{Counterparty, decent, document, tarball};
use crate::market::{Market, both, settings};

const SIZE: usize = 1000;

sql! {
    LIST_KEPT = "select version from uplink_file order by version";
}

async fn kept(market: &Market) -> Vec<String> {
    let list = async |tx: &mut Tx| {
        let rows: Vec<(String,)> = tx.all(&LIST_KEPT, args![]).await?;
        Ok::<_, StoreError>(rows.into_iter().map(|(version,)| version).collect())
    };
    market.store.read(list).await.unwrap()
}

/// Ends a transaction that is to have no effect.
#[derive(Debug)]
enum Ended {
    Counted(usize),
    Failed(StoreError),
}

impl From<StoreError> for Ended {
    fn from(error: StoreError) -> Self {
        Self::Failed(error)
    }
}

/// How many references a file has: as many as can be released, all of which is taken back.
async fn references(market: &Market, bytes: &[u8]) -> usize {
    let (sha256, now) = (Sha256::of(bytes), market.now());
    let count = async move |tx: &mut Tx| {
        for count in 0.. {
            match blobs::refs::release(tx, sha256, now).await {
                Ok(()) => {}
                Err(RefError::Store(error)) => return Err(Ended::Failed(error)),
                Err(_) => return Err(Ended::Counted(count)),
            }
        }
        Ok(())
    };
    match market.store.write::<_, (), Ended>(count).await {
        Err(Ended::Counted(count)) => count,
        Err(Ended::Failed(error)) => panic!("{error}"),
        Ok(()) => unreachable!("it counts until there are none"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_used_for_longest_goes_first_and_can_be_had_again() {
    both(async |market| {
        let bytes: Vec<Vec<u8>> = (0..5).map(|seed| tarball(seed, SIZE)).collect();
        let versions = ["1.0.0", "1.0.1", "1.0.2", "1.0.3", "1.0.4"];
        let releases: Vec<_> =
            versions.iter().zip(&bytes).map(|(v, bytes)| (*v, 1, bytes.as_slice())).collect();
        let files = versions.iter().zip(&bytes).map(|(v, bytes)| (format!("n-{v}.tgz"), bytes.clone()));
        let upstream = Counterparty::start(decent(document("n", &releases), files.collect())).await;
        let mut settings = settings(&upstream);
        settings.limits.stored_bytes = 3 * SIZE as u64;
        let uplinks = market.uplinks(&settings);
        let get = async |version: &str| {
            market.pass(60);
            market.tarball(&uplinks, "n", &format!("n-{version}.tgz")).await.unwrap().unwrap().unwrap()
        };
        for version in &versions[..3] {
            get(version).await;
        }
        let evicted = uplinks.evict(market.now()).await.unwrap();
        assert_eq!((evicted.files, evicted.bytes), (0, 0), "it is within its limit");
        get("1.0.3").await;
        // The first one is used again, and so is younger now than the second and the third.
        get("1.0.0").await;
        get("1.0.4").await;
        let evicted = uplinks.evict(market.now()).await.unwrap();
        assert_eq!((evicted.files, evicted.bytes), (2, 2 * SIZE as u64));
        assert_eq!(kept(&market).await, ["1.0.0", "1.0.3", "1.0.4"]);
        assert_eq!(references(&market, &bytes[1]).await, 0);
        assert_eq!(references(&market, &bytes[0]).await, 1);

        let asked = upstream.count();
        assert!(get("1.0.1").await == bytes[1], "it is fetched again");
        assert_eq!(upstream.count(), asked + 1);
        assert_eq!(references(&market, &bytes[1]).await, 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_a_package_here_has_too_stays() {
    both(async |market| {
        let bytes = tarball(7, SIZE);
        let known = document("n", &[("1.0.0", 1, &bytes)]);
        let upstream =
            Counterparty::start(decent(known, vec![("n-1.0.0.tgz".to_owned(), bytes.clone())])).await;
        let mut settings = settings(&upstream);
        settings.limits.stored_bytes = 0;
        let uplinks = market.uplinks(&settings);
        market.tarball(&uplinks, "n", "n-1.0.0.tgz").await.unwrap().unwrap().unwrap();
        // A package here is published with the very same file.
        let now = market.now();
        let written = market.blobs.put_bytes(bytes.clone().into(), Digests::Sha256Only, now).await.unwrap();
        let retain = async move |tx: &mut Tx| blobs::refs::retain(tx, &written, now).await;
        market.store.write(retain).await.unwrap();
        assert_eq!(references(&market, &bytes).await, 2);

        assert_eq!(uplinks.evict(market.now()).await.unwrap().files, 1);
        assert_eq!((kept(&market).await.len(), references(&market, &bytes).await), (0, 1));
        market.pass(3 * 86_400);
        blobs::refs::collect(&market.store, &market.blobs, Grace::default(), market.now()).await.unwrap();
        assert!(market.blobs.exists(Sha256::of(&bytes)).await.unwrap());
        assert_eq!(uplinks.evict(market.now()).await.unwrap().files, 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_go_in_batches_while_others_read() {
    both(async |market| {
        let versions: Vec<String> = (0..250).map(|n| format!("1.0.{n}")).collect();
        let bytes = tarball(9, 100);
        let releases: Vec<_> = versions.iter().map(|v| (v.as_str(), 1, bytes.as_slice())).collect();
        let files = versions.iter().map(|v| (format!("n-{v}.tgz"), bytes.clone())).collect();
        let upstream = Counterparty::start(decent(document("n", &releases), files)).await;
        let mut settings = settings(&upstream);
        settings.limits.stored_bytes = 1000;
        settings.uplinks[0].timeout = Duration::from_secs(20);
        let uplinks = market.uplinks(&settings);
        for version in &versions {
            market.tarball(&uplinks, "n", &format!("n-{version}.tgz")).await.unwrap().unwrap().unwrap();
        }
        assert_eq!(references(&market, &bytes).await, 250);
        let (evicted, read) = tokio::join!(uplinks.evict(market.now()), async {
            market.tarball(&uplinks, "n", "n-1.0.249.tgz").await.unwrap().unwrap()
        });
        assert_eq!(evicted.unwrap().files, 240);
        assert!(read.unwrap() == bytes);
        assert!(
            (10..=11).contains(&kept(&market).await.len()),
            "the limit, and perhaps the one that was read"
        );
        assert_eq!(references(&market, &bytes).await, kept(&market).await.len());
    })
    .await;
}
