//! What is never asked, never given, or not yet.

use std::time::Duration;

use registry::uplink::{Settings, SettingsError, Uplinks};

use crate::counterparty::{Counterparty, Reply, decent, document, tarball};
use crate::market::{both, name, problem, settings, upstream};

#[tokio::test(flavor = "multi_thread")]
async fn what_is_local_is_never_asked_for() {
    both(async |market| {
        let counterparty = Counterparty::start(|_| Reply::new(500, "")).await;
        let mut settings = settings(&counterparty);
        settings.local_only = vec!["@corp".to_owned(), "inner-*".to_owned()];
        settings.uplinks[0].patterns = vec!["@corp".to_owned(), "@acme".to_owned(), "i*".to_owned()];
        let uplinks = market.uplinks(&settings);
        market.publish_locally("innocent").await;
        market.claim("acme").await;
        for package in ["@corp/a", "inner-a", "innocent", "@acme/a", "not-in-the-patterns"] {
            assert!(market.packument(&uplinks, package).await.unwrap().is_none(), "{package}");
            let file = format!("{}-1.0.0.tgz", name(package).bare());
            assert!(market.tarball(&uplinks, package, &file).await.unwrap().is_none(), "{package}");
        }
        assert_eq!(counterparty.count(), 0);
        assert!(market.packument(&uplinks, "is-asked").await.is_err());
        assert_eq!(counterparty.count(), 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_becomes_local_is_not_given_from_the_cache() {
    both(async |market| {
        let bytes = tarball(1, 10);
        let known = document("@acme/n", &[("1.0.0", 1, &bytes)]);
        let counterparty =
            Counterparty::start(decent(known, vec![("n-1.0.0.tgz".to_owned(), bytes.clone())])).await;
        let uplinks = market.uplinks(&settings(&counterparty));
        assert!(market.tarball(&uplinks, "@acme/n", "n-1.0.0.tgz").await.unwrap().is_some());
        market.claim("acme").await;
        assert!(market.packument(&uplinks, "@acme/n").await.unwrap().is_none());
        assert!(market.tarball(&uplinks, "@acme/n", "n-1.0.0.tgz").await.unwrap().is_none());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_uplink_is_asked_only_where_the_one_before_has_nothing() {
    both(async |market| {
        let bytes = tarball(2, 10);
        let first = Counterparty::start(|_| Reply::new(404, "")).await;
        let known = document("n", &[("1.0.0", 1, &bytes)]);
        let second =
            Counterparty::start(decent(known, vec![("n-1.0.0.tgz".to_owned(), bytes.clone())])).await;
        let uplinks = vec![upstream("first", &first.url()), upstream("second", &second.url())];
        let uplinks = market.uplinks(&Settings { uplinks, ..Settings::default() });
        for _ in 0..2 {
            assert!(market.tarball(&uplinks, "n", "n-1.0.0.tgz").await.unwrap().unwrap().unwrap() == bytes);
        }
        assert_eq!((first.count(), second.count()), (1, 2));
        // The first one is down: nobody may step in with a package of the same name.
        first.behave(|_| Reply::new(503, ""));
        assert_eq!(problem(market.packument(&uplinks, "other").await.unwrap_err()).status, 503);
        assert_eq!(second.count(), 2);
        // It has the package now, another one: what was kept of the second is not given for it.
        let others = tarball(3, 10);
        let known = document("n", &[("1.0.0", 1, &others)]);
        first.behave(decent(known, vec![("n-1.0.0.tgz".to_owned(), others.clone())]));
        market.pass(61);
        market.packument(&uplinks, "n").await.unwrap().unwrap();
        assert!(market.tarball(&uplinks, "n", "n-1.0.0.tgz").await.unwrap().unwrap().unwrap() == others);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn young_releases_are_withheld_until_they_are_old_enough() {
    both(async |market| {
        let bytes = tarball(4, 10);
        let known = document("n", &[("1.0.0", 1, &bytes), ("1.0.1", 20, &bytes)]);
        let files = ["n-1.0.0.tgz", "n-1.0.1.tgz"].map(|file| (file.to_owned(), bytes.clone()));
        let counterparty = Counterparty::start(decent(known, files.to_vec())).await;
        let mut settings = settings(&counterparty);
        settings.minimum_release_age = Duration::from_secs(14 * 86_400);
        let uplinks = market.uplinks(&settings);
        let document = market.packument(&uplinks, "n").await.unwrap().unwrap();
        assert_eq!(document["dist-tags"]["latest"], "1.0.0");
        assert!(document["versions"].get("1.0.1").is_none());
        assert!(market.tarball(&uplinks, "n", "n-1.0.0.tgz").await.unwrap().is_some());
        let refused = problem(market.tarball(&uplinks, "n", "n-1.0.1.tgz").await.unwrap_err());
        assert_eq!((refused.status, &*refused.code), (403, "registry.uplink_withheld"));
        assert!(
            refused.detail.contains("n@1.0.1") && refused.detail.contains("2026-02-03T00:00:00"),
            "{refused}"
        );

        // The uplink's document does not change, ours does.
        market.pass(2 * 86_400);
        let document = market.packument(&uplinks, "n").await.unwrap().unwrap();
        assert_eq!(document["dist-tags"]["latest"], "1.0.1");
        assert!(market.tarball(&uplinks, "n", "n-1.0.1.tgz").await.unwrap().is_some());
        // A longer age counts for what is stored too.
        settings.minimum_release_age = Duration::from_secs(365 * 86_400);
        let stricter = market.uplinks(&settings);
        assert!(market.tarball(&stricter, "n", "n-1.0.0.tgz").await.is_err());
        let refused = problem(market.packument(&stricter, "n").await.unwrap_err());
        assert!(refused.detail.starts_with("Every release of n is younger"), "{refused}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_blocked_or_not_allowed_is_refused() {
    both(async |market| {
        let bytes = tarball(5, 10);
        let known = document("n", &[("1.0.0", 1, &bytes), ("2.0.0", 2, &bytes)]);
        let counterparty =
            Counterparty::start(decent(known, vec![("n-1.0.0.tgz".to_owned(), bytes.clone())])).await;
        let mut settings = settings(&counterparty);
        settings.allow = vec!["n".to_owned(), "@good".to_owned(), "bad".to_owned()];
        settings.block = vec!["bad".to_owned(), "n@>=2".to_owned()];
        let uplinks = market.uplinks(&settings);
        for package in ["bad", "unheard-of"] {
            let refused = problem(market.packument(&uplinks, package).await.unwrap_err());
            assert_eq!((refused.status, &*refused.code), (403, "registry.uplink_blocked"));
        }
        assert_eq!(counterparty.count(), 0, "and nobody hears of it");
        let document = market.packument(&uplinks, "n").await.unwrap().unwrap();
        assert_eq!(document["dist-tags"]["latest"], "1.0.0");
        assert!(market.tarball(&uplinks, "n", "n-1.0.0.tgz").await.unwrap().is_some());
        assert_eq!(problem(market.tarball(&uplinks, "n", "n-2.0.0.tgz").await.unwrap_err()).status, 403);
        settings.block.push("n@1".to_owned());
        let stricter = market.uplinks(&settings);
        assert_eq!(problem(market.tarball(&stricter, "n", "n-1.0.0.tgz").await.unwrap_err()).status, 403);
        assert_eq!(problem(market.packument(&stricter, "n").await.unwrap_err()).status, 403);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_that_cannot_be_used_are_told() {
    both(async |market| {
        let refused = |url: &str, block: &str| {
            let settings = Settings {
                uplinks: vec![upstream("u", url)],
                block: vec![block.to_owned()],
                ..Settings::default()
            };
            Uplinks::new(market.store.clone(), market.blobs.clone(), &settings).err()
        };
        assert_eq!(refused("https://registry.example.com/npm", "a@^1"), None);
        for url in ["registry.example.com", "ftp://example.com", "http://", "https://u:p@example.com/", ""] {
            assert_eq!(refused(url, "a"), Some(SettingsError::Address("u".to_owned())), "{url}");
        }
        assert_eq!(refused("https://example.com", "a b"), Some(SettingsError::Entry("a b".to_owned())));
    })
    .await;
}
