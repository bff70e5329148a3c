//! The door: scanning by hand, and devices that scan.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use identity::{Action, Subject, Visit};
use web::face::{self, FormState, Sheet, Shell, Typed, Wrong};
use web::{Failure, Form, Path};

use super::{Answer, id};
use crate::check_in::{Guard, Kept, Said, Scan, Verdict};
use crate::ticket::TicketState;
use crate::{Device, EventId, Tickets};

#[derive(Template)]
#[template(path = "tickets/check_in.html")]
struct DoorPage {
    shell: Shell,
    event_id: EventId,
    title: String,
    inside: u64,
    expected: u64,
    said: Option<Said>,
    words: &'static str,
    scans: Vec<Kept>,
    conflicts: Vec<Kept>,
    devices: Vec<Device>,
    /// The token of a device that was just made.
    token: Option<String>,
    form: FormState,
}

/// What staff are told.
fn words(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Admitted => "Let in",
        Verdict::Again => "Used before: do not let in",
        Verdict::Superseded => "The ticket has another owner now: do not let in",
        Verdict::OtherEvent => "For another event: do not let in",
        Verdict::NotValid => "Given back or refunded: do not let in",
        Verdict::Cancelled => "The event is cancelled",
        Verdict::Unknown => "No ticket of this market: do not let in",
    }
}

async fn page(
    tickets: &Tickets,
    visit: Visit,
    id: EventId,
    said: Option<Said>,
    token: Option<String>,
    form: FormState,
) -> Result<Response, Failure> {
    let by = visit.caller.clone();
    let (scans, conflicts) = tickets.scans(&Guard::Staff(by.clone()), &id).await?;
    let view = tickets.event(&by, &id).await?;
    // Staff who may scan need not be those who see the sales.
    let sales = tickets.sales(&by, &id).await.unwrap_or_default();
    let devices = tickets.devices(&by, &id).await.unwrap_or_default();
    let of =
        |wanted: &[TicketState]| sales.iter().filter(|s| wanted.contains(&s.state)).map(|s| s.count).sum();
    let title = view.event.text.title;
    let shell =
        visit.shell.page(format!("Check-in, {title} - Sell"), "sell-events").with_sheet(Sheet::Market);
    let shell = shell
        .crumb("Sell", "/sell/events")
        .crumb(title.clone(), &format!("/sell/events/{id}"))
        .crumb("Check-in", "");
    let page = DoorPage {
        shell,
        inside: of(&[TicketState::CheckedIn]),
        expected: of(&[TicketState::Valid, TicketState::Listed, TicketState::CheckedIn]),
        words: said.as_ref().map_or("", |said| words(said.verdict)),
        said,
        title,
        event_id: id,
        scans,
        conflicts,
        devices,
        token,
        form,
    };
    Ok(face::html(&page.shell, &page))
}

/// `GET /sell/events/{id}/check-in`.
pub(super) async fn show(State(tickets): State<Tickets>, visit: Visit, Path(event): Path<String>) -> Answer {
    visit.account()?;
    page(&tickets, visit, id(&event, "event")?, None, None, FormState::default()).await
}

/// `POST /sell/events/{id}/check-in`: judges one code.
pub(super) async fn scan(
    State(tickets): State<Tickets>,
    visit: Visit,
    Path(event): Path<String>,
    form: Result<Form<Typed>, Failure>,
) -> Answer {
    visit.caller.may(Action::Read, &Subject::Market)?;
    let (Form(typed), id) = (form?, id::<EventId>(&event, "event")?);
    let scan = Scan {
        code: typed.get("code").to_owned(),
        device: typed.get("door").to_owned(),
        scanned_at: None,
        id: None,
    };
    let said = tickets.check_in(&Guard::Staff(visit.caller.clone()), &id, vec![scan]).await?.pop();
    let form = FormState::with(&[("door", typed.get("door"))]);
    page(&tickets, visit, id, said, None, form).await
}

/// `POST /sell/events/{id}/devices`: shows the token of a new device once.
pub(super) async fn add_device(
    State(tickets): State<Tickets>,
    visit: Visit,
    Path(event): Path<String>,
    form: Result<Form<Typed>, Failure>,
) -> Answer {
    visit.caller.may(Action::Sell, &Subject::Market)?;
    let (Form(typed), id) = (form?, id::<EventId>(&event, "event")?);
    match tickets.add_device(&visit.caller, &id, typed.get("name")).await {
        Ok(made) => {
            let token = made.token.expose().to_owned();
            page(&tickets, visit, id, None, Some(token), FormState::default()).await
        }
        Err(error) => {
            let (_, form) = Wrong::of(error, &typed)?.into_parts();
            page(&tickets, visit, id, None, None, form).await
        }
    }
}
