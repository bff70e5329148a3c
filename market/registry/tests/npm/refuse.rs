//! What a publish is refused for; nothing is there afterwards.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use sha2::{Digest, Sha512};
use store::testing::both;

use crate::bench::{Bench, MIGRATIONS, document, document_with, small_tarball, tarball};

/// Changes a good document.
fn changed(change: impl FnOnce(&mut Value)) -> Value {
    let mut document = document("pad", "1.0.0", json!({}));
    change(&mut document);
    document
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_that_are_wrong() {
    both(MIGRATIONS, async |store| {
        let bench = Bench::new(store).await;
        let ada = bench.account("ada").await;
        let data = "/_attachments/pad-1.0.0.tgz/data";
        let cases: Vec<(&str, Value)> = vec![
            ("sha512", changed(|d| d["versions"]["1.0.0"]["dist"]["integrity"] = json!("sha512-AAAA"))),
            ("shasum", changed(|d| d["versions"]["1.0.0"]["dist"]["shasum"] = json!("00"))),
            ("not about pad", changed(|d| d["name"] = json!("other"))),
            ("not that of pad", changed(|d| d["versions"]["1.0.0"]["name"] = json!("other"))),
            ("one version", changed(|d| d["versions"] = json!({}))),
            ("marked as private", changed(|d| d["versions"]["1.0.0"]["private"] = json!(true))),
            ("must not be a valid SemVer range", changed(|d| d["dist-tags"] = json!({"1.x": "1.0.0"}))),
            ("points to", changed(|d| d["dist-tags"] = json!({"next": "2.0.0"}))),
            ("no base64", changed(|d| *d.pointer_mut(data).unwrap() = json!("***"))),
            ("no gzip", changed(|d| *d.pointer_mut(data).unwrap() = json!("aGVsbG8="))),
            (
                "bytes, the document says",
                changed(|d| d["_attachments"]["pad-1.0.0.tgz"]["length"] = json!(1)),
            ),
            ("Only scoped packages", changed(|d| d["access"] = json!("restricted"))),
            ("must be an object", changed(|d| d["versions"]["1.0.0"]["dependencies"] = json!([1]))),
            ("asks for nothing", json!({"_id": "pad"})),
        ];
        for (expected, document) in cases {
            let answer = bench.put("/npm/pad", &ada, document).await.expect(400);
            assert!(answer.error().contains(expected), "{expected}: {}", answer.error());
        }
        let other = document_with("pad", "1.0.0", json!({}), &small_tarball("pad", "1.0.1"));
        assert!(
            bench
                .put("/npm/pad", &ada, other)
                .await
                .expect(400)
                .error()
                .contains("package.json is of pad@1.0.1")
        );
        let bad_version = changed(|d| {
            let manifest = json!({"name": "pad", "version": "1.0"});
            d["versions"] = json!({"1.0": manifest});
        });
        assert!(bench.put("/npm/pad", &ada, bad_version).await.expect(400).error().contains("is no version"));
        bench.get("/npm/pad", &ada).await.expect(404);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tarballs_that_are_dangerous() {
    both(MIGRATIONS, async |store| {
        let bench = Bench::new(store).await;
        let ada = bench.account("ada").await;
        let manifest = json!({"name": "pad", "version": "1.0.0"}).to_string();
        let zeros = vec![0; 40 << 20];
        let cases = [
            ("package.json files", tarball(&[("package/index.js", b"1")])),
            ("grows", tarball(&[("package/package.json", manifest.as_bytes()), ("package/zeros", &zeros)])),
            ("cannot be read", tarball(&[("package/package.json", b"no json")])),
        ];
        for (expected, bytes) in cases {
            let answer = bench.put("/npm/pad", &ada, document_with("pad", "1.0.0", json!({}), &bytes)).await;
            assert!(answer.error().contains(expected), "{expected}: {}", answer.error());
            assert_eq!(answer.status, 400);
        }
        bench.get("/npm/pad", &ada).await.expect(404);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn names_that_are_not_acceptable() {
    both(MIGRATIONS, async |store| {
        let bench = Bench::new(store).await;
        let ada = bench.account("ada").await;
        bench.account("bob").await;
        for name in ["Capital", "http", "wow!"] {
            let answer = bench.put(&format!("/npm/{name}"), &ada, document(name, "1.0.0", json!({}))).await;
            assert!(answer.expect(403).error().contains("cannot be published"), "{name}");
        }
        let foreign = bench.publish("@bob/pad", "1.0.0", &ada).await.expect(403);
        assert!(foreign.error().contains("@bob"), "{}", foreign.error());
        bench.publish("@nobody/pad", "1.0.0", &ada).await.expect(201);
        bench.put("/npm/.hidden", &ada, document(".hidden", "1.0.0", json!({}))).await.expect(400);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn provenance_is_kept_when_it_is_about_the_tarball() {
    both(MIGRATIONS, async |store| {
        let bench = Bench::new(store).await;
        let ada = bench.account("ada").await;
        let digest = hex::encode(Sha512::digest(small_tarball("@ada/pad", "1.0.0")));
        let with = |digest: &str| {
            let statement = json!({
                "_type": "https://in-toto.io/Statement/v1", "predicateType": "https://slsa.dev/provenance/v1",
                "subject": [{"name": "pkg:npm/%40ada/pad@1.0.0", "digest": {"sha512": digest}}],
            });
            let payload = STANDARD.encode(statement.to_string());
            let bundle = json!({"mediaType": "x", "dsseEnvelope": {"payload": payload}}).to_string();
            let mut document = document("@ada/pad", "1.0.0", json!({}));
            document["_attachments"]["@ada/pad-1.0.0.sigstore"] =
                json!({"content_type": "application/vnd.dev.sigstore.bundle+json;version=0.3", "data": bundle});
            (document, bundle)
        };
        bench.put("/npm/@ada%2fpad", &ada, with("00").0).await.expect(400);
        let (document, bundle) = with(&digest);
        bench.put("/npm/@ada%2fpad", &ada, document).await.expect(201);
        let short = bench.get("/npm/@ada/pad", "").await.expect(200).json();
        let attestations = &short["versions"]["1.0.0"]["dist"]["attestations"];
        assert_eq!(attestations["provenance"]["predicateType"], "https://slsa.dev/provenance/v1");
        let url = attestations["url"].as_str().unwrap().strip_prefix("http://localhost:4873").unwrap();
        let served = bench.get(url, "").await.expect(200).json();
        assert_eq!(served["attestations"][0]["bundle"], serde_json::from_str::<Value>(&bundle).unwrap());
        bench.get("/npm/-/npm/v1/attestations/@ada/pad@1.0.1", "").await.expect(404);
    })
    .await;
}
