//! What was published stays: through restarts, crashes and damage, on both databases.

use std::path::Path;

use serde_json::json;
use stories::Market;

use crate::publish;

/// What was published is there after the program was ended and started again, tokens included.
#[tokio::test]
async fn a_restart_forgets_nothing() {
    let mut market = Market::open().await;
    let ada = market.account("ada");
    let seller = market.workbench(Some(&ada.token));
    publish(&seller, "lantern", "1.0.0").await;

    market.restart().await;

    let buyer = market.workbench(None);
    let application = buyer.folder("application");
    buyer.npm(&application, &["install", "lantern"]).await.succeeds();
    assert_eq!(buyer.require(&application, "lantern").await, "lantern@1.0.0");
    publish(&seller, "lantern", "1.1.0").await;
}

/// A publish that npm was told of survives a kill in the same moment: the version, its tarball and its tag.
#[tokio::test]
async fn an_acknowledged_publish_survives_a_crash() {
    let mut market = Market::open().await;
    let ada = market.account("ada");
    let seller = market.workbench(Some(&ada.token));
    let buyer = market.workbench(None);
    let application = buyer.folder("application");
    for version in ["1.0.0", "1.1.0", "1.2.0"] {
        publish(&seller, "lantern", version).await;
        market.crash().await;
        buyer.npm(&application, &["install", "lantern@latest"]).await.succeeds();
        assert_eq!(buyer.require(&application, "lantern").await, format!("lantern@{version}"));
    }
    let versions = seller.npm(seller.home(), &["view", "lantern", "versions", "--json"]).await.succeeds();
    assert_eq!(versions.json(), json!(["1.0.0", "1.1.0", "1.2.0"]));
}

/// The same market on PostgreSQL: publish, publish at once, deprecate, unpublish, install, after a restart too.
#[tokio::test]
async fn the_market_runs_on_postgres() {
    let Some(mut market) = Market::open_on_postgres().await else { return };
    let ada = market.account("ada");
    let seller = market.workbench(Some(&ada.token));
    publish(&seller, "lantern", "1.0.0").await;
    let running = ["1.1.0", "1.2.0"].map(|version| {
        let folder = seller.package("lantern", version, json!({}));
        seller.start("npm", &folder, &["publish", "--tag", &format!("at-{}", version.replace('.', "-"))])
    });
    for publish in running {
        publish.finish().await.succeeds();
    }
    seller.npm(seller.home(), &["deprecate", "lantern@1.1.0", "it smokes"]).await.succeeds();
    seller.npm(seller.home(), &["unpublish", "lantern@1.2.0"]).await.succeeds();
    market.restart().await;

    let buyer = market.workbench(None);
    let application = buyer.folder("application");
    buyer.npm(&application, &["install", "lantern@1.1.0"]).await.succeeds().says("it smokes");
    assert_eq!(buyer.require(&application, "lantern").await, "lantern@1.1.0");
    let versions = buyer.npm(&application, &["view", "lantern", "versions", "--json"]).await.succeeds();
    assert_eq!(versions.json(), json!(["1.0.0", "1.1.0"]));
}

/// A stored file that was changed on the disk never becomes somebody's installed package.
#[tokio::test]
async fn a_damaged_file_is_never_installed() {
    let mut market = Market::open().await;
    let ada = market.account("ada");
    publish(&market.workbench(Some(&ada.token)), "lantern", "1.0.0").await;
    market.close();
    assert!(damage_gzip_files(market.data()) > 0, "no stored tarball found to damage");
    market.restart().await;

    let buyer = market.workbench(None);
    let application = buyer.folder("application");
    buyer.npm(&application, &["install", "lantern"]).await.fails();
    assert!(!application.join("node_modules/lantern/index.js").exists());
}

/// Flips the last byte of every gzip file below the folder; returns how many there were.
fn damage_gzip_files(folder: &Path) -> usize {
    let mut damaged = 0;
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_dir() {
            damaged += damage_gzip_files(&entry.path());
            continue;
        }
        let mut bytes = std::fs::read(entry.path()).unwrap();
        if bytes.starts_with(&[0x1f, 0x8b]) {
            *bytes.last_mut().unwrap() ^= 1;
            let _ = std::fs::remove_file(entry.path());
            std::fs::write(entry.path(), bytes).unwrap();
            damaged += 1;
        }
    }
    damaged
}
