//! The pay page, and the page of the sandbox bank.

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use http::{HeaderValue, header};
use identity::{Visit, done};
use serde::Deserialize;
use web::face::{self, FormState, Sheet, Shell, Typed, Wrong};
use web::{Failure, Form, Path};

use super::{on_the_page, typed_card};
use crate::Payments;
use crate::error::PaymentError;
use crate::error::id;
use crate::payment::{NextAction, Payment};
use crate::sandbox::{CARDS, NAME, TestCard, bank};

/// What the pay page may load besides ours when Stripe takes the card, see Stripe's security guide.
const STRIPE_POLICY: &str = "default-src 'none'; script-src 'self' https://js.stripe.com; \
     frame-src https://js.stripe.com https://hooks.stripe.com; connect-src 'self' https://api.stripe.com; \
     style-src 'self'; style-src-attr 'unsafe-inline'; img-src 'self' data:; font-src 'self'; \
     form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

#[derive(Template)]
#[template(path = "payments/pay.html")]
struct PayPage {
    shell: Shell,
    form: FormState,
    here: String,
    next: Option<String>,
    thing: Option<String>,
    is_open: bool,
    wants_card: bool,
    needs_script: bool,
    is_confirming: bool,
    publishable_key: String,
    client_secret: String,
    return_url: String,
    payment: Payment,
    cards: &'static [TestCard],
}

fn page(room: &Payments, visit: Visit, payment: Payment, form: FormState) -> Response {
    let here = format!("/pay/{}", payment.id);
    let secret = match &payment.next_action {
        Some(NextAction::Browser { client_secret }) => client_secret.clone(),
        _ => None,
    };
    let is_open = payment.state.is_open() && !payment.is_given_back();
    let publishable_key = room.publishable_key(&payment);
    let shell = visit.shell.page("Pay", "pay").with_sheet(Sheet::Market);
    let page = PayPage {
        next: Payments::next_page(&payment).filter(|href| is_open && *href != here),
        thing: Some(room.page_of(&payment)).filter(|href| !is_open && *href != here),
        wants_card: is_open && payment.next_action == Some(NextAction::Card),
        needs_script: is_open && secret.is_some() && publishable_key.is_some(),
        is_confirming: !payment.instrument.is_empty(),
        publishable_key: publishable_key.unwrap_or_default(),
        client_secret: secret.unwrap_or_default(),
        return_url: format!("{}{here}", room.settings().public_url),
        cards: CARDS,
        shell,
        form,
        here,
        is_open,
        payment,
    };
    let mut response = face::html(&page.shell, &page);
    if page.needs_script {
        let policy = HeaderValue::from_static(STRIPE_POLICY);
        response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    response
}

pub(super) async fn show(
    State(room): State<Payments>,
    visit: Visit,
    Path(text): Path<String>,
) -> Result<Response, Failure> {
    visit.account()?;
    let payment = room.resume(&visit.caller, &id(&text, "payment")?).await?;
    Ok(page(&room, visit, payment, FormState::default()))
}

pub(super) async fn pay(
    State(room): State<Payments>,
    visit: Visit,
    Path(text): Path<String>,
    Form(typed): Form<Typed>,
) -> Result<Response, Failure> {
    visit.account()?;
    let id = id(&text, "payment")?;
    match room.confirm_with_card(&visit.caller, &id, &typed_card(&typed)).await {
        Ok(payment) => {
            let to = Payments::next_page(&payment).unwrap_or_else(|| format!("/pay/{id}"));
            Ok(Redirect::to(&to).into_response())
        }
        Err(error) => {
            let wrong = Wrong::of(on_the_page(error), &typed)?;
            let payment = room.resume(&visit.caller, &id).await?;
            Ok(wrong.answer(|form| page(&room, visit, payment, form)))
        }
    }
}

/// The script of the pay page with Stripe.
pub(super) async fn script() -> Response {
    let kind = HeaderValue::from_static("text/javascript; charset=utf-8");
    let keep = HeaderValue::from_static("public, max-age=3600");
    let script = include_str!("../../templates/stripe.js");
    ([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, keep)], script).into_response()
}

#[derive(Template)]
#[template(path = "payments/bank.html")]
struct BankPage {
    shell: Shell,
    back: String,
    is_waiting: bool,
    payment: Payment,
}

pub(super) async fn bank(
    State(room): State<Payments>,
    visit: Visit,
    Path(text): Path<String>,
) -> Result<Response, Failure> {
    visit.account()?;
    let payment = room.payable(&visit.caller, &id(&text, "payment")?).await?;
    if payment.gateway != NAME {
        return Err(PaymentError::NotFound("payment").into());
    }
    let page = BankPage {
        shell: visit.shell.page("Sandbox bank", "pay").with_sheet(Sheet::Market),
        back: format!("/pay/{}", payment.id),
        is_waiting: payment.state.is_open() && payment.instrument == bank::CONFIRM,
        payment,
    };
    Ok(face::html(&page.shell, &page))
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Answer {
    Accept,
    Refuse,
}

#[derive(Deserialize)]
pub(super) struct Answered {
    answer: Answer,
}

pub(super) async fn answer_bank(
    State(room): State<Payments>,
    visit: Visit,
    Path(text): Path<String>,
    form: Result<Form<Answered>, Failure>,
) -> Result<Response, Failure> {
    visit.account()?;
    let Form(answered) = form?;
    let accepts = matches!(answered.answer, Answer::Accept);
    let payment = room.confirm_at_bank(&visit.caller, &id(&text, "payment")?, accepts).await?;
    let words = if accepts { "You accepted at the bank." } else { "You refused at the bank." };
    Ok(done(&room.page_of(&payment), words))
}
