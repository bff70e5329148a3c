//! Events with seats, tickets with codes, check-in, waiting room.
