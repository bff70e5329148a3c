//! A registry in memory for the tests, and clients that speak to it as npm does.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::io::Write;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use blobs::{BlobConfig, Blobs};
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt;
use identity::{Caller, Cost, Identity, NewAccount};
use kernel::{Clock, Secret, Timestamp};
use registry::{Registry, Settings};
use serde_json::{Value, json};
use sha2::{Digest, Sha512};
use store::{Migrations, Store};
use tower::ServiceExt;

pub(crate) const MIGRATIONS: &[Migrations] = &[
    web::MIGRATIONS,
    events::MIGRATIONS,
    blobs::MIGRATIONS,
    jobs::MIGRATIONS,
    identity::MIGRATIONS,
    registry::MIGRATIONS,
];

/// A registry with its clock.
pub(crate) struct Bench {
    pub(crate) registry: Registry,
    pub(crate) identity: Identity,
    pub(crate) store: Store,
    pub(crate) clock: Clock,
    pub(crate) router: Router,
    _folder: tempfile::TempDir,
}

/// An answer, read whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&self.body)))
    }

    pub(crate) fn error(&self) -> String {
        self.json()["error"].as_str().unwrap_or_default().to_owned()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }

    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{}", String::from_utf8_lossy(&self.body));
        self
    }
}

impl Bench {
    pub(crate) async fn new(store: Store) -> Self {
        Self::with(store, Settings::default()).await
    }

    pub(crate) async fn with(store: Store, settings: Settings) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Clock::fixed(Timestamp::from_secs(1_700_000_000));
        let blobs = Blobs::open(BlobConfig::folder(folder.path())).await.unwrap();
        let mut accounts = identity::Settings::new("http://localhost:3000", Secret::new("s".repeat(40)));
        accounts.password_cost = Cost { memory_kib: 64, passes: 1 };
        let identity = Identity::new(store.clone(), clock.clone(), accounts);
        let registry = Registry::new(store.clone(), blobs, identity.clone(), settings);
        let router = web::Stack::new(web::Surface::Registry, clock.clone())
            .around(registry::npm::router(registry.clone()));
        Self { registry, identity, store, clock, router, _folder: folder }
    }

    /// Registers somebody; answers the token.
    pub(crate) async fn account(&self, name: &str) -> String {
        let new = NewAccount {
            username: name.to_owned(),
            email: format!("{name}@example.com"),
            password: Secret::new("correct horse battery"),
            display_name: String::new(),
        };
        let registered = self.identity.register(&Caller::stranger(self.clock.now()), new).await.unwrap();
        registered.token.secret.expose().to_owned()
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes().to_vec();
        Answer { status: parts.status, headers: parts.headers, body }
    }

    pub(crate) async fn call(&self, method: Method, path: &str, token: &str, body: Value) -> Answer {
        let mut request = Request::builder().method(method).uri(path).header("host", "localhost:4873");
        if !token.is_empty() {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let body = if body.is_null() { Body::empty() } else { Body::from(body.to_string()) };
        self.send(request.body(body).unwrap()).await
    }

    pub(crate) async fn get(&self, path: &str, token: &str) -> Answer {
        self.call(Method::GET, path, token, Value::Null).await
    }

    pub(crate) async fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        let mut request = Request::builder().uri(path).header("host", "localhost:4873");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request.body(Body::empty()).unwrap()).await
    }

    pub(crate) async fn put(&self, path: &str, token: &str, body: Value) -> Answer {
        self.call(Method::PUT, path, token, body).await
    }

    pub(crate) async fn delete(&self, path: &str, token: &str) -> Answer {
        self.call(Method::DELETE, path, token, Value::Null).await
    }

    /// Publishes as npm does.
    pub(crate) async fn publish(&self, name: &str, version: &str, token: &str) -> Answer {
        self.put(&format!("/npm/{}", name.replace('/', "%2f")), token, document(name, version, json!({})))
            .await
    }

    pub(crate) async fn rev(&self, name: &str, token: &str) -> String {
        let document = self.get(&format!("/npm/{name}?write=true"), token).await.expect(200).json();
        document["_rev"].as_str().unwrap().to_owned()
    }

    pub(crate) fn advance(&self, hours: u64) {
        self.clock.advance(Duration::from_secs(hours * 3600));
    }
}

/// A tarball with these files.
pub(crate) fn tarball(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (path, content) in files {
        let mut header = tar::Header::new_ustar();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, path, *content).unwrap();
    }
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&builder.into_inner().unwrap()).unwrap();
    gzip.finish().unwrap()
}

/// The tarball of a small package.
pub(crate) fn small_tarball(name: &str, version: &str) -> Vec<u8> {
    let manifest = json!({"name": name, "version": version}).to_string();
    tarball(&[
        ("package/package.json", manifest.as_bytes()),
        ("package/README.md", format!("# {name}\n").as_bytes()),
        ("package/index.js", b"module.exports = 1\n"),
    ])
}

/// What npm sends; `fields` are members of the manifest.
pub(crate) fn document(name: &str, version: &str, fields: Value) -> Value {
    document_with(name, version, fields, &small_tarball(name, version))
}

pub(crate) fn document_with(name: &str, version: &str, fields: Value, tarball: &[u8]) -> Value {
    let mut manifest = json!({
        "name": name, "version": version, "description": format!("The package {name}"), "license": "MIT",
        "_id": format!("{name}@{version}"),
        "dist": {
            "integrity": format!("sha512-{}", STANDARD.encode(Sha512::digest(tarball))),
            "tarball": format!("http://localhost:4873/npm/{name}/-/{name}-{version}.tgz"),
        },
    });
    manifest.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    json!({
        "_id": name, "name": name, "access": null, "dist-tags": {"latest": version},
        "versions": {version: manifest},
        "_attachments": {format!("{name}-{version}.tgz"): {
            "content_type": "application/octet-stream", "data": STANDARD.encode(tarball), "length": tarball.len(),
        }},
    })
}

store::sql! {
    SUM_ALL_DOWNLOADS = "select cast(coalesce(sum(count), 0) as bigint) from download_count where package = $1";
    INSERT_ADVISORY = "insert into advisory (ecosystem, package_name, vulnerable_range, patched_range, severity, title, \
        url, cwe, cvss) values ('npm', $1, $2, '', $3, 'A hole', 'https://example.com/1', '[]', '{}')";
}

/// How often a package was downloaded, as far as that is written.
pub(crate) async fn downloads(bench: &Bench, package: registry::PackageId) -> i64 {
    let look = async move |tx: &mut store::Tx| {
        let (sum,): (i64,) = tx.one(&SUM_ALL_DOWNLOADS, store::args![package]).await?;
        Ok::<_, store::StoreError>(sum)
    };
    bench.store.read(look).await.unwrap()
}

pub(crate) async fn add_advisory(
    bench: &Bench,
    package: &'static str,
    range: &'static str,
    severity: &'static str,
) {
    let write = async move |tx: &mut store::Tx| {
        tx.execute(&INSERT_ADVISORY, store::args![package, range, severity]).await
    };
    bench.store.write(write).await.unwrap();
}

/// Waits until there are `count` events of a type: PostgreSQL shows them once all older transactions have ended,
/// those of other tests too.
pub(crate) async fn wait_for_events(bench: &Bench, kind: &str, count: usize) {
    let log = events::Log::new(bench.store.clone());
    for _ in 0..200 {
        let all = log.after(events::Position::START).await.unwrap();
        if all.iter().filter(|event| event.kind == kind).count() == count {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("there are no {count} events {kind}");
}

/// Who has this token, as use cases take it.
pub(crate) async fn caller(bench: &Bench, token: &str) -> Caller {
    let headers = HeaderMap::from_iter([(
        http::header::AUTHORIZATION,
        http::HeaderValue::from_str(&format!("Bearer {token}")).unwrap(),
    )]);
    let ctx = web::Ctx::local(bench.clock.now());
    let actor = bench.identity.resolve(&headers, &ctx).await.unwrap();
    Caller { ctx, actor }
}

/// Founds an organisation.
pub(crate) async fn found(bench: &Bench, token: &str, name: &str) {
    let by = caller(bench, token).await;
    bench.identity.create_org(&by, name, name).await.unwrap();
}
