//! A browser without script, in process: keeps cookies, follows redirects, fills in forms, and looks at each page
//! for what no page may lack.

#![allow(unreachable_pub)]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::{Extension, Router};
use http::{Method, Request, StatusCode, header};
use http_body_util::BodyExt;
use scraper::{ElementRef, Html, Selector};
use tower::ServiceExt;
use web::face::{Audience, Place, Shell, Site, pages::problem_page};
use web::{Stack, Surface};

use crate::room::{PASSWORD, Room};

pub fn app(room: &Room) -> Router {
    let users =
        Place::new("users", "Users", "/operator/users", "users").for_audience(Audience::Roles(&["admin"]));
    let tokens =
        Place::new("tokens", "API tokens", "/account/tokens", "key-round").for_audience(Audience::SignedIn);
    let site = Site::new("Market").with_console("Account", tokens).with_console("Operate", users);
    let site = Arc::new(site);
    let of_pages = Arc::clone(&site);
    let mut stack = Stack::new(Surface::Web, room.clock.clone());
    stack.problem_page = Some(Arc::new(move |problem, ctx, asked| {
        problem_page(problem, &Shell::new(Arc::clone(&of_pages), &asked.path, ctx.now))
    }));
    stack.around(identity::pages(room.identity.clone()).into_router().layer(Extension(site)))
}

pub struct Browser {
    app: Router,
    pub cookies: BTreeMap<String, String>,
    pub path: String,
    pub status: StatusCode,
    pub page: String,
}

impl Browser {
    pub fn new(room: &Room) -> Self {
        let app = app(room);
        Self { app, cookies: BTreeMap::new(), path: "/".into(), status: StatusCode::OK, page: String::new() }
    }

    /// A browser in which somebody signed in by the form.
    pub async fn signed_in(room: &Room, name: &str) -> Self {
        let mut browser = Self::new(room);
        browser.open("/login?next=/account/tokens").await;
        browser.submit("password", &[("username", name), ("password", PASSWORD)]).await;
        assert_eq!((browser.path.as_str(), browser.status), ("/account/tokens", StatusCode::OK));
        browser
    }

    pub async fn open(&mut self, path: &str) -> &mut Self {
        self.go(Method::GET, path.to_owned(), None).await;
        self
    }

    /// Sends the form with a field or button of this name.
    pub async fn submit(&mut self, field: &str, answers: &[(&str, &str)]) -> &mut Self {
        let (action, body) = self.fill_in(field, answers);
        self.post(&action, &body).await
    }

    pub async fn post(&mut self, path: &str, body: &str) -> &mut Self {
        self.go(Method::POST, path.to_owned(), Some(body.to_owned())).await;
        self
    }

    fn fill_in(&self, field: &str, answers: &[(&str, &str)]) -> (String, String) {
        let page = Html::parse_document(&self.page);
        let wanted = select(&format!("[name=\"{field}\"]"));
        let form = page.select(&select("form")).find(|form| form.select(&wanted).next().is_some());
        let form = form.unwrap_or_else(|| panic!("no form with {field} at {}\n{}", self.path, self.page));
        assert_eq!(form.attr("method"), Some("post"));
        let mut pairs: Vec<(String, String)> = Vec::new();
        for input in form.select(&select("input, select, textarea")) {
            let name = input.attr("name").unwrap().to_owned();
            if !answers.iter().any(|(answered, _)| *answered == name) {
                pairs.extend(standing_value(input).map(|value| (name, value)));
            }
        }
        pairs.extend(answers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
        (form.attr("action").unwrap().to_owned(), body)
    }

    async fn go(&mut self, mut method: Method, mut path: String, mut body: Option<String>) {
        for _ in 0..5 {
            let Some(next) = self.ask(method, &path, body.take()).await else {
                self.path = path;
                return self.check();
            };
            // Pages of other rooms are not served here.
            if next == "/" {
                (self.path, self.page) = (next, String::new());
                return;
            }
            (method, path) = (Method::GET, next);
        }
        panic!("{path}: too many redirects");
    }

    async fn ask(&mut self, method: Method, path: &str, body: Option<String>) -> Option<String> {
        let cookies: Vec<_> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let request = Request::builder().method(method).uri(path).header(header::ACCEPT, "text/html");
        let request =
            request.header(header::COOKIE, cookies.join("; ")).header("sec-fetch-site", "same-origin");
        let request = request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        let request = request.body(axum::body::Body::from(body.unwrap_or_default())).unwrap();
        let (parts, body) = self.app.clone().oneshot(request).await.unwrap().into_parts();
        for cookie in parts.headers.get_all(header::SET_COOKIE) {
            let (name, value) = cookie.to_str().unwrap().split(';').next().unwrap().split_once('=').unwrap();
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
        let body = body.collect().await.unwrap().to_bytes();
        self.page = String::from_utf8(body.to_vec()).unwrap();
        self.status = parts.status;
        parts.headers.get(header::LOCATION).map(|next| next.to_str().unwrap().to_owned())
    }

    /// What no page may lack.
    fn check(&self) {
        let page = Html::parse_document(&self.page);
        let all = |selector: &str| page.select(&select(selector)).collect::<Vec<_>>();
        let at = &self.path;
        assert_eq!(all("h1").len(), 1, "one h1 at {at}\n{}", self.page);
        let title = all("title")[0].text().collect::<String>();
        assert!(title.ends_with(" - Market"), "{at}: {title}");
        assert!(all("[data-missing-icon]").is_empty(), "an icon is missing at {at}");
        let mut ids = BTreeSet::new();
        for element in all("[id]") {
            assert!(
                ids.insert(element.attr("id").unwrap().to_owned()),
                "{:?} twice at {at}",
                element.attr("id")
            );
        }
        for field in all("main input:not([type=hidden]), main select, main textarea") {
            let inside_label =
                field.ancestors().filter_map(ElementRef::wrap).any(|e| e.value().name() == "label");
            let has_label =
                field.attr("id").is_some_and(|id| !all(&format!("label[for=\"{id}\"]")).is_empty());
            assert!(
                inside_label || has_label || field.attr("aria-label").is_some(),
                "no label: {}",
                field.html()
            );
        }
        for element in all("[aria-describedby]") {
            for id in element.attr("aria-describedby").unwrap().split_ascii_whitespace() {
                assert!(ids.contains(id), "{id} is not at {at}");
            }
        }
        for link in all(".summary a") {
            let target = link.attr("href").unwrap().trim_start_matches('#');
            assert!(ids.contains(target), "the summary names {target}, which is not at {at}");
        }
    }

    /// Who is signed in here.
    pub async fn actor(&self, room: &Room) -> Option<identity::Actor> {
        let mut headers = http::HeaderMap::new();
        let cookie = format!("{}={}", web::SESSION_COOKIE, self.cookies[web::SESSION_COOKIE]);
        headers.insert(header::COOKIE, cookie.parse().unwrap());
        room.identity.resolve(&headers, &web::Ctx::local(room.clock.now())).await.unwrap()
    }

    /// The text of what a selector finds first, with single spaces.
    pub fn text(&self, selector: &str) -> String {
        let page = Html::parse_document(&self.page);
        let found = page.select(&select(selector)).next();
        let found = found.unwrap_or_else(|| panic!("no {selector} at {}\n{}", self.path, self.page));
        found.text().collect::<String>().split_whitespace().collect::<Vec<_>>().join(" ")
    }

    pub fn value(&self, name: &str) -> String {
        let page = Html::parse_document(&self.page);
        let found = page.select(&select(&format!("[name=\"{name}\"]"))).next();
        found
            .unwrap_or_else(|| panic!("no {name} at {}", self.path))
            .attr("value")
            .unwrap_or_default()
            .to_owned()
    }

    pub fn says(&self, text: &str) -> &Self {
        let shown = self.text("main");
        assert!(shown.contains(text), "{text:?} is not at {}: {shown}", self.path);
        self
    }

    pub fn omits(&self, text: &str) -> &Self {
        assert!(!self.page.contains(text), "{text:?} is at {}", self.path);
        self
    }

    pub fn is(&self, path: &str, status: u16) -> &Self {
        assert_eq!((self.path.as_str(), self.status.as_u16()), (path, status), "{}", self.page);
        self
    }
}

/// What a field sends that nobody touches; `None` for one that sends nothing.
fn standing_value(field: ElementRef<'_>) -> Option<String> {
    let value = field.attr("value").unwrap_or_default().to_owned();
    match (field.value().name(), field.attr("type")) {
        ("select", _) => {
            let chosen = field.select(&select("option[selected]")).next();
            let chosen = chosen.or_else(|| field.select(&select("option")).next())?;
            chosen.attr("value").map(str::to_owned)
        }
        ("textarea", _) => Some(field.text().collect()),
        (_, Some("checkbox" | "radio")) => field.attr("checked").map(|_| value),
        _ => Some(value),
    }
}

fn select(selector: &str) -> Selector {
    Selector::parse(selector).unwrap()
}
