//! Demo data: once, whole, and never into a market in use.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

mod support;

use std::process::Stdio;
use std::time::Duration;

use support::{Machine, wait};

#[test]
fn it_fills_an_empty_market_once() {
    let machine = Machine::new();
    let data = machine.data();
    let made = machine.run(&["demo", "--data-dir", &data, "--json"]).fine().json();
    assert_eq!(made["accounts"][0]["username"], "demo");
    let password = made["accounts"][1]["password"].as_str().unwrap().to_owned();
    let again = machine.run(&["demo", "--data-dir", &data]).fine();
    assert!(
        again.err.contains("was there already") && !again.out.contains(&password),
        "{}{}",
        again.out,
        again.err
    );
    let users = machine.admin("user list --json", "").fine().json();
    assert_eq!(users["total"], 2);

    let server = machine.serve(&["--demo"]);
    let url = server.url("web");
    let login = |name: &str, password: &str| {
        machine
            .run_with(&["login", "--server", &url, "--username", name, "--password-stdin"], password)
            .fine()
    };
    login("demo-admin", &password);
    login("demo", "demo123");
    let http = machine.run(&["info", "@elide/http", "--json"]).fine().json();
    let versions: Vec<&str> =
        http["versions"].as_array().unwrap().iter().filter_map(|v| v["version"].as_str()).collect();
    assert_eq!(versions.len(), 4, "{versions:?}");
    assert_eq!(http["downloads"], 0);
    assert!(machine.run(&["info", "@elide/http"]).fine().out.starts_with("@elide/http@2.0.0\n"));
    for name in ["@elide/router", "@elide/log", "@elide/retry", "request-lite"] {
        machine.run(&["info", name]).fine();
    }
}

#[test]
fn a_market_in_use_is_refused() {
    let machine = Machine::new();
    machine.user("ada", "admin");
    machine.run(&["demo", "--data-dir", &machine.data()]).fails(6, "no demo data");
    assert_eq!(machine.admin("user list --json", "").fine().json()["total"], 1);
}

#[test]
fn a_run_that_was_killed_is_taken_up_again() {
    for milliseconds in [60, 120, 200, 320] {
        let machine = Machine::new();
        let data = machine.data();
        let mut command = machine.command();
        command.args(["demo", "--data-dir", &data]).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        wait(Duration::from_millis(milliseconds));
        child.kill().unwrap();
        child.wait().unwrap();
        machine.run(&["demo", "--data-dir", &data]).fine();
        let server = machine.serve(&[]);
        let found =
            machine.run(&["info", "@elide/http", "--json", "--server", &server.url("web")]).fine().json();
        assert_eq!(found["versions"].as_array().unwrap().len(), 4, "killed after {milliseconds} ms");
    }
}
