//! Guesses are counted before they are checked, per name and per address, and stored: neither many at once nor
//! a restart gives an attacker more of them.

use std::net::IpAddr;
use std::time::Duration;

use kernel::Timestamp;
use sha2::{Digest, Sha256};
use store::{StoreError, Tx, args};

use crate::error::IdentityError;
use crate::sql;

/// After this long without a wrong guess, the earlier ones are forgotten.
pub(crate) const FORGET_AFTER: Duration = Duration::from_secs(24 * 3600);
/// The longest wait.
const MAX_WAIT_SECONDS: u64 = 15 * 60;
/// How many guesses at one name cost no wait.
const FREE_PER_NAME: u32 = 5;
/// How many guesses from one address cost no wait: a whole office may sit behind it.
const FREE_PER_ADDRESS: u32 = 30;

/// What one guess counts against.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Guess {
    name: [u8; 32],
    address: [u8; 32],
}

impl Guess {
    /// A guess at `name`, as it was typed, from `client`. Whether such an account exists makes no difference.
    pub(crate) fn at(name: &str, client: IpAddr) -> Self {
        let digest = |kind: &str, text: &str| Sha256::digest(format!("{kind}:{text}").as_bytes()).into();
        Self {
            name: digest("name", &name.trim().to_lowercase()),
            address: digest("address", &network(client).to_string()),
        }
    }
}

/// The part of an address that belongs to one client: a home has a whole /64 of IPv6.
fn network(client: IpAddr) -> IpAddr {
    match client {
        IpAddr::V4(_) => client,
        IpAddr::V6(six) => match six.to_ipv4_mapped() {
            Some(four) => IpAddr::V4(four),
            None => IpAddr::V6((six.to_bits() & !u128::from(u64::MAX)).into()),
        },
    }
}

/// How long to wait after so many wrong guesses: 1 s, 2 s, 4 s and so on once the free ones are gone.
fn wait(failures: u32, free: u32) -> Duration {
    match failures.checked_sub(free) {
        None | Some(0) => Duration::ZERO,
        Some(over) => {
            Duration::from_secs(1u64.checked_shl(over - 1).unwrap_or(MAX_WAIT_SECONDS).min(MAX_WAIT_SECONDS))
        }
    }
}

/// Counts a guess before it is checked.
///
/// # Errors
/// [`IdentityError::Throttled`] when it comes too early; it is then not counted and must not be checked.
pub(crate) async fn count(tx: &mut Tx, guess: &Guess, now: Timestamp) -> Result<(), IdentityError> {
    for (key, free) in [(&guess.name, FREE_PER_NAME), (&guess.address, FREE_PER_ADDRESS)] {
        let known: Option<(u32, Timestamp, Timestamp)> = tx.first(&sql::FIND_GUESS, args![key]).await?;
        let failures = match known {
            Some((_, _, locked_until)) if locked_until > now => {
                let seconds = locked_until.since(now).as_secs_f64().ceil();
                // At most MAX_WAIT_SECONDS, so nothing is lost.
                return Err(IdentityError::Throttled { seconds: seconds as u64 });
            }
            Some((failures, last_at, _)) if now.since(last_at) < FORGET_AFTER => failures.saturating_add(1),
            _ => 1,
        };
        let locked_until = now.after(wait(failures, free));
        tx.execute(&sql::SET_GUESS, args![key, failures, now, locked_until]).await?;
    }
    Ok(())
}

/// The guess was right: the name starts afresh, the address gets this one back and no more, so that an
/// attacker's own account does not wash the others' guesses away.
pub(crate) async fn forgive(tx: &mut Tx, guess: &Guess) -> Result<(), StoreError> {
    tx.execute(&sql::DELETE_GUESS, args![guess.name]).await?;
    tx.execute(&sql::GIVE_BACK_GUESS, args![guess.address]).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn waits_double_up_to_a_quarter_of_an_hour() {
        let seconds = |failures| wait(failures, 5).as_secs();
        assert_eq!([0, 5, 6, 7, 8, 15, 16, 200].map(seconds), [0, 0, 1, 2, 4, 512, 900, 900]);
    }

    #[test]
    fn one_home_is_one_client() {
        let at = |text: &str| network(text.parse().unwrap()).to_string();
        assert_eq!(at("2001:db8:1:2:3:4:5:6"), at("2001:db8:1:2:ffff::1"));
        assert_ne!(at("2001:db8:1:2::1"), at("2001:db8:1:3::1"));
        assert_eq!(at("::ffff:192.0.2.1"), "192.0.2.1");
    }

    #[test]
    fn spelling_does_not_give_more_guesses() {
        let client = "192.0.2.1".parse().unwrap();
        assert_eq!(Guess::at(" Ada ", client).name, Guess::at("ada", client).name);
    }
}
