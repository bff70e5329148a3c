//! From the headers of a request to the account that makes it.
//!
//! The usual case, an API token that was seen a moment ago, costs one SHA-256 and one look into a map. A token
//! never costs a password hash, in whichever header it comes.

use std::net::IpAddr;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, header};
use ipnet::IpNet;
use kernel::{Secret, Timestamp};
use store::{Tx, args};
use web::Ctx;

use crate::account::UserId;
use crate::actor::{Actor, Caller, Via};
use crate::cache::Known;
use crate::error::IdentityError;
use crate::role::Role;
use crate::scope::Scopes;
use crate::sessions::SessionId;
use crate::tokens::{self, TokenId};
use crate::{Identity, jwt, sql};

/// The longest credentials that are looked at, in bytes.
const MAX_LEN: usize = 4096;

/// What a request shows of itself.
#[derive(Debug, PartialEq, Eq)]
enum Credential {
    Token(String),
    Jwt(String),
    Cookie(String),
    Password {
        name: String,
        password: Secret,
    },
    /// There is an `Authorization` header, and nothing that we ever gave out.
    Unknown,
}

impl Credential {
    /// From a text that should be a token of ours.
    fn of_secret(text: &str) -> Self {
        if tokens::is_well_formed(text) {
            Self::Token(text.to_owned())
        } else if jwt::looks_like_one(text) {
            Self::Jwt(text.to_owned())
        } else {
            Self::Unknown
        }
    }

    /// `Authorization` counts before the cookie. The bare token without a scheme is what `gem` and `cargo` send.
    fn of(headers: &HeaderMap) -> Option<Self> {
        let Some(value) = headers.get(header::AUTHORIZATION) else {
            return session_cookie(headers).map(|secret| Self::Cookie(secret.to_owned()));
        };
        let Some(text) = value.to_str().ok().filter(|text| text.len() <= MAX_LEN) else {
            return Some(Self::Unknown);
        };
        match text.trim().split_once(' ') {
            None => Some(Self::of_secret(text.trim())),
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("bearer") => {
                Some(Self::of_secret(rest.trim()))
            }
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("basic") => Some(Self::of_basic(rest.trim())),
            Some(_) => Some(Self::Unknown),
        }
    }

    fn of_basic(text: &str) -> Self {
        let decoded = STANDARD.decode(text).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        let Some((name, password)) = decoded.as_deref().and_then(|pair| pair.split_once(':')) else {
            return Self::Unknown;
        };
        // Some clients put the token where the name belongs and leave the password empty.
        let secret = if password.is_empty() { name } else { password };
        match Self::of_secret(secret) {
            // What begins like a token and is none was mistyped: it is no password, and is not checked as one.
            Self::Unknown if secret.starts_with(tokens::PREFIX) || name.is_empty() || password.is_empty() => {
                Self::Unknown
            }
            Self::Unknown => Self::Password { name: name.to_owned(), password: Secret::new(password) },
            token => token,
        }
    }
}

/// The value of the session's cookie.
fn session_cookie(headers: &HeaderMap) -> Option<&str> {
    web::cookie(headers, web::SESSION_COOKIE).filter(|value| (1..=100).contains(&value.len()))
}

impl Identity {
    /// Who makes a request; `None` for a stranger, and for a browser whose session has ended.
    ///
    /// # Errors
    /// [`IdentityError::BadToken`] when `Authorization` has something that is not valid (any more),
    /// [`IdentityError::WrongAddress`] when the token is bound to other networks; for passwords
    /// [`IdentityError::WrongPassword`] and [`IdentityError::Throttled`].
    pub async fn resolve(&self, headers: &HeaderMap, ctx: &Ctx) -> Result<Option<Actor>, IdentityError> {
        let Some(credential) = Credential::of(headers) else { return Ok(None) };
        let known = match credential {
            Credential::Token(text) => self.known_token(tokens::hash(&text), ctx).await?,
            Credential::Jwt(text) => self.known_jwt(&text, ctx.now).await?,
            Credential::Cookie(secret) => {
                let known = self.known_session(tokens::hash(&secret), ctx.now).await?;
                return Ok(known.map(|known| known.actor.clone()));
            }
            Credential::Password { name, password } => {
                let by = Caller { ctx: ctx.clone(), actor: None };
                let user = self.prove(&by, &name, &password).await?;
                return self.actor(user, Via::Password, Scopes::all()).await.map(Some);
            }
            Credential::Unknown => None,
        };
        let known = known.ok_or(IdentityError::BadToken)?;
        if !is_within(&known.cidrs, ctx.client) {
            return Err(IdentityError::WrongAddress);
        }
        Ok(Some(known.actor.clone()))
    }

    async fn known_token(&self, hash: [u8; 32], ctx: &Ctx) -> Result<Option<Arc<Known>>, IdentityError> {
        let now = ctx.now;
        if let Some(cached) = self.cache.get(&hash, now) {
            return Ok(cached.filter(|known| known.expires_at.is_none_or(|ends| ends > now)));
        }
        let generation = self.cache.generation();
        let look = async move |tx: &mut Tx| {
            let row: Option<TokenRow> = tx.first(&sql::FIND_TOKEN, args![hash]).await?;
            let Some(row) = row.filter(|row| row.expires_at.is_none_or(|ends| ends > now)) else {
                return Ok(None);
            };
            let via = Via::Token(row.id.clone(), row.session.clone());
            let actor =
                actor_in(tx, &row.user, via, row.scopes.parse().unwrap_or_else(|_| nothing())).await?;
            Ok::<_, IdentityError>(actor.map(|actor| (row, actor)))
        };
        let found = self.store.read(look).await?;
        let known = found.map(|(row, actor)| {
            self.seen.token(&row.id, row.last_used_at, now, ctx.client);
            Arc::new(Known { actor, cidrs: tokens::parse_cidrs(&row.cidrs), expires_at: row.expires_at })
        });
        self.cache.put(hash, generation, now, known.clone());
        Ok(known)
    }

    async fn known_session(
        &self,
        hash: [u8; 32],
        now: Timestamp,
    ) -> Result<Option<Arc<Known>>, IdentityError> {
        if let Some(cached) = self.cache.get(&hash, now) {
            return Ok(cached.filter(|known| known.expires_at.is_none_or(|ends| ends > now)));
        }
        let generation = self.cache.generation();
        let look = async move |tx: &mut Tx| {
            let row: Option<SessionRow> = tx.first(&sql::FIND_SESSION_BY_HASH, args![hash, now]).await?;
            session_actor(tx, row, Via::Session).await
        };
        let known = self.store.read(look).await?.map(|(row, actor)| self.saw(&row, actor, now));
        self.cache.put(hash, generation, now, known.clone());
        Ok(known)
    }

    async fn known_jwt(&self, text: &str, now: Timestamp) -> Result<Option<Arc<Known>>, IdentityError> {
        let Some(claims) = self.keys.verify(text, now) else { return Ok(None) };
        let hash = tokens::hash(text);
        if let Some(cached) = self.cache.get(&hash, now) {
            return Ok(cached.filter(|known| known.expires_at.is_none_or(|ends| ends > now)));
        }
        let generation = self.cache.generation();
        let look = async move |tx: &mut Tx| {
            let row: Option<SessionRow> = tx.first(&sql::FIND_SESSION, args![claims.sid, now]).await?;
            session_actor(tx, row.filter(|row| row.user == claims.sub), Via::Jwt).await
        };
        let known = self.store.read(look).await?.map(|(row, actor)| self.saw(&row, actor, now));
        self.cache.put(hash, generation, now, known.clone());
        Ok(known)
    }

    fn saw(&self, row: &SessionRow, actor: Actor, now: Timestamp) -> Arc<Known> {
        self.seen.session(&row.id, row.last_seen_at, now);
        Arc::new(Known { actor, cidrs: Vec::new(), expires_at: Some(row.expires_at) })
    }

    /// The actor that `user` is just now.
    pub(crate) async fn actor(&self, user: UserId, via: Via, scopes: Scopes) -> Result<Actor, IdentityError> {
        let look = async move |tx: &mut Tx| actor_in(tx, &user, via.clone(), scopes.clone()).await;
        self.store.read(look).await?.ok_or(IdentityError::BadToken)
    }
}

/// What a token with unreadable scopes may do.
fn nothing() -> Scopes {
    Scopes::of(&[])
}

struct TokenRow {
    id: TokenId,
    user: UserId,
    session: Option<SessionId>,
    scopes: String,
    cidrs: String,
    expires_at: Option<Timestamp>,
    last_used_at: Option<Timestamp>,
}

store::row!(TokenRow { id, user, session, scopes, cidrs, expires_at, last_used_at });

struct SessionRow {
    id: SessionId,
    user: UserId,
    last_seen_at: Timestamp,
    expires_at: Timestamp,
}

store::row!(SessionRow { id, user, last_seen_at, expires_at });

async fn session_actor(
    tx: &mut Tx,
    row: Option<SessionRow>,
    via: fn(SessionId) -> Via,
) -> Result<Option<(SessionRow, Actor)>, IdentityError> {
    let Some(row) = row else { return Ok(None) };
    let actor = actor_in(tx, &row.user, via(row.id.clone()), Scopes::all()).await?;
    Ok(actor.map(|actor| (row, actor)))
}

/// The actor that `user` is; `None` for a disabled account.
pub(crate) async fn actor_in(
    tx: &mut Tx,
    user: &UserId,
    via: Via,
    scopes: Scopes,
) -> Result<Option<Actor>, IdentityError> {
    let name: Option<(Arc<str>,)> = tx.first(&sql::FIND_ACTIVE_NAME, args![user]).await?;
    let Some((username,)) = name else { return Ok(None) };
    let roles: Vec<(String,)> = tx.all(&sql::LIST_ROLES, args![user]).await?;
    let memberships = tx.all(&sql::LIST_MEMBERSHIPS, args![user]).await?;
    Ok(Some(Actor {
        user: user.clone(),
        username,
        roles: roles.iter().filter_map(|(role,)| role.parse::<Role>().ok()).collect(),
        scopes,
        via,
        memberships: memberships.into(),
    }))
}

fn is_within(cidrs: &[IpNet], client: IpAddr) -> bool {
    cidrs.is_empty() || cidrs.iter().any(|net| net.contains(&client.to_canonical()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    const TOKEN: &str = "elk_0123456789ABCDEFGHIJKLMNOPQRST";

    fn authorization(value: &str) -> Option<Credential> {
        let mut headers = HeaderMap::new();
        headers.insert(header::AUTHORIZATION, value.parse().unwrap());
        Credential::of(&headers)
    }

    fn basic(pair: &str) -> Option<Credential> {
        authorization(&format!("Basic {}", STANDARD.encode(pair)))
    }

    #[test]
    fn a_token_is_found_wherever_a_client_puts_it() {
        let token = tokens::example();
        let text = token.expose();
        let expected = Some(Credential::Token(text.to_owned()));
        for value in [text.to_owned(), format!("Bearer {text}"), format!("bearer  {text} ")] {
            assert_eq!(authorization(&value), expected, "{value}");
        }
        for pair in [format!("ada:{text}"), format!("__token__:{text}"), format!("{text}:")] {
            assert_eq!(basic(&pair), expected, "{pair}");
        }
    }

    #[test]
    fn what_begins_like_a_token_is_never_checked_as_a_password() {
        assert_eq!(basic(&format!("ada:{TOKEN}")), Some(Credential::Unknown));
        for value in ["Bearer nonsense", "Digest x=y", "Basic !", "Basic", "nonsense"] {
            assert_eq!(authorization(value), Some(Credential::Unknown), "{value}");
        }
        let password = Credential::Password { name: "ada".to_owned(), password: Secret::new("a:b") };
        assert_eq!(basic("ada:a:b"), Some(password));
    }

    #[test]
    fn the_cookie_is_found_among_others_and_counts_after_authorization() {
        let mut headers = HeaderMap::new();
        assert_eq!(Credential::of(&headers), None);
        headers
            .insert(header::COOKIE, "theme=dark; fondaco_session=abc; x_fondaco_session=d".parse().unwrap());
        assert_eq!(Credential::of(&headers), Some(Credential::Cookie("abc".to_owned())));
        headers.insert(header::AUTHORIZATION, "Bearer nonsense".parse().unwrap());
        assert_eq!(Credential::of(&headers), Some(Credential::Unknown));
    }

    #[test]
    fn a_token_bound_to_networks_works_only_there() {
        let cidrs = tokens::parse_cidrs("192.0.2.0/24 2001:db8::/32");
        for (client, expected) in
            [("192.0.2.7", true), ("::ffff:192.0.2.7", true), ("2001:db8::1", true), ("198.51.100.1", false)]
        {
            assert_eq!(is_within(&cidrs, client.parse().unwrap()), expected, "{client}");
        }
    }

    proptest! {
        #[test]
        fn any_header_is_judged_without_panic(bytes in prop::collection::vec(32u8..255, 0..200)) {
            if let Ok(value) = http::HeaderValue::from_bytes(&bytes) {
                let mut headers = HeaderMap::new();
                headers.insert(header::AUTHORIZATION, value.clone());
                let _ = Credential::of(&headers);
                headers.remove(header::AUTHORIZATION);
                headers.insert(header::COOKIE, value);
                let _ = Credential::of(&headers);
            }
        }
    }
}
