//! The pages, over HTTP, as a browser without script sees them; and what it is sent when it listens.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod market;

use axum::Router;
use axum::body::{Body, to_bytes};
use containers::memory::Memory;
use futures_util::StreamExt as _;
use http::{Request, request::Builder};
use identity::{Caller, NewAccount, Role, Roles, Terms};
use kernel::{Clock, Secret};
use market::Market;
use store::testing;
use tower::ServiceExt as _;

const PASSWORD: &str = "plum tree 9";

struct Browser {
    market: Market,
    router: Router,
    token: String,
}

struct Answer {
    status: u16,
    to: String,
    text: String,
}

impl Answer {
    #[track_caller]
    fn has(&self, words: &str) -> &Self {
        assert!(self.text.contains(words), "{} without {words:?}:\n{}", self.status, self.text);
        self
    }

    #[track_caller]
    fn lacks(&self, words: &str) -> &Self {
        assert!(!self.text.contains(words), "{} with {words:?}", self.status);
        self
    }
}

impl Browser {
    async fn on(market: Market) -> Self {
        let router = web::Stack::new(web::Surface::Web, market.clock.clone())
            .around(services::pages(market.services.clone()).into_router());
        let token = signs_in(&market, "ada").await;
        Self { market, router, token }
    }

    async fn send(&self, request: Builder, body: Body) -> Answer {
        let mut request = request.header("accept", "text/html");
        if !self.token.is_empty() {
            request = request.header("authorization", format!("Bearer {}", self.token));
        }
        let answer = self.router.clone().oneshot(request.body(body).unwrap()).await.unwrap();
        let to = answer.headers().get("location").map_or("", |to| to.to_str().unwrap()).to_owned();
        let status = answer.status().as_u16();
        let text =
            String::from_utf8(to_bytes(answer.into_body(), 2_000_000).await.unwrap().to_vec()).unwrap();
        assert!(!text.contains("data-missing-icon"), "an icon is missing in {text}");
        Answer { status, to, text }
    }

    async fn get(&self, path: &str) -> Answer {
        self.send(Request::get(path), Body::empty()).await
    }

    async fn form(&self, path: &str, body: &str) -> Answer {
        let request = Request::post(path)
            .header("sec-fetch-site", "same-origin")
            .header("content-type", "application/x-www-form-urlencoded");
        self.send(request, Body::from(body.to_owned())).await
    }

    /// Deploys by the form; the address of the deployment.
    async fn deploys(&self, name: &str) -> String {
        let made = self
            .form("/deployments/new", &format!("service=sleeper&name={name}&plan=free&region=here"))
            .await;
        let at =
            made.text.find("/deployments/deploy-").unwrap_or_else(|| panic!("not deployed: {}", made.text));
        made.text[at..].split('"').next().unwrap().to_owned()
    }
}

async fn signs_in(market: &Market, name: &str) -> String {
    let identity = identity::Settings::new("http://localhost:8080", Secret::new("a secret of the tests"));
    let identity = identity::Identity::new(market.store.clone(), market.clock.clone(), identity);
    let new = NewAccount {
        username: name.to_owned(),
        email: format!("{name}@example.com"),
        password: Secret::new(PASSWORD),
        display_name: String::new(),
    };
    let terms = Terms { roles: Roles::of(&[Role::User]), verified: true, easy_password: false };
    let now = market.clock.now();
    identity.create_user(&Caller::system(now), new, terms).await.unwrap();
    let signed_in = identity.sign_in(&Caller::stranger(now), name, &Secret::new(PASSWORD)).await.unwrap();
    signed_in.token.secret.expose().to_owned()
}

/// The text between `before` and `after`.
fn between<'a>(text: &'a str, before: &str, after: &str) -> &'a str {
    let from = text.find(before).unwrap_or_else(|| panic!("no {before} in {text}")) + before.len();
    text[from..].split(after).next().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_catalogue_is_for_everybody() {
    testing::both(&market::migrations(), async |store| {
        let browser = Browser { token: String::new(), ..Browser::on(Market::on(store).await).await };
        browser
            .get("/services")
            .await
            .has("<a href=\"/services/sleeper\">Sleeper</a>")
            .has("Not available here");
        browser.get("/services?category=compute").await.has("It sleeps.").lacks("Databases</h2>");
        browser
            .get("/services/sleeper")
            .await
            .has("99.9 %")
            .has("<td class=\"num\">$19.00</td>")
            .has("/deployments/new?service=sleeper&amp;plan=paid")
            .has("fondaco deploy sleeper");
        assert_eq!(browser.get("/services/svc-sleeper").await.to, "/services/sleeper");
        assert_eq!(browser.get("/services/nothing").await.status, 404);
        assert_eq!(browser.get("/deployments").await.status, 401);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_deployed_says_why() {
    testing::both(&market::migrations(), async |store| {
        let market = Market::on(store.clone()).await;
        let bare = Memory::new("tests", market.clock.clone());
        let folder = tempfile::tempdir().unwrap();
        let settings = services::Settings { templates: None, ..services::Settings::default() };
        let services = market::room(&store, &market.clock, &bare, folder.path(), settings).await;
        let service = services.catalogue().templates().next().unwrap().slug.clone();
        let router = web::Stack::new(web::Surface::Web, Clock::system())
            .around(services::pages(services.clone()).into_router());
        let browser = Browser { market, router, token: String::new() };
        browser
            .get(&format!("/services/{service}"))
            .await
            .has("It cannot be deployed here at the moment.")
            .lacks("/deployments/new?service");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn credentials_are_shown_once_then_masked_until_revealed() {
    testing::both(&market::migrations(), async |store| {
        let browser = Browser::on(Market::on(store).await).await;
        browser
            .get("/deployments")
            .await
            .has("Nothing is deployed yet")
            .has("fondaco deploy postgres-managed");
        browser.get("/deployments/new").await.has("value=\"sleeper\"");
        let form = browser.get("/deployments/new?service=sleeper&plan=big").await;
        form.has("value=\"big\" checked").has("It cannot be paid for here yet.");
        let key = between(&form.text, "name=\"key\" value=\"", "\"").to_owned();
        let typed = format!("service=sleeper&name=nap&plan=free&region=there&key={key}");
        let made = browser.form("/deployments/new", &typed).await;
        let uri = between(&made.text, "id=\"url\" tabindex=\"0\">", "<").to_owned();
        let password = uri.split([':', '@']).nth(2).unwrap().to_owned();
        assert!(password.len() >= 16, "{uri}");
        // Sent twice, it is one deployment.
        browser.form("/deployments/new", &typed).await.has(&uri);
        let here = format!("/deployments/{}", between(&made.text, "href=\"/deployments/deploy-", "\""));
        let here = here.replace("/deployments/", "/deployments/deploy-");
        let list = browser.get("/deployments").await;
        assert_eq!(list.text.matches("<a href=\"/deployments/deploy-").count(), 1);
        list.has(&here).has("Starting");
        browser.get("/deployments?status=failed").await.has("None of this status");
        browser
            .get(&here)
            .await
            .lacks(&password)
            .has("********")
            .has("data-stream")
            .has("fondaco deployment connect");
        browser.form(&here, "do=reveal").await.has(&password).has("audit trail").lacks("data-stream=");
        let told = browser.form(&here, "do=nonsense").await;
        assert_eq!((told.status, told.to.as_str()), (303, here.as_str()));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_form_keeps_what_was_typed() {
    testing::both(&market::migrations(), async |store| {
        let browser = Browser::on(Market::on(store).await).await;
        let wrong = browser.form("/deployments/new", "service=sleeper&name=a/b&plan=free&region=mars").await;
        assert_eq!(wrong.status, 422);
        wrong
            .has("value=\"a/b\"")
            .has("href=\"#f-name\"")
            .has("href=\"#f-region\"")
            .has("Choose one of here, there.");
        let paid = browser.form("/deployments/new", "service=sleeper&name=nap&plan=paid&region=here").await;
        assert_eq!(paid.status, 422);
        paid.has("Choose a plan without a price.");
        browser.deploys("nap").await;
        let taken = browser.form("/deployments/new", "service=sleeper&name=nap&plan=free&region=here").await;
        taken.has("has this name");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settings_are_fields_of_both_forms_and_secrets_are_in_neither() {
    testing::both(&market::migrations(), async |store| {
        let browser = Browser::on(Market::on(store).await).await;
        let form = browser.get("/deployments/new?service=tuned").await;
        form.has("id=\"f-set-words\"").has("name=\"set-count\" type=\"text\" value=\"3\"");
        form.has("<option value=\"sleep\" selected>").has("&#34;path&#34;: &#34;/&#34;");
        form.has("type=\"password\" value=\"\" autocomplete=\"new-password\"");
        let typed = "service=tuned&name=nap&plan=free&region=here&set-mode=sleep&set-count=99&set-routes=5\
            &secret-token=t0psecret";
        let wrong = browser.form("/deployments/new", typed).await;
        assert_eq!(wrong.status, 422);
        wrong.has("href=\"#f-set-count\"").has("Use a whole number from 1 to 9.").lacks("t0psecret");
        wrong.has("href=\"#f-set-words\"").has("href=\"#f-set-routes\"");
        let typed = "service=tuned&name=nap&plan=free&region=here&set-mode=sleep&set-words=good+night\
            &set-count=&set-loud=yes&set-routes=-+path:+/a&secret-token=t0psecret";
        let made = browser.form("/deployments/new", typed).await;
        let id = between(&made.text, "href=\"/deployments/deploy-", "\"").to_owned();
        let here = format!("/deployments/deploy-{id}/settings");
        let page = browser.get(&here).await;
        page.has("value=\"good night\"").lacks("t0psecret").has("value=\"yes\" checked");
        page.has("name=\"set-count\" type=\"text\" value=\"3\"").has("&#34;path&#34;: &#34;/a&#34;");
        let wrong = browser.form(&here, "do=configure&set-mode=sleep&set-words=NO").await;
        assert_eq!(wrong.status, 422);
        wrong.has("href=\"#f-set-words\"");
        let told = browser.form(&here, "do=configure&set-mode=sleep&set-words=bye&secret-token=").await;
        assert_eq!((told.status, told.to.as_str()), (303, here.as_str()));
        browser.get(&here).await.has("value=\"bye\"").lacks("value=\"yes\" checked");
        let overview = browser.form(&format!("/deployments/deploy-{id}"), "do=reveal").await;
        overview.has("say bye t0psecret");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn buttons_change_what_is_wanted_and_deleting_can_be_undone() {
    testing::both(&market::migrations(), async |store| {
        let browser = Browser::on(Market::on(store).await).await;
        let here = browser.deploys("nap").await;
        browser.market.reconciler().pass().await.unwrap();
        browser.get(&here).await.has("value=\"stop\"").lacks("value=\"start\"");
        assert_eq!(browser.form(&here, "do=stop").await.to, here);
        browser.market.reconciler().pass().await.unwrap();
        browser.get(&here).await.has("value=\"start\"").lacks("value=\"stop\"");
        let settings = format!("{here}/settings");
        let wrong = browser.form(&settings, "do=rename&name=a/b").await;
        assert_eq!(wrong.status, 422);
        wrong.has("value=\"a/b\"").has("Use 1 to 60 letters");
        browser.form(&settings, "do=rename&name=siesta").await;
        browser.form(&settings, "do=budget&budget=lots").await.has("Use an amount such as 25");
        browser.form(&settings, "do=budget&budget=12.50").await;
        browser.get(&settings).await.has("value=\"siesta\"").has("value=\"12.50\"");
        browser.form(&settings, "do=scale&plan=big").await;
        browser.get(&settings).await.has("value=\"big\" checked");
        assert_eq!(browser.form(&settings, "do=delete").await.to, here);
        browser.get(&here).await.has("It is being deleted.").has("value=\"undelete\"");
        browser.form(&here, "do=undelete").await;
        browser.get(&here).await.lacks("It is being deleted.").has("value=\"start\"");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_has_no_backups_says_so() {
    testing::both(&market::migrations(), async |store| {
        let browser = Browser::on(Market::on(store).await).await;
        let here = browser.deploys("nap").await;
        let backups = format!("{here}/backups");
        browser
            .get(&backups)
            .await
            .has("This service keeps nothing that could be saved.")
            .lacks("Back up now");
        let refused = browser.form(&backups, "do=make").await;
        assert_eq!(refused.status, 422);
        refused.has("This service has no backups.");
        browser.market.reconciler().pass().await.unwrap();
        let gone = browser.form(&backups, "do=restore&backup=backup-0193").await;
        assert_eq!(gone.status, 404);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn somebody_elses_is_not_there() {
    testing::both(&market::migrations(), async |store| {
        let browser = Browser::on(Market::on(store).await).await;
        let here = browser.deploys("nap").await;
        let token = signs_in(&browser.market, "ben").await;
        let ben = Browser { token, ..browser };
        for path in ["", "/settings", "/logs", "/backups", "/live", "/logs/live"] {
            assert_eq!(ben.get(&format!("{here}{path}")).await.status, 404, "{path}");
        }
        for (path, body) in [("", "do=reveal"), ("", "do=stop"), ("/settings", "do=delete")] {
            assert_eq!(ben.form(&format!("{here}{path}"), body).await.status, 404, "{body}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_listens_is_sent_the_page_and_the_lines() {
    testing::both(&market::migrations(), async |store| {
        let browser = Browser::on(Market::on(store).await).await;
        let here = browser.deploys("nap").await;
        browser.market.reconciler().pass().await.unwrap();
        browser
            .get(&format!("{here}/logs?search=nothing"))
            .await
            .has("No line has this text.")
            .has("search=nothing");
        for (path, first) in
            [("/live?r=15m", "event: page\ndata: <!doctype html>"), ("/logs/live", "event: start\n")]
        {
            let request = Request::get(format!("{here}{path}"))
                .header("authorization", format!("Bearer {}", browser.token))
                .header("accept", "text/event-stream");
            let answer = browser.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
            assert_eq!(answer.headers()["content-type"], "text/event-stream");
            assert_eq!(answer.headers()["cache-control"], "no-store");
            let mut frames = answer.into_body().into_data_stream();
            let frame = tokio::time::timeout(std::time::Duration::from_secs(5), frames.next()).await.unwrap();
            let text = String::from_utf8(frame.unwrap().unwrap().to_vec()).unwrap();
            assert!(text.starts_with(first), "{path}: {}", &text[..text.len().min(200)]);
        }
    })
    .await;
}
