//! Seals secrets that must be read again, so that the database alone tells nothing.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{Key as CipherKey, KeyInit, XChaCha20Poly1305, XNonce};
use kernel::Secret;
use sha2::{Digest, Sha256};
use thiserror::Error;

/// What stands before everything sealed; another scheme gets another number.
const SCHEME: &str = "v1";
/// The bytes of a nonce: so many that random ones never meet.
const NONCE: usize = 24;
/// The longest text that is sealed or opened, in bytes.
const MAX_LEN: usize = 256 << 10;

/// Why something sealed did not open, or was not sealed.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum VaultError {
    /// It was sealed with a key that is not configured (any more).
    #[error("it was sealed with another key: put that key back behind the new one")]
    UnknownKey,
    /// It was changed, cut off, or sealed for another purpose.
    #[error("it does not open: it was changed, or belongs elsewhere")]
    Damaged,
    /// Nothing of this size is kept sealed.
    #[error("it is too long to be sealed")]
    TooLong,
}

/// Seals and opens. Cheap enough to clone.
#[derive(Clone)]
pub struct Vault {
    keys: Vec<Key>,
}

#[derive(Clone)]
struct Key {
    /// The first characters of the key's digest: tells which key, not what it is.
    name: String,
    cipher: XChaCha20Poly1305,
}

impl Key {
    fn of(text: &str) -> Self {
        let digest = |label: &[u8]| Sha256::new().chain_update(label).chain_update(text).finalize();
        Self {
            name: URL_SAFE_NO_PAD.encode(&digest(b"fondaco vault name ")[..6]),
            cipher: XChaCha20Poly1305::new(&CipherKey::from(<[u8; 32]>::from(digest(b"fondaco vault key ")))),
        }
    }
}

impl Vault {
    /// `keys` are long random texts with commas between; the first seals, all open. `None` where there is none.
    #[must_use]
    pub fn new(keys: &Secret) -> Option<Self> {
        let words = keys.expose().split(',').map(str::trim);
        let keys: Vec<_> = words.filter(|word| !word.is_empty()).map(Key::of).collect();
        (!keys.is_empty()).then_some(Self { keys })
    }

    /// Seals `secret` for `purpose`, such as `webhook:webhook-1`: opening must name the same.
    ///
    /// # Errors
    /// [`VaultError::TooLong`] above 256 kB.
    pub fn seal(&self, purpose: &str, secret: &Secret) -> Result<String, VaultError> {
        let text = secret.expose().as_bytes();
        let key = self.keys.first().filter(|_| text.len() <= MAX_LEN).ok_or(VaultError::TooLong)?;
        let nonce = kernel::random_bytes::<NONCE>();
        let payload = Payload { msg: text, aad: purpose.as_bytes() };
        let sealed = key.cipher.encrypt(&XNonce::from(nonce), payload).map_err(|_| VaultError::TooLong)?;
        Ok(format!("{SCHEME}.{}.{}", key.name, URL_SAFE_NO_PAD.encode([&nonce[..], &sealed].concat())))
    }

    /// Opens what was sealed for `purpose`.
    ///
    /// # Errors
    /// [`VaultError::UnknownKey`], [`VaultError::Damaged`].
    pub fn open(&self, purpose: &str, sealed: &str) -> Result<Secret, VaultError> {
        let (name, bytes) = parts(sealed).ok_or(VaultError::Damaged)?;
        let key = self.keys.iter().find(|key| key.name == name).ok_or(VaultError::UnknownKey)?;
        let (nonce, sealed) = bytes.split_at_checked(NONCE).ok_or(VaultError::Damaged)?;
        let nonce = <[u8; NONCE]>::try_from(nonce).map_err(|_| VaultError::Damaged)?;
        let payload = Payload { msg: sealed, aad: purpose.as_bytes() };
        let text = key.cipher.decrypt(&XNonce::from(nonce), payload).map_err(|_| VaultError::Damaged)?;
        String::from_utf8(text).map(Secret::new).map_err(|_| VaultError::Damaged)
    }

    /// Whether it was sealed with another key than the one that seals now.
    #[must_use]
    pub fn is_old(&self, sealed: &str) -> bool {
        let first = self.keys.first().map(|key| key.name.as_str());
        parts(sealed).is_none_or(|(name, _)| Some(name) != first)
    }
}

/// The key's name, and the nonce with what was sealed.
fn parts(sealed: &str) -> Option<(&str, Vec<u8>)> {
    let (scheme, rest) = sealed.split_once('.')?;
    let (name, text) = rest.split_once('.')?;
    if scheme != SCHEME || text.len() > 2 * MAX_LEN {
        return None;
    }
    Some((name, URL_SAFE_NO_PAD.decode(text).ok()?))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn vault(keys: &str) -> Vault {
        Vault::new(&Secret::new(keys)).unwrap()
    }

    #[test]
    fn what_was_sealed_opens_for_its_purpose_only() {
        let vault = vault("first-key");
        let sealed = vault.seal("webhook:1", &Secret::new("whsec_x")).unwrap();
        assert!(!sealed.contains("whsec"));
        assert_ne!(sealed, vault.seal("webhook:1", &Secret::new("whsec_x")).unwrap());
        assert_eq!(vault.open("webhook:1", &sealed).unwrap().expose(), "whsec_x");
        assert_eq!(vault.open("webhook:2", &sealed), Err(VaultError::Damaged));
    }

    #[test]
    fn a_new_key_in_front_opens_what_the_old_one_sealed() {
        let sealed = vault("old").seal("p", &Secret::new("x")).unwrap();
        let rotated = vault("new, old");
        assert_eq!(rotated.open("p", &sealed).unwrap().expose(), "x");
        assert!(rotated.is_old(&sealed));
        assert!(!rotated.is_old(&rotated.seal("p", &Secret::new("x")).unwrap()));
        assert_eq!(vault("new").open("p", &sealed), Err(VaultError::UnknownKey));
        assert!(Vault::new(&Secret::new(" , \n")).is_none());
    }

    proptest! {
        #[test]
        fn anything_else_is_refused_without_panic(text in "(v1\\.[A-Za-z0-9_-]{0,10}\\.)?.{0,80}") {
            prop_assert!(vault("key").open("p", &text).is_err());
        }

        #[test]
        fn a_changed_byte_does_not_open(secret in ".{0,60}", at in 0usize..40, with in "[A-Za-z0-9]") {
            let vault = vault("key");
            let sealed = vault.seal("p", &Secret::new(secret)).unwrap();
            let start = sealed.rfind('.').unwrap() + 1 + at;
            let mut changed = sealed.clone();
            changed.replace_range(start..=start, &with);
            prop_assert!(changed == sealed || vault.open("p", &changed).is_err());
        }
    }
}
