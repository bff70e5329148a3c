//! `/operator/payments`.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use identity::{Visit, done};
use kernel::{Money, MoneyError, Paging, Problem};
use serde::Deserialize;
use web::face::parts::{Choice, Pager};
use web::face::{self, FormState, Sheet, Shell, Typed, Wrong};
use web::{Failure, Form, Path, Query};

use crate::Payments;
use crate::dispute::Dispute;
use crate::error::PaymentError;
use crate::error::id;
use crate::inbox::NoticeView;
use crate::paid_for::Described;
use crate::payment::{Payment, PaymentId, State as Stage};
use crate::refund::{NewRefund, Refund};

const HOME: &str = "/operator/payments";
/// How many rows one page shows.
const ROWS: u32 = 30;
/// How many webhooks stand below them.
const NOTICES: Paging = Paging { limit: 20, offset: 0 };

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Asked {
    q: String,
    state: String,
    offset: u32,
}

#[derive(Template)]
#[template(path = "payments/operator_list.html")]
struct ListPage {
    shell: Shell,
    form: FormState,
    states: Vec<Choice>,
    rows: Vec<Payment>,
    described: Described,
    notices: Vec<NoticeView>,
    pager: Pager,
    is_sandbox: bool,
}

fn shell(visit: Visit, title: &str) -> Shell {
    let shell = visit.shell.page(title, "operator-payments").with_sheet(Sheet::Market);
    shell.crumb("Operator", "/operator/users")
}

pub(super) async fn list(
    State(room): State<Payments>,
    visit: Visit,
    Query(asked): Query<Asked>,
) -> Result<Response, Failure> {
    let paging = Paging { limit: ROWS, offset: asked.offset }.checked()?;
    let found = room.search(&visit.caller, &asked.q, &asked.state, paging).await?;
    let described = room.described(&visit.caller, &found.items).await?;
    let notices = room.inbox(&visit.caller, "", NOTICES).await?.items;
    let states = Stage::ALL.map(|state| Choice::new(state.as_str(), state.as_str(), ""));
    let query: String = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs([("q", &asked.q), ("state", &asked.state)])
        .finish();
    let page = ListPage {
        shell: shell(visit, "Payments - Operator").crumb("Payments", ""),
        form: FormState::with(&[("q", &asked.q), ("state", &asked.state)]),
        states: std::iter::once(Choice::new("", "All", "")).chain(states).collect(),
        pager: Pager::new(&format!("{HOME}?{query}"), ROWS, asked.offset, found.items.len(), found.total),
        rows: found.items,
        described,
        notices,
        is_sandbox: room.is_sandbox(),
    };
    Ok(face::html(&page.shell, &page))
}

#[derive(Template)]
#[template(path = "payments/operator_one.html")]
struct OnePage {
    shell: Shell,
    form: FormState,
    attempts: u64,
    payment: Payment,
    described: Described,
    refunds: Vec<Refund>,
    disputes: Vec<Dispute>,
    notices: Vec<NoticeView>,
}

async fn one(room: &Payments, visit: Visit, id: &PaymentId, form: FormState) -> Result<OnePage, Failure> {
    let notices = room.inbox(&visit.caller, id.as_str(), NOTICES).await?.items;
    let found = room.payment(&visit.caller, id).await?;
    let described = room.described(&visit.caller, std::slice::from_ref(&found.payment)).await?;
    Ok(OnePage {
        shell: shell(visit, "Payment - Operator").crumb("Payments", HOME).crumb("Payment", ""),
        described,
        form,
        attempts: u64::from(found.payment.attempts),
        payment: found.payment,
        refunds: found.refunds,
        disputes: found.disputes,
        notices,
    })
}

pub(super) async fn show(
    State(room): State<Payments>,
    visit: Visit,
    Path(text): Path<String>,
) -> Result<Response, Failure> {
    identity::Operator::of(visit.caller.clone())?;
    let page = one(&room, visit, &id(&text, "payment")?, FormState::default()).await?;
    Ok(face::html(&page.shell, &page))
}

pub(super) async fn change(
    State(room): State<Payments>,
    visit: Visit,
    Path(text): Path<String>,
    Form(typed): Form<Typed>,
) -> Result<Response, Failure> {
    identity::Operator::of(visit.caller.clone())?;
    let id = id(&text, "payment")?;
    let here = format!("{HOME}/{id}");
    if typed.get("do") == "look" {
        room.ask_now(&visit.caller, &id).await?;
        return Ok(done(&here, "The gateway was asked."));
    }
    match refund(&room, &visit, &id, &typed).await {
        Ok(_) => Ok(done(&here, "The refund is on its way.")),
        Err(error) => {
            let wrong = Wrong::of(Problem::from(error), &typed)?;
            let page = one(&room, visit, &id, FormState::default()).await?;
            Ok(wrong.answer(|form| {
                let page = OnePage { form, ..page };
                face::html(&page.shell, &page)
            }))
        }
    }
}

async fn refund(
    room: &Payments,
    visit: &Visit,
    id: &PaymentId,
    typed: &Typed,
) -> Result<Refund, PaymentError> {
    let currency = room.find(id).await?.amount.currency;
    let amount = Money::parse(typed.get("amount"), currency);
    let amount = amount.map_err(|error: MoneyError| PaymentError::field("/amount", format!("{error}.")))?;
    let reason = typed.get("reason").to_owned();
    room.refund(&visit.caller, NewRefund { payment: id.clone(), amount, key: None, reason }).await
}

#[derive(Deserialize)]
pub(super) struct Replayed {
    gateway: String,
    id: String,
}

pub(super) async fn replay(
    State(room): State<Payments>,
    visit: Visit,
    form: Result<Form<Replayed>, Failure>,
) -> Result<Response, Failure> {
    identity::Operator::of(visit.caller.clone())?;
    let Form(replayed) = form?;
    room.replay(&visit.caller, &replayed.gateway, &replayed.id).await?;
    Ok(done(HOME, "The webhook is handled again."))
}
