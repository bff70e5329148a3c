//! Problem pages: what happened, what is safe, what to do next, and a way on.

use askama::Template;
use axum::response::Response;
use http::{HeaderValue, StatusCode, header};
use kernel::Problem;

use super::{Shell, html};

#[derive(Template)]
#[template(path = "face/problem.html")]
struct ProblemPage<'a> {
    shell: &'a Shell,
    status: u16,
    title: &'a str,
    detail: &'a str,
    next: Option<String>,
    icon: &'static str,
    tone: &'static str,
    /// Words, address and kind of each button.
    ways: Vec<(&'static str, String, &'static str)>,
}

/// `problem` as a page, with its status, and `Retry-After` where trying again helps.
pub fn problem_page(problem: &Problem, shell: &Shell) -> Response {
    let shell = Shell {
        title: problem.title().to_owned(),
        description: String::new(),
        here: "",
        crumbs: Vec::new(),
        ..shell.clone()
    };
    let page = ProblemPage {
        shell: &shell,
        status: problem.status,
        title: headline(problem),
        detail: &problem.detail,
        next: next_step(problem),
        icon: icon(problem.status),
        tone: if problem.status >= 500 { "bad" } else { "accent" },
        ways: ways_on(problem.status, &shell),
    };
    let mut response = html(&shell, &page);
    *response.status_mut() =
        StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if let Some(seconds) = problem.retry_after_seconds {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

fn headline(problem: &Problem) -> &'static str {
    match problem.status {
        400 => "This request cannot be read",
        401 => "Sign in to see this page",
        402 => "This needs a payment first",
        403 => "You may not see this page",
        404 => "Nothing is here",
        410 => "This is gone for good",
        429 => "Too many requests",
        500 => "Something went wrong on our side",
        503 => "Not available right now",
        _ => problem.title(),
    }
}

fn icon(status: u16) -> &'static str {
    match status {
        401 | 403 => "lock",
        404 | 410 => "search",
        429 => "clock",
        503 => "refresh-cw",
        500.. => "triangle-alert",
        _ => "info",
    }
}

/// The problem's own next step, or the one that its status always has.
fn next_step(problem: &Problem) -> Option<String> {
    if let Some(next) = &problem.next {
        return Some(next.clone().into_owned());
    }
    if let Some(seconds) = problem.retry_after_seconds {
        let unit = if seconds == 1 { "second" } else { "seconds" };
        return Some(format!("Try again in {seconds} {unit}."));
    }
    let words = match problem.status {
        404 => "Check the address, or look for it by name.",
        429 => "Wait a moment, then try again.",
        500 | 502 => {
            "Nothing was charged or published. Try again; if it stays so, send the operator the request number below."
        }
        503 => "Try again in a minute.",
        _ => return None,
    };
    Some(words.to_owned())
}

fn ways_on(status: u16, shell: &Shell) -> Vec<(&'static str, String, &'static str)> {
    let home = ("Go to the start page", "/".to_owned(), "");
    match status {
        401 => vec![("Sign in", shell.sign_in_href(), "primary"), home],
        429 | 500 | 502 | 503 => vec![("Try again", shell.path.clone(), "primary"), home],
        _ => vec![home],
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::Arc;

    use kernel::Timestamp;

    use super::*;
    use crate::face::Site;

    async fn page(status: u16) -> (Response, String) {
        let mut shell = Shell::new(Arc::new(Site::new("Fondaco")), "/some/where", Timestamp::from_secs(0));
        shell.request_id = "req-1".into();
        let problem = Problem::new(status, "x.y", "It is <b>not</b> so.");
        let (parts, body) = problem_page(&problem, &shell).into_parts();
        let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
        (Response::from_parts(parts, axum::body::Body::empty()), String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn every_problem_has_a_way_on_and_the_request_number() {
        for status in [400, 401, 402, 403, 404, 410, 429, 500, 503] {
            let (response, body) = page(status).await;
            assert_eq!(response.status(), status);
            assert!(body.contains("req-1") && body.contains("class=\"btn"), "{status}");
            assert!(body.contains("It is &#60;b&#62;not"), "escaped: {body}");
            assert_eq!(body.matches("<h1").count(), 1);
            assert!(response.headers().contains_key("content-security-policy"));
        }
    }

    #[tokio::test]
    async fn not_found_offers_search_and_sign_in_comes_back() {
        assert!(page(404).await.1.contains("id=\"q404\""));
        assert!(page(401).await.1.contains("/login?next=/some/where"));
    }
}
