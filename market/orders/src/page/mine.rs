//! Lists of orders (one's own, one's sales, all of them) and one order with everything that became of it.

use askama::Template;
use axum::extract::State;
use identity::{AccountId, Names, Visit, done};
use kernel::{Money, Paging};
use serde::Deserialize;
use web::face::parts::{Choice, OrderLine, Pager};
use web::face::{self, FormState, Sheet, Shell, Typed, Wrong};
use web::{Form, Path, Query};

use super::{Answer, words};
use crate::error::id;
use crate::list::{Details, Filter, Placed, Side};
use crate::order::State as OrderState;
use crate::refund::{NewRefund, Part, What};
use crate::{OrderError, Orders};

/// How many rows one page shows.
const ROWS: u32 = 25;

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Asked {
    state: String,
    q: String,
    offset: u32,
}

struct Row {
    placed: Placed,
    title: String,
    total: String,
    net: String,
    href: String,
    /// Who bought it, and where operators see the account.
    buyer: (String, String),
}

#[derive(Template)]
#[template(path = "orders/list.html")]
struct ListPage {
    shell: Shell,
    form: FormState,
    side: Side,
    title: &'static str,
    lead: &'static str,
    here: &'static str,
    states: Vec<Choice>,
    rows: Vec<Row>,
    is_narrowed: bool,
    export: String,
    pager: Pager,
}

pub(super) async fn own(State(orders): State<Orders>, visit: Visit, Query(asked): Query<Asked>) -> Answer {
    list(&orders, visit, Side::Buyer, asked).await
}

pub(super) async fn sold(State(orders): State<Orders>, visit: Visit, Query(asked): Query<Asked>) -> Answer {
    list(&orders, visit, Side::Seller, asked).await
}

pub(super) async fn all(State(orders): State<Orders>, visit: Visit, Query(asked): Query<Asked>) -> Answer {
    list(&orders, visit, Side::Operator, asked).await
}

async fn list(orders: &Orders, visit: Visit, side: Side, asked: Asked) -> Answer {
    let state = asked.state.parse::<OrderState>().ok();
    let filter = Filter { state, text: asked.q.clone(), before: None };
    let paging = Paging { limit: ROWS, offset: asked.offset }.checked()?;
    let found = orders.list(&visit.caller, side, filter, paging).await?;
    let (title, lead, here, key, group) = match side {
        Side::Buyer => ("Orders", "What you and your organisations bought.", "/orders", "orders", "Account"),
        Side::Seller => {
            ("Sales", "What others bought from you and your organisations.", "/sell/orders", "sales", "Sell")
        }
        Side::Operator => ("Orders", "Everybody's orders.", "/operator/orders", "all-orders", "Operate"),
    };
    let word = state.map_or("", OrderState::as_str);
    let query: String = [("state", word), ("q", &asked.q)]
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| format!("{name}={}&", percent(value)))
        .collect();
    let side_word = match side {
        Side::Buyer => "buyer",
        Side::Seller => "seller",
        Side::Operator => "operator",
    };
    let names = match side {
        Side::Buyer => Names::default(),
        Side::Seller | Side::Operator => orders.names(&found.items).await?,
    };
    let page_of = |id: &AccountId| if side == Side::Operator { names.page(id) } else { String::new() };
    let row = |placed: Placed| Row {
        title: words::title(&placed),
        total: words::total(&placed),
        net: words::net(&placed),
        href: href(&placed),
        buyer: (names.of(&placed.order.buyer).to_owned(), page_of(&placed.order.buyer)),
        placed,
    };
    let shell = visit.shell.page(format!("{title} - {group}"), key).crumb(group, "").crumb(title, "");
    let page = ListPage {
        shell: shell.with_sheet(Sheet::Market),
        form: FormState::with(&[("state", word), ("q", &asked.q)]),
        pager: Pager::new(&format!("{here}?{query}"), ROWS, asked.offset, found.items.len(), found.total),
        export: format!("/api/orders.csv?as={side_word}&status={word}&q={}", percent(&asked.q)),
        is_narrowed: state.is_some() || !asked.q.is_empty(),
        states: states(),
        rows: found.items.into_iter().map(row).collect(),
        side,
        title,
        lead,
        here,
    };
    Ok(face::html(&page.shell, &page))
}

fn href(placed: &Placed) -> String {
    let id = &placed.order.id;
    if placed.order.state == OrderState::Pending {
        format!("/checkout/{id}")
    } else {
        format!("/orders/{id}")
    }
}

fn percent(text: &str) -> String {
    let keep = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    text.bytes().map(|b| if keep(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

fn states() -> Vec<Choice> {
    let words = OrderState::ALL
        .iter()
        .map(|state| Choice::new(state.as_str(), &web::face::parts::State::of(state.as_str()).label, ""));
    std::iter::once(Choice::new("", "All", "")).chain(words).collect()
}

#[derive(Template)]
#[template(path = "orders/order.html")]
struct OrderPage {
    shell: Shell,
    title: String,
    /// Whether the buyer looks at tickets that are paid.
    has_tickets: bool,
    form: FormState,
    details: Details,
    lines: Vec<OrderLine>,
    total: String,
    facts: Vec<(&'static str, String)>,
    /// What each line can still give back, where the caller may refund.
    refundable: Vec<(u32, String, String)>,
    refunds: Vec<(String, crate::Plan)>,
}

/// The beginning of an id, for tables that have no room for all of it.
fn short(id: &str) -> String {
    id.chars().take(16).chain(['…']).collect()
}

pub(super) async fn show(State(orders): State<Orders>, visit: Visit, Path(order): Path<String>) -> Answer {
    visit.account()?;
    let details = orders.details(&visit.caller, &id(&order, "order")?).await?;
    let names = orders.names(std::slice::from_ref(&details.placed)).await?;
    Ok(page(visit, details, &names, FormState::with(&[("give_back", "yes")])))
}

fn page(visit: Visit, details: Details, names: &Names, form: FormState) -> axum::response::Response {
    let (group, home, key) = match details.side {
        Side::Buyer => ("Orders", "/orders", "orders"),
        Side::Seller => ("Sales", "/sell/orders", "sales"),
        Side::Operator => ("Orders", "/operator/orders", "all-orders"),
    };
    let title = words::title(&details.placed);
    let shell = visit.shell.page(format!("{title} - {group}"), key).crumb(group, home).crumb(&title, "");
    let order = &details.placed.order;
    let may_refund = details.side != Side::Buyer
        && matches!(order.state, OrderState::Paid | OrderState::PartiallyRefunded);
    let left = |line: &crate::Line| {
        let left = words::money(order, line.refundable_minor());
        let name = line.unit_label.clone().unwrap_or_else(|| line.offer_name.clone());
        (line.number, format!("{}, {name}", line.title), format!("{left} can be refunded."))
    };
    let open = |line: &&crate::Line| {
        line.refundable_minor() > 0 || (line.amounts.total == 0 && line.returned < line.quantity)
    };
    let page = OrderPage {
        shell: shell.with_sheet(Sheet::Market),
        lines: words::summary(&details.placed),
        total: words::total(&details.placed),
        facts: facts(&details, names),
        has_tickets: details.entitlements.iter().any(|one| one.kind == "ticket" && one.ended_at.is_none())
            && details.side == Side::Buyer,
        title,
        refundable: if may_refund {
            details.placed.lines.iter().filter(open).map(left).collect()
        } else {
            Vec::new()
        },
        refunds: details
            .refunds
            .iter()
            .map(|plan| (words::money(order, plan.amount_minor), plan.clone()))
            .collect(),
        form,
        details,
    };
    face::html(&page.shell, &page)
}

fn facts(details: &Details, names: &Names) -> Vec<(&'static str, String)> {
    let order = &details.placed.order;
    let mut facts =
        vec![("Order", order.id.to_string()), ("Ordered", web::face::text::utc(order.created_at))];
    if let Some(at) = order.paid_at {
        facts.push(("Paid", web::face::text::utc(at)));
    }
    if details.side != Side::Buyer {
        facts.push(("Buyer", names.of(&order.buyer).to_owned()));
        let fee = details.placed.lines.iter().map(|line| line.amounts.fee).sum();
        facts.push(("Fee of the market", words::money(order, fee)));
        facts.push(("For the seller", words::net(&details.placed)));
    }
    if let Some(country) = &order.country {
        let region = order.region.as_deref().unwrap_or_default();
        facts.push(("Taxed in", format!("{country} {region}").trim_end().to_owned()));
    }
    if order.refunded_minor > 0 && details.side != Side::Seller {
        facts.push(("Refunded", words::money(order, order.refunded_minor)));
    }
    facts
}

/// `POST /orders/{id}/refunds`: by the seller, or an operator.
pub(super) async fn refund(
    State(orders): State<Orders>,
    visit: Visit,
    Path(order): Path<String>,
    Form(typed): Form<Typed>,
) -> Answer {
    visit.account()?;
    let id = id(&order, "order")?;
    let details = orders.details(&visit.caller, &id).await?;
    let made = match wish(&typed, &details.placed) {
        Ok(new) => orders.refund(&visit.caller, &id, new).await,
        Err(error) => Err(error),
    };
    match made {
        Ok(_) => Ok(done(&format!("/orders/{id}"), "The refund is on its way.")),
        Err(error) => {
            let wrong = Wrong::of(error, &typed)?;
            let names = orders.names(std::slice::from_ref(&details.placed)).await?;
            Ok(wrong.answer(|form| page(visit, details, &names, form)))
        }
    }
}

fn wish(typed: &Typed, placed: &Placed) -> Result<NewRefund, OrderError> {
    let chosen: Vec<u32> = typed.all("line").filter_map(|number| number.parse().ok()).collect();
    let amount = typed.get("amount").trim();
    let minor = match amount {
        "" => None,
        text => Some(
            Money::parse(text, placed.order.currency)
                .map_err(|error| OrderError::field("/amount", format!("{}.", capital(&error.to_string()))))?,
        ),
    };
    let what = match (minor, chosen.as_slice()) {
        (Some(minor), []) => What::Amount(minor.minor),
        (Some(minor), [number]) => {
            What::Lines(vec![Part { number: *number, quantity: None, amount_minor: Some(minor.minor) }])
        }
        (Some(_), _) => return Err(OrderError::field("/amount", "With an amount, choose one line or none.")),
        (None, []) => return Err(OrderError::field("/line", "Choose lines, or write an amount.")),
        (None, lines) => {
            let whole = |number: &u32| Part { number: *number, quantity: None, amount_minor: None };
            What::Lines(lines.iter().map(whole).collect())
        }
    };
    Ok(NewRefund { what, give_back: typed.has("give_back"), reason: typed.get("reason").to_owned() })
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
