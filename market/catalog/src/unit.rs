//! Units: things that there are once, such as seats.

use serde::{Deserialize, Serialize};

use crate::offer::OfferId;

kernel::id!(
    /// One unit.
    UnitId,
    "unit"
);
store::id_values!(UnitId);

store::words! {
    /// Where a unit is.
    #[derive(utoipa::ToSchema)]
    UnitState, "expected a unit state" {
        /// Can be claimed.
        Available = "available",
        /// In somebody's order, for a limited time.
        Held = "held",
        /// Bought.
        Sold = "sold",
        /// Taken off the market by its seller.
        Withdrawn = "withdrawn",
    }
}

/// A unit to be added to an offer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewUnit {
    /// As people read it, unique in its offer: `Stalls, row C, seat 12`.
    pub label: String,
    /// The part of the house.
    #[serde(default)]
    pub section: String,
    /// The row.
    #[serde(default)]
    pub row: String,
    /// The seat.
    #[serde(default)]
    pub seat: String,
    /// Where it stands in its row: neighbours differ by one.
    #[serde(default)]
    pub place: i32,
    /// Where it stands on the map, in units of the map.
    #[serde(default)]
    pub x: i32,
    /// Where it stands on the map, in units of the map.
    #[serde(default)]
    pub y: i32,
}

/// A unit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Unit {
    /// Its id.
    #[schema(value_type = String)]
    pub id: UnitId,
    /// The offer by which it is bought.
    #[schema(value_type = String)]
    pub offer_id: OfferId,
    /// As people read it.
    pub label: String,
    /// The part of the house.
    pub section: String,
    /// The row.
    pub row: String,
    /// The seat.
    pub seat: String,
    /// Where it stands in its row: neighbours differ by one.
    pub place: i32,
    /// Where it stands on the map.
    pub x: i32,
    /// Where it stands on the map.
    pub y: i32,
    /// Where it is.
    pub state: UnitState,
    /// Who holds it or bought it: an id of the room above. For that room only.
    #[serde(skip)]
    pub holder: Option<String>,
}

store::row!(Unit { id, offer_id, label, section, row, seat, place, x, y, state, holder });
