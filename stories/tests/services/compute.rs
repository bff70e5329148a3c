//! Functions, jobs and containers, used by `curl`.

use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::town::{PATIENCE, Town, client, docker, has_engine, uri};

/// Answers with its path and what was sent to it.
const JAVASCRIPT: &str = r#"
export default {
  async fetch(request, env) {
    console.log("baking", env.FLOUR);
    let passwd;
    try { passwd = await Deno.readTextFile("/etc/passwd"); } catch (error) { passwd = error.name; }
    return Response.json({ path: new URL(request.url).pathname, text: await request.text(), passwd });
  },
};
"#;

/// Waits as many seconds as its query says, or ends itself.
const PYTHON: &str = r#"
import os, time

def application(environ, start_response):
    query = environ["QUERY_STRING"]
    if query == "die":
        os._exit(3)
    time.sleep(float(query or 0))
    start_response("200 OK", [("Content-Type", "text/plain"), ("X-Flour", os.environ["FLOUR"])])
    return [environ["wsgi.input"].read().upper()]
"#;

/// Ends never.
const LOOP: &str =
    r#"(module (memory (export "memory") 1) (func (export "_start") (loop $again (br $again))))"#;

/// A module as large as real ones: thousands of functions and megabytes of data. It answers with its version.
fn module(version: u8) -> String {
    let answer = format!("Content-Type: text/plain\\0a\\0aversion {version}");
    let data = "crumbs ".repeat(9000);
    let mut text = format!(
        "(module (import \"wasi_snapshot_preview1\" \"fd_write\" (func $write (param i32 i32 i32 i32) (result i32)))\n\
         (memory (export \"memory\") 80)\n(data (i32.const 16) \"{answer}\")\n"
    );
    for number in 0..64 {
        writeln!(text, "(data (i32.const {}) \"{data}\")", 65_536 * (number + 1)).unwrap();
    }
    for number in 0..3000 {
        writeln!(text, "(func $f{number} (param i32) (result i32) (local $n i32)").unwrap();
        for step in 0..20 {
            writeln!(
                text,
                "(local.set $n (i32.add (local.get $n) (i32.mul (local.get 0) (i32.const {step}))))"
            )
            .unwrap();
        }
        writeln!(text, "(local.get $n))").unwrap();
    }
    text.push_str("(table funcref (elem ");
    (0..3000).for_each(|number| write!(text, "$f{number} ").unwrap());
    let length = answer.len() - 4; // two escapes of three characters are a byte each
    writeln!(
        text,
        "))\n(func (export \"_start\") (i32.store (i32.const 0) (i32.const 16)) (i32.store (i32.const 4) (i32.const {length}))\n\
         (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))))"
    )
    .unwrap();
    text
}

/// `curl` with the password of a deployment.
struct Owner {
    url: String,
    bearer: String,
}

impl Owner {
    fn of(made: &Value) -> Self {
        let password = made["credentials"]["password"].as_str().unwrap();
        Self { url: uri(made), bearer: format!("Authorization: Bearer {password}") }
    }

    fn curl(&self, args: &[&str], path: &str) -> Result<Value, String> {
        let url = format!("{}{path}", self.url);
        let said =
            client("curl", &[&["-sS", "--fail-with-body", "-H", &self.bearer], args, &[&url]].concat())?;
        Ok(serde_json::from_str(&said).unwrap_or(Value::Null))
    }

    fn upload(&self, folder: &Path, name: &str, kind: &str, source: &str) -> Result<Value, String> {
        let file = folder.join(name);
        std::fs::write(&file, source).unwrap();
        let kind = format!("Content-Type: {kind}");
        self.curl(&["-H", &kind, "-T", file.to_str().unwrap()], &format!("/-/functions/{name}"))
    }

    /// A call by anybody: status, the `Server-Timing` header and body.
    fn call(&self, args: &[&str], path: &str) -> (String, String, String) {
        let url = format!("{}{path}", self.url);
        let said = client(
            "curl",
            &[&["-sS", "-w", "\n%{http_code} %header{server-timing}"], args, &[&url]].concat(),
        );
        let said = said.unwrap();
        let (body, last) = said.rsplit_once('\n').unwrap();
        let (status, timing) = last.split_once(' ').unwrap_or((last, ""));
        (status.to_owned(), timing.to_owned(), body.to_owned())
    }
}

/// The milliseconds that a `Server-Timing` header gives a name.
fn timing(header: &str, name: &str) -> f64 {
    let found = header.split(", ").find_map(|part| part.strip_prefix(name)?.strip_prefix(";dur="));
    found.unwrap_or_else(|| panic!("no {name} in {header}")).parse().unwrap()
}

/// The statuses of so many calls at once.
fn at_once(url: &str, count: usize) -> Vec<String> {
    let call = || {
        Command::new("curl")
            .args(["-sS", "-o", "/dev/null", "-w", "%{http_code}", url])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap()
    };
    let calls: Vec<_> = (0..count).map(|_| call()).collect();
    calls
        .into_iter()
        .map(|call| String::from_utf8(call.wait_with_output().unwrap().stdout).unwrap())
        .collect()
}

async fn deployed(town: &Town, service: &str, name: &str, config: Value) -> Value {
    let mut config = config;
    config["region"] = json!("us-east-1");
    let body = json!({ "serviceId": service, "name": name, "config": config });
    let made = town.ask(reqwest::Method::POST, "/api/deployments", Some(body)).await;
    town.is(made["deploymentId"].as_str().unwrap(), "running").await;
    made
}

#[tokio::test(flavor = "multi_thread")]
async fn functions_of_three_kinds_run_when_they_are_asked() {
    if !has_engine(&["fondaco/functions:1"]) {
        return;
    }
    let town = Town::open(22_500).await;
    let folder = tempfile::tempdir().unwrap();
    let config = json!({ "timeoutSeconds": 2, "environment": { "FLOUR": "rye" } });
    let made = deployed(&town, "functions", "bakery", config).await;
    let owner = Owner::of(&made);

    // WebAssembly: compiled at the upload, and made anew for each request.
    owner.upload(folder.path(), "oven", "text/wat", &module(1)).unwrap();
    let (status, first, body) = owner.call(&[], "/oven/any?thing");
    assert_eq!((status.as_str(), body.as_str()), ("200", "version 1"));
    let cold = timing(&first, "start") + timing(&first, "load") + timing(&first, "instantiate");
    eprintln!("WebAssembly, cold: {first}");
    assert!(cold < 50.0, "a cold start took {cold} ms: {first}");
    owner.upload(folder.path(), "oven", "text/wat", &module(2)).unwrap();
    assert_eq!(owner.call(&[], "/oven").2, "version 2");
    owner.curl(&["-X", "POST"], "/-/functions/oven/activate?version=1").unwrap();
    assert_eq!(owner.call(&[], "/oven").2, "version 1");
    owner.upload(folder.path(), "mill", "text/wat", LOOP).unwrap();
    assert_eq!(owner.call(&[], "/mill").0, "504", "what does not end is ended");

    // JavaScript, which may do nothing but answer.
    owner.upload(folder.path(), "bread", "text/javascript", JAVASCRIPT).unwrap();
    let (_, _, body) = owner.call(&["-d", "dough"], "/bread/loaf/7");
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(body, json!({ "path": "/loaf/7", "text": "dough", "passwd": "NotCapable" }));
    let runs = owner.curl(&[], "/-/functions/bread/runs").unwrap();
    assert_eq!(runs["runs"][0]["output"], "baking rye\n");

    // Python, one process each, and more requests than there are places.
    owner.upload(folder.path(), "dough", "text/x-python", PYTHON).unwrap();
    assert_eq!(owner.call(&["-d", "knead"], "/dough").2, "KNEAD");
    assert_eq!(owner.call(&[], "/dough?die").0, "502", "a function that ends itself harms no other");
    assert_eq!(owner.call(&[], "/dough?9").0, "504");
    let codes = at_once(&format!("{}/dough?0.3", owner.url), 30);
    assert!(codes.iter().any(|code| code == "200") && codes.iter().any(|code| code == "503"), "{codes:?}");
    assert!(codes.iter().all(|code| code == "200" || code == "503"), "{codes:?}");

    // What cannot run is refused with its reason, and strangers manage nothing.
    let refused = owner.upload(folder.path(), "burnt", "text/javascript", "export default 5").unwrap_err();
    assert!(refused.contains("422"), "{refused}");
    let stranger = Owner { url: owner.url.clone(), bearer: "X-Nothing: 1".to_owned() };
    assert!(stranger.curl(&[], "/-/functions").unwrap_err().contains("401"));

    // All is there after a restart, and nothing after it was deleted.
    let id = made["deploymentId"].as_str().unwrap();
    town.post(&format!("/api/deployments/{id}/restart")).await;
    town.is(id, "running").await;
    assert_eq!(owner.call(&[], "/oven").2, "version 1");
    let figures = figures_until(&town, id, |figures| figures["requests"].as_f64() > Some(0.0)).await;
    assert!(figures["requests"].as_f64().unwrap() >= 1.0, "{figures}");
    owner.curl(&["-X", "DELETE"], "/-/functions/oven").unwrap();
    assert_eq!(owner.call(&[], "/oven").0, "404");
    town.close().await;
}

/// The figures of a deployment, once they are as they should be.
async fn figures_until(town: &Town, id: &str, fit: impl Fn(&Value) -> bool) -> Value {
    let began = Instant::now();
    loop {
        let found = town.get(&format!("/api/deployments/{id}")).await["metrics"].clone();
        if fit(&found) {
            return found;
        }
        assert!(began.elapsed() < PATIENCE, "{found:#}");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

/// Waits for a run of a job that has ended.
async fn run_of(owner: &Owner, job: &str, why: &str) -> Value {
    let began = Instant::now();
    loop {
        let runs = owner.curl(&[], &format!("/jobs/{job}/runs")).unwrap();
        let ended = |run: &&Value| run["why"] == why && !run["ended"].is_null();
        if let Some(run) = runs["runs"].as_array().unwrap().iter().find(ended) {
            return owner.curl(&[], &format!("/runs/{}", run["id"])).unwrap();
        }
        assert!(began.elapsed() < PATIENCE + Duration::from_secs(20), "{runs:#}");
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_run_at_their_times_and_when_they_are_told_to() {
    if !has_engine(&["fondaco/cron-jobs:1", "fondaco/nginx:1.22"]) {
        return;
    }
    let hosted = [("FONDACO_SERVICES__HOSTED_IMAGES", "fondaco/nginx:*")];
    let town = Town::open_with(22_600, &hosted).await;
    let site = json!({ "image": "fondaco/nginx:1.22", "healthPath": "/.health" });
    deployed(&town, "container-hosting", "my-site", site).await;
    let jobs = json!([
        { "name": "minutely", "schedule": "* * * * *", "command": "date >> times" },
        { "name": "hello", "schedule": "30 2 * * 1-5", "timeZone": "Europe/Berlin",
          "command": "echo \"hello $WHO\"; echo oh >&2; exit 3" },
        { "name": "long", "schedule": "@yearly", "command": "sleep 60 & sleep 60", "timeoutSeconds": 1 },
        { "name": "stubborn", "schedule": "@daily", "command": "test $ATTEMPT = 2", "retries": 3 },
        { "name": "call", "schedule": "@hourly", "url": "http://my-site:8080/.health", "method": "GET" },
    ]);
    let made =
        deployed(&town, "cron-jobs", "times", json!({ "jobs": jobs, "environment": { "WHO": "ada" } })).await;
    let (owner, id) = (Owner::of(&made), made["deploymentId"].as_str().unwrap());

    let list = owner.curl(&[], "/jobs").unwrap();
    let next: Vec<&str> =
        list["jobs"][1]["next"].as_array().unwrap().iter().map(|at| at.as_str().unwrap()).collect();
    let at_two = |at: &&str| at.ends_with("T00:30:00Z") || at.ends_with("T01:30:00Z");
    assert!(next.len() == 5 && next.iter().all(at_two) && next.is_sorted(), "{next:?}");
    for job in ["hello", "long", "stubborn", "call"] {
        owner.curl(&["-X", "POST"], &format!("/jobs/{job}/run")).unwrap();
    }
    let skipped = owner.curl(&["-X", "POST"], "/jobs/long/run").unwrap();
    assert_eq!(skipped["state"], "skipped", "the run before has not ended");
    let hello = run_of(&owner, "hello", "asked").await;
    assert_eq!((hello["state"].as_str(), hello["code"].as_i64()), (Some("failed"), Some(3)), "{hello}");
    assert_eq!(hello["output"], "hello ada\noh\n");
    let call = run_of(&owner, "call", "asked").await;
    assert_eq!((call["state"].as_str(), call["code"].as_i64()), (Some("succeeded"), Some(204)), "{call}");
    assert_eq!(run_of(&owner, "long", "asked").await["state"], "late");
    let stubborn = run_of(&owner, "stubborn", "asked").await;
    assert_eq!((stubborn["state"].as_str(), stubborn["attempts"].as_i64()), (Some("succeeded"), Some(2)));
    let logs = town.get(&format!("/api/deployments/{id}/logs?search=hello%20ada")).await;
    assert!(!logs["lines"].as_array().unwrap().is_empty(), "{logs}");

    let minutely = run_of(&owner, "minutely", "schedule").await;
    assert_eq!(minutely["state"], "succeeded", "{minutely}");
    assert!(minutely["planned"].as_str().unwrap().ends_with(":00Z"), "{minutely}");
    assert!(client("curl", &["-sSf", &format!("{}/jobs", owner.url)]).is_err(), "strangers see nothing");

    // A job that makes no sense is told, and what was kept is there with the next that does.
    let change = |jobs: Value| json!({ "config": { "jobs": jobs } });
    let wrong = change(json!([{ "name": "hello", "schedule": "61 * * * *", "command": "true" }]));
    let path = format!("/api/deployments/{id}");
    town.ask(reqwest::Method::PATCH, &path, Some(wrong)).await;
    let failed = town.is(id, "failed").await;
    assert!(failed.to_string().contains("the job hello: "), "{failed:#}");
    let right = change(json!([{ "name": "hello", "schedule": "@yearly", "command": "true" }]));
    town.ask(reqwest::Method::PATCH, &path, Some(right)).await;
    town.is(id, "running").await;
    assert_eq!(owner.curl(&[], "/jobs/hello/runs").unwrap()["runs"].as_array().unwrap().len(), 1);
    town.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_of_the_buyers_runs_as_far_as_the_operator_allows() {
    if !has_engine(&["fondaco/python:3.11"]) {
        return;
    }
    let hosted = [("FONDACO_SERVICES__HOSTED_IMAGES", "fondaco/python:*,example.com/bakery/*")];
    let town = Town::open_with(22_700, &hosted).await;
    let serve = "echo \"$GREETING\" >/data/index.html; \
                 python3 -c 'import json; print(json.load(open(\"/run/secrets/settings.json\"))[\"secrets\"][\"token\"])' >>/data/index.html; \
                 exec python3 -m http.server 9000 --directory /data";
    let config = json!({
        "image": "fondaco/python:3.11", "port": 9000, "command": ["sh", "-c", serve],
        "environment": { "GREETING": "moin" }, "healthPath": "/index.html",
        "secrets": { "token": "butter" },
    });
    let made = deployed(&town, "container-hosting", "my-api", config).await;
    let id = made["deploymentId"].as_str().unwrap();
    let get = || client("curl", &["-sSf", &format!("{}/index.html", uri(&made))]);
    assert_eq!(get().unwrap(), "moin\nbutter");
    let inspect = docker(&["inspect", &format!("fondaco-{id}")]);
    assert!(!String::from_utf8_lossy(&inspect.stdout).contains("butter"), "secrets are in no environment");

    let change = json!({ "config": { "environment": { "GREETING": "servus" } } });
    town.ask(reqwest::Method::PATCH, &format!("/api/deployments/{id}"), Some(change)).await;
    let began = Instant::now();
    while get().as_deref() != Ok("servus\nbutter") {
        assert!(began.elapsed() < PATIENCE, "the change does not come");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    town.is(id, "running").await;

    for (config, told) in [
        (json!({ "image": "fondaco/postgres:15" }), "/config/image"),
        (json!({ "image": "example.com.evil.example/bakery/oven" }), "/config/image"),
        (json!({ "image": "fondaco/python:3.11", "command": { "not": "a list" } }), "/config/command"),
        (json!({ "image": "fondaco/python:3.11", "environment": { "A=B": "c" } }), "/config/environment"),
    ] {
        let mut config = config;
        config["region"] = json!("us-east-1");
        let body = json!({ "serviceId": "container-hosting", "name": "no", "config": config });
        let url = format!("{}/api/deployments", town.market.address("services"));
        let refused = town.client.post(url).bearer_auth(&town.token).json(&body).send().await.unwrap();
        assert!(refused.status().is_client_error());
        let words = refused.text().await.unwrap();
        assert!(words.contains(told), "{words}");
    }
    town.close().await;
}
