//! Many at once: nothing is sold twice, nothing above capacity.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::BTreeSet;

use catalog::stock::{claim, consume, release};
use catalog::{CatalogError, Claimed, Held, HoldTerms, OfferId, Stock, Want, listing};
use store::testing::both;
use store::{Store, StoreError, Tx};
use tokio::task::JoinSet;
use web::Expected;

use crate::market::{NOW, TABLES, add, offer, on_sale, seats, usd};

const BUYERS: usize = 64;

/// A claim as a client makes it: when the database is busy, it is asked again.
async fn insist(store: &Store, holder: String, wants: Vec<Want>) -> Result<Vec<Claimed>, CatalogError> {
    loop {
        let (holder, wants) = (holder.clone(), wants.clone());
        let work = async move |tx: &mut Tx| claim(tx, NOW, &wants, &holder, HoldTerms::default()).await;
        match store.write(work).await {
            Err(CatalogError::Store(StoreError::Busy)) => tokio::task::yield_now().await,
            done => return done,
        }
    }
}

async fn all_at_once(store: &Store, wants: impl Fn(usize) -> Vec<Want>) -> Vec<(usize, Vec<Claimed>)> {
    let mut buyers = JoinSet::new();
    for buyer in 0..BUYERS {
        let (store, wants) = (store.clone(), wants(buyer));
        buyers.spawn(async move { (buyer, insist(&store, format!("hold-{buyer}"), wants).await) });
    }
    let mut got = Vec::new();
    while let Some(done) = buyers.join_next().await {
        match done.unwrap() {
            (buyer, Ok(claimed)) => got.push((buyer, claimed)),
            (_, Err(CatalogError::SoldOut { .. } | CatalogError::UnitTaken(_))) => {}
            (_, Err(other)) => panic!("{other:?}"),
        }
    }
    got
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_pieces_for_sixty_four() {
    both(TABLES, async |store| {
        let (_, offers) = on_sale(&store, &[Stock::Counted { capacity: 10 }]).await;
        let got = all_at_once(&store, |_| vec![Want::some(offers[0].clone(), 1)]).await;
        assert_eq!(got.len(), 10);
        let now = offer(&store, &offers[0]).await;
        assert_eq!((now.held, now.left()), (10, Some(0)));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_seats_for_sixty_four() {
    both(TABLES, async |store| {
        let (_, offers) = on_sale(&store, &[Stock::Units]).await;
        let units = add(&store, &offers[0], seats("Stalls", 1, 10)).await;
        // Each wants two neighbours by name, so that they overlap; then the rest as it comes.
        let want = |buyer: usize| {
            let units = vec![units[buyer % 10].clone(), units[(buyer + 1) % 10].clone()];
            vec![Want { offer: offers[0].clone(), quantity: 0, units }]
        };
        let mut got = all_at_once(&store, want).await;
        got.extend(all_at_once(&store, |_| vec![Want::some(offers[0].clone(), 1)]).await);
        let all: Vec<_> =
            got.iter().flat_map(|(_, claimed)| claimed.iter().map(|one| one.unit.clone().unwrap())).collect();
        let unique: BTreeSet<_> = all.iter().collect();
        assert_eq!((all.len(), unique.len()), (10, 10));
        assert_eq!(offer(&store, &offers[0]).await.held, 10);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn carts_in_opposite_order_all_end() {
    both(TABLES, async |store| {
        let stocks = [Stock::Counted { capacity: 30 }, Stock::Counted { capacity: 30 }];
        let (_, offers) = on_sale(&store, &stocks).await;
        let want = |buyer: usize| {
            let mut wants = vec![Want::some(offers[0].clone(), 1), Want::some(offers[1].clone(), 1)];
            if buyer.is_multiple_of(2) {
                wants.reverse();
            }
            wants
        };
        assert_eq!(all_at_once(&store, want).await.len(), 30);
        for id in &offers {
            assert_eq!(offer(&store, id).await.held, 30);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_back_is_sold_once_more_and_no_more() {
    both(TABLES, async |store| {
        let (_, offers) = on_sale(&store, &[Stock::Counted { capacity: 10 }]).await;
        let mut buyers = JoinSet::new();
        for buyer in 0..BUYERS {
            let (store, offer) = (store.clone(), offers[0].clone());
            buyers.spawn(async move { hold_and_decide(&store, offer, buyer).await });
        }
        let mut sold = 0;
        while let Some(bought) = buyers.join_next().await {
            sold += u32::from(bought.unwrap());
        }
        let now = offer(&store, &offers[0]).await;
        assert_eq!((now.held, now.sold), (0, sold));
        assert!(sold <= 10);
    })
    .await;
}

/// Every third buyer lets the hold go.
async fn hold_and_decide(store: &Store, offer: OfferId, buyer: usize) -> bool {
    let holder = format!("hold-{buyer}");
    let Ok(claimed) = insist(store, holder.clone(), vec![Want::some(offer, 1)]).await else { return false };
    let held: Vec<Held> = claimed.iter().map(Held::from).collect();
    let buys = !buyer.is_multiple_of(3);
    loop {
        let (held, holder) = (held.clone(), holder.clone());
        let work = async move |tx: &mut Tx| {
            if buys { consume(tx, &held, &holder).await } else { release(tx, &held, &holder).await }
        };
        match store.write(work).await {
            Err(CatalogError::Store(StoreError::Busy)) => tokio::task::yield_now().await,
            done => break done.unwrap(),
        }
    }
    buys
}

/// Whoever holds pays the price that stood when the hold began, and the price cannot have changed since.
#[tokio::test(flavor = "multi_thread")]
async fn no_price_changes_under_a_hold() {
    both(TABLES, async |store| {
        for stock in [Stock::Counted { capacity: 4 }, Stock::Units] {
            let (_, offers) = on_sale(&store, &[stock]).await;
            if stock == Stock::Units {
                add(&store, &offers[0], seats("Stalls", 1, 4)).await;
            }
            let reprice = async {
                let id = offers[0].clone();
                let work = async move |tx: &mut Tx| {
                    listing::reprice(tx, NOW, &id, usd(9900), &Expected::Whatever).await
                };
                store.write(work).await
            };
            let want = vec![Want::some(offers[0].clone(), 1)];
            let (repriced, claimed) = tokio::join!(reprice, insist(&store, "hold-1".to_owned(), want));
            let paid = claimed.unwrap()[0].unit_price;
            match repriced {
                Ok(offer) => assert_eq!((offer.price, paid), (usd(9900), usd(9900))),
                Err(CatalogError::HeldNow(_) | CatalogError::Store(StoreError::Busy)) => {
                    assert_eq!(paid, usd(1900))
                }
                Err(other) => panic!("{other:?}"),
            }
        }
    })
    .await;
}
