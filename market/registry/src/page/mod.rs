//! The pages of packages: home, search, and a package with its tabs; and an organisation's upstream policy.

mod home;
mod manage;
pub(crate) mod package;
mod search;
mod upstream_policy;

use kernel::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use web::{Access, Routes};

use crate::registry::Registry;

pub use home::Front;

const UPSTREAM_POLICY: &str = "/account/organisations/{org}/upstream-policy";

/// The routes of the pages.
#[must_use]
pub fn routes(registry: Registry) -> Routes {
    Routes::new()
        .get("/", Access::Public, home::home)
        .get("/search", Access::Public, search::search)
        .get("/packages", Access::Public, search::browse)
        // Names have slashes, encoded or not.
        .get("/packages/{*name}", Access::Public, package::package)
        .post("/packages/{*name}", Access::Account, manage::change)
        .get(UPSTREAM_POLICY, Access::Account, upstream_policy::show)
        .post(UPSTREAM_POLICY, Access::Account, upstream_policy::change)
        .with_state(registry)
}

/// What stays as it is in a query or a path of ours; a scoped name reads as it is written.
const PLAIN: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'/').remove(b'@').remove(b'~');

/// A text as part of an address.
pub(crate) fn encoded(text: &str) -> impl std::fmt::Display + '_ {
    utf8_percent_encode(text, PLAIN)
}

/// The address of a package's page.
pub(crate) fn address_of(name: &str) -> String {
    format!("/packages/{}", encoded(name))
}

/// How long ago something was, in words; templates pass references.
pub(crate) fn since(then: &Timestamp, now: &Timestamp) -> String {
    web::face::text::distance(*then, *now)
}

/// A time in full; templates pass references.
pub(crate) fn utc(at: &Timestamp) -> String {
    web::face::text::utc(*at)
}
