//! People at the API of a market that may be killed at any moment: who gets no answer asks again, with the same key.

use std::time::Duration;

use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};

/// A card of the sandbox that is always good.
pub(crate) const GOOD_CARD: &str = "4242424242424242";

/// Somebody who calls the API.
#[derive(Clone)]
pub(crate) struct Person {
    client: Client,
    api: String,
    token: String,
}

impl Person {
    pub(crate) fn new(api: &str, token: &str) -> Self {
        let client = Client::builder().timeout(Duration::from_secs(20)).build().unwrap();
        Self { client, api: api.to_owned(), token: token.to_owned() }
    }

    /// Asks until there is an answer.
    pub(crate) async fn call(
        &self,
        method: Method,
        path: &str,
        key: Option<&str>,
        body: &Value,
    ) -> (StatusCode, Value) {
        loop {
            let mut request = self.client.request(method.clone(), format!("{}{path}", self.api));
            request = request.bearer_auth(&self.token);
            if let Some(key) = key {
                request = request.header("idempotency-key", key);
            }
            if method != Method::GET {
                request = request.json(body);
            }
            if let Ok(answer) = request.send().await {
                let status = answer.status();
                if let Ok(text) = answer.text().await {
                    return (status, serde_json::from_str(&text).unwrap_or(Value::Null));
                }
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// What must be there.
    pub(crate) async fn get(&self, path: &str) -> Value {
        let (status, body) = self.call(Method::GET, path, None, &Value::Null).await;
        assert_eq!(status, 200, "GET {path}: {body}");
        body
    }

    /// What must succeed.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> Value {
        let (status, answer) = self.call(Method::POST, path, None, body).await;
        assert!(status.is_success(), "POST {path}: {status} {answer}");
        answer
    }

    /// Orders; `None` when somebody else was faster.
    pub(crate) async fn place(&self, key: &str, items: &Value) -> Option<Value> {
        let (status, answer) =
            self.call(Method::POST, "/api/orders", Some(key), &json!({ "items": items })).await;
        match status.as_u16() {
            201 => Some(answer),
            409 => None,
            _ => panic!("ordering: {status} {answer}"),
        }
    }

    /// Pays with a card; answers whether the market said that the order is paid.
    pub(crate) async fn pay(&self, key: &str, order: &str) -> bool {
        let card = json!({ "number": GOOD_CARD, "expMonth": "12", "expYear": "2040", "cvc": "123" });
        let body = json!({ "orderId": order, "card": card });
        for _ in 0..200 {
            let (status, answer) = self.call(Method::POST, "/api/payments", Some(key), &body).await;
            let code = answer["code"].as_str().unwrap_or_default();
            match status.as_u16() {
                200 | 201 if ["authorised", "captured"].contains(&answer["status"].as_str().unwrap()) => {
                    return true;
                }
                // Known from before a kill and not decided yet, or asked again too early.
                200..=202 => {}
                409 if code == "orders.payment_in_flight" => {}
                409 | 410 => return false,
                _ => panic!("paying {order}: {status} {answer}"),
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        false
    }

    /// All items of a list that has pages.
    pub(crate) async fn all(&self, path: &str) -> Vec<Value> {
        let mut all = Vec::new();
        loop {
            let joined = if path.contains('?') { '&' } else { '?' };
            let page = self.get(&format!("{path}{joined}limit=100&offset={}", all.len())).await;
            let items = page["items"].as_array().unwrap();
            all.extend(items.iter().cloned());
            if items.is_empty() || all.len() as u64 >= page["total"].as_u64().unwrap() {
                return all;
            }
        }
    }
}

/// An event on sale with one category.
pub(crate) struct Sale {
    pub(crate) event: String,
    pub(crate) offer: String,
    /// The seats, if it has any.
    pub(crate) units: Vec<String>,
}

impl Sale {
    pub(crate) async fn standing(seller: &Person, title: &str, capacity: u32) -> Self {
        let category = json!({ "name": "Standing", "priceMinor": 2500, "capacity": capacity });
        Self::of(seller, title, &category).await
    }

    pub(crate) async fn seated(seller: &Person, title: &str, seats: &str) -> Self {
        let category = json!({ "name": "Stalls", "priceMinor": 4000, "seats": seats });
        Self::of(seller, title, &category).await
    }

    async fn of(seller: &Person, title: &str, category: &Value) -> Self {
        let text = json!({
            "title": title, "place": "Hall", "startsAt": "2040-01-01T19:00:00Z", "endsAt": "2040-01-01T22:00:00Z",
            "zone": "UTC", "currency": "USD",
        });
        let event = seller.post("/api/events", &text).await["id"].as_str().unwrap().to_owned();
        let made = seller.post(&format!("/api/events/{event}/categories"), category).await;
        let offer = made["offerId"].as_str().unwrap().to_owned();
        seller.post(&format!("/api/events/{event}/publish"), &json!({})).await;
        let seats = seller.get(&format!("/api/events/{event}/seats")).await;
        let units = seats["items"].as_array().unwrap().iter();
        let units = units.map(|unit| unit["unitId"].as_str().unwrap().to_owned()).collect();
        Self { event, offer, units }
    }

    /// How many are held and how many sold, after the sum was checked.
    pub(crate) async fn count(&self, by: &Person) -> (u64, u64) {
        let event = by.get(&format!("/api/events/{}", self.event)).await;
        let category = &event["categories"][0];
        let count = |name: &str| category[name].as_u64().unwrap();
        assert_eq!(count("held") + count("sold") + count("left"), count("capacity"), "{event}");
        (count("held"), count("sold"))
    }
}
