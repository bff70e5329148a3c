//! What the demo sells that is no package: made through the catalogue's own door. Nothing is sold beforehand but
//! one subscription, see `subscription.rs`.

use catalog::listing;
use catalog::{CatalogError, Filter, Kind, ListingText, NewListing, NewOffer, Period, Pricing, Stock};
use identity::{AccountId, Caller};
use kernel::{Currency, Money, Paging};
use store::Tx;
use web::Expected;

use super::{DemoError, ORGANISATION, USER};
use crate::rooms::Rooms;

/// A listing of the demo.
struct Thing {
    /// Whether the organisation sells it; else the demo's user.
    by_organisation: bool,
    title: &'static str,
    summary: &'static str,
    category: &'static str,
    description: &'static str,
    offers: &'static [Way],
}

/// An offer of the demo: name, what one gets, how it is paid, cents, how many there are.
type Way = (&'static str, &'static str, Paid, i64, Option<u32>);

#[derive(Clone, Copy)]
enum Paid {
    Once,
    Monthly { trial_days: u32 },
    Yearly { trial_days: u32 },
    By(&'static str),
}

const THINGS: &[Thing] = &[
    Thing {
        by_organisation: true,
        title: "The Elide field guide",
        summary: "A book on building servers with the elide packages, as PDF and EPUB.",
        category: "learning",
        description: "## What is in it\n\nTwelve chapters, from the first route to a service that restarts without \
            losing a request. Each ends with a small program that runs.\n\n- routing, timeouts and retries\n- tests \
            without mocks\n- what to measure, and how\n\nThe first two chapters are the free sample.",
        offers: &[
            ("Sample", "Chapters 1 and 2 as PDF.", Paid::Once, 0, None),
            ("Book", "PDF and EPUB, with all corrections to come.", Paid::Once, 2_400, None),
        ],
    },
    Thing {
        by_organisation: true,
        title: "Help from the people who wrote it",
        summary: "Answers within a working day, and an hour of video call each month.",
        category: "support",
        description: "Ask about the elide packages: design, bugs, upgrades. You get a person, not a queue.\n\n\
            Cancel whenever you like; it then ends with the month or year that is paid.",
        offers: &[
            ("Monthly", "Mail and one hour of call a month.", Paid::Monthly { trial_days: 14 }, 4_900, None),
            ("Yearly", "The same, with two months free.", Paid::Yearly { trial_days: 14 }, 49_000, None),
        ],
    },
    Thing {
        by_organisation: true,
        title: "Router workshop, live",
        summary: "A day in a small group: from a blank file to a tested router.",
        category: "learning",
        description: "Bring a laptop. We begin at 9:00 UTC by video and write every line together.",
        offers: &[("Place", "One place in the group.", Paid::Once, 14_900, Some(25))],
    },
    Thing {
        by_organisation: true,
        title: "Build minutes",
        summary: "Minutes on fast machines for your tests, paid by what you use.",
        category: "developer-tools",
        description: "Four cores and 8 GB of memory for each build. A minute that is begun counts as one.",
        offers: &[("By the minute", "No fixed cost.", Paid::By("minute"), 1, None)],
    },
    Thing {
        by_organisation: false,
        title: "Code review, one pull request",
        summary: "A careful look at one change, with comments you can act on.",
        category: "developer-tools",
        description: "Up to 800 changed lines. You get comments within three days, and answers to your questions \
            about them.",
        offers: &[("Review", "One pull request.", Paid::Once, 9_000, Some(6))],
    },
    Thing {
        by_organisation: false,
        title: "Icon set for terminals",
        summary: "240 single-width icons for prompts and status lines.",
        category: "design",
        description: "Comes as a font and as a table of code points. Licence: CC BY 4.0.",
        offers: &[
            ("Personal", "For your own machines.", Paid::Once, 0, None),
            ("Team", "For everybody in one company.", Paid::Once, 3_900, None),
        ],
    },
];

/// Lists everything in one transaction, unless the demo's accounts sell something already.
pub(super) async fn list_all(rooms: &Rooms) -> Result<(), DemoError> {
    let user = rooms.catalog.account(USER.0).await?;
    let organisation = rooms.catalog.account(ORGANISATION).await?;
    let by = Caller::system(rooms.clock.now());
    let filter = Filter { seller: Some(organisation.clone()), ..Filter::default() };
    if rooms.catalog.market(&by, filter, Paging::default()).await?.page.total > 0 {
        return Ok(());
    }
    let list = async move |tx: &mut Tx| {
        for thing in THINGS {
            let seller = if thing.by_organisation { &organisation } else { &user };
            list(tx, &by, seller, thing).await?;
        }
        Ok::<_, CatalogError>(())
    };
    Ok(rooms.store.write(list).await?)
}

async fn list(tx: &mut Tx, by: &Caller, seller: &AccountId, thing: &Thing) -> Result<(), CatalogError> {
    let now = by.now();
    let text = ListingText {
        title: thing.title.to_owned(),
        summary: thing.summary.to_owned(),
        description: thing.description.to_owned(),
        category: thing.category.parse().ok(),
    };
    let new = NewListing { kind: Kind::Other, seller: seller.clone(), subject: None, text };
    let made = listing::create(tx, now, &new).await?;
    for (name, summary, paid, cents, capacity) in thing.offers {
        let stock = capacity.map_or(Stock::Unlimited, |capacity| Stock::Counted { capacity });
        let price = Money::new(*cents, Currency::USD);
        let usual = NewOffer::one_off(*name, price, stock);
        let pricing = match *paid {
            Paid::Once => usual.pricing.clone(),
            Paid::Monthly { trial_days } => Pricing::Subscription { period: Period::Month, trial_days },
            Paid::Yearly { trial_days } => Pricing::Subscription { period: Period::Year, trial_days },
            Paid::By(unit) => Pricing::Metered { unit: unit.to_owned() },
        };
        let offer = NewOffer { summary: (*summary).to_owned(), pricing, ..usual };
        listing::add_offer(tx, now, &made.id, &offer).await?;
    }
    listing::publish(tx, now, &made.id, &Expected::Whatever).await?;
    Ok(())
}
