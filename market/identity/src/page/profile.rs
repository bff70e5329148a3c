//! One's own profile, e-mail address and password.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use web::face::{self, FormState, Shell, Typed, Wrong};
use web::{Access, Expected, Form, Routes};

use super::typed::wrong;
use super::{Answer, Pages, own_shell};
use crate::Identity;
use crate::profile::{Profile, ProfileChange};
use crate::visit::{Visit, done};

pub(super) fn routes() -> Routes<Identity> {
    Routes::new()
        .get("/account", Access::Account, show)
        .post("/account", Access::Account, save)
        .get("/account/email", Access::Account, show_email)
        .post("/account/email", Access::Account, save_email)
        .form("/account/email/verify", Access::Account, ask_again)
        .get("/account/password", Access::Account, show_password)
        .post("/account/password", Access::Account, save_password)
}

#[derive(Template)]
#[template(path = "profile.html")]
struct ProfilePage {
    shell: Shell,
    form: FormState,
    profile: Profile,
}

fn profile_page(visit: Visit, form: FormState, profile: Profile) -> Response {
    let page = ProfilePage { shell: own_shell(visit, "Profile", "account"), form, profile };
    face::html(&page.shell, &page)
}

/// One of the pages once more, with what is wrong and the profile as it is stored.
async fn again(
    identity: &Identity,
    visit: Visit,
    wrong: Wrong,
    page: fn(Visit, FormState, Profile) -> Response,
) -> Answer {
    let profile = identity.profile(&visit.caller).await?;
    Ok(wrong.answer(|form| page(visit, form, profile)))
}

async fn show(State(identity): State<Identity>, visit: Visit) -> Answer {
    let profile = identity.profile(&visit.caller).await?;
    let version = profile.user.version.to_string();
    let form = FormState::with(&[("displayName", &profile.user.display_name), ("version", &version)]);
    Ok(profile_page(visit, form, profile))
}

async fn save(State(identity): State<Identity>, visit: Visit, Form(typed): Form<Typed>) -> Answer {
    let change = ProfileChange {
        display_name: Some(typed.get("displayName").to_owned()),
        expected: typed.get("version").parse().map(Expected::ByBody).unwrap_or_default(),
        ..ProfileChange::default()
    };
    match identity.change_profile(&visit.caller, change).await {
        Ok(_) => Ok(done("/account", "Your profile is saved.")),
        Err(error) => again(&identity, visit, wrong(error, &typed)?, profile_page).await,
    }
}

#[derive(Template)]
#[template(path = "email.html")]
struct EmailPage {
    shell: Shell,
    form: FormState,
    profile: Profile,
}

fn email_page(visit: Visit, form: FormState, profile: Profile) -> Response {
    let page = EmailPage { shell: own_shell(visit, "E-mail", "account"), form, profile };
    face::html(&page.shell, &page)
}

async fn show_email(State(identity): State<Identity>, visit: Visit) -> Answer {
    let profile = identity.profile(&visit.caller).await?;
    Ok(email_page(visit, FormState::default(), profile))
}

async fn save_email(State(identity): State<Identity>, visit: Visit, Form(typed): Form<Typed>) -> Answer {
    let change = ProfileChange {
        email: Some(typed.get("email").to_owned()),
        current_password: Some(typed.secret("currentPassword")),
        ..ProfileChange::default()
    };
    match identity.change_profile(&visit.caller, change).await {
        Ok(profile) if profile.user.email_verified_at.is_some() => {
            Ok(done("/account", "That is your address already. Nothing was changed."))
        }
        Ok(profile) => {
            let message =
                format!("We mailed a link to {}. Open it to confirm the address.", profile.user.email);
            Ok(done("/account", &message))
        }
        Err(error) => again(&identity, visit, wrong(error, &typed)?, email_page).await,
    }
}

async fn ask_again(State(identity): State<Identity>, visit: Visit) -> Answer {
    identity.ask_for_verification(&visit.caller).await?;
    Ok(done("/account", "A fresh link is on its way to your address. It works for a day."))
}

#[derive(Template)]
#[template(path = "password.html")]
struct PasswordPage {
    shell: Shell,
    form: FormState,
    /// For password software, which keeps a password together with a name.
    username: String,
}

fn password_page(visit: Visit, form: FormState) -> Response {
    let username = visit.caller.actor.as_ref().map_or_else(String::new, |actor| actor.username.to_string());
    let page = PasswordPage { shell: own_shell(visit, "Password", "account"), form, username };
    face::html(&page.shell, &page)
}

async fn show_password(visit: Visit) -> Answer {
    visit.account()?;
    Ok(password_page(visit, FormState::default()))
}

async fn save_password(State(identity): State<Identity>, visit: Visit, Form(typed): Form<Typed>) -> Answer {
    let (old, new) = (typed.secret("currentPassword"), typed.secret("newPassword"));
    match identity.change_password(&visit.caller, &old, new).await {
        Ok(()) => Ok(done("/account", "Your password is changed. All other sessions have ended.")),
        Err(error) => Ok(wrong(error, &typed)?.answer(|form| password_page(visit, form))),
    }
}
