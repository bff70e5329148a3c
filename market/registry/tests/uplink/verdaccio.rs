//! Against verdaccio, a registry that others wrote, with packages that the real npm published to it.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use kernel::Clock;
use registry::uplink::{Binding, Settings, Uplinks};
use registry::{Form, Registry};
use serde_json::{Value, json};
use tokio::process::{Child, Command};

use crate::market::{BASE, Market, both, name, upstream};

/// The folder into which `scripts/setup` installs the clients and registries of the tests.
fn tools() -> PathBuf {
    let variable = |name: &str| std::env::var_os(name).map(PathBuf::from);
    let cache = || variable("XDG_CACHE_HOME").or_else(|| Some(variable("HOME")?.join(".cache")));
    let tools =
        variable("FONDACO_TOOLS").or_else(|| Some(cache()?.join("fondaco/tools"))).expect("a home folder");
    assert!(tools.join("node_modules/verdaccio").exists(), "verdaccio is missing: run scripts/setup");
    tools
}

struct Verdaccio {
    home: tempfile::TempDir,
    url: String,
    token: String,
    process: Child,
}

impl Verdaccio {
    async fn start() -> Self {
        let home = tempfile::tempdir().unwrap();
        let config = home.path().join("config.yaml");
        std::fs::write(
            &config,
            "storage: ./storage\nauth:\n  htpasswd:\n    file: ./htpasswd\nuplinks: {}\npackages:\n  '**':\n    access: $all\n    \
             publish: $authenticated\n    unpublish: $authenticated\nlog: { type: stdout, format: pretty, level: error }\n",
        )
        .unwrap();
        // Asked for and given back at once: verdaccio cannot pick a free port and tell.
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let url = format!("http://127.0.0.1:{port}");
        let tools = tools();
        let process = Command::new(tools.join("bin/node"))
            .arg(tools.join("node_modules/verdaccio/bin/verdaccio"))
            .args(["--config", config.to_str().unwrap(), "--listen", &url])
            .current_dir(home.path())
            .env("HOME", home.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut started = Self { home, url, token: String::new(), process };
        started.wait().await;
        started.token = started.sign_up().await;
        started
    }

    async fn wait(&self) {
        for _ in 0..300 {
            if reqwest::get(format!("{}/-/ping", self.url)).await.is_ok() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("verdaccio does not start");
    }

    async fn sign_up(&self) -> String {
        let body = json!({"name": "ada", "password": "a long password of ada", "email": "ada@example.com"});
        let url = format!("{}/-/user/org.couchdb.user:ada", self.url);
        let answer = reqwest::Client::new().put(url).json(&body).send().await.unwrap();
        answer.json::<Value>().await.unwrap()["token"].as_str().unwrap().to_owned()
    }

    /// Runs npm in a folder, as the account that publishes; panics with what it said when it fails.
    async fn npm(&self, folder: &Path, args: &[&str]) {
        let host = self.url.trim_start_matches("http:");
        let npmrc = format!("registry={}/\n{host}/:_authToken={}\n", self.url, self.token);
        run(self.home.path(), &npmrc, folder, "npm", args).await;
    }

    async fn publish(&self, package: &str, version: &str, more: Value) {
        let folder = self.home.path().join(format!("{}-{version}", package.replace('/', "-")));
        std::fs::create_dir(&folder).unwrap();
        let mut manifest =
            json!({"name": package, "version": version, "description": "About", "license": "MIT"});
        manifest.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        std::fs::write(folder.join("package.json"), manifest.to_string()).unwrap();
        std::fs::write(folder.join("index.js"), format!("module.exports = {version:?};\n")).unwrap();
        std::fs::write(folder.join("README.md"), format!("# {package}\n")).unwrap();
        self.npm(&folder, &["publish", "--access", "public"]).await;
    }

    /// What verdaccio itself says.
    async fn says(&self, package: &str) -> Value {
        let url = format!("{}/{}", self.url, package.replace('/', "%2f"));
        reqwest::get(url).await.unwrap().json().await.unwrap()
    }
}

/// Runs a client with this home folder and configuration; what it printed.
async fn run(home: &Path, npmrc: &str, folder: &Path, client: &str, args: &[&str]) -> String {
    std::fs::write(home.join(".npmrc"), format!("{npmrc}update-notifier=false\nfetch-retries=0\n")).unwrap();
    let tools = tools().join("bin");
    let ran = Command::new(tools.join(client))
        .args(args)
        .current_dir(folder)
        .env_clear()
        .env("HOME", home)
        .env("PATH", format!("{}:/usr/bin:/bin", tools.display()))
        .stdin(Stdio::null())
        .output()
        .await
        .unwrap();
    let (out, err) = (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    assert!(ran.status.success(), "{client} {args:?}: {out}{err}");
    out.into_owned()
}

async fn full(uplinks: &Uplinks, package: &str, clock: &Clock) -> Value {
    let found = uplinks
        .packument(&name(package), Form::Full, BASE, &Binding::default(), clock.now())
        .await
        .unwrap()
        .unwrap();
    serde_json::from_slice(&found.encodings.plain.bytes).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn packages_of_another_registry_are_given_as_they_are() {
    let verdaccio = Verdaccio::start().await;
    let package = "@tools/hammer";
    verdaccio.publish(package, "1.0.0", json!({"scripts": {"postinstall": "true"}})).await;
    verdaccio.publish(package, "1.1.0", json!({"dependencies": {"nail": "^1.0.0"}, "bin": "index.js"})).await;
    verdaccio.publish("nail", "1.0.3", json!({"engines": {"node": ">=18"}, "os": ["!win32"]})).await;
    verdaccio.npm(verdaccio.home.path(), &["deprecate", "@tools/hammer@1.0.0", "too heavy"]).await;
    let theirs = verdaccio.says(package).await;
    both(async |mut market| {
        market.clock = Clock::system();
        let uplinks = vec![upstream("verdaccio", &verdaccio.url)];
        let uplinks = market.uplinks(&Settings { uplinks, ..Settings::default() });
        let short = market.packument(&uplinks, package).await.unwrap().unwrap();
        let long = full(&uplinks, package, &market.clock).await;
        for version in ["1.0.0", "1.1.0"] {
            for field in ["integrity", "shasum"] {
                assert_eq!(
                    short["versions"][version]["dist"][field],
                    theirs["versions"][version]["dist"][field]
                );
                assert!(short["versions"][version]["dist"][field].is_string());
            }
            let address = format!("{BASE}@tools/hammer/-/hammer-{version}.tgz");
            assert_eq!(long["versions"][version]["dist"]["tarball"], address);
            assert_eq!(long["time"][version], theirs["time"][version]);
            let file = format!("hammer-{version}.tgz");
            let bytes = market.tarball(&uplinks, package, &file).await.unwrap().unwrap().unwrap();
            let address = theirs["versions"][version]["dist"]["tarball"].as_str().unwrap();
            assert!(bytes == reqwest::get(address).await.unwrap().bytes().await.unwrap());
        }
        assert_eq!(short["versions"]["1.0.0"]["deprecated"], "too heavy");
        assert_eq!(short["versions"]["1.0.0"]["hasInstallScript"], true);
        assert_eq!(short["versions"]["1.1.0"]["dependencies"], json!({"nail": "^1.0.0"}));
        assert_eq!(short["versions"]["1.1.0"]["bin"], json!({"hammer": "index.js"}));
        assert_eq!(long["dist-tags"], json!({"latest": "1.1.0"}));
        assert_eq!((&long["license"], &long["readme"]), (&theirs["license"], &theirs["readme"]));
        let nail = market.packument(&uplinks, "nail").await.unwrap().unwrap();
        assert_eq!(nail["versions"]["1.0.3"]["os"], json!(["!win32"]));
        assert!(market.packument(&uplinks, "screw").await.unwrap().is_none());
        assert_eq!(market.kept().await.1, 2);
    })
    .await;
    assert!(verdaccio.process.id().is_some(), "it ran to the end");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changes_there_is_seen_and_an_outage_is_not() {
    let mut verdaccio = Verdaccio::start().await;
    verdaccio.publish("saw", "1.0.0", json!({})).await;
    both(async |mut market| {
        market.clock = Clock::system();
        let mut upstream = upstream("verdaccio", &verdaccio.url);
        upstream.ttl = Duration::from_millis(1);
        let uplinks = market.uplinks(&Settings { uplinks: vec![upstream], ..Settings::default() });
        let before = full(&uplinks, "saw", &market.clock).await;
        tokio::time::sleep(Duration::from_millis(5)).await;
        assert_eq!(full(&uplinks, "saw", &market.clock).await, before, "confirmed");
        let next = format!("1.0.{}", before["versions"].as_object().unwrap().len());
        verdaccio.publish("saw", &next, json!({})).await;
        assert_eq!(full(&uplinks, "saw", &market.clock).await["dist-tags"]["latest"], json!(next));
    })
    .await;
    both(async |mut market| {
        market.clock = Clock::system();
        let mut upstream = upstream("verdaccio", &verdaccio.url);
        upstream.ttl = Duration::from_millis(1);
        let uplinks = market.uplinks(&Settings { uplinks: vec![upstream], ..Settings::default() });
        let known = full(&uplinks, "saw", &market.clock).await;
        market.tarball(&uplinks, "saw", "saw-1.0.0.tgz").await.unwrap().unwrap().unwrap();
        let is_sqlite = !market.store.is_shared();
        // The same process serves both databases: only its absence for the second one can be shown at its end.
        if is_sqlite && std::env::var_os(store::testing::POSTGRES).is_some() {
            return;
        }
        stop(&verdaccio).await;
        assert_eq!(full(&uplinks, "saw", &market.clock).await, known);
        assert!(market.tarball(&uplinks, "saw", "saw-1.0.0.tgz").await.unwrap().is_some());
    })
    .await;
    let _ = verdaccio.process.wait().await;
}

async fn stop(verdaccio: &Verdaccio) {
    let process = verdaccio.process.id().unwrap().to_string();
    assert!(Command::new("kill").arg(process).status().await.unwrap().success());
    for _ in 0..100 {
        if reqwest::get(format!("{}/-/ping", verdaccio.url)).await.is_err() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("verdaccio does not end");
}

/// Serves a market's npm registry; the address of its `/npm/`.
async fn serve(market: &Market, uplinks: &Settings) -> String {
    let (store, blobs, identity) = (market.store.clone(), market.blobs.clone(), market.identity.clone());
    let registry = Registry::new(store, blobs, identity, registry::Settings::default());
    let router = registry::npm::router(registry.with_uplinks(uplinks).unwrap());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/npm/", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

#[tokio::test(flavor = "multi_thread")]
async fn npm_and_pnpm_install_through_us_and_go_on_when_the_uplink_is_gone() {
    let mut verdaccio = Verdaccio::start().await;
    verdaccio.publish("@tools/hammer", "1.1.0", json!({"dependencies": {"nail": "^1.0.0"}})).await;
    verdaccio.publish("nail", "1.0.3", json!({})).await;
    let settings = Settings { uplinks: vec![upstream("verdaccio", &verdaccio.url)], ..Settings::default() };
    both(async |market| {
        let url = serve(&market, &settings).await;
        let npmrc = format!("registry={url}\n");
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("work");
        std::fs::create_dir(&folder).unwrap();
        run(home.path(), &npmrc, &folder, "npm", &["install", "@tools/hammer"]).await;
        let module = std::fs::read_to_string(folder.join("node_modules/nail/index.js")).unwrap();
        assert_eq!(module, "module.exports = \"1.0.3\";\n");
        let lock = std::fs::read_to_string(folder.join("package-lock.json")).unwrap();
        assert!(lock.contains(&format!("{url}@tools/hammer/-/hammer-1.1.0.tgz")), "{lock}");
        assert!(!lock.contains(&verdaccio.url), "{lock}");
        let seen =
            run(home.path(), &npmrc, &folder, "npm", &["view", "@tools/hammer", "dependencies", "--json"])
                .await;
        assert_eq!(serde_json::from_str::<Value>(&seen).unwrap(), json!({"nail": "^1.0.0"}));

        let other = home.path().join("other");
        std::fs::create_dir(&other).unwrap();
        run(home.path(), &npmrc, &other, "pnpm", &["add", "@tools/hammer", "--config.minimum-release-age=0"])
            .await;
        assert!(other.join("node_modules/@tools/hammer/index.js").exists());
        let manifest: Value =
            reqwest::get(format!("{url}@tools%2fhammer/latest")).await.unwrap().json().await.unwrap();
        assert_eq!(manifest["_id"], "@tools/hammer@1.1.0");

        if market.store.is_shared() || std::env::var_os(store::testing::POSTGRES).is_none() {
            stop(&verdaccio).await;
            std::fs::remove_dir_all(folder.join("node_modules")).unwrap();
            std::fs::remove_dir_all(home.path().join(".npm")).unwrap();
            run(home.path(), &npmrc, &folder, "npm", &["ci"]).await;
            assert!(folder.join("node_modules/@tools/hammer/index.js").exists());
        }
    })
    .await;
    let _ = verdaccio.process.wait().await;
}
