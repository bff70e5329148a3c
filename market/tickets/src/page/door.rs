//! The door: scanning by hand, and devices that scan.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use identity::{Action, Subject, Visit};
use kernel::Timestamp;
use sha2::{Digest, Sha256};
use web::face::{self, FormState, Sheet, Shell, Typed, Wrong};
use web::{Failure, Form, Path};

use super::public::led;
use super::seen::Seen;
use super::{Answer, id};
use crate::check_in::{Guard, Said, Scan, Verdict};
use crate::ticket::TicketState;
use crate::{Device, DeviceId, EventId, EventText, Tickets, zone};

#[derive(Template)]
#[template(path = "tickets/check_in.html")]
struct DoorPage {
    shell: Shell,
    event_id: EventId,
    title: String,
    zone: String,
    /// How many are in, of how many; none for staff who do not see the sales.
    inside: Option<(u64, u64)>,
    said: Option<Said>,
    scans: Vec<Seen>,
    conflicts: Vec<Seen>,
    devices: Vec<Device>,
    /// The token of a device that was just made.
    token: Option<String>,
    /// Names the next scan, so that the form sent twice is one scan.
    scan: String,
    form: FormState,
}

impl DoorPage {
    /// What staff are told of a scan.
    fn result(&self, verdict: &Verdict) -> &'static str {
        match verdict {
            Verdict::Admitted => "Let in",
            Verdict::Again => "Used before",
            Verdict::Superseded => "It has another owner now",
            Verdict::OtherEvent => "For another event",
            Verdict::NotValid => "Given back or refunded",
            Verdict::Cancelled => "The event is cancelled",
            Verdict::Unknown => "No ticket of this market",
        }
    }

    /// The time of day at the door.
    fn time(&self, at: &Timestamp) -> String {
        zone::time_of_day(*at, &self.zone)
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
    let (scans, conflicts) = tickets.seen_at_door(&by, &id).await?;
    let view = tickets.event(&by, &id).await?;
    // Staff who may scan need not be those who see the sales.
    let sales = tickets.sales(&by, &id).await.ok();
    let devices = tickets.devices(&by, &id).await.unwrap_or_default();
    let expected = [TicketState::Valid, TicketState::Listed, TicketState::CheckedIn];
    let inside = sales.map(|sales| {
        let of = |wanted: &[TicketState]| {
            sales.iter().filter(|row| wanted.contains(&row.state)).map(|row| row.count).sum()
        };
        (of(&[TicketState::CheckedIn]), of(&expected))
    });
    let EventText { title, zone, .. } = view.event.text;
    let shell =
        visit.shell.page(format!("Check-in, {title} - Sell"), "sell-events").with_sheet(Sheet::Market);
    let shell = shell
        .crumb("Sell", "/sell/events")
        .crumb(title.clone(), &format!("/sell/events/{id}"))
        .crumb("Check-in", "");
    let page = DoorPage {
        shell,
        zone,
        inside,
        said,
        title,
        event_id: id,
        scans,
        conflicts,
        devices,
        token,
        scan: kernel::random_text::<12>(),
        form,
    };
    let mut answer = face::html(&page.shell, &page);
    face::allow_camera(answer.headers_mut());
    Ok(answer)
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
        id: Some(typed.get("scan"))
            .filter(|name| !name.is_empty())
            .map(|name| scan_id(name, typed.get("code"))),
    };
    let said = tickets.check_in(&Guard::Staff(visit.caller.clone()), &id, vec![scan]).await?.pop();
    let form = FormState::with(&[("door", typed.get("door"))]);
    page(&tickets, visit, id, said, None, form).await
}

/// The same form sent twice is one scan; with another code, as after going back to an earlier page, it is another one.
fn scan_id(name: &str, code: &str) -> String {
    let hash = hex::encode(Sha256::digest(code.trim()));
    format!("{}-{}", name.chars().take(40).collect::<String>(), hash.get(..16).unwrap_or_default())
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

/// `POST /sell/events/{id}/devices/{device}/revoke`: its token is good for nothing any more.
pub(super) async fn revoke_device(
    State(tickets): State<Tickets>,
    visit: Visit,
    Path((event, device)): Path<(String, String)>,
) -> Answer {
    visit.account()?;
    let (event, device) = (id::<EventId>(&event, "event")?, id::<DeviceId>(&device, "device")?);
    tickets.revoke_device(&visit.caller, &event, &device).await?;
    Ok(led(&format!("/sell/events/{event}/check-in"), "The device scans no more."))
}
