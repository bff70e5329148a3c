//! Gateways before another deployment of the same account, used by curl, a WebSocket of Node.js and a client of GraphQL.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::town::{PATIENCE, Town, client, docker, has_engine};

const IMAGES: [&str; 4] = [
    "fondaco/rest-gateway:1",
    "fondaco/graphql-proxy:1",
    "fondaco/websocket-gateway:1",
    "fondaco/python:3.11",
];
/// Keys of two customers.
const ADA: &str = "key-of-ada-0123456789";
const BOB: &str = "key-of-bob-0123456789";

/// A service of the operator's: it answers with what it was asked.
const ORIGIN: &str = r#"
id: svc-origin
slug: origin
name: Origin
category: compute
summary: It answers with what it was asked.
description: It answers with what it was asked.
icon: server
versions: ["1"]
regions: [us-east-1]
sla: { uptime: 99.9, responseTime: 50, support: none }
plans: [{ id: free, name: Free, pricing: free, cpu: 0.5, memory: 64 MB, pids: 50 }]
image: fondaco/python:3.11
port: { name: http, number: 8080, protocol: http }
readOnlyRoot: true
command:
  - python3
  - -c
  - |
    import json, time
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
    asked = 0
    class Origin(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        def log_message(self, *_): pass
        def do_GET(self):
            global asked
            body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
            if self.path.startswith("/slow"): time.sleep(5)
            asked += 1
            said = {"method": self.command, "path": self.path, "body": body, "asked": asked}
            said["headers"] = {name.lower(): value for name, value in self.headers.items()}
            answer = json.dumps({"data": said} if self.path.startswith("/graphql") else said).encode()
            self.send_response(500 if self.path.startswith("/broken") else 200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)
        do_POST = do_DELETE = do_GET
    ThreadingHTTPServer(("", 8080), Origin).serve_forever()
connection: { uri: "http://{{host}}:{{port}}", example: "curl http://{{host}}:{{port}}" }
health: { http: { path: / } }
stop: { signal: SIGKILL, grace: 1s }
"#;

/// A market with a service that is worth a gateway, of which the id is given too.
async fn town(first_port: u16) -> (Town, String) {
    let templates = tempfile::tempdir().unwrap();
    std::fs::write(templates.path().join("origin.yaml"), ORIGIN).unwrap();
    let folder = templates.path().to_str().unwrap().to_owned();
    let town = Town::open_with(first_port, &[("FONDACO_SERVICES__TEMPLATES", &folder)]).await;
    let made = town.deploy("origin", "Origin").await;
    let id = made["deploymentId"].as_str().unwrap().to_owned();
    town.is(&id, "running").await;
    (town, id)
}

/// A deployment with settings.
struct Gateway {
    id: String,
    url: String,
    password: String,
}

impl Gateway {
    async fn made(town: &Town, service: &str, name: &str, config: Value) -> Self {
        let body = json!({ "serviceId": service, "name": name, "config": config });
        let made = town.ask(reqwest::Method::POST, "/api/deployments", Some(body)).await;
        let said = |name: &str| made["credentials"][name].as_str().unwrap().to_owned();
        let id = made["deploymentId"].as_str().unwrap().to_owned();
        let url = format!("http://{}:{}", said("host"), said("port"));
        let gateway = Self { id, url, password: said("password") };
        town.is(&gateway.id, "running").await;
        gateway
    }

    async fn configure(&self, town: &Town, config: Value) {
        let path = format!("/api/deployments/{}", self.id);
        town.ask(reqwest::Method::PATCH, &path, Some(json!({ "config": config }))).await;
    }

    /// Asks by curl: the status and the body.
    fn curl(&self, path: &str, more: &[&str]) -> (u16, Value) {
        let url = format!("{}{path}", self.url);
        let said = client("curl", &[&["-sS", "-w", "\n%{http_code}", url.as_str()], more].concat()).unwrap();
        let (body, status) = said.rsplit_once('\n').unwrap_or(("", &said));
        (status.parse().unwrap(), serde_json::from_str(body).unwrap_or_else(|_| Value::from(body)))
    }

    /// What its owner reads of who asked for what: requests, errors, refused.
    fn usage(&self, key: &str, route: &str) -> (u64, u64, u64) {
        let bearer = format!("Authorization: Bearer {}", self.password);
        let (status, usage) = self.curl("/-/usage", &["-H", &bearer]);
        assert_eq!(status, 200);
        let rows = usage["usage"].as_array().unwrap();
        let row = rows.iter().find(|row| row["key"] == key && row["route"] == route);
        let number = |name: &str| row.map_or(0, |row| row[name].as_u64().unwrap());
        (number("requests"), number("errors"), number("refused"))
    }

    /// Waits until the figures of the deployment say so.
    async fn figures(&self, town: &Town, fine: impl Fn(&Value) -> bool) {
        let began = Instant::now();
        loop {
            let metrics = town.get(&format!("/api/deployments/{}", self.id)).await["metrics"].clone();
            if fine(&metrics) {
                return;
            }
            assert!(began.elapsed() < PATIENCE, "{metrics:#}");
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }
}

fn key(key: &'static str) -> [String; 2] {
    ["-H".to_owned(), format!("X-API-Key: {key}")]
}

#[tokio::test(flavor = "multi_thread")]
async fn curl_goes_through_a_gateway_by_its_routes_keys_and_limits() {
    if !has_engine(&IMAGES) {
        return;
    }
    let (town, _) = town(23_100).await;
    let routes = json!([
        { "path": "/orders", "upstream": "http://origin:8080", "methods": ["GET", "POST"], "maxBodyKb": 1 },
        { "path": "/orders/slow", "upstream": "http://origin:8080/slow", "stripPath": true, "timeoutSeconds": 1 },
        { "path": "/open", "upstream": "http://origin:8080/broken", "stripPath": true, "key": "optional" },
    ]);
    let keys = json!([{ "name": "ada", "key": ADA }, { "name": "bob", "key": BOB, "perMinute": 3, "routes": ["/orders"] }]);
    let cors = json!({ "origins": ["https://app.example.com"] });
    let config = json!({ "routes": routes, "keys": keys, "cors": cors });
    let gateway = Gateway::made(&town, "rest-gateway", "front", config).await;
    let curl = |path: &str, more: &[&str]| gateway.curl(path, more);
    let [header, ada] = key(ADA);
    let ada = [header.as_str(), ada.as_str()];

    let (status, said) = curl("/orders/7?a=b%20c", &ada);
    assert_eq!((status, &said["path"], &said["method"]), (200, &json!("/orders/7?a=b%20c"), &json!("GET")));
    assert_eq!(said["headers"]["x-consumer"], "ada");
    assert!(said["headers"].get("x-api-key").is_none(), "keys are the gateway's alone: {said}");
    let bearer = format!("Authorization: Bearer {ADA}");
    let (_, said) = curl("/orders", &["-H", &bearer, "-d", "two loaves"]);
    assert_eq!((&said["body"], said["headers"].get("authorization")), (&json!("two loaves"), None));
    assert_eq!(curl("/orders/..%2fopen/x", &[]).0, 500, "an address means the same here and behind");
    assert_eq!(curl("/orders/1", &[]).0, 401);
    assert_eq!(curl("/orders/1", &["-H", "X-API-Key: made-up-0123456789"]).0, 401);
    assert_eq!(curl("/orders/1", &[&ada[..], &["-X", "DELETE"]].concat()).0, 405);
    assert_eq!(curl("/elsewhere", &ada).0, 404);
    let large = "x".repeat(2000);
    for chunked in [&[][..], &["-H", "Transfer-Encoding: chunked"]] {
        assert_eq!(curl("/orders", &[&ada[..], &["-d", &large], chunked].concat()).0, 413);
    }
    let began = Instant::now();
    assert_eq!(curl("/orders/slow", &ada).0, 504);
    assert!(began.elapsed() < Duration::from_secs(4));
    let (status, broken) = curl("/open/x", &["-H", "Authorization: Bearer of the upstream"]);
    assert_eq!((status, &broken["path"]), (500, &json!("/broken/x")));
    assert_eq!(broken["headers"]["authorization"], "Bearer of the upstream");

    let [header, bob] = key(BOB);
    let bob = [header.as_str(), bob.as_str()];
    let answers: Vec<u16> = (0..5).map(|_| curl("/orders/1", &bob).0).collect();
    assert_eq!(answers, [200, 200, 200, 429, 429]);
    assert_eq!(curl("/orders/slow", &bob).0, 403, "its key is for another route");
    let head = client("curl", &["-si", "-H", bob[1], &format!("{}/orders/1", gateway.url)]).unwrap();
    assert!(head.contains("Retry-After: ") && head.contains("RateLimit-Limit: 3"), "{head}");
    let asks = ["-si", "-X", "OPTIONS", "-H", "Access-Control-Request-Method: POST", "-H"];
    let asks = |origin: &str| {
        let origin = format!("Origin: {origin}");
        client("curl", &[&asks[..], &[&origin, &format!("{}/orders", gateway.url)]].concat()).unwrap()
    };
    let fine = asks("https://app.example.com");
    assert!(
        fine.starts_with("HTTP/1.1 204") && fine.contains("Access-Control-Allow-Methods: GET, POST"),
        "{fine}"
    );
    assert!(asks("https://evil.example.com").starts_with("HTTP/1.1 403"));

    is_metered(&town, &gateway).await;
    is_set_up_otherwise(&town, &gateway).await;
    town.close().await;
}

/// What the test before asked for is counted for each key and route, and stands in the figures of the deployment.
async fn is_metered(town: &Town, gateway: &Gateway) {
    assert_eq!(gateway.usage("bob", "/orders"), (6, 0, 3));
    assert_eq!(gateway.usage("bob", "/orders/slow"), (1, 0, 1));
    assert_eq!(gateway.usage("ada", "/orders/slow"), (1, 1, 0));
    assert_eq!(gateway.usage("ada", "/orders").0, 4);
    assert_eq!(gateway.curl("/-/usage", &[]).0, 401);
    gateway
        .figures(town, |metrics| {
            metrics["requests"].as_f64() >= Some(15.0)
                && metrics["errors"].as_f64() >= Some(3.0)
                && metrics["avgResponseTime"].as_f64() > Some(20.0)
        })
        .await;
}

/// Its password and its settings are changed while it runs.
async fn is_set_up_otherwise(town: &Town, gateway: &Gateway) {
    let curl = |path: &str, more: &[&str]| gateway.curl(path, more);
    let [header, ada] = key(ADA);
    let ada = [header.as_str(), ada.as_str()];
    // Another password opens what is the owner's, at once.
    let rotated = town.post(&format!("/api/deployments/{}/rotate", gateway.id)).await;
    let new = format!("Authorization: Bearer {}", rotated["password"].as_str().unwrap());
    let old = format!("Authorization: Bearer {}", gateway.password);
    assert_eq!((curl("/-/usage", &["-H", &new]).0, curl("/-/usage", &["-H", &old]).0), (200, 401));

    // What makes no sense is told by the gateway itself, and mended by other settings.
    gateway.configure(town, json!({ "routes": [{ "path": "/x", "upstream": "nowhere" }] })).await;
    let failed = town.is(&gateway.id, "failed").await;
    assert_eq!(failed["reason"], "routes[0].upstream must be an address such as http://my-api:8080.");
    assert_eq!(failed["config"]["keys"], "********");
    gateway.configure(town, json!({ "routes": [{ "path": "/", "upstream": "http://origin:8080" }] })).await;
    town.is(&gateway.id, "failed").await; // a key names a route that is gone
    gateway.configure(town, json!({ "keys": [{ "name": "ada", "key": ADA }] })).await;
    town.is(&gateway.id, "running").await;
    assert_eq!(curl("/anything", &ada).1["path"], "/anything");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_deployments_of_another_account_are_not_there() {
    if !has_engine(&IMAGES) {
        return;
    }
    let (mut town, origin) = town(23_200).await;
    let ada = std::mem::replace(&mut town.token, town.market.account("bob").token);
    let route =
        json!([{ "path": "/", "upstream": "http://origin:8080", "key": "optional", "timeoutSeconds": 2 }]);
    let gateway = Gateway::made(&town, "rest-gateway", "front", json!({ "routes": route })).await;
    assert_eq!(gateway.curl("/", &[]).0, 502, "a name of another account");
    let name = format!("fondaco-{origin}");
    let format = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}";
    let address = String::from_utf8(docker(&["inspect", "--format", format, &name]).stdout).unwrap();
    let upstream = format!("http://{}:8080", address.trim());
    assert!(client("curl", &["-sf", &upstream]).is_ok(), "this machine reaches it");
    let route = json!([{ "path": "/", "upstream": upstream, "key": "optional", "timeoutSeconds": 2 }]);
    gateway.configure(&town, json!({ "routes": route })).await;
    town.is(&gateway.id, "running").await;
    assert!(gateway.curl("/", &[]).0 >= 502, "its address");
    let delete = format!("/api/deployments/{}?now=true", gateway.id);
    town.ask(reqwest::Method::DELETE, &delete, None).await;
    town.is(&gateway.id, "deleted").await;
    town.token = ada;
    town.close().await;
}

/// Runs a program of the real Node.js.
fn node(script: &str, arguments: &[&str]) -> String {
    let tools = std::env::var_os("FONDACO_TOOLS")
        .map_or_else(|| Path::new(&std::env::var("HOME").unwrap()).join(".cache/fondaco/tools"), Into::into);
    // Modules are found from where the program is.
    let file = tempfile::Builder::new().suffix(".mjs").tempfile_in(&tools).unwrap();
    std::fs::write(file.path(), script).unwrap();
    let node = tools.join("bin/node");
    let path = file.path().to_str().unwrap();
    client(node.to_str().unwrap(), &[&[path], arguments].concat()).unwrap()
}

const LISTENER: &str = r"
const [, , url, key] = process.argv;
const at = `${url}/channels/news.bread?key=${key}`;
const heard = [];
const socket = new WebSocket(at.replace('http', 'ws'));
const all = new Promise((done) => { socket.onmessage = ({ data }) => { heard.push(data); if (data === 'last') done(); }; });
await new Promise((open, failed) => { socket.onopen = open; socket.onerror = failed; });
const publish = (body, headers) => fetch(at.split('?')[0], { method: 'POST', body, headers });
const statuses = [];
for (const text of ['first', 'last']) statuses.push((await publish(text, { 'X-API-Key': 'key-of-ada-0123456789' })).status);
statuses.push((await publish('no', { 'X-API-Key': key })).status, (await publish('no', {})).status);
statuses.push((await publish('x'.repeat(5000), { 'X-API-Key': 'key-of-ada-0123456789' })).status);
await all;
const refused = await new Promise((done) => {
  const second = new WebSocket(at.replace('http', 'ws'));
  second.onopen = () => done(false);
  second.onerror = () => done(true);
});
socket.close();
console.log(JSON.stringify({ heard, statuses, refused }));
";

/// Through one gateway to the channels of another, which is its upstream.
const THROUGH: &str = r"
const [, , url, other] = process.argv;
const socket = new WebSocket(`${url.replace('http', 'ws')}/room?key=key-of-bob-0123456789`);
const heard = new Promise((done) => { socket.onmessage = ({ data }) => done(data); });
await new Promise((open, failed) => { socket.onopen = open; socket.onerror = failed; });
await fetch(`${other}/channels/room`, { method: 'POST', body: 'hello', headers: { 'X-API-Key': 'key-of-ada-0123456789' } });
console.log(await heard);
socket.close();
";

#[tokio::test(flavor = "multi_thread")]
async fn a_web_socket_hears_what_is_published_and_no_more_than_its_key_may() {
    if !has_engine(&IMAGES) {
        return;
    }
    let town = Town::open(23_300).await;
    let ada = json!({ "name": "ada", "key": ADA, "publish": ["*"] });
    let room = json!({ "keys": [ada], "anonymous": true });
    let room = Gateway::made(&town, "websocket-gateway", "Chat room", room).await;
    let shown = town.get(&format!("/api/deployments/{}", room.id)).await;
    assert_eq!(shown["internalEndpoint"], "http://chat-room:8080");
    let bob = json!({ "name": "bob", "key": BOB, "subscribe": ["news.*"], "connections": 1 });
    let config =
        json!({ "keys": [ada, bob], "maxMessageKb": 4, "upstream": "http://chat-room:8080/channels" });
    let gateway = Gateway::made(&town, "websocket-gateway", "news", config).await;

    let said: Value = serde_json::from_str(&node(LISTENER, &[&gateway.url, BOB])).unwrap();
    assert_eq!(said["heard"], json!(["first", "last"]));
    assert_eq!(said["statuses"], json!([201, 201, 403, 401, 413]));
    assert_eq!(said["refused"], true, "a second connection of a key that has one");
    assert_eq!(gateway.usage("ada", "publish news.bread"), (2, 0, 0));
    assert_eq!(gateway.usage("bob", "subscribe news.bread").0, 2);
    assert_eq!(gateway.curl("/channels/other?key=key-of-bob-0123456789", &[]).0, 403);

    let began = Instant::now();
    while gateway.curl(&format!("/{}?key={BOB}", "news"), &["-m", "1"]).0 == 429 {
        assert!(began.elapsed() < PATIENCE, "a closed connection is given back");
    }
    assert_eq!(node(THROUGH, &[&gateway.url, &room.url]), "hello");
    gateway.figures(&town, |metrics| metrics["requests"].as_f64() >= Some(7.0)).await;
    town.close().await;
}

const GRAPHQL_CLIENT: &str = r"
import { GraphQLClient, gql } from 'graphql-request';
import { createHash } from 'node:crypto';
const [, , url, key] = process.argv;
const client = new GraphQLClient(url, { headers: { 'X-API-Key': key } });
const ask = async (text, variables) => {
  try { return await client.request(text, variables); } catch (error) { return error.response.errors?.[0]?.extensions?.code ?? error.response.status; }
};
const out = {};
const first = await ask(gql`query Bread($n: Int) { bread(first: $n) { name } }`, { n: 3 });
out.first = JSON.parse(first.body);
out.consumer = first.headers['x-consumer'];
const again = await ask(gql`query Bread($n: Int) { bread(first: $n) { name } }`, { n: 3 });
out.cached = again.asked === first.asked;
out.mutations = (await ask(gql`mutation { bake }`)).asked !== (await ask(gql`mutation { bake }`)).asked;
out.deep = await ask(gql`{ a { b { c { d { e } } } } }`);
out.costly = await ask(gql`{ a(first: 100) { b(first: 100) { c } } }`);
out.schema = await ask(gql`{ __schema { types { name } } }`);
const persisted = async (body) => {
  const answer = await fetch(url, { method: 'POST', headers: { 'content-type': 'application/json', 'X-API-Key': key }, body: JSON.stringify(body) });
  return answer.json();
};
const query = '{ rolls { name } }';
const extensions = { persistedQuery: { version: 1, sha256Hash: createHash('sha256').update(query).digest('hex') } };
out.unknown = (await persisted({ extensions })).errors[0].message;
out.kept = 'data' in (await persisted({ query, extensions }));
out.known = JSON.parse((await persisted({ extensions })).data.body).query;
out.batch = (await persisted([{ query }])).errors[0].extensions.code;
console.log(JSON.stringify(out));
";

#[tokio::test(flavor = "multi_thread")]
async fn a_graphql_client_is_held_to_depth_cost_and_what_is_persisted() {
    if !has_engine(&IMAGES) {
        return;
    }
    let rules =
        ["run", "--rm", "--network", "none", "--entrypoint", "node", IMAGES[1], "/opt/graphql/rules_test.js"];
    let rules = docker(&rules);
    assert!(rules.status.success(), "{rules:?}");
    let (town, _) = town(23_400).await;
    let config = json!({
        "upstream": "http://origin:8080/graphql", "keys": [{ "name": "ada", "key": ADA }],
        "maxDepth": 4, "maxComplexity": "500", "cacheSeconds": 60,
    });
    let gateway = Gateway::made(&town, "graphql-proxy", "graph", config).await;
    let url = format!("{}/graphql", gateway.url);
    let said: Value = serde_json::from_str(&node(GRAPHQL_CLIENT, &[&url, ADA])).unwrap();
    assert_eq!(said["first"]["variables"], json!({ "n": 3 }));
    assert_eq!((&said["consumer"], &said["cached"]), (&json!("ada"), &json!(true)));
    assert_eq!(said["mutations"], true, "each is asked of the upstream");
    assert_eq!(said["deep"], "DEPTH_LIMIT_EXCEEDED");
    assert_eq!(said["costly"], "COMPLEXITY_LIMIT_EXCEEDED");
    assert_eq!(said["schema"], "INTROSPECTION_DISABLED");
    assert_eq!(said["unknown"], "PersistedQueryNotFound");
    assert_eq!((&said["kept"], &said["known"]), (&json!(true), &json!("{ rolls { name } }")));
    assert_eq!(said["batch"], "BAD_REQUEST");
    assert_eq!(gateway.curl("/graphql?query=%7Ba%7D", &[]).0, 401);
    let [header, ada] = key(ADA);
    assert_eq!(gateway.curl("/graphql?query=%7Ba%7D", &[&header, &ada]).0, 200);
    assert_eq!(gateway.curl("/graphql?query=mutation%7Ba%7D", &[&header, &ada]).0, 405);
    assert!(gateway.usage("ada", "graphql").0 >= 12);

    gateway.configure(&town, json!({ "persisted": "allowlist", "operations": ["{ rolls { name } }"] })).await;
    town.is(&gateway.id, "running").await;
    let ask = |query: &str| {
        let body = json!({ "query": query }).to_string();
        gateway.curl("/graphql", &[&header, &ada, "-H", "Content-Type: application/json", "-d", &body]).0
    };
    assert_eq!((ask("{ rolls { name } }"), ask("{ bread { name } }")), (200, 403));
    gateway.configure(&town, json!({ "operations": ["{ rolls "] })).await;
    let failed = town.is(&gateway.id, "failed").await;
    assert!(failed["reason"].as_str().unwrap().starts_with("operations[0] cannot be read:"), "{failed:#}");
    town.close().await;
}
