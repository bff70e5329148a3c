//! The JSON API from outside: shapes, and who is refused.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod room;

use std::sync::Arc;

use room::{Answer, PASSWORD, Room, migrations};
use serde_json::{Value, json};
use web::Access;

async fn both(test: impl AsyncFn(Room)) {
    store::testing::both(&migrations(), async |store| test(Room::on(store)).await).await;
}

/// A body that every endpoint which takes one can read, as far as it is looked at before the permission.
fn body_for(method: &str, path: &str) -> Option<Value> {
    let body = match (method, path) {
        ("PATCH", "/api/auth/profile") => json!({"displayName": "Eve"}),
        ("POST", "/api/auth/password") => {
            json!({"currentPassword": PASSWORD, "newPassword": "another plum 7"})
        }
        ("POST", "/api/tokens") => json!({"name": "ci", "scopes": ["read"]}),
        ("POST", "/api/organisations") => json!({"name": "eves-own"}),
        ("PATCH", "/api/organisations/{org}") => json!({"displayName": "Eve's"}),
        ("POST", "/api/organisations/{org}/teams") => json!({"name": "eves"}),
        ("PUT", "/api/organisations/{org}/members/{username}") => json!({"role": "owner"}),
        ("POST", "/api/operator/users") => {
            json!({"username": "mallory", "email": "m@example.com", "password": PASSWORD})
        }
        ("PATCH", "/api/operator/users/{id}") => json!({"roles": ["admin"]}),
        _ => return None,
    };
    Some(body)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_endpoint_that_is_not_public_refuses_strangers_and_bad_tokens() {
    both(async |room| {
        let routes = identity::routes::<identity::Identity>();
        let guarded: Vec<_> = routes.table().iter().filter(|route| route.access != Access::Public).collect();
        assert!(guarded.len() > 25);
        for route in guarded {
            let body = body_for(route.method.as_str(), route.path);
            let path = route.path.replace(['{', '}'], "");
            let bad = format!("elk_{}", "0".repeat(36));
            for token in [None, Some(bad.as_str()), Some("eyJhbGciOiJub25lIn0.e30.")] {
                let answer = room.call(route.method.as_str(), &path, token, &[], body.clone()).await;
                assert_eq!(answer.status, 401, "{} {path} {token:?}: {}", route.method, answer.body);
                assert!(answer.headers.contains_key("www-authenticate"));
            }
        }
    })
    .await;
}

/// What belongs to ada, for eve to try.
struct Ada {
    user: String,
    token_id: String,
    session: String,
}

async fn ada_with_things(room: &Room) -> Ada {
    room.register("ada").await;
    let login = json!({"username": "ada", "password": PASSWORD});
    let answer = room.call("POST", "/api/auth/login", None, &[], Some(login)).await;
    let token = answer.body["token"].as_str().unwrap().to_owned();
    for (path, body) in [
        ("/api/organisations", json!({"name": "acme"})),
        ("/api/organisations/acme/teams", json!({"name": "tools"})),
    ] {
        assert_eq!(room.call("POST", path, Some(&token), &[], Some(body)).await.status, 201, "{path}");
    }
    let session = room.call("GET", "/api/auth/session", Some(&token), &[], None).await.body;
    let text = |field: &str| session[field].as_str().unwrap().to_owned();
    Ada { user: text("userId"), token_id: text("tokenId"), session: text("sessionId") }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_account_reaches_nothing_that_is_not_its_own() {
    both(async |room| {
        let ada = ada_with_things(&room).await;
        let eve = room.register("eve").await;
        let routes = identity::routes::<identity::Identity>();
        for route in
            routes.table().iter().filter(|route| route.path.contains('{') || route.access == Access::Operator)
        {
            let path =
                route.path.replace("{org}", "acme").replace("{team}", "tools").replace("{username}", "ada");
            let path = path.replace("{token}", &ada.token_id).replace("{session}", &ada.session);
            let id = match route.path.split('/').nth(2) {
                Some("tokens") => &ada.token_id,
                Some("auth") => &ada.session,
                _ => &ada.user,
            };
            let body = body_for(route.method.as_str(), route.path);
            let answer =
                room.call(route.method.as_str(), &path.replace("{id}", id), Some(&eve), &[], body).await;
            assert!(
                matches!(answer.status, 403 | 404),
                "{} {path}: {} {}",
                route.method,
                answer.status,
                answer.body
            );
        }
        let login = json!({"username": "ada", "password": PASSWORD});
        let answer = room.call("POST", "/api/auth/login", None, &[], Some(login)).await;
        let token = answer.body["token"].as_str().unwrap();
        let orgs = room.call("GET", "/api/organisations/acme/members", Some(token), &[], None).await;
        assert_eq!(orgs.body["items"][0]["role"], "owner", "ada still owns what she founded: {}", orgs.body);
    })
    .await;
}

/// Everything of an answer that a guesser could compare, but the request's id.
fn comparable(answer: &Answer) -> (u16, Vec<String>, Value) {
    let mut body = answer.body.clone();
    if let Some(object) = body.as_object_mut() {
        object.remove("requestId");
    }
    let names = answer.headers.keys().map(ToString::to_string).collect();
    (answer.status, names, body)
}

#[tokio::test(flavor = "multi_thread")]
async fn no_answer_tells_whether_an_account_exists() {
    both(async |room| {
        room.register("ada").await;
        let ask = async |path: &str, body: Value| room.call("POST", path, None, &[], Some(body)).await;
        let known = ask("/api/auth/login", json!({"username": "ada", "password": "wrong"})).await;
        let unknown = ask("/api/auth/login", json!({"username": "nobody", "password": "wrong"})).await;
        assert_eq!(comparable(&known), comparable(&unknown));
        assert_eq!(known.status, 401);
        let known = ask("/api/auth/forgot", json!({"email": "ada@example.com"})).await;
        let unknown = ask("/api/auth/forgot", json!({"email": "nobody@example.com"})).await;
        assert_eq!(comparable(&known), comparable(&unknown));
        assert_eq!(known.status, 202);
        let taken = json!({"username": "bob", "email": "ADA@example.com", "password": PASSWORD});
        assert_eq!(ask("/api/auth/register", taken).await.status, 201);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn throttling_says_when_to_come_back() {
    both(async |room| {
        room.register("ada").await;
        let guess = || Some(json!({"username": "ada", "password": "wrong"}));
        for _ in 0..6 {
            assert_eq!(room.call("POST", "/api/auth/login", None, &[], guess()).await.status, 401);
        }
        let answer = room.call("POST", "/api/auth/login", None, &[], guess()).await;
        assert_eq!(answer.status, 429);
        assert_eq!(answer.headers["retry-after"], "1");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_request_gets_the_same_token() {
    both(async |room| {
        let body = json!({"username": "ada", "email": "ada@example.com", "password": PASSWORD});
        let key = [("idempotency-key", "first-try")];
        let first = room.call("POST", "/api/auth/register", None, &key, Some(body.clone())).await;
        let again = room.call("POST", "/api/auth/register", None, &key, Some(body.clone())).await;
        assert_eq!((first.status, &first.body), (201, &again.body));
        let token = first.body["token"].as_str().unwrap();
        let session = room.call("GET", "/api/auth/session", Some(token), &[], None).await;
        assert_eq!(session.body["username"], "ada");
        let mut other = body;
        other["username"] = json!("bob");
        let reused = room.call("POST", "/api/auth/register", None, &key, Some(other)).await;
        assert_eq!((reused.status, &reused.body["code"]), (422, &json!("idempotency.reused")));
        let made = json!({"name": "ci", "scopes": ["read"]});
        let first = room.call("POST", "/api/tokens", Some(token), &key, Some(made.clone())).await;
        let again = room.call("POST", "/api/tokens", Some(token), &key, Some(made)).await;
        assert_eq!((first.status, &first.body), (201, &again.body));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_stands_in_the_database() {
    let folder = tempfile::tempdir().unwrap();
    let room = Room::on(store::testing::sqlite(folder.path(), &migrations()).await);
    let body = json!({"username": "ada", "email": "ada@example.com", "password": PASSWORD});
    let key = [("idempotency-key", "first-try")];
    let made = room.call("POST", "/api/auth/register", None, &key, Some(body)).await;
    let login = json!({"username": "ada", "password": PASSWORD});
    let signed_in = room.call("POST", "/api/auth/login", None, &[], Some(login)).await;
    let password = kernel::Secret::new(PASSWORD);
    let session = room.identity.sign_in_browser(&room.stranger(), "ada", &password).await.unwrap();
    let web_login = room.identity.start_web_login(&room.stranger()).await.unwrap();
    let files = std::fs::read_dir(folder.path()).unwrap();
    let bytes: Vec<u8> = files.flat_map(|file| std::fs::read(file.unwrap().path()).unwrap()).collect();
    let stands = |text: &str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(stands("ada@example.com"), "the files are those that were written");
    let secrets = [
        PASSWORD,
        made.body["token"].as_str().unwrap(),
        signed_in.body["token"].as_str().unwrap(),
        signed_in.body["jwt"].as_str().unwrap(),
        session.cookie.expose(),
        web_login.poll.expose(),
    ];
    for secret in secrets {
        assert!(!stands(secret), "{secret}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mailed_link_works_once() {
    both(async |room| {
        let folder = tempfile::tempdir().unwrap();
        let from = "Fondaco <no-reply@example.com>".to_owned();
        let config = mail::MailConfig::Folder { folder: folder.path().to_owned(), from };
        let mailer = mail::Mailer::new(&config).unwrap();
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let runner = jobs::Runner::new(room.store.clone(), room.clock.clone());
        let runner = room.identity.jobs(runner, mailer);
        let running = tokio::spawn(runner.run(async move {
            let _ = stopped.await;
        }));
        let token = room.register("ada").await;
        let secret = link_in(folder.path(), "/verify?token=").await;
        let verify = || Some(json!({"token": secret}));
        assert_eq!(room.call("POST", "/api/auth/verify", None, &[], verify()).await.status, 200);
        assert_eq!(room.call("POST", "/api/auth/verify", None, &[], verify()).await.status, 410);
        let profile = room.call("GET", "/api/auth/profile", Some(&token), &[], None).await;
        assert_eq!(profile.body["emailVerified"], true);
        let forgot = Some(json!({"email": "ADA@example.com"}));
        assert_eq!(room.call("POST", "/api/auth/forgot", None, &[], forgot).await.status, 202);
        let secret = link_in(folder.path(), "/reset?token=").await;
        let reset = |password: &str| Some(json!({"token": secret, "newPassword": password}));
        assert_eq!(room.call("POST", "/api/auth/reset", None, &[], reset("short")).await.status, 422);
        assert_eq!(
            room.call("POST", "/api/auth/reset", None, &[], reset("another plum 7")).await.status,
            200
        );
        assert_eq!(
            room.call("POST", "/api/auth/reset", None, &[], reset("a third plum 8")).await.status,
            410
        );
        let login = json!({"username": "ada@example.com", "password": "another plum 7"});
        assert_eq!(room.call("POST", "/api/auth/login", None, &[], Some(login)).await.status, 200);
        let _ = stop.send(());
        running.await.unwrap();
    })
    .await;
}

/// The secret of the first link of this kind among the mails in `folder`; waits for the mail.
async fn link_in(folder: &std::path::Path, kind: &str) -> String {
    for _ in 0..200 {
        for file in std::fs::read_dir(folder).unwrap() {
            let path = file.unwrap().path();
            if path.extension().is_some_and(|kind| kind == "eml") {
                // Long lines of a mail are broken with `=` at their end.
                let text = std::fs::read_to_string(path).unwrap().replace("=\r\n", "").replace("=3D", "=");
                if let Some((_, rest)) = text.split_once(kind) {
                    return rest.split_whitespace().next().unwrap().to_owned();
                }
            }
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("no mail with {kind}");
}

/// The body without what differs from run to run.
fn shape(mut body: Value) -> Value {
    fn blank(value: &mut Value) {
        match value {
            Value::Object(map) => map.values_mut().for_each(blank),
            Value::Array(items) => items.iter_mut().for_each(blank),
            Value::String(text) => {
                let kind = ["user-", "org-", "team-", "token-", "session-", "elk_", "eyJ"]
                    .into_iter()
                    .find(|kind| text.starts_with(kind) && text.len() > kind.len() + 3);
                if text.len() == 24 && text.bytes().all(|b| b.is_ascii_hexdigit()) {
                    "…".clone_into(text);
                } else if let Some(kind) = kind {
                    *text = format!("{kind}…");
                }
            }
            _ => {}
        }
    }
    blank(&mut body);
    if let Some(object) = body.as_object_mut() {
        object.remove("requestId");
    }
    body
}

#[tokio::test(flavor = "multi_thread")]
async fn the_shapes_of_the_answers() {
    let folder = tempfile::tempdir().unwrap();
    let room = Arc::new(Room::on(store::testing::sqlite(folder.path(), &migrations()).await));
    let register = json!({"username": "ada", "email": "ada@example.com", "password": PASSWORD});
    let made = room.call("POST", "/api/auth/register", None, &[], Some(register)).await;
    insta::assert_json_snapshot!("register", shape(made.body));
    let login = json!({"username": "ada", "password": PASSWORD});
    let signed_in = room.call("POST", "/api/auth/login", None, &[], Some(login)).await;
    let token = signed_in.body["token"].as_str().unwrap().to_owned();
    insta::assert_json_snapshot!("login", shape(signed_in.body));
    let post =
        async |path: &str, body: Value| room.call("POST", path, Some(&token), &[], Some(body)).await.body;
    insta::assert_json_snapshot!(
        "organisation",
        shape(post("/api/organisations", json!({"name": "acme"})).await)
    );
    let team = post("/api/organisations/acme/teams", json!({"name": "tools"})).await;
    insta::assert_json_snapshot!("team", shape(team));
    let made = post("/api/tokens", json!({"name": "ci", "scopes": ["publish", "packages:@acme/*"]})).await;
    insta::assert_json_snapshot!("token", shape(made));
    let refused = post("/api/tokens", json!({"name": "", "scopes": ["publish"]})).await;
    insta::assert_json_snapshot!("invalid", shape(refused));
    let paths = [
        ("session", "/api/auth/session"),
        ("profile", "/api/auth/profile"),
        ("sessions", "/api/auth/sessions"),
        ("members", "/api/organisations/acme/members"),
        ("audit", "/api/auth/audit?limit=1"),
    ];
    for (name, path) in paths {
        let body = room.call("GET", path, Some(&token), &[], None).await.body;
        insta::assert_json_snapshot!(name, shape(body));
    }
    let root = room.admin_token("root-1").await;
    let users = room.call("GET", "/api/operator/users?q=ada", Some(&root), &[], None).await.body;
    insta::assert_json_snapshot!("users", shape(users));
}

#[test]
fn every_route_is_described_and_nothing_else_is() {
    let document = serde_json::to_value(identity::openapi()).unwrap();
    let mut described: Vec<(String, String)> = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for method in methods.as_object().unwrap().keys() {
            described.push((path.clone(), method.to_uppercase()));
        }
    }
    described.sort();
    let routes = identity::routes::<identity::Identity>();
    let mut served: Vec<_> =
        routes.table().iter().map(|route| (route.path.to_owned(), route.method.to_string())).collect();
    served.sort();
    assert_eq!(described, served);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_is_made_to_the_version_that_was_read_or_not_at_all() {
    both(async |room| {
        let token = room.register("ada").await;
        let founded = json!({"name": "acme"});
        room.call("POST", "/api/organisations", Some(&token), &[], Some(founded)).await;
        let admin = room.admin_token("carol").await;
        let user = room.call("GET", "/api/auth/session", Some(&token), &[], None).await;
        let user = format!("/api/operator/users/{}", user.body["userId"].as_str().unwrap());
        for (path, token, change) in [
            ("/api/auth/profile", &token, json!({"displayName": "Ada"})),
            ("/api/organisations/acme", &token, json!({"displayName": "Acme"})),
            (user.as_str(), &admin, json!({"roles": ["user"]})),
        ] {
            let read = room.call("GET", path, Some(token), &[], None).await;
            let etag = read.headers["etag"].to_str().unwrap().to_owned();
            assert_eq!(etag, format!("\"{}\"", read.body["version"]), "{path}");
            let send = async |tag: &str, body: &Value| {
                let headers = [("if-match", tag)];
                let headers = if tag.is_empty() { &[][..] } else { &headers[..] };
                room.call("PATCH", path, Some(token), headers, Some(body.clone())).await
            };
            let changed = send(&etag, &change).await;
            assert_eq!(changed.status, 200, "{path}: {}", changed.body);
            let fresh = changed.headers["etag"].to_str().unwrap().to_owned();
            assert_ne!(fresh, etag);
            let mut old = change.clone();
            old["version"] = read.body["version"].clone();
            for (tag, body, status) in [
                (etag.as_str(), &change, 412),
                ("W/\"2\"", &change, 412),
                ("", &old, 409),
                (fresh.as_str(), &old, 400),
                ("3", &change, 400),
                ("*", &change, 200),
            ] {
                let answer = send(tag, body).await;
                assert_eq!(answer.status, status, "{path} {tag} {body}: {}", answer.body);
            }
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_for_somebody_is_made_once_however_often_the_request_comes() {
    both(async |room| {
        let admin = room.admin_token("carol").await;
        let body = json!({"username": "dora", "email": "dora@example.com", "password": PASSWORD});
        let send = async |key: &str, body: &Value| {
            let headers = [("idempotency-key", key)];
            room.call("POST", "/api/operator/users", Some(&admin), &headers, Some(body.clone())).await
        };
        let first = send("key-1", &body).await;
        let again = send("key-1", &body).await;
        assert_eq!((first.status, again.status), (201, 201), "{}", again.body);
        assert_eq!(first.body, again.body);
        assert_eq!(again.headers["idempotency-replayed"], "true");
        let mut other = body.clone();
        other["password"] = json!("another plum 7");
        assert_eq!(send("key-1", &other).await.status, 422, "the same key with another body");
        assert_eq!(
            send("key-2", &body).await.status,
            409,
            "another key is another request: the name is taken"
        );
    })
    .await;
}
