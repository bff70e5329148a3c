//! Who is who: accounts, organisations, sessions, tokens, roles, sign-in, and the trail of what was done.
//!
//! The map:
//! * [`Identity`] is the room; its methods are the use cases, one file each.
//! * Handlers of all rooms learn who calls from the extractors [`Caller`] and [`Account`], and ask
//!   [`can`] (or [`Caller::may`]) before they do anything.
//! * [`audit::record`] keeps who did what, in the transaction of the change.
//! * [`orgs`] answers who belongs to which organisation, within any transaction.

mod account;
mod act_for;
mod actor;
mod api;
pub mod audit;
mod cache;
mod error;
pub mod events;
mod extract;
mod jwt;
mod mail_links;
mod operate;
pub mod orgs;
mod page;
mod password;
mod permission;
mod profile;
mod register;
mod resolve;
mod role;
mod scope;
mod seen;
pub mod sessions;
mod setup;
mod sign_in;
mod sql;
mod throttle;
pub mod tokens;
mod visit;
mod web_login;

use std::sync::Arc;
use std::time::Duration;

use kernel::{Clock, Secret};
use store::{Migrations, Store, Tx};

pub use account::{
    AccountId, Email, Name, Names, OrgId, PublicAccount, User, UserId, account_named, accounts, accounts_at,
    first_administrator, mail_address, names, user_named,
};
pub use actor::{Actor, Caller, Membership, Via};
pub use api::{openapi, routes};
pub use error::IdentityError;
pub use extract::{Account, Operator};
pub use operate::UserChange;
pub use page::pages;
pub use password::Cost;
pub use permission::{Action, Denied, Subject, can};
pub use profile::{Profile, ProfileChange};
pub use register::{NewAccount, Registered, Terms};
pub use role::{NoSuchRole, Role, Roles};
pub use scope::{Scope, Scopes};
pub use sessions::SessionId;
pub use sign_in::SignedIn;
pub use tokens::TokenId;
pub use visit::{Visit, done};
pub use web_login::{Poll, WebLogin, WebLoginView};

/// This room's tables.
pub const MIGRATIONS: Migrations =
    store::migrations!("identity", "0001_identity.sql", "0002_former_names.sql");

/// How this room is set up.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The address under which browsers reach the web interface, without a slash at the end.
    pub public_url: String,
    /// Whether strangers may make accounts.
    pub registration_open: bool,
    /// The roles of an account that registers.
    pub default_roles: Roles,
    /// How long a program stays signed in: `TOKEN_EXPIRY`.
    pub token_expiry: Duration,
    /// How long the token of a command line lives that a person let in through the browser.
    pub web_login_life: Duration,
    /// `JWT_SECRET`: the first signs, all verify, so that a new one can be put in front of an old one.
    pub jwt_secrets: Vec<Secret>,
    /// What one password hash costs.
    pub password_cost: Cost,
}

impl Settings {
    /// The usual settings of a market at `public_url`.
    pub fn new(public_url: impl Into<String>, jwt_secret: Secret) -> Self {
        Self {
            public_url: public_url.into().trim_end_matches('/').to_owned(),
            registration_open: true,
            default_roles: Roles::of(&[Role::User, Role::Publisher]),
            token_expiry: Duration::from_secs(7 * 86_400),
            web_login_life: Duration::from_secs(90 * 86_400),
            jwt_secrets: vec![jwt_secret],
            password_cost: Cost::default(),
        }
    }

    /// Whether browsers come by https, so that cookies may be marked `Secure`.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.public_url.starts_with("https://")
    }
}

/// The room. Cheap to clone: every clone shares the store and the cache.
#[derive(Clone)]
pub struct Identity {
    store: Store,
    clock: Clock,
    settings: Arc<Settings>,
    passwords: password::Passwords,
    keys: Arc<jwt::Keys>,
    cache: Arc<cache::Cache>,
    seen: Arc<seen::Seen>,
}

impl Identity {
    /// The room on a migrated store.
    #[must_use]
    pub fn new(store: Store, clock: Clock, settings: Settings) -> Self {
        Self {
            store,
            clock,
            passwords: password::Passwords::new(settings.password_cost),
            keys: Arc::new(jwt::Keys::new(&settings.jwt_secrets)),
            settings: Arc::new(settings),
            cache: Arc::new(cache::Cache::new()),
            seen: Arc::default(),
        }
    }

    /// How the room is set up.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Makes this process look again who is who once the transaction is durable.
    pub(crate) fn forget_after_commit(&self, tx: &mut Tx) {
        let cache = self.cache.clone();
        tx.after_commit(move || cache.forget());
    }
}
