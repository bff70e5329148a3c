//! Making a listing, changing what it says, putting it on sale and taking it off.

use kernel::Timestamp;
use store::{StoreError, Tx, args};
use web::Expected;

use super::{Kind, Listing, ListingId, ListingState, ListingText, NewListing};
use crate::error::CatalogError;
use crate::events::{ListingArchived, ListingCreated, ListingPublished, ListingUpdated};
use crate::sql;

/// A draft. It goes on sale by [`publish`], once it has an offer.
///
/// # Errors
/// [`CatalogError::Invalid`]; [`CatalogError::SubjectListed`] when its subject is for sale already.
pub async fn create(tx: &mut Tx, now: Timestamp, new: &NewListing) -> Result<Listing, CatalogError> {
    check(tx, &new.text).await?;
    let id = ListingId::fresh();
    let ListingText { title, summary, description, category } = &new.text;
    let (title, summary) = (title.trim(), summary.trim());
    let (subject, words) = (&new.subject, new.text.words());
    let row = args![id, new.kind, new.seller, title, summary, description, category, subject, words, now];
    tx.execute(&sql::INSERT_LISTING, row).await.map_err(subject_listed)?;
    let listing = find(tx, &id).await?;
    events::append(tx, now, &ListingCreated { about: (&listing).into() }).await?;
    Ok(listing)
}

/// Changes what it says.
///
/// # Errors
/// [`CatalogError::NotFound`], [`CatalogError::Stale`], [`CatalogError::Invalid`].
pub async fn edit(
    tx: &mut Tx,
    now: Timestamp,
    id: &ListingId,
    text: &ListingText,
    expected: &Expected,
) -> Result<Listing, CatalogError> {
    let listing = find(tx, id).await?;
    expected.check(listing.version)?;
    check(tx, text).await?;
    let ListingText { title, summary, description, category } = text;
    let (title, summary, words) = (title.trim(), summary.trim(), text.words());
    let row = args![id, listing.version, title, summary, description, category, words, now];
    changed(tx.execute(&sql::SET_LISTING, row).await?)?;
    let listing = find(tx, id).await?;
    events::append(tx, now, &ListingUpdated { about: (&listing).into() }).await?;
    Ok(listing)
}

/// Puts it on sale, also again after it was archived.
///
/// # Errors
/// [`CatalogError::NoOffer`] without an active offer; [`CatalogError::WrongState`] when it is on sale;
/// [`CatalogError::NotFound`], [`CatalogError::Stale`], [`CatalogError::SubjectListed`].
pub async fn publish(
    tx: &mut Tx,
    now: Timestamp,
    id: &ListingId,
    expected: &Expected,
) -> Result<Listing, CatalogError> {
    let listing = find(tx, id).await?;
    expected.check(listing.version)?;
    if listing.state == ListingState::Published {
        return Err(CatalogError::WrongState("published already"));
    }
    if listing.price_from.is_none() {
        return Err(CatalogError::NoOffer);
    }
    let listing = set_state(tx, now, &listing, ListingState::Published).await?;
    events::append(tx, now, &ListingPublished { about: (&listing).into() }).await?;
    Ok(listing)
}

/// Takes it off sale. What is held can still be paid, what is sold stays sold.
///
/// # Errors
/// [`CatalogError::WrongState`] when it is archived; [`CatalogError::NotFound`], [`CatalogError::Stale`].
pub async fn archive(
    tx: &mut Tx,
    now: Timestamp,
    id: &ListingId,
    expected: &Expected,
) -> Result<Listing, CatalogError> {
    let listing = find(tx, id).await?;
    expected.check(listing.version)?;
    if listing.state == ListingState::Archived {
        return Err(CatalogError::WrongState("archived already"));
    }
    let listing = set_state(tx, now, &listing, ListingState::Archived).await?;
    events::append(tx, now, &ListingArchived { about: (&listing).into() }).await?;
    Ok(listing)
}

/// The listing of this id, in any state.
///
/// # Errors
/// [`CatalogError::NotFound`].
pub async fn find(tx: &mut Tx, id: &ListingId) -> Result<Listing, CatalogError> {
    tx.first(&sql::FIND_LISTING, args![id]).await?.ok_or(CatalogError::NotFound("listing"))
}

/// The listing by which a thing is sold now: draft or published.
///
/// # Errors
/// [`StoreError`] as any statement.
pub async fn find_by_subject(tx: &mut Tx, kind: Kind, subject: &str) -> Result<Option<Listing>, StoreError> {
    tx.first(&sql::FIND_BY_SUBJECT, args![kind, subject]).await
}

async fn set_state(
    tx: &mut Tx,
    now: Timestamp,
    listing: &Listing,
    state: ListingState,
) -> Result<Listing, CatalogError> {
    let row = args![listing.id, listing.version, state, now];
    changed(tx.execute(&sql::SET_STATE, row).await.map_err(subject_listed)?)?;
    find(tx, &listing.id).await
}

async fn check(tx: &mut Tx, text: &ListingText) -> Result<(), CatalogError> {
    let mut wrong = text.wrong();
    if let Some(category) = &text.category {
        let known: Option<(String,)> = tx.first(&sql::FIND_CATEGORY, args![category]).await?;
        if known.is_none() {
            let detail = "There is no such category; GET /api/categories lists them.".into();
            wrong.push(kernel::FieldError { pointer: "/category".into(), detail });
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(CatalogError::Invalid(wrong)) }
}

/// The row was read in this transaction, so that nothing else can have changed it.
pub(super) fn changed(rows: u64) -> Result<(), StoreError> {
    if rows == 1 { Ok(()) } else { Err(StoreError::Busy) }
}

fn subject_listed(error: StoreError) -> CatalogError {
    if matches!(error, StoreError::Unique(_)) { CatalogError::SubjectListed } else { error.into() }
}
