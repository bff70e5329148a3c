//! What the home page shows besides packages: the next events and the newest listings.

use askama::Template;
use catalog::{Card, Catalog, Filter, Kind};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use identity::Caller;
use kernel::{Paging, Problem};
use registry::page::Front;
use tickets::{EventView, Tickets};
use web::Failure;
use web::face::Html;

use crate::rooms::Rooms;

/// How many events are shown: one row of a wide page.
const EVENTS: u32 = 3;
/// How many listings are shown: two rows.
const LISTINGS: usize = 6;
/// How many listings are looked at; events are listed too, and stand in a row of their own.
const NEWEST: u32 = 24;

#[derive(Template)]
#[template(path = "front.html")]
struct Sections {
    events: Vec<EventView>,
    cards: Vec<Card>,
}

/// Asks the rooms that sell.
pub(super) struct Sellers {
    catalog: Catalog,
    tickets: Tickets,
}

impl Sellers {
    pub(super) fn new(rooms: &Rooms) -> Self {
        Self { catalog: rooms.catalog.clone(), tickets: rooms.tickets.clone() }
    }

    async fn look(&self, by: &Caller) -> Result<Html, Failure> {
        let next = Paging { limit: EVENTS, offset: 0 };
        let events = self.tickets.events("", by.now(), next).await?.items;
        let newest = Paging { limit: NEWEST, offset: 0 };
        let found = self.catalog.market(by, Filter::default(), newest).await?.page.items;
        let goods = found.iter().filter(|shown| shown.listing.kind != Kind::Ticket);
        let sections = Sections { events, cards: goods.take(LISTINGS).map(Card::of).collect() };
        let html = sections.render().map_err(|error| Problem::internal("home.failed", error.to_string()))?;
        Ok(Html::trusted(html.trim().to_owned()))
    }
}

kernel::problems! {
    "home.failed":
        "The part of the home page that shows what is for sale could not be drawn: a fault of ours.",
        "Nothing was changed.",
        "Tell the operator the request id; the packages are at /packages.";
}

impl Front for Sellers {
    fn sections<'a>(&'a self, by: &'a Caller) -> BoxFuture<'a, Result<Html, Failure>> {
        self.look(by).boxed()
    }
}
