//! Demo data: accounts, an organisation, and small packages that work, made as real tarballs and published through
//! the registry's own door. Counts are never invented: downloads begin at zero.

mod deployments;
mod listings;
mod packages;
mod shows;
mod subscription;
mod tarball;

use std::collections::BTreeMap;

use axum::body::Body;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use identity::{Caller, IdentityError, NewAccount, Role, Roles, Terms};
use kernel::{Clock, Problem, Secret, Timestamp};
use registry::Ecosystem;
use serde_json::{Value, json};
use sha2::{Digest, Sha512};
use store::{Migrations, StoreError, Tx, args, sql};
use tower::ServiceExt;

use crate::rooms::Rooms;
pub use deployments::deploy;
use packages::{RELEASES, Release};

/// The table that marks a demo.
pub const MIGRATIONS: Migrations = store::migrations!("demo", "0001_demo.sql");

sql! {
    FIND_DEMO = "select finished_at from demo";
    INSERT_DEMO = "insert into demo (id, started_at) values (1, $1) on conflict (id) do nothing";
    FINISH_DEMO = "update demo set finished_at = $1 where finished_at is null";
}

/// The demo's user, as the seed has it.
const USER: (&str, &str) = ("demo", "demo123");
/// The demo's operator. The name `admin` is reserved, so that nobody can pose as one.
const OPERATOR: &str = "demo-admin";
/// The organisation that the packages belong to.
pub(crate) const ORGANISATION: &str = "elide";
/// What is deprecated, and why.
const DEPRECATED: (&str, &str) =
    ("request-lite", "Use @elide/http instead: it has promises, timeouts and types.");
/// What the demo's user has starred.
const STARRED: [&str; 2] = ["@elide/http", "@elide/router"];

/// Why the demo data cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// Somebody uses this market already.
    #[error("there is data in this database that is no demo data")]
    NotEmpty,
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// An account cannot be made.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// Something cannot be listed.
    #[error(transparent)]
    Catalog(#[from] catalog::CatalogError),
    /// Something cannot be ordered.
    #[error(transparent)]
    Orders(#[from] orders::OrderError),
    /// A card cannot be saved.
    #[error(transparent)]
    Payments(#[from] payments::PaymentError),
    /// Something cannot be deployed.
    #[error(transparent)]
    Services(#[from] services::ServiceError),
    /// A subscription cannot begin.
    #[error(transparent)]
    Billing(#[from] billing::BillingError),
    /// The registry refused something.
    #[error("{0} cannot be published: {1}")]
    Refused(String, String),
}

/// What was made.
#[derive(Clone, Debug)]
pub struct Made {
    /// Whether it was made now, or was there already.
    pub is_new: bool,
    /// The password of `demo-admin`, if that account was made now.
    pub admin_password: Option<Secret>,
}

impl Made {
    /// Names and passwords that can be used to sign in.
    #[must_use]
    pub fn accounts(&self) -> Vec<(&str, &str)> {
        let admin = self.admin_password.as_ref().map(|password| (OPERATOR, password.expose()));
        std::iter::once(USER).chain(admin).collect()
    }

    /// The same as JSON.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let account =
            |(username, password): (&str, &str)| json!({"username": username, "password": password});
        json!({"isNew": self.is_new, "accounts": self.accounts().into_iter().map(account).collect::<Vec<_>>()})
    }
}

/// Fills an empty database; goes on where an earlier call was killed, and does nothing where one has finished. There
/// is no operator afterwards: the set-up link makes the first one.
///
/// # Errors
/// [`DemoError`].
pub async fn fill(rooms: &Rooms) -> Result<Made, DemoError> {
    fill_in(rooms, false).await
}

/// As [`fill`], and makes an operator with a random password.
///
/// # Errors
/// [`DemoError`].
pub async fn fill_with_operator(rooms: &Rooms) -> Result<Made, DemoError> {
    fill_in(rooms, true).await
}

async fn fill_in(rooms: &Rooms, operator: bool) -> Result<Made, DemoError> {
    let state =
        rooms.store.read(async |tx: &mut Tx| tx.first::<(Option<Timestamp>,)>(&FIND_DEMO, args![]).await);
    match state.await? {
        Some((Some(_),)) => return Ok(Made { is_new: false, admin_password: None }),
        Some((None,)) => {}
        None => begin(rooms).await?,
    }
    let by = Caller::system(rooms.clock.now());
    let roles = Roles::of(&[Role::User, Role::Publisher]);
    create(rooms, &by, USER.0, Secret::new(USER.1), Terms { roles, verified: true, easy_password: true })
        .await?;
    publish_all(rooms).await?;
    listings::list_all(rooms).await?;
    shows::organise_all(rooms).await?;
    subscription::subscribe(rooms).await?;
    let admin_password = if operator { create_operator(rooms, &by).await? } else { None };
    let now = rooms.clock.now();
    rooms.store.write(async move |tx: &mut Tx| tx.execute(&FINISH_DEMO, args![now]).await).await?;
    Ok(Made { is_new: true, admin_password })
}

/// Marks the database as a demo, unless something has happened in it.
async fn begin(rooms: &Rooms) -> Result<(), DemoError> {
    if !rooms.log.after(events::Position::START).await?.is_empty() {
        return Err(DemoError::NotEmpty);
    }
    let now = rooms.clock.now();
    rooms.store.write(async move |tx: &mut Tx| tx.execute(&INSERT_DEMO, args![now]).await).await?;
    Ok(())
}

/// Makes an account; tells whether it was not there yet.
async fn create(
    rooms: &Rooms,
    by: &Caller,
    username: &str,
    password: Secret,
    terms: Terms,
) -> Result<bool, DemoError> {
    let new = NewAccount {
        username: username.to_owned(),
        email: format!("{username}@example.com"),
        password,
        display_name: String::new(),
    };
    match rooms.identity.create_user(by, new, terms).await {
        Ok(_) => Ok(true),
        Err(IdentityError::NameTaken) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

async fn create_operator(rooms: &Rooms, by: &Caller) -> Result<Option<Secret>, DemoError> {
    let password = Secret::new(kernel::random_text::<15>());
    let roles = Role::ALL.into_iter().collect();
    let terms = Terms { roles, verified: true, easy_password: false };
    let made = create(rooms, by, OPERATOR, password.clone(), terms).await?;
    Ok(made.then_some(password))
}

/// Acts as the demo's user, who signs in like anybody else.
async fn publish_all(rooms: &Rooms) -> Result<(), DemoError> {
    let stranger = Caller::stranger(rooms.clock.now());
    let signed_in = rooms.identity.sign_in(&stranger, USER.0, &Secret::new(USER.1)).await?;
    let by = Caller { ctx: stranger.ctx.clone(), actor: Some(signed_in.actor) };
    match rooms.identity.create_org(&by, ORGANISATION, "Elide").await {
        Ok(_) | Err(IdentityError::NameTaken | IdentityError::Exists(_)) => {}
        Err(error) => return Err(error.into()),
    }
    let token = signed_in.token.secret;
    for release in RELEASES {
        publish(rooms, release, &token).await?;
    }
    let refused = |error: registry::RegistryError| {
        DemoError::Refused(DEPRECATED.0.to_owned(), Problem::from(error).detail.into_owned())
    };
    let now = Caller { ctx: web::Ctx::local(Clock::system().now()), ..by };
    let versions = RELEASES.iter().filter(|release| release.name == DEPRECATED.0);
    let messages: BTreeMap<String, String> =
        versions.map(|release| (release.version.to_owned(), DEPRECATED.1.to_owned())).collect();
    rooms.registry.deprecate(&now, Ecosystem::Npm, DEPRECATED.0, messages, None).await.map_err(refused)?;
    for name in STARRED {
        rooms.registry.star(&now, Ecosystem::Npm, name, true).await.map_err(refused)?;
    }
    rooms.identity.revoke_token_text(&now, token.expose()).await?;
    Ok(())
}

/// Publishes one release as npm does. One that is there already stays as it is.
async fn publish(rooms: &Rooms, release: &Release, token: &Secret) -> Result<(), DemoError> {
    let refused =
        |detail: String| DemoError::Refused(format!("{}@{}", release.name, release.version), detail);
    let document = document(release).map_err(|error| refused(error.to_string()))?;
    let request = axum::http::Request::put(format!("/npm/{}", release.name.replace('/', "%2f")))
        .header("authorization", format!("Bearer {}", token.expose()))
        .header("content-type", "application/json")
        .body(Body::from(document.to_string()))
        .map_err(|error| refused(error.to_string()))?;
    let Ok(answer) = registry::npm::router(rooms.registry.clone()).oneshot(request).await;
    let status = answer.status();
    if status.is_success() {
        return Ok(());
    }
    let body = axum::body::to_bytes(answer.into_body(), 64 * 1024).await.unwrap_or_default();
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    // What an earlier run has published.
    if body.get("code").and_then(Value::as_str) == Some("registry.version_exists") || status.as_u16() == 409 {
        return Ok(());
    }
    Err(refused(body.get("error").and_then(Value::as_str).unwrap_or_default().to_owned()))
}

/// The publish document of the npm protocol.
fn document(release: &Release) -> std::io::Result<Value> {
    let Release { name, version, tag, .. } = release;
    let packed = tarball::pack(release)?;
    let mut manifest = release.manifest();
    let file = format!("{name}-{version}.tgz");
    if let Value::Object(manifest) = &mut manifest {
        manifest.insert("_id".to_owned(), json!(format!("{name}@{version}")));
        let integrity = format!("sha512-{}", STANDARD.encode(Sha512::digest(&packed)));
        manifest.insert("dist".to_owned(), json!({"integrity": integrity}));
    }
    Ok(json!({
        "_id": name,
        "name": name,
        "access": "public",
        "dist-tags": {*tag: version},
        "versions": {*version: manifest},
        "_attachments": {file: {
            "content_type": "application/octet-stream",
            "length": packed.len(),
            "data": STANDARD.encode(&packed),
        }},
    }))
}
