//! What the tests of this room stand on: a market with a seller, buyers, the sandbox as its bank, a room that delivers
//! tickets and remembers it, and the invariants that must hold at any moment.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, clippy::panic)]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use catalog::{Kind, NewListing, NewOffer, NewUnit, OfferId, Stock, UnitId, Want, listing};
use events::{Event, Log, Position};
use identity::{AccountId, Actor, Caller, Identity, Role, Roles, Scopes, Via};
use kernel::{Clock, Currency, Money, Paging, Secret, Timestamp};
use ledger::Account;
use orders::{Goods, Handed, Line, NewOrder, Order, OrderError, OrderId, Orders, Placed, Settings};
use payments::{Payments, Source};
use store::{Migrations, Store, Tx, args, sql};
use web::Ctx;

pub const START: Timestamp = Timestamp::from_secs(1_800_000_000);

pub fn migrations() -> [Migrations; 8] {
    [
        web::MIGRATIONS,
        jobs::MIGRATIONS,
        events::MIGRATIONS,
        identity::MIGRATIONS,
        ledger::MIGRATIONS,
        catalog::MIGRATIONS,
        payments::MIGRATIONS,
        orders::MIGRATIONS,
    ]
}

pub fn usd(minor: i64) -> Money {
    Money::new(minor, Currency::USD)
}

pub fn seller() -> AccountId {
    "user-seller".parse().unwrap()
}

/// A room whose things are sold. It remembers what it was told.
#[derive(Default)]
pub struct BoxOffice {
    pub told: Mutex<Vec<String>>,
}

impl BoxOffice {
    fn note<'a>(&'a self, what: &str, lines: &[Line]) -> Handed<'a> {
        let pieces: u32 = lines.iter().map(|line| line.quantity).sum();
        self.told.lock().unwrap().push(format!("{what} {pieces}"));
        orders::handed()
    }
}

impl Goods for BoxOffice {
    fn kind(&self) -> Kind {
        Kind::Ticket
    }
    fn reserve<'a>(
        &'a self,
        _: &'a mut Tx,
        _: Timestamp,
        _: &'a Order,
        lines: &'a [Line],
        pass: Option<&'a str>,
    ) -> Handed<'a> {
        if pass == Some("closed") {
            let problem = kernel::Problem::conflict("orders.wrong_state", "The doors are closed.");
            return Box::pin(std::future::ready(Err(OrderError::Goods(problem))));
        }
        self.note("reserve", lines)
    }
    fn release<'a>(&'a self, _: &'a mut Tx, _: Timestamp, _: &'a Order, lines: &'a [Line]) -> Handed<'a> {
        self.note("release", lines)
    }
    fn deliver<'a>(&'a self, _: &'a mut Tx, _: Timestamp, _: &'a Order, lines: &'a [Line]) -> Handed<'a> {
        self.note("deliver", lines)
    }
    fn revoke<'a>(&'a self, _: &'a mut Tx, _: Timestamp, _: &'a Order, lines: &'a [Line]) -> Handed<'a> {
        self.note("revoke", lines)
    }
}

#[derive(Clone)]
pub struct Market {
    pub store: Store,
    pub clock: Clock,
    pub identity: Identity,
    pub payments: Payments,
    pub orders: Orders,
    pub goods: Arc<BoxOffice>,
}

impl Market {
    pub fn on(store: Store) -> Self {
        Self::with(store, Clock::fixed(START))
    }

    pub fn with(store: Store, clock: Clock) -> Self {
        let settings = identity::Settings::new("http://localhost:8080", Secret::new("a secret of the tests"));
        let identity = Identity::new(store.clone(), clock.clone(), settings);
        let settings = payments::Settings::new("http://localhost:8080").with_sandbox();
        let payments = Payments::new(store.clone(), clock.clone(), identity.clone(), settings).unwrap();
        let orders = Orders::new(
            store.clone(),
            clock.clone(),
            identity.clone(),
            payments.clone(),
            Settings::default(),
        );
        let goods = Arc::new(BoxOffice::default());
        orders.deliver_by(Arc::clone(&goods) as Arc<dyn Goods>);
        Self { store, clock, identity, payments, orders, goods }
    }

    pub fn later(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
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

    pub fn seller(&self) -> Caller {
        self.person("seller", &[Role::User, Role::Publisher])
    }

    pub fn operator(&self) -> Caller {
        self.person("boss", &[Role::Admin])
    }

    /// A published listing with this offer.
    pub async fn sells(&self, title: &str, offer: NewOffer) -> OfferId {
        let (now, title) = (self.clock.now(), title.to_owned());
        let write = async move |tx: &mut Tx| {
            let text = listing::ListingText { title: title.clone(), ..Default::default() };
            let new = NewListing { kind: Kind::Ticket, seller: seller(), subject: Some(title.clone()), text };
            let made = listing::create(tx, now, &new).await?;
            let offer = listing::add_offer(tx, now, &made.id, &offer).await?;
            listing::publish(tx, now, &made.id, &web::Expected::Whatever).await?;
            Ok::<_, catalog::CatalogError>(offer.id)
        };
        self.store.write(write).await.unwrap()
    }

    pub async fn tickets(&self, capacity: u32) -> OfferId {
        self.sells("concert", NewOffer::one_off("Admission", usd(1_900), Stock::Counted { capacity })).await
    }

    pub async fn seats(&self, count: u32) -> (OfferId, Vec<UnitId>) {
        let offer = self.sells("theatre", NewOffer::one_off("Seat", usd(5_000), Stock::Units)).await;
        let (of, now) = (offer.clone(), self.clock.now());
        let write = async move |tx: &mut Tx| {
            let unit = |n: u32| NewUnit {
                label: format!("Seat {n}"),
                section: String::new(),
                row: "A".to_owned(),
                seat: n.to_string(),
                place: i32::try_from(n).unwrap(),
                x: 0,
                y: 0,
            };
            let new: Vec<_> = (1..=count).map(unit).collect();
            listing::add_units(tx, now, &of, &new).await
        };
        (offer, self.store.write(write).await.unwrap())
    }

    pub async fn order(&self, by: &Caller, items: Vec<Want>) -> Result<Placed, OrderError> {
        self.orders.place(by, NewOrder { items, ..NewOrder::default() }).await
    }

    pub async fn one(&self, offer: &OfferId) -> Placed {
        self.order(&self.ada(), vec![Want::some(offer.clone(), 1)]).await.unwrap()
    }

    pub async fn pay(&self, id: &OrderId, card: &str) -> Result<orders::Paid, OrderError> {
        self.orders.pay(&self.ada(), id, Source::Token(card.to_owned()), None).await
    }

    /// An order that is paid, and its money taken.
    pub async fn paid(&self, offer: &OfferId, quantity: u32) -> Placed {
        let placed = self.order(&self.ada(), vec![Want::some(offer.clone(), quantity)]).await.unwrap();
        self.pay(&placed.order.id, "tok_visa").await.unwrap();
        self.settle_down().await;
        self.find(&placed.order.id).await
    }

    pub async fn find(&self, id: &OrderId) -> Placed {
        self.orders.find(&self.operator(), id).await.unwrap()
    }

    /// Lets time go by until no payment is due any more for a minute.
    pub async fn settle_down(&self) {
        for _ in 0..6 {
            self.later(10);
            self.payments.sweep().await.unwrap();
        }
    }

    /// What an account of the ledger has, in cents: posted and reserved.
    pub async fn balance(&self, account: Account) -> (i64, i64) {
        let look = async move |tx: &mut Tx| ledger::balance(tx, &account, Currency::USD).await;
        let balance = self.store.read(look).await.unwrap();
        (balance.posted.minor, balance.reserved.minor)
    }

    /// Puts money into the wallet of Ada.
    pub async fn fill_wallet(&self, minor: i64) {
        let (now, ada) = (self.clock.now(), "user-ada".parse().unwrap());
        let into = ledger::NewTransfer::new(
            Account::Clearing("sandbox"),
            Account::Wallet(ada),
            usd(minor),
            "top-up",
        );
        let write =
            async move |tx: &mut Tx| ledger::post(tx, now, "top-up", std::slice::from_ref(&into)).await;
        self.store.write(write).await.unwrap();
    }

    pub async fn stock(&self, offer: &OfferId) -> (u32, u32, Option<u32>) {
        let offer = offer.clone();
        let look = async move |tx: &mut Tx| listing::find_offer(tx, &offer).await;
        let offer = self.store.read(look).await.unwrap();
        (offer.held, offer.sold, offer.left())
    }

    pub async fn entitled(&self, subject: &str) -> bool {
        let (subject, now) = (subject.to_owned(), self.clock.now());
        let ada: AccountId = "user-ada".parse().unwrap();
        let look = async move |tx: &mut Tx| orders::is_entitled(tx, &ada, &subject, now).await;
        self.store.read(look).await.unwrap()
    }

    /// All events of a type. PostgreSQL shows an event once no older transaction runs, of other tests too: so one more
    /// is written and waited for.
    pub async fn events(&self, kind: &str) -> Vec<Event> {
        let now = self.clock.now();
        let mark = async move |tx: &mut Tx| events::append(tx, now, &Mark { test: true }).await;
        let mark = self.store.write(mark).await.unwrap();
        loop {
            let (log, mut all, mut after) = (Log::new(self.store.clone()), Vec::new(), Position::START);
            loop {
                let some = log.after(after).await.unwrap();
                let Some(last) = some.last() else { break };
                after = last.position;
                all.extend(some);
            }
            if all.iter().any(|event| event.id == mark) {
                all.retain(|event| event.kind == kind);
                return all;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    pub fn told(&self) -> Vec<String> {
        self.goods.told.lock().unwrap().clone()
    }

    /// Everything that must hold at any moment, for an offer of so many.
    pub async fn holds_together(&self, offer: &OfferId, capacity: u32) {
        let (held, sold, left) = self.stock(offer).await;
        assert_eq!(held + sold + left.unwrap(), capacity, "sold + held + available = capacity");
        let all = self.all_orders().await;
        let pieces = |paid: bool| -> u32 {
            let fits = |placed: &&Placed| {
                if paid { placed.order.state.is_paid() } else { placed.order.state == orders::State::Pending }
            };
            let lines = all.iter().filter(fits).flat_map(|placed| &placed.lines);
            lines.filter(|line| line.offer == *offer).map(|line| line.quantity - line.returned).sum()
        };
        assert_eq!((held, sold), (pieces(false), pieces(true)), "the orders have what the catalog counts");
        let look = async |tx: &mut Tx| {
            let twice: Vec<(String, i64)> = tx.all(&UNITS_TWICE, args![]).await?;
            let too_much: Vec<(String, i64)> = tx.all(&REFUNDED_TOO_MUCH, args![]).await?;
            Ok::<_, store::StoreError>((twice, too_much))
        };
        let (twice, too_much) = self.store.read(look).await.unwrap();
        assert!(twice.is_empty(), "units in two orders: {twice:?}");
        assert!(too_much.is_empty(), "refunded above what was paid: {too_much:?}");
        let books = ledger::Ledger::new(self.store.clone(), self.identity.clone());
        let found = books.audit(&identity::Operator::of(self.operator()).unwrap()).await.unwrap();
        assert!(found.is_empty(), "the ledger sums to zero: {found:?}");
    }

    pub async fn all_orders(&self) -> Vec<Placed> {
        let (mut all, mut offset) = (Vec::new(), 0);
        loop {
            let paging = Paging { limit: 100, offset };
            let side = orders::Side::Operator;
            let page =
                self.orders.list(&self.operator(), side, orders::Filter::default(), paging).await.unwrap();
            if page.items.is_empty() {
                return all;
            }
            offset += 100;
            all.extend(page.items);
        }
    }
}

/// The last event so far.
#[derive(serde::Serialize)]
struct Mark {
    test: bool,
}

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
    UNITS_TWICE = "select order_line.unit, count(*) from order_line join orders on orders.id = order_line.order_id \
        where order_line.unit is not null and order_line.returned = 0 \
        and orders.state in ('pending', 'paid', 'partially_refunded', 'disputed') \
        group by order_line.unit having count(*) > 1";
    REFUNDED_TOO_MUCH = "select id, refunded_minor from orders where refunded_minor + refunding_minor > total_minor";
}
