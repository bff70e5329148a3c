//! The JSON API: what sellers do, what others may not, what visitors see.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use catalog::stock::claim;
use catalog::{HoldTerms, OfferId, Want};
use events::Log;
use identity::Role;
use identity::orgs::OrgRole;
use serde_json::{Value, json};
use store::Tx;
use store::testing::both;

use crate::market::{NOW, TABLES};
use crate::room::Room;

const NEW: &str = "POST /api/listings";

fn thing(title: &str) -> Option<Value> {
    Some(json!({"kind": "other", "title": title, "summary": "A useful thing", "category": "design"}))
}

/// A published listing and its counted offer at $19.
async fn on_sale(room: &Room, token: &str, title: &str, price: Value) -> (String, String) {
    let id = room.api(Some(token), NEW, thing(title)).await.id();
    let offer = json!({"name": "Standard", "price": price, "stock": {"type": "counted", "capacity": 5}});
    let offer = room.api(Some(token), &format!("POST /api/listings/{id}/offers"), Some(offer)).await.id();
    let published = room.api(Some(token), &format!("POST /api/listings/{id}/publish"), None).await;
    assert_eq!(published.status, 200, "{}", published.text);
    (id, offer)
}

async fn hold(room: &Room, offer: &str, quantity: u32) {
    let wants = vec![Want::some(offer.parse::<OfferId>().unwrap(), quantity)];
    let work = async move |tx: &mut Tx| claim(tx, NOW, &wants, "hold-1", HoldTerms::default()).await;
    room.store.write(work).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn from_a_draft_to_the_archive() {
    both(TABLES, async |store| {
        let room = Room::on(store);
        let ada = room.seller("ada").await;
        let draft = room.api_with(Some(&ada), NEW, &[("idempotency-key", "k1")], thing("Map")).await;
        assert_eq!((draft.status, &draft.body["state"]), (201, &json!("draft")), "{}", draft.text);
        let again = room.api_with(Some(&ada), NEW, &[("idempotency-key", "k1")], thing("Map")).await;
        assert_eq!((again.status, again.id()), (201, draft.id()));
        let other = room.api_with(Some(&ada), NEW, &[("idempotency-key", "k1")], thing("Other")).await;
        assert_eq!((other.status, other.code()), (422, "idempotency.reused"));
        let at = format!("/api/listings/{}", draft.id());
        let early = room.api(Some(&ada), &format!("POST {at}/publish"), None).await;
        assert_eq!((early.status, early.code()), (409, "catalog.no_offer"));
        let offer = room
            .api(Some(&ada), &format!("POST {at}/offers"), Some(json!({"name": "One", "price": 19.5})))
            .await;
        assert_eq!((offer.status, &offer.body["priceMinor"]), (201, &json!(1950)), "{}", offer.text);
        let published = room.api(Some(&ada), &format!("POST {at}/publish"), None).await;
        assert_eq!((published.status, &published.body["available"]), (200, &json!(true)));
        let seen = room.api(None, &format!("GET {at}"), None).await;
        assert_eq!((seen.status, &seen.body["priceFrom"], seen.etag()), (200, &json!(19.5), "\"2\""));
        assert_eq!(seen.body["seller"]["name"], "ada");
        assert!(seen.body["offers"][0].get("sold").is_none(), "sales are the seller's to know");
        let last = format!("DELETE {at}/offers/{}", offer.id());
        assert_eq!(room.api(Some(&ada), &last, None).await.code(), "catalog.no_offer");
        assert_eq!(room.api(Some(&ada), &format!("POST {at}/archive"), None).await.body["state"], "archived");
        assert_eq!(room.api(Some(&ada), &last, None).await.body["state"], "withdrawn");
        assert_eq!(room.api(None, "GET /api/listings", None).await.body["total"], 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stale_changes_and_held_prices_are_refused() {
    both(TABLES, async |store| {
        let room = Room::on(store);
        let ada = room.seller("ada").await;
        let (id, offer) = on_sale(&room, &ada, "Map", json!(19)).await;
        let listing = format!("PATCH /api/listings/{id}");
        let title = Some(json!({"title": "Better map"}));
        let stale = room.api_with(Some(&ada), &listing, &[("if-match", "\"1\"")], title.clone()).await;
        assert_eq!((stale.status, stale.code()), (412, "request.stale"));
        let stale = room.api(Some(&ada), &listing, Some(json!({"title": "Better map", "version": 1}))).await;
        assert_eq!((stale.status, stale.code()), (409, "request.stale"));
        let saved = room.api_with(Some(&ada), &listing, &[("if-match", "\"2\"")], title).await;
        assert_eq!((saved.status, saved.etag(), &saved.body["title"]), (200, "\"3\"", &json!("Better map")));
        assert_eq!(saved.body["category"], "design", "what is left out stays");

        hold(&room, &offer, 2).await;
        let change = format!("PATCH /api/listings/{id}/offers/{offer}");
        let held = room.api(Some(&ada), &change, Some(json!({"price": 25}))).await;
        assert_eq!((held.status, held.code()), (409, "catalog.offer_held"));
        assert!(held.body["detail"].as_str().unwrap().contains("2027-01-15T08:20:00"), "{}", held.text);
        let named = room.api(Some(&ada), &change, Some(json!({"name": "Big", "price": 19}))).await;
        assert_eq!((named.status, named.etag()), (200, "\"2\""), "the same price is no change");
        assert_eq!((&named.body["held"], &named.body["left"]), (&json!(2), &json!(3)));
        let small = json!({"stock": {"type": "counted", "capacity": 1}});
        assert_eq!(room.api(Some(&ada), &change, Some(small)).await.code(), "catalog.capacity_taken");
        let stale =
            room.api_with(Some(&ada), &change, &[("if-match", "\"1\"")], Some(json!({"name": "x"}))).await;
        assert_eq!(stale.status, 412);
        for wrong in
            [json!({"price": -1}), json!({"name": ""}), json!({"price": 1, "priceMinor": 1}), json!({"x": 1})]
        {
            assert_eq!(room.api(Some(&ada), &change, Some(wrong)).await.status, 422);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_changes_what_another_sells() {
    both(TABLES, async |store| {
        let room = Room::on(store);
        let (ada, eve) = (room.seller("ada").await, room.seller("eve").await);
        let buyer = room.person("bob", &[Role::User]).await;
        let draft = room.api(Some(&ada), NEW, thing("Draft")).await.id();
        let (id, offer) = on_sale(&room, &ada, "Map", json!(19)).await;
        assert_eq!(room.api(Some(&buyer), NEW, thing("Mine")).await.code(), "identity.role_missing");
        assert_eq!(room.api(None, NEW, thing("Mine")).await.status, 401);
        let calls = [
            ("PATCH /api/listings/ID".to_owned(), Some(json!({"title": "Stolen"}))),
            ("POST /api/listings/ID/publish".to_owned(), None),
            ("POST /api/listings/ID/archive".to_owned(), None),
            ("POST /api/listings/ID/offers".to_owned(), Some(json!({"name": "Cheap"}))),
            (format!("PATCH /api/listings/ID/offers/{offer}"), Some(json!({"price": 1}))),
            (format!("DELETE /api/listings/ID/offers/{offer}"), None),
            (format!("POST /api/listings/ID/offers/{offer}/units"), Some(json!({"units": [{"label": "a"}]}))),
            (format!("DELETE /api/listings/ID/offers/{offer}/units/unit-1"), None),
        ];
        for (call, body) in calls {
            let (public, hidden) = (call.replace("ID", &id), call.replace("ID", &draft));
            assert_eq!(room.api(None, &public, body.clone()).await.status, 401, "{call}");
            assert_eq!(
                room.api(Some(&eve), &public, body.clone()).await.code(),
                "identity.not_yours",
                "{call}"
            );
            assert_eq!(room.api(Some(&eve), &hidden, body).await.code(), "catalog.not_found", "{call}");
        }
        assert_eq!(room.api(Some(&eve), &format!("GET /api/listings/{draft}"), None).await.status, 404);
        assert_eq!(room.api(Some(&ada), &format!("GET /api/listings/{draft}"), None).await.status, 200);
        let drafts = "GET /api/listings?seller=ada&state=draft";
        assert_eq!(room.api(Some(&eve), drafts, None).await.code(), "identity.not_yours");
        assert_eq!(room.api(None, drafts, None).await.status, 401);
        assert_eq!(room.api(Some(&ada), drafts, None).await.body["total"], 1);
        assert_eq!(room.api(Some(&ada), "GET /api/listings?seller=me", None).await.body["total"], 2);
        let ticket = Some(json!({"kind": "ticket", "title": "Concert"}));
        assert_eq!(room.api(Some(&ada), NEW, ticket).await.code(), "catalog.changed_elsewhere");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_organisation_sells_by_its_admins() {
    both(TABLES, async |store| {
        let room = Room::on(store);
        let (ada, bea) = (room.seller("ada").await, room.seller("bea").await);
        let admin = room.identity.clone();
        let by = room.caller(&ada).await;
        admin.create_org(&by, "acme", "Acme").await.unwrap();
        let by = room.caller(&ada).await;
        admin.set_member(&by, "acme", "bea", OrgRole::Member).await.unwrap();
        let new = Some(json!({"kind": "other", "title": "Anvil", "organisation": "acme"}));
        assert_eq!(room.api(Some(&bea), NEW, new.clone()).await.code(), "identity.not_yours");
        let made = room.api(Some(&ada), NEW, new).await;
        assert_eq!((made.status, &made.body["seller"]["name"]), (201, &json!("acme")), "{}", made.text);
        let at = format!("/api/listings/{}", made.id());
        assert_eq!(room.api(Some(&bea), &format!("GET {at}"), None).await.status, 200, "members see drafts");
        let change = format!("PATCH {at}");
        let title = Some(json!({"title": "Big anvil"}));
        assert_eq!(room.api(Some(&bea), &change, title.clone()).await.code(), "identity.not_yours");
        admin.set_member(&room.caller(&ada).await, "acme", "bea", OrgRole::Admin).await.unwrap();
        assert_eq!(room.api(Some(&bea), &change, title).await.status, 200);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn visitors_find_by_words_kind_category_seller_and_price() {
    both(TABLES, async |store| {
        let room = Room::on(store);
        let (ada, bea) = (room.seller("ada").await, room.seller("bea").await);
        on_sale(&room, &ada, "Red map", json!(19)).await;
        on_sale(&room, &ada, "Blue map 100%", json!(0)).await;
        on_sale(&room, &bea, "Red pen", json!(250)).await;
        room.api(Some(&bea), NEW, thing("Red draft")).await;
        let titles = async |query: &str| {
            let found = room.api(None, &format!("GET /api/listings?{query}"), None).await;
            assert_eq!(found.status, 200, "{query}: {}", found.text);
            let items = found.body["items"].as_array().unwrap();
            let mut titles: Vec<_> =
                items.iter().map(|item| item["title"].as_str().unwrap().to_owned()).collect();
            if !query.contains("sort") && !query.contains("limit") {
                assert_eq!(found.body["total"], titles.len(), "{query}");
                titles.sort();
            }
            titles.join(", ")
        };
        assert_eq!(titles("").await, "Blue map 100%, Red map, Red pen");
        assert_eq!(titles("q=RED").await, "Red map, Red pen");
        assert_eq!(titles("q=map+red").await, "Red map");
        assert_eq!(titles("q=100%25").await, "Blue map 100%");
        assert_eq!(titles("q=1%25%25").await, "");
        assert_eq!(titles("kind=ticket").await, "");
        assert_eq!(titles("kind=other&category=design&q=pen").await, "Red pen");
        assert_eq!(titles("category=security").await, "");
        assert_eq!(titles("seller=ada").await, "Blue map 100%, Red map");
        assert_eq!(titles("minPriceMinor=1&maxPriceMinor=2000").await, "Red map");
        assert_eq!(titles("maxPriceMinor=9999999&currency=EUR").await, "");
        assert_eq!(titles("sort=price").await, "Blue map 100%, Red map, Red pen");
        assert_eq!(titles("sort=price&limit=1&offset=2").await, "Red pen");
        assert_eq!(room.api(None, "GET /api/listings?seller=nobody", None).await.status, 404);
        assert_eq!(room.api(None, "GET /api/listings?limit=101", None).await.status, 422);
        assert_eq!(room.api(None, "GET /api/listings?category=No", None).await.status, 422);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn units_are_added_listed_and_withdrawn() {
    both(TABLES, async |store| {
        let room = Room::on(store);
        let ada = room.seller("ada").await;
        let id = room.api(Some(&ada), NEW, thing("Prints")).await.id();
        let offers = format!("POST /api/listings/{id}/offers");
        let new = json!({"name": "Print", "price": 90, "stock": {"type": "units"}});
        let offer = room.api(Some(&ada), &offers, Some(new)).await.id();
        let at = format!("/api/listings/{id}/offers/{offer}/units");
        let new = Some(json!({"units": [{"label": "1 of 2"}, {"label": "2 of 2"}]}));
        let added = room.api(Some(&ada), &format!("POST {at}"), new.clone()).await;
        assert_eq!(
            (added.status, added.body["unitIds"].as_array().unwrap().len()),
            (201, 2),
            "{}",
            added.text
        );
        assert_eq!(room.api(Some(&ada), &format!("POST {at}"), new).await.code(), "catalog.exists");
        room.api(Some(&ada), &format!("POST /api/listings/{id}/publish"), None).await;
        hold(&room, &offer, 1).await;
        let listed = room.api(None, &format!("GET {at}"), None).await;
        let states: Vec<_> =
            listed.body["items"].as_array().unwrap().iter().map(|unit| &unit["state"]).collect();
        assert_eq!(states, [&json!("held"), &json!("available")]);
        let unit = |index: usize| listed.body["items"][index]["id"].as_str().unwrap().to_owned();
        let held = room.api(Some(&ada), &format!("DELETE {at}/{}", unit(0)), None).await;
        assert_eq!((held.status, held.code()), (409, "catalog.unit_taken"));
        assert_eq!(room.api(Some(&ada), &format!("DELETE {at}/{}", unit(1)), None).await.status, 200);
        let shown = room.api(Some(&ada), &format!("GET /api/listings/{id}"), None).await;
        assert_eq!(
            (&shown.body["offers"][0]["held"], &shown.body["offers"][0]["left"]),
            (&json!(1), &json!(0))
        );
        assert_eq!(shown.body["available"], false);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn categories_are_the_operators() {
    both(TABLES, async |store| {
        let room = Room::on(store);
        let (ada, op) = (room.seller("ada").await, room.person("olga", &[Role::User, Role::Admin]).await);
        let new = Some(json!({"slug": "maps", "name": "Maps", "position": 5}));
        let add = "POST /api/categories";
        assert_eq!(room.api(None, add, new.clone()).await.status, 401);
        assert_eq!(room.api(Some(&ada), add, new.clone()).await.status, 403);
        assert_eq!(room.api(Some(&op), add, new.clone()).await.status, 201);
        assert_eq!(room.api(Some(&op), add, new).await.code(), "catalog.exists");
        let all = room.api(None, "GET /api/categories", None).await;
        let maps = json!({"slug": "maps", "name": "Maps", "position": 5, "version": 1});
        assert_eq!(all.body["items"][0], maps);
        let patch = "PATCH /api/categories/maps";
        let renamed = Some(json!({"name": " Maps and plans ", "version": 1}));
        assert_eq!(room.api(Some(&ada), patch, renamed.clone()).await.status, 403);
        let changed = room.api(Some(&op), patch, renamed.clone()).await;
        let plans = json!({"slug": "maps", "name": "Maps and plans", "position": 5, "version": 2});
        assert_eq!((changed.status, changed.body), (200, plans));
        assert_eq!(room.api(Some(&op), patch, renamed).await.status, 409, "somebody was faster");
        let long = Some(json!({"name": "m".repeat(61)}));
        assert_eq!(room.api(Some(&op), patch, long).await.body["errors"][0]["pointer"], "/name");
        let none = Some(json!({"position": 1}));
        assert_eq!(room.api(Some(&op), "PATCH /api/categories/no-such", none).await.status, 404);
        let drafted = Some(json!({"kind": "other", "title": "Map", "category": "maps"}));
        assert_eq!(room.api(Some(&ada), NEW, drafted).await.status, 201);
        let remove =
            async |slug: &str| room.api(Some(&op), &format!("DELETE /api/categories/{slug}"), None).await;
        assert_eq!(remove("maps").await.code(), "catalog.category_used");
        assert_eq!(room.api(Some(&ada), "DELETE /api/categories/other", None).await.status, 403);
        assert_eq!(remove("other").await.status, 204);
        assert_eq!(remove("other").await.status, 404);
        let unknown = Some(json!({"kind": "other", "title": "Map", "category": "no-such"}));
        assert_eq!(room.api(Some(&ada), NEW, unknown).await.body["errors"][0]["pointer"], "/category");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_hears_of_what_is_on_sale_and_the_seller_alone_of_drafts() {
    both(TABLES, async |store| {
        let room = Room::on(store.clone());
        let ada = room.seller("ada").await;
        on_sale(&room, &ada, "Map", json!(19)).await;
        let ada = room.caller(&ada).await.actor.unwrap().user;
        let log = Log::new(store);
        // On PostgreSQL an event is shown once no older transaction of the server runs any more.
        let mut events = log.after(events::Position::START).await.unwrap();
        for _ in 0..500 {
            if events.iter().any(|event| event.kind == "listing.published") {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            events = log.after(events::Position::START).await.unwrap();
        }
        let told: Vec<_> = events
            .iter()
            .filter(|event| event.kind.starts_with("listing") || event.kind.starts_with("offer"))
            .map(|event| {
                (event.kind.as_str(), event.version, event.is_public(), event.concerns(ada.as_str()))
            })
            .collect();
        let expected = [
            ("listing.created", 1, false, true),
            ("offer.updated", 1, false, true),
            ("listing.published", 2, true, true),
        ];
        assert_eq!(told, expected);
        let offer = events.iter().find(|event| event.kind == "offer.updated").unwrap();
        let data = offer.data();
        assert_eq!(
            (&data["price"], &data["priceMinor"], &data["currency"]),
            (&json!(19.0), &json!(1900), &json!("USD"))
        );
    })
    .await;
}
