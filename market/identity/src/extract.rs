//! How handlers learn who calls.

use axum::extract::{FromRef, FromRequestParts};
use http::request::Parts;
use web::{Ctx, Failure};

use crate::Identity;
use crate::actor::{Actor, Caller};
use crate::error::IdentityError;

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
