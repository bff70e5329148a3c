//! Moving stock: available → held → sold, and back. Rooms above call these functions inside their transactions; all
//! or nothing of what is wanted is moved.
//!
//! `claim` holds, `consume` sells what is held, `release` gives up what is held, `give_back` takes back what was
//! sold. A holder is an id of the room above. Units know their holder and refuse any other; pieces of a counted
//! offer are all alike, so that the room above must make each of its transitions once, by compare-and-set.

mod best;
mod claim;
mod settle;

use identity::AccountId;
use kernel::Money;

use crate::listing::{Kind, ListingId};
use crate::offer::{OfferId, Pricing};
use crate::unit::UnitId;

pub use claim::claim;
pub use settle::{consume, give_back, release};

/// The most pieces or units of one claim.
pub const MAX_QUANTITY: u32 = 1000;

/// What somebody wants of one offer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Want {
    /// The offer.
    pub offer: OfferId,
    /// How many; left out of account where units are named.
    pub quantity: u32,
    /// Which units, if it matters; where none are named, an offer of units gives the best that there are.
    pub units: Vec<UnitId>,
}

impl Want {
    /// So many of an offer, no matter which.
    #[must_use]
    pub const fn some(offer: OfferId, quantity: u32) -> Self {
        Self { offer, quantity, units: Vec::new() }
    }
}

/// How long offers are held whose seller did not say: a setting of the market.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HoldTerms {
    /// How long a hold lasts.
    pub hold_seconds: u32,
    /// By how much it can be prolonged once.
    pub extension_seconds: u32,
}

impl Default for HoldTerms {
    /// 15 minutes and 5 more.
    fn default() -> Self {
        Self { hold_seconds: 900, extension_seconds: 300 }
    }
}

/// What a claim got: one per offer, or one per unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claimed {
    /// Of which listing.
    pub listing: ListingId,
    /// Of which offer.
    pub offer: OfferId,
    /// What is sold.
    pub kind: Kind,
    /// Who sells.
    pub seller: AccountId,
    /// The id of the thing in the room that delivers it.
    pub subject: Option<String>,
    /// The listing's title.
    pub title: String,
    /// The offer's name.
    pub offer_name: String,
    /// The unit, if the offer has units.
    pub unit: Option<UnitId>,
    /// What the unit is called.
    pub unit_label: Option<String>,
    /// How many: 1 for a unit.
    pub quantity: u32,
    /// What one costs, as it stood at this moment.
    pub unit_price: Money,
    /// How it is paid.
    pub pricing: Pricing,
    /// How long the hold lasts.
    pub hold_seconds: u32,
    /// By how much it can be prolonged once.
    pub extension_seconds: u32,
}

/// What is held or sold, as the room above keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// Of which offer.
    pub offer: OfferId,
    /// The unit, if the offer has units.
    pub unit: Option<UnitId>,
    /// How many: 1 for a unit.
    pub quantity: u32,
}

impl From<&Claimed> for Held {
    fn from(claimed: &Claimed) -> Self {
        Self { offer: claimed.offer.clone(), unit: claimed.unit.clone(), quantity: claimed.quantity }
    }
}
