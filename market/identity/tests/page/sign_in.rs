//! Making an account, signing in and out, letting in a command line.

use identity::Poll;

use crate::browser::Browser;
use crate::room::{PASSWORD, Room, migrations};

#[tokio::test(flavor = "multi_thread")]
async fn an_account_is_made_signed_out_of_and_in_again() {
    store::testing::both(&migrations(), async |store| {
        let room = Room::on(store);
        let mut browser = Browser::new(&room);
        browser
            .open("/signup")
            .await
            .submit("email", &[("username", "ada"), ("email", "ada@example.com"), ("password", PASSWORD)])
            .await;
        assert!(browser.cookies.contains_key(web::SESSION_COOKIE));
        browser.open("/account/tokens").await.is("/account/tokens", 200).says("No tokens yet");

        browser.post("/logout", "").await;
        browser.open("/account/tokens").await.is("/account/tokens", 401);
        assert!(browser.page.contains("/login?next=/account/tokens"), "the way back");
        let browser = Browser::signed_in(&room, "ada").await;
        browser.says("No tokens yet");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_account_goes_on_to_what_its_owner_was_at() {
    store::testing::both(&migrations(), async |store| {
        let room = Room::on(store);
        let mut browser = Browser::new(&room);
        browser.open("/login?next=/account/tokens%3Fa%3Db").await;
        let way = "/signup?next=/account/tokens%3Fa%3Db";
        assert!(browser.page.contains(way), "the sign-in leads on to the sign-up\n{}", browser.page);
        browser.open(way).await;
        assert!(browser.page.contains("/login?next=/account/tokens%3Fa%3Db"), "and back");
        let typed = [("username", "ada"), ("email", "ada@example.com"), ("password", "short")];
        browser.submit("email", &typed).await.is("/signup", 422);
        let typed = [("username", "ada"), ("email", "ada@example.com"), ("password", PASSWORD)];
        browser.submit("email", &typed).await.is("/account/tokens?a=b", 200).says("Your account is made.");

        let mut browser = Browser::new(&room);
        browser.open("/signup?next=//evil.example.com").await;
        let typed = [("username", "eve"), ("email", "eve@example.com"), ("password", PASSWORD)];
        browser.submit("email", &typed).await.is("/account", 200);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_and_an_unknown_name_look_the_same() {
    store::testing::both(&migrations(), async |store| {
        let room = Room::on(store);
        room.person("ada").await;
        let mut pages = Vec::new();
        for name in ["ada", "nobody"] {
            let mut browser = Browser::new(&room);
            browser.open("/login?next=/account").await;
            browser.submit("password", &[("username", name), ("password", "not the password")]).await;
            browser.is("/login", 422).omits("not the password");
            assert_eq!(
                (browser.value("username"), browser.value("next")),
                (name.to_owned(), "/account".to_owned())
            );
            assert_eq!(browser.value("password"), "");
            assert!(!browser.cookies.contains_key(web::SESSION_COOKIE));
            pages.push(browser.page.replace(&format!("value=\"{name}\""), ""));
        }
        assert_eq!(pages[0], pages[1]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_guesses_are_told_to_wait() {
    store::testing::both(&migrations(), async |store| {
        let room = Room::on(store);
        let mut browser = Browser::new(&room);
        for _ in 0..12 {
            browser.open("/login").await;
            browser.submit("password", &[("username", "ada"), ("password", "a guess")]).await;
        }
        browser.is("/login", 429).says("Wait");
        assert_eq!(browser.value("username"), "ada");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_wrong_field_is_told_and_what_was_typed_is_kept() {
    store::testing::both(&migrations(), async |store| {
        let room = Room::on(store);
        room.person("ada").await;
        let mut browser = Browser::new(&room);
        let typed = [("username", "<b>A"), ("email", "nowhere"), ("password", "short")];
        browser.open("/signup").await.submit("email", &typed).await.is("/signup", 422);
        for field in ["username", "email", "password"] {
            assert!(!browser.text(&format!("#f-{field}-error")).is_empty());
        }
        assert_eq!((browser.value("username"), browser.value("email")), ("<b>A".into(), "nowhere".into()));
        browser.omits("<b>A").omits("short\"");
        let taken = [("username", "ada"), ("email", "x@example.com"), ("password", PASSWORD)];
        browser.submit("email", &taken).await.is("/signup", 422);
        browser.says("This name is taken.");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sign_in_never_leads_to_another_site() {
    store::testing::both(&migrations(), async |store| {
        let room = Room::on(store);
        room.person("ada").await;
        for next in ["https://evil.example.com", "//evil.example.com", "/%5Cevil.example.com"] {
            let mut browser = Browser::new(&room);
            browser.open(&format!("/login?next={next}")).await;
            browser.submit("password", &[("username", "ada"), ("password", PASSWORD)]).await;
            assert_eq!(browser.path, "/", "{next}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_market_makes_no_accounts() {
    store::testing::both(&migrations(), async |store| {
        let room = Room::with(store, |settings| settings.registration_open = false);
        let mut browser = Browser::new(&room);
        browser.open("/signup").await.says("New accounts are made by the operator here");
        let body = format!("username=ada&email=ada%40example.com&password={}", PASSWORD.replace(' ', "+"));
        browser.post("/signup", &body).await.says("New accounts are made by the operator here");
        assert!(!browser.cookies.contains_key(web::SESSION_COOKIE));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_operator_is_made_with_the_link_once() {
    store::testing::both(&migrations(), async |store| {
        let room = Room::on(store);
        let link = room.identity.setup_link(room.clock.now()).await.unwrap().unwrap();
        let link = link.expose().strip_prefix("https://market.example.com").unwrap().to_owned();
        let mut browser = Browser::new(&room);
        browser.open("/setup?token=guessed").await.is("/setup?token=guessed", 410);
        browser
            .open(&link)
            .await
            .submit("email", &[("username", "root"), ("email", ""), ("password", "x")])
            .await;
        browser.is("/setup", 422);
        let typed = [("username", "mira"), ("email", "mira@example.com"), ("password", PASSWORD)];
        browser.submit("email", &typed).await;
        assert!(browser.actor(&room).await.unwrap().roles.has(identity::Role::Admin));
        let mut other = Browser::new(&room);
        other.open(&link).await.says("no longer works");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_line_is_let_in_after_signing_in() {
    store::testing::both(&migrations(), async |store| {
        let room = Room::on(store);
        room.person("ada").await;
        let asked = room.identity.start_web_login(&room.stranger()).await.unwrap();
        let mut browser = Browser::new(&room);
        browser.open(&format!("/login/cli/{}", asked.id)).await;
        browser.submit("password", &[("username", "ada"), ("password", PASSWORD)]).await;
        browser.is(&format!("/login/cli/{}", asked.id), 200).says(&asked.code).says("127.0.0.1");
        let poll = async || room.identity.poll_web_login(&room.stranger(), asked.poll.expose()).await;
        browser.submit("approve", &[]).await;
        assert_eq!(browser.status, 400, "neither button was pressed");
        assert!(matches!(poll().await, Ok(Poll::Pending)));
        browser.open(&format!("/login/cli/{}", asked.id)).await;
        browser.submit("approve", &[("approve", "yes")]).await;
        browser.is("/login/cli/approved", 200).says("You can close this page.");
        let Ok(Poll::Approved(made)) = poll().await else { panic!("no token") };
        assert_eq!(&*room.bearer(made.secret.expose()).await.actor.unwrap().username, "ada");
        browser.open(&format!("/login/cli/{}", asked.id)).await;
        assert_eq!(browser.status, 410);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_command_line_gets_nothing() {
    store::testing::both(&migrations(), async |store| {
        let room = Room::on(store);
        room.person("ada").await;
        let asked = room.identity.start_web_login(&room.stranger()).await.unwrap();
        let mut browser = Browser::signed_in(&room, "ada").await;
        browser.open(&format!("/login/cli/{}", asked.id)).await;
        browser.submit("refuse", &[("refuse", "yes")]).await.is("/login/cli/refused", 200);
        assert!(room.identity.poll_web_login(&room.stranger(), asked.poll.expose()).await.is_err());

        let mut stranger = Browser::new(&room);
        let asked = room.identity.start_web_login(&room.stranger()).await.unwrap();
        let page = format!("/login/cli/{}", asked.id);
        assert_eq!(stranger.post(&page, "approve=yes").await.status, 401);
        assert!(matches!(
            room.identity.poll_web_login(&room.stranger(), asked.poll.expose()).await,
            Ok(Poll::Pending)
        ));
    })
    .await;
}
