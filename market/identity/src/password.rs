//! Passwords: which are acceptable, and their Argon2id hashes.

use std::sync::{Arc, OnceLock};

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use kernel::Secret;
use tokio::sync::Semaphore;

use crate::error::IdentityError;

/// The shortest password, in characters.
const MIN_CHARS: usize = 8;
/// The longest password, in bytes: hashing must not become a way to keep us busy.
const MAX_BYTES: usize = 256;
/// How many hashes are computed at once, each in 19 MiB.
const AT_ONCE: usize = 2;

/// Passwords of at least eight characters that stand at the top of every published list, in lower case.
const TOO_COMMON: &str = include_str!("common_passwords.txt");

/// Says what is wrong with a new password, if anything is. `names` are the account's own names, which are the
/// first guesses.
///
/// # Errors
/// The sentence to show beside the field.
pub(crate) fn check(password: &Secret, names: &[&str]) -> Result<(), &'static str> {
    let text = password.expose();
    if text.chars().count() < MIN_CHARS {
        return Err("Use at least 8 characters; a few words in a row are fine.");
    }
    if text.len() > MAX_BYTES {
        return Err("Use at most 256 bytes.");
    }
    let lower = text.to_lowercase();
    let one_character = lower.chars().all(|c| lower.starts_with(c));
    if one_character || TOO_COMMON.lines().any(|common| common == lower) {
        return Err("This password is among the first that are guessed. Choose another.");
    }
    if names.iter().any(|name| name.eq_ignore_ascii_case(text)) {
        return Err("Do not use your name or address as the password.");
    }
    Ok(())
}

/// What one hash costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    /// Memory in KiB.
    pub memory_kib: u32,
    /// How often the memory is gone through.
    pub passes: u32,
}

impl Default for Cost {
    /// OWASP's Password Storage Cheat Sheet: Argon2id with 19 MiB, 2 passes, 1 lane.
    fn default() -> Self {
        Self { memory_kib: 19 * 1024, passes: 2 }
    }
}

/// Computes and checks hashes, a few at a time and never on a thread that serves requests.
#[derive(Clone)]
pub(crate) struct Passwords {
    cost: Cost,
    permits: Arc<Semaphore>,
    dummy: Arc<OnceLock<String>>,
}

impl Passwords {
    pub(crate) fn new(cost: Cost) -> Self {
        Self { cost, permits: Arc::new(Semaphore::new(AT_ONCE)), dummy: Arc::default() }
    }

    /// The hash of a password, as a PHC string with its own salt.
    pub(crate) async fn hash(&self, password: Secret) -> Result<String, IdentityError> {
        let cost = self.cost;
        self.off_thread(move || hash(cost, &password)).await?
    }

    /// Whether `password` belongs to `stored`. Without a stored hash the answer is no, after as much work.
    pub(crate) async fn verify(
        &self,
        password: Secret,
        stored: Option<String>,
    ) -> Result<bool, IdentityError> {
        let (cost, dummy) = (self.cost, self.dummy.clone());
        let check = move || {
            let known = stored.is_some();
            let stored = match stored {
                Some(stored) => stored,
                None => dummy_hash(cost, &dummy)?,
            };
            // Longer ones were never accepted, and would only keep us busy.
            let candidate = if password.expose().len() <= MAX_BYTES { password.expose() } else { "" };
            let parsed = PasswordHash::new(&stored).map_err(|_| IdentityError::Hashing)?;
            Ok(Argon2::default().verify_password(candidate.as_bytes(), &parsed).is_ok() && known)
        };
        self.off_thread(check).await?
    }

    async fn off_thread<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, IdentityError> {
        let permit = self.permits.clone().acquire_owned().await.map_err(|_| IdentityError::Hashing)?;
        // The permit goes along, so that a caller who gives up does not let another hash start beside this one.
        let work = move || {
            let _permit = permit;
            work()
        };
        tokio::task::spawn_blocking(work).await.map_err(|_| IdentityError::Hashing)
    }
}

fn hash(cost: Cost, password: &Secret) -> Result<String, IdentityError> {
    let params = Params::new(cost.memory_kib, cost.passes, 1, None).map_err(|_| IdentityError::Hashing)?;
    let argon = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let salt = kernel::random_bytes::<16>();
    let hash = argon.hash_password_with_salt(password.expose().as_bytes(), &salt);
    Ok(hash.map_err(|_| IdentityError::Hashing)?.to_string())
}

/// A hash that nothing belongs to, for accounts that are not there.
fn dummy_hash(cost: Cost, dummy: &OnceLock<String>) -> Result<String, IdentityError> {
    if let Some(known) = dummy.get() {
        return Ok(known.clone());
    }
    let fresh = hash(cost, &Secret::new(kernel::random_text::<32>()))?;
    Ok(dummy.get_or_init(|| fresh).clone())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const CHEAP: Cost = Cost { memory_kib: 64, passes: 1 };

    #[test]
    fn easy_passwords_are_refused() {
        let long = "x".repeat(257);
        for easy in ["", "short", "password", "Password1", "11111111", "ADA-LOVELACE", long.as_str()] {
            assert!(check(&Secret::new(easy), &["ada-lovelace"]).is_err(), "{easy}");
        }
        for fine in ["correct horse", "ẞäöü€→✓½", "x-9-plum-tree"] {
            assert!(check(&Secret::new(fine), &["ada-lovelace"]).is_ok(), "{fine}");
        }
    }

    #[test]
    fn the_list_of_common_passwords_is_lower_case_and_long_enough() {
        assert!(TOO_COMMON.lines().count() >= 100);
        for line in TOO_COMMON.lines() {
            assert!(line == line.to_lowercase() && line.chars().count() >= MIN_CHARS, "{line}");
        }
    }

    #[tokio::test]
    async fn a_hash_is_checked_and_none_is_always_wrong() {
        let passwords = Passwords::new(CHEAP);
        let stored = passwords.hash(Secret::new("correct horse")).await.unwrap();
        assert!(stored.starts_with("$argon2id$v=19$m=64,t=1,p=1$"), "{stored}");
        assert!(passwords.verify(Secret::new("correct horse"), Some(stored.clone())).await.unwrap());
        assert!(!passwords.verify(Secret::new("wrong horse"), Some(stored)).await.unwrap());
        assert!(!passwords.verify(Secret::new("correct horse"), None).await.unwrap());
    }

    #[test]
    fn the_usual_cost_is_what_owasp_asks_for() {
        let stored = hash(Cost::default(), &Secret::new("correct horse")).unwrap();
        assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{stored}");
    }
}
