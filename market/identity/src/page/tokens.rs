//! One's own API tokens: the list, a new one, revoking.

use std::time::Duration;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use ipnet::IpNet;
use kernel::{FieldError, Timestamp};
use web::face::parts::Choice;
use web::face::{self, FormState, Shell, Typed};
use web::{Access, Form, Routes};

use super::typed::wrong;
use super::{Answer, Pages};
use crate::actor::Actor;
use crate::role::Role;
use crate::scope::{Scope, Scopes};
use crate::tokens::{CreatedToken, NewToken, Token, TokenId};
use crate::visit::{Visit, done};
use crate::{Identity, IdentityError};

/// The lives that the form offers, in days; 0 for no end.
const LIVES: [(u64, &str); 5] =
    [(7, "7 days"), (30, "30 days"), (90, "90 days"), (365, "One year"), (0, "Never")];

pub(super) fn routes() -> Routes<Identity> {
    Routes::new()
        .get("/account/tokens", Access::Account, list)
        .get("/account/tokens/new", Access::Account, show_new)
        .post("/account/tokens/new", Access::Account, create)
        .form("/account/tokens/revoke", Access::Account, revoke)
}

#[derive(Template)]
#[template(path = "tokens.html")]
struct TokensPage {
    shell: Shell,
    tokens: Vec<Token>,
}

fn shell(visit: Visit) -> Shell {
    visit.shell.page("API tokens - Account", "tokens").crumb("Account", "/account")
}

async fn list(State(identity): State<Identity>, visit: Visit) -> Answer {
    let tokens = identity.tokens(&visit.caller).await?;
    let page = TokensPage { shell: shell(visit).crumb("API tokens", ""), tokens };
    Ok(face::html(&page.shell, &page))
}

#[derive(Template)]
#[template(path = "new_token.html")]
struct NewTokenPage {
    shell: Shell,
    form: FormState,
    scopes: Vec<Choice>,
    lives: Vec<Choice>,
}

fn new_page(visit: Visit, form: FormState) -> Response {
    let is_admin = visit.caller.actor.as_ref().is_some_and(|actor| actor.roles.has(Role::Admin));
    let scopes = Scope::ALL.into_iter().filter(|scope| is_admin || *scope != Scope::Admin);
    let shell = shell(visit).crumb("API tokens", "/account/tokens").crumb("New token", "");
    let page = NewTokenPage {
        shell: Shell { title: "New token - API tokens".to_owned(), ..shell },
        form,
        scopes: scopes.map(choice).collect(),
        lives: LIVES.iter().map(|(days, words)| Choice::new(&days.to_string(), words, "")).collect(),
    };
    face::html(&page.shell, &page)
}

fn choice(scope: Scope) -> Choice {
    let (label, hint) = match scope {
        Scope::Read => ("Read", "See and install what you can see."),
        Scope::Publish => ("Publish", "Publish and change packages and other listings."),
        Scope::Buy => ("Buy", "Spend your money: order, pay, subscribe, top up."),
        Scope::Account => ("Account", "Change your profile, tokens and organisations."),
        Scope::Admin => ("Operate", "Use your rights as an operator."),
    };
    Choice::new(scope.name(), label, hint)
}

async fn show_new(visit: Visit) -> Answer {
    visit.account()?;
    Ok(new_page(visit, FormState::with(&[("scopes", "read"), ("expires", "90")])))
}

#[derive(Template)]
#[template(path = "token_made.html")]
struct TokenMadePage {
    shell: Shell,
    made: CreatedToken,
}

/// The one page that is no redirect after a form that did its work: the secret is shown now and stands nowhere.
async fn create(State(identity): State<Identity>, visit: Visit, Form(typed): Form<Typed>) -> Answer {
    let now = visit.caller.now();
    let made = match read(visit.account()?, &typed, now) {
        Ok(new) => identity.create_token(&visit.caller, new).await,
        Err(error) => Err(error),
    };
    match made {
        Ok(made) => {
            let shell =
                shell(visit).crumb("API tokens", "/account/tokens").crumb(made.token.name.clone(), "");
            let page = TokenMadePage { shell, made };
            Ok(face::html(&page.shell, &page))
        }
        Err(error) => Ok(wrong(error, &typed)?.answer(|form| new_page(visit, form))),
    }
}

/// Reads the form, and says everything that is wrong with it at once.
fn read(actor: &Actor, typed: &Typed, now: Timestamp) -> Result<NewToken, IdentityError> {
    let mut errors = Vec::new();
    let mut wrong = |pointer: &'static str, detail: &'static str| {
        errors.push(FieldError { pointer: pointer.into(), detail: detail.into() });
    };
    if typed.get("name").trim().is_empty() {
        wrong("/name", "Give it a name of 1 to 100 characters.");
    }
    let words: Vec<&str> = typed.all("scopes").collect();
    let mut scopes: Scopes = words.join(" ").parse().unwrap_or_else(|_| Scopes::of(&[]));
    if !scopes.has(Scope::Read) || !actor.scopes.includes(&scopes) {
        wrong("/scopes", "Choose at least one thing that it may do.");
    } else {
        let limits = typed.get("packages").split([' ', ',', '\n', '\r']).filter(|word| !word.is_empty());
        let limits: String = limits.map(|name| format!(" packages:{name}")).collect();
        match format!("{scopes}{limits}").parse() {
            Ok(limited) => scopes = limited,
            Err(detail) => wrong("/packages", detail),
        }
    }
    let networks: Result<Vec<IpNet>, ()> = typed
        .get("networks")
        .split([' ', ',', '\n', '\r'])
        .filter(|word| !word.is_empty())
        .map(network)
        .collect();
    if networks.is_err() {
        wrong("/networks", "Write addresses or networks, such as 192.0.2.7 or 2001:db8::/32.");
    }
    let days = LIVES.iter().map(|(days, _)| *days).find(|days| typed.get("expires") == days.to_string());
    if days.is_none() {
        wrong("/expires", "Choose how long it is valid.");
    }
    match (networks, days, errors.is_empty()) {
        (Ok(cidrs), Some(days), true) => {
            let expires_at = (days > 0).then(|| now.after(Duration::from_secs(days * 86_400)));
            Ok(NewToken { name: typed.get("name").to_owned(), scopes, cidrs, expires_at })
        }
        _ => Err(IdentityError::Invalid(errors)),
    }
}

/// A network, or a single address as the network of itself.
fn network(text: &str) -> Result<IpNet, ()> {
    text.parse().or_else(|_| text.parse().map(|address: std::net::IpAddr| address.into())).map_err(|_| ())
}

async fn revoke(State(identity): State<Identity>, visit: Visit, Form(typed): Form<Typed>) -> Answer {
    visit.account()?;
    let token: TokenId = typed.get("token").parse().map_err(|_| IdentityError::NotFound("token"))?;
    identity.revoke_token(&visit.caller, token).await?;
    Ok(done("/account/tokens", "The token is revoked. Whatever still uses it is refused from now on."))
}
