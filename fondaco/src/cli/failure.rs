//! Why a command failed, with the exit code that scripts rely on.

use std::process::ExitCode;

use kernel::Problem;
use serde_json::{Value, json};

/// Exit codes, as `fondaco --help` lists them.
pub(crate) mod code {
    pub(crate) const FAILED: u8 = 1;
    pub(crate) const USAGE: u8 = 2;
    pub(crate) const SIGN_IN: u8 = 4;
    pub(crate) const NOT_FOUND: u8 = 5;
    pub(crate) const CONFLICT: u8 = 6;
    pub(crate) const PAYMENT: u8 = 7;
    pub(crate) const REFUSED: u8 = 8;
    pub(crate) const LATER: u8 = 75;
}

/// A failure as it is shown: title, detail, fields, what to do next, the id to quote.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) exit: u8,
    pub(crate) code: String,
    pub(crate) title: String,
    pub(crate) detail: String,
    /// Pointer and what is wrong there.
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) next: Option<String>,
    pub(crate) request_id: Option<String>,
}

impl Failure {
    pub(crate) fn new(exit: u8, code: &str, title: &str, detail: impl Into<String>) -> Self {
        Self {
            exit,
            code: code.to_owned(),
            title: title.to_owned(),
            detail: detail.into(),
            fields: Vec::new(),
            next: None,
            request_id: None,
        }
    }

    /// The command was used wrongly, or needs an answer that nobody can give.
    pub(crate) fn usage(detail: impl Into<String>) -> Self {
        Self::new(code::USAGE, "cli.usage", "Wrong usage", detail)
    }

    /// There is no token, and nobody but an account may do this.
    pub(crate) fn sign_in(detail: impl Into<String>) -> Self {
        Self::new(code::SIGN_IN, "cli.not_signed_in", "Sign in first", detail).next("fondaco login")
    }

    /// Something on this machine failed.
    pub(crate) fn local(title: &str, detail: impl ToString) -> Self {
        Self::new(code::FAILED, "cli.failed", title, detail.to_string())
    }

    #[must_use]
    pub(crate) fn next(mut self, next: impl Into<String>) -> Self {
        self.next = Some(next.into());
        self
    }

    /// From an answer of the server: a problem (RFC 9457), or the form of a package protocol.
    pub(crate) fn answered(status: u16, body: &Value, request_id: Option<String>) -> Self {
        let text = |name: &str| body.get(name).and_then(Value::as_str).map(str::to_owned);
        let known = Problem::new(status, "", "");
        let fields = body.get("errors").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let field = |field: &Value| {
            let part = |name| field.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
            (part("pointer"), part("detail"))
        };
        let code = text("code").unwrap_or_else(|| format!("http.{status}"));
        Self {
            exit: exit_of(status, &code),
            title: text("title").unwrap_or_else(|| known.title().to_owned()),
            detail: text("detail")
                .or_else(|| text("error"))
                .or_else(|| text("reason"))
                .unwrap_or_else(|| format!("The server answered with status {status}.")),
            fields: fields.iter().map(field).collect(),
            next: text("next").or_else(|| (status == 401).then(|| "fondaco login".to_owned())),
            request_id: text("requestId").or(request_id),
            code,
        }
    }

    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.exit)
    }

    pub(crate) fn to_json(&self) -> Value {
        let errors =
            self.fields.iter().map(|(pointer, detail)| json!({"pointer": pointer, "detail": detail}));
        json!({
            "code": self.code,
            "title": self.title,
            "detail": self.detail,
            "errors": errors.collect::<Vec<_>>(),
            "next": self.next,
            "requestId": self.request_id,
            "exitCode": self.exit,
        })
    }
}

fn exit_of(status: u16, code: &str) -> u8 {
    match status {
        401 => code::SIGN_IN,
        402 => code::PAYMENT,
        403 | 422 if code.contains("policy") || code.contains("scan") => code::REFUSED,
        404 | 410 => code::NOT_FOUND,
        409 | 412 => code::CONFLICT,
        // The npm protocol answers so when there is this version already.
        403 if code.contains("version_") => code::CONFLICT,
        429 | 502..=504 => code::LATER,
        _ => code::FAILED,
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Self {
            exit: exit_of(problem.status, &problem.code),
            code: problem.code.clone().into_owned(),
            title: problem.title().to_owned(),
            detail: problem.detail.into_owned(),
            fields: problem
                .errors
                .into_iter()
                .map(|field| (field.pointer.into_owned(), field.detail.into_owned()))
                .collect(),
            next: problem.next.map(std::borrow::Cow::into_owned),
            request_id: None,
        }
    }
}

impl From<store::StoreError> for Failure {
    /// On the operator's own machine the database's words help more than "try again".
    fn from(error: store::StoreError) -> Self {
        let exit = if matches!(error, store::StoreError::Busy) { code::LATER } else { code::FAILED };
        Self::new(exit, "store.failed", "The database failed", sentence(&error.to_string()))
            .next("fondaco doctor")
    }
}

impl From<crate::data::DataError> for Failure {
    fn from(error: crate::data::DataError) -> Self {
        let exit =
            if matches!(error, crate::data::DataError::InUse(_)) { code::CONFLICT } else { code::FAILED };
        Self::new(exit, "data.failed", "The data folder cannot be used", sentence(&error.to_string()))
    }
}

impl From<crate::config::ConfigError> for Failure {
    fn from(error: crate::config::ConfigError) -> Self {
        let mut failure = Self::new(
            code::USAGE,
            "config.invalid",
            "The settings cannot be used",
            "Nothing was started. Please correct these:",
        );
        failure.fields = error.0.into_iter().map(|problem| (String::new(), problem)).collect();
        failure
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::local("This machine refused it", sentence(&error.to_string()))
    }
}

/// The same words as a sentence.
pub(crate) fn sentence(text: &str) -> String {
    let mut chars = text.trim_end_matches('.').chars();
    chars.next().map_or_else(String::new, |first| format!("{}{}.", first.to_uppercase(), chars.as_str()))
}

kernel::problems! {
    "data.failed":
        "The data folder cannot be used: it is missing, locked by another process, or not readable.",
        "Nothing was changed.",
        "Look at the path and its owner; fondaco doctor says more.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_have_the_exit_codes_of_the_contract() {
        let cases = [
            (400, 1),
            (401, 4),
            (402, 7),
            (403, 1),
            (404, 5),
            (409, 6),
            (410, 5),
            (412, 6),
            (422, 1),
            (429, 75),
            (500, 1),
            (502, 75),
            (503, 75),
        ];
        for (status, exit) in cases {
            assert_eq!(Failure::answered(status, &json!({}), None).exit, exit, "{status}");
        }
        assert_eq!(Failure::answered(403, &json!({"code": "registry.policy_refused"}), None).exit, 8);
        assert_eq!(Failure::answered(403, &json!({"code": "registry.version_exists"}), None).exit, 6);
    }

    #[test]
    fn both_forms_of_errors_are_understood() {
        let problem = json!({"title": "Conflict", "detail": "Taken.", "code": "x.taken", "next": "Choose another.",
            "errors": [{"pointer": "/name", "detail": "Is taken."}], "requestId": "r-1"});
        let failure = Failure::answered(409, &problem, Some("other".to_owned()));
        assert_eq!((failure.title.as_str(), failure.detail.as_str()), ("Conflict", "Taken."));
        assert_eq!(failure.fields, [("/name".to_owned(), "Is taken.".to_owned())]);
        assert_eq!(failure.request_id.as_deref(), Some("r-1"));
        let npm = Failure::answered(404, &json!({"error": "no such package"}), Some("r-2".to_owned()));
        assert_eq!((npm.detail.as_str(), npm.request_id.as_deref()), ("no such package", Some("r-2")));
    }
}
