//! What a person typed and what is wrong with it, so that a form comes back with everything kept.

use kernel::Problem;

/// The state of a form: values by field name, errors by field name. The field macros of
/// `parts/forms.html` read it; a fresh form is [`FormState::default`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FormState {
    values: Vec<(String, String)>,
    errors: Vec<(String, String)>,
    summary: String,
}

impl FormState {
    /// A form with values in it. Never hand a password back: leave it out.
    #[must_use]
    pub fn with(values: &[(&str, &str)]) -> Self {
        let values = values.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Self { values, ..Self::default() }
    }

    /// The same form with what `problem` says of its fields. A pointer `/email` is the field `email`.
    #[must_use]
    pub fn failed(mut self, problem: &Problem) -> Self {
        self.summary = problem.detail.clone().into_owned();
        for error in &problem.errors {
            let name = error.pointer.trim_start_matches('/').split('/').next().unwrap_or_default();
            self.errors.push((name.to_owned(), error.detail.clone().into_owned()));
        }
        self
    }

    /// Whether anything is wrong.
    #[must_use]
    pub fn is_wrong(&self) -> bool {
        !self.summary.is_empty() || !self.errors.is_empty()
    }

    /// What went wrong as a whole.
    #[must_use]
    pub fn summary(&self) -> &str {
        if self.summary.is_empty() { "Check what is marked below." } else { &self.summary }
    }

    /// Every wrong field with the words that mend it.
    #[must_use]
    pub fn errors(&self) -> &[(String, String)] {
        &self.errors
    }

    /// The value to show in a field.
    #[must_use]
    pub fn value(&self, name: &str) -> &str {
        find(&self.values, name)
    }

    /// Whether `value` is among those chosen under `name`.
    #[must_use]
    pub fn has(&self, name: &str, value: &str) -> bool {
        self.values.iter().any(|(n, v)| n == name && v == value)
    }

    /// What is wrong with a field; empty where nothing is.
    #[must_use]
    pub fn error(&self, name: &str) -> &str {
        find(&self.errors, name)
    }
}

fn find<'a>(pairs: &'a [(String, String)], name: &str) -> &'a str {
    pairs.iter().find(|(n, _)| n == name).map_or("", |(_, value)| value)
}

/// A `pattern` attribute that only `text` itself matches, for typing a name before a delete.
#[must_use]
pub fn exactly(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if r"\^$.*+?()[]{}|/-&!#%,:;<=>@`~".contains(c) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_kept_and_errors_find_their_field() {
        let problem =
            Problem::invalid("account.invalid", "The account was not made.").field("/email", "Add the @.");
        let form =
            FormState::with(&[("email", "mira"), ("scope", "read"), ("scope", "write")]).failed(&problem);
        assert_eq!((form.value("email"), form.error("email")), ("mira", "Add the @."));
        assert!(form.has("scope", "write") && !form.has("scope", "admin"));
        assert_eq!(form.summary(), "The account was not made.");
        assert!(form.is_wrong() && !FormState::default().is_wrong());
    }

    #[test]
    fn a_name_as_pattern_has_no_special_characters_left() {
        assert_eq!(exactly("@a/b.c"), r"\@a\/b\.c");
    }
}
