//! Listings: what somebody sells. The functions of this module change them within any transaction; they check the
//! rules of the catalogue, not permissions.

mod change;
mod offers;
mod units;

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use identity::AccountId;
use kernel::{Currency, FieldError, Money, Timestamp};
use serde::Serialize;
use store::{FromRow, Row, StoreError};

pub use change::{archive, create, edit, find, find_by_subject, publish};
pub use offers::{add_offer, edit_offer, find_offer, offers, reprice, set_capacity, withdraw_offer};
pub use units::{add_units, units, withdraw_units};

kernel::id!(
    /// One listing.
    ListingId,
    "listing"
);
store::id_values!(ListingId);

store::words! {
    /// What is sold, which decides how it is delivered.
    #[derive(utoipa::ToSchema)]
    Kind, "expected a kind of listing" {
        /// A package of a registry.
        Package = "package",
        /// A managed service.
        Service = "service",
        /// A web app.
        App = "app",
        /// Compute on a provider's node.
        Capacity = "capacity",
        /// Admission to an event.
        Ticket = "ticket",
        /// Anything else: delivered by its seller.
        Other = "other",
    }
}

store::words! {
    /// Whether a listing is on sale.
    #[derive(utoipa::ToSchema)]
    ListingState, "expected the state of a listing" {
        /// Only its seller sees it.
        Draft = "draft",
        /// On sale.
        Published = "published",
        /// Not on sale any more.
        Archived = "archived",
    }
}

/// The name of a category in addresses: lower-case letters, digits and dashes, at most 40.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct CategorySlug(Arc<str>);

impl CategorySlug {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for CategorySlug {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if (1..=40).contains(&text.len()) && text.bytes().all(plain) {
            Ok(Self(text.into()))
        } else {
            Err("Lower-case letters, digits and dashes, at most 40.")
        }
    }
}

impl fmt::Display for CategorySlug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

store::id_values!(CategorySlug);

/// A listing to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewListing {
    /// What is sold.
    pub kind: Kind,
    /// Who sells.
    pub seller: AccountId,
    /// The id of the thing in the room that delivers it.
    pub subject: Option<String>,
    /// How it reads.
    pub text: ListingText,
}

/// How a listing reads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListingText {
    /// 1 to 120 characters.
    pub title: String,
    /// A line of at most 300 characters.
    pub summary: String,
    /// Markdown, at most 64 KiB.
    pub description: String,
    /// Where it stands in the market.
    pub category: Option<CategorySlug>,
}

/// The longest description, in bytes.
const MAX_DESCRIPTION: usize = 65_536;

impl ListingText {
    /// Every field that is out of bounds.
    pub(crate) fn wrong(&self) -> Vec<FieldError> {
        let length = |text: &str| text.trim().chars().count();
        let checks = [
            (!(1..=120).contains(&length(&self.title)), "/title", "Write 1 to 120 characters."),
            (length(&self.summary) > 300, "/summary", "At most 300 characters."),
            (self.description.len() > MAX_DESCRIPTION, "/description", "At most 65,536 bytes."),
        ];
        let bad = checks.into_iter().filter(|(bad, ..)| *bad);
        bad.map(|(_, pointer, detail)| FieldError { pointer: pointer.into(), detail: detail.into() })
            .collect()
    }

    /// What a search in lists looks at.
    pub(crate) fn words(&self) -> String {
        format!("{} {}", self.title.trim(), self.summary.trim()).to_lowercase()
    }
}

/// A listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    /// Its id.
    pub id: ListingId,
    /// What is sold.
    pub kind: Kind,
    /// Who sells.
    pub seller: AccountId,
    /// How it reads.
    pub text: ListingText,
    /// Whether it is on sale.
    pub state: ListingState,
    /// The id of the thing in the room that delivers it.
    pub subject: Option<String>,
    /// Counts the changes of the listing itself; offers count their own.
    pub version: i64,
    /// The lowest price of its active offers.
    pub price_from: Option<Money>,
    /// The currency of all its offers, once it has had one.
    pub currency: Option<Currency>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was changed last.
    pub updated_at: Timestamp,
    /// When it was published first.
    pub published_at: Option<Timestamp>,
}

impl FromRow for Listing {
    fn from_row(row: &Row<'_>) -> Result<Self, StoreError> {
        let currency: Option<String> = row.get(11)?;
        let currency = currency.and_then(|code| code.parse().ok());
        let from: Option<i64> = row.get(10)?;
        Ok(Self {
            id: row.get(0)?,
            kind: row.get(1)?,
            seller: row.get(2)?,
            text: ListingText {
                title: row.get(3)?,
                summary: row.get(4)?,
                description: row.get(5)?,
                category: row.get(6)?,
            },
            state: row.get(7)?,
            subject: row.get(8)?,
            version: row.get(9)?,
            price_from: from.zip(currency).map(|(minor, currency)| Money::new(minor, currency)),
            currency,
            created_at: row.get(12)?,
            updated_at: row.get(13)?,
            published_at: row.get(14)?,
        })
    }
}
