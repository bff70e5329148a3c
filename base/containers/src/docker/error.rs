//! What the engine's errors mean.

use bollard::errors::Error;

use crate::{EngineError, Kind};

/// The engine's texts are for people, and some repeat what was asked: enough of them, not all.
const MAX_TEXT: usize = 500;

/// Any error, where none has a meaning of its own.
pub(super) fn failed(error: Error) -> EngineError {
    match error {
        Error::SocketNotFoundError(path) => EngineError::Unreachable(format!("{path} is not there")),
        Error::DockerResponseServerError { status_code: 400, message } => EngineError::Refused(cut(&message)),
        Error::DockerResponseServerError { message, .. } => EngineError::Failed(cut(&message)),
        Error::HyperResponseError { .. } | Error::HyperLegacyError { .. } => {
            EngineError::Unreachable(cut(&chain(&error)))
        }
        other => EngineError::Failed(cut(&chain(&other))),
    }
}

/// An error about one thing: 404 says that it is not there.
pub(super) fn of(kind: Kind, name: &str) -> impl FnOnce(Error) -> EngineError {
    let name = name.to_owned();
    move |error| match status(&error) {
        Some(404) => EngineError::NotThere { kind, name },
        _ => failed(error),
    }
}

/// `None` when it is not there.
pub(super) fn found<T>(answer: Result<T, Error>) -> Result<Option<T>, EngineError> {
    match answer {
        Ok(found) => Ok(Some(found)),
        Err(error) if status(&error) == Some(404) => Ok(None),
        Err(error) => Err(failed(error)),
    }
}

/// The HTTP status that the engine answered with.
pub(super) fn status(error: &Error) -> Option<u16> {
    match error {
        Error::DockerResponseServerError { status_code, .. } => Some(*status_code),
        _ => None,
    }
}

/// A file of ours that could not be written or read.
pub(super) fn io(what: &str) -> impl FnOnce(std::io::Error) -> EngineError {
    move |error| EngineError::Failed(format!("{what}: {error}"))
}

fn cut(text: &str) -> String {
    text.trim().chars().take(MAX_TEXT).collect()
}

fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |error| error.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
