//! The pages of this room: the market, a listing, and what sellers do.

mod categories;
mod listing;
mod market;
mod offers;
mod sell;
mod typed;

use axum::response::Response;
use kernel::Money;
use web::{Access, Failure, Routes};

use crate::browse::Shown;
use crate::listing::{Kind, Listing};
use crate::offer::{Offer, Period, Pricing};
use crate::room::{Catalog, is_on_sale};

pub use market::Card;

type Answer = Result<Response, Failure>;

/// Where it is bought instead, if not on the page of its listing: a ticket on the page of its event, where seats are
/// chosen and waited for, or on that of the one who sells it on; a plan on the page of its service, where it is deployed.
fn bought_at(listing: &Listing) -> Option<String> {
    if listing.kind == Kind::Service {
        let service = listing.subject.as_deref().filter(|_| is_on_sale(listing))?;
        return Some(format!("/services/{service}"));
    }
    let subject = listing.subject.as_deref().filter(|_| listing.kind == Kind::Ticket)?;
    if subject.starts_with("event-") {
        return Some(format!("/events/{subject}"));
    }
    // The page of a ticket that is sold is its owner's alone.
    let is_resold = subject.starts_with("ticket-") && is_on_sale(listing);
    is_resold.then(|| format!("/resale/{subject}"))
}

/// How many are left at the most when pages begin to count them.
const FEW: u32 = 20;

/// The routes of the pages.
#[must_use]
pub fn pages(catalog: Catalog) -> Routes {
    Routes::new()
        .get("/market", Access::Public, market::browse)
        .get("/market/{id}", Access::Public, listing::show)
        .get("/sell/listings", Access::Account, sell::list)
        .get("/sell/listings/new", Access::Account, sell::blank)
        .post("/sell/listings/new", Access::Account, sell::create)
        .get("/sell/listings/{id}", Access::Account, sell::editor)
        .post("/sell/listings/{id}", Access::Account, sell::save)
        .post("/sell/listings/{id}/state", Access::Account, sell::set_state)
        .get("/sell/listings/{id}/offers/new", Access::Account, offers::blank)
        .post("/sell/listings/{id}/offers/new", Access::Account, offers::create)
        .get("/sell/listings/{id}/offers/{offer}", Access::Account, offers::editor)
        .post("/sell/listings/{id}/offers/{offer}", Access::Account, offers::save)
        .post("/sell/listings/{id}/offers/{offer}/withdraw", Access::Account, offers::withdraw)
        .post("/sell/listings/{id}/offers/{offer}/units", Access::Account, offers::add_units)
        .get("/operator/categories", Access::Operator, categories::list)
        .post("/operator/categories", Access::Operator, categories::add)
        .get("/operator/categories/{slug}", Access::Operator, categories::editor)
        .post("/operator/categories/{slug}", Access::Operator, categories::save)
        .with_state(catalog)
}

/// What a kind is called where one is chosen.
const fn kind_words(kind: Kind) -> &'static str {
    match kind {
        Kind::Package => "Packages",
        Kind::Service => "Services",
        Kind::App => "Apps",
        Kind::Capacity => "Compute",
        Kind::Ticket => "Tickets",
        Kind::Other => "Other goods",
    }
}

/// The icon of a kind.
const fn kind_icon(kind: Kind) -> &'static str {
    match kind {
        Kind::Package => "package",
        Kind::Service => "server",
        Kind::App => "layers",
        Kind::Capacity => "database",
        Kind::Ticket => "calendar",
        Kind::Other => "store",
    }
}

/// What one costs and how it is paid, in words.
fn price_words(price: Money, pricing: &Pricing) -> String {
    match pricing {
        Pricing::Free => "Free".to_owned(),
        Pricing::OneOff => price.to_string(),
        Pricing::Subscription { period: Period::Month, .. } => format!("{price} a month"),
        Pricing::Subscription { period: Period::Year, .. } => format!("{price} a year"),
        Pricing::Metered { unit } => format!("{price} per {unit}"),
    }
}

/// What a listing costs at the least, in words.
fn from_words(shown: &Shown) -> String {
    let cheapest = shown.offers.iter().filter(|offer| offer.state == crate::OfferState::Active);
    // What one unit of use costs compares with nothing else: it comes last.
    let by_use = |offer: &Offer| matches!(offer.pricing, Pricing::Metered { .. });
    let cheapest = cheapest.min_by_key(|offer| (by_use(offer), offer.price.minor));
    match cheapest {
        None => "No offer".to_owned(),
        Some(offer) if shown.offers.iter().all(|other| other.price == offer.price) => {
            price_words(offer.price, &offer.pricing)
        }
        Some(offer) if offer.price.minor == 0 => "Free, and more for a price".to_owned(),
        Some(offer) => format!("From {}", price_words(offer.price, &offer.pricing)),
    }
}

/// Whether it can be had: the words and the kind of a badge.
fn left_words(offer: &Offer) -> (String, &'static str) {
    match offer.left() {
        None => ("Available".to_owned(), "ok"),
        Some(0) if offer.held > 0 => ("All held just now".to_owned(), "warn"),
        Some(0) => ("Sold out".to_owned(), ""),
        Some(left) if left <= FEW => (format!("{left} left"), "warn"),
        Some(_) => ("Available".to_owned(), "ok"),
    }
}

/// The same for a whole listing.
fn availability(shown: &Shown) -> (String, &'static str) {
    if !is_on_sale(&shown.listing) {
        return ("Not on sale".to_owned(), "");
    }
    let active = shown.offers.iter().filter(|offer| offer.state == crate::OfferState::Active);
    let best = active.max_by_key(|offer| offer.left().unwrap_or(u32::MAX));
    best.map_or_else(|| ("Not on sale".to_owned(), ""), left_words)
}

/// An address with the parameters that say something.
fn address(path: &str, pairs: &[(&str, &str)]) -> String {
    let said: Vec<_> = pairs.iter().filter(|(_, value)| !value.is_empty()).collect();
    if said.is_empty() {
        return path.to_owned();
    }
    let query: String = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(said).finish();
    format!("{path}?{query}")
}
