//! How handlers learn who calls.

use axum::extract::{FromRef, FromRequestParts};
use http::request::Parts;
use web::{Ctx, Failure};

use crate::Identity;
use crate::actor::{Actor, Caller};
use crate::error::IdentityError;
use crate::permission::{Action, Subject};

impl<S> FromRequestParts<S> for Caller
where
    S: Send + Sync,
    Identity: FromRef<S>,
{
    type Rejection = Failure;

    /// A stale cookie makes a stranger; a bad token or password is refused, never silently a stranger.
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        let Ok(ctx) = Ctx::from_request_parts(parts, state).await;
        let actor = Identity::from_ref(state).resolve(&parts.headers, &ctx).await?;
        Ok(Self { ctx, actor })
    }
}

/// A caller who operates the market: an admin, by a session or a token with the scope `admin`. Pages and handlers for
/// operators take this before anything of the request is looked at; a use case that takes it needs no other question.
#[derive(Clone, Debug)]
pub struct Operator {
    /// Who, as use cases take it.
    pub caller: Caller,
}

impl Operator {
    /// `caller` as an operator.
    ///
    /// # Errors
    /// [`IdentityError::NotSignedIn`], [`IdentityError::Denied`].
    pub fn of(caller: Caller) -> Result<Self, IdentityError> {
        caller.may(Action::OperateMarket, &Subject::Market)?;
        Ok(Self { caller })
    }
}

impl<S> FromRequestParts<S> for Operator
where
    S: Send + Sync,
    Identity: FromRef<S>,
{
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        Ok(Self::of(Caller::from_request_parts(parts, state).await?)?)
    }
}

/// A caller who is signed in. Handlers that need an account take this instead of [`Caller`].
#[derive(Clone, Debug)]
pub struct Account {
    /// Who.
    pub actor: Actor,
    /// The same, with where from and when, as use cases take it.
    pub caller: Caller,
}

impl<S> FromRequestParts<S> for Account
where
    S: Send + Sync,
    Identity: FromRef<S>,
{
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        let caller = Caller::from_request_parts(parts, state).await?;
        match caller.actor.clone() {
            Some(actor) => Ok(Self { actor, caller }),
            None => Err(IdentityError::NotSignedIn.into()),
        }
    }
}
