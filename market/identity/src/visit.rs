//! How page handlers learn who visits and get the frame of their page, and how they answer a form.

use std::sync::Arc;

use axum::extract::{FromRef, FromRequestParts};
use axum::response::{IntoResponse, Redirect, Response};
use http::request::Parts;
use http::{HeaderValue, header};
use web::Failure;
use web::face::{FLASH_COOKIE, Kind, Notice, Shell, SignedIn, Site, Theme};

use crate::actor::{Actor, Caller};
use crate::{Identity, IdentityError};

/// The longest message; what is longer did not come from us.
const MAX_FLASH: usize = 600;

/// Somebody who looks at a page. The instance's [`Site`] stands in the request's extensions as `Arc<Site>`.
#[derive(Clone, Debug)]
pub struct Visit {
    /// Who asks.
    pub caller: Caller,
    /// The frame of the page: navigation, account menu, theme, message of the form before.
    pub shell: Shell,
}

impl Visit {
    /// The signed-in account; pages of one's own things start with this.
    ///
    /// # Errors
    /// [`IdentityError::NotSignedIn`]: the problem page then leads to the sign-in and back.
    pub fn account(&self) -> Result<&Actor, IdentityError> {
        self.caller.account()
    }
}

impl<S> FromRequestParts<S> for Visit
where
    S: Send + Sync,
    Identity: FromRef<S>,
{
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        let caller = Caller::from_request_parts(parts, state).await?;
        let site = parts.extensions.get::<Arc<Site>>().cloned();
        let site = site.unwrap_or_else(|| Arc::new(Site::new("Fondaco")));
        let mut shell = Shell::new(site, parts.uri.path(), caller.now());
        shell.request_id = caller.ctx.request_id.to_string();
        shell.account = caller.actor.as_ref().map(|actor| SignedIn {
            username: actor.username.to_string(),
            roles: actor.roles.iter().map(|role| role.name().to_owned()).collect(),
        });
        shell.theme = Theme::from_cookies(&parts.headers);
        shell.flash = web::cookie(&parts.headers, FLASH_COOKIE).and_then(flash);
        Ok(Self { caller, shell })
    }
}

/// The answer to a form that did its work: the next page, with a message of what was done.
pub fn done(to: &str, message: &str) -> Response {
    let mut response = Redirect::to(to).into_response();
    let value: String = url::form_urlencoded::byte_serialize(message.as_bytes()).collect();
    // A few seconds are enough for the redirect; the page that shows it ends it.
    let cookie = format!("{FLASH_COOKIE}={value}; Path=/; Max-Age=4; HttpOnly; SameSite=Lax");
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

fn flash(value: &str) -> Option<Notice> {
    if value.len() > MAX_FLASH {
        return None;
    }
    let (text, _) = url::form_urlencoded::parse(value.as_bytes()).next()?;
    Some(Notice { kind: Kind::Ok, text: text.into_owned(), link: None })
}
