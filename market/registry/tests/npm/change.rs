//! Tags, deprecation, unpublishing, owners, stars.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
use http::Method;
use serde_json::json;
use store::testing::both;

use crate::bench::{Bench, MIGRATIONS};

async fn with_versions(store: store::Store, versions: &[&str]) -> (Bench, String) {
    let bench = Bench::new(store).await;
    let ada = bench.account("ada").await;
    for version in versions {
        bench.publish("pad", version, &ada).await.expect(201);
    }
    (bench, ada)
}

#[tokio::test(flavor = "multi_thread")]
async fn tags_point_to_versions() {
    both(MIGRATIONS, async |store| {
        let (bench, ada) = with_versions(store, &["1.0.0", "1.1.0"]).await;
        let tags = "/npm/-/package/pad/dist-tags";
        assert_eq!(bench.get(tags, "").await.expect(200).json(), json!({"latest": "1.1.0"}));
        bench.put(&format!("{tags}/old"), &ada, json!("1.0.0")).await.expect(200);
        bench.put(&format!("{tags}/latest"), &ada, json!("1.0.0")).await.expect(200);
        assert_eq!(bench.get("/npm/pad/latest", "").await.expect(200).json()["version"], "1.0.0");
        bench.put(&format!("{tags}/old"), &ada, json!("9.9.9")).await.expect(404);
        bench.put(&format!("{tags}/v1"), &ada, json!("1.0.0")).await.expect(400);
        bench.put(&format!("{tags}/old"), &ada, json!({})).await.expect(400);
        bench.delete(&format!("{tags}/latest"), &ada).await.expect(400);
        bench.delete(&format!("{tags}/absent"), &ada).await.expect(404);
        bench.delete(&format!("{tags}/old"), &ada).await.expect(200);
        bench.call(Method::POST, tags, &ada, json!({"a": "1.0.0", "b": "1.1.0"})).await.expect(200);
        bench.put(tags, &ada, json!({"b": "1.0.0"})).await.expect(200);
        assert_eq!(bench.get(tags, "").await.expect(200).json(), json!({"b": "1.0.0", "latest": "1.0.0"}));
        bench.call(Method::POST, tags, &ada, json!({"c": "1.0.0", "d": "9.0.0"})).await.expect(404);
        assert!(bench.get(tags, "").await.json().get("c").is_none(), "all or none");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_version_under_another_tag_is_latest_too() {
    both(MIGRATIONS, async |store| {
        let bench = Bench::new(store).await;
        let ada = bench.account("ada").await;
        let mut document = crate::bench::document("pad", "1.0.0", json!({}));
        document["dist-tags"] = json!({"next": "1.0.0"});
        bench.put("/npm/pad", &ada, document).await.expect(201);
        let tags = bench.get("/npm/-/package/pad/dist-tags", "").await.json();
        assert_eq!(tags, json!({"latest": "1.0.0", "next": "1.0.0"}));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn deprecation_comes_and_goes() {
    both(MIGRATIONS, async |store| {
        let (bench, ada) = with_versions(store, &["1.0.0", "1.1.0"]).await;
        let mut document = bench.get("/npm/pad?write=true", &ada).await.expect(200).json();
        let stale = document.clone();
        document["versions"]["1.0.0"]["deprecated"] = json!("use 1.1");
        document["versions"]["1.0.0"]["dist"]["tarball"] = json!("http://evil.example.com/");
        bench.put("/npm/pad", &ada, document.clone()).await.expect(200);
        let after = bench.get("/npm/pad", "").await.json();
        assert_eq!(after["versions"]["1.0.0"]["deprecated"], "use 1.1");
        assert!(after["versions"]["1.1.0"].get("deprecated").is_none());
        assert!(
            after["versions"]["1.0.0"]["dist"]["tarball"].as_str().unwrap().starts_with("http://localhost")
        );
        let conflict = bench.put("/npm/pad", &ada, stale).await.expect(409);
        assert!(conflict.error().contains("changed since"), "{}", conflict.error());
        document["_rev"] = json!(bench.rev("pad", &ada).await);
        document["versions"]["1.0.0"]["deprecated"] = json!("");
        bench.put("/npm/pad", &ada, document).await.expect(200);
        assert!(bench.get("/npm/pad", "").await.json()["versions"]["1.0.0"].get("deprecated").is_none());
        crate::bench::wait_for_events(&bench, "package.deprecated", 2).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_is_unpublished_for_ever() {
    both(MIGRATIONS, async |store| {
        let (bench, ada) = with_versions(store, &["1.0.0", "1.1.0", "2.0.0-a"]).await;
        let mut document = bench.get("/npm/pad?write=true", &ada).await.expect(200).json();
        let rev = document["_rev"].as_str().unwrap().to_owned();
        document["versions"].as_object_mut().unwrap().remove("2.0.0-a");
        document["dist-tags"] = json!({});
        bench.put("/npm/pad/-rev/1-00", &ada, document.clone()).await.expect(409);
        bench.put(&format!("/npm/pad/-rev/{rev}"), &ada, document).await.expect(200);
        let fresh = bench.rev("pad", &ada).await;
        bench.delete(&format!("/npm/pad/-/pad-2.0.0-a.tgz/-rev/{fresh}"), &ada).await.expect(200);
        let after = bench.get("/npm/pad", "").await.json();
        assert_eq!(after["dist-tags"], json!({"latest": "1.1.0"}), "the highest stable version that is left");
        assert!(after["time"].get("2.0.0-a").is_none());
        bench.get("/npm/pad/-/pad-2.0.0-a.tgz", "").await.expect(404);
        let spent = bench.publish("pad", "2.0.0-a", &ada).await.expect(403);
        assert!(spent.error().contains("previously unpublished"), "{}", spent.error());

        bench.advance(73);
        let rev = bench.rev("pad", &ada).await;
        let late = bench.delete(&format!("/npm/pad/-rev/{rev}"), &ada).await.expect(403);
        assert!(late.error().contains("Deprecate it instead"), "{}", late.error());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unpublished_name_stays_with_its_owner() {
    both(MIGRATIONS, async |store| {
        let (bench, ada) = with_versions(store, &["1.0.0"]).await;
        let bob = bench.account("bob").await;
        let rev = bench.rev("pad", &ada).await;
        bench.delete(&format!("/npm/pad/-rev/{rev}"), &bob).await.expect(403);
        bench.delete(&format!("/npm/pad/-rev/{rev}"), &ada).await.expect(200);
        bench.get("/npm/pad", &ada).await.expect(404);
        bench.get("/npm/pad/-/pad-1.0.0.tgz", "").await.expect(404);
        bench.publish("pad", "1.1.0", &bob).await.expect(403);
        bench.publish("pad", "1.0.0", &ada).await.expect(403);
        bench.publish("pad", "1.1.0", &ada).await.expect(201);
        let again = bench.get("/npm/pad", "").await.expect(200).json();
        assert_eq!(again["dist-tags"], json!({"latest": "1.1.0"}));
        assert!(again["_rev"].as_str().unwrap().starts_with("3-"), "the revision goes on counting");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn owners_come_and_go() {
    both(MIGRATIONS, async |store| {
        let (bench, ada) = with_versions(store, &["1.0.0"]).await;
        let bob = bench.account("bob").await;
        let list = |names: &[&str]| {
            json!({"_id": "pad", "maintainers":
            names.iter().map(|name| json!({"name": name, "email": ""})).collect::<Vec<_>>()})
        };
        bench.publish("pad", "1.0.1", &bob).await.expect(403);
        bench.put("/npm/pad/-rev/undefined", &ada, list(&["bob"])).await.expect(409);
        let rev = bench.rev("pad", &ada).await;
        bench.put(&format!("/npm/pad/-rev/{rev}"), &bob, list(&["bob"])).await.expect(403);
        bench.put(&format!("/npm/pad/-rev/{rev}"), &ada, list(&["ada", "nobody"])).await.expect(404);
        bench.put(&format!("/npm/pad/-rev/{rev}"), &ada, list(&[])).await.expect(400);
        bench.put(&format!("/npm/pad/-rev/{rev}"), &ada, list(&["ada", "bob"])).await.expect(200);
        bench.publish("pad", "1.0.1", &bob).await.expect(201);
        bench.delete("/npm/-/package/pad/owners/ada", &bob).await.expect(200);
        bench.publish("pad", "1.0.2", &ada).await.expect(403);
        bench.delete("/npm/-/package/pad/owners/bob", &bob).await.expect(400);
        bench.put("/npm/-/package/pad/owners", &bob, json!({"user": "ada"})).await.expect(200);
        let owners = bench.get("/npm/-/package/pad/owners", "").await.expect(200).json();
        assert_eq!(owners, json!([{"username": "ada", "email": ""}, {"username": "bob", "email": ""}]));
        let collaborators =
            bench.get("/npm/-/package/pad/collaborators?format=cli", &ada).await.expect(200).json();
        assert_eq!(collaborators, json!({"ada": "write", "bob": "write"}));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stars() {
    both(MIGRATIONS, async |store| {
        let (bench, ada) = with_versions(store, &["1.0.0"]).await;
        let bob = bench.account("bob").await;
        let star =
            json!({"_id": "pad", "_rev": bench.rev("pad", &bob).await, "users": {"bob": true, "ada": true}});
        bench.put("/npm/pad", &bob, star).await.expect(200);
        let document = bench.get("/npm/pad?write=true", "").await.json();
        assert_eq!(document["users"], json!({"bob": true}), "only one's own");
        let rows = bench.get("/npm/-/_view/starredByUser?key=%22bob%22", &ada).await.expect(200).json();
        assert_eq!(rows["rows"][0]["value"], "pad");
        assert_eq!(bench.get("/npm/-/user/v1/star", &bob).await.expect(200).json(), json!(["pad"]));
        bench
            .call(Method::DELETE, "/npm/-/user/v1/star", &bob, json!({"name": "pad", "package": "pad"}))
            .await
            .expect(200);
        assert_eq!(bench.get("/npm/-/user/bob/stars", &ada).await.expect(200).json(), json!([]));
        bench.put("/npm/-/user/v1/star", &bob, json!({"package": "absent"})).await.expect(404);
    })
    .await;
}
