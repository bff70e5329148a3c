//! What operators see and do.

use identity::Role;

use crate::browser::Browser;
use crate::room::{PASSWORD, Room, migrations};

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_finds_changes_and_disables_users() {
    store::testing::both(&migrations(), async |store| {
        let room = Room::on(store);
        let ada = room.person("ada").await;
        room.person("bo").await;
        room.admin("mira").await;
        let mut mira = Browser::signed_in(&room, "mira").await;
        mira.open("/operator/users").await.says("All 3").says("ada").says("publisher");
        mira.open("/operator/users?q=bo%40exa").await.says("bo@example.com").omits("ada@example.com");
        mira.open("/operator/users?q=%22%3E%3Cscript%3E").await.says("Nobody found").omits("<script>\"");

        mira.open("/operator/users/ada").await.says("Active").says("registration");
        mira.submit("roles", &[("roles", "cloud-user")]).await.is("/operator/users/ada", 200);
        mira.says("The roles of ada are saved.");
        mira.open("/operator/users/ada").await.post("/operator/users/ada/state", "state=disabled").await;
        mira.is("/operator/users/ada", 200).says("ada is disabled").says("It cannot sign in");
        assert_eq!(
            mira.post("/operator/users/ada/state", "").await.status,
            400,
            "an empty form lets nobody in"
        );
        mira.open("/operator/users/ada").await.says("Disabled");
        mira.submit("state", &[("state", "active")]).await.says("ada may sign in again.");

        mira.submit("token", &[]).await.says("The token is revoked.").says("No tokens");
        let ended = room.identity.profile(&ada).await.unwrap();
        assert!(ended.roles.has(Role::CloudUser) && !ended.roles.has(Role::Publisher));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_ends_sessions_of_a_user() {
    store::testing::both(&migrations(), async |store| {
        let room = Room::on(store);
        room.person("ada").await;
        room.admin("mira").await;
        let mut mira = Browser::signed_in(&room, "mira").await;
        let mut first = Browser::signed_in(&room, "ada").await;
        let mut second = Browser::signed_in(&room, "ada").await;
        mira.open("/operator/users/ada").await.submit("session", &[]).await.says("The session has ended.");
        let (one, two) = (first.open("/account").await.status, second.open("/account").await.status);
        assert!((one == 401) != (two == 401), "one of them ended: {one} {two}");
        mira.submit("all", &[]).await.says("Not signed in anywhere");
        first.open("/account").await.is("/account", 401);
        second.open("/account").await.is("/account", 401);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_operator_stays() {
    store::testing::both(&migrations(), async |store| {
        let room = Room::on(store);
        room.admin("mira").await;
        let mut mira = Browser::signed_in(&room, "mira").await;
        mira.post("/operator/users/mira/roles", "roles=user").await.is("/operator/users/mira/roles", 422);
        mira.says("This is the last operator.").says("Make somebody else an admin first.");
        mira.post("/operator/users/mira/state", "state=disabled").await.is("/operator/users/mira/state", 422);
        mira.post("/operator/users/mira/roles", "roles=emperor").await.is("/operator/users/mira/roles", 422);
        assert!(!mira.text("#f-roles-error").is_empty());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_makes_an_account_where_registration_is_closed() {
    store::testing::both(&migrations(), async |store| {
        let room = Room::with(store, |settings| settings.registration_open = false);
        room.admin("mira").await;
        let mut mira = Browser::signed_in(&room, "mira").await;
        mira.open("/operator/users/new").await;
        let typed =
            [("username", "Bo"), ("email", "bo@example.com"), ("password", PASSWORD), ("roles", "user")];
        mira.submit("email", &typed).await.is("/operator/users/new", 422).omits(PASSWORD);
        mira.submit("email", &[("username", "bo"), ("password", PASSWORD)])
            .await
            .is("/operator/users/bo", 200);
        mira.says("The account bo is made.");
        Browser::signed_in(&room, "bo").await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_trail_is_narrowed_down() {
    store::testing::both(&migrations(), async |store| {
        let room = Room::on(store);
        room.person("ada").await;
        room.person("bo").await;
        room.admin("mira").await;
        let mut mira = Browser::signed_in(&room, "mira").await;
        mira.open("/operator/audit").await.says("Signed in").says("Account made");
        mira.open("/operator/audit?actor=ada&action=token").await.says("Token made").omits("actor=bo");
        assert_eq!(mira.value("actor"), "ada");
        mira.open("/operator/audit?since=2001-01-01&until=2001-01-02").await.says("Nothing found");
        let page = "/operator/audit?since=yesterday";
        mira.open(page).await.is(page, 422);
        assert_eq!(
            (mira.text("#f-since-error"), mira.value("since")),
            ("Write a day such as 2026-01-31.".into(), "yesterday".into())
        );
    })
    .await;
}
