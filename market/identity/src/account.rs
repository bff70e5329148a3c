//! Accounts: users and organisations, who share one namespace of names.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use kernel::Timestamp;
use serde::Serialize;

kernel::id!(
    /// A person or a machine that signs in.
    UserId,
    "user"
);
kernel::id!(
    /// An organisation: owns packages and has members, never signs in.
    OrgId,
    "org"
);
store::id_values!(UserId, OrgId);

/// A user or an organisation, by id: who sells, buys and owns.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct AccountId(Arc<str>);

impl AccountId {
    /// The text of the id.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The user that it is, if it is one.
    #[must_use]
    pub fn user(&self) -> Option<UserId> {
        self.0.parse().ok()
    }

    /// The organisation that it is, if it is one.
    #[must_use]
    pub fn organisation(&self) -> Option<OrgId> {
        self.0.parse().ok()
    }
}

impl From<&UserId> for AccountId {
    fn from(id: &UserId) -> Self {
        Self(id.as_str().into())
    }
}

impl From<&OrgId> for AccountId {
    fn from(id: &OrgId) -> Self {
        Self(id.as_str().into())
    }
}

impl FromStr for AccountId {
    type Err = kernel::IdError;

    fn from_str(text: &str) -> Result<Self, kernel::IdError> {
        kernel::check_id(OrgId::PREFIX, text).or_else(|_| kernel::check_id(UserId::PREFIX, text))?;
        Ok(Self(text.into()))
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

store::id_values!(AccountId);

/// Names that would read as the market itself, or collide with its paths.
const RESERVED: &[&str] = &[
    "about",
    "account",
    "accounts",
    "admin",
    "administrator",
    "anonymous",
    "api",
    "apps",
    "assets",
    "audit",
    "billing",
    "cargo",
    "docs",
    "everyone",
    "fondaco",
    "gems",
    "guest",
    "healthz",
    "help",
    "login",
    "logout",
    "maven2",
    "me",
    "metrics",
    "npm",
    "null",
    "official",
    "operator",
    "org",
    "orgs",
    "packages",
    "public",
    "pypi",
    "readyz",
    "register",
    "registry",
    "root",
    "search",
    "security",
    "services",
    "session",
    "settings",
    "setup",
    "signin",
    "signup",
    "static",
    "status",
    "support",
    "system",
    "team",
    "teams",
    "tickets",
    "undefined",
    "user",
    "users",
    "webhooks",
    "www",
];

/// The name of an account: 2 to 39 of `a-z`, `0-9` and single dashes or underscores inside.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name(Arc<str>);

impl Name {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether nobody may take this name, because it reads as the market itself or is one of its paths.
    #[must_use]
    pub fn is_reserved(&self) -> bool {
        RESERVED.binary_search(&self.as_str()).is_ok()
    }
}

impl FromStr for Name {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if !(2..=39).contains(&text.len()) {
            return Err("Use 2 to 39 characters.");
        }
        let inner = |b: u8| matches!(b, b'-' | b'_');
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        let bytes = text.as_bytes();
        if !bytes.iter().all(|&b| plain(b) || inner(b)) {
            return Err("Use lower-case letters, digits, dashes and underscores only.");
        }
        let ends = [bytes[0], bytes[bytes.len() - 1]];
        if ends.into_iter().any(inner) || bytes.windows(2).any(|pair| inner(pair[0]) && inner(pair[1])) {
            return Err("Put single dashes or underscores between letters or digits.");
        }
        Ok(Self(text.into()))
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An e-mail address as it was typed, with the key under which it is compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Email {
    /// As typed, without spaces around it.
    pub text: String,
    /// In lower case.
    pub key: String,
}

impl FromStr for Email {
    type Err = &'static str;

    /// Refuses what no mail server would take; whether the address exists, only a mail to it can tell.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const WRONG: &str = "Write an address such as ada@example.com.";
        let text = text.trim();
        let (local, domain) = text.rsplit_once('@').ok_or(WRONG)?;
        let strange =
            |c: char| c.is_control() || c.is_whitespace() || matches!(c, '<' | '>' | '"' | ',' | ';');
        let labels_are_fine = domain.split('.').all(|label| {
            !label.is_empty()
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.chars().all(|c| c.is_alphanumeric() || c == '-')
        });
        if local.is_empty() || text.len() > 254 || local.len() > 64 || text.contains(strange) {
            return Err(WRONG);
        }
        if local.contains('@') || !labels_are_fine {
            return Err(WRONG);
        }
        Ok(Self { text: text.to_owned(), key: text.to_lowercase() })
    }
}

/// A user as it is stored, without the password hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Its id.
    pub id: UserId,
    /// Its name.
    pub username: Arc<str>,
    /// What people call it; may be empty.
    pub display_name: String,
    /// Its address as typed.
    pub email: String,
    /// When somebody proved to read that address.
    pub email_verified_at: Option<Timestamp>,
    /// Since when it may do nothing.
    pub disabled_at: Option<Timestamp>,
    /// Counts the changes.
    pub version: i64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

store::row!(User {
    id,
    username,
    display_name,
    email,
    email_verified_at,
    disabled_at,
    version,
    created_at,
    updated_at
});

/// What everybody may see of an account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PublicAccount {
    /// Its id.
    pub id: String,
    /// `user` or `organisation`.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// What people call it.
    pub display_name: String,
}

store::row!(PublicAccount { id, kind, name, display_name });

/// The id of the user of this name, for other rooms to ask within their own transactions.
///
/// # Errors
/// [`store::StoreError`] as any statement.
pub async fn user_named(tx: &mut store::Tx, name: &str) -> Result<Option<UserId>, store::StoreError> {
    let found: Option<(UserId,)> = tx.first(&crate::sql::FIND_USER_BY_NAME, store::args![name]).await?;
    Ok(found.map(|(id,)| id))
}

/// What everybody may know of these accounts, in no order, for other rooms to name sellers and owners. Unknown ids
/// are left out; one statement for all of them.
///
/// # Errors
/// [`store::StoreError`] as any statement.
pub async fn accounts(
    tx: &mut store::Tx,
    ids: impl IntoIterator<Item = &AccountId>,
) -> Result<Vec<PublicAccount>, store::StoreError> {
    let ids = store::json_list(ids.into_iter().map(AccountId::as_str));
    tx.all(&crate::sql::LIST_ACCOUNTS, store::args![ids]).await
}

/// What everybody may know of these accounts as it was at a moment, for documents that were written then: they never
/// change. One statement for all of them.
///
/// # Errors
/// [`store::StoreError`] as any statement.
pub async fn accounts_at(
    tx: &mut store::Tx,
    at: Timestamp,
    ids: impl IntoIterator<Item = &AccountId>,
) -> Result<Vec<PublicAccount>, store::StoreError> {
    let ids = store::json_list(ids.into_iter().map(AccountId::as_str));
    tx.all(&crate::sql::LIST_ACCOUNTS_AT, store::args![ids, at]).await
}

/// A new name stands on documents that are written a little later: those that are written while it is changed, and
/// perhaps seen before the change can be, keep the old one.
const NEW_NAMES_AFTER: Duration = Duration::from_secs(2);

/// Changes what people call an account, and keeps what it was called.
pub(crate) async fn rename(
    tx: &mut store::Tx,
    now: Timestamp,
    id: &str,
    display_name: &str,
) -> Result<(), store::StoreError> {
    let until = now.after(NEW_NAMES_AFTER);
    tx.execute(&crate::sql::KEEP_FORMER_NAME, store::args![id, until, display_name]).await?;
    tx.execute(&crate::sql::SET_DISPLAY_NAME, store::args![id, display_name]).await?;
    Ok(())
}

/// What accounts are called, by their ids: what tables for operators show instead of ids.
#[derive(Clone, Debug, Default)]
pub struct Names(HashMap<String, PublicAccount>);

impl Names {
    /// What people call it; its id where nothing is known of it.
    #[must_use]
    pub fn of<'a>(&'a self, id: &'a AccountId) -> &'a str {
        match self.0.get(id.as_str()) {
            Some(account) if account.display_name.is_empty() => &account.name,
            Some(account) => &account.display_name,
            None => id.as_str(),
        }
    }

    /// Where operators see it; empty where they have no page of it.
    #[must_use]
    pub fn page(&self, id: &AccountId) -> String {
        let user = self.0.get(id.as_str()).filter(|account| account.kind == "user");
        user.map_or_else(String::new, |user| format!("/operator/users/{}", user.name))
    }
}

/// The names of these accounts, in one statement.
///
/// # Errors
/// [`store::StoreError`] as any statement.
pub async fn names(
    tx: &mut store::Tx,
    ids: impl IntoIterator<Item = &AccountId>,
) -> Result<Names, store::StoreError> {
    let found = accounts(tx, ids).await?;
    Ok(Names(found.into_iter().map(|account| (account.id.clone(), account)).collect()))
}

/// The account of this name, a user or an organisation.
///
/// # Errors
/// [`store::StoreError`] as any statement.
pub async fn account_named(
    tx: &mut store::Tx,
    name: &str,
) -> Result<Option<PublicAccount>, store::StoreError> {
    tx.first(&crate::sql::FIND_ACCOUNT_NAMED, store::args![name]).await
}

/// The administrator who is one for the longest time: in whose name the market itself sells, where nobody else is named.
///
/// # Errors
/// [`store::StoreError`] as any statement.
pub async fn first_administrator(tx: &mut store::Tx) -> Result<Option<UserId>, store::StoreError> {
    let found: Option<(UserId,)> = tx.first(&crate::sql::FIRST_ADMIN, &[]).await?;
    Ok(found.map(|(user,)| user))
}

/// Where to write to an account: a user's address; none for an organisation, and for who is disabled.
///
/// # Errors
/// [`store::StoreError`] as any statement.
pub async fn mail_address(
    tx: &mut store::Tx,
    account: &AccountId,
) -> Result<Option<String>, store::StoreError> {
    let found: Option<(String,)> = tx.first(&crate::sql::FIND_MAIL_ADDRESS, store::args![account]).await?;
    Ok(found.map(|(address,)| address))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reserved_names_are_sorted_and_found() {
        assert!(RESERVED.is_sorted());
        assert!("admin".parse::<Name>().unwrap().is_reserved());
        assert!(!"ada".parse::<Name>().unwrap().is_reserved());
    }

    #[test]
    fn names_that_could_be_mistaken_are_refused() {
        for name in
            ["a", "", "Ada", "-ada", "ada-", "a--b", "a_-b", "ada lovelace", "ädä", "../etc", &"a".repeat(40)]
        {
            assert!(name.parse::<Name>().is_err(), "{name}");
        }
        for name in ["ada", "a1", "ada-lovelace", "ada_l-2", &"a".repeat(39)] {
            assert!(name.parse::<Name>().is_ok(), "{name}");
        }
    }

    #[test]
    fn addresses() {
        assert_eq!(" Ada@Example.com ".parse::<Email>().unwrap().key, "ada@example.com");
        for wrong in [
            "",
            "ada",
            "@example.com",
            "a@",
            "a@b..c",
            "a b@example.com",
            "a@-b.com",
            "a@b@c.com",
            "a\n@b.com",
        ] {
            assert!(wrong.parse::<Email>().is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_judged_without_panic(text in "\\PC{0,60}") {
            if let Ok(name) = text.parse::<Name>() {
                prop_assert!(name.as_str().bytes().all(|b| b.is_ascii_graphic() && b != b'/'));
            }
            let _ = text.parse::<Email>();
        }
    }
}
