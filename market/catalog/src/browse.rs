//! Looking at the market: lists with filters, one listing, the seller's own.

use std::collections::HashMap;

use identity::orgs::OrgRole;
use identity::{AccountId, Caller, Denied, PublicAccount};
use kernel::{Currency, Page, Paging};
use store::{Tx, args, json_list};

use crate::error::CatalogError;
use crate::listing::{self, CategorySlug, Kind, Listing, ListingId, ListingState};
use crate::offer::{Offer, OfferId};
use crate::room::{Catalog, seen, sells};
use crate::unit::Unit;
use crate::{sell, sql};

/// The most words of a search that count.
const WORDS: usize = 3;

/// In which order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sort {
    /// What was published last comes first.
    #[default]
    Newest,
    /// What costs least comes first.
    Cheapest,
}

/// What to leave out. The default leaves nothing out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Words that title or summary must have.
    pub text: String,
    /// Only this kind.
    pub kind: Option<Kind>,
    /// Only this category.
    pub category: Option<CategorySlug>,
    /// Only what this account sells.
    pub seller: Option<AccountId>,
    /// Only with an offer from so much to so much, in minor units of a currency.
    pub price: Option<(Currency, i64, i64)>,
    /// In which order.
    pub sort: Sort,
}

/// A listing with what people want to see beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// The listing; in lists without its description.
    pub listing: Listing,
    /// Its offers, withdrawn ones only for who may change it.
    pub offers: Vec<Offer>,
    /// Who sells; `None` when that account is gone.
    pub seller: Option<PublicAccount>,
    /// Whether the caller may change it.
    pub is_own: bool,
}

/// How many published listings there are of a kind and a category.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facet {
    /// Of this kind.
    pub kind: Kind,
    /// Of this category.
    pub category: Option<CategorySlug>,
    /// So many.
    pub count: u64,
}

store::row!(Facet { kind, category, count });

/// A part of the market.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The listings.
    pub page: Page<Shown>,
    /// How many there would be, were no kind and no category chosen.
    pub facets: Vec<Facet>,
}

/// A category.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Category {
    /// Its name in addresses.
    #[schema(value_type = String)]
    pub slug: CategorySlug,
    /// What people call it.
    pub name: String,
    /// The order in which categories are shown.
    pub position: u32,
    /// Grows with every change.
    pub version: i64,
}

store::row!(Category { slug, name, position, version });

impl Catalog {
    /// What is on sale.
    ///
    /// # Errors
    /// [`CatalogError::Store`].
    pub async fn market(&self, by: &Caller, filter: Filter, paging: Paging) -> Result<Found, CatalogError> {
        let by = by.clone();
        self.store.read(async move |tx: &mut Tx| market(tx, &by, &filter, paging).await).await
    }

    /// What the caller and its organisations sell, in any state, or what one account of them sells; what changed last
    /// comes first.
    ///
    /// # Errors
    /// [`CatalogError::Identity`] for strangers, and for an account that the caller does not belong to.
    pub async fn own(
        &self,
        by: &Caller,
        state: Option<ListingState>,
        filter: Filter,
        paging: Paging,
    ) -> Result<Page<Shown>, CatalogError> {
        let actor = by.account()?;
        let sellers: Vec<AccountId> = match &filter.seller {
            None => actor.accounts().collect(),
            Some(one) if actor.speaks_for(one, OrgRole::Member) => vec![one.clone()],
            Some(_) => return Err(CatalogError::Identity(Denied::NotYours.into())),
        };
        let by = by.clone();
        let look = async move |tx: &mut Tx| {
            let (sellers, state) =
                (json_list(sellers.iter().map(AccountId::as_str)), state.map_or("", ListingState::as_str));
            let (kind, [words, ..]) = (filter.kind.map_or("", Kind::as_str), patterns(&filter.text));
            let (limit, offset) = (paging.limit, paging.offset);
            let rows = args![sellers, state, kind, words, limit, offset];
            let listings = tx.all(&sql::LIST_OF_SELLERS, rows).await?;
            let (total,): (u64,) = tx.one(&sql::COUNT_OF_SELLERS, args![sellers, state, kind, words]).await?;
            Ok::<_, CatalogError>(Page { items: show(tx, &by, listings).await?, total })
        };
        self.store.read(look).await
    }

    /// One listing with its offers, for who may see it.
    ///
    /// # Errors
    /// [`CatalogError::NotFound`], also for a draft of somebody else.
    pub async fn find(&self, by: &Caller, id: &ListingId) -> Result<Shown, CatalogError> {
        let (by, id) = (by.clone(), id.clone());
        let look = async move |tx: &mut Tx| {
            let listing = seen(tx, &by, &id).await?;
            show_one(tx, &by, listing).await
        };
        self.store.read(look).await
    }

    /// The units of an offer, for who may see its listing.
    ///
    /// # Errors
    /// [`CatalogError::NotFound`].
    pub async fn units(
        &self,
        by: &Caller,
        id: &ListingId,
        offer: &OfferId,
        paging: Paging,
    ) -> Result<Page<Unit>, CatalogError> {
        let (by, id, offer) = (by.clone(), id.clone(), offer.clone());
        let look = async move |tx: &mut Tx| {
            seen(tx, &by, &id).await?;
            sell::offer_of(tx, &id, &offer).await?;
            Ok(listing::units(tx, &offer, paging).await?)
        };
        self.store.read(look).await
    }

    /// All categories in their order.
    ///
    /// # Errors
    /// [`CatalogError::Store`].
    pub async fn categories(&self) -> Result<Vec<Category>, CatalogError> {
        self.store.read(async |tx: &mut Tx| Ok(tx.all(&sql::LIST_CATEGORIES, &[]).await?)).await
    }

    /// The account of this name.
    ///
    /// # Errors
    /// [`CatalogError::NotFound`].
    pub async fn account(&self, name: &str) -> Result<AccountId, CatalogError> {
        let name = name.to_owned();
        let look = async move |tx: &mut Tx| Ok::<_, CatalogError>(identity::account_named(tx, &name).await?);
        let found = self.store.read(look).await?;
        found.and_then(|account| account.id.parse().ok()).ok_or(CatalogError::NotFound("account"))
    }
}

async fn market(tx: &mut Tx, by: &Caller, filter: &Filter, paging: Paging) -> Result<Found, CatalogError> {
    let kind = filter.kind.map_or("", Kind::as_str);
    let category = filter.category.as_ref().map_or("", CategorySlug::as_str);
    let seller = filter.seller.as_ref().map_or("", AccountId::as_str);
    let [one, two, three] = patterns(&filter.text);
    let (currency, least, most) =
        filter.price.as_ref().map_or(("", 0, 0), |(currency, least, most)| (currency.code(), *least, *most));
    let counted = args![seller, one, two, three, currency, least, most];
    let facets: Vec<Facet> = tx.all(&sql::COUNT_FACETS, counted).await?;
    let is_chosen = |facet: &&Facet| {
        filter.kind.is_none_or(|kind| kind == facet.kind)
            && (filter.category.is_none() || filter.category == facet.category)
    };
    let total = facets.iter().filter(is_chosen).map(|facet| facet.count).sum();
    let list = match filter.sort {
        Sort::Newest => &sql::LIST_NEWEST,
        Sort::Cheapest => &sql::LIST_CHEAPEST,
    };
    let (limit, offset) = (paging.limit, paging.offset);
    let rows = args![kind, category, seller, one, two, three, currency, least, most, limit, offset];
    let listings = tx.all(list, rows).await?;
    Ok(Found { page: Page { items: show(tx, by, listings).await?, total }, facets })
}

/// One listing as the caller may see it.
pub(crate) async fn show_one(tx: &mut Tx, by: &Caller, listing: Listing) -> Result<Shown, CatalogError> {
    show(tx, by, vec![listing]).await?.pop().ok_or(CatalogError::NotFound("listing"))
}

/// Adds offers and sellers: two statements for all of them.
async fn show(tx: &mut Tx, by: &Caller, listings: Vec<Listing>) -> Result<Vec<Shown>, CatalogError> {
    let ids: Vec<ListingId> = listings.iter().map(|listing| listing.id.clone()).collect();
    let mut offers: HashMap<ListingId, Vec<Offer>> = HashMap::new();
    for offer in listing::offers(tx, &ids).await? {
        offers.entry(offer.listing.clone()).or_default().push(offer);
    }
    let sellers = identity::accounts(tx, listings.iter().map(|listing| &listing.seller)).await?;
    let show = |listing: Listing| {
        let is_own = sells(by, &listing);
        let mut offers = offers.remove(&listing.id).unwrap_or_default();
        offers.retain(|offer| is_own || offer.state == crate::OfferState::Active);
        let seller = sellers.iter().find(|seller| seller.id == listing.seller.as_str()).cloned();
        Shown { listing, offers, seller, is_own }
    };
    Ok(listings.into_iter().map(show).collect())
}

/// The words of a search as patterns of `like`, with `!` before what means something there. Further words are left
/// out.
fn patterns(text: &str) -> [String; WORDS] {
    let mut words = text.split_whitespace().map(|word| {
        let mut pattern = String::from("%");
        for c in word.to_lowercase().chars().take(60) {
            if matches!(c, '%' | '_' | '!') {
                pattern.push('!');
            }
            pattern.push(c);
        }
        pattern.push('%');
        pattern
    });
    [(); WORDS].map(|()| words.next().unwrap_or_else(|| "%".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::patterns;

    #[test]
    fn words_become_patterns_that_mean_only_themselves() {
        assert_eq!(patterns("Red  Tea"), ["%red%", "%tea%", "%"]);
        assert_eq!(patterns("100% a_b c!"), ["%100!%%", "%a!_b%", "%c!!%"]);
        assert_eq!(patterns(" a b c d "), ["%a%", "%b%", "%c%"]);
    }
}
