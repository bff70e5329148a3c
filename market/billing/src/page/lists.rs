//! `/billing` for buyers, `/sell/subscriptions` for sellers, `/operator/subscriptions` for operators.

use askama::Template;
use axum::extract::State;
use axum::response::IntoResponse;
use identity::orgs::OrgRole;
use identity::{Names, Operator, Visit, done};
use kernel::Paging;
use serde::Deserialize;
use web::face::parts::{Choice, Pager, Tab};
use web::face::{self, FormState, Sheet, Shell, Typed, Wrong};
use web::{Form, Query, expected_version};

use super::{Answer, next, price};
use crate::error::BillingError;
use crate::invoice::{Invoice, Kind};
use crate::look::{Filter, Side, Totals};
use crate::manage::SellerSetting;
use crate::paper::standing;
use crate::room::Billing;
use crate::subscription::{State as Stand, Subscription};

/// How many rows a page shows.
const ROWS: u32 = 25;

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    state: String,
    q: String,
    org: String,
    offset: u32,
    /// Where the list of documents goes on.
    from: u32,
}

/// A subscription, with its words.
struct Row {
    sub: Subscription,
    price: String,
    next: String,
}

fn rows(subs: Vec<Subscription>) -> Vec<Row> {
    subs.into_iter().map(|sub| Row { price: price(&sub, &sub.plan), next: next(&sub), sub }).collect()
}

/// A document, with its words.
pub(super) struct Paper {
    pub(super) invoice: Invoice,
    pub(super) state: &'static str,
    /// With a sign: a credit note is below zero.
    pub(super) total: String,
}

pub(super) fn papers(invoices: Vec<Invoice>) -> Vec<Paper> {
    let paper = |invoice: Invoice| {
        let sign = if invoice.kind == Kind::CreditNote { -1 } else { 1 };
        let total = invoice.money(invoice.amounts.total * sign).to_string();
        Paper { state: standing(invoice.kind, invoice.state), total, invoice }
    };
    invoices.into_iter().map(paper).collect()
}

#[derive(Template)]
#[template(path = "billing/own.html")]
struct OwnPage {
    shell: Shell,
    rows: Vec<Row>,
    pager: Pager,
    papers: Vec<Paper>,
    papers_pager: Pager,
}

pub(super) async fn own(State(room): State<Billing>, visit: Visit, Query(asked): Query<Asked>) -> Answer {
    visit.account()?;
    let part = Paging { limit: ROWS, offset: asked.offset }.checked()?;
    let found = room.list(&visit.caller, Side::Buyer, Filter::default(), part).await?;
    let part = Paging { limit: ROWS, offset: asked.from }.checked()?;
    let documents = room.invoices(&visit.caller, Side::Buyer, None, None, part).await?;
    let (of_subs, of_papers) = (found.items.len(), documents.items.len());
    // A pager names its part `offset`, which is the other list's here.
    let mut papers_pager = Pager::new("/billing?", ROWS, asked.from, of_papers, documents.total);
    for href in [&mut papers_pager.previous, &mut papers_pager.next].into_iter().flatten() {
        *href = href.replace("offset=", "from=");
    }
    let page = OwnPage {
        shell: visit
            .shell
            .page("Billing - Account", "billing")
            .with_sheet(Sheet::Market)
            .crumb("Billing", ""),
        pager: Pager::new(
            &format!("/billing?from={}&", asked.from),
            ROWS,
            asked.offset,
            of_subs,
            found.total,
        ),
        papers_pager,
        rows: rows(found.items),
        papers: papers(documents.items),
    };
    Ok(face::html(&page.shell, &page))
}

#[derive(Template)]
#[template(path = "billing/sold.html")]
struct SoldPage {
    shell: Shell,
    form: FormState,
    states: Vec<Choice>,
    totals: Vec<Totals>,
    rows: Vec<Row>,
    names: Names,
    is_narrowed: bool,
    pager: Pager,
    /// How the seller bills; operators see none.
    setting: Option<SellerSetting>,
    sellers: Vec<Tab>,
    org: String,
    refunds: Vec<Choice>,
    here: &'static str,
    title: &'static str,
    lead: &'static str,
}

pub(super) async fn sold(State(room): State<Billing>, visit: Visit, Query(asked): Query<Asked>) -> Answer {
    visit.account()?;
    list(&room, visit, Side::Seller, asked, None).await
}

pub(super) async fn all(
    State(room): State<Billing>,
    _: Operator,
    visit: Visit,
    Query(asked): Query<Asked>,
) -> Answer {
    list(&room, visit, Side::Operator, asked, None).await
}

async fn list(room: &Billing, visit: Visit, side: Side, asked: Asked, form: Option<FormState>) -> Answer {
    let by = &visit.caller;
    let totals = room.totals(by, side).await?;
    let setting = match side {
        Side::Seller => Some(room.seller_setting(by, Some(asked.org.as_str())).await?),
        _ => None,
    };
    let state = asked.state.parse::<Stand>().ok();
    let part = Paging { limit: ROWS, offset: asked.offset }.checked()?;
    let text = if side == Side::Operator { asked.q.clone() } else { String::new() };
    let found = room.list(by, side, Filter { state, text }, part).await?;
    let names = room.names(&found.items).await?;
    let (title, lead, here, key, group) = match side {
        Side::Operator => (
            "Subscriptions",
            "Everybody's subscriptions.",
            "/operator/subscriptions",
            "all-subscriptions",
            "Operate",
        ),
        _ => (
            "Subscriptions",
            "What others pay you again and again.",
            "/sell/subscriptions",
            "sell-subscriptions",
            "Sell",
        ),
    };
    let word = state.map_or("", Stand::as_str);
    let base = format!("{here}?state={word}&q={}&", plain(&asked.q));
    let shell = visit.shell.clone().page(format!("{title} - {group}"), key).crumb(group, "").crumb(title, "");
    let page = SoldPage {
        shell: shell.with_sheet(Sheet::Market),
        form: form.unwrap_or_else(|| filled(&asked, setting.as_ref())),
        states: states(),
        totals,
        is_narrowed: state.is_some() || !asked.q.is_empty(),
        pager: Pager::new(&base, ROWS, asked.offset, found.items.len(), found.total),
        rows: rows(found.items),
        names,
        sellers: if side == Side::Seller { sellers(&visit, &asked.org) } else { Vec::new() },
        org: asked.org.clone(),
        setting,
        refunds: [
            ("", "As the market is set"),
            ("yes", "Give the unused part back"),
            ("no", "Give nothing back"),
        ]
        .map(|(value, label)| Choice::new(value, label, ""))
        .into(),
        here,
        title,
        lead,
    };
    Ok(face::html(&page.shell, &page))
}

/// What stands in a query as it is: ids are made of these.
fn plain(text: &str) -> String {
    text.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')).collect()
}

fn filled(asked: &Asked, setting: Option<&SellerSetting>) -> FormState {
    let refund = match setting.and_then(|setting| setting.refund_unused) {
        None => "",
        Some(true) => "yes",
        Some(false) => "no",
    };
    let details = setting.map_or("", |setting| setting.details.as_str());
    FormState::with(&[("state", &asked.state), ("q", &asked.q), ("refund", refund), ("details", details)])
}

fn states() -> Vec<Choice> {
    let label = |state: &Stand| face::parts::State::of(state.as_str()).label;
    let words = Stand::ALL.iter().map(|state| Choice::new(state.as_str(), &label(state), ""));
    std::iter::once(Choice::new("", "All", "")).chain(words).collect()
}

/// In whose name the visitor sells: the own one, and those of the organisations where it is an admin.
fn sellers(visit: &Visit, org: &str) -> Vec<Tab> {
    let Ok(actor) = visit.account() else { return Vec::new() };
    let own = Tab::new(&actor.username, "/sell/subscriptions", "", org.is_empty());
    let managed = actor.memberships.iter().filter(|membership| membership.role >= OrgRole::Admin);
    let orgs = managed.map(|membership| {
        let href = format!("/sell/subscriptions?org={}", membership.org);
        Tab::new(&membership.org, href, "", *membership.org == *org)
    });
    std::iter::once(own).chain(orgs).collect()
}

/// `POST /sell/subscriptions`: how the seller bills.
pub(super) async fn set(State(room): State<Billing>, visit: Visit, Form(typed): Form<Typed>) -> Answer {
    visit.account()?;
    let org = typed.get("org").to_owned();
    match save(&room, &visit, &typed).await {
        Ok(()) if org.is_empty() => Ok(done("/sell/subscriptions", "The setting is saved.")),
        Ok(()) => Ok(done(&format!("/sell/subscriptions?org={}", plain(&org)), "The setting is saved.")),
        Err(error) => {
            let (status, form) = Wrong::of(error, &typed)?.into_parts();
            let asked = Asked { org, ..Asked::default() };
            Ok((status, list(&room, visit, Side::Seller, asked, Some(form)).await?).into_response())
        }
    }
}

async fn save(room: &Billing, visit: &Visit, typed: &Typed) -> Result<(), BillingError> {
    let version = typed.get("version").parse().ok();
    let refund_unused = match typed.get("refund") {
        "yes" => Some(true),
        "no" => Some(false),
        _ => None,
    };
    let new = SellerSetting { refund_unused, details: typed.get("details").replace('\r', ""), version: 0 };
    let expected = expected_version(web::IfMatch::Absent, version).unwrap_or_default();
    let org = Some(typed.get("org")).filter(|org| !org.is_empty());
    room.set_seller_setting(&visit.caller, org, new, expected).await?;
    Ok(())
}
