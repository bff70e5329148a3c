//! What went wrong, in the one form that API, pages and command line show (RFC 9457).

use std::borrow::Cow;
use std::fmt;

use serde::Serialize;

/// A problem as a person or a program is told of it. Rooms turn their error enums into it; `base/web`
/// writes it as `application/problem+json` or as a page, the command line as text with the next step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// HTTP status code.
    pub status: u16,
    /// Stable machine-readable code, `room.what_is_true`, e.g. `registry.version_exists`.
    pub code: Cow<'static, str>,
    /// What happened, what is safe, in one or two sentences for a person.
    pub detail: Cow<'static, str>,
    /// What to do next: a sentence or a command.
    pub next: Option<Cow<'static, str>>,
    /// Every bad field of the request.
    pub errors: Vec<FieldError>,
    /// Seconds after which trying again makes sense.
    pub retry_after_seconds: Option<u64>,
    /// The `WWW-Authenticate` challenge that goes with a 401, where the protocol wants one of its own.
    pub challenge: Option<&'static str>,
}

/// One bad field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FieldError {
    /// Where in the body: a JSON pointer (RFC 6901) such as `/email`.
    pub pointer: Cow<'static, str>,
    /// What to write instead.
    pub detail: Cow<'static, str>,
}

macro_rules! constructors {
    ($($(#[$meta:meta])* $name:ident = $status:literal;)*) => {$(
        $(#[$meta])*
        pub fn $name(code: impl Into<Cow<'static, str>>, detail: impl Into<Cow<'static, str>>) -> Self {
            Self::new($status, code, detail)
        }
    )*};
}

impl Problem {
    /// A problem with any status; the named constructors below read better.
    pub fn new(
        status: u16,
        code: impl Into<Cow<'static, str>>,
        detail: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            status,
            code: code.into(),
            detail: detail.into(),
            next: None,
            errors: Vec::new(),
            retry_after_seconds: None,
            challenge: None,
        }
    }

    constructors! {
        /// 400: the request cannot be read at all.
        bad_request = 400;
        /// 401: who asks is not known.
        unauthorized = 401;
        /// 403: who asks is known and may not.
        forbidden = 403;
        /// 404: nothing here that the caller may see.
        not_found = 404;
        /// 409: the thing is in another state than the request needs.
        conflict = 409;
        /// 410: it was here and is gone for good.
        gone = 410;
        /// 412: the version the caller saw is stale.
        stale = 412;
        /// 413: larger than is accepted.
        too_large = 413;
        /// 422: readable, but a field is wrong; see [`Problem::field`].
        invalid = 422;
        /// 429: too many requests; see [`Problem::retry_after`].
        too_many = 429;
        /// 500: our fault.
        internal = 500;
        /// 502: somebody we depend on answered wrongly.
        upstream = 502;
        /// 503: not now.
        unavailable = 503;
    }

    /// Adds a bad field.
    #[must_use]
    pub fn field(
        mut self,
        pointer: impl Into<Cow<'static, str>>,
        detail: impl Into<Cow<'static, str>>,
    ) -> Self {
        self.errors.push(FieldError { pointer: pointer.into(), detail: detail.into() });
        self
    }

    /// Adds what to do next.
    #[must_use]
    pub fn next(mut self, next: impl Into<Cow<'static, str>>) -> Self {
        self.next = Some(next.into());
        self
    }

    /// Adds when to try again.
    #[must_use]
    pub fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after_seconds = Some(seconds);
        self
    }

    /// Adds the challenge of a 401.
    #[must_use]
    pub fn challenge(mut self, challenge: &'static str) -> Self {
        self.challenge = Some(challenge);
        self
    }

    /// The standard reason phrase of the status, as the `title` of the problem.
    #[must_use]
    pub fn title(&self) -> &'static str {
        match self.status {
            400 => "Bad request",
            401 => "Sign in first",
            402 => "Payment needed",
            403 => "Not allowed",
            404 => "Not found",
            405 => "Method not allowed",
            406 => "Not acceptable",
            409 => "Conflict",
            410 => "Gone",
            412 => "Changed meanwhile",
            413 => "Too large",
            415 => "Unsupported format",
            422 => "Check the request",
            428 => "Version needed",
            429 => "Too many requests",
            502 => "Upstream failed",
            503 => "Not available now",
            _ => "Something went wrong",
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)?;
        for error in &self.errors {
            write!(f, " {}: {}", error.pointer, error.detail)?;
        }
        Ok(())
    }
}

impl std::error::Error for Problem {}
