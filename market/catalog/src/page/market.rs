//! `/market`: what is on sale, with choices. The address holds everything that was chosen.

use askama::Template;
use axum::extract::State;
use identity::Visit;
use kernel::{Currency, Paging};
use serde::Deserialize;
use web::Query;
use web::face::parts::Pager;
use web::face::{self, FormState, Sheet, Shell};

use super::{Answer, address, availability, bought_at, from_words, kind_icon, kind_words};
use crate::browse::{Category, Facet, Filter, Found, Shown, Sort};
use crate::listing::{CategorySlug, Kind};
use crate::room::Catalog;

/// How many cards one page shows.
const CARDS: u32 = 24;
/// The prices to choose among: what the address says, the words, from and up to so many minor units.
const PRICES: [(&str, &str, i64, i64); 4] = [
    ("free", "Free", 0, 0),
    ("low", "Up to $25", 1, 2_500),
    ("middle", "$25 to $100", 2_500, 10_000),
    ("high", "$100 and more", 10_000, kernel::money::MAX_MINOR),
];

/// What the address says.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Asked {
    #[serde(default)]
    q: String,
    #[serde(default)]
    kind: String,
    #[serde(default)]
    category: String,
    #[serde(default)]
    price: String,
    #[serde(default)]
    seller: String,
    #[serde(default)]
    sort: String,
    #[serde(default)]
    offset: u32,
}

/// A link that chooses one value.
struct Choice {
    label: String,
    href: String,
    count: String,
    chosen: bool,
}

/// Values of one kind to choose among.
struct Choices {
    id: &'static str,
    title: &'static str,
    choices: Vec<Choice>,
    /// Where none is chosen.
    any: String,
    is_chosen: bool,
}

/// One listing as a card.
#[derive(Clone, Debug)]
pub struct Card {
    /// Where it is bought.
    pub href: String,
    /// Its title.
    pub title: String,
    /// What it is, and who sells it.
    pub text: String,
    /// The icon of its kind.
    pub icon: &'static str,
    /// What it costs at the least, in words.
    pub price: String,
    /// Whether it can be had: the words and the kind of a badge.
    pub left: (String, &'static str),
}

#[derive(Template)]
#[template(path = "catalog/market.html")]
struct MarketPage {
    shell: Shell,
    form: FormState,
    cards: Vec<Card>,
    total: u64,
    /// What the search keeps of the choices.
    kept: Vec<(&'static str, String)>,
    sorts: Vec<Choice>,
    facets: Vec<Choices>,
    pager: Pager,
    /// Where all choices are undone.
    all: String,
    is_narrowed: bool,
}

/// `GET /market`.
pub(super) async fn browse(
    State(catalog): State<Catalog>,
    visit: Visit,
    Query(asked): Query<Asked>,
) -> Answer {
    let paging = Paging { limit: CARDS, offset: asked.offset }.checked()?;
    let asked = known(asked);
    let mut filter = filter(&asked);
    if !asked.seller.is_empty() {
        filter.seller = Some(catalog.account(&asked.seller).await?);
    }
    let (found, categories) =
        (catalog.market(&visit.caller, filter, paging).await?, catalog.categories().await?);
    let shell =
        visit.shell.page("Market", "market").describe("Everything that is for sale here, with filters.");
    let base = link(&Asked { offset: 0, ..asked.clone() });
    let base = format!("{base}{}", if base.contains('?') { '&' } else { '?' });
    let page = MarketPage {
        form: FormState::with(&[("q", &asked.q)]),
        kept: kept(&asked),
        sorts: sorts(&asked),
        facets: facets(&asked, &found, &categories),
        pager: Pager::new(&base, paging.limit, paging.offset, found.page.items.len(), found.page.total),
        all: link(&Asked::default()),
        is_narrowed: link(&Asked { offset: 0, sort: String::new(), ..asked }) != "/market",
        cards: found.page.items.iter().map(Card::of).collect(),
        total: found.page.total,
        shell: shell.with_sheet(Sheet::Market),
    };
    Ok(face::html(&page.shell, &page))
}

/// What nobody could have chosen is left out.
fn known(asked: Asked) -> Asked {
    let or_none = |text: String, is_known: bool| if is_known { text } else { String::new() };
    let (kind, category) =
        (asked.kind.parse::<Kind>().is_ok(), asked.category.parse::<CategorySlug>().is_ok());
    let price = PRICES.iter().any(|(code, ..)| *code == asked.price);
    Asked {
        kind: or_none(asked.kind, kind),
        category: or_none(asked.category, category),
        price: or_none(asked.price, price),
        sort: if asked.sort == "price" { asked.sort } else { String::new() },
        ..asked
    }
}

fn filter(asked: &Asked) -> Filter {
    let price = PRICES.iter().find(|(code, ..)| *code == asked.price);
    Filter {
        text: asked.q.clone(),
        kind: asked.kind.parse().ok(),
        category: asked.category.parse().ok(),
        seller: None,
        price: price.map(|(_, _, least, most)| (Currency::USD, *least, *most)),
        sort: if asked.sort.is_empty() { Sort::Newest } else { Sort::Cheapest },
    }
}

fn link(asked: &Asked) -> String {
    let offset = if asked.offset == 0 { String::new() } else { asked.offset.to_string() };
    let pairs = [
        ("q", asked.q.as_str()),
        ("kind", &asked.kind),
        ("category", &asked.category),
        ("price", &asked.price),
        ("seller", &asked.seller),
        ("sort", &asked.sort),
        ("offset", &offset),
    ];
    address("/market", &pairs)
}

fn kept(asked: &Asked) -> Vec<(&'static str, String)> {
    let pairs = [
        ("kind", &asked.kind),
        ("category", &asked.category),
        ("price", &asked.price),
        ("seller", &asked.seller),
        ("sort", &asked.sort),
    ];
    pairs
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| (name, value.clone()))
        .collect()
}

fn sorts(asked: &Asked) -> Vec<Choice> {
    let sort = |(code, label): (&str, &str)| Choice {
        label: label.to_owned(),
        href: link(&Asked { sort: code.to_owned(), offset: 0, ..asked.clone() }),
        count: String::new(),
        chosen: asked.sort == code,
    };
    [("", "Newest"), ("price", "Lowest price")].map(sort).into()
}

fn facets(asked: &Asked, found: &Found, categories: &[Category]) -> Vec<Choices> {
    let fresh = Asked { offset: 0, ..asked.clone() };
    let count = |is_in: &dyn Fn(&Facet) -> bool| -> u64 {
        found.facets.iter().filter(|facet| is_in(facet)).map(|facet| facet.count).sum()
    };
    let in_category = |facet: &Facet| {
        asked.category.is_empty() || facet.category.as_ref().is_some_and(|c| c.as_str() == asked.category)
    };
    let in_kind = |facet: &Facet| asked.kind.is_empty() || facet.kind.as_str() == asked.kind;
    let kinds = Kind::ALL.iter().map(|kind| {
        let n = count(&|facet| facet.kind == *kind && in_category(facet));
        let href = link(&Asked { kind: kind.as_str().to_owned(), ..fresh.clone() });
        (
            n,
            Choice {
                label: kind_words(*kind).to_owned(),
                href,
                count: n.to_string(),
                chosen: asked.kind == kind.as_str(),
            },
        )
    });
    let kinds = kinds.filter(|(n, choice)| *n > 0 || choice.chosen).map(|(_, choice)| choice).collect();
    let named = categories.iter().map(|category| {
        let n = count(&|facet| facet.category.as_ref() == Some(&category.slug) && in_kind(facet));
        let (href, chosen) = (
            link(&Asked { category: category.slug.to_string(), ..fresh.clone() }),
            asked.category == category.slug.as_str(),
        );
        (n, Choice { label: category.name.clone(), href, count: n.to_string(), chosen })
    });
    let named = named.filter(|(n, choice)| *n > 0 || choice.chosen).map(|(_, choice)| choice).collect();
    let prices = PRICES.map(|(code, label, ..)| Choice {
        label: label.to_owned(),
        href: link(&Asked { price: code.to_owned(), ..fresh.clone() }),
        count: String::new(),
        chosen: asked.price == code,
    });
    let any = |change: fn(&mut Asked)| {
        let mut asked = fresh.clone();
        change(&mut asked);
        link(&asked)
    };
    let facet = |id, title, choices: Vec<Choice>, any: String| Choices {
        id,
        title,
        is_chosen: choices.iter().any(|choice| choice.chosen),
        choices,
        any,
    };
    let all = vec![
        facet("kinds", "Kind", kinds, any(|asked| asked.kind.clear())),
        facet("categories", "Category", named, any(|asked| asked.category.clear())),
        facet("prices", "Price", prices.into(), any(|asked| asked.price.clear())),
    ];
    all.into_iter().filter(|facet| !facet.choices.is_empty()).collect()
}

impl Card {
    /// The card of a listing.
    #[must_use]
    pub fn of(shown: &Shown) -> Self {
        let seller = shown.seller.as_ref().map_or("", |seller| &seller.name);
        let summary = &shown.listing.text.summary;
        let text =
            if summary.is_empty() { format!("by {seller}") } else { format!("{summary} \u{b7} by {seller}") };
        Self {
            href: bought_at(&shown.listing).unwrap_or_else(|| format!("/market/{}", shown.listing.id)),
            title: shown.listing.text.title.clone(),
            text,
            icon: kind_icon(shown.listing.kind),
            price: from_words(shown),
            left: availability(shown),
        }
    }
}
