//! What is for sale: listings, offers, stock and units.
