//! The organiser's console: events, their categories and sales.

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use identity::{Action, Subject, Visit};
use kernel::{Currency, Money, Paging};
use serde::Deserialize;
use web::face::parts::{Choice, Pager};
use web::face::{self, FormState, Sheet, Shell, Typed, Wrong};
use web::{Expected, Failure, Form, Path, Query};

use super::public::led;
use super::{Answer, id, typed};
use crate::browse::EventView;
use crate::error::TicketError;
use crate::event::{Admission, EventState, NewCategory};
use crate::owned::{Sales, TicketView};
use crate::{EventId, Tickets};

/// How many one page shows.
const ROWS: u32 = 50;

#[derive(Deserialize)]
pub(super) struct From {
    #[serde(default)]
    offset: u32,
}

fn shell(visit: Visit, title: impl Into<String>) -> Shell {
    visit.shell.page(title, "sell-events").with_sheet(Sheet::Market).crumb("Sell", "/sell/events")
}

#[derive(Template)]
#[template(path = "tickets/sell_events.html")]
struct EventsPage {
    shell: Shell,
    events: Vec<(EventView, EventState)>,
    pager: Pager,
}

/// `GET /sell/events`.
pub(super) async fn list(State(tickets): State<Tickets>, visit: Visit, Query(from): Query<From>) -> Answer {
    visit.account()?;
    let paging = Paging { limit: ROWS, offset: from.offset }.checked()?;
    let found = tickets.own_events(&visit.caller, paging).await?;
    let now = visit.caller.now();
    let pager = Pager::new("/sell/events?", ROWS, from.offset, found.items.len(), found.total);
    let events =
        found.items.into_iter().map(|view| (view.event.state_at(now), view)).map(|(s, v)| (v, s)).collect();
    let page = EventsPage { shell: shell(visit, "Events - Sell").crumb("Events", ""), events, pager };
    Ok(face::html(&page.shell, &page))
}

#[derive(Template)]
#[template(path = "tickets/sell_new.html")]
struct NewPage {
    shell: Shell,
    form: FormState,
    sellers: Vec<Choice>,
}

fn new_page(visit: Visit, form: FormState) -> Response {
    let own = visit.caller.actor.as_ref().map(|actor| Choice::new("", &actor.username, ""));
    let orgs = visit.caller.actor.iter().flat_map(|actor| actor.memberships.iter());
    let orgs = orgs.filter(|membership| membership.role >= identity::orgs::OrgRole::Admin);
    let sellers =
        own.into_iter().chain(orgs.map(|membership| Choice::new(&membership.org, &membership.org, "")));
    let sellers = sellers.collect();
    let shell = shell(visit, "New event - Sell").crumb("Events", "/sell/events").crumb("New", "");
    let page = NewPage { shell, form, sellers };
    face::html(&page.shell, &page)
}

/// `GET /sell/events/new`.
pub(super) async fn new_form(visit: Visit) -> Answer {
    visit.caller.may(Action::Sell, &Subject::Market)?;
    let form = FormState::with(&[
        ("zone", "Europe/Rome"),
        ("holdMinutes", "15"),
        ("extensionMinutes", "5"),
        ("currency", "USD"),
    ]);
    Ok(new_page(visit, form))
}

/// `POST /sell/events/new`.
pub(super) async fn create(
    State(tickets): State<Tickets>,
    visit: Visit,
    form: Result<Form<Typed>, Failure>,
) -> Answer {
    visit.caller.may(Action::Sell, &Subject::Market)?;
    let Form(typed) = form?;
    let made = async {
        let currency: Result<Currency, _> = typed.get("currency").trim().parse();
        let currency =
            currency.map_err(|_| TicketError::field("/currency", "Write a code such as USD or EUR."))?;
        let org = Some(typed.get("seller")).filter(|org| !org.is_empty());
        tickets.create_event(&visit.caller, org, typed::event(&typed)?, currency).await
    };
    match made.await {
        Ok(event) => Ok(led(
            &format!("/sell/events/{}", event.id),
            "The draft is saved. Add categories of tickets, then publish it.",
        )),
        Err(error) => Ok(Wrong::of(error, &typed)?.answer(|form| new_page(visit, form))),
    }
}

#[derive(Template)]
#[template(path = "tickets/sell_event.html")]
struct EventPage {
    shell: Shell,
    view: EventView,
    state: EventState,
    when: String,
    form: FormState,
    category: FormState,
    sales: Vec<Sales>,
    tickets: Vec<TicketView>,
    pager: Pager,
}

impl EventPage {
    /// A category can be added and words changed while it is not over.
    fn is_open(&self) -> bool {
        matches!(self.state, EventState::Draft | EventState::Published)
    }
}

async fn event_page(
    tickets: &Tickets,
    visit: Visit,
    id: &EventId,
    offset: u32,
    forms: (Option<FormState>, FormState),
) -> Result<EventPage, Failure> {
    let sales = tickets.sales(&visit.caller, id).await?;
    let view = tickets.event(&visit.caller, id).await?;
    let paging = Paging { limit: ROWS, offset }.checked()?;
    let found = tickets.event_tickets(&visit.caller, id, paging).await?;
    let form = forms.0.unwrap_or_else(|| typed::filled(&view.event.text));
    let (title, now) = (view.event.text.title.clone(), visit.caller.now());
    let shell = shell(visit, format!("{title} - Sell")).crumb("Events", "/sell/events").crumb(title, "");
    let base = format!("/sell/events/{id}?");
    Ok(EventPage {
        shell,
        state: view.event.state_at(now),
        when: view.event.when(),
        form,
        category: forms.1,
        sales,
        pager: Pager::new(&base, ROWS, offset, found.items.len(), found.total),
        tickets: found.items,
        view,
    })
}

/// `GET /sell/events/{id}`.
pub(super) async fn event(
    State(tickets): State<Tickets>,
    visit: Visit,
    Path(event): Path<String>,
    Query(from): Query<From>,
) -> Answer {
    visit.account()?;
    let id = id(&event, "event")?;
    let page = event_page(&tickets, visit, &id, from.offset, (None, FormState::default())).await?;
    Ok(face::html(&page.shell, &page))
}

/// `POST /sell/events/{id}`: changes what it says.
pub(super) async fn change(
    State(tickets): State<Tickets>,
    visit: Visit,
    Path(event): Path<String>,
    form: Result<Form<Typed>, Failure>,
) -> Answer {
    visit.caller.may(Action::Sell, &Subject::Market)?;
    let (Form(typed), id) = (form?, id::<EventId>(&event, "event")?);
    let expected = typed.get("version").parse().map_or(Expected::Whatever, Expected::ByBody);
    let changed = async { tickets.edit_event(&visit.caller, &id, typed::event(&typed)?, expected).await };
    match changed.await {
        Ok(_) => Ok(led(&format!("/sell/events/{id}"), "The event is saved.")),
        Err(error) => {
            let (status, form) = Wrong::of(error, &typed)?.into_parts();
            let page = event_page(&tickets, visit, &id, 0, (Some(form), FormState::default())).await?;
            Ok((status, face::html(&page.shell, &page)).into_response())
        }
    }
}

/// `POST /sell/events/{id}/categories`.
pub(super) async fn add_category(
    State(tickets): State<Tickets>,
    visit: Visit,
    Path(event): Path<String>,
    form: Result<Form<Typed>, Failure>,
) -> Answer {
    visit.caller.may(Action::Sell, &Subject::Market)?;
    let (Form(typed), id) = (form?, id::<EventId>(&event, "event")?);
    let currency = tickets.event(&visit.caller, &id).await?.event.currency;
    let added = async {
        let price = Money::parse(typed.get("price"), currency)
            .map_err(|_| TicketError::field("/price", "Write an amount such as 19 or 19.50."))?;
        let admission = match (typed.get("capacity").trim(), typed.get("seats").trim()) {
            (count, "") => Admission::General(count.parse().unwrap_or(0)),
            ("", plan) => Admission::Seats(plan.replace("\r\n", "\n")),
            _ => return Err(TicketError::field("/seats", "Write either how many, or a plan of seats.")),
        };
        let name = typed.get("name").to_owned();
        tickets.add_category(&visit.caller, &id, NewCategory { name, price, admission }).await
    };
    match added.await {
        Ok(_) => Ok(led(&format!("/sell/events/{id}"), "The category is added.")),
        Err(error) => {
            let (status, form) = Wrong::of(error, &typed)?.into_parts();
            let page = event_page(&tickets, visit, &id, 0, (None, form)).await?;
            Ok((status, face::html(&page.shell, &page)).into_response())
        }
    }
}

/// `POST /sell/events/{id}/price`: another price for one category.
pub(super) async fn reprice(
    State(tickets): State<Tickets>,
    visit: Visit,
    Path(event): Path<String>,
    form: Result<Form<Typed>, Failure>,
) -> Answer {
    visit.caller.may(Action::Sell, &Subject::Market)?;
    let (Form(typed), id) = (form?, id::<EventId>(&event, "event")?);
    let currency = tickets.event(&visit.caller, &id).await?.event.currency;
    let offer = super::id(typed.get("offer"), "category")?;
    let price = Money::parse(typed.get("price"), currency)
        .map_err(|_| TicketError::field("/price", "Write an amount such as 19 or 19.50."));
    let changed = match price {
        Ok(price) => {
            tickets.change_category(&visit.caller, &id, &offer, price, None, Expected::Whatever).await
        }
        Err(error) => Err(error),
    };
    match changed {
        Ok(_) => Ok(led(&format!("/sell/events/{id}"), "The price is changed.")),
        Err(error) => {
            let (status, form) = Wrong::of(error, &Typed::default())?.into_parts();
            let page = event_page(&tickets, visit, &id, 0, (None, form)).await?;
            Ok((status, face::html(&page.shell, &page)).into_response())
        }
    }
}

/// `POST /sell/events/{id}/publish`.
pub(super) async fn publish(
    State(tickets): State<Tickets>,
    visit: Visit,
    Path(event): Path<String>,
) -> Answer {
    visit.account()?;
    let id: EventId = id(&event, "event")?;
    tickets.publish_event(&visit.caller, &id, Expected::Whatever).await?;
    Ok(led(&format!("/sell/events/{id}"), "The event is published."))
}

/// `POST /sell/events/{id}/cancel`.
pub(super) async fn cancel(
    State(tickets): State<Tickets>,
    visit: Visit,
    Path(event): Path<String>,
) -> Answer {
    visit.account()?;
    let id: EventId = id(&event, "event")?;
    tickets.cancel_event(&visit.caller, &id, Expected::Whatever).await?;
    Ok(led(&format!("/sell/events/{id}"), "The event is cancelled. Refunds are on their way."))
}
