//! The figures beside what they should reach.

use std::fmt;

/// One measured figure with its target.
pub(crate) struct Figure {
    pub(crate) name: String,
    pub(crate) value: f64,
    pub(crate) target: Target,
    /// What the value was made of, such as the two rates of a ratio.
    pub(crate) detail: String,
}

#[derive(Clone, Copy)]
pub(crate) enum Target {
    AtLeast(f64),
    AtMost(f64),
    /// Only to compare with.
    Shown,
}

impl Figure {
    fn is_reached(&self) -> bool {
        match self.target {
            Target::AtLeast(bound) => self.value >= bound,
            Target::AtMost(bound) => self.value <= bound,
            Target::Shown => true,
        }
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (sign, bound) = match self.target {
            Target::AtLeast(bound) => ("≥", bound),
            Target::AtMost(bound) => ("≤", bound),
            Target::Shown => {
                return write!(f, "{:<44} {:>9.2}  {:<18} {}", self.name, self.value, "", self.detail);
            }
        };
        let word = if self.is_reached() { "reached" } else { "missed" };
        write!(f, "{:<44} {:>9.2}  {sign} {bound:<7} {word:<8} {}", self.name, self.value, self.detail)
    }
}

/// Prints the figures; true if each reaches its target.
pub(crate) fn print(figures: &[Figure]) -> bool {
    println!("\n{:<44} {:>9}  {:<9} {:<8} detail", "figure", "value", "target", "");
    for figure in figures {
        println!("{figure}");
    }
    let targets = figures.iter().filter(|figure| !matches!(figure.target, Target::Shown)).count();
    let missed = figures.iter().filter(|figure| !figure.is_reached()).count();
    println!("\n{} of {targets} targets reached", targets - missed);
    missed == 0
}

/// The middle value; the mean of the two middle ones where their number is even, 0 where there is none.
pub(crate) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => 0.0,
        odd if odd % 2 == 1 => sorted[middle],
        _ => f64::midpoint(sorted[middle - 1], sorted[middle]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_any_number_of_values() {
        assert!((median(&[3.0, 1.0, 2.0]) - 2.0).abs() < f64::EPSILON);
        assert!((median(&[4.0, 1.0, 2.0, 3.0]) - 2.5).abs() < f64::EPSILON);
        assert!(median(&[]).abs() < f64::EPSILON);
    }

    #[test]
    fn targets_have_a_direction() {
        let figure = |value, target| Figure { name: String::new(), value, target, detail: String::new() };
        assert!(figure(0.5, Target::AtLeast(0.5)).is_reached());
        assert!(!figure(0.4, Target::AtLeast(0.5)).is_reached());
        assert!(figure(59.0, Target::AtMost(60.0)).is_reached());
        assert!(!figure(61.0, Target::AtMost(60.0)).is_reached());
    }
}
