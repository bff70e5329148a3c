//! Our own images, hardened, spoken to by their real clients. Only where a Docker engine has them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod ground;

use std::net::IpAddr;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use containers::{Exec, State};
use ground::{Deployed, Ground, PASSWORD, POSTGRES};
use tokio::process::Command;

type Here = Arc<Ground>;

async fn on<F: Future<Output = ()> + Send + 'static>(image: &str, test: impl FnOnce(Here) -> F) {
    if let Some(ground) = ground::docker(&[image]).await {
        ground::on(ground, test).await;
    }
}

/// Runs a program of this machine: its output, or what it complained of.
async fn run(program: &str, arguments: &[&str], env: (&str, &str)) -> Result<String, String> {
    let mut command = Command::new(program);
    command.args(arguments).env(env.0, env.1).stdin(Stdio::null()).kill_on_drop(true);
    let output =
        command.output().await.unwrap_or_else(|error| panic!("{program}: {error}: run scripts/setup"));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}

async fn psql(host: IpAddr, user: &str, query: &str) -> Result<String, String> {
    let address = format!("host={host} user={user} dbname=shop connect_timeout=5");
    run("psql", &["-XAtq", "-v", "ON_ERROR_STOP=1", "-c", query, &address], ("PGPASSWORD", PASSWORD)).await
}

/// Asks until it answers.
async fn patiently<F: Future<Output = Result<String, String>>>(ask: impl Fn() -> F) -> String {
    let begun = Instant::now();
    loop {
        match ask().await {
            Ok(answer) => return answer,
            Err(error) if begun.elapsed() > Duration::from_secs(30) => panic!("no answer: {error}"),
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}

async fn inside(here: &Ground, what: &str, argv: &[&str]) -> (i64, String) {
    let running = here.engine.exec(&here.name(what), &Exec::new(argv.iter().copied())).await.unwrap();
    let done = running.finish(64 * 1024).await.unwrap();
    (done.code, String::from_utf8_lossy(&done.stdout).trim().to_owned())
}

#[tokio::test]
async fn postgres_serves_its_tenant_within_its_limits() {
    on(POSTGRES.image, async |here: Here| {
        let host = here.deployed(&POSTGRES).await;
        assert_eq!(patiently(|| psql(host, "user_a", "select 1")).await, "1");
        let who = psql(
            host,
            "user_a",
            "select rolsuper, rolcreaterole, rolcreatedb from pg_roles where rolname = user",
        );
        assert_eq!(who.await.unwrap(), "f|f|f");
        assert!(
            psql(host, "postgres", "select 1").await.unwrap_err().contains("pg_hba"),
            "the superuser comes by TCP"
        );
        assert!(psql(host, "user_a", "copy (select 1) to program 'id'").await.is_err());
        let owner =
            inside(&here, "postgres", &["psql", "-XAtq", "-U", "postgres", "-c", "show is_superuser"]).await;
        assert_eq!(owner, (0, "on".to_owned()));

        // What is known of it to everybody who may ask the engine has no secret in it, nor has its environment.
        here.engine.forget_secrets(&here.name("postgres")).await.unwrap();
        let seen = run("docker", &["inspect", &here.name("postgres")], ("LANG", "C")).await.unwrap();
        assert!(seen.contains("POSTGRES_USER") && !seen.contains("pa'ss"), "{seen}");
        let (_, environment) =
            inside(&here, "postgres", &["cat", "/proc/1/environ", "/proc/1/cmdline"]).await;
        assert!(environment.contains("POSTGRES_USER") && !environment.contains("pa'ss"));
        assert_eq!(inside(&here, "postgres", &["touch", "/usr/x"]).await.0, 1, "its root can be written");
        let (_, status) = inside(&here, "postgres", &["cat", "/proc/1/status"]).await;
        for line in
            ["CapEff:\t0000000000000000", "CapBnd:\t0000000000000000", "NoNewPrivs:\t1", "Seccomp:\t2"]
        {
            assert!(status.contains(line), "{line} is not in {status}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_full_volume_stops_writes_and_nothing_else() {
    on(POSTGRES.image, async |here: Here| {
        let host = here.deployed(&Deployed { size_mb: 160, ..POSTGRES }).await;
        patiently(|| psql(host, "user_a", "create unlogged table filling (t text)")).await;
        let fill = "insert into filling select repeat(md5(i::text), 200) from generate_series(1, 100000) i";
        let refused = async || {
            for _ in 0..10 {
                if let Err(error) = psql(host, "user_a", fill).await {
                    return error;
                }
            }
            "it took a gigabyte".to_owned()
        };
        let error = refused().await;
        assert!(error.contains("No space left on device"), "{error}");
        let usage = here.engine.usage(&[&here.name("postgres")]).await.unwrap();
        assert!(usage[0].disk_limit < 160 << 20 && usage[0].disk_bytes <= usage[0].disk_limit, "{usage:?}");
        assert!(usage[0].rx_bytes > 0 && usage[0].cpu_us > 0);
        assert_eq!(
            patiently(|| psql(host, "user_a", "truncate filling; select count(*) from filling")).await,
            "0"
        );
        // And more room is more room.
        let (name, more) = (here.name("postgres"), Deployed { size_mb: 320, ..POSTGRES });
        here.engine.stop(&name, Duration::from_secs(20)).await.unwrap();
        assert!(matches!(here.state_of(&name).await, State::Exited { code: 0, .. }));
        here.engine.ensure_volume(&here.volume_of(&more)).await.unwrap();
        let host = here.start(&more).await;
        assert_eq!(patiently(|| psql(host, "user_a", "select count(*) from filling")).await, "0");
        let usage = here.engine.usage(&[&name]).await.unwrap();
        assert!(usage[0].disk_limit > 250 << 20, "{usage:?}");
    })
    .await;
}

/// Kills the container at ten moments of its first start; what comes out in the end is whole.
async fn killed_ten_times<F: Future<Output = Result<String, String>>>(
    here: &Ground,
    what: &Deployed<'_>,
    ask: impl Fn(IpAddr) -> F,
) -> IpAddr {
    let name = here.name(what.name);
    here.deployed(what).await;
    for moment in 0..10_u64 {
        tokio::time::sleep(Duration::from_millis(moment * 30)).await;
        run("docker", &["kill", "--signal", "KILL", &name], ("LANG", "C")).await.ok();
        here.ended(&name).await;
        here.engine.ensure_volume(&here.volume_of(what)).await.unwrap();
        here.engine.create(&here.container_of(what)).await.unwrap();
        here.start(what).await;
    }
    let host = here.engine.container(&name).await.unwrap().unwrap().address.unwrap();
    patiently(|| ask(host)).await;
    host
}

#[tokio::test]
async fn postgres_survives_kills_in_its_first_start() {
    on(POSTGRES.image, async |here: Here| {
        let host =
            killed_ten_times(&here, &POSTGRES, |host| psql(host, "user_a", "create table t (i int)")).await;
        let owned =
            "select count(*), pg_get_userbyid(datdba) from pg_database where datname = 'shop' group by 2";
        assert_eq!(psql(host, "user_a", owned).await.unwrap(), "1|user_a");
        // On a volume that was not made from the template the entry point makes the copy itself.
        let bare = Deployed { name: "bare", template: "/var/lib/postgresql/data", ..POSTGRES };
        let host =
            killed_ten_times(&here, &bare, |host| psql(host, "user_a", "create table t (i int)")).await;
        assert_eq!(psql(host, "user_a", owned).await.unwrap(), "1|user_a");
    })
    .await;
}

const MARIADB: Deployed<'static> = Deployed {
    name: "mariadb",
    image: "fondaco/mariadb:10.11",
    data: "/var/lib/mysql",
    template: "/var/lib/mysql-template",
    tmpfs: &["/tmp", "/run/mysqld"],
    env: &[("MYSQL_USER", "user_a"), ("MYSQL_DATABASE", "shop")],
    size_mb: 512,
};

async fn mariadb(host: IpAddr, user: &str, query: &str) -> Result<String, String> {
    let (host, user) = (format!("--host={host}"), format!("--user={user}"));
    run(
        "mariadb",
        &["--no-defaults", "--batch", "-N", &host, &user, "shop", "-e", query],
        ("MYSQL_PWD", PASSWORD),
    )
    .await
}

#[tokio::test]
async fn mariadb_serves_its_tenant_also_after_kills() {
    on(MARIADB.image, async |here: Here| {
        let host =
            killed_ten_times(&here, &MARIADB, |host| mariadb(host, "user_a", "create table t (i int)")).await;
        assert_eq!(mariadb(host, "user_a", "insert into t values (7); select i from t").await.unwrap(), "7");
        assert!(mariadb(host, "user_a", "create user other").await.is_err());
        assert!(mariadb(host, "mysql", "select 1").await.is_err(), "the superuser comes by TCP");
        let owner = inside(&here, "mariadb", &["mariadb", "-N", "-e", "create user other"]).await;
        assert_eq!(owner, (0, String::new()));
        here.engine.stop(&here.name("mariadb"), Duration::from_secs(30)).await.unwrap();
        assert!(matches!(here.state_of(&here.name("mariadb")).await, State::Exited { code: 0, .. }));
    })
    .await;
}

const VALKEY: Deployed<'static> = Deployed {
    name: "valkey",
    image: "fondaco/valkey:8",
    data: "/data",
    template: "/data",
    tmpfs: &["/tmp"],
    env: &[("MAX_MEMORY_MB", "64")],
    size_mb: 64,
};

async fn redis(host: IpAddr, command: &[&str]) -> Result<String, String> {
    let host = host.to_string();
    run("redis-cli", &[&["-h", &host, "-e"], command].concat(), ("REDISCLI_AUTH", PASSWORD)).await
}

#[tokio::test]
async fn valkey_serves_its_tenant_and_keeps_its_data() {
    on(VALKEY.image, async |here: Here| {
        let host = here.deployed(&VALKEY).await;
        assert_eq!(patiently(|| redis(host, &["PING"])).await, "PONG");
        let stranger = run("redis-cli", &["-h", &host.to_string(), "-e", "GET", "a"], ("LANG", "C")).await;
        assert!(stranger.unwrap_err().contains("NOAUTH"));
        for forbidden in
            [["CONFIG", "SET", "dir", "/tmp"].as_slice(), &["SHUTDOWN"], &["REPLICAOF", "10.0.0.1", "1"]]
        {
            assert!(redis(host, forbidden).await.is_err(), "{forbidden:?}");
        }
        assert!(
            redis(host, &["CONFIG", "GET", "maxmemory"]).await.unwrap().ends_with(&(48 << 20).to_string())
        );
        redis(host, &["SET", "a", "1"]).await.unwrap();
        here.engine.stop(&here.name("valkey"), Duration::from_secs(10)).await.unwrap();
        assert!(matches!(here.state_of(&here.name("valkey")).await, State::Exited { code: 0, .. }));
        let host = here.start(&VALKEY).await;
        assert_eq!(patiently(|| redis(host, &["GET", "a"])).await, "1");
    })
    .await;
}

#[tokio::test]
async fn nginx_serves_files() {
    let nginx = Deployed {
        name: "nginx",
        image: "fondaco/nginx:1.22",
        data: "/srv/www",
        template: "/srv/www",
        tmpfs: &["/tmp"],
        env: &[],
        size_mb: 32,
    };
    on(nginx.image, async move |here: Here| {
        let host = here.deployed(&nginx).await;
        let get = async |path: &str| {
            run("curl", &["-sS", "--fail", "-m", "5", &format!("http://{host}:8080{path}")], ("LANG", "C"))
                .await
        };
        patiently(|| get("/.health")).await;
        let write = ["sh", "-c", "echo hello > /srv/www/index.html"];
        assert_eq!(inside(&here, "nginx", &write).await.0, 0);
        assert_eq!(get("/").await.unwrap(), "hello");
        assert!(get("/.status").await.is_err());
    })
    .await;
}
