//! A market with uplinks, on both databases.

use std::time::Duration;

use blobs::{BlobConfig, Blobs};
use futures_util::TryStreamExt;
use http::HeaderMap;
use identity::{Caller, Identity, NewAccount};
use kernel::{Clock, Problem, Secret, Timestamp};
use registry::uplink::{Binding, Limits, Settings, Tarball, UplinkError, Uplinks, Upstream};
use registry::{Form, NpmName, Registry};
use serde_json::Value;
use store::{Store, StoreError, Tx, args, sql, testing};

use crate::counterparty::Counterparty;

const MIGRATIONS: &[store::Migrations] =
    &[blobs::MIGRATIONS, events::MIGRATIONS, jobs::MIGRATIONS, identity::MIGRATIONS, registry::MIGRATIONS];

pub(crate) const BASE: &str = "http://localhost:4873/npm/";

sql! {
    INSERT_LOCAL = "insert into package (id, ecosystem, name, normalized_name, owner_kind, owner, access, revision,
        description, keywords, created_at, updated_at)
        values ($1, 'npm', $2, $2, 'user', 'ada', 'private', 1, '', '', 0, 0)";
    COUNT_FILES = "select count(*) from uplink_file";
}

pub(crate) struct Market {
    pub store: Store,
    pub blobs: Blobs,
    pub identity: Identity,
    pub clock: Clock,
    /// The policies that bind who reads; none unless a test says so.
    pub binding: Binding,
    folder: tempfile::TempDir,
}

/// Runs the test on a fresh market of each kind of database.
pub(crate) async fn both(test: impl AsyncFn(Market)) {
    testing::both(MIGRATIONS, async |store| {
        let folder = tempfile::tempdir().unwrap();
        let blobs = Blobs::open(BlobConfig::folder(folder.path())).await.unwrap();
        let clock = Clock::fixed("2026-02-01T00:00:00Z".parse().unwrap());
        let mut settings =
            identity::Settings::new("http://localhost", Secret::new("of the tests, long enough for a key"));
        settings.password_cost = identity::Cost { memory_kib: 64, passes: 1 };
        let identity = Identity::new(store.clone(), clock.clone(), settings);
        test(Market { store, blobs, identity, clock, binding: Binding::default(), folder }).await;
    })
    .await;
}

pub(crate) fn upstream(name: &str, url: &str) -> Upstream {
    Upstream {
        name: name.to_owned(),
        url: url.to_owned(),
        patterns: Vec::new(),
        token: None,
        ttl: Duration::from_secs(300),
        timeout: Duration::from_secs(5),
    }
}

pub(crate) fn settings(counterparty: &Counterparty) -> Settings {
    let mut upstream = upstream("upstream", &counterparty.url());
    upstream.token = Some(Secret::new("very-secret"));
    Settings { uplinks: vec![upstream], limits: limits(), ..Settings::default() }
}

pub(crate) fn limits() -> Limits {
    Limits { document_bytes: 1 << 20, decoded_bytes: 4 << 20, tarball_bytes: 16 << 20, ..Limits::default() }
}

pub(crate) fn name(text: &str) -> NpmName {
    NpmName::parse(text).unwrap()
}

/// Somebody with an account.
pub(crate) struct Person {
    pub username: String,
    pub authorization: http::HeaderValue,
}

impl Market {
    pub(crate) fn uplinks(&self, settings: &Settings) -> Uplinks {
        Uplinks::new(self.store.clone(), self.blobs.clone(), settings).unwrap()
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) fn pass(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    /// Makes an account of this name: its scope is its own then.
    pub(crate) async fn claim(&self, scope: &str) {
        let account = NewAccount {
            username: scope.to_owned(),
            email: format!("{scope}@example.com"),
            password: Secret::new("a long password of somebody"),
            display_name: String::new(),
        };
        self.identity.register(&Caller::stranger(self.now()), account).await.unwrap();
    }

    pub(crate) async fn publish_locally(&self, name: &str) {
        let (id, name) = (format!("pkg-{}", name.len()), name.to_owned());
        let insert = async move |tx: &mut Tx| tx.execute(&INSERT_LOCAL, args![id, name]).await;
        self.store.write(insert).await.unwrap();
    }

    /// A room over this market, with uplinks.
    pub(crate) fn registry(&self, settings: &Settings) -> Registry {
        let (store, blobs, identity) = (self.store.clone(), self.blobs.clone(), self.identity.clone());
        Registry::new(store, blobs, identity, registry::Settings::default()).with_uplinks(settings).unwrap()
    }

    /// Makes an account; who it is, and its token.
    pub(crate) async fn person(&self, username: &str) -> Person {
        let account = NewAccount {
            username: username.to_owned(),
            email: format!("{username}@example.com"),
            password: Secret::new("a long password of somebody"),
            display_name: String::new(),
        };
        let made = self.identity.register(&Caller::stranger(self.now()), account).await.unwrap();
        let token = made.token.secret.expose().to_owned();
        Person { username: username.to_owned(), authorization: format!("Bearer {token}").parse().unwrap() }
    }

    /// As who a person asks just now.
    pub(crate) async fn by(&self, person: &Person) -> Caller {
        let headers = HeaderMap::from_iter([(http::header::AUTHORIZATION, person.authorization.clone())]);
        let ctx = web::Ctx::local(self.now());
        let actor = self.identity.resolve(&headers, &ctx).await.unwrap();
        Caller { ctx, actor }
    }

    /// The same market after its blob folder was lost.
    pub(crate) async fn without_blobs(self) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let blobs = Blobs::open(BlobConfig::folder(folder.path())).await.unwrap();
        Self { blobs, folder, ..self }
    }

    /// How many blobs have a reference, and how many tarballs are known.
    pub(crate) async fn kept(&self) -> (u64, i64) {
        let count = async |tx: &mut Tx| {
            let (blobs, _) = blobs::refs::totals(tx).await?;
            let (files,): (i64,) = tx.one(&COUNT_FILES, args![]).await?;
            Ok::<_, StoreError>((blobs, files))
        };
        self.store.read(count).await.unwrap()
    }

    /// How many files lie in the blob folder, referenced or not.
    pub(crate) fn files_on_disk(&self) -> usize {
        fn count(folder: &std::path::Path) -> usize {
            let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
            entries.map(|path| if path.is_dir() { count(&path) } else { 1 }).sum()
        }
        count(self.folder.path())
    }

    /// A document as a client gets it.
    pub(crate) async fn packument(
        &self,
        uplinks: &Uplinks,
        package: &str,
    ) -> Result<Option<Value>, UplinkError> {
        let found =
            uplinks.packument(&name(package), Form::Abbreviated, BASE, &self.binding, self.now()).await?;
        Ok(found.map(|document| serde_json::from_slice(&document.encodings.plain.bytes).unwrap()))
    }

    /// The bytes of a tarball as a client gets them, or the error that cuts its connection.
    pub(crate) async fn tarball(
        &self,
        uplinks: &Uplinks,
        package: &str,
        file: &str,
    ) -> Result<Option<Result<Vec<u8>, std::io::Error>>, UplinkError> {
        let Some(tarball) = uplinks.tarball(&name(package), file, &self.binding, self.now()).await? else {
            return Ok(None);
        };
        uplinks.count_download(&name(package), file, self.now());
        Ok(Some(self.bytes(tarball).await))
    }

    pub(crate) async fn bytes(&self, tarball: Tarball) -> Result<Vec<u8>, std::io::Error> {
        match tarball {
            Tarball::Stored(stored) => {
                let body = self.blobs.read(stored.sha256).await.unwrap().body().await.unwrap();
                let bytes: Vec<u8> = body.try_collect::<Vec<_>>().await?.concat();
                assert_eq!(bytes.len() as u64, stored.size_bytes);
                Ok(bytes)
            }
            Tarball::Arriving { body, .. } => Ok(body.try_collect::<Vec<_>>().await?.concat()),
        }
    }
}

pub(crate) fn problem(error: UplinkError) -> Problem {
    error.into()
}
