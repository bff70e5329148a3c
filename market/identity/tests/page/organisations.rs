//! Organisations, their members and teams.

use crate::browser::Browser;
use crate::room::{Room, migrations};

#[tokio::test(flavor = "multi_thread")]
async fn an_organisation_is_founded_peopled_and_left() {
    store::testing::both(&migrations(), async |store| {
        let room = Room::on(store);
        room.person("ada").await;
        room.person("bo").await;
        let mut ada = Browser::signed_in(&room, "ada").await;
        ada.open("/account/organisations").await.says("No organisation yet");
        ada.submit("displayName", &[("name", "Not a name"), ("displayName", "<i>Acme</i>")]).await;
        ada.is("/account/organisations", 422).omits("<i>Acme");
        assert!(!ada.text("#f-name-error").is_empty());
        ada.submit("displayName", &[("name", "ada")]).await;
        assert_eq!(ada.text("#f-name-error"), "This name is taken. Choose another.");
        ada.submit("displayName", &[("name", "acme")]).await.is("/account/organisations/acme", 200);
        ada.says("<i>Acme</i>").omits("<i>Acme").says("No teams yet");

        ada.submit("role", &[("username", "nobody")]).await.is("/account/organisations/acme/members", 422);
        assert_eq!(ada.text("#f-username-error"), "There is no account of this name.");
        ada.submit("role", &[("username", "bo"), ("role", "admin")])
            .await
            .is("/account/organisations/acme", 200);
        ada.says("bo is admin of acme now.").says("2 members");
        ada.post("/account/organisations/acme/members/remove", "username=ada").await;
        ada.is("/account/organisations/acme/members/remove", 422).says("This is the last owner.");

        let mut bo = Browser::signed_in(&room, "bo").await;
        bo.open("/account/organisations").await.says("acme");
        bo.open("/account/organisations/acme").await;
        bo.post("/account/organisations/acme/members/remove", "username=bo").await;
        bo.is("/account/organisations", 200).says("You have left acme.");
        assert_eq!(bo.open("/account/organisations/acme").await.status, 404);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_team_is_made_filled_emptied_and_deleted() {
    store::testing::both(&migrations(), async |store| {
        let room = Room::on(store);
        let by = room.person("ada").await;
        room.person("bo").await;
        room.identity.create_org(&by, "acme", "Acme").await.unwrap();
        let mut ada = Browser::signed_in(&room, "ada").await;
        ada.open("/account/organisations/acme").await;
        ada.submit("description", &[("name", "tools"), ("description", "<b>All</b> tools")]).await;
        let page = "/account/organisations/acme/teams/tools";
        ada.is(page, 200).says("<b>All</b> tools").omits("<b>All").says("Nobody yet").says("No packages yet");

        ada.submit("username", &[("username", "bo")]).await.is(&format!("{page}/members"), 422);
        assert!(ada.text("#f-username-error").starts_with("No member of the organisation"));
        ada.submit("username", &[("username", "ada")])
            .await
            .is(page, 200)
            .says("ada is in the team tools now.");
        ada.post(&format!("{page}/members/remove"), "username=ada").await.says("Nobody yet");
        ada.open("/account/organisations/acme").await;
        ada.submit("description", &[("name", "tools")]).await.is("/account/organisations/acme/teams", 422);
        assert_eq!(ada.text("#f-name-error"), "This team is there already.");
        ada.post(&format!("{page}/delete"), "").await.is("/account/organisations/acme", 200);
        ada.says("The team tools is deleted.").says("No teams yet");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plain_member_sees_and_changes_nothing() {
    store::testing::both(&migrations(), async |store| {
        let room = Room::on(store);
        let by = room.person("ada").await;
        room.person("bo").await;
        room.identity.create_org(&by, "acme", "").await.unwrap();
        room.identity
            .set_member(&room.system(), "acme", "bo", identity::orgs::OrgRole::Member)
            .await
            .unwrap();
        let mut bo = Browser::signed_in(&room, "bo").await;
        bo.open("/account/organisations/acme").await.says("ada").omits("name=\"role\"");
        let add = bo.post("/account/organisations/acme/members", "username=bo&role=owner").await.status;
        assert_eq!(add, 403);
        assert_eq!(bo.post("/account/organisations/acme/teams", "name=mine").await.status, 403);
    })
    .await;
}
