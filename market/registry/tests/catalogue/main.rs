//! Search, JSON API and pages in process, on both databases.

mod api;
#[path = "../npm/bench.rs"]
#[allow(dead_code)] // The tests of the npm protocol use the rest.
mod bench;
mod catalogue;
mod page;
mod search;
mod speed;
mod upstream_policy;
