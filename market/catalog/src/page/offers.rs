//! Offers of a listing: adding, changing and withdrawing one; adding its units.

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use identity::{Visit, done};
use kernel::{FieldError, Problem};
use store::Tx;
use web::face::parts::Choice;
use web::face::{self, FormState, Shell, Typed, Wrong};
use web::{Form, Path};

use super::{Answer, sell as frame, typed};
use crate::browse::Shown;
use crate::error::CatalogError;
use crate::offer::{Offer, OfferId, OfferState, Stock};
use crate::room::Catalog;
use crate::sell;
use crate::unit::NewUnit;

#[derive(Template)]
#[template(path = "catalog/offer.html")]
struct OfferPage {
    shell: Shell,
    form: FormState,
    units_form: FormState,
    shown: Shown,
    /// The offer that is changed; `None` for a new one.
    offer: Option<Offer>,
    /// Its address, to which its forms are sent.
    at: String,
    pricings: Vec<Choice>,
    stocks: Vec<Choice>,
    /// The counts of the offer that is changed.
    stock: Vec<(&'static str, String)>,
}

/// `GET /sell/listings/{id}/offers/new`.
pub(super) async fn blank(State(catalog): State<Catalog>, visit: Visit, Path(id): Path<String>) -> Answer {
    visit.account()?;
    let shown = frame::own(&catalog, &visit, &id).await?;
    let currency = shown.listing.currency.unwrap_or(kernel::Currency::USD);
    let form = FormState::with(&[
        ("name", if shown.offers.is_empty() { "Standard" } else { "" }),
        ("pricing", "one_off"),
        ("currency", currency.code()),
        ("stock", "unlimited"),
    ]);
    Ok(draw(visit, shown, None, form, FormState::default(), StatusCode::OK))
}

/// `POST /sell/listings/{id}/offers/new`.
pub(super) async fn create(
    State(catalog): State<Catalog>,
    visit: Visit,
    Path(id): Path<String>,
    Form(typed): Form<Typed>,
) -> Answer {
    visit.account()?;
    let shown = frame::own(&catalog, &visit, &id).await?;
    let (by, listing, form) = (visit.caller.clone(), shown.listing.id.clone(), typed.clone());
    let create = async move |tx: &mut Tx| sell::add_offer(tx, &by, &listing, &typed::offer(&form)?).await;
    match catalog.store.write(create).await {
        Ok(offer) if offer.stock == Stock::Units => Ok(done(
            &format!("/sell/listings/{id}/offers/{}", offer.id),
            "The offer is there. Add its units now.",
        )),
        Ok(_) => Ok(done(&format!("/sell/listings/{id}"), "The offer is there.")),
        Err(error) => {
            let (status, form) = Wrong::of(error, &typed)?.into_parts();
            Ok(draw(visit, shown, None, form, FormState::default(), status))
        }
    }
}

/// `GET /sell/listings/{id}/offers/{offer}`.
pub(super) async fn editor(
    State(catalog): State<Catalog>,
    visit: Visit,
    Path((id, offer)): Path<(String, String)>,
) -> Answer {
    visit.account()?;
    let (shown, offer) = own(&catalog, &visit, &id, &offer).await?;
    let form = typed::offer_form(&offer);
    Ok(draw(visit, shown, Some(offer), form, FormState::default(), StatusCode::OK))
}

/// `POST /sell/listings/{id}/offers/{offer}`.
pub(super) async fn save(
    State(catalog): State<Catalog>,
    visit: Visit,
    Path((id, offer)): Path<(String, String)>,
    Form(typed): Form<Typed>,
) -> Answer {
    visit.account()?;
    let (shown, offer) = own(&catalog, &visit, &id, &offer).await?;
    let (by, listing, form, which) =
        (visit.caller.clone(), shown.listing.id.clone(), typed.clone(), offer.id.clone());
    let save = async move |tx: &mut Tx| {
        let expected = typed::expected(&form);
        sell::edit_offer(tx, &by, &listing, &which, &expected, |_| typed::offer(&form)).await
    };
    match catalog.store.write(save).await {
        Ok(_) => Ok(done(&format!("/sell/listings/{id}"), "The offer is saved.")),
        Err(error) => {
            let (status, form) = Wrong::of(error, &typed)?.into_parts();
            Ok(draw(visit, shown, Some(offer), form, FormState::default(), status))
        }
    }
}

/// `POST /sell/listings/{id}/offers/{offer}/withdraw`.
pub(super) async fn withdraw(
    State(catalog): State<Catalog>,
    visit: Visit,
    Path((id, offer)): Path<(String, String)>,
    Form(typed): Form<Typed>,
) -> Answer {
    visit.account()?;
    let (shown, offer) = own(&catalog, &visit, &id, &offer).await?;
    let (by, listing, form, which) =
        (visit.caller.clone(), shown.listing.id.clone(), typed.clone(), offer.id.clone());
    let withdraw = async move |tx: &mut Tx| {
        sell::withdraw_offer(tx, &by, &listing, &which, &typed::expected(&form)).await
    };
    match catalog.store.write(withdraw).await {
        Ok(_) => {
            Ok(done(&format!("/sell/listings/{id}"), "The offer is withdrawn. What was sold stays sold."))
        }
        Err(error) => {
            let problem = Problem::from(error);
            let (status, _) = Wrong::of(problem.clone(), &typed)?.into_parts();
            let form = typed::offer_form(&offer).failed(&problem);
            Ok(draw(visit, shown, Some(offer), form, FormState::default(), status))
        }
    }
}

/// `POST /sell/listings/{id}/offers/{offer}/units`: rows of seats.
pub(super) async fn add_units(
    State(catalog): State<Catalog>,
    visit: Visit,
    Path((id, offer)): Path<(String, String)>,
    Form(typed): Form<Typed>,
) -> Answer {
    visit.account()?;
    let (shown, offer) = own(&catalog, &visit, &id, &offer).await?;
    let (by, listing, form, which) =
        (visit.caller.clone(), shown.listing.id.clone(), typed.clone(), offer.id.clone());
    let add = async move |tx: &mut Tx| {
        sell::add_units(tx, &by, &listing, &which, &rows(&form)?).await.map(|units| units.len())
    };
    match catalog.store.write(add).await {
        Ok(count) => Ok(done(
            &format!("/sell/listings/{id}/offers/{}", offer.id),
            &format!("{} added.", web::face::text::counted(count, "unit")),
        )),
        Err(error) => {
            let (status, units_form) = Wrong::of(error, &typed)?.into_parts();
            let form = typed::offer_form(&offer);
            Ok(draw(visit, shown, Some(offer), form, units_form, status))
        }
    }
}

/// So many rows of so many seats of a section.
fn rows(typed: &Typed) -> Result<Vec<NewUnit>, CatalogError> {
    let section = typed.get("section").trim();
    let mut wrong = Vec::new();
    let mut number = |name: &str, pointer: &'static str, most: i32| {
        let number = typed.get(name).trim().parse::<i32>().ok().filter(|n| (1..=most).contains(n));
        number.unwrap_or_else(|| {
            let detail = format!("Write a number from 1 to {most}.").into();
            wrong.push(FieldError { pointer: pointer.into(), detail });
            0
        })
    };
    let (rows, seats) = (number("rows", "/rows", 100), number("seats", "/seats", 100));
    if !wrong.is_empty() {
        return Err(CatalogError::Invalid(wrong));
    }
    let before = if section.is_empty() { String::new() } else { format!("{section}, ") };
    let unit = |row: i32, seat: i32| NewUnit {
        label: format!("{before}row {row}, seat {seat}"),
        section: section.to_owned(),
        row: row.to_string(),
        seat: seat.to_string(),
        place: seat,
        x: seat * 10,
        y: row * 10,
    };
    Ok((1..=rows).flat_map(|row| (1..=seats).map(move |seat| unit(row, seat))).collect())
}

async fn own(
    catalog: &Catalog,
    visit: &Visit,
    id: &str,
    offer: &str,
) -> Result<(Shown, Offer), CatalogError> {
    let shown = frame::own(catalog, visit, id).await?;
    let offer: OfferId = offer.parse().map_err(|_| CatalogError::NotFound("offer"))?;
    let found = shown.offers.iter().find(|own| own.id == offer).cloned();
    Ok((shown, found.ok_or(CatalogError::NotFound("offer"))?))
}

fn draw(
    visit: Visit,
    shown: Shown,
    offer: Option<Offer>,
    form: FormState,
    units_form: FormState,
    status: StatusCode,
) -> Response {
    let title = offer.as_ref().map_or_else(|| "New offer".to_owned(), |offer| offer.name.clone());
    let base = format!("/sell/listings/{}", shown.listing.id);
    let which = offer.as_ref().map_or("new", |offer| offer.id.as_str());
    let shell = frame::shell(visit.shell, &title).crumb(&shown.listing.text.title, &base).crumb(&title, "");
    let page = OfferPage {
        at: format!("{base}/offers/{which}"),
        pricings: pricings(),
        stock: offer.as_ref().map(counts).unwrap_or_default(),
        stocks: [
            ("unlimited", "No limit", "As many as are wanted: downloads, licences."),
            ("counted", "So many", "All alike: places in a course, copies in print."),
            ("units", "Named units", "Each there is once: seats, numbered prints."),
        ]
        .map(|(value, label, hint)| Choice::new(value, label, hint))
        .into(),
        shell,
        form,
        units_form,
        shown,
        offer,
    };
    (status, face::html(&page.shell, &page)).into_response()
}

fn counts(offer: &Offer) -> Vec<(&'static str, String)> {
    let left = offer.left().map_or_else(|| "No limit".to_owned(), web::face::text::count);
    let count = web::face::text::count;
    vec![("Held", count(offer.held)), ("Sold", count(offer.sold)), ("Left", left)]
}

fn pricings() -> Vec<Choice> {
    [
        ("free", "Free", ""),
        ("one_off", "Once", "The buyer pays once."),
        ("month", "Every month", "A subscription."),
        ("year", "Every year", "A subscription."),
        ("metered", "By use", "The price is that of one unit of use."),
    ]
    .map(|(value, label, hint)| Choice::new(value, label, hint))
    .into()
}
