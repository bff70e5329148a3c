//! `/operator/ledger`: the trial balance, its accounts, their transfers.

use std::collections::HashMap;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use identity::{Operator, Visit};
use kernel::{Currency, Paging};
use serde::Deserialize;
use web::face::parts::{Choice, Pager};
use web::face::{self, FormState, Sheet, Shell};
use web::{Access, Failure, Query, Routes};

use crate::api::TransfersAsked;
use crate::audit::Finding;
use crate::books::Ledger;
use crate::history::TransferView;
use crate::trial::{AccountFilter, AccountView, TrialBalance};

/// How many rows a page shows.
const ROWS: u32 = 50;

const TRANSFERS: &str = "/operator/ledger/transfers";

/// The pages of this room.
#[must_use]
pub fn routes(ledger: Ledger) -> Routes {
    Routes::new()
        .get("/operator/ledger", Access::Operator, trial)
        .get("/operator/ledger/accounts", Access::Operator, list_accounts)
        .get("/operator/ledger/transfers", Access::Operator, list_transfers)
        .get("/operator/ledger/audit", Access::Operator, check)
        .with_state(ledger)
}

/// The kinds of accounts with their names for people.
const KINDS: &[(&str, &str)] = &[
    ("clearing", "Clearing"),
    ("gateway-fees", "Gateway fees"),
    ("disputes", "Disputes"),
    ("promotions", "Promotions"),
    ("seller-debt", "Seller debt"),
    ("seller", "Sellers"),
    ("wallet", "Wallets"),
    ("platform-fees", "Platform fees"),
    ("tax", "Tax"),
    ("refund-reserve", "Refund reserve"),
    ("payouts-in-transit", "Payouts in transit"),
    ("exchange", "Exchange"),
];

/// What people call a kind.
fn kind_name(kind: &str) -> &str {
    KINDS.iter().find(|(known, _)| *known == kind).map_or(kind, |(_, name)| name)
}

/// What people call an account: `Wallets: ada`.
fn account_name(text: &str, names: &HashMap<String, String>) -> String {
    let (kind, owner) = text.split_once(':').map_or((text, None), |(kind, owner)| (kind, Some(owner)));
    match owner {
        None => kind_name(kind).to_owned(),
        Some(owner) => format!("{}: {}", kind_name(kind), names.get(owner).map_or(owner, String::as_str)),
    }
}

/// Why money moved, as the first word of a row.
fn capital(reason: &str) -> String {
    let mut letters = reason.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

fn shell(visit: Visit, title: &str, crumb: &str) -> Shell {
    let shell = visit.shell.page(format!("{title} - Operator"), "ledger").with_sheet(Sheet::Market);
    let shell = shell.crumb("Operator", "/operator/users");
    if crumb.is_empty() {
        return shell.crumb("Ledger", "");
    }
    shell.crumb("Ledger", "/operator/ledger").crumb(crumb, "")
}

#[derive(Template)]
#[template(path = "ledger/trial.html")]
struct TrialPage {
    shell: Shell,
    form: FormState,
    currencies: Vec<TrialBalance>,
}

async fn trial(State(ledger): State<Ledger>, by: Operator, visit: Visit) -> Result<Response, Failure> {
    let currencies = ledger.trial_balance(&by).await?;
    let page = TrialPage { shell: shell(visit, "Ledger", ""), form: FormState::default(), currencies };
    Ok(face::html(&page.shell, &page))
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct AccountsAsked {
    kind: String,
    currency: String,
    owner: String,
    offset: u32,
}

#[derive(Template)]
#[template(path = "ledger/accounts.html")]
struct AccountsPage {
    shell: Shell,
    form: FormState,
    kinds: Vec<Choice>,
    rows: Vec<AccountView>,
    names: HashMap<String, String>,
    pager: Pager,
}

/// The address of a list, up to where its offset follows.
fn address(list: &str, pairs: &[(&str, &str)]) -> String {
    let start = format!("{list}?");
    let mut query = url::form_urlencoded::Serializer::for_suffix(start.clone(), start.len());
    query.extend_pairs(pairs.iter().filter(|(_, value)| !value.is_empty()));
    let query = query.finish();
    if query == start { query } else { query + "&" }
}

/// Where the transfers of an account are.
fn transfers_of(account: &str, currency: &Currency) -> String {
    let list = address(TRANSFERS, &[("account", account), ("currency", currency.code())]);
    list.trim_end_matches('&').to_owned()
}

/// Where the transfers of a journal are, and of those whose names begin like it.
fn journals(name: &str) -> String {
    address(TRANSFERS, &[("journal", name)]).trim_end_matches('&').to_owned()
}

async fn list_accounts(
    State(ledger): State<Ledger>,
    by: Operator,
    visit: Visit,
    Query(asked): Query<AccountsAsked>,
) -> Result<Response, Failure> {
    let paging = Paging { limit: ROWS, offset: asked.offset }.checked()?;
    let owner = ledger.owner(&asked.owner).await?;
    let currency = asked.currency.trim().to_uppercase();
    let filter = AccountFilter { kind: asked.kind.clone(), currency: currency.clone(), owner };
    let found = ledger.accounts(&by, filter, paging).await?;
    let pairs = [("kind", asked.kind.as_str()), ("currency", &currency), ("owner", &asked.owner)];
    let kinds = KINDS.iter().map(|(kind, name)| Choice::new(kind, name, ""));
    let page = AccountsPage {
        shell: shell(visit, "Ledger accounts", "Accounts"),
        form: FormState::with(&pairs),
        kinds: std::iter::once(Choice::new("", "All kinds", "")).chain(kinds).collect(),
        names: ledger.names(found.items.iter().filter_map(AccountView::owner)).await?,
        pager: Pager::new(
            &address("/operator/ledger/accounts", &pairs),
            ROWS,
            asked.offset,
            found.items.len(),
            found.total,
        ),
        rows: found.items,
    };
    Ok(face::html(&page.shell, &page))
}

#[derive(Template)]
#[template(path = "ledger/transfers.html")]
struct TransfersPage {
    shell: Shell,
    form: FormState,
    rows: Vec<TransferView>,
    names: HashMap<String, String>,
    pager: Pager,
    /// Where the same list is as a table.
    csv: String,
}

async fn list_transfers(
    State(ledger): State<Ledger>,
    by: Operator,
    visit: Visit,
    Query(asked): Query<TransfersAsked>,
) -> Result<Response, Failure> {
    let paging = Paging { limit: ROWS, offset: asked.offset }.checked()?;
    let found = ledger.transfers(&by, asked.which()?, paging).await?;
    let pairs = [
        ("account", asked.account.as_str()),
        ("currency", asked.currency.as_str()),
        ("journal", asked.journal.as_str()),
    ];
    let owners = found.items.iter().flat_map(|row| [row.debit.as_str(), row.credit.as_str()]);
    let owners = owners.filter_map(|text| text.split_once(':').map(|(_, owner)| owner));
    let csv = address("/api/operator/ledger/transfers.csv", &pairs);
    let page = TransfersPage {
        shell: shell(visit, "Transfers", "Transfers"),
        form: FormState::with(&pairs),
        names: ledger.names(owners).await?,
        pager: Pager::new(&address(TRANSFERS, &pairs), ROWS, asked.offset, found.items.len(), found.total),
        rows: found.items,
        csv: csv.trim_end_matches(['?', '&']).to_owned(),
    };
    Ok(face::html(&page.shell, &page))
}

#[derive(Template)]
#[template(path = "ledger/audit.html")]
struct AuditPage {
    shell: Shell,
    findings: Vec<Finding>,
}

async fn check(State(ledger): State<Ledger>, by: Operator, visit: Visit) -> Result<Response, Failure> {
    let findings = ledger.audit(&by).await?;
    let page = AuditPage { shell: shell(visit, "Check of the books", "Check"), findings };
    Ok(face::html(&page.shell, &page))
}
