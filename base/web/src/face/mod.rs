//! The face: what every page of the program looks like. Assets in the binary, layouts, components,
//! charts, safe README rendering, problem pages and the security headers that go with them.
//!
//! A room's page is a template that extends a layout of `templates/layout/` and a struct with a
//! [`Shell`]; [`html`] turns it into a response. `base/web/README.md` shows one in ten lines.

pub mod assets;
pub mod chart;
#[cfg(test)]
mod contrast;
pub mod forms;
pub mod headers;
mod highlight;
pub mod markdown;
#[cfg(test)]
mod markdown_tests;
pub mod pages;
pub mod parts;
mod prose;
mod shell;
pub mod text;
mod typed;

use std::fmt;

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};

/// The name of the cookie that carries the message of a form's answer to the page that follows it.
pub const FLASH_COOKIE: &str = "fondaco_flash";
/// Ends that cookie.
const NO_FLASH: HeaderValue =
    HeaderValue::from_static("fondaco_flash=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax");

pub use forms::FormState;
pub use headers::allow_camera;
pub use shell::{Audience, Crumb, Kind, Notice, Place, Sheet, Shell, SignedIn, Site, Theme};
pub use typed::{Typed, Wrong};

/// Text that is HTML already and is safe to stand in a page: askama does not escape it again.
///
/// Build one only from text that was escaped or sanitised.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Html(String);

impl Html {
    /// Takes `text` as HTML. The caller answers for it: see [`escape`] for what came from outside.
    #[must_use]
    pub fn trusted(text: String) -> Self {
        Self(text)
    }

    /// The HTML text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The HTML text, for a database.
    #[must_use]
    pub fn into_string(self) -> String {
        self.0
    }
}

impl fmt::Display for Html {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl askama::filters::HtmlSafe for Html {}

/// Escapes text for element content and quoted attributes.
#[must_use]
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            _ => out.push(c),
        }
    }
    out
}

/// Renders a page and adds the security headers. A page of somebody signed in, or with a message for one person,
/// is never stored by a cache (`no-store`); any other is checked with the server each time.
///
/// For another status write `(StatusCode::UNPROCESSABLE_ENTITY, face::html(&shell, &page))`.
pub fn html(shell: &Shell, template: &impl askama::Template) -> Response {
    let body = match template.render() {
        Ok(body) => body,
        Err(error) => {
            tracing::error!(%error, path = shell.path, "a page did not render");
            return (StatusCode::INTERNAL_SERVER_ERROR, "This page could not be drawn. Nothing was changed.")
                .into_response();
        }
    };
    let cache = if shell.is_private() { "no-store" } else { "private, no-cache" };
    let mut response = (
        [
            (header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
            (header::CACHE_CONTROL, HeaderValue::from_static(cache)),
            (header::VARY, HeaderValue::from_static("cookie")),
        ],
        body,
    )
        .into_response();
    // What is shown now is not to be shown again.
    if shell.flash.is_some() {
        response.headers_mut().append(header::SET_COOKIE, NO_FLASH);
    }
    headers::secure(response.headers_mut());
    response
}
