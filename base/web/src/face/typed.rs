//! What somebody typed into a form, and how a form comes back that could not do its work.

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use kernel::{Problem, Secret};
use serde::Deserialize;

use super::FormState;
use crate::Failure;

/// Parts of the names of fields that are never shown again.
const SECRET_FIELDS: [&str; 4] = ["password", "secret", "cardnumber", "cvc"];

/// The fields of a form as they came; a name may stand in it several times. It may hold passwords, so it has no
/// `Debug`. Handlers take it as `Form<Typed>`.
#[derive(Clone, Default, Deserialize)]
#[serde(transparent)]
pub struct Typed(Vec<(String, String)>);

impl Typed {
    /// The first value of a field; empty where there is none.
    #[must_use]
    pub fn get(&self, name: &str) -> &str {
        self.all(name).next().unwrap_or_default()
    }

    /// All values of a field.
    pub fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |(field, _)| field == name).map(|(_, value)| value.as_str())
    }

    /// Whether a button or check box of this name was pressed.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.all(name).next().is_some()
    }

    /// The value of a password field.
    #[must_use]
    pub fn secret(&self, name: &str) -> Secret {
        Secret::new(self.get(name))
    }

    /// The form with what was typed, but nothing from a field whose name says that it is a password or a secret.
    #[must_use]
    pub fn form(&self) -> FormState {
        let is_shown = |name: &str| {
            let name = name.to_lowercase();
            !SECRET_FIELDS.iter().any(|secret| name.contains(secret))
        };
        let shown = self.0.iter().filter(|(name, _)| is_shown(name));
        let shown: Vec<_> = shown.map(|(name, value)| (name.as_str(), value.as_str())).collect();
        FormState::with(&shown)
    }
}

/// A form that did nothing, to be shown again with everything that was typed and what is wrong with it.
#[derive(Debug)]
pub struct Wrong {
    status: StatusCode,
    form: FormState,
}

impl Wrong {
    /// What typing something else, or the same a little later, would mend: statuses 409, 412, 422, 429 and 503.
    ///
    /// # Errors
    /// Any other problem goes on as it is, to become a page of its own.
    pub fn of(error: impl Into<Problem>, typed: &Typed) -> Result<Self, Failure> {
        let problem = error.into();
        match problem.status {
            409 | 412 | 422 | 429 | 503 => Ok(Self::told(problem, typed)),
            _ => Err(Failure(problem)),
        }
    }

    /// The same for any problem, where the page knows that typing mends it: a wrong password at the sign-in.
    pub fn told(error: impl Into<Problem>, typed: &Typed) -> Self {
        let mut problem = error.into();
        if let (Some(next), true) = (&problem.next, problem.errors.is_empty()) {
            problem.detail = format!("{} {next}", problem.detail).into();
        }
        let status = match problem.status {
            429 => StatusCode::TOO_MANY_REQUESTS,
            503 => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::UNPROCESSABLE_ENTITY,
        };
        Self { status, form: typed.form().failed(&problem) }
    }

    /// The page with the form, as the answer.
    pub fn answer(self, page: impl FnOnce(FormState) -> Response) -> Response {
        (self.status, page(self.form)).into_response()
    }

    /// The status of the answer, and what was typed with what is wrong with it: for pages that are read anew first.
    #[must_use]
    pub fn into_parts(self) -> (StatusCode, FormState) {
        (self.status, self.form)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn typed(pairs: &[(&str, &str)]) -> Typed {
        Typed(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    #[test]
    fn a_form_comes_back_without_its_secrets() {
        let typed = typed(&[
            ("username", "ada"),
            ("password", "x1"),
            ("newPassword", "x2"),
            ("clientSecret", "x3"),
            ("scope", "a"),
            ("scope", "b"),
        ]);
        let problem = Problem::conflict("x.taken", "It is taken.").next("Choose another.");
        let (status, form) = Wrong::of(problem, &typed).unwrap().into_parts();
        assert_eq!((status, form.value("username")), (StatusCode::UNPROCESSABLE_ENTITY, "ada"));
        assert_eq!(["password", "newPassword", "clientSecret"].map(|name| form.value(name)), ["", "", ""]);
        assert_eq!(typed.all("scope").collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(form.summary(), "It is taken. Choose another.");
    }

    #[test]
    fn what_no_typing_mends_is_no_matter_of_the_form() {
        for status in [400, 401, 403, 404, 410, 500] {
            let problem = Problem::new(status, "x.y", "No.");
            assert_eq!(Wrong::of(problem, &Typed::default()).unwrap_err().0.status, status);
        }
        for (status, answer) in [(409, 422), (412, 422), (422, 422), (429, 429), (503, 503)] {
            let wrong = Wrong::of(Problem::new(status, "x.y", "No."), &Typed::default()).unwrap();
            assert_eq!(wrong.into_parts().0, answer);
        }
        let told = Wrong::told(Problem::unauthorized("x.y", "No."), &Typed::default());
        assert_eq!(told.into_parts().0, 422);
    }
}
