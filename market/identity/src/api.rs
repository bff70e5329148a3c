//! The JSON API of this room: each handler takes the request apart, calls one use case, and answers.

mod auth;
mod operator;
mod orgs;
mod tokens;

use axum::extract::FromRef;
use kernel::Secret;
use utoipa::OpenApi;
use web::idempotency::{Key, Request};
use web::{Access, Routes};

use crate::Identity;

/// The routes below `/api`.
pub fn routes<S>() -> Routes<S>
where
    S: Clone + Send + Sync + 'static,
    Identity: FromRef<S>,
{
    auth_routes().merge(org_routes()).merge(operator_routes())
}

fn auth_routes<S>() -> Routes<S>
where
    S: Clone + Send + Sync + 'static,
    Identity: FromRef<S>,
{
    Routes::new()
        .post("/api/auth/register", Access::Public, auth::register)
        .post("/api/auth/login", Access::Public, auth::login)
        .post("/api/auth/logout", Access::Account, auth::logout)
        .get("/api/auth/session", Access::Account, auth::session)
        .get("/api/auth/profile", Access::Account, auth::profile)
        .patch("/api/auth/profile", Access::Account, auth::change_profile)
        .post("/api/auth/password", Access::Account, auth::change_password)
        .post("/api/auth/verification", Access::Account, auth::ask_for_verification)
        .post("/api/auth/verify", Access::Public, auth::verify)
        .post("/api/auth/forgot", Access::Public, auth::forgot)
        .post("/api/auth/reset", Access::Public, auth::reset)
        .get("/api/auth/sessions", Access::Account, tokens::list_sessions)
        .delete("/api/auth/sessions/{id}", Access::Account, tokens::end_session)
        .get("/api/auth/audit", Access::Account, tokens::own_audit)
        .get("/api/tokens", Access::Account, tokens::list)
        .post("/api/tokens", Access::Account, tokens::create)
        .delete("/api/tokens/{id}", Access::Account, tokens::revoke)
}

fn org_routes<S>() -> Routes<S>
where
    S: Clone + Send + Sync + 'static,
    Identity: FromRef<S>,
{
    Routes::new()
        .get("/api/organisations", Access::Account, orgs::list)
        .post("/api/organisations", Access::Account, orgs::create)
        .get("/api/organisations/{org}", Access::Account, orgs::find)
        .patch("/api/organisations/{org}", Access::Account, orgs::change)
        .get("/api/organisations/{org}/members", Access::Account, orgs::members)
        .put("/api/organisations/{org}/members/{username}", Access::Account, orgs::set_member)
        .delete("/api/organisations/{org}/members/{username}", Access::Account, orgs::remove_member)
        .get("/api/organisations/{org}/teams", Access::Account, orgs::teams)
        .post("/api/organisations/{org}/teams", Access::Account, orgs::create_team)
        .delete("/api/organisations/{org}/teams/{team}", Access::Account, orgs::delete_team)
        .get("/api/organisations/{org}/teams/{team}/members", Access::Account, orgs::team_members)
        .put(
            "/api/organisations/{org}/teams/{team}/members/{username}",
            Access::Account,
            orgs::add_team_member,
        )
        .delete(
            "/api/organisations/{org}/teams/{team}/members/{username}",
            Access::Account,
            orgs::remove_team_member,
        )
}

fn operator_routes<S>() -> Routes<S>
where
    S: Clone + Send + Sync + 'static,
    Identity: FromRef<S>,
{
    Routes::new()
        .get("/api/operator/users", Access::Operator, operator::list)
        .post("/api/operator/users", Access::Operator, operator::create)
        .get("/api/operator/users/{id}", Access::Operator, operator::find)
        .patch("/api/operator/users/{id}", Access::Operator, operator::change)
        .delete("/api/operator/users/{id}/tokens/{token}", Access::Operator, operator::revoke_token)
        .delete("/api/operator/users/{id}/sessions/{session}", Access::Operator, operator::end_session)
        .get("/api/operator/audit", Access::Operator, operator::audit)
}

/// What this room adds to the description of the API.
#[must_use]
pub fn openapi() -> utoipa::openapi::OpenApi {
    Described::openapi()
}

#[derive(OpenApi)]
#[openapi(paths(
    auth::register,
    auth::login,
    auth::logout,
    auth::session,
    auth::profile,
    auth::change_profile,
    auth::change_password,
    auth::ask_for_verification,
    auth::verify,
    auth::forgot,
    auth::reset,
    tokens::list_sessions,
    tokens::end_session,
    tokens::own_audit,
    tokens::list,
    tokens::create,
    tokens::revoke,
    orgs::list,
    orgs::create,
    orgs::find,
    orgs::change,
    orgs::members,
    orgs::set_member,
    orgs::remove_member,
    orgs::teams,
    orgs::create_team,
    orgs::delete_team,
    orgs::team_members,
    orgs::add_team_member,
    orgs::remove_team_member,
    operator::list,
    operator::create,
    operator::find,
    operator::change,
    operator::revoke_token,
    operator::end_session,
    operator::audit
))]
struct Described;

/// A request whose answer has a secret in it. Stored under its `Idempotency-Key` is neither the secret nor a plain
/// hash of what was typed: both come from a keyed hash, so that a repeated request finds the same token again.
struct SecretRequest {
    request: Request,
    seed: [u8; 32],
}

impl SecretRequest {
    fn new(identity: &Identity, key: Key, scope: &str, body: &[&str]) -> Self {
        let parts = [&[scope, key.0.as_deref().unwrap_or_default()], body].concat();
        let fingerprint = hex::encode(identity.keys.derive("idempotency", &parts));
        let seed = match key.0 {
            Some(_) => identity.keys.derive("token", &parts),
            None => kernel::random_bytes(),
        };
        Self { request: Request::new(key, scope, &fingerprint), seed }
    }
}

/// A secret as it comes in a body.
fn secret(text: &str) -> Secret {
    Secret::new(text)
}
