//! What the component macros of `templates/parts/` are given.

use super::{Html, assets, escape};

/// An icon of the sprite, hidden from screen readers: it stands beside words. A name that the sprite lacks
/// shows nothing and is marked `data-missing-icon`, which tests of pages look for.
#[must_use]
pub fn icon(name: &str) -> Html {
    let Some(symbol) = assets::icon(name) else {
        return Html::trusted(format!(
            r#"<svg class="i" aria-hidden="true" data-missing-icon="{}"></svg>"#,
            escape(name)
        ));
    };
    Html::trusted(format!(r#"<svg class="i" aria-hidden="true"><use href="{symbol}"/></svg>"#))
}

/// Whether the sprite has this icon: for names that come from outside.
#[must_use]
pub fn has_icon(name: &str) -> bool {
    assets::icon(name).is_some()
}

/// One choice of a select or a group of check boxes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Choice {
    /// What the form sends.
    pub value: String,
    /// The words.
    pub label: String,
    /// What it means, below the words; may be empty.
    pub hint: String,
}

impl Choice {
    /// A choice.
    #[must_use]
    pub fn new(value: &str, label: &str, hint: &str) -> Self {
        Self { value: value.to_owned(), label: label.to_owned(), hint: hint.to_owned() }
    }
}

/// One way to install something: the tool's name and its command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// The tool, as people call it.
    pub tool: String,
    /// The command without `$`.
    pub line: String,
}

impl Command {
    /// A command.
    #[must_use]
    pub fn new(tool: &str, line: impl Into<String>) -> Self {
        Self { tool: tool.to_owned(), line: line.into() }
    }
}

/// One part of a score.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScorePart {
    /// The words.
    pub label: String,
    /// How much it counts, in percent.
    pub weight_percent: u8,
    /// 0 to 100; `None` is shown as "No data", never as 0.
    pub value: Option<u8>,
}

/// A score from 0 to 100 with its parts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Score {
    /// 0 to 100; `None` while nothing is known.
    pub total: Option<u8>,
    /// What it is made of.
    pub parts: Vec<ScorePart>,
}

/// One link of a row of tabs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tab {
    /// The words.
    pub label: String,
    /// Where it leads.
    pub href: String,
    /// A count beside the words; may be empty.
    pub count: String,
    /// Whether it is the one being looked at.
    pub current: bool,
}

impl Tab {
    /// A tab.
    #[must_use]
    pub fn new(label: &str, href: impl Into<String>, count: impl Into<String>, current: bool) -> Self {
        Self { label: label.to_owned(), href: href.into(), count: count.into(), current }
    }
}

/// One line of an order: what, a note below it (may be empty), and its amount with the currency.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OrderLine {
    /// The words.
    pub label: String,
    /// Details: a date, a seat, how the fee is made up.
    pub note: String,
    /// The amount as people read it: `$64.00`.
    pub amount: String,
}

impl OrderLine {
    /// A line.
    #[must_use]
    pub fn new(label: &str, note: &str, amount: impl Into<String>) -> Self {
        Self { label: label.to_owned(), note: note.to_owned(), amount: amount.into() }
    }
}

/// One step of a way that has a few, such as a checkout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The words.
    pub label: String,
    /// Whether it lies behind.
    pub done: bool,
    /// Whether it is the one to take now.
    pub current: bool,
}

/// The steps called `names` with the one to take now, counted from 0; `at` past the last means all are done.
#[must_use]
pub fn steps(names: &[&str], at: usize) -> Vec<Step> {
    let step = |(i, name): (usize, &&str)| Step { label: (*name).to_owned(), done: i < at, current: i == at };
    names.iter().enumerate().map(step).collect()
}

/// How the state of an order, a payment, a payout or a ticket is shown: its words and the class of the pill.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// The words.
    pub label: String,
    /// "" (good), warn (in between), bad (failed) or idle (over, nothing to do).
    pub kind: &'static str,
}

impl State {
    /// The look of a state's code, such as `awaiting_payment`. A code that is not known here is shown as words,
    /// hollow: never as good or bad.
    #[must_use]
    pub fn of(code: &str) -> Self {
        let kind = match code {
            "paid" | "captured" | "complete" | "completed" | "succeeded" | "active" | "settled" | "valid"
            | "open" | "running" | "published" => "",
            "created" | "held" | "pending" | "awaiting_payment" | "authorized" | "authorised"
            | "submitted" | "reserved" | "opened" | "processing" | "unknown" | "requires_action"
            | "requires_capture" | "partially_refunded" | "past_due" | "disputed" => "warn",
            "failed" | "declined" | "chargeback" | "rejected" => "bad",
            _ => "idle",
        };
        let words = code.replace('_', " ");
        let mut letters = words.chars();
        let label = letters.next().map_or_else(String::new, |c| c.to_uppercase().chain(letters).collect());
        Self { label, kind }
    }
}

/// One row of a plan of seats.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SeatRow {
    /// What the row is called: `C`.
    pub label: String,
    /// Its seats from left to right.
    pub seats: Vec<Seat>,
}

/// One seat of a plan.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seat {
    /// What the form sends.
    pub value: String,
    /// What stands on it: `14`. Nothing where there is no seat: a gap of its width.
    pub label: String,
    /// All of it in words, for screen readers and on hover: `Row C, seat 14, $64.00`, or `…, taken`.
    pub words: String,
    /// The colour of its price, 1 to 5.
    pub tier: u8,
    /// Whether it can be chosen.
    pub is_free: bool,
    /// Whether there is an aisle to its left.
    pub aisle_before: bool,
}

/// Where a list stands among its pages, with the addresses of those before and after it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pager {
    /// "21 to 40 of 1,204".
    pub words: String,
    /// The page before.
    pub previous: Option<String>,
    /// The page after.
    pub next: Option<String>,
}

impl Pager {
    /// A pager for `limit` items from `offset` of `total`; `base` is the address of the list up to where
    /// `offset=` is added, so it ends with `?` or `&`.
    #[must_use]
    pub fn new(base: &str, limit: u32, offset: u32, shown: usize, total: u64) -> Self {
        let count = |n: u64| super::text::count(n);
        let (first, last) = (u64::from(offset) + 1, u64::from(offset) + shown as u64);
        let words = match shown {
            0 => format!("0 of {}", count(total)),
            _ if shown as u64 == total => format!("All {}", count(total)),
            _ => format!("{} to {} of {}", count(first), count(last), count(total)),
        };
        Self {
            words,
            previous: (offset > 0).then(|| format!("{base}offset={}", offset.saturating_sub(limit))),
            next: (last < total).then(|| format!("{base}offset={}", offset.saturating_add(limit))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pager_leads_both_ways_and_stops_at_the_ends() {
        let middle = Pager::new("/search?q=a&", 20, 20, 20, 1_204);
        assert_eq!(middle.words, "21 to 40 of 1,204");
        assert_eq!(middle.previous.as_deref(), Some("/search?q=a&offset=0"));
        assert_eq!(middle.next.as_deref(), Some("/search?q=a&offset=40"));
        let only = Pager::new("/x?", 20, 0, 3, 3);
        assert_eq!((only.words.as_str(), only.previous, only.next), ("All 3", None, None));
        assert_eq!(Pager::new("/x?", 20, 40, 0, 3).words, "0 of 3");
    }

    #[test]
    fn a_state_that_nobody_knows_is_neither_good_nor_bad() {
        let look = |code| State::of(code);
        assert_eq!((look("paid").kind, look("unknown").kind, look("failed").kind), ("", "warn", "bad"));
        assert_eq!(look("awaiting_payment").label, "Awaiting payment");
        assert_eq!(look("sold_to_mars"), State { label: "Sold to mars".to_owned(), kind: "idle" });
        assert_eq!(look("").label, "");
    }

    #[test]
    fn an_icon_that_is_missing_is_marked_and_escaped() {
        assert!(icon("check").as_str().contains("#check"));
        let missing = icon("\"><script>");
        assert!(missing.as_str().contains("data-missing-icon") && !missing.as_str().contains("<script>"));
    }
}
