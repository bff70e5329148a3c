//! An organisation's upstream policy over JSON and as a page.
#![allow(clippy::unwrap_used, clippy::panic)]

use http::Method;
use identity::Caller;
use identity::orgs::OrgRole;
use serde_json::{Value, json};
use store::testing::both;

use crate::bench::{Answer, MIGRATIONS};
use crate::catalogue::{Catalogue, attributes, texts};

const API: &str = "/api/organisations/acme/upstream-policy";
const PAGE: &str = "/account/organisations/acme/upstream-policy";

/// A market with the organisation `acme`: ada owns it, bea is a member, cyd a stranger to it.
async fn scene(store: store::Store) -> (Catalogue, [String; 3]) {
    let market = Catalogue::new(store).await;
    let mut tokens = Vec::new();
    for name in ["ada", "bea", "cyd"] {
        tokens.push(market.bench.account(name).await);
    }
    let by = caller(&market, &tokens[0]).await;
    market.bench.identity.create_org(&by, "acme", "").await.unwrap();
    let by = caller(&market, &tokens[0]).await;
    market.bench.identity.set_member(&by, "acme", "bea", OrgRole::Member).await.unwrap();
    (market, tokens.try_into().unwrap())
}

async fn caller(market: &Catalogue, token: &str) -> Caller {
    let authorization = format!("Bearer {token}").parse().unwrap();
    let headers = http::HeaderMap::from_iter([(http::header::AUTHORIZATION, authorization)]);
    let ctx = web::Ctx::local(market.bench.clock.now());
    let actor = market.bench.identity.resolve(&headers, &ctx).await.unwrap();
    Caller { ctx, actor }
}

async fn put(market: &Catalogue, token: &str, if_match: Option<&str>, body: &Value) -> Answer {
    let bearer = format!("Bearer {token}");
    let mut headers = vec![("authorization", bearer.as_str()), ("content-type", "application/json")];
    headers.extend(if_match.map(|tag| ("if-match", tag)));
    market.call(Method::PUT, API, &headers, body.to_string()).await
}

#[tokio::test]
async fn a_policy_is_read_and_set_over_json() {
    both(MIGRATIONS, async |store| {
        let (market, [ada, bea, cyd]) = scene(store).await;
        let none = market.get(API, &ada).await.expect(200);
        assert_eq!((none.header("etag"), &none.json()["version"]), ("\"0\"", &json!(0)));
        let body = json!({"minimumReleaseAgeHours": 72, "block": ["left-*"],
            "exempt": [{"name": "a@1.0.1", "reason": "mends a hole"}], "version": 0});
        let set = put(&market, &ada, None, &body).await.expect(200);
        let policy = set.json();
        assert_eq!((set.header("etag"), &policy["organisation"]), ("\"1\"", &json!("acme")));
        assert_eq!((&policy["exempt"][0]["by"], &policy["changedBy"]), (&json!("ada"), &json!("ada")));
        assert_eq!(market.get(API, &ada).await.json(), policy);

        put(&market, &ada, None, &json!({"minimumReleaseAgeHours": 1, "version": 0})).await.expect(409);
        put(&market, &ada, Some("\"0\""), &json!({"minimumReleaseAgeHours": 1})).await.expect(412);
        put(&market, &ada, None, &json!({"minimumReleaseAgeHours": 1})).await.expect(428);
        put(&market, &ada, Some("\"1\""), &json!({"minimumReleaseAge": 1})).await.expect(422);
        let wrong = put(&market, &ada, Some("\"1\""), &json!({"allow": ["ok", "a b"]})).await.expect(422);
        assert_eq!(wrong.json()["errors"][0]["pointer"], "/allow/1");
        assert_eq!(market.get(API, &ada).await.json(), policy, "nothing of that was done");
        for (token, status) in [(&bea, 403), (&cyd, 404)] {
            market.get(API, token).await.expect(status);
            put(&market, token, None, &json!({"allow": ["a b"]})).await.expect(status);
        }
        market.get(API, "").await.expect(401);
        put(&market, &ada, Some("\"1\""), &json!({})).await.expect(200);
        assert_eq!(market.get(API, &ada).await.json()["minimumReleaseAgeHours"], 0);
    })
    .await;
}

#[tokio::test]
async fn owners_work_with_it_on_a_page_without_script() {
    both(MIGRATIONS, async |store| {
        let (market, [ada, bea, cyd]) = scene(store).await;
        let empty = market.page(PAGE, &ada).await;
        assert_eq!(texts(&empty, "h1"), ["Upstream policy"]);
        assert!(texts(&empty, ".empty b").contains(&"Nothing is exempt".to_owned()));
        assert!(texts(&empty, "main").join(" ").contains("Nothing: acme has no rules of its own"));

        let rules = [
            ("action", "save"),
            ("version", "0"),
            ("age", "3"),
            ("unit", "days"),
            ("block", "left-*\r\n\r\n@bad"),
        ];
        market.form(PAGE, &ada, &rules).await.expect(303);
        let exemption =
            [("action", "exempt"), ("version", "1"), ("name", "a@1.0.1"), ("reason", "mends a hole")];
        market.form(PAGE, &ada, &exemption).await.expect(303);
        let page = market.page(PAGE, &ada).await;
        let now = texts(&page, "[aria-labelledby=now] li");
        assert_eq!(now, ["Releases that are younger than 3 days.", "What 2 blocked names cover."]);
        assert_eq!(texts(&page, "[aria-labelledby=exempt] tbody th"), ["a@1.0.1"]);
        assert!(attributes(&page, "input[name=version]", "value").iter().all(|version| version == "2"));

        // What was typed stays, with what is wrong with it.
        let wrong =
            [("action", "save"), ("version", "2"), ("age", "x"), ("unit", "hours"), ("allow", "kept")];
        let answer = market.form(PAGE, &ada, &wrong).await.expect(422);
        let html = String::from_utf8(answer.body).unwrap();
        assert!(html.contains("Write a whole number") && html.contains(">kept</textarea>"), "{html}");
        let stale = market.form(PAGE, &ada, &rules).await.expect(409);
        let html = String::from_utf8(stale.body).unwrap();
        assert!(html.contains("changed since you opened it") && html.contains("value=\"2\""), "{html}");
        market.form(PAGE, &ada, &[("action", "exempt"), ("version", "2"), ("name", "b")]).await.expect(422);
        market
            .form(PAGE, &ada, &[("action", "unexempt"), ("version", "2"), ("name", "a@1.0.1")])
            .await
            .expect(303);
        market.form(PAGE, &ada, &[("action", "other"), ("version", "3")]).await.expect(422);
        assert_eq!(market.get(API, &ada).await.json()["exempt"], json!([]));

        let checked = market.page(&format!("{PAGE}?package=left-pad"), &ada).await;
        assert_eq!(attributes(&checked, "#f-package", "value"), ["left-pad"]);
        market.page(&format!("{PAGE}?package=a%20b"), &ada).await;
        for (token, status) in [(&bea, 403), (&cyd, 404), (&String::new(), 401)] {
            market.get(PAGE, token).await.expect(status);
            market.form(PAGE, token, &rules).await.expect(status);
        }
    })
    .await;
}
