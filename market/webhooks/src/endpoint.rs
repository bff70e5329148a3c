//! What an endpoint is, which events it wants, and when it is tried again: no I/O.

use std::time::Duration;

use events::Event;
use identity::{AccountId, UserId};
use kernel::{FieldError, Secret, Timestamp};
use serde::{Deserialize, Serialize};
use store::{FromValue, Value};

use crate::WebhookId;

/// The most webhooks of one account.
pub(crate) const MAX_PER_ACCOUNT: u32 = 20;
/// The longest address, in bytes.
const MAX_URL: usize = 2000;
/// The longest description, in characters.
const MAX_DESCRIPTION: usize = 200;
/// How long the secret before the present one signs too.
pub(crate) const OLD_SECRET_LIVES: Duration = Duration::from_secs(24 * 3600);
/// The word for all types.
const ALL: &str = "*";

/// How long after each attempt the next one comes: 75 hours in all, as the Standard Webhooks specification proposes.
const SCHEDULE: [Duration; 9] = [
    Duration::from_secs(5),
    Duration::from_secs(5 * 60),
    Duration::from_secs(30 * 60),
    Duration::from_secs(2 * 3600),
    Duration::from_secs(5 * 3600),
    Duration::from_secs(10 * 3600),
    Duration::from_secs(14 * 3600),
    Duration::from_secs(20 * 3600),
    Duration::from_secs(24 * 3600),
];

/// How long to wait after so many tries failed; `None` when it has been tried often enough. `chance` (of 0 to 255)
/// spreads the load: up to a tenth longer. What the receiver asked for by `Retry-After` counts where it is longer, up
/// to a day.
pub(crate) fn wait_after(tries: u32, chance: u8, retry_after: Option<Duration>) -> Option<Duration> {
    let planned = SCHEDULE.get(tries.checked_sub(1)? as usize)?;
    let spread = planned.mul_f64(f64::from(chance) / 2560.0);
    let asked = retry_after.unwrap_or_default().min(Duration::from_secs(24 * 3600));
    Some((*planned + spread).max(asked))
}

/// Which types of events an endpoint wants.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Types(Vec<String>);

impl Types {
    /// Reads a list of types; `*` alone is all of them.
    ///
    /// # Errors
    /// What is wrong with the list, in words.
    pub fn read(words: Vec<String>) -> Result<Self, String> {
        let mut words = words;
        words.sort_unstable();
        words.dedup();
        if words.is_empty() {
            return Err("Name at least one event, or * for all.".to_owned());
        }
        if words != [ALL]
            && let Some(unknown) = words.iter().find(|word| !events::is_known(word))
        {
            let unknown: String = unknown.chars().take(60).collect();
            return Err(format!("There is no event {unknown}. See /docs/api for those there are."));
        }
        Ok(Self(words))
    }

    /// The types, or `*`.
    #[must_use]
    pub fn words(&self) -> &[String] {
        &self.0
    }

    /// Whether events of this type are wanted.
    #[must_use]
    pub fn include(&self, kind: &str) -> bool {
        self.0.iter().any(|word| word == ALL || word == kind)
    }

    pub(crate) fn to_json(&self) -> String {
        store::json_list(&self.0)
    }
}

impl FromValue for Types {
    fn from_value(value: Value<'_>) -> Result<Self, String> {
        serde_json::from_str(&String::from_value(value)?).map(Self).map_err(|error| error.to_string())
    }
}

/// An endpoint, without its secret.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// Its id.
    pub id: WebhookId,
    /// Whose it is.
    pub account: AccountId,
    /// Where events are sent.
    pub url: String,
    /// What its owner calls it.
    pub description: String,
    /// What it wants.
    pub events: Types,
    /// Whether it is told everything that happens in the market: only operators make such.
    pub whole_market: bool,
    /// Whether it is sent anything.
    pub enabled: bool,
    /// Why not, where the market switched it off.
    pub reason: String,
    /// Until when the secret before the present one signs too.
    pub old_secret_until: Option<Timestamp>,
    /// Counts the changes.
    pub version: i64,
    /// Since when it hears.
    pub created_at: Timestamp,
}

impl Endpoint {
    /// Whether it is told of this event: of what its account may know, of what happened since it was made.
    #[must_use]
    pub(crate) fn wants(&self, event: &Event) -> bool {
        self.enabled
            && event.occurred_at >= self.created_at
            && self.events.include(&event.kind)
            && (self.whole_market || event.concerns(self.account.as_str()))
    }
}

/// What a new endpoint is to be.
#[derive(Clone, Debug, Serialize)]
pub struct NewEndpoint {
    /// Where events are sent.
    pub url: String,
    /// What it wants.
    pub events: Vec<String>,
    /// What its owner calls it.
    pub description: String,
    /// The organisation whose it is; the caller's own where absent.
    pub organisation: Option<String>,
    /// Whether it is told everything.
    pub whole_market: bool,
}

/// What is to be changed; what is absent stays.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct EndpointChange {
    /// Where events are sent.
    pub url: Option<String>,
    /// What it wants.
    pub events: Option<Vec<String>>,
    /// What its owner calls it.
    pub description: Option<String>,
    /// Whether it is sent anything; switching it on forgets why it was off.
    pub enabled: Option<bool>,
}

/// A new endpoint with its secret, which is shown this once.
#[derive(Clone, Debug)]
pub struct Created {
    /// The endpoint.
    pub endpoint: Endpoint,
    /// What signs.
    pub secret: Secret,
}

/// Who made an endpoint.
pub(crate) type Creator = UserId;

/// Everything that is wrong with address and description.
pub(crate) fn check_texts(url: &str, description: &str, errors: &mut Vec<FieldError>) {
    if url.len() > MAX_URL {
        errors.push(FieldError { pointer: "/url".into(), detail: "Use at most 2,000 characters.".into() });
    }
    if description.chars().count() > MAX_DESCRIPTION {
        errors.push(FieldError {
            pointer: "/description".into(),
            detail: "Use at most 200 characters.".into(),
        });
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn it_is_tried_ten_times_in_75_hours() {
        let waits: Vec<_> = (1..).map_while(|tries| wait_after(tries, 0, None)).collect();
        assert_eq!(waits.len(), 9);
        let hours = waits.iter().sum::<Duration>().as_secs() / 3600;
        assert_eq!(hours, 75);
        assert_eq!(wait_after(0, 0, None), None);
    }

    #[test]
    fn a_receiver_that_asks_for_time_gets_it_up_to_a_day() {
        let asked = |seconds| Some(Duration::from_secs(seconds));
        assert_eq!(wait_after(1, 0, asked(60)), asked(60));
        assert_eq!(wait_after(2, 0, asked(60)), asked(300));
        assert_eq!(wait_after(1, 0, asked(u64::MAX)), asked(86_400));
    }

    #[test]
    fn only_events_that_exist_can_be_wanted() {
        assert!(Types::read(vec![]).is_err());
        assert!(Types::read(vec!["nothing.happened".to_owned()]).is_err());
        assert!(Types::read(vec!["*".to_owned(), "nothing.happened".to_owned()]).is_err());
        let all = Types::read(vec!["*".to_owned(), "*".to_owned()]).unwrap();
        assert!(all.include("package.published"));
    }

    proptest! {
        #[test]
        fn a_wait_is_never_shorter_than_planned_nor_longer_than_a_day_and_a_tenth(
            tries in 1u32..=9, chance: u8, asked in 0u64..200_000,
        ) {
            let wait = wait_after(tries, chance, Some(Duration::from_secs(asked))).unwrap();
            prop_assert!(wait >= SCHEDULE[tries as usize - 1]);
            prop_assert!(wait <= Duration::from_secs(24 * 3600).mul_f64(1.1));
        }
    }
}
