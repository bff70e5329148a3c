//! Who is let to which page, by the table of routes itself: a new page is in this test from its first day.

use http::Method;
use web::Access;

use crate::browser::Browser;
use crate::room::{Room, migrations};

#[tokio::test(flavor = "multi_thread")]
async fn every_page_is_shown_to_whom_it_is_for_and_to_nobody_else() {
    store::testing::both(&migrations(), async |store| {
        let room = Room::on(store);
        let ada = room.person("ada").await;
        room.person("bo").await;
        room.admin("mira").await;
        room.identity.create_org(&ada, "acme", "").await.unwrap();
        room.identity.create_team(&room.system(), "acme", "tools", "").await.unwrap();
        let mut stranger = Browser::new(&room);
        let mut bo = Browser::signed_in(&room, "bo").await;
        let mut mira = Browser::signed_in(&room, "mira").await;

        let mut seen = 0;
        for route in identity::pages(room.identity.clone()).table() {
            let own = if route.access == Access::Operator { "ada" } else { "acme" };
            let path =
                route.path.replace("{name}", own).replace("{team}", "tools").replace("{id}", "unknown");
            let refused = |status: u16, who: &str| {
                assert!(matches!(status, 401 | 403 | 404), "{who} got {status} from {} {path}", route.method);
            };
            let post = route.method == Method::POST;
            if route.access == Access::Public {
                continue;
            }
            let browser = if post { stranger.post(&path, "").await } else { stranger.open(&path).await };
            assert!(browser.status == 401 || path.starts_with("/login/cli"), "{} {path}", browser.status);
            if route.access == Access::Operator || path.contains("acme") {
                let browser = if post {
                    bo.post(&path, "username=ada&role=member&name=x").await
                } else {
                    bo.open(&path).await
                };
                refused(browser.status.as_u16(), "another account");
            }
            if !post {
                assert_eq!(mira.open(&path).await.status, 200, "{path}");
                seen += 1;
            }
        }
        assert!(seen > 12, "{seen} pages");
        let org = room.identity.members(&room.system(), "acme").await.unwrap();
        assert_eq!(org.len(), 1, "nothing was changed on the way");
    })
    .await;
}
