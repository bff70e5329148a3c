//! The API and the pages from outside, with the middleware around them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod house;

use axum::body::{Body, to_bytes};
use billing::invoice::Standing;
use house::{House, metered, migrations, monthly};
use http::Request;
use http::request::Builder;
use identity::{Caller, Cost, Identity, NewAccount, Role, Roles, Terms};
use kernel::Secret;
use payments::Source;
use scraper::{Html, Selector};
use serde_json::{Value, json};
use store::testing::both;
use tower::ServiceExt;

struct Answer {
    status: u16,
    etag: String,
    kind: String,
    bytes: Vec<u8>,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or_default()
    }
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }
}

/// The house with people who really sign in.
struct Front {
    house: House,
    identity: Identity,
    ada: String,
    seller: String,
    boss: String,
    ben: String,
}

async fn signs_in(identity: &Identity, name: &str, roles: &[Role]) -> (Caller, String) {
    let new = NewAccount {
        username: name.to_owned(),
        email: format!("{name}@example.com"),
        password: Secret::new("plum tree 9"),
        display_name: String::new(),
    };
    let terms = Terms { roles: Roles::of(roles), verified: true, easy_password: false };
    let now = house_start();
    identity.create_user(&Caller::system(now), new, terms).await.unwrap();
    let stranger = Caller::stranger(now);
    let signed_in = identity.sign_in(&stranger, name, &Secret::new("plum tree 9")).await.unwrap();
    let token = signed_in.token.secret.expose().to_owned();
    (Caller { ctx: web::Ctx::local(now), actor: Some(signed_in.actor) }, token)
}

fn house_start() -> kernel::Timestamp {
    "2027-01-31T10:30:00Z".parse().unwrap()
}

impl Front {
    async fn on(house: House) -> (Self, Caller, Caller) {
        let mut of = identity::Settings::new("http://localhost:8080", Secret::new("a secret of the tests"));
        of.password_cost = Cost { memory_kib: 64, passes: 1 };
        let identity = Identity::new(house.store.clone(), house.clock.clone(), of);
        let (ada_by, ada) = signs_in(&identity, "ada", &[Role::User]).await;
        let (seller_by, seller) = signs_in(&identity, "seller", &[Role::User, Role::Publisher]).await;
        let (_, boss) = signs_in(&identity, "boss", &[Role::Admin]).await;
        let (_, ben) = signs_in(&identity, "ben", &[Role::User]).await;
        (Self { house, identity, ada, seller, boss, ben }, ada_by, seller_by)
    }

    /// Everybody signs in again: tokens do not last for weeks.
    async fn again(mut self) -> Self {
        for (name, token) in [
            ("ada", &mut self.ada),
            ("seller", &mut self.seller),
            ("boss", &mut self.boss),
            ("ben", &mut self.ben),
        ] {
            let stranger = Caller::stranger(self.house.clock.now());
            let signed_in =
                self.identity.sign_in(&stranger, name, &Secret::new("plum tree 9")).await.unwrap();
            *token = signed_in.token.secret.expose().to_owned();
        }
        self
    }

    async fn send(&self, token: &str, request: Builder, body: Body) -> Answer {
        let routes =
            billing::routes(self.house.billing.clone()).merge(billing::pages(self.house.billing.clone()));
        let router =
            web::Stack::new(web::Surface::Web, self.house.clock.clone()).around(routes.into_router());
        let request = request.header("authorization", format!("Bearer {token}"));
        let (parts, body) = router.oneshot(request.body(body).unwrap()).await.unwrap().into_parts();
        let header = |name: &str| {
            parts.headers.get(name).map_or_else(String::new, |value| value.to_str().unwrap().to_owned())
        };
        let bytes = to_bytes(body, 10_000_000).await.unwrap().to_vec();
        Answer { status: parts.status.as_u16(), etag: header("etag"), kind: header("content-type"), bytes }
    }

    async fn get(&self, token: &str, path: &str) -> Answer {
        let accept = if path.starts_with("/api/") { "application/json" } else { "text/html" };
        self.send(token, Request::get(path).header("accept", accept), Body::empty()).await
    }

    async fn call(
        &self,
        token: &str,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Value,
    ) -> Answer {
        let mut request =
            Request::builder().method(method).uri(path).header("content-type", "application/json");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(token, request, Body::from(body.to_string())).await
    }

    async fn form(&self, token: &str, path: &str, body: &str) -> Answer {
        let request = Request::post(path)
            .header("accept", "text/html")
            .header("sec-fetch-site", "same-origin")
            .header("content-type", "application/x-www-form-urlencoded");
        self.send(token, request, Body::from(body.to_owned())).await
    }
}

/// What a listing of this seller is sold as; the house's own seller is an account that nobody signs in to.
async fn listed(front: &Front, seller: &Caller, offers: Vec<catalog::NewOffer>) -> Vec<catalog::OfferId> {
    use catalog::{Kind, NewListing, listing};
    let now = front.house.clock.now();
    let seller = (&seller.actor.as_ref().unwrap().user).into();
    let write = async move |tx: &mut store::Tx| {
        let text = listing::ListingText { title: "Hosting <b>".to_owned(), ..Default::default() };
        let subject = Some("hosting".to_owned());
        let new =
            NewListing { kind: Kind::Other, seller: identity::AccountId::clone(&seller), subject, text };
        let made = listing::create(tx, now, &new).await?;
        let mut ids = Vec::new();
        for offer in &offers {
            ids.push(listing::add_offer(tx, now, &made.id, offer).await?.id);
        }
        listing::publish(tx, now, &made.id, &web::Expected::Whatever).await?;
        Ok::<_, catalog::CatalogError>(ids)
    };
    front.house.store.write(write).await.unwrap()
}

fn at(front: &Front, by: &Caller) -> Caller {
    Caller { ctx: web::Ctx::local(front.house.clock.now()), actor: by.actor.clone() }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_api_reads_changes_and_ends_a_subscription() {
    both(&migrations(), async |store| {
        let (front, ada, seller) = Front::on(House::on(store)).await;
        let offers = listed(&front, &seller, vec![monthly("Pro", 1_900, 0), monthly("Max", 4_900, 0)]).await;
        let card = front.house.saves(&ada, "tok_visa").await;
        let sub = front.house.subscribes(&ada, &offers[0], Source::Method(card.id)).await;
        let path = format!("/api/billing/subscriptions/{}", sub.id);
        let read = front.get(&front.ada, &path).await;
        assert_eq!((read.status, read.json()["status"].as_str()), (200, Some("active")));
        assert_eq!(
            (read.json()["price"].as_f64(), read.json()["priceMinor"].as_i64()),
            (Some(19.0), Some(1_900))
        );
        assert_eq!(read.json()["billing"]["billingCycle"], "monthly");
        assert_eq!(front.get(&front.ben, &path).await.status, 404);
        let list = front.get(&front.ada, "/api/billing/subscriptions").await;
        assert_eq!(
            (list.json()["total"].as_i64(), list.json()["subscriptions"][0]["title"].as_str()),
            (Some(1), Some("Hosting <b>"))
        );
        let stale = front
            .call(&front.ada, "PATCH", &path, &[("if-match", "\"99\"")], json!({"payBy": "wallet"}))
            .await;
        assert_eq!(stale.status, 412);
        let changed = front
            .call(&front.ada, "PATCH", &path, &[("if-match", &read.etag)], json!({"payBy": "wallet"}))
            .await;
        assert_eq!((changed.status, changed.json()["payBy"].as_str()), (200, Some("wallet")));
        let plan = format!("{path}/plan");
        let later = json!({"offerId": offers[1].as_str(), "when": "period_end"});
        let planned = front.call(&front.ada, "POST", &plan, &[("idempotency-key", "p")], later).await;
        assert_eq!(planned.json()["subscription"]["nextOfferId"], offers[1].as_str(), "{}", planned.text());
        let leave = format!("{path}/cancel");
        let refused =
            front.call(&front.ada, "POST", &leave, &[], json!({"when": "now", "refund": true})).await;
        assert_eq!(refused.status, 403, "{}", refused.text());
        let key = [("idempotency-key", "k")];
        let left = front.call(&front.ada, "POST", &leave, &key, json!({})).await;
        let again = front.call(&front.ada, "POST", &leave, &key, json!({})).await;
        assert_eq!((left.json()["cancelAtPeriodEnd"].as_bool(), &left.bytes), (Some(true), &again.bytes));
        let stays = front.call(&front.ada, "POST", &format!("{path}/resume"), &[], json!({})).await;
        assert_eq!(stays.json()["cancelAtPeriodEnd"], false);
        let totals = front.get(&front.seller, "/api/seller/subscriptions/totals").await;
        assert_eq!(totals.json()["totals"][0]["monthlyRecurringMinor"], 1_900);
        assert_eq!(front.get(&front.ada, "/api/operator/subscriptions").await.status, 403);
        assert_eq!(front.get(&front.boss, "/api/operator/subscriptions").await.json()["total"], 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_are_read_as_json_pdf_and_csv() {
    both(&migrations(), async |store| {
        let (front, ada, seller) = Front::on(House::on(store)).await;
        let offers = listed(&front, &seller, vec![monthly("Pro", 1_900, 0)]).await;
        front.house.subscribes(&ada, &offers[0], Source::Token("tok_visa".to_owned())).await;
        let list = front.get(&front.ada, "/api/billing/invoices").await.json();
        let receipt = &list["invoices"][0];
        assert_eq!(
            (receipt["number"].as_str(), receipt["totalMinor"].as_i64()),
            (Some("2027-000001"), Some(1_900))
        );
        assert!(receipt.get("feeMinor").is_none(), "the fee is not the buyer's");
        let path = format!("/api/billing/invoices/{}", receipt["invoiceId"].as_str().unwrap());
        let bill = front.get(&front.ada, &path).await.json();
        assert_eq!(
            (bill["lines"][0]["quantity"].as_i64(), bill["sellerName"].as_str()),
            (Some(1), Some("seller"))
        );
        assert_eq!(front.get(&front.seller, &path).await.json()["feeMinor"], 190);
        let paper = front.get(&front.ada, &format!("{path}.pdf")).await;
        assert_eq!((paper.status, paper.kind.as_str()), (200, "application/pdf"));
        assert!(paper.bytes.starts_with(b"%PDF-"));
        assert_eq!(front.get(&front.ben, &format!("{path}.pdf")).await.status, 404);
        let csv = front.get(&front.ada, "/api/billing/invoices.csv").await.text();
        assert!(
            csv.starts_with("number,kind,")
                && csv.contains("2027-000001,receipt,paid")
                && !csv.contains(",net")
        );
        let sold = front.get(&front.seller, "/api/seller/invoices.csv").await.text();
        assert!(sold.lines().nth(1).unwrap().ends_with("1.90,17.10"), "{sold}");
        let set = json!({"details": "Seller Ltd.\nVAT 123", "refundUnused": true});
        let set =
            front.call(&front.seller, "PUT", "/api/seller/billing", &[("if-match", "\"0\"")], set).await;
        assert_eq!((set.status, set.json()["version"].as_i64()), (200, Some(1)), "{}", set.text());
        let bill = front.get(&front.ada, &path).await.json();
        assert_eq!(bill["sellerDetails"], "", "what is written does not change");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn usage_is_reported_over_the_api() {
    both(&migrations(), async |store| {
        let (front, ada, seller) = Front::on(House::on(store)).await;
        let offers = listed(&front, &seller, vec![metered(10)]).await;
        let sub = front.house.subscribes(&ada, &offers[0], Source::Wallet).await;
        let record = json!({"source": "gw", "id": "1", "subscriptionId": sub.id.as_str(), "quantity": 5, "at": front.house.clock.now()});
        let counted = front.call(&front.seller, "POST", "/api/usage", &[], json!({"records": [record]})).await;
        assert_eq!((counted.status, counted.json()["accepted"].as_i64()), (200, Some(1)), "{}", counted.text());
        let again = front.call(&front.seller, "POST", "/api/usage", &[], json!({"records": [record]})).await;
        assert_eq!(again.json()["repeated"], 1);
        assert_eq!(front.call(&front.ada, "POST", "/api/usage", &[], json!({"records": [record]})).await.status, 403);
        let read = front.get(&front.ada, &format!("/api/billing/subscriptions/{}", sub.id)).await;
        assert_eq!(read.json()["billing"]["currentCostMinor"], 50);
    })
    .await;
}

/// One heading, nothing unescaped, and every field has its label.
fn is_whole(page: &Answer) -> Html {
    let html = Html::parse_document(&page.text());
    let count = |css: &str| html.select(&Selector::parse(css).unwrap()).count();
    assert_eq!(count("h1"), 1, "{}", page.text());
    assert!(!page.text().contains("Hosting <b>"), "titles are text");
    for field in
        html.select(&Selector::parse("main input:not([type=hidden]), main select, main textarea").unwrap())
    {
        let id = field.value().id().unwrap_or_default();
        let is_wrapped =
            field.ancestors().any(|node| node.value().as_element().is_some_and(|e| e.name() == "label"));
        assert!(is_wrapped || count(&format!("label[for='{id}']")) == 1, "{id}");
    }
    html
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pages_work_without_script() {
    both(&migrations(), async |store| {
        let (front, ada, seller) = Front::on(House::on(store)).await;
        is_whole(&front.get(&front.ada, "/billing").await);
        is_whole(&front.get(&front.seller, "/sell/subscriptions").await);
        let offers = listed(&front, &seller, vec![monthly("Pro", 1_900, 14), monthly("Max", 4_900, 0)]).await;
        front.house.saves(&ada, "tok_chargeDeclined").await;
        let sub = front.house.subscribes(&ada, &offers[0], Source::Wallet).await;
        let page = front.get(&front.ada, "/billing").await;
        is_whole(&page);
        assert!(
            page.text().contains("Pro") && page.text().contains("$19.00 on 2027-02-14"),
            "{}",
            page.text()
        );
        let path = format!("/billing/subscriptions/{}", sub.id);
        assert!(is_whole(&front.get(&front.ada, &path).await).html().contains("Change the plan"));
        assert_eq!(front.get(&front.ben, &path).await.status, 404);
        assert!(
            is_whole(&front.get(&front.seller, &path).await).html().contains("Give the unused part back")
        );
        front.house.later(15 * house::DAY);
        front.house.settle_down().await;
        let front = front.again().await;
        let invoice = front.house.documents(&at(&front, &ada)).await;
        let invoice = invoice.iter().find(|invoice| invoice.state == Standing::Open).unwrap();
        let path = format!("/billing/invoices/{}", invoice.id);
        assert!(is_whole(&front.get(&front.ada, &path).await).html().contains("It is tried again on"));
        let refused = front.form(&front.ada, &format!("{path}/pay"), "way=wallet").await;
        assert_eq!(refused.status, 422, "{}", refused.text());
        assert!(is_whole(&refused).html().contains("$19.00"), "what is missing is told");
        let user = ada.actor.as_ref().unwrap().user.to_string();
        front.house.fill_wallet(user.strip_prefix("user-").unwrap(), 1_900).await;
        let paid = front.form(&front.ada, &format!("{path}/pay"), "way=wallet").await;
        assert_eq!(paid.status, 303, "{}", paid.text());
        assert!(is_whole(&front.get(&front.ada, &path).await).html().contains("Invoice 2027-000002"));
        let version = front.house.find(&sub.id).await.version;
        let sub_path = format!("/billing/subscriptions/{}", sub.id);
        let left = front
            .form(&front.ada, &format!("{sub_path}/cancel"), &format!("when=period_end&version={version}"))
            .await;
        assert_eq!(left.status, 303, "{}", left.text());
        let stale = front.form(&front.ada, &format!("{sub_path}/resume"), "version=1").await;
        assert_eq!(stale.status, 422, "a page that is old changes nothing");
        let saved = front
            .form(&front.seller, "/sell/subscriptions", "details=Seller+Ltd.&refund=yes&version=0")
            .await;
        assert_eq!(saved.status, 303, "{}", saved.text());
        assert!(
            is_whole(&front.get(&front.seller, "/sell/subscriptions").await).html().contains("Seller Ltd.")
        );
        is_whole(&front.get(&front.boss, "/operator/subscriptions").await);
        assert_ne!(front.get(&front.ada, "/operator/subscriptions").await.status, 200);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_says_for_ever_what_was_true_when_it_was_written() {
    both(&migrations(), async |store| {
        let (front, ada, seller) = Front::on(House::on(store)).await;
        let offers = listed(&front, &seller, vec![monthly("Pro", 1_900, 0)]).await;
        let mut seen: Vec<(String, [String; 3])> = Vec::new();
        for (buyer, details) in
            [("", ""), ("Ada L.", "Seller Ltd."), ("Ada Lovelace", "Seller Ltd.\nVAT 123")]
        {
            if !buyer.is_empty() {
                renamed(&front, &ada, buyer).await;
                let version = seen.len() - 1;
                let (set, tag) = (json!({ "details": details }), format!("\"{version}\""));
                let headers = [("if-match", tag.as_str())];
                let set = front.call(&front.seller, "PUT", "/api/seller/billing", &headers, set).await;
                assert_eq!(set.status, 200, "{}", set.text());
                front.house.later(10);
            }
            let sub = front.house.subscribes(&ada, &offers[0], Source::Token("tok_visa".to_owned())).await;
            let list = front.get(&front.ada, "/api/billing/invoices").await.json();
            let of = |one: &&Value| one["orderId"].as_str() == Some(sub.order.as_str());
            let id = list["invoices"].as_array().unwrap().iter().find(of).unwrap()["invoiceId"].clone();
            let name = if buyer.is_empty() { "ada" } else { buyer };
            let says = [name, "seller", details].map(str::to_owned);
            seen.push((id.as_str().unwrap().to_owned(), says));
            for (id, says) in &seen {
                let bill = front.get(&front.ada, &format!("/api/billing/invoices/{id}")).await.json();
                let now = ["buyerName", "sellerName", "sellerDetails"]
                    .map(|key| bill[key].as_str().unwrap().to_owned());
                assert_eq!(&now, says, "{id}");
            }
        }
    })
    .await;
}

async fn renamed(front: &Front, by: &Caller, display_name: &str) {
    let by = Caller { ctx: web::Ctx::local(front.house.clock.now()), ..by.clone() };
    let change = identity::ProfileChange {
        display_name: Some(display_name.to_owned()),
        email: None,
        current_password: None,
        expected: web::Expected::Whatever,
    };
    front.identity.change_profile(&by, change).await.unwrap();
}
