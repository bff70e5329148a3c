//! Tokens, sessions, and what one did oneself.

use axum::extract::State;
use axum::response::IntoResponse;
use http::StatusCode;
use ipnet::IpNet;
use kernel::Timestamp;
use serde::{Deserialize, Serialize};
use store::Tx;
use web::idempotency::{Key, once};
use web::{DONE, Done, Failure, Json, Listed, Part, Path, Query};

use super::SecretRequest;
use crate::audit::Entry;
use crate::error::IdentityError;
use crate::sessions::{Session, SessionId};
use crate::tokens::{NewToken, Token, TokenId, create_in, text_from};
use crate::{Account, Identity};

#[derive(Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct TokenView {
    id: String,
    name: String,
    /// The first characters of the token.
    hint: String,
    scopes: Vec<String>,
    /// The networks it may be used from; empty for any.
    cidrs: Vec<String>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
    /// To about five minutes.
    #[schema(value_type = Option<String>, format = DateTime)]
    last_used_at: Option<Timestamp>,
    last_used_from: Option<String>,
}

impl From<Token> for TokenView {
    fn from(token: Token) -> Self {
        Self {
            id: token.id.to_string(),
            name: token.name,
            hint: token.hint,
            scopes: token.scopes.words(),
            cidrs: token.cidrs.iter().map(IpNet::to_string).collect(),
            created_at: token.created_at,
            expires_at: token.expires_at,
            last_used_at: token.last_used_at,
            last_used_from: token.last_used_from,
        }
    }
}

#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct SessionItem {
    id: String,
    /// Whether it is the one that asks.
    current: bool,
    /// Whether a browser holds it; else a program.
    in_browser: bool,
    client: String,
    user_agent: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    last_seen_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
}

impl From<Session> for SessionItem {
    fn from(session: Session) -> Self {
        Self {
            id: session.id.to_string(),
            current: false,
            in_browser: session.in_browser,
            client: session.client,
            user_agent: session.user_agent,
            created_at: session.created_at,
            last_seen_at: session.last_seen_at,
            expires_at: session.expires_at,
        }
    }
}

/// List the own API tokens.
#[utoipa::path(get, path = "/api/tokens", tag = "tokens",
    responses((status = 200, description = "One's tokens that still work, newest first.", body = Listed<TokenView>),
        (status = 401, description = "Nobody is signed in.")))]
pub(super) async fn list(
    State(identity): State<Identity>,
    account: Account,
) -> Result<Json<Listed<TokenView>>, Failure> {
    Ok(Json(Listed::whole(identity.tokens(&account.caller).await?)))
}

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct NewTokenBody {
    name: String,
    /// `read`, `publish`, `account`, `admin`, and restrictions such as `packages:@acme/*`.
    scopes: Vec<String>,
    /// The networks it may be used from, such as `192.0.2.0/24`; empty for any.
    #[serde(default)]
    cidrs: Vec<String>,
    /// When it ends; absent for never.
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
}

impl NewTokenBody {
    fn read(&self) -> Result<NewToken, IdentityError> {
        let scopes =
            self.scopes.join(" ").parse().map_err(|detail| IdentityError::field("/scopes", detail))?;
        let cidrs = read_cidrs(self.cidrs.iter().map(String::as_str))?;
        Ok(NewToken { name: self.name.clone(), scopes, cidrs, expires_at: self.expires_at })
    }
}

/// Networks as people write them; a single address is a network of one.
pub(crate) fn read_cidrs<'a>(texts: impl Iterator<Item = &'a str>) -> Result<Vec<IpNet>, IdentityError> {
    let read = |text: &str| text.parse().or_else(|_| text.parse::<std::net::IpAddr>().map(IpNet::from));
    let cidrs: Result<Vec<IpNet>, _> = texts.map(read).collect();
    cidrs.map_err(|_| IdentityError::field("/cidrs", "Write networks such as 192.0.2.0/24 or 2001:db8::/32."))
}

#[derive(Serialize, Deserialize, utoipa::ToSchema)]
pub(super) struct CreatedTokenView {
    #[serde(flatten)]
    view: TokenView,
    /// The token itself. Shown this once.
    token: String,
}

/// Make an API token.
#[utoipa::path(post, path = "/api/tokens", tag = "tokens", request_body = NewTokenBody,
    params(("Idempotency-Key" = Option<String>, Header, description = "The same key and body: the same answer.")),
    responses((status = 201, description = "The token, shown this once.", body = CreatedTokenView),
        (status = 401, description = "Nobody is signed in."),
        (status = 403, description = "The token in use may not make this one."),
        (status = 422, description = "Some fields are wrong.")))]
pub(super) async fn create(
    State(identity): State<Identity>,
    account: Account,
    key: Key,
    Json(body): Json<NewTokenBody>,
) -> Result<impl IntoResponse, Failure> {
    let (by, new) = (account.caller, body.read()?);
    let scope = format!("{} POST /api/tokens", account.actor.user);
    let ends = body.expires_at.map(|at| at.to_string()).unwrap_or_default();
    let parts = [&*body.name, &new.scopes.to_string(), &body.cidrs.join(" "), &ends];
    let SecretRequest { request, seed } = SecretRequest::new(&identity, key, &scope, &parts);
    let create = async move |tx: &mut Tx| {
        let effect = async |tx: &mut Tx| {
            let made = create_in(tx, &by, &new, seed).await?;
            Ok::<TokenView, IdentityError>(made.token.into())
        };
        once(tx, &request, by.now(), 201, effect).await
    };
    let stored = identity.store.write(create).await?;
    let view: TokenView = serde_json::from_slice(&stored.body)
        .map_err(|error| IdentityError::Store(store::StoreError::Database(error.to_string())))?;
    let token = text_from(seed).expose().to_owned();
    Ok((StatusCode::CREATED, Json(CreatedTokenView { view, token })))
}

/// The text of an id in a path; one that is no id names nothing.
pub(super) fn id<T: std::str::FromStr>(text: &str, kind: &'static str) -> Result<T, IdentityError> {
    text.parse().map_err(|_| IdentityError::NotFound(kind))
}

/// Revoke an API token.
#[utoipa::path(delete, path = "/api/tokens/{id}", tag = "tokens",
    params(("id" = String, Path, description = "The token's id")),
    responses((status = 200, description = "It no longer works.", body = Done),
        (status = 401, description = "Nobody is signed in."), (status = 404, description = "No such token of yours.")))]
pub(super) async fn revoke(
    State(identity): State<Identity>,
    account: Account,
    Path(token): Path<String>,
) -> Result<Json<Done>, Failure> {
    identity.revoke_token(&account.caller, id::<TokenId>(&token, "token")?).await?;
    Ok(DONE)
}

/// List the own sessions.
#[utoipa::path(get, path = "/api/auth/sessions", tag = "tokens",
    responses((status = 200, description = "One's sessions, the last used first.", body = Listed<SessionItem>),
        (status = 401, description = "Nobody is signed in.")))]
pub(super) async fn list_sessions(
    State(identity): State<Identity>,
    account: Account,
) -> Result<Json<Listed<SessionItem>>, Failure> {
    let mut listed: Listed<SessionItem> = Listed::whole(identity.sessions(&account.caller).await?);
    let own = account.actor.session().map(ToString::to_string);
    for item in &mut listed.items {
        item.current = own.as_ref() == Some(&item.id);
    }
    Ok(Json(listed))
}

/// End a session.
#[utoipa::path(delete, path = "/api/auth/sessions/{id}", tag = "tokens",
    params(("id" = String, Path, description = "The session's id")),
    responses((status = 200, description = "It has ended.", body = Done),
        (status = 401, description = "Nobody is signed in."), (status = 404, description = "No such session of yours.")))]
pub(super) async fn end_session(
    State(identity): State<Identity>,
    account: Account,
    Path(session): Path<String>,
) -> Result<Json<Done>, Failure> {
    identity.end_session(&account.caller, id::<SessionId>(&session, "session")?).await?;
    Ok(DONE)
}

/// Read what was done with the own account.
#[utoipa::path(get, path = "/api/auth/audit", tag = "audit", params(Part),
    responses((status = 200, description = "What one did oneself, newest first.", body = Listed<Entry>),
        (status = 401, description = "Nobody is signed in.")))]
pub(super) async fn own_audit(
    State(identity): State<Identity>,
    account: Account,
    Query(part): Query<Part>,
) -> Result<Json<Listed<Entry>>, Failure> {
    let page = identity.own_audit(&account.caller, part.checked()?).await?;
    Ok(Json(Listed::page(page)))
}
