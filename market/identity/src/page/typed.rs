//! What somebody typed into a form, and how a form comes back that could not do its work.

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use kernel::{Problem, Secret};
use serde::Deserialize;
use web::Failure;
use web::face::FormState;

use crate::IdentityError;

/// The fields of a form as they came; a name may stand in it several times. It may hold passwords, so it has no
/// `Debug`.
#[derive(Clone, Default, Deserialize)]
#[serde(transparent)]
pub(super) struct Typed(Vec<(String, String)>);

impl Typed {
    /// The first value of a field; empty where there is none.
    pub(super) fn get(&self, name: &str) -> &str {
        self.all(name).next().unwrap_or_default()
    }

    /// All values of a field.
    pub(super) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |(field, _)| field == name).map(|(_, value)| value.as_str())
    }

    /// Whether a button or check box of this name was pressed.
    pub(super) fn has(&self, name: &str) -> bool {
        self.all(name).next().is_some()
    }

    /// The value of a password field.
    pub(super) fn secret(&self, name: &str) -> Secret {
        Secret::new(self.get(name))
    }

    /// The form with what was typed, but no password.
    pub(super) fn form(&self) -> FormState {
        let shown = self.0.iter().filter(|(name, _)| !name.to_lowercase().contains("password"));
        let shown: Vec<_> = shown.map(|(name, value)| (name.as_str(), value.as_str())).collect();
        FormState::with(&shown)
    }
}

/// A form that did nothing, to be shown again.
pub(super) struct Wrong {
    status: StatusCode,
    form: FormState,
}

impl Wrong {
    /// What typing something else, or the same a little later, would mend. Other errors go on as they are.
    pub(super) fn of(error: IdentityError, typed: &Typed) -> Result<Self, Failure> {
        let status = match &error {
            IdentityError::Invalid(_)
            | IdentityError::WrongPassword
            | IdentityError::NameTaken
            | IdentityError::Exists(_)
            | IdentityError::TooMany(_)
            | IdentityError::LastAdmin
            | IdentityError::LastOwner
            | IdentityError::Stale => StatusCode::UNPROCESSABLE_ENTITY,
            IdentityError::Throttled { .. } => StatusCode::TOO_MANY_REQUESTS,
            IdentityError::Hashing => StatusCode::SERVICE_UNAVAILABLE,
            _ => return Err(error.into()),
        };
        let mut problem = Problem::from(error);
        if let (Some(next), true) = (&problem.next, problem.errors.is_empty()) {
            problem.detail = format!("{} {next}", problem.detail).into();
        }
        Ok(Self { status, form: typed.form().failed(&problem) })
    }

    /// The page with the form, as the answer.
    pub(super) fn answer(self, page: impl FnOnce(FormState) -> Response) -> Response {
        (self.status, page(self.form)).into_response()
    }

    /// The status of the answer, and what was typed with what is wrong with it: for pages that are read anew first.
    pub(super) fn into_parts(self) -> (StatusCode, FormState) {
        (self.status, self.form)
    }
}

/// The same error, told at the field that can mend it. An organisation or a team that is missing is no matter of a
/// field: the page itself is not there then.
pub(super) fn at_field(error: IdentityError, pointer: &'static str) -> IdentityError {
    match error {
        IdentityError::NameTaken => IdentityError::field(pointer, "This name is taken. Choose another."),
        IdentityError::Exists(kind) => {
            IdentityError::field(pointer, format!("This {kind} is there already."))
        }
        IdentityError::NotFound("account") => {
            IdentityError::field(pointer, "There is no account of this name.")
        }
        IdentityError::NotFound("member") => {
            IdentityError::field(pointer, "No member of the organisation has this name. Add it there first.")
        }
        other => other,
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
    fn a_form_comes_back_without_its_passwords() {
        let typed = typed(&[
            ("username", "ada"),
            ("password", "x1"),
            ("newPassword", "x2"),
            ("scope", "a"),
            ("scope", "b"),
        ]);
        let wrong = Wrong::of(IdentityError::WrongPassword, &typed).unwrap_or_else(|_| unreachable!());
        assert_eq!(wrong.form.value("username"), "ada");
        assert_eq!((wrong.form.value("password"), wrong.form.value("newPassword")), ("", ""));
        assert_eq!(typed.all("scope").collect::<Vec<_>>(), ["a", "b"]);
        assert!(wrong.form.summary().contains("reset the password"), "{}", wrong.form.summary());
    }

    #[test]
    fn what_no_typing_mends_is_no_matter_of_the_form() {
        assert!(Wrong::of(IdentityError::NotSignedIn, &Typed::default()).is_err());
        assert!(Wrong::of(IdentityError::LinkSpent, &Typed::default()).is_err());
    }
}
