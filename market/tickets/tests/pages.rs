//! The shop from outside: every door to an order, and what a visitor keeps while signing in.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod house;

use catalog::{Unit, Want};
use house::visitor::{Answer, Visitor};
use house::{DAY, House, migrations, usd};
use identity::Role;
use kernel::Currency;
use scraper::{Html, Selector};
use serde_json::json;
use store::testing::both;
use tickets::{Admission, Category, Event, NewCategory};
use web::Expected;

async fn on_both(test: impl AsyncFn(House)) {
    both(&migrations(), async |store| test(House::on(store)).await).await;
}

/// The values of what is checked, or chosen in a list, on a page.
fn chosen(page: &str, selector: &str) -> Vec<String> {
    let (html, selector) = (Html::parse_document(page), Selector::parse(selector).unwrap());
    let found = html.select(&selector);
    found.filter_map(|element| element.value().attr("value").map(str::to_owned)).collect()
}

/// An event with pieces and seats to choose among, in that order.
async fn seated(house: &House, waiting_room: bool) -> (Event, Vec<Category>, Vec<Unit>) {
    let plan = "Stalls rows A-B seats 1-4".to_owned();
    let all = [("Standing", 1_900, Admission::General(20)), ("Stalls", 6_400, Admission::Seats(plan))];
    let text = if waiting_room { house.waiting_room(60) } else { house.text() };
    let (event, made) = house.on_sale(text, &all).await;
    let seats = house.tickets.seats(&house.stranger(), &event.id).await.unwrap().remove(0).1;
    (event, made, seats)
}

/// Tries to order by each door there is; says which it was and what came of it.
async fn knock(by: &Visitor, event: &Event, made: &[Category], seat: &Unit) -> Vec<(&'static str, Answer)> {
    let (offer, stalls) = (made[0].offer.to_string(), made[1].offer.to_string());
    let pieces = json!({ "items": [{ "offerId": offer, "quantity": 1 }] });
    let units = json!({ "items": [{ "offerId": stalls, "unitIds": [seat.id.to_string()] }] });
    let forged = json!({ "items": pieces["items"].clone(), "pass": "Q1.1.1.0.0.9000000000000000.AAAA" });
    by.form("/orders/new", &format!("offer={offer}&quantity=1&cart=1")).await;
    vec![
        ("api, pieces", by.json("POST", "/api/orders", pieces).await),
        ("api, seat", by.json("POST", "/api/orders", units).await),
        ("api, forged pass", by.json("POST", "/api/orders", forged).await),
        ("api, event", by.json("POST", "/api/orders", json!({ "ticketId": event.id.to_string() })).await),
        (
            "api, listing",
            by.json("POST", "/api/orders", json!({ "ticketId": event.listing.to_string() })).await,
        ),
        ("form of a listing", by.form("/orders/new", &format!("offer={offer}&quantity=1")).await),
        ("seat of a listing", by.form("/orders/new", &format!("offer={stalls}&unit={}", seat.id)).await),
        ("cart", by.form("/cart", "do=order").await),
        ("event", by.form(&format!("/events/{}/order", event.id), &format!("quantity-{offer}=1")).await),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn the_waiting_room_holds_at_every_door() {
    on_both(async |house| {
        let (event, made, seats) = seated(&house, true).await;
        let ada = Visitor::named(&house, "ada", &[Role::User]).await;
        for (door, answer) in knock(&ada, &event, &made, &seats[0]).await {
            assert_eq!(answer.status, 403, "{door}: {}", answer.text);
            assert!(answer.text.contains("waiting room"), "{door}: {}", answer.text);
        }
        assert_eq!(ada.form(&format!("/events/{}/queue", event.id), "").await.status, 303);
        for (door, answer) in knock(&ada, &event, &made, &seats[0]).await {
            assert_eq!(answer.status, 429, "{door}: {}", answer.text);
        }
        let view = house.tickets.event(&house.stranger(), &event.id).await.unwrap();
        assert_eq!((view.held(), view.sold()), (0, 0), "nothing is reserved for who was not let in");
        house.later(601);
        let mut open = knock(&ada, &event, &made, &seats[0]).await;
        // The seat is there once, and its first door took it.
        let taken: Vec<_> = open.extract_if(.., |(door, _)| *door == "seat of a listing").collect();
        assert!(taken[0].1.text.contains("Somebody else was faster"), "{}", taken[0].1.text);
        for (door, answer) in open {
            assert!(answer.status == 201 || answer.to.starts_with("/checkout/"), "{door}: {}", answer.text);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_listing_of_an_event_leads_to_the_event() {
    on_both(async |house| {
        let (event, ..) = seated(&house, true).await;
        let visitor = Visitor::stranger(&house);
        let led = visitor.get(&format!("/market/{}", event.listing)).await;
        assert_eq!((led.status, led.to), (303, format!("/events/{}", event.id)));
        let (draft, _) = house.draft(house.text(), &[("Admission", 1_900, Admission::General(1))]).await;
        assert_eq!(
            visitor.get(&format!("/market/{}", draft.listing)).await.status,
            404,
            "a draft is not told of"
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_signs_in_comes_back_to_the_same_choice() {
    on_both(async |house| {
        let (event, made, seats) = seated(&house, false).await;
        let (visitor, ada) = (Visitor::stranger(&house), Visitor::named(&house, "ada", &[Role::User]).await);
        let wanted = [&seats[2], &seats[5]].map(|seat| format!("{}/{}", seat.offer_id, seat.id));
        let fields = format!("seat={}&seat={}&quantity-{}=3", wanted[0], wanted[1], made[0].offer);
        let order = format!("/events/{}/order", event.id);
        let led = visitor.form(&order, &fields).await;
        let next = led.to.strip_prefix("/login?next=").expect("it leads to the sign-in");
        let next = next.replace("%3F", "?").replace("%3D", "=").replace("%26", "&");
        let page = ada.get(&next).await.text;
        let pieces = format!("#q-{} option[selected]", made[0].offer);
        assert_eq!(
            (chosen(&page, "[name=seat][checked]"), chosen(&page, &pieces)),
            (wanted.to_vec(), vec!["3".to_owned()])
        );
        assert!(page.contains("What you chose is still chosen."), "{page}");

        // Somebody else was faster with one of the seats.
        let eve = Visitor::named(&house, "eve", &[Role::User]).await;
        let placed = eve.form(&order, &format!("seat={}", wanted[0])).await;
        assert!(placed.to.starts_with("/checkout/"), "{}", placed.text);
        let page = ada.get(&next).await.text;
        assert_eq!(chosen(&page, "[name=seat][checked]"), wanted[1..]);
        assert!(page.contains("Some of it was taken meanwhile."), "{page}");
        let rest = format!("seat={}&quantity-{}=3", wanted[1], made[0].offer);
        assert!(ada.form(&order, &rest).await.to.starts_with("/checkout/"), "what is left is one press away");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_with_any_choice_shows_the_event() {
    on_both(async |house| {
        let (event, made, _) = seated(&house, false).await;
        let visitor = Visitor::stranger(&house);
        let offer = made[0].offer.as_str().split_once('-').unwrap().1.to_owned();
        for query in
            ["seats=x..y.%00&take=_._1.z_9", "seats=%F0%9F%8E%BB", &format!("take={offer}_4294967296")]
        {
            let page = visitor.get(&format!("/events/{}?{query}", event.id)).await;
            assert_eq!(page.status, 200, "{query}");
            assert!(chosen(&page.text, "[name=seat][checked]").is_empty(), "{query}");
        }
        let page = visitor.get(&format!("/events/{}?take={offer}_99", event.id)).await.text;
        assert!(page.contains("Some of it was taken meanwhile."), "more than there is");
        let nothing = visitor.form(&format!("/events/{}/order", event.id), "").await;
        assert_eq!(nothing.status, 422, "who chose nothing is told so before signing in");
        let led = visitor.form(&format!("/events/{}/queue", event.id), "").await;
        assert_eq!(led.to, format!("/login?next=/events/{}", event.id));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_of_a_ticket_says_who_gets_the_money_before_it_is_given_back() {
    on_both(async |house| {
        let (_, category) = house.concert(3).await;
        let (ada, bob) = (
            Visitor::named(&house, "ada", &[Role::User]).await,
            Visitor::named(&house, "bob", &[Role::User]).await,
        );
        let bought = house.buys(&ada.caller(), vec![Want::some(category.offer, 2)]).await;
        let page = format!("/tickets/{}", bought[0].id);
        let text = ada.get(&page).await.text;
        assert!(text.contains("for what you paid.") && text.contains("See the order"), "{text}");
        assert_eq!(ada.form(&format!("{page}/transfer"), "to=bob").await.status, 303);
        let text = bob.get(&page).await.text;
        assert!(
            text.contains("The money goes to <b>ada</b>, who paid for this ticket, and not to you."),
            "{text}"
        );
        assert!(!text.contains("See the order"), "somebody else's order leads nowhere");
        assert_eq!(ada.get(&page).await.status, 404);
        assert_eq!(bob.form(&format!("{page}/return"), "").await.to, page);
        let text = bob.get(&page).await.text;
        assert!(!text.contains("Give back") && text.contains("opens no door any more"), "{text}");

        let other = format!("/tickets/{}", bought[1].id);
        house.later(6 * DAY);
        let ada = Visitor::again(&house, "ada").await;
        let text = ada.get(&other).await.text;
        assert!(text.contains("The organiser took tickets back until"), "{text}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_door_says_whom_a_code_admits_and_may_use_the_camera() {
    on_both(async |house| {
        let mia = Visitor::named(&house, "mia", &[Role::User, Role::Publisher]).await;
        let ada = Visitor::named(&house, "ada", &[Role::User]).await;
        let (event, category) = organised(&house, &mia).await;
        let bought = house.buys(&ada.caller(), vec![Want::some(category.offer, 2)]).await;
        let codes =
            [house.code(&ada.caller(), &bought[0]).await, house.code(&ada.caller(), &bought[1]).await];
        let door = format!("/sell/events/{}/check-in", event.id);
        let page = mia.get(&door).await;
        assert!(
            page.header("permissions-policy").contains("camera=(self)"),
            "{}",
            page.header("permissions-policy")
        );
        assert!(mia.get("/sell/events").await.header("permissions-policy").contains("camera=()"));
        assert!(page.text.contains("0 of 2 inside") && page.text.contains("No devices yet"), "{}", page.text);
        let name = chosen(&page.text, "[name=scan]").remove(0);
        let scan = async |name: &str, code: &str| {
            let text = mia.form(&door, &format!("code={code}&door=North&scan={name}")).await.text;
            let html = Html::parse_document(&text);
            let said =
                html.select(&Selector::parse("[role=alert] b").unwrap()).next().unwrap().text().collect();
            (said, text)
        };
        let said = |answer: (String, String)| answer.0;
        assert_eq!(said(scan(&name, &codes[0]).await), "Let in");
        assert_eq!(said(scan(&name, &codes[0]).await), "Let in", "the same form again is the same scan");
        assert_eq!(
            said(scan(&name, &codes[1]).await),
            "Let in",
            "an earlier form with another code is another one"
        );
        house.later(5);
        let (again, text) = scan("another", &codes[0]).await;
        assert_eq!(again, "Used before: do not let in");
        assert!(text.contains("2 of 2 inside") && text.contains("Admission \u{b7} ada"), "{text}");
        assert!(!text.contains(bought[0].id.as_str()), "no raw ids");

        let made = mia.form(&format!("/sell/events/{}/devices", event.id), "name=Gate").await.text;
        assert!(made.contains("chk_"), "{made}");
        let device = house.tickets.devices(&mia.caller(), &event.id).await.unwrap().remove(0);
        let revoke = format!("/sell/events/{}/devices/{}/revoke", event.id, device.id);
        assert_eq!(ada.form(&revoke, "").await.status, 403, "who does not organise");
        assert_eq!(mia.form(&revoke, "").await.to, door);
        assert!(mia.get(&door).await.text.contains("Taken back"));
    })
    .await;
}

/// A published event of the visitor's with tickets for 19 dollars.
async fn organised(house: &House, by: &Visitor) -> (Event, Category) {
    let (room, by) = (&house.tickets, by.caller());
    let event = room.create_event(&by, None, house.text(), Currency::USD).await.unwrap();
    let price = usd(1_900);
    let new = NewCategory { name: "Admission".to_owned(), price, admission: Admission::General(5) };
    let category = room.add_category(&by, &event.id, new).await.unwrap();
    (room.publish_event(&by, &event.id, Expected::Whatever).await.unwrap(), category)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_to_a_ticket_says_what_it_is_before_it_is_taken() {
    on_both(async |house| {
        let (_, category) = house.concert(3).await;
        let (ada, bob) = (
            Visitor::named(&house, "ada", &[Role::User]).await,
            Visitor::named(&house, "bob", &[Role::User]).await,
        );
        let ticket = house.buys(&ada.caller(), vec![Want::some(category.offer, 1)]).await.remove(0);
        house.tickets.send_ticket(&ada.caller(), &ticket.id, "bob@example.com").await.unwrap();
        house.work().await;
        let mail = house.last_mail();
        let token = mail.split("/tickets/claim/").nth(1).unwrap().split_whitespace().next().unwrap();
        let link = format!("/tickets/claim/{token}");
        assert_eq!(Visitor::stranger(&house).get(&link).await.status, 401);
        let text = bob.get(&link).await.text;
        assert!(text.contains("ada sent you a ticket") && text.contains("Teatro Comunale"), "{text}");
        assert!(ada.get(&link).await.text.contains("It is yours already."));
        assert_eq!(bob.form(&link, "").await.to, format!("/tickets/{}", ticket.id));
        let spent = bob.get(&link).await;
        assert_eq!((spent.status, spent.text.contains("used before")), (410, true), "{}", spent.text);
    })
    .await;
}
