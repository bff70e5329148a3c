//! `/sell/payouts` and `/sell/money` for sellers, `/operator/payouts` for operators.

use std::collections::HashMap;

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use identity::orgs::OrgRole;
use identity::{AccountId, Operator, Visit, done};
use kernel::{Money, Page, Paging};
use serde::Deserialize;
use store::Tx;
use web::face::parts::{Choice, Pager, Tab};
use web::face::{self, FormState, Sheet, Shell, Typed, Wrong};
use web::idempotency::{Key, Request};
use web::{Access, Expected, Failure, Form, Query, Routes};

use crate::api::{AllAsked, currency, every};
use crate::error::PayoutError;
use crate::look::{Line, Overview};
use crate::payout::{Every, Payout, State as PayoutState};
use crate::request::NewPayout;
use crate::room::Payouts;

/// How many rows a page shows.
const ROWS: u32 = 30;

type Answer = Result<Response, Failure>;

/// The pages of this room.
#[must_use]
pub fn pages(payouts: Payouts) -> Routes {
    Routes::new()
        .get("/sell/payouts", Access::Account, show)
        .post("/sell/payouts", Access::Account, request)
        .post("/sell/payouts/schedule", Access::Account, set_schedule)
        .get("/sell/payouts/schedule", Access::Account, lead_back)
        .post("/sell/payouts/account", Access::Account, connect)
        .get("/sell/payouts/account", Access::Account, come_back)
        .get("/sell/money", Access::Account, statement)
        .get("/operator/payouts", Access::Operator, list_all)
        .with_state(payouts)
}

/// Which part, for whom.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Asked {
    org: String,
    currency: String,
    offset: u32,
}

impl Asked {
    fn org(&self) -> Option<&str> {
        Some(self.org.trim()).filter(|org| !org.is_empty())
    }
}

/// An address with what is not empty of its query.
fn address(path: &str, pairs: &[(&str, &str)]) -> String {
    let start = format!("{path}?");
    let mut query = url::form_urlencoded::Serializer::for_suffix(start.clone(), start.len());
    query.extend_pairs(pairs.iter().filter(|(_, value)| !value.is_empty()));
    query.finish().trim_end_matches('?').to_owned()
}

/// The same up to where its offset follows.
fn paged(path: &str, pairs: &[(&str, &str)]) -> String {
    let address = address(path, pairs);
    if address.contains('?') { address + "&" } else { address + "?" }
}

/// For whom the visitor may look: itself, and the organisations where it is an admin.
fn sellers(visit: &Visit, path: &str, org: &str) -> Vec<Tab> {
    let Ok(actor) = visit.account() else { return Vec::new() };
    let own = Tab::new(&actor.username, address(path, &[]), "", org.is_empty());
    let managed = actor.memberships.iter().filter(|membership| membership.role >= OrgRole::Admin);
    let orgs = managed.map(|membership| {
        Tab::new(&membership.org, address(path, &[("org", &membership.org)]), "", *membership.org == *org)
    });
    std::iter::once(own).chain(orgs).collect()
}

#[derive(Template)]
#[template(path = "payouts/payouts.html")]
struct PayoutsPage {
    shell: Shell,
    form: FormState,
    org: String,
    sellers: Vec<Tab>,
    overview: Overview,
    /// Currencies of which something is available.
    currencies: Vec<Choice>,
    schedules: Vec<Choice>,
    minimum: String,
    sandbox: bool,
    rows: Vec<Payout>,
    pager: Pager,
}

async fn show(State(payouts): State<Payouts>, visit: Visit, Query(asked): Query<Asked>) -> Answer {
    page(&payouts, visit, &asked, None).await
}

async fn page(payouts: &Payouts, visit: Visit, asked: &Asked, form: Option<FormState>) -> Answer {
    let overview = payouts.overview(&visit.caller, asked.org()).await?;
    let paging = Paging { limit: ROWS, offset: asked.offset }.checked()?;
    let found = payouts.list(&visit.caller, asked.org(), paging).await?;
    let schedule = &overview.schedule;
    let set = [("every", schedule.every.as_str()), ("minimum", &schedule.minimum.to_string())]
        .map(|(k, v)| (k, v.to_owned()));
    let set: Vec<_> = set.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let available = overview.balances.iter().filter(|balance| !balance.available.is_zero());
    let currencies = available
        .map(|balance| {
            let code = balance.currency();
            Choice::new(code.code(), &format!("{code}: {} available", balance.available), "")
        })
        .collect();
    let least = overview.balances.first().map_or(kernel::Currency::USD, crate::SellerBalance::currency);
    let page = PayoutsPage {
        sellers: sellers(&visit, "/sell/payouts", &asked.org),
        shell: visit.shell.page("Payouts - Sell", "payouts").with_sheet(Sheet::Market).crumb("Payouts", ""),
        form: form.unwrap_or_else(|| FormState::with(&set)),
        org: asked.org.clone(),
        currencies,
        schedules: [
            (Every::Manual, "When I ask"),
            (Every::Daily, "Every day"),
            (Every::Weekly, "Every Monday"),
            (Every::Monthly, "On the first of every month"),
        ]
        .map(|(every, label)| Choice::new(every.as_str(), label, ""))
        .into(),
        minimum: payouts.minimum(least).to_string(),
        sandbox: payouts.payments.is_sandbox(),
        pager: Pager::new(
            &paged("/sell/payouts", &[("org", &asked.org)]),
            ROWS,
            asked.offset,
            found.items.len(),
            found.total,
        ),
        rows: found.items,
        overview,
    };
    Ok(face::html(&page.shell, &page))
}

fn asked(typed: &Typed) -> Asked {
    Asked { org: typed.get("org").to_owned(), ..Asked::default() }
}

/// What a form did, or the page again with what was typed.
async fn answer(
    payouts: &Payouts,
    visit: Visit,
    typed: &Typed,
    outcome: Result<&'static str, PayoutError>,
) -> Answer {
    let asked = asked(typed);
    match outcome {
        Ok(words) => Ok(done(&address("/sell/payouts", &[("org", &asked.org)]), words)),
        Err(error) => {
            let wrong = Wrong::of(error, typed)?;
            let (status, form) = wrong.into_parts();
            let page = page(payouts, visit, &asked, Some(form)).await?;
            Ok((status, page).into_response())
        }
    }
}

async fn request(State(payouts): State<Payouts>, visit: Visit, Form(typed): Form<Typed>) -> Answer {
    let outcome = ask(&payouts, &visit, &typed).await;
    answer(&payouts, visit, &typed, outcome).await
}

async fn ask(payouts: &Payouts, visit: &Visit, typed: &Typed) -> Result<&'static str, PayoutError> {
    let org = asked(typed).org().map(str::to_owned);
    let currency = currency(Some(typed.get("currency")))?;
    let amount = match typed.get("amount").trim() {
        "" => None,
        text => Some(Money::parse(text, currency)?),
    };
    let new = NewPayout { org, currency, amount };
    let once = Request::new(Key(None), "page", &());
    payouts.request(&visit.caller, new, once).await?;
    payouts.hand_on();
    Ok("The payout is on its way.")
}

async fn set_schedule(State(payouts): State<Payouts>, visit: Visit, Form(typed): Form<Typed>) -> Answer {
    let outcome = schedule(&payouts, &visit, &typed).await;
    answer(&payouts, visit, &typed, outcome).await
}

async fn schedule(payouts: &Payouts, visit: &Visit, typed: &Typed) -> Result<&'static str, PayoutError> {
    let wrong = |_| PayoutError::Field { pointer: "/minimum", detail: "Write a whole number.".to_owned() };
    let minimum = match typed.get("minimum").trim() {
        "" => 0,
        text => text.parse().map_err(wrong)?,
    };
    let every = every(typed.get("every"))?;
    let asked = asked(typed);
    payouts.set_schedule(&visit.caller, asked.org(), every, minimum, Expected::default()).await?;
    Ok("The schedule is saved.")
}

async fn lead_back(_: identity::Account) -> Redirect {
    Redirect::to("/sell/payouts")
}

async fn connect(State(payouts): State<Payouts>, visit: Visit, Form(typed): Form<Typed>) -> Answer {
    let org = asked(&typed).org().map(str::to_owned);
    match payouts.connect(&visit.caller, org.as_deref()).await {
        Ok(url) => Ok(Redirect::to(&url).into_response()),
        Err(error) => answer(&payouts, visit, &typed, Err(error)).await,
    }
}

/// Where the gateway sends the seller back to.
async fn come_back(State(payouts): State<Payouts>, visit: Visit, Query(asked): Query<Asked>) -> Answer {
    let account = payouts.refresh_account(&visit.caller, asked.org()).await?;
    let words = match account {
        Some(account) if account.ready => "Your money can be paid out now.",
        _ => "The gateway still needs something from you.",
    };
    Ok(done(&address("/sell/payouts", &[("org", &asked.org)]), words))
}

#[derive(Template)]
#[template(path = "payouts/money.html")]
struct MoneyPage {
    shell: Shell,
    sellers: Vec<Tab>,
    overview: Overview,
    tabs: Vec<Tab>,
    rows: Vec<Line>,
    pager: Pager,
    /// Where the same list is as a table.
    csv: String,
}

async fn statement(State(payouts): State<Payouts>, visit: Visit, Query(asked): Query<Asked>) -> Answer {
    let overview = payouts.overview(&visit.caller, asked.org()).await?;
    let first = overview.balances.first().map(|balance| balance.currency().to_string());
    let code = Some(asked.currency.clone()).filter(|code| !code.is_empty()).or(first);
    let currency = currency(code.as_deref())?;
    let paging = Paging { limit: ROWS, offset: asked.offset }.checked()?;
    let Page { items, total } = payouts.statement(&visit.caller, asked.org(), currency, paging).await?;
    let pairs = [("org", asked.org.as_str()), ("currency", currency.code())];
    let tab = |balance: &crate::SellerBalance| {
        let code = balance.currency();
        let href = address("/sell/money", &[("org", &asked.org), ("currency", code.code())]);
        Tab::new(code.code(), href, "", code == currency)
    };
    let page = MoneyPage {
        sellers: sellers(&visit, "/sell/money", &asked.org),
        shell: visit.shell.page("Money - Sell", "sell-money").with_sheet(Sheet::Market).crumb("Money", ""),
        tabs: overview.balances.iter().map(tab).collect(),
        pager: Pager::new(&paged("/sell/money", &pairs), ROWS, asked.offset, items.len(), total),
        rows: items,
        csv: address("/api/seller/transactions.csv", &pairs),
        overview,
    };
    Ok(face::html(&page.shell, &page))
}

/// What people call the reason of a transfer.
fn reason(word: &str) -> String {
    let mut letters = word.replace('_', " ").chars().collect::<Vec<_>>();
    if let Some(first) = letters.first_mut() {
        *first = first.to_ascii_uppercase();
    }
    letters.into_iter().collect()
}

#[derive(Template)]
#[template(path = "payouts/all.html")]
struct AllPage {
    shell: Shell,
    form: FormState,
    states: Vec<Choice>,
    rows: Vec<Payout>,
    names: HashMap<String, String>,
    pager: Pager,
}

impl AllPage {
    fn name<'a>(&'a self, seller: &'a AccountId) -> &'a str {
        self.names.get(seller.as_str()).map_or(seller.as_str(), String::as_str)
    }
}

async fn list_all(
    State(payouts): State<Payouts>,
    by: Operator,
    visit: Visit,
    Query(asked): Query<AllAsked>,
) -> Answer {
    let paging = Paging { limit: ROWS, offset: asked.offset }.checked()?;
    let found = payouts.all(&by, asked.state()?, paging).await?;
    let ids: Vec<AccountId> = found.items.iter().map(|payout| payout.seller.clone()).collect();
    let read = async move |tx: &mut Tx| identity::accounts(tx, &ids).await;
    let names = payouts.store.read(read).await?;
    let states = PayoutState::ALL.map(|state| Choice::new(state.as_str(), &reason(state.as_str()), ""));
    let page = AllPage {
        shell: visit
            .shell
            .page("Payouts - Operator", "operator-payouts")
            .with_sheet(Sheet::Market)
            .crumb("Operator", "/operator/users")
            .crumb("Payouts", ""),
        form: FormState::with(&[("state", &asked.state)]),
        states: std::iter::once(Choice::new("", "All", "")).chain(states).collect(),
        names: names.into_iter().map(|account| (account.id, account.name)).collect(),
        pager: Pager::new(
            &paged("/operator/payouts", &[("state", &asked.state)]),
            ROWS,
            asked.offset,
            found.items.len(),
            found.total,
        ),
        rows: found.items,
    };
    Ok(face::html(&page.shell, &page))
}
