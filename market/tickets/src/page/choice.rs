//! What a visitor chose, as part of an address: it is still chosen after signing in, without a cookie or script, and
//! nothing is stored for somebody who has no name yet.

use catalog::{OfferId, Unit, UnitId, UnitState, Want};
use kernel::Problem;
use serde::Deserialize;
use web::face::FormState;

use crate::EventId;
use crate::browse::EventView;
use crate::error::TicketError;
use crate::event::Category;

/// Seats and numbers of tickets, as the address says them. Ids stand without what all of their kind begin with, so
/// that a hundred seats fit.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
pub(super) struct Choice {
    /// Units with dots between.
    #[serde(default)]
    seats: String,
    /// `offer_number`, with dots between.
    #[serde(default)]
    take: String,
}

impl Choice {
    /// What somebody wants to order.
    pub(super) fn of(wants: &[Want]) -> Self {
        let seats = wants.iter().flat_map(|want| &want.units).map(|unit| bare(unit.as_str()).to_owned());
        let some = wants.iter().filter(|want| want.units.is_empty());
        let take = some.map(|want| format!("{}_{}", bare(want.offer.as_str()), want.quantity));
        Self { seats: seats.collect::<Vec<_>>().join("."), take: take.collect::<Vec<_>>().join(".") }
    }

    /// Whether nothing was chosen.
    pub(super) fn is_empty(&self) -> bool {
        self.seats.is_empty() && self.take.is_empty()
    }

    /// The page of the event with this choice.
    pub(super) fn address(&self, event: &EventId) -> String {
        format!("/events/{event}?seats={}&take={}", self.seats, self.take)
    }

    /// The form of the event with as much of the choice as can still be had, and a word about the rest.
    pub(super) fn form(&self, view: &EventView, seats: &[(Category, Vec<Unit>)]) -> FormState {
        let (mut filled, mut is_gone) = (Vec::new(), false);
        let all = || seats.iter().flat_map(|(_, units)| units);
        for id in
            parts(&self.seats).filter_map(|id| format!("{}-{id}", UnitId::PREFIX).parse::<UnitId>().ok())
        {
            match all().find(|unit| unit.id == id && unit.state == UnitState::Available) {
                Some(unit) => filled.push(("seat".to_owned(), format!("{}/{}", unit.offer_id, unit.id))),
                None => is_gone = true,
            }
        }
        for (id, count) in parts(&self.take).filter_map(|part| part.split_once('_')) {
            let (offer, count) = (format!("{}-{id}", OfferId::PREFIX), count.parse::<u32>().unwrap_or(0));
            let category = view.categories.iter().find(|category| category.offer.as_str() == offer);
            let left = category.filter(|category| category.is_active).map_or(0, Category::left);
            is_gone |= left < count;
            filled.push((format!("quantity-{offer}"), count.min(left).to_string()));
        }
        let filled: Vec<_> = filled.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let form = FormState::with(&filled);
        if !is_gone {
            return form;
        }
        let words =
            "Some of it was taken meanwhile. What is left of it is still chosen: add to it, or reserve that.";
        form.failed(&Problem::from(TicketError::field("/seat", words)))
    }
}

/// What comes after the kind of an id.
fn bare(id: &str) -> &str {
    id.split_once('-').map_or(id, |(_, rest)| rest)
}

/// As many parts as an order can have lines.
fn parts(text: &str) -> impl Iterator<Item = &str> {
    text.split('.').filter(|part| !part.is_empty()).take(100)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_hundred_seats_fit_into_the_way_to_go_on_after_the_sign_in() {
        let units: Vec<UnitId> = (0..100).map(|_| UnitId::fresh()).collect();
        let (seats, standing) = (OfferId::fresh(), OfferId::fresh());
        let wants = [Want { offer: seats, quantity: 100, units: units.clone() }, Want::some(standing, 2)];
        let address = Choice::of(&wants).address(&EventId::fresh());
        assert!(address.len() < 4_000, "{}", address.len());
        assert!(units.iter().all(|unit| address.contains(bare(unit.as_str()))));
    }
}
