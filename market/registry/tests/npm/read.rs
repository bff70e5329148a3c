//! Packuments, tarballs, their headers, and what conditional requests get.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
use std::io::Read;

use serde_json::{Value, json};
use store::testing::both;

use crate::bench::{Bench, MIGRATIONS, document, document_with};

const SHORT: (&str, &str) =
    ("accept", "application/vnd.npm.install-v1+json; q=1.0, application/json; q=0.8, */*");

#[tokio::test(flavor = "multi_thread")]
async fn both_forms_look_like_this() {
    both(MIGRATIONS, async |store| {
        let bench = Bench::new(store).await;
        let ada = bench.account("ada").await;
        let fields = json!({
            "dependencies": {"is-odd": "^3.0.0"}, "scripts": {"postinstall": "true"}, "bin": {"pad": "cli.js"},
            "keywords": ["pad"], "homepage": "https://example.com/", "private": false,
        });
        bench.put("/npm/@ada%2fpad", &ada, document("@ada/pad", "1.0.0", fields)).await.expect(201);
        bench.advance(1);
        bench.publish("@ada/pad", "1.1.0-beta.1", &ada).await.expect(201);
        // The revision's hash depends on the package's id.
        let filtered = |mut document: Value| {
            if let Some(rev) = document.get_mut("_rev") {
                *rev = json!("…");
            }
            serde_json::to_string_pretty(&document).unwrap()
        };
        let short = bench.get_with("/npm/@ada%2fpad", &[SHORT]).await.expect(200).json();
        insta::assert_snapshot!("abbreviated", filtered(short));
        let long = bench.get("/npm/@ada/pad", "").await.expect(200).json();
        insta::assert_snapshot!("full", filtered(long.clone()));
        let one = bench.get("/npm/@ada%2fpad/1.0.0", "").await.expect(200).json();
        assert_eq!(one, long["versions"]["1.0.0"]);
        let latest = bench.get("/npm/@ada/pad/latest", "").await.expect(200).json();
        assert_eq!(latest["version"], "1.1.0-beta.1");
        let missing = bench.get("/npm/@ada/pad/9.9.9", "").await.expect(404);
        assert_eq!(missing.error(), "version not found: 9.9.9");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_did_not_change_is_not_sent_again() {
    both(MIGRATIONS, async |store| {
        let bench = Bench::new(store).await;
        let ada = bench.account("ada").await;
        bench.publish("pad", "1.0.0", &ada).await.expect(201);
        let gzip = ("accept-encoding", "gzip,deflate");
        let first = bench.get_with("/npm/pad", &[SHORT, gzip]).await.expect(200);
        let packed = bench.get_with("/npm/pad", &[gzip]).await.expect(200);
        assert_eq!(packed.header("content-encoding"), "gzip");
        let mut unpacked = String::new();
        flate2::read::GzDecoder::new(&packed.body[..]).read_to_string(&mut unpacked).unwrap();
        let plain = bench.get_with("/npm/pad", &[]).await.expect(200);
        assert_eq!(unpacked.as_bytes(), plain.body);
        assert_eq!(plain.header("content-type"), "application/json");
        assert_eq!(plain.header("cache-control"), "no-cache");
        assert_eq!(plain.header("vary"), "accept, accept-encoding");
        let tags = [&first, &packed, &plain].map(|answer| answer.header("etag").to_owned());
        assert_eq!(tags.iter().collect::<std::collections::BTreeSet<_>>().len(), 3, "{tags:?}");

        // The answer names the bytes that the client has: a cache refreshes what it keeps by that.
        let has = [(&tags[1], 1), (&format!("\"x\", W/{}", tags[2]), 2), (&"*".to_owned(), 1)];
        for (tag, named) in has {
            let same = bench.get_with("/npm/pad", &[gzip, ("if-none-match", tag)]).await.expect(304);
            assert!(same.body.is_empty());
            assert_eq!(same.header("etag"), tags[named]);
        }
        bench.get_with("/npm/pad", &[("if-none-match", &tags[0])]).await.expect(200);
        let since = plain.header("last-modified").to_owned();
        bench.get_with("/npm/pad", &[("if-modified-since", &since)]).await.expect(304);
        bench
            .get_with("/npm/pad", &[("if-modified-since", &since), ("if-none-match", "\"x\"")])
            .await
            .expect(200);

        bench.publish("pad", "1.0.1", &ada).await.expect(201);
        let changed = bench.get_with("/npm/pad", &[("if-none-match", &tags[2])]).await.expect(200);
        assert_eq!(changed.json()["dist-tags"]["latest"], "1.0.1");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_come_in_the_encoding_that_is_wanted_most() {
    both(MIGRATIONS, async |store| {
        let bench = Bench::new(store).await;
        let ada = bench.account("ada").await;
        bench.publish("pad", "1.0.0", &ada).await.expect(201);
        let plain = bench.get_with("/npm/pad", &[]).await.expect(200);
        let as_wanted = async |accept: &str, more: &[(&str, &str)]| {
            bench.get_with("/npm/pad", &[&[("accept-encoding", accept)], more].concat()).await
        };
        let packed = as_wanted("gzip, deflate, br, zstd", &[]).await.expect(200);
        assert_eq!(packed.header("content-encoding"), "br");
        assert_eq!(packed.header("vary"), "accept, accept-encoding");
        let mut unpacked = Vec::new();
        brotli::BrotliDecompress(&mut &packed.body[..], &mut unpacked).unwrap();
        assert!(unpacked == plain.body && packed.body.len() < plain.body.len());
        let gzip = as_wanted("br;q=0.5, gzip", &[]).await.expect(200);
        assert_eq!(gzip.header("content-encoding"), "gzip");
        assert_eq!(as_wanted("br;q=0, gzip;q=0", &[]).await.expect(200).body, plain.body);

        let tags = [&plain, &gzip, &packed].map(|answer| answer.header("etag").to_owned());
        assert_eq!(tags.iter().collect::<std::collections::BTreeSet<_>>().len(), 3, "{tags:?}");
        let same = as_wanted("gzip, br", &[("if-none-match", &tags[2])]).await.expect(304);
        assert_eq!((same.header("etag"), same.body.len()), (&*tags[2], 0));
        // A shared cache has brotli for somebody else: this client cannot read it.
        as_wanted("gzip", &[("if-none-match", &tags[2])]).await.expect(200);

        bench.publish("pad", "1.0.1", &ada).await.expect(201);
        let changed = as_wanted("br", &[("if-none-match", &tags[2])]).await.expect(200);
        assert_eq!(changed.header("content-encoding"), "br");
        let tag = changed.header("etag").to_owned();
        as_wanted("br", &[("if-none-match", &tag)]).await.expect(304);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_of_a_tarball_is_given() {
    both(MIGRATIONS, async |store| {
        let bench = Bench::new(store).await;
        let ada = bench.account("ada").await;
        let noise: Vec<u8> =
            (0u32..100_000).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
        let manifest = json!({"name": "large", "version": "1.0.0"}).to_string();
        let large = crate::bench::tarball(&[
            ("package/package.json", manifest.as_bytes()),
            ("package/noise", &noise),
        ]);
        bench.put("/npm/large", &ada, document_with("large", "1.0.0", json!({}), &large)).await.expect(201);
        bench.publish("small", "1.0.0", &ada).await.expect(201);
        // The small one comes from memory, the large one from the disk.
        for path in ["/npm/small/-/small-1.0.0.tgz", "/npm/large/-/large-1.0.0.tgz"] {
            let whole = bench.get_with(path, &[]).await.expect(200);
            assert_eq!(whole.header("accept-ranges"), "bytes");
            let (bytes, tag) = (&whole.body, whole.header("etag"));
            let length = bytes.len();
            let from = length / 3;
            for (range, first, last) in [
                (format!("bytes={from}-{}", length / 2), from, length / 2),
                (format!("bytes={from}-"), from, length - 1),
                ("bytes=-7".to_owned(), length - 7, length - 1),
                ("bytes=0-0".to_owned(), 0, 0),
            ] {
                let asked = [("range", range.as_str()), ("if-range", tag)];
                let part = bench.get_with(path, &asked).await.expect(206);
                assert!(part.body == bytes[first..=last], "{range}");
                assert_eq!(part.header("content-range"), format!("bytes {first}-{last}/{length}"));
                assert_eq!(part.header("content-length"), (last - first + 1).to_string());
                assert_eq!(part.header("etag"), tag);
            }
            let beyond = format!("bytes={length}-");
            let none = bench.get_with(path, &[("range", &beyond)]).await.expect(416);
            assert_eq!(none.header("content-range"), format!("bytes */{length}"));
            let ignored = [
                [("range", "bytes=0-1"), ("if-range", "\"another\"")],
                [("range", "bytes=0-1,4-5"), ("if-range", tag)],
                [("range", "bytes=5-1"), ("if-range", tag)],
            ];
            for asked in ignored {
                assert!(bench.get_with(path, &asked).await.expect(200).body == *bytes, "{asked:?}");
            }
            bench.get_with(path, &[("range", "bytes=0-1"), ("if-none-match", tag)]).await.expect(304);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tarballs_never_change_and_are_counted() {
    both(MIGRATIONS, async |store| {
        let bench = Bench::new(store).await;
        let ada = bench.account("ada").await;
        bench.publish("@ada/pad", "1.0.0", &ada).await.expect(201);
        for path in ["/npm/@ada/pad/-/pad-1.0.0.tgz", "/@ada%2fpad/-/@ada%2fpad-1.0.0.tgz"] {
            let answer = bench.get_with(path, &[("accept-encoding", "gzip")]).await.expect(200);
            assert_eq!(answer.header("cache-control"), "public, max-age=31536000, immutable");
            assert_eq!(answer.header("content-type"), "application/octet-stream");
            assert_eq!(answer.header("content-length"), answer.body.len().to_string());
            assert_eq!(answer.header("content-encoding"), "");
            let tag = answer.header("etag").to_owned();
            bench.get_with(path, &[("if-none-match", &tag)]).await.expect(304);
            bench.get_with(path, &[("range", "bytes=9-")]).await.expect(206); // the rest of a download
        }
        bench.get("/npm/@ada/pad/-/pad-1.0.1.tgz", "").await.expect(404);
        bench.registry.flush_downloads().await.unwrap();
        bench.registry.flush_downloads().await.unwrap();
        let stranger = identity::Caller::stranger(bench.clock.now());
        let package = bench.registry.find(&stranger, registry::Ecosystem::Npm, "@ada/pad").await.unwrap();
        assert_eq!(crate::bench::downloads(&bench, package.id).await, 2);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn large_tarballs_stream_in_and_out() {
    both(MIGRATIONS, async |store| {
        let bench = Bench::new(store).await;
        let ada = bench.account("ada").await;
        let noise: Vec<u8> =
            (0u32..700_000).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
        let manifest = json!({"name": "large", "version": "1.0.0"}).to_string();
        let tarball = crate::bench::tarball(&[
            ("package/package.json", manifest.as_bytes()),
            ("package/noise", &noise),
        ]);
        assert!(tarball.len() > 1 << 20);
        let document = crate::bench::document_with("large", "1.0.0", json!({}), &tarball);
        bench.put("/npm/large", &ada, document).await.expect(201);
        let answer = bench.get("/npm/large/-/large-1.0.0.tgz", "").await.expect(200);
        assert!(answer.body == tarball, "the same bytes");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn small_requests_of_everyday() {
    both(MIGRATIONS, async |store| {
        let bench = Bench::new(store).await;
        let ada = bench.account("ada").await;
        assert_eq!(bench.get("/npm/-/ping", "").await.expect(200).json(), json!({}));
        assert_eq!(bench.get("/-/whoami", &ada).await.expect(200).json(), json!({"username": "ada"}));
        assert_eq!(bench.get("/npm/absent", "").await.expect(404).error(), "Not found");
        bench.get("/npm/-/npm/v1/keys", "").await.expect(404);
        bench.call(http::Method::POST, "/npm/-/ping", "", Value::Null).await.expect(405);
        bench.get("/npm/%2e%2e", "").await.expect(400);
        let stale = bench.get("/npm/absent", "elk_stale").await.expect(401);
        assert!(stale.header("www-authenticate").starts_with("Bearer"), "never silently anonymous");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn audits_tell_what_is_known() {
    both(MIGRATIONS, async |store| {
        let bench = Bench::new(store).await;
        crate::bench::add_advisory(&bench, "left-pad", "<1.2.0", "high").await;
        let body = json!({"left-pad": ["1.1.0", "1.3.0"], "right-pad": ["1.0.0"]});
        let bulk = "/npm/-/npm/v1/security/advisories/bulk";
        let found = bench.call(http::Method::POST, bulk, "", body).await.expect(200).json();
        assert_eq!(found["left-pad"][0]["severity"], "high");
        assert_eq!(found["left-pad"][0]["vulnerable_versions"], "<1.2.0");
        assert!(found.get("right-pad").is_none());
        let fine = bench.call(http::Method::POST, bulk, "", json!({"left-pad": ["1.2.0"]})).await.expect(200);
        assert_eq!(fine.json(), json!({}));

        let tree = json!({"name": "x", "dependencies": {
            "a": {"version": "1.0.0", "dependencies": {"left-pad": {"version": "1.1.0"}}},
            "left-pad": {"version": "1.3.0"},
        }});
        let quick = bench
            .call(http::Method::POST, "/npm/-/npm/v1/security/audits", "", tree)
            .await
            .expect(200)
            .json();
        assert_eq!(quick["metadata"]["vulnerabilities"]["high"], 1);
        assert_eq!(quick["metadata"]["totalDependencies"], 3);
        let advisory = quick["advisories"].as_object().unwrap().values().next().unwrap();
        assert_eq!(advisory["findings"], json!([{"version": "1.1.0", "paths": ["a>left-pad"]}]));
        bench.call(http::Method::POST, bulk, "", json!([1])).await.expect(400);
    })
    .await;
}
