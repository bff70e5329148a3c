//! The waiting room of an event. Whoever comes takes the next place, and is told there and then when it will be let
//! in: one interval after the one before, never earlier than the room opens. So the order is that of arrival, the rate
//! is kept whatever happens, and nothing is written while people wait or reload.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::{Signature, Signer, VerifyingKey};
use identity::{AccountId, Action, Caller, Subject};
use kernel::Timestamp;
use serde::Serialize;
use store::{StoreError, Tx, args};

use crate::error::TicketError;
use crate::event::{EventId, WaitingRoom};
use crate::keys::Ring;
use crate::organise::find_event;
use crate::{Tickets, sql};

/// Signed before a place, so that a signature for anything else is never one of a place.
const CONTEXT: &str = "fondaco waiting room 1";
/// The longest pass that is looked at, in bytes.
const MAX_PASS: usize = 600;

/// A place in a waiting room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Place {
    /// Counts everybody who came, from 1.
    pub place: i64,
    /// When it was taken.
    pub joined_at: Timestamp,
    /// When it is let in.
    pub admitted_at: Timestamp,
    /// Until when it may order then.
    pub expires_at: Timestamp,
}

store::row!(Place { place, joined_at, admitted_at, expires_at });

impl Place {
    /// Whether it may order at `now`.
    #[must_use]
    pub fn is_admitted(&self, now: Timestamp) -> bool {
        self.admitted_at <= now && now < self.expires_at
    }

    /// Whether its time to order is over.
    #[must_use]
    pub fn is_over(&self, now: Timestamp) -> bool {
        self.expires_at <= now
    }

    /// How many are let in before it, at most: those whose turn lies between `now` and its own.
    #[must_use]
    pub fn ahead(&self, now: Timestamp, room: &WaitingRoom) -> u64 {
        let from = now.max(room.opens_at);
        let wait = self.admitted_at.since(from).as_micros();
        let ahead = wait.div_ceil(interval(room).as_micros().max(1));
        u64::try_from(ahead).unwrap_or(u64::MAX).min(u64::try_from(self.place - 1).unwrap_or(0))
    }
}

/// The time between two who are let in.
fn interval(room: &WaitingRoom) -> Duration {
    Duration::from_micros(60_000_000 / u64::from(room.per_minute.max(1)))
}

impl Tickets {
    /// Takes a place for the caller's account, or answers the one that it has: however often it asks and from however
    /// many windows, an account has one place. Whose time to order is over goes to the end of the line.
    ///
    /// # Errors
    /// [`TicketError::Identity`] for a stranger; [`TicketError::NoWaitingRoom`], [`TicketError::NotFound`].
    pub async fn join_queue(
        &self,
        by: &Caller,
        id: &EventId,
    ) -> Result<(Place, WaitingRoom, String), TicketError> {
        let actor = by.may(Action::Buy, &Subject::Market)?;
        let (account, id, now) = (AccountId::from(&actor.user), id.clone(), by.now());
        let (event, owner) = (id.clone(), account.clone());
        // Most who ask have a place already: they cost a look and no write.
        if let (Some(place), room) = self.place_in_queue(&event, &owner).await?
            && !place.is_over(now)
        {
            let pass = self.pass(now, &event, &owner, &place).await?;
            return Ok((place, room, pass));
        }
        let write = async move |tx: &mut Tx| join(tx, now, &id, &account).await;
        let (place, room) = self.store.write(write).await?;
        let pass = self.pass(now, &event, &owner, &place).await?;
        Ok((place, room, pass))
    }

    /// The caller's place, if it has one; nothing is written.
    ///
    /// # Errors
    /// As [`Tickets::join_queue`].
    pub async fn queue_place(
        &self,
        by: &Caller,
        id: &EventId,
    ) -> Result<(Option<Place>, WaitingRoom), TicketError> {
        let account = AccountId::from(&by.account()?.user);
        self.place_in_queue(id, &account).await
    }

    /// The place that a pass tells of, without a look into the database.
    ///
    /// # Errors
    /// [`TicketError::NotFound`] when it is no pass of this caller for this event.
    pub async fn read_pass(&self, by: &Caller, id: &EventId, pass: &str) -> Result<Place, TicketError> {
        let account = AccountId::from(&by.account()?.user);
        let ring = self.keys.ring(by.now()).await?;
        read(&ring, pass, id, &account).ok_or(TicketError::NotFound("place in the waiting room"))
    }

    async fn place_in_queue(
        &self,
        id: &EventId,
        account: &AccountId,
    ) -> Result<(Option<Place>, WaitingRoom), TicketError> {
        let (id, account) = (id.clone(), account.clone());
        let look = async move |tx: &mut Tx| {
            let event = find_event(tx, &id).await?;
            if event.state != crate::EventState::Published {
                return Err(TicketError::NotFound("event"));
            }
            let room = event.text.waiting_room.ok_or(TicketError::NoWaitingRoom)?;
            Ok((find(tx, &id, &account).await?, room))
        };
        self.store.read(look).await
    }

    async fn pass(
        &self,
        now: Timestamp,
        event: &EventId,
        account: &AccountId,
        place: &Place,
    ) -> Result<String, TicketError> {
        let ring = self.keys.ring(now).await?;
        Ok(sign(&ring, event, account, place))
    }
}

async fn join(
    tx: &mut Tx,
    now: Timestamp,
    id: &EventId,
    account: &AccountId,
) -> Result<(Place, WaitingRoom), TicketError> {
    let event = find_event(tx, id).await?;
    let room = event.text.waiting_room.ok_or(TicketError::NoWaitingRoom)?;
    if let Some(place) = find(tx, id, account).await?
        && !place.is_over(now)
    {
        return Ok((place, room));
    }
    let step = i64::try_from(interval(&room).as_micros()).unwrap_or(i64::MAX);
    let earliest = now.max(room.opens_at);
    tx.execute(&sql::START_QUEUE, args![id, Timestamp::from_micros(0)]).await?;
    let (place, admitted_at): (i64, Timestamp) = tx.one(&sql::NEXT_PLACE, args![id, step, earliest]).await?;
    let expires_at = admitted_at.after(Duration::from_secs(u64::from(room.stay_seconds)));
    let place = Place { place, joined_at: now, admitted_at, expires_at };
    tx.execute(&sql::SET_PLACE, args![id, account, place.place, now, admitted_at, expires_at]).await?;
    Ok((place, room))
}

/// The place of an account.
pub(crate) async fn find(
    tx: &mut Tx,
    event: &EventId,
    account: &AccountId,
) -> Result<Option<Place>, StoreError> {
    tx.first(&sql::FIND_PLACE, args![event, account]).await
}

fn message(event: &EventId, account: &AccountId, place: &Place) -> String {
    let Place { place, joined_at, admitted_at, expires_at } = place;
    let times = [joined_at, admitted_at, expires_at].map(|at| at.micros().to_string()).join(" ");
    format!("{CONTEXT}\n{event}\n{account}\n{place}\n{times}")
}

/// `Q1.`, the number of the key, the four numbers of the place, the signature; all with dots between.
fn sign(ring: &Ring, event: &EventId, account: &AccountId, place: &Place) -> String {
    let (key, signing) = &ring.signing;
    let signature = signing.sign(message(event, account, place).as_bytes());
    let Place { place, joined_at, admitted_at, expires_at } = place;
    let times = [joined_at, admitted_at, expires_at].map(|at| at.micros().to_string()).join(".");
    format!("Q1.{key}.{place}.{times}.{}", URL_SAFE_NO_PAD.encode(signature.to_bytes()))
}

/// Reads a pass; none for one that was changed, or is of another account or event.
pub(crate) fn read(ring: &Ring, pass: &str, event: &EventId, account: &AccountId) -> Option<Place> {
    if pass.len() > MAX_PASS {
        return None;
    }
    let parts: Vec<&str> = pass.split('.').collect();
    let ["Q1", key, place, joined, admitted, expires, signature] = parts.as_slice() else { return None };
    let at = |text: &str| Some(Timestamp::from_micros(text.parse().ok()?));
    let place = Place {
        place: place.parse().ok()?,
        joined_at: at(joined)?,
        admitted_at: at(admitted)?,
        expires_at: at(expires)?,
    };
    let key = VerifyingKey::from_bytes(ring.public.get(&key.parse().ok()?)?).ok()?;
    let signature = Signature::from_slice(&URL_SAFE_NO_PAD.decode(signature).ok()?).ok()?;
    key.verify_strict(message(event, account, &place).as_bytes(), &signature).ok()?;
    Some(place)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use ed25519_dalek::SigningKey;
    use proptest::prelude::*;

    fn ring() -> Ring {
        let key = SigningKey::from_bytes(&[3; 32]);
        let public = [(1, key.verifying_key().to_bytes())].into();
        Ring { signing: (1, key), public }
    }

    fn place() -> Place {
        let at = Timestamp::from_secs;
        Place { place: 12, joined_at: at(5), admitted_at: at(100), expires_at: at(700) }
    }

    #[test]
    fn a_pass_is_good_for_one_account_at_one_event() {
        let (event, account): (EventId, AccountId) = (EventId::fresh(), "user-1".parse().unwrap());
        let pass = sign(&ring(), &event, &account, &place());
        assert_eq!(read(&ring(), &pass, &event, &account), Some(place()));
        assert_eq!(read(&ring(), &pass, &EventId::fresh(), &account), None);
        assert_eq!(read(&ring(), &pass, &event, &"user-2".parse().unwrap()), None);
        assert_eq!(read(&ring(), &pass.replace(".12.", ".1."), &event, &account), None);
    }

    proptest! {
        #[test]
        fn any_text_is_judged_without_panic(text in "\\PC{0,100}|Q1(\\.[0-9a-zA-Z_-]{0,90}){0,8}") {
            prop_assert_eq!(read(&ring(), &text, &EventId::fresh(), &"user-1".parse().unwrap()), None);
        }

        #[test]
        fn nobody_is_told_of_more_people_than_came(at in 0i64..2_000, per_minute in 1u32..1_000) {
            let room = WaitingRoom { opens_at: Timestamp::from_secs(50), per_minute, stay_seconds: 600 };
            prop_assert!(place().ahead(Timestamp::from_secs(at), &room) <= 11);
            prop_assert_eq!(place().ahead(Timestamp::from_secs(100), &room), 0);
        }
    }
}
