//! fondaco
fn main() {}
