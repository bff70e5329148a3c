//! The API and the page from outside, with the middleware around them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod house;

use axum::body::{Body, to_bytes};
use house::{House, migrations};
use http::Request;
use identity::NewAccount;
use kernel::Secret;
use scraper::{Html, Selector};
use serde_json::{Value, json};
use store::testing::both;
use tower::ServiceExt;

/// A signed-in client of the API and the page.
struct Client {
    house: House,
    token: String,
}

struct Answer {
    status: u16,
    etag: String,
    text: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_default()
    }
}

impl Client {
    async fn new(house: House) -> Self {
        let new = NewAccount {
            username: "ada".to_owned(),
            email: "ada@example.com".to_owned(),
            password: Secret::new("plum tree 9"),
            display_name: String::new(),
        };
        let stranger = identity::Caller::stranger(house.clock.now());
        let made = house.identity.register(&stranger, new).await.unwrap();
        Self { house, token: made.token.secret.expose().to_owned() }
    }

    async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: String) -> Answer {
        let routes =
            wallet::routes(self.house.wallets.clone()).merge(wallet::pages(self.house.wallets.clone()));
        let stack = web::Stack::new(web::Surface::Web, self.house.clock.clone());
        let mut request = Request::builder().method(method).uri(path);
        request = request.header("authorization", format!("Bearer {}", self.token));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::from(body)).unwrap();
        let (parts, body) = stack.around(routes.into_router()).oneshot(request).await.unwrap().into_parts();
        let etag = parts.headers.get("etag").map(|tag| tag.to_str().unwrap().to_owned());
        let text = String::from_utf8(to_bytes(body, 1 << 20).await.unwrap().to_vec()).unwrap();
        Answer { status: parts.status.as_u16(), etag: etag.unwrap_or_default(), text }
    }

    async fn json(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Value) -> Answer {
        let headers = [headers, &[("content-type", "application/json")]].concat();
        self.send(method, path, &headers, body.to_string()).await
    }

    async fn form(&self, fields: &str) -> Answer {
        let headers =
            [("content-type", "application/x-www-form-urlencoded"), ("sec-fetch-site", "same-origin")];
        self.send("POST", "/wallet", &headers, fields.to_owned()).await
    }
}

/// What stands in a hidden field, or is said at a place of the page.
fn find(page: &str, selector: &str) -> String {
    let html = Html::parse_document(page);
    let element = html.select(&Selector::parse(selector).unwrap()).next().unwrap();
    element.value().attr("value").map_or_else(|| element.text().collect(), str::to_owned)
}

#[tokio::test]
async fn the_api_tops_up_and_keeps_rules() {
    both(&migrations(), async |store| {
        let ada = Client::new(House::on(store)).await;
        let key = [("idempotency-key", "k-1")];
        let body = json!({ "amount": 25.5, "token": "tok_automatic" });
        let made = ada.json("POST", "/api/wallet/top-ups", &key, body.clone()).await;
        assert_eq!((made.status, made.json()["state"].as_str()), (201, Some("paid")), "{}", made.text);
        let again = ada.json("POST", "/api/wallet/top-ups", &key, body).await;
        assert_eq!(again.json()["topUpId"], made.json()["topUpId"]);
        let other =
            ada.json("POST", "/api/wallet/top-ups", &key, json!({ "amount": 30, "token": "tok_visa" })).await;
        assert_eq!(other.status, 422);
        let declined = json!({ "amountMinor": 2_500, "token": "tok_chargeDeclined" });
        let declined = ada.json("POST", "/api/wallet/top-ups", &[], declined).await;
        assert_eq!((declined.status, declined.json()["code"].as_str()), (402, Some("wallet.declined")));
        for wrong in [
            json!({ "amount": 25 }),
            json!({ "amount": 25.505, "token": "tok_visa" }),
            json!({ "token": "tok_visa" }),
        ] {
            assert_eq!(
                ada.json("POST", "/api/wallet/top-ups", &[], wrong.clone()).await.status,
                422,
                "{wrong}"
            );
        }
        let wallet = ada.send("GET", "/api/wallet", &[], String::new()).await.json();
        assert_eq!(wallet["balances"][0]["availableMinor"], 2_550);
        assert_eq!(
            (wallet["balances"][0]["available"].as_f64(), wallet["sandbox"].as_bool()),
            (Some(25.5), Some(true))
        );
        let history = ada.send("GET", "/api/wallet/history?direction=in", &[], String::new()).await.json();
        assert_eq!(history["entries"][0]["balanceMinor"], 2_550);

        let none = ada.send("GET", "/api/wallet/alert", &[], String::new()).await;
        assert_eq!((none.status, none.etag.as_str()), (200, "\"0\""));
        let set = json!({ "enabled": true, "threshold": 10 });
        let first = ada.json("PUT", "/api/wallet/alert", &[("if-match", "\"0\"")], set.clone()).await;
        assert_eq!((first.status, first.etag.as_str()), (200, "\"1\""));
        assert_eq!(ada.json("PUT", "/api/wallet/alert", &[("if-match", "\"0\"")], set).await.status, 412);
        let rule = json!({ "enabled": true, "threshold": 30, "amount": 20, "methodId": "method-1" });
        let refused = ada.json("PUT", "/api/wallet/auto-top-up", &[], rule).await;
        assert_eq!((refused.status, refused.json()["errors"][0]["pointer"].as_str()), (422, Some("/amount")));
        for path in ["/api/wallet", "/api/wallet/history.csv", "/api/wallet/alert", "/wallet"] {
            let path = format!("{path}?organisation=acme");
            assert_eq!(ada.send("GET", &path, &[], String::new()).await.status, 404, "{path}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_form_is_good_for_one_top_up_and_a_declined_one_for_another() {
    both(&migrations(), async |store| {
        let ada = Client::new(House::on(store)).await;
        let page = ada.send("GET", "/wallet", &[], String::new()).await;
        assert_eq!(page.status, 200);
        assert!(page.text.contains("Nothing has happened yet") && page.text.contains("This is a sandbox"));
        let key = find(&page.text, "input[name=key]");
        let fields = |key: &str, number: &str| {
            format!("do=top-up&key={key}&amount=10&source=card&number={number}&expiry=12/30&cvc=123")
        };
        let declined = ada.form(&fields(&key, "4000000000000002")).await;
        assert!(declined.text.contains("Your bank declined the card"), "{}", declined.status);
        let fresh = find(&declined.text, "input[name=key]");
        assert_ne!(fresh, key);
        assert_eq!(find(&declined.text, "#f-amount"), "10", "what was typed stays");
        // Sent twice, as an impatient hand does.
        for _ in 0..2 {
            assert_eq!(ada.form(&fields(&fresh, "4000000000050049")).await.status, 303);
        }
        let page = ada.send("GET", "/wallet", &[], String::new()).await.text;
        assert_eq!(find(&page, ".balance b"), "$10.00");
        let wrong = ada.form("do=alert&alertVersion=0&alertEnabled=yes&alertThreshold=x").await;
        assert_eq!(wrong.status, 422);
        assert!(find(&wrong.text, "#f-alertThreshold-error").contains("Expected an amount"));
        assert!(!find(&wrong.text, "input[name=key]").is_empty());
    })
    .await;
}
