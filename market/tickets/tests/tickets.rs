//! Events and tickets from the first draft to the door, on both databases.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod house;

use std::time::Duration;

use catalog::{CatalogError, Want};
use house::{DAY, House, START, migrations, usd};
use kernel::{Paging, Problem};
use orders::{NewRefund, OrderError, What};
use store::testing::both;
use store::{StoreError, Tx};
use tickets::{
    Admission, EventState, EventText, Guard, NewCategory, NewTicket, Scan, Ticket, TicketError, TicketState,
    Verdict, WayBack,
};
use web::Expected;

async fn on_both(test: impl AsyncFn(House)) {
    both(&migrations(), async |store| test(House::on(store)).await).await;
}

fn code_of(error: impl Into<Problem>) -> String {
    error.into().code.into_owned()
}

fn scan(code: &str) -> Vec<Scan> {
    vec![Scan { code: code.to_owned(), device: "North door".to_owned(), scanned_at: None, id: None }]
}

#[tokio::test(flavor = "multi_thread")]
async fn every_statement_prepares() {
    both(&migrations(), async |store| {
        let prepare = async |tx: &mut Tx| {
            let own = store::SQL.iter().filter(|sql| sql.module().starts_with("tickets"));
            let mut count = 0;
            for sql in own {
                tx.prepare(sql).await.unwrap_or_else(|error| panic!("{}: {error}", sql.name()));
                count += 1;
            }
            Ok::<_, StoreError>(count)
        };
        assert!(store.read(prepare).await.unwrap() > 40);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_is_bought_shown_and_lets_in_once() {
    on_both(async |house| {
        let (event, category) = house.concert(3).await;
        let ada = house.person("ada");
        let bought = house.buys(&ada, vec![Want::some(category.offer.clone(), 2)]).await;
        let door = Guard::Staff(house.organiser());
        assert_eq!(bought.len(), 2);
        assert_eq!((bought[0].state, bought[0].title.as_str()), (TicketState::Valid, "Così fan tutte"));
        let told = house.told("ticket.created", 2).await;
        assert_eq!((told.len(), &told[0].data()["priceMinor"]), (2, &1900.into()));
        assert!(
            told[0].concerns("user-ada")
                && told[0].concerns("user-organiser")
                && !told[0].concerns("user-eve")
        );
        let code = house.code(&ada, &bought[0]).await;
        let said = house.tickets.check_in(&door, &event.id, scan(&code)).await.unwrap().remove(0);
        assert_eq!((said.verdict, said.admits.as_deref()), (Verdict::Admitted, Some("Admission")));
        let first_at = house.clock.now();
        house.later(60);
        let door = Guard::Staff(house.organiser());
        let said = house.tickets.check_in(&door, &event.id, scan(&code)).await.unwrap().remove(0);
        assert_eq!((said.verdict, said.first_at), (Verdict::Again, Some(first_at)));
        assert_eq!(said.first_device.as_deref(), Some("organiser: North door"));
        assert_eq!(house.state_of(&ada, &bought[0]).await, TicketState::CheckedIn);
        assert_eq!(house.told("ticket.checked_in", 1).await.len(), 1);
        let sales = house.tickets.sales(&house.organiser(), &event.id).await.unwrap();
        assert_eq!(sales.iter().map(|row| row.count).sum::<u64>(), 2);
        let left = house.tickets.event(&ada, &event.id).await.unwrap();
        assert_eq!((left.left(), left.sold()), (1, 2));
        let refused = house.place(&ada, vec![Want::some(category.offer, 2)]).await.unwrap_err();
        assert!(matches!(refused, OrderError::Catalog(CatalogError::SoldOut { .. })), "{refused}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_good_code_lets_nobody_in_and_says_why() {
    on_both(async |house| {
        let (event, category) = house.concert(9).await;
        let (other, _) = house.concert(9).await;
        let ada = house.person("ada");
        let ticket = house.buys(&ada, vec![Want::some(category.offer, 1)]).await.remove(0);
        let code = house.code(&ada, &ticket).await;
        let door = Guard::Staff(house.organiser());
        let verdict = async |event, code: &str| {
            house.tickets.check_in(&door, event, scan(code)).await.unwrap().remove(0).verdict
        };
        assert_eq!(verdict(&other.id, &code).await, Verdict::OtherEvent);
        assert_eq!(verdict(&event.id, "T1.AAAA").await, Verdict::Unknown);
        assert_eq!(verdict(&event.id, &code.replace(&code[20..24], "AAAA")).await, Verdict::Unknown);
        let eve = house.registered("eve").await;
        house.tickets.transfer(&ada, &ticket.id, "eve").await.unwrap();
        assert_eq!(verdict(&event.id, &code).await, Verdict::Superseded);
        assert_eq!(verdict(&event.id, &house.code(&eve, &ticket).await).await, Verdict::Admitted);
        let none = house.tickets.code(&ada, &ticket.id).await.unwrap_err();
        assert!(matches!(none, TicketError::NotFound(_)), "{none}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn codes_outlive_a_change_of_keys() {
    on_both(async |house| {
        let (event, category) = house.concert(9).await;
        let ada = house.person("ada");
        let bought = house.buys(&ada, vec![Want::some(category.offer, 3)]).await;
        let first = house.code(&ada, &bought[0]).await;
        assert_eq!(house.tickets.rotate_key(&house.operator()).await.unwrap(), 2);
        let second = house.code(&ada, &bought[1]).await;
        // The encryption key is lost: a third key is made, and codes of the first two still verify.
        let house = house.restarted("another key");
        let third = house.code(&ada, &bought[2]).await;
        for code in [first, second, third] {
            let door = Guard::Staff(house.organiser());
            let said = house.tickets.check_in(&door, &event.id, scan(&code)).await.unwrap().remove(0);
            assert_eq!(said.verdict, Verdict::Admitted);
        }
        assert_eq!(
            house.tickets.door(&Guard::Staff(house.organiser()), &event.id, None).await.unwrap().keys.len(),
            3
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn seats_are_chosen_or_the_best_are_given() {
    on_both(async |house| {
        let plan = "Stalls rows A-B seats 1-4 aisle after 2 blocked A1".to_owned();
        let (event, made) = house.on_sale(house.text(), &[("Stalls", 6_400, Admission::Seats(plan))]).await;
        let (ada, offer) = (house.person("ada"), made[0].offer.clone());
        let seats = house.tickets.seats(&ada, &event.id).await.unwrap().remove(0).1;
        assert_eq!(seats.len(), 7);
        let b4 = seats.iter().find(|unit| unit.label == "Stalls, row B, seat 4").unwrap().id.clone();
        let wish = Want { offer: offer.clone(), quantity: 1, units: vec![b4.clone()] };
        let ticket = house.buys(&ada, vec![wish.clone()]).await.remove(0);
        assert_eq!((ticket.seat.as_deref(), ticket.unit), (Some("Stalls, row B, seat 4"), Some(b4)));
        let taken = house.place(&house.person("eve"), vec![wish]).await.unwrap_err();
        assert!(matches!(taken, OrderError::Catalog(CatalogError::UnitTaken(_))), "{taken}");
        let best = house.buys(&house.person("eve"), vec![Want::some(offer, 2)]).await;
        let mut labels: Vec<_> = best.iter().filter_map(|ticket| ticket.seat.clone()).collect();
        labels.sort();
        assert_eq!(
            labels,
            ["Stalls, row A, seat 3", "Stalls, row A, seat 4"],
            "neighbours, and no aisle between"
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_is_changed_in_the_version_that_was_read_and_sold_in_its_time() {
    on_both(async |house| {
        let text = EventText { sale_from: Some(START.after(Duration::from_secs(3_600))), ..house.text() };
        let (event, made) = house.draft(text.clone(), &[("Admission", 1_900, Admission::General(5))]).await;
        let (by, ada) = (house.organiser(), house.person("ada"));
        let hidden = house.tickets.event(&ada, &event.id).await.unwrap_err();
        assert!(matches!(hidden, TicketError::NotFound("event")), "a draft: {hidden}");
        let stale = house.tickets.edit_event(&by, &event.id, text.clone(), Expected::ByHeader(vec![7])).await;
        assert_eq!(Problem::from(stale.unwrap_err()).status, 412);
        let title = EventText { title: "Don Giovanni".to_owned(), ..text.clone() };
        let edited = house.tickets.edit_event(&by, &event.id, title, Expected::ByBody(1)).await.unwrap();
        assert_eq!((edited.version, edited.text.title.as_str()), (2, "Don Giovanni"));
        let bad = EventText { zone: "Mars/Olympus".to_owned(), ends_at: text.starts_at, ..text };
        let Err(TicketError::Invalid(fields)) =
            house.tickets.edit_event(&by, &event.id, bad, Expected::Whatever).await
        else {
            panic!("it is refused")
        };
        assert_eq!(fields.len(), 2);
        house.tickets.publish_event(&by, &event.id, Expected::Whatever).await.unwrap();
        let want = vec![Want::some(made[0].offer.clone(), 1)];
        assert_eq!(code_of(house.place(&ada, want.clone()).await.unwrap_err()), "tickets.not_on_sale");
        house.later(3_600);
        let ada = house.person("ada");
        let placed = house.place(&ada, want).await.unwrap();
        assert_eq!(placed.lines[0].title, "Don Giovanni");
        let held = house
            .tickets
            .change_category(&by, &event.id, &made[0].offer, usd(2_500), None, Expected::Whatever)
            .await;
        assert_eq!(code_of(held.unwrap_err()), "tickets.locked");
        house.orders.cancel(&ada, &placed.order.id, Expected::Whatever).await.unwrap();
        let changed = house
            .tickets
            .change_category(&by, &event.id, &made[0].offer, usd(2_500), Some(7), Expected::Whatever)
            .await
            .unwrap();
        assert_eq!((changed.price, changed.capacity), (usd(2_500), 7));
        house.later(20 * DAY);
        let view = house.tickets.event(&house.stranger(), &event.id).await.unwrap();
        assert_eq!(view.event.state_at(house.clock.now()), EventState::Ended);
        assert_eq!(house.tickets.events("", house.clock.now(), Paging::default()).await.unwrap().total, 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn visitors_find_events_by_words_and_date() {
    on_both(async |house| {
        let categories = [("Admission", 1_900, Admission::General(5))];
        for (title, days) in [("Late", 30), ("Early 100% off", 20)] {
            let starts_at = START.after(Duration::from_secs(days * DAY));
            let ends_at = starts_at.after(Duration::from_secs(60));
            let text = EventText { title: title.to_owned(), starts_at, ends_at, ..house.text() };
            house.on_sale(text, &categories).await;
        }
        house.draft(house.text(), &categories).await;
        let titles = async |words: &str| {
            let found = house.tickets.events(words, START, Paging::default()).await.unwrap();
            found.items.into_iter().map(|view| view.event.text.title).collect::<Vec<_>>()
        };
        assert_eq!(titles("").await, ["Early 100% off", "Late"]);
        assert_eq!(titles("100%").await, ["Early 100% off"]);
        assert_eq!(titles("BOLOGNA").await.len(), 2);
        assert!(titles("_").await.is_empty() && titles("x").await.is_empty());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_goes_by_mail_to_whoever_opens_the_link_first() {
    on_both(async |house| {
        let (_, category) = house.concert(9).await;
        let (ada, eve, bob) = (house.person("ada"), house.person("eve"), house.person("bob"));
        let ticket = house.buys(&ada, vec![Want::some(category.offer, 1)]).await.remove(0);
        house.tickets.send_ticket(&ada, &ticket.id, "eve@example.com").await.unwrap();
        assert_eq!(house.mine(&ada).await.len(), 1, "it stays the sender's until it is used");
        house.work().await;
        let mail = house.last_mail();
        let token =
            mail.split("/tickets/claim/").nth(1).unwrap().split_whitespace().next().unwrap().to_owned();
        let taken = house.tickets.claim(&eve, &token).await.unwrap();
        assert_eq!((taken.owner.as_str(), taken.generation), ("user-eve", 2));
        assert!(matches!(house.tickets.claim(&bob, &token).await, Err(TicketError::ClaimSpent)));
        assert!(matches!(house.tickets.claim(&bob, "guess").await, Err(TicketError::ClaimSpent)));
        assert!(house.mine(&ada).await.is_empty());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn anybody_sells_a_ticket_and_others_buy_it() {
    on_both(async |house| {
        let (ada, eve) = (house.person("ada"), house.person("eve"));
        let new = NewTicket { title: "Final, row 3".to_owned(), price: usd(1_900), ticket: None };
        let ticket = house.tickets.list_ticket(&ada, new).await.unwrap();
        assert_eq!((ticket.state, ticket.version), (TicketState::Listed, 1));
        let told = house.told("ticket.created", 1).await;
        assert!(told[0].is_public() && told[0].data()["price"] == 19.0 && told[0].version == 1);
        let offer = offer_of(&house, &ticket).await;
        let own = house.place(&ada, vec![Want::some(offer.clone(), 1)]).await.unwrap_err();
        assert_eq!(Problem::from(own).status, 409);
        let placed = house.place(&eve, vec![Want::some(offer.clone(), 1)]).await.unwrap();
        let locked =
            house.tickets.edit_ticket(&ada, &ticket.id, None, Some(usd(2_500)), Expected::Whatever).await;
        assert_eq!(code_of(locked.unwrap_err()), "tickets.locked");
        let locked =
            house.tickets.edit_ticket(&ada, &ticket.id, Some("x".to_owned()), None, Expected::Whatever).await;
        assert_eq!(code_of(locked.unwrap_err()), "tickets.locked");
        assert!(house.tickets.ticket(&eve, &ticket.id).await.unwrap().locked_until.is_some());
        let twice = house.place(&house.person("bob"), vec![Want::some(offer.clone(), 1)]).await.unwrap_err();
        assert!(matches!(twice, OrderError::Catalog(CatalogError::SoldOut { .. })), "{twice}");
        house.later(901);
        house.orders.expire_due().await.unwrap();
        let edited = house
            .tickets
            .edit_ticket(
                &ada,
                &ticket.id,
                Some("Final, row 4".to_owned()),
                Some(usd(2_500)),
                Expected::ByBody(1),
            )
            .await
            .unwrap();
        assert_eq!((edited.version, edited.price), (2, usd(2_500)));
        let stale = house
            .tickets
            .edit_ticket(&ada, &ticket.id, None, Some(usd(1)), Expected::ByHeader(vec![1]))
            .await;
        assert_eq!(Problem::from(stale.unwrap_err()).status, 412);
        assert!(placed.order.hold.ends_at < house.clock.now());
        let eve = house.person("eve");
        let placed = house.place(&eve, vec![Want::some(offer, 1)]).await.unwrap();
        house.pays(&eve, &placed).await;
        let sold = house.mine(&eve).await.remove(0);
        assert_eq!((sold.state, sold.generation, sold.price), (TicketState::Valid, 2, usd(2_500)));
        assert!(house.mine(&ada).await.is_empty());
        let versions: Vec<i64> =
            house.told("ticket.updated", 2).await.iter().map(|event| event.version).collect();
        assert_eq!(versions, [2, 3]);
    })
    .await;
}

async fn offer_of(house: &House, ticket: &Ticket) -> catalog::OfferId {
    let listing = ticket.listing.clone().unwrap();
    let look = async move |tx: &mut Tx| catalog::listing::offers(tx, std::slice::from_ref(&listing)).await;
    house.store.read(look).await.unwrap().remove(0).id
}

async fn resold(house: &House, ticket: &Ticket, minor: i64, to: &identity::Caller) -> Ticket {
    let by = house.person(ticket.owner.as_str().trim_start_matches("user-"));
    let new = NewTicket { title: String::new(), price: usd(minor), ticket: Some(ticket.id.clone()) };
    let listed = house.tickets.list_ticket(&by, new).await.unwrap();
    let offer = offer_of(house, &listed).await;
    house.buys(to, vec![Want::some(offer, 1)]).await.remove(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_that_was_sold_on_opens_the_door_for_its_new_owner_alone() {
    on_both(async |house| {
        let (event, category) = house.concert(9).await;
        let (ada, eve) = (house.person("ada"), house.person("eve"));
        let ticket = house.buys(&ada, vec![Want::some(category.offer, 1)]).await.remove(0);
        let (old, ticket_price) = (house.code(&ada, &ticket).await, ticket.price);
        let sold = resold(&house, &ticket, 3_000, &eve).await;
        assert_ne!(sold.price, ticket_price);
        assert_eq!((sold.id.clone(), sold.owner.as_str(), sold.generation), (ticket.id, "user-eve", 2));
        let door = Guard::Staff(house.organiser());
        let said = house.tickets.check_in(&door, &event.id, scan(&old)).await.unwrap().remove(0);
        assert_eq!(said.verdict, Verdict::Superseded);
        let new = house.code(&eve, &sold).await;
        let said = house.tickets.check_in(&door, &event.id, scan(&new)).await.unwrap().remove(0);
        assert_eq!(said.verdict, Verdict::Admitted);
        let sales = house.tickets.sales(&house.organiser(), &event.id).await.unwrap();
        assert_eq!(
            sales.iter().map(|one| one.sum).collect::<Vec<_>>(),
            [ticket_price],
            "as the organiser sold it"
        );
        let used = NewTicket { title: String::new(), price: usd(1), ticket: Some(sold.id.clone()) };
        assert!(matches!(house.tickets.list_ticket(&eve, used).await, Err(TicketError::TicketState(_))));
        assert!(matches!(house.tickets.give_back(&eve, &sold.id).await, Err(TicketError::TicketState(_))));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_is_given_back_in_time_for_its_price() {
    on_both(async |house| {
        let (event, category) = house.concert(2).await;
        let (ada, eve) = (house.person("ada"), house.person("eve"));
        let bought = house.buys(&ada, vec![Want::some(category.offer.clone(), 2)]).await;
        let back = house.tickets.give_back(&ada, &bought[0].id).await.unwrap();
        assert_eq!(back.state, TicketState::Returned);
        house.work().await;
        assert_eq!(house.state_of(&ada, &bought[0]).await, TicketState::Refunded);
        let order = house.orders.find(&ada, bought[0].order.as_ref().unwrap()).await.unwrap().order;
        assert_eq!((order.state, order.refunded_minor), (orders::State::PartiallyRefunded, 1_900));
        assert_eq!(house.state_of(&ada, &bought[1]).await, TicketState::Valid);
        let again = house.buys(&eve, vec![Want::some(category.offer, 1)]).await;
        assert_eq!(again.len(), 1, "its place is on sale again");
        house.later(6 * DAY);
        let eve = house.person("eve");
        let late = house.tickets.give_back(&eve, &again[0].id).await.unwrap_err();
        assert!(matches!(late, TicketError::NoReturns), "{late}");
        assert_eq!(event.state, EventState::Published);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gift_is_given_back_by_its_owner_and_its_payer_gets_the_money() {
    on_both(async |house| {
        let (_, category) = house.concert(2).await;
        let (ada, bob) = (house.person("ada"), house.registered("bob").await);
        let bought = house.buys(&ada, vec![Want::some(category.offer.clone(), 2)]).await;
        let gift = &bought[1];
        let way = house.tickets.way_back(&ada, &gift.id).await.unwrap();
        assert!(matches!(way, Some(WayBack::Open { payer: None, .. })), "{way:?}");
        house.tickets.transfer(&ada, &gift.id, "bob").await.unwrap();
        let Some(WayBack::Open { payer: Some(payer), .. }) =
            house.tickets.way_back(&bob, &gift.id).await.unwrap()
        else {
            panic!("it can be given back")
        };
        assert!(payer.contains("ada"), "who gets the money is told before: {payer}");
        for refused in [
            house.tickets.way_back(&ada, &gift.id).await.err(),
            house.tickets.give_back(&ada, &gift.id).await.err(),
        ] {
            assert!(matches!(refused, Some(TicketError::NotFound(_))), "who gave it away does not decide");
        }
        house.tickets.give_back(&bob, &gift.id).await.unwrap();
        assert_eq!(house.tickets.way_back(&bob, &gift.id).await.unwrap(), None, "once");
        house.work().await;
        assert_eq!(house.state_of(&bob, gift).await, TicketState::Refunded);
        assert_eq!(
            house.state_of(&ada, &bought[0]).await,
            TicketState::Valid,
            "the other one of the line stays"
        );
        let order = house.orders.find(&ada, gift.order.as_ref().unwrap()).await.unwrap().order;
        assert_eq!((order.buyer.as_str(), order.refunded_minor), ("user-ada", 1_900));
        assert_eq!(house.buys(&ada, vec![Want::some(category.offer, 1)]).await.len(), 1, "on sale again");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_that_was_sold_on_is_given_back_by_nobody_until_the_sale_is_undone() {
    on_both(async |house| {
        let (_, category) = house.concert(2).await;
        let (ada, eve, bob) = (house.person("ada"), house.person("eve"), house.registered("bob").await);
        let ticket = house.buys(&ada, vec![Want::some(category.offer, 1)]).await.remove(0);
        let sold = resold(&house, &ticket, 3_000, &eve).await;
        house.tickets.transfer(&eve, &sold.id, "bob").await.unwrap();
        assert_eq!(house.tickets.way_back(&bob, &sold.id).await.unwrap(), Some(WayBack::Resold));
        let refused = house.tickets.give_back(&bob, &sold.id).await.unwrap_err();
        assert_eq!(
            code_of(refused),
            "tickets.resold",
            "neither the seller nor the organiser agreed to pay it back"
        );
        // The seller pays it back by its own will: then it is the seller's again, who paid the organiser.
        let (reason, what) = ("They cannot come.".to_owned(), What::Whole);
        let undo = NewRefund { what, give_back: true, reason };
        house.orders.refund(&ada, sold.order.as_ref().unwrap(), undo).await.unwrap();
        house.settle_down().await;
        let way = house.tickets.way_back(&ada, &sold.id).await.unwrap();
        assert!(matches!(way, Some(WayBack::Open { payer: None, .. })), "{way:?}");
        house.tickets.give_back(&ada, &sold.id).await.unwrap();
        house.work().await;
        let order = house.orders.find(&ada, ticket.order.as_ref().unwrap()).await.unwrap().order;
        assert_eq!((order.state, order.refunded_minor), (orders::State::Refunded, 1_900));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_event_pays_everybody_back_what_they_paid() {
    on_both(async |house| {
        let (event, category) = house.concert(9).await;
        let (ada, eve, bob) = (house.person("ada"), house.person("eve"), house.person("bob"));
        let one = house.buys(&ada, vec![Want::some(category.offer.clone(), 2)]).await;
        let sold = resold(&house, &one[0], 3_000, &eve).await;
        let other = house.buys(&bob, vec![Want::some(category.offer.clone(), 1)]).await.remove(0);
        let by = house.organiser();
        house.tickets.cancel_event(&by, &event.id, Expected::Whatever).await.unwrap();
        let refused = house.place(&ada, vec![Want::some(category.offer, 1)]).await.unwrap_err();
        assert_eq!(Problem::from(refused).status, 409, "nothing more is sold");
        house.work().await;
        house.work().await;
        for (person, order, minor) in
            [(&ada, &one[1].order, 3_800), (&eve, &sold.order, 3_000), (&bob, &other.order, 1_900)]
        {
            let order = house.orders.find(person, order.as_ref().unwrap()).await.unwrap().order;
            assert_eq!(
                (order.state, order.refunded_minor),
                (orders::State::Refunded, minor),
                "{}",
                order.buyer
            );
        }
        assert_eq!(house.state_of(&ada, &one[1]).await, TicketState::Refunded);
        assert_eq!(house.state_of(&eve, &sold).await, TicketState::Refunded);
        let twice = house.tickets.cancel_event(&by, &event.id, Expected::Whatever).await.unwrap_err();
        assert!(matches!(twice, TicketError::EventState(_)), "{twice}");
        assert_eq!(house.told("event.cancelled", 1).await.len(), 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_papers_of_a_ticket_are_its_owners() {
    both(&migrations()[..], async |store| {
        let house = House::on(store);
        let (_, category) = house.concert(9).await;
        let (ada, eve) = (house.person("ada"), house.person("eve"));
        let ticket = house.buys(&ada, vec![Want::some(category.offer, 1)]).await.remove(0);
        assert!(house.tickets.paper(&ada, &ticket.id).await.unwrap().starts_with(b"%PDF"));
        let calendar = house.tickets.calendar(&ada, &ticket.id).await.unwrap();
        assert!(
            calendar.contains("SUMMARY:Così fan tutte") && calendar.contains("DTSTART:20270125T080000Z"),
            "{calendar}"
        );
        assert!(matches!(house.tickets.paper(&eve, &ticket.id).await, Err(TicketError::NotFound(_))));
        assert!(matches!(house.tickets.calendar(&eve, &ticket.id).await, Err(TicketError::NotFound(_))));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_and_other_accounts_are_refused() {
    on_both(async |house| {
        let (event, category) = house.concert(9).await;
        let ada = house.person("ada");
        let ticket = house.buys(&ada, vec![Want::some(category.offer.clone(), 1)]).await.remove(0);
        let eve = house.with_roles("eve", &[identity::Role::User, identity::Role::Publisher]);
        for (by, expected) in [(house.stranger(), vec![401]), (eve, vec![403, 404])] {
            let (room, id) = (&house.tickets, &event.id);
            let new = NewCategory { name: "x".to_owned(), price: usd(1), admission: Admission::General(1) };
            let sell = NewTicket { title: String::new(), price: usd(1), ticket: Some(ticket.id.clone()) };
            let whatever = || Expected::Whatever;
            let refusals = [
                room.edit_event(&by, id, house.text(), whatever()).await.err(),
                room.publish_event(&by, id, whatever()).await.err(),
                room.cancel_event(&by, id, whatever()).await.err(),
                room.add_category(&by, id, new).await.err(),
                room.change_category(&by, id, &category.offer, usd(1), None, whatever()).await.err(),
                room.withdraw_category(&by, id, &category.offer).await.err(),
                room.sales(&by, id).await.err(),
                room.event_tickets(&by, id, Paging::default()).await.err(),
                room.add_device(&by, id, "phone").await.err(),
                room.devices(&by, id).await.err(),
                room.revoke_device(&by, id, &tickets::DeviceId::fresh()).await.err(),
                room.check_in(&Guard::Staff(by.clone()), id, scan("T1.x")).await.err(),
                room.door(&Guard::Staff(by.clone()), id, None).await.err(),
                room.scans(&Guard::Staff(by.clone()), id).await.err(),
                room.transfer(&by, &ticket.id, "eve").await.err(),
                room.send_ticket(&by, &ticket.id, "eve@example.com").await.err(),
                room.list_ticket(&by, sell).await.err(),
                room.edit_ticket(&by, &ticket.id, None, None, whatever()).await.err(),
                room.unlist_ticket(&by, &ticket.id, whatever()).await.err(),
                room.give_back(&by, &ticket.id).await.err(),
                room.way_back(&by, &ticket.id).await.err(),
                room.rotate_key(&by).await.err(),
            ];
            for (number, refusal) in refusals.into_iter().enumerate() {
                let status = Problem::from(refusal.unwrap_or_else(|| panic!("{number} is refused"))).status;
                assert!(expected.contains(&status), "{number}: {status}");
            }
            let unseen = [
                room.ticket(&by, &ticket.id).await.err(),
                room.code(&by, &ticket.id).await.err(),
                room.paper(&by, &ticket.id).await.err(),
                room.calendar(&by, &ticket.id).await.err(),
            ];
            assert!(unseen.into_iter().all(|refusal| matches!(refusal, Some(TicketError::NotFound(_)))));
        }
        let user = house.person("user");
        let refused = house.tickets.create_event(&user, None, house.text(), kernel::Currency::USD).await;
        assert_eq!(Problem::from(refused.unwrap_err()).status, 403, "only publishers organise events");
    })
    .await;
}
