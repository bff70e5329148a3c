#![allow(clippy::unwrap_used)]
use serde_json::json;
use store::testing::both;

use crate::bench::{MIGRATIONS, found};
use crate::catalogue::Catalogue;

#[tokio::test]
async fn the_index_follows_the_log_and_is_filled_at_start() {
    both(MIGRATIONS, async |store| {
        let market = Catalogue::new(store.clone()).await;
        let ada = market.bench.account("ada").await;
        market.publish(&ada, "left-pad", "1.0.0", "", json!({"keywords": ["text"]})).await;
        market.publish(&ada, "right-pad", "1.0.0", "", json!({"description": "Pads on the other side"})).await;
        let found = market.get("/api/packages/search?q=keywords:text", "").await.expect(200).json();
        assert_eq!((found["total"].clone(), found["results"][0]["name"].clone()), (json!(1), json!("left-pad")));

        // A new version, a deprecation, the end of a package: each is found or not a moment later.
        market.publish_only(&ada, "left-pad", "2.0.0", "", json!({"description": "Now with emulsifiers"})).await;
        market.settle("", "emulsifiers", |found| found["results"][0]["version"] == "2.0.0").await;
        let rev = market.bench.rev("right-pad", &ada).await;
        market.bench.delete(&format!("/npm/right-pad/-rev/{rev}"), &ada).await.expect(200);
        market.settle("", "right-pad scope:none", |found| found["total"] == 0).await;
        market.settle("", "right-pad", |found| found["results"].as_array().unwrap().iter().all(|one| one["name"] != "right-pad")).await;
        let spec = json!({"versions": {"2.0.0": {"name": "left-pad", "version": "2.0.0", "deprecated": "use a loop"}}});
        market.bench.put("/npm/left-pad", &ada, spec).await.expect(200);
        market.settle("", "is:deprecated", |found| found["total"] == 1).await;

        // Another process reads the same from the database.
        let second = Catalogue::new(store).await;
        second.settle("", "emulsifiers", |found| found["total"] == 1).await;
    })
    .await;
}

#[tokio::test]
async fn npm_finds_what_its_caller_may_see() {
    both(MIGRATIONS, async |store| {
        let market = Catalogue::new(store).await;
        let (ada, eve) = (market.bench.account("ada").await, market.bench.account("eve").await);
        found(&market.bench, &ada, "acme").await;
        market.publish(&ada, "@acme/hidden", "1.0.0", "", json!({"keywords": ["quux"]})).await;
        market
            .publish(
                &ada,
                "open",
                "0.1.0",
                "",
                json!({"keywords": ["quux"], "author": "Ada <a@example.com>"}),
            )
            .await;
        let search = async |token: &str| {
            market.bench.get("/npm/-/v1/search?text=quux&size=20&from=0", token).await.expect(200).json()
        };
        let (own, foreign) = (search(&ada).await, search(&eve).await);
        assert_eq!((own["total"].clone(), foreign["total"].clone()), (json!(2), json!(1)));
        let one = &foreign["objects"][0]["package"];
        assert_eq!(one["name"], "open");
        assert_eq!(one["maintainers"][0]["username"], "ada");
        let pages = own["objects"].as_array().unwrap().iter().map(|one| &one["package"]["links"]["npm"]);
        let pages: std::collections::BTreeSet<_> = pages.map(|page| page.as_str().unwrap()).collect();
        let expected = ["http://localhost:3000/packages/@acme/hidden", "http://localhost:3000/packages/open"];
        assert_eq!(pages, expected.into());
        assert_eq!(
            (one["author"]["name"].clone(), one["publisher"]["username"].clone()),
            (json!("Ada"), json!("ada"))
        );
    })
    .await;
}
