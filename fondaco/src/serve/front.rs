//! What the home page and the search show besides packages: events and listings.

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
/// How many events, and how many listings, a search shows; the rest is a link away.
const FOUND: u32 = 6;
/// How many listings are looked at; events are listed too, and stand in a row of their own.
const NEWEST: u32 = 24;

#[derive(Template)]
#[template(path = "front.html")]
struct Sections {
    events: Vec<EventView>,
    cards: Vec<Card>,
}

/// What a search found besides packages.
#[derive(Template)]
#[template(path = "found.html")]
struct FoundSections {
    events: Vec<EventView>,
    events_total: u64,
    cards: Vec<Card>,
    cards_total: u64,
    /// The words, as in an address.
    words: String,
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
        draw(&sections)
    }

    async fn find(&self, by: &Caller, words: &str) -> Result<Html, Failure> {
        let first = Paging { limit: FOUND, offset: 0 };
        let events = self.tickets.events(words, by.now(), first).await?;
        let filter = Filter { text: words.to_owned(), ..Filter::default() };
        let listings = self.catalog.market(by, filter, first).await?.page;
        let sections = FoundSections {
            events_total: events.total,
            events: events.items,
            cards_total: listings.total,
            cards: listings.items.iter().map(Card::of).collect(),
            words: url::form_urlencoded::byte_serialize(words.as_bytes()).collect(),
        };
        draw(&sections)
    }
}

fn draw(sections: &impl Template) -> Result<Html, Failure> {
    let html = sections.render().map_err(|error| Problem::internal("home.failed", error.to_string()))?;
    Ok(Html::trusted(html.trim().to_owned()))
}

kernel::problems! {
    "home.failed":
        "The part of the home page or the search that shows what is for sale could not be drawn: a fault of ours.",
        "Nothing was changed.",
        "Tell the operator the request id; the packages are at /packages.";
}

impl Front for Sellers {
    fn sections<'a>(&'a self, by: &'a Caller) -> BoxFuture<'a, Result<Html, Failure>> {
        self.look(by).boxed()
    }

    fn found<'a>(&'a self, by: &'a Caller, words: &'a str) -> BoxFuture<'a, Result<Html, Failure>> {
        self.find(by, words).boxed()
    }
}
