//! `check`, `migrate` and `doctor` on a machine without a running server.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

mod support;

use support::Machine;

#[test]
fn check_shows_sources_and_no_secret() {
    let machine = Machine::new()
        .with("JWT_SECRET", "hunter2-hunter2-hunter2-hunter2-hunter2")
        .with("DATABASE_URL", "postgres://u:hunter2@localhost/x")
        .with("FONDACO_STORAGE__SECRET_KEY", "hunter2")
        .with("AWS_ACCESS_KEY_ID", "hunter2")
        .with("SMTP_PASS", "hunter2")
        .with("REGISTRY_DATABASE_PATH", "y.db");
    let file = "[server]\nweb_port = 9999\n[[registry.uplinks]]\nname = \"up\"\nurl = \"https://example.com\"\ntoken = \"hunter2\"\n";
    std::fs::write(machine.path("fondaco.toml"), file).unwrap();
    for arguments in [&["check"][..], &["check", "--json"], &["check", "-vv"], &["doctor", "--timeout", "1s"]]
    {
        let ran = machine.run(arguments);
        assert!(
            !format!("{}{}", ran.out, ran.err).contains("hunter2"),
            "{arguments:?}: {}{}",
            ran.out,
            ran.err
        );
    }
    let ran = machine.run(&["check"]).fine();
    assert!(ran.out.contains("server.web_port\t9999\tfondaco.toml:2"), "{}", ran.out);
    assert!(ran.out.contains("auth.jwt_secret\thidden\tenvironment JWT_SECRET"), "{}", ran.out);
    assert!(ran.out.contains("server.listen\t127.0.0.1\tdefault"), "{}", ran.out);
    assert!(ran.out.contains("registry.uplinks\tup https://example.com\tfondaco.toml:3"), "{}", ran.out);
    assert!(ran.err.contains("REGISTRY_DATABASE_PATH is set and not used: one database"), "{}", ran.err);
    let json = machine.run(&["check", "--json"]).fine().json();
    let secret = json["settings"]
        .as_array()
        .unwrap()
        .iter()
        .find(|entry| entry["key"] == "storage.access_key")
        .unwrap();
    assert_eq!(secret["value"], "hidden");
    assert_eq!(secret["source"], "environment AWS_ACCESS_KEY_ID");
}

#[test]
fn wrong_settings_are_all_told_at_once() {
    let machine = Machine::new().with("PORT", "x").with("FONDACO_SERVER__LSTEN", "1");
    let ran = machine.run(&["check"]).fails(2, "environment PORT (server.api_port)");
    assert!(ran.err.contains("did you mean FONDACO_SERVER__LISTEN?"), "{}", ran.err);
    machine.run(&["serve"]).fails(2, "Nothing was started");
}

#[test]
fn migrate_shows_then_does() {
    let machine = Machine::new();
    let dry = machine.run(&["migrate", "--dry-run", "--data-dir", "data"]).fine();
    assert!(dry.out.contains("identity/0001_identity.sql"), "{}", dry.out);
    assert!(!machine.path("data").exists());
    let done = machine.run(&["migrate", "--data-dir", "data"]).fine();
    assert_eq!(sorted(&done.out), sorted(&dry.out));
    let again = machine.run(&["migrate", "--data-dir", "data", "--json"]).fine();
    assert_eq!(again.json()["migrations"], serde_json::json!([]));
}

fn sorted(text: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    lines
}

#[test]
fn doctor_finds_what_is_wrong_and_mends_what_it_may() {
    use std::os::unix::fs::PermissionsExt;
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let zero = |machine: Machine| {
        ["MARKETPLACE_PORT", "ORCHESTRATOR_PORT", "REGISTRY_PORT", "DASHBOARD_PORT"]
            .into_iter()
            .fold(machine, |machine, name| machine.with(name, "0"))
    };
    let machine = zero(Machine::new().with("PORT", "0"));
    std::fs::create_dir(machine.path("data")).unwrap();
    std::fs::set_permissions(machine.path("data"), std::fs::Permissions::from_mode(0o755)).unwrap();
    let ran = machine.run(&["doctor", "--data-dir", "data"]).fine();
    assert!(ran.out.contains("can be read by others (mode 755)"), "{}", ran.out);
    assert!(machine.run(&["doctor", "--data-dir", "data", "--fix"]).fine().out.contains("mended"));
    let checks = machine.run(&["doctor", "--data-dir", "data", "--json"]).fine().json();
    // What deployments run on is a matter of the machine; the server works without.
    let of_the_engine = ["engine", "disk quotas", "isolation", "service images"];
    let is_fine = |check: &serde_json::Value| {
        check["result"] == "ok" || of_the_engine.contains(&check["check"].as_str().unwrap_or_default())
    };
    assert!(checks["checks"].as_array().unwrap().iter().all(is_fine), "{checks}");

    let machine =
        zero(Machine::new().with("PORT", &port).with("SMTP_HOST", "127.0.0.1").with("SMTP_PORT", "1"));
    let ran = machine.run(&["doctor", "--timeout", "1s"]);
    assert_eq!(ran.code, 1, "{}", ran.out);
    assert!(
        ran.out.contains("set PORT to another port") && ran.out.contains("check mail.smtp_host"),
        "{}",
        ran.out
    );
}
