//! Stripe's client against localstripe, a Stripe that others wrote, and the webhook inbox against Stripe's own SDK.
//! Both are in the tools folder that `scripts/setup` fills.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

mod till;

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use identity::{Identity, Role};
use kernel::{Clock, Secret};
use ledger::Account;
use payments::stripe::{Stripe, StripeSettings};
use payments::{
    Ask, Gateway, NewMethod, NewRefund, NextAction, Outcome, Payment, Payments, RefundState, Settings,
    Source, State,
};
use store::Store;
use till::{Market, Till, add, migrations, usd};

const SECRET: &str = "whsec_of_the_tests";
const CLEARING: Account = Account::Clearing("stripe");

struct Server {
    child: Child,
    url: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The Python of the tools folder; `None` where it lacks them, unless `FONDACO_TEST_STRIPE=required`.
fn python() -> Option<PathBuf> {
    let home = || PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(".cache/fondaco/tools");
    let tools = std::env::var_os("FONDACO_TOOLS").map_or_else(home, PathBuf::from);
    if tools.join("venv/bin/localstripe").exists() {
        return Some(tools.join("venv/bin/python"));
    }
    let hint = format!("localstripe is not in {}: run scripts/setup", tools.display());
    assert!(std::env::var("FONDACO_TEST_STRIPE").as_deref() != Ok("required"), "{hint}");
    eprintln!("skipped: {hint}");
    None
}

fn start() -> Option<Server> {
    let mut child = Command::new(python()?)
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/localstripe_server.py"))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let port = line.trim_matches(|c: char| !c.is_ascii_digit());
    Some(Server { url: format!("http://127.0.0.1:{port}"), child })
}

struct Shop {
    market: Market,
    stripe: Arc<Stripe>,
    url: String,
}

fn settings(url: &str) -> StripeSettings {
    StripeSettings {
        key: Secret::new("sk_test_12345"),
        publishable_key: Some("pk_test_12345".into()),
        webhook_secrets: vec![Secret::new("whsec_of_yesterday"), Secret::new(SECRET)],
        url: Some(url.to_owned()),
    }
}

impl Shop {
    /// Stripe has a clock of its own, so ours is the machine's here.
    fn on(store: Store, url: &str) -> Self {
        let mut market = Market::on(store.clone());
        let clock = Clock::system();
        let accounts = identity::Settings::new("http://localhost:8080", Secret::new("a secret of the tests"));
        let identity = Identity::new(store.clone(), clock.clone(), accounts);
        let stripe = Arc::new(Stripe::new(&settings(url)).unwrap());
        let mut room = Settings::new("http://localhost:8080");
        room.stripe = Some(settings(url));
        let gateways = vec![Arc::clone(&stripe) as Arc<dyn Gateway>];
        market.till = Arc::new(Till::default());
        market.payments = Payments::with_gateways(store, clock.clone(), identity, room, gateways);
        market.payments.serve(Arc::clone(&market.till) as Arc<dyn payments::Purpose>);
        market.clock = clock;
        Self { market, stripe, url: url.to_owned() }
    }

    /// Runs the worker until the payment is in this state.
    async fn becomes(&self, payment: &Payment, state: State) -> Payment {
        let room = self.market.payments.clone();
        let worker = tokio::spawn(async move { room.run().await });
        let mut now = payment.clone();
        for _ in 0..200 {
            now = self.market.payments.find(&payment.id).await.unwrap();
            if now.state == state {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        worker.abort();
        assert_eq!(now.state, state, "{now:?}");
        now
    }

    async fn post(&self, path: &str, body: &str) -> serde_json::Value {
        let request = reqwest::Client::new().post(format!("{}{path}", self.url)).bearer_auth("sk_test_12345");
        let form = request.header("content-type", "application/x-www-form-urlencoded").body(body.to_owned());
        form.send().await.unwrap().json().await.unwrap()
    }
}

fn pays(token: &str) -> Source {
    Source::Token(token.to_owned())
}

async fn with_shop(test: impl AsyncFn(Shop)) {
    let Some(server) = start() else { return };
    let folder = tempfile::tempdir().unwrap();
    let store = store::testing::sqlite(folder.path(), &migrations()).await;
    test(Shop::on(store, &server.url)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_is_authorised_captured_and_refunded() {
    with_shop(async |shop| {
        let begun = shop.market.begin(Market::sale("order-1", 1_000, pays("pm_card_visa"))).await.unwrap();
        let paid = shop.market.payments.submit(&begun).await.unwrap();
        assert_eq!(paid.state, State::Authorised);
        assert!(paid.reference.as_deref().unwrap().starts_with("pi_"));
        let paid = shop.becomes(&paid, State::Captured).await;
        assert_eq!(shop.market.balance(CLEARING).await, (1_000, 0));
        let refund = shop.market.refund(&paid, 400).await.unwrap();
        assert_eq!(refund.state, RefundState::Settled);
        assert!(refund.reference.unwrap().starts_with("re_"));
        assert_eq!(shop.market.balance(CLEARING).await, (600, 0));
        let more = NewRefund { payment: paid.id, amount: usd(601), key: None, reason: String::new() };
        assert!(shop.market.begin_refund(more).await.is_err());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_are_told_in_words() {
    with_shop(async |shop| {
        for (token, code) in
            [("pm_card_chargeCustomerFail", "card_declined"), ("pm_nonsense", "gateway_refused")]
        {
            let begun = shop.market.begin(Market::sale("order-1", 1_000, pays(token))).await.unwrap();
            let refused = shop.market.payments.submit(&begun).await.unwrap();
            assert_eq!(refused.state, State::Failed);
            assert_eq!(refused.failure.unwrap().code, code);
        }
        let wrong = shop.market.begin(Market::sale("order-1", 1_000, pays("../v1/charges"))).await;
        assert!(wrong.is_err(), "no token leads to another path");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn saved_cards_pay_and_are_forgotten() {
    with_shop(async |shop| {
        let (room, ada) = (&shop.market.payments, shop.market.ada());
        let token = NewMethod::Token("pm_card_visa".into());
        let first = add(room, &ada, &token, false).await.unwrap();
        let second = add(room, &ada, &token, false).await.unwrap();
        assert!(first.is_default && !second.is_default);
        assert_eq!((first.view.last4.as_str(), first.exp_year), ("4242", 2030));
        let declined = NewMethod::Token("pm_card_visa_chargeDeclined".into());
        let refused = kernel::Problem::from(add(room, &ada, &declined, false).await.unwrap_err());
        assert_eq!((refused.status, refused.code.as_ref()), (402, "payments.card_refused"));
        let begun =
            shop.market.begin(Market::sale("order-1", 700, Source::Method(second.id.clone()))).await.unwrap();
        assert_eq!(room.submit(&begun).await.unwrap().state, State::Authorised);
        let bob = shop.market.person("bob", &[Role::User]);
        assert!(room.delete_method(&bob, &first.id).await.is_err(), "it is not Bob's");
        room.delete_method(&ada, &first.id).await.unwrap();
        let left = room.methods(&ada, None).await.unwrap();
        assert_eq!((left.len(), left[0].is_default), (1, true));
        assert!(room.prepare_method(&ada, None, "key-1").await.unwrap().starts_with("seti_"));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_intent_of_the_browser_is_called_off() {
    with_shop(async |shop| {
        let begun = shop.market.begin(Market::sale("order-1", 700, Source::Browser)).await.unwrap();
        let intent = shop.market.payments.submit(&begun).await.unwrap();
        let Some(NextAction::Browser { client_secret: Some(secret) }) = &intent.next_action else {
            panic!("{intent:?}")
        };
        assert!(secret.contains("_secret_"));
        let stored = shop.market.payments.find(&begun.id).await.unwrap();
        assert_eq!(stored.next_action, Some(NextAction::Browser { client_secret: None }), "it is not stored");
        let resumed = shop.market.payments.resume(&shop.market.ada(), &begun.id).await.unwrap();
        assert_eq!(resumed.next_action, intent.next_action);
        assert_eq!(shop.market.payments.cancel_live("order-1").await.unwrap(), 1);
        assert_eq!(shop.market.payments.find(&begun.id).await.unwrap().state, State::Cancelled);
    })
    .await;
}

/// The process died after Stripe had done its work and before that was written down.
#[tokio::test(flavor = "multi_thread")]
async fn what_stripe_did_unseen_is_found_again() {
    with_shop(async |shop| {
        let begun = shop.market.begin(Market::sale("order-1", 900, pays("pm_card_visa"))).await.unwrap();
        let ask = Ask {
            payment: begun.id.clone(),
            amount: begun.amount,
            instrument: "pm_card_visa".into(),
            reference: None,
            description: "A thing".into(),
            begun_at: begun.created_at,
            now: begun.created_at,
        };
        assert_eq!(shop.stripe.authorise(&ask).await.outcome, Outcome::Authorised);
        shop.becomes(&begun, State::Captured).await;
        assert_eq!(shop.market.balance(CLEARING).await, (900, 0));
        let found = shop.stripe.look(&ask).await;
        assert_eq!(found.outcome, Outcome::Captured);
        let other = Ask { payment: "payment-other".parse().unwrap(), ..ask };
        assert!(
            matches!(shop.stripe.look(&other).await.outcome, Outcome::Unknown(_)),
            "it may be on its way"
        );
        let later = Ask { now: other.now.after(Duration::from_secs(600)), ..other };
        assert_eq!(shop.stripe.look(&later).await.outcome, Outcome::NeverHappened);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stripe_that_is_away_leaves_the_payment_unknown() {
    let folder = tempfile::tempdir().unwrap();
    let store = store::testing::sqlite(folder.path(), &migrations()).await;
    let shop = Shop::on(store, "http://127.0.0.1:9");
    let begun = shop.market.begin(Market::sale("order-1", 900, pays("pm_card_visa"))).await.unwrap();
    assert_eq!(shop.market.payments.submit(&begun).await.unwrap().state, State::Unknown);
}

/// localstripe signs and sends its events itself; the buyer confirms behind our back.
#[tokio::test(flavor = "multi_thread")]
async fn webhooks_of_localstripe_lead_to_the_capture() {
    with_shop(async |shop| {
        let router = payments::routes(shop.market.payments.clone()).into_router();
        let router = web::Stack::new(web::Surface::Api, shop.market.clock.clone()).around(router);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let hook = format!("http://{}/api/payments/webhook", listener.local_addr().unwrap());
        let door = tokio::spawn(async move { axum::serve(listener, router).await });
        let config = reqwest::Client::new().post(format!("{}/_config/webhooks/ours", shop.url));
        let form = format!("url={hook}&secret={SECRET}");
        let form = config.header("content-type", "application/x-www-form-urlencoded").body(form);
        assert!(form.send().await.unwrap().status().is_success());

        let card =
            "type=card&card[number]=4000002500003155&card[exp_month]=12&card[exp_year]=2040&card[cvc]=123";
        let method = shop.post("/v1/payment_methods", card).await;
        let new = Market::sale("order-1", 700, pays(method["id"].as_str().unwrap()));
        let begun = shop.market.begin(new).await.unwrap();
        let waiting = shop.market.payments.submit(&begun).await.unwrap();
        let Some(NextAction::Browser { client_secret: Some(secret) }) = &waiting.next_action else {
            panic!("{waiting:?}")
        };
        let intent = waiting.reference.clone().unwrap();
        let path = format!("/v1/payment_intents/{intent}/_authenticate");
        shop.post(&path, &format!("client_secret={secret}&success=true")).await;
        shop.becomes(&waiting, State::Captured).await;
        let admin = shop.market.person("op", &[Role::Admin]);
        let mut inbox = Vec::new();
        for _ in 0..60 {
            shop.market.payments.sweep().await.unwrap();
            inbox = shop.market.payments.inbox(&admin, "", kernel::Paging::default()).await.unwrap().items;
            if inbox
                .iter()
                .any(|notice| notice.handled_at.is_some() && notice.kind == "payment_intent.succeeded")
            {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let kinds: Vec<&str> = inbox.iter().map(|notice| notice.kind.as_str()).collect();
        assert!(kinds.contains(&"payment_intent.succeeded"), "{kinds:?}");
        door.abort();
    })
    .await;
}

fn header_of_the_sdk(python: &PathBuf, secret: &str, at: i64, payload: &str) -> String {
    let mut child = Command::new(python)
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/stripe_signature.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let asked = serde_json::json!({ "secret": secret, "at": at, "payload": payload }).to_string();
    writeln!(child.stdin.take().unwrap(), "{asked}").unwrap();
    let answer = child.wait_with_output().unwrap();
    String::from_utf8(answer.stdout).unwrap().trim().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn webhooks_that_stripes_sdk_signs_are_kept_once_and_others_refused() {
    let Some(python) = python() else { return };
    store::testing::both(&migrations(), async |store| {
        let shop = Shop::on(store, "http://127.0.0.1:9");
        let router = payments::routes(shop.market.payments.clone()).into_router();
        let router = web::Stack::new(web::Surface::Api, shop.market.clock.clone()).around(router);
        let send = async |header: &str, body: &str| {
            use tower::ServiceExt;
            let request = http::Request::post("/api/payments/webhook").header("stripe-signature", header);
            let request = request.body(axum::body::Body::from(body.to_owned())).unwrap();
            router.clone().oneshot(request).await.unwrap().status().as_u16()
        };
        let now = shop.market.clock.now().secs();
        let event = r#"{"id":"evt_1","type":"something.new","data":{"object":{"id":"x_1","object":"x"}}}"#;
        let header = header_of_the_sdk(&python, SECRET, now, event);
        assert_eq!(send(&header, event).await, 200);
        assert_eq!(send(&header, event).await, 200, "a repeat is fine and changes nothing");
        assert_eq!(send(&header_of_the_sdk(&python, "whsec_of_yesterday", now, event), event).await, 200);
        assert_eq!(send(&header, &event.replace("x_1", "x_2")).await, 400);
        assert_eq!(send(&header_of_the_sdk(&python, "whsec_other", now, event), event).await, 400);
        assert_eq!(send("", event).await, 400);
        assert_eq!(send(&header, &" ".repeat(300_000)).await, 413);
        shop.market.payments.sweep().await.unwrap();
        let admin = shop.market.person("op", &[Role::Admin]);
        let inbox = shop.market.payments.inbox(&admin, "", kernel::Paging::default()).await.unwrap();
        assert_eq!((inbox.total, inbox.items[0].outcome.as_deref()), (1, Some("about nothing of ours")));
        assert!(shop.market.payments.inbox(&shop.market.ada(), "", kernel::Paging::default()).await.is_err());
        shop.market.payments.replay(&admin, "stripe", "evt_1").await.unwrap();
        assert!(shop.market.payments.replay(&admin, "stripe", "evt_9").await.is_err());
    })
    .await;
}
