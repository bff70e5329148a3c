//! Short-lived tokens that need no row of their own: JSON Web Tokens (RFC 7519) signed with HMAC-SHA-256.
//!
//! Only what we sign ourselves is read, so there is one algorithm and no choice of it to be abused. The key is
//! found by its `kid`, so that a new secret can be brought in while tokens of the old one run out.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use kernel::{Secret, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::account::UserId;
use crate::sessions::SessionId;

/// The longest token that is looked at, in bytes. Ours have about 300.
const MAX_LEN: usize = 2048;

/// What is signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Claims {
    /// Who.
    pub sub: UserId,
    /// The session that ends when they sign out.
    pub sid: SessionId,
    /// Since when, in seconds since 1970.
    pub iat: i64,
    /// Until when, in seconds since 1970.
    pub exp: i64,
}

#[derive(Serialize, Deserialize)]
struct Header {
    alg: String,
    typ: String,
    kid: String,
}

struct Key {
    id: String,
    mac: Hmac<Sha256>,
}

/// The secrets: the first signs, all of them verify.
pub(crate) struct Keys(Vec<Key>);

impl Keys {
    pub(crate) fn new(secrets: &[Secret]) -> Self {
        let key = |secret: &Secret| {
            let mac = <Hmac<Sha256> as KeyInit>::new_from_slice(secret.expose().as_bytes()).ok()?;
            let id = hex::encode(&Sha256::digest(secret.expose().as_bytes())[..4]);
            Some(Key { id, mac })
        };
        Self(secrets.iter().filter_map(key).collect())
    }

    /// 32 bytes that only this program can make from `parts`; other for each `purpose`. Random without any secret.
    pub(crate) fn derive(&self, purpose: &str, parts: &[&str]) -> [u8; 32] {
        let Some(key) = self.0.first() else { return kernel::random_bytes() };
        let mut mac = key.mac.clone().chain_update(b"fondaco derives ");
        for part in std::iter::once(&purpose).chain(parts) {
            // The length keeps `ab`, `c` apart from `a`, `bc`.
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part.as_bytes());
        }
        mac.finalize().into_bytes().into()
    }

    /// The token for `claims`; `None` without any secret.
    pub(crate) fn sign(&self, claims: &Claims) -> Option<Secret> {
        let key = self.0.first()?;
        let header = Header { alg: "HS256".to_owned(), typ: "JWT".to_owned(), kid: key.id.clone() };
        let encode = |json: Vec<u8>| URL_SAFE_NO_PAD.encode(json);
        let signed = format!(
            "{}.{}",
            encode(serde_json::to_vec(&header).ok()?),
            encode(serde_json::to_vec(claims).ok()?)
        );
        let tag = key.mac.clone().chain_update(signed.as_bytes()).finalize().into_bytes();
        Some(Secret::new(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(tag))))
    }

    /// The claims of a token that one of our secrets signed and that has not run out.
    pub(crate) fn verify(&self, token: &str, now: Timestamp) -> Option<Claims> {
        if token.len() > MAX_LEN {
            return None;
        }
        let (signed, tag) = token.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        let header: Header = decode(header)?;
        if header.alg != "HS256" {
            return None;
        }
        let key = self.0.iter().find(|key| key.id == header.kid)?;
        let tag = URL_SAFE_NO_PAD.decode(tag).ok()?;
        // Compares in constant time.
        key.mac.clone().chain_update(signed.as_bytes()).verify_slice(&tag).ok()?;
        let claims: Claims = decode(claims)?;
        (now.secs() < claims.exp && claims.iat <= claims.exp).then_some(claims)
    }
}

fn decode<T: for<'a> Deserialize<'a>>(part: &str) -> Option<T> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
}

/// Whether a text has the form of a JWT: what does not start like ours is taken for something else.
pub(crate) fn looks_like_one(text: &str) -> bool {
    text.starts_with("eyJ") && text.bytes().filter(|b| *b == b'.').count() == 2
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn claims() -> Claims {
        Claims { sub: UserId::fresh(), sid: SessionId::fresh(), iat: 1000, exp: 2000 }
    }

    fn keys(secrets: &[&str]) -> Keys {
        Keys::new(&secrets.iter().map(|secret| Secret::new(*secret)).collect::<Vec<_>>())
    }

    const BEFORE: Timestamp = Timestamp::from_secs(1999);

    #[test]
    fn what_was_signed_is_read_until_it_runs_out() {
        let (keys, claims) = (keys(&["new", "old"]), claims());
        let token = keys.sign(&claims).unwrap();
        assert!(looks_like_one(token.expose()));
        assert_eq!(keys.verify(token.expose(), BEFORE), Some(claims));
        assert_eq!(keys.verify(token.expose(), Timestamp::from_secs(2000)), None);
    }

    #[test]
    fn a_secret_can_be_replaced_while_its_tokens_run_out() {
        let token = keys(&["old"]).sign(&claims()).unwrap();
        assert!(keys(&["new", "old"]).verify(token.expose(), BEFORE).is_some());
        assert!(keys(&["new"]).verify(token.expose(), BEFORE).is_none());
    }

    #[test]
    fn another_algorithm_or_none_is_refused() {
        let keys = keys(&["new"]);
        let token = keys.sign(&claims()).unwrap();
        let (_, rest) = token.expose().split_once('.').unwrap();
        let kid = &keys.0[0].id;
        for alg in ["none", "HS512", "RS256"] {
            let header = URL_SAFE_NO_PAD.encode(format!(r#"{{"alg":"{alg}","typ":"JWT","kid":"{kid}"}}"#));
            assert_eq!(keys.verify(&format!("{header}.{rest}"), BEFORE), None, "{alg}");
        }
    }

    proptest! {
        #[test]
        fn a_changed_token_is_refused(at in 0usize..300, with in any::<u8>()) {
            let keys = keys(&["new"]);
            let token = keys.sign(&claims()).unwrap();
            let mut bytes = token.expose().as_bytes().to_vec();
            let at = at % bytes.len();
            prop_assume!(bytes[at] != with);
            bytes[at] = with;
            if let Ok(changed) = String::from_utf8(bytes) {
                prop_assert_eq!(keys.verify(&changed, BEFORE), None);
            }
        }

        #[test]
        fn any_text_is_judged_without_panic(text in "\\PC{0,200}") {
            prop_assert_eq!(keys(&["new"]).verify(&text, BEFORE), None);
        }
    }
}
