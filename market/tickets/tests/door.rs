//! The door without a network, and the waiting room.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod house;

use std::collections::BTreeSet;
use std::time::Duration;

use catalog::Want;
use house::{House, START, migrations};
use kernel::Problem;
use orders::NewOrder;
use store::testing::both;
use tickets::{Code, Guard, Scan, Verdict};

async fn on_both(test: impl AsyncFn(House)) {
    both(&migrations(), async |store| test(House::on(store)).await).await;
}

fn at(second: u64) -> kernel::Timestamp {
    START.after(Duration::from_secs(second))
}

#[tokio::test(flavor = "multi_thread")]
async fn devices_scan_offline_and_agree_afterwards_in_any_order() {
    for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0]] {
        both(&migrations(), async |store| {
            let house = House::on(store);
            let (event, category) = house.concert(9).await;
            let ada = house.person("ada");
            let ticket = house.buys(&ada, vec![Want::some(category.offer, 1)]).await.remove(0);
            let code = house.code(&ada, &ticket).await;
            let mut guards = Vec::new();
            for name in ["East", "North", "West"] {
                let made = house.tickets.add_device(&house.organiser(), &event.id, name).await.unwrap();
                guards.push(made.device);
            }
            house.later(3_600);
            let scan = |id: &str, second| Scan {
                code: code.clone(),
                device: String::new(),
                scanned_at: Some(at(second)),
                id: Some(id.to_owned()),
            };
            // North and East scan in the same microsecond, West a minute later.
            let batches = [vec![scan("e1", 100)], vec![scan("n1", 100)], vec![scan("w1", 160)]];
            for i in order {
                let guard = Guard::Device(guards[i].clone(), house.clock.now());
                let first = house.tickets.check_in(&guard, &event.id, batches[i].clone()).await.unwrap();
                let again = house.tickets.check_in(&guard, &event.id, batches[i].clone()).await.unwrap();
                assert_eq!(first, again, "the same scan sent twice is one");
            }
            let staff = Guard::Staff(house.organiser());
            let (scans, conflicts) = house.tickets.scans(&staff, &event.id).await.unwrap();
            assert_eq!((scans.len(), conflicts.len()), (3, 3));
            let verdicts: Vec<_> =
                conflicts.iter().map(|scan| (scan.device.as_str(), scan.verdict)).collect();
            let expected = [("East", Verdict::Admitted), ("North", Verdict::Again), ("West", Verdict::Again)];
            assert_eq!(verdicts, expected, "{order:?}");
            let view = house.tickets.ticket(&ada, &ticket.id).await.unwrap().ticket;
            assert_eq!((view.checked_in_at, view.checked_in_by.as_deref()), (Some(at(100)), Some("East")));
            assert_eq!(house.told("ticket.checked_in", 1).await.len(), 1);
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_knows_enough_to_judge_offline_and_nothing_of_other_events() {
    on_both(async |house| {
        let (event, category) = house.concert(9).await;
        let (other, _) = house.concert(9).await;
        let ada = house.person("ada");
        let bought = house.buys(&ada, vec![Want::some(category.offer, 3)]).await;
        let made = house.tickets.add_device(&house.organiser(), &event.id, "Phone").await.unwrap();
        assert!(made.token.expose().starts_with("chk_"));
        let guard = Guard::Device(made.device.clone(), house.clock.now());
        let door = house.tickets.door(&guard, &event.id, None).await.unwrap();
        assert_eq!(door.tickets.len(), 3);
        let text = house.code(&ada, &bought[0]).await;
        let code = Code::verify(&text, |number| {
            door.keys.iter().find(|(known, _)| *known == number).map(|(_, key)| *key)
        });
        let code = code.unwrap();
        let known = door.tickets.iter().find(|ticket| ticket.ticket_id == code.ticket).unwrap();
        assert_eq!((known.generation, code.event), (code.generation, Some(event.id.clone())));
        assert!(house.tickets.door(&guard, &other.id, None).await.is_err());
        assert!(house.tickets.check_in(&guard, &other.id, Vec::new()).await.is_err());
        house.tickets.revoke_device(&house.organiser(), &event.id, &made.device.id).await.unwrap();
        let devices = house.tickets.devices(&house.organiser(), &event.id).await.unwrap();
        assert!(devices[0].revoked_at.is_some());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_doors_at_once_let_in_one() {
    on_both(async |house| {
        let (event, category) = house.concert(9).await;
        let ada = house.person("ada");
        let ticket = house.buys(&ada, vec![Want::some(category.offer, 1)]).await.remove(0);
        let code = house.code(&ada, &ticket).await;
        let scans = (0..16).map(|door| {
            let (house, event, code) = (house.clone(), event.id.clone(), code.clone());
            tokio::spawn(async move {
                let scan = Scan { code, device: format!("Door {door}"), scanned_at: None, id: None };
                let guard = Guard::Staff(house.organiser());
                house.tickets.check_in(&guard, &event, vec![scan]).await.unwrap().remove(0).verdict
            })
        });
        let mut admitted = 0;
        for scan in scans.collect::<Vec<_>>() {
            admitted += u32::from(scan.await.unwrap() == Verdict::Admitted);
        }
        // All scans bear the same time, so a door whose name sorts before takes the first place over.
        assert!(admitted >= 1);
        let (_, conflicts) = house.tickets.scans(&Guard::Staff(house.organiser()), &event.id).await.unwrap();
        let first: Vec<_> = conflicts.iter().filter(|scan| scan.verdict == Verdict::Admitted).collect();
        assert_eq!((conflicts.len(), first.len(), first[0].device.as_str()), (16, 1, "organiser: Door 0"));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn five_hundred_come_at_once_and_the_order_and_the_rate_are_kept() {
    on_both(async |house| {
        let all = [("Admission", 1_900, tickets::Admission::General(1_000))];
        let (event, _) = house.on_sale(house.waiting_room(120), &all).await;
        let arrivals = (0..500).map(|n| {
            let (house, event) = (house.clone(), event.id.clone());
            tokio::spawn(async move {
                let by = house.person(&format!("p{n}"));
                // Everybody reloads and opens a second window.
                let (first, ..) = house.tickets.join_queue(&by, &event).await.unwrap();
                let (again, ..) = house.tickets.join_queue(&by, &event).await.unwrap();
                assert_eq!(first, again, "one place per account");
                first
            })
        });
        let mut places = Vec::new();
        for arrival in arrivals.collect::<Vec<_>>() {
            places.push(arrival.await.unwrap());
        }
        places.sort_by_key(|place| place.place);
        let numbers: BTreeSet<i64> = places.iter().map(|place| place.place).collect();
        assert_eq!((numbers.len(), numbers.first(), numbers.last()), (500, Some(&1), Some(&500)));
        let opens = at(600);
        for (i, place) in places.iter().enumerate() {
            let expected = opens.after(Duration::from_millis(500 * i as u64));
            assert_eq!(place.admitted_at, expected, "two a second, in the order of places");
        }
        let inside = |now| places.iter().filter(|place| place.is_admitted(now)).count();
        assert_eq!((inside(at(599)), inside(at(600)), inside(at(659))), (0, 1, 119));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_who_was_let_in_can_order_also_after_a_restart() {
    on_both(async |house| {
        let all = [("Admission", 1_900, tickets::Admission::General(10))];
        let (event, made) = house.on_sale(house.waiting_room(1), &all).await;
        let want = || vec![Want::some(made[0].offer.clone(), 1)];
        let code_of = |error: orders::OrderError| Problem::from(error).code.into_owned();
        let (ada, eve) = (house.person("ada"), house.person("eve"));
        assert_eq!(code_of(house.place(&ada, want()).await.unwrap_err()), "tickets.not_queued");
        let (first, ..) = house.tickets.join_queue(&ada, &event.id).await.unwrap();
        let (second, room, pass) = house.tickets.join_queue(&eve, &event.id).await.unwrap();
        assert_eq!((first.place, second.place, second.ahead(START, &room)), (1, 2, 1));
        let waiting = Problem::from(house.place(&ada, want()).await.unwrap_err());
        assert_eq!((waiting.status, waiting.retry_after_seconds), (429, Some(601)));
        let house = house.restarted("a key of the tests");
        house.later(600);
        let (ada, eve) = (house.person("ada"), house.person("eve"));
        assert!(house.place(&ada, want()).await.is_ok());
        let with =
            |pass: &str| NewOrder { items: want(), pass: Some(pass.to_owned()), ..NewOrder::default() };
        assert_eq!(code_of(house.orders.place(&eve, with(&pass)).await.unwrap_err()), "tickets.waiting");
        house.later(60);
        let (eve, bob) = (house.person("eve"), house.person("bob"));
        assert!(house.orders.place(&eve, with(&pass)).await.is_ok());
        let stolen = house.orders.place(&bob, with(&pass)).await.unwrap_err();
        assert_eq!(code_of(stolen), "tickets.not_queued", "a pass is good for one account");
        house.later(601);
        let ada = house.person("ada");
        assert_eq!(
            code_of(house.place(&ada, want()).await.unwrap_err()),
            "tickets.not_queued",
            "time is over"
        );
        let (again, ..) = house.tickets.join_queue(&ada, &event.id).await.unwrap();
        assert_eq!(again.place, 3, "who comes again stands at the end");
        assert!(again.admitted_at >= house.clock.now());
    })
    .await;
}
