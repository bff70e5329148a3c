//! A browser without script: keeps cookies, follows redirects, fills in and sends the forms of a page.

use std::collections::BTreeMap;

use reqwest::header::{COOKIE, LOCATION, SET_COOKIE};
use reqwest::{Client, Method, Response, Url, redirect};

/// Enough for any sign-in; a loop of redirects ends here.
const MOST_REDIRECTS: usize = 10;

/// Somebody at a browser that runs no script.
pub struct Visitor {
    client: Client,
    cookies: BTreeMap<String, String>,
    address: Url,
    page: String,
}

impl Visitor {
    /// Opens a page, following redirects.
    pub async fn open(address: &str) -> Self {
        // Redirects are followed here, because cookies set on the way have to be kept.
        let client = Client::builder().redirect(redirect::Policy::none()).build().unwrap();
        let address = Url::parse(address).unwrap();
        let mut visitor = Self { client, cookies: BTreeMap::new(), address, page: String::new() };
        visitor.go(Method::GET, visitor.address.clone(), String::new()).await;
        visitor
    }

    /// The page that is open, as HTML.
    pub fn page(&self) -> &str {
        &self.page
    }

    /// Sends the form that has a field or button of this name: hidden fields as they stand, `answers` filled in.
    pub async fn submit(&mut self, field: &str, answers: &[(&str, &str)]) {
        let wanted = format!("name=\"{field}\"");
        let form = elements(&self.page, "form")
            .find(|form| form.contains(&wanted))
            .unwrap_or_else(|| panic!("no form with {field:?} at {}\n{}", self.address, self.page))
            .to_owned();
        let mut fields = BTreeMap::new();
        for input in tags(&form, "input").filter(|tag| attribute(tag, "type").as_deref() == Some("hidden")) {
            fields.insert(
                attribute(input, "name").unwrap_or_default(),
                attribute(input, "value").unwrap_or_default(),
            );
        }
        fields.extend(answers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let head = &form[..=form.find('>').unwrap()];
        let target = self.address.join(&attribute(head, "action").unwrap_or_default()).unwrap();
        let body =
            Url::parse_with_params("http://form/", &fields).unwrap().query().unwrap_or_default().to_owned();
        self.go(Method::POST, target, body).await;
    }

    async fn go(&mut self, method: Method, address: Url, body: String) {
        let (mut method, mut address, mut body) = (method, address, body);
        for _ in 0..MOST_REDIRECTS {
            let answer = self.ask(method, address.clone(), body).await;
            let Some(next) = answer.headers().get(LOCATION).filter(|_| answer.status().is_redirection())
            else {
                let status = answer.status();
                self.page = answer.text().await.unwrap();
                assert!(status.is_success(), "{address}: {status}\n{}", self.page);
                self.address = address;
                return;
            };
            address = address.join(next.to_str().unwrap()).unwrap();
            (method, body) = (Method::GET, String::new());
        }
        panic!("{address}: too many redirects");
    }

    async fn ask(&mut self, method: Method, address: Url, body: String) -> Response {
        let mut request = self.client.request(method.clone(), address.clone());
        let cookies: Vec<_> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        request = request.header(COOKIE, cookies.join("; "));
        if method == Method::POST {
            // What a browser says of where a form comes from, and what guards against forged ones look at.
            let origin = address.origin().ascii_serialization();
            request = request.header("origin", origin).header("sec-fetch-site", "same-origin");
            request = request.header("content-type", "application/x-www-form-urlencoded").body(body);
        }
        let answer = request.send().await.unwrap();
        for cookie in answer.headers().get_all(SET_COOKIE) {
            let pair = cookie.to_str().unwrap().split(';').next().unwrap_or_default();
            if let Some((name, value)) = pair.split_once('=') {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        answer
    }
}

/// The elements of this name with their content; they are not nested.
fn elements<'a>(page: &'a str, name: &str) -> impl Iterator<Item = &'a str> {
    let end = format!("</{name}>");
    let starts: Vec<_> = page.match_indices(&format!("<{name}")).map(|(at, _)| at).collect();
    starts.into_iter().map(move |at| {
        let length = page[at..].find(&end).unwrap_or(page.len() - at);
        &page[at..at + length]
    })
}

/// The tags of this name, without what follows them.
fn tags<'a>(page: &'a str, name: &str) -> impl Iterator<Item = &'a str> {
    let starts: Vec<_> = page.match_indices(&format!("<{name}")).map(|(at, _)| at).collect();
    starts.into_iter().map(|at| &page[at..=at + page[at..].find('>').unwrap_or(0)])
}

/// The value of an attribute in double quotes, with the entities that stand in addresses and tokens resolved.
fn attribute(tag: &str, name: &str) -> Option<String> {
    let start = tag.find(&format!(" {name}=\""))? + name.len() + 3;
    let value = &tag[start..start + tag[start..].find('"')?];
    Some(value.replace("&#x2F;", "/").replace("&#38;", "&").replace("&amp;", "&").replace("&quot;", "\""))
}
