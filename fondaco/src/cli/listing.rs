//! `listing list`, `create`, `offer`, `publish`, `archive`, `price`: what one sells.

use std::io::Read;
use std::path::Path;

use kernel::{Currency, Money};
use reqwest::Method;
use reqwest::header::IF_MATCH;
use serde_json::{Map, Value, json};

use super::answer::{list, money, number, text};
use super::args::{Every, Global, Listing, ListingOffer, Listings, NewListing, Versioned};
use super::client::{Client, checked_id};
use super::failure::{Failure, code};
use super::market;
use super::terminal::Terminal;

/// The largest file that a listing is read from, in bytes.
const MAX_FILE: u64 = 1024 * 1024;

/// Runs a command about what one sells.
pub(crate) async fn run(terminal: &Terminal, global: &Global, command: &Listing) -> Result<(), Failure> {
    let client = Client::signed_in(global)?;
    match command {
        Listing::List(args) => own(terminal, &client, args).await,
        Listing::Create(new) => create(terminal, &client, new).await,
        Listing::Offer { listing, offer, key } => {
            add_offer(terminal, &client, listing, offer, key.as_deref()).await
        }
        Listing::Publish(args) => set_state(terminal, &client, args, "publish").await,
        Listing::Archive(args) => {
            terminal.confirm("Take this listing off sale? What is held can still be paid.")?;
            set_state(terminal, &client, args, "archive").await
        }
        Listing::Price { listing, offer, price, if_version } => {
            set_price(terminal, &client, (listing, offer), price, *if_version).await
        }
    }
}

async fn own(terminal: &Terminal, client: &Client, args: &Listings) -> Result<(), Failure> {
    let query = args.part.query().and("seller", "me").maybe("state", args.state.as_ref());
    let answer = client.get("/api/listings", query).await?;
    if terminal.json {
        terminal.data_json(&answer);
        return Ok(());
    }
    let found = list(&answer, "items");
    let row = |listing: &Value| {
        let sold: u64 = list(listing, "offers").iter().filter_map(|offer| offer.get("sold")?.as_u64()).sum();
        vec![
            text(listing, "id"),
            text(listing, "title"),
            text(listing, "state"),
            market::from(listing),
            sold.to_string(),
        ]
    };
    let head = ["id", "title", "state", "from", "sold"];
    terminal.table(&head, found.iter().map(row).collect());
    terminal.more(found.len(), args.part.offset, &answer);
    match found.first() {
        Some(listing) => terminal.hint(format!("fondaco market show {}", text(listing, "id"))),
        None => {
            terminal.say("There is no such listing of yours.");
            terminal.hint("fondaco listing create --help");
        }
    }
    Ok(())
}

async fn create(terminal: &Terminal, client: &Client, new: &NewListing) -> Result<(), Failure> {
    let (listing, offers) = match &new.file {
        Some(file) => taken_apart(&read(file)?, file)?,
        None => (from_flags(new), offer_body(&new.offer)?.into_iter().collect()),
    };
    if new.publish && offers.is_empty() {
        return Err(Failure::usage("Only what has an offer can be on sale. Nothing was listed.")
            .next("name a --price, or write [[offers]] into the file"));
    }
    let key = new.key.clone().unwrap_or_else(kernel::random_text::<24>);
    let made = client.post("/api/listings", Some(&key), &listing).await?;
    let id = text(&made, "id");
    let path = format!("/api/listings/{}", checked_id("listing", &id)?);
    for (number, offer) in offers.iter().enumerate() {
        let key = format!("{key}-offer-{number}");
        client.post(&format!("{path}/offers"), Some(&key), offer).await.map_err(|failure| {
            let name = text(offer, "name");
            terminal.warn(format!("The draft {id} was made, but its offer `{name}` was refused."));
            failure.next(format!("fondaco listing offer {id} --name NAME --price PRICE"))
        })?;
    }
    // What the same key made earlier may be on sale by now, and is said here as it was then.
    if new.publish && text(&market::find(client, &id).await?, "state") == "draft" {
        client.post(&format!("{path}/publish"), None, &Value::Null).await?;
    }
    if terminal.json {
        terminal.data_json(&market::find(client, &id).await?);
    } else {
        terminal.data(&id);
    }
    if new.publish {
        terminal.done(format!("`{}` is on sale.", text(&made, "title")));
        terminal.hint(format!("fondaco market show {id}"));
    } else {
        terminal.done(format!("Made a draft of `{}`.", text(&made, "title")));
        let offer = format!("fondaco listing offer {id} --price PRICE");
        terminal.hint(if offers.is_empty() { offer } else { format!("fondaco listing publish {id}") });
    }
    Ok(())
}

/// A listing in TOML or JSON.
fn read(file: &Path) -> Result<Value, Failure> {
    let cannot = |what: String| {
        Failure::local(
            "The listing cannot be read",
            format!("{}: {what} Nothing was listed.", file.display()),
        )
    };
    let mut bytes = Vec::new();
    let read = if file == Path::new("-") {
        std::io::stdin().lock().take(MAX_FILE + 1).read_to_end(&mut bytes)
    } else {
        std::fs::File::open(file).and_then(|file| file.take(MAX_FILE + 1).read_to_end(&mut bytes))
    };
    read.map_err(|error| cannot(format!("{error}.")))?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(cannot(format!("it has more than {MAX_FILE} bytes.")));
    }
    let text = String::from_utf8(bytes).map_err(|_| cannot("it is no text.".to_owned()))?;
    parse(&text).map_err(cannot)
}

/// What begins with a brace is JSON: no table of TOML does.
fn parse(text: &str) -> Result<Value, String> {
    if text.trim_start().starts_with('{') {
        return serde_json::from_str(text).map_err(|error| format!("{error}."));
    }
    let table: toml::Table = toml::from_str(text).map_err(|error| {
        let line =
            error.span().map(|span| text.get(..span.start).unwrap_or_default().matches('\n').count() + 1);
        let line = line.map_or_else(String::new, |line| format!("line {line}: "));
        format!("{line}{}.", error.message())
    })?;
    serde_json::to_value(table).map_err(|error| format!("{error}."))
}

/// The listing, and its offers, which the API takes one by one.
fn taken_apart(read: &Value, file: &Path) -> Result<(Value, Vec<Value>), Failure> {
    let wrong = |what: &str| Failure::usage(format!("{}: {what} Nothing was listed.", file.display()));
    let mut listing = read.as_object().cloned().ok_or_else(|| wrong("it has no fields."))?;
    let offers = match listing.remove("offers") {
        None => Vec::new(),
        Some(Value::Array(offers)) if offers.iter().all(Value::is_object) => offers,
        Some(_) => return Err(wrong("`offers` is no list of offers: write [[offers]] before each.")),
    };
    Ok((Value::Object(listing), offers))
}

fn from_flags(new: &NewListing) -> Value {
    let fields = [
        ("kind", &new.kind),
        ("title", &new.title),
        ("summary", &new.summary),
        ("description", &new.description),
        ("category", &new.category),
        ("organisation", &new.org),
    ];
    let said = fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), json!(value.as_ref()?))));
    Value::Object(said.collect())
}

/// An offer by its flags; none where no price is named.
fn offer_body(offer: &ListingOffer) -> Result<Option<Value>, Failure> {
    let Some(price) = &offer.price else { return Ok(None) };
    let price = amount(price, &offer.currency)?;
    let mut body = Map::new();
    let mut set = |name: &str, value: Value| body.insert(name.to_owned(), value);
    set("name", json!(offer.name));
    set("priceMinor", json!(price.minor));
    set("currency", json!(price.currency.code()));
    if let Some(summary) = &offer.offer_summary {
        set("summary", json!(summary));
    }
    if let Some(capacity) = offer.stock {
        set("stock", json!({"type": "counted", "capacity": capacity}));
    }
    if let Some(every) = offer.every {
        let period = if every == Every::Month { "month" } else { "year" };
        let trial_days = offer.trial_days.unwrap_or(0);
        set("pricing", json!({"type": "subscription", "period": period, "trialDays": trial_days}));
    }
    if let Some(unit) = &offer.per {
        set("pricing", json!({"type": "metered", "unit": unit}));
    }
    Ok(Some(Value::Object(body)))
}

/// An amount as people write it.
pub(super) fn amount(text: &str, currency: &str) -> Result<Money, Failure> {
    let wrong = |error: kernel::MoneyError| Failure::usage(format!("`{text}` in {currency}: {error}."));
    Money::parse(text, currency.parse::<Currency>().map_err(wrong)?).map_err(wrong)
}

async fn add_offer(
    terminal: &Terminal,
    client: &Client,
    listing: &str,
    offer: &ListingOffer,
    key: Option<&str>,
) -> Result<(), Failure> {
    let path = format!("/api/listings/{}/offers", checked_id("listing", listing)?);
    let body =
        offer_body(offer)?.ok_or_else(|| Failure::usage("Say what it costs: --price 19, or --price 0."))?;
    let made = client.post(&path, key, &body).await?;
    if terminal.json {
        terminal.data_json(&made);
    } else {
        terminal.data(text(&made, "id"));
    }
    terminal.done(format!("Added the offer `{}` for {}.", text(&made, "name"), market::price(&made)));
    terminal.hint(format!("fondaco market show {listing}"));
    Ok(())
}

async fn set_state(
    terminal: &Terminal,
    client: &Client,
    args: &Versioned,
    verb: &str,
) -> Result<(), Failure> {
    let path = format!("/api/listings/{}/{verb}", checked_id("listing", &args.listing)?);
    let mut request = client.request(Method::POST, &client.session.api(&path));
    if let Some(version) = args.if_version {
        request = request.header(IF_MATCH, format!("\"{version}\""));
    }
    let listing = match client.json(request).await {
        Err(failure) if is_stale(&failure) => {
            let now = market::find(client, &args.listing).await?;
            let (version, state) = (number(&now, "version"), text(&now, "state"));
            let command = format!("fondaco listing {verb} {} --if-version {version}", args.listing);
            return Err(stale(failure, &format!("It is {state} in version {version} now."), command));
        }
        answer => answer?,
    };
    if terminal.json {
        terminal.data_json(&listing);
    }
    let title = text(&listing, "title");
    if verb == "publish" {
        terminal.done(format!(
            "`{title}` is on sale: {}",
            client.session.api(&format!("/market/{}", args.listing))
        ));
    } else {
        terminal.done(format!("`{title}` is off sale."));
    }
    Ok(())
}

/// Sets a price in the version that was read, so that it never replaces one that somebody set meanwhile.
async fn set_price(
    terminal: &Terminal,
    client: &Client,
    (listing, offer): (&str, &str),
    price: &str,
    if_version: Option<i64>,
) -> Result<(), Failure> {
    let before = find_offer(client, listing, offer).await?;
    let price = amount(price, &text(&before, "currency"))?;
    let version = if_version.or_else(|| before.get("version")?.as_i64()).unwrap_or_default();
    let (name, old) = (text(&before, "name"), money(&before, "priceMinor"));
    terminal.confirm(&format!("Set the price of `{name}` from {old} to {price}?"))?;
    let path = format!("/api/listings/{listing}/offers/{offer}");
    let request = client.request(Method::PATCH, &client.session.api(&path));
    let request =
        request.header(IF_MATCH, format!("\"{version}\"")).json(&json!({"priceMinor": price.minor}));
    let changed = match client.json(request).await {
        Err(failure) if is_stale(&failure) => {
            let now = find_offer(client, listing, offer).await?;
            let (version, cost) = (number(&now, "version"), money(&now, "priceMinor"));
            let command =
                format!("fondaco listing price {listing} {offer} {} --if-version {version}", price.major());
            return Err(stale(failure, &format!("It costs {cost} in version {version} now."), command));
        }
        answer => answer?,
    };
    if terminal.json {
        terminal.data_json(&changed);
    }
    terminal.done(format!("`{name}` costs {} now; it was {old}.", money(&changed, "priceMinor")));
    Ok(())
}

async fn find_offer(client: &Client, listing: &str, offer: &str) -> Result<Value, Failure> {
    checked_id("offer", offer)?;
    let listing = market::find(client, listing).await?;
    let found = list(&listing, "offers").iter().find(|known| text(known, "id") == offer);
    found.cloned().ok_or_else(|| {
        let detail = format!("`{}` has no offer {offer}.", text(&listing, "title"));
        Failure::new(code::NOT_FOUND, "cli.no_offer", "Not found", detail)
            .next(format!("fondaco market show {}", text(&listing, "id")))
    })
}

fn is_stale(failure: &Failure) -> bool {
    failure.code == "request.stale"
}

/// Explains that somebody was faster: what is there now, and how to say that it is meant all the same.
fn stale(failure: Failure, now: &str, command: String) -> Failure {
    let detail = format!("Somebody changed it since you looked. {now} Nothing was changed by you.");
    Failure { detail, ..failure }.next(command)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn files_are_toml_or_json() {
        let toml = "kind = \"other\"\ntitle = \"Icons\"\n[[offers]]\nname = \"Team\"\nprice = 39.90\n[[offers]]\nname = \"Own\"\nprice = 0\n";
        let (listing, offers) = taken_apart(&parse(toml).unwrap(), Path::new("x")).unwrap();
        assert_eq!(listing, json!({"kind": "other", "title": "Icons"}));
        assert_eq!(offers, [json!({"name": "Team", "price": 39.9}), json!({"name": "Own", "price": 0})]);
        let json = r#" {"kind":"other","offers":[{"name":"Team","priceMinor":3990}]}"#;
        let (_, offers) = taken_apart(&parse(json).unwrap(), Path::new("x")).unwrap();
        assert_eq!(offers, [json!({"name": "Team", "priceMinor": 3990})]);
        assert!(parse("kind = \"other\"\ntitle = Icons\n").unwrap_err().starts_with("line 2: "));
        assert!(parse("{\"kind\":").is_err());
        for wrong in ["offers = 3", "offers = [1]"] {
            assert_eq!(taken_apart(&parse(wrong).unwrap(), Path::new("x")).unwrap_err().exit, 2, "{wrong}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_a_listing_or_refused(text in "\\PC{0,200}") {
            if let Ok(value) = parse(&text) {
                let _ = taken_apart(&value, Path::new("x"));
            }
        }
    }

    #[test]
    fn flags_make_offers() {
        let offer = ListingOffer { name: "A".into(), currency: "EUR".into(), ..ListingOffer::default() };
        assert!(offer_body(&offer).unwrap().is_none());
        let price = Some("19.90".to_owned());
        let monthly = ListingOffer {
            price: price.clone(),
            every: Some(Every::Month),
            trial_days: Some(7),
            ..offer.clone()
        };
        assert_eq!(
            offer_body(&monthly).unwrap().unwrap(),
            json!({"name": "A", "priceMinor": 1990, "currency": "EUR",
                "pricing": {"type": "subscription", "period": "month", "trialDays": 7}})
        );
        let counted = ListingOffer { price, stock: Some(6), ..offer.clone() };
        assert_eq!(
            offer_body(&counted).unwrap().unwrap()["stock"],
            json!({"type": "counted", "capacity": 6})
        );
        for (price, currency) in [("x", "EUR"), ("1.999", "EUR"), ("1", "euro")] {
            let offer =
                ListingOffer { price: Some(price.into()), currency: currency.into(), ..offer.clone() };
            assert_eq!(offer_body(&offer).unwrap_err().exit, 2, "{price} {currency}");
        }
    }
}
