//! What is for sale: listings, their offers, stock and units.
//!
//! The map:
//! * [`Catalog`] is the room; its methods are the use cases of who looks. [`sell`] has those of who sells, [`categories`]
//!   those of operators.
//! * [`stock`] moves stock: `claim`, `consume`, `release`, `give_back`. Rooms above call it in their transactions.
//! * [`listing`] makes and changes listings within any transaction, for rooms that list what they deliver. It checks
//!   rules, not permissions: whoever calls it has done that.

mod api;
mod browse;
pub mod categories;
mod error;
pub mod events;
pub mod listing;
mod offer;
mod page;
mod room;
pub mod sell;
mod sql;
pub mod stock;
mod unit;
mod view;

pub use api::{openapi, routes};
pub use browse::{Category, Facet, Filter, Found, Shown, Sort};
pub use error::CatalogError;
pub use listing::{CategorySlug, Kind, Listing, ListingId, ListingState, ListingText, NewListing};
pub use offer::{NewOffer, Offer, OfferId, OfferState, Period, Pricing, Stock};
pub use page::{Card, pages};
pub use room::Catalog;
pub use stock::{Claimed, Held, HoldTerms, Want};
pub use unit::{NewUnit, Unit, UnitId, UnitState};

/// This room's tables.
pub const MIGRATIONS: store::Migrations =
    store::migrations!("catalog", "0001_catalog.sql", "0002_categories.sql");
