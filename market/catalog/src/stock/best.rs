//! The best units that there are: neighbours where possible, in one section always.

use store::{Tx, args};

use super::claim::OnSale;
use crate::error::CatalogError;
use crate::sql;
use crate::unit::UnitId;

/// How many of the best available units are looked at first: enough to find neighbours in a house of any size
/// without reading all of it.
const FIRST_LOOK: u32 = 512;

/// A unit that could be given.
struct Seat {
    id: UnitId,
    section: String,
    row: String,
    place: i32,
}

store::row!(Seat { id, section, row, place });

/// Chooses `quantity` available units of an offer.
pub(super) async fn choose(
    tx: &mut Tx,
    on_sale: &OnSale,
    quantity: u32,
) -> Result<Vec<UnitId>, CatalogError> {
    let wanted = quantity as usize;
    for look in [FIRST_LOOK.max(quantity), u32::MAX] {
        let seats: Vec<Seat> = tx.all(&sql::LIST_BEST, args![on_sale.offer, look]).await?;
        let is_all = seats.len() < look as usize;
        let chosen = neighbours(&seats, wanted);
        let chosen = if is_all { chosen.or_else(|| together(&seats, wanted)) } else { chosen };
        if let Some(chosen) = chosen {
            return Ok(chosen.into_iter().map(|seat| seat.id.clone()).collect());
        }
        if is_all {
            return Err(CatalogError::SoldOut {
                offer: on_sale.offer.clone(),
                name: on_sale.name.clone(),
                left: largest_section(&seats),
            });
        }
    }
    Err(CatalogError::NotFound("offer"))
}

/// The best run of so many neighbours in one row; the best has the best first seat.
fn neighbours(seats: &[Seat], wanted: usize) -> Option<Vec<&Seat>> {
    let mut order: Vec<usize> = (0..seats.len()).collect();
    let key = |index: usize| seats.get(index).map(|seat| (&seat.section, &seat.row, seat.place));
    order.sort_by(|a, b| key(*a).cmp(&key(*b)));
    let runs = order.windows(wanted.max(1)).filter(|run| {
        run.windows(2).all(|pair| match pair {
            [a, b] => match (seats.get(*a), seats.get(*b)) {
                (Some(a), Some(b)) => {
                    a.section == b.section && a.row == b.row && a.place.checked_add(1) == Some(b.place)
                }
                _ => false,
            },
            _ => true,
        })
    });
    // Ranks of a run are positions in the list: the list comes best first.
    let best = runs.min_by_key(|run| run.iter().sum::<usize>())?;
    Some(best.iter().filter_map(|index| seats.get(*index)).collect())
}

/// So many units of one section, the best first, wherever they are in it.
fn together(seats: &[Seat], wanted: usize) -> Option<Vec<&Seat>> {
    let sections = seats.iter().map(|seat| &seat.section);
    let mut tried = Vec::new();
    for section in sections {
        if tried.contains(&section) {
            continue;
        }
        tried.push(section);
        let chosen: Vec<&Seat> = seats.iter().filter(|seat| &seat.section == section).take(wanted).collect();
        if chosen.len() == wanted {
            return Some(chosen);
        }
    }
    None
}

/// How many could be had together.
fn largest_section(seats: &[Seat]) -> u32 {
    let size = |section: &str| seats.iter().filter(|seat| seat.section == section).count();
    let sections: std::collections::BTreeSet<&str> = seats.iter().map(|seat| &*seat.section).collect();
    u32::try_from(sections.into_iter().map(size).max().unwrap_or(0)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// Seats as `section/row/place`, best first.
    fn seats(text: &str) -> Vec<Seat> {
        let seat = |(index, text): (usize, &str)| {
            let parts: Vec<&str> = text.split('/').collect();
            let [section, row, place] = parts[..] else { unreachable!() };
            let id = format!("unit-{index}").parse().unwrap();
            Seat { id, section: section.into(), row: row.into(), place: place.parse().unwrap() }
        };
        text.split_whitespace().enumerate().map(seat).collect()
    }

    fn chosen(found: Option<Vec<&Seat>>) -> Option<String> {
        let name = |seat: &&Seat| format!("{}/{}/{}", seat.section, seat.row, seat.place);
        found.map(|seats| seats.iter().map(name).collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn neighbours_are_the_best_run() {
        let house = seats("A/1/5 A/1/6 A/1/4 A/2/5 A/2/6 B/1/1 B/1/2 B/1/3 B/1/4");
        assert_eq!(chosen(neighbours(&house, 1)).unwrap(), "A/1/5");
        assert_eq!(chosen(neighbours(&house, 2)).unwrap(), "A/1/5 A/1/6");
        assert_eq!(chosen(neighbours(&house, 3)).unwrap(), "A/1/4 A/1/5 A/1/6");
        assert_eq!(chosen(neighbours(&house, 4)).unwrap(), "B/1/1 B/1/2 B/1/3 B/1/4");
        assert_eq!(chosen(neighbours(&house, 5)), None);
    }

    #[test]
    fn without_neighbours_one_section_is_kept() {
        let house = seats("A/1/1 B/1/1 B/3/1 B/1/3 A/1/9");
        assert_eq!(chosen(neighbours(&house, 2)), None);
        assert_eq!(chosen(together(&house, 2)).unwrap(), "A/1/1 A/1/9");
        assert_eq!(chosen(together(&house, 3)).unwrap(), "B/1/1 B/3/1 B/1/3");
        assert_eq!(chosen(together(&house, 4)), None);
        assert_eq!(largest_section(&house), 3);
    }
}
