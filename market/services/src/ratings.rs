//! What accounts say of services: who had one running may, once per service; said again, it replaces what was said.

use std::collections::HashMap;

use identity::audit::{self, Outcome};
use identity::{AccountId, Action, Caller, Names, Subject};
use kernel::{FieldError, Page, Paging, Timestamp};
use store::{Tx, args, json_list};

use crate::error::ServiceError;
use crate::{ServiceId, Services, sql};

/// The longest text, in characters.
const MAX_WORDS: usize = 2_000;

/// What one account says of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Review {
    /// Who.
    pub account: AccountId,
    /// 1 to 5.
    pub stars: u32,
    /// What, in plain text; may be empty.
    pub words: String,
    /// When it was said last.
    pub at: Timestamp,
}

store::row!(Review { account, stars, words, at });

/// What all say of a service.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rating {
    /// How many said something.
    pub count: u64,
    /// The sum of their stars.
    pub stars: u64,
}

impl Rating {
    /// The average in tenths of a star, rounded; none where nobody said anything.
    #[must_use]
    pub fn tenths(self) -> Option<u64> {
        (self.stars * 20 + self.count).checked_div(self.count * 2)
    }
}

impl Services {
    /// What all say of each service that somebody said something of.
    ///
    /// # Errors
    /// [`ServiceError::Store`].
    pub async fn ratings(&self) -> Result<HashMap<String, Rating>, ServiceError> {
        let look = async |tx: &mut Tx| tx.all::<(String, u64, u64)>(&sql::SUM_RATINGS, &[]).await;
        let all = self.store.read(look).await?;
        Ok(all.into_iter().map(|(service, count, stars)| (service, Rating { count, stars })).collect())
    }

    /// What is said of a service, newest first, with the names of who says it.
    ///
    /// # Errors
    /// [`ServiceError::Store`].
    pub async fn reviews(
        &self,
        service: &ServiceId,
        paging: Paging,
    ) -> Result<(Page<Review>, Names), ServiceError> {
        let service = service.clone();
        let look = async move |tx: &mut Tx| {
            let (total,): (u64,) = tx.one(&sql::COUNT_REVIEWS, args![service]).await?;
            let items: Vec<Review> =
                tx.all(&sql::LIST_REVIEWS, args![service, paging.limit, paging.offset]).await?;
            let names = identity::names(tx, items.iter().map(|review| &review.account)).await?;
            Ok::<_, ServiceError>((Page { items, total }, names))
        };
        self.store.read(look).await
    }

    /// What the caller says of a service; none where it said nothing, or may not. The flag tells whether it may.
    ///
    /// # Errors
    /// [`ServiceError::Store`].
    pub async fn own_review(
        &self,
        by: &Caller,
        service: &ServiceId,
    ) -> Result<(Option<Review>, bool), ServiceError> {
        let Some(actor) = by.actor.clone() else { return Ok((None, false)) };
        let service = service.clone();
        let look = async move |tx: &mut Tx| {
            let own: Option<Review> = tx.first(&sql::FIND_REVIEW, args![service, actor.user]).await?;
            let accounts = json_list(actor.accounts().map(|account| account.to_string()));
            let (had,): (u64,) = tx.one(&sql::COUNT_HAD, args![accounts, service]).await?;
            Ok::<_, ServiceError>((own, had > 0))
        };
        self.store.read(look).await
    }

    /// Says something of a service. `stars` are 1 to 5.
    ///
    /// # Errors
    /// [`ServiceError::Invalid`]; [`ServiceError::NeverHad`] for who had none running; [`ServiceError::Identity`].
    pub async fn rate(
        &self,
        by: &Caller,
        service: &ServiceId,
        stars: u32,
        words: &str,
    ) -> Result<(), ServiceError> {
        let actor = by.may(Action::Deploy, &Subject::Market)?.clone();
        check(stars, words)?;
        let (by, service, words) = (by.clone(), service.clone(), words.trim().to_owned());
        let save = async move |tx: &mut Tx| {
            let accounts = json_list(actor.accounts().map(|account| account.to_string()));
            let (had,): (u64,) = tx.one(&sql::COUNT_HAD, args![accounts, service]).await?;
            if had == 0 {
                return Err(ServiceError::NeverHad);
            }
            tx.execute(&sql::SET_REVIEW, args![service, actor.user, stars, words, by.now()]).await?;
            let details = serde_json::json!({ "stars": stars });
            audit::record(tx, &by, "service.rated", service.as_str(), Outcome::Done, &details).await?;
            Ok(())
        };
        self.store.write(save).await
    }

    /// Takes back what the caller said of a service; operators take back what `account` said.
    ///
    /// # Errors
    /// [`ServiceError::Identity`] for who may not.
    pub async fn unrate(
        &self,
        by: &Caller,
        service: &ServiceId,
        account: Option<AccountId>,
    ) -> Result<(), ServiceError> {
        let action = if account.is_some() { Action::OperateMarket } else { Action::Deploy };
        let actor = by.may(action, &Subject::Market)?;
        let account = account.unwrap_or_else(|| (&actor.user).into());
        let (by, service) = (by.clone(), service.clone());
        let remove = async move |tx: &mut Tx| {
            if tx.execute(&sql::DELETE_REVIEW, args![service, account]).await? > 0 {
                let details = serde_json::json!({ "account": account });
                let action = "service.rating_removed";
                audit::record(tx, &by, action, service.as_str(), Outcome::Done, &details).await?;
            }
            Ok(())
        };
        self.store.write(remove).await
    }
}

fn check(stars: u32, words: &str) -> Result<(), ServiceError> {
    let mut errors = Vec::new();
    let mut wrong = |bad: bool, pointer: &'static str, detail: &'static str| {
        if bad {
            errors.push(FieldError { pointer: pointer.into(), detail: detail.into() });
        }
    };
    wrong(!(1..=5).contains(&stars), "/stars", "Choose 1 to 5 stars.");
    wrong(words.chars().count() > MAX_WORDS, "/text", "At most 2,000 characters.");
    wrong(words.contains('\0'), "/text", "Use plain text.");
    if errors.is_empty() { Ok(()) } else { Err(ServiceError::Invalid(errors)) }
}

#[cfg(test)]
mod tests {
    use super::Rating;

    #[test]
    fn averages_are_rounded_to_tenths() {
        let tenths = |count, stars| Rating { count, stars }.tenths();
        assert_eq!(
            (tenths(0, 0), tenths(1, 5), tenths(3, 10), tenths(2, 7)),
            (None, Some(50), Some(33), Some(35))
        );
    }
}
