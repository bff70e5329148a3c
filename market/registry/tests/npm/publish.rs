#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
use serde_json::{Value, json};
use store::testing::both;

use crate::bench::{Bench, MIGRATIONS, small_tarball};

#[tokio::test(flavor = "multi_thread")]
async fn what_is_published_can_be_installed() {
    both(MIGRATIONS, async |store| {
        let bench = Bench::new(store).await;
        let ada = bench.account("ada").await;
        let answer = bench.publish("left-pad", "1.0.0", &ada).await.expect(201);
        assert_eq!(answer.json()["success"], true);

        let answer = bench
            .get_with("/npm/left-pad", &[("accept", "application/vnd.npm.install-v1+json; q=1.0, */*")])
            .await;
        assert_eq!(answer.header("content-type"), "application/vnd.npm.install-v1+json");
        let document = answer.expect(200).json();
        let url = document["versions"]["1.0.0"]["dist"]["tarball"].as_str().unwrap();
        assert_eq!(url, "http://localhost:4873/npm/left-pad/-/left-pad-1.0.0.tgz");
        let tarball = bench.get(url.strip_prefix("http://localhost:4873").unwrap(), "").await.expect(200);
        assert_eq!(tarball.body, small_tarball("left-pad", "1.0.0"));

        let full = bench.get("/left-pad", "").await.expect(200).json();
        assert_eq!(full["readme"], "# left-pad\n");
        assert_eq!(
            full["versions"]["1.0.0"]["dist"]["tarball"],
            "http://localhost:4873/left-pad/-/left-pad-1.0.0.tgz"
        );
        assert_eq!(full["maintainers"], json!([{"name": "ada", "email": ""}]));

        let again = bench.publish("left-pad", "1.0.0", &ada).await.expect(403);
        assert_eq!(again.error(), "You cannot publish over the previously published versions: 1.0.0.");
        bench.publish("left-pad", "1.0.1", &ada).await.expect(201);
        let full = bench.get("/left-pad", "").await.expect(200).json();
        assert_eq!(full["dist-tags"], json!({"latest": "1.0.1"}));
        assert_eq!(full["versions"].as_object().unwrap().keys().collect::<Vec<_>>(), ["1.0.0", "1.0.1"]);
        assert_eq!(
            bench.publish("left-pad", "1.0.2", "").await.expect(401).header("www-authenticate"),
            "Bearer realm=\"fondaco\""
        );
        let _: Value = full;
    })
    .await;
}
