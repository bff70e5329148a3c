//! From "Buy" to paid: `/orders/new`, then `/checkout/{order}` until the order is paid or over.

use askama::Template;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Redirect, Response};
use catalog::{UnitId, Want};
use identity::{Visit, done};
use kernel::Problem;
use payments::sandbox::{CARDS, TestCard};
use payments::{Card, Payment, Payments, Source};
use store::Tx;
use web::face::parts::{Choice, OrderLine};
use web::face::{self, FormState, Sheet, Shell, Typed, Wrong};
use web::{Expected, Failure, Form, Path};

use super::{Answer, cart, words};
use crate::cart::Owner;
use crate::error::id;
use crate::list::{Details, Placed, Side};
use crate::order::{OrderId, State as OrderState};
use crate::place::NewOrder;
use crate::{OrderError, Orders, find_placed};

/// Nothing was chosen: where things can be.
pub(super) async fn nothing() -> Redirect {
    Redirect::to("/market")
}

#[derive(Template)]
#[template(path = "orders/refused.html")]
struct RefusedPage {
    shell: Shell,
    form: FormState,
    kept: Vec<(String, String)>,
    /// Whether pieces were wanted, not units by name.
    asks_quantity: bool,
}

/// `POST /orders/new`: holds what was chosen on a page. Who is not signed in finds it in the cart afterwards.
pub(super) async fn place(
    State(orders): State<Orders>,
    visit: Visit,
    headers: HeaderMap,
    Form(typed): Form<Typed>,
) -> Answer {
    let want = want(&typed)?;
    let is_for_later = typed.has("cart");
    if visit.caller.actor.is_none() || is_for_later {
        let next = if is_for_later { "/cart" } else { "/login?next=/cart" };
        return cart::keep(&orders, &visit, &headers, &want, next).await;
    }
    let text = |name: &str| Some(typed.get(name).trim().to_owned()).filter(|text| !text.is_empty());
    let new = NewOrder {
        items: vec![want],
        promo: text("promo"),
        on_behalf_of: text("org"),
        pass: text("pass"),
        ..NewOrder::default()
    };
    match orders.place(&visit.caller, new).await {
        Ok(placed) => Ok(go_on(&orders, &placed)),
        Err(error) => Ok(refused(visit, Wrong::of(error, &typed)?, &typed)),
    }
}

/// Where a fresh order leads: to its payment, or to the receipt where it costs nothing.
pub(super) fn go_on(orders: &Orders, placed: &Placed) -> Response {
    let id = &placed.order.id;
    match placed.order.state {
        OrderState::Pending => Redirect::to(&format!("/checkout/{id}")).into_response(),
        _ => done(&orders.page_of(placed), "It is yours."),
    }
}

fn want(typed: &Typed) -> Result<Want, OrderError> {
    let offer = id(typed.get("offer"), "offer")?;
    let names = typed.all("unit").chain(typed.all("unit[]"));
    let units: Result<Vec<UnitId>, _> = names.filter(|name| !name.is_empty()).map(str::parse).collect();
    let units = units.map_err(|_| OrderError::field("/unit", "Choose among what is shown."))?;
    let quantity = match typed.get("quantity").trim() {
        "" => 1,
        text => text.parse().map_err(|_| OrderError::field("/quantity", "Write a whole number."))?,
    };
    Ok(Want { offer, quantity: if units.is_empty() { quantity } else { 0 }, units })
}

fn refused(visit: Visit, wrong: Wrong, typed: &Typed) -> Response {
    let names = ["offer", "quantity", "unit", "org", "pass"];
    let values = |name: &'static str| typed.all(name).map(move |value| (name.to_owned(), value.to_owned()));
    let kept = names.into_iter().flat_map(values).collect();
    let asks_quantity = typed.all("unit").all(str::is_empty);
    wrong.answer(|form| {
        let shell = visit.shell.page("Not reserved - Checkout", "orders").with_sheet(Sheet::Market);
        let page = RefusedPage { shell, form, kept, asks_quantity };
        face::html(&page.shell, &page)
    })
}

#[derive(Template)]
#[template(path = "orders/checkout.html")]
struct CheckoutPage {
    shell: Shell,
    form: FormState,
    placed: Placed,
    lines: Vec<OrderLine>,
    total: String,
    total_label: &'static str,
    ways: Vec<Choice>,
    is_live: bool,
    is_over: bool,
    /// Whether an attempt to pay is with the bank.
    is_waiting: bool,
    /// Where the buyer goes on with it, if it is the buyer's turn.
    next_page: Option<String>,
    asks_place: bool,
    is_sandbox: bool,
    may_extend: bool,
    extension: String,
    /// Names this payment, so that sending the form twice pays once.
    key: String,
    cards: &'static [TestCard],
}

/// `GET /checkout/{order}`: safe to load again at any time.
pub(super) async fn show(State(orders): State<Orders>, visit: Visit, Path(order): Path<String>) -> Answer {
    visit.account()?;
    let details = orders.details(&visit.caller, &id(&order, "order")?).await?;
    if details.side == Side::Seller {
        return Err(OrderError::NotFound("order").into());
    }
    if details.placed.order.state.is_paid() {
        return Ok(Redirect::to(&orders.page_of(&details.placed)).into_response());
    }
    let ways = ways(&orders, &visit, &details).await?;
    let first = ways.first().map_or("", |way| way.value.as_str());
    let order = &details.placed.order;
    let (country, region) = (order.country.as_deref(), order.region.as_deref());
    let form = FormState::with(&[
        ("way", first),
        ("country", country.unwrap_or_default()),
        ("region", region.unwrap_or_default()),
    ]);
    page(&orders, visit, details, ways, form).await
}

async fn page(orders: &Orders, visit: Visit, details: Details, ways: Vec<Choice>, form: FormState) -> Answer {
    let now = visit.caller.now();
    let Details { placed, payments, .. } = details;
    let order = &placed.order;
    let current = payments.iter().find(|payment| order.payment.as_ref() == Some(&payment.id));
    let is_live = order.hold.is_live(now);
    let rules = orders.rules_in_force(now).await.map_err(OrderError::from)?;
    let minutes = order.hold.extension_seconds.div_ceil(60);
    let page = CheckoutPage {
        shell: visit.shell.page("Checkout", "orders").with_sheet(Sheet::Market),
        lines: words::summary(&placed),
        total: words::total(&placed),
        total_label: if is_live { "To pay" } else { "Total" },
        is_live,
        is_over: !is_live,
        is_waiting: current.is_some_and(|payment| payment.state.is_open()),
        next_page: current.and_then(Payments::next_page),
        asks_place: !rules.taxes.is_empty(),
        is_sandbox: orders.payments.is_sandbox(),
        may_extend: order.hold.may_extend(now),
        extension: web::face::text::counted(minutes, "minute"),
        key: kernel::random_text::<16>(),
        cards: CARDS,
        ways,
        form,
        placed,
    };
    Ok(face::html(&page.shell, &page))
}

/// How this buyer can pay: saved cards, a card, the wallet where there is enough in it.
async fn ways(orders: &Orders, visit: &Visit, details: &Details) -> Result<Vec<Choice>, Failure> {
    let order = &details.placed.order;
    let mut ways = Vec::new();
    let is_own = visit.account()?.user.as_str() == order.buyer.as_str();
    if is_own {
        for method in orders.payments.methods(&visit.caller, None).await.map_err(OrderError::from)? {
            let label = method.view.label();
            let hint = format!("Expires {:02}/{}.", method.exp_month, method.exp_year);
            ways.push(Choice::new(method.id.as_str(), &label, &hint));
        }
    }
    if orders.payments.is_sandbox() {
        ways.push(Choice::new("card", "Test card", "Type it below. No money moves."));
    } else if orders.payments.default_gateway().is_some() {
        ways.push(Choice::new("browser", "Card or another way", "On the next page, with Stripe."));
    }
    let balance = orders.wallet_of(&order.buyer, order.currency).await?;
    if balance.minor >= order.amounts.total {
        ways.push(Choice::new("wallet", "Wallet", &format!("You have {balance}.")));
    }
    Ok(ways)
}

/// `POST /checkout/{order}/pay`.
pub(super) async fn pay(
    State(orders): State<Orders>,
    visit: Visit,
    Path(order): Path<String>,
    Form(typed): Form<Typed>,
) -> Answer {
    visit.account()?;
    let id = id(&order, "order")?;
    let key = Some(typed.get("key").to_owned()).filter(|key| (8..=64).contains(&key.len()));
    let paid = match source(&typed) {
        Ok(source) => orders.pay(&visit.caller, &id, source, key).await,
        Err(error) => Err(error),
    };
    match paid {
        Ok(paid) => match declined(&paid.payment) {
            None => after(&orders, &paid.payment, &id).await,
            Some(problem) => again(&orders, visit, &id, Wrong::told(problem, &typed)).await,
        },
        Err(error) => {
            let problem = on_the_page(error);
            let wrong = if problem.status == 402 {
                Wrong::told(problem, &typed)
            } else {
                Wrong::of(problem, &typed)?
            };
            again(&orders, visit, &id, wrong).await
        }
    }
}

fn source(typed: &Typed) -> Result<Source, OrderError> {
    let text = |name: &str| typed.get(name).to_owned();
    match typed.get("way") {
        "card" => Ok(Source::Card(Card {
            number: text("cardNumber"),
            exp_month: text("expMonth"),
            exp_year: text("expYear"),
            cvc: text("cvc"),
        })),
        "wallet" => Ok(Source::Wallet),
        "browser" => Ok(Source::Browser),
        method => match method.parse() {
            Ok(method) => Ok(Source::Method(method)),
            Err(_) => Err(OrderError::field("/way", "Choose how to pay.")),
        },
    }
}

/// The fields of a card stand on a page by themselves, not below `card` as in JSON.
fn on_the_page(error: OrderError) -> Problem {
    let mut problem = Problem::from(error);
    for field in &mut problem.errors {
        field.pointer = match &*field.pointer {
            "/card/number" => "/cardNumber".into(),
            other => other.strip_prefix("/card").unwrap_or(other).to_owned().into(),
        };
    }
    problem
}

fn declined(payment: &Payment) -> Option<Problem> {
    let reason = payment.failure.as_ref().filter(|_| !payment.state.is_open())?;
    Some(Problem::from(payments::PaymentError::Gateway(reason.clone())))
}

/// Where a payment leads: on to the bank, to the receipt, or back to wait.
async fn after(orders: &Orders, payment: &Payment, id: &OrderId) -> Answer {
    if let Some(next) = Payments::next_page(payment).filter(|_| payment.state.is_open()) {
        return Ok(Redirect::to(&next).into_response());
    }
    let of = id.clone();
    let find = async move |tx: &mut Tx| find_placed(tx, &of).await.map_err(OrderError::from);
    Ok(match payment.state {
        payments::State::Authorised | payments::State::Captured => {
            let placed = orders.store.read(find).await?;
            let page = placed.map_or_else(|| format!("/orders/{id}"), |placed| orders.page_of(&placed));
            done(&page, "Paid. It is yours.")
        }
        _ => Redirect::to(&format!("/checkout/{id}")).into_response(),
    })
}

impl Orders {
    /// Where the buyer goes on with a paid order: where all of it is of one kind, its room may say so.
    fn page_of(&self, placed: &Placed) -> String {
        let kind = placed.lines.first().map(|line| line.kind);
        let kind = kind.filter(|kind| placed.lines.iter().all(|line| line.kind == *kind));
        let page = kind.and_then(|kind| self.shared.goods(kind)?.page(&placed.order.id));
        page.unwrap_or_else(|| format!("/orders/{}", placed.order.id))
    }
}

/// The page once more, with what was typed; the number and the CVC of a card are never sent back.
async fn again(orders: &Orders, visit: Visit, id: &OrderId, wrong: Wrong) -> Answer {
    let details = orders.details(&visit.caller, id).await?;
    if details.placed.order.state.is_paid() {
        return Ok(Redirect::to(&format!("/orders/{id}")).into_response());
    }
    let ways = ways(orders, &visit, &details).await?;
    let (status, form) = wrong.into_parts();
    let mut response = page(orders, visit, details, ways, form).await?;
    *response.status_mut() = status;
    Ok(response)
}

/// `POST /checkout/{order}/extend`.
pub(super) async fn extend(State(orders): State<Orders>, visit: Visit, Path(order): Path<String>) -> Answer {
    visit.account()?;
    orders.extend(&visit.caller, &id(&order, "order")?, Expected::Whatever).await?;
    Ok(done(&format!("/checkout/{order}"), "You have more time."))
}

/// `POST /checkout/{order}/cancel`.
pub(super) async fn cancel(State(orders): State<Orders>, visit: Visit, Path(order): Path<String>) -> Answer {
    visit.account()?;
    orders.cancel(&visit.caller, &id(&order, "order")?, Expected::Whatever).await?;
    Ok(done(&format!("/orders/{order}"), "The order is cancelled. Nothing was charged."))
}

/// `POST /checkout/{order}/place`: where the buyer is, for the tax.
pub(super) async fn locate(
    State(orders): State<Orders>,
    visit: Visit,
    Path(order): Path<String>,
    Form(typed): Form<Typed>,
) -> Answer {
    visit.account()?;
    let id = id(&order, "order")?;
    let (country, region) = (typed.get("country"), typed.get("region"));
    match orders.locate(&visit.caller, &id, country, region, Expected::Whatever).await {
        Ok(_) => Ok(done(&format!("/checkout/{id}"), "The taxes are those of this place.")),
        Err(error) => again(&orders, visit, &id, Wrong::of(error, &typed)?).await,
    }
}

/// Whose cart a visitor's page shows.
pub(super) fn owner(visit: &Visit, headers: &HeaderMap) -> Option<Owner> {
    Owner::of(&visit.caller, web::cookie(headers, cart::COOKIE))
}
