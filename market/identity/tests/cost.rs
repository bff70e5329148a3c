//! What it costs to know who calls. Run with
//! `cargo nextest run --release -p identity --test cost --run-ignored all --no-capture`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

mod room;

use std::time::Instant;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, header};
use room::{PASSWORD, Room, account, migrations};
use web::Ctx;

fn authorization(value: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(header::AUTHORIZATION, value.parse().unwrap());
    headers
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_in_basic_costs_no_password_hash_and_a_password_does() {
    store::testing::both(&migrations(), async |store| {
        // One hash takes seconds at this price, so that a hidden one would show.
        let room = Room::with(store, |settings| settings.password_cost.passes = 4_000);
        let made = room.identity.register(&room.stranger(), account("ada")).await.unwrap();
        let ctx = Ctx::local(room.clock.now());
        let basic =
            |secret: &str| authorization(&format!("Basic {}", STANDARD.encode(format!("ada:{secret}"))));
        let token = basic(made.token.secret.expose());
        let started = Instant::now();
        assert!(room.identity.resolve(&token, &ctx).await.unwrap().is_some());
        let with_token = started.elapsed();
        let started = Instant::now();
        assert!(room.identity.resolve(&basic(PASSWORD), &ctx).await.unwrap().is_some());
        let with_password = started.elapsed();
        assert!(room.identity.resolve(&basic("wrong"), &ctx).await.is_err());
        assert!(with_token * 3 < with_password, "{with_token:?}, {with_password:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement, not a rule"]
async fn resolving_a_cached_token() {
    let folder = tempfile::tempdir().unwrap();
    let room = Room::on(store::testing::sqlite(folder.path(), &migrations()).await);
    let made = room.identity.register(&room.stranger(), account("ada")).await.unwrap();
    let ctx = Ctx::local(room.clock.now());
    let headers = authorization(&format!("Bearer {}", made.token.secret.expose()));
    let rounds = 200_000u32;
    let started = Instant::now();
    for _ in 0..rounds {
        assert!(room.identity.resolve(&headers, &ctx).await.unwrap().is_some());
    }
    println!("one token check: {:?}", started.elapsed() / rounds);
}
