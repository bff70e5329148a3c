//! Which errors of this room typing can mend, and at which field.

use web::Failure;
use web::face::{Typed, Wrong};

use crate::IdentityError;

/// The form once more, where typing something else mends the error. A wrong password is such a case here, though
/// it is a 401 to programs.
pub(super) fn wrong(error: IdentityError, typed: &Typed) -> Result<Wrong, Failure> {
    match error {
        IdentityError::WrongPassword => Ok(Wrong::told(error, typed)),
        other => Wrong::of(other, typed),
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

    #[test]
    fn a_wrong_password_is_told_in_the_form_and_a_spent_link_is_not() {
        let (status, form) = wrong(IdentityError::WrongPassword, &Typed::default()).unwrap().into_parts();
        assert_eq!(status, 422);
        assert!(form.summary().contains("reset the password"), "{}", form.summary());
        assert!(wrong(IdentityError::NotSignedIn, &Typed::default()).is_err());
        assert!(wrong(IdentityError::LinkSpent, &Typed::default()).is_err());
    }
}
