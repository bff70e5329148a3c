//! One's own tickets: the code, giving them away, selling them on, giving them back.

use askama::Template;
use axum::extract::State;
use axum::response::IntoResponse;
use identity::orgs::OrgRole;
use identity::{Action, Subject, Visit};
use kernel::{Currency, Money, Paging, Problem, Timestamp};
use orders::OrderId;
use serde::Deserialize;
use web::face::parts::Pager;
use web::face::{self, FormState, Html, Sheet, Shell, Typed, Wrong};
use web::{Expected, Failure, Form, Path, Query};

use super::public::led;
use super::{Answer, id};
use crate::error::TicketError;
use crate::give_back::WayBack;
use crate::owned::TicketView;
use crate::sell_on::NewTicket;
use crate::ticket::TicketState;
use crate::{TicketId, Tickets, code, zone};

/// How many one page shows.
const ROWS: u32 = 24;

#[derive(Deserialize)]
pub(super) struct From {
    #[serde(default)]
    offset: u32,
}

#[derive(Template)]
#[template(path = "tickets/mine.html")]
struct MinePage {
    shell: Shell,
    tickets: Vec<TicketView>,
    pager: Pager,
}

fn shell(visit: Visit, title: impl Into<String>) -> Shell {
    visit.shell.page(title, "tickets").with_sheet(Sheet::Market).crumb("Tickets", "/tickets")
}

/// `GET /tickets`.
pub(super) async fn list(State(tickets): State<Tickets>, visit: Visit, Query(from): Query<From>) -> Answer {
    visit.account()?;
    let paging = Paging { limit: ROWS, offset: from.offset }.checked()?;
    let found = tickets.own_tickets(&visit.caller, paging).await?;
    let page = MinePage {
        shell: visit.shell.page("My tickets", "tickets").with_sheet(Sheet::Market).crumb("Tickets", ""),
        pager: Pager::new("/tickets?", ROWS, from.offset, found.items.len(), found.total),
        tickets: found.items,
    };
    Ok(face::html(&page.shell, &page))
}

#[derive(Template)]
#[template(path = "tickets/ticket.html")]
struct TicketPage {
    shell: Shell,
    view: TicketView,
    /// The picture and the text of the code; none when it opens no door.
    code: Option<(Html, String)>,
    /// Whether it can be given back, and who gets the money.
    way_back: Option<WayBack>,
    /// The order that paid for it, if it is the visitor's.
    order: Option<OrderId>,
    form: FormState,
    transfer: FormState,
}

impl TicketPage {
    /// A time as the place of the event has it.
    fn at_the_place(&self, at: &Timestamp) -> String {
        let zone = self.view.event.as_ref().map_or("UTC", |event| &event.text.zone);
        zone::words(*at, zone)
    }

    /// What is asked once more before it is given back.
    fn after_return(&self) -> String {
        let money = match &self.way_back {
            Some(WayBack::Open { payer: Some(payer), .. }) => {
                format!(
                    "The money goes to {payer}, who paid for it, by the way of that payment; you get none of it."
                )
            }
            _ => "The money goes back by the way you paid.".to_owned(),
        };
        format!("It opens no door any more and its place is put on sale again. {money}")
    }
}

async fn ticket_page(
    tickets: &Tickets,
    visit: Visit,
    id: &TicketId,
    form: FormState,
    transfer: FormState,
) -> Result<TicketPage, Failure> {
    let view = tickets.ticket(&visit.caller, id).await?;
    if !view.is_own {
        return Err(TicketError::NotFound("ticket").into());
    }
    let code = if view.ticket.state.opens() && view.ticket.event.is_some() {
        let (_, text) = tickets.code(&visit.caller, id).await?;
        code::svg(&text).map(|svg| (Html::trusted(svg), text))
    } else {
        None
    };
    let way_back = tickets.way_back(&visit.caller, id).await?;
    let actor = visit.caller.account()?;
    let is_payer = view.ticket.buyer.as_ref().is_some_and(|buyer| actor.speaks_for(buyer, OrgRole::Member));
    let order = view.ticket.order.clone().filter(|_| is_payer);
    let title = format!("{} - Tickets", view.ticket.title);
    let shell = shell(visit, title).crumb(view.ticket.title.clone(), "");
    Ok(TicketPage { shell, way_back, order, code, view, form, transfer })
}

/// `GET /tickets/{id}`.
pub(super) async fn ticket(
    State(tickets): State<Tickets>,
    visit: Visit,
    Path(ticket): Path<String>,
) -> Answer {
    visit.account()?;
    let id = id(&ticket, "ticket")?;
    let page = ticket_page(&tickets, visit, &id, FormState::default(), FormState::default()).await?;
    Ok(face::html(&page.shell, &page))
}

fn price(typed: &Typed, currency: Currency) -> Result<Money, TicketError> {
    Money::parse(typed.get("price"), currency)
        .map_err(|_| TicketError::field("/price", "Write an amount such as 19 or 19.50."))
}

/// `POST /tickets/{id}/resale`: puts it on sale, or changes its price.
pub(super) async fn offer(
    State(tickets): State<Tickets>,
    visit: Visit,
    Path(ticket): Path<String>,
    form: Result<Form<Typed>, Failure>,
) -> Answer {
    visit.caller.may(Action::Resell, &Subject::Market)?;
    let (Form(typed), id) = (form?, id::<TicketId>(&ticket, "ticket")?);
    let view = tickets.ticket(&visit.caller, &id).await?;
    let change = async {
        let price = price(&typed, view.ticket.price.currency)?;
        if view.ticket.state == TicketState::Listed {
            return tickets.edit_ticket(&visit.caller, &id, None, Some(price), Expected::Whatever).await;
        }
        let new = NewTicket { title: String::new(), price, ticket: Some(id.clone()) };
        tickets.list_ticket(&visit.caller, new).await
    };
    match change.await {
        Ok(_) => Ok(led(&format!("/tickets/{id}"), "The ticket is for sale at this price.")),
        Err(error) => {
            let (status, form) = Wrong::of(error, &typed)?.into_parts();
            let page = ticket_page(&tickets, visit, &id, form, FormState::default()).await?;
            Ok((status, face::html(&page.shell, &page)).into_response())
        }
    }
}

/// `POST /tickets/{id}/unlist`.
pub(super) async fn unlist(
    State(tickets): State<Tickets>,
    visit: Visit,
    Path(ticket): Path<String>,
) -> Answer {
    visit.account()?;
    let id: TicketId = id(&ticket, "ticket")?;
    tickets.unlist_ticket(&visit.caller, &id, Expected::Whatever).await?;
    Ok(led(&format!("/tickets/{id}"), "The ticket is not for sale any more."))
}

/// `POST /tickets/{id}/transfer`: by name, or by a link that is sent by mail.
pub(super) async fn transfer(
    State(tickets): State<Tickets>,
    visit: Visit,
    Path(ticket): Path<String>,
    form: Result<Form<Typed>, Failure>,
) -> Answer {
    visit.caller.may(Action::Resell, &Subject::Market)?;
    let (Form(typed), id) = (form?, id::<TicketId>(&ticket, "ticket")?);
    let to = typed.get("to").trim();
    let given = if to.contains('@') {
        tickets
            .send_ticket(&visit.caller, &id, to)
            .await
            .map(|()| "The link is on its way. The ticket stays yours until it is used.")
    } else {
        tickets
            .transfer(&visit.caller, &id, to)
            .await
            .map(|_| "The ticket has a new owner. Your code opens no door any more.")
    };
    match given {
        Ok(words) => Ok(led("/tickets", words)),
        Err(error) => {
            let mut problem = Problem::from(error);
            // The form has one field for both.
            problem.errors.iter_mut().for_each(|error| error.pointer = "/to".into());
            let (status, form) = Wrong::of(problem, &typed)?.into_parts();
            let page = ticket_page(&tickets, visit, &id, FormState::default(), form).await?;
            Ok((status, face::html(&page.shell, &page)).into_response())
        }
    }
}

/// `POST /tickets/{id}/return`.
pub(super) async fn give_back(
    State(tickets): State<Tickets>,
    visit: Visit,
    Path(ticket): Path<String>,
) -> Answer {
    visit.account()?;
    let id: TicketId = id(&ticket, "ticket")?;
    let payer = match tickets.way_back(&visit.caller, &id).await? {
        Some(WayBack::Open { payer: Some(payer), .. }) => format!(" to {payer}"),
        _ => String::new(),
    };
    tickets.give_back(&visit.caller, &id).await?;
    Ok(led(&format!("/tickets/{id}"), &format!("The ticket was given back. The money is on its way{payer}.")))
}

#[derive(Template)]
#[template(path = "tickets/sell_ticket.html")]
struct SellPage {
    shell: Shell,
    form: FormState,
}

fn sell_page(visit: Visit, form: FormState) -> axum::response::Response {
    let page = SellPage { shell: shell(visit, "Sell a ticket - Tickets").crumb("Sell a ticket", ""), form };
    face::html(&page.shell, &page)
}

/// `GET /tickets/sell`: a ticket from elsewhere.
pub(super) async fn sell_form(visit: Visit) -> Answer {
    visit.account()?;
    Ok(sell_page(visit, FormState::default()))
}

/// `POST /tickets/sell`.
pub(super) async fn sell(
    State(tickets): State<Tickets>,
    visit: Visit,
    form: Result<Form<Typed>, Failure>,
) -> Answer {
    visit.caller.may(Action::Resell, &Subject::Market)?;
    let Form(typed) = form?;
    let made = async {
        let price = price(&typed, Currency::USD)?;
        let new = NewTicket { title: typed.get("title").to_owned(), price, ticket: None };
        tickets.list_ticket(&visit.caller, new).await
    };
    match made.await {
        Ok(ticket) => Ok(led(&format!("/tickets/{}", ticket.id), "The ticket is for sale.")),
        Err(error) => Ok(Wrong::of(error, &typed)?.answer(|form| sell_page(visit, form))),
    }
}

#[derive(Template)]
#[template(path = "tickets/claim.html")]
struct ClaimPage {
    shell: Shell,
    view: TicketView,
    token: String,
}

/// `GET /tickets/claim/{token}`: asks first, so that a program that only looks at links takes nothing.
pub(super) async fn claim_page(
    State(tickets): State<Tickets>,
    visit: Visit,
    Path(token): Path<String>,
) -> Answer {
    let view = tickets.sent_ticket(&visit.caller, &token).await?;
    let token =
        token.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_')).take(80).collect();
    let page =
        ClaimPage { shell: shell(visit, "Take a ticket - Tickets").crumb("Take a ticket", ""), view, token };
    Ok(face::html(&page.shell, &page))
}

/// `POST /tickets/claim/{token}`.
pub(super) async fn claim(State(tickets): State<Tickets>, visit: Visit, Path(token): Path<String>) -> Answer {
    visit.account()?;
    let ticket = tickets.claim(&visit.caller, &token).await?;
    Ok(led(&format!("/tickets/{}", ticket.id), "The ticket is yours."))
}
