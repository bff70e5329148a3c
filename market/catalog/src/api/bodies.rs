//! What people send: listings and offers, whole or in part.

use kernel::{Currency, Money};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Number;

use crate::error::CatalogError;
use crate::listing::{CategorySlug, Kind, ListingText};
use crate::offer::{NewOffer, Offer, Pricing, Stock};

/// A listing to begin.
#[derive(Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct NewListingBody {
    /// What is sold; tickets are listed with their event.
    pub(super) kind: Kind,
    /// 1 to 120 characters.
    pub(super) title: String,
    /// What it is, in a line of at most 300 characters.
    #[serde(default)]
    pub(super) summary: String,
    /// Markdown, at most 64 KiB.
    #[serde(default)]
    pub(super) description: String,
    /// One of /api/categories.
    pub(super) category: Option<String>,
    /// The organisation that sells, by name; the caller must be an admin of it. Without it the caller sells.
    pub(super) organisation: Option<String>,
}

impl NewListingBody {
    pub(super) fn text(&self) -> Result<ListingText, CatalogError> {
        Ok(ListingText {
            title: self.title.clone(),
            summary: self.summary.clone(),
            description: self.description.clone(),
            category: category(self.category.as_deref())?,
        })
    }
}

/// What changes of a listing; what is left out stays.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct ListingPatch {
    title: Option<String>,
    summary: Option<String>,
    description: Option<String>,
    /// null: none.
    #[serde(default, deserialize_with = "said")]
    #[schema(value_type = Option<String>)]
    category: Option<Option<String>>,
    /// The version that was read; a stale one changes nothing.
    pub(super) version: Option<i64>,
}

impl ListingPatch {
    pub(super) fn applied(&self, text: &ListingText) -> Result<ListingText, CatalogError> {
        let or = |said: &Option<String>, now: &String| said.as_ref().unwrap_or(now).clone();
        Ok(ListingText {
            title: or(&self.title, &text.title),
            summary: or(&self.summary, &text.summary),
            description: or(&self.description, &text.description),
            category: match &self.category {
                Some(said) => category(said.as_deref())?,
                None => text.category.clone(),
            },
        })
    }
}

fn category(text: Option<&str>) -> Result<Option<CategorySlug>, CatalogError> {
    let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(None) };
    text.parse().map(Some).map_err(|detail: &str| CatalogError::field("/category", detail))
}

/// An offer to add.
#[derive(Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct NewOfferBody {
    /// 1 to 80 characters.
    name: String,
    /// What the buyer gets, in a line of at most 200 characters.
    #[serde(default)]
    summary: String,
    /// How it is paid; without it once, or not at all where the price is 0.
    pricing: Option<Pricing>,
    /// What one costs, in major units. This or `priceMinor`.
    #[schema(value_type = Option<f64>)]
    price: Option<Number>,
    /// The same in minor units.
    price_minor: Option<i64>,
    /// ISO 4217; all offers of a listing have the same.
    #[serde(default = "dollar")]
    #[schema(value_type = String)]
    currency: Currency,
    /// How many there are; without it as many as are wanted.
    stock: Option<Stock>,
    /// How long a hold lasts: 1 to 86,400 seconds; without it as the market is set.
    hold_seconds: Option<u32>,
    /// By how much it can be prolonged once; without it as the market is set.
    extension_seconds: Option<u32>,
}

const fn dollar() -> Currency {
    Currency::USD
}

impl NewOfferBody {
    pub(super) fn offer(&self) -> Result<NewOffer, CatalogError> {
        let price = money(self.price.as_ref(), self.price_minor, self.currency)?;
        let price = price.unwrap_or(Money::zero(self.currency));
        let usual = if price.minor == 0 { Pricing::Free } else { Pricing::OneOff };
        Ok(NewOffer {
            name: self.name.clone(),
            summary: self.summary.clone(),
            pricing: self.pricing.clone().unwrap_or(usual),
            price,
            stock: self.stock.unwrap_or(Stock::Unlimited),
            hold_seconds: self.hold_seconds,
            extension_seconds: self.extension_seconds,
        })
    }
}

/// What changes of an offer; what is left out stays.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct OfferPatch {
    name: Option<String>,
    summary: Option<String>,
    pricing: Option<Pricing>,
    /// In major units. This or `priceMinor`. Cannot change while any is held.
    #[schema(value_type = Option<f64>)]
    price: Option<Number>,
    price_minor: Option<i64>,
    /// Never less than is held and sold.
    stock: Option<Stock>,
    /// null: as the market is set.
    #[serde(default, deserialize_with = "said")]
    #[schema(value_type = Option<u32>)]
    hold_seconds: Option<Option<u32>>,
    /// null: as the market is set.
    #[serde(default, deserialize_with = "said")]
    #[schema(value_type = Option<u32>)]
    extension_seconds: Option<Option<u32>>,
    /// The version that was read; a stale one changes nothing.
    pub(super) version: Option<i64>,
}

impl OfferPatch {
    pub(super) fn applied(&self, offer: &Offer) -> Result<NewOffer, CatalogError> {
        let now = NewOffer::from(offer);
        let price = money(self.price.as_ref(), self.price_minor, now.price.currency)?;
        Ok(NewOffer {
            name: self.name.clone().unwrap_or(now.name),
            summary: self.summary.clone().unwrap_or(now.summary),
            pricing: self.pricing.clone().unwrap_or(now.pricing),
            price: price.unwrap_or(now.price),
            stock: self.stock.unwrap_or(now.stock),
            hold_seconds: self.hold_seconds.unwrap_or(now.hold_seconds),
            extension_seconds: self.extension_seconds.unwrap_or(now.extension_seconds),
        })
    }
}

/// An amount given in major units, in minor units, or in both when they agree. The digits are read as they were sent:
/// nothing passes through a float.
fn money(
    major: Option<&Number>,
    minor: Option<i64>,
    currency: Currency,
) -> Result<Option<Money>, CatalogError> {
    let wrong = |error: kernel::MoneyError| CatalogError::field("/price", format!("Wrong price: {error}."));
    let major = major.map(|number| Money::parse(&number.to_string(), currency)).transpose().map_err(wrong)?;
    match (major, minor.map(|minor| Money::new(minor, currency))) {
        (Some(major), Some(minor)) if major != minor => {
            Err(CatalogError::field("/priceMinor", "price and priceMinor are not the same."))
        }
        (major, minor) => Ok(major.or(minor)),
    }
}

/// Tells a field that is null from one that is left out.
fn said<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn prices_are_read_exactly() {
        let read = |text: &str| {
            let body: NewOfferBody = serde_json::from_str(text).unwrap();
            body.offer().map(|offer| (offer.price.minor, offer.pricing.name()))
        };
        assert_eq!(read(r#"{"name":"a","price":19}"#).unwrap(), (1900, "one_off"));
        assert_eq!(read(r#"{"name":"a","price":0.29}"#).unwrap(), (29, "one_off"));
        assert_eq!(read(r#"{"name":"a","priceMinor":5,"currency":"JPY"}"#).unwrap(), (5, "one_off"));
        assert_eq!(read(r#"{"name":"a"}"#).unwrap(), (0, "free"));
        for bad in ["1.234", "1e3", "19,"] {
            let text = format!(r#"{{"name":"a","price":{bad}}}"#);
            let body: Result<NewOfferBody, _> = serde_json::from_str(&text);
            // 1e3 is a number of JSON and is read as 1000.0.
            assert_eq!(body.is_ok_and(|body| body.offer().is_ok()), bad == "1e3", "{bad}");
        }
        assert!(read(r#"{"name":"a","price":19,"priceMinor":1901}"#).is_err());
    }

    #[test]
    fn null_is_not_the_same_as_nothing() {
        let read = |text: &str| serde_json::from_str::<OfferPatch>(text).unwrap().hold_seconds;
        assert_eq!((read("{}"), read(r#"{"holdSeconds":null}"#)), (None, Some(None)));
        assert_eq!(read(r#"{"holdSeconds":60}"#), Some(Some(60)));
    }
}
