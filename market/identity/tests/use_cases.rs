//! The use cases of the room, each on both databases.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod room;

use std::time::Duration;

use identity::audit::Filter;
use identity::orgs::{self, Grant, OrgRole};
use identity::tokens::NewToken;
use identity::{Denied, IdentityError, Poll, ProfileChange, Role, Roles, Terms, sessions};
use kernel::{Paging, Secret};
use room::{PASSWORD, Room, account, migrations};
use store::Tx;
use web::Ctx;

async fn both(test: impl AsyncFn(Room)) {
    store::testing::both(&migrations(), async |store| test(Room::on(store)).await).await;
}

fn secret(text: &str) -> Secret {
    Secret::new(text)
}

fn token(name: &str, scopes: &str) -> NewToken {
    NewToken { name: name.to_owned(), scopes: scopes.parse().unwrap(), cidrs: Vec::new(), expires_at: None }
}

#[tokio::test(flavor = "multi_thread")]
async fn names_are_one_namespace_and_addresses_tell_nothing() {
    both(async |room| {
        let ada = room.person("ada").await;
        let again = room.identity.register(&room.stranger(), account("ada")).await;
        assert!(matches!(again, Err(IdentityError::NameTaken)), "{again:?}");
        room.identity.create_org(&ada, "acme", "Acme").await.unwrap();
        let as_user = room.identity.register(&room.stranger(), account("acme")).await;
        assert!(matches!(as_user, Err(IdentityError::NameTaken)), "{as_user:?}");
        let mut same_address = account("bob");
        same_address.email = "ADA@example.com".to_owned();
        assert!(room.identity.register(&room.stranger(), same_address).await.is_ok());
        let mut wrong = account("Bad Name");
        wrong.email = "nonsense".to_owned();
        wrong.password = secret("short");
        let refused = room.identity.register(&room.stranger(), wrong).await;
        let Err(IdentityError::Invalid(errors)) = refused else { panic!("{refused:?}") };
        let pointers: Vec<_> = errors.iter().map(|error| &*error.pointer).collect();
        assert_eq!(pointers, ["/username", "/email", "/password"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn signing_in_by_name_and_by_address_and_out_again() {
    both(async |room| {
        room.person("ada").await;
        for name in ["ada", " ADA ", "Ada@Example.com"] {
            let signed_in = room.identity.sign_in(&room.stranger(), name, &secret(PASSWORD)).await.unwrap();
            let by = room.bearer(signed_in.jwt.expose()).await;
            assert_eq!(&*by.account().unwrap().username, "ada");
            room.bearer(signed_in.token.secret.expose()).await;
            room.identity.sign_out(&by).await.unwrap();
            for gone in [&signed_in.jwt, &signed_in.token.secret] {
                let tried = room.try_bearer(gone.expose()).await;
                assert!(matches!(tried, Err(IdentityError::BadToken)), "{tried:?}");
            }
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn guesses_are_throttled_also_after_a_restart_and_for_names_that_are_not_there() {
    both(async |room| {
        room.person("ada").await;
        for name in ["ada", "nobody"] {
            for _ in 0..6 {
                let tried = room.identity.sign_in(&room.stranger(), name, &secret("wrong")).await;
                assert!(matches!(tried, Err(IdentityError::WrongPassword)), "{tried:?}");
            }
            let restarted = Room::on(room.store.clone());
            let tried = restarted.identity.sign_in(&room.stranger(), name, &secret(PASSWORD)).await;
            assert!(matches!(tried, Err(IdentityError::Throttled { seconds: 1 })), "{name}: {tried:?}");
        }
        room.later(2);
        room.identity.sign_in(&room.stranger(), "ada", &secret(PASSWORD)).await.unwrap();
        // Success starts afresh: the next guesses are free again.
        let tried = room.identity.sign_in(&room.stranger(), "ada", &secret("wrong")).await;
        assert!(matches!(tried, Err(IdentityError::WrongPassword)), "{tried:?}");
        room.identity.sign_in(&room.stranger(), "ada", &secret(PASSWORD)).await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_names_from_one_address_are_throttled_too() {
    both(async |room| {
        let mut answers = Vec::new();
        for n in 0..32 {
            let name = format!("guess-{n}");
            answers.push(room.identity.sign_in(&room.stranger(), &name, &secret("wrong")).await);
        }
        assert!(matches!(answers[30], Err(IdentityError::WrongPassword)), "{:?}", answers[30]);
        assert!(matches!(answers[31], Err(IdentityError::Throttled { .. })), "{:?}", answers[31]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_token_is_refused_at_once_although_it_was_cached() {
    both(async |room| {
        let ada = room.person("ada").await;
        let made = room.identity.create_token(&ada, token("ci", "publish packages:@acme/*")).await.unwrap();
        let text = made.secret.expose();
        let by = room.bearer(text).await;
        assert!(by.account().unwrap().scopes.covers("packages", "@acme/x"));
        room.identity.revoke_token(&ada, made.token.id.clone()).await.unwrap();
        assert!(matches!(room.try_bearer(text).await, Err(IdentityError::BadToken)));
        assert!(!room.identity.tokens(&ada).await.unwrap().iter().any(|known| known.id == made.token.id));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_process_notices_a_revocation_within_five_seconds() {
    both(async |room| {
        let ada = room.person("ada").await;
        let made = room.identity.create_token(&ada, token("ci", "read")).await.unwrap();
        let text = made.secret.expose();
        let other = Room::on(room.store.clone());
        other.bearer(text).await;
        room.identity.revoke_token(&ada, made.token.id).await.unwrap();
        assert!(other.try_bearer(text).await.is_ok(), "a cached answer may still stand");
        other.later(5);
        assert!(matches!(other.try_bearer(text).await, Err(IdentityError::BadToken)));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_ends_on_time_and_works_only_from_its_networks() {
    both(async |room| {
        let ada = room.person("ada").await;
        let mut new = token("office", "read");
        new.expires_at = Some(room.clock.now().after(Duration::from_secs(60)));
        let short = room.identity.create_token(&ada, new).await.unwrap();
        room.bearer(short.secret.expose()).await;
        let mut bound = token("bound", "read");
        bound.cidrs = vec!["192.0.2.0/24".parse().unwrap()];
        let bound = room.identity.create_token(&ada, bound).await.unwrap();
        let elsewhere = room.try_bearer(bound.secret.expose()).await;
        assert!(matches!(elsewhere, Err(IdentityError::WrongAddress)), "{elsewhere:?}");
        room.later(60);
        assert!(matches!(room.try_bearer(short.secret.expose()).await, Err(IdentityError::BadToken)));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_makes_no_token_that_may_do_more_or_live_longer() {
    both(async |room| {
        let ada = room.person("ada").await;
        let mut parent = token("parent", "account packages:@acme/*");
        let ends = room.clock.now().after(Duration::from_secs(3600));
        parent.expires_at = Some(ends);
        let parent = room.identity.create_token(&ada, parent).await.unwrap();
        let by = room.bearer(parent.secret.expose()).await;
        for wider in ["account", "publish packages:@acme/*", "account packages:x"] {
            let tried = room.identity.create_token(&by, token("wider", wider)).await;
            assert!(matches!(tried, Err(IdentityError::Denied(Denied::Restricted))), "{wider}: {tried:?}");
        }
        let child = room.identity.create_token(&by, token("child", "read packages:@acme/x")).await.unwrap();
        assert_eq!(child.token.expires_at, Some(ends));
        let reader = room.bearer(child.secret.expose()).await;
        let tried = room.identity.create_token(&reader, token("more", "read packages:@acme/x")).await;
        assert!(matches!(tried, Err(IdentityError::Denied(Denied::Scope(_)))), "{tried:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn last_use_is_written_in_a_batch_and_not_again_within_five_minutes() {
    both(async |room| {
        let ada = room.person("ada").await;
        assert_eq!(room.identity.write_last_used().await.unwrap(), 1);
        let listed = room.identity.tokens(&ada).await.unwrap();
        assert_eq!(listed[0].last_used_at, Some(room.clock.now()));
        assert_eq!(listed[0].last_used_from.as_deref(), Some("127.0.0.1"));
        let made = room.identity.create_token(&ada, token("ci", "read")).await.unwrap();
        room.bearer(made.secret.expose()).await;
        assert_eq!(room.identity.write_last_used().await.unwrap(), 1);
        room.later(60);
        room.bearer(made.secret.expose()).await;
        assert_eq!(room.identity.write_last_used().await.unwrap(), 0);
        room.later(300);
        room.bearer(made.secret.expose()).await;
        assert_eq!(room.identity.write_last_used().await.unwrap(), 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_session_slides_and_ends() {
    both(async |room| {
        room.person("ada").await;
        let session =
            room.identity.sign_in_browser(&room.stranger(), "ada", &secret(PASSWORD)).await.unwrap();
        let cookie = sessions::cookie(room.identity.settings(), &session);
        for part in ["HttpOnly", "SameSite=Lax", "Secure", "Path=/"] {
            assert!(cookie.contains(part), "{cookie}");
        }
        let mut headers = http::HeaderMap::new();
        headers.insert(http::header::COOKIE, cookie.split(';').next().unwrap().parse().unwrap());
        let day = 86_400;
        for _ in 0..4 {
            room.later(13 * day);
            let actor = room.identity.resolve(&headers, &Ctx::local(room.clock.now())).await.unwrap();
            assert!(actor.is_some(), "used every 13 days, it stays");
            room.identity.write_last_used().await.unwrap();
        }
        room.later(13 * day);
        let actor = room.identity.resolve(&headers, &Ctx::local(room.clock.now())).await.unwrap();
        assert!(actor.is_none(), "after 60 days it ends in any case, and its cookie makes a stranger");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_password_ends_the_other_sessions() {
    both(async |room| {
        room.person("ada").await;
        let first = room.identity.sign_in(&room.stranger(), "ada", &secret(PASSWORD)).await.unwrap();
        let second = room.identity.sign_in(&room.stranger(), "ada", &secret(PASSWORD)).await.unwrap();
        let by = room.bearer(first.jwt.expose()).await;
        let new = secret("another plum 7");
        let wrong = room.identity.change_password(&by, &secret("wrong"), new.clone()).await;
        assert!(matches!(wrong, Err(IdentityError::Invalid(_))), "{wrong:?}");
        room.identity.change_password(&by, &secret(PASSWORD), new.clone()).await.unwrap();
        room.bearer(first.jwt.expose()).await;
        assert!(room.try_bearer(second.jwt.expose()).await.is_err());
        assert!(room.identity.sign_in(&room.stranger(), "ada", &secret(PASSWORD)).await.is_err());
        room.identity.sign_in(&room.stranger(), "ada", &new).await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stale_profile_changes_nothing_and_a_new_address_needs_the_password() {
    both(async |room| {
        let ada = room.person("ada").await;
        let named = |name: &str, version| ProfileChange {
            display_name: Some(name.to_owned()),
            expected: web::Expected::ByBody(version),
            ..ProfileChange::default()
        };
        let changed = room.identity.change_profile(&ada, named("Ada L.", 1)).await.unwrap();
        assert_eq!((changed.user.display_name.as_str(), changed.user.version), ("Ada L.", 2));
        let stale = room.identity.change_profile(&ada, named("Eve", 1)).await;
        assert!(matches!(stale, Err(IdentityError::Stale(_))), "{stale:?}");
        let mut email =
            ProfileChange { email: Some("ada@other.example.com".to_owned()), ..ProfileChange::default() };
        let without = room.identity.change_profile(&ada, email.clone()).await;
        assert!(matches!(without, Err(IdentityError::Invalid(_))), "{without:?}");
        email.current_password = Some(secret(PASSWORD));
        let changed = room.identity.change_profile(&ada, email).await.unwrap();
        assert_eq!(changed.user.email, "ada@other.example.com");
        assert_eq!(changed.user.email_verified_at, None);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn organisations_keep_their_owners_and_hide_from_strangers() {
    both(async |room| {
        let (ada, bob, eve) = (room.person("ada").await, room.person("bob").await, room.person("eve").await);
        room.identity.create_org(&ada, "acme", "Acme").await.unwrap();
        let token = ada.token().unwrap().clone();
        let ada = fresh(&room, &ada).await;
        assert_eq!(ada.token(), Some(&token));
        let to_eve = room.identity.members(&eve, "acme").await;
        let to_nobody = room.identity.members(&eve, "nowhere").await;
        assert_eq!(to_eve.unwrap_err().to_string(), to_nobody.unwrap_err().to_string());
        room.identity.set_member(&ada, "acme", "bob", OrgRole::Admin).await.unwrap();
        let bob = fresh(&room, &bob).await;
        let usurped = room.identity.set_member(&bob, "acme", "bob", OrgRole::Owner).await;
        assert!(matches!(usurped, Err(IdentityError::Denied(Denied::NotYours))), "{usurped:?}");
        let deposed = room.identity.remove_member(&bob, "acme", "ada").await;
        assert!(matches!(deposed, Err(IdentityError::Denied(Denied::NotYours))), "{deposed:?}");
        let left = room.identity.remove_member(&ada, "acme", "ada").await;
        assert!(matches!(left, Err(IdentityError::LastOwner)), "{left:?}");
        room.identity.set_member(&bob, "acme", "eve", OrgRole::Member).await.unwrap();
        assert_eq!(room.identity.members(&bob, "acme").await.unwrap().len(), 3);
    })
    .await;
}

/// The same caller, as the next request would find it.
async fn fresh(room: &Room, by: &identity::Caller) -> identity::Caller {
    let made =
        room.identity.create_token(by, NewToken::full("again", room.clock.now(), Duration::from_secs(60)));
    let again = room.bearer(made.await.unwrap().secret.expose()).await;
    let mut actor = again.actor.unwrap();
    actor.via = by.account().unwrap().via.clone();
    identity::Caller { ctx: by.ctx.clone(), actor: Some(actor) }
}

#[tokio::test(flavor = "multi_thread")]
async fn teams_grant_what_their_members_may_do() {
    both(async |room| {
        let (ada, bob) = (room.person("ada").await, room.person("bob").await);
        room.identity.create_org(&ada, "acme", "").await.unwrap();
        let ada = fresh(&room, &ada).await;
        room.identity.create_team(&ada, "acme", "tools", "Builds things").await.unwrap();
        let twice = room.identity.create_team(&ada, "acme", "tools", "").await;
        assert!(matches!(twice, Err(IdentityError::Exists("team"))), "{twice:?}");
        let outsider = room.identity.add_team_member(&ada, "acme", "tools", "bob").await;
        assert!(matches!(outsider, Err(IdentityError::NotFound("member"))), "{outsider:?}");
        room.identity.set_member(&ada, "acme", "bob", OrgRole::Member).await.unwrap();
        room.identity.add_team_member(&ada, "acme", "tools", "bob").await.unwrap();
        let subject = "packages:@acme/x";
        room.identity.set_grant(&ada, "acme", "tools", subject, Some(Grant::Write)).await.unwrap();
        let user = bob.account().unwrap().user.clone();
        let granted = async |user: identity::UserId| {
            let look = async move |tx: &mut Tx| orgs::granted(tx, &user, "packages:@acme/x").await;
            room.store.read(look).await.unwrap()
        };
        assert_eq!(granted(user.clone()).await, Some(Grant::Write));
        room.identity.remove_member(&ada, "acme", "bob").await.unwrap();
        assert_eq!(granted(user).await, None, "who leaves the organisation leaves its teams");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_admin_stays_and_others_cannot_operate() {
    both(async |room| {
        let root = room.admin("root-1").await;
        let ada = room.person("ada").await;
        let (own, other) = (root.account().unwrap().user.clone(), ada.account().unwrap().user.clone());
        let none = Roles::of(&[Role::User]);
        assert!(matches!(
            room.identity.set_roles(&root, own.clone(), none).await,
            Err(IdentityError::LastAdmin)
        ));
        assert!(matches!(room.identity.set_disabled(&root, own, true).await, Err(IdentityError::LastAdmin)));
        let admin = Roles::of(&[Role::User, Role::Admin]);
        let tried = room.identity.set_roles(&ada, other.clone(), admin).await;
        assert!(matches!(tried, Err(IdentityError::Denied(Denied::Role))), "{tried:?}");
        let signed_in = room.identity.sign_in(&room.stranger(), "ada", &secret(PASSWORD)).await.unwrap();
        room.bearer(signed_in.jwt.expose()).await;
        room.identity.set_disabled(&root, other.clone(), true).await.unwrap();
        assert!(room.try_bearer(signed_in.jwt.expose()).await.is_err());
        let tried = room.identity.sign_in(&room.stranger(), "ada", &secret(PASSWORD)).await;
        assert!(matches!(tried, Err(IdentityError::WrongPassword)), "{tried:?}");
        room.identity.set_disabled(&root, other, false).await.unwrap();
        room.identity.sign_in(&room.stranger(), "ada", &secret(PASSWORD)).await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_set_up_link_works_once_and_never_when_there_is_an_operator() {
    both(async |room| {
        let link = room.identity.setup_link(room.clock.now()).await.unwrap().unwrap();
        let token = link.expose().split_once("token=").unwrap().1.to_owned();
        let by = room.stranger();
        assert!(room.identity.set_up(&by, "guess", account("root-1")).await.is_err());
        room.identity.set_up(&by, &token, account("root-1")).await.unwrap();
        let again = room.identity.set_up(&by, &token, account("root-2")).await;
        assert!(matches!(again, Err(IdentityError::LinkSpent)), "{again:?}");
        assert!(room.identity.setup_link(room.clock.now()).await.unwrap().is_none());
    })
    .await;
    both(async |room| {
        let link = room.identity.setup_link(room.clock.now()).await.unwrap().unwrap();
        let token = link.expose().split_once("token=").unwrap().1.to_owned();
        room.later(3601);
        let late = room.identity.set_up(&room.stranger(), &token, account("root-1")).await;
        assert!(matches!(late, Err(IdentityError::LinkSpent)), "{late:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_line_gets_its_token_once_after_a_person_agreed() {
    both(async |room| {
        let ada = room.person("ada").await;
        let login = room.identity.start_web_login(&room.stranger()).await.unwrap();
        let poll = async || room.identity.poll_web_login(&room.stranger(), login.poll.expose()).await;
        assert!(matches!(poll().await.unwrap(), Poll::Pending));
        assert_eq!(room.identity.web_login(&ada, &login.id).await.unwrap().code, login.code);
        assert!(room.identity.decide_web_login(&room.stranger(), &login.id, true).await.is_err());
        room.identity.decide_web_login(&ada, &login.id, true).await.unwrap();
        let Poll::Approved(made) = poll().await.unwrap() else { panic!("approved") };
        assert_eq!(&*room.bearer(made.secret.expose()).await.account().unwrap().username, "ada");
        assert!(matches!(poll().await, Err(IdentityError::LinkSpent)), "the token is given once");
        let refused = room.identity.start_web_login(&room.stranger()).await.unwrap();
        room.identity.decide_web_login(&ada, &refused.id, false).await.unwrap();
        let polled = room.identity.poll_web_login(&room.stranger(), refused.poll.expose()).await;
        assert!(matches!(polled, Err(IdentityError::LinkSpent)), "{polled:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_trail_tells_who_did_what_and_an_account_sees_its_own() {
    both(async |room| {
        let root = room.admin("root-1").await;
        let ada = room.person("ada").await;
        let made = room.identity.create_token(&ada, token("ci", "read")).await.unwrap();
        let own = room.identity.own_audit(&ada, Paging::default()).await.unwrap();
        let actions: Vec<_> = own.items.iter().map(|entry| entry.action.as_str()).collect();
        assert_eq!(actions, ["token.created", "token.created"]);
        assert_eq!(own.items[0].subject, made.token.id.as_str());
        assert_eq!(own.items[0].token_id.as_deref(), ada.token().map(identity::TokenId::as_str));
        let refused = room.identity.audit(&ada, Filter::default(), Paging::default()).await;
        assert!(matches!(refused, Err(IdentityError::Denied(_))), "{refused:?}");
        let filter =
            Filter { actor: Some("ada".to_owned()), action: Some("token".to_owned()), ..Filter::default() };
        assert_eq!(room.identity.audit(&root, filter, Paging::default()).await.unwrap().total, 2);
        let filter = Filter { action: Some("tok".to_owned()), ..Filter::default() };
        assert_eq!(room.identity.audit(&root, filter, Paging::default()).await.unwrap().total, 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_program_itself_makes_accounts_with_easy_passwords() {
    both(async |room| {
        let root = room.admin("root-1").await;
        let terms = Terms { roles: Roles::of(&[Role::User]), verified: true, easy_password: true };
        let mut demo = account("demo");
        demo.password = secret("demo123");
        let refused = room.identity.create_user(&root, demo.clone(), terms).await;
        assert!(matches!(refused, Err(IdentityError::Invalid(_))), "{refused:?}");
        room.identity.create_user(&room.system(), demo, terms).await.unwrap();
        room.identity.sign_in(&room.stranger(), "demo", &secret("demo123")).await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happened_is_in_the_event_log() {
    both(async |room| {
        let ada = room.person("ada").await;
        room.identity.create_org(&ada, "acme", "").await.unwrap();
        // A follower, because PostgreSQL shows an event only once every older transaction of the server has ended.
        let mut follower = events::Log::new(room.store.clone()).follow(events::Position::START);
        let mut kinds = Vec::new();
        while kinds.len() < 3 {
            kinds.extend(follower.next().await.unwrap().into_iter().map(|event| event.kind));
        }
        assert_eq!(kinds, ["account.registered", "token.created", "organisation.created"]);
    })
    .await;
}
