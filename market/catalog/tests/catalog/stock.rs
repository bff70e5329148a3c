//! Moving stock: what one caller sees.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::BTreeMap;
use std::time::Duration;

use catalog::stock::{claim, consume, give_back, release};
use catalog::{CatalogError, Claimed, Held, HoldTerms, NewOffer, OfferId, Stock, UnitId, Want, listing};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, TestRunner};
use store::testing::both;
use store::{Store, Tx};
use web::Expected;

use crate::market::{NOW, TABLES, add, offer, on_sale, seats, usd};

const TERMS: HoldTerms = HoldTerms { hold_seconds: 60, extension_seconds: 30 };

async fn take(store: &Store, holder: &str, wants: Vec<Want>) -> Result<Vec<Claimed>, CatalogError> {
    let holder = holder.to_owned();
    store.write(async move |tx: &mut Tx| claim(tx, NOW, &wants, &holder, TERMS).await).await
}

#[derive(Clone, Copy, Debug)]
enum Move {
    Consume,
    Release,
    GiveBack,
}

async fn settle(store: &Store, how: Move, holder: &str, held: &[Held]) -> Result<(), CatalogError> {
    let (holder, held) = (holder.to_owned(), held.to_vec());
    let work = async move |tx: &mut Tx| match how {
        Move::Consume => consume(tx, &held, &holder).await,
        Move::Release => release(tx, &held, &holder).await,
        Move::GiveBack => give_back(tx, &held, &holder).await,
    };
    store.write(work).await
}

fn held(claimed: &[Claimed]) -> Vec<Held> {
    claimed.iter().map(Held::from).collect()
}

#[tokio::test]
async fn a_claim_says_all_that_an_order_needs() {
    both(TABLES, async |store| {
        let (listing, offers) = on_sale(&store, &[Stock::Counted { capacity: 5 }, Stock::Unlimited]).await;
        let claimed =
            take(&store, "hold-1", vec![Want::some(offers[0].clone(), 2), Want::some(offers[1].clone(), 7)])
                .await
                .unwrap();
        assert_eq!(claimed.len(), 2);
        let first = &claimed[0];
        assert_eq!((&first.listing, &first.offer, first.quantity), (&listing, &offers[0], 2));
        assert_eq!((first.title.as_str(), first.offer_name.as_str()), ("A thing", "Offer 0"));
        assert_eq!((first.unit_price, first.hold_seconds, first.extension_seconds), (usd(1900), 60, 30));
        assert_eq!(first.seller.as_str(), "user-ada");
        let now = offer(&store, &offers[0]).await;
        assert_eq!((now.held, now.sold, now.left()), (2, 0, Some(3)));
        assert_eq!(now.held_until, NOW.after(Duration::from_secs(90)));
        assert_eq!(offer(&store, &offers[1]).await.left(), None);
    })
    .await;
}

#[tokio::test]
async fn all_or_nothing() {
    both(TABLES, async |store| {
        let stocks = [Stock::Counted { capacity: 5 }, Stock::Counted { capacity: 1 }];
        let (_, offers) = on_sale(&store, &stocks).await;
        let too_many = vec![Want::some(offers[0].clone(), 2), Want::some(offers[1].clone(), 2)];
        let error = take(&store, "hold-1", too_many).await.unwrap_err();
        assert!(matches!(error, CatalogError::SoldOut { left: 1, .. }), "{error:?}");
        assert_eq!(offer(&store, &offers[0]).await.held, 0);
        // The same offer twice counts as one want.
        let twice = vec![Want::some(offers[0].clone(), 3), Want::some(offers[0].clone(), 3)];
        assert!(matches!(take(&store, "hold-1", twice).await, Err(CatalogError::SoldOut { left: 5, .. })));
        for bad in
            [vec![], vec![Want::some(offers[0].clone(), 0)], vec![Want::some(offers[0].clone(), u32::MAX)]]
        {
            assert!(matches!(take(&store, "hold-1", bad).await, Err(CatalogError::Invalid(_))));
        }
        let unknown = vec![Want::some(OfferId::fresh(), 1)];
        assert!(matches!(take(&store, "hold-1", unknown).await, Err(CatalogError::NotFound("offer"))));
    })
    .await;
}

#[tokio::test]
async fn nothing_is_sold_that_is_not_on_sale() {
    both(TABLES, async |store| {
        let (id, offers) = on_sale(&store, &[Stock::Unlimited, Stock::Unlimited, Stock::Units]).await;
        let unit = add(&store, &offers[2], seats("Stalls", 1, 1)).await.remove(0);
        let gone = offers[0].clone();
        let withdraw = async move |tx: &mut Tx| {
            listing::withdraw_offer(tx, NOW, &gone, &Expected::Whatever).await.map(|_| ())
        };
        store.write(withdraw).await.unwrap();
        let want = |index: usize| vec![Want::some(offers[index].clone(), 1)];
        assert!(matches!(take(&store, "hold-1", want(0)).await, Err(CatalogError::NotOnSale(_))));
        let kept = take(&store, "hold-1", want(1)).await.unwrap();
        store
            .write(async move |tx: &mut Tx| {
                listing::archive(tx, NOW, &id, &Expected::Whatever).await.map(|_| ())
            })
            .await
            .unwrap();
        assert!(matches!(take(&store, "hold-2", want(1)).await, Err(CatalogError::NotOnSale(_))));
        let named = vec![Want { offer: offers[2].clone(), quantity: 1, units: vec![unit] }];
        assert!(matches!(take(&store, "hold-2", named).await, Err(CatalogError::NotOnSale(_))));
        // What was held before can still be paid.
        settle(&store, Move::Consume, "hold-1", &held(&kept)).await.unwrap();
        assert_eq!(offer(&store, &offers[1]).await.sold, 1);
    })
    .await;
}

#[tokio::test]
async fn units_have_one_holder() {
    both(TABLES, async |store| {
        let (_, offers) = on_sale(&store, &[Stock::Units]).await;
        let units = add(&store, &offers[0], seats("Stalls", 2, 4)).await;
        let want =
            |units: &[UnitId]| vec![Want { offer: offers[0].clone(), quantity: 0, units: units.to_vec() }];
        let claimed = take(&store, "hold-1", want(&units[0..3])).await.unwrap();
        let labels: Vec<_> = claimed.iter().filter_map(|claimed| claimed.unit_label.clone()).collect();
        assert_eq!(labels, ["Stalls 1-1", "Stalls 1-2", "Stalls 1-3"]);
        match take(&store, "hold-2", want(&units[2..5])).await {
            Err(CatalogError::UnitTaken(labels)) => assert_eq!(labels, ["Stalls 1-3"]),
            other => panic!("{other:?}"),
        }
        for how in [Move::Consume, Move::Release, Move::GiveBack] {
            let refused = settle(&store, how, "hold-2", &held(&claimed)).await;
            assert!(matches!(refused, Err(CatalogError::NotHeld(_))), "{how:?} {refused:?}");
        }
        settle(&store, Move::Consume, "hold-1", &held(&claimed)).await.unwrap();
        let now = offer(&store, &offers[0]).await;
        assert_eq!((now.capacity, now.held, now.sold, now.left()), (Some(8), 0, 3, Some(5)));
        settle(&store, Move::GiveBack, "hold-1", &held(&claimed)[..1]).await.unwrap();
        assert_eq!(offer(&store, &offers[0]).await.left(), Some(6));
        assert!(matches!(
            take(&store, "hold-2", want(&["unit-none".parse().unwrap()])).await,
            Err(CatalogError::NotFound(_))
        ));
    })
    .await;
}

#[tokio::test]
async fn the_best_are_neighbours_of_one_section() {
    both(TABLES, async |store| {
        let (_, offers) = on_sale(&store, &[Stock::Units]).await;
        let mut house = seats("Stalls", 2, 3);
        house.extend(seats("Balcony", 1, 5));
        add(&store, &offers[0], house).await;
        let best = async |holder: &str, quantity| {
            let claimed = take(&store, holder, vec![Want::some(offers[0].clone(), quantity)]).await?;
            let label = |claimed: &Claimed| claimed.unit_label.clone().unwrap();
            Ok::<_, CatalogError>(claimed.iter().map(label).collect::<Vec<_>>())
        };
        assert_eq!(best("hold-1", 2).await.unwrap(), ["Stalls 1-1", "Stalls 1-2"]);
        assert_eq!(best("hold-2", 2).await.unwrap(), ["Stalls 2-1", "Stalls 2-2"]);
        assert_eq!(
            best("hold-3", 4).await.unwrap(),
            ["Balcony 1-1", "Balcony 1-2", "Balcony 1-3", "Balcony 1-4"]
        );
        // Two are left in the stalls, not beside each other; no section has three.
        assert!(matches!(best("hold-4", 3).await, Err(CatalogError::SoldOut { left: 2, .. })));
        assert_eq!(best("hold-5", 2).await.unwrap(), ["Stalls 1-3", "Stalls 2-3"]);
    })
    .await;
}

#[tokio::test]
async fn a_price_stays_while_somebody_pays_it() {
    both(TABLES, async |store| {
        let (_, offers) = on_sale(&store, &[Stock::Counted { capacity: 5 }, Stock::Units]).await;
        add(&store, &offers[1], seats("Stalls", 1, 2)).await;
        let reprice = async |id: &OfferId| {
            let id = id.clone();
            let work =
                async move |tx: &mut Tx| listing::reprice(tx, NOW, &id, usd(2500), &Expected::Whatever).await;
            store.write(work).await
        };
        for id in &offers {
            let claimed = take(&store, "hold-1", vec![Want::some(id.clone(), 1)]).await.unwrap();
            match reprice(id).await {
                Err(CatalogError::HeldNow(until)) => assert_eq!(until, NOW.after(Duration::from_secs(90))),
                other => panic!("{other:?}"),
            }
            settle(&store, Move::Release, "hold-1", &held(&claimed)).await.unwrap();
            assert_eq!(reprice(id).await.unwrap().price, usd(2500));
        }
    })
    .await;
}

#[tokio::test]
async fn capacity_is_never_below_what_is_taken() {
    both(TABLES, async |store| {
        let (_, offers) = on_sale(&store, &[Stock::Counted { capacity: 5 }]).await;
        let claimed = take(&store, "hold-1", vec![Want::some(offers[0].clone(), 3)]).await.unwrap();
        settle(&store, Move::Consume, "hold-1", &held(&claimed)).await.unwrap();
        take(&store, "hold-2", vec![Want::some(offers[0].clone(), 1)]).await.unwrap();
        let resize = async |capacity| {
            let id = offers[0].clone();
            let work = async move |tx: &mut Tx| {
                listing::set_capacity(tx, NOW, &id, capacity, &Expected::Whatever).await
            };
            store.write(work).await
        };
        assert!(matches!(resize(3).await, Err(CatalogError::CapacityTaken { taken: 4 })));
        assert_eq!(resize(4).await.unwrap().left(), Some(0));
        assert_eq!(resize(9).await.unwrap().left(), Some(5));
        let id = offers[0].clone();
        let other = NewOffer::one_off("Now seats", usd(1900), Stock::Units);
        let work =
            async move |tx: &mut Tx| listing::edit_offer(tx, NOW, &id, &other, &Expected::Whatever).await;
        assert!(matches!(store.write(work).await, Err(CatalogError::CapacityTaken { .. })));
    })
    .await;
}

/// One step of the property test. Numbers are taken modulo what there is.
#[derive(Clone, Debug)]
enum Step {
    Pieces(u32),
    Best(u32),
    Named(Vec<usize>),
    Settle(Move, usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let how = prop_oneof![Just(Move::Consume), Just(Move::Release), Just(Move::GiveBack)];
    let step = prop_oneof![
        (1..5u32).prop_map(Step::Pieces),
        (1..4u32).prop_map(Step::Best),
        prop::collection::vec(0..8usize, 1..4).prop_map(Step::Named),
        (how, any::<usize>()).prop_map(|(how, which)| Step::Settle(how, which)),
    ];
    prop::collection::vec(step, 1..25)
}

/// What should be: everything that was claimed, and whether it was sold.
#[derive(Default)]
struct Model {
    claims: Vec<(String, Vec<Held>, bool)>,
    count: usize,
}

impl Model {
    fn taken(&self, offer: &OfferId) -> (u32, u32) {
        let mut taken = (0, 0);
        for (_, held, sold) in &self.claims {
            let quantity: u32 =
                held.iter().filter(|held| &held.offer == offer).map(|held| held.quantity).sum();
            if *sold { taken.1 += quantity } else { taken.0 += quantity }
        }
        taken
    }

    fn holders(&self) -> BTreeMap<UnitId, &str> {
        let units =
            self.claims.iter().flat_map(|(holder, held, _)| held.iter().map(move |held| (holder, held)));
        units.filter_map(|(holder, held)| Some((held.unit.clone()?, holder.as_str()))).collect()
    }
}

#[tokio::test]
async fn any_sequence_keeps_the_sums() {
    both(TABLES, async |store| {
        let mut runner = TestRunner::new(Config::default());
        for _ in 0..40 {
            let steps = steps().new_tree(&mut runner).unwrap().current();
            let (_, offers) = on_sale(&store, &[Stock::Counted { capacity: 7 }, Stock::Units]).await;
            let units = add(&store, &offers[1], seats("Stalls", 2, 4)).await;
            let mut model = Model::default();
            for step in &steps {
                run(&store, &offers, &units, &mut model, step).await;
                for (id, capacity) in offers.iter().zip([7, 8]) {
                    let now = offer(&store, id).await;
                    assert_eq!((now.held, now.sold), model.taken(id), "{step:?} in {steps:?}");
                    let left = now.left().unwrap();
                    assert_eq!(
                        (now.capacity, now.held + now.sold + left),
                        (Some(capacity), capacity),
                        "{steps:?}"
                    );
                }
                same_holders(&store, &offers[1], &model).await;
            }
        }
    })
    .await;
}

async fn run(store: &Store, offers: &[OfferId], units: &[UnitId], model: &mut Model, step: &Step) {
    let want = match step {
        Step::Settle(how, which) => return run_settle(store, model, *how, *which).await,
        Step::Pieces(quantity) => Want::some(offers[0].clone(), *quantity),
        Step::Best(quantity) => Want::some(offers[1].clone(), *quantity),
        Step::Named(which) => Want {
            offer: offers[1].clone(),
            quantity: 0,
            units: which.iter().map(|index| units[*index].clone()).collect(),
        },
    };
    model.count += 1;
    let holder = format!("hold-{}", model.count);
    let (held_now, sold_now) = model.taken(&want.offer);
    let holders = model.holders();
    match take(store, &holder, vec![want.clone()]).await {
        Ok(claimed) => {
            for one in claimed.iter().filter_map(|claimed| claimed.unit.as_ref()) {
                assert!(!holders.contains_key(one), "{one} was taken already");
            }
            model.claims.push((holder, held(&claimed), false));
        }
        Err(CatalogError::SoldOut { left, .. }) => {
            let capacity = if want.offer == offers[0] { 7 } else { 8 };
            assert_eq!(left, capacity - held_now - sold_now);
            assert!(left < want.quantity);
        }
        Err(CatalogError::UnitTaken(_)) => assert!(want.units.iter().any(|unit| holders.contains_key(unit))),
        Err(other) => panic!("{other:?}"),
    }
}

async fn run_settle(store: &Store, model: &mut Model, how: Move, which: usize) {
    if model.claims.is_empty() {
        return;
    }
    let index = which % model.claims.len();
    let (holder, held, sold) = model.claims[index].clone();
    // The room above makes each transition once; that is what is tried here.
    if sold != matches!(how, Move::GiveBack) {
        if held.iter().all(|held| held.unit.is_some()) {
            assert!(matches!(settle(store, how, &holder, &held).await, Err(CatalogError::NotHeld(_))));
        }
        return;
    }
    settle(store, how, &holder, &held).await.unwrap();
    match how {
        Move::Consume => model.claims[index].2 = true,
        Move::Release | Move::GiveBack => drop(model.claims.remove(index)),
    }
}

async fn same_holders(store: &Store, offer: &OfferId, model: &Model) {
    let offer = offer.clone();
    let paging = kernel::Paging::default();
    let units = store.read(async move |tx: &mut Tx| listing::units(tx, &offer, paging).await).await.unwrap();
    let holders: BTreeMap<UnitId, String> =
        units.items.into_iter().filter_map(|unit| Some((unit.id, unit.holder?))).collect();
    let expected = model.holders().into_iter().map(|(unit, holder)| (unit, holder.to_owned())).collect();
    assert_eq!(holders, expected);
}
