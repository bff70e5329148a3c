//! Endpoints that are told what happened, signed and retried.
