//! A market with a seller, and a bank that does as it is told: the gateway's side of payouts.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, clippy::panic)]

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http::HeaderMap;
use identity::{Actor, Caller, Identity, Role, Roles, Scopes, UserId, Via};
use kernel::{Clock, Currency, Money, Secret, Timestamp};
use ledger::{Account, NewTransfer};
use payments::sandbox::Sandbox;
use payments::{
    Answer, Ask, Connected, DisputeNews, Gateway, GatewayError, Instrument, Kept, Notice, Payments, Reason,
    RefundAsk, RefundOutcome, TransferOutcome, WebhookError,
};
use payouts::{NewPayout, Payout, PayoutError, PayoutId, Payouts, SellerBalance, Settings};
use store::{Migrations, Store, Tx};
use web::Ctx;
use web::idempotency::{Key, Request};

pub const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);
pub const WEEK: Duration = Duration::from_secs(7 * 86_400);

pub fn migrations() -> [Migrations; 7] {
    [
        web::MIGRATIONS,
        jobs::MIGRATIONS,
        events::MIGRATIONS,
        identity::MIGRATIONS,
        ledger::MIGRATIONS,
        payments::MIGRATIONS,
        payouts::MIGRATIONS,
    ]
}

pub fn usd(minor: i64) -> Money {
    Money::new(minor, Currency::USD)
}

/// What the bank does with the next transfer.
#[derive(Clone, Copy, Debug)]
pub enum Does {
    /// Pays, and says so.
    Pay,
    /// Pays, and its answer is lost.
    PayInSilence,
    /// Does nothing, and does not answer.
    Nothing,
    /// Refuses.
    Refuse,
    /// Pays while this process is killed: the call never comes back.
    PayAndKill,
}

/// The bank. It pays each key once, as real ones do.
#[derive(Default)]
pub struct Bank {
    pub next: Mutex<VecDeque<Does>>,
    pub paid: Mutex<HashMap<String, i64>>,
    pub calls: Mutex<u32>,
    pub ready: Mutex<bool>,
    pub name: &'static str,
}

impl Bank {
    pub fn total(&self) -> i64 {
        self.paid.lock().unwrap().values().sum()
    }

    pub fn will(&self, what: &[Does]) {
        self.next.lock().unwrap().extend(what);
    }
}

fn refused() -> TransferOutcome {
    TransferOutcome::Refused(Reason::new("account_closed", "The account is closed. Nothing was sent."))
}

impl Gateway for Bank {
    fn name(&self) -> &'static str {
        self.name
    }
    fn transfer<'a>(&'a self, key: &'a str, amount: Money, _: &'a str) -> BoxFuture<'a, TransferOutcome> {
        *self.calls.lock().unwrap() += 1;
        let does = self.next.lock().unwrap().pop_front().unwrap_or(Does::Pay);
        if matches!(does, Does::Pay | Does::PayInSilence | Does::PayAndKill) {
            self.paid.lock().unwrap().entry(key.to_owned()).or_insert(amount.minor);
        }
        let silence = || TransferOutcome::Unknown("no answer".to_owned());
        match does {
            Does::Pay => std::future::ready(TransferOutcome::Made(format!("tr-{key}"))).boxed(),
            Does::PayInSilence | Does::Nothing => std::future::ready(silence()).boxed(),
            Does::Refuse => std::future::ready(refused()).boxed(),
            Does::PayAndKill => std::future::pending().boxed(),
        }
    }
    fn connect<'a>(&'a self, key: &'a str, _: &'a str) -> BoxFuture<'a, Result<Connected, GatewayError>> {
        let reference = format!("acct-{key}");
        async move { self.connected(&reference).await }.boxed()
    }
    fn connected<'a>(&'a self, reference: &'a str) -> BoxFuture<'a, Result<Connected, GatewayError>> {
        let is_ready = *self.ready.lock().unwrap();
        let missing = if is_ready { Vec::new() } else { vec!["external_account".to_owned()] };
        std::future::ready(Ok(Connected { reference: reference.to_owned(), is_ready, missing })).boxed()
    }
    fn connect_link<'a>(
        &'a self,
        reference: &'a str,
        back: &'a str,
        _: &'a str,
    ) -> BoxFuture<'a, Result<String, GatewayError>> {
        std::future::ready(Ok(format!("https://bank.example.com/{reference}?back={back}"))).boxed()
    }
    fn authorise<'a>(&'a self, ask: &'a Ask) -> BoxFuture<'a, Answer> {
        Sandbox.authorise(ask).map(|answer| answer).boxed()
    }
    fn look<'a>(&'a self, _: &'a Ask) -> BoxFuture<'a, Answer> {
        panic!("payouts take no payments")
    }
    fn capture<'a>(&'a self, _: &'a Ask) -> BoxFuture<'a, Answer> {
        panic!("payouts take no payments")
    }
    fn cancel<'a>(&'a self, _: &'a Ask) -> BoxFuture<'a, Answer> {
        panic!("payouts take no payments")
    }
    fn refund<'a>(&'a self, _: &'a RefundAsk) -> BoxFuture<'a, RefundOutcome> {
        panic!("payouts give nothing back")
    }
    fn dispute<'a>(&'a self, _: &'a Ask) -> BoxFuture<'a, Result<Option<DisputeNews>, GatewayError>> {
        panic!("payouts have no disputes")
    }
    fn resolve(&self, _: &str) -> Result<Instrument, GatewayError> {
        Err(GatewayError::NotOffered)
    }
    fn keep<'a>(
        &'a self,
        _: Option<&'a str>,
        _: &'a str,
        _: &'a Instrument,
    ) -> BoxFuture<'a, Result<(Option<String>, Kept), GatewayError>> {
        panic!("payouts keep no cards")
    }
    fn forget<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<(), GatewayError>> {
        panic!("payouts keep no cards")
    }
    fn verify(&self, _: &HeaderMap, _: &[u8], _: Timestamp) -> Result<Notice, WebhookError> {
        Err(WebhookError::Off)
    }
}

pub struct Market {
    pub store: Store,
    pub clock: Clock,
    pub identity: Identity,
    pub payouts: Payouts,
    pub bank: Arc<Bank>,
}

impl Market {
    /// With a bank at which everybody has an account, as at the sandbox.
    pub fn on(store: Store) -> Self {
        Self::with(store, "sandbox", true)
    }

    pub fn with(store: Store, name: &'static str, ready: bool) -> Self {
        let clock = Clock::fixed(NOW);
        let settings = identity::Settings::new("http://localhost:8080", Secret::new("a secret of the tests"));
        let identity = Identity::new(store.clone(), clock.clone(), settings);
        let bank = Arc::new(Bank { name, ready: Mutex::new(ready), ..Bank::default() });
        let payments = Payments::with_gateways(
            store.clone(),
            clock.clone(),
            identity.clone(),
            payments::Settings::new("http://localhost:8080"),
            vec![bank.clone()],
        );
        let settings = Settings { minimum: 5, public_url: "http://localhost:8080".to_owned() };
        let payouts = Payouts::new(store.clone(), clock.clone(), identity.clone(), payments, settings);
        Self { store, clock, identity, payouts, bank }
    }

    pub fn person(&self, name: &str) -> Caller {
        let actor = Actor {
            user: format!("user-{name}").parse::<UserId>().unwrap(),
            username: name.into(),
            roles: Roles::of(&[Role::User]),
            scopes: Scopes::all(),
            via: Via::System,
            memberships: Arc::new([]),
        };
        Caller { ctx: Ctx::local(self.clock.now()), actor: Some(actor) }
    }

    pub fn ada(&self) -> Caller {
        self.person("ada")
    }

    async fn post(&self, journal: &str, transfers: Vec<NewTransfer>) {
        let (now, journal) = (self.clock.now(), journal.to_owned());
        let work = async move |tx: &mut Tx| ledger::post(tx, now, &journal, &transfers).await;
        self.store.write(work).await.unwrap();
    }

    fn seller() -> Account {
        Account::Seller("user-ada".parse().unwrap())
    }

    /// Ada sells something; it matures in a week.
    pub async fn sell(&self, order: &str, minor: i64) {
        let sale = NewTransfer::new(Account::Clearing(self.bank.name), Self::seller(), usd(minor), "sale");
        let at = self.clock.now().after(WEEK);
        self.post(&format!("payment-{order}/capture"), vec![sale.maturing(at)]).await;
    }

    /// The buyer gets something back.
    pub async fn refund(&self, order: &str, minor: i64) {
        let refund =
            NewTransfer::new(Self::seller(), Account::Clearing(self.bank.name), usd(minor), "refund");
        self.post(&format!("refund-{order}"), vec![refund]).await;
    }

    pub async fn balance(&self) -> SellerBalance {
        self.payouts.overview(&self.ada(), None).await.unwrap().balances[0]
    }

    pub async fn request(&self, amount: Option<i64>, key: Option<&str>) -> Result<PayoutId, PayoutError> {
        let new = NewPayout { org: None, currency: Currency::USD, amount: amount.map(usd) };
        let request = Request::new(Key(key.map(str::to_owned)), "ada", &amount);
        let stored = self.payouts.request(&self.ada(), new, request).await?;
        let body: serde_json::Value = serde_json::from_slice(&stored.body).unwrap();
        Ok(body["payoutId"].as_str().unwrap().parse().unwrap())
    }

    pub async fn find(&self, id: &PayoutId) -> Payout {
        self.payouts.find(&self.ada(), id).await.unwrap()
    }

    /// The books are right, and what the bank paid is what left them.
    pub async fn check(&self) {
        let findings = self.store.read(async |tx: &mut Tx| ledger::audit(tx).await).await.unwrap();
        assert_eq!(findings, []);
    }

    /// The types of all events so far. On PostgreSQL they are seen once every transaction of the server has ended that
    /// ran when they were written, those of other tests too.
    pub async fn events(&self) -> Vec<String> {
        let log = events::Log::new(self.store.clone());
        for _ in 0..100 {
            let events = log.after(events::Position::START).await.unwrap();
            if !events.is_empty() {
                return events.iter().map(|event| event.kind.to_string()).collect();
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Vec::new()
    }
}
