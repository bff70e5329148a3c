//! When tokens and sessions were last used, gathered in memory and written in batches, so that a request never
//! waits for it. What a crash loses is at most a minute of "last used".

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use kernel::Timestamp;
use store::{StoreError, Tx, args};

use crate::Identity;
use crate::sessions::SessionId;
use crate::sql;
use crate::tokens::TokenId;

/// How exact the times are: an earlier one is not overwritten before.
const EXACT_TO: Duration = Duration::from_secs(5 * 60);
/// The most that is gathered between two batches; beyond it, uses are left out.
const MAX_PENDING: usize = 10_000;

#[derive(Default)]
pub(crate) struct Seen {
    pending: Mutex<Pending>,
}

#[derive(Clone, Default)]
struct Pending {
    tokens: HashMap<TokenId, (Timestamp, IpAddr)>,
    sessions: HashMap<SessionId, Timestamp>,
}

impl Seen {
    pub(crate) fn token(&self, id: &TokenId, before: Option<Timestamp>, now: Timestamp, client: IpAddr) {
        if before.is_some_and(|before| now.since(before) < EXACT_TO) {
            return;
        }
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        if pending.tokens.len() < MAX_PENDING {
            pending.tokens.insert(id.clone(), (now, client));
        }
    }

    pub(crate) fn session(&self, id: &SessionId, before: Timestamp, now: Timestamp) {
        if now.since(before) < EXACT_TO {
            return;
        }
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        if pending.sessions.len() < MAX_PENDING {
            pending.sessions.insert(id.clone(), now);
        }
    }

    fn take(&self) -> Pending {
        std::mem::take(&mut *self.pending.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Identity {
    /// Writes when tokens and sessions were last used, in one transaction; answers how many. To be called about
    /// once a minute and before the program ends, see [`Identity::keep`].
    ///
    /// # Errors
    /// [`StoreError`]; what was gathered is then lost.
    pub async fn write_last_used(&self) -> Result<usize, StoreError> {
        let pending = self.seen.take();
        let count = pending.tokens.len() + pending.sessions.len();
        if count == 0 {
            return Ok(0);
        }
        let write = async move |tx: &mut Tx| {
            for (id, (at, client)) in &pending.tokens {
                tx.execute(&sql::SET_TOKEN_USED, args![id, at, client.to_string()]).await?;
            }
            for (id, at) in &pending.sessions {
                tx.execute(&sql::SET_SESSION_SEEN, args![id, at]).await?;
            }
            Ok(count)
        };
        self.store.write(write).await
    }

    /// Deletes sessions, links, guesses and web sign-ins that ended, and revoked or expired tokens a month later.
    ///
    /// # Errors
    /// [`StoreError`]; nothing is then deleted.
    pub async fn forget_what_ended(&self, now: Timestamp) -> Result<u64, StoreError> {
        let delete = async move |tx: &mut Tx| {
            let mut count = tx.execute(&sql::DELETE_ENDED_SESSIONS, args![now]).await?;
            count += tx.execute(&sql::DELETE_ENDED_LINKS, args![now]).await?;
            count += tx.execute(&sql::DELETE_ENDED_WEB_LOGINS, args![now]).await?;
            count += tx
                .execute(&sql::DELETE_OLD_GUESSES, args![now.before(crate::throttle::FORGET_AFTER)])
                .await?;
            count += tx
                .execute(&sql::DELETE_ENDED_TOKENS, args![now.before(Duration::from_secs(30 * 86_400))])
                .await?;
            Ok(count)
        };
        self.store.write(delete).await
    }

    /// Writes last uses each minute for as long as the program runs. Spawn it once; dropping it is safe, but call
    /// [`Identity::write_last_used`] before the program ends.
    pub async fn keep(self) {
        loop {
            tokio::time::sleep(Duration::from_secs(60)).await;
            if let Err(error) = self.write_last_used().await {
                tracing::warn!(%error, "the last uses of some tokens could not be written");
            }
        }
    }
}
