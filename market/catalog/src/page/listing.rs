//! `/market/{id}`: one listing, its offers, and the forms that order them. Tickets have pages of their own.

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect};
use identity::Visit;
use kernel::Paging;
use web::Path;
use web::face::{self, Html, Sheet, Shell};

use super::{Answer, bought_at, kind_icon, kind_words, left_words, price_words};
use crate::browse::Shown;
use crate::error::CatalogError;
use crate::listing::ListingId;
use crate::offer::{Offer, OfferState, Pricing, Stock};
use crate::room::{Catalog, is_on_sale};
use crate::unit::{Unit, UnitState};

/// The most of one offer that the form orders at once.
const MAX_ORDER: u32 = 20;
/// How many units the form names; more are found by "the best there are".
const NAMED_UNITS: u32 = 1_000;

/// An offer as a row.
struct Row {
    id: String,
    name: String,
    summary: String,
    price: String,
    terms: String,
    left: (String, &'static str),
    /// How many can be ordered; 0 when it cannot be bought now.
    most: u32,
    button: &'static str,
    /// Units to choose among.
    units: Vec<Unit>,
}

#[derive(Template)]
#[template(path = "catalog/listing.html")]
struct ListingPage {
    shell: Shell,
    shown: Shown,
    icon: &'static str,
    kind_label: &'static str,
    category: Option<String>,
    rows: Vec<Row>,
    description: Html,
    /// Whether this shows what is not on sale.
    is_off: bool,
}

/// `GET /market/{id}`.
pub(super) async fn show(State(catalog): State<Catalog>, visit: Visit, Path(id): Path<String>) -> Answer {
    let id: ListingId = id.parse().map_err(|_| CatalogError::NotFound("listing"))?;
    let mut shown = catalog.find(&visit.caller, &id).await?;
    if let Some(page) = bought_at(&shown.listing) {
        return Ok(Redirect::to(&page).into_response());
    }
    shown.offers.retain(|offer| offer.state == OfferState::Active);
    let is_off = !is_on_sale(&shown.listing);
    let mut rows = Vec::with_capacity(shown.offers.len());
    for offer in &shown.offers {
        let mut row = row(offer, is_off);
        if offer.stock == Stock::Units && row.most > 0 {
            let paging = Paging { limit: NAMED_UNITS, offset: 0 };
            let units = catalog.units(&visit.caller, &id, &offer.id, paging).await?.items;
            row.units = units.into_iter().filter(|unit| unit.state == UnitState::Available).collect();
        }
        rows.push(row);
    }
    let text = &shown.listing.text;
    let categories = catalog.categories().await?;
    let category = categories.into_iter().find(|category| Some(&category.slug) == text.category.as_ref());
    let shell = visit.shell.page(format!("{} - Market", text.title), "market").describe(&text.summary);
    let page = ListingPage {
        shell: shell.with_sheet(Sheet::Market).with_sheet(Sheet::Prose),
        icon: kind_icon(shown.listing.kind),
        kind_label: kind_words(shown.listing.kind),
        category: category.map(|category| category.name),
        rows,
        description: catalog.description(&shown.listing).await,
        is_off,
        shown,
    };
    Ok(face::html(&page.shell, &page))
}

fn row(offer: &Offer, is_off: bool) -> Row {
    let most = if is_off { 0 } else { offer.left().unwrap_or(MAX_ORDER).min(MAX_ORDER) };
    let trial = match offer.pricing {
        Pricing::Subscription { trial_days, .. } if trial_days > 0 => {
            format!("The first {} cost nothing.", web::face::text::counted(trial_days, "day"))
        }
        Pricing::Metered { .. } => "You pay for what you use.".to_owned(),
        _ => String::new(),
    };
    let single = matches!(offer.pricing, Pricing::Subscription { .. } | Pricing::Metered { .. });
    Row {
        id: offer.id.to_string(),
        name: offer.name.clone(),
        summary: offer.summary.clone(),
        price: price_words(offer.price, &offer.pricing),
        terms: trial,
        left: left_words(offer),
        most: if single { most.min(1) } else { most },
        button: match offer.pricing {
            Pricing::Free => "Get it",
            Pricing::OneOff => "Buy",
            Pricing::Subscription { .. } => "Subscribe",
            Pricing::Metered { .. } => "Start",
        },
        units: Vec::new(),
    }
}
