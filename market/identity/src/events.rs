//! What this room tells the others.

use events::{Audience, DomainEvent};
use serde::Serialize;

use crate::account::{OrgId, UserId};
use crate::tokens::TokenId;

macro_rules! events {
    ($($(#[$meta:meta])* $name:ident = $kind:literal, $summary:literal, subject $subject:ident {
        $($(#[$field_meta:meta])* $field:ident: $type:ty),+ $(,)?
    } version $version:expr, told $($told:ident)+;)+) => {$(
        $(#[$meta])*
        #[derive(Clone, Debug, Serialize)]
        #[serde(rename_all = "camelCase")]
        pub struct $name {
            $($(#[$field_meta])* pub $field: $type),+
        }

        impl DomainEvent for $name {
            const TYPE: &'static str = $kind;
            fn subject(&self) -> &str {
                self.$subject.as_str()
            }
            fn version(&self) -> i64 {
                let version: fn(&Self) -> i64 = $version;
                version(self)
            }
            fn audience(&self) -> Audience<'_> {
                Audience::Accounts(vec![$(self.$told.as_str()),+])
            }
        }
        ::events::catalogue! { $name = $summary; }
    )+};
}

events! {
    /// Somebody made an account.
    AccountRegistered = "account.registered", "An account was made.", subject user_id {
        /// Whose.
        user_id: UserId,
        /// Its name.
        username: String,
    } version |_| 1, told user_id;

    /// An account's profile, roles or state changed.
    AccountUpdated = "account.updated", "A profile, a role or the state of an account changed.", subject user_id {
        /// Whose.
        user_id: UserId,
        /// Its name.
        username: String,
        /// What changed: `profile`, `password`, `email`, `roles`, `disabled`, `enabled`.
        changed: &'static str,
        /// The account's version after the change.
        account_version: i64,
    } version |event| event.account_version, told user_id;

    /// An API token was made.
    TokenCreated = "token.created", "An API token was made.", subject token_id {
        /// Which.
        token_id: TokenId,
        /// Whose.
        user_id: UserId,
        /// What its owner calls it.
        name: String,
        /// What it may do.
        scopes: String,
    } version |_| 1, told user_id;

    /// An API token was revoked.
    TokenRevoked = "token.revoked", "An API token was revoked.", subject token_id {
        /// Which.
        token_id: TokenId,
        /// Whose.
        user_id: UserId,
    } version |_| 2, told user_id;

    /// An organisation was founded.
    OrganisationCreated = "organisation.created", "An organisation was founded.", subject org_id {
        /// Which.
        org_id: OrgId,
        /// Its name.
        name: String,
        /// Its first owner.
        owner: UserId,
    } version |_| 1, told org_id owner;

    /// An organisation's name for people, members, teams or grants changed.
    OrganisationUpdated = "organisation.updated", "The shown name, members, teams or grants of an organisation changed.", subject org_id {
        /// Which.
        org_id: OrgId,
        /// Its name.
        name: String,
        /// What changed: `profile`, `members`, `teams`, `grants`.
        changed: &'static str,
        /// The organisation's version after the change.
        account_version: i64,
    } version |event| event.account_version, told org_id;
}
