//! Signing in and out, profile and tokens: everything is a use case of `identity`.

use axum::body::Body;
use http::{HeaderValue, StatusCode, header};
use identity::tokens::{NewToken, Token};
use identity::{Caller, Identity, IdentityError, NewAccount, Poll, ProfileChange, Scopes};
use kernel::{Secret, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::answer::{Answer, Refusal, json, ok};
use super::body::read;
use crate::RegistryError;
use crate::documents::Base;

pub(super) fn whoami(by: &Caller) -> Answer {
    Ok(json(StatusCode::OK, &json!({"username": by.account()?.username})))
}

#[derive(Deserialize)]
struct Credentials {
    name: String,
    password: Secret,
    #[serde(default)]
    email: Option<String>,
}

/// `PUT /-/user/org.couchdb.user:{name}`: signs in; with an address and an unknown name it registers, where that
/// is open.
pub(super) async fn sign_in(identity: &Identity, by: &Caller, user: &str, body: Body) -> Answer {
    let credentials: Credentials = read(body).await?;
    if credentials.name != user {
        return Err(Refusal::malformed("The name in the body is not the one in the address."));
    }
    let secret = match identity.sign_in(by, user, &credentials.password).await {
        Ok(signed_in) => signed_in.token.secret,
        Err(IdentityError::WrongPassword) => register(identity, by, credentials).await?,
        Err(error) => return Err(error.into()),
    };
    let id = format!("org.couchdb.user:{user}");
    let answer = json!({"ok": true, "id": id, "rev": "1-0", "token": secret.expose()});
    Ok(json(StatusCode::CREATED, &answer))
}

/// What cannot be registered was a wrong password: a taken name looks like an unknown one.
async fn register(identity: &Identity, by: &Caller, credentials: Credentials) -> Result<Secret, Refusal> {
    let Some(email) = credentials.email.filter(|email| !email.is_empty()) else {
        return Err(IdentityError::WrongPassword.into());
    };
    let new = NewAccount {
        username: credentials.name,
        email,
        password: credentials.password,
        display_name: String::new(),
    };
    match identity.register(by, new).await {
        Ok(registered) => Ok(registered.token.secret),
        Err(IdentityError::NameTaken | IdentityError::RegistrationClosed) => {
            Err(IdentityError::WrongPassword.into())
        }
        Err(error) => Err(error.into()),
    }
}

/// `POST /-/v1/login`.
pub(super) async fn start_web(identity: &Identity, by: &Caller, base: &Base) -> Answer {
    let login = identity.start_web_login(by).await?;
    let answer = json!({
        "loginUrl": format!("{}/login/cli/{}", identity.settings().public_url, login.id),
        "doneUrl": format!("{}-/v1/done/{}", base.url(), login.poll.expose()),
    });
    Ok(json(StatusCode::OK, &answer))
}

/// `GET /-/v1/done/{secret}`: 202 until somebody has decided; the clients wait as long as `retry-after` says.
pub(super) async fn web_done(identity: &Identity, by: &Caller, secret: &str) -> Answer {
    match identity.poll_web_login(by, secret).await? {
        Poll::Pending => {
            let mut response = json(StatusCode::ACCEPTED, &json!({}));
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
            Ok(response)
        }
        Poll::Approved(created) => Ok(json(StatusCode::OK, &json!({"token": created.secret.expose()}))),
    }
}

/// `DELETE /-/user/token/{token}`.
pub(super) async fn sign_out(identity: &Identity, by: &Caller, token: &str) -> Answer {
    identity.revoke_token_text(by, token).await?;
    Ok(ok())
}

/// `GET /-/user/org.couchdb.user:{name}`: addresses are not shown to others.
pub(super) async fn user(registry: &crate::Registry, by: &Caller, name: &str) -> Answer {
    by.account()?;
    let wanted = name.to_owned();
    let look = async move |tx: &mut store::Tx| identity::user_named(tx, &wanted).await;
    let found: Option<identity::UserId> = registry.store().read(look).await?;
    found.ok_or(RegistryError::NoPart("user"))?;
    let answer = json!({"_id": format!("org.couchdb.user:{name}"), "name": name, "email": "", "type": "user",
        "roles": []});
    Ok(json(StatusCode::OK, &answer))
}

/// `GET /-/npm/v1/user`.
pub(super) async fn profile(identity: &Identity, by: &Caller) -> Answer {
    let user = identity.profile(by).await?.user;
    let answer = json!({
        "tfa": null, "name": &*user.username, "email": user.email,
        "email_verified": user.email_verified_at.is_some(), "created": user.created_at, "updated": user.updated_at,
        "fullname": user.display_name, "homepage": "", "github": "", "twitter": "", "freenode": "",
        "cidr_whitelist": null,
    });
    Ok(json(StatusCode::OK, &answer))
}

#[derive(Deserialize)]
struct ProfileBody {
    fullname: Option<String>,
    email: Option<String>,
    password: Option<PasswordChange>,
    tfa: Option<Value>,
}

#[derive(Deserialize)]
struct PasswordChange {
    old: Secret,
    new: Secret,
}

/// `POST /-/npm/v1/user`.
pub(super) async fn edit_profile(identity: &Identity, by: &Caller, body: Body) -> Answer {
    let wanted: ProfileBody = read(body).await?;
    if wanted.tfa.is_some() {
        return Err(Refusal::malformed("A second factor is set up on the account page, not by npm."));
    }
    if let Some(PasswordChange { old, new }) = wanted.password {
        identity.change_password(by, &old, new).await?;
    }
    let present = identity.profile(by).await?.user;
    let change = ProfileChange {
        display_name: wanted.fullname.filter(|name| *name != present.display_name),
        email: wanted.email.filter(|email| !email.is_empty() && *email != present.email),
        ..ProfileChange::default()
    };
    if change.display_name.is_some() || change.email.is_some() {
        identity.change_profile(by, change).await?;
    }
    profile(identity, by).await
}

/// How a token is called where its id may be printed: ids that look like UUIDs are blackened by npm.
fn key(token: &Token) -> String {
    hex::encode(&Sha256::digest(token.id.as_str())[..16])
}

fn shown(token: &Token) -> Value {
    let networks: Vec<String> = token.cidrs.iter().map(ToString::to_string).collect();
    json!({
        "key": key(token), "token": token.hint, "name": token.name, "created": token.created_at,
        "updated": token.created_at, "readonly": !token.scopes.has(identity::Scope::Publish),
        "cidr_whitelist": if networks.is_empty() { Value::Null } else { json!(networks) },
        "expires": token.expires_at, "scopes": token.scopes.words(),
    })
}

/// `GET /-/npm/v1/tokens`.
pub(super) async fn tokens(identity: &Identity, by: &Caller, query: Option<&str>) -> Answer {
    let number = |key: &str, default: usize| {
        let pairs = url::form_urlencoded::parse(query.unwrap_or_default().as_bytes());
        pairs
            .into_iter()
            .find(|(name, _)| name == key)
            .and_then(|(_, text)| text.parse().ok())
            .unwrap_or(default)
    };
    let (page, size) = (number("page", 0), number("perPage", 100).clamp(1, 1000));
    let all = identity.tokens(by).await?;
    let objects: Vec<Value> = all.iter().skip(page.saturating_mul(size)).take(size).map(shown).collect();
    let mut urls = json!({});
    if page.saturating_add(1).saturating_mul(size) < all.len() {
        urls["next"] = json!(format!("/-/npm/v1/tokens?page={}&perPage={size}", page + 1));
    }
    Ok(json(StatusCode::OK, &json!({"objects": objects, "total": all.len(), "urls": urls})))
}

#[derive(Deserialize)]
struct TokenBody {
    name: Option<String>,
    password: Option<Secret>,
    /// In days.
    expires: Option<u64>,
    #[serde(default)]
    readonly: bool,
    #[serde(default)]
    packages: Vec<String>,
    #[serde(default)]
    scopes: Vec<String>,
    packages_and_scopes_permission: Option<String>,
    #[serde(default)]
    cidr_whitelist: Option<Vec<String>>,
}

impl TokenBody {
    /// npm's words for what a token may do in ours.
    fn scopes(&self) -> Result<Scopes, Refusal> {
        let mut words = match self.packages_and_scopes_permission.as_deref() {
            Some("read-only") => "read".to_owned(),
            Some("read-write") => "read publish".to_owned(),
            Some(other) => {
                return Err(Refusal::malformed(format!(
                    "\"{other}\" is not known: choose read-only or read-write."
                )));
            }
            None if self.readonly => "read".to_owned(),
            None => "read publish account".to_owned(),
        };
        for package in &self.packages {
            words.push_str(&format!(" packages:{package}"));
        }
        for scope in &self.scopes {
            words.push_str(&format!(" packages:@{}/*", scope.trim_start_matches('@')));
        }
        words.parse().map_err(Refusal::malformed)
    }

    fn new_token(&self, now: Timestamp) -> Result<NewToken, Refusal> {
        let networks =
            self.cidr_whitelist.iter().flatten().map(|text| text.parse()).collect::<Result<Vec<_>, _>>();
        let day = std::time::Duration::from_secs(86_400);
        let days = self.expires.map(|days| u32::try_from(days).unwrap_or(u32::MAX));
        Ok(NewToken {
            name: self.name.clone().unwrap_or_else(|| "npm token".to_owned()),
            scopes: self.scopes()?,
            cidrs: networks.map_err(|_| Refusal::malformed("Write networks like 192.0.2.0/24."))?,
            expires_at: days.map(|days| now.after(day.saturating_mul(days))),
        })
    }
}

/// `POST /-/npm/v1/tokens`. With a password the token may do what the account may, else what the present one may.
pub(super) async fn create_token(identity: &Identity, by: &Caller, body: Body) -> Answer {
    let wanted: TokenBody = read(body).await?;
    let new = wanted.new_token(by.now())?;
    let created = match &wanted.password {
        None => identity.create_token(by, new).await?,
        Some(password) => {
            let proven = identity.sign_in(by, &by.account()?.username, password).await?;
            let caller = Caller { ctx: by.ctx.clone(), actor: Some(proven.actor) };
            let created = identity.create_token(&caller, new).await;
            identity.revoke_token_text(&caller, proven.token.secret.expose()).await?;
            created?
        }
    };
    let mut answer = shown(&created.token);
    answer["token"] = json!(created.secret.expose());
    Ok(json(StatusCode::CREATED, &answer))
}

/// `DELETE /-/npm/v1/tokens/token/{key}`: the key or the token itself.
pub(super) async fn revoke_token(identity: &Identity, by: &Caller, wanted: &str) -> Answer {
    if wanted.starts_with("elk_") {
        identity.revoke_token_text(by, wanted).await?;
        return Ok(ok());
    }
    let all = identity.tokens(by).await?;
    let token = all.into_iter().find(|token| key(token) == wanted).ok_or(IdentityError::NotFound("token"))?;
    identity.revoke_token(by, token.id).await?;
    Ok(ok())
}
