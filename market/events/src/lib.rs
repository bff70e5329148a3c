//! The log of domain events: an outbox that every room writes and every consumer reads.

mod catalogue;
mod log;
mod sql;

use kernel::Timestamp;
use serde::Serialize;
use store::{Migrations, StoreError, Tx, args};

pub use catalogue::{CATALOGUE, EventType, is_known};
pub use log::{Follower, Log, Position, skip};

#[doc(hidden)]
pub use linkme as __linkme;

kernel::id!(
    /// Names one event; receivers drop repeats by it.
    EventId,
    "event"
);
store::id_values!(EventId);

/// This room's tables.
pub const MIGRATIONS: Migrations =
    store::migrations!("events", "0001_events.sql", "0002_audience.sql", "0003_lean.sql");

/// Something that happened to a subject. The fields of the type are the event's `data`.
pub trait DomainEvent: Serialize {
    /// `room.past_tense`, as the public contract has it.
    const TYPE: &'static str;
    /// The id of what it happened to.
    fn subject(&self) -> &str;
    /// The subject's version after the change.
    fn version(&self) -> i64;
    /// Whom it may be told. What a room says nothing about, only operators hear.
    fn audience(&self) -> Audience<'_> {
        Audience::Operators
    }
}

/// Whom an event may be told. Operators may be told everything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Audience<'a> {
    /// What anybody may know.
    Everybody,
    /// The accounts (users and organisations, by id) that it concerns.
    Accounts(Vec<&'a str>),
    /// Nobody else.
    Operators,
}

impl Audience<'_> {
    /// As it stands in the log.
    fn to_text(&self) -> String {
        match self {
            Self::Everybody => "*".to_owned(),
            Self::Accounts(ids) => format!(" {} ", ids.join(" ")),
            Self::Operators => String::new(),
        }
    }
}

/// An event as it is read back and sent out.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    /// Its id, the same in every delivery.
    pub id: EventId,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: String,
    /// The subject's version after the change.
    pub version: i64,
    /// What it happened to.
    pub subject: String,
    /// When.
    pub occurred_at: Timestamp,
    /// The fields of its type, as they were written; see [`Event::data`].
    #[serde(serialize_with = "as_it_stands")]
    pub(crate) data: String,
    /// Where it stands in this log.
    #[serde(skip)]
    pub position: Position,
    /// Whom it may be told, as it stands in the log; see [`Event::concerns`].
    #[serde(skip)]
    pub(crate) audience: String,
}

impl Event {
    /// The fields of its type. Most readers look at few events, so the text is taken apart only when asked for.
    #[must_use]
    pub fn data(&self) -> serde_json::Value {
        serde_json::from_str(&self.data).unwrap_or_default()
    }

    /// Whether everybody may be told of it.
    #[must_use]
    pub fn is_public(&self) -> bool {
        self.audience == "*"
    }

    /// Whether it may be told to this account, a user or an organisation by id.
    #[must_use]
    pub fn concerns(&self, account: &str) -> bool {
        self.is_public() || self.audience.split(' ').any(|id| !id.is_empty() && id == account)
    }
}

fn as_it_stands<S: serde::Serializer>(data: &str, to: S) -> Result<S::Ok, S::Error> {
    let raw: &serde_json::value::RawValue = serde_json::from_str(data).map_err(serde::ser::Error::custom)?;
    raw.serialize(to)
}

/// Writes an event in the transaction of the change it tells of.
///
/// # Errors
/// [`StoreError`] as any statement.
pub async fn append<E: DomainEvent>(tx: &mut Tx, now: Timestamp, event: &E) -> Result<EventId, StoreError> {
    let id = EventId::fresh();
    let data = serde_json::to_string(event).map_err(|error| StoreError::Database(error.to_string()))?;
    let (subject, version, audience) = (event.subject(), event.version(), event.audience().to_text());
    let row = args![id, E::TYPE, subject, version, now, data, audience];
    tx.execute(&sql::INSERT_EVENT, row).await?;
    tx.after_commit(log::wake);
    Ok(id)
}

/// Numbers the events anew from 1, in their order, and moves the cursors along. A restore into another database
/// calls it: transaction numbers of one PostgreSQL server mean nothing on the next, where an event with a number
/// of the future would stay unseen.
///
/// # Errors
/// [`StoreError`] as any statement.
pub async fn rebase(tx: &mut Tx) -> Result<(), StoreError> {
    tx.execute(&sql::REBASE_CURSORS, args![]).await?;
    tx.execute(&sql::REBASE_EVENTS, args![]).await?;
    tx.execute(&sql::TURN_POSITIVE, args![]).await?;
    Ok(())
}
