//! One subscription: what it costs, its documents, another plan, another card, and the way out.

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use catalog::{Offer, Pricing};
use identity::{Visit, done};
use kernel::{Money, Paging};
use payments::Method;
use web::face::parts::Choice;
use web::face::{self, FormState, Sheet, Shell, Typed, Wrong};
use web::idempotency::{Key, Request};
use web::{Expected, Form, Path};

use super::lists::{Paper, papers};
use super::{Answer, id, next, price};
use crate::cancel::{Cancel, When};
use crate::change::ChangePlan;
use crate::error::BillingError;
use crate::look::Side;
use crate::manage::Manner;
use crate::room::Billing;
use crate::subscription::{PayBy, Subscription, SubscriptionId};

/// How many documents the page shows.
const ROWS: u32 = 50;

#[derive(Template)]
#[template(path = "billing/subscription.html")]
struct SubscriptionPage {
    shell: Shell,
    form: FormState,
    sub: Subscription,
    side: Side,
    price: String,
    next: String,
    facts: Vec<(&'static str, String)>,
    plans: Vec<Choice>,
    ways: Vec<Choice>,
    papers: Vec<Paper>,
    is_live: bool,
}

async fn page(
    room: &Billing,
    visit: Visit,
    sub: &SubscriptionId,
    form: Option<FormState>,
) -> Result<Response, web::Failure> {
    let by = &visit.caller;
    let (sub, side) = room.find(by, sub).await?;
    let (offers, methods) = match side {
        Side::Seller => (Vec::new(), Vec::new()),
        _ => room.choices(by, &sub.id).await?,
    };
    let (group, home, key) = match side {
        Side::Buyer => ("Billing", "/billing", "billing"),
        Side::Seller => ("Subscriptions", "/sell/subscriptions", "sell-subscriptions"),
        Side::Operator => ("Subscriptions", "/operator/subscriptions", "all-subscriptions"),
    };
    let documents = match side {
        Side::Operator => Vec::new(),
        _ => {
            let part = Paging { limit: ROWS, offset: 0 };
            room.invoices(by, side, Some(sub.id.to_string()), None, part).await?.items
        }
    };
    let title = sub.title.clone();
    let shell =
        visit.shell.clone().page(format!("{title} - {group}"), key).crumb(group, home).crumb(&title, "");
    let limit = sub.limit_minor.map_or_else(String::new, |minor| sub.money(minor).major());
    let pay_by = sub.pay_by.to_string();
    let page = SubscriptionPage {
        shell: shell.with_sheet(Sheet::Market),
        form: form.unwrap_or_else(|| {
            FormState::with(&[("pay_by", &pay_by), ("limit", &limit), ("when", "period_end")])
        }),
        side,
        price: price(&sub, &sub.plan),
        next: next(&sub),
        facts: facts(&sub, by.now()),
        plans: offers.iter().map(plan).collect(),
        ways: ways(&methods),
        papers: papers(documents),
        is_live: sub.state.is_live(),
        sub,
    };
    Ok(face::html(&page.shell, &page))
}

fn plan(offer: &Offer) -> Choice {
    let period = match &offer.pricing {
        Pricing::Subscription { period, .. } => period.as_str(),
        _ => "period",
    };
    Choice::new(offer.id.as_str(), &offer.name, &format!("{} a {period}", offer.price))
}

fn ways(methods: &[Method]) -> Vec<Choice> {
    let card = |method: &Method| {
        let label = method.view.label();
        Choice::new(method.id.as_str(), &label, "")
    };
    let wallet = Choice::new("wallet", "From the wallet", "");
    methods.iter().map(card).chain([wallet]).collect()
}

fn facts(sub: &Subscription, now: kernel::Timestamp) -> Vec<(&'static str, String)> {
    let mut facts = vec![("Since", sub.created_at.date())];
    if sub.state.is_live() {
        facts.push(("Period", format!("{} to {}", sub.span.start.date(), sub.span.end.date())));
    }
    if let (Some(unit), Ok((so_far, projected))) = (&sub.meter, sub.cost(now)) {
        facts.push(("Used", format!("{} × {unit}", sub.open_quantity)));
        facts.push(("Cost so far", so_far.to_string()));
        facts.push(("Projected", projected.to_string()));
    }
    if let Some(next) = &sub.next {
        facts.push(("Next plan", format!("{} from {}", next.name, sub.span.end.date())));
    }
    if sub.credit_minor > 0 {
        facts.push(("Credit", sub.money(sub.credit_minor).to_string()));
    }
    if let Some(reason) = &sub.end_reason {
        facts.push(("Over", reason.clone()));
    }
    facts.push(("Order", sub.order.to_string()));
    facts.push(("Subscription", sub.id.to_string()));
    facts
}

pub(super) async fn show(State(room): State<Billing>, visit: Visit, Path(sub): Path<String>) -> Answer {
    visit.account()?;
    page(&room, visit, &id(&sub, "subscription")?, None).await
}

/// What a form did, or the page again with what was typed.
async fn answer(
    room: &Billing,
    visit: Visit,
    sub: &SubscriptionId,
    typed: &Typed,
    outcome: Result<Response, BillingError>,
) -> Answer {
    match outcome {
        Ok(response) => Ok(response),
        Err(error) => {
            // A card that is declined is mended by another card.
            let wrong = match error {
                BillingError::NotPaid(_) => Wrong::told(error, typed),
                error => Wrong::of(error, typed)?,
            };
            let (status, form) = wrong.into_parts();
            Ok((status, page(room, visit, sub, Some(form)).await?).into_response())
        }
    }
}

fn home(sub: &SubscriptionId, words: &str) -> Response {
    done(&format!("/billing/subscriptions/{sub}"), words)
}

/// The version that the page showed.
fn seen(typed: &Typed) -> Expected {
    typed.get("version").parse().map_or(Expected::Whatever, Expected::ByBody)
}

/// A form that is sent twice, by a double click, does its work once: the version is its key.
fn once(visit: &Visit, typed: &Typed, what: &str) -> Request {
    let user = visit.account().map(|actor| actor.user.to_string()).unwrap_or_default();
    let key = Some(typed.get("version")).filter(|version| !version.is_empty());
    let fields = ["offer", "when", "refund"].map(|name| typed.get(name).to_owned());
    Request::new(Key(key.map(str::to_owned)), format!("{user} page {what}"), &fields)
}

pub(super) async fn change_plan(
    State(room): State<Billing>,
    visit: Visit,
    Path(sub): Path<String>,
    Form(typed): Form<Typed>,
) -> Answer {
    visit.account()?;
    let sub = id(&sub, "subscription")?;
    let outcome = choose(&room, &visit, &sub, &typed).await;
    answer(&room, visit, &sub, &typed, outcome).await
}

async fn choose(
    room: &Billing,
    visit: &Visit,
    sub: &SubscriptionId,
    typed: &Typed,
) -> Result<Response, BillingError> {
    let offer = typed.get("offer").parse().map_err(|_| BillingError::field("/offer", "Choose a plan."))?;
    let wish = ChangePlan { offer, when: None };
    let request = once(visit, typed, &format!("plan {sub}"));
    let changed = room.change_plan(&visit.caller, sub, wish, seen(typed), request).await?;
    Ok(match (changed.next_page, changed.subscription.next) {
        (Some(page), _) => Redirect::to(&page).into_response(),
        (None, Some(_)) => home(sub, "The plan changes at the end of the period."),
        (None, None) => home(sub, "The plan is changed."),
    })
}

pub(super) async fn cancel(
    State(room): State<Billing>,
    visit: Visit,
    Path(sub): Path<String>,
    Form(typed): Form<Typed>,
) -> Answer {
    visit.account()?;
    let sub = id(&sub, "subscription")?;
    let when = if typed.get("when") == "now" { When::Now } else { When::PeriodEnd };
    let refund = Some(typed.get("refund") == "yes").filter(|_| typed.has("decides"));
    let request = once(&visit, &typed, &format!("cancel {sub}"));
    let wish = Cancel { when, refund };
    let left = room.cancel(&visit.caller, &sub, wish, seen(&typed), request, |sub| sub.version).await;
    let words = match when {
        When::Now => "The subscription is over.",
        When::PeriodEnd => "The subscription ends with its period.",
    };
    let outcome = left.map(|_| home(&sub, words));
    answer(&room, visit, &sub, &typed, outcome).await
}

pub(super) async fn resume(
    State(room): State<Billing>,
    visit: Visit,
    Path(sub): Path<String>,
    Form(typed): Form<Typed>,
) -> Answer {
    visit.account()?;
    let sub = id(&sub, "subscription")?;
    let stays = room.resume(&visit.caller, &sub, seen(&typed)).await;
    let outcome = stays.map(|_| home(&sub, "The subscription goes on."));
    answer(&room, visit, &sub, &typed, outcome).await
}

pub(super) async fn manage(
    State(room): State<Billing>,
    visit: Visit,
    Path(sub): Path<String>,
    Form(typed): Form<Typed>,
) -> Answer {
    visit.account()?;
    let sub = id(&sub, "subscription")?;
    let outcome = set(&room, &visit, &sub, &typed).await;
    answer(&room, visit, &sub, &typed, outcome).await
}

async fn set(
    room: &Billing,
    visit: &Visit,
    sub: &SubscriptionId,
    typed: &Typed,
) -> Result<Response, BillingError> {
    let (found, _) = room.find(&visit.caller, sub).await?;
    let mut manner = Manner::default();
    if typed.has("pay_by") {
        let pay_by: PayBy =
            typed.get("pay_by").parse().map_err(|words| BillingError::field("/pay_by", words))?;
        manner.pay_by = Some(pay_by);
    }
    if typed.has("limit") {
        let limit = match typed.get("limit").trim() {
            "" => None,
            text => {
                let money = Money::parse(text, found.currency);
                let wrong = |_| BillingError::field("/limit", "Write an amount such as 20.00, or nothing.");
                Some(money.map_err(wrong)?.minor)
            }
        };
        manner.limit_minor = Some(limit);
    }
    room.manage(&visit.caller, sub, manner, seen(typed)).await?;
    Ok(home(sub, "It is saved."))
}
