//! Mailed links: a new password, a confirmed address. The mails are read from the folder where a market without
//! SMTP puts them.

use std::path::Path;
use std::time::Duration;

use crate::browser::Browser;
use crate::room::{Room, migrations};

/// Runs the jobs of the room, which put its mails into a folder, while `test` goes on.
async fn with_mail(room: &Room, test: impl AsyncFnOnce(&Path)) {
    let folder = tempfile::tempdir().unwrap();
    let from = "Market <no-reply@example.com>".to_owned();
    let config = mail::MailConfig::Folder { folder: folder.path().to_owned(), from };
    let runner = jobs::Runner::new(room.store.clone(), room.clock.clone());
    let runner = room.identity.jobs(runner, mail::Mailer::new(&config).unwrap());
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let running = tokio::spawn(runner.run(async move {
        let _ = stopped.await;
    }));
    test(folder.path()).await;
    let _ = stop.send(());
    running.await.unwrap();
}

/// The path of the first link of this kind among the mails in `folder`; waits for the mail.
async fn link_in(folder: &Path, kind: &str) -> String {
    for _ in 0..200 {
        for file in std::fs::read_dir(folder).unwrap() {
            // Long lines of a mail are broken with `=` at their end.
            let mail = std::fs::read_to_string(file.unwrap().path()).unwrap();
            let mail = mail.replace("=\r\n", "").replace("=3D", "=");
            if let Some((_, rest)) = mail.split_once(kind) {
                return format!("{kind}{}", rest.split_whitespace().next().unwrap());
            }
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("no mail with {kind}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_is_confirmed_by_a_button_and_not_by_opening_the_link() {
    store::testing::both(&migrations(), async |store| {
        let room = Room::on(store);
        room.person("ada").await;
        with_mail(&room, async |folder| {
            let link = link_in(folder, "/verify?token=").await;
            let mut browser = Browser::signed_in(&room, "ada").await;
            browser.open(&link).await.says("Confirm your address");
            browser.open("/account").await.says("Not confirmed");
            browser.open(&link).await.submit("token", &[]).await.is("/account", 200);
            browser.says("Your address is confirmed.").omits("Not confirmed");
            let mut again = Browser::new(&room);
            again
                .open(&link)
                .await
                .submit("token", &[])
                .await
                .is("/verify", 410)
                .says("This link no longer works");
        })
        .await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forgotten_password_is_replaced_and_nothing_tells_who_has_an_account() {
    store::testing::both(&migrations(), async |store| {
        let room = Room::on(store);
        room.person("ada").await;
        with_mail(&room, async |folder| {
            let mut pages = Vec::new();
            for email in ["ada@example.com", "nobody@example.com"] {
                let mut browser = Browser::new(&room);
                browser.open("/forgot").await.submit("email", &[("email", email)]).await.is("/forgot", 200);
                pages.push(browser.page.replace(email, ""));
            }
            assert_eq!(pages[0], pages[1]);

            let link = link_in(folder, "/reset?token=").await;
            let mut browser = Browser::new(&room);
            browser
                .open(&link)
                .await
                .submit("newPassword", &[("newPassword", "short")])
                .await
                .is("/reset", 422);
            browser.omits("value=\"short\"");
            browser.submit("newPassword", &[("newPassword", "a new plum tree")]).await.is("/login", 200);
            browser.says("The password is changed");
            browser.submit("password", &[("username", "ada"), ("password", "a new plum tree")]).await;
            assert!(browser.cookies.contains_key(web::SESSION_COOKIE));
            let mut again = Browser::new(&room);
            again.open(&link).await.submit("newPassword", &[("newPassword", "yet another tree")]).await;
            again.is("/reset", 410);
            again.open("/forgot").await.submit("email", &[("email", "no address")]).await.is("/forgot", 422);
            assert_eq!(again.value("email"), "no address");
        })
        .await;
    })
    .await;
}
