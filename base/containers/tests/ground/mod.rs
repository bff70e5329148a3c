//! Where the tests stand: an engine, a second installation on it, and an end that leaves nothing behind.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    dead_code,
    unreachable_pub
)]

use std::future::Future;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use containers::docker::{Docker, Settings};
use containers::memory::Memory;
use containers::{
    Container, Engine, EngineError, Labels, Limits, Network, SecretFile, State, Template, Tmpfs, Volume,
    VolumeMount,
};
use kernel::{Clock, Secret, Timestamp};

/// The image whose programs the tests run: see `scripts/images`.
pub const IMAGE: &str = "fondaco/debian:12";

static COUNT: AtomicU32 = AtomicU32::new(0);

/// The password of every deployed container, with what a careless script would stumble over.
pub const PASSWORD: &str = "pa'ss \"w\" $ord\\x";

/// One of our images as it is deployed.
#[derive(Clone)]
pub struct Deployed<'a> {
    pub name: &'a str,
    pub image: &'a str,
    pub data: &'a str,
    pub template: &'a str,
    pub tmpfs: &'a [&'a str],
    pub env: &'a [(&'a str, &'a str)],
    pub size_mb: u64,
}

/// PostgreSQL with a volume of 1 GB.
pub const POSTGRES: Deployed<'static> = Deployed {
    name: "postgres",
    image: "fondaco/postgres:15",
    data: "/var/lib/postgresql/data",
    template: "/var/lib/postgresql/template",
    tmpfs: &["/tmp", "/var/run/postgresql"],
    env: &[("POSTGRES_USER", "user_a"), ("POSTGRES_DB", "shop")],
    size_mb: 1024,
};

/// An engine with a network of its own.
pub struct Ground {
    pub engine: Engine,
    /// Another installation on the same machine.
    pub stranger: Engine,
    pub network: Network,
    /// The start of all names.
    pub id: String,
    /// The state of the Docker driver.
    pub state: tempfile::TempDir,
}

impl Ground {
    pub fn name(&self, what: &str) -> String {
        format!("{}-{what}", self.id)
    }

    /// A container of this ground that runs this.
    pub fn container(&self, what: &str, argv: &[&str]) -> Container {
        Container {
            name: self.name(what),
            labels: Labels::from([("deployment".to_owned(), what.to_owned())]),
            image: IMAGE.to_owned(),
            argv: Some(argv.iter().map(ToString::to_string).collect()),
            env: vec![("LANG".to_owned(), "C.UTF-8".to_owned())],
            user: Some("1000:1000".to_owned()),
            network: self.network.name.clone(),
            aliases: Vec::new(),
            outside: false,
            mounts: Vec::new(),
            tmpfs: Vec::new(),
            read_only_root: true,
            limits: Limits { cpu_millis: 1000, memory_bytes: 64 << 20, pids: 32 },
            capabilities: Vec::new(),
            stop_signal: Some("SIGKILL".to_owned()),
        }
    }

    /// A container of one of our images, hardened, with a volume from the image's own folder; started with a password
    /// that is also its answer.
    pub async fn deployed(&self, what: &Deployed<'_>) -> IpAddr {
        self.engine.ensure_volume(&self.volume_of(what)).await.unwrap();
        self.engine.create(&self.container_of(what)).await.unwrap();
        self.start(what).await
    }

    /// Starts it, and says where it is.
    pub async fn start(&self, what: &Deployed<'_>) -> IpAddr {
        let name = self.name(what.name);
        let password = SecretFile { name: "password".to_owned(), content: Secret::new(PASSWORD) };
        self.engine.start(&name, &[password]).await.unwrap();
        self.engine.container(&name).await.unwrap().unwrap().address.unwrap_or(IpAddr::from([0, 0, 0, 0]))
    }

    pub fn volume_of(&self, what: &Deployed<'_>) -> Volume {
        let template = Template { image: what.image.to_owned(), path: what.template.to_owned() };
        Volume {
            name: self.name(what.name),
            labels: Labels::new(),
            size_bytes: what.size_mb << 20,
            template: Some(template),
        }
    }

    pub fn container_of(&self, what: &Deployed<'_>) -> Container {
        Container {
            image: what.image.to_owned(),
            argv: None,
            user: None,
            env: what.env.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
            mounts: vec![VolumeMount { volume: self.name(what.name), path: what.data.to_owned() }],
            tmpfs: what
                .tmpfs
                .iter()
                .map(|path| Tmpfs { path: (*path).to_owned(), size_bytes: 16 << 20 })
                .collect(),
            limits: Limits { cpu_millis: 1000, memory_bytes: 256 << 20, pids: 128 },
            stop_signal: None,
            ..self.container(what.name, &[])
        }
    }

    /// A container that runs until it is stopped, started.
    pub async fn sleeper(&self, what: &str) -> Container {
        let container = self.container(what, &["sleep", "infinity"]);
        self.engine.create(&container).await.unwrap();
        self.engine.start(&container.name, &[]).await.unwrap();
        container
    }

    pub async fn state_of(&self, name: &str) -> State {
        self.engine.container(name).await.unwrap().expect("it is there").state
    }

    /// Waits until the program has ended.
    pub async fn ended(&self, name: &str) -> State {
        for _ in 0..500 {
            match self.state_of(name).await {
                State::Running => tokio::time::sleep(Duration::from_millis(20)).await,
                other => return other,
            }
        }
        panic!("{name} did not end");
    }

    async fn clear(&self) {
        for engine in [&self.engine, &self.stranger] {
            let seen = engine.seen().await.unwrap();
            for container in seen.containers {
                engine.remove(&container.name).await.unwrap();
            }
            for volume in seen.volumes {
                engine.remove_volume(&volume.name).await.unwrap();
            }
            for network in seen.networks {
                engine.remove_network(&network.name).await.unwrap();
            }
        }
    }
}

/// A network that nothing on this machine has yet.
pub async fn network(engine: &Engine, name: &str) -> Network {
    for attempt in 0..64 {
        let spot =
            (std::process::id().wrapping_mul(61) + COUNT.fetch_add(1, Ordering::Relaxed) + attempt) % 4096;
        let subnet = format!("10.213.{}.{}/28", spot / 16, spot % 16 * 16).parse().unwrap();
        let network = Network { name: name.to_owned(), labels: Labels::new(), subnet, outside: false };
        match engine.ensure_network(&network).await {
            Ok(()) => return network,
            Err(EngineError::SubnetTaken(_)) => {}
            Err(error) => panic!("{error}"),
        }
    }
    panic!("no subnet is free");
}

fn fresh_id() -> String {
    format!("t{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

async fn prepare(engine: Engine, stranger: Engine, id: String, state: tempfile::TempDir) -> Ground {
    let network = network(&engine, &format!("{id}-net")).await;
    Ground { engine, stranger, network, id, state }
}

/// The ground in memory.
pub async fn memory() -> Ground {
    let engine = Memory::new("home", Clock::fixed(Timestamp::from_secs(1_800_000_000))).with_image(IMAGE);
    let stranger = engine.beside("stranger");
    prepare(Arc::new(engine), Arc::new(stranger), fresh_id(), tempfile::tempdir().unwrap()).await
}

/// A Docker driver with this state and installation.
pub async fn docker_at(state: &std::path::Path, installation: &str) -> Engine {
    let settings = Settings {
        socket: "/var/run/docker.sock".into(),
        installation: installation.to_owned(),
        state: state.to_owned(),
        disks: true,
    };
    Arc::new(Docker::open(settings).await.unwrap())
}

/// `None` where no engine answers or the image is not there, unless `FONDACO_TEST_DOCKER=required`.
pub async fn docker(images: &[&str]) -> Option<Ground> {
    let (state, id) = (tempfile::tempdir().unwrap(), fresh_id());
    let engine = docker_at(&state.path().join("ours"), &id).await;
    for image in [&[IMAGE], images].concat() {
        let hint = match engine.image(image).await {
            Ok(Some(_)) => continue,
            Ok(None) => format!("{image} is missing: run scripts/images"),
            Err(error) => format!("{error}: run scripts/with-docker"),
        };
        assert!(std::env::var("FONDACO_TEST_DOCKER").as_deref() != Ok("required"), "{hint}");
        eprintln!("skipped: {hint}");
        return None;
    }
    let stranger = docker_at(&state.path().join("stranger"), &format!("{id}-stranger")).await;
    Some(prepare(engine, stranger, id, state).await)
}

/// Runs a test on its ground and clears up, also when it fails.
pub async fn on<F: Future<Output = ()> + Send + 'static>(
    ground: Ground,
    test: impl FnOnce(Arc<Ground>) -> F,
) {
    let ground = Arc::new(ground);
    let result = tokio::spawn(test(ground.clone())).await;
    ground.clear().await;
    if let Err(error) = result {
        std::panic::resume_unwind(error.into_panic());
    }
}
