//! The server from outside: start, stop, one at a time, and the client commands against it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

mod support;

use support::{Machine, PASSWORD, Server, eventually, package};

#[test]
fn it_tells_where_it_is_and_ends_cleanly() {
    let machine = Machine::new();
    for signal in ["-TERM", "-INT"] {
        let server = machine.serve(&[]);
        assert!(server.addresses["pid"].is_u64());
        for name in ["api", "registry", "web", "services", "orchestrator"] {
            assert!(server.url(name).starts_with("http://127.0.0.1:"), "{name}");
        }
        let second = machine.run(&["serve", "--data-dir", &machine.data()]);
        assert_ne!(second.code, 0);
        assert!(second.err.contains("nother fondaco server is running"), "{}", second.err);
        assert_eq!(server.end(signal), Some(0));
        assert!(!machine.path("data/ready.json").exists());
    }
    let only = machine.serve(&["--role", "registry,worker"]);
    assert!(only.addresses["web"].is_null() && only.addresses["registry"].is_string());
}

#[test]
fn the_data_folder_is_private() {
    use std::os::unix::fs::PermissionsExt;
    let machine = Machine::new();
    let _server = machine.serve(&[]);
    let mode = |name: &str| std::fs::metadata(machine.path(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode("data"), 0o700);
    eventually(|| machine.path("data/setup-link").exists());
    assert_eq!((mode("data/secrets.toml"), mode("data/setup-link")), (0o600, 0o600));
    assert!(
        std::fs::read_to_string(machine.path("data/setup-link")).unwrap().starts_with("http://127.0.0.1:")
    );
}

fn login(machine: &Machine, server: &Server, name: &str) {
    let url = server.url("web");
    let arguments = ["login", "--server", &url, "--username", name, "--password-stdin"];
    machine.run_with(&arguments, PASSWORD).fine();
}

#[test]
fn a_person_signs_in_publishes_finds_and_signs_out() {
    use std::os::unix::fs::PermissionsExt;
    let machine = Machine::new();
    machine.user("ada", "publisher,user");
    let server = machine.serve(&[]);
    let url = server.url("web");
    let wrong = ["login", "--server", &url, "--username", "ada", "--password-stdin"];
    machine.run_with(&wrong, "wrong password").fails(4, "name or the password is wrong");
    login(&machine, &server, "ada");
    let stored = machine.path(".config/fondaco/credentials.toml");
    assert_eq!(std::fs::metadata(&stored).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(machine.run(&["whoami"]).fine().out, "ada\n");

    package(&machine.path("small"), "small-thing", "1.0.0");
    let dry = machine.run(&["publish", "small", "--dry-run"]).fine();
    assert!(dry.err.contains("package.json") && dry.err.contains("dry run"), "{}", dry.err);
    machine.run(&["info", "small-thing"]).fails(5, "next:");
    let published = machine.run(&["publish", "small"]).fine();
    assert_eq!(published.out, "small-thing@1.0.0\n");
    machine.run(&["publish", "small"]).fails(6, "1.0.0");
    package(&machine.path("small"), "small-thing", "1.1.0-rc.1");
    let next = machine.run(&["publish", "small", "--tag", "next", "--json"]).fine().json();
    assert_eq!((next["tag"].as_str(), next["files"].as_i64()), (Some("next"), Some(3)));

    let info = machine.run(&["info", "small-thing"]).fine().out;
    assert!(info.starts_with("small-thing@1.0.0\n") && info.contains("A small package"), "{info}");
    assert_eq!(
        machine.run(&["info", "small-thing@1.1.0-rc.1", "--json"]).fine().json()["versions"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    machine.run(&["info", "small-thing@9.9.9"]).fails(5, "no release 9.9.9");
    eventually(|| machine.run(&["search", "small"]).fine().out.starts_with("small-thing\t"));

    let token = machine
        .run(&["token", "create", "--name", "ci", "--scopes", "publish", "--expires", "7d"])
        .fine()
        .out;
    assert!(token.starts_with("elk_"), "{token}");
    let listed = machine.run(&["token", "list"]).fine().out;
    let id =
        listed.lines().find(|line| line.contains("\tci\t")).unwrap().split('\t').next().unwrap().to_owned();
    machine.run(&["token", "revoke", &id]).fine();
    machine.run(&["token", "revoke", &id]).fails(5, "token");

    machine.run(&["config", "npm", "--with-token", "--write"]).fine();
    assert!(std::fs::read_to_string(machine.path(".npmrc")).unwrap().contains("_authToken=elk_"));
    machine.run(&["logout"]).fine();
    machine.run(&["whoami", "--server", &url]).fails(4, "fondaco login");
    assert_eq!(server.end("-TERM"), Some(0));
}

#[test]
fn a_token_signs_in_and_a_stored_one_stays_with_its_server() {
    let machine = Machine::new();
    machine.user("ada", "publisher");
    let token = machine.admin("token create --user ada", "").fine().out;
    let server = machine.serve(&[]);
    let url = server.url("web");
    machine.run_with(&["login", "--server", &url, "--with-token"], "elk_nonsense").fails(4, "");
    machine.run_with(&["login", "--server", &url, "--with-token"], &token).fine();
    assert_eq!(machine.run(&["whoami", "--json"]).fine().json()["username"], "ada");
    machine
        .run(&["whoami", "--server", "http://127.0.0.1:1"])
        .fails(4, "Nobody is signed in to http://127.0.0.1:1");
    machine.run(&["whoami", "--profile", "other", "--server", &url]).fails(4, "Nobody is signed in");
}

#[test]
fn doctor_knows_a_running_server() {
    let machine = Machine::new();
    let server = machine.serve(&[]);
    let port = |name: &str| server.url(name).rsplit(':').next().unwrap().to_owned();
    let beside = [
        "PORT:api",
        "MARKETPLACE_PORT:services",
        "ORCHESTRATOR_PORT:orchestrator",
        "REGISTRY_PORT:registry",
        "DASHBOARD_PORT:web",
    ];
    let mut command = machine.command();
    for pair in beside {
        let (variable, name) = pair.split_once(':').unwrap();
        command.env(variable, port(name));
    }
    let output = command.args(["doctor", "--data-dir", &machine.data()]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}");
    assert!(text.matches("a fondaco server answers").count() == 5, "{text}");
}
