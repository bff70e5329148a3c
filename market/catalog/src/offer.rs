//! Offers: ways to buy what is listed.

use kernel::{Currency, FieldError, Money, Timestamp};
use serde::{Deserialize, Serialize};
use store::{FromRow, Row, StoreError};

use crate::listing::ListingId;

kernel::id!(
    /// One offer.
    OfferId,
    "offer"
);
store::id_values!(OfferId);

store::words! {
    /// Whether an offer can be bought.
    #[derive(utoipa::ToSchema)]
    OfferState, "expected an offer state" {
        /// Yes, while its listing is published.
        Active = "active",
        /// Not any more; what was sold stays sold.
        Withdrawn = "withdrawn",
    }
}

store::words! {
    /// How often a subscription is paid.
    #[derive(utoipa::ToSchema)]
    Period, "expected a period" {
        /// Every month.
        Month = "month",
        /// Every year.
        Year = "year",
    }
}

/// How an offer is paid.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Pricing {
    /// Not at all.
    Free,
    /// Once.
    OneOff,
    /// Again and again.
    Subscription {
        /// How often.
        period: Period,
        /// How many days cost nothing at first: at most 365.
        #[serde(default, rename = "trialDays")]
        trial_days: u32,
    },
    /// By what is used: the price is that of one unit.
    Metered {
        /// Of what: `request`, `GB`.
        unit: String,
    },
}

impl Pricing {
    /// The word in the database and in filters.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Free => "free",
            Self::OneOff => "one_off",
            Self::Subscription { .. } => "subscription",
            Self::Metered { .. } => "metered",
        }
    }

    pub(crate) const fn period(&self) -> Option<Period> {
        if let Self::Subscription { period, .. } = self { Some(*period) } else { None }
    }

    pub(crate) const fn trial_days(&self) -> u32 {
        if let Self::Subscription { trial_days, .. } = self { *trial_days } else { 0 }
    }

    pub(crate) fn unit(&self) -> Option<&str> {
        if let Self::Metered { unit } = self { Some(unit) } else { None }
    }

    /// Reads the four columns that begin at `first`.
    pub(crate) fn from_row(row: &Row<'_>, first: usize) -> Result<Self, StoreError> {
        let pricing: String = row.get(first)?;
        Ok(match pricing.as_str() {
            "subscription" => {
                Self::Subscription { period: row.get(first + 1)?, trial_days: row.get(first + 2)? }
            }
            "metered" => Self::Metered { unit: row.get(first + 3)? },
            "one_off" => Self::OneOff,
            _ => Self::Free,
        })
    }
}

/// Reads an amount and its currency from the two columns that begin at `first`.
pub(crate) fn money_from_row(row: &Row<'_>, first: usize) -> Result<Money, StoreError> {
    let currency: String = row.get(first + 1)?;
    let currency: Currency = currency.parse().map_err(|_| StoreError::Database("no currency".to_owned()))?;
    Ok(Money::new(row.get(first)?, currency))
}

/// How many there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Stock {
    /// As many as are wanted.
    Unlimited,
    /// So many, all alike.
    Counted {
        /// How many in all: held, sold and available.
        capacity: u32,
    },
    /// Those that are listed one by one.
    Units,
}

impl Stock {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Unlimited => "unlimited",
            Self::Counted { .. } => "counted",
            Self::Units => "units",
        }
    }

    pub(crate) const fn capacity(self) -> Option<u32> {
        if let Self::Counted { capacity } = self { Some(capacity) } else { None }
    }
}

/// An offer to be added to a listing, or what one is changed to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewOffer {
    /// What it is called: 1 to 80 characters.
    pub name: String,
    /// What the buyer gets, in a line of at most 200 characters.
    pub summary: String,
    /// How it is paid.
    pub pricing: Pricing,
    /// What one costs; nothing where the pricing is free.
    pub price: Money,
    /// How many there are.
    pub stock: Stock,
    /// How long a hold lasts; `None`: as the market is set.
    pub hold_seconds: Option<u32>,
    /// By how much it can be prolonged once; `None`: as the market is set.
    pub extension_seconds: Option<u32>,
}

impl From<&Offer> for NewOffer {
    /// The same again, to change a part of it.
    fn from(offer: &Offer) -> Self {
        Self {
            name: offer.name.clone(),
            summary: offer.summary.clone(),
            pricing: offer.pricing.clone(),
            price: offer.price,
            stock: offer.stock,
            hold_seconds: offer.hold_seconds,
            extension_seconds: offer.extension_seconds,
        }
    }
}

/// The longest time that an offer may be held, in seconds.
const MAX_HOLD: u32 = 86_400;
/// The most units or pieces of one offer.
pub(crate) const MAX_CAPACITY: u32 = 100_000_000;

impl NewOffer {
    /// An offer that is paid once, as the market holds.
    pub fn one_off(name: impl Into<String>, price: Money, stock: Stock) -> Self {
        let pricing = if price.minor == 0 { Pricing::Free } else { Pricing::OneOff };
        Self {
            name: name.into(),
            summary: String::new(),
            pricing,
            price,
            stock,
            hold_seconds: None,
            extension_seconds: None,
        }
    }

    /// Every field that is out of bounds.
    pub(crate) fn wrong(&self) -> Vec<FieldError> {
        let mut wrong = Vec::new();
        let mut no = |bad: bool, pointer: &'static str, detail: &'static str| {
            if bad {
                wrong.push(FieldError { pointer: pointer.into(), detail: detail.into() });
            }
        };
        let length = |text: &str| text.trim().chars().count();
        no(!(1..=80).contains(&length(&self.name)), "/name", "Write 1 to 80 characters.");
        no(length(&self.summary) > 200, "/summary", "At most 200 characters.");
        let is_free = self.pricing == Pricing::Free;
        no(is_free && self.price.minor != 0, "/price", "A free offer costs nothing.");
        no(!is_free && self.price.minor <= 0, "/price", "Write a price above 0, or make the offer free.");
        no(self.price.minor > kernel::money::MAX_MINOR, "/price", "Nothing may cost that much.");
        no(self.pricing.trial_days() > 365, "/trialDays", "At most 365 days.");
        let unit = self.pricing.unit().map(length);
        no(
            unit.is_some_and(|unit| !(1..=40).contains(&unit)),
            "/meteredUnit",
            "Name the unit: 1 to 40 characters.",
        );
        let capacity = self.stock.capacity().unwrap_or_default();
        no(capacity > MAX_CAPACITY, "/capacity", "At most 100,000,000.");
        let hold = self.hold_seconds.unwrap_or(1);
        no(!(1..=MAX_HOLD).contains(&hold), "/holdSeconds", "1 second to one day (86,400 seconds).");
        no(
            self.extension_seconds.unwrap_or(0) > MAX_HOLD,
            "/extensionSeconds",
            "At most one day (86,400 seconds).",
        );
        wrong
    }
}

/// An offer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// Its id.
    pub id: OfferId,
    /// Of which listing.
    pub listing: ListingId,
    /// What it is called.
    pub name: String,
    /// What the buyer gets, in a line.
    pub summary: String,
    /// Whether it can be bought.
    pub state: OfferState,
    /// How it is paid.
    pub pricing: Pricing,
    /// What one costs.
    pub price: Money,
    /// How many there are.
    pub stock: Stock,
    /// How many there are in all; `None` when there is no limit.
    pub capacity: Option<u32>,
    /// How many are in live orders.
    pub held: u32,
    /// How many are sold.
    pub sold: u32,
    /// When the last hold ends at the latest; of no meaning while nothing is held.
    pub held_until: Timestamp,
    /// How long a hold lasts; `None`: as the market is set.
    pub hold_seconds: Option<u32>,
    /// By how much it can be prolonged once; `None`: as the market is set.
    pub extension_seconds: Option<u32>,
    /// Counts the changes by the seller; sales do not count.
    pub version: i64,
}

impl Offer {
    /// How many can be claimed now; `None` when there is no limit.
    #[must_use]
    pub fn left(&self) -> Option<u32> {
        self.capacity.map(|capacity| capacity.saturating_sub(self.held).saturating_sub(self.sold))
    }

    /// Whether somebody could claim one, were the listing published.
    #[must_use]
    pub fn is_available(&self) -> bool {
        self.state == OfferState::Active && self.left() != Some(0)
    }
}

/// The columns of [`sql`](crate::sql) that begin with `offer.id`, then units in all, held, sold, and when they are free.
impl FromRow for Offer {
    fn from_row(row: &Row<'_>) -> Result<Self, StoreError> {
        let stock: String = row.get(11)?;
        let counted: Option<u32> = row.get(12)?;
        let is_units = stock == "units";
        let [held, sold] = if is_units { [17, 18] } else { [13, 14] };
        Ok(Self {
            id: row.get(0)?,
            listing: row.get(1)?,
            name: row.get(2)?,
            summary: row.get(3)?,
            state: row.get(4)?,
            pricing: Pricing::from_row(row, 5)?,
            price: money_from_row(row, 9)?,
            stock: match counted {
                Some(capacity) => Stock::Counted { capacity },
                None if is_units => Stock::Units,
                None => Stock::Unlimited,
            },
            capacity: if is_units { Some(row.get(16)?) } else { counted },
            held: row.get(held)?,
            sold: row.get(sold)?,
            held_until: row.get(if is_units { 19 } else { 15 })?,
            hold_seconds: row.get(20)?,
            extension_seconds: row.get(21)?,
            version: row.get(22)?,
        })
    }
}
