//! What the tests of this room stand on: a till, which is a room above that sells one thing, and a gateway that can be
//! stopped in the middle of a call as a kill would.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, clippy::panic)]

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use events::{Event, Log, Position};
use futures_util::future::BoxFuture;
use http::HeaderMap;
use identity::{AccountId, Actor, Caller, Identity, Role, Roles, Scopes, Via};
use kernel::{Clock, Currency, Money, Secret, Timestamp};
use ledger::{Account, NewTransfer};
use payments::sandbox::Sandbox;
use payments::{
    Answer, Ask, Card, Dispute, DisputeNews, DisputeState, Gateway, GatewayError, Instrument, Kept,
    NewPayment, NewRefund, Notice, Outcome, Payment, PaymentError, Payments, Purpose, Reason, Refund,
    RefundAsk, RefundOutcome, Settings, Source, Told, Verdict, WebhookError,
};
use store::{Migrations, Store, Tx};
use web::Ctx;

pub const START: Timestamp = Timestamp::from_secs(1_800_000_000);

pub fn migrations() -> [Migrations; 6] {
    [
        web::MIGRATIONS,
        jobs::MIGRATIONS,
        events::MIGRATIONS,
        identity::MIGRATIONS,
        ledger::MIGRATIONS,
        payments::MIGRATIONS,
    ]
}

pub fn usd(minor: i64) -> Money {
    Money::new(minor, Currency::USD)
}

pub fn seller() -> AccountId {
    "user-seller".parse().unwrap()
}

/// A room above: what it sells may be gone by the time the money comes. It counts what it is told.
#[derive(Default)]
pub struct Till {
    pub is_shut: AtomicBool,
    pub told: std::sync::Mutex<Vec<&'static str>>,
}

impl Till {
    fn note(&self, what: &'static str) {
        self.told.lock().unwrap().push(what);
    }
}

fn sale(payment: &Payment) -> NewTransfer {
    NewTransfer::new(payment.funds(), Account::Seller(seller()), payment.amount, "sale")
}

fn back(payment: &Payment, refund: &Refund) -> NewTransfer {
    NewTransfer::new(Account::Seller(seller()), payment.funds(), refund.amount, "refund")
}

impl Purpose for Till {
    fn name(&self) -> &'static str {
        "till"
    }

    fn authorised<'a>(&'a self, _: &'a mut Tx, _: Timestamp, _: &'a Payment) -> Told<'a, Verdict> {
        Box::pin(async move {
            if self.is_shut.load(Ordering::SeqCst) {
                return Ok(Verdict::GiveBack(Reason::new("gone", "The thing is gone.")));
            }
            Ok(Verdict::Capture)
        })
    }

    fn captured<'a>(&'a self, tx: &'a mut Tx, now: Timestamp, payment: &'a Payment) -> Told<'a> {
        Box::pin(async move {
            ledger::post(tx, now, &format!("{}/capture", payment.id), &[sale(payment)]).await?;
            self.note("captured");
            Ok(())
        })
    }

    fn failed<'a>(&'a self, _: &'a mut Tx, _: Timestamp, _: &'a Payment) -> Told<'a> {
        self.note("failed");
        payments::done()
    }

    fn cancelled<'a>(&'a self, _: &'a mut Tx, _: Timestamp, _: &'a Payment) -> Told<'a> {
        self.note("cancelled");
        payments::done()
    }

    fn refund_reserved<'a>(
        &'a self,
        tx: &'a mut Tx,
        now: Timestamp,
        payment: &'a Payment,
        refund: &'a Refund,
    ) -> Told<'a> {
        Box::pin(
            async move { Ok(ledger::reserve(tx, now, refund.id.as_str(), &[back(payment, refund)]).await?) },
        )
    }

    fn refund_settled<'a>(
        &'a self,
        tx: &'a mut Tx,
        now: Timestamp,
        _: &'a Payment,
        refund: &'a Refund,
    ) -> Told<'a> {
        Box::pin(async move { Ok(ledger::settle(tx, now, refund.id.as_str()).await?) })
    }

    fn refund_failed<'a>(
        &'a self,
        tx: &'a mut Tx,
        now: Timestamp,
        _: &'a Payment,
        refund: &'a Refund,
    ) -> Told<'a> {
        Box::pin(async move { Ok(ledger::void(tx, now, refund.id.as_str()).await?) })
    }

    fn disputed<'a>(
        &'a self,
        tx: &'a mut Tx,
        now: Timestamp,
        payment: &'a Payment,
        dispute: &'a Dispute,
    ) -> Told<'a> {
        Box::pin(async move {
            let held = Account::Disputes(payment.gateway);
            let (debit, credit) = match dispute.state {
                DisputeState::Opened => (held, payment.funds()),
                DisputeState::Won => (payment.funds(), held),
                DisputeState::Lost => (Account::Seller(seller()), held),
            };
            let leg = NewTransfer::new(debit, credit, dispute.amount, "dispute");
            Ok(ledger::post(tx, now, &format!("{}/{}", dispute.id, dispute.state.as_str()), &[leg]).await?)
        })
    }
}

/// The sandbox behind a door: at the chosen call it answers nobody any more, before or after the bank did its work.
pub struct Door {
    pub bank: Sandbox,
    /// Which call hangs; 0 for none.
    pub hangs_at: AtomicUsize,
    pub calls: AtomicUsize,
    pub captures: AtomicUsize,
    pub refunds: AtomicUsize,
    /// What the bank says next, whatever it is asked; then it is itself again.
    pub says: std::sync::Mutex<VecDeque<Outcome>>,
}

impl Door {
    fn said(&self) -> Option<Answer> {
        self.says.lock().unwrap().pop_front().map(Answer::from)
    }

    fn pass<'a, T: Send + 'a>(&'a self, answer: BoxFuture<'a, T>) -> BoxFuture<'a, T> {
        let call = self.calls.fetch_add(1, Ordering::SeqCst) + 1;
        let hangs = call == self.hangs_at.load(Ordering::SeqCst);
        Box::pin(async move {
            let answer = answer.await;
            if hangs {
                std::future::pending::<()>().await;
            }
            answer
        })
    }
}

impl Gateway for Door {
    fn name(&self) -> &'static str {
        self.bank.name()
    }
    fn authorise<'a>(&'a self, ask: &'a Ask) -> BoxFuture<'a, Answer> {
        self.pass(self.bank.authorise(ask))
    }
    fn look<'a>(&'a self, ask: &'a Ask) -> BoxFuture<'a, Answer> {
        match self.said() {
            Some(answer) => self.pass(Box::pin(std::future::ready(answer))),
            None => self.pass(self.bank.look(ask)),
        }
    }
    fn capture<'a>(&'a self, ask: &'a Ask) -> BoxFuture<'a, Answer> {
        self.captures.fetch_add(1, Ordering::SeqCst);
        match self.said() {
            Some(answer) => self.pass(Box::pin(std::future::ready(answer))),
            None => self.pass(self.bank.capture(ask)),
        }
    }
    fn cancel<'a>(&'a self, ask: &'a Ask) -> BoxFuture<'a, Answer> {
        match self.said() {
            Some(answer) => self.pass(Box::pin(std::future::ready(answer))),
            None => self.pass(self.bank.cancel(ask)),
        }
    }
    fn refund<'a>(&'a self, ask: &'a RefundAsk) -> BoxFuture<'a, RefundOutcome> {
        self.refunds.fetch_add(1, Ordering::SeqCst);
        self.pass(self.bank.refund(ask))
    }
    fn dispute<'a>(&'a self, ask: &'a Ask) -> BoxFuture<'a, Result<Option<DisputeNews>, GatewayError>> {
        self.pass(self.bank.dispute(ask))
    }
    fn look_again_at(&self, ask: &Ask) -> Option<Timestamp> {
        self.bank.look_again_at(ask)
    }
    fn notices(&self, ask: &Ask) -> Vec<Notice> {
        self.bank.notices(ask)
    }
    fn resolve(&self, token: &str) -> Result<Instrument, GatewayError> {
        self.bank.resolve(token)
    }
    fn keep<'a>(
        &'a self,
        customer: Option<&'a str>,
        account: &'a str,
        instrument: &'a Instrument,
    ) -> BoxFuture<'a, Result<(Option<String>, Kept), GatewayError>> {
        self.bank.keep(customer, account, instrument)
    }
    fn forget<'a>(&'a self, instrument: &'a str) -> BoxFuture<'a, Result<(), GatewayError>> {
        self.bank.forget(instrument)
    }
    fn verify(&self, headers: &HeaderMap, body: &[u8], now: Timestamp) -> Result<Notice, WebhookError> {
        self.bank.verify(headers, body, now)
    }
}

pub struct Market {
    pub store: Store,
    pub clock: Clock,
    pub payments: Payments,
    pub till: Arc<Till>,
    pub door: Arc<Door>,
}

impl Market {
    pub fn on(store: Store) -> Self {
        let till = Arc::new(Till::default());
        Self::with(store, Clock::fixed(START), till)
    }

    fn with(store: Store, clock: Clock, till: Arc<Till>) -> Self {
        let settings = identity::Settings::new("http://localhost:8080", Secret::new("a secret of the tests"));
        let identity = Identity::new(store.clone(), clock.clone(), settings);
        let door = Arc::new(Door {
            bank: Sandbox,
            hangs_at: AtomicUsize::new(0),
            calls: AtomicUsize::new(0),
            captures: AtomicUsize::new(0),
            refunds: AtomicUsize::new(0),
            says: std::sync::Mutex::default(),
        });
        let payments = Payments::with_gateways(
            store.clone(),
            clock.clone(),
            identity,
            Settings::new("http://localhost:8080").with_sandbox(),
            vec![Arc::clone(&door) as Arc<dyn Gateway>],
        );
        payments.serve(Arc::clone(&till) as Arc<dyn Purpose>);
        Self { store, clock, payments, till, door }
    }

    /// The market after a kill: what was only in memory is gone.
    pub fn again(&self) -> Self {
        Self::with(self.store.clone(), self.clock.clone(), Arc::clone(&self.till))
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

    pub fn sale(subject: &str, minor: i64, source: Source) -> NewPayment {
        NewPayment {
            purpose: "till",
            subject: subject.to_owned(),
            payer: "user-ada".parse().unwrap(),
            amount: usd(minor),
            source,
            key: None,
            description: "A thing".to_owned(),
        }
    }

    pub async fn begin(&self, new: NewPayment) -> Result<Payment, PaymentError> {
        let (payments, now) = (self.payments.clone(), self.clock.now());
        self.store.write(async move |tx: &mut Tx| payments.begin(tx, now, &new).await).await
    }

    /// Pays with this test card and answers what the buyer is told.
    pub async fn pay(&self, subject: &str, token: &str) -> Payment {
        let payment = self.begin(Self::sale(subject, 1_000, Source::Token(token.to_owned()))).await.unwrap();
        self.payments.submit(&payment).await.unwrap()
    }

    /// Pays and lets the worker take the money.
    pub async fn paid(&self, subject: &str, token: &str) -> Payment {
        let payment = self.pay(subject, token).await;
        self.settle_down().await;
        self.payments.find(&payment.id).await.unwrap()
    }

    /// Lets time go by until nothing is due any more for a minute.
    pub async fn settle_down(&self) {
        for _ in 0..6 {
            self.later(10);
            self.payments.sweep().await.unwrap();
        }
    }

    pub async fn begin_refund(&self, new: NewRefund) -> Result<Refund, PaymentError> {
        let (payments, now) = (self.payments.clone(), self.clock.now());
        self.store.write(async move |tx: &mut Tx| payments.begin_refund(tx, now, &new).await).await
    }

    pub async fn refund(&self, payment: &Payment, minor: i64) -> Result<Refund, PaymentError> {
        let new = NewRefund {
            payment: payment.id.clone(),
            amount: usd(minor),
            key: None,
            reason: "Returned".into(),
        };
        let refund = self.begin_refund(new).await?;
        self.payments.submit_refund(&refund.id).await
    }

    /// What an account of the ledger has, in cents: posted and reserved.
    pub async fn balance(&self, account: Account) -> (i64, i64) {
        let look = async move |tx: &mut Tx| ledger::balance(tx, &account, Currency::USD).await;
        let balance = self.store.read(look).await.unwrap();
        (balance.posted.minor, balance.reserved.minor)
    }

    /// The events of a kind, of which there should be `count`. PostgreSQL shows an event only when all older
    /// transactions of its server have ended, those of other tests too, so this waits for them.
    pub async fn events(&self, kind: &str, count: usize) -> Vec<Event> {
        let log = Log::new(self.store.clone());
        let mut found = Vec::new();
        for _ in 0..200 {
            found = log.after(Position::START).await.unwrap();
            found.retain(|event| event.kind == kind);
            if found.len() >= count {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert_eq!(found.len(), count, "{kind}");
        found
    }

    pub fn told(&self) -> Vec<&'static str> {
        self.till.told.lock().unwrap().clone()
    }
}

pub fn card(number: &str) -> Card {
    Card { number: number.into(), exp_month: "12".into(), exp_year: "40".into(), cvc: "123".into() }
}

/// Saves a card and answers it as it is listed.
pub async fn add(
    room: &Payments,
    by: &Caller,
    new: &payments::NewMethod,
    is_default: bool,
) -> Result<payments::Method, PaymentError> {
    let stored = room.add_method(by, None, new, is_default, web::idempotency::Key(None)).await?;
    let made: serde_json::Value = serde_json::from_slice(&stored.body).unwrap();
    let listed = room.methods(by, None).await?;
    Ok(listed.into_iter().find(|method| made["methodId"] == method.id.as_str()).unwrap())
}
