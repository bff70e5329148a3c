//! What sellers earned and how it reaches them.
