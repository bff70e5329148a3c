//! Who acts, and who asks.

use std::sync::Arc;

use kernel::Timestamp;
use web::Ctx;

use crate::account::{AccountId, OrgId, UserId};
use crate::error::IdentityError;
use crate::orgs::OrgRole;
use crate::permission::{Action, Subject, can};
use crate::role::{Role, Roles};
use crate::scope::Scopes;
use crate::sessions::SessionId;
use crate::tokens::TokenId;

/// A signed-in account with all that a permission depends on. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    /// Its id.
    pub user: UserId,
    /// Its name.
    pub username: Arc<str>,
    /// Its roles.
    pub roles: Roles,
    /// What the token in use allows at the most.
    pub scopes: Scopes,
    /// How it signed in.
    pub via: Via,
    /// The organisations it belongs to.
    pub memberships: Arc<[Membership]>,
}

/// Belonging to one organisation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Membership {
    /// The organisation.
    pub id: OrgId,
    /// The organisation's name.
    pub org: Arc<str>,
    /// The standing there.
    pub role: OrgRole,
}

/// How an account signed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Via {
    /// With the cookie of a session.
    Session(SessionId),
    /// With a short-lived JWT of a session.
    Jwt(SessionId),
    /// With an API token; the session is that of the sign-in which made it, if one did.
    Token(TokenId, Option<SessionId>),
    /// With name and password in this very request.
    Password,
    /// Not at all: the program itself acts, for the command line or the demo data.
    System,
}

impl Actor {
    /// The standing in the organisation of this name; `None` for a stranger to it.
    #[must_use]
    pub fn standing_in(&self, org: &str) -> Option<OrgRole> {
        self.memberships.iter().find(|membership| &*membership.org == org).map(|membership| membership.role)
    }

    /// The account that sells, buys or owns when this actor does so in its own name, or in that of an organisation
    /// where it has at least the standing `least`.
    #[must_use]
    pub fn account_in(&self, org: Option<&str>, least: OrgRole) -> Option<AccountId> {
        let Some(org) = org else { return Some(AccountId::from(&self.user)) };
        let member = self.memberships.iter().find(|membership| &*membership.org == org);
        member.filter(|membership| membership.role >= least).map(|membership| AccountId::from(&membership.id))
    }

    /// Whether it is this account, or has at least the standing `least` in it.
    #[must_use]
    pub fn speaks_for(&self, account: &AccountId, least: OrgRole) -> bool {
        account.as_str() == self.user.as_str()
            || self.memberships.iter().any(|own| own.id.as_str() == account.as_str() && own.role >= least)
    }

    /// Every account that it belongs to: its own and those of its organisations.
    pub fn accounts(&self) -> impl Iterator<Item = AccountId> {
        let orgs = self.memberships.iter().map(|membership| AccountId::from(&membership.id));
        std::iter::once(AccountId::from(&self.user)).chain(orgs)
    }

    /// The API token in use.
    #[must_use]
    pub const fn token(&self) -> Option<&TokenId> {
        if let Via::Token(id, _) = &self.via { Some(id) } else { None }
    }

    /// The session in use.
    #[must_use]
    pub const fn session(&self) -> Option<&SessionId> {
        match &self.via {
            Via::Session(id) | Via::Jwt(id) | Via::Token(_, Some(id)) => Some(id),
            _ => None,
        }
    }
}

/// Who asks, from where, and when: what every use case takes, and what the audit trail keeps.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Address, user agent, request id, time.
    pub ctx: Ctx,
    /// The signed-in account, if there is one.
    pub actor: Option<Actor>,
}

impl Caller {
    /// The program itself: the command line, jobs, demo data. It may do everything.
    #[must_use]
    pub fn system(now: Timestamp) -> Self {
        let actor = Actor {
            user: "user-system".parse().unwrap_or_else(|_| UserId::fresh()),
            username: "system".into(),
            roles: Role::ALL.into_iter().collect(),
            scopes: Scopes::all(),
            via: Via::System,
            memberships: Arc::new([]),
        };
        Self { ctx: Ctx::local(now), actor: Some(actor) }
    }

    /// A stranger, from nowhere in particular: for tests of what strangers may.
    #[must_use]
    pub fn stranger(now: Timestamp) -> Self {
        Self { ctx: Ctx::local(now), actor: None }
    }

    /// When it asks.
    #[must_use]
    pub const fn now(&self) -> Timestamp {
        self.ctx.now
    }

    /// The API token in use.
    #[must_use]
    pub fn token(&self) -> Option<&TokenId> {
        self.actor.as_ref()?.token()
    }

    /// The signed-in account.
    ///
    /// # Errors
    /// [`IdentityError::NotSignedIn`] for a stranger.
    pub fn account(&self) -> Result<&Actor, IdentityError> {
        self.actor.as_ref().ok_or(IdentityError::NotSignedIn)
    }

    /// The signed-in account, if it may do this.
    ///
    /// # Errors
    /// [`IdentityError::NotSignedIn`] for a stranger, [`IdentityError::Denied`] for who may not.
    pub fn may(&self, action: Action, subject: &Subject<'_>) -> Result<&Actor, IdentityError> {
        let actor = self.account()?;
        can(actor, action, subject)?;
        Ok(actor)
    }
}
