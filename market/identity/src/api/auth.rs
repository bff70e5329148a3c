//! Accounts and signing in.

use axum::extract::State;
use axum::response::IntoResponse;
use http::StatusCode;
use kernel::Timestamp;
use serde::{Deserialize, Serialize};
use store::Tx;
use web::idempotency::{Key, once};
use web::{DONE, Done, Failure, IfMatch, Json, Tagged, expected_version};

use super::{SecretRequest, secret};
use crate::actor::Caller;
use crate::error::IdentityError;
use crate::profile::{Profile, ProfileChange};
use crate::register::{NewAccount, register_in};
use crate::role::Roles;
use crate::sessions;
use crate::tokens::text_from;
use crate::{Account, Identity};

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Register {
    /// 2 to 39 of a-z, 0-9 and single dashes or underscores.
    username: String,
    email: String,
    /// 8 characters or more.
    #[schema(format = Password)]
    password: String,
    #[serde(default)]
    display_name: String,
}

#[derive(Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Registered {
    user_id: String,
    username: String,
    /// An API token that may do all that the account may. Shown this once.
    token: String,
}

/// Make an account.
#[utoipa::path(post, path = "/api/auth/register", tag = "accounts", request_body = Register,
    params(("Idempotency-Key" = Option<String>, Header, description = "The same key and body: the same answer.")),
    responses((status = 201, description = "The account and its first token.", body = Registered),
        (status = 403, description = "Registration is closed."), (status = 409, description = "The name is taken."),
        (status = 422, description = "Some fields are wrong.")))]
pub(super) async fn register(
    State(identity): State<Identity>,
    caller: Login,
    key: Key,
    Json(body): Json<Register>,
) -> Result<impl IntoResponse, Failure> {
    let by = caller.0;
    let scope = format!("{} POST /api/auth/register", by.ctx.client);
    let parts = [&*body.username, &body.email, &body.password, &body.display_name];
    let SecretRequest { request, seed } = SecretRequest::new(&identity, key, &scope, &parts);
    let new = NewAccount {
        username: body.username,
        email: body.email,
        password: secret(&body.password),
        display_name: body.display_name,
    };
    let checked = identity.check_registration(new).await?;
    let register = async move |tx: &mut Tx| {
        let effect = async |tx: &mut Tx| {
            let made = register_in(tx, &by, &checked, seed).await?;
            let token = String::new();
            Ok::<_, IdentityError>(Registered {
                user_id: made.user.to_string(),
                username: made.username,
                token,
            })
        };
        once(tx, &request, by.now(), 201, effect).await
    };
    let stored = identity.store.write(register).await?;
    let answer: Registered = serde_json::from_slice(&stored.body)
        .map_err(|error| IdentityError::Store(store::StoreError::Database(error.to_string())))?;
    Ok((StatusCode::CREATED, Json(Registered { token: text_from(seed).expose().to_owned(), ..answer })))
}

/// A caller whose credentials are not looked at: a stale token may come along with a sign-in.
pub(super) struct Login(Caller);

impl<S: Send + Sync> axum::extract::FromRequestParts<S> for Login {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(
        parts: &mut http::request::Parts,
        state: &S,
    ) -> Result<Self, Self::Rejection> {
        let ctx = web::Ctx::from_request_parts(parts, state).await?;
        Ok(Self(Caller { ctx, actor: None }))
    }
}

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct LoginBody {
    /// The name or the e-mail address.
    #[serde(alias = "email", alias = "login")]
    username: String,
    #[schema(format = Password)]
    password: String,
}

#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct SignedIn {
    user_id: String,
    username: String,
    roles: Vec<String>,
    /// An API token that ends with the session. Shown this once.
    token: String,
    /// A JWT of the same session, to be used instead of the token.
    jwt: String,
    /// When both end.
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
}

/// Sign in.
#[utoipa::path(post, path = "/api/auth/login", tag = "accounts", request_body = LoginBody,
    responses((status = 200, description = "A token and a JWT of the new session.", body = SignedIn),
        (status = 401, description = "The name or the password is wrong."),
        (status = 429, description = "Too many wrong guesses; see Retry-After.")))]
pub(super) async fn login(
    State(identity): State<Identity>,
    caller: Login,
    Json(body): Json<LoginBody>,
) -> Result<Json<SignedIn>, Failure> {
    let signed_in = identity.sign_in(&caller.0, &body.username, &secret(&body.password)).await?;
    Ok(Json(SignedIn {
        user_id: signed_in.actor.user.to_string(),
        username: signed_in.actor.username.to_string(),
        roles: words(signed_in.actor.roles),
        token: signed_in.token.secret.expose().to_owned(),
        jwt: signed_in.jwt.expose().to_owned(),
        expires_at: signed_in.expires_at,
    }))
}

pub(super) fn words(roles: Roles) -> Vec<String> {
    roles.iter().map(|role| role.name().to_owned()).collect()
}

/// Sign out.
#[utoipa::path(post, path = "/api/auth/logout", tag = "accounts",
    responses((status = 200, description = "The session or token no longer works.", body = Done),
        (status = 401, description = "Nobody is signed in.")))]
pub(super) async fn logout(
    State(identity): State<Identity>,
    account: Account,
) -> Result<impl IntoResponse, Failure> {
    identity.sign_out(&account.caller).await?;
    Ok(([(http::header::SET_COOKIE, sessions::no_cookie(identity.settings()))], DONE))
}

#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct SessionView {
    user_id: String,
    username: String,
    roles: Vec<String>,
    /// What the token in use may do at the most.
    scopes: Vec<String>,
    /// The organisations and the standing there.
    organisations: Vec<Standing>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session_id: Option<String>,
}

#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct Standing {
    name: String,
    role: crate::orgs::OrgRole,
}

/// Tell who is signed in.
#[utoipa::path(get, path = "/api/auth/session", tag = "accounts",
    responses((status = 200, description = "Who is signed in, and how.", body = SessionView),
        (status = 401, description = "Nobody is signed in.")))]
pub(super) async fn session(account: Account) -> Json<SessionView> {
    let actor = account.actor;
    let standing =
        |membership: &crate::Membership| Standing { name: membership.org.to_string(), role: membership.role };
    Json(SessionView {
        user_id: actor.user.to_string(),
        username: actor.username.to_string(),
        roles: words(actor.roles),
        scopes: actor.scopes.words(),
        organisations: actor.memberships.iter().map(standing).collect(),
        token_id: actor.token().map(ToString::to_string),
        session_id: actor.session().map(ToString::to_string),
    })
}

#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ProfileView {
    user_id: String,
    username: String,
    display_name: String,
    email: String,
    email_verified: bool,
    disabled: bool,
    roles: Vec<String>,
    version: i64,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

impl ProfileView {
    pub(super) fn tagged(profile: Profile) -> Tagged<Json<Self>> {
        Tagged(profile.user.version, Json(profile.into()))
    }
}

impl From<crate::User> for ProfileView {
    fn from(user: crate::User) -> Self {
        Profile { user, roles: Roles::NONE }.into()
    }
}

impl From<Profile> for ProfileView {
    fn from(Profile { user, roles }: Profile) -> Self {
        Self {
            user_id: user.id.to_string(),
            username: user.username.to_string(),
            display_name: user.display_name,
            email: user.email,
            email_verified: user.email_verified_at.is_some(),
            disabled: user.disabled_at.is_some(),
            roles: words(roles),
            version: user.version,
            created_at: user.created_at,
            updated_at: user.updated_at,
        }
    }
}

/// Read the own profile.
#[utoipa::path(get, path = "/api/auth/profile", tag = "accounts",
    responses((status = 200, description = "One's own profile.", body = ProfileView,
            headers(("ETag" = String, description = "Its version, for If-Match."))),
        (status = 401, description = "Nobody is signed in.")))]
pub(super) async fn profile(
    State(identity): State<Identity>,
    account: Account,
) -> Result<Tagged<Json<ProfileView>>, Failure> {
    Ok(ProfileView::tagged(identity.profile(&account.caller).await?))
}

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct ProfilePatch {
    display_name: Option<String>,
    email: Option<String>,
    /// To change the address.
    #[schema(format = Password)]
    current_password: Option<String>,
    /// The version that was read; a stale one changes nothing.
    version: Option<i64>,
}

/// Change the own profile.
#[utoipa::path(patch, path = "/api/auth/profile", tag = "accounts", request_body = ProfilePatch,
    params(("If-Match" = Option<String>, Header, description = "The ETag that was read.")),
    responses((status = 200, description = "The changed profile.", body = ProfileView,
            headers(("ETag" = String, description = "Its version now."))),
        (status = 400, description = "If-Match cannot be read, or is not the version in the body."),
        (status = 401, description = "Nobody is signed in."),
        (status = 409, description = "The version in the body is stale."), (status = 412, description = "If-Match is stale."),
        (status = 422, description = "Some fields are wrong.")))]
pub(super) async fn change_profile(
    State(identity): State<Identity>,
    account: Account,
    if_match: IfMatch,
    Json(body): Json<ProfilePatch>,
) -> Result<Tagged<Json<ProfileView>>, Failure> {
    let change = ProfileChange {
        display_name: body.display_name,
        email: body.email,
        current_password: body.current_password.as_deref().map(secret),
        expected: expected_version(if_match, body.version)?,
    };
    Ok(ProfileView::tagged(identity.change_profile(&account.caller, change).await?))
}

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct PasswordBody {
    #[schema(format = Password)]
    current_password: String,
    #[schema(format = Password)]
    new_password: String,
}

/// Change the own password.
#[utoipa::path(post, path = "/api/auth/password", tag = "accounts", request_body = PasswordBody,
    responses((status = 200, description = "Changed; all other sessions have ended.", body = Done),
        (status = 401, description = "Nobody is signed in."), (status = 422, description = "Some fields are wrong.")))]
pub(super) async fn change_password(
    State(identity): State<Identity>,
    account: Account,
    Json(body): Json<PasswordBody>,
) -> Result<Json<Done>, Failure> {
    let (old, new) = (secret(&body.current_password), secret(&body.new_password));
    identity.change_password(&account.caller, &old, new).await?;
    Ok(DONE)
}

/// Ask for a link that proves the e-mail address.
#[utoipa::path(post, path = "/api/auth/verification", tag = "accounts",
    responses((status = 202, description = "A mail with a link is on its way.", body = Done),
        (status = 401, description = "Nobody is signed in.")))]
pub(super) async fn ask_for_verification(
    State(identity): State<Identity>,
    account: Account,
) -> Result<impl IntoResponse, Failure> {
    identity.ask_for_verification(&account.caller).await?;
    Ok((StatusCode::ACCEPTED, DONE))
}

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LinkBody {
    /// What stands after `token=` in the link.
    token: String,
}

/// Prove the e-mail address with a mailed link.
#[utoipa::path(post, path = "/api/auth/verify", tag = "accounts", request_body = LinkBody,
    responses((status = 200, description = "The address is verified.", body = Done),
        (status = 410, description = "The link was used, or is too old.")))]
pub(super) async fn verify(
    State(identity): State<Identity>,
    caller: Login,
    Json(body): Json<LinkBody>,
) -> Result<Json<Done>, Failure> {
    identity.verify_email(&caller.0, &body.token).await?;
    Ok(DONE)
}

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ForgotBody {
    email: String,
}

/// Ask for a link to choose a new password.
#[utoipa::path(post, path = "/api/auth/forgot", tag = "accounts", request_body = ForgotBody,
    responses((status = 202, description = "If an account has this address, a mail is on its way.", body = Done)))]
pub(super) async fn forgot(
    State(identity): State<Identity>,
    caller: Login,
    Json(body): Json<ForgotBody>,
) -> Result<impl IntoResponse, Failure> {
    identity.ask_for_reset(&caller.0, &body.email).await?;
    Ok((StatusCode::ACCEPTED, DONE))
}

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct ResetBody {
    /// What stands after `token=` in the link.
    token: String,
    #[schema(format = Password)]
    new_password: String,
}

/// Choose a new password with a mailed link.
#[utoipa::path(post, path = "/api/auth/reset", tag = "accounts", request_body = ResetBody,
    responses((status = 200, description = "The new password counts; all sessions have ended.", body = Done),
        (status = 410, description = "The link was used, or is too old."),
        (status = 422, description = "The password is too easy.")))]
pub(super) async fn reset(
    State(identity): State<Identity>,
    caller: Login,
    Json(body): Json<ResetBody>,
) -> Result<Json<Done>, Failure> {
    identity.reset_password(&caller.0, &body.token, secret(&body.new_password)).await?;
    Ok(DONE)
}
