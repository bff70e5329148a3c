//! The relay as a process of its own: it goes on when the server is killed, and comes back when it is killed itself.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]
#![allow(clippy::disallowed_methods, reason = "the test waits for other processes, and blocks nobody")]

mod support;

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use relay::{Client, Mode, Route, Settings};
use rustix::io::{FdFlags, fcntl_setfd};
use rustix::process::{Pid, Signal, kill_process, kill_process_group, test_kill_process};
use serde_json::Value;
use support::Machine;
use tempfile::TempDir;

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// The folder of a relay, which is ended with the test, whatever becomes of that.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn status(&self) -> Option<Value> {
        let folder = self.path().to_str().unwrap();
        let ran = Machine::new().run(&["relay", "--status", "--json", "--data-dir", folder]);
        (ran.code == 0).then(|| ran.json())
    }

    fn pid(&self) -> Option<Pid> {
        Pid::from_raw(self.status()?["pid"].as_i64()?.try_into().unwrap())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(pid) = self.pid() {
            let _ = kill_process(pid, Signal::KILL);
        }
    }
}

fn settings(folder: &Path) -> Settings {
    Settings { data_dir: folder.to_owned(), listen: HERE, idle: Duration::from_secs(120) }
}

fn detached() -> Mode {
    Mode::Detached { program: PathBuf::from(env!("CARGO_BIN_EXE_fondaco")) }
}

fn free_port() -> u16 {
    TcpListener::bind((HERE, 0)).unwrap().local_addr().unwrap().port()
}

/// Something that says everything back.
fn echo() -> SocketAddr {
    let listener = TcpListener::bind((HERE, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            std::thread::spawn(move || std::io::copy(&mut stream.try_clone().unwrap(), &mut stream));
        }
    });
    address
}

fn talks(stream: &mut TcpStream) -> bool {
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let mut heard = [0; 4];
    stream.write_all(b"ping").is_ok() && stream.read_exact(&mut heard).is_ok() && &heard == b"ping"
}

fn serves(port: u16) -> bool {
    TcpStream::connect((HERE, port)).is_ok_and(|mut stream| talks(&mut stream))
}

fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let until = Instant::now() + Duration::from_secs(20);
    while !holds() {
        assert!(Instant::now() < until, "not within 20 seconds: {what}");
        sleep(Duration::from_millis(20));
    }
}

/// What the server does, in a process that a test can kill. Not a test: the one below starts it.
#[tokio::test]
#[ignore = "another test starts this one as a process"]
async fn controlling_side() {
    let Ok(folder) = std::env::var("RELAY_FOLDER") else { return };
    let client = Client::connect_or_start(settings(Path::new(&folder)), detached()).await.unwrap();
    let table: Vec<Route> = serde_json::from_str(&std::env::var("RELAY_TABLE").unwrap()).unwrap();
    assert_eq!(client.set(table).await.unwrap(), []);
    std::fs::write(Path::new(&folder).join("told"), "").unwrap();
    tokio::time::sleep(Duration::from_secs(60)).await;
}

#[test]
fn nothing_of_the_server_stays_open_in_the_relay() {
    let place = Place::new();
    // A pipe that whoever started the server waits to be closed, such as one for its output.
    let (mut end, given) = std::io::pipe().unwrap();
    fcntl_setfd(&given, FdFlags::empty()).unwrap();
    let mut server = start_controlling_side(place.path(), &table(free_port()));
    drop(given);
    kill_process_group(Pid::from_child(&server), Signal::KILL).unwrap();
    server.wait().unwrap();
    assert!(place.status().is_some());
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || tell.send(end.read(&mut [0])));
    let read = told.recv_timeout(Duration::from_secs(10)).expect("the relay holds the pipe open");
    assert_eq!(read.unwrap(), 0);
}

fn start_controlling_side(folder: &Path, table: &[Route]) -> Child {
    let _ = std::fs::remove_file(folder.join("told"));
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "controlling_side", "--ignored"])
        .env("RELAY_FOLDER", folder)
        .env("RELAY_TABLE", serde_json::to_string(table).unwrap())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        // A group of its own, so that the test can kill everything that does not leave it.
        .process_group(0)
        .spawn()
        .unwrap();
    eventually("the relay is told", || folder.join("told").exists());
    child
}

fn table(port: u16) -> Vec<Route> {
    vec![Route {
        listen_port: port,
        target: Some(echo()),
        deployment: "deploy-1".to_owned(),
        max_connections: 10,
    }]
}

#[test]
fn what_is_served_goes_on_when_the_server_is_killed() {
    let place = Place::new();
    let port = free_port();
    let table = table(port);
    let mut server = start_controlling_side(place.path(), &table);
    let relay = place.pid().unwrap();
    let mut stream = TcpStream::connect((HERE, port)).unwrap();
    assert!(talks(&mut stream));
    kill_process_group(Pid::from_child(&server), Signal::KILL).unwrap();
    server.wait().unwrap();
    assert!(talks(&mut stream), "the connection ended with the server");
    assert!(serves(port), "nobody is let in any more");
    // The next server finds the same relay, and what is unchanged stays untouched.
    let mut server = start_controlling_side(place.path(), &table);
    assert_eq!(place.pid(), Some(relay));
    assert!(talks(&mut stream), "the connection ended with the next server");
    kill_process_group(Pid::from_child(&server), Signal::KILL).unwrap();
    server.wait().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_relay_that_is_killed_comes_back_at_once() {
    let place = Place::new();
    let port = free_port();
    let client = Client::connect_or_start(settings(place.path()), detached()).await.unwrap();
    client.set(table(port)).await.unwrap();
    for _ in 0..3 {
        let pid = Pid::from_raw(client.about().await.unwrap().pid.try_into().unwrap()).unwrap();
        assert!(serves(port));
        let killed = Instant::now();
        kill_process(pid, Signal::KILL).unwrap();
        eventually("it serves again", || serves(port));
        eprintln!("served again after {:?}", killed.elapsed());
        assert_ne!(client.about().await.unwrap().pid, pid.as_raw_nonzero().get().unsigned_abs());
    }
}

#[test]
fn a_relay_that_is_started_alone_serves_what_it_served_last() {
    let place = Place::new();
    let port = free_port();
    let mut server = start_controlling_side(place.path(), &table(port));
    kill_process_group(Pid::from_child(&server), Signal::KILL).unwrap();
    server.wait().unwrap();
    kill_process(place.pid().unwrap(), Signal::KILL).unwrap();
    eventually("the port is closed", || TcpStream::connect((HERE, port)).is_err());
    let relay = Command::new(env!("CARGO_BIN_EXE_fondaco"))
        .args(["relay", "--data-dir", place.path().to_str().unwrap()])
        .spawn()
        .unwrap();
    eventually("it serves", || serves(port));
    let mut relay = relay;
    kill_process(Pid::from_child(&relay), Signal::TERM).unwrap();
    assert_eq!(relay.wait().unwrap().code(), Some(0));
}

#[test]
fn an_operator_can_look_at_it_and_end_it() {
    let place = Place::new();
    let folder = place.path().to_str().unwrap().to_owned();
    let machine = Machine::new();
    machine.run(&["relay", "--status", "--data-dir", &folder]).fails(5, "No relay runs here");
    assert!(
        machine.run(&["relay", "--stop", "--data-dir", &folder]).fine().err.contains("No relay runs here.")
    );
    let port = free_port();
    let mut server = start_controlling_side(place.path(), &table(port));
    let status = place.status().unwrap();
    assert_eq!((&status["routes"][0]["listen_port"], &status["connections"]), (&port.into(), &0.into()));
    let shown = machine.run(&["relay", "--status", "--data-dir", &folder]).fine();
    assert!(shown.out.starts_with(&format!("{port}\tdeploy-1\t127.0.0.1:")), "{shown:?}");
    let second = machine.run(&["relay", "--data-dir", &folder]);
    second.fails(6, "There is a relay already");
    kill_process_group(Pid::from_child(&server), Signal::KILL).unwrap();
    server.wait().unwrap();
    let pid = place.pid().unwrap();
    machine.run(&["relay", "--stop", "--data-dir", &folder]).fine();
    eventually("it has ended", || test_kill_process(pid).is_err() || place.status().is_none());
    assert!(TcpStream::connect((HERE, port)).is_err());
}
