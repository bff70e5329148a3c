//! Documents: fetched once, kept, confirmed, coalesced, stale while the uplink is down.

use std::time::Duration;

use futures_util::future::join_all;
use registry::Form;
use registry::uplink::Binding;
use serde_json::json;

use crate::counterparty::{Counterparty, Reply, decent, document};
use crate::market::{BASE, both, name, problem, settings};

#[tokio::test(flavor = "multi_thread")]
async fn a_document_is_fetched_once_then_confirmed() {
    both(async |market| {
        let upstream = Counterparty::start(decent(document("@s/n", &[("1.0.0", 1, b"one")]), vec![])).await;
        let uplinks = market.uplinks(&settings(&upstream));
        let cold = market.packument(&uplinks, "@s/n").await.unwrap().unwrap();
        assert_eq!(cold["versions"]["1.0.0"]["dist"]["tarball"], format!("{BASE}@s/n/-/n-1.0.0.tgz"));
        market.pass(299);
        assert_eq!(market.packument(&uplinks, "@s/n").await.unwrap().unwrap(), cold);
        assert_eq!(upstream.count(), 1, "warm");

        market.pass(2);
        assert_eq!(market.packument(&uplinks, "@s/n").await.unwrap().unwrap(), cold);
        let seen = upstream.seen();
        assert_eq!((seen.len(), seen[1].path.as_str()), (2, "/@s%2fn"));
        assert!(seen[1].headers.contains_key("if-none-match"));
        assert_eq!(seen[1].headers["authorization"], "Bearer very-secret");
        assert_eq!(seen[1].headers["accept-encoding"], "gzip");

        // The answer "unchanged" counts as fresh, also for the program after a restart.
        let restarted = market.uplinks(&settings(&upstream));
        assert_eq!(market.packument(&restarted, "@s/n").await.unwrap().unwrap(), cold);
        assert_eq!(upstream.count(), 2);

        upstream.behave(decent(document("@s/n", &[("1.0.0", 1, b"one"), ("1.1.0", 2, b"two")]), vec![]));
        market.pass(301);
        let changed = market.packument(&uplinks, "@s/n").await.unwrap().unwrap();
        assert_eq!(changed["dist-tags"], json!({"latest": "1.1.0"}));
        assert_eq!(market.kept().await.0, 2, "the old document waits to be collected");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn both_forms_have_their_headers_and_gzip() {
    both(async |market| {
        let versions: Vec<String> = (0..50).map(|n| format!("1.0.{n}")).collect();
        let releases: Vec<_> = versions.iter().map(|version| (version.as_str(), 1, &b"x"[..])).collect();
        let upstream = Counterparty::start(decent(document("n", &releases), vec![])).await;
        let uplinks = market.uplinks(&settings(&upstream));
        let mut etags = Vec::new();
        for (form, kind) in
            [(Form::Abbreviated, "application/vnd.npm.install-v1+json"), (Form::Full, "application/json")]
        {
            let prepared = uplinks
                .packument(&name("n"), form, BASE, &Binding::default(), market.now())
                .await
                .unwrap()
                .unwrap();
            assert_eq!(prepared.content_type, kind);
            assert_eq!(prepared.last_modified.as_ref().unwrap(), "Thu, 01 Jan 2026 00:00:00 GMT");
            let gzip = prepared.encodings.gzip.as_ref().unwrap();
            assert!(gzip.bytes.len() < prepared.encodings.plain.bytes.len() / 4);
            etags.extend([prepared.encodings.plain.etag.clone(), gzip.etag.clone()]);
            let again = uplinks
                .packument(&name("n"), form, BASE, &Binding::default(), market.now())
                .await
                .unwrap()
                .unwrap();
            assert!(std::sync::Arc::ptr_eq(&prepared, &again), "prepared once");
            let elsewhere = uplinks
                .packument(&name("n"), form, "https://e.example.com/", &Binding::default(), market.now())
                .await;
            let elsewhere = elsewhere.unwrap().unwrap();
            assert!(
                String::from_utf8_lossy(&elsewhere.encodings.plain.bytes)
                    .contains("https://e.example.com/n/-/n-1.0.0.tgz")
            );
        }
        etags.sort_by_key(|etag| etag.to_str().unwrap().to_owned());
        etags.dedup();
        assert_eq!((etags.len(), upstream.count()), (4, 1));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_who_ask_at_once_make_one_request() {
    both(async |market| {
        let known = document("n", &[("1.0.0", 1, b"one")]);
        let upstream = Counterparty::start(move |_| Reply::json(&known).after(200)).await;
        let uplinks = market.uplinks(&settings(&upstream));
        let answers = join_all((0..40).map(|_| market.packument(&uplinks, "n"))).await;
        assert!(answers.iter().all(|answer| answer.as_ref().unwrap().is_some()));
        assert_eq!(upstream.count(), 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_that_gives_up_does_not_stop_the_others() {
    both(async |market| {
        let known = document("n", &[("1.0.0", 1, b"one")]);
        let upstream = Counterparty::start(move |_| Reply::json(&known).after(300)).await;
        let uplinks = market.uplinks(&settings(&upstream));
        let impatient = tokio::time::timeout(Duration::from_millis(100), market.packument(&uplinks, "n"));
        let (impatient, patient) = tokio::join!(impatient, market.packument(&uplinks, "n"));
        assert!(impatient.is_err() && patient.unwrap().is_some());
        assert_eq!(upstream.count(), 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_uplink_is_down_the_last_answer_is_given_and_it_is_left_alone() {
    both(async |market| {
        let decently = || decent(document("n", &[("1.0.0", 1, b"one")]), vec![]);
        let upstream = Counterparty::start(decently()).await;
        let uplinks = market.uplinks(&settings(&upstream));
        let fresh = market.packument(&uplinks, "n").await.unwrap().unwrap();
        upstream.behave(|_| Reply::new(500, "oops"));
        market.pass(301);
        for _ in 0..20 {
            assert_eq!(market.packument(&uplinks, "n").await.unwrap().unwrap(), fresh);
        }
        assert_eq!(upstream.count(), 1 + 5, "after five failures it is not asked for a while");
        let unknown = problem(market.packument(&uplinks, "other").await.unwrap_err());
        assert_eq!((unknown.status, &*unknown.code), (503, "registry.uplink_down"));
        assert!(unknown.retry_after_seconds.is_some());
        assert_eq!(upstream.count(), 6);

        upstream.behave(decently());
        market.pass(5);
        assert!(market.packument(&uplinks, "other").await.unwrap().is_none(), "a probe finds it well again");
        assert_eq!(market.packument(&uplinks, "n").await.unwrap().unwrap(), fresh);
        assert_eq!(upstream.count(), 8);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_uplink_holds_nobody_up_who_can_have_the_last_answer() {
    both(async |market| {
        let upstream = Counterparty::start(decent(document("n", &[("1.0.0", 1, b"one")]), vec![])).await;
        let mut settings = settings(&upstream);
        settings.limits.patience = Duration::from_millis(50);
        let uplinks = market.uplinks(&settings);
        market.packument(&uplinks, "n").await.unwrap().unwrap();
        let newer = document("n", &[("2.0.0", 2, b"two")]);
        upstream.behave(move |_| Reply::json(&newer).after(400));
        market.pass(301);
        let stale = market.packument(&uplinks, "n").await.unwrap().unwrap();
        assert_eq!(stale["dist-tags"]["latest"], "1.0.0");
        tokio::time::sleep(Duration::from_millis(900)).await;
        let newer = market.packument(&uplinks, "n").await.unwrap().unwrap();
        assert_eq!((&newer["dist-tags"]["latest"], upstream.count()), (&json!("2.0.0"), 2));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn absence_is_believed_for_a_short_time() {
    both(async |market| {
        let upstream = Counterparty::start(|_| Reply::new(404, "{}")).await;
        let uplinks = market.uplinks(&settings(&upstream));
        for _ in 0..3 {
            assert!(market.packument(&uplinks, "n").await.unwrap().is_none());
        }
        assert_eq!(upstream.count(), 1);
        upstream.behave(decent(document("n", &[("1.0.0", 1, b"one")]), vec![]));
        market.pass(61);
        assert!(market.packument(&uplinks, "n").await.unwrap().is_some());
        // What was removed there is removed here, and not stale.
        upstream.behave(|_| Reply::new(404, "{}"));
        market.pass(301);
        assert!(market.packument(&uplinks, "n").await.unwrap().is_none());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_address_under_the_same_name_does_not_inherit() {
    both(async |market| {
        let first = Counterparty::start(decent(document("n", &[("1.0.0", 1, b"one")]), vec![])).await;
        market.packument(&market.uplinks(&settings(&first)), "n").await.unwrap().unwrap();
        let second = Counterparty::start(|_| Reply::new(404, "{}")).await;
        assert!(market.packument(&market.uplinks(&settings(&second)), "n").await.unwrap().is_none());
        assert_eq!(second.count(), 1);
        assert!(!second.seen()[0].headers.contains_key("if-none-match"));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_bytes_are_fetched_again() {
    both(async |market| {
        let upstream = Counterparty::start(decent(document("n", &[("1.0.0", 1, b"one")]), vec![])).await;
        let first = market.uplinks(&settings(&upstream));
        market.packument(&first, "n").await.unwrap().unwrap();
        let market = market.without_blobs().await;
        let uplinks = market.uplinks(&settings(&upstream));
        assert!(market.packument(&uplinks, "n").await.is_err());
        assert!(market.packument(&uplinks, "n").await.unwrap().is_some());
    })
    .await;
}
