//! What the tests of this room stand on: organisers, buyers, staff, the real orders and payments with the sandbox as
//! bank, on a clock that stands still.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, clippy::panic)]

use std::sync::Arc;
use std::time::Duration;

use catalog::Want;
use events::{Event as Told, Log, Position};
use identity::{Actor, Caller, Cost, Identity, NewAccount, Role, Roles, Scopes, Terms, Via};
use kernel::{Clock, Currency, Money, Paging, Secret, Timestamp};
use mail::{MailConfig, Mailer};
use orders::{NewOrder, OrderError, Orders, Placed};
use payments::{Payments, Source};
use store::{Migrations, Store};
use tickets::{
    Admission, Category, Event, EventText, NewCategory, Ticket, TicketState, Tickets, WaitingRoom,
};
use vault::Vault;
use web::{Ctx, Expected};

pub mod visitor;

pub const START: Timestamp = Timestamp::from_secs(1_800_000_000);
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
        tickets::MIGRATIONS,
    ]
}

pub fn usd(minor: i64) -> Money {
    Money::new(minor, Currency::USD)
}

#[derive(Clone)]
pub struct House {
    pub store: Store,
    pub clock: Clock,
    pub identity: Identity,
    pub payments: Payments,
    pub orders: Orders,
    pub tickets: Tickets,
    pub mails: Arc<tempfile::TempDir>,
}

impl House {
    pub fn on(store: Store) -> Self {
        let clock = Clock::fixed(START);
        Self::with(store, clock, Arc::new(tempfile::tempdir().unwrap()), "a key of the tests")
    }

    /// The same house after a restart, or with another encryption key.
    pub fn with(store: Store, clock: Clock, mails: Arc<tempfile::TempDir>, key: &str) -> Self {
        let mut settings =
            identity::Settings::new("http://localhost:8080", Secret::new("a secret of the tests"));
        settings.password_cost = Cost { memory_kib: 64, passes: 1 };
        let identity = Identity::new(store.clone(), clock.clone(), settings);
        let settings = payments::Settings::new("http://localhost:8080").with_sandbox();
        let payments = Payments::new(store.clone(), clock.clone(), identity.clone(), settings).unwrap();
        let settings = orders::Settings::default();
        let orders = Orders::new(store.clone(), clock.clone(), identity.clone(), payments.clone(), settings);
        let folder =
            MailConfig::Folder { folder: mails.path().to_owned(), from: "fondaco@example.com".to_owned() };
        let mailer = Mailer::new(&folder).unwrap();
        let vault = Vault::new(&Secret::new(key)).unwrap();
        let tickets = Tickets::new(store.clone(), identity.clone(), orders.clone(), mailer, vault);
        Self { store, clock, identity, payments, orders, tickets, mails }
    }

    pub fn restarted(&self, key: &str) -> Self {
        Self::with(self.store.clone(), self.clock.clone(), Arc::clone(&self.mails), key)
    }

    pub fn later(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    pub fn person(&self, name: &str) -> Caller {
        self.with_roles(name, &[Role::User])
    }

    pub fn organiser(&self) -> Caller {
        self.with_roles("organiser", &[Role::User, Role::Publisher])
    }

    pub fn operator(&self) -> Caller {
        self.with_roles("boss", &[Role::Admin])
    }

    pub fn stranger(&self) -> Caller {
        Caller::stranger(self.clock.now())
    }

    pub fn with_roles(&self, name: &str, roles: &[Role]) -> Caller {
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

    /// An account that the database knows, signed in.
    pub async fn registered(&self, name: &str) -> Caller {
        let new = NewAccount {
            username: name.to_owned(),
            email: format!("{name}@example.com"),
            password: Secret::new("plum tree 9"),
            display_name: String::new(),
        };
        let terms = Terms { roles: Roles::of(&[Role::User]), verified: true, easy_password: false };
        self.identity.create_user(&Caller::system(self.clock.now()), new, terms).await.unwrap();
        let signed_in =
            self.identity.sign_in(&self.stranger(), name, &Secret::new("plum tree 9")).await.unwrap();
        Caller { ctx: Ctx::local(self.clock.now()), actor: Some(signed_in.actor) }
    }

    pub fn text(&self) -> EventText {
        let from = |days: u64| START.after(Duration::from_secs(days * DAY));
        EventText {
            title: "Così fan tutte".to_owned(),
            description: "Two acts, one break.".to_owned(),
            place: "Teatro Comunale".to_owned(),
            address: "Largo Respighi 1, Bologna".to_owned(),
            zone: "Europe/Rome".to_owned(),
            starts_at: from(10),
            ends_at: from(10).after(Duration::from_secs(10_800)),
            sale_from: None,
            sale_until: None,
            return_until: Some(from(5)),
            hold_seconds: Some(900),
            extension_seconds: Some(300),
            waiting_room: None,
        }
    }

    pub async fn draft(
        &self,
        text: EventText,
        categories: &[(&str, i64, Admission)],
    ) -> (Event, Vec<Category>) {
        let by = self.organiser();
        let event = self.tickets.create_event(&by, None, text, Currency::USD).await.unwrap();
        let mut made = Vec::new();
        for (name, minor, admission) in categories {
            let new =
                NewCategory { name: (*name).to_owned(), price: usd(*minor), admission: admission.clone() };
            made.push(self.tickets.add_category(&by, &event.id, new).await.unwrap());
        }
        (event, made)
    }

    pub async fn on_sale(
        &self,
        text: EventText,
        categories: &[(&str, i64, Admission)],
    ) -> (Event, Vec<Category>) {
        let (event, made) = self.draft(text, categories).await;
        let event =
            self.tickets.publish_event(&self.organiser(), &event.id, Expected::Whatever).await.unwrap();
        (event, made)
    }

    /// A published event with so many tickets at 19 dollars.
    pub async fn concert(&self, capacity: u32) -> (Event, Category) {
        let all = [("Admission", 1_900, Admission::General(capacity))];
        let (event, mut made) = self.on_sale(self.text(), &all).await;
        (event, made.remove(0))
    }

    pub async fn place(&self, by: &Caller, items: Vec<Want>) -> Result<Placed, OrderError> {
        self.orders.place(by, NewOrder { items, ..NewOrder::default() }).await
    }

    /// Orders and pays; answers the tickets that came of it.
    pub async fn buys(&self, by: &Caller, items: Vec<Want>) -> Vec<Ticket> {
        let placed = self.place(by, items).await.unwrap();
        self.pays(by, &placed).await;
        let mine = self.mine(by).await;
        mine.into_iter().filter(|ticket| ticket.order.as_ref() == Some(&placed.order.id)).collect()
    }

    pub async fn pays(&self, by: &Caller, placed: &Placed) {
        let token = Source::Token("tok_visa".to_owned());
        self.orders.pay(by, &placed.order.id, token, None).await.unwrap();
        self.settle_down().await;
    }

    pub async fn mine(&self, by: &Caller) -> Vec<Ticket> {
        let page = self.tickets.own_tickets(by, Paging { limit: 100, offset: 0 }).await.unwrap();
        page.items.into_iter().map(|view| view.ticket).collect()
    }

    pub async fn state_of(&self, by: &Caller, ticket: &Ticket) -> TicketState {
        self.tickets.ticket(by, &ticket.id).await.unwrap().ticket.state
    }

    pub async fn code(&self, by: &Caller, ticket: &Ticket) -> String {
        self.tickets.code(by, &ticket.id).await.unwrap().1
    }

    /// Lets a minute go by, so that captures and refunds go through.
    pub async fn settle_down(&self) {
        for _ in 0..6 {
            self.later(10);
            self.payments.sweep().await.unwrap();
        }
    }

    /// Lets background work run for a moment, then the money.
    pub async fn work(&self) {
        let runner = jobs::Runner::new(self.store.clone(), self.clock.clone());
        let runner = self.tickets.jobs(runner, self.clock.clone());
        runner.run(tokio::time::sleep(Duration::from_millis(700))).await;
        self.settle_down().await;
    }

    /// The events of a kind, at least so many: on PostgreSQL the log shows an event only when no older transaction of the
    /// whole server is running, so this waits for them.
    pub async fn told(&self, kind: &str, at_least: usize) -> Vec<Told> {
        let (log, mut all, mut after) = (Log::new(self.store.clone()), Vec::new(), Position::START);
        for _ in 0..500 {
            let some = log.after(after).await.unwrap();
            if let Some(last) = some.last() {
                after = last.position;
                all.extend(some.into_iter().filter(|event| event.kind == kind));
            } else if all.len() >= at_least {
                break;
            } else {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
        all
    }

    /// The text of the last message that was sent.
    pub fn last_mail(&self) -> String {
        let files = std::fs::read_dir(self.mails.path()).unwrap().map(|file| file.unwrap().path());
        let mut files: Vec<_> = files.collect();
        files.sort();
        std::fs::read_to_string(files.last().unwrap()).unwrap().replace("=\r\n", "").replace("=3D", "=")
    }

    pub fn waiting_room(&self, per_minute: u32) -> EventText {
        let opens_at = START.after(Duration::from_secs(600));
        let room = WaitingRoom { opens_at, per_minute, stay_seconds: 600 };
        EventText { waiting_room: Some(room), ..self.text() }
    }
}
