//! `/cart`: what somebody means to buy.

use askama::Template;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Redirect, Response};
use catalog::{OfferId, UnitId, Want};
use identity::{Visit, done};
use kernel::Money;
use web::Form;
use web::face::{self, FormState, Sheet, Shell, Typed, Wrong};

use super::Answer;
use super::checkout::{go_on, owner};
use crate::cart::{Item, Owner};
use crate::error::id;
use crate::place::NewOrder;
use crate::{OrderError, Orders};

/// Names the cart of a visitor.
pub(super) const COOKIE: &str = "fondaco_cart";
/// How long a browser keeps it, in seconds: as long as we keep the cart.
const KEEP_SECONDS: u32 = 60 * 86_400;

/// Puts something into the visitor's cart and leads on.
pub(super) async fn keep(
    orders: &Orders,
    visit: &Visit,
    headers: &HeaderMap,
    want: &Want,
    next: &str,
) -> Answer {
    let owner = owner(visit, headers).unwrap_or_else(Owner::fresh);
    orders.add_to_cart(&owner, visit.caller.now(), want).await?;
    let mut response = match visit.caller.actor {
        Some(_) => done(next, "It is in your cart."),
        None => Redirect::to(next).into_response(),
    };
    if let Owner::Visitor(name) = owner {
        let secure = if orders.identity.settings().is_https() { "; Secure" } else { "" };
        let cookie =
            format!("{COOKIE}={name}; Path=/; Max-Age={KEEP_SECONDS}; HttpOnly; SameSite=Lax{secure}");
        if let Ok(cookie) = HeaderValue::from_str(&cookie) {
            response.headers_mut().append(header::SET_COOKIE, cookie);
        }
    }
    Ok(response)
}

struct Row {
    item: Item,
    price: String,
    cost: String,
    unit: String,
}

#[derive(Template)]
#[template(path = "orders/cart.html")]
struct CartPage {
    shell: Shell,
    form: FormState,
    rows: Vec<Row>,
    total: String,
    is_signed_in: bool,
}

pub(super) async fn show(State(orders): State<Orders>, visit: Visit, headers: HeaderMap) -> Answer {
    orders.take_over_cart(&visit.caller, web::cookie(&headers, COOKIE)).await?;
    page(&orders, visit, &headers, FormState::default()).await
}

async fn page(orders: &Orders, visit: Visit, headers: &HeaderMap, form: FormState) -> Answer {
    let items = match owner(&visit, headers) {
        Some(owner) => orders.cart(&owner).await?,
        None => Vec::new(),
    };
    let words = |money: Option<Money>| money.map_or_else(|| "Gone".to_owned(), |money| money.to_string());
    let row = |item: Item| Row {
        price: words(item.price),
        cost: words(item.cost()),
        unit: item.unit.as_ref().map_or_else(String::new, ToString::to_string),
        item,
    };
    let page = CartPage {
        is_signed_in: visit.caller.actor.is_some(),
        total: total(&items),
        shell: visit.shell.page("Cart", "cart").with_sheet(Sheet::Market),
        rows: items.into_iter().map(row).collect(),
        form,
    };
    Ok(face::html(&page.shell, &page))
}

/// The sum, where all of it is of one currency.
fn total(items: &[Item]) -> String {
    let costs: Option<Vec<Money>> = items.iter().map(Item::cost).collect();
    let sum = costs.and_then(|costs| {
        let mut costs = costs.into_iter();
        let first = costs.next()?;
        costs.try_fold(first, |sum, cost| sum.plus(cost).ok())
    });
    sum.map_or_else(String::new, |sum| sum.to_string())
}

/// `POST /cart`: another quantity, taking something out, or ordering all of it.
pub(super) async fn change(
    State(orders): State<Orders>,
    visit: Visit,
    headers: HeaderMap,
    Form(typed): Form<Typed>,
) -> Answer {
    if typed.get("do") == "order" {
        return order(&orders, visit, &headers, &typed).await;
    }
    let changed = async {
        let owner = owner(&visit, &headers).ok_or(OrderError::NotFound("cart"))?;
        let offer: OfferId = id(typed.get("offer"), "offer")?;
        let unit: Option<UnitId> = typed.get("unit").parse().ok();
        let quantity = match typed.get("do") {
            "remove" => 0,
            _ => typed
                .get("quantity")
                .trim()
                .parse()
                .map_err(|_| OrderError::field("/quantity", "Write a whole number; 0 takes it out."))?,
        };
        orders.set_in_cart(&owner, visit.caller.now(), &offer, unit.as_ref(), quantity).await
    };
    match changed.await {
        Ok(()) => Ok(done("/cart", "The cart is changed.")),
        Err(error) => wrong(&orders, visit, &headers, error, &typed).await,
    }
}

async fn order(orders: &Orders, visit: Visit, headers: &HeaderMap, typed: &Typed) -> Answer {
    visit.account()?;
    let owner = owner(&visit, headers).ok_or(OrderError::NotFound("cart"))?;
    let promo = Some(typed.get("promo").trim().to_owned()).filter(|code| !code.is_empty());
    let items = orders.wants_of_cart(&owner).await?;
    match orders.place(&visit.caller, NewOrder { items, promo, ..NewOrder::default() }).await {
        Ok(placed) => {
            orders.empty_cart(&owner).await?;
            Ok(go_on(orders, &placed))
        }
        Err(error) => wrong(orders, visit, headers, error, typed).await,
    }
}

async fn wrong(
    orders: &Orders,
    visit: Visit,
    headers: &HeaderMap,
    error: OrderError,
    typed: &Typed,
) -> Answer {
    let (status, form) = Wrong::of(error, typed)?.into_parts();
    let mut response: Response = page(orders, visit, headers, form).await?;
    *response.status_mut() = status;
    Ok(response)
}
