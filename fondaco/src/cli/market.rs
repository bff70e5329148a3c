//! `market list`, `show`, `units`, `categories`: what is for sale.

use serde_json::Value;

use super::answer::{list, money, number, text, word};
use super::args::{Browse, Global, Market, Sort, Units};
use super::client::{Client, Query, checked_id};
use super::failure::{Failure, code};
use super::terminal::Terminal;

/// Runs a command about what is for sale.
pub(crate) async fn run(terminal: &Terminal, global: &Global, command: &Market) -> Result<(), Failure> {
    let client = Client::new(global)?;
    match command {
        Market::List(args) => browse(terminal, &client, args).await,
        Market::Show { listing } => show(terminal, &client, listing).await,
        Market::Units(args) => units(terminal, &client, args).await,
        Market::Categories => categories(terminal, &client).await,
    }
}

async fn browse(terminal: &Terminal, client: &Client, args: &Browse) -> Result<(), Failure> {
    let query = args
        .part
        .query()
        .and("q", args.words.join(" "))
        .and("sort", if args.sort == Sort::Price { "price" } else { "newest" })
        .maybe("kind", args.kind.as_ref())
        .maybe("category", args.category.as_ref())
        .maybe("seller", args.seller.as_ref());
    let answer = client.get("/api/listings", query).await?;
    if terminal.json {
        terminal.data_json(&answer);
        return Ok(());
    }
    let found = list(&answer, "items");
    if found.is_empty() {
        terminal.say("Nothing like that is for sale.");
        return Ok(());
    }
    let row = |listing: &Value| {
        let seller = listing.get("seller").map(|seller| text(seller, "name")).unwrap_or_default();
        let available = listing.get("available").and_then(Value::as_bool) == Some(true);
        vec![
            text(listing, "id"),
            text(listing, "title"),
            text(listing, "kind"),
            from(listing),
            seller,
            if available { String::new() } else { "sold out".to_owned() },
        ]
    };
    terminal.table(&["id", "title", "kind", "from", "seller", ""], found.iter().map(row).collect());
    terminal.more(found.len(), args.part.offset, &answer);
    terminal.hint(format!("fondaco market show {}", text(&found[0], "id")));
    Ok(())
}

/// The lowest price of a listing.
pub(super) fn from(listing: &Value) -> String {
    match listing.get("priceFromMinor").and_then(Value::as_i64) {
        Some(0) => "free".to_owned(),
        _ => money(listing, "priceFromMinor"),
    }
}

/// A listing that everybody may see, or one's own.
pub(super) async fn find(client: &Client, listing: &str) -> Result<Value, Failure> {
    let path = format!("/api/listings/{}", checked_id("listing", listing)?);
    client.get(&path, Query::default()).await.map_err(|failure| match failure.exit {
        code::NOT_FOUND => failure.next("fondaco market list"),
        _ => failure,
    })
}

async fn show(terminal: &Terminal, client: &Client, listing: &str) -> Result<(), Failure> {
    let listing = find(client, listing).await?;
    if terminal.json {
        terminal.data_json(&listing);
        return Ok(());
    }
    let seller = listing.get("seller");
    let is_published = text(&listing, "state") == "published";
    terminal.details(&[
        ("", text(&listing, "title")),
        ("", text(&listing, "summary")),
        ("id", text(&listing, "id")),
        ("kind", text(&listing, "kind")),
        ("category", text(&listing, "category")),
        ("state", if is_published { String::new() } else { text(&listing, "state") }),
        ("version", number(&listing, "version")),
        ("seller", seller.map(|seller| text(seller, "name")).unwrap_or_default()),
        ("event", Some(text(&listing, "subject")).filter(|id| id.starts_with("event-")).unwrap_or_default()),
        ("page", client.session.api(&format!("/market/{}", text(&listing, "id")))),
    ]);
    let description = text(&listing, "description");
    if !description.is_empty() {
        terminal.data("");
        description.lines().for_each(|line| terminal.data(super::terminal::plain(line)));
    }
    terminal.data("");
    let offers = list(&listing, "offers");
    terminal.table(
        &["offer", "name", "price", "left", "summary", "state"],
        offers.iter().map(offer_row).collect(),
    );
    suggest(terminal, &listing, offers);
    Ok(())
}

fn offer_row(offer: &Value) -> Vec<String> {
    let state = text(offer, "state");
    vec![
        text(offer, "id"),
        text(offer, "name"),
        price(offer),
        number(offer, "left"),
        text(offer, "summary"),
        if state == "active" { String::new() } else { state },
    ]
}

/// What an offer costs, and for what: `$49.00 a month, 14 days free`.
pub(super) fn price(offer: &Value) -> String {
    let (price, pricing) = (money(offer, "priceMinor"), offer.get("pricing").unwrap_or(&Value::Null));
    match text(pricing, "type").as_str() {
        "free" => "free".to_owned(),
        "subscription" => {
            let days = pricing.get("trialDays").and_then(Value::as_u64).unwrap_or_default();
            let trial = if days == 0 { String::new() } else { format!(", {days} days free") };
            format!("{price} a {}{trial}", text(pricing, "period"))
        }
        "metered" => format!("{price} per {}", text(pricing, "unit")),
        _ => price,
    }
}

fn has_units(offer: &Value) -> bool {
    offer.get("stock").is_some_and(|stock| text(stock, "type") == "units")
}

/// The next step of a buyer: the first offer of which something is left.
fn suggest(terminal: &Terminal, listing: &Value, offers: &[Value]) {
    let is_left = |offer: &&Value| {
        text(offer, "state") == "active"
            && offer.get("left").and_then(Value::as_u64).is_none_or(|left| left > 0)
    };
    match offers.iter().find(is_left) {
        Some(offer) if has_units(offer) => {
            let (listing, offer) = (text(listing, "id"), text(offer, "id"));
            terminal.hint(format!("fondaco market units {listing} {offer}"));
        }
        Some(offer) => terminal.hint(format!("fondaco order place --offer {}", text(offer, "id"))),
        None => {
            terminal.say("Nothing of it is left. What others hold comes back when they don't pay in time.")
        }
    }
}

async fn units(terminal: &Terminal, client: &Client, args: &Units) -> Result<(), Failure> {
    let offer = match &args.offer {
        Some(offer) => checked_id("offer", offer)?.to_owned(),
        None => only_offer_with_units(&find(client, &args.listing).await?)?,
    };
    let listing = checked_id("listing", &args.listing)?;
    let path = format!("/api/listings/{listing}/offers/{offer}/units");
    let answer = client.get(&path, args.part.query()).await?;
    if terminal.json {
        terminal.data_json(&answer);
        return Ok(());
    }
    let found = list(&answer, "items");
    if found.is_empty() {
        terminal.say("There are no units to list here.");
        terminal.hint(format!("fondaco order place --offer {offer} --quantity 1"));
        return Ok(());
    }
    let row = |unit: &Value| {
        vec![text(unit, "id"), text(unit, "label"), text(unit, "section"), word(unit, "state")]
    };
    terminal.table(&["unit", "label", "section", "state"], found.iter().map(row).collect());
    terminal.more(found.len(), args.part.offset, &answer);
    if let Some(free) = found.iter().find(|unit| text(unit, "state") == "available") {
        terminal.hint(format!("fondaco order place --offer {offer} --unit {}", text(free, "id")));
    }
    Ok(())
}

fn only_offer_with_units(listing: &Value) -> Result<String, Failure> {
    let mut with_units = list(listing, "offers").iter().filter(|offer| has_units(offer));
    let id = text(listing, "id");
    match (with_units.next(), with_units.next()) {
        (Some(offer), None) => Ok(text(offer, "id")),
        (None, _) => Err(Failure::usage("Its offers have no units: say how many you want.")
            .next(format!("fondaco market show {id}"))),
        (Some(one), Some(_)) => Err(Failure::usage("Several of its offers have units: name one of them.")
            .next(format!("fondaco market units {id} {}", text(one, "id")))),
    }
}

async fn categories(terminal: &Terminal, client: &Client) -> Result<(), Failure> {
    let answer = client.get("/api/categories", Query::default()).await?;
    if terminal.json {
        terminal.data_json(&answer);
        return Ok(());
    }
    let row = |category: &Value| vec![text(category, "slug"), text(category, "name")];
    terminal.table(&["category", "name"], list(&answer, "items").iter().map(row).collect());
    terminal.hint("fondaco market list --category CATEGORY");
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn prices_say_for_what() {
        let offer = |pricing: Value| json!({"priceMinor": 4900, "currency": "USD", "pricing": pricing});
        assert_eq!(price(&offer(json!({"type": "one_off"}))), "$49.00");
        assert_eq!(price(&offer(json!({"type": "free"}))), "free");
        let monthly = json!({"type": "subscription", "period": "month", "trialDays": 14});
        assert_eq!(price(&offer(monthly)), "$49.00 a month, 14 days free");
        assert_eq!(price(&offer(json!({"type": "metered", "unit": "minute"}))), "$49.00 per minute");
    }

    #[test]
    fn the_offer_with_units_is_found_or_asked_for() {
        let offer = |id: &str, stock: &str| json!({"id": id, "stock": {"type": stock}});
        let listing =
            |offers: Vec<Value>| only_offer_with_units(&json!({"id": "listing-1", "offers": offers}));
        let (seats, more, free) =
            (offer("offer-1", "units"), offer("offer-2", "units"), offer("offer-3", "counted"));
        assert_eq!(listing(vec![free.clone(), seats.clone()]).ok().as_deref(), Some("offer-1"));
        assert_eq!(listing(vec![free]).map_err(|failure| failure.exit), Err(2));
        assert_eq!(listing(vec![seats, more]).map_err(|failure| failure.exit), Err(2));
    }
}
