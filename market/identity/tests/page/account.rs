//! One's own profile, address, password, sessions and activity.

use identity::Poll;
use kernel::Secret;

use crate::browser::Browser;
use crate::room::{PASSWORD, Room, migrations};

const NAME: &str = "Ada <img src=x onerror=alert(1)>";

#[tokio::test(flavor = "multi_thread")]
async fn a_profile_is_changed_and_shown_as_text() {
    store::testing::both(&migrations(), async |store| {
        let room = Room::on(store);
        room.person("ada").await;
        let mut browser = Browser::signed_in(&room, "ada").await;
        let mut elsewhere = Browser::signed_in(&room, "ada").await;
        elsewhere.open("/account").await;
        browser.open("/account").await.says("Not confirmed");
        browser.submit("displayName", &[("displayName", NAME)]).await.is("/account", 200);
        browser.says("Your profile is saved.").says(NAME).omits("<img src=x");

        elsewhere.submit("displayName", &[("displayName", "Other")]).await.is("/account", 422);
        elsewhere.says("This changed since you opened it.").omits("<img src=x");
        assert_eq!(elsewhere.value("displayName"), "Other", "what was typed stays");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_address_changes_only_with_the_password() {
    store::testing::both(&migrations(), async |store| {
        let room = Room::on(store);
        room.person("ada").await;
        let mut browser = Browser::signed_in(&room, "ada").await;
        browser.open("/account/email").await;
        let wrong = [("email", "new@example.com"), ("currentPassword", "a guess of it")];
        browser.submit("email", &wrong).await.is("/account/email", 422).omits("a guess of it");
        assert_eq!(browser.text("#f-currentPassword-error"), "This is not your password.");
        assert_eq!(browser.value("email"), "new@example.com");
        browser.submit("email", &[("currentPassword", PASSWORD)]).await.is("/account", 200);
        browser.says("We mailed a link to new@example.com.").says("Not confirmed");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_password_ends_the_other_sessions() {
    store::testing::both(&migrations(), async |store| {
        let room = Room::on(store);
        room.person("ada").await;
        let mut browser = Browser::signed_in(&room, "ada").await;
        let mut elsewhere = Browser::signed_in(&room, "ada").await;
        browser.open("/account/password").await;
        browser
            .submit("newPassword", &[("currentPassword", "not it"), ("newPassword", "a new plum tree")])
            .await;
        browser.is("/account/password", 422).omits("a new plum tree").omits("not it\"");
        browser
            .submit("newPassword", &[("currentPassword", PASSWORD), ("newPassword", "a new plum tree")])
            .await;
        browser.is("/account", 200).says("Your password is changed.");
        elsewhere.open("/account").await.is("/account", 401);
        let old = room.identity.sign_in(&room.stranger(), "ada", &Secret::new(PASSWORD)).await;
        assert!(old.is_err());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_are_listed_and_ended() {
    store::testing::both(&migrations(), async |store| {
        let room = Room::on(store);
        room.person("ada").await;
        let mut browser = Browser::signed_in(&room, "ada").await;
        let mut second = Browser::signed_in(&room, "ada").await;
        let mut third = Browser::signed_in(&room, "ada").await;
        browser.open("/account/sessions").await.says("This session").says("3 sessions.");
        browser.submit("session", &[]).await.is("/account/sessions", 200).says("2 sessions.");
        browser.post("/account/sessions/end-others", "").await.says("1 session.");
        for other in [&mut second, &mut third] {
            other.open("/account/sessions").await.is("/account/sessions", 401);
        }
        browser.open("/account/activity").await.says("Other sessions ended").says("Signed in");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn activity_is_one_s_own_and_in_pages() {
    store::testing::both(&migrations(), async |store| {
        let room = Room::on(store);
        let ada = room.person("ada").await;
        room.person("bo").await;
        for n in 0..60 {
            let asked = room.identity.start_web_login(&room.stranger()).await.unwrap();
            room.identity.decide_web_login(&ada, &asked.id, n % 2 == 0).await.unwrap();
            let polled = room.identity.poll_web_login(&room.stranger(), asked.poll.expose()).await;
            assert_eq!(matches!(polled, Ok(Poll::Approved(_))), n % 2 == 0);
        }
        let mut browser = Browser::signed_in(&room, "ada").await;
        browser.open("/account/activity").await.says("1 to 50 of").says("Refused").omits(">bo<");
        browser.open("/account/activity?offset=50").await.says("51 to ");
        browser.open("/account/activity?offset=20000").await.is("/account/activity?offset=20000", 422);
    })
    .await;
}
