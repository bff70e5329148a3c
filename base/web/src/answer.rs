//! What answers of the JSON API have in common: lists, which part of them is asked for, and that something is done.

use kernel::{Page, Paging, Problem};
use serde::{Deserialize, Serialize};

use crate::Json;

/// `limit` and `offset`, as the public contract has them: a query that also stands in the description of the API.
#[derive(Clone, Copy, Debug, Deserialize, utoipa::IntoParams)]
#[serde(default)]
pub struct Part {
    /// How many items at the most: 1 to 100.
    pub limit: u32,
    /// How many to pass over: at most 10,000.
    pub offset: u32,
}

impl Default for Part {
    fn default() -> Self {
        let Paging { limit, offset } = Paging::default();
        Self { limit, offset }
    }
}

impl Part {
    /// The same as [`Paging`], when it is within the bounds.
    ///
    /// # Errors
    /// As [`Paging::checked`].
    pub fn checked(self) -> Result<Paging, Problem> {
        Paging { limit: self.limit, offset: self.offset }.checked()
    }
}

/// One page of a list.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct Listed<T> {
    /// The items of this page.
    pub items: Vec<T>,
    /// How many there are on all pages.
    pub total: u64,
}

impl<T> Listed<T> {
    /// A list that is one page.
    pub fn whole<U: Into<T>>(items: Vec<U>) -> Self {
        Self { total: items.len() as u64, items: items.into_iter().map(Into::into).collect() }
    }

    /// A page of things that become what is shown.
    pub fn page<U: Into<T>>(page: Page<U>) -> Self {
        Self::of(page, Into::into)
    }

    /// A page of things, each shown by `view`.
    pub fn of<U>(page: Page<U>, view: impl FnMut(U) -> T) -> Self {
        let Page { items, total } = page.map(view);
        Self { items, total }
    }
}

/// The answer of what has nothing to tell.
#[derive(Clone, Copy, Debug, Serialize, utoipa::ToSchema)]
pub struct Done {
    /// Always true.
    ok: bool,
}

/// It is done.
pub const DONE: Json<Done> = Json(Done { ok: true });
