//! Pages of results: `limit` and `offset` in, items and `total` out, as the public contract has it.

use serde::{Deserialize, Serialize};

use crate::Problem;

/// Which part of a list is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Paging {
    /// How many items at the most: 1 to 100.
    pub limit: u32,
    /// How many to pass over: at most 10,000, since deeper pages cost more than anybody reads.
    pub offset: u32,
}

impl Default for Paging {
    fn default() -> Self {
        Self { limit: Self::DEFAULT_LIMIT, offset: 0 }
    }
}

impl Paging {
    /// What a list without `limit` gives.
    pub const DEFAULT_LIMIT: u32 = 20;
    /// The most items one answer holds.
    pub const MAX_LIMIT: u32 = 100;
    /// The deepest offset answered.
    pub const MAX_OFFSET: u32 = 10_000;

    /// What was asked for, when it is within the bounds; without a limit the usual one holds.
    ///
    /// # Errors
    /// As [`Paging::checked`].
    pub fn asked(limit: Option<u32>, offset: u32) -> Result<Self, Problem> {
        Self { limit: limit.unwrap_or(Self::DEFAULT_LIMIT), offset }.checked()
    }

    /// The same paging when it is within the bounds.
    ///
    /// # Errors
    /// A 422 [`Problem`] that names each field out of bounds.
    pub fn checked(self) -> Result<Self, Problem> {
        let mut problem = Problem::invalid("page.out_of_bounds", "This page cannot be shown.");
        if self.limit == 0 || self.limit > Self::MAX_LIMIT {
            problem = problem.field("/limit", "Ask for 1 to 100 items.");
        }
        if self.offset > Self::MAX_OFFSET {
            problem = problem.field("/offset", "At most 10,000; narrow the search instead.");
        }
        if problem.errors.is_empty() { Ok(self) } else { Err(problem) }
    }
}

/// One page of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Page<T> {
    /// The items of this page.
    pub items: Vec<T>,
    /// How many there are on all pages.
    pub total: u64,
}

impl<T> Page<T> {
    /// The same page with each item changed.
    pub fn map<U>(self, change: impl FnMut(T) -> U) -> Page<U> {
        Page { items: self.items.into_iter().map(change).collect(), total: self.total }
    }
}

crate::problems! {
    "page.out_of_bounds":
        "The list was asked for a part that it does not give: `limit` is 1 to 100 and `offset` has an upper bound.",
        "Only reading was tried. Nothing was changed.",
        "Ask for a smaller part, or narrow the list down by its filters.";
}
