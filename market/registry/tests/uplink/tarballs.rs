//! Tarballs: streamed, verified, coalesced, kept; and never told as whole when they are not what was promised.

use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::join_all;
use registry::uplink::{Binding, Tarball};

use crate::counterparty::{Counterparty, Reply, decent, document, tarball};
use crate::market::{both, name, problem, settings};

const LARGE: usize = 5 << 20;

#[tokio::test(flavor = "multi_thread")]
async fn a_tarball_is_fetched_once_and_outlives_the_uplink() {
    both(async |market| {
        let bytes = tarball(1, 30_000);
        let known = document("@s/n", &[("1.0.0", 1, &bytes)]);
        let upstream =
            Counterparty::start(decent(known, vec![("n-1.0.0.tgz".to_owned(), bytes.clone())])).await;
        let uplinks = market.uplinks(&settings(&upstream));
        for _ in 0..3 {
            assert_eq!(
                market.tarball(&uplinks, "@s/n", "n-1.0.0.tgz").await.unwrap().unwrap().unwrap(),
                bytes
            );
        }
        let paths: Vec<_> = upstream.seen().into_iter().map(|seen| seen.path).collect();
        assert_eq!(paths, ["/@s%2fn", "/@s/n/-/n-1.0.0.tgz"]);
        assert_eq!(upstream.seen()[1].headers["accept-encoding"], "identity");
        for file in ["n-1.0.1.tgz", "n-1.0.0.zip", "m-1.0.0.tgz", "n-../x.tgz", "n-.tgz", "-1.0.0.tgz"] {
            assert!(market.tarball(&uplinks, "@s/n", file).await.unwrap().is_none(), "{file}");
        }
        drop(upstream);
        market.pass(86_400);
        assert_eq!(market.tarball(&uplinks, "@s/n", "n-1.0.0.tgz").await.unwrap().unwrap().unwrap(), bytes);
        assert_eq!(uplinks.downloads_since(&name("@s/n"), market.now()).await.unwrap(), 1);
        let day_before = market.now().before(Duration::from_secs(86_400));
        assert_eq!(uplinks.downloads_since(&name("@s/n"), day_before).await.unwrap(), 4);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_one_is_sent_on_while_it_comes_and_once_for_all() {
    both(async |market| {
        let bytes = tarball(2, LARGE);
        let (known, sent) = (document("n", &[("1.0.0", 1, &bytes)]), bytes.clone());
        let upstream = Counterparty::start(move |seen| match seen.path.as_str() {
            "/n" => Reply::json(&known),
            _ => Reply::new(200, sent.clone()).paced(2),
        })
        .await;
        let uplinks = market.uplinks(&settings(&upstream));
        let first = uplinks
            .tarball(&name("n"), "n-1.0.0.tgz", &Binding::default(), market.now())
            .await
            .unwrap()
            .unwrap();
        let Tarball::Arriving { size_bytes, .. } = &first else { panic!("it was stored before it was sent") };
        assert_eq!(*size_bytes, Some(LARGE as u64));
        assert_eq!(market.kept().await.1, 0);
        let others = join_all((0..10).map(|_| market.tarball(&uplinks, "n", "n-1.0.0.tgz")));
        let (first, others) = tokio::join!(market.bytes(first), others);
        assert!(first.unwrap() == bytes);
        assert!(others.into_iter().all(|other| other.unwrap().unwrap().unwrap() == bytes));
        assert_eq!((upstream.count(), market.kept().await.1), (2, 1));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_client_holds_nobody_up_and_gets_the_rest_from_the_store() {
    both(async |market| {
        let bytes = tarball(3, LARGE);
        let known = document("n", &[("1.0.0", 1, &bytes)]);
        let upstream =
            Counterparty::start(decent(known, vec![("n-1.0.0.tgz".to_owned(), bytes.clone())])).await;
        let uplinks = market.uplinks(&settings(&upstream));
        let slow = uplinks
            .tarball(&name("n"), "n-1.0.0.tgz", &Binding::default(), market.now())
            .await
            .unwrap()
            .unwrap();
        // Nobody reads the slow one's body until another has all of it.
        assert!(market.tarball(&uplinks, "n", "n-1.0.0.tgz").await.unwrap().unwrap().unwrap() == bytes);
        assert!(market.bytes(slow).await.unwrap() == bytes);
        // One that goes away does not stop the others either.
        assert_eq!(upstream.count(), 2);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tampered_tarball_is_refused_and_not_kept() {
    both(async |market| {
        for size in [1000, LARGE] {
            let package = format!("n{size}");
            let (right, mut wrong) = (tarball(4, size), tarball(4, size));
            wrong[size - 1] ^= 1;
            let file = format!("{package}-1.0.0.tgz");
            let known = document(&package, &[("1.0.0", 1, &right)]);
            let upstream =
                Counterparty::start(decent(known.clone(), vec![(file.clone(), wrong.clone())])).await;
            let uplinks = market.uplinks(&settings(&upstream));
            let before = (market.kept().await, market.files_on_disk());
            market.packument(&uplinks, &package).await.unwrap().unwrap();
            match market.tarball(&uplinks, &package, &file).await {
                Err(error) => {
                    let problem = problem(error);
                    assert_eq!((problem.status, &*problem.code), (502, "registry.uplink_tampered"));
                    assert_eq!(size, 1000);
                }
                Ok(body) => {
                    assert!(body.unwrap().is_err(), "the connection is cut");
                    assert_eq!(size, LARGE);
                }
            }
            let (blobs, files) = market.kept().await;
            assert_eq!((blobs, files), (before.0.0 + 1, before.0.1), "only the document");
            // The thread that wrote it removes its temporary file in its own time.
            for _ in 0..100 {
                if market.files_on_disk() == before.1 + 1 {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            assert_eq!(market.files_on_disk(), before.1 + 1);
            // Once the uplink is right again, so are we.
            upstream.behave(decent(known, vec![(file.clone(), right.clone())]));
            assert!(market.tarball(&uplinks, &package, &file).await.unwrap().unwrap().unwrap() == right);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_one_that_is_not_what_was_promised_nobody_gets_all() {
    both(async |market| {
        let (right, wrong) = (tarball(4, LARGE), tarball(5, LARGE));
        let known = document("n", &[("1.0.0", 1, &right)]);
        let upstream = Counterparty::start(move |seen| match seen.path.as_str() {
            "/n" => Reply::json(&known),
            _ => Reply::new(200, wrong.clone()).paced(2),
        })
        .await;
        let uplinks = market.uplinks(&settings(&upstream));
        let arriving = uplinks
            .tarball(&name("n"), "n-1.0.0.tgz", &Binding::default(), market.now())
            .await
            .unwrap()
            .unwrap();
        let Tarball::Arriving { mut body, .. } = arriving else { panic!("it was kept") };
        let mut received = 0;
        let end = loop {
            match body.next().await {
                Some(Ok(piece)) => received += piece.len(),
                end => break end,
            }
        };
        assert!(matches!(end, Some(Err(_))), "it must not end as if it were whole");
        assert!((1..LARGE).contains(&received), "{received} bytes");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_breaks_off_is_not_kept() {
    both(async |market| {
        let bytes = tarball(5, LARGE);
        let (known, cut) = (document("n", &[("1.0.0", 1, &bytes)]), bytes[..LARGE / 2].to_vec());
        for length in [Some(LARGE), None] {
            let (known, cut) = (known.clone(), cut.clone());
            let upstream = Counterparty::start(move |seen| match seen.path.as_str() {
                "/n" => Reply::json(&known),
                _ => Reply::new(200, cut.clone()).claiming(length),
            })
            .await;
            let uplinks = market.uplinks(&settings(&upstream));
            let body = market.tarball(&uplinks, "n", "n-1.0.0.tgz").await.unwrap().unwrap();
            assert!(body.is_err(), "half of it is not told as whole");
            assert_eq!(market.kept().await.1, 0);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_is_too_large_is_refused() {
    both(async |market| {
        let bytes = tarball(6, 2 << 20);
        for length in [Some(2 << 20), None] {
            let (known, sent) = (document("n", &[("1.0.0", 1, &bytes)]), bytes.clone());
            let upstream = Counterparty::start(move |seen| match seen.path.as_str() {
                "/n" => Reply::json(&known),
                _ => Reply::new(200, sent.clone()).claiming(length),
            })
            .await;
            let mut settings = settings(&upstream);
            settings.limits.tarball_bytes = (1 << 20) + 1;
            let uplinks = market.uplinks(&settings);
            match market.tarball(&uplinks, "n", "n-1.0.0.tgz").await {
                Err(error) => assert_eq!(problem(error).status, 502),
                Ok(body) => assert!(body.unwrap().is_err()),
            }
            assert_eq!(market.kept().await.1, 0);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mislabelled_encoding_does_not_matter_when_the_bytes_are_right() {
    both(async |market| {
        let bytes = tarball(7, 5000);
        let (known, sent) = (document("n", &[("1.0.0", 1, &bytes)]), bytes.clone());
        let upstream = Counterparty::start(move |seen| match seen.path.as_str() {
            "/n" => Reply::json(&known),
            _ => Reply::new(200, sent.clone()).header("content-encoding", "gzip"),
        })
        .await;
        let uplinks = market.uplinks(&settings(&upstream));
        assert!(market.tarball(&uplinks, "n", "n-1.0.0.tgz").await.unwrap().unwrap().unwrap() == bytes);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_is_newer_than_the_document_is_found() {
    both(async |market| {
        let bytes = tarball(8, 100);
        let upstream = Counterparty::start(decent(document("n", &[("1.0.0", 1, &bytes)]), vec![])).await;
        let uplinks = market.uplinks(&settings(&upstream));
        market.packument(&uplinks, "n").await.unwrap().unwrap();
        let known = document("n", &[("1.0.0", 1, &bytes), ("1.0.1", 2, &bytes)]);
        upstream.behave(decent(known, vec![("n-1.0.1.tgz".to_owned(), bytes.clone())]));
        market.pass(11);
        assert!(market.tarball(&uplinks, "n", "n-1.0.1.tgz").await.unwrap().unwrap().unwrap() == bytes);
        // A stranger cannot make us ask again and again.
        let before = upstream.count();
        for _ in 0..5 {
            assert!(market.tarball(&uplinks, "n", "n-9.9.9.tgz").await.unwrap().is_none());
        }
        assert_eq!(upstream.count(), before);
    })
    .await;
}
