//! Answers that must not be believed.

use std::io::Write;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::json;

use crate::counterparty::{Counterparty, Reply, decent, document, tarball};
use crate::market::{both, problem, settings};

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_that_cannot_be_used_are_refused_and_the_last_good_one_stays() {
    let right = document("n", &[("1.0.0", 1, b"one")]).to_string();
    // A right document, as far as one reads; then 64 MB of spaces.
    let bomb = gzip(&[right.as_bytes(), &vec![b' '; 64 << 20]].concat());
    assert!(bomb.len() < 1 << 20);
    let replies: Vec<(&str, Reply)> = vec![
        ("no JSON", Reply::new(200, "<html>")),
        ("cut off JSON", Reply::new(200, &right[..right.len() / 2])),
        ("cut off", Reply::new(200, &right[..right.len() / 2]).claiming(Some(right.len()))),
        ("another package", Reply::json(&document("m", &[]))),
        ("no text", Reply::new(200, b"{\"name\":\"n\",\"x\":\"\xff\"}".to_vec())),
        ("an encoding nobody asked for", Reply::new(200, right.clone()).header("content-encoding", "br")),
        (
            "a damaged encoding",
            Reply::new(200, &gzip(right.as_bytes())[..40]).header("content-encoding", "gzip"),
        ),
        ("a bomb", Reply::new(200, bomb).header("content-encoding", "gzip")),
        ("huge", Reply::new(200, vec![b' '; 2 << 20])),
        ("huge without a length", Reply::new(200, vec![b' '; 2 << 20]).claiming(None)),
        ("unchanged, out of nothing", Reply::new(304, "")),
        ("a strange status", Reply::new(418, "")),
        ("no entry", Reply::new(401, "")),
        ("no luck", Reply::new(403, "")),
    ];
    both(async |market| {
        for (at, (what, reply)) in replies.iter().enumerate() {
            let (first, later) = (right.clone(), reply.clone());
            let upstream = Counterparty::start(move |_| later.clone()).await;
            let mut settings = settings(&upstream);
            settings.uplinks[0].name = format!("u{at}");
            let uplinks = market.uplinks(&settings);
            let error = problem(market.packument(&uplinks, "n").await.expect_err(what));
            assert!([502, 503].contains(&error.status), "{what}: {error:?}");
            assert!(!error.detail.contains("127.0.0.1"), "{what}: no addresses in messages");

            upstream.behave(move |_| Reply::new(200, first.clone()));
            assert!(
                market.packument(&uplinks, "n").await.unwrap().is_some(),
                "{what}: it is asked again at once"
            );
            let bad = reply.clone();
            upstream.behave(move |_| bad.clone());
            market.pass(301);
            let stale = market.packument(&uplinks, "n").await.expect(what).unwrap();
            assert_eq!(stale["dist-tags"], json!({"latest": "1.0.0"}), "{what}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn gzip_is_taken_where_it_is_gzip() {
    both(async |market| {
        let packed = gzip(document("n", &[("1.0.0", 1, b"one")]).to_string().as_bytes());
        let upstream =
            Counterparty::start(move |_| Reply::new(200, packed.clone()).header("content-encoding", "gzip"))
                .await;
        let uplinks = market.uplinks(&settings(&upstream));
        assert!(market.packument(&uplinks, "n").await.unwrap().is_some());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn silence_and_trickles_end_in_time() {
    both(async |market| {
        let right = document("n", &[("1.0.0", 1, b"one")]);
        let known = right.clone();
        let upstream = Counterparty::start(move |_| Reply::json(&known).after(3000)).await;
        let mut settings = settings(&upstream);
        settings.uplinks[0].timeout = Duration::from_millis(200);
        let uplinks = market.uplinks(&settings);
        let silent = problem(market.packument(&uplinks, "n").await.unwrap_err());
        assert_eq!(silent.status, 503);
        // Each piece comes in time, all of them together do not.
        upstream.behave(move |_| Reply::new(200, vec![b' '; 1 << 20]).paced(150));
        let began = std::time::Instant::now();
        assert_eq!(problem(market.packument(&uplinks, "n").await.unwrap_err()).status, 503);
        assert!(began.elapsed() < Duration::from_secs(2));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_uplink_that_is_not_there_is_told() {
    both(async |market| {
        let upstream = Counterparty::start(|_| Reply::new(200, "")).await;
        let settings = settings(&upstream);
        let uplinks = market.uplinks(&settings);
        drop(upstream);
        tokio::time::sleep(Duration::from_millis(50)).await;
        let problem = problem(market.packument(&uplinks, "n").await.unwrap_err());
        assert_eq!(problem.status, 503);
        assert!(problem.detail.contains("\"upstream\" cannot be reached"), "{}", problem.detail);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_uplink_that_says_when_to_come_back_is_left_alone_until_then() {
    both(async |market| {
        let upstream = Counterparty::start(|_| Reply::new(429, "").header("retry-after", "30")).await;
        let uplinks = market.uplinks(&settings(&upstream));
        assert_eq!(problem(market.packument(&uplinks, "n").await.unwrap_err()).retry_after_seconds, Some(30));
        assert_eq!(problem(market.packument(&uplinks, "m").await.unwrap_err()).status, 503);
        assert_eq!(upstream.count(), 1);
        upstream.behave(|_| Reply::new(404, ""));
        market.pass(31);
        assert!(market.packument(&uplinks, "m").await.unwrap().is_none());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn redirects_are_bounded_and_stay_on_the_web() {
    both(async |market| {
        let upstream = Counterparty::start(|_| Reply::new(404, "")).await;
        let uplinks = market.uplinks(&settings(&upstream));
        upstream.behave(|seen| Reply::new(302, "").header("location", &seen.path));
        assert_eq!(problem(market.packument(&uplinks, "loop").await.unwrap_err()).status, 502);
        assert_eq!(upstream.count(), 6);
        for (at, location) in
            ["ftp://127.0.0.1/n", "file:///etc/passwd", "http://u:p@127.0.0.1/", "http://[", ""]
                .iter()
                .enumerate()
        {
            upstream.behave(move |_| {
                let reply = Reply::new(301, "");
                if location.is_empty() { reply } else { reply.header("location", location) }
            });
            let before = upstream.count();
            assert_eq!(problem(market.packument(&uplinks, &format!("n{at}")).await.unwrap_err()).status, 502);
            assert_eq!(upstream.count(), before + 1, "{location}");
        }
        let known = document("moved", &[("1.0.0", 1, b"one")]);
        upstream.behave(move |seen| match seen.path.as_str() {
            "/there" => Reply::json(&known),
            _ => Reply::new(307, "").header("location", "/there"),
        });
        assert!(market.packument(&uplinks, "moved").await.unwrap().is_some());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_token_is_shown_to_the_uplink_alone() {
    both(async |market| {
        let bytes = tarball(1, 100);
        let known = document("n", &[("1.0.0", 1, &bytes), ("1.0.1", 1, &bytes)]);
        let files = [("n-1.0.0.tgz".to_owned(), bytes.clone()), ("n-1.0.1.tgz".to_owned(), bytes.clone())];
        let elsewhere = Counterparty::start(decent(known.clone(), files.to_vec())).await;
        let elsewhere_url = format!("http://localhost:{}", elsewhere.address.port());
        let mut stated = known.clone();
        stated["versions"]["1.0.1"]["dist"]["tarball"] = json!(format!("{elsewhere_url}/n-1.0.1.tgz"));
        let upstream = Counterparty::start(move |seen| match seen.path.as_str() {
            "/n" => Reply::json(&stated),
            path => Reply::new(302, "").header("location", &format!("{elsewhere_url}{path}")),
        })
        .await;
        let uplinks = market.uplinks(&settings(&upstream));
        for file in ["n-1.0.0.tgz", "n-1.0.1.tgz"] {
            assert!(market.tarball(&uplinks, "n", file).await.unwrap().unwrap().unwrap() == bytes);
        }
        assert!(upstream.seen().iter().all(|seen| seen.headers["authorization"] == "Bearer very-secret"));
        assert_eq!(elsewhere.count(), 2);
        assert!(elsewhere.seen().iter().all(|seen| !seen.headers.contains_key("authorization")));
    })
    .await;
}
