//! What goes through a relay: bytes, ends, resets, limits.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::time::Duration;

use support::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

#[tokio::test]
async fn bytes_go_both_ways_and_are_counted() {
    let (_folder, client) = embedded().await;
    let port = free_port();
    assert_eq!(client.set(vec![route(port, Some(echo("one").await))]).await.unwrap(), []);
    let stream = talk(port, "one").await;
    let state = client.state().await.unwrap();
    let [route] = &state.routes[..] else { panic!("{state:?}") };
    assert_eq!((route.connections, route.connections_total, route.failed_total), (1, 1, 0));
    assert_eq!((route.bytes_in, route.bytes_out), (4, 7));
    drop(stream);
    eventually("the connection is given back", async || {
        client.state().await.unwrap().routes[0].connections == 0
    })
    .await;
}

#[tokio::test]
async fn who_has_said_the_last_can_still_listen() {
    let (_folder, client) = embedded().await;
    let port = free_port();
    client.set(vec![route(port, Some(echo("").await))]).await.unwrap();
    let mut stream = connect(port).await;
    stream.write_all(b"all I have to say").await.unwrap();
    stream.shutdown().await.unwrap();
    let mut heard = String::new();
    stream.read_to_string(&mut heard).await.unwrap();
    assert_eq!(heard, "all I have to say");
}

/// Many bytes against a reader that takes its time: more than all buffers on the way hold.
#[tokio::test]
async fn a_slow_reader_loses_nothing() {
    let (_folder, client) = embedded().await;
    let port = free_port();
    client.set(vec![route(port, Some(echo("").await))]).await.unwrap();
    let (mut from, mut to) = connect(port).await.into_split();
    let all: Vec<u8> = (0..24_000_000_u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let said = all.clone();
    let saying = tokio::spawn(async move {
        to.write_all(&said).await.unwrap();
        to.shutdown().await.unwrap();
    });
    tokio::time::sleep(Duration::from_millis(300)).await;
    let mut heard = Vec::new();
    from.read_to_end(&mut heard).await.unwrap();
    saying.await.unwrap();
    assert!(heard == all, "{} of {} bytes came back as they were", heard.len(), all.len());
    let route = client.state().await.unwrap().routes.remove(0);
    assert_eq!((route.bytes_in, route.bytes_out), (24_000_000, 24_000_000));
}

#[tokio::test]
async fn what_is_cut_off_looks_cut_off() {
    let (_folder, client) = embedded().await;
    let port = free_port();
    let listener = TcpListener::bind((HERE, 0)).await.unwrap();
    client.set(vec![route(port, Some(listener.local_addr().unwrap()))]).await.unwrap();
    let mut stream = connect(port).await;
    let (mut target, _) = listener.accept().await.unwrap();
    target.write_all(b"half of").await.unwrap();
    assert_eq!(hear(&mut stream, 7).await.unwrap(), "half of");
    target.set_zero_linger().unwrap();
    drop(target);
    assert!(is_reset(&mut stream).await, "the client sees a clean end");

    let stream = connect(port).await;
    let (mut target, _) = listener.accept().await.unwrap();
    stream.set_zero_linger().unwrap();
    drop(stream);
    assert!(is_reset(&mut target).await, "the target sees a clean end");
}

#[tokio::test]
async fn more_than_the_limit_are_reset() {
    let (_folder, client) = embedded().await;
    let port = free_port();
    let mut two = route(port, Some(echo("one").await));
    two.max_connections = 2;
    client.set(vec![two]).await.unwrap();
    let first = talk(port, "one").await;
    let mut second = talk(port, "one").await;
    assert!(is_reset(&mut connect(port).await).await);
    still_talks(&mut second).await;
    drop(first);
    eventually("there is room again", async || client.state().await.unwrap().routes[0].connections == 1)
        .await;
    talk(port, "one").await;
    assert_eq!(client.state().await.unwrap().routes[0].refused_total, 1);
}

#[tokio::test]
async fn a_target_that_comes_up_is_waited_for() {
    let (_folder, client) = embedded().await;
    let (port, late) = (free_port(), free_port());
    // Known, but refusing for now.
    client.set(vec![route(port, Some((HERE, late).into()))]).await.unwrap();
    let mut early = connect(port).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    let listener = TcpListener::bind((HERE, late)).await.unwrap();
    tokio::spawn(answer(listener, "late"));
    assert_eq!(hear(&mut early, 4).await.unwrap(), "late");
    // Not known for now.
    client.set(vec![route(port, None)]).await.unwrap();
    let mut early = connect(port).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    client.set(vec![route(port, Some((HERE, late).into()))]).await.unwrap();
    assert_eq!(hear(&mut early, 4).await.unwrap(), "late");
}

#[tokio::test]
async fn a_target_that_stays_away_is_told_by_a_reset() {
    let (_folder, client) = embedded().await;
    let (port, nobody) = (free_port(), free_port());
    client.set(vec![route(port, Some((HERE, nobody).into()))]).await.unwrap();
    let begun = std::time::Instant::now();
    assert!(is_reset(&mut connect(port).await).await);
    assert!(begun.elapsed() >= Duration::from_secs(2), "after {:?}", begun.elapsed());
    let route = client.state().await.unwrap().routes.remove(0);
    assert_eq!((route.connections, route.connections_total, route.failed_total), (0, 1, 1));
}
