//! Refuses forms that other sites send in a signed-in person's name.
//!
//! A browser says where a request comes from (`Sec-Fetch-Site`, or `Origin` in older ones). An unsafe request
//! that carries the session cookie, or that is a form (which would sign a visitor into somebody else's account),
//! must come from this site. Other requests without the cookie (tokens, package clients, scripts) carry no
//! person's authority by themselves and pass. The cookie is `SameSite=Lax` besides, so forms need no token of
//! their own.

use http::{HeaderMap, Method, header};

use crate::{SESSION_COOKIE, cookie};

/// Whether the request may be one that another site made.
pub(crate) fn is_foreign(method: &Method, headers: &HeaderMap) -> bool {
    if method.is_safe() || !(cookie(headers, SESSION_COOKIE).is_some() || is_form(headers)) {
        return false;
    }
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    match (text("sec-fetch-site"), text("origin")) {
        (Some(site), _) => !matches!(site, "same-origin" | "none"),
        (None, Some(origin)) => {
            let host = origin.split_once("://").map_or("", |(_, host)| host);
            text("host").is_none_or(|own| !own.eq_ignore_ascii_case(host))
        }
        // No browser of the last years sends neither; a program that uses the cookie on purpose may.
        (None, None) => false,
    }
}

/// The kinds of body that a page of another site can send without being asked first.
fn is_form(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    ["application/x-www-form-urlencoded", "multipart/form-data", "text/plain"]
        .iter()
        .any(|form| kind.eq_ignore_ascii_case(form))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn only_unsafe_requests_with_authority_from_elsewhere_are_foreign() {
        let form = ("content-type", "application/x-www-form-urlencoded; charset=utf-8");
        let json = ("content-type", "application/json");
        let cookie = ("cookie", "theme=dark; fondaco_session=abc");
        let cases = [
            (Method::POST, headers(&[cookie, ("sec-fetch-site", "cross-site")]), true),
            (Method::POST, headers(&[cookie, ("sec-fetch-site", "same-site")]), true),
            (Method::POST, headers(&[cookie, ("sec-fetch-site", "same-origin")]), false),
            (
                Method::POST,
                headers(&[cookie, ("host", "m.example.com"), ("origin", "https://evil.example.com")]),
                true,
            ),
            (
                Method::POST,
                headers(&[cookie, ("host", "m.example.com"), ("origin", "https://m.example.com")]),
                false,
            ),
            (Method::POST, headers(&[cookie, ("origin", "null")]), true),
            (Method::GET, headers(&[cookie, ("sec-fetch-site", "cross-site")]), false),
            (Method::POST, headers(&[("sec-fetch-site", "cross-site")]), false),
            (Method::POST, headers(&[json, ("sec-fetch-site", "cross-site")]), false),
            (Method::POST, headers(&[form, ("sec-fetch-site", "cross-site")]), true),
            (Method::POST, headers(&[form, ("sec-fetch-site", "same-origin")]), false),
            (Method::POST, headers(&[form]), false),
        ];
        for (method, headers, expected) in cases {
            assert_eq!(is_foreign(&method, &headers), expected, "{method} {headers:?}");
        }
    }
}
