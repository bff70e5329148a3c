//! Every call, made by somebody who may not.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
use std::collections::BTreeSet;

use http::Method;
use registry::npm::path::{Call, Needs};
use serde_json::{Value, json};
use store::testing::both;

use crate::bench::{Bench, MIGRATIONS, document, found};

/// One request for every call there is; `@acme/pad` is private.
fn every_call() -> Vec<(Method, &'static str, Value)> {
    use Method as M;
    let none = Value::Null;
    vec![
        (M::GET, "/", none.clone()),
        (M::GET, "/-/ping", none.clone()),
        (M::GET, "/@acme%2fpad", none.clone()),
        (M::GET, "/@acme%2fpad/1.0.0", none.clone()),
        (M::GET, "/@acme/pad/-/pad-1.0.0.tgz", none.clone()),
        (M::PUT, "/@acme%2fpad", document("@acme/pad", "1.0.1", json!({}))),
        (M::PUT, "/@acme%2fpad/-rev/1-0", json!({"versions": {}})),
        (M::DELETE, "/@acme%2fpad/-rev/1-0", none.clone()),
        (M::DELETE, "/@acme/pad/-/pad-1.0.0.tgz/-rev/1-0", none.clone()),
        (M::GET, "/-/package/@acme%2fpad/dist-tags", none.clone()),
        (M::POST, "/-/package/@acme%2fpad/dist-tags", json!({"a": "1.0.0"})),
        (M::PUT, "/-/package/@acme%2fpad/dist-tags", json!({"a": "1.0.0"})),
        (M::PUT, "/-/package/@acme%2fpad/dist-tags/a", json!("1.0.0")),
        (M::DELETE, "/-/package/@acme%2fpad/dist-tags/a", none.clone()),
        (M::GET, "/-/package/@acme%2fpad/visibility", none.clone()),
        (M::GET, "/-/package/@acme%2fpad/collaborators", none.clone()),
        (M::POST, "/-/package/@acme%2fpad/access", json!({"access": "public"})),
        (M::GET, "/-/package/@acme%2fpad/owners", none.clone()),
        (M::PUT, "/-/package/@acme%2fpad/owners", json!({"user": "eve"})),
        (M::DELETE, "/-/package/@acme%2fpad/owners/ada", none.clone()),
        (M::GET, "/-/user/ada/package", none.clone()),
        (M::GET, "/-/org/acme/package", none.clone()),
        (M::GET, "/-/team/acme/core/package", none.clone()),
        (M::PUT, "/-/team/acme/core/package", json!({"package": "@acme/pad", "permissions": "read-write"})),
        (M::DELETE, "/-/team/acme/core/package", json!({"package": "@acme/pad"})),
        (M::GET, "/-/org/acme/user", none.clone()),
        (M::PUT, "/-/org/acme/user", json!({"user": "eve", "role": "owner"})),
        (M::DELETE, "/-/org/acme/user", json!({"user": "ada"})),
        (M::GET, "/-/org/acme/team", none.clone()),
        (M::PUT, "/-/org/acme/team", json!({"name": "mine"})),
        (M::DELETE, "/-/team/acme/core", none.clone()),
        (M::GET, "/-/team/acme/core/user", none.clone()),
        (M::PUT, "/-/team/acme/core/user", json!({"user": "eve"})),
        (M::DELETE, "/-/team/acme/core/user", json!({"user": "ada"})),
        (M::GET, "/-/whoami", none.clone()),
        (M::PUT, "/-/user/org.couchdb.user:ada", json!({"name": "ada", "password": "wrong horse battery"})),
        (M::GET, "/-/user/org.couchdb.user:ada", none.clone()),
        (M::POST, "/-/v1/login", none.clone()),
        (M::GET, "/-/v1/done/guess", none.clone()),
        (M::DELETE, "/-/user/token/elk_guess", none.clone()),
        (M::GET, "/-/npm/v1/user", none.clone()),
        (M::POST, "/-/npm/v1/user", json!({"fullname": "Eve"})),
        (M::GET, "/-/npm/v1/tokens", none.clone()),
        (M::POST, "/-/npm/v1/tokens", json!({"name": "x"})),
        (M::DELETE, "/-/npm/v1/tokens/token/00", none.clone()),
        (M::GET, "/-/v1/search?text=pad", none.clone()),
        (M::POST, "/-/npm/v1/security/advisories/bulk", json!({})),
        (M::POST, "/-/npm/v1/security/audits/quick", json!({})),
        (M::GET, "/-/npm/v1/keys", none.clone()),
        (M::GET, "/-/npm/v1/attestations/@acme%2fpad@1.0.0", none.clone()),
        (M::GET, "/-/_view/starredByUser?key=%22ada%22", none.clone()),
        (M::GET, "/-/_view/starredByPackage?key=%22@acme/pad%22", none.clone()),
        (M::GET, "/-/user/v1/star", none.clone()),
        (M::PUT, "/-/user/v1/star", json!({"name": "@acme/pad"})),
        (M::DELETE, "/-/user/v1/star", json!({"name": "@acme/pad"})),
        (M::GET, "/-/user/ada/stars", none),
    ]
}

fn parsed(method: &Method, path: &str) -> Call {
    let (path, query) = path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query)));
    Call::parse(method, path, query).unwrap_or_else(|error| panic!("{method} {path}: {error:?}"))
}

#[test]
fn every_call_is_in_the_list() {
    let listed: BTreeSet<&str> =
        every_call().iter().map(|(method, path, _)| parsed(method, path).name()).collect();
    let all: BTreeSet<&str> = Call::NAMES.iter().copied().collect();
    assert_eq!(listed, all);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_gets_in() {
    both(MIGRATIONS, async |store| {
        let bench = Bench::new(store).await;
        // Searches wait for their index.
        let registry = bench.registry.clone();
        let running = tokio::spawn(async move { registry.run().await });
        let (ada, eve) = (bench.account("ada").await, bench.account("eve").await);
        found(&bench, &ada, "acme").await;
        bench.put("/-/org/acme/team", &ada, json!({"name": "core"})).await.expect(201);
        let mut private = document("@acme/pad", "1.0.0", json!({}));
        private["access"] = json!("private");
        bench.put("/@acme%2fpad", &ada, private).await.expect(201);
        let before = bench.get("/@acme/pad", &ada).await.expect(200).body;
        for (method, path, body) in every_call() {
            let call = parsed(&method, path);
            let anonymous = bench.call(method.clone(), path, "", body.clone()).await;
            let expected: &[u16] = match call.needs() {
                Needs::Account => &[401],
                Needs::Reader => &[404],
                Needs::Nothing => &[200, 202, 401, 404, 410, 503],
            };
            let status = anonymous.status.as_u16();
            assert!(expected.contains(&status), "anonymous: {method} {path}: {status}");
            assert_eq!(
                anonymous.status == 401 && call.needs() == Needs::Account,
                !anonymous.header("www-authenticate").is_empty(),
                "{path}"
            );
            bench.call(method.clone(), path, "elk_wrong", body).await;
        }
        for (method, path, body) in every_call() {
            let call = parsed(&method, path);
            // What an account may do to itself, or see of what is public.
            let own = [
                "Root",
                "Ping",
                "SignIn",
                "WebSignIn",
                "WebSignInDone",
                "Whoami",
                "User",
                "Profile",
                "EditProfile",
                "Tokens",
                "CreateToken",
                "Search",
                "AuditBulk",
                "AuditQuick",
                "Keys",
                "OwnStars",
                "UserStars",
                "StarredByUser",
                "UserPackages",
                "OrgPackages",
            ];
            let answer = bench.call(method.clone(), path, &eve, body).await;
            let status = answer.status.as_u16();
            if own.contains(&call.name()) {
                assert!(!String::from_utf8_lossy(&answer.body).contains("@acme/pad"), "{path} tells of it");
            } else {
                assert!([403, 404, 422].contains(&status), "eve: {method} {path}: {status}");
            }
        }
        assert!(bench.get("/@acme/pad", &ada).await.expect(200).body == before, "nothing changed");
        running.abort();
    })
    .await;
}
