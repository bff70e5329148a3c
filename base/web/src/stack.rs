//! What happens to every request before and after its handler.

use std::net::{IpAddr, SocketAddr};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{ConnectInfo, DefaultBodyLimit, Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use futures_util::FutureExt;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use kernel::{Clock, Problem};
use metrics::{Counter, Histogram};

use crate::{Ctx, Failure, Limits, csrf, failure};

/// Shows a problem as a page to a browser.
pub type ProblemPage = Arc<dyn Fn(&Problem, &Ctx, &Asked) -> Response + Send + Sync>;

/// What was asked for when a problem came of it.
pub struct Asked {
    /// The path of the address, as it came.
    pub path: String,
    /// The request's headers.
    pub headers: HeaderMap,
}

/// Which listener a request came in by; names its metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Surface {
    /// `/api` and its kin.
    Api,
    /// The package registries.
    Registry,
    /// The web interface.
    Web,
    /// Node agents.
    Orchestrator,
}

impl Surface {
    const fn name(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Registry => "registry",
            Self::Web => "web",
            Self::Orchestrator => "orchestrator",
        }
    }
}

/// The middleware of one surface.
#[derive(Clone)]
pub struct Stack {
    /// Where `now` comes from.
    pub clock: Clock,
    /// Which surface this is.
    pub surface: Surface,
    /// How many requests a client may make.
    pub limits: Limits,
    /// How many proxies in front of us are ours, see [`Ctx`].
    pub trusted_hops: usize,
    /// The largest body in bytes; a handler that streams sets its own.
    pub max_body: usize,
    /// How long a handler may take until it answers; `None` where uploads may be slow.
    pub timeout: Option<Duration>,
    /// Origins that scripts of other sites may call us from, with tokens and never with cookies.
    pub cors_origins: Vec<HeaderValue>,
    /// How problems look to a browser; `None` on surfaces for programs.
    pub problem_page: Option<ProblemPage>,
}

struct Shared {
    stack: Stack,
    /// By status class: 1xx to 5xx.
    requests: [Counter; 5],
    duration: Histogram,
}

impl Stack {
    /// The usual settings of a surface, with no limit on requests.
    #[must_use]
    pub fn new(surface: Surface, clock: Clock) -> Self {
        Self {
            clock,
            surface,
            limits: Limits::off(),
            trusted_hops: 0,
            max_body: 1024 * 1024,
            timeout: Some(Duration::from_secs(30)),
            cors_origins: Vec::new(),
            problem_page: None,
        }
    }

    /// Puts the middleware around `router`.
    pub fn around(self, router: Router) -> Router {
        let surface = self.surface.name();
        let counter = |class: &'static str| metrics::counter!("fondaco_http_requests_total", "surface" => surface, "status" => class);
        let max_body = self.max_body;
        let shared = Arc::new(Shared {
            requests: ["1xx", "2xx", "3xx", "4xx", "5xx"].map(counter),
            duration: metrics::histogram!("fondaco_http_request_seconds", "surface" => surface),
            stack: self,
        });
        router.layer(DefaultBodyLimit::max(max_body)).layer(from_fn_with_state(shared, handle))
    }
}

async fn handle(State(shared): State<Arc<Shared>>, mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let stack = &shared.stack;
    let peer: Option<IpAddr> = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip());
    let ctx = Ctx::of(request.headers(), peer, stack.trusted_hops, &stack.clock);
    let wants_page = stack.problem_page.is_some() && wants_html(&request);
    let asked = wants_page
        .then(|| Asked { path: request.uri().path().to_owned(), headers: request.headers().clone() });
    let origin = allowed_origin(stack, request.headers());
    let log =
        tracing::enabled!(tracing::Level::DEBUG).then(|| (request.method().clone(), request.uri().clone()));
    request.extensions_mut().insert(ctx.clone());

    let mut response = match admit(stack, &ctx, &request) {
        Ok(left) => {
            let mut response = match origin.as_ref().filter(|_| is_preflight(&request)) {
                Some(_) => preflight(),
                None => run(stack, request, next).await,
            };
            if let Some(left) = left {
                left.write(response.headers_mut());
            }
            response
        }
        Err(problem) => axum::response::IntoResponse::into_response(Failure(problem)),
    };
    if let Some(problem) = response.extensions_mut().remove::<Arc<Problem>>() {
        response = show(stack, &problem, &ctx, asked.as_ref());
    }
    finish(response.headers_mut(), &ctx, origin);
    let class = usize::from(response.status().as_u16() / 100).clamp(1, 5) - 1;
    shared.requests[class].increment(1);
    let elapsed = started.elapsed();
    shared.duration.record(elapsed);
    if let Some((method, uri)) = log {
        let status = response.status().as_u16();
        let micros = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX);
        tracing::debug!(%method, path = uri.path(), status, micros, request_id = %ctx.request_id, client = %ctx.client);
    }
    response
}

fn admit(stack: &Stack, ctx: &Ctx, request: &Request) -> Result<Option<crate::limits::Left>, Problem> {
    if csrf::is_foreign(request.method(), request.headers()) {
        return Err(Problem::forbidden(
            "request.foreign",
            "This form came from another site. Nothing was done.",
        )
        .next("Open the page here and send it again."));
    }
    stack.limits.admit(ctx.client)
}

/// Runs the handler; a panic or a time-out becomes a problem.
async fn run(stack: &Stack, request: Request, next: Next) -> Response {
    let handler = AssertUnwindSafe(next.run(request)).catch_unwind();
    let outcome = match stack.timeout {
        Some(limit) => tokio::time::timeout(limit, handler).await.ok(),
        None => Some(handler.await),
    };
    let problem = match outcome {
        Some(Ok(response)) => return response,
        Some(Err(_)) => Problem::internal("request.panicked", "Something went wrong on our side."),
        None => {
            Problem::unavailable("request.timeout", "This took too long and was given up.").retry_after(5)
        }
    };
    axum::response::IntoResponse::into_response(Failure(problem))
}

fn show(stack: &Stack, problem: &Problem, ctx: &Ctx, asked: Option<&Asked>) -> Response {
    match (&stack.problem_page, asked) {
        (Some(page), Some(asked)) => {
            let mut response = page(problem, ctx, asked);
            failure::headers(problem, response.headers_mut());
            response
        }
        _ => failure::problem_json(problem, Some(&ctx.request_id)),
    }
}

/// Browsers ask for HTML by name; programs that do not care get JSON.
fn wants_html(request: &Request) -> bool {
    let accept = request.headers().get(header::ACCEPT).and_then(|value| value.to_str().ok());
    accept.is_some_and(|accept| accept.contains("text/html")) && !request.uri().path().starts_with("/api/")
}

fn allowed_origin(stack: &Stack, headers: &HeaderMap) -> Option<HeaderValue> {
    let origin = headers.get(header::ORIGIN)?;
    stack.cors_origins.iter().find(|allowed| *allowed == origin).cloned()
}

fn is_preflight(request: &Request) -> bool {
    request.method() == http::Method::OPTIONS
        && request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}

fn preflight() -> Response {
    let mut response = Response::new(axum::body::Body::empty());
    *response.status_mut() = http::StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    let methods = HeaderValue::from_static("GET, POST, PUT, PATCH, DELETE");
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, methods);
    let names =
        HeaderValue::from_static("authorization, content-type, idempotency-key, if-match, x-request-id");
    headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, names);
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
    response
}

fn finish(headers: &mut HeaderMap, ctx: &Ctx, origin: Option<HeaderValue>) {
    const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
    if let Ok(id) = HeaderValue::from_str(&ctx.request_id) {
        headers.insert(REQUEST_ID, id);
    }
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if let Some(origin) = origin {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.append(header::VARY, HeaderValue::from_static("origin"));
    }
}

kernel::problems! {
    "request.foreign":
        "A form was sent here by a page of another site, which may be an attempt to act in your name.",
        "Nothing was done.",
        "Open the page on this site and send the form from there.";
    "request.panicked":
        "Something went wrong inside the program: a fault of ours.",
        "What is stored is whole: a change is made as a whole or not at all.",
        "Look whether it was done, then try again. Tell the operator the request id.";
    "request.timeout":
        "The answer took too long and was given up.",
        "A change is made as a whole or not at all; it may have been made.",
        "Look whether it was done, or send it again with the same Idempotency-Key.";
}
