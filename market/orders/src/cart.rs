//! What somebody means to buy, kept on the server. Nothing is held for it: the order holds. A visitor has a cart too,
//! under a random name in a cookie; it becomes the account's at the sign-in.

use std::time::Duration;

use catalog::{CatalogError, Offer, OfferId, Unit, UnitId, Want, listing};
use identity::Caller;
use kernel::{Money, Paging, Timestamp};
use store::{StoreError, Tx, args};

use crate::{OrderError, Orders, sql};

/// The most lines of one cart.
const MAX_ITEMS: u64 = 50;
/// How long a cart is kept that nobody touches.
const KEEP: Duration = Duration::from_secs(60 * 86_400);
/// The most pieces of one line.
const MAX_QUANTITY: u32 = 1_000;

/// Whose cart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owner {
    /// Of the account that is signed in.
    Account(String),
    /// Of a visitor, under the random name in the cookie.
    Visitor(String),
}

impl Owner {
    /// The cart of the caller; `cookie` names the cart of a visitor.
    #[must_use]
    pub fn of(by: &Caller, cookie: Option<&str>) -> Option<Self> {
        match &by.actor {
            Some(actor) => Some(Self::Account(actor.user.to_string())),
            None => cookie.filter(|name| is_name(name)).map(|name| Self::Visitor(name.to_owned())),
        }
    }

    /// A new cart for a visitor.
    #[must_use]
    pub fn fresh() -> Self {
        Self::Visitor(format!("cart-{}", kernel::random_text::<18>()))
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Account(name) | Self::Visitor(name) => name,
        }
    }
}

/// Whether it is a name that we gave; anything else could name the cart of an account.
fn is_name(name: &str) -> bool {
    name.strip_prefix("cart-").is_some_and(|rest| {
        rest.len() == 24 && rest.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
    })
}

/// One line of a cart, with what the catalog says of it now.
#[derive(Clone, Debug)]
pub struct Item {
    /// The offer.
    pub offer: OfferId,
    /// The named unit, if one was chosen.
    pub unit: Option<UnitId>,
    /// How many.
    pub quantity: u32,
    /// The listing's title; empty where it is gone.
    pub title: String,
    /// The offer's name.
    pub name: String,
    /// What the unit is called.
    pub unit_label: Option<String>,
    /// What one costs now; `None` where it is gone.
    pub price: Option<Money>,
    /// Whether it could be had now.
    pub is_available: bool,
}

impl Item {
    /// What it comes to now.
    #[must_use]
    pub fn cost(&self) -> Option<Money> {
        self.price.and_then(|price| price.times(self.quantity).ok())
    }

    fn want(&self) -> Want {
        Want {
            offer: self.offer.clone(),
            quantity: self.quantity,
            units: self.unit.iter().cloned().collect(),
        }
    }
}

struct Row {
    offer: OfferId,
    unit: String,
    quantity: u32,
}
store::row!(Row { offer, unit, quantity });

impl Orders {
    /// Puts something into a cart, or more of it.
    ///
    /// # Errors
    /// [`OrderError::Invalid`] for no quantity, and for more than a cart holds; [`OrderError::NotFound`] for an offer
    /// that is not there.
    pub async fn add_to_cart(&self, owner: &Owner, now: Timestamp, want: &Want) -> Result<(), OrderError> {
        let fits = (1..=MAX_QUANTITY).contains(&want.quantity) || !want.units.is_empty();
        if !fits {
            return Err(OrderError::field("/quantity", "Ask for 1 to 1,000."));
        }
        let (owner, want) = (owner.clone(), want.clone());
        let write = async move |tx: &mut Tx| {
            let found = listing::find_offer(tx, &want.offer).await;
            found.map_err(|_| OrderError::NotFound("offer"))?;
            let units: Vec<&str> = match want.units.as_slice() {
                [] => vec![""],
                units => units.iter().map(UnitId::as_str).collect(),
            };
            for unit in units {
                let quantity = if unit.is_empty() { want.quantity } else { 1 };
                tx.execute(&sql::ADD_CART_ITEM, args![owner.name(), want.offer, unit, quantity, now]).await?;
            }
            let (count,): (u64,) = tx.one(&sql::COUNT_CART, args![owner.name()]).await?;
            if count > MAX_ITEMS {
                return Err(OrderError::field("/items", "A cart holds at most 50 lines."));
            }
            Ok(())
        };
        self.store.write(write).await
    }

    /// Sets how many of something are in a cart; 0 takes it out.
    ///
    /// # Errors
    /// [`OrderError::Invalid`] for too many.
    pub async fn set_in_cart(
        &self,
        owner: &Owner,
        now: Timestamp,
        offer: &OfferId,
        unit: Option<&UnitId>,
        quantity: u32,
    ) -> Result<(), OrderError> {
        if quantity > MAX_QUANTITY {
            return Err(OrderError::field("/quantity", "At most 1,000."));
        }
        let (owner, offer, unit) =
            (owner.clone(), offer.clone(), unit.map_or_else(String::new, ToString::to_string));
        let write = async move |tx: &mut Tx| {
            if quantity == 0 {
                tx.execute(&sql::DELETE_CART_ITEM, args![owner.name(), offer, unit]).await?;
            } else {
                let quantity = if unit.is_empty() { quantity } else { 1 };
                tx.execute(&sql::SET_CART_ITEM, args![owner.name(), offer, unit, quantity, now]).await?;
            }
            Ok::<_, OrderError>(())
        };
        self.store.write(write).await
    }

    /// What is in a cart.
    ///
    /// # Errors
    /// [`OrderError`] when the database failed.
    pub async fn cart(&self, owner: &Owner) -> Result<Vec<Item>, OrderError> {
        let owner = owner.clone();
        self.store.read(async move |tx: &mut Tx| items(tx, owner.name()).await).await
    }

    /// What is in a cart, as an order wants it.
    ///
    /// # Errors
    /// [`OrderError`] when the database failed.
    pub async fn wants_of_cart(&self, owner: &Owner) -> Result<Vec<Want>, OrderError> {
        Ok(self.cart(owner).await?.iter().map(Item::want).collect())
    }

    /// Empties a cart: what was in it is ordered.
    ///
    /// # Errors
    /// [`OrderError`] when the database failed.
    pub async fn empty_cart(&self, owner: &Owner) -> Result<(), OrderError> {
        let owner = owner.clone();
        let write = async move |tx: &mut Tx| tx.execute(&sql::CLEAR_CART, args![owner.name()]).await;
        Ok(self.store.write::<_, _, StoreError>(write).await.map(|_| ())?)
    }

    /// Moves a visitor's cart into that of the account that signed in.
    ///
    /// # Errors
    /// [`OrderError`] when the database failed.
    pub async fn take_over_cart(&self, by: &Caller, cookie: Option<&str>) -> Result<(), OrderError> {
        let (Some(actor), Some(visitor)) = (&by.actor, cookie.filter(|name| is_name(name))) else {
            return Ok(());
        };
        let (account, visitor, now) = (actor.user.to_string(), visitor.to_owned(), by.now());
        let write = async move |tx: &mut Tx| {
            let rows: Vec<Row> = tx.all(&sql::LIST_CART, args![visitor]).await?;
            for row in &rows {
                tx.execute(&sql::SET_CART_ITEM, args![account, row.offer, row.unit, row.quantity, now])
                    .await?;
            }
            tx.execute(&sql::CLEAR_CART, args![visitor]).await
        };
        Ok(self.store.write::<_, _, StoreError>(write).await.map(|_| ())?)
    }

    /// Deletes carts that nobody touched for long. A job calls it now and then.
    ///
    /// # Errors
    /// [`OrderError`] when the database failed.
    pub async fn forget_old_carts(&self) -> Result<u64, OrderError> {
        let before = self.clock.now().before(KEEP);
        let write = async move |tx: &mut Tx| tx.execute(&sql::DELETE_OLD_CARTS, args![before]).await;
        Ok(self.store.write::<_, _, StoreError>(write).await?)
    }
}

/// The lines with what the catalog says now: one look per offer that is in the cart, which are few.
async fn items(tx: &mut Tx, owner: &str) -> Result<Vec<Item>, OrderError> {
    let rows: Vec<Row> = tx.all(&sql::LIST_CART, args![owner]).await?;
    let mut items = Vec::with_capacity(rows.len());
    for row in rows {
        let unit: Option<UnitId> = row.unit.parse().ok();
        let found = match listing::find_offer(tx, &row.offer).await {
            Ok(offer) => Some((listing::find(tx, &offer.listing).await?, offer)),
            Err(CatalogError::NotFound(_)) => None,
            Err(error) => return Err(error.into()),
        };
        let chosen = match (&unit, &found) {
            (Some(unit), Some((_, offer))) => named(tx, offer, unit).await?,
            _ => None,
        };
        items.push(item(row, unit, found, chosen));
    }
    Ok(items)
}

async fn named(tx: &mut Tx, offer: &Offer, unit: &UnitId) -> Result<Option<Unit>, StoreError> {
    let all = listing::units(tx, &offer.id, Paging { limit: 10_000, offset: 0 }).await?;
    Ok(all.items.into_iter().find(|one| one.id == *unit))
}

fn item(
    row: Row,
    unit: Option<UnitId>,
    found: Option<(catalog::Listing, Offer)>,
    chosen: Option<Unit>,
) -> Item {
    let is_free = chosen.as_ref().is_none_or(|unit| unit.state == catalog::UnitState::Available);
    let is_on_sale = |listing: &catalog::Listing, offer: &Offer| {
        listing.state == catalog::ListingState::Published
            && offer.is_available()
            && offer.left().is_none_or(|left| left >= row.quantity)
    };
    Item {
        offer: row.offer,
        unit,
        quantity: row.quantity,
        is_available: is_free && found.as_ref().is_some_and(|(listing, offer)| is_on_sale(listing, offer)),
        title: found.as_ref().map_or_else(String::new, |(listing, _)| listing.text.title.clone()),
        name: found.as_ref().map_or_else(String::new, |(_, offer)| offer.name.clone()),
        unit_label: chosen.map(|unit| unit.label),
        price: found.map(|(_, offer)| offer.price),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_names_no_cart_of_an_account() {
        let stranger = Caller::stranger(Timestamp::from_secs(0));
        for name in ["user-ada", "org-acme", "cart-", "cart-short", "", "cart-aaaaaaaaaaaaaaaaaaaaaaa'"] {
            assert_eq!(Owner::of(&stranger, Some(name)), None, "{name}");
        }
        let own = Owner::fresh();
        assert_eq!(Owner::of(&stranger, Some(own.name())), Some(own.clone()));
    }
}
