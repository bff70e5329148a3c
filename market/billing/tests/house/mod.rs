//! What the tests of this room stand on: a seller with plans, buyers with cards, the real orders and payments with the
//! sandbox as bank, and what must hold at any moment.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, clippy::panic)]

use std::sync::Arc;
use std::time::Duration;

use billing::{Billing, Invoice, Settings, Side, Subscription, SubscriptionId};
use catalog::{Kind, ListingId, NewListing, NewOffer, OfferId, Period, Pricing, Stock, Want, listing};
use events::{Event, Log, Position};
use identity::{AccountId, Actor, Caller, Identity, Role, Roles, Scopes, Via};
use kernel::{Clock, Currency, Money, Paging, Secret, Timestamp};
use ledger::Account;
use orders::{NewOrder, Orders, Placed};
use payments::{NewMethod, Payment, Payments, Source};
use store::{Migrations, Store, StoreError, Tx, args, sql};
use web::Ctx;
use web::idempotency::Key;

pub const DAY: u64 = 86_400;

pub fn migrations() -> [Migrations; 9] {
    [
        web::MIGRATIONS,
        jobs::MIGRATIONS,
        events::MIGRATIONS,
        identity::MIGRATIONS,
        ledger::MIGRATIONS,
        catalog::MIGRATIONS,
        payments::MIGRATIONS,
        orders::MIGRATIONS,
        billing::MIGRATIONS,
    ]
}

pub fn usd(minor: i64) -> Money {
    Money::new(minor, Currency::USD)
}

pub fn account(name: &str) -> AccountId {
    format!("user-{name}").parse().unwrap()
}

pub fn monthly(name: &str, minor: i64, trial_days: u32) -> NewOffer {
    let pricing = Pricing::Subscription { period: Period::Month, trial_days };
    NewOffer { pricing, ..NewOffer::one_off(name, usd(minor), Stock::Unlimited) }
}

pub fn yearly(name: &str, minor: i64) -> NewOffer {
    let pricing = Pricing::Subscription { period: Period::Year, trial_days: 0 };
    NewOffer { pricing, ..NewOffer::one_off(name, usd(minor), Stock::Unlimited) }
}

pub fn metered(minor: i64) -> NewOffer {
    let pricing = Pricing::Metered { unit: "request".to_owned() };
    NewOffer { pricing, ..NewOffer::one_off("Pay as you go", usd(minor), Stock::Unlimited) }
}

#[derive(Clone)]
pub struct House {
    pub store: Store,
    pub clock: Clock,
    pub identity: Identity,
    pub payments: Payments,
    pub orders: Orders,
    pub billing: Billing,
}

impl House {
    pub fn on(store: Store) -> Self {
        let start: Timestamp = "2027-01-31T10:30:00Z".parse().unwrap();
        Self::with(store, Clock::fixed(start), Settings::new("http://localhost:8080"))
    }

    pub fn with(store: Store, clock: Clock, settings: Settings) -> Self {
        let of = identity::Settings::new("http://localhost:8080", Secret::new("a secret of the tests"));
        let identity = Identity::new(store.clone(), clock.clone(), of);
        let of = payments::Settings::new("http://localhost:8080").with_sandbox();
        let payments = Payments::new(store.clone(), clock.clone(), identity.clone(), of).unwrap();
        let of = orders::Settings::default();
        let orders = Orders::new(store.clone(), clock.clone(), identity.clone(), payments.clone(), of);
        let (s, c, i) = (store.clone(), clock.clone(), identity.clone());
        let billing = Billing::new(s, c, i, orders.clone(), payments.clone(), settings);
        Self { store, clock, identity, payments, orders, billing }
    }

    /// Another process on the same database.
    pub fn beside(&self) -> Self {
        Self::with(self.store.clone(), self.clock.clone(), Settings::new("http://localhost:8080"))
    }

    pub fn later(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    pub fn until(&self, at: &str) {
        let at: Timestamp = at.parse().unwrap();
        self.clock.advance(at.since(self.clock.now()));
    }

    pub fn person(&self, name: &str, roles: &[Role]) -> Caller {
        let actor = Actor {
            user: format!("user-{name}").parse().unwrap(),
            username: name.into(),
            roles: Roles::of(roles),
            scopes: Scopes::all(),
            via: Via::Password,
            memberships: Arc::new([]),
        };
        Caller { ctx: Ctx::local(self.clock.now()), actor: Some(actor) }
    }

    pub fn ada(&self) -> Caller {
        self.person("ada", &[Role::User])
    }

    pub fn ben(&self) -> Caller {
        self.person("ben", &[Role::User, Role::Publisher])
    }

    pub fn seller(&self) -> Caller {
        self.person("seller", &[Role::User, Role::Publisher])
    }

    pub fn operator(&self) -> Caller {
        self.person("boss", &[Role::Admin])
    }

    /// A published listing with these offers.
    pub async fn sells(&self, title: &str, offers: Vec<NewOffer>) -> (ListingId, Vec<OfferId>) {
        let (now, title) = (self.clock.now(), title.to_owned());
        let write = async move |tx: &mut Tx| {
            let text = listing::ListingText { title: title.clone(), ..Default::default() };
            let seller = account("seller");
            let new = NewListing { kind: Kind::Other, seller, subject: Some(title.clone()), text };
            let made = listing::create(tx, now, &new).await?;
            let mut ids = Vec::new();
            for offer in &offers {
                ids.push(listing::add_offer(tx, now, &made.id, offer).await?.id);
            }
            listing::publish(tx, now, &made.id, &web::Expected::Whatever).await?;
            Ok::<_, catalog::CatalogError>((made.id, ids))
        };
        self.store.write(write).await.unwrap()
    }

    /// Saves a card as the one that is charged where nothing is said.
    pub async fn saves(&self, by: &Caller, token: &str) -> payments::Method {
        let new = NewMethod::Token(token.to_owned());
        self.payments.add_method(by, None, &new, true, Key(None)).await.unwrap();
        let all = self.payments.methods(by, None).await.unwrap();
        all.into_iter().find(|method| method.is_default).unwrap()
    }

    pub async fn place(&self, by: &Caller, offer: &OfferId) -> Placed {
        let items = vec![Want::some(offer.clone(), 1)];
        self.orders.place(by, NewOrder { items, ..NewOrder::default() }).await.unwrap()
    }

    /// Orders and pays, and lets the room hear of it.
    pub async fn subscribes(&self, by: &Caller, offer: &OfferId, source: Source) -> Subscription {
        let placed = self.place(by, offer).await;
        if placed.order.amounts.total > 0 {
            self.orders.pay(by, &placed.order.id, source, None).await.unwrap();
        }
        self.settle_down().await;
        let mine = self.mine(by).await;
        mine.into_iter().find(|sub| sub.order == placed.order.id).expect("a subscription began")
    }

    /// A subscription of Ada, paid with a saved card.
    pub async fn subscribed(&self, offer: &OfferId, token: &str) -> Subscription {
        let method = self.saves(&self.ada(), token).await;
        self.subscribes(&self.ada(), offer, Source::Method(method.id)).await
    }

    pub async fn mine(&self, by: &Caller) -> Vec<Subscription> {
        let paging = Paging { limit: 100, offset: 0 };
        self.billing.list(by, Side::Buyer, billing::Filter::default(), paging).await.unwrap().items
    }

    pub async fn find(&self, id: &SubscriptionId) -> Subscription {
        self.billing.find(&self.operator(), id).await.unwrap().0
    }

    pub async fn documents(&self, by: &Caller) -> Vec<Invoice> {
        let paging = Paging { limit: 100, offset: 0 };
        self.billing.invoices(by, Side::Buyer, None, None, paging).await.unwrap().items
    }

    /// The invoices of a subscription, the oldest first.
    pub async fn invoices(&self, sub: &Subscription) -> Vec<Invoice> {
        let mut all = self.documents(&self.ada()).await;
        all.retain(|invoice| invoice.subscription.as_ref() == Some(&sub.id));
        all.reverse();
        all
    }

    /// Lets a minute go by in which everything that is due is done.
    pub async fn settle_down(&self) {
        for _ in 0..6 {
            self.later(10);
            self.hears().await;
            self.billing.sweep().await.unwrap();
            self.payments.sweep().await.unwrap();
        }
    }

    /// Waits until everything that was told can be read: on PostgreSQL an event is seen when all older transactions of
    /// the whole server are over, also those of other tests. Answers all events.
    async fn log(&self) -> Vec<Event> {
        let now = self.clock.now();
        let mark = async move |tx: &mut Tx| events::append(tx, now, &Mark).await;
        let mark = self.store.write(mark).await.unwrap();
        let (log, mut all, mut after) = (Log::new(self.store.clone()), Vec::<Event>::new(), Position::START);
        for _ in 0..5_000 {
            let some = log.after(after).await.unwrap();
            match some.last() {
                Some(last) => after = last.position,
                None => tokio::time::sleep(Duration::from_millis(4)).await,
            }
            all.extend(some);
            if all.iter().any(|event| event.id == mark) {
                return all;
            }
        }
        panic!("events are not seen");
    }

    /// Lets the room hear of everything.
    pub async fn hears(&self) {
        self.log().await;
        self.billing.follow().await.unwrap();
    }

    pub async fn balance(&self, account: Account) -> i64 {
        let look = async move |tx: &mut Tx| ledger::balance(tx, &account, Currency::USD).await;
        self.store.read(look).await.unwrap().posted.minor
    }

    pub async fn fill_wallet(&self, name: &str, minor: i64) {
        let (now, account) = (self.clock.now(), account(name));
        let journal = format!("top-up-{}", now.micros());
        let into = ledger::NewTransfer::new(
            Account::Clearing("sandbox"),
            Account::Wallet(account),
            usd(minor),
            "top-up",
        );
        let write =
            async move |tx: &mut Tx| ledger::post(tx, now, &journal, std::slice::from_ref(&into)).await;
        self.store.write(write).await.unwrap();
    }

    pub async fn entitled(&self, name: &str, subject: &str) -> bool {
        let (subject, now, account) = (subject.to_owned(), self.clock.now(), account(name));
        let look = async move |tx: &mut Tx| orders::is_entitled(tx, &account, &subject, now).await;
        self.store.read(look).await.unwrap()
    }

    pub async fn events(&self, kind: &str) -> Vec<Event> {
        self.log().await.into_iter().filter(|event| event.kind == kind).collect()
    }

    /// Everything that must hold at any moment.
    pub async fn holds_together(&self) {
        let look = async |tx: &mut Tx| {
            let twice: Vec<(String, i64)> = tx.all(&PERIODS_TWICE, args![]).await?;
            let gaps: Vec<(String, i64, i64)> = tx.all(&NUMBERS, args![]).await?;
            let usage: Vec<(String, i64, i64)> = tx.all(&OPEN_USAGE, args![]).await?;
            let invoices: Vec<(String, Option<String>, i64)> = tx.all(&TO_BE_PAID, args![]).await?;
            assert!(twice.is_empty(), "one invoice per period: {twice:?}");
            assert!(gaps.iter().all(|(_, count, last)| count == last), "numbers without gaps: {gaps:?}");
            assert!(
                usage.iter().all(|(_, open, rows)| open == rows),
                "open usage is on no invoice: {usage:?}"
            );
            for (id, payment, is_paid) in invoices {
                let all = Payments::of_subject(tx, &id).await.unwrap();
                let charged = |p: &&Payment| p.state == payments::State::Captured && !p.is_given_back();
                let charges = all.iter().filter(charged).count();
                assert!(charges <= 1, "one charge per invoice: {all:?}");
                let pays = all.iter().find(|p| Some(p.id.as_str()) == payment.as_deref());
                let taken =
                    |p: &Payment| matches!(p.state, payments::State::Captured | payments::State::Authorised);
                assert_eq!(is_paid == 1, pays.is_some_and(taken), "paid is what was taken: {id} {all:?}");
            }
            let found = ledger::audit(tx).await?;
            assert!(found.is_empty(), "the books are whole: {found:?}");
            Ok::<_, StoreError>(())
        };
        self.store.read(look).await.unwrap();
    }
}

/// Stands at the end of the log.
#[derive(serde::Serialize)]
struct Mark;

impl events::DomainEvent for Mark {
    const TYPE: &'static str = "test.mark";
    fn subject(&self) -> &str {
        "test"
    }
    fn version(&self) -> i64 {
        1
    }
}

sql! {
    PERIODS_TWICE = "select subscription, count(*) from invoice where kind = 'period' group by subscription, period \
        having count(*) > 1";
    TO_BE_PAID = "select id, payment, case when state = 'paid' then 1 else 0 end from invoice \
        where kind in ('period', 'change') and total_minor > 0";
    NUMBERS = "select seller, count(*), max(sequence) from invoice where sequence is not null group by seller, year";
    OPEN_USAGE = "select subscription.id, open_quantity, cast(coalesce((select sum(quantity) from usage_record \
        where usage_record.subscription = subscription.id and invoice is null), 0) as bigint) from subscription";
}
