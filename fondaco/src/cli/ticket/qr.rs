//! A QR code in the cells of a terminal: two modules, one above the other, in each.

/// Black on white, whatever the terminal's colours are: scanners read dark on light.
const BLACK_ON_WHITE: &str = "\x1b[30;107m";
const PLAIN: &str = "\x1b[0m";

/// Draws modules, of which `true` is dark. Without colours the light ones are drawn, for light text on a dark
/// ground; with `invert` the dark ones, for dark text on a light ground.
pub(super) fn draw(modules: &[Vec<bool>], in_colour: bool, invert: bool) -> Vec<String> {
    let inked = |row: Option<&Vec<bool>>, x: usize| {
        // Below an odd number of rows the ground goes on: light.
        let dark = row.and_then(|row| row.get(x)).copied().unwrap_or(false);
        dark == (in_colour || invert)
    };
    let width = modules.first().map_or(0, Vec::len);
    let line = |pair: &[Vec<bool>]| {
        let cell = |x| match (inked(pair.first(), x), inked(pair.get(1), x)) {
            (true, true) => '█',
            (true, false) => '▀',
            (false, true) => '▄',
            (false, false) => ' ',
        };
        let cells: String = (0..width).map(cell).collect();
        if in_colour { format!("{BLACK_ON_WHITE}{cells}{PLAIN}") } else { cells }
    };
    modules.chunks(2).map(line).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// What a reader sees: `true` is dark, of text that is drawn on a ground.
    fn read(rows: &[String], ink_is_dark: bool) -> Vec<Vec<bool>> {
        let half = |row: &str, inks: [char; 2]| {
            row.chars().map(|cell| inks.contains(&cell) == ink_is_dark).collect::<Vec<_>>()
        };
        rows.iter().flat_map(|row| [half(row, ['█', '▀']), half(row, ['█', '▄'])]).collect()
    }

    #[test]
    fn every_way_of_drawing_shows_the_same_modules() {
        let modules =
            tickets::modules("T1.a code as tickets have it, long enough to fill some rows").unwrap();
        assert_eq!(modules.len() % 2, 1);
        let mut expected = modules.clone();
        expected.push(vec![false; modules.len()]);
        assert_eq!(read(&draw(&modules, false, false), false), expected);
        assert_eq!(read(&draw(&modules, false, true), true), expected);
        let coloured = draw(&modules, true, false);
        let bare: Vec<String> = coloured
            .iter()
            .map(|row| row.strip_prefix(BLACK_ON_WHITE).unwrap().strip_suffix(PLAIN).unwrap().to_owned())
            .collect();
        assert_eq!(read(&bare, true), expected);
        assert_eq!(draw(&modules, true, true), coloured);
    }
}
