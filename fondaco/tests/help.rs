//! What the program says of itself, and the exit codes that need no server.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

mod support;

use support::Machine;

#[test]
fn help_of_every_command() {
    let machine = Machine::new();
    let commands = machine.run(&["commands"]).fine().out;
    let mut text = machine.run(&["-h"]).fine().out;
    for line in commands.lines() {
        let path = line.split('\t').next().unwrap().strip_prefix("fondaco ").unwrap();
        let mut arguments: Vec<&str> = path.split(' ').collect();
        arguments.push("-h");
        let help = machine.run(&arguments).fine().out;
        // What every command has stands once, at the root.
        let own = help.split("Global options:").next().unwrap();
        let examples = help.find("Examples:").map(|at| &help[at..]).unwrap_or_default();
        text.push_str(&format!("\n---- fondaco {path}\n{own}{examples}"));
    }
    insta::assert_snapshot!("help", text);
}

#[test]
fn programs_can_read_the_commands() {
    let tree = Machine::new().run(&["commands", "--json"]).fine().json();
    assert_eq!(tree["command"], "fondaco");
    let publish =
        tree["commands"].as_array().unwrap().iter().find(|c| c["command"] == "fondaco publish").unwrap();
    let flags: Vec<&str> =
        publish["arguments"].as_array().unwrap().iter().filter_map(|a| a["flag"].as_str()).collect();
    assert_eq!(flags, ["--dry-run", "--tag", "--access"]);
}

#[test]
fn wrong_usage_ends_with_2_and_a_guess() {
    let machine = Machine::new();
    machine.run(&["publsh"]).fails(2, "publish");
    machine.run(&["search"]).fails(2, "WORDS");
    machine.run(&["login", "--no-input"]).fails(2, "--with-token");
    machine.run(&["login", "--username", "ada"]).fails(2, "--password-stdin");
    machine.run(&["whoami", "--server", "ftp://x"]).fails(2, "`ftp://x` is no server");
    machine
        .run(&["serve", "--listen", "nowhere"])
        .fails(2, "flag --listen (server.listen): `nowhere` is no IP address");
    machine.run(&["serve", "--role", "cook"]).fails(2, "`cook` is none of api");
}

#[test]
fn without_a_server_there_are_codes_4_and_75() {
    let machine = Machine::new();
    let nowhere = ["--server", "http://127.0.0.1:1"];
    machine.run(&["whoami", nowhere[0], nowhere[1]]).fails(4, "next: fondaco login");
    let gone = machine.run(&["search", "x", nowhere[0], nowhere[1], "--json"]).fails(75, "");
    let problem: serde_json::Value = serde_json::from_str(&gone.err).unwrap();
    assert_eq!((problem["code"].as_str(), problem["exitCode"].as_i64()), (Some("cli.unreachable"), Some(75)));
    assert_eq!(gone.out, "");
}

#[test]
fn the_seeds_variables_and_ours_name_the_server() {
    for (name, value) in [
        ("FONDACO_SERVER", "http://127.0.0.1:1"),
        ("FONDACO_URL", "http://127.0.0.1:1/"),
        ("ELIDE_API_URL", "http://127.0.0.1:1"),
    ] {
        Machine::new()
            .with(name, value)
            .run(&["search", "x"])
            .fails(75, "http://127.0.0.1:1 cannot be reached");
    }
    let npmrc =
        Machine::new().with("ELIDE_REGISTRY_URL", "http://127.0.0.1:4873").run(&["config", "npm"]).fine().out;
    assert_eq!(
        npmrc,
        "registry=http://127.0.0.1:4873/npm/\n//127.0.0.1:4873/npm/:_authToken=${FONDACO_TOKEN}\n"
    );
}

#[test]
fn colours_obey_the_usual_variables() {
    let red = |machine: Machine, arguments: &[&str]| machine.run(arguments).err.contains("\x1b[31m");
    assert!(!red(Machine::new(), &["whoami"]));
    assert!(red(Machine::new().with("CLICOLOR_FORCE", "1"), &["whoami"]));
    assert!(!red(Machine::new().with("CLICOLOR_FORCE", "1").with("NO_COLOR", "1"), &["whoami"]));
    assert!(red(Machine::new().with("NO_COLOR", "1"), &["whoami", "--color", "always"]));
    assert!(!red(Machine::new(), &["whoami", "--color", "always", "--no-color"]));
}

#[test]
fn completions_are_scripts() {
    for shell in ["bash", "zsh", "fish"] {
        let script = Machine::new().run(&["completion", shell]).fine().out;
        assert!(script.contains("fondaco") && script.contains("publish"), "{shell}");
    }
    let version = Machine::new().run(&["version", "--json"]).fine().json();
    assert_eq!(version["version"], env!("CARGO_PKG_VERSION"));
}
