//! `/sell/listings`: what one sells, beginning a listing, and changing what it says.

use askama::Template;
use axum::extract::State;
use axum::response::IntoResponse;
use http::StatusCode;
use identity::orgs::OrgRole;
use identity::{Action, Actor, Subject, Visit, done};
use kernel::Paging;
use serde::Deserialize;
use store::Tx;
use web::face::parts::{Choice, Pager, Tab};
use web::face::{self, FormState, Sheet, Shell, Typed, Wrong};
use web::{Form, Path, Query};

use super::{Answer, address, from_words, kind_icon, kind_words, price_words, typed};
use crate::browse::{Category, Filter, Shown};
use crate::error::CatalogError;
use crate::listing::{Kind, ListingId, ListingState};
use crate::offer::{Offer, OfferState};
use crate::room::Catalog;
use crate::sell;

/// How many listings one page shows.
const ROWS: u32 = 50;

/// What the address says.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Asked {
    #[serde(default)]
    state: String,
    #[serde(default)]
    offset: u32,
}

/// One listing as a row.
struct Row {
    shown: Shown,
    kind: &'static str,
    price: String,
    held: u64,
    sold: u64,
    /// How many are left in all; `None` when an offer has no limit.
    left: Option<u64>,
}

#[derive(Template)]
#[template(path = "catalog/own.html")]
struct OwnPage {
    shell: Shell,
    tabs: Vec<Tab>,
    rows: Vec<Row>,
    total: u64,
    is_all: bool,
    pager: Pager,
}

/// `GET /sell/listings`.
pub(super) async fn list(State(catalog): State<Catalog>, visit: Visit, Query(asked): Query<Asked>) -> Answer {
    let state: Option<ListingState> = asked.state.parse().ok();
    let paging = Paging { limit: ROWS, offset: asked.offset }.checked()?;
    let found = catalog.own(&visit.caller, state, Filter::default(), paging).await?;
    let code = state.map_or("", ListingState::as_str);
    let tab = |(value, label): (&str, &str)| {
        Tab::new(label, address("/sell/listings", &[("state", value)]), "", value == code)
    };
    let base = address("/sell/listings", &[("state", code)]);
    let base = format!("{base}{}", if base.contains('?') { '&' } else { '?' });
    let shell = visit.shell.page("Listings - Sell", "sell-listings").crumb("Sell", "/sell/listings");
    let page = OwnPage {
        shell: shell.crumb("Listings", "").with_sheet(Sheet::Market),
        tabs: [("", "All"), ("draft", "Drafts"), ("published", "On sale"), ("archived", "Archived")]
            .map(tab)
            .into(),
        pager: Pager::new(&base, paging.limit, paging.offset, found.items.len(), found.total),
        rows: found.items.into_iter().map(row).collect(),
        total: found.total,
        is_all: state.is_none(),
    };
    Ok(face::html(&page.shell, &page))
}

fn row(shown: Shown) -> Row {
    let sum = |count: fn(&Offer) -> u32| shown.offers.iter().map(|offer| u64::from(count(offer))).sum();
    let active = shown.offers.iter().filter(|offer| offer.state == OfferState::Active);
    Row {
        kind: kind_words(shown.listing.kind),
        price: from_words(&shown),
        held: sum(|offer| offer.held),
        sold: sum(|offer| offer.sold),
        left: active.map(|offer| offer.left().map(u64::from)).sum(),
        shown,
    }
}

#[derive(Template)]
#[template(path = "catalog/new_listing.html")]
struct NewPage {
    shell: Shell,
    form: FormState,
    kinds: Vec<Choice>,
    categories: Vec<Choice>,
    sellers: Vec<Choice>,
}

/// `GET /sell/listings/new`.
pub(super) async fn blank(State(catalog): State<Catalog>, visit: Visit) -> Answer {
    let form = FormState::with(&[("kind", Kind::Other.as_str())]);
    new_page(&catalog, visit, form).await
}

async fn new_page(catalog: &Catalog, visit: Visit, form: FormState) -> Answer {
    let actor = visit.caller.may(Action::Sell, &Subject::Market)?.clone();
    let kinds = Kind::ALL.iter().filter(|kind| **kind != Kind::Ticket);
    let page = NewPage {
        kinds: kinds.map(|kind| Choice::new(kind.as_str(), kind_words(*kind), "")).collect(),
        categories: categories(catalog.categories().await?),
        sellers: sellers(&actor),
        shell: shell(visit.shell, "New listing").crumb("New listing", ""),
        form,
    };
    Ok(face::html(&page.shell, &page))
}

/// In whose name the caller may sell.
fn sellers(actor: &Actor) -> Vec<Choice> {
    let orgs = actor.memberships.iter().filter(|own| own.role >= OrgRole::Admin);
    let own = Choice::new("", &actor.username, "");
    std::iter::once(own).chain(orgs.map(|own| Choice::new(&own.org, &own.org, ""))).collect()
}

fn categories(all: Vec<Category>) -> Vec<Choice> {
    let none = Choice::new("", "None", "");
    let all = all.into_iter().map(|category| Choice::new(category.slug.as_str(), &category.name, ""));
    std::iter::once(none).chain(all).collect()
}

/// `POST /sell/listings/new`.
pub(super) async fn create(State(catalog): State<Catalog>, visit: Visit, Form(typed): Form<Typed>) -> Answer {
    let (by, form) = (visit.caller.clone(), typed.clone());
    let create = async move |tx: &mut Tx| {
        let org = Some(form.get("seller")).filter(|org| !org.is_empty());
        let kind = form.get("kind");
        let none = |_| CatalogError::field("/kind", format!("There is no kind of listing `{kind}`."));
        sell::draft(tx, &by, org, kind.parse().map_err(none)?, &typed::text(&form)?).await
    };
    match catalog.store.write(create).await {
        Ok(listing) => Ok(done(
            &format!("/sell/listings/{}/offers/new", listing.id),
            "The draft is kept. Say now what it costs.",
        )),
        Err(error) => {
            let (status, form) = Wrong::of(error, &typed)?.into_parts();
            Ok((status, new_page(&catalog, visit, form).await?).into_response())
        }
    }
}

/// An offer as a row of the editor.
struct OfferRow {
    offer: Offer,
    price: String,
}

#[derive(Template)]
#[template(path = "catalog/editor.html")]
struct EditorPage {
    shell: Shell,
    form: FormState,
    shown: Shown,
    icon: &'static str,
    categories: Vec<Choice>,
    offers: Vec<OfferRow>,
    /// Whether it can go on sale.
    is_ready: bool,
    /// Whether another part of the market keeps it.
    is_fixed: bool,
}

/// `GET /sell/listings/{id}`.
pub(super) async fn editor(State(catalog): State<Catalog>, visit: Visit, Path(id): Path<String>) -> Answer {
    visit.account()?;
    let shown = own(&catalog, &visit, &id).await?;
    let form = typed::listing_form(&shown.listing);
    draw(&catalog, visit, shown, form, StatusCode::OK).await
}

/// A listing that the caller may change.
pub(super) async fn own(catalog: &Catalog, visit: &Visit, id: &str) -> Result<Shown, CatalogError> {
    let id: ListingId = id.parse().map_err(|_| CatalogError::NotFound("listing"))?;
    let shown = catalog.find(&visit.caller, &id).await?;
    if shown.is_own {
        return Ok(shown);
    }
    visit.caller.may(Action::Sell, &Subject::Market)?;
    Err(CatalogError::Identity(identity::Denied::NotYours.into()))
}

async fn draw(catalog: &Catalog, visit: Visit, shown: Shown, form: FormState, status: StatusCode) -> Answer {
    let rows = shown
        .offers
        .iter()
        .map(|offer| OfferRow { price: price_words(offer.price, &offer.pricing), offer: offer.clone() });
    let title = shown.listing.text.title.clone();
    let page = EditorPage {
        offers: rows.collect(),
        form,
        icon: kind_icon(shown.listing.kind),
        categories: categories(catalog.categories().await?),
        is_ready: shown.listing.price_from.is_some(),
        is_fixed: shown.listing.kind == Kind::Ticket,
        shell: shell(visit.shell, &title).crumb(title, ""),
        shown,
    };
    Ok((status, face::html(&page.shell, &page)).into_response())
}

/// `POST /sell/listings/{id}`.
pub(super) async fn save(
    State(catalog): State<Catalog>,
    visit: Visit,
    Path(id): Path<String>,
    Form(typed): Form<Typed>,
) -> Answer {
    visit.account()?;
    let shown = own(&catalog, &visit, &id).await?;
    let (by, listing, form) = (visit.caller.clone(), shown.listing.id.clone(), typed.clone());
    let save = async move |tx: &mut Tx| {
        sell::edit(tx, &by, &listing, &typed::expected(&form), |_| typed::text(&form)).await
    };
    match catalog.store.write(save).await {
        Ok(_) => Ok(done(&format!("/sell/listings/{id}"), "The listing is saved.")),
        Err(error) => {
            let (status, form) = Wrong::of(error, &typed)?.into_parts();
            draw(&catalog, visit, shown, form, status).await
        }
    }
}

/// `POST /sell/listings/{id}/state`: puts it on sale or takes it off.
pub(super) async fn set_state(
    State(catalog): State<Catalog>,
    visit: Visit,
    Path(id): Path<String>,
    Form(typed): Form<Typed>,
) -> Answer {
    visit.account()?;
    let shown = own(&catalog, &visit, &id).await?;
    let (by, listing, form) = (visit.caller.clone(), shown.listing.id.clone(), typed.clone());
    let publishes = typed.get("to") == ListingState::Published.as_str();
    let change = async move |tx: &mut Tx| {
        let expected = typed::expected(&form);
        if publishes {
            sell::publish(tx, &by, &listing, &expected).await
        } else {
            sell::archive(tx, &by, &listing, &expected).await
        }
    };
    match catalog.store.write(change).await {
        Ok(_) if publishes => Ok(done(&format!("/sell/listings/{id}"), "It is on sale.")),
        Ok(_) => Ok(done(
            &format!("/sell/listings/{id}"),
            "It is off sale. What is held can still be paid, and what is sold stays sold.",
        )),
        Err(error) => {
            let (status, form) = Wrong::of(error, &typed)?.into_parts();
            let form = if form.is_wrong() { keep(&shown, &form) } else { form };
            draw(&catalog, visit, shown, form, status).await
        }
    }
}

/// The form of the texts as they are, with what went wrong beside it.
fn keep(shown: &Shown, wrong: &FormState) -> FormState {
    let problem = kernel::Problem::new(409, "catalog.wrong_state", wrong.summary().to_owned());
    typed::listing_form(&shown.listing).failed(&problem)
}

/// The frame of the seller's pages.
pub(super) fn shell(shell: Shell, title: &str) -> Shell {
    let shell = shell.page(format!("{title} - Sell"), "sell-listings").with_sheet(Sheet::Market);
    shell.crumb("Listings", "/sell/listings")
}
