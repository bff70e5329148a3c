//! API tokens: `elk_`, 30 random characters, and 6 that are their checksum, so that scanners for leaked secrets
//! can tell a token from a text that looks like one. Stored is only the SHA-256.

use std::time::Duration;

use ipnet::IpNet;
use kernel::{Secret, Timestamp};
use serde_json::json;
use sha2::{Digest, Sha256};
use store::{Tx, args};

use crate::Identity;
use crate::account::UserId;
use crate::actor::{Actor, Caller};
use crate::audit::{self, Outcome};
use crate::error::IdentityError;
use crate::events::{TokenCreated, TokenRevoked};
use crate::permission::{Action, Denied, Subject};
use crate::scope::Scopes;
use crate::sessions::SessionId;
use crate::sql;

kernel::id!(
    /// Names an API token in lists, logs and the audit trail. It is no secret.
    TokenId,
    "token"
);
store::id_values!(TokenId);

/// What every API token starts with.
pub const PREFIX: &str = "elk_";
const BODY_LEN: usize = 30;
const CHECKSUM_LEN: usize = 6;
const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// The most live tokens of one account.
const MAX_TOKENS: u64 = 200;
/// The longest a token can live.
const MAX_LIFE: Duration = Duration::from_secs(5 * 366 * 86_400);

/// A token text made from 32 bytes that must be secret; the same bytes give the same token.
pub(crate) fn text_from(seed: [u8; 32]) -> Secret {
    let mut text = String::with_capacity(PREFIX.len() + BODY_LEN + CHECKSUM_LEN);
    text.push_str(PREFIX);
    // 248 is 4 · 62: bytes above it would make the first characters likelier than the others.
    let stream = (0u32..).flat_map(|block| {
        let digest: [u8; 32] =
            Sha256::new().chain_update(seed).chain_update(block.to_be_bytes()).finalize().into();
        digest
    });
    text.extend(
        stream
            .filter(|byte| *byte < 248)
            .take(BODY_LEN)
            .map(|byte| char::from(BASE62[usize::from(byte) % 62])),
    );
    let checksum = checksum(&text);
    text.push_str(&checksum);
    Secret::new(text)
}

fn checksum(text: &str) -> String {
    let mut rest = crc32fast::hash(text.as_bytes());
    let mut digits = [b'0'; CHECKSUM_LEN];
    for digit in digits.iter_mut().rev() {
        *digit = BASE62[(rest % 62) as usize];
        rest /= 62;
    }
    digits.into_iter().map(char::from).collect()
}

/// Whether a text can be an API token at all: the right length and checksum.
#[must_use]
pub fn is_well_formed(text: &str) -> bool {
    text.len() == PREFIX.len() + BODY_LEN + CHECKSUM_LEN
        && text.starts_with(PREFIX)
        && text.is_ascii()
        && checksum(&text[..PREFIX.len() + BODY_LEN]) == text[PREFIX.len() + BODY_LEN..]
}

pub(crate) fn hash(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}

/// What a new token should be.
#[derive(Clone, Debug)]
pub struct NewToken {
    /// What its owner calls it: 1 to 100 characters.
    pub name: String,
    /// What it may do.
    pub scopes: Scopes,
    /// The networks it may be used from; empty for any.
    pub cidrs: Vec<IpNet>,
    /// When it ends; `None` for never.
    pub expires_at: Option<Timestamp>,
}

impl NewToken {
    /// A token that may do all that a person with its roles may, for as long as `life`.
    pub fn full(name: impl Into<String>, now: Timestamp, life: Duration) -> Self {
        let expires_at = Some(now.after(life));
        Self { name: name.into(), scopes: Scopes::all(), cidrs: Vec::new(), expires_at }
    }

    fn check(&self, now: Timestamp) -> Result<(), IdentityError> {
        if self.name.trim().is_empty()
            || self.name.chars().count() > 100
            || self.name.contains(char::is_control)
        {
            return Err(IdentityError::field("/name", "Give it a name of 1 to 100 characters."));
        }
        if self.cidrs.len() > 50 {
            return Err(IdentityError::field("/cidrs", "List at most 50 networks."));
        }
        let end = self.expires_at.unwrap_or(now.after(MAX_LIFE));
        if end <= now || end > now.after(MAX_LIFE) {
            return Err(IdentityError::field(
                "/expiresAt",
                "Choose a time in the future, at most five years ahead.",
            ));
        }
        Ok(())
    }
}

/// A token as its owner sees it: everything but the secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// Its id.
    pub id: TokenId,
    /// Whose it is.
    pub user: UserId,
    /// What its owner calls it.
    pub name: String,
    /// The first characters of the secret.
    pub hint: String,
    /// What it may do.
    pub scopes: Scopes,
    /// The networks it may be used from; empty for any.
    pub cidrs: Vec<IpNet>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Option<Timestamp>,
    /// When it was last used, to about five minutes.
    pub last_used_at: Option<Timestamp>,
    /// From where it was last used.
    pub last_used_from: Option<String>,
}

/// A new token with its secret, which is shown this once.
#[derive(Clone, Debug)]
pub struct CreatedToken {
    /// What is kept of it.
    pub token: Token,
    /// The token itself.
    pub secret: Secret,
}

/// Makes a token for `user` within a transaction: for use cases that give one besides. Permissions are the
/// caller's matter. `seed` is where its text comes from: fresh random bytes, or bytes derived from a secret so that a
/// repeated request gets the same token.
pub(crate) async fn insert(
    tx: &mut Tx,
    by: &Caller,
    user: &UserId,
    session: Option<&SessionId>,
    new: &NewToken,
    seed: [u8; 32],
) -> Result<CreatedToken, IdentityError> {
    let now = by.now();
    new.check(now)?;
    let (live,): (u64,) = tx.one(&sql::COUNT_TOKENS, args![user, now]).await?;
    if live >= MAX_TOKENS {
        return Err(IdentityError::TooMany("token"));
    }
    let secret = text_from(seed);
    let token = Token {
        id: TokenId::fresh(),
        user: user.clone(),
        name: new.name.trim().to_owned(),
        hint: secret.expose().chars().take(PREFIX.len() + 4).collect(),
        scopes: new.scopes.clone(),
        cidrs: new.cidrs.clone(),
        created_at: now,
        expires_at: new.expires_at,
        last_used_at: None,
        last_used_from: None,
    };
    let (hash, scopes) = (hash(secret.expose()), token.scopes.to_string());
    let cidrs = token.cidrs.iter().map(IpNet::to_string).collect::<Vec<_>>().join(" ");
    let row =
        args![token.id, user, session, token.name, hash, token.hint, scopes, cidrs, now, token.expires_at];
    tx.execute(&sql::INSERT_TOKEN, row).await?;
    let details = json!({"name": token.name, "scopes": scopes, "owner": user, "expiresAt": token.expires_at});
    audit::record(tx, by, "token.created", token.id.as_str(), Outcome::Done, &details).await?;
    let event =
        TokenCreated { token_id: token.id.clone(), user_id: user.clone(), name: token.name.clone(), scopes };
    events::append(tx, now, &event).await?;
    Ok(CreatedToken { token, secret })
}

impl Identity {
    /// Makes a token for the caller. A token made with a token may not do more, nor live longer, than that one.
    ///
    /// # Errors
    /// [`IdentityError::Invalid`], [`IdentityError::Denied`], [`IdentityError::TooMany`].
    pub async fn create_token(&self, by: &Caller, new: NewToken) -> Result<CreatedToken, IdentityError> {
        let by = by.clone();
        let seed = kernel::random_bytes();
        self.store.write(async move |tx: &mut Tx| create_in(tx, &by, &new, seed).await).await
    }

    /// The caller's tokens that still work, newest first.
    ///
    /// # Errors
    /// [`IdentityError::NotSignedIn`], [`IdentityError::Denied`].
    pub async fn tokens(&self, by: &Caller) -> Result<Vec<Token>, IdentityError> {
        let user = own_account(by)?.user.clone();
        self.tokens_of(user, by.now()).await
    }

    pub(crate) async fn tokens_of(&self, user: UserId, now: Timestamp) -> Result<Vec<Token>, IdentityError> {
        self.store.read(async move |tx: &mut Tx| Ok(tx.all(&sql::LIST_TOKENS, args![user, now]).await?)).await
    }

    /// Revokes a token: one's own, or as an operator anybody's. Works at once in this process, within five seconds
    /// in others.
    ///
    /// # Errors
    /// [`IdentityError::NotFound`] when there is no such live token that the caller may revoke.
    pub async fn revoke_token(&self, by: &Caller, token: TokenId) -> Result<(), IdentityError> {
        let (by, identity) = (by.clone(), self.clone());
        let revoke = async move |tx: &mut Tx| {
            let owner: Option<(UserId,)> = tx.first(&sql::FIND_TOKEN_OWNER, args![token]).await?;
            let Some((owner,)) = owner else { return Err(IdentityError::NotFound("token")) };
            revoke_in(tx, &identity, &by, &owner, &token).await
        };
        self.store.write(revoke).await
    }

    /// Revokes the token with this very text, if it is the caller's own: signing out of a command line.
    ///
    /// # Errors
    /// [`IdentityError::NotFound`] when there is no such live token of the caller.
    pub async fn revoke_token_text(&self, by: &Caller, text: &str) -> Result<(), IdentityError> {
        let (by, identity, hash) = (by.clone(), self.clone(), hash(text));
        let revoke = async move |tx: &mut Tx| {
            let known: Option<(TokenId, UserId)> = tx.first(&sql::FIND_TOKEN_BY_HASH, args![hash]).await?;
            let Some((token, owner)) =
                known.filter(|(_, owner)| by.actor.as_ref().is_some_and(|actor| actor.user == *owner))
            else {
                return Err(IdentityError::NotFound("token"));
            };
            revoke_in(tx, &identity, &by, &owner, &token).await
        };
        self.store.write(revoke).await
    }
}

/// The caller, where it may deal with its own tokens.
pub(crate) fn own_account(by: &Caller) -> Result<&Actor, IdentityError> {
    let actor = by.account()?;
    by.may(Action::EditAccount, &Subject::Account(&actor.user))
}

pub(crate) async fn create_in(
    tx: &mut Tx,
    by: &Caller,
    new: &NewToken,
    seed: [u8; 32],
) -> Result<CreatedToken, IdentityError> {
    let actor = own_account(by)?;
    if !actor.scopes.includes(&new.scopes) {
        return Err(Denied::Restricted.into());
    }
    let mut new = new.clone();
    if let Some(parent) = actor.token() {
        let (ends, cidrs): (Option<Timestamp>, String) =
            tx.one(&sql::FIND_TOKEN_BOUNDS, args![parent]).await?;
        new.expires_at = match (new.expires_at, ends) {
            (Some(wanted), Some(ends)) => Some(wanted.min(ends)),
            (wanted, ends) => wanted.or(ends),
        };
        if new.cidrs.is_empty() {
            new.cidrs = parse_cidrs(&cidrs);
        }
    }
    insert(tx, by, &actor.user, None, &new, seed).await
}

/// Revokes a token for good. A token restricted in scope may always revoke itself.
pub(crate) async fn revoke_in(
    tx: &mut Tx,
    identity: &Identity,
    by: &Caller,
    owner: &UserId,
    token: &TokenId,
) -> Result<(), IdentityError> {
    let allowed = by.token() == Some(token) || by.may(Action::EditAccount, &Subject::Account(owner)).is_ok();
    by.account()?;
    if !allowed || tx.execute(&sql::REVOKE_TOKEN, args![token, by.now()]).await? == 0 {
        return Err(IdentityError::NotFound("token"));
    }
    identity.forget_after_commit(tx);
    audit::record(tx, by, "token.revoked", token.as_str(), Outcome::Done, &json!({"owner": owner})).await?;
    let event = TokenRevoked { token_id: token.clone(), user_id: owner.clone() };
    events::append(tx, by.now(), &event).await?;
    Ok(())
}

/// The networks of the text form; what was stored is well formed.
pub(crate) fn parse_cidrs(text: &str) -> Vec<IpNet> {
    text.split_ascii_whitespace().filter_map(|word| word.parse().ok()).collect()
}

/// A token that nobody has, for the tests of other modules.
#[cfg(test)]
pub(crate) fn example() -> Secret {
    text_from([1; 32])
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_token_is_told_from_what_looks_like_one() {
        let token = text_from(kernel::random_bytes());
        assert!(is_well_formed(token.expose()), "{}", token.expose());
        assert_eq!(token.expose().len(), 40);
        for wrong in ["", "elk_", &token.expose().replace("elk_", "npm_"), &format!("{}0", token.expose())] {
            assert!(!is_well_formed(wrong), "{wrong}");
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_token_and_another_another() {
        assert_eq!(text_from([7; 32]), text_from([7; 32]));
        assert_ne!(text_from([7; 32]), text_from([8; 32]));
    }

    proptest! {
        #[test]
        fn a_mistyped_token_is_noticed(seed in any::<[u8; 32]>(), at in 4usize..34, with in "[0-9A-Za-z]") {
            let token = text_from(seed);
            let mut text = token.expose().to_owned();
            prop_assume!(text[at..=at] != with);
            text.replace_range(at..=at, &with);
            prop_assert!(!is_well_formed(&text));
        }

        #[test]
        fn any_text_is_judged_without_panic(text in "\\PC{0,60}") {
            prop_assert!(!is_well_formed(&text));
            let _ = parse_cidrs(&text);
        }
    }
}
