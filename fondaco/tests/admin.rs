//! The operator's commands, before the first start and beside a running server.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

mod support;

use fondaco::config::Sources;
use fondaco::data::DataDir;
use fondaco::rooms::{Addresses, Rooms};
use store::{StoreError, Tx};
use support::{Machine, PASSWORD};

#[test]
fn before_the_first_start_and_while_it_runs() {
    let machine = Machine::new();
    machine.user("ada", "admin,publisher");
    let token = machine.admin("token create --user ada", "").fine().out;
    assert!(
        token.starts_with("elk_") && token.trim_end().len() == 40 && token.lines().count() == 1,
        "{token}"
    );

    let server = machine.serve(&[]);
    machine.user("bob", "user");
    let made = machine
        .admin("token create --user bob --scopes read --expires 7d --name ci --json", "")
        .fine()
        .json();
    assert!(made["token"].as_str().unwrap().starts_with("elk_"));
    assert_eq!(made["scopes"], serde_json::json!(["read"]));
    let whoami = |token: &str| {
        let client = Machine::new().with("FONDACO_TOKEN", token.trim());
        client.run(&["whoami", "--server", &server.url("web")])
    };
    assert_eq!(whoami(&token).fine().out, "ada\n");
    assert_eq!(whoami(made["token"].as_str().unwrap()).fine().out, "bob\n");
    let revoke = format!("token revoke {}", made["tokenId"].as_str().unwrap());
    machine.admin(&revoke, "").fine();
    machine.admin(&revoke, "").fails(5, "no such token");
    whoami("elk_nonsense").fails(4, "login");
}

#[test]
fn users_are_made_listed_changed_and_disabled() {
    let machine = Machine::new();
    machine.user("ada", "admin");
    machine
        .admin("user create --username ada --email a2@example.com --password-stdin", PASSWORD)
        .fails(6, "taken");
    let wrong = machine.admin("user create --username A! --email nope --password-stdin", "short");
    for field in ["username:", "email:", "password:"] {
        assert!(wrong.err.contains(field), "{}", wrong.err);
    }
    let made = machine.admin("user create --username bob --email bob@example.com --json", "").fine().json();
    assert!(made["password"].as_str().unwrap().len() >= 16);
    assert!(made["userId"].as_str().unwrap().starts_with("user-"));
    assert!(made["token"].as_str().unwrap().starts_with("elk_"));
    let alone =
        machine.admin("user create --username eve --email eve@example.com --password-stdin", PASSWORD).fine();
    assert!(alone.out.starts_with("elk_") && alone.out.lines().count() == 1, "{}", alone.out);
    machine.admin("user disable --user eve", "").fine();
    let listed = machine.admin("user list --json", "").fine().json();
    assert_eq!(listed["total"], 3);
    assert!(
        machine.admin("user list --search bob", "").fine().out.starts_with("bob\tbob@example.com\tactive")
    );
    let bob = machine.admin("user set-roles --user bob --role admin,user --json", "").fine().json();
    assert_eq!(bob["roles"], serde_json::json!(["user", "admin"]));
    machine.admin("user set-roles --user bob --role cook", "").fails(2, "The roles are user");
    machine.admin("user set-roles --user ada --role user", "").fine();
    machine.admin("user disable --user bob", "").fails(6, "last operator");
    machine.admin("user disable --user ada", "").fine();
    assert!(machine.admin("user list --search ada", "").fine().out.contains("disabled"));
    machine.admin("user enable --user ada", "").fine();
    assert!(machine.admin("user reset-password --user ada", "").fine().out.trim_end().len() >= 16);
    machine.admin("user reset-password --user ada --password-stdin", "short").fails(1, "password:");
    machine.admin("token create --user nobody", "").fails(5, "no user called nobody");
}

#[test]
fn the_trail_names_what_was_done() {
    let machine = Machine::new();
    machine.user("ada", "admin");
    machine.admin("token create --user ada --name ci", "").fine();
    let all = machine.admin("audit --json", "").fine().json();
    // The account, the token that came with it, and the one for CI.
    assert_eq!(all["total"], 3);
    assert_eq!(all["entries"][0]["action"], "token.created");
    assert_eq!(all["entries"][0]["actorName"], "system");
    assert!(!all.to_string().contains("elk_"));
    assert_eq!(machine.admin("audit --action account", "").fine().out.lines().count(), 1);
    assert_eq!(machine.admin("audit --since 1h", "").fine().out.lines().count(), 3);
    machine.admin("audit --since yesterday", "").fails(2, "is no time");
}

/// Puts a job into the queue that no runner takes: the program is not running.
fn enqueue(folder: &std::path::Path) -> String {
    let flags = vec![("server.data_dir", "--data-dir", folder.display().to_string())];
    let sources = Sources { flags, environment: Default::default(), file: None };
    let config = sources.load().unwrap().config;
    let work = async {
        let data = DataDir::open(folder).unwrap();
        let rooms = Rooms::open(&config, &data, &Addresses::of(&config)).await.unwrap();
        let now = rooms.clock.now();
        let enqueue = async move |tx: &mut Tx| {
            let job = jobs::NewJob::new("test.work", &"payload").map_err(|_| StoreError::Closed)?;
            jobs::enqueue(tx, &job, now).await
        };
        rooms.store.write(enqueue).await.unwrap().to_string()
    };
    tokio::runtime::Runtime::new().unwrap().block_on(work)
}

#[test]
fn jobs_are_listed_stopped_and_tried_again() {
    let machine = Machine::new();
    machine.user("ada", "admin");
    let id = enqueue(machine.data().as_ref());
    let listed = machine.admin("jobs list --state waiting --kind test.work --json", "").fine().json();
    assert_eq!((&listed["total"], &listed["jobs"][0]["id"]), (&1.into(), &id.as_str().into()), "{listed}");
    let stopped = machine.admin(&format!("jobs cancel {id} --json"), "").fine().json();
    assert_eq!(stopped["state"], "cancelled");
    assert!(!stopped.to_string().contains("payload"), "what a job is about is nobody's business");
    machine.admin(&format!("jobs cancel {id}"), "").fails(6, "cancelled");
    let again = machine.admin(&format!("jobs retry {id} --json"), "").fine().json();
    assert_eq!(again["state"], "waiting");
    machine.admin(&format!("jobs retry {id}"), "").fails(6, "waiting");
    let trail = machine.admin("audit --action job", "").fine().out;
    assert!(trail.contains("job.cancelled") && trail.contains("job.retried"), "{trail}");
    machine.admin("jobs cancel job-nonsense", "").fails(5, "no such job");
    machine.admin("jobs list --state asleep", "").fails(2, "waiting, running, done, dead or cancelled");
}
