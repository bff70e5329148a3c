//! What is open follows the table, whoever ends and starts again.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use relay::{Client, Mode, PROTOCOL, RelayError, Settings};
use support::*;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};

#[tokio::test]
async fn what_stays_keeps_its_connections() {
    let (_folder, client) = embedded().await;
    let (stays, goes, comes) = (free_port(), free_port(), free_port());
    let one = echo("one").await;
    client.set(vec![route(stays, Some(one)), route(goes, Some(one))]).await.unwrap();
    let (mut kept, mut cut) = (talk(stays, "one").await, talk(goes, "one").await);
    client.set(vec![route(stays, Some(one)), route(comes, Some(one))]).await.unwrap();
    still_talks(&mut kept).await;
    talk(comes, "one").await;
    assert!(hear(&mut cut, 1).await.is_err(), "the connection of a closed port goes on");
    assert!(TcpStream::connect((HERE, goes)).await.is_err(), "the port is still open");
    // The same again changes nothing.
    client.set(vec![route(comes, Some(one)), route(stays, Some(one))]).await.unwrap();
    still_talks(&mut kept).await;
}

#[tokio::test]
async fn connections_end_when_another_target_is_known() {
    let (_folder, client) = embedded().await;
    let port = free_port();
    let (one, two) = (echo("one").await, echo("two").await);
    client.set(vec![route(port, Some(one))]).await.unwrap();
    let mut stream = talk(port, "one").await;
    client.set(vec![route(port, None)]).await.unwrap();
    still_talks(&mut stream).await;
    client.set(vec![route(port, Some(two))]).await.unwrap();
    assert!(hear(&mut stream, 1).await.is_err());
    talk(port, "two").await;
}

#[tokio::test]
async fn a_port_of_another_deployment_is_another_route() {
    let (_folder, client) = embedded().await;
    let port = free_port();
    let one = echo("one").await;
    client.set(vec![route(port, Some(one))]).await.unwrap();
    let mut stream = talk(port, "one").await;
    let mut other = route(port, Some(one));
    other.deployment = "deploy-2".to_owned();
    client.set(vec![other]).await.unwrap();
    assert!(hear(&mut stream, 1).await.is_err());
    let state = client.state().await.unwrap().routes.remove(0);
    assert_eq!((state.deployment.as_str(), state.connections_total, state.bytes_in), ("deploy-2", 0, 0));
    talk(port, "one").await;
}

#[tokio::test]
async fn a_port_that_is_taken_is_told_and_tried_again() {
    let (_folder, client) = embedded().await;
    let (port, other) = (free_port(), free_port());
    let one = echo("one").await;
    let taken = TcpListener::bind((HERE, port)).await.unwrap();
    let table = vec![route(port, Some(one)), route(other, Some(one))];
    let unbound = client.set(table.clone()).await.unwrap();
    assert_eq!(unbound.iter().map(|unbound| unbound.listen_port).collect::<Vec<_>>(), [port]);
    talk(other, "one").await;
    drop(taken);
    assert_eq!(client.set(table).await.unwrap(), []);
    talk(port, "one").await;
}

#[tokio::test]
async fn a_table_that_is_none_changes_nothing() {
    let (_folder, client) = embedded().await;
    let port = free_port();
    let one = echo("one").await;
    client.set(vec![route(port, Some(one))]).await.unwrap();
    let twice = client.set(vec![route(port, None), route(port, None)]).await;
    assert!(matches!(twice, Err(RelayError::Refused(_))), "{twice:?}");
    talk(port, "one").await;
}

#[tokio::test]
async fn a_relay_that_starts_again_serves_before_anybody_spoke_to_it() {
    let first = start(tempfile::tempdir().unwrap());
    let port = free_port();
    let one = echo("one").await;
    set_raw(&first, port, one).await;
    talk(port, "one").await;
    first.task.abort();
    assert!(first.task.await.unwrap_err().is_cancelled());
    eventually("the port is closed", async || TcpStream::connect((HERE, port)).await.is_err()).await;
    let second = start(first.folder);
    eventually("the port is open", async || TcpStream::connect((HERE, port)).await.is_ok()).await;
    talk(port, "one").await;
    second.stop.cancel();
    second.task.await.unwrap().unwrap();
}

/// Sets a table as any program could.
async fn set_raw(relay: &Running, port: u16, target: std::net::SocketAddr) {
    let request = format!(
        r#"{{"set":[{{"listen_port":{port},"target":"{target}","deployment":"deploy-1","max_connections":9}}]}}"#
    );
    assert_eq!(say(relay, &request).await, r#"{"set":{"unbound":[]}}"#);
}

async fn dial(relay: &Running) -> UnixStream {
    let path = relay.folder.path().join("run/relay.sock");
    eventually("the relay answers", async || UnixStream::connect(&path).await.is_ok()).await;
    UnixStream::connect(&path).await.unwrap()
}

async fn say(relay: &Running, request: &str) -> String {
    let mut stream = BufReader::new(dial(relay).await);
    stream.write_all(format!("{request}\n").as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_line(&mut answer).await.unwrap();
    answer.trim_end().to_owned()
}

#[tokio::test]
async fn a_relay_that_hands_over_keeps_its_connections() {
    let old = start(tempfile::tempdir().unwrap());
    let port = free_port();
    let one = echo("one").await;
    set_raw(&old, port, one).await;
    let mut stream = talk(port, "one").await;
    assert_eq!(say(&old, r#"{"leave":{}}"#).await, r#"{"left":{}}"#);
    assert!(!old.folder.path().join("run/relay.sock").exists());
    let Running { folder, task, .. } = old;
    let new = start(folder);
    eventually("the new one serves", async || TcpStream::connect((HERE, port)).await.is_ok()).await;
    talk(port, "one").await;
    still_talks(&mut stream).await;
    assert!(!task.is_finished(), "the old one has a connection yet");
    drop(stream);
    task.await.unwrap().unwrap();
    talk(port, "one").await;
    new.stop.cancel();
}

#[tokio::test]
async fn there_is_one_relay_of_a_folder() {
    let first = start(tempfile::tempdir().unwrap());
    dial(&first).await;
    let clock = kernel::Clock::system();
    let second = relay::run(settings(first.folder.path()), clock, first.stop.clone()).await;
    assert!(matches!(second, Err(RelayError::Taken(_))), "{second:?}");
    assert!(say(&first, r#"{"hello":{}}"#).await.contains(&format!(r#""protocol":{PROTOCOL}"#)));
}

#[tokio::test]
async fn nobody_else_may_speak_to_it() {
    let relay = start(tempfile::tempdir().unwrap());
    dial(&relay).await;
    let mode =
        |path: &str| std::fs::metadata(relay.folder.path().join(path)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("run"), mode("run/relay.sock")), (0o700, 0o600));
}

#[tokio::test]
async fn foreign_bytes_get_a_refusal_and_change_nothing() {
    let relay = start(tempfile::tempdir().unwrap());
    let port = free_port();
    set_raw(&relay, port, echo("one").await).await;
    for foreign in ["", "{}", "null", r#"{"set":{}}"#, r#"{"set":[{"listen_port":70000}]}"#, r#"{"gone":{}}"#]
    {
        let answer = say(&relay, foreign).await;
        assert!(answer.starts_with(r#"{"error":{"reason":"#), "{foreign}: {answer}");
    }
    // A line without an end is not waited for for ever.
    let mut stream = dial(&relay).await;
    let endless = vec![b'x'; 5 * 1024 * 1024];
    let _ = stream.write_all(&endless).await;
    let _ = stream.read_to_end(&mut Vec::new()).await;
    talk(port, "one").await;
}

#[tokio::test]
async fn a_relay_with_nothing_to_do_ends() {
    let folder = tempfile::tempdir().unwrap();
    let brief = Settings { idle: Duration::from_millis(300), ..settings(folder.path()) };
    let stop = tokio_util::sync::CancellationToken::new();
    let task = tokio::spawn(relay::run(brief, kernel::Clock::system(), stop.clone()));
    let relay = Running { folder, stop, task };
    let port = free_port();
    set_raw(&relay, port, echo("one").await).await;
    tokio::time::sleep(Duration::from_millis(600)).await;
    talk(port, "one").await;
    // Nothing to do any more, but somebody still speaks to it.
    let speaker = dial(&relay).await;
    assert_eq!(say(&relay, r#"{"set":[]}"#).await, r#"{"set":{"unbound":[]}}"#);
    tokio::time::sleep(Duration::from_millis(600)).await;
    assert!(!relay.task.is_finished());
    drop(speaker);
    relay.task.await.unwrap().unwrap();
    assert!(!relay.folder.path().join("run/relay.sock").exists());
}

#[tokio::test]
async fn the_keeper_brings_a_relay_back_with_its_table() {
    let (folder, client) = embedded().await;
    let port = free_port();
    client.set(vec![route(port, Some(echo("one").await))]).await.unwrap();
    // The file is no help to it: what the keeper knows is.
    std::fs::remove_file(folder.path().join("run/relay.json")).unwrap();
    let started = client.about().await.unwrap().started_at;
    assert!(Client::leave(&settings(folder.path())).await.unwrap());
    eventually("another serves", async || TcpStream::connect((HERE, port)).await.is_ok()).await;
    talk(port, "one").await;
    assert!(client.about().await.unwrap().started_at > started);
    drop(client);
    eventually("an embedded one ends with its keeper", async || {
        TcpStream::connect((HERE, port)).await.is_err()
    })
    .await;
}

#[tokio::test]
async fn a_relay_of_another_version_is_told_to_leave() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("run")).unwrap();
    let path = folder.path().join("run/relay.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let older = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut stream = BufReader::new(stream);
        let mut heard = Vec::new();
        for answer in [
            r#"{"hello":{"protocol":0,"pid":1,"listen":"127.0.0.1","started_at":"2026-01-15T10:30:00.000Z"}}"#,
            r#"{"left":{}}"#,
        ] {
            let mut line = String::new();
            stream.read_line(&mut line).await.unwrap();
            heard.push(line.trim_end().to_owned());
            if answer.contains("left") {
                std::fs::remove_file(&path).unwrap();
            }
            stream.write_all(format!("{answer}\n").as_bytes()).await.unwrap();
        }
        heard
    });
    let client = Client::connect_or_start(settings(folder.path()), Mode::Embedded).await.unwrap();
    assert_eq!(older.await.unwrap(), [r#"{"hello":{}}"#, r#"{"leave":{}}"#]);
    assert_eq!(client.about().await.unwrap().protocol, PROTOCOL);
}

#[tokio::test]
async fn a_folder_with_a_long_path_is_no_problem() {
    let folder = tempfile::tempdir().unwrap();
    let deep = folder.path().join("a".repeat(120)).join("b".repeat(120));
    let client = Client::connect_or_start(settings(&deep), Mode::Embedded).await.unwrap();
    let port = free_port();
    client.set(vec![route(port, Some(echo("one").await))]).await.unwrap();
    talk(port, "one").await;
}

#[tokio::test]
async fn a_relay_whose_folder_is_gone_lets_nobody_in_any_more() {
    let folder = tempfile::tempdir().unwrap();
    let brief = Settings { idle: Duration::from_millis(300), ..settings(folder.path()) };
    let stop = tokio_util::sync::CancellationToken::new();
    let task = tokio::spawn(relay::run(brief, kernel::Clock::system(), stop.clone()));
    let relay = Running { folder, stop, task };
    let port = free_port();
    set_raw(&relay, port, echo("one").await).await;
    let mut stream = talk(port, "one").await;
    std::fs::remove_dir_all(relay.folder.path().join("run")).unwrap();
    eventually("the port is closed", async || TcpStream::connect((HERE, port)).await.is_err()).await;
    still_talks(&mut stream).await;
    assert!(!relay.task.is_finished(), "it has a connection yet");
    drop(stream);
    relay.task.await.unwrap().unwrap();
}
