//! A backup holds everything, is noticed when damaged, and reads back into either database.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

mod support;

use std::path::Path;

use support::{Machine, PASSWORD, Server, package};

/// A server with a package, a user and a backup made while it runs.
fn market() -> (Machine, Server) {
    let machine = Machine::new();
    machine.user("ada", "admin,publisher");
    let server = machine.serve(&[]);
    let url = server.url("web");
    machine.run_with(&["login", "--server", &url, "--username", "ada", "--password-stdin"], PASSWORD).fine();
    package(&machine.path("small"), "small-thing", "1.0.0");
    machine.run(&["publish", "small"]).fine();
    let made = machine.run(&["backup", "create", "monday", "--data-dir", &machine.data()]).fine();
    assert_eq!(made.out, "monday\n");
    (machine, server)
}

/// The market behind `machine`'s data folder has what the backup had.
fn shows_the_package(machine: &Machine) {
    assert!(machine.admin("user list", "").fine().out.starts_with("ada\t"));
    let server = machine.serve(&[]);
    let url = server.url("web");
    let info = machine.run(&["info", "small-thing", "--server", &url]).fine().out;
    assert!(info.starts_with("small-thing@1.0.0"), "{info}");
    machine.run_with(&["login", "--server", &url, "--username", "ada", "--password-stdin"], PASSWORD).fine();
    package(&machine.path("next"), "small-thing", "1.0.1");
    machine.run(&["publish", "next"]).fine();
    // The file itself came along: the client checks it against the document.
    let registry = server.url("registry");
    let npm = |arguments: &[&str]| {
        let cache = machine.path("npm-cache");
        let run = std::process::Command::new("npm")
            .args(arguments)
            .arg("--registry")
            .arg(format!("{registry}/npm/"))
            .env("npm_config_cache", cache)
            .current_dir(machine.home.path())
            .output()
            .unwrap();
        assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    };
    npm(&["pack", "--silent", "small-thing@1.0.0"]);
    assert!(machine.path("small-thing-1.0.0.tgz").is_file());
}

#[test]
fn from_sqlite_to_sqlite() {
    let (machine, server) = market();
    let verified = machine.run(&["backup", "verify", "monday", "--json"]).fine().json();
    assert_eq!(verified["manifest"]["database"], "sqlite");
    assert_eq!(verified["manifest"]["blobs"], 1);
    machine.run(&["backup", "create", "monday", "--data-dir", &machine.data()]).fails(6, "there already");
    machine
        .run(&["backup", "restore", "monday", "--data-dir", &machine.data()])
        .fails(6, "server is running");
    assert_eq!(server.end("-TERM"), Some(0));
    machine.run(&["backup", "restore", "monday", "--data-dir", &machine.data()]).fails(6, "not empty");

    let other = Machine::new();
    let from = machine.path("monday").display().to_string();
    other.run(&["backup", "restore", &from, "--data-dir", &other.data()]).fine();
    shows_the_package(&other);
}

#[test]
fn from_sqlite_to_postgres_and_back() {
    let Ok(postgres) = std::env::var("FONDACO_TEST_POSTGRES") else {
        eprintln!("FONDACO_TEST_POSTGRES is not set: skipped");
        return;
    };
    let schema = format!("backup_{}", std::process::id());
    let psql = |text: &str| {
        let ran = std::process::Command::new("psql").args([postgres.as_str(), "-qc", text]).output().unwrap();
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    };
    psql(&format!("create schema {schema}"));
    let (machine, _server) = market();
    let from = machine.path("monday").display().to_string();
    let joined = if postgres.contains('?') { '&' } else { '?' };
    let other =
        Machine::new().with("DATABASE_URL", &format!("{postgres}{joined}options=-csearch_path%3D{schema}"));
    other.run(&["backup", "restore", &from, "--data-dir", &other.data()]).fine();
    shows_the_package(&other);
    other.run(&["backup", "create", "tuesday", "--data-dir", &other.data()]).fine();
    let third = Machine::new();
    let from = other.path("tuesday").display().to_string();
    third.run(&["backup", "restore", &from, "--data-dir", &third.data()]).fine();
    assert!(third.admin("audit --json", "").fine().json()["total"].as_i64().unwrap() > 3);
    psql(&format!("drop schema {schema} cascade"));
}

/// What somebody or the disk does to a backup.
type Damage = fn(&Path);

#[test]
fn damage_is_found_wherever_it_is() {
    let (machine, _server) = market();
    let damage: [(&str, Damage); 5] = [
        ("database.jsonl.gz has other bytes", |backup| change(&backup.join("database.jsonl.gz"))),
        ("has other bytes than its name says", |backup| change(&one_blob(backup))),
        ("there are 0 files", |backup| std::fs::remove_file(one_blob(backup)).unwrap()),
        ("no manifest.json", |backup| std::fs::remove_file(backup.join("manifest.json")).unwrap()),
        ("secrets.toml", |backup| std::fs::remove_file(backup.join("secrets.toml")).unwrap()),
    ];
    for (index, (words, damage)) in damage.into_iter().enumerate() {
        let copy = machine.path(&format!("copy-{index}"));
        let copied =
            std::process::Command::new("cp").arg("-r").arg(machine.path("monday")).arg(&copy).status();
        assert!(copied.unwrap().success());
        damage(&copy);
        let copy = copy.display().to_string();
        let verified = machine.run(&["backup", "verify", &copy]);
        assert!(verified.code != 0 && verified.err.contains(words), "{words}: {}", verified.err);
        let other = Machine::new();
        assert_ne!(other.run(&["backup", "restore", &copy, "--data-dir", &other.data()]).code, 0);
        assert_eq!(other.admin("user list --json", "").fine().json()["total"], 0);
    }
}

#[test]
fn a_backup_of_a_newer_version_is_refused() {
    let (machine, _server) = market();
    let path = machine.path("monday/manifest.json");
    let manifest = std::fs::read_to_string(&path).unwrap();
    let newer = manifest.replace("0001_identity.sql", "0009_identity.sql");
    std::fs::write(&path, newer).unwrap();
    let other = Machine::new();
    let from = machine.path("monday").display().to_string();
    other.run(&["backup", "restore", &from, "--data-dir", &other.data()]).fails(6, "newer version");
    std::fs::write(&path, manifest.replace("\"format\": 1", "\"format\": 2")).unwrap();
    other.run(&["backup", "restore", &from, "--data-dir", &other.data()]).fails(6, "its form is 2");
}

fn change(path: &Path) {
    let mut bytes = std::fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(path, bytes).unwrap();
}

fn one_blob(backup: &Path) -> std::path::PathBuf {
    let mut path = backup.join("blobs");
    while path.is_dir() {
        path = std::fs::read_dir(&path).unwrap().next().unwrap().unwrap().path();
    }
    path
}
