//! `/account/payment-methods`.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use identity::{Visit, done};
use serde::Deserialize;
use web::face::{self, FormState, Sheet, Shell, Typed, Wrong};
use web::idempotency::Key;
use web::{Failure, Form, Path};

use super::{on_the_page, typed_card};
use crate::Payments;
use crate::error::id;
use crate::method::Method;
use crate::methods::NewMethod;
use crate::sandbox::{CARDS, TestCard};

const HOME: &str = "/account/payment-methods";

#[derive(Template)]
#[template(path = "payments/methods.html")]
struct MethodsPage {
    shell: Shell,
    form: FormState,
    methods: Vec<Method>,
    is_sandbox: bool,
    has_gateway: bool,
    cards: &'static [TestCard],
}

fn page(room: &Payments, visit: Visit, methods: Vec<Method>, form: FormState) -> Response {
    let shell = visit
        .shell
        .page("Payment methods - Account", "payment-methods")
        .crumb("Account", "/account")
        .crumb("Payment methods", "")
        .with_sheet(Sheet::Market);
    let (is_sandbox, has_gateway) = (room.is_sandbox(), room.default_gateway().is_some());
    let page = MethodsPage { shell, form, methods, is_sandbox, has_gateway, cards: CARDS };
    face::html(&page.shell, &page)
}

pub(super) async fn list(State(room): State<Payments>, visit: Visit) -> Result<Response, Failure> {
    let methods = room.methods(&visit.caller, None).await?;
    Ok(page(&room, visit, methods, FormState::default()))
}

pub(super) async fn add(
    State(room): State<Payments>,
    visit: Visit,
    Form(typed): Form<Typed>,
) -> Result<Response, Failure> {
    let new = NewMethod::Card(typed_card(&typed));
    match room.add_method(&visit.caller, None, &new, false, Key(None)).await {
        Ok(_) => Ok(done(HOME, "The card is saved.")),
        Err(error) => {
            let wrong = Wrong::of(on_the_page(error), &typed)?;
            let methods = room.methods(&visit.caller, None).await?;
            Ok(wrong.answer(|form| page(&room, visit, methods, form)))
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Change {
    Default,
    Delete,
}

#[derive(Deserialize)]
pub(super) struct Wish {
    r#do: Change,
}

pub(super) async fn change(
    State(room): State<Payments>,
    visit: Visit,
    Path(text): Path<String>,
    form: Result<Form<Wish>, Failure>,
) -> Result<Response, Failure> {
    visit.account()?;
    let Form(wish) = form?;
    let id = id(&text, "payment method")?;
    match wish.r#do {
        Change::Default => {
            room.set_default_method(&visit.caller, &id).await?;
            Ok(done(HOME, "This card is taken by default now."))
        }
        Change::Delete => {
            room.delete_method(&visit.caller, &id).await?;
            Ok(done(HOME, "The card is forgotten."))
        }
    }
}

impl Method {
    fn expires(&self) -> String {
        format!("{:02}/{}", self.exp_month, self.exp_year)
    }

    fn dialog(&self) -> String {
        format!("remove-{}", self.id)
    }

    fn href(&self) -> String {
        format!("{HOME}/{}", self.id)
    }
}
