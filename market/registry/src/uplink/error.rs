//! Why something could not be had from an uplink, in words that package clients show.

use std::time::Duration;

use kernel::{Problem, Timestamp};
use store::StoreError;

use super::policy::{Refused, Whose};

/// Why a package or a file of an uplink is not given. Nothing was kept then.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UplinkError {
    /// This instance's own database or storage failed.
    #[error("{0}")]
    Own(Problem),
    /// The uplink does not answer, or says that it cannot.
    #[error(
        "The upstream registry \"{uplink}\" {reason}. Nothing is wrong with the request; try again later."
    )]
    Down {
        /// Which.
        uplink: String,
        /// What was seen, as the end of a sentence.
        reason: String,
        /// When it will be asked again, in seconds.
        retry_after_seconds: u64,
    },
    /// The uplink answered what cannot be used.
    #[error("The upstream registry \"{uplink}\" {reason}. Tell the operator of this registry.")]
    Wrong {
        /// Which.
        uplink: String,
        /// What was seen, as the end of a sentence.
        reason: String,
    },
    /// The tarball is not what the uplink's document promises.
    #[error(
        "The tarball of {release} that the upstream registry \"{uplink}\" sent is not the one its document names. \
         It was not kept. Do not work around this: tell the operator of this registry."
    )]
    Tampered {
        /// Which.
        uplink: String,
        /// `name@version`.
        release: String,
    },
    /// The package or the release is blocked, or not on the list of what is allowed.
    #[error("{}", blocked(what, by))]
    Blocked {
        /// `name@version`, or the name.
        what: String,
        /// Whose policy it is.
        by: Whose,
    },
    /// The release is younger than is accepted.
    #[error("{}", withheld(what, by, *until))]
    Withheld {
        /// `name@version`, or the name when nothing of it is old enough.
        what: String,
        /// Whose policy it is.
        by: Whose,
        /// When it becomes available, if its age is known.
        until: Option<Timestamp>,
    },
}

impl UplinkError {
    /// Of what is refused.
    pub(crate) fn refused(what: String, refused: Refused) -> Self {
        match refused {
            Refused::Blocked(by) => Self::Blocked { what, by },
            Refused::Withheld { by, until } => Self::Withheld { what, by, until },
        }
    }
}

fn withheld(what: &str, by: &Whose, until: Option<Timestamp>) -> String {
    let said = match until {
        Some(until) => format!(
            "{what} is younger than {by} accepts. It becomes available on {until}; install an older release until then"
        ),
        None => format!("{what} is of unknown age, which {by} does not accept. Install another release"),
    };
    match by {
        Whose::Registry => format!("{said}."),
        Whose::Organisation(name) => {
            format!("{said}, or ask an owner or admin of {name} to exempt it if it cannot wait.")
        }
    }
}

fn blocked(what: &str, by: &Whose) -> String {
    match by {
        Whose::Registry => {
            format!("{what} is blocked by the policy of this registry. Ask its operator for another one.")
        }
        Whose::Organisation(name) => format!(
            "{what} is blocked by the upstream policy of {by}. Install another one, or ask an owner or admin of {name} \
             to allow it."
        ),
    }
}

impl From<StoreError> for UplinkError {
    fn from(error: StoreError) -> Self {
        Self::Own(error.into())
    }
}

impl From<blobs::BlobError> for UplinkError {
    fn from(error: blobs::BlobError) -> Self {
        Self::Own(error.into())
    }
}

impl From<blobs::refs::RefError> for UplinkError {
    fn from(error: blobs::refs::RefError) -> Self {
        Self::Own(error.into())
    }
}

impl From<UplinkError> for Problem {
    fn from(error: UplinkError) -> Self {
        let text = error.to_string();
        match error {
            UplinkError::Own(problem) => problem,
            UplinkError::Down { retry_after_seconds, .. } => {
                Self::unavailable("registry.uplink_down", text).retry_after(retry_after_seconds)
            }
            UplinkError::Wrong { .. } => Self::upstream("registry.uplink_wrong", text),
            UplinkError::Tampered { .. } => Self::upstream("registry.uplink_tampered", text),
            UplinkError::Blocked { .. } => Self::forbidden("registry.uplink_blocked", text),
            UplinkError::Withheld { .. } => Self::forbidden("registry.uplink_withheld", text),
        }
    }
}

/// Why one request to an uplink did not give what was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum FetchError {
    /// It could not be reached, or went silent, or says that it cannot now.
    Outage { reason: String, retry_after_seconds: Option<u64> },
    /// It answered what cannot be used; asking again would give the same.
    Wrong(String),
    /// It has no such thing.
    Absent,
    /// It was not asked: it is left alone for so long.
    Resting(Duration),
    /// This instance failed, not the uplink.
    Own,
}

impl FetchError {
    pub(crate) fn outage(reason: impl Into<String>) -> Self {
        Self::Outage { reason: reason.into(), retry_after_seconds: None }
    }
}
