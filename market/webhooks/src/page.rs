//! The pages below `/account/webhooks`.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use identity::{Visit, done};
use kernel::{Page, Paging};
use serde::Deserialize;
use web::face::parts::{Choice, Pager};
use web::face::{self, FormState, Shell, Typed, Wrong};
use web::idempotency::{Key, Request};
use web::{Access, Expected, Failure, Form, Path, Query, Routes};

use crate::endpoint::{Created, Endpoint, EndpointChange, NewEndpoint};
use crate::error::id;
use crate::register::all_types;
use crate::{Attempt, Delivery, DeliveryId, DeliveryState, WebhookId, Webhooks};

/// How many rows one page shows.
const ROWS: u32 = 30;
/// Where the pages begin.
const HOME: &str = "/account/webhooks";

type Answer = Result<Response, Failure>;

/// The pages of this room.
#[must_use]
pub fn pages(webhooks: Webhooks) -> Routes {
    Routes::new()
        .get("/account/webhooks", Access::Account, list)
        .get("/account/webhooks/new", Access::Account, show_new)
        .post("/account/webhooks/new", Access::Account, create)
        .get("/account/webhooks/{id}", Access::Account, show)
        .post("/account/webhooks/{id}", Access::Account, change)
        .get("/account/webhooks/{id}/deliveries/{delivery}", Access::Account, show_delivery)
        .post("/account/webhooks/{id}/deliveries/{delivery}", Access::Account, replay)
        .with_state(webhooks)
}

fn shell(visit: Visit, title: &str) -> Shell {
    let title =
        if title.is_empty() { "Webhooks - Account".to_owned() } else { format!("{title} - Webhooks") };
    visit.shell.page(&title, "webhooks").crumb("Account", "/account")
}

#[derive(Template)]
#[template(path = "webhooks.html")]
struct ListPage {
    shell: Shell,
    endpoints: Vec<Endpoint>,
    pager: Pager,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Asked {
    offset: u32,
    state: String,
}

async fn list(State(webhooks): State<Webhooks>, visit: Visit, Query(asked): Query<Asked>) -> Answer {
    let paging = Paging { limit: ROWS, offset: asked.offset }.checked()?;
    let Page { items, total } = webhooks.list(&visit.caller, paging).await?;
    let pager = Pager::new(HOME, ROWS, asked.offset, items.len(), total);
    let page = ListPage { shell: shell(visit, "").crumb("Webhooks", ""), endpoints: items, pager };
    Ok(face::html(&page.shell, &page))
}

#[derive(Template)]
#[template(path = "new_webhook.html")]
struct NewPage {
    shell: Shell,
    form: FormState,
    types: Vec<Choice>,
}

fn types() -> Vec<Choice> {
    let all = Choice::new("*", "Everything", "All that there is now and will be later.");
    let types = all_types().into_iter().map(|kind| Choice::new(kind.name, kind.name, kind.summary));
    std::iter::once(all).chain(types).collect()
}

fn new_page(visit: Visit, form: FormState) -> Response {
    let shell = shell(visit, "New webhook").crumb("Webhooks", HOME).crumb("New webhook", "");
    let page = NewPage { shell, form, types: types() };
    face::html(&page.shell, &page)
}

async fn show_new(visit: Visit) -> Answer {
    visit.account()?;
    Ok(new_page(visit, FormState::default()))
}

#[derive(Template)]
#[template(path = "webhook_secret.html")]
struct SecretPage {
    shell: Shell,
    here: String,
    made: Created,
}

/// The one kind of page that is no redirect after a form: the secret is shown now and never again.
fn secret_page(visit: Visit, made: Created) -> Response {
    let shell = shell(visit, "Secret").crumb("Webhooks", HOME).crumb("Secret", "");
    let page = SecretPage { shell, here: format!("{HOME}/{}", made.endpoint.id), made };
    face::html(&page.shell, &page)
}

async fn create(State(webhooks): State<Webhooks>, visit: Visit, Form(typed): Form<Typed>) -> Answer {
    visit.account()?;
    let new = NewEndpoint {
        url: typed.get("url").trim().to_owned(),
        events: typed.all("events").map(str::to_owned).collect(),
        description: typed.get("description").to_owned(),
        organisation: None,
        whole_market: false,
    };
    let request = Request::new(Key(None), "", &());
    match webhooks.create(&visit.caller, new, request).await {
        Ok(made) => Ok(secret_page(visit, made)),
        Err(error) => Ok(Wrong::of(error, &typed)?.answer(|form| new_page(visit, form))),
    }
}

#[derive(Template)]
#[template(path = "webhook.html")]
struct EndpointPage {
    shell: Shell,
    here: String,
    endpoint: Endpoint,
    form: FormState,
    types: Vec<Choice>,
    states: Vec<Choice>,
    filter: FormState,
    deliveries: Vec<Delivery>,
    pager: Pager,
}

async fn endpoint_page(
    webhooks: &Webhooks,
    visit: Visit,
    id: &WebhookId,
    asked: Asked,
    form: Option<FormState>,
) -> Answer {
    let endpoint = webhooks.endpoint(&visit.caller, id).await?;
    let paging = Paging { limit: ROWS, offset: asked.offset }.checked()?;
    let found = webhooks.deliveries(&visit.caller, id, asked.state.parse().ok(), paging).await?;
    let address = match asked.state.parse::<DeliveryState>() {
        Ok(state) => format!("{HOME}/{id}?state={state}"),
        Err(_) => format!("{HOME}/{id}"),
    };
    let known: Vec<_> = [("url", endpoint.url.as_str()), ("description", endpoint.description.as_str())]
        .into_iter()
        .chain(endpoint.events.words().iter().map(|word| ("events", word.as_str())))
        .collect();
    let states = [("", "All"), ("waiting", "Waiting"), ("delivered", "Delivered"), ("dead", "Given up")];
    let page = EndpointPage {
        shell: shell(visit, &endpoint.url).crumb("Webhooks", HOME).crumb(endpoint.url.clone(), ""),
        form: form.unwrap_or_else(|| FormState::with(&known)),
        types: types(),
        states: states.map(|(value, label)| Choice::new(value, label, "")).into(),
        filter: FormState::with(&[("state", &asked.state)]),
        pager: Pager::new(&address, ROWS, asked.offset, found.items.len(), found.total),
        deliveries: found.items,
        here: format!("{HOME}/{id}"),
        endpoint,
    };
    Ok(face::html(&page.shell, &page))
}

async fn show(
    State(webhooks): State<Webhooks>,
    visit: Visit,
    Path(webhook): Path<String>,
    Query(asked): Query<Asked>,
) -> Answer {
    visit.account()?;
    endpoint_page(&webhooks, visit, &id(&webhook, "webhook")?, asked, None).await
}

/// All that the page's buttons do: one address, so that who signs in anew comes back to the page.
async fn change(
    State(webhooks): State<Webhooks>,
    visit: Visit,
    Path(webhook): Path<String>,
    Form(typed): Form<Typed>,
) -> Answer {
    visit.account()?;
    let id: WebhookId = id(&webhook, "webhook")?;
    let here = format!("{HOME}/{id}");
    let by = &visit.caller;
    match typed.get("do") {
        "test" => {
            let delivery = webhooks.test(by, &id).await?;
            Ok(done(&format!("{here}/deliveries/{delivery}"), "A test event is on its way."))
        }
        "rotate" => {
            let made = webhooks.rotate(by, &id).await?;
            Ok(secret_page(visit, made))
        }
        "delete" => {
            webhooks.delete(by, &id).await?;
            Ok(done(HOME, "The webhook is removed."))
        }
        "enable" | "disable" => {
            let change =
                EndpointChange { enabled: Some(typed.get("do") == "enable"), ..EndpointChange::default() };
            webhooks.change(by, &id, Expected::Whatever, change).await?;
            Ok(done(&here, "Saved."))
        }
        _ => {
            let change = EndpointChange {
                url: Some(typed.get("url").trim().to_owned()),
                events: Some(typed.all("events").map(str::to_owned).collect()),
                description: Some(typed.get("description").to_owned()),
                enabled: None,
            };
            let seen = typed.get("version").parse().map_or(Expected::Whatever, Expected::ByBody);
            match webhooks.change(by, &id, seen, change).await {
                Ok(_) => Ok(done(&here, "Saved.")),
                Err(error) => {
                    let (status, form) = Wrong::of(error, &typed)?.into_parts();
                    let mut page = endpoint_page(&webhooks, visit, &id, Asked::default(), Some(form)).await?;
                    *page.status_mut() = status;
                    Ok(page)
                }
            }
        }
    }
}

#[derive(Template)]
#[template(path = "webhook_delivery.html")]
struct DeliveryPage {
    shell: Shell,
    endpoint: Endpoint,
    delivery: Delivery,
    payload: String,
    log: Vec<Attempt>,
}

async fn show_delivery(
    State(webhooks): State<Webhooks>,
    visit: Visit,
    Path((webhook, delivery)): Path<(String, String)>,
) -> Answer {
    visit.account()?;
    let (webhook, delivery) = (id(&webhook, "webhook")?, id::<DeliveryId>(&delivery, "delivery")?);
    let endpoint = webhooks.endpoint(&visit.caller, &webhook).await?;
    let (delivery, log) = webhooks.delivery(&visit.caller, &webhook, &delivery).await?;
    let payload: serde_json::Value = serde_json::from_str(&delivery.payload).unwrap_or_default();
    let shell = shell(visit, &delivery.kind)
        .crumb("Webhooks", HOME)
        .crumb(endpoint.url.clone(), &format!("{HOME}/{webhook}"))
        .crumb(delivery.kind.clone(), "");
    let payload = serde_json::to_string_pretty(&payload).unwrap_or_default();
    let page = DeliveryPage { shell, endpoint, delivery, payload, log };
    Ok(face::html(&page.shell, &page))
}

async fn replay(
    State(webhooks): State<Webhooks>,
    visit: Visit,
    Path((webhook, delivery)): Path<(String, String)>,
) -> Answer {
    visit.account()?;
    let (id, delivery) = (id::<WebhookId>(&webhook, "webhook")?, id::<DeliveryId>(&delivery, "delivery")?);
    webhooks.replay(&visit.caller, &id, &delivery).await?;
    Ok(done(&format!("{HOME}/{id}/deliveries/{delivery}"), "It is sent again."))
}
