//! The room.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::extract::FromRef;
use identity::{Action, Actor, Caller, Denied, Identity, Role, Scope, Subject, orgs::OrgRole};
use store::{Store, Tx};
use web::face::{Html, markdown};

use crate::error::CatalogError;
use crate::listing::{self, Kind, Listing, ListingId, ListingState};

/// What a token can be limited to.
const THING: &str = "listings";

/// The room. Cheap to clone: every clone shares the store.
#[derive(Clone)]
pub struct Catalog {
    pub(crate) store: Store,
    identity: Identity,
    descriptions: Arc<Mutex<Descriptions>>,
}

/// The most bytes of rendered descriptions that are kept.
const KEEP_BYTES: usize = 8 << 20;

/// Descriptions as HTML, by listing and version: rendering one costs milliseconds.
#[derive(Default)]
struct Descriptions {
    rendered: HashMap<ListingId, (i64, Html)>,
    bytes: usize,
}

impl Descriptions {
    fn known(&self, listing: &Listing) -> Option<Html> {
        let (version, html) = self.rendered.get(&listing.id)?;
        (*version == listing.version).then(|| html.clone())
    }

    fn keep(&mut self, listing: &Listing, html: &Html) {
        if self.bytes > KEEP_BYTES {
            *self = Self::default();
        }
        self.bytes += html.as_str().len();
        self.rendered.insert(listing.id.clone(), (listing.version, html.clone()));
    }
}

impl FromRef<Catalog> for Identity {
    fn from_ref(catalog: &Catalog) -> Self {
        catalog.identity.clone()
    }
}

impl Catalog {
    /// The room on a migrated store.
    #[must_use]
    pub fn new(store: Store, identity: Identity) -> Self {
        Self { store, identity, descriptions: Arc::default() }
    }

    /// The description of a listing as safe HTML, rendered beside the threads that serve requests.
    pub(crate) async fn description(&self, listing: &Listing) -> Html {
        if let Some(html) = self.descriptions().known(listing) {
            return html;
        }
        let text = listing.text.description.clone();
        let html =
            tokio::task::spawn_blocking(move || markdown::render(&text, None)).await.unwrap_or_default();
        self.descriptions().keep(listing, &html);
        html
    }

    fn descriptions(&self) -> MutexGuard<'_, Descriptions> {
        self.descriptions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether the caller operates the market, and uses that.
fn operates(actor: &Actor) -> bool {
    actor.roles.has(Role::Admin) && actor.scopes.has(Scope::Admin)
}

/// Whether the caller may see a listing: everybody what was published, its seller a draft.
pub(crate) fn sees(by: &Caller, listing: &Listing) -> bool {
    let is_own = |actor: &Actor| actor.speaks_for(&listing.seller, OrgRole::Member) || operates(actor);
    listing.published_at.is_some() || by.actor.as_ref().is_some_and(is_own)
}

/// Whether the caller may change a listing.
pub(crate) fn sells(by: &Caller, listing: &Listing) -> bool {
    by.actor.as_ref().is_some_and(|actor| is_sellers(actor, listing))
        && by.may(Action::Sell, &Subject::Thing(THING, listing.id.as_str())).is_ok()
}

fn is_sellers(actor: &Actor, listing: &Listing) -> bool {
    actor.speaks_for(&listing.seller, OrgRole::Admin) || operates(actor)
}

/// The listing, for who may see it.
pub(crate) async fn seen(tx: &mut Tx, by: &Caller, id: &ListingId) -> Result<Listing, CatalogError> {
    let listing = listing::find(tx, id).await?;
    if sees(by, &listing) { Ok(listing) } else { Err(CatalogError::NotFound("listing")) }
}

/// The listing, for who may change it by hand.
pub(crate) async fn owned(tx: &mut Tx, by: &Caller, id: &ListingId) -> Result<Listing, CatalogError> {
    let actor = by.account().map_err(CatalogError::Identity)?;
    let listing = seen(tx, by, id).await?;
    by.may(Action::Sell, &Subject::Thing(THING, id.as_str()))?;
    if !is_sellers(actor, &listing) {
        return Err(CatalogError::Identity(Denied::NotYours.into()));
    }
    if listing.kind == Kind::Ticket {
        return Err(CatalogError::ChangedElsewhere);
    }
    Ok(listing)
}

/// Whether anybody can buy of it now.
pub(crate) fn is_on_sale(listing: &Listing) -> bool {
    listing.state == ListingState::Published
}
