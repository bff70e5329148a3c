//! What the tests begin with.
#![allow(clippy::unwrap_used)]

use catalog::{
    CatalogError, Kind, ListingId, ListingText, MIGRATIONS, NewListing, NewOffer, NewUnit, Offer, OfferId,
    Stock, UnitId, listing,
};
use identity::AccountId;
use kernel::{Currency, Money, Timestamp};
use store::{Migrations, Store, Tx};
use web::Expected;

pub(crate) const TABLES: &[Migrations] =
    &[web::MIGRATIONS, events::MIGRATIONS, identity::MIGRATIONS, MIGRATIONS];

/// When the tests happen.
pub(crate) const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

pub(crate) fn usd(minor: i64) -> Money {
    Money::new(minor, Currency::USD)
}

pub(crate) fn seller() -> AccountId {
    "user-ada".parse().unwrap()
}

pub(crate) fn new_listing(title: &str) -> NewListing {
    let text = ListingText { title: title.to_owned(), ..ListingText::default() };
    NewListing { kind: Kind::Other, seller: seller(), subject: None, text }
}

/// A published listing with these offers at $19.
pub(crate) async fn on_sale(store: &Store, stocks: &[Stock]) -> (ListingId, Vec<OfferId>) {
    let stocks = stocks.to_vec();
    let made = store.write(async move |tx: &mut Tx| {
        let listing = listing::create(tx, NOW, &new_listing("A thing")).await?;
        let mut offers = Vec::new();
        for (index, stock) in stocks.iter().enumerate() {
            let new = NewOffer::one_off(format!("Offer {index}"), usd(1900), *stock);
            offers.push(listing::add_offer(tx, NOW, &listing.id, &new).await?.id);
        }
        listing::publish(tx, NOW, &listing.id, &Expected::Whatever).await?;
        Ok::<_, CatalogError>((listing.id, offers))
    });
    made.await.unwrap()
}

/// Rows of seats in one section, named `A1`, `A2`, …, best first.
pub(crate) fn seats(section: &str, rows: u32, per_row: u32) -> Vec<NewUnit> {
    let seat = |row: u32, place: u32| NewUnit {
        label: format!("{section} {row}-{place}"),
        section: section.to_owned(),
        row: row.to_string(),
        seat: place.to_string(),
        place: i32::try_from(place).unwrap(),
        x: i32::try_from(place * 10).unwrap(),
        y: i32::try_from(row * 10).unwrap(),
    };
    (1..=rows).flat_map(|row| (1..=per_row).map(move |place| seat(row, place))).collect()
}

pub(crate) async fn add(store: &Store, offer: &OfferId, units: Vec<NewUnit>) -> Vec<UnitId> {
    let offer = offer.clone();
    store.write(async move |tx: &mut Tx| listing::add_units(tx, NOW, &offer, &units).await).await.unwrap()
}

pub(crate) async fn offer(store: &Store, id: &OfferId) -> Offer {
    let id = id.clone();
    store.read(async move |tx: &mut Tx| listing::find_offer(tx, &id).await).await.unwrap()
}
