//! What this room tells the others. Everybody may hear of what is or was on sale, only the seller of a draft.

use events::{Audience, DomainEvent};
use identity::AccountId;
use serde::Serialize;

use crate::listing::{Kind, Listing, ListingId, ListingState};
use crate::offer::{Offer, OfferId, OfferState, Pricing, Stock};

/// What every event of a listing says.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct About {
    /// Which.
    pub listing_id: ListingId,
    /// What is sold.
    pub kind: Kind,
    /// Who sells.
    pub seller: AccountId,
    /// The listing's title.
    pub title: String,
    /// The id of the thing in the room that delivers it.
    pub subject: Option<String>,
    /// Whether it is on sale.
    pub state: ListingState,
    /// The listing's version after the change.
    #[serde(skip)]
    pub version: i64,
    /// Whether it was ever published.
    #[serde(skip)]
    pub was_public: bool,
}

impl From<&Listing> for About {
    fn from(listing: &Listing) -> Self {
        Self {
            listing_id: listing.id.clone(),
            kind: listing.kind,
            seller: listing.seller.clone(),
            title: listing.text.title.clone(),
            subject: listing.subject.clone(),
            state: listing.state,
            version: listing.version,
            was_public: listing.published_at.is_some(),
        }
    }
}

impl About {
    fn audience(&self) -> Audience<'_> {
        if self.was_public { Audience::Everybody } else { Audience::Accounts(vec![self.seller.as_str()]) }
    }
}

macro_rules! listing_events {
    ($($(#[$meta:meta])* $name:ident = $kind:literal, $summary:literal;)+) => {$(
        $(#[$meta])*
        #[derive(Clone, Debug, Serialize)]
        pub struct $name {
            /// The listing.
            #[serde(flatten)]
            pub about: About,
        }

        impl DomainEvent for $name {
            const TYPE: &'static str = $kind;

            fn subject(&self) -> &str {
                self.about.listing_id.as_str()
            }

            fn version(&self) -> i64 {
                self.about.version
            }

            fn audience(&self) -> Audience<'_> {
                self.about.audience()
            }
        }

        events::catalogue! { $name = $summary; }
    )+};
}

listing_events! {
    /// A seller began a listing.
    ListingCreated = "listing.created", "A seller began a listing.";
    /// Its texts or its category changed.
    ListingUpdated = "listing.updated", "The texts or the category of a listing changed.";
    /// It went on sale.
    ListingPublished = "listing.published", "A listing went on sale.";
    /// It is not on sale any more.
    ListingArchived = "listing.archived", "A listing was taken off sale.";
}

/// An offer was added, changed or withdrawn.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OfferUpdated {
    /// Which.
    pub offer_id: OfferId,
    /// What it is called.
    pub name: String,
    /// Whether it can be bought while its listing is on sale.
    pub offer_state: OfferState,
    /// How it is paid.
    pub pricing: Pricing,
    /// What one costs, in major units, for showing.
    pub price: f64,
    /// The same exactly.
    pub price_minor: i64,
    /// Of which currency.
    pub currency: String,
    /// How many there are.
    pub stock: Stock,
    /// The listing.
    #[serde(flatten)]
    pub about: About,
    /// The offer's version after the change.
    #[serde(skip)]
    pub offer_version: i64,
}

impl OfferUpdated {
    pub(crate) fn of(offer: &Offer, listing: &Listing) -> Self {
        Self {
            offer_id: offer.id.clone(),
            name: offer.name.clone(),
            offer_state: offer.state,
            pricing: offer.pricing.clone(),
            price: offer.price.major_number(),
            price_minor: offer.price.minor,
            currency: offer.price.currency.code().to_owned(),
            stock: offer.stock,
            about: listing.into(),
            offer_version: offer.version,
        }
    }
}

impl DomainEvent for OfferUpdated {
    const TYPE: &'static str = "offer.updated";

    fn subject(&self) -> &str {
        self.offer_id.as_str()
    }

    fn version(&self) -> i64 {
        self.offer_version
    }

    fn audience(&self) -> Audience<'_> {
        self.about.audience()
    }
}

events::catalogue! { OfferUpdated = "An offer was added, changed or withdrawn."; }
