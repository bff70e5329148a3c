//! What the tests of this room stand on: wallets with the sandbox as their bank, a shop that is paid from them, and
//! jobs and mails as the program has them.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, clippy::panic)]

use std::sync::Arc;
use std::time::Duration;

use events::{DomainEvent, Event, Log, Position};
use identity::orgs::OrgRole;
use identity::{AccountId, Actor, Caller, Cost, Identity, Membership, NewAccount, Role, Roles, Scopes, Via};
use jobs::{Filter, Runner, State};
use kernel::{Clock, Currency, Money, Paging, Secret, Timestamp};
use ledger::{Account, NewTransfer};
use mail::{MailConfig, Mailer};
use payments::{
    Dispute, Method, NewMethod, NewPayment, NewRefund, Payment, PaymentError, Payments, Purpose, Refund,
    Source, Told, Verdict,
};
use store::{Migrations, Store, Tx};
use wallet::{AlertChange, AutoChange, AutoTopUp, NewTopUp, Settings, TopUp, WalletError, Wallets};
use web::idempotency::{Key, Request};
use web::{Ctx, Expected};

pub const START: Timestamp = Timestamp::from_secs(1_800_000_000);

pub fn migrations() -> [Migrations; 7] {
    [
        web::MIGRATIONS,
        jobs::MIGRATIONS,
        events::MIGRATIONS,
        identity::MIGRATIONS,
        ledger::MIGRATIONS,
        payments::MIGRATIONS,
        wallet::MIGRATIONS,
    ]
}

pub fn usd(minor: i64) -> Money {
    Money::new(minor, Currency::USD)
}

fn seller() -> Account {
    Account::Seller("user-seller".parse().unwrap())
}

/// A room above the payments that is paid from wallets.
struct Shop;

impl Purpose for Shop {
    fn name(&self) -> &'static str {
        "shop"
    }
    fn authorised<'a>(&'a self, _: &'a mut Tx, _: Timestamp, _: &'a Payment) -> Told<'a, Verdict> {
        Box::pin(std::future::ready(Ok(Verdict::Capture)))
    }
    fn captured<'a>(&'a self, tx: &'a mut Tx, now: Timestamp, payment: &'a Payment) -> Told<'a> {
        Box::pin(async move {
            let fee = usd(payment.amount.minor / 10);
            let rest = usd(payment.amount.minor - fee.minor);
            let legs = [
                NewTransfer::new(payment.funds(), seller(), rest, "sale"),
                NewTransfer::new(payment.funds(), Account::PlatformFees, fee, "fee"),
            ];
            Ok(ledger::post(tx, now, &format!("{}/capture", payment.id), &legs).await?)
        })
    }
    fn failed<'a>(&'a self, _: &'a mut Tx, _: Timestamp, _: &'a Payment) -> Told<'a> {
        payments::done()
    }
    fn refund_reserved<'a>(
        &'a self,
        tx: &'a mut Tx,
        now: Timestamp,
        payment: &'a Payment,
        refund: &'a Refund,
    ) -> Told<'a> {
        Box::pin(async move {
            let leg = NewTransfer::new(seller(), payment.funds(), refund.amount, "refund");
            Ok(ledger::reserve(tx, now, refund.id.as_str(), &[leg]).await?)
        })
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
    fn disputed<'a>(&'a self, _: &'a mut Tx, _: Timestamp, _: &'a Payment, _: &'a Dispute) -> Told<'a> {
        payments::done()
    }
}

/// A mark in the log: what stands before it can be read once it can be read.
#[derive(serde::Serialize)]
struct Mark {}

impl DomainEvent for Mark {
    const TYPE: &'static str = "test.mark";
    fn subject(&self) -> &str {
        "test"
    }
    fn version(&self) -> i64 {
        1
    }
}

#[derive(Clone)]
pub struct House {
    pub store: Store,
    pub clock: Clock,
    pub identity: Identity,
    pub payments: Payments,
    pub wallets: Wallets,
    mails: Arc<tempfile::TempDir>,
}

impl House {
    pub fn on(store: Store) -> Self {
        Self::with(store, Clock::fixed(START), Arc::new(tempfile::tempdir().unwrap()))
    }

    fn with(store: Store, clock: Clock, mails: Arc<tempfile::TempDir>) -> Self {
        let mut settings =
            identity::Settings::new("http://localhost:8080", Secret::new("a secret of the tests"));
        settings.password_cost = Cost { memory_kib: 64, passes: 1 };
        let identity = Identity::new(store.clone(), clock.clone(), settings);
        let settings = payments::Settings::new("http://localhost:8080").with_sandbox();
        let payments = Payments::new(store.clone(), clock.clone(), identity.clone(), settings).unwrap();
        payments.serve(Arc::new(Shop));
        let settings = Settings::new("http://localhost:8080");
        let wallets =
            Wallets::new(store.clone(), clock.clone(), identity.clone(), payments.clone(), settings);
        Self { store, clock, identity, payments, wallets, mails }
    }

    /// The house after a kill: what was only in memory is gone.
    pub fn again(&self) -> Self {
        Self::with(self.store.clone(), self.clock.clone(), Arc::clone(&self.mails))
    }

    pub fn later(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    pub fn person(&self, name: &str) -> Caller {
        self.caller(&format!("user-{name}"), name, &[Role::User], &[])
    }

    pub fn ada(&self) -> Caller {
        self.person("ada")
    }

    pub fn operator(&self) -> Caller {
        self.caller("user-root", "root", &[Role::User, Role::Admin], &[])
    }

    /// Somebody with this standing in the organisation `acme`.
    pub fn member(&self, name: &str, role: OrgRole) -> Caller {
        let acme = Membership { id: "org-acme".parse().unwrap(), org: "acme".into(), role };
        self.caller(&format!("user-{name}"), name, &[Role::User], &[acme])
    }

    fn caller(&self, id: &str, name: &str, roles: &[Role], memberships: &[Membership]) -> Caller {
        let actor = Actor {
            user: id.parse().unwrap(),
            username: name.into(),
            roles: Roles::of(roles),
            scopes: Scopes::all(),
            via: Via::Password,
            memberships: memberships.into(),
        };
        Caller { ctx: Ctx::local(self.clock.now()), actor: Some(actor) }
    }

    /// Registers somebody who reads mail.
    pub async fn registered(&self, name: &str) -> Caller {
        let new = NewAccount {
            username: name.to_owned(),
            email: format!("{name}@example.com"),
            password: Secret::new("plum tree 9"),
            display_name: String::new(),
        };
        let made = self.identity.register(&Caller::stranger(self.clock.now()), new).await.unwrap();
        let mut headers = http::HeaderMap::new();
        headers.insert("authorization", format!("Bearer {}", made.token.secret.expose()).parse().unwrap());
        let ctx = Ctx::local(self.clock.now());
        let actor = self.identity.resolve(&headers, &ctx).await.unwrap().unwrap();
        self.caller(actor.user.as_str(), name, &[Role::User], &[])
    }

    pub async fn card(&self, by: &Caller, token: &str) -> Method {
        let new = NewMethod::Token(token.to_owned());
        self.payments.add_method(by, None, &new, true, Key(None)).await.unwrap();
        self.payments.methods(by, None).await.unwrap().remove(0)
    }

    pub fn request(by: &Caller, key: Option<&str>, body: &str) -> Request {
        let scope = format!("{} test", by.account().unwrap().user);
        Request::new(Key(key.map(str::to_owned)), scope, &body)
    }

    pub async fn begin(&self, by: &Caller, minor: i64, token: &str) -> Result<(TopUp, Payment), WalletError> {
        let new = NewTopUp { amount: usd(minor), source: Source::Token(token.to_owned()) };
        self.wallets.top_up(by, None, &new, Self::request(by, None, "")).await
    }

    /// Tops a wallet up and lets the worker take the money.
    pub async fn filled(&self, by: &Caller, minor: i64) -> TopUp {
        let (top_up, _) = self.begin(by, minor, "tok_visa").await.unwrap();
        self.settle().await;
        self.wallets.top_up_of(by, &top_up.id).await.unwrap().0
    }

    pub async fn top_up(&self, by: &Caller, top_up: &TopUp) -> TopUp {
        self.wallets.top_up_of(by, &top_up.id).await.unwrap().0
    }

    /// Buys something from the wallet.
    pub async fn spend(&self, by: &Caller, minor: i64) -> Result<Payment, PaymentError> {
        let new = NewPayment {
            purpose: "shop",
            subject: "order-1".to_owned(),
            payer: AccountId::from(&by.account().unwrap().user),
            amount: usd(minor),
            source: Source::Wallet,
            key: None,
            description: "A thing".to_owned(),
        };
        let (payments, now) = (self.payments.clone(), self.clock.now());
        self.store.write(async move |tx: &mut Tx| payments.begin(tx, now, &new).await).await
    }

    /// Takes a purchase back, into the wallet.
    pub async fn give_back(&self, payment: &Payment, minor: i64) {
        let (payments, now) = (self.payments.clone(), self.clock.now());
        let new = NewRefund {
            payment: payment.id.clone(),
            amount: usd(minor),
            key: None,
            reason: "Returned".into(),
        };
        self.store.write(async move |tx: &mut Tx| payments.begin_refund(tx, now, &new).await).await.unwrap();
    }

    /// Lets the log be read, the jobs be done and the payments be captured, until nothing is due for half a minute.
    pub async fn settle(&self) {
        for _ in 0..3 {
            self.read_log().await;
            self.do_jobs().await;
            self.later(10);
            self.payments.sweep().await.unwrap();
        }
    }

    /// Lets the log be read to its end. On PostgreSQL other tests' transactions may hide its end for a moment.
    async fn read_log(&self) {
        let now = self.clock.now();
        let mark = async move |tx: &mut Tx| events::append(tx, now, &Mark {}).await;
        let mark = self.store.write(mark).await.unwrap();
        let mut follower = Log::new(self.store.clone()).follow(Position::START);
        while !follower.next().await.unwrap().iter().any(|event| event.id == mark) {}
        self.wallets.catch_up().await.unwrap();
    }

    /// Does the jobs that are due.
    pub async fn do_jobs(&self) {
        let config =
            MailConfig::Folder { folder: self.mails.path().to_owned(), from: "market@example.com".into() };
        let runner = Runner::new(self.store.clone(), self.clock.clone()).poll(Duration::from_millis(20));
        let runner = self.wallets.jobs(runner, Mailer::new(&config).unwrap());
        let idle = async {
            while self.due().await > 0 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        runner.run(idle).await;
    }

    async fn due(&self) -> usize {
        let now = self.clock.now();
        let list =
            async |tx: &mut Tx| jobs::list(tx, &Filter::default(), Paging { limit: 100, offset: 0 }).await;
        let jobs = self.store.read(list).await.unwrap().items;
        assert!(jobs.iter().all(|job| job.last_error.is_none()), "{jobs:?}");
        let is_open = |state| matches!(state, State::Waiting | State::Running);
        jobs.iter()
            .filter(|job| job.kind.starts_with("wallet.") && is_open(job.state) && job.run_at <= now)
            .count()
    }

    /// The subjects of the mails that were sent.
    pub fn mails(&self) -> Vec<String> {
        let files = std::fs::read_dir(self.mails.path()).unwrap();
        let texts = files.map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap());
        let subject =
            |text: String| text.lines().find_map(|line| line.strip_prefix("Subject: ").map(str::to_owned));
        let mut subjects: Vec<_> = texts.filter_map(subject).collect();
        subjects.sort();
        subjects
    }

    /// What somebody has: available, reserved.
    pub async fn balance(&self, by: &Caller) -> (i64, i64) {
        let balance = self.wallets.balances(by, None).await.unwrap().of(Currency::USD);
        (balance.available().minor, balance.reserved.minor)
    }

    pub async fn books(&self, account: Account) -> i64 {
        let look = async move |tx: &mut Tx| ledger::balance(tx, &account, Currency::USD).await;
        self.store.read(look).await.unwrap().posted.minor
    }

    /// Nothing is wrong in the books.
    pub async fn audit(&self) {
        let findings = self.store.read(async |tx: &mut Tx| ledger::audit(tx).await).await.unwrap();
        assert!(findings.is_empty(), "{findings:?}");
    }

    pub async fn events(&self, kind: &str) -> Vec<Event> {
        let log = Log::new(self.store.clone());
        let (mut all, mut position) = (Vec::new(), Position::START);
        loop {
            let some = log.after(position).await.unwrap();
            let Some(last) = some.last() else { return all };
            position = last.position;
            all.extend(some.into_iter().filter(|event| event.kind == kind));
        }
    }

    pub async fn top_ups(&self, by: &Caller) -> Vec<TopUp> {
        let paging = Paging { limit: 100, offset: 0 };
        self.wallets.top_ups(by, None, Currency::USD, paging).await.unwrap().items
    }

    /// A rule: below 10, top up by 20, at most three times a day.
    pub async fn rule(&self, by: &Caller, card: &Method) -> AutoTopUp {
        self.wallets.set_auto_top_up(by, None, &rule(card), Expected::Whatever).await.unwrap()
    }

    pub async fn rule_now(&self, by: &Caller) -> AutoTopUp {
        self.wallets.auto_top_up(by, None, Currency::USD).await.unwrap().unwrap()
    }

    pub async fn alert(&self, by: &Caller, minor: i64) {
        let change = AlertChange { enabled: true, threshold: usd(minor) };
        self.wallets.set_alert(by, None, change, Expected::Whatever).await.unwrap();
    }
}

pub fn rule(card: &Method) -> AutoChange {
    AutoChange {
        enabled: true,
        threshold: usd(1_000),
        amount: usd(2_000),
        method: card.id.clone(),
        max_per_day: 3,
        monthly_limit_minor: None,
    }
}
