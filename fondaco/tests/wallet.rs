//! Paying orders from the balance: orders, payments, wallets and the ledger together, on both databases.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::Arc;
use std::time::Duration;

use catalog::{Kind, NewListing, NewOffer, OfferId, Stock, Want, listing};
use fondaco::rooms::MIGRATIONS;
use futures_util::future::join_all;
use identity::{Actor, Caller, Identity, Role, Roles, Scopes, Via};
use kernel::{Clock, Currency, Money, Problem, Secret, Timestamp};
use ledger::Account;
use orders::{NewOrder, OrderId, Orders};
use payments::{NewMethod, Payments, Source};
use store::{Store, Tx, testing::both};
use wallet::{AutoChange, Filter, NewTopUp, Wallets};
use web::Ctx;
use web::idempotency::{Key, Request};

struct Market {
    store: Store,
    clock: Clock,
    payments: Payments,
    orders: Orders,
    wallets: Wallets,
}

impl Market {
    fn on(store: Store) -> Self {
        let clock = Clock::fixed(Timestamp::from_secs(1_800_000_000));
        let settings = identity::Settings::new("http://localhost:8080", Secret::new("a secret of the tests"));
        let identity = Identity::new(store.clone(), clock.clone(), settings);
        let settings = payments::Settings::new("http://localhost:8080").with_sandbox();
        let payments = Payments::new(store.clone(), clock.clone(), identity.clone(), settings).unwrap();
        let (paying, settings) = (payments.clone(), wallet::Settings::new("http://localhost:8080"));
        let wallets = Wallets::new(store.clone(), clock.clone(), identity.clone(), paying, settings);
        let (paying, settings) = (payments.clone(), orders::Settings::default());
        let orders = Orders::new(store.clone(), clock.clone(), identity, paying, settings);
        Self { store, clock, payments, orders, wallets }
    }

    fn ada(&self) -> Caller {
        let actor = Actor {
            user: "user-ada".parse().unwrap(),
            username: "ada".into(),
            roles: Roles::of(&[Role::User]),
            scopes: Scopes::all(),
            via: Via::Password,
            memberships: Arc::new([]),
        };
        Caller { ctx: Ctx::local(self.clock.now()), actor: Some(actor) }
    }

    /// Something that costs 10, as often as anybody wants it.
    async fn offer(&self) -> OfferId {
        let now = self.clock.now();
        let write = async move |tx: &mut Tx| {
            let text = listing::ListingText { title: "A thing".into(), ..Default::default() };
            let seller = "user-seller".parse().unwrap();
            let new = NewListing { kind: Kind::Other, seller, subject: Some("thing".into()), text };
            let made = listing::create(tx, now, &new).await?;
            let price = Money::new(1_000, Currency::USD);
            let offer = NewOffer::one_off("One", price, Stock::Unlimited);
            let offer = listing::add_offer(tx, now, &made.id, &offer).await?;
            listing::publish(tx, now, &made.id, &web::Expected::Whatever).await?;
            Ok::<_, catalog::CatalogError>(offer.id)
        };
        self.store.write(write).await.unwrap()
    }

    async fn fill(&self, minor: i64) {
        let (ada, amount) = (self.ada(), Money::new(minor, Currency::USD));
        let new = NewTopUp { amount, source: Source::Token("tok_visa".into()) };
        self.wallets.top_up(&ada, None, &new, Request::new(Key(None), "", &())).await.unwrap();
        self.settle().await;
    }

    async fn settle(&self) {
        for _ in 0..3 {
            self.clock.advance(Duration::from_secs(10));
            self.payments.sweep().await.unwrap();
        }
    }

    async fn order(&self, offer: &OfferId) -> OrderId {
        let new = NewOrder { items: vec![Want::some(offer.clone(), 1)], ..NewOrder::default() };
        self.orders.place(&self.ada(), new).await.unwrap().order.id
    }

    async fn pay(&self, order: &OrderId) -> Result<orders::Paid, Problem> {
        Ok(self.orders.pay(&self.ada(), order, Source::Wallet, None).await?)
    }

    async fn available(&self) -> i64 {
        self.wallets.balances(&self.ada(), None).await.unwrap().of(Currency::USD).available().minor
    }

    async fn books(&self, account: Account) -> i64 {
        let look = async move |tx: &mut Tx| ledger::balance(tx, &account, Currency::USD).await;
        self.store.read(look).await.unwrap().posted.minor
    }
}

#[tokio::test]
async fn an_order_is_paid_from_the_balance() {
    both(MIGRATIONS, async |store| {
        let market = Market::on(store);
        let offer = market.offer().await;
        market.fill(2_500).await;
        let order = market.order(&offer).await;
        let paid = market.pay(&order).await.unwrap();
        assert_eq!(paid.payment.state, payments::State::Captured);
        let placed = market.orders.find(&market.ada(), &order).await.unwrap();
        assert!(placed.order.state.is_paid());
        assert_eq!(market.available().await, 1_500);
        assert_eq!(market.books(Account::PlatformFees).await, 100);
        assert_eq!(market.books(Account::Seller("user-seller".parse().unwrap())).await, 900);
        let history = market
            .wallets
            .history(&market.ada(), None, Currency::USD, Filter::default(), None, 10)
            .await
            .unwrap();
        let seen: Vec<_> =
            history.entries.iter().map(|entry| (entry.what.as_str(), entry.amount.minor)).collect();
        assert_eq!(seen, [("Purchase", -1_000), ("Top-up (visa 4242)", 2_500)]);
        let thing = history.entries[0].thing.clone().expect("the order");
        assert_eq!(thing.page, Some(format!("/checkout/{order}")));
        assert_eq!(thing.name, placed.lines[0].title);
        let (first, second) = (market.order(&offer).await, market.order(&offer).await);
        market.pay(&first).await.unwrap();
        assert_eq!(market.pay(&second).await.unwrap_err().code, "payments.wallet_too_low");
        assert_eq!(market.available().await, 500);
    })
    .await;
}

/// Twelve orders at once, of which the balance covers five.
#[tokio::test]
async fn concurrent_orders_never_take_more_than_there_is() {
    both(MIGRATIONS, async |store| {
        let market = Market::on(store);
        let offer = market.offer().await;
        market.fill(5_900).await;
        let mut orders = Vec::new();
        for _ in 0..12 {
            orders.push(market.order(&offer).await);
        }
        let paid = join_all(orders.iter().map(|order| market.pay(order))).await;
        assert_eq!(paid.iter().filter(|one| one.is_ok()).count(), 5);
        for problem in paid.into_iter().filter_map(Result::err) {
            assert!(
                ["payments.wallet_too_low", "ledger.insufficient"].contains(&&*problem.code),
                "{problem:?}"
            );
        }
        assert_eq!(market.available().await, 900);
        let mut done = 0;
        for order in &orders {
            let placed = market.orders.find(&market.ada(), order).await.unwrap();
            done += usize::from(placed.order.state.is_paid());
        }
        assert_eq!(done, 5);
        let findings = market.store.read(async |tx: &mut Tx| ledger::audit(tx).await).await.unwrap();
        assert!(findings.is_empty(), "{findings:?}");
    })
    .await;
}

#[tokio::test]
async fn an_order_below_the_threshold_begins_a_top_up() {
    both(MIGRATIONS, async |store| {
        let market = Market::on(store);
        let offer = market.offer().await;
        let ada = market.ada();
        market.fill(1_500).await;
        let card = NewMethod::Token("tok_visa".into());
        market.payments.add_method(&ada, None, &card, true, Key(None)).await.unwrap();
        let card = market.payments.methods(&ada, None).await.unwrap().remove(0);
        let usd = |minor| Money::new(minor, Currency::USD);
        let rule = AutoChange {
            enabled: true,
            threshold: usd(1_000),
            amount: usd(3_000),
            method: card.id,
            max_per_day: 3,
            monthly_limit_minor: None,
        };
        market.wallets.set_auto_top_up(&ada, None, &rule, web::Expected::Whatever).await.unwrap();
        let order = market.order(&offer).await;
        market.pay(&order).await.unwrap();
        // On PostgreSQL the log shows an event once all older transactions have ended, of other tests too.
        for _ in 0..200 {
            market.wallets.catch_up().await.unwrap();
            market.settle().await;
            if market.available().await == 3_500 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert_eq!(market.available().await, 3_500, "the janitor asks where no job runs");
    })
    .await;
}
