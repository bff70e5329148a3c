//! Forms of sellers: what was typed as what is changed, and back.

use kernel::{Currency, FieldError, Money};
use web::Expected;
use web::face::{FormState, Typed};

use crate::error::CatalogError;
use crate::listing::{Listing, ListingText};
use crate::offer::{NewOffer, Offer, Period, Pricing, Stock};

/// The texts of a listing.
pub(super) fn text(typed: &Typed) -> Result<ListingText, CatalogError> {
    let category = Some(typed.get("category")).filter(|slug| !slug.is_empty()).map(str::parse);
    Ok(ListingText {
        title: typed.get("title").to_owned(),
        summary: typed.get("summary").to_owned(),
        // Browsers send lines as CR LF.
        description: typed.get("description").replace("\r\n", "\n"),
        category: category.transpose().map_err(|detail| CatalogError::field("/category", detail))?,
    })
}

/// The form of a listing as it is.
pub(super) fn listing_form(listing: &Listing) -> FormState {
    let category = listing.text.category.as_ref().map_or("", |category| category.as_str());
    FormState::with(&[
        ("title", &listing.text.title),
        ("summary", &listing.text.summary),
        ("description", &listing.text.description),
        ("category", category),
        ("version", &listing.version.to_string()),
    ])
}

/// The version that the form was made of; a form without one changes whatever is there.
pub(super) fn expected(typed: &Typed) -> Expected {
    typed.get("version").parse().map_or(Expected::Whatever, Expected::ByBody)
}

/// An offer, with every field that cannot be read named.
pub(super) fn offer(typed: &Typed) -> Result<NewOffer, CatalogError> {
    let mut wrong = Vec::new();
    let mut no = |pointer: &'static str, detail: &str| {
        wrong.push(FieldError { pointer: pointer.into(), detail: detail.to_owned().into() });
    };
    let pricing = pricing(typed).unwrap_or_else(|(pointer, detail)| {
        no(pointer, detail);
        Pricing::OneOff
    });
    let currency: Currency = typed.get("currency").trim().to_uppercase().parse().unwrap_or_else(|_| {
        no("/currency", "Three letters of ISO 4217 such as USD.");
        Currency::USD
    });
    let price = match typed.get("price").trim() {
        "" if pricing == Pricing::Free => Money::zero(currency),
        text => Money::parse(text, currency).unwrap_or_else(|_| {
            no("/price", "Write an amount such as 19 or 19.90.");
            Money::new(1, currency)
        }),
    };
    let stock = match typed.get("stock") {
        "units" => Stock::Units,
        "counted" => Stock::Counted {
            capacity: typed.get("capacity").trim().parse().unwrap_or_else(|_| {
                no("/capacity", "Write a whole number.");
                0
            }),
        },
        _ => Stock::Unlimited,
    };
    let mut seconds = |name: &str, pointer: &'static str| match typed.get(name).trim() {
        "" => None,
        text => text.parse::<u32>().map_err(|_| no(pointer, "Write whole seconds, or nothing.")).ok(),
    };
    let hold_seconds = seconds("holdSeconds", "/holdSeconds");
    let extension_seconds = seconds("extensionSeconds", "/extensionSeconds");
    if !wrong.is_empty() {
        return Err(CatalogError::Invalid(wrong));
    }
    let (name, summary) = (typed.get("name").to_owned(), typed.get("summary").to_owned());
    Ok(NewOffer { name, summary, pricing, price, stock, hold_seconds, extension_seconds })
}

fn pricing(typed: &Typed) -> Result<Pricing, (&'static str, &'static str)> {
    let subscription = |period| match typed.get("trialDays").trim() {
        "" => Ok(Pricing::Subscription { period, trial_days: 0 }),
        days => match days.parse() {
            Ok(trial_days) => Ok(Pricing::Subscription { period, trial_days }),
            Err(_) => Err(("/trialDays", "Write a whole number of days.")),
        },
    };
    match typed.get("pricing") {
        "free" => Ok(Pricing::Free),
        "one_off" => Ok(Pricing::OneOff),
        "month" => subscription(Period::Month),
        "year" => subscription(Period::Year),
        "metered" => Ok(Pricing::Metered { unit: typed.get("meteredUnit").trim().to_owned() }),
        _ => Err(("/pricing", "Choose how it is paid.")),
    }
}

/// The form of an offer as it is.
pub(super) fn offer_form(offer: &Offer) -> FormState {
    let pricing = match &offer.pricing {
        Pricing::Subscription { period, .. } => period.as_str(),
        other => other.name(),
    };
    let some = |number: Option<u32>| number.map_or_else(String::new, |number| number.to_string());
    let trial_days = Some(offer.pricing.trial_days()).filter(|days| *days > 0);
    FormState::with(&[
        ("name", &offer.name),
        ("summary", &offer.summary),
        ("pricing", pricing),
        ("price", &offer.price.major()),
        ("currency", offer.price.currency.code()),
        ("trialDays", &some(trial_days)),
        ("meteredUnit", offer.pricing.unit().unwrap_or_default()),
        ("stock", offer.stock.name()),
        ("capacity", &some(offer.stock.capacity())),
        ("holdSeconds", &some(offer.hold_seconds)),
        ("extensionSeconds", &some(offer.extension_seconds)),
        ("version", &offer.version.to_string()),
    ])
}
