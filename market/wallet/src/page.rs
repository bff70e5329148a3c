//! The page `/wallet`: what there is, topping up, the rules, the history. Every form posts to the page itself, so that
//! who signs in anew comes back to it; it works without script.

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use http::StatusCode;
use identity::{Visit, done};
use kernel::{Currency, Money, Paging};
use ledger::Balance;
use payments::{Card, Method, MethodId, Payments, Source};
use web::face::parts::{Choice, Tab};
use web::face::{self, FormState, Shell, Typed, Wrong};
use web::idempotency::{Key, Request};
use web::{Access, Expected, Failure, Form, Query, Routes};

use crate::alert::{Alert, AlertChange};
use crate::api::Asked;
use crate::auto::AutoChange;
use crate::error::WalletError;
use crate::history::{Entry, Filter, History};
use crate::rule::{AutoTopUp, MOST_PER_DAY, Stopped};
use crate::settings::Settings;
use crate::start::NewTopUp;
use crate::top_up::{TopUp, TopUpState};
use crate::{TopUpId, Wallets};

/// How many entries of the history one page shows.
const ROWS: u32 = 20;
/// How many top-ups are looked at for those that are on their way.
const RECENT: u32 = 20;
/// Where the page is.
const HOME: &str = "/wallet";
/// The choice of a card that is not saved.
const NEW_CARD: &str = "card";

type Answer = Result<Response, Failure>;

/// The pages of this room.
#[must_use]
pub fn pages(wallets: Wallets) -> Routes {
    Routes::new().get(HOME, Access::Account, show).post(HOME, Access::Account, act).with_state(wallets)
}

/// A form that was refused, and which one.
struct Refused {
    which: &'static str,
    status: StatusCode,
    form: FormState,
    /// Names the top-up that the form may begin.
    key: String,
}

#[derive(Template)]
#[template(path = "wallet.html")]
struct WalletPage {
    shell: Shell,
    /// This wallet's address.
    here: String,
    /// The address of its history as a table.
    csv: String,
    organisation: Option<String>,
    tabs: Vec<Tab>,
    balance: Balance,
    limits: String,
    is_sandbox: bool,
    has_gateway: bool,
    methods: Vec<Choice>,
    ways: Vec<Choice>,
    pending: Vec<TopUp>,
    /// Names the top-up that the form begins: sent twice, it is the same.
    key: String,
    top_up: FormState,
    auto: FormState,
    alert: FormState,
    rule: Option<AutoTopUp>,
    low: Option<Money>,
    history: Vec<Entry>,
    filter: FormState,
    directions: Vec<Choice>,
    is_filtered: bool,
    older: Option<String>,
}

impl WalletPage {
    /// Why the rule was switched off by itself.
    fn stopped(&self) -> Option<Stopped> {
        self.rule.as_ref().and_then(|rule| rule.reason)
    }

    /// What of a top-up of the history may still go back.
    fn refundable(&self, entry: &Entry) -> Option<(TopUpId, Money)> {
        let top_up = entry.top_up.as_ref()?;
        let left = (top_up.amount.minor - top_up.refunded_minor).min(self.balance.available().minor);
        let may = top_up.state == TopUpState::Paid && left > 0;
        may.then(|| (top_up.id.clone(), Money::new(left, top_up.currency())))
    }
}

/// Which wallet a page shows.
#[derive(Clone, Debug)]
struct Place {
    organisation: Option<String>,
    currency: Currency,
}

impl Place {
    fn new(settings: &Settings, organisation: Option<String>, currency: &str) -> Result<Self, WalletError> {
        let organisation = organisation.filter(|name| !name.is_empty());
        Ok(Self { organisation, currency: settings.currency(currency)? })
    }

    fn org(&self) -> Option<&str> {
        self.organisation.as_deref()
    }

    fn query(&self, more: &[(&str, &str)]) -> String {
        let mut pairs = vec![("currency", self.currency.code())];
        pairs.extend(self.org().map(|org| ("organisation", org)));
        pairs.extend(more.iter().copied().filter(|(_, value)| !value.is_empty()));
        let escape = |text: &str| text.bytes().fold(String::new(), escaped);
        pairs.iter().map(|(name, value)| format!("{name}={}", escape(value))).collect::<Vec<_>>().join("&")
    }

    fn address(&self, more: &[(&str, &str)]) -> String {
        format!("{HOME}?{}", self.query(more))
    }
}

fn escaped(mut text: String, byte: u8) -> String {
    match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => text.push(char::from(byte)),
        other => text.push_str(&format!("%{other:02X}")),
    }
    text
}

async fn show(State(wallets): State<Wallets>, visit: Visit, Query(asked): Query<Asked>) -> Answer {
    visit.account()?;
    let place = Place::new(wallets.settings(), asked.organisation.clone(), &asked.currency)?;
    page(&wallets, visit, &place, &asked, None).await
}

async fn page(
    wallets: &Wallets,
    visit: Visit,
    place: &Place,
    asked: &Asked,
    refused: Option<Refused>,
) -> Answer {
    let (by, org, currency) = (&visit.caller, place.org(), place.currency);
    let balances = wallets.balances(by, org).await?;
    let balance = balances.of(currency);
    let rule = wallets.auto_top_up(by, org, currency).await?;
    let alert = wallets.alert(by, org, currency).await?;
    let methods = wallets.payments.methods(by, org).await?;
    let recent = wallets.top_ups(by, org, currency, Paging { limit: RECENT, offset: 0 }).await?.items;
    let filter = asked.filter().unwrap_or_default();
    let History { entries, next } = wallets.history(by, org, currency, filter, asked.cursor, ROWS).await?;
    let settings = wallets.settings();
    let refused = refused.unwrap_or_else(|| Refused {
        which: "",
        status: StatusCode::OK,
        form: FormState::default(),
        key: kernel::random_text::<16>(),
    });
    let Refused { which, status, form, key } = refused;
    let form = |name: &str, known: FormState| if name == which { form.clone() } else { known };
    let older =
        next.map(|next| place.address(&[("direction", &asked.direction), ("cursor", &next.to_string())]));
    let mut shell =
        visit.shell.page("Wallet", "wallet").with_sheet(face::Sheet::Market).crumb("Account", "/account");
    if let Some(org) = org {
        shell = shell.crumb(org.to_owned(), &format!("/account/organisations/{org}"));
    }
    let page = WalletPage {
        shell: shell.crumb("Wallet", ""),
        here: place.address(&[]),
        csv: format!("/api/wallet/history.csv?{}", place.query(&[("direction", &asked.direction)])),
        organisation: place.organisation.clone(),
        tabs: tabs(place, &balances.wallets),
        limits: format!(
            "{} to {} at once, up to a balance of {}.",
            settings.min(currency),
            settings.max(currency),
            settings.most(currency)
        ),
        is_sandbox: wallets.payments.is_sandbox(),
        has_gateway: wallets.payments.default_gateway().is_some(),
        ways: ways(&methods, wallets.payments.is_sandbox()),
        key,
        top_up: form("top-up", first_top_up(&methods)),
        auto: form("auto", auto_form(rule.as_ref(), &methods, currency)),
        alert: form("alert", alert_form(alert.as_ref())),
        methods: methods.iter().map(choice).collect(),
        pending: recent.into_iter().filter(|top_up| top_up.state == TopUpState::Pending).collect(),
        low: alert.filter(|alert| alert.is_low).map(|alert| alert.threshold),
        is_filtered: filter != Filter::default() || asked.cursor.is_some(),
        filter: FormState::with(&[("direction", &asked.direction)]),
        directions: [("", "All"), ("in", "In"), ("out", "Out")]
            .map(|(value, label)| Choice::new(value, label, ""))
            .into(),
        history: entries,
        balance,
        rule,
        older,
    };
    let mut response = face::html(&page.shell, &page);
    *response.status_mut() = status;
    Ok(response)
}

fn tabs(place: &Place, wallets: &[crate::WalletBalance]) -> Vec<Tab> {
    let tab = |wallet: &crate::WalletBalance| {
        let there = Place { currency: wallet.currency, ..place.clone() };
        let is_here = wallet.currency == place.currency;
        Tab::new(wallet.currency.code(), there.address(&[]), wallet.balance.available().to_string(), is_here)
    };
    if wallets.len() > 1 { wallets.iter().map(tab).collect() } else { Vec::new() }
}

fn choice(method: &Method) -> Choice {
    let label = method.view.label();
    let ends = format!("Until {:02}/{}", method.exp_month, method.exp_year);
    Choice::new(method.id.as_str(), &label, &ends)
}

/// The ways to pay: saved cards, then a new one.
fn ways(methods: &[Method], is_sandbox: bool) -> Vec<Choice> {
    let new = match is_sandbox {
        true => Choice::new(NEW_CARD, "A test card", "Type it below."),
        false => Choice::new(NEW_CARD, "Another card", "Given on the next page."),
    };
    methods.iter().map(choice).chain([new]).collect()
}

fn first_top_up(methods: &[Method]) -> FormState {
    let first = methods.first().map_or(NEW_CARD, |method| method.id.as_str());
    FormState::with(&[("source", first)])
}

fn auto_form(rule: Option<&AutoTopUp>, methods: &[Method], currency: Currency) -> FormState {
    let Some(rule) = rule else {
        let method = methods.first().map_or("", |method| method.id.as_str());
        return FormState::with(&[("methodId", method), ("maxPerDay", "3"), ("autoVersion", "0")]);
    };
    let limit =
        rule.monthly_limit_minor.map_or_else(String::new, |minor| Money::new(minor, currency).major());
    FormState::with(&[
        ("autoEnabled", if rule.enabled { "yes" } else { "" }),
        ("autoThreshold", &rule.threshold.major()),
        ("autoAmount", &rule.amount.major()),
        ("methodId", rule.method.as_str()),
        ("maxPerDay", &rule.max_per_day.to_string()),
        ("monthlyLimit", &limit),
        ("autoVersion", &rule.version.to_string()),
    ])
}

fn alert_form(alert: Option<&Alert>) -> FormState {
    let Some(alert) = alert else { return FormState::with(&[("alertVersion", "0")]) };
    FormState::with(&[
        ("alertEnabled", if alert.enabled { "yes" } else { "" }),
        ("alertThreshold", &alert.threshold.major()),
        ("alertVersion", &alert.version.to_string()),
    ])
}

/// Everything that the page's buttons do.
async fn act(
    State(wallets): State<Wallets>,
    visit: Visit,
    Query(asked): Query<Asked>,
    Form(typed): Form<Typed>,
) -> Answer {
    visit.account()?;
    let place = Place::new(wallets.settings(), asked.organisation.clone(), &asked.currency)?;
    let (which, result) = match typed.get("do") {
        "auto" => ("auto", set_auto(&wallets, &visit, &place, &typed).await),
        "alert" => ("alert", set_alert(&wallets, &visit, &place, &typed).await),
        "refund" => ("refund", refund(&wallets, &visit, &place, &typed).await),
        _ => ("top-up", top_up(&wallets, &visit, &place, &typed).await),
    };
    match result {
        Ok(response) => Ok(response),
        Err(error) => {
            let error = at_fields_of(which, error);
            // A form is good for one top-up. One that was declined has ended: another card is another top-up.
            let key = match (&error, typed.get("key")) {
                (WalletError::Declined(_), _) | (_, "") => kernel::random_text::<16>(),
                (_, key) => key.to_owned(),
            };
            // What the bank says is mended by typing too: another card.
            let wrong = match &error {
                WalletError::Declined(_) => Wrong::told(error, &typed),
                _ => Wrong::of(error, &typed)?,
            };
            let (status, form) = wrong.into_parts();
            let which = if which == "refund" { "top-up" } else { which };
            page(&wallets, visit, &place, &asked, Some(Refused { which, status, form, key })).await
        }
    }
}

/// The page has several forms with an amount; each has fields of its own.
fn at_fields_of(which: &str, error: WalletError) -> WalletError {
    let WalletError::Invalid(mut errors) = error else { return error };
    for error in &mut errors {
        error.pointer = match (which, error.pointer.as_ref()) {
            ("auto", "/threshold") => "/autoThreshold".into(),
            ("auto", "/amount") => "/autoAmount".into(),
            ("alert", "/threshold") => "/alertThreshold".into(),
            _ => continue,
        };
    }
    WalletError::Invalid(errors)
}

/// An amount as people type it.
fn amount(
    typed: &Typed,
    name: &str,
    pointer: &'static str,
    currency: Currency,
) -> Result<Money, WalletError> {
    Money::parse(typed.get(name), currency).map_err(|error| {
        let detail = error.to_string();
        let mut letters = detail.chars();
        let first: String = letters.next().into_iter().flat_map(char::to_uppercase).collect();
        WalletError::field(pointer, format!("{first}{}.", letters.as_str()))
    })
}

async fn top_up(
    wallets: &Wallets,
    visit: &Visit,
    place: &Place,
    typed: &Typed,
) -> Result<Response, WalletError> {
    let amount = amount(typed, "amount", "/amount", place.currency)?;
    let source = match typed.get("source") {
        NEW_CARD if wallets.payments.is_sandbox() => Source::Card(card(typed)),
        NEW_CARD => Source::Browser,
        id => Source::Method(id.parse().map_err(|_| WalletError::field("/source", "Choose how to pay."))?),
    };
    // The form is good for one top-up: sent twice, it is the same.
    let key = Key(Some(typed.get("key").to_owned()).filter(|key| (1..=64).contains(&key.len())));
    let user = &visit.caller.account()?.user;
    let scope = format!("{user} POST {HOME} {}", place.org().unwrap_or_default());
    let code = if let Source::Card(card) = &source { card.code() } else { None };
    let asked = (amount.minor, amount.currency.code(), typed.get("source"), code);
    let request = Request::new(key, scope, &asked);
    let new = NewTopUp { amount, source };
    let (top_up, payment) = wallets.top_up(&visit.caller, place.org(), &new, request).await?;
    let top_up = wallets.arrival(top_up, &payment).await?;
    let here = place.address(&[]);
    match (top_up.state, &top_up.failure) {
        (TopUpState::Failed | TopUpState::Cancelled, Some(reason)) => {
            Err(WalletError::Declined(reason.clone()))
        }
        (TopUpState::Paid, _) => Ok(done(&here, &format!("{} is in the wallet.", top_up.amount))),
        _ => match Payments::next_page(&payment) {
            Some(next) => Ok(Redirect::to(&next).into_response()),
            None => {
                Ok(done(&here, "The bank has not answered yet. The money is in the wallet once it does."))
            }
        },
    }
}

fn card(typed: &Typed) -> Card {
    let (month, year) = typed.get("expiry").split_once('/').unwrap_or((typed.get("expiry"), ""));
    Card {
        number: typed.get("number").to_owned(),
        exp_month: month.trim().to_owned(),
        exp_year: year.trim().to_owned(),
        cvc: typed.get("cvc").to_owned(),
    }
}

fn version(typed: &Typed, name: &str) -> Expected {
    typed.get(name).parse().map_or(Expected::Whatever, Expected::ByBody)
}

async fn set_auto(
    wallets: &Wallets,
    visit: &Visit,
    place: &Place,
    typed: &Typed,
) -> Result<Response, WalletError> {
    let currency = place.currency;
    let limit = match typed.get("monthlyLimit").trim() {
        "" => None,
        _ => Some(amount(typed, "monthlyLimit", "/monthlyLimit", currency)?.minor),
    };
    let method: Result<MethodId, _> = typed.get("methodId").parse();
    let change =
        AutoChange {
            enabled: !typed.get("autoEnabled").is_empty(),
            threshold: amount(typed, "autoThreshold", "/threshold", currency)?,
            amount: amount(typed, "autoAmount", "/amount", currency)?,
            method: method.map_err(|_| WalletError::field("/methodId", "Choose one of the saved cards."))?,
            max_per_day: typed.get("maxPerDay").trim().parse().map_err(|_| {
                WalletError::field("/maxPerDay", format!("Choose 1 to {MOST_PER_DAY} times."))
            })?,
            monthly_limit_minor: limit,
        };
    let seen = version(typed, "autoVersion");
    let rule = wallets.set_auto_top_up(&visit.caller, place.org(), &change, seen).await?;
    let words = if rule.enabled { "The automatic top-up is on." } else { "The automatic top-up is off." };
    Ok(done(&place.address(&[]), words))
}

async fn set_alert(
    wallets: &Wallets,
    visit: &Visit,
    place: &Place,
    typed: &Typed,
) -> Result<Response, WalletError> {
    let threshold = amount(typed, "alertThreshold", "/threshold", place.currency)?;
    let change = AlertChange { enabled: !typed.get("alertEnabled").is_empty(), threshold };
    let seen = version(typed, "alertVersion");
    let alert = wallets.set_alert(&visit.caller, place.org(), change, seen).await?;
    let words = if alert.enabled { "The alert is on." } else { "The alert is off." };
    Ok(done(&place.address(&[]), words))
}

async fn refund(
    wallets: &Wallets,
    visit: &Visit,
    place: &Place,
    typed: &Typed,
) -> Result<Response, WalletError> {
    let id: TopUpId = typed.get("topUp").parse().map_err(|_| WalletError::NotFound("top-up"))?;
    let refund = wallets.refund_top_up(&visit.caller, &id, None, None).await?;
    let words = match refund.state {
        payments::RefundState::Settled => format!("{} is on its way back to the card.", refund.amount),
        payments::RefundState::Failed => {
            "The bank refused to take it back. The money is in the wallet.".to_owned()
        }
        _ => format!("{} is reserved and goes back once the bank answers.", refund.amount),
    };
    Ok(done(&place.address(&[]), &words))
}
