//! A market with demo data, and people who buy in it.

use serde_json::Value;

use super::{Machine, PASSWORD, Server};

/// A market with demo data, and its user `demo` signed in: a member of the organisation that sells.
pub(crate) fn market(machine: Machine) -> (Machine, Server) {
    let server = machine.serve(&["--demo", "--rate-limits", "off"]);
    let url = server.url("web");
    let login = ["login", "--server", &url, "--username", "demo", "--password-stdin"];
    machine.run_with(&login, "demo123").fine();
    (machine, server)
}

/// Somebody else, in a profile of the same name.
pub(crate) fn another(machine: &Machine, server: &Server, name: &str) {
    machine.user(name, "user");
    let url = server.url("web");
    let login = ["login", "--server", &url, "--profile", name, "--username", name, "--password-stdin"];
    machine.run_with(&login, PASSWORD).fine();
}

/// The demo's listing with this title.
pub(crate) fn listing(machine: &Machine, words: &str) -> Value {
    let found = machine.run(&["market", "list", words, "--json"]).fine().json();
    found["items"][0].clone()
}

pub(crate) fn id(value: &Value) -> String {
    value["id"].as_str().unwrap_or_else(|| panic!("no id in {value}")).to_owned()
}

/// The offer of a listing with this name.
pub(crate) fn offer(listing: &Value, name: &str) -> String {
    id(listing["offers"].as_array().unwrap().iter().find(|offer| offer["name"] == name).unwrap())
}

pub(crate) fn place(machine: &Machine, offer: &str, quantity: &str) -> String {
    machine.run(&["order", "place", "--offer", offer, "--quantity", quantity]).fine().out.trim().to_owned()
}

pub(crate) fn pay(machine: &Machine, order: &str) {
    machine.run(&["order", "pay", order, "--token", "tok_visa"]).fine();
}
