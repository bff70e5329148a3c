//! A market with services, people, and an engine in memory.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, clippy::panic)]

use std::path::Path;
use std::sync::{Arc, Mutex};

use blobs::{BlobConfig, Blobs};
use containers::memory::Memory;
use identity::{Actor, Caller, Identity, Role, Roles, Scopes, Via};
use kernel::{Clock, Problem, Secret, Timestamp};
use services::{Doors, NewDeployment, Paid, Reconciler, ServiceError, Services, Settings};
use store::{Migrations, Store, Tx};
use vault::Vault;
use web::Ctx;
use web::idempotency::{Key, Request};

pub fn migrations() -> [Migrations; 6] {
    [
        web::MIGRATIONS,
        jobs::MIGRATIONS,
        blobs::MIGRATIONS,
        events::MIGRATIONS,
        identity::MIGRATIONS,
        services::MIGRATIONS,
    ]
}

/// A service that the engine in memory can run: its program sleeps, its probe is a command.
pub const SLEEPER: &str = r#"
id: svc-sleeper
slug: sleeper
name: Sleeper
category: compute
summary: It sleeps.
description: It sleeps.
icon: moon
versions: ["1"]
regions: [here, there]
sla: { uptime: 99.9, responseTime: 50, support: none }
plans:
  - { id: free, name: Free, pricing: free, cpu: 0.1, memory: 32 MiB, disk: 16 MiB }
  - { id: big, name: Big, pricing: free, cpu: 0.5, memory: 64 MiB, disk: 32 MiB }
  - { id: paid, name: Paid, pricing: { perMonth: 19 }, cpu: 0.5, memory: 64 MiB, disk: 32 MiB }
  - { id: large, name: Large, pricing: { perMonth: 49 }, cpu: 1, memory: 64 MiB, disk: 32 MiB }
  - { id: hourly, name: Hourly, pricing: { perThousandHours: 3000 }, cpu: 1, memory: 64 MiB, disk: 32 MiB }
image: test/sleeper
imageFrom: There is no way.
port: { name: none, number: 1, protocol: tcp }
volume: { path: /data }
command: [sleep, "{{database}}"]
credentials:
  username: { generate: name, prefix: u_ }
  password: { generate: password }
  database: main
secrets: { password: "{{password}}" }
connection: { uri: "sleep://{{username}}:{{password}}@{{host}}:{{port}}/{{database}}", example: "sleep {{password}}" }
health: { exec: { argv: [echo, "1"] }, interval: 5s, startTimeout: 30s }
rotate: { argv: [cat], stdin: "{{old.password}} {{password}}" }
"#;

/// The same with backups.
pub fn keeper() -> String {
    let backup = "backup: { dump: { argv: [echo, all of it] }, restore: { argv: [cat] }, verify: { argv: [echo, fine] } }";
    let other = SLEEPER.replace("svc-sleeper", "svc-keeper").replace("slug: sleeper", "slug: keeper");
    other.replace("name: Sleeper", "name: Keeper\nseller: bob") + backup
}

/// The same with settings.
pub fn tuned() -> String {
    let settings = r#"
settings:
  - { name: mode, title: Mode, kind: choice, options: [sleep, refuse], default: sleep }
  - { name: words, title: Words, help: What it says., kind: text, pattern: '^[a-z ]+$', required: true }
  - { name: count, title: Count, kind: number, min: 1, max: 9, default: 3 }
  - { name: loud, title: Loud, kind: toggle, default: false }
  - { name: routes, title: Routes, kind: document, maxBytes: 200, default: [{ path: / }] }
  - { name: token, title: Token, kind: text, secret: true }
"#;
    let sleeper = SLEEPER.replace("svc-sleeper", "svc-tuned").replace("slug: sleeper", "slug: tuned");
    let sleeper =
        sleeper.replace(r#"[sleep, "{{database}}"]"#, r#"["{{settings.mode}}", "{{settings.words}}"]"#);
    sleeper
        .replace("example: \"sleep {{password}}\"", "example: \"say {{settings.words}} {{settings.token}}\"")
        + settings
}

pub struct Market {
    pub store: Store,
    pub clock: Clock,
    pub engine: Memory,
    pub services: Services,
    _folder: Arc<tempfile::TempDir>,
}

impl Market {
    pub async fn on(store: Store) -> Self {
        Self::with(store, Settings { free_deployments: 3, paid: Paid::Needed, ..Settings::default() }).await
    }

    pub async fn with(store: Store, settings: Settings) -> Self {
        Self::at(Clock::fixed(Timestamp::from_secs(1_800_000_000)), store, settings).await
    }

    pub async fn at(clock: Clock, store: Store, settings: Settings) -> Self {
        let engine = Memory::new("tests", clock.clone()).with_image("test/sleeper");
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("sleeper.yaml"), SLEEPER).unwrap();
        std::fs::write(folder.path().join("keeper.yaml"), keeper()).unwrap();
        std::fs::write(folder.path().join("tuned.yaml"), tuned()).unwrap();
        let settings = Settings { templates: Some(folder.path().to_owned()), ..settings };
        let services = room(&store, &clock, &engine, folder.path(), settings).await;
        Self { store, clock, engine, services, _folder: Arc::new(folder) }
    }

    pub fn reconciler(&self) -> Reconciler {
        self.services.reconciler(Doors::Closed)
    }

    pub fn person(&self, name: &str) -> Caller {
        person(name, self.clock.now())
    }

    pub async fn deploy(&self, by: &Caller, name: &str) -> services::Made {
        self.services.deploy(by, wanted(name), request()).await.unwrap()
    }

    /// The types of what happened since this was asked last, oldest first.
    pub async fn news(&self) -> Vec<String> {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = events::Log::new(self.store.clone());
        loop {
            let sink = Arc::clone(&seen);
            let take = async move |_: &mut Tx, event: &events::Event| {
                sink.lock().unwrap().push(event.kind.clone());
                Ok::<_, store::StoreError>(())
            };
            if log.consume("test", take).await.unwrap() == 0 {
                return seen.lock().unwrap().clone();
            }
        }
    }
}

pub async fn room(
    store: &Store,
    clock: &Clock,
    engine: &Memory,
    folder: &Path,
    settings: Settings,
) -> Services {
    let identity = identity::Settings::new("http://localhost:8080", Secret::new("a secret of the tests"));
    let identity = Identity::new(store.clone(), clock.clone(), identity);
    let vault = Vault::new(&Secret::new("a key of the tests")).unwrap();
    let blobs = Blobs::open(BlobConfig::folder(folder.join("blobs"))).await.unwrap();
    let engine = Arc::new(engine.clone());
    Services::new(store.clone(), clock.clone(), identity, vault, blobs, engine, settings)
}

pub fn person(name: &str, now: Timestamp) -> Caller {
    let actor = Actor {
        user: format!("user-{name}").parse().unwrap(),
        username: name.into(),
        roles: Roles::of(&[Role::User]),
        scopes: Scopes::all(),
        via: Via::Password,
        memberships: Arc::new([]),
    };
    Caller { ctx: Ctx::local(now), actor: Some(actor) }
}

pub fn wanted(name: &str) -> NewDeployment {
    NewDeployment {
        service: "sleeper".into(),
        name: name.into(),
        plan: None,
        region: None,
        settings: serde_json::Map::new(),
        backup: None,
        organisation: None,
    }
}

pub fn request() -> Request {
    Request::new(Key(None), "", &())
}

pub fn code(error: ServiceError) -> String {
    Problem::from(error).code.to_string()
}
