//! Listings and offers as the API shows them.

use identity::PublicAccount;
use kernel::{Money, Timestamp};
use serde::Serialize;

use crate::browse::Shown;
use crate::listing::{Kind, ListingState};
use crate::offer::{Offer, OfferState, Pricing, Stock};
use crate::room::is_on_sale;

/// Who sells.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SellerView {
    /// The account's id.
    id: String,
    /// Its name.
    name: String,
    /// What people call it.
    display_name: String,
    /// `user` or `organisation`.
    kind: String,
}

/// A listing.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ListingView {
    /// Its id.
    id: String,
    /// What is sold.
    kind: Kind,
    /// Its title.
    title: String,
    /// What it is, in a line.
    summary: String,
    /// Markdown; not in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    /// Where it stands in the market.
    category: Option<String>,
    /// Whether it is on sale.
    state: ListingState,
    /// The id of the thing that is delivered, where another part of the market delivers it.
    subject: Option<String>,
    /// Who sells.
    seller: Option<SellerView>,
    /// The lowest price of its offers, in major units, for showing.
    price_from: Option<f64>,
    /// The same exactly, in minor units.
    price_from_minor: Option<i64>,
    /// The currency of all its offers.
    currency: Option<String>,
    /// Whether anything of it can be bought now.
    available: bool,
    /// The offers; withdrawn ones only for who may change them.
    offers: Vec<OfferView>,
    /// Counts the changes of the listing itself, for If-Match.
    version: i64,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When it was changed last.
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
    /// When it was published first.
    #[schema(value_type = Option<String>, format = DateTime)]
    published_at: Option<Timestamp>,
}

/// An offer.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OfferView {
    /// Its id.
    id: String,
    /// Its listing.
    listing_id: String,
    /// What it is called.
    name: String,
    /// What the buyer gets, in a line.
    summary: String,
    /// Whether it can be bought while its listing is published.
    state: OfferState,
    /// How it is paid.
    pricing: Pricing,
    /// What one costs, in major units, for showing.
    price: f64,
    /// The same exactly, in minor units.
    price_minor: i64,
    /// The currency.
    currency: String,
    /// How many there are.
    stock: Stock,
    /// How many can be bought now; null when there is no limit.
    left: Option<u32>,
    /// How many are in live orders; for the seller.
    #[serde(skip_serializing_if = "Option::is_none")]
    held: Option<u32>,
    /// How many are sold; for the seller.
    #[serde(skip_serializing_if = "Option::is_none")]
    sold: Option<u32>,
    /// Until when its price cannot change at the latest; for the seller, while some are held.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    locked_until: Option<Timestamp>,
    /// How long a hold lasts; null: as the market is set.
    hold_seconds: Option<u32>,
    /// By how much it can be prolonged once; null: as the market is set.
    extension_seconds: Option<u32>,
    /// Counts the changes by the seller, for If-Match.
    version: i64,
}

impl From<PublicAccount> for SellerView {
    fn from(account: PublicAccount) -> Self {
        Self { id: account.id, name: account.name, display_name: account.display_name, kind: account.kind }
    }
}

impl ListingView {
    /// As a list shows it.
    pub(crate) fn in_list(shown: Shown) -> Self {
        Self { description: None, ..Self::whole(shown) }
    }

    /// All of it.
    pub(crate) fn whole(shown: Shown) -> Self {
        let Shown { listing, offers, seller, is_own } = shown;
        Self {
            available: is_on_sale(&listing) && offers.iter().any(Offer::is_available),
            price_from: listing.price_from.map(Money::major_number),
            price_from_minor: listing.price_from.map(|price| price.minor),
            currency: listing.currency.map(|currency| currency.code().to_owned()),
            id: listing.id.to_string(),
            kind: listing.kind,
            title: listing.text.title,
            summary: listing.text.summary,
            description: Some(listing.text.description),
            category: listing.text.category.map(|category| category.to_string()),
            state: listing.state,
            subject: listing.subject,
            seller: seller.map(SellerView::from),
            offers: offers.into_iter().map(|offer| OfferView::of(offer, is_own)).collect(),
            version: listing.version,
            created_at: listing.created_at,
            updated_at: listing.updated_at,
            published_at: listing.published_at,
        }
    }
}

impl OfferView {
    /// As the seller sees it, or everybody.
    pub(crate) fn of(offer: Offer, is_own: bool) -> Self {
        Self {
            left: offer.left(),
            held: is_own.then_some(offer.held),
            sold: is_own.then_some(offer.sold),
            locked_until: (is_own && offer.held > 0).then_some(offer.held_until),
            id: offer.id.to_string(),
            listing_id: offer.listing.to_string(),
            name: offer.name,
            summary: offer.summary,
            state: offer.state,
            pricing: offer.pricing,
            price: offer.price.major_number(),
            price_minor: offer.price.minor,
            currency: offer.price.currency.code().to_owned(),
            stock: offer.stock,
            hold_seconds: offer.hold_seconds,
            extension_seconds: offer.extension_seconds,
            version: offer.version,
        }
    }
}
