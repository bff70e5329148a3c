//! API tokens: made, shown once, used, revoked; seen by nobody else.

use crate::browser::Browser;
use crate::room::{Room, migrations};

const NAME: &str = "ci <script>alert(1)</script>";

/// The token that the page shows this once.
fn shown(browser: &Browser) -> String {
    let secret = browser.text(".secret code");
    assert!(secret.starts_with("elk_"), "{secret}");
    secret
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_made_shown_once_used_and_revoked() {
    store::testing::both(&migrations(), async |store| {
        let room = Room::on(store);
        room.person("ada").await;
        let mut browser = Browser::signed_in(&room, "ada").await;
        browser.open("/account/tokens/new").await;
        let answers = [
            ("name", NAME),
            ("scopes", "publish"),
            ("packages", "@acme/*"),
            ("networks", "127.0.0.1"),
            ("expires", "30"),
        ];
        browser.submit("scopes", &answers).await;
        browser.says(NAME).omits(NAME);
        let secret = shown(&browser);
        let scopes = room.bearer(&secret).await.actor.unwrap().scopes;
        assert_eq!(scopes.to_string(), "publish packages:@acme/*");

        browser.open("/account/tokens").await.omits(&secret).omits(NAME);
        browser.says(NAME).says("publish").says("packages:@acme/*").says("127.0.0.1/32").says("in 4 weeks");
        browser.submit("token", &[]).await.is("/account/tokens", 200);
        browser.says("The token is revoked.").omits(&secret[..8]);
        assert!(room.try_bearer(&secret).await.is_err());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_wrong_field_of_a_token_is_told_at_once() {
    store::testing::both(&migrations(), async |store| {
        let room = Room::on(store);
        room.person("ada").await;
        let mut browser = Browser::signed_in(&room, "ada").await;
        browser.open("/account/tokens/new").await;
        browser.post("/account/tokens/new", "name=+&networks=everywhere&expires=soon").await;
        browser.is("/account/tokens/new", 422);
        for field in ["name", "networks", "expires", "scopes"] {
            assert!(!browser.text(&format!("#f-{field}-error")).is_empty(), "{field}");
        }
        assert_eq!(browser.value("networks"), "everywhere");
        browser.post("/account/tokens/new", "name=x&scopes=read&packages=a%22b&expires=7").await;
        assert!(!browser.text("#f-packages-error").is_empty());
        browser.open("/account/tokens").await.says("1 token.").says("registration");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_revokes_the_token_of_another() {
    store::testing::both(&migrations(), async |store| {
        let room = Room::on(store);
        room.person("ada").await;
        room.person("bo").await;
        let mut ada = Browser::signed_in(&room, "ada").await;
        ada.open("/account/tokens/new").await.submit("scopes", &[("name", "mine"), ("scopes", "read")]).await;
        let secret = shown(&ada);
        let id = ada.open("/account/tokens").await.value("token");

        let mut bo = Browser::signed_in(&room, "bo").await;
        bo.omits("mine");
        assert_eq!(bo.post("/account/tokens/revoke", &format!("token={id}")).await.status, 404);
        let mut stranger = Browser::new(&room);
        assert_eq!(stranger.post("/account/tokens/revoke", &format!("token={id}")).await.status, 401);
        assert_eq!(stranger.post("/account/tokens/new", "name=x&scopes=read").await.status, 401);
        assert!(room.try_bearer(&secret).await.is_ok());
        // Who signs in anew comes back to the page, not to the form's own address.
        ada.open("/account/tokens/revoke").await.is("/account/tokens", 200);
    })
    .await;
}
