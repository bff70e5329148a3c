//! Reading requests, with problems that name the field.

use axum::extract::rejection::JsonRejection;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use kernel::Problem;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Failure;

/// A JSON body, in or out. Say `#[serde(deny_unknown_fields)]` on what is written by people.
#[derive(Clone, Copy, Debug)]
pub struct Json<T>(pub T);

/// The query string.
#[derive(Clone, Copy, Debug)]
pub struct Query<T>(pub T);

/// A form's body.
#[derive(Clone, Copy, Debug)]
pub struct Form<T>(pub T);

/// The parameters in the path.
#[derive(Clone, Copy, Debug)]
pub struct Path<T>(pub T);

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        axum::Json(self.0).into_response()
    }
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, state: &S) -> Result<Self, Failure> {
        match axum::Json::<T>::from_request(request, state).await {
            Ok(axum::Json(value)) => Ok(Self(value)),
            Err(rejection) => Err(Failure(explain_json(&rejection))),
        }
    }
}

fn explain_json(rejection: &JsonRejection) -> Problem {
    match rejection {
        JsonRejection::JsonDataError(error) => {
            Problem::invalid("request.wrong_field", field_text(&error.body_text()))
                .next("Compare the body with /openapi.json.")
        }
        JsonRejection::JsonSyntaxError(error) => Problem::bad_request(
            "request.no_json",
            format!("The body is no JSON: {}.", field_text(&error.body_text())),
        ),
        JsonRejection::MissingJsonContentType(_) => {
            Problem::new(415, "request.content_type", "Send the body as Content-Type: application/json.")
        }
        other if other.status() == 413 => Problem::too_large("request.too_large", "The body is too large."),
        _ => Problem::bad_request("request.unreadable", "The body cannot be read."),
    }
}

/// The part of axum's text that tells a person which field is wrong.
fn field_text(text: &str) -> String {
    let text = text.split_once(": ").map_or(text, |(_, rest)| rest);
    text.chars().take(300).collect()
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        match axum::extract::Query::<T>::from_request_parts(parts, state).await {
            Ok(axum::extract::Query(value)) => Ok(Self(value)),
            Err(rejection) => Err(Failure(Problem::invalid(
                "request.wrong_query",
                format!("The query string cannot be read: {}.", field_text(&rejection.body_text())),
            ))),
        }
    }
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Form<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, state: &S) -> Result<Self, Failure> {
        match axum::extract::Form::<T>::from_request(request, state).await {
            Ok(axum::extract::Form(value)) => Ok(Self(value)),
            Err(rejection) => Err(Failure(Problem::invalid(
                "request.wrong_form",
                format!("The form cannot be read: {}.", field_text(&rejection.body_text())),
            ))),
        }
    }
}

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        match axum::extract::Path::<T>::from_request_parts(parts, state).await {
            Ok(axum::extract::Path(value)) => Ok(Self(value)),
            Err(_) => {
                Err(Failure(Problem::not_found("request.no_such_path", "There is nothing at this address.")))
            }
        }
    }
}

kernel::problems! {
    "request.wrong_field":
        "The body is JSON, but a field is missing, unknown or of another type; the detail names it.",
        "Nothing was changed.",
        "Compare the body with /openapi.json and mend the field.";
    "request.no_json":
        "The body is not JSON; the detail says where it breaks.",
        "Nothing was changed.",
        "Send valid JSON in UTF-8.";
    "request.content_type":
        "The body came without Content-Type: application/json.",
        "Nothing was changed.",
        "Send that header with the body.";
    "request.too_large":
        "The body is larger than this address takes.",
        "Nothing was changed.",
        "Send less at once.";
    "request.unreadable": "The body broke off or cannot be read.", "Nothing was changed.", "Send it again.";
    "request.wrong_query":
        "A parameter after the question mark is missing or of another type; the detail names it.",
        "Nothing was changed.",
        "Compare the address with /openapi.json.";
    "request.wrong_form":
        "A form came without a field that it needs.",
        "Nothing was changed.",
        "Open the page again and send the form from there.";
    "request.no_such_path":
        "There is nothing at this address.",
        "Nothing was changed.",
        "Check the address; /docs/api lists those of the API.";
}
