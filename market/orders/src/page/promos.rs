//! `/sell/promos`: a seller's promo codes.

use askama::Template;
use axum::extract::State;
use identity::{Visit, done};
use kernel::{Currency, Money, Paging, Timestamp};
use serde::Deserialize;
use web::face::parts::{Choice, Pager};
use web::face::{self, FormState, Sheet, Shell, Typed, Wrong};
use web::{Expected, Form, Path, Query};

use super::Answer;
use crate::price::{percent, read_percent};
use crate::promo::{NewPromo, Off, Promo};
use crate::{OrderError, Orders};

const HOME: &str = "/sell/promos";
/// How many rows one page shows.
const ROWS: u32 = 25;

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Asked {
    offset: u32,
}

struct Row {
    promo: Promo,
    off: String,
    used: String,
    is_live: bool,
}

#[derive(Template)]
#[template(path = "orders/promos.html")]
struct PromosPage {
    shell: Shell,
    form: FormState,
    rows: Vec<Row>,
    kinds: Vec<Choice>,
    pager: Pager,
}

pub(super) async fn list(State(orders): State<Orders>, visit: Visit, Query(asked): Query<Asked>) -> Answer {
    page(&orders, visit, asked.offset, FormState::with(&[("kind", "percent"), ("currency", "USD")])).await
}

async fn page(orders: &Orders, visit: Visit, offset: u32, form: FormState) -> Answer {
    let paging = Paging { limit: ROWS, offset }.checked()?;
    let found = orders.promos(&visit.caller, false, paging).await?;
    let now = visit.caller.now();
    let row = |promo: Promo| Row {
        off: match promo.off {
            Off::Percent(points) => percent(points),
            Off::Amount(amount) => amount.to_string(),
        },
        used: match promo.max_uses {
            Some(most) => format!("{} of {most}", promo.used),
            None => promo.used.to_string(),
        },
        is_live: promo.is_valid(now),
        promo,
    };
    let shell = visit.shell.page("Promo codes - Sell", "promos").crumb("Sell", "").crumb("Promo codes", "");
    let page = PromosPage {
        shell: shell.with_sheet(Sheet::Market),
        kinds: vec![
            Choice::new("percent", "A percentage", ""),
            Choice::new("amount", "An amount of each order", ""),
        ],
        pager: Pager::new(&format!("{HOME}?"), ROWS, offset, found.items.len(), found.total),
        rows: found.items.into_iter().map(row).collect(),
        form,
    };
    Ok(face::html(&page.shell, &page))
}

pub(super) async fn create(State(orders): State<Orders>, visit: Visit, Form(typed): Form<Typed>) -> Answer {
    visit.account()?;
    let made = match read(&typed) {
        Ok(new) => orders.create_promo(&visit.caller, new).await,
        Err(error) => Err(error),
    };
    match made {
        Ok(promo) => Ok(done(HOME, &format!("The code {} can be used.", promo.code))),
        Err(error) => {
            let (status, form) = Wrong::of(error, &typed)?.into_parts();
            let mut response = page(&orders, visit, 0, form).await?;
            *response.status_mut() = status;
            Ok(response)
        }
    }
}

fn read(typed: &Typed) -> Result<NewPromo, OrderError> {
    let value = typed.get("value").trim();
    let off = if typed.get("kind") == "amount" {
        let currency: Currency = typed
            .get("currency")
            .trim()
            .parse()
            .map_err(|_| OrderError::field("/currency", "Write a currency such as USD."))?;
        let amount = Money::parse(value, currency);
        Off::Amount(amount.map_err(|_| OrderError::field("/value", "Write an amount such as 5 or 5.00."))?)
    } else {
        Off::Percent(
            read_percent(value)
                .ok_or_else(|| OrderError::field("/value", "Write a percentage such as 10."))?,
        )
    };
    let count = |name: &'static str| match typed.get(name).trim() {
        "" => Ok(None),
        text => {
            text.parse().map(Some).map_err(|_| OrderError::field(format!("/{name}"), "Write a whole number."))
        }
    };
    let until = match typed.get("validUntil").trim() {
        "" => None,
        day => Some(
            format!("{day}T23:59:59Z")
                .parse::<Timestamp>()
                .map_err(|_| OrderError::field("/validUntil", "Write a day such as 2026-12-31."))?,
        ),
    };
    Ok(NewPromo {
        code: typed.get("code").to_owned(),
        by_market: false,
        org: None,
        off,
        valid_from: None,
        valid_until: until,
        max_uses: count("maxUses")?,
        max_per_buyer: count("maxPerBuyer")?,
    })
}

pub(super) async fn end(State(orders): State<Orders>, visit: Visit, Path(code): Path<String>) -> Answer {
    visit.account()?;
    orders.end_promo(&visit.caller, &code, Expected::Whatever).await?;
    Ok(done(HOME, "The code is ended. Orders that used it keep their price."))
}
