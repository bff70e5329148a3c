//! The npm protocol, as npm, yarn, pnpm and bun speak it: see `docs/npm-protocol.md`.
//!
//! A request is taken apart in [`path`] and goes to one handler; each handler calls one use case of the room.

mod accept;
mod account;
mod answer;
mod body;
mod change;
mod collaborator;
pub mod document;
mod download;
mod file;
pub mod manifest;
mod organisation;
pub(crate) mod over_json;
mod packument;
pub mod path;
pub mod provenance;
mod proxied;
mod publish;
mod range;
mod ready;
pub mod scan;
mod security;
mod star;
mod tag;
pub mod tarball;
mod upload;

use axum::Router;
use axum::extract::{FromRequestParts, Request, State};
use axum::response::Response;
use http::request::Parts;
use http::{HeaderMap, StatusCode, header};
use identity::Caller;
use kernel::Problem;
use serde_json::json;
use web::Ctx;

use crate::RegistryError;
use crate::documents::{Base, Mount};
use crate::registry::Registry;

use answer::{Answer, Refusal};
use path::{Call, Needs, PathError};

/// Serves npm clients at `/npm/` and at `/`. Put no limit of body sizes around it: it has its own.
pub fn router(registry: Registry) -> Router {
    Router::new().fallback(serve).with_state(registry)
}

async fn serve(State(registry): State<Registry>, request: Request) -> Response {
    let (mut parts, body) = request.into_parts();
    let Ok(ctx) = Ctx::from_request_parts(&mut parts, &registry).await;
    match answer(&registry, &ctx, &parts, body).await {
        Ok(response) => response,
        Err(refusal) => refusal.into_response(&ctx),
    }
}

/// Who asks, looked up only where it matters: what everybody may read is given without a look at the token. What
/// is not there for everybody is told only to a valid token or to none.
struct Visitor<'r> {
    registry: &'r Registry,
    ctx: &'r Ctx,
    headers: &'r HeaderMap,
}

impl Visitor<'_> {
    async fn caller(&self) -> Result<Caller, RegistryError> {
        let actor = self.registry.identity().resolve(self.headers, self.ctx).await?;
        Ok(Caller { ctx: self.ctx.clone(), actor })
    }
}

/// What every handler but those two has of a request.
struct Asked<'r> {
    registry: &'r Registry,
    parts: &'r Parts,
    by: Caller,
}

async fn answer(registry: &Registry, ctx: &Ctx, parts: &Parts, body: axum::body::Body) -> Answer {
    let (mount, path) = match parts.uri.path().strip_prefix("/npm") {
        Some(rest) if rest.is_empty() || rest.starts_with('/') => (Mount::Npm, rest),
        _ => (Mount::Root, parts.uri.path()),
    };
    let call = Call::parse(&parts.method, path, parts.uri.query()).map_err(nowhere)?;
    let base = registry.documents().bases.of(parts.headers.get(header::HOST), mount);
    let visitor = Visitor { registry, ctx, headers: &parts.headers };
    match call {
        Call::Packument { name, write: false } => {
            packument::packument(registry, &visitor, &base, &parts.headers, &name).await
        }
        Call::Tarball { name, file } => {
            download::tarball(registry, &visitor, &parts.method, &parts.headers, &name, &file).await
        }
        // The other calls are rarer, and their futures larger.
        other => Box::pin(answer_other(&visitor, parts, &base, other, body)).await,
    }
}

async fn answer_other(
    visitor: &Visitor<'_>,
    parts: &Parts,
    base: &Base,
    call: Call,
    body: axum::body::Body,
) -> Answer {
    let by = match call {
        // A stale token may come along with these: it must not keep anybody from signing in.
        Call::SignIn { .. } | Call::WebSignIn | Call::WebSignInDone { .. } => {
            Caller { ctx: visitor.ctx.clone(), actor: None }
        }
        _ => visitor.caller().await?,
    };
    if call.needs() == Needs::Account {
        by.account()?;
    }
    let asked = &Asked { registry: visitor.registry, parts, by };
    let Asked { registry, parts, by } = asked;
    let headers = &parts.headers;
    match call {
        Call::Root => Ok(answer::json(StatusCode::OK, &json!({"name": "fondaco", "protocol": "npm"}))),
        Call::Ping => Ok(answer::json(StatusCode::OK, &json!({}))),
        Call::Packument { name, .. } => {
            packument::packument_to_write(registry, by, base, headers, &name).await
        }
        Call::Manifest { name, selector } => {
            packument::one_version(registry, by, base, headers, &name, &selector).await
        }
        Call::Attestations { name, version } => download::attestations(registry, by, &name, &version).await,
        Call::Put { name } => change::put(registry, by, &name, None, body).await,
        Call::PutRevision { name, rev } => change::put(registry, by, &name, Some(rev), body).await,
        Call::DeletePackage { name, rev } => change::delete(registry, by, &name, rev).await,
        Call::DeleteTarball { name, file, .. } => change::delete_tarball(registry, by, &name, &file).await,
        Call::Tags { name } => tag::list(registry, by, headers, &name).await,
        Call::SetTag { name, tag } => tag::set(registry, by, &name, tag, body).await,
        Call::MergeTags { name } => tag::set_many(registry, by, &name, false, body).await,
        Call::ReplaceTags { name } => tag::set_many(registry, by, &name, true, body).await,
        Call::RemoveTag { name, tag } => tag::remove(registry, by, &name, tag).await,
        Call::Keys => security::keys(),
        Call::AuditBulk => security::bulk(registry, headers, body).await,
        Call::AuditQuick => security::quick(registry, headers, body).await,
        Call::Search => search(asked).await,
        Call::Star => star::star(registry, by, true, body).await,
        Call::Unstar => star::star(registry, by, false, body).await,
        Call::OwnStars => star::list(registry, by, &by.account()?.username).await,
        Call::UserStars { user } => star::list(registry, by, &user).await,
        Call::StarredByUser => star::by_user(registry, by, parts.uri.query()).await,
        Call::StarredByPackage => star::by_package(registry, by, parts.uri.query()).await,
        other => answer_about_people(asked, base, other, body).await,
    }
}

/// Accounts, organisations, and who may do what.
async fn answer_about_people(asked: &Asked<'_>, base: &Base, call: Call, body: axum::body::Body) -> Answer {
    let Asked { registry, parts, by } = asked;
    let identity = registry.identity();
    match call {
        Call::Visibility { name } => collaborator::visibility(registry, by, &name).await,
        Call::Collaborators { name } => collaborator::collaborators(registry, by, &name).await,
        Call::SetAccess { name } => collaborator::set_access(registry, by, &name, body).await,
        Call::Owners { name } => collaborator::owners(registry, by, &name).await,
        Call::AddOwner { name } => collaborator::add_owner(registry, by, &name, body).await,
        Call::RemoveOwner { name, user } => collaborator::remove_owner(registry, by, &name, user).await,
        Call::UserPackages { user } => collaborator::of_user(registry, by, &user).await,
        Call::OrgPackages { org } => collaborator::of_org(registry, by, &org).await,
        Call::TeamPackages { org, team } => collaborator::of_team(registry, by, &org, &team).await,
        Call::GrantTeam { org, team } => collaborator::grant(registry, by, &org, &team, true, body).await,
        Call::RevokeTeam { org, team } => collaborator::grant(registry, by, &org, &team, false, body).await,
        Call::Members { org } => organisation::members(identity, by, &org).await,
        Call::SetMember { org } => organisation::set_member(identity, by, &org, body).await,
        Call::RemoveMember { org } => organisation::remove_member(identity, by, &org, body).await,
        Call::Teams { org } => organisation::teams(identity, by, &org).await,
        Call::CreateTeam { org } => organisation::create_team(identity, by, &org, body).await,
        Call::DeleteTeam { org, team } => organisation::delete_team(identity, by, &org, &team).await,
        Call::TeamMembers { org, team } => organisation::team_members(identity, by, &org, &team).await,
        Call::AddTeamMember { org, team } => {
            organisation::change_team(identity, by, &org, &team, true, body).await
        }
        Call::RemoveTeamMember { org, team } => {
            organisation::change_team(identity, by, &org, &team, false, body).await
        }
        Call::Whoami => account::whoami(by),
        Call::SignIn { user } => account::sign_in(identity, by, &user, body).await,
        Call::User { user } => account::user(registry, by, &user).await,
        Call::WebSignIn => account::start_web(identity, by, base).await,
        Call::WebSignInDone { secret } => account::web_done(identity, by, &secret).await,
        Call::SignOut { token } => account::sign_out(identity, by, &token).await,
        Call::Profile => account::profile(identity, by).await,
        Call::EditProfile => account::edit_profile(identity, by, body).await,
        Call::Tokens => account::tokens(identity, by, parts.uri.query()).await,
        Call::CreateToken => account::create_token(identity, by, body).await,
        Call::RevokeToken { key } => account::revoke_token(identity, by, &key).await,
        _ => Err(nowhere(PathError::NotFound)),
    }
}

/// `GET /-/v1/search`.
async fn search(asked: &Asked<'_>) -> Answer {
    let pairs = |wanted: &str| {
        let query = asked.parts.uri.query().unwrap_or_default();
        let mut pairs = url::form_urlencoded::parse(query.as_bytes());
        pairs.find(|(key, _)| key == wanted).map(|(_, value)| value.into_owned())
    };
    let number = |key: &str, default: u32| pairs(key).and_then(|text| text.parse().ok()).unwrap_or(default);
    let text = pairs("text").unwrap_or_default();
    let found = asked.registry.npm_search(&asked.by, &text, number("size", 20), number("from", 0)).await?;
    Ok(answer::packed(&asked.parts.headers, serde_json::to_vec(&found).unwrap_or_default()))
}

fn nowhere(error: PathError) -> Refusal {
    Refusal(match error {
        PathError::NotFound => Problem::not_found("registry.not_found", "Not found"),
        PathError::Method => {
            Problem::new(405, "registry.method", "There is something here, for other methods.")
        }
        PathError::Malformed(text) => Problem::bad_request("registry.malformed", text),
    })
}
