//! Accounts, tokens, organisations, teams, and what they may see.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
use http::Method;
use serde_json::{Value, json};
use store::testing::both;

use crate::bench::{Bench, MIGRATIONS, document, found};

fn restricted(name: &str, version: &str) -> Value {
    let mut document = document(name, version, json!({}));
    document["access"] = json!("restricted");
    document
}

#[tokio::test(flavor = "multi_thread")]
async fn signing_in_and_out_as_npm_does() {
    both(MIGRATIONS, async |store| {
        let bench = Bench::new(store).await;
        let path = "/npm/-/user/org.couchdb.user:ada";
        let login =
            |password: &str| json!({"_id": "org.couchdb.user:ada", "name": "ada", "password": password});
        let unknown = bench.put(path, "", login("correct horse battery")).await.expect(401);
        assert_eq!(unknown.header("www-authenticate"), "", "so that npm shows our words");
        let mut adduser = login("correct horse battery");
        adduser["email"] = json!("ada@example.com");
        let first = bench.put(path, "", adduser.clone()).await.expect(201).json();
        assert_eq!(first["ok"], true);
        let wrong = bench.put(path, "", login("wrong horse battery")).await.expect(401);
        assert_eq!(wrong.json()["error"], unknown.json()["error"], "the same words for both");
        adduser["password"] = json!("wrong horse battery");
        bench.put(path, "", adduser).await.expect(401);
        let again = bench.put(path, "elk_stale", login("correct horse battery")).await.expect(201).json();
        let token = again["token"].as_str().unwrap();
        assert_eq!(bench.get("/npm/-/whoami", token).await.expect(200).json()["username"], "ada");
        assert_eq!(
            bench.get("/npm/-/npm/v1/user", token).await.expect(200).json()["email"],
            "ada@example.com"
        );
        bench.delete(&format!("/npm/-/user/token/{token}"), token).await.expect(200);
        bench.get("/npm/-/whoami", token).await.expect(401);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn signing_in_with_a_browser() {
    both(MIGRATIONS, async |store| {
        let bench = Bench::new(store).await;
        let ada = bench.account("ada").await;
        let start = bench.call(Method::POST, "/npm/-/v1/login", "", Value::Null).await.expect(200).json();
        let done =
            start["doneUrl"].as_str().unwrap().strip_prefix("http://localhost:4873").unwrap().to_owned();
        let pending = bench.get(&done, "").await.expect(202);
        assert_eq!(pending.header("retry-after"), "1");
        let id = start["loginUrl"].as_str().unwrap().rsplit_once('/').unwrap().1.to_owned();
        let caller = crate::bench::caller(&bench, &ada).await;
        bench.identity.decide_web_login(&caller, &id, true).await.unwrap();
        let token = bench.get(&done, "").await.expect(200).json()["token"].as_str().unwrap().to_owned();
        assert_eq!(bench.get("/npm/-/whoami", &token).await.json()["username"], "ada");
        bench.get(&done, "").await.expect(410);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_are_made_listed_and_revoked() {
    both(MIGRATIONS, async |store| {
        let bench = Bench::new(store).await;
        let ada = bench.account("ada").await;
        let tokens = "/npm/-/npm/v1/tokens";
        let wanted = json!({"name": "ci", "packages_and_scopes_permission": "read-write", "scopes": ["@ada"], "expires": 7});
        let made = bench.call(Method::POST, tokens, &ada, wanted).await.expect(201).json();
        let ci = made["token"].as_str().unwrap();
        bench.publish("@ada/pad", "1.0.0", ci).await.expect(201);
        bench.publish("pad", "1.0.0", ci).await.expect(403);
        let readonly = json!({"password": "correct horse battery", "readonly": true, "cidr_whitelist": []});
        let readonly = bench.call(Method::POST, tokens, &ada, readonly).await.expect(201).json();
        bench.publish("pad", "1.0.0", readonly["token"].as_str().unwrap()).await.expect(403);
        let wrong = json!({"password": "wrong horse battery", "readonly": true});
        assert_eq!(bench.call(Method::POST, tokens, &ada, wrong).await.expect(401).header("www-authenticate"), "");
        let list = bench.get(tokens, &ada).await.expect(200).json();
        assert_eq!(list["urls"], json!({}));
        let key = list["objects"].as_array().unwrap().iter().find(|token| token["name"] == "ci").unwrap()["key"].clone();
        assert!(list.to_string().find(ci).is_none(), "a token is shown once");
        bench.delete(&format!("{tokens}/token/{}", key.as_str().unwrap()), &ada).await.expect(200);
        bench.get("/npm/-/whoami", ci).await.expect(401);
        bench.delete(&format!("{tokens}/token/00"), &ada).await.expect(404);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_private_package_is_not_there_for_strangers() {
    both(MIGRATIONS, async |store| {
        let bench = Bench::new(store).await;
        let (ada, bob) = (bench.account("ada").await, bench.account("bob").await);
        bench.put("/npm/@ada%2fsecret", &ada, restricted("@ada/secret", "1.0.0")).await.expect(201);
        let mine = bench.get("/npm/@ada/secret", &ada).await.expect(200);
        assert_eq!(mine.header("cache-control"), "private, no-cache");
        assert_eq!(mine.header("vary"), "accept, accept-encoding, authorization");
        let absent = bench.get("/npm/@ada/absent", &bob).await.expect(404);
        for token in ["", &bob] {
            for path in [
                "/npm/@ada/secret",
                "/npm/@ada/secret?write=true",
                "/npm/@ada/secret/1.0.0",
                "/npm/-/package/@ada%2fsecret/dist-tags",
                "/npm/-/package/@ada%2fsecret/visibility",
            ] {
                assert_eq!(bench.get(path, token).await.expect(404).error(), absent.error(), "{path}");
            }
            bench.get("/npm/@ada/secret/-/secret-1.0.0.tgz", token).await.expect(404);
        }
        let tarball = bench.get("/npm/@ada/secret/-/secret-1.0.0.tgz", &ada).await.expect(200);
        assert_eq!(tarball.header("cache-control"), "private, max-age=31536000, immutable");
        bench.publish("@ada/secret", "1.0.1", &bob).await.expect(403);
        bench.put("/npm/-/package/@ada%2fsecret/dist-tags/next", &bob, json!("1.0.0")).await.expect(404);

        let access = "/npm/-/package/@ada%2fsecret/access";
        bench.call(Method::POST, access, &bob, json!({"access": "public"})).await.expect(404);
        bench.call(Method::POST, access, &ada, json!({"access": "public"})).await.expect(200);
        bench.get("/npm/@ada/secret", "").await.expect(200);
        bench.get("/npm/@ada/secret/-/secret-1.0.0.tgz", "").await.expect(200);
        bench.call(Method::POST, access, &ada, json!({"access": "restricted"})).await.expect(200);
        bench.get("/npm/@ada/secret", "").await.expect(404);
        bench.get("/npm/@ada/secret/-/secret-1.0.0.tgz", "").await.expect(404);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scope_belongs_to_its_organisation() {
    both(MIGRATIONS, async |store| {
        let bench = Bench::new(store).await;
        let (ada, bob, eve) =
            (bench.account("ada").await, bench.account("bob").await, bench.account("eve").await);
        found(&bench, &ada, "acme").await;
        bench.publish("@acme/pad", "1.0.0", &eve).await.expect(403);
        bench.publish("@acme/pad", "1.0.0", &ada).await.expect(201);
        bench.get("/npm/@acme/pad", "").await.expect(404);
        bench.get("/npm/@acme/pad", &bob).await.expect(404);

        let set = json!({"user": "bob", "role": "developer"});
        let member = bench.put("/npm/-/org/acme/user", &ada, set).await.expect(200).json();
        assert_eq!(member, json!({"org": {"name": "acme", "size": 2}, "user": "bob", "role": "developer"}));
        bench.get("/npm/@acme/pad", &bob).await.expect(200);
        bench.publish("@acme/pad", "1.0.1", &bob).await.expect(403);
        bench.publish("@acme/other", "1.0.0", &bob).await.expect(201);
        let list = bench.get("/npm/-/org/acme/package", &bob).await.expect(200).json();
        assert_eq!(list, json!({"@acme/other": "write", "@acme/pad": "read"}));
        assert_eq!(bench.get("/npm/-/org/acme/package", &eve).await.expect(200).json(), json!({}));
        bench.get("/npm/-/org/nobody/package", &eve).await.expect(404);

        let private = json!({"access": "private"});
        bench.call(Method::POST, "/npm/-/package/@acme%2fpad/access", &ada, private).await.expect(200);
        bench.get("/npm/@acme/pad", &bob).await.expect(404);
        bench
            .put("/npm/-/org/acme/team", &ada, json!({"name": "core", "description": "x"}))
            .await
            .expect(201);
        bench.put("/npm/-/team/acme/core/user", &ada, json!({"user": "bob"})).await.expect(200);
        let grant = |permissions: &str| json!({"package": "@acme/pad", "permissions": permissions});
        bench.put("/npm/-/team/acme/core/package", &bob, grant("read-write")).await.expect(404);
        bench.put("/npm/-/team/acme/core/package", &ada, grant("read-only")).await.expect(200);
        bench.get("/npm/@acme/pad", &bob).await.expect(200);
        bench.publish("@acme/pad", "1.0.1", &bob).await.expect(403);
        bench.put("/npm/-/team/acme/core/package", &ada, grant("read-write")).await.expect(200);
        bench.publish("@acme/pad", "1.0.1", &bob).await.expect(201);
        assert_eq!(
            bench.get("/npm/-/team/acme/core/package", &ada).await.json(),
            json!({"@acme/pad": "write"})
        );
        bench
            .call(Method::DELETE, "/npm/-/team/acme/core/user", &ada, json!({"user": "bob"}))
            .await
            .expect(200);
        bench.get("/npm/@acme/pad", &bob).await.expect(404);
        assert_eq!(bench.get("/npm/-/org/acme/team", &bob).await.json(), json!(["acme:core"]));
    })
    .await;
}
