//! How long it takes from nothing to the first answer that `psql` gets: through the driver (closed network, hard quota,
//! hardened) and by a bare `docker run` of the same image, in turns.
//!
//! ```text
//! cargo run -p containers --example first_query -- 20
//! ```
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use containers::docker::{Docker, Settings};
use containers::{
    Container, Driver as _, Labels, Limits, Network, SecretFile, Template, Tmpfs, Volume, VolumeMount,
};
use kernel::Secret;

const IMAGE: &str = "fondaco/postgres:15";
const NAME: &str = "fondaco-first-query";
const PASSWORD: &str = "first-query";

#[tokio::main]
async fn main() {
    let rounds = std::env::args().nth(1).map_or(20, |text| text.parse().expect("a number of rounds"));
    let state = tempfile::tempdir().unwrap();
    let settings = Settings {
        socket: "/var/run/docker.sock".into(),
        installation: NAME.to_owned(),
        state: state.path().to_owned(),
        disks: true,
    };
    let docker = Docker::open(settings).await.unwrap();
    println!("{:?}", docker.about().await.unwrap());
    let secrets = state.path().join("bare");
    std::fs::create_dir(&secrets).unwrap();
    std::fs::write(secrets.join("password"), PASSWORD).unwrap();
    let (mut ours, mut bare, mut steps) = (Vec::new(), Vec::new(), Vec::new());
    // The first round makes the template, and warms what is warm in a service that runs.
    for round in 0..=rounds {
        let (taken, parts) = through_the_driver(&docker).await;
        let plain = by_docker_run(&secrets).await;
        if round > 0 {
            ours.push(taken);
            bare.push(plain);
            steps.push(parts);
        } else {
            println!("the first, with the making of the template: {} ms", taken.as_millis());
        }
    }
    for (index, what) in ["network", "volume", "create", "start", "answer", "psql"].iter().enumerate() {
        let step: Vec<_> = steps.iter().map(|parts| parts[index]).collect();
        println!("  {what:<8} {}", figures(step));
    }
    println!("driver     {}", figures(ours));
    println!("docker run {}", figures(bare));
    docker.remove_network(NAME).await.unwrap();
}

fn figures(mut times: Vec<Duration>) -> String {
    times.sort();
    let at = |share: usize| times[(times.len() - 1) * share / 100].as_millis();
    format!("p50 {} ms, p95 {} ms, worst {} ms", at(50), at(95), at(100))
}

async fn through_the_driver(docker: &Docker) -> (Duration, Vec<Duration>) {
    let network = Network {
        name: NAME.to_owned(),
        labels: Labels::new(),
        subnet: "10.215.0.0/28".parse().unwrap(),
        outside: false,
    };
    let template = Template { image: IMAGE.to_owned(), path: "/var/lib/postgresql/template".to_owned() };
    let volume = Volume {
        name: NAME.to_owned(),
        labels: Labels::new(),
        size_bytes: 1 << 30,
        template: Some(template),
    };
    let tmpfs = ["/tmp", "/var/run/postgresql"];
    let container = Container {
        name: NAME.to_owned(),
        labels: Labels::new(),
        image: IMAGE.to_owned(),
        argv: None,
        env: vec![("POSTGRES_USER".to_owned(), "app".to_owned())],
        user: None,
        network: NAME.to_owned(),
        aliases: Vec::new(),
        outside: false,
        mounts: vec![VolumeMount { volume: NAME.to_owned(), path: "/var/lib/postgresql/data".to_owned() }],
        tmpfs: tmpfs.map(|path| Tmpfs { path: path.to_owned(), size_bytes: 16 << 20 }).into(),
        read_only_root: true,
        limits: Limits { cpu_millis: 2000, memory_bytes: 256 << 20, pids: 128 },
        capabilities: Vec::new(),
        stop_signal: None,
    };
    let secret = SecretFile { name: "password".to_owned(), content: Secret::new(PASSWORD) };
    let begun = Instant::now();
    let mut marks = vec![begun];
    docker.ensure_network(&network).await.unwrap();
    marks.push(Instant::now());
    docker.ensure_volume(&volume).await.unwrap();
    marks.push(Instant::now());
    docker.create(&container).await.unwrap();
    marks.push(Instant::now());
    docker.start(NAME, &[secret]).await.unwrap();
    marks.push(Instant::now());
    let host = docker.container(NAME).await.unwrap().unwrap().address.unwrap();
    answers(host).await;
    marks.push(Instant::now());
    psql(host);
    marks.push(Instant::now());
    docker.remove(NAME).await.unwrap();
    docker.remove_volume(NAME).await.unwrap();
    let parts = marks.windows(2).map(|pair| pair[1] - pair[0]).collect();
    (marks[marks.len() - 1] - begun, parts)
}

async fn by_docker_run(secrets: &Path) -> Duration {
    let mount = format!("{}:/run/secrets:ro", secrets.display());
    let begun = Instant::now();
    run("docker", &["run", "-d", "--name", NAME, "-v", &mount, "-e", "POSTGRES_USER=app", IMAGE]);
    let address = run("docker", &["inspect", "--format", "{{.NetworkSettings.IPAddress}}", NAME]);
    let host = address.trim().parse().unwrap();
    answers(host).await;
    psql(host);
    let taken = begun.elapsed();
    run("docker", &["rm", "-fv", NAME]);
    taken
}

/// Asks for a login until the server says how: before that it says nothing, or an error.
async fn answers(host: IpAddr) {
    let startup = b"\0\0\0\x1c\0\x03\0\0user\0fondaco_probe\0\0";
    loop {
        let ask = || -> std::io::Result<u8> {
            let mut stream = TcpStream::connect_timeout(&(host, 5432).into(), Duration::from_secs(1))?;
            stream.write_all(startup)?;
            let mut kind = [0];
            stream.read_exact(&mut kind)?;
            Ok(kind[0])
        };
        if ask().is_ok_and(|kind| kind == b'R') {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn psql(host: IpAddr) {
    let address = format!("host={host} user=app password={PASSWORD} dbname=defaultdb");
    assert_eq!(run("psql", &["-XAtqc", "select 1", &address]).trim(), "1");
}

fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap();
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}
